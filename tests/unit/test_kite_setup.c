/* kite setup: what a command line may ask for, and what an office is made of. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "home.h"
#include "kitefix.h"
#include "kitesay.h"

static const struct kite_option supervisor = {"supervisor", 0, "V", ""}, coordinator = {"coordinator", 0, "V", ""},
				destination = {"destination", 0, "V", ""}, factor = {"work-factor", 0, "V", ""},
				host = {"store-host", 0, "V", ""};

static void give(struct kite_args *a, const struct kite_option *o, const char *value)
{
	a->given[a->n].option = o;
	a->given[a->n++].value = value;
}

/* What a plan that is otherwise sound says to this option. */
static enum kb_status with(const struct kite_option *o, const char *value, struct kite_plan *ret_p)
{
	struct kite_args *a = calloc(1, sizeof(*a));
	assert_non_null(a);
	said_clear();
	give(a, &supervisor, "sue:Sue Zephyrine");
	give(a, &destination, "oia:intake@oia.example");
	if (o)
		give(a, o, value);
	enum kb_status st = kite_plan_parse(a, ret_p);
	free(a);
	return st;
}

static void refused(const struct kite_option *o, const char *value)
{
	static struct kite_plan p;
	assert_int_equal(with(o, value, &p), KB_MALFORMED);
	assert_true(strlen(said()) > 10);
	assert_non_null(strstr(said(), value));
}

TEST(a_plan_holds_what_was_asked_for)
{
	static struct kite_plan p;
	assert_ok(with(&coordinator, "anna:Anna Quillfeather", &p));
	assert_int_equal(p.persons, 2);
	assert_string_equal(p.person[0].id, "sue");
	assert_string_equal(p.person[0].name, "Sue Zephyrine");
	assert_int_equal(p.person[0].role, KB_ROLE_SUPERVISOR);
	assert_int_equal(p.person[1].role, KB_ROLE_COORDINATOR);
	assert_int_equal(p.destinations, 1);
	assert_string_equal(p.destination[0].address, "intake@oia.example");
	assert_int_equal(p.work_factor, 18);
	assert_ok(with(&coordinator, "ben", &p)); /* an id alone is a name, too */
	assert_string_equal(p.person[1].name, "ben");
}

TEST(a_destination_may_have_flags_and_a_key_in_any_order)
{
	static struct kite_plan p;
	struct kb_recipient r;
	char word[256], key[KB_RECIPIENT_TEXT];
	struct kb_identity *id = kb_identity_generate();
	kb_identity_recipient(id, &r);
	kb_recipient_format(&r, key);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(word, sizeof(word), i ? "prea:p@oia.example:key=%s:flags=sexual-abuse,retaliation" :
						       "prea:p@oia.example:flags=sexual-abuse,retaliation:key=%s", key);
		assert_ok(with(&destination, word, &p));
		assert_string_equal(p.destination[1].address, "p@oia.example");
		assert_int_equal(p.destination[1].flags, KB_FLAG_SEXUAL_ABUSE | KB_FLAG_RETALIATION);
		assert_true(p.destination[1].own_key);
		assert_memory_equal(&p.destination[1].recipient, &r, sizeof(r));
	}
	kb_identity_free(&id);
}

TEST(what_cannot_be_a_person_is_refused_and_named)
{
	static const char *const bad[] = {"", ":Name", "Anna:Anna", "an na:Anna", "../x:X", "-a:A", "9a:A",
	    "abcdefghijklmnop:Too long", "anna:", "anna: Anna", "anna:A\nB", "anna:\033[31mA", "anna:\xff",
	    "sue:Another Sue"};
	for (size_t i = 0; i < KB_LEN(bad); i++) {
		static struct kite_plan p;
		assert_int_equal(with(&coordinator, bad[i], &p), KB_MALFORMED);
	}
	refused(&coordinator, "Anna:Anna");
}

