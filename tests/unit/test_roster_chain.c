/* roster chain: each version is signed by the office and follows the one before it, or none of it is believed. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include "rosterfix.h"

static struct kb_roster first, next, got;
static struct kb_minisign_key office;

static int make(void **state)
{
	(void)state;
	rosterfix_sample(&first);
	rosterfix_office(&office);
	return 0;
}

static enum kb_status verify(struct kb_diag *d, const struct kb_roster *r, const struct kb_roster *before, struct kb_roster *ret_r)
{
	struct kb_buf text, sig;
	enum kb_status st;

	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	assert_ok(kb_roster_format(r, &text));
	rosterfix_sign(&office, kb_buf_span(&text), &sig);
	st = kb_roster_verify(d, kb_buf_span(&text), kb_buf_span(&sig), &office.pub, before, ret_r);
	kb_buf_release(&sig);
	kb_buf_release(&text);
	return st;
}

TEST(a_signed_first_version_is_believed)
{
	assert_ok(verify(NULL, &first, NULL, &got));
	assert_int_equal(got.version, 1);
	assert_int_equal(got.persons, 3);
	assert_false(sodium_is_zero(got.hash, sizeof(got.hash)));
}

TEST(a_text_signed_by_another_or_altered_is_a_forgery)
{
	struct kb_buf text, sig, foreign;
	struct kb_minisign_key other;

	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	kb_buf_init(&foreign, KB_MINISIGN_SIG_MOST);
	kb_minisign_generate(&other);
	assert_ok(kb_roster_format(&first, &text));
	rosterfix_sign(&office, kb_buf_span(&text), &sig);
	rosterfix_sign(&other, kb_buf_span(&text), &foreign);
	memset(&got, 0, sizeof(got));
	assert_int_equal(kb_roster_verify(NULL, kb_buf_span(&text), kb_buf_span(&foreign), &office.pub, NULL, &got), KB_NOKEY);
	memcpy(other.pub.id, office.pub.id, sizeof(other.pub.id));
	kb_buf_clear(&foreign);
	rosterfix_sign(&other, kb_buf_span(&text), &foreign);
	assert_int_equal(kb_roster_verify(NULL, kb_buf_span(&text), kb_buf_span(&foreign), &office.pub, NULL, &got), KB_FORGED);
	assert_int_equal(kb_roster_verify(NULL, kb_buf_span(&text), KB_SPAN(sig.p, sig.len - 1), &office.pub, NULL, &got), KB_MALFORMED);
	assert_int_equal(kb_roster_verify(NULL, kb_buf_span(&text), KB_SPAN(NULL, 0), &office.pub, NULL, &got), KB_MALFORMED);
	/* A public key exchanged for another that reads as well: what a host would do that wants to read along. */
	struct kb_recipient desk = first.desk;
	first.desk = first.person[0].recipient;
	kb_buf_clear(&text);
	assert_ok(kb_roster_format(&first, &text));
	assert_int_equal(kb_roster_verify(NULL, kb_buf_span(&text), kb_buf_span(&sig), &office.pub, NULL, &got), KB_FORGED);
	first.desk = desk;
	assert_true(sodium_is_zero((const uint8_t *)&got, sizeof(got))); /* nothing was given out */
	kb_buf_release(&foreign);
	kb_buf_release(&sig);
	kb_buf_release(&text);
}

TEST(a_signed_text_that_is_no_roster_is_refused)
{
	struct kb_buf sig;

	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	rosterfix_sign(&office, KB_LIT("kitebox-roster 1\nend\n"), &sig);
	assert_int_equal(
	    kb_roster_verify(NULL, KB_LIT("kitebox-roster 1\nend\n"), kb_buf_span(&sig), &office.pub, NULL, &got), KB_MALFORMED);
	kb_buf_release(&sig);
}

TEST(a_second_version_follows_the_first)
{
	struct kb_roster *before = &first;

	assert_ok(verify(NULL, &first, NULL, before));
	rosterfix_next(before, &next);
	next.epoch = 2;
	next.created_s += 60;
	next.persons--;
	assert_ok(verify(NULL, &next, before, &got));
	assert_int_equal(got.version, 2);
	assert_int_equal(got.persons, 2);
	rosterfix_next(&got, &next);
	assert_ok(verify(NULL, &next, &got, &first));
	assert_int_equal(first.version, 3);
}

