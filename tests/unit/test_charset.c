/* Character sets and content transfer encodings. */
#include "kbtest.h"

#include <string.h>

#include "mail_internal.h"

static bool doubt;

static void text(struct kb_span in, const char *charset, const char *wanted)
{
	struct kb_buf b;
	kb_buf_init(&b, 65536);
	doubt = false;
	assert_ok(kb_charset_decode(&b, in, kb_span_str(charset), &doubt));
	assert_true(kb_utf8_valid(kb_buf_span(&b)));
	assert_ok(kb_buf_byte(&b, 0));
	assert_string_equal((const char *)b.p, wanted);
	kb_buf_release(&b);
}

static void decoded(enum kb_encoding e, const char *in, const char *wanted)
{
	struct kb_buf b;
	kb_buf_init(&b, 65536);
	doubt = false;
	assert_ok(kb_decode(&b, e, kb_span_str(in), &doubt));
	assert_int_equal(b.len, kb_decoded_size(e, kb_span_str(in)));
	assert_ok(kb_buf_byte(&b, 0));
	assert_string_equal((const char *)b.p, wanted);
	kb_buf_release(&b);
}

static int open_charsets(void **state)
{
	(void)state;
	return kb_charset_open(NULL) == KB_OK ? 0 : -1;
}

static int close_charsets(void **state)
{
	(void)state;
	kb_charset_close();
	return 0;
}

TEST(every_set_of_the_list_is_opened_and_converts)
{
	/* clang-format off */
	static const struct { const char *charset, *in, *wanted; } rows[] = {
		{"utf-8", "ni\xC3\xB1o", "ni\xC3\xB1o"}, {"US-ASCII", "nino", "nino"}, {"iso-8859-1", "ni\xF1o", "ni\xC3\xB1o"},
		{"windows-1252", "\x93no\x94", "\xE2\x80\x9Cno\xE2\x80\x9D"}, {"iso-8859-2", "\xB1", "\xC4\x85"}, {"iso-8859-3", "\xA1", "\xC4\xA6"},
		{"iso-8859-4", "\xA2", "\xC4\xB8"}, {"iso-8859-5", "\xB0", "\xD0\x90"}, {"iso-8859-6", "\xC7", "\xD8\xA7"},
		{"iso-8859-7", "\xE1", "\xCE\xB1"}, {"iso-8859-8-i", "\xE0", "\xD7\x90"}, {"iso-8859-9", "\xFD", "\xC4\xB1"},
		{"iso-8859-10", "\xA1", "\xC4\x84"}, {"iso-8859-11", "\xA1", "\xE0\xB8\x81"}, {"tis-620", "\xA1", "\xE0\xB8\x81"},
		{"iso-8859-13", "\xE0", "\xC4\x85"}, {"iso-8859-14", "\xA1", "\xE1\xB8\x82"}, {"iso-8859-15", "\xA4", "\xE2\x82\xAC"},
		{"iso-8859-16", "\xA1", "\xC4\x84"}, {"windows-1250", "\xB9", "\xC4\x85"}, {"windows-1251", "\xE0", "\xD0\xB0"},
		{"windows-1253", "\xE1", "\xCE\xB1"}, {"windows-1254", "\xFD", "\xC4\xB1"}, {"windows-1255", "\xE0", "\xD7\x90"},
		{"windows-1256", "\xC7", "\xD8\xA7"}, {"windows-1257", "\xE0", "\xC4\x85"}, {"windows-1258", "\xFE", "\xE2\x82\xAB"},
		{"koi8-r", "\xC1", "\xD0\xB0"}, {"koi8-u", "\xA4", "\xD1\x94"}, {"macintosh", "\x96", "\xC3\xB1"}, {"cp437", "\xA4", "\xC3\xB1"},
		{"cp850", "\xA4", "\xC3\xB1"}, {"gb2312", "\xC4\xE3", "\xE4\xBD\xA0"}, {"gbk", "\xC4\xE3", "\xE4\xBD\xA0"},
		{"gb18030", "\xC4\xE3", "\xE4\xBD\xA0"}, {"big5", "\xA7\x41", "\xE4\xBD\xA0"}, {"euc-jp", "\xA4\xA2", "\xE3\x81\x82"},
		{"iso-2022-jp", "\x1B$B$\"\x1B(B", "\xE3\x81\x82"}, {"shift_jis", "\x82\xA0", "\xE3\x81\x82"}, {"euc-kr", "\xB0\xA1", "\xEA\xB0\x80"},
		{"ks_c_5601-1987", "\xB0\xA1", "\xEA\xB0\x80"}, {"iso-2022-kr", "\x1B$)C\x0E" "0!\x0F", "\xEA\xB0\x80"}, {"utf-7", "ni+APE-o", "ni\xC3\xB1o"},
	};
	/* clang-format on */
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		text(kb_span_str(rows[i].in), rows[i].charset, rows[i].wanted);
		assert_false(doubt);
		assert_true(kb_charset_known(kb_span_str(rows[i].charset)));
	}
}