TEST(what_cannot_be_a_destination_is_refused_and_named)
{
	static const char *const bad[] = {"prea", "prea:", "prea:nobody", "prea:@oia.example", "prea:a@", "prea:a@b@c",
	    "prea:a b@oia.example", "prea:a@oia.example>",
	    "prea:a@oia.example:flags=", "prea:a@oia.example:flags=nonsense", "prea:a@oia.example:key=age1nonsense"};
	static struct kite_plan p;
	for (size_t i = 0; i < KB_LEN(bad); i++)
		refused(&destination, bad[i]);
	assert_int_equal(with(&destination, "oia:other@oia.example", &p), KB_MALFORMED);
	assert_non_null(strstr(said(), "two destinations have the id oia"));
}

TEST(a_work_factor_or_a_host_that_cannot_be_is_refused)
{
	refused(&factor, "0");
	refused(&factor, "23");
	refused(&factor, "eighteen");
	refused(&host, "kite\nbox");
}

TEST(an_office_without_supervisor_or_destination_is_refused)
{
	static struct kite_plan p;
	struct kite_args *a = calloc(1, sizeof(*a));
	assert_non_null(a);
	said_clear();
	give(a, &coordinator, "anna:Anna");
	give(a, &destination, "oia:intake@oia.example");
	assert_int_equal(kite_plan_parse(a, &p), KB_MALFORMED);
	assert_non_null(strstr(said(), "--supervisor"));
	a->n = 0;
	give(a, &supervisor, "sue:Sue");
	assert_int_equal(kite_plan_parse(a, &p), KB_MALFORMED);
	assert_non_null(strstr(said(), "--destination"));
	free(a);
}

/* ---- the office ---- */

static int setup(void **state)
{
	*state = kitefix_new();
	return 0;
}

static int teardown(void **state)
{
	kitefix_free(*state);
	return 0;
}

static void setup_makes_everything_an_office_needs(void **state)
{
	static const char *const paths[] = {"host/office.pub", "host/office.bundle", "host/credentials/referral.key",
	    "host/credentials/vault.key", "people/sue/identity", "people/sue/office.pub", "people/sue/office.key",
	    "people/anna/identity", "people/anna/office.pub", "people/ben/identity", "people/ben/office.pub",
	    "investigators/oia.key", "investigators/prea.key", "custodian/identity", "safe/recovery.key"};
	const struct kitefix *f = *state;
	assert_int_equal(f->files.n, KB_LEN(paths));
	for (size_t i = 0; i < KB_LEN(paths); i++)
		assert_true(kitefix_file(f, paths[i]).len > 0);
}

static void the_first_roster_verifies_under_the_office_key_alone(void **state)
{
	const struct kitefix *f = *state;
	struct kb_minisign_public pub;
	struct kb_minisign_key other;
	struct kb_roster *r = calloc(1, sizeof(*r));
	struct kb_span text = kitefix_item(f, "roster.1"), sig = kitefix_item(f, "roster.1.minisig");
	assert_non_null(r);
	assert_ok(kb_minisign_public_parse(NULL, kitefix_file(f, "host/office.pub"), &pub));
	assert_ok(kb_roster_verify(NULL, text, sig, &pub, NULL, r));
	assert_int_equal(r->persons, 3);
	assert_int_equal(r->destinations, 2);
	assert_int_equal(r->custodians, 1);
	assert_int_equal(r->epoch, 1);
	kb_minisign_generate(&other);
	assert_int_not_equal(kb_roster_verify(NULL, text, sig, &other.pub, NULL, r), KB_OK);
	kb_minisign_release(&other);
	free(r);
}

static bool holds(struct kb_span file, const char *text)
{
	return kb_span_find(file, kb_span_str(text)) != SIZE_MAX;
}

/* The host can neither open what is stored nor sign a roster: what it gets is public, but for what signs referrals and keeps
 * the journal. */
