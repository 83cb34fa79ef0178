/* Encoded words (vectors of RFC 2047 section 8 and RFC 2231 section 5 among them), and parameters. */
#include "kbtest.h"

#include <string.h>

#include "mail_internal.h"

static bool doubt;

static void words(const char *value, const char *wanted)
{
	struct kb_buf b;
	kb_buf_init(&b, 65536);
	doubt = false;
	assert_ok(kb_words_decode(&b, kb_span_str(value), &doubt));
	assert_ok(kb_buf_byte(&b, 0));
	assert_string_equal((const char *)b.p, wanted);
	kb_buf_release(&b);
}

static void param(const char *value, const char *name, const char *wanted)
{
	struct kb_buf b;
	kb_buf_init(&b, 65536);
	doubt = false;
	assert_int_equal(kb_param_decode(&b, kb_span_str(value), name, &doubt), wanted != NULL);
	assert_ok(kb_buf_byte(&b, 0));
	assert_string_equal((const char *)b.p, wanted ? wanted : "");
	kb_buf_release(&b);
}

static void type(const char *value, const char *wanted)
{
	char t[KB_TYPE_MOST];
	size_t at;
	kb_type_parse(kb_span_str(value), t, &at);
	assert_string_equal(t, wanted);
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

TEST(the_examples_of_rfc_2047_decode)
{
	words("=?US-ASCII?Q?Keith_Moore?= <moore@example.org>", "Keith Moore <moore@example.org>");
	words("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\xC3\xB8rn Simonsen");
	words("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
	    "If you can read this you understand the example.");
	words("(=?ISO-8859-1?Q?a?=)", "(a)");
	words("(=?ISO-8859-1?Q?a?= b)", "(a b)");
	words("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
	words("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)");
	words("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)");
	words("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
	words("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
	assert_false(doubt);
}

TEST(a_language_behind_the_charset_is_passed_over)
{
	words("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore");
	assert_false(doubt);
}

TEST(a_character_cut_in_two_words_is_whole_again)
{
	words("=?utf-8?Q?ma=C3?= =?UTF-8?Q?=B1ana?=", "ma\xC3\xB1" "ana");
	words("=?utf-8?B?YcOx?= =?utf-8?B?b3M=?=", "a\xC3\xB1os");
	assert_false(doubt);
}

TEST(what_is_no_encoded_word_stays_as_it_is)
{
	words("=?utf-8?Q?open", "=?utf-8?Q?open");
	words("=?utf-8?X?a?=", "=?utf-8?X?a?=");
	words("=??Q?a?=", "=??Q?a?=");
	words("=?=?utf-8?Q?a?=", "=?a");
	words("a =? b ?= c", "a =? b ?= c");
	words("", "");
	assert_false(doubt);
}

TEST(folds_are_taken_out)
{
	words("one\r\n two\n\tthree", "one two\tthree");
}

TEST(an_unknown_charset_is_read_and_doubted)
{
	words("=?x-klingon?Q?ni=F1o?=", "ni\xC3\xB1o");
	assert_true(doubt);
	words("ni\xF1o", "ni\xC3\xB1o");
	assert_true(doubt);
	words("ni\xC3\xB1o", "ni\xC3\xB1o");
	assert_false(doubt);
}

TEST(broken_escapes_are_kept_and_doubted)
{
	words("=?utf-8?Q?a=Zb=?=", "a=Zb=");
	assert_true(doubt);
}

TEST(a_type_is_read_in_lower_case_without_its_comments)
{
	type("Text/Plain; charset=x", "text/plain");
	type(" (a(b)\\)) text (c) / (d) html (e)", "text/html");
	type("text", "text");
	type("", "");
	type("(never closed", "");
	type("=?utf-8?Q?text/html?=", "");
}

TEST(parameters_are_found_among_broken_ones)
{
	param("text/plain; charset=utf-8", "charset", "utf-8");
	param("text/plain; CharSet = \"utf-8\" (c); x=y", "charset", "utf-8");
	param("text/plain;; x; =; charset=utf-8;", "charset", "utf-8");
	param("text/plain; name=\"a;charset=no\"; charset=yes", "charset", "yes");
	param("text/plain; name=\"a\\\"b\\\\c\"", "name", "a\"b\\c");
	param("text/plain; name=never\"closed; x=y", "name", "never");
	param("text/plain; name=\"never closed; x=y", "x", NULL);
	param("text/plain charset=utf-8", "charset", NULL);
	param("", "charset", NULL);
}

TEST(the_examples_of_rfc_2231_decode)
{
	param("message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.example.edu/pub/moore\"", "url",
	    "ftp://cs.example.edu/pub/moore");
	param("application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title", "This is ***fun***");
	param("application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
	    "title", "This is even more ***fun*** isn't it!");
	assert_false(doubt);
}

TEST(continuations_may_come_in_any_order_and_end_at_a_gap)
{
	param("a/b; n*1=two; n*0=one", "n", "onetwo");
	param("a/b; n*0=one; n*2=three", "n", "one");
	param("a/b; n*1=two", "n", NULL);
	param("a/b; n*0=one; n*0=again; n*99=far; n*x=y", "n", "one");
	param("a/b; n=plain; n*=utf-8''ni%C3%B1o", "n", "ni\xC3\xB1o");
}

TEST(a_percent_that_is_none_and_a_missing_charset_are_doubted)
{
	param("a/b; n*=utf-8''50%zz%4", "n", "50%zz%4");
	assert_true(doubt);
	param("a/b; n*=nothing%41", "n", "nothingA");
	assert_true(doubt);
}

TEST(encoded_words_in_a_parameter_are_decoded_all_the_same)
{
	param("a/b; name=\"=?utf-8?Q?ni=C3=B1o.jpg?=\"", "name", "ni\xC3\xB1o.jpg");
	param("a/b; name=\"ni\xF1o.jpg\"", "name", "ni\xC3\xB1o.jpg");
	assert_true(doubt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(the_examples_of_rfc_2047_decode),
		RUN(a_language_behind_the_charset_is_passed_over),
		RUN(a_character_cut_in_two_words_is_whole_again),
		RUN(what_is_no_encoded_word_stays_as_it_is),
		RUN(folds_are_taken_out),
		RUN(an_unknown_charset_is_read_and_doubted),
		RUN(broken_escapes_are_kept_and_doubted),
		RUN(a_type_is_read_in_lower_case_without_its_comments),
		RUN(parameters_are_found_among_broken_ones),
		RUN(the_examples_of_rfc_2231_decode),
		RUN(continuations_may_come_in_any_order_and_end_at_a_gap),
		RUN(a_percent_that_is_none_and_a_missing_charset_are_doubted),
		RUN(encoded_words_in_a_parameter_are_decoded_all_the_same),
	};
	return cmocka_run_group_tests(tests, open_charsets, close_charsets);
}