TEST(wide_sets_follow_their_mark_or_else_where_the_zeros_are)
{
	text(KB_LIT("\xFF\xFEn\0o\0"), "utf-16", "no");
	text(KB_LIT("\xFE\xFF\0n\0o"), "utf-16", "no");
	text(KB_LIT("n\0o\0"), "utf-16", "no");
	text(KB_LIT("\0n\0o"), "utf-16", "no");
	text(KB_LIT("\0n\0o"), "utf-16be", "no");
	text(KB_LIT("n\0o\0"), "utf-16le", "no");
	text(KB_LIT("\0\0\0n\0\0\0o"), "utf-32", "no");
	text(KB_LIT("n\0\0\0o\0\0\0"), "utf-32", "no");
	text(KB_LIT("\xFF\xFE\0\0n\0\0\0"), "utf-32", "n");
	assert_false(doubt);
}

TEST(a_name_is_known_through_quotes_case_and_punctuation)
{
	assert_true(kb_charset_known(KB_LIT("\"UTF_8\"")));
	assert_true(kb_charset_known(KB_LIT("Iso8859-1")));
	assert_true(kb_charset_known(KB_LIT("x-sjis")));
	assert_false(kb_charset_known(KB_LIT("x-klingon")));
	assert_false(kb_charset_known(KB_LIT("ibm037")));
	assert_false(kb_charset_known(KB_LIT("a-name-that-is-longer-than-any-of-the-list")));
}

TEST(an_unknown_set_is_read_as_utf8_or_windows_1252_and_doubted)
{
	text(KB_LIT("ni\xF1o"), "x-klingon", "ni\xC3\xB1o");
	assert_true(doubt);
	text(KB_LIT("ni\xC3\xB1o"), "x-klingon", "ni\xC3\xB1o");
	assert_true(doubt);
}

TEST(ill_formed_utf8_is_read_octet_by_octet_and_doubted)
{
	text(KB_LIT("ni\xF1o y ni\xC3\xB1" "a"), "utf-8", "ni\xC3\xB1o y ni\xC3\xB1" "a");
	assert_true(doubt);
	text(KB_LIT("\xC0\xAF"), "utf-8", "\xC3\x80\xC2\xAF");
	assert_true(doubt);
	text(KB_LIT("a\xF1"), "us-ascii", "a\xC3\xB1");
	assert_true(doubt);
	text(KB_LIT("\x81"), "windows-1252", "\xEF\xBF\xBD");
	assert_true(doubt);
}

TEST(utf8_under_a_latin_label_is_utf8)
{
	text(KB_LIT("ni\xC3\xB1o"), "iso-8859-1", "ni\xC3\xB1o");
	assert_false(doubt);
	text(KB_LIT("\xEF\xBB\xBFx"), "utf-8", "x");
	assert_false(doubt);
}

TEST(what_a_set_does_not_have_becomes_a_replacement_character)
{
	text(KB_LIT("a\xFF" "b"), "gb18030", "a\xEF\xBF\xBD" "b");
	assert_true(doubt);
	text(KB_LIT("\x82"), "shift_jis", "\xEF\xBF\xBD");
	assert_true(doubt);
}

TEST(a_nul_is_no_text)
{
	text(KB_LIT("h\0i\0"), "us-ascii", "hi");
	assert_true(doubt);
	text(KB_LIT("a\0b"), "koi8-r", "ab");
	assert_true(doubt);
}

TEST(a_full_buffer_ends_between_characters)
{
	/* clang-format off */
	static const struct { const char *charset, *in; } rows[] = {
		{"iso-8859-1", "\xF1\xF1\xF1\xF1\xF1\xF1\xF1\xF1"}, {"utf-8", "\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1\xC3\xB1"},
		{"gb18030", "\xC4\xE3\xC4\xE3\xC4\xE3\xC4\xE3\xC4\xE3\xC4\xE3\xC4\xE3"}, {"utf-8", "aaaaaaaaaaaaaaaaaaaaa"},
	};
	/* clang-format on */
	for (size_t most = 0; most < 14; most++)
		for (size_t i = 0; i < KB_LEN(rows); i++) {
			struct kb_buf b;
			kb_buf_init(&b, most);
			enum kb_status st = kb_charset_decode(&b, kb_span_str(rows[i].in), kb_span_str(rows[i].charset), &doubt);
			if (st != KB_LIMIT)
				fail_msg("row %zu, %zu octets", i, most);
			assert_true(b.len <= most);
			assert_true(kb_utf8_valid(kb_buf_span(&b)));
			kb_buf_release(&b);
		}
}

