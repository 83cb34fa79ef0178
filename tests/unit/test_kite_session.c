/* kite_session: whom kite believes, before it says who it is, and what it then signs. */
#include "kbtest.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "kitefix.h"

static const struct kite_memory nothing = {0};

/* One office for all: its passphrases are dear, as they should be. */
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

static void only_greeted(struct kitefix *f)
{
	assert_int_equal(desk_heard(f, NULL, 0), KB_DESK_HELLO);
	assert_int_equal(desk_heard(f, NULL, 0), KB_DESK_ROSTER);
	assert_int_equal(desk_heard(f, NULL, 0), 0);
}

static void the_pinned_office_is_believed(void **state)
{
	struct kitefix *f = *state;
	const struct kite_memory before = {.store = f->office.roster.store, .roster = 1};
	kitefix_session(f, FIX_ANNA);
	desk_meets(f);
	assert_ok(kite_session_meet(&f->s, NULL, &f->office.office, &before));
	assert_int_equal(f->s.roster->version, 1);
	assert_int_equal(f->s.roster->persons, 3);
	only_greeted(f);
}

static void at_first_contact_the_office_is_the_one_that_signed(void **state)
{
	struct kitefix *f = *state;
	kitefix_session(f, FIX_ANNA);
	desk_meets(f);
	assert_ok(kite_session_meet(&f->s, NULL, NULL, &nothing));
	assert_memory_equal(&f->s.office, &f->office.office, sizeof(f->s.office));
}

static void another_office_than_the_pinned_one_is_refused(void **state)
{
	struct kitefix *f = *state;
	struct kb_minisign_key other;
	struct kb_diag d = {0};
	kb_minisign_generate(&other);
	kitefix_session(f, FIX_ANNA);
	desk_meets(f);
	assert_int_equal(kite_session_meet(&f->s, &d, &other.pub, &nothing), KB_FORGED);
	assert_string_equal(d.what, "the desk shows another office key than the one that is pinned");
	only_greeted(f);
	kb_minisign_release(&other);
}

/* Each octet that the host may have changed: none gives a roster that is believed. */
static void a_chain_that_the_host_changed_is_refused(void **state)
{
	struct kitefix *f = *state;
	struct kb_buf chain;
	kitefix_chain(f, &chain);
	for (size_t at = 0; at < chain.len; at += 97) {
		kitefix_session(f, FIX_ANNA);
		chain.p[at] ^= 1;
		desk_challenge(f, &f->office.roster.store, 1);
		desk_chain(f, kb_buf_span(&chain));
		enum kb_status st = kite_session_meet(&f->s, NULL, &f->office.office, &nothing);
		/* what is no secret and not signed (the comment of office.pub) may read as it likes */
		if (st == KB_OK)
			assert_true(at < 130);
		chain.p[at] ^= 1;
	}
	kb_buf_release(&chain);
}

static void an_empty_chain_is_refused(void **state)
{
	struct kitefix *f = *state;
	kitefix_session(f, FIX_ANNA);
	desk_challenge(f, &f->office.roster.store, 1);
	desk_chain(f, KB_SPAN(NULL, 0));
	assert_int_equal(kite_session_meet(&f->s, NULL, &f->office.office, &nothing), KB_MALFORMED);
}

static void another_store_than_last_time_is_refused(void **state)
{
	struct kitefix *f = *state;
	struct kite_memory before = {.roster = 1};
	kb_id_random(&before.store);
	kitefix_session(f, FIX_ANNA);
	desk_meets(f);
	assert_int_equal(kite_session_meet(&f->s, NULL, &f->office.office, &before), KB_FORGED);
	only_greeted(f);
}

static void an_older_roster_than_last_time_is_refused(void **state)
{
	struct kitefix *f = *state;
	const struct kite_memory before = {.store = f->office.roster.store, .roster = 2};
	kitefix_session(f, FIX_ANNA);
	desk_meets(f);
	assert_int_equal(kite_session_meet(&f->s, NULL, &f->office.office, &before), KB_SEQUENCE);
	only_greeted(f);
}

