/* base: statuses, spans, buffers, arenas, numbers, fields, UTF-8, and the names of things. */
#include "kbtest.h"

#include <stdio.h>
#include <string.h>

#include <kitebox/desk.h>
#include <kitebox/settings.h>

TEST(every_status_means_something_outside)
{
	for (unsigned i = 0; i < KB_STATUS_COUNT; i++) {
		const struct kb_status_row *r = kb_status_row((enum kb_status)i);
		int kind = r->smtp / 100;

		assert_int_equal(strncmp(r->name, "KB_", 3), 0);
		assert_true(kind == 2 || kind == 4 || kind == 5);
		assert_int_equal(r->enhanced[0] - '0', kind);
		assert_true(strlen(r->sentence) > 3);
		assert_int_equal(r->exit_status == 0, i == KB_OK);
		/* A client tries again after 4xx alone: what may succeed later must say so. */
		if (r->retry)
			assert_int_equal(kind, 4);
	}
	assert_int_equal(kb_status_row(KB_OK)->smtp, 250);
}

TEST(a_status_out_of_range_reads_as_damage)
{
	assert_ptr_equal(kb_status_row(KB_STATUS_COUNT), kb_status_row(KB_CORRUPT));
	assert_ptr_equal(kb_status_row((enum kb_status)-1), kb_status_row(KB_CORRUPT));
}

TEST(a_failure_is_told_where_somebody_listens)
{
	struct kb_diag d = {0};

	assert_int_equal(KB_FAIL(&d, KB_MALFORMED, 7, "words"), KB_MALFORMED);
	assert_int_equal(d.status, KB_MALFORMED);
	assert_int_equal(d.offset, 7);
	assert_string_equal(d.what, "words");
	assert_int_equal(KB_FAIL(NULL, KB_LIMIT, 0, "nobody listens"), KB_LIMIT);
}

TEST(spans_compare_with_and_without_case)
{
	assert_true(kb_span_eq(KB_LIT("abc"), KB_LIT("abc")));
	assert_false(kb_span_eq(KB_LIT("abc"), KB_LIT("abC")));
	assert_false(kb_span_eq(KB_LIT("abc"), KB_LIT("abcd")));
	assert_true(kb_span_eq(KB_SPAN(NULL, 0), KB_LIT("")));
	assert_true(kb_span_caseeq(KB_LIT("aBc-1"), KB_LIT("AbC-1")));
	assert_false(kb_span_caseeq(KB_LIT("@"), KB_LIT("`"))); /* one bit apart, and no letters */
	assert_true(kb_span_starts(KB_LIT("From: x"), KB_LIT("From:")));
	assert_false(kb_span_starts(KB_LIT("Fro"), KB_LIT("From:")));
	assert_false(kb_span_starts(KB_LIT("from: x"), KB_LIT("From:")));
	assert_true(kb_span_casestarts(KB_LIT("from: x"), KB_LIT("From:")));
	assert_true(kb_span_starts(KB_LIT("x"), KB_SPAN(NULL, 0)));
}

TEST(a_needle_is_found_at_its_first_place_or_not_at_all)
{
	assert_int_equal(kb_span_find(KB_LIT("abcabc"), KB_LIT("bc")), 1);
	assert_int_equal(kb_span_find(KB_LIT("abcabc"), KB_LIT("abc")), 0);
	assert_int_equal(kb_span_find(KB_LIT("ab"), KB_LIT("abc")), SIZE_MAX);
	assert_int_equal(kb_span_find(KB_LIT("abC"), KB_LIT("bc")), SIZE_MAX);
	assert_int_equal(kb_span_casefind(KB_LIT("abC"), KB_LIT("Bc")), 1);
	assert_int_equal(kb_span_find(KB_LIT("abc"), KB_LIT("c")), 2);
	assert_int_equal(kb_span_find(KB_SPAN(NULL, 0), KB_LIT("c")), SIZE_MAX);
}

TEST(trimming_takes_white_space_off_both_ends)
{
	assert_span(kb_span_trim(KB_LIT(" \t\r\na b\n ")), "a b");
	assert_span(kb_span_trim(KB_LIT(" \n")), "");
	assert_span(kb_span_from(KB_LIT("abc"), 1), "bc");
	assert_span(kb_span_from(KB_LIT("abc"), 3), "");
	assert_span(kb_span_from(KB_LIT("abc"), SIZE_MAX), "");
}

