/* roster: one text for each roster, read strictly, and where its routes send a verdict. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "rosterfix.h"
#include "vector.h"

static struct kb_roster sample, got; /* too large for a stack that is looked at */

TEST(the_vector_is_what_is_written)
{
	struct kb_buf text, vector;

	rosterfix_sample(&sample);
	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	assert_ok(kb_roster_format(&sample, &text));
	vector_read("roster.txt", &vector);
	assert_true(kb_span_eq(kb_buf_span(&text), kb_buf_span(&vector)));
	kb_buf_release(&vector);
	kb_buf_release(&text);
}

TEST(what_is_read_is_written_again_octet_for_octet)
{
	struct kb_buf text, vector;

	vector_read("roster.txt", &vector);
	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	assert_ok(kb_roster_parse(NULL, kb_buf_span(&vector), &got));
	assert_ok(kb_roster_format(&got, &text));
	assert_true(kb_span_eq(kb_buf_span(&text), kb_buf_span(&vector)));
	rosterfix_sample(&sample);
	(void)crypto_generichash(sample.hash, sizeof(sample.hash), vector.p, vector.len, NULL, 0);
	assert_memory_equal(&got, &sample, sizeof(got));
	kb_buf_release(&vector);
	kb_buf_release(&text);
}

/* The vector with the first `from` in it exchanged for `to`. */
static enum kb_status parse_changed(const char *from, const char *to, size_t *ret_line)
{
	struct kb_buf vector, text;
	struct kb_diag d = {0};
	enum kb_status st;

	vector_read("roster.txt", &vector);
	kb_buf_init(&text, VECTOR_MOST);
	size_t at = kb_span_find(kb_buf_span(&vector), kb_span_str(from));
	if (at == SIZE_MAX)
		fail_msg("the vector does not hold: %s", from);
	assert_ok(kb_buf_add(&text, KB_SPAN(vector.p, at)));
	assert_ok(kb_buf_str(&text, to));
	assert_ok(kb_buf_add(&text, kb_span_from(kb_buf_span(&vector), at + strlen(from))));
	memset(&got, 0x5A, sizeof(got));
	st = kb_roster_parse(&d, kb_buf_span(&text), &got);
	if (st != KB_OK) {
		assert_non_null(d.what);
		for (size_t i = 0; i < sizeof(got); i++)
			assert_int_equal(((const uint8_t *)&got)[i], 0x5A); /* untouched on failure */
	}
	*ret_line = d.offset;
	kb_buf_release(&text);
	kb_buf_release(&vector);
	return st;
}

#define KEY "age1zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs0dsc5v" /* the desk's */