static void a_desk_that_holds_back_a_roster_is_refused(void **state)
{
	struct kitefix *f = *state;
	struct kb_buf chain;
	kitefix_chain(f, &chain);
	kitefix_session(f, FIX_ANNA);
	desk_challenge(f, &f->office.roster.store, 2);
	desk_chain(f, kb_buf_span(&chain));
	assert_int_equal(kite_session_meet(&f->s, NULL, &f->office.office, &nothing), KB_SEQUENCE);
	kb_buf_release(&chain);
}

static void a_desk_that_greets_as_another_store_is_refused(void **state)
{
	struct kitefix *f = *state;
	struct kb_buf chain;
	struct kb_id other;
	kb_id_random(&other);
	kitefix_chain(f, &chain);
	kitefix_session(f, FIX_ANNA);
	desk_challenge(f, &other, 1);
	desk_chain(f, kb_buf_span(&chain));
	assert_int_equal(kite_session_meet(&f->s, NULL, &f->office.office, &nothing), KB_FORGED);
	kb_buf_release(&chain);
}

static void a_log_in_signs_label_store_both_nonces_and_purpose(void **state)
{
	struct kitefix *f = *state;
	struct kb_desk_hello hello;
	struct kb_desk_login login;
	const struct kb_desk_welcome welcome = {.role = KB_ROLE_COORDINATOR, .person = FIX_BEN};
	uint8_t text[17 + 16 + 32 + 32 + 16] = "kitebox login v1";
	kitefix_session(f, FIX_BEN);
	desk_meets(f);
	desk_answer(f, KB_DESK_LOGIN, &welcome, sizeof(welcome), KB_SPAN(NULL, 0), true);
	assert_ok(kite_session_meet(&f->s, NULL, &f->office.office, &nothing));
	assert_ok(kite_session_login(&f->s, NULL, "list"));
	assert_int_equal(desk_heard(f, &hello, sizeof(hello)), KB_DESK_HELLO);
	assert_int_equal(desk_heard(f, NULL, 0), KB_DESK_ROSTER);
	assert_int_equal(desk_heard(f, &login, sizeof(login)), KB_DESK_LOGIN);
	assert_string_equal(login.person, "ben");
	assert_string_equal(login.purpose, "list");
	memcpy(text + 17, f->office.roster.store.b, 16);
	memcpy(text + 33, hello.nonce, 32);
	memset(text + 65, 7, 32);
	memcpy(text + 97, login.purpose, 16);
	assert_int_equal(crypto_sign_verify_detached(
			     login.signature, text, sizeof(text), f->office.roster.person[FIX_BEN].sign_public),
	    0);
	text[0] ^= 1;
	assert_int_not_equal(crypto_sign_verify_detached(
				 login.signature, text, sizeof(text), f->office.roster.person[FIX_BEN].sign_public),
	    0);
}

static void whoever_the_roster_does_not_have_is_told_so_and_signs_nothing(void **state)
{
	struct kitefix *f = *state;
	struct kb_diag d = {0};
	kitefix_session(f, FIX_ANNA);
	kb_person_key_free(&f->s.me);
	f->s.me = kb_person_key_generate(KB_LIT("Person anna"));
	desk_meets(f);
	assert_ok(kite_session_meet(&f->s, NULL, &f->office.office, &nothing));
	assert_int_equal(kite_session_login(&f->s, &d, "list"), KB_DENIED);
	only_greeted(f);
}

static void what_the_desk_refuses_is_said_in_its_words_made_harmless(void **state)
{
	struct kitefix *f = *state;
	kitefix_session(f, FIX_ANNA);
	desk_meets(f);
	desk_error(f, KB_DENIED, "no\033[31m entry");
	assert_ok(kite_session_meet(&f->s, NULL, &f->office.office, &nothing));
	assert_int_equal(kite_session_login(&f->s, NULL, "list"), KB_DENIED);
	assert_true(f->s.client.failed);
	assert_null(strchr(f->s.client.said, '\033'));
	assert_non_null(strstr(f->s.client.said, "entry"));
}