TEST(lines_end_in_lf_or_crlf_and_the_last_need_not)
{
	struct kb_span rest = KB_LIT("one\r\n\ntwo\rx\nthree\r"), line;

	assert_true(kb_span_line(&rest, &line));
	assert_span(line, "one");
	assert_true(kb_span_line(&rest, &line));
	assert_span(line, "");
	assert_true(kb_span_line(&rest, &line));
	assert_span(line, "two\rx");
	assert_true(kb_span_line(&rest, &line));
	assert_span(line, "three\r"); /* no LF: its CR is content */
	assert_false(kb_span_line(&rest, &line));
}

TEST(a_number_is_digits_and_nothing_else)
{
	static const char *const not[] = {"", "+1", "-1", " 1", "1 ", "0x1", "1.0", "1e3", "\xD9\xA1"};
	uint64_t v = 77;

	for (size_t i = 0; i < KB_LEN(not); i++)
		assert_int_equal(kb_span_u64(kb_span_str(not[i]), UINT64_MAX, &v), KB_MALFORMED);
	assert_int_equal(v, 77);
	assert_ok(kb_span_u64(KB_LIT("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	assert_int_equal(kb_span_u64(KB_LIT("18446744073709551616"), UINT64_MAX, &v), KB_LIMIT);
	assert_int_equal(kb_span_u64(KB_LIT("99999999999999999999"), UINT64_MAX, &v), KB_LIMIT);
	assert_int_equal(kb_span_u64(KB_LIT("99999999999999999999x"), UINT64_MAX, &v), KB_MALFORMED);
	assert_ok(kb_span_u64(KB_LIT("007"), 7, &v));
	assert_int_equal(v, 7);
	assert_int_equal(kb_span_u64(KB_LIT("8"), 7, &v), KB_LIMIT);
}

TEST(a_buffer_grows_to_its_limit_and_not_past_it)
{
	struct kb_buf b;

	kb_buf_init(&b, 300);
	for (size_t i = 0; i < 300; i++)
		assert_ok(kb_buf_byte(&b, (uint8_t)i));
	assert_int_equal(kb_buf_byte(&b, 1), KB_LIMIT);
	assert_int_equal(kb_buf_add(&b, KB_SPAN(NULL, 0)), KB_OK);
	assert_int_equal(b.len, 300);
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(b.p[i], (uint8_t)i);
	kb_buf_release(&b);
	assert_null(b.p);
	assert_ok(kb_buf_str(&b, "the limit outlives a release"));
	assert_int_equal(b.most, 300);
	kb_buf_release(&b);
	kb_buf_release(&b);
}

TEST(what_does_not_fit_leaves_a_buffer_as_it_was)
{
	struct kb_buf b;

	kb_buf_init(&b, 8);
	assert_ok(kb_buf_str(&b, "12345"));
	assert_int_equal(kb_buf_str(&b, "6789"), KB_LIMIT);
	assert_int_equal(kb_buf_printf(&b, "%d", 6789), KB_LIMIT);
	assert_int_equal(kb_buf_reserve(&b, SIZE_MAX), KB_LIMIT);
	assert_span(kb_buf_span(&b), "12345");
	assert_ok(kb_buf_printf(&b, "%03d", 7));
	assert_span(kb_buf_span(&b), "12345007");
	kb_buf_release(&b);
}

TEST(octets_taken_out_of_a_buffer_are_wiped)
{
	struct kb_buf b;
	uint8_t *p;

	kb_buf_init(&b, 100);
	assert_ok(kb_buf_str(&b, "secret tail"));
	p = b.p;
	kb_buf_drop(&b, 7);
	assert_span(kb_buf_span(&b), "tail");
	assert_memory_equal(p + 4, "\0\0\0\0\0\0\0", 7);
	kb_buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_memory_equal(p, "\0\0\0\0", 4);
	kb_buf_drop(&b, 50);
	assert_int_equal(b.len, 0);
	kb_buf_release(&b);
}

TEST(an_arena_gives_zeroed_and_aligned_memory_up_to_its_limit)
{
	struct kb_arena a;

	kb_arena_init(&a, 100000);
	for (size_t n = 1; n < 400; n++) {
		uint8_t *p = kb_arena_alloc(&a, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xA5, n);
	}
	assert_null(kb_arena_alloc(&a, 100000));
	assert_null(kb_arena_alloc(&a, SIZE_MAX));
	assert_non_null(kb_arena_alloc(&a, 100000 - a.used));
	assert_null(kb_arena_alloc(&a, 1));
	kb_arena_release(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(kb_arena_alloc(&a, 100000));
	kb_arena_release(&a);
}

TEST(a_copy_in_an_arena_ends_in_a_nul)
{
	struct kb_arena a;

	kb_arena_init(&a, 10);
	assert_string_equal(kb_arena_copy(&a, KB_LIT("12345")), "12345");
	assert_null(kb_arena_copy(&a, KB_LIT("1234"))); /* its NUL counts */
	assert_string_equal(kb_arena_copy(&a, KB_SPAN(NULL, 0)), "");
	kb_arena_release(&a);
}

TEST(numbers_lie_little_endian_at_any_alignment)
{
	uint8_t p[9] = {0};

	kb_put_u16(p + 1, 0x0102);
	assert_memory_equal(p, "\x00\x02\x01\x00", 4);
	assert_int_equal(kb_get_u16(p + 1), 0x0102);
	kb_put_u32(p + 1, 0x01020304);
	assert_memory_equal(p, "\x00\x04\x03\x02\x01\x00", 6);
	assert_int_equal(kb_get_u32(p + 1), 0x01020304);
	kb_put_u64(p + 1, UINT64_C(0xF102030405060708));
	assert_memory_equal(p + 1, "\x08\x07\x06\x05\x04\x03\x02\xF1", 8);
	assert_true(kb_get_u64(p + 1) == UINT64_C(0xF102030405060708));
	kb_put_be64(p + 1, UINT64_C(0xF102030405060708));
	assert_memory_equal(p + 1, "\xF1\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_true(kb_get_be64(p + 1) == UINT64_C(0xF102030405060708));
}

TEST(a_field_is_cut_between_characters_and_its_tail_is_zero)
{
	char f[8];
	struct kb_span s;

	memset(f, 'x', sizeof(f));
	kb_field_set(f, sizeof(f), KB_LIT("abc"));
	assert_memory_equal(f, "abc\0\0\0\0\0", 8);
	kb_field_set(f, sizeof(f), KB_LIT("1234567"));
	assert_memory_equal(f, "1234567\0", 8);
	kb_field_set(f, sizeof(f), KB_LIT("12345\xE2\x82\xAC")); /* the euro sign needs octets 5 to 7, and the NUL one */
	assert_memory_equal(f, "12345\0\0\0", 8);
	kb_field_set(f, sizeof(f), KB_LIT("1234\xE2\x82\xAC"));
	assert_memory_equal(f, "1234\xE2\x82\xAC\0", 8);
	assert_ok(kb_field_get(f, sizeof(f), &s));
	assert_span(s, "1234\xE2\x82\xAC");
	memset(f, 'x', sizeof(f));
	assert_int_equal(kb_field_get(f, sizeof(f), &s), KB_MALFORMED);
	kb_field_set(f, sizeof(f), KB_SPAN(NULL, 0));
	assert_memory_equal(f, "\0\0\0\0\0\0\0\0", 8);
}

TEST(utf8_is_taken_as_rfc_3629_has_it)
{
	static const char *const good[] = {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
	    "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
	static const char *const bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x80\x80", "\xE0\x9F\xBF",
	    "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
	    "\xF8\x88\x80\x80\x80", "\xFE", "\xFF"};
	for (size_t i = 0; i < KB_LEN(good); i++)
		assert_true(kb_utf8_valid(kb_span_str(good[i])));
	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_false(kb_utf8_valid(kb_span_str(bad[i])));
}

TEST(every_character_comes_back_from_its_octets)
{
	struct kb_buf b;
	uint32_t cp = 0;

	kb_buf_init(&b, 4);
	for (uint32_t i = 0; i <= 0x10FFFF; i += i < 0x900 || i > 0x10FF00 ? 1 : 37) {
		bool surrogate = i >= 0xD800 && i <= 0xDFFF;
		kb_buf_clear(&b);
		assert_int_equal(kb_utf8_put(&b, i), surrogate ? KB_MALFORMED : KB_OK);
		if (surrogate)
			continue;
		assert_int_equal(kb_utf8_next(kb_buf_span(&b), &cp), b.len);
		assert_int_equal(cp, i);
	}
	kb_buf_clear(&b);
	assert_int_equal(kb_utf8_put(&b, 0x110000), KB_MALFORMED);
	assert_int_equal(kb_utf8_put(&b, 0xD800), KB_MALFORMED);
	assert_int_equal(b.len, 0);
	kb_buf_release(&b);
}

static void expect_names(const char *(*name)(unsigned), unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_non_null(name(i));
		assert_int_equal(strspn(name(i), "abcdefghijklmnopqrstuvwxyz-"), strlen(name(i)));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(name(i), name(j));
	}
	assert_null(name(n));
	assert_null(name(UINT32_MAX));
}

TEST(channels_and_states_each_have_one_name)
{
	expect_names(kb_channel_kind_name, KB_CHANNEL_KIND_COUNT);
	expect_names(kb_case_status_name, KB_CASE_STATUS_COUNT);
	expect_names(kb_referral_state_name, KB_REFERRAL_STATE_COUNT);
	assert_string_equal(kb_channel_kind_name(KB_CHANNEL_INMATE_RELAY), "inmate-relay");
	assert_string_equal(kb_referral_state_name(KB_REFERRAL_HELD), "held");
}

TEST(requests_of_the_desk_are_known_by_type_size_and_need_of_a_login)
{
	assert_int_equal(kb_desk_request(KB_DESK_HELLO)->size, sizeof(struct kb_desk_hello));
	assert_int_equal(kb_desk_request(KB_DESK_HELLO)->needs_login, 0);
	assert_int_equal(kb_desk_request(KB_DESK_STATUS)->needs_login, 0);
	assert_int_equal(kb_desk_request(KB_DESK_OPEN)->size, sizeof(struct kb_desk_open));
	for (unsigned t = KB_DESK_HELLO; t <= KB_DESK_STATUS; t++)
		assert_int_equal(kb_desk_request(t)->type, t);
	for (unsigned t = KB_DESK_GRANT; t <= KB_DESK_REFERRALS; t++)
		assert_int_equal(kb_desk_request(t)->needs_login, 1);
	assert_null(kb_desk_request(0));
	assert_null(kb_desk_request(KB_DESK_DATA));
	assert_null(kb_desk_request(KB_DESK_ERROR));
	assert_null(kb_desk_request(KB_DESK_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(every_status_means_something_outside),
	    RUN(a_status_out_of_range_reads_as_damage),
	    RUN(a_failure_is_told_where_somebody_listens),
	    RUN(spans_compare_with_and_without_case),
	    RUN(a_needle_is_found_at_its_first_place_or_not_at_all),
	    RUN(trimming_takes_white_space_off_both_ends),
	    RUN(lines_end_in_lf_or_crlf_and_the_last_need_not),
	    RUN(a_number_is_digits_and_nothing_else),
	    RUN(a_buffer_grows_to_its_limit_and_not_past_it),
	    RUN(what_does_not_fit_leaves_a_buffer_as_it_was),
	    RUN(octets_taken_out_of_a_buffer_are_wiped),
	    RUN(an_arena_gives_zeroed_and_aligned_memory_up_to_its_limit),
	    RUN(a_copy_in_an_arena_ends_in_a_nul),
	    RUN(numbers_lie_little_endian_at_any_alignment),
	    RUN(a_field_is_cut_between_characters_and_its_tail_is_zero),
	    RUN(utf8_is_taken_as_rfc_3629_has_it),
	    RUN(every_character_comes_back_from_its_octets),
	    RUN(channels_and_states_each_have_one_name),
	    RUN(requests_of_the_desk_are_known_by_type_size_and_need_of_a_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
