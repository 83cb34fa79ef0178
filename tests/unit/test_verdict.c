/* verdict: nothing that a captured sorter could say gets past the check. */
#include "kbtest.h"

#include <string.h>

#include <kitebox/verdict.h>

static struct kb_verdict good(void)
{
	struct kb_verdict v;

	memset(&v, 0, sizeof(v));
	v.class_ = KB_CLASS_ALLEGATION;
	v.category = KB_CAT_EXCESSIVE_FORCE;
	v.language = KB_LANG_ES;
	v.ack = 1;
	v.flags = KB_FLAG_URGENT_SAFETY | KB_FLAG_UNREADABLE;
	v.score_e4 = 10000;
	v.named = UINT64_C(1) << 62;
	kb_field_set(v.from, sizeof(v.from), KB_LIT("María <maria@familia.example>"));
	kb_field_set(v.subject, sizeof(v.subject), KB_LIT("Ayuda"));
	kb_field_set(v.date, sizeof(v.date), KB_LIT("Tue, 24 Nov 2026 14:21:11 +0000"));
	kb_field_set(v.indicator, sizeof(v.indicator), KB_LIT("0123456789-abcdefghijklmnopqrstuvwxyzABC"));
	kb_field_set(v.institution, sizeof(v.institution), KB_LIT("KQX"));
	kb_field_set(v.register_number, sizeof(v.register_number), KB_LIT("00000-000"));
	kb_field_set(v.reasons, sizeof(v.reasons), KB_LIT("One sentence.\nAnother."));
	return v;
}

static void refused(const struct kb_verdict *v)
{
	assert_int_equal(kb_verdict_check(v), KB_MALFORMED);
}

TEST(a_good_verdict_and_an_empty_one_pass)
{
	struct kb_verdict v = good(), none;

	assert_ok(kb_verdict_check(&v));
	memset(&none, 0, sizeof(none));
	assert_ok(kb_verdict_check(&none));
	assert_int_equal(none.class_, KB_CLASS_REVIEW); /* the zero value is the safe one */
}

TEST(a_value_outside_its_range_is_refused)
{
	struct kb_verdict v;

	for (unsigned i = 0; i < 256; i++) {
		v = good();
		v.class_ = (uint8_t)i;
		assert_int_equal(kb_verdict_check(&v) == KB_OK, i < KB_CLASS_COUNT);
		v = good();
		v.category = (uint8_t)i;
		assert_int_equal(kb_verdict_check(&v) == KB_OK, i < KB_CAT_COUNT);
		v = good();
		v.language = (uint8_t)i;
		assert_int_equal(kb_verdict_check(&v) == KB_OK, i < KB_LANG_COUNT);
		v = good();
		v.ack = (uint8_t)i;
		assert_int_equal(kb_verdict_check(&v) == KB_OK, i < 2);
	}
	for (unsigned i = 0; i < 32; i++) {
		v = good();
		v.flags = UINT32_C(1) << i;
		assert_int_equal(kb_verdict_check(&v) == KB_OK, i < 7);
	}
	v = good();
	v.score_e4 = 10001;
	refused(&v);
	v = good();
	v.named = UINT64_C(1) << 63; /* the bit that stands for nobody */
	refused(&v);
}

enum { TEXTS = 7, FROM = 0, INDICATOR = 3, REASONS = 6 };

static char *field(struct kb_verdict *v, size_t i, size_t *ret_n)
{
	struct {
		char *p;
		size_t n;
	} f[TEXTS] = {{v->from, sizeof(v->from)}, {v->subject, sizeof(v->subject)}, {v->date, sizeof(v->date)},
	    {v->indicator, sizeof(v->indicator)}, {v->institution, sizeof(v->institution)},
	    {v->register_number, sizeof(v->register_number)}, {v->reasons, sizeof(v->reasons)}};
	*ret_n = f[i].n;
	return f[i].p;
}