TEST(what_does_not_follow_is_out_of_sequence)
{
	static struct kb_roster two;

	assert_ok(verify(NULL, &first, NULL, &first));
	rosterfix_next(&first, &two);
	assert_ok(verify(NULL, &two, &first, &two)); /* the control */

	next = two;
	assert_int_equal(verify(NULL, &next, NULL, &got), KB_SEQUENCE); /* begins with 2 */
	assert_int_equal(verify(NULL, &next, &two, &got), KB_SEQUENCE); /* the same again */
	assert_int_equal(verify(NULL, &first, &two, &got), KB_SEQUENCE); /* an older one */
	assert_int_equal(verify(NULL, &first, &first, &got), KB_SEQUENCE);
	rosterfix_next(&two, &next);
	next.version++;
	assert_int_equal(verify(NULL, &next, &two, &got), KB_SEQUENCE); /* one left out */
	rosterfix_next(&two, &next);
	assert_int_equal(verify(NULL, &next, &first, &got), KB_SEQUENCE);
	next.previous[31] ^= 1;
	assert_int_equal(verify(NULL, &next, &two, &got), KB_SEQUENCE); /* of another chain */
	rosterfix_next(&two, &next);
	next.store.b[0] ^= 1;
	assert_int_equal(verify(NULL, &next, &two, &got), KB_SEQUENCE); /* of another store */
	rosterfix_next(&two, &next);
	next.created_s--;
	assert_int_equal(verify(NULL, &next, &two, &got), KB_SEQUENCE);
	two.epoch = 5;
	rosterfix_next(&two, &next);
	next.epoch = 4;
	assert_int_equal(verify(NULL, &next, &two, &got), KB_SEQUENCE); /* back to a key that was given up */
	next.epoch = 5;
	assert_ok(verify(NULL, &next, &two, &got));
}

/* first, next and a third as a bundle. */
static void chain(struct kb_buf *bundle, size_t n)
{
	kb_buf_init(bundle, 4 * KB_ROSTER_TEXT_MOST);
	assert_ok(verify(NULL, &first, NULL, &first));
	next = first;
	for (size_t i = 0; i < n; i++) {
		rosterfix_add(bundle, &office, &next);
		assert_ok(verify(NULL, &next, i ? &got : NULL, &got));
		rosterfix_next(&got, &next);
		next.epoch++;
	}
}

TEST(a_chain_gives_its_newest_version)
{
	for (size_t n = 1; n <= 4; n++) {
		struct kb_buf bundle;

		rosterfix_sample(&first);
		chain(&bundle, n);
		memset(&got, 0, sizeof(got));
		assert_ok(kb_roster_chain_verify(NULL, kb_buf_span(&bundle), &office.pub, &got));
		assert_int_equal(got.version, n);
		assert_int_equal(got.epoch, n);
		kb_buf_release(&bundle);
	}
}

/* Items of a bundle put together again, by their number; -1 ends. */
static enum kb_status rearranged(struct kb_span bundle, const int *order)
{
	struct kb_bundle_item item[8];
	struct kb_buf b;
	char name[80];
	size_t n = 0;
	enum kb_status st;

	while (kb_bundle_next(&bundle, &item[n]) == KB_OK)
		n++;
	kb_buf_init(&b, 4 * KB_ROSTER_TEXT_MOST);
	for (; *order >= 0; order++) {
		assert_true((size_t)*order < n);
		memcpy(name, item[*order].name.p, item[*order].name.len);
		name[item[*order].name.len] = '\0';
		assert_ok(kb_bundle_add(&b, name, item[*order].body));
	}
	memset(&got, 0, sizeof(got));
	st = kb_roster_chain_verify(NULL, kb_buf_span(&b), &office.pub, &got);
	assert_true(st == KB_OK || sodium_is_zero((const uint8_t *)&got, sizeof(got)));
	kb_buf_release(&b);
	return st;
}

TEST(a_chain_with_a_link_missing_moved_or_added_is_refused)
{
	static const struct {
		int order[8];
		enum kb_status st;
	} rows[] = {
	    {{0, 1, 2, 3, 4, 5, -1}, KB_OK},
	    {{0, 1, 2, 3, -1}, KB_OK}, /* shorter, and whole: that it is not the newest, only the version floor can tell */
	    {{-1}, KB_NOTFOUND},
	    {{0, -1}, KB_SEQUENCE},
	    {{1, -1}, KB_SEQUENCE},
	    {{1, 0, -1}, KB_SEQUENCE},
	    {{2, 3, -1}, KB_SEQUENCE},
	    {{0, 1, 4, 5, -1}, KB_SEQUENCE},
	    {{0, 1, 2, -1}, KB_SEQUENCE},
	    {{0, 1, 0, 1, -1}, KB_SEQUENCE},
	    {{2, 3, 0, 1, -1}, KB_SEQUENCE},
	    {{0, 1, 2, 3, 4, 5, 5, -1}, KB_SEQUENCE},
	    {{0, 3, 2, 1, -1}, KB_SEQUENCE},
	};
	struct kb_buf bundle;

	rosterfix_sample(&first);
	chain(&bundle, 3);
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		enum kb_status st = rearranged(kb_buf_span(&bundle), rows[i].order);

		if (st != rows[i].st)
			fail_msg("row %zu: %s", i, kb_status_row(st)->name);
	}
	kb_buf_release(&bundle);
}