/* clang-format off */
static const struct {
	const char *from, *to;
	enum kb_status st;
	size_t line;
} changes[] = {
	{"kitebox-roster 1", "kitebox-roster 1", KB_OK, 0}, /* the control */
	{"kitebox-roster 1", "kitebox-roster 2", KB_UNSUPPORTED, 1},
	{"kitebox-roster 1\n", "", KB_MALFORMED, 1},
	{"kitebox-roster 1\n", "kitebox-roster 1\nkitebox-roster 1\n", KB_MALFORMED, 2},
	{"kitebox-roster 1\n", "kitebox-roster 1\r\n", KB_UNSUPPORTED, 1},
	{"kitebox-roster 1\n", "kitebox-roster 1\n\n", KB_MALFORMED, 2},
	{"kitebox-roster 1\n", "kitebox-roster 1\n# a comment\n", KB_MALFORMED, 2},
	{"kitebox-roster 1\n", "kitebox-roster 1 \n", KB_MALFORMED, 1},
	{"kitebox-roster", " kitebox-roster", KB_MALFORMED, 1},
	{"store 0", "store  0", KB_MALFORMED, 2},
	{"cdef", "cdeF", KB_MALFORMED, 2},
	{"cdef", "cdeg", KB_MALFORMED, 2},
	{"cdef", "cde", KB_MALFORMED, 2},
	{"store ", "Store ", KB_MALFORMED, 2},
	{"version 1", "version 0", KB_MALFORMED, 3},
	{"version 1", "version 01", KB_MALFORMED, 3},
	{"version 1", "version 2", KB_MALFORMED, 4},          /* then `previous` may not be zero */
	{"version 1", "version 4294967296", KB_MALFORMED, 3},
	{"previous 00", "previous 01", KB_MALFORMED, 4},
	{"created 2026-11-24T14:21:11Z", "created 2026-11-24T14:21:11", KB_MALFORMED, 5},
	{"created 2026-11-24T14:21:11Z", "created 2026-11-31T14:21:11Z", KB_MALFORMED, 5},
	{"epoch 1", "epoch 0", KB_MALFORMED, 6},
	{KEY, "AGE1ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYGS0DSC5V", KB_MALFORMED, 6},
	{KEY, "age1zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs0dsc5q", KB_MALFORMED, 6},
	{KEY, KEY " " KEY, KB_MALFORMED, 6},
	{"referral-key RW", "referral-key RU", KB_UNSUPPORTED, 7},
	{"referral-key RW", "referral-key W", KB_MALFORMED, 7},
	{"recovery ", "recovery", KB_MALFORMED, 8},
	{"person ada", "person Ada", KB_MALFORMED, 9},
	{"person ada", "person 1da", KB_MALFORMED, 9},
	{"person ada", "person a-234567890123456", KB_MALFORMED, 9},
	{"person ada", "person a-2345678901234", KB_OK, 0},
	{"person ada", "person ben", KB_MALFORMED, 10}, /* twice */
	{"supervisor", "Supervisor", KB_MALFORMED, 9},
	{"supervisor", "chief", KB_MALFORMED, 9},
	{"b1b1b1", "B1b1b1", KB_MALFORMED, 9},
	{" Ada Supervisor", "", KB_MALFORMED, 9},
	{" Ada Supervisor", " ", KB_MALFORMED, 9},
	{"Ada Supervisor", "Ada  Supervisor", KB_MALFORMED, 9},
	{"Ada Supervisor", "Ada Supervisor ", KB_MALFORMED, 9},
	{"Ada Supervisor", "Ada\tSupervisor", KB_MALFORMED, 9},
	{"Ada Supervisor", "Ada \x1B[2J", KB_MALFORMED, 9},
	{"Ada Supervisor", "Ada \xFF", KB_MALFORMED, 9},
	{"Ada Supervisor", "A23456789012345678901234567890123456789012345678901234567890123", KB_OK, 0},
	{"Ada Supervisor", "A234567890123456789012345678901234567890123456789012345678901234", KB_MALFORMED, 9},
	{"person ada", "custodian " KEY "\nperson ada", KB_MALFORMED, 10}, /* out of order */
	{"destination oia", "destination prea", KB_MALFORMED, 14},
	{"intake@oia.example", "intake", KB_MALFORMED, 13},
	{"intake@oia.example", "@oia.example", KB_MALFORMED, 13},
	{"intake@oia.example", "intake@", KB_MALFORMED, 13},
	{"intake@oia.example", "in@take@oia.example", KB_MALFORMED, 13},
	{"intake@oia.example", "<intake@oia.example>", KB_MALFORMED, 13},
	{"intake@oia.example", "\"in\"@oia.example", KB_MALFORMED, 13},
	{"intake@oia.example", "intake@oia.example,x@oia.example", KB_MALFORMED, 13},
	{"intake@oia.example", "intake@oia.example " KEY " " KEY, KB_OK, 0},
	{"intake@oia.example", "intake@oia.example " KEY " " KEY " " KEY, KB_LIMIT, 13},
	{"route review,allegation", "route allegation,review", KB_MALFORMED, 15},
	{"route review,allegation", "route review,review", KB_MALFORMED, 15},
	{"route review,allegation", "route review,", KB_MALFORMED, 15},
	{"route review,allegation", "route ,review", KB_MALFORMED, 15},
	{"route review,allegation", "route -,review", KB_MALFORMED, 15},
	{"route review,allegation", "route Review", KB_MALFORMED, 15},
	{"route review,allegation", "route -", KB_MALFORMED, 15}, /* would send everything */
	{"route review,allegation", "route review,allegation,inquiry,machine", KB_OK, 0},
	{"route - - sexual-abuse prea", "route - - sexual-abuse none", KB_MALFORMED, 16},
	{"route - - sexual-abuse prea", "route - - sexual-abuse", KB_MALFORMED, 16},
	{"route - - sexual-abuse prea", "route - - sexual-abuse prea x", KB_MALFORMED, 16},
	{"route - - sexual-abuse prea", "route - - names-nobody prea", KB_MALFORMED, 16},
	{"\nend\n", "\nend", KB_MALFORMED, 18},
	{"\nend\n", "\n", KB_MALFORMED, 0},
	{"\nend\n", "\nend\nend\n", KB_MALFORMED, 19},
	{"\nend\n", "\nend\n\n", KB_MALFORMED, 19},
	{"\nend\n", "\nend x\n", KB_MALFORMED, 18},
};
/* clang-format on */