static void the_host_gets_nothing_that_opens_a_message(void **state)
{
	const struct kitefix *f = *state;
	size_t host_files = 0;
	for (size_t i = 0; i < f->files.n; i++) {
		struct kb_span body = kb_buf_span(&f->files.file[i].body);
		if (strncmp(f->files.file[i].path, "host/", 5) != 0)
			continue;
		host_files++;
		assert_false(holds(body, "AGE-SECRET-KEY"));
		assert_false(holds(body, "-> scrypt"));
	}
	assert_int_equal(host_files, 4);
	assert_int_equal(kitefix_file(f, "host/credentials/vault.key").len, 32);
	struct kb_minisign_key k;
	assert_ok(kb_minisign_key_parse(NULL, kitefix_file(f, "host/credentials/referral.key"), KB_SPAN(NULL, 0), &k));
	assert_memory_equal(&k.pub, &f->office.roster.referral, sizeof(k.pub));
	kb_minisign_release(&k);
}

static void the_office_key_is_the_supervisors_and_has_the_passphrase(void **state)
{
	const struct kitefix *f = *state;
	struct kb_minisign_key k;
	struct kb_span file = kitefix_file(f, "people/sue/office.key");
	assert_int_not_equal(kb_minisign_key_parse(NULL, file, KB_LIT("another"), &k), KB_OK);
	assert_int_not_equal(kb_minisign_key_parse(NULL, file, KB_SPAN(NULL, 0), &k), KB_OK);
	assert_ok(kb_minisign_key_parse(NULL, file, kitefix_passphrase(), &k));
	assert_memory_equal(&k.pub, &f->office.office, sizeof(k.pub));
	kb_minisign_release(&k);
}

static void every_identity_has_the_passphrase_and_is_the_one_of_the_roster(void **state)
{
	const struct kitefix *f = *state;
	const struct kb_roster *r = &f->office.roster;
	const struct {
		const char *path;
		const struct kb_recipient *recipient;
	} rows[] = {{"people/sue/identity", &r->person[0].recipient}, {"people/anna/identity", &r->person[1].recipient},
		{"people/ben/identity", &r->person[2].recipient}, {"investigators/oia.key", &r->destination[0].recipient[0]},
		{"investigators/prea.key", &r->destination[1].recipient[0]}, {"custodian/identity", &r->custodian[0]},
		{"safe/recovery.key", &r->recovery}};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_person_key *k = NULL;
		struct kb_recipient got;
		assert_int_equal(kb_person_key_open(NULL, kitefix_file(f, rows[i].path), KB_LIT("another one"), &k), KB_NOKEY);
		assert_ok(kb_person_key_open(NULL, kitefix_file(f, rows[i].path), kitefix_passphrase(), &k));
		kb_identity_recipient(k->age, &got);
		assert_memory_equal(&got, rows[i].recipient, sizeof(got));
		assert_int_equal(k->can_sign, i < 3);
		kb_person_key_free(&k);
	}
}

static void a_grant_opens_for_its_person_and_recovery_and_nobody_else(void **state)
{
	static const char *const holders[] = {"people/sue/identity", "people/anna/identity", "people/ben/identity",
	    "investigators/oia.key", "custodian/identity", "safe/recovery.key"};
	const struct kitefix *f = *state;
	for (size_t i = 0; i < KB_LEN(holders); i++) {
		struct kb_person_key *k = NULL, *desk = NULL;
		struct kb_recipient got;
		struct kb_buf text;
		kb_buf_init(&text, 8192);
		assert_ok(kb_person_key_open(NULL, kitefix_file(f, holders[i]), kitefix_passphrase(), &k));
		const struct kb_identity *id = k->age;
		enum kb_status st = kb_age_open(
		    NULL, kitefix_item(f, "grant.1.anna"), &(struct kb_age_keys){.identities = &id, .n = 1}, &text);
		assert_int_equal(st, i == 1 || i == 5 ? KB_OK : KB_NOKEY);
		if (st == KB_OK) {
			assert_ok(kb_person_key_open(NULL, kb_buf_span(&text), KB_SPAN(NULL, 0), &desk));
			kb_identity_recipient(desk->age, &got);
			assert_memory_equal(&got, &f->office.roster.desk, sizeof(got));
		}
		kb_person_key_free(&desk);
		kb_person_key_free(&k);
		kb_buf_release(&text);
	}
}