TEST(a_chain_with_anything_else_in_it_is_refused)
{
	struct kb_buf bundle;
	struct kb_minisign_key other;

	rosterfix_sample(&first);
	chain(&bundle, 2);
	kb_minisign_generate(&other);
	assert_ok(kb_roster_chain_verify(NULL, kb_buf_span(&bundle), &office.pub, &got)); /* the control */
	assert_int_equal(kb_roster_chain_verify(NULL, kb_buf_span(&bundle), &other.pub, &got), KB_NOKEY);
	assert_int_equal(kb_roster_chain_verify(NULL, KB_SPAN(bundle.p, bundle.len - 1), &office.pub, &got), KB_SEQUENCE);
	assert_ok(kb_bundle_add(&bundle, "grant.1.ada", KB_LIT("x")));
	assert_int_equal(kb_roster_chain_verify(NULL, kb_buf_span(&bundle), &office.pub, &got), KB_SEQUENCE);
	assert_int_equal(kb_roster_chain_verify(NULL, KB_LIT("what is this"), &office.pub, &got), KB_MALFORMED);
	assert_int_equal(kb_roster_chain_verify(NULL, KB_SPAN(NULL, 0), &office.pub, &got), KB_NOTFOUND);
	kb_buf_release(&bundle);
}

TEST(a_link_under_another_name_is_refused)
{
	static const char *const names[][2] = {{"roster.1", "roster.1.minisig"}, {"roster.2", "roster.1.minisig"},
	    {"roster.01", "roster.1.minisig"}, {"roster.1.minisig", "roster.1"}, {"roster.1", "roster.1.sig"}, {"roster.1", "roster.2.minisig"}};
	struct kb_buf text, sig, bundle;

	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	assert_ok(kb_roster_format(&first, &text));
	rosterfix_sign(&office, kb_buf_span(&text), &sig);
	for (size_t i = 0; i < KB_LEN(names); i++) {
		kb_buf_init(&bundle, KB_ROSTER_TEXT_MOST);
		assert_ok(kb_bundle_add(&bundle, names[i][0], kb_buf_span(&text)));
		assert_ok(kb_bundle_add(&bundle, names[i][1], kb_buf_span(&sig)));
		assert_int_equal(kb_roster_chain_verify(NULL, kb_buf_span(&bundle), &office.pub, &got), i ? KB_SEQUENCE : KB_OK);
		kb_buf_release(&bundle);
	}
	kb_buf_release(&sig);
	kb_buf_release(&text);
}

/* Each genuine by itself: versions of two chains of one office, say of before and after a restore. */
TEST(links_of_two_chains_do_not_join)
{
	struct kb_buf bundle;

	kb_buf_init(&bundle, 4 * KB_ROSTER_TEXT_MOST);
	rosterfix_sample(&first);
	rosterfix_add(&bundle, &office, &first);
	first.persons--;
	assert_ok(verify(NULL, &first, NULL, &first));
	rosterfix_next(&first, &next);
	rosterfix_add(&bundle, &office, &next);
	assert_int_equal(kb_roster_chain_verify(NULL, kb_buf_span(&bundle), &office.pub, &got), KB_SEQUENCE);
	kb_buf_release(&bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_signed_first_version_is_believed, make),
	    cmocka_unit_test_setup(a_text_signed_by_another_or_altered_is_a_forgery, make),
	    cmocka_unit_test_setup(a_signed_text_that_is_no_roster_is_refused, make),
	    cmocka_unit_test_setup(a_second_version_follows_the_first, make),
	    cmocka_unit_test_setup(what_does_not_follow_is_out_of_sequence, make),
	    cmocka_unit_test_setup(a_chain_gives_its_newest_version, make),
	    cmocka_unit_test_setup(a_chain_with_a_link_missing_moved_or_added_is_refused, make),
	    cmocka_unit_test_setup(a_chain_with_anything_else_in_it_is_refused, make),
	    cmocka_unit_test_setup(a_link_under_another_name_is_refused, make),
	    cmocka_unit_test_setup(links_of_two_chains_do_not_join, make),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