TEST(a_text_without_its_nul_is_refused)
{
	for (size_t i = 0; i < TEXTS; i++) {
		struct kb_verdict v = good();
		size_t n;
		char *p = field(&v, i, &n);

		memset(p, 'a', n);
		refused(&v);
		p[n - 1] = '\0';
		assert_ok(kb_verdict_check(&v)); /* the control: the longest that fits */
	}
}

TEST(a_text_that_could_drive_a_terminal_is_refused)
{
	static const char *const bad[] = {"\x1B[31m", "a\x07", "a\x7F", "\xC2\x9B", "\xFF", "\xC0\x80", "\xE2\x80\xAE", "\xE2\x80\x8B", "\t",
	    "a\r", "\xEF\xBB\xBF", "\xE2\x80\xA8"};
	for (size_t i = 0; i < TEXTS; i++)
		for (size_t k = 0; k < KB_LEN(bad); k++) {
			struct kb_verdict v = good();
			size_t n;
			char *p = field(&v, i, &n);

			kb_field_set(p, n, kb_span_str(bad[k]));
			refused(&v);
		}
}

TEST(a_line_end_stands_between_reasons_and_nowhere_else)
{
	for (size_t i = 0; i < TEXTS; i++) {
		struct kb_verdict v = good();
		size_t n;
		char *p = field(&v, i, &n);

		kb_field_set(p, n, KB_LIT("a\nb"));
		assert_int_equal(kb_verdict_check(&v) == KB_OK, i == REASONS);
	}
}

TEST(an_indicator_holds_digits_letters_and_hyphens_alone)
{
	for (unsigned c = 1; c < 256; c++) {
		struct kb_verdict v = good();
		bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';

		v.indicator[5] = (char)c;
		assert_int_equal(kb_verdict_check(&v) == KB_OK, fine);
	}
}

static void expect_round(const char *(*name)(unsigned), int (*find)(struct kb_span), unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_non_null(name(i));
		assert_int_equal(find(kb_span_str(name(i))), i);
	}
	assert_null(name(n));
	assert_int_equal(find(KB_LIT("")), -1);
	assert_int_equal(find(KB_LIT("Allegation")), -1);
}

TEST(every_value_has_a_name_and_the_name_finds_it)
{
	expect_round(kb_class_name, kb_class_find, KB_CLASS_COUNT);
	expect_round(kb_category_name, kb_category_find, KB_CAT_COUNT);
	expect_round(kb_language_name, kb_language_find, KB_LANG_COUNT);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(kb_flag_find(kb_span_str(kb_flag_name(1u << i))), 1u << i);
	assert_null(kb_flag_name(0));
	assert_null(kb_flag_name(3));
	assert_null(kb_flag_name(1u << 7));
	assert_int_equal(kb_flag_find(KB_LIT("urgent")), 0);
}

TEST(flags_are_listed_with_commas)
{
	struct kb_buf b;

	kb_buf_init(&b, 200);
	assert_ok(kb_flags_format(&b, 0));
	assert_int_equal(b.len, 0);
	assert_ok(kb_flags_format(&b, KB_FLAG_URGENT_SAFETY | KB_FLAG_ANONYMOUS | KB_FLAG_UNREADABLE));
	assert_span(kb_buf_span(&b), "urgent-safety,anonymous,unreadable");
	kb_buf_release(&b);
	kb_buf_init(&b, 5);
	assert_int_equal(kb_flags_format(&b, KB_FLAG_URGENT_SAFETY), KB_LIMIT);
	kb_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_good_verdict_and_an_empty_one_pass),
	    RUN(a_value_outside_its_range_is_refused),
	    RUN(a_text_without_its_nul_is_refused),
	    RUN(a_text_that_could_drive_a_terminal_is_refused),
	    RUN(a_line_end_stands_between_reasons_and_nowhere_else),
	    RUN(an_indicator_holds_digits_letters_and_hyphens_alone),
	    RUN(every_value_has_a_name_and_the_name_finds_it),
	    RUN(flags_are_listed_with_commas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
