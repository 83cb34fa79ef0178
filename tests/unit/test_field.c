#include "kbtest.h"

#include <kitebox/mail.h>

static size_t count(const char *raw)
{
	struct kb_field f;
	size_t n = 0;
	for (size_t at = 0; kb_field_next(kb_span_str(raw), &at, &f);)
		n++;
	return n;
}

TEST(fields_come_in_order_and_end_before_the_empty_line)
{
	struct kb_span raw = KB_LIT("From: a@example.org\r\nSubject: b\r\n\r\nTo: body\r\n");
	struct kb_field f;
	size_t at = 0;
	assert_true(kb_field_next(raw, &at, &f));
	assert_span(f.name, "From");
	assert_span(f.value, "a@example.org");
	assert_true(kb_field_next(raw, &at, &f));
	assert_span(f.name, "Subject");
	assert_false(kb_field_next(raw, &at, &f));
	assert_false(kb_field_next(raw, &at, &f));
	assert_int_equal(at, 33); /* where the empty line stands */
}

TEST(a_folded_value_is_one_field)
{
	struct kb_span raw = KB_LIT("Subject: one\r\n two\r\n\tthree\r\nTo: x\r\n\r\n");
	struct kb_field f;
	size_t at = 0;
	assert_true(kb_field_next(raw, &at, &f));
	assert_span(f.value, "one\r\n two\r\n\tthree");
	assert_true(kb_field_next(raw, &at, &f));
	assert_span(f.name, "To");
}

TEST(a_name_is_found_whatever_its_case_and_the_space_before_its_colon)
{
	struct kb_span raw = KB_LIT("sUBJECT \t: x\r\nsubject: y\r\n\r\n");
	struct kb_field f;
	assert_true(kb_field_find(raw, "Subject", &f));
	assert_span(f.value, "x");
	assert_false(kb_field_find(raw, "Subjec", &f));
	assert_false(kb_field_find(raw, "Subjects", &f));
}

TEST(a_line_that_is_no_field_is_passed_over_with_its_continuations)
{
	struct kb_span raw = KB_LIT("From joe Mon Nov 23 10:00:00 2026\nno field here\n nor: here\nSubject: x\n\n");
	struct kb_field f;
	size_t at = 0;
	assert_true(kb_field_next(raw, &at, &f));
	assert_span(f.name, "Subject");
	assert_int_equal(count("no field\n at: all\n"), 0);
	assert_int_equal(count(": no name\r\nX: y\r\n"), 1);
}

TEST(a_header_may_end_without_an_empty_line_or_a_line_end)
{
	assert_int_equal(count(""), 0);
	assert_int_equal(count("\r\nX: y\r\n"), 0);
	assert_int_equal(count("X: y"), 1);
	assert_int_equal(count("X: y\r\nZ:"), 2);
	assert_int_equal(count("X: y\n z\n"), 1);
}

TEST(an_empty_value_is_empty_and_not_the_next_line)
{
	struct kb_field f;
	assert_true(kb_field_find(KB_LIT("Subject:\r\nTo: x\r\n\r\n"), "Subject", &f));
	assert_int_equal(f.value.len, 0);
}

TEST(a_field_of_the_body_is_not_found)
{
	struct kb_field f;
	assert_false(kb_field_find(KB_LIT("To: x\r\n\r\nAuto-Submitted: auto-replied\r\n"), "Auto-Submitted", &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(fields_come_in_order_and_end_before_the_empty_line),
		RUN(a_folded_value_is_one_field),
		RUN(a_name_is_found_whatever_its_case_and_the_space_before_its_colon),
		RUN(a_line_that_is_no_field_is_passed_over_with_its_continuations),
		RUN(a_header_may_end_without_an_empty_line_or_a_line_end),
		RUN(an_empty_value_is_empty_and_not_the_next_line),
		RUN(a_field_of_the_body_is_not_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