TEST(each_line_is_of_one_form)
{
	for (size_t i = 0; i < KB_LEN(changes); i++) {
		size_t line;
		enum kb_status st = parse_changed(changes[i].from, changes[i].to, &line);

		if (st != changes[i].st || line != changes[i].line)
			fail_msg("row %zu (%s): %s in line %zu", i, changes[i].to, kb_status_row(st)->name, line);
	}
}

TEST(every_line_before_the_persons_stands_once_and_those_after_may_be_absent)
{
	struct kb_buf vector, text;
	struct kb_span rest, line, skipped;

	vector_read("roster.txt", &vector);
	for (size_t skip = 0; skip < 18; skip++) {
		kb_buf_init(&text, VECTOR_MOST);
		rest = kb_buf_span(&vector);
		for (size_t i = 0; kb_span_line(&rest, &line); i++) {
			if (i == skip)
				skipped = line;
			else
				assert_true(kb_buf_add(&text, line) == KB_OK && kb_buf_byte(&text, '\n') == KB_OK);
		}
		/* A destination that a route names cannot be left out either. */
		bool may = kb_span_starts(skipped, KB_LIT("person")) || kb_span_starts(skipped, KB_LIT("custodian")) ||
		    kb_span_starts(skipped, KB_LIT("route"));
		assert_int_equal(kb_roster_parse(NULL, kb_buf_span(&text), &got), may ? KB_OK : KB_MALFORMED);
		kb_buf_release(&text);
	}
	kb_buf_release(&vector);
}

static void fill_up(struct kb_roster *r)
{
	for (unsigned i = 0; r->persons < KB_PERSONS_MOST; i++) {
		r->person[r->persons] = r->person[0];
		(void)snprintf(r->person[r->persons++].id, sizeof(r->person[0].id), "p%u", i);
	}
	while (r->custodians < KB_CUSTODIANS_MOST)
		r->custodian[r->custodians++] = r->custodian[0];
	for (unsigned i = 0; r->destinations < KB_DESTINATIONS_MOST; i++) {
		r->destination[r->destinations] = r->destination[0];
		(void)snprintf(r->destination[r->destinations++].id, sizeof(r->destination[0].id), "d%u", i);
	}
	while (r->routes < KB_ROUTES_MOST)
		r->route[r->routes++] = r->route[0];
}

TEST(a_full_roster_reads_and_one_row_more_is_past_the_limit)
{
	static const char *const more[] = {
	    "person zed supervisor " KEY " b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1 Zed\n", "custodian " KEY "\n", "destination zed z@oia.example " KEY "\n", "route machine - - oia\n"};
	static const char *const before[] = {"\ncustodian ", "\ndestination ", "\nroute ", "\nend\n"};
	struct kb_buf full, text;

	rosterfix_sample(&sample);
	fill_up(&sample);
	kb_buf_init(&full, KB_ROSTER_TEXT_MOST);
	assert_ok(kb_roster_format(&sample, &full));
	assert_ok(kb_roster_parse(NULL, kb_buf_span(&full), &got));
	assert_int_equal(got.persons + got.custodians + got.destinations + got.routes, 63 + 8 + 8 + 64);
	for (size_t i = 0; i < KB_LEN(more); i++) {
		size_t at = kb_span_find(kb_buf_span(&full), kb_span_str(before[i])) + 1;

		kb_buf_init(&text, 2 * KB_ROSTER_TEXT_MOST);
		assert_ok(kb_buf_add(&text, KB_SPAN(full.p, at)));
		assert_ok(kb_buf_str(&text, more[i]));
		assert_ok(kb_buf_add(&text, kb_span_from(kb_buf_span(&full), at)));
		assert_int_equal(kb_roster_parse(NULL, kb_buf_span(&text), &got), KB_LIMIT);
		kb_buf_release(&text);
	}
	kb_buf_release(&full);
}

