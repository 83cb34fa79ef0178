/* id: each name has one written form, and a time is a second of a day that exists. */
#include "kbtest.h"

#include <string.h>

#include <kitebox/id.h>

static const struct kb_id sample = {{0x00, 0x01, 0x7F, 0x80, 0xFF, 0xAB, 0xCD, 0xEF, 0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE}};

TEST(an_id_is_32_lower_case_hexadecimal_digits)
{
	char text[KB_ID_TEXT];
	struct kb_id id;

	kb_id_format(&sample, text);
	assert_string_equal(text, "00017f80ffabcdef1032547698badcfe");
	assert_ok(kb_id_parse(kb_span_str(text), &id));
	assert_true(kb_id_eq(&id, &sample));
	id.b[15] ^= 1;
	assert_false(kb_id_eq(&id, &sample));
}

TEST(nothing_else_is_an_id)
{
	static const char *const bad[] = {"", "00017F80ffabcdef1032547698badcfe", "00017f80ffabcdef1032547698badcf",
	    "00017f80ffabcdef1032547698badcfe0", "0x017f80ffabcdef1032547698badcfe", " 0017f80ffabcdef1032547698badcfe",
	    "00017f80ffabcdef1032547698badcfg", "00017f80-ffabcdef1032547698badcf"};
	struct kb_id id = sample;

	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kb_id_parse(kb_span_str(bad[i]), &id), KB_MALFORMED);
	assert_int_equal(kb_id_parse(KB_SPAN(NULL, 0), &id), KB_MALFORMED);
	assert_true(kb_id_eq(&id, &sample));
}

TEST(random_ids_differ)
{
	struct kb_id a, b;
	struct kb_case_id c, d;

	kb_id_random(&a);
	kb_id_random(&b);
	assert_false(kb_id_eq(&a, &b));
	kb_case_id_random(&c);
	kb_case_id_random(&d);
	assert_memory_not_equal(c.b, d.b, sizeof(c.b));
}

TEST(a_case_id_is_two_groups_of_crockford_s_base_32)
{
	static const struct {
		const char *text;
		struct kb_case_id id;
	} rows[] = {
	    {"K-0000-0000", {{0, 0, 0, 0, 0}}},
	    {"K-ZZZZ-ZZZZ", {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF}}},
	    {"K-0000-0001", {{0, 0, 0, 0, 1}}},
	    {"K-G000-0000", {{0x80, 0, 0, 0, 0}}},
	    {"K-7Q2M-9XTD", {{0x3D, 0xC5, 0x44, 0xF7, 0x4D}}},
	};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		char text[KB_CASE_TEXT];
		struct kb_case_id id;

		kb_case_id_format(&rows[i].id, text);
		assert_string_equal(text, rows[i].text);
		assert_ok(kb_case_id_parse(kb_span_str(rows[i].text), &id));
		assert_memory_equal(id.b, rows[i].id.b, sizeof(id.b));
	}
}

TEST(a_case_id_read_aloud_or_copied_by_hand_is_understood)
{
	struct kb_case_id id;
	char text[KB_CASE_TEXT];

	assert_ok(kb_case_id_parse(KB_LIT("k-oIl1-7q2m"), &id));
	kb_case_id_format(&id, text);
	assert_string_equal(text, "K-0111-7Q2M");
}

TEST(nothing_else_is_a_case_id)
{
	static const char *const bad[] = {"", "7Q2M-9XTD", "K-7Q2M9XTD", "K-7Q2M-9XT", "K-7Q2M-9XTDD", "K-7Q2U-9XTD", "K_7Q2M-9XTD",
	    "X-7Q2M-9XTD", "K-7Q2M 9XTD", "K-7Q2-M9XTD", "K-7Q2M-9X\xC3\x89"};
	struct kb_case_id id;

	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kb_case_id_parse(kb_span_str(bad[i]), &id), KB_MALFORMED);
	assert_int_equal(kb_case_id_parse(KB_SPAN("K-7Q2M-9X\0D", 11), &id), KB_MALFORMED);
}

TEST(times_are_written_and_read_in_utc)
{
	static const struct {
		const char *text;
		uint64_t s;
	} rows[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2000-02-29T12:00:00Z", 951825600},
	    {"2026-11-24T14:21:11Z", 1795530071},
	    {"2038-01-19T03:14:08Z", 2147483648},
	    {"2100-03-01T00:00:00Z", 4107542400},
	    {"9999-12-31T23:59:59Z", 253402300799},
	};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		char text[KB_TIME_TEXT];
		uint64_t s;

		kb_time_format(rows[i].s, text);
		assert_string_equal(text, rows[i].text);
		assert_ok(kb_time_parse(kb_span_str(rows[i].text), &s));
		assert_int_equal(s, rows[i].s);
	}
}

TEST(each_day_of_four_centuries_comes_back)
{
	for (uint64_t day = 0; day < 146097; day += 1) {
		char text[KB_TIME_TEXT];
		uint64_t s;

		kb_time_format(day * 86400 + day % 86400, text);
		assert_ok(kb_time_parse(kb_span_str(text), &s));
		assert_int_equal(s, day * 86400 + day % 86400);
	}
}

TEST(a_time_past_the_last_that_can_be_written_is_that_last_one)
{
	char text[KB_TIME_TEXT];

	kb_time_format(UINT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

TEST(what_is_no_time_is_refused)
{
	static const char *const bad[] = {"", "1969-12-31T23:59:59Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
	    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
	    "2026-01-01T00:00:60Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00",
	    "2026-1-01T00:00:000Z", "+026-01-01T00:00:00Z"};
	uint64_t s = 5;

	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kb_time_parse(kb_span_str(bad[i]), &s), KB_MALFORMED);
	assert_int_equal(s, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(an_id_is_32_lower_case_hexadecimal_digits),
	    RUN(nothing_else_is_an_id),
	    RUN(random_ids_differ),
	    RUN(a_case_id_is_two_groups_of_crockford_s_base_32),
	    RUN(a_case_id_read_aloud_or_copied_by_hand_is_understood),
	    RUN(nothing_else_is_a_case_id),
	    RUN(times_are_written_and_read_in_utc),
	    RUN(each_day_of_four_centuries_comes_back),
	    RUN(a_time_past_the_last_that_can_be_written_is_that_last_one),
	    RUN(what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