TEST(without_open_sets_text_is_still_read)
{
	kb_charset_close();
	text(KB_LIT("ni\xF1o"), "iso-8859-1", "ni\xC3\xB1o");
	assert_false(doubt);
	text(KB_LIT("abc"), "koi8-r", "abc");
	assert_true(doubt);
	assert_ok(kb_charset_open(NULL));
}

TEST(base64_is_decoded_and_forgives)
{
	decoded(KB_ENCODING_BASE64, "Zm9vYmFy", "foobar");
	decoded(KB_ENCODING_BASE64, "Zm9v\r\nYmE=\r\n", "fooba");
	decoded(KB_ENCODING_BASE64, "Zg==", "f");
	decoded(KB_ENCODING_BASE64, "Zg", "f");
	decoded(KB_ENCODING_BASE64, "Zg==Zm8=", "ffo");
	decoded(KB_ENCODING_BASE64, "", "");
	assert_false(doubt);
	decoded(KB_ENCODING_BASE64, "Zm9*vYm!Fy", "foobar");
	assert_true(doubt);
}

TEST(quoted_printable_is_decoded_and_forgives)
{
	decoded(KB_ENCODING_QP, "a=3Db=\r\nc=0a=\nd= \t\r\ne=f0=", "a=bc\nde\xF0");
	assert_false(doubt);
	decoded(KB_ENCODING_QP, "50 =Z and =", "50 =Z and ");
	assert_true(doubt);
	decoded(KB_ENCODING_QP, "= x", "= x");
	assert_true(doubt);
	decoded(KB_ENCODING_QP, "=4", "=4");
	assert_true(doubt);
}

TEST(uuencode_is_decoded)
{
	decoded(KB_ENCODING_UU, "begin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n", "Cat");
	assert_false(doubt);
	decoded(KB_ENCODING_UU, "no beginning\r\n", "");
	assert_true(doubt);
}

TEST(encodings_are_known_by_name)
{
	assert_int_equal(kb_encoding_find(KB_LIT(" Base64 (c)")), KB_ENCODING_BASE64);
	assert_int_equal(kb_encoding_find(KB_LIT("QUOTED-PRINTABLE")), KB_ENCODING_QP);
	assert_int_equal(kb_encoding_find(KB_LIT("8bit;")), KB_ENCODING_NONE);
	assert_int_equal(kb_encoding_find(KB_LIT("")), KB_ENCODING_NONE);
	assert_int_equal(kb_encoding_find(KB_LIT("x-rot13")), KB_ENCODING_UNKNOWN);
}

TEST(decoding_stops_at_the_limit)
{
	struct kb_buf b;
	kb_buf_init(&b, 4);
	assert_int_equal(kb_decode(&b, KB_ENCODING_BASE64, KB_LIT("Zm9vYmFy"), &doubt), KB_LIMIT);
	assert_span(kb_buf_span(&b), "foob");
	kb_buf_clear(&b);
	assert_int_equal(kb_decode(&b, KB_ENCODING_QP, KB_LIT("foobar"), &doubt), KB_LIMIT);
	assert_span(kb_buf_span(&b), "foob");
	kb_buf_clear(&b);
	assert_int_equal(kb_decode(&b, KB_ENCODING_NONE, KB_LIT("foobar"), &doubt), KB_LIMIT);
	assert_span(kb_buf_span(&b), "foob");
	kb_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(every_set_of_the_list_is_opened_and_converts),
		RUN(wide_sets_follow_their_mark_or_else_where_the_zeros_are),
		RUN(a_name_is_known_through_quotes_case_and_punctuation),
		RUN(an_unknown_set_is_read_as_utf8_or_windows_1252_and_doubted),
		RUN(ill_formed_utf8_is_read_octet_by_octet_and_doubted),
		RUN(utf8_under_a_latin_label_is_utf8),
		RUN(what_a_set_does_not_have_becomes_a_replacement_character),
		RUN(a_nul_is_no_text),
		RUN(a_full_buffer_ends_between_characters),
		RUN(without_open_sets_text_is_still_read),
		RUN(base64_is_decoded_and_forgives),
		RUN(quoted_printable_is_decoded_and_forgives),
		RUN(uuencode_is_decoded),
		RUN(encodings_are_known_by_name),
		RUN(decoding_stops_at_the_limit),
	};
	return cmocka_run_group_tests(tests, open_charsets, close_charsets);
}