TEST(a_text_longer_than_64_kib_is_not_looked_at)
{
	struct kb_buf text;

	kb_buf_init(&text, 2 * KB_ROSTER_TEXT_MOST);
	while (text.len <= KB_ROSTER_TEXT_MOST)
		assert_ok(kb_buf_byte(&text, 'x'));
	assert_int_equal(kb_roster_parse(NULL, kb_buf_span(&text), &got), KB_LIMIT);
	text.len--;
	assert_int_equal(kb_roster_parse(NULL, kb_buf_span(&text), &got), KB_MALFORMED);
	kb_buf_release(&text);
}

static void spoil(struct kb_roster *r, size_t how)
{
	switch (how) {
	case 0: r->version = 0; break;
	case 1: r->version = 2; break; /* with a zero `previous` */
	case 2: r->previous[0] = 1; break;
	case 3: r->epoch = 0; break;
	case 4: r->person[1].role = KB_ROLE_NONE; break;
	case 5: r->person[1].role = KB_ROLE_COUNT; break;
	case 6: memset(r->person[1].id, 'a', sizeof(r->person[1].id)); break; /* without its NUL */
	case 7: r->person[1].name[0] = '\n'; break;
	case 8: r->person[1].name[0] = '\0'; break;
	case 9: memcpy(r->person[1].id, "ada", 4); break;
	case 10: r->persons = KB_PERSONS_MOST + 1; break;
	case 11: r->custodians = KB_CUSTODIANS_MOST + 1; break;
	case 12: r->destinations = KB_DESTINATIONS_MOST + 1; break;
	case 13: r->routes = KB_ROUTES_MOST + 1; break;
	case 14: r->destination[0].n = 0; break;
	case 15: r->destination[0].n = KB_DESTINATION_KEYS_MOST + 1; break;
	case 16: r->destination[0].address[3] = '\n'; break;
	case 17: r->route[0].destination = 2; break;
	case 18: r->route[0] = (struct kb_route){0}; break;
	case 19: r->route[0].classes = 1u << KB_CLASS_COUNT; break;
	case 20: r->route[0].flags = KB_FLAG_ALL + 1; break;
	case 21: r->route[0].categories = UINT64_C(1) << KB_CAT_COUNT; break;
	}
}

TEST(what_could_not_be_read_again_is_not_written)
{
	struct kb_buf text;

	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	assert_ok(kb_buf_str(&text, "kept"));
	for (size_t how = 0; how <= 21; how++) {
		rosterfix_sample(&sample);
		spoil(&sample, how);
		if (kb_roster_format(&sample, &text) == KB_OK)
			fail_msg("case %zu was written", how);
		assert_span(kb_buf_span(&text), "kept");
	}
	rosterfix_sample(&sample);
	assert_ok(kb_roster_format(&sample, &text)); /* the control */
	kb_buf_release(&text);
}

static uint32_t routed(uint8_t class_, uint8_t category, uint32_t flags)
{
	struct kb_verdict v;

	memset(&v, 0, sizeof(v));
	v.class_ = class_;
	v.category = category;
	v.flags = flags;
	return kb_roster_routes(&sample, &v);
}

