/* bundle: several files as one, and each comes out again under its name. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include <kitebox/roster.h>

#define FIRST "kitebox-office-bundle 1\n"

static enum kb_status next(const char *text, struct kb_bundle_item *ret_item)
{
	struct kb_span rest = kb_span_str(text);

	return kb_bundle_next(&rest, ret_item);
}

TEST(what_is_added_comes_out_in_its_order)
{
	static const struct kb_span bodies[] = {
	    {(const uint8_t *)"", 0}, {(const uint8_t *)"\n", 1}, {(const uint8_t *)"\0\xFF\r\n", 4},
	    {(const uint8_t *)"--- trap 3\nabc\n", 15}, {(const uint8_t *)FIRST, sizeof(FIRST) - 1}};
	static const char *const names[] = {"office.pub", "a", "roster.1.minisig", "GRANT.1-z",
	    "1234567890123456789012345678901234567890123456789012345678901234"};
	struct kb_bundle_item item;
	struct kb_span rest;
	struct kb_buf b;

	kb_buf_init(&b, 10000);
	for (size_t i = 0; i < KB_LEN(bodies); i++)
		assert_ok(kb_bundle_add(&b, names[i], bodies[i]));
	rest = kb_buf_span(&b);
	for (size_t i = 0; i < KB_LEN(bodies); i++) {
		assert_ok(kb_bundle_next(&rest, &item));
		assert_true(kb_span_eq(item.name, kb_span_str(names[i])));
		assert_true(kb_span_eq(item.body, bodies[i]));
	}
	assert_int_equal(kb_bundle_next(&rest, &item), KB_NOTFOUND);
	assert_int_equal(kb_bundle_next(&rest, &item), KB_NOTFOUND); /* and stays there */
	kb_buf_release(&b);
}

TEST(the_text_is_the_one_that_is_documented)
{
	struct kb_buf b;

	kb_buf_init(&b, 1000);
	assert_ok(kb_bundle_add(&b, "office.pub", KB_LIT("RW...\n")));
	assert_ok(kb_bundle_add(&b, "empty", KB_LIT("")));
	assert_span(kb_buf_span(&b), FIRST "--- office.pub 6\nRW...\n\n--- empty 0\n\n");
	kb_buf_release(&b);
}

TEST(a_bundle_is_of_one_form)
{
	static const struct {
		const char *text;
		enum kb_status st;
	} rows[] = {
	    {FIRST "--- a 3\nxyz\n", KB_OK},
	    {FIRST "--- a 0\n\n", KB_OK},
	    {FIRST, KB_NOTFOUND},
	    {"", KB_NOTFOUND},
	    {"kitebox-office-bundle 2\n--- a 3\nxyz\n", KB_MALFORMED},
	    {"kitebox-office-bundle 1", KB_MALFORMED},
	    {FIRST FIRST "--- a 3\nxyz\n", KB_MALFORMED},
	    {FIRST "\n--- a 3\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a 3\nxyz", KB_MALFORMED},
	    {FIRST "--- a 3\nxy\n", KB_MALFORMED},
	    {FIRST "--- a 3\nxyzz\n", KB_MALFORMED},
	    {FIRST "--- a 3\nxyz\n\n", KB_MALFORMED},
	    {FIRST "--- a 3\nxyz\nx", KB_MALFORMED},
	    {FIRST "--- a 3\nxyz\n" FIRST, KB_MALFORMED},
	    {FIRST "--- a 3\r\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a 3 \nxyz\n", KB_MALFORMED},
	    {FIRST "---  a 3\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a  3\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a\nxyz\n", KB_MALFORMED},
	    {FIRST "--- 3\nxyz\n", KB_MALFORMED},
	    {FIRST "---a 3\nxyz\n", KB_MALFORMED},
	    {FIRST "-- a 3\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a 03\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a +3\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a -1\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a 4\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a 18446744073709551615\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a 18446744073709551616\nxyz\n", KB_MALFORMED},
	    {FIRST "--- ../a 3\nxyz\n", KB_MALFORMED},
	    {FIRST "--- a_b 3\nxyz\n", KB_MALFORMED},
	    {FIRST "--- 12345678901234567890123456789012345678901234567890123456789012345 3\nxyz\n", KB_MALFORMED},
	};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_bundle_item item;
		enum kb_status st = next(rows[i].text, &item);

		if (st != rows[i].st)
			fail_msg("row %zu: %s", i, kb_status_row(st)->name);
	}
}

TEST(a_malformed_second_item_does_not_spoil_the_first)
{
	struct kb_span rest = KB_LIT(FIRST "--- a 3\nxyz\n--- b 9\nxyz\n"), before;
	struct kb_bundle_item item;

	assert_ok(kb_bundle_next(&rest, &item));
	assert_span(item.body, "xyz");
	before = rest;
	assert_int_equal(kb_bundle_next(&rest, &item), KB_MALFORMED);
	assert_true(rest.p == before.p && rest.len == before.len);
}

TEST(a_name_that_could_be_a_path_is_not_added)
{
	static const char *const bad[] = {"", "a b", "a/b", "a\nb", "a_b", "\xC3\xA9",
	    "12345678901234567890123456789012345678901234567890123456789012345"};
	struct kb_buf b;

	kb_buf_init(&b, 60);
	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kb_bundle_add(&b, bad[i], KB_LIT("x")), KB_MALFORMED);
	assert_int_equal(b.len, 0);
	assert_ok(kb_bundle_add(&b, "a", KB_LIT("x")));
	size_t before = b.len;
	assert_int_equal(kb_bundle_add(&b, "b", KB_LIT("much more than there is room for here")), KB_LIMIT);
	assert_int_equal(b.len, before);
	kb_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(what_is_added_comes_out_in_its_order),
	    RUN(the_text_is_the_one_that_is_documented),
	    RUN(a_bundle_is_of_one_form),
	    RUN(a_malformed_second_item_does_not_spoil_the_first),
	    RUN(a_name_that_could_be_a_path_is_not_added),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
