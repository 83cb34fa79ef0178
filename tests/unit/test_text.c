/* text: what a stranger wrote neither drives a terminal nor fools an eye. */
#include "kbtest.h"

#include <string.h>

#define LOST "\xEF\xBF\xBD" /* U+FFFD */

static void expect(const char *in, bool multiline, const char *out)
{
	struct kb_buf b;

	kb_buf_init(&b, 1000);
	assert_ok(kb_text_harmless(&b, kb_span_str(in), multiline));
	assert_ok(kb_buf_byte(&b, 0));
	assert_string_equal((const char *)b.p, out);
	kb_buf_release(&b);
}

/* Appends cp as it came out, so that ranges can be tried one character at a time. */
static struct kb_buf one(uint32_t cp)
{
	struct kb_buf in, out;

	kb_buf_init(&in, 8);
	kb_buf_init(&out, 64);
	assert_ok(kb_utf8_put(&in, cp));
	assert_ok(kb_text_harmless(&out, kb_buf_span(&in), false));
	kb_buf_release(&in);
	return out;
}

static void expect_range(uint32_t first, uint32_t last, struct kb_span want)
{
	for (uint32_t cp = first; cp <= last; cp++) {
		struct kb_buf b = one(cp);
		assert_true(kb_span_eq(kb_buf_span(&b), want));
		kb_buf_release(&b);
	}
}

static void expect_untouched(uint32_t first, uint32_t last)
{
	for (uint32_t cp = first; cp <= last; cp++) {
		struct kb_buf b = one(cp);
		uint32_t got = 0;
		assert_int_equal(kb_utf8_next(kb_buf_span(&b), &got), b.len);
		assert_int_equal(got, cp);
		kb_buf_release(&b);
	}
}

TEST(ordinary_text_of_any_script_stays_as_it_is)
{
	expect("Ayúdame: el oficial García … 他打了我 — Привет 🙂 שלום", false, "Ayúdame: el oficial García … 他打了我 — Привет 🙂 שלום");
	expect_untouched(0x20, 0x7E);
	expect_untouched(0xA0, 0xAC);
	expect_untouched(0xAE, 0x34E);
	expect_untouched(0x4E00, 0x4F00);
	expect_untouched(0xFE00, 0xFE0F); /* variation selectors choose a glyph */
	expect_untouched(0x1F600, 0x1F64F);
	expect_untouched(0xFFFC, 0xFFFD);
}

TEST(no_escape_sequence_reaches_a_terminal)
{
	expect("\x1B[2J\x1B]0;title\x07", false, LOST "[2J" LOST "]0;title" LOST);
	expect("\xC2\x9B" "31m", false, LOST "31m"); /* CSI as C1 */
	expect("a\x08\x08" "b\x7F", false, "a" LOST LOST "b" LOST);
	expect_range(0x01, 0x08, KB_LIT(LOST));
	expect_range(0x0B, 0x0C, KB_LIT(LOST));
	expect_range(0x0E, 0x1F, KB_LIT(LOST));
	expect_range(0x7F, 0x9F, KB_LIT(LOST));
}

TEST(a_nul_octet_is_shown_and_ends_nothing)
{
	struct kb_buf b;

	kb_buf_init(&b, 100);
	assert_ok(kb_text_harmless(&b, KB_SPAN("a\0b", 3), true));
	assert_span(kb_buf_span(&b), "a" LOST "b");
	kb_buf_release(&b);
}

TEST(directions_cannot_be_turned)
{
	expect("user\xE2\x80\xAEtxt.exe", false, "user" LOST "txt.exe");
	expect_range(0x200E, 0x200F, KB_LIT(LOST));
	expect_range(0x202A, 0x202E, KB_LIT(LOST));
	expect_range(0x2066, 0x2069, KB_LIT(LOST));
	expect_range(0x061C, 0x061C, KB_LIT(LOST));
}

TEST(invisible_characters_are_taken_out)
{
	expect("for\xE2\x80\x8B" "ce and\xC2\xAD beating", false, "force and beating");
	expect_range(0x200B, 0x200D, KB_LIT(""));
	expect_range(0x2060, 0x2064, KB_LIT(""));
	expect_range(0x206A, 0x206F, KB_LIT(""));
	expect_range(0x00AD, 0x00AD, KB_LIT(""));
	expect_range(0x034F, 0x034F, KB_LIT(""));
	expect_range(0x115F, 0x1160, KB_LIT(""));
	expect_range(0x180E, 0x180E, KB_LIT(""));
	expect_range(0x3164, 0x3164, KB_LIT(""));
	expect_range(0xFEFF, 0xFEFF, KB_LIT(""));
	expect_range(0xFFA0, 0xFFA0, KB_LIT(""));
	expect_range(0xE0000, 0xE007F, KB_LIT("")); /* tags: whole sentences have been hidden in them */
}

TEST(noncharacters_and_private_use_are_shown_as_lost)
{
	expect_range(0xE000, 0xE010, KB_LIT(LOST));
	expect_range(0xF8FF, 0xF8FF, KB_LIT(LOST));
	expect_range(0xFDD0, 0xFDEF, KB_LIT(LOST));
	expect_range(0xFFFE, 0xFFFF, KB_LIT(LOST));
	expect_range(0x1FFFE, 0x1FFFF, KB_LIT(LOST));
	expect_range(0xF0000, 0xF0010, KB_LIT(LOST));
	expect_range(0x10FFF0, 0x10FFFF, KB_LIT(LOST));
}

TEST(ill_formed_octets_are_shown_as_lost)
{
	expect("caf\xE9 \xFF", false, "caf" LOST " " LOST);
	expect("\xC0\xAF", false, LOST LOST);
	expect("\xED\xA0\x80", false, LOST LOST LOST);
	expect("\xE2\x82", false, LOST LOST);
	expect("\xF0\x9F\x99", false, LOST LOST LOST);
}

TEST(line_ends_stay_only_where_lines_are_wanted)
{
	expect("a\r\nb\tc\n", true, "a\nb\tc\n");
	expect("a\r\nb\tc\n", false, "a b c ");
	expect("a\rb", true, "ab");
	expect("a\xE2\x80\xA8" "b\xE2\x80\xA9" "c", true, "a\nb\nc");
	expect("a\xE2\x80\xA8" "b\xE2\x80\xA9" "c", false, "a b c");
	expect("a\x0B" "b\x0C" "c\xC2\x85", true, "a" LOST "b" LOST "c" LOST);
}

TEST(text_that_does_not_fit_is_refused)
{
	struct kb_buf b;

	kb_buf_init(&b, 4);
	assert_int_equal(kb_text_harmless(&b, KB_LIT("12345"), false), KB_LIMIT);
	kb_buf_clear(&b);
	assert_int_equal(kb_text_harmless(&b, KB_LIT("\x01\x01"), false), KB_LIMIT);
	kb_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(ordinary_text_of_any_script_stays_as_it_is),
	    RUN(no_escape_sequence_reaches_a_terminal),
	    RUN(a_nul_octet_is_shown_and_ends_nothing),
	    RUN(directions_cannot_be_turned),
	    RUN(invisible_characters_are_taken_out),
	    RUN(noncharacters_and_private_use_are_shown_as_lost),
	    RUN(ill_formed_octets_are_shown_as_lost),
	    RUN(line_ends_stay_only_where_lines_are_wanted),
	    RUN(text_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