TEST(every_route_that_matches_fires)
{
	enum { OIA = 1, PREA = 2 };

	rosterfix_sample(&sample);
	assert_int_equal(routed(KB_CLASS_ALLEGATION, KB_CAT_EXCESSIVE_FORCE, 0), OIA);
	assert_int_equal(routed(KB_CLASS_ALLEGATION, KB_CAT_SEXUAL_MISCONDUCT, 0), OIA | PREA);
	assert_int_equal(routed(KB_CLASS_ALLEGATION, KB_CAT_EXCESSIVE_FORCE, KB_FLAG_SEXUAL_ABUSE), OIA | PREA);
	assert_int_equal(routed(KB_CLASS_INQUIRY, KB_CAT_VISITING, 0), 0);
	assert_int_equal(routed(KB_CLASS_INQUIRY, KB_CAT_GENERAL, KB_FLAG_SEXUAL_ABUSE), PREA);
	assert_int_equal(routed(KB_CLASS_MACHINE, KB_CAT_GENERAL, KB_FLAG_LEGAL_MAIL), 0);
	/* In doubt, as if it accused. */
	assert_int_equal(routed(KB_CLASS_REVIEW, KB_CAT_SEXUAL_MISCONDUCT, 0), OIA | PREA);
	assert_int_equal(routed(KB_CLASS_MACHINE, KB_CAT_GENERAL, KB_FLAG_UNREADABLE), OIA);
	assert_int_equal(routed(KB_CLASS_INQUIRY, KB_CAT_FAILURE_TO_PROTECT, KB_FLAG_UNREADABLE), OIA | PREA);
	/* A verdict from another room may hold anything. */
	assert_int_equal(routed(255, 255, UINT32_MAX & ~(uint32_t)KB_FLAG_UNREADABLE), PREA);
}

TEST(an_accusation_that_no_route_takes_goes_to_the_first_destination)
{
	rosterfix_sample(&sample);
	sample.routes = 0;
	assert_int_equal(routed(KB_CLASS_ALLEGATION, KB_CAT_EXCESSIVE_FORCE, 0), 1);
	assert_int_equal(routed(KB_CLASS_REVIEW, KB_CAT_GENERAL, 0), 1);
	assert_int_equal(routed(KB_CLASS_MACHINE, KB_CAT_GENERAL, KB_FLAG_UNREADABLE), 1);
	assert_int_equal(routed(KB_CLASS_INQUIRY, KB_CAT_GENERAL, 0), 0);
	sample.destinations = 0;
	assert_int_equal(routed(KB_CLASS_ALLEGATION, KB_CAT_EXCESSIVE_FORCE, 0), 0);
}

TEST(a_person_is_found_by_the_whole_id)
{
	rosterfix_sample(&sample);
	assert_int_equal(kb_roster_person(&sample, KB_LIT("ben")), 1);
	assert_int_equal(kb_roster_person(&sample, KB_LIT("be")), -1);
	assert_int_equal(kb_roster_person(&sample, KB_LIT("benx")), -1);
	assert_int_equal(kb_roster_person(&sample, KB_LIT("")), -1);
}

TEST(every_role_has_a_name_of_its_own)
{
	for (unsigned i = 1; i < KB_ROLE_COUNT; i++)
		assert_int_equal(kb_role_find(kb_span_str(kb_role_name(i))), i);
	assert_null(kb_role_name(KB_ROLE_NONE));
	assert_null(kb_role_name(KB_ROLE_COUNT));
	assert_int_equal(kb_role_find(KB_LIT("")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(the_vector_is_what_is_written),
	    RUN(what_is_read_is_written_again_octet_for_octet),
	    RUN(each_line_is_of_one_form),
	    RUN(every_line_before_the_persons_stands_once_and_those_after_may_be_absent),
	    RUN(a_full_roster_reads_and_one_row_more_is_past_the_limit),
	    RUN(a_text_longer_than_64_kib_is_not_looked_at),
	    RUN(what_could_not_be_read_again_is_not_written),
	    RUN(every_route_that_matches_fires),
	    RUN(an_accusation_that_no_route_takes_goes_to_the_first_destination),
	    RUN(a_person_is_found_by_the_whole_id),
	    RUN(every_role_has_a_name_of_its_own),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