static void the_routes_take_every_allegation_and_what_has_a_flag(void **state)
{
	const struct kitefix *f = *state;
	struct kb_verdict *v = calloc(1, sizeof(*v));
	assert_non_null(v);
	v->class_ = KB_CLASS_ALLEGATION;
	assert_int_equal(kb_roster_routes(&f->office.roster, v), 1);
	v->class_ = KB_CLASS_REVIEW;
	assert_int_equal(kb_roster_routes(&f->office.roster, v), 1);
	v->class_ = KB_CLASS_INQUIRY;
	assert_int_equal(kb_roster_routes(&f->office.roster, v), 0);
	v->flags = KB_FLAG_SEXUAL_ABUSE;
	assert_int_equal(kb_roster_routes(&f->office.roster, v), 2);
	v->class_ = KB_CLASS_ALLEGATION;
	assert_int_equal(kb_roster_routes(&f->office.roster, v), 3);
	free(v);
}

static void the_sheet_has_every_public_key_and_no_secret(void **state)
{
	const struct kitefix *f = *state;
	char text[KB_RECIPIENT_TEXT], line[KB_MINISIGN_PUBLIC_TEXT], print[KITE_FINGERPRINT_TEXT];
	struct kb_buf sheet;
	kb_buf_init(&sheet, 1 << 16);
	assert_ok(kite_office_sheet(&f->plan, &f->office, &sheet));
	assert_false(holds(kb_buf_span(&sheet), "AGE-SECRET-KEY"));
	const struct kb_recipient *all[] = {&f->office.roster.desk, &f->office.roster.recovery, &f->office.roster.custodian[0],
		&f->office.roster.person[0].recipient, &f->office.roster.person[1].recipient, &f->office.roster.person[2].recipient,
		&f->office.roster.destination[0].recipient[0], &f->office.roster.destination[1].recipient[0]};
	for (size_t i = 0; i < KB_LEN(all); i++) {
		kb_recipient_format(all[i], text);
		assert_true(holds(kb_buf_span(&sheet), text));
	}
	kb_minisign_public_format(&f->office.office, line);
	assert_true(holds(kb_buf_span(&sheet), line));
	kite_fingerprint(&f->office.office, print);
	print[39] = '\0'; /* the sheet has it on two lines */
	assert_true(holds(kb_buf_span(&sheet), print));
	assert_true(holds(kb_buf_span(&sheet), print + 40));
	kb_buf_release(&sheet);
}

static void two_offices_share_no_key(void **state)
{
	const struct kitefix *f = *state;
	struct kitefix *other = kitefix_new();
	for (size_t i = 0; i < f->files.n; i++)
		assert_false(kb_span_eq(kb_buf_span(&f->files.file[i].body), kb_buf_span(&other->files.file[i].body)));
	kitefix_free(other);
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		RUN(a_plan_holds_what_was_asked_for),
		RUN(a_destination_may_have_flags_and_a_key_in_any_order),
		RUN(what_cannot_be_a_person_is_refused_and_named),
		RUN(what_cannot_be_a_destination_is_refused_and_named),
		RUN(a_work_factor_or_a_host_that_cannot_be_is_refused),
		RUN(an_office_without_supervisor_or_destination_is_refused),
		RUN(setup_makes_everything_an_office_needs),
		RUN(the_first_roster_verifies_under_the_office_key_alone),
		RUN(the_host_gets_nothing_that_opens_a_message),
		RUN(the_office_key_is_the_supervisors_and_has_the_passphrase),
		RUN(every_identity_has_the_passphrase_and_is_the_one_of_the_roster),
		RUN(a_grant_opens_for_its_person_and_recovery_and_nobody_else),
		RUN(the_routes_take_every_allegation_and_what_has_a_flag),
		RUN(the_sheet_has_every_public_key_and_no_secret),
		RUN(two_offices_share_no_key),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