static void an_epoch_is_granted_once_a_session(void **state)
{
	struct kitefix *f = *state;
	const struct kb_identity *id = NULL, *again = NULL;
	struct kb_recipient r;
	kitefix_begin(f, FIX_ANNA);
	desk_grant(f, "anna");
	assert_ok(kite_session_epoch(&f->s, NULL, 1, &id));
	kb_identity_recipient(id, &r);
	assert_memory_equal(&r, &f->office.roster.desk, sizeof(r));
	assert_ok(kite_session_epoch(&f->s, NULL, 1, &again));
	assert_ptr_equal(id, again);
	assert_int_equal(desk_heard(f, NULL, 0), KB_DESK_GRANT);
	assert_int_equal(desk_heard(f, NULL, 0), 0);
}

static void somebody_elses_grant_does_not_open(void **state)
{
	struct kitefix *f = *state;
	const struct kb_identity *id = NULL;
	kitefix_begin(f, FIX_ANNA);
	desk_grant(f, "ben");
	assert_int_equal(kite_session_epoch(&f->s, NULL, 1, &id), KB_NOKEY);
	assert_null(id);
}

/* A host that could put a key of its own in an epoch's place would have people seal and read under it. */
static void a_grant_of_a_key_that_the_roster_does_not_name_is_refused(void **state)
{
	struct kitefix *f = *state;
	const struct kb_identity *id = NULL;
	struct kb_identity *evil = kb_identity_generate();
	char secret[KB_IDENTITY_TEXT];
	struct kb_buf text, file;
	struct kb_diag d = {0};
	kb_buf_init(&text, 4096);
	kb_buf_init(&file, 8192);
	kb_identity_format(evil, secret);
	assert_ok(kb_buf_printf(&text, "%s\n", secret));
	assert_ok(kb_age_seal(&f->office.roster.person[FIX_ANNA].recipient, 1, kb_buf_span(&text), &file));
	kitefix_begin(f, FIX_ANNA);
	desk_body(f, KB_DESK_GRANT, kb_buf_span(&file), 0, false);
	assert_int_equal(kite_session_epoch(&f->s, &d, 1, &id), KB_FORGED);
	assert_null(id);
	kb_identity_free(&evil);
	kb_buf_release(&text);
	kb_buf_release(&file);
}

static void an_epoch_that_no_roster_names_is_not_asked_for(void **state)
{
	struct kitefix *f = *state;
	const struct kb_identity *id = NULL;
	kitefix_begin(f, FIX_ANNA);
	assert_int_equal(kite_session_epoch(&f->s, NULL, 9, &id), KB_FORGED);
	assert_int_equal(desk_heard(f, NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(the_pinned_office_is_believed),
		RUN(at_first_contact_the_office_is_the_one_that_signed),
		RUN(another_office_than_the_pinned_one_is_refused),
		RUN(a_chain_that_the_host_changed_is_refused),
		RUN(an_empty_chain_is_refused),
		RUN(another_store_than_last_time_is_refused),
		RUN(an_older_roster_than_last_time_is_refused),
		RUN(a_desk_that_holds_back_a_roster_is_refused),
		RUN(a_desk_that_greets_as_another_store_is_refused),
		RUN(a_log_in_signs_label_store_both_nonces_and_purpose),
		RUN(whoever_the_roster_does_not_have_is_told_so_and_signs_nothing),
		RUN(what_the_desk_refuses_is_said_in_its_words_made_harmless),
		RUN(an_epoch_is_granted_once_a_session),
		RUN(somebody_elses_grant_does_not_open),
		RUN(a_grant_of_a_key_that_the_roster_does_not_name_is_refused),
		RUN(an_epoch_that_no_roster_names_is_not_asked_for),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
