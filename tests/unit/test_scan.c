#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/mail.h>

static enum kb_status scan(struct kb_span raw, struct kb_scan *ret_s)
{
	struct kb_diag d;
	return kb_scan(&d, raw, &kb_mail_limits, ret_s);
}

static enum kb_status judge(const char *raw)
{
	struct kb_scan s;
	return scan(kb_span_str(raw), &s);
}

/* head, then n times repeated, then tail */
static enum kb_status repeated(const char *head, const char *part, size_t n, const char *tail, struct kb_scan *ret_s)
{
	struct kb_buf b;
	kb_buf_init(&b, 64 << 20);
	assert_ok(kb_buf_str(&b, head));
	for (size_t i = 0; i < n; i++)
		assert_ok(kb_buf_str(&b, part));
	assert_ok(kb_buf_str(&b, tail));
	enum kb_status st = scan(kb_buf_span(&b), ret_s);
	kb_buf_release(&b);
	return st;
}

/* n multiparts within each other */
static enum kb_status nested(unsigned n, struct kb_scan *ret_s)
{
	struct kb_buf b;
	kb_buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < n; i++)
		assert_ok(kb_buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i));
	assert_ok(kb_buf_str(&b, "\r\nx\r\n"));
	enum kb_status st = scan(kb_buf_span(&b), ret_s);
	kb_buf_release(&b);
	return st;
}

TEST(a_plain_message_is_counted)
{
	struct kb_scan s;
	struct kb_span raw = KB_LIT("Received: a\r\nReceived: b\r\nFrom: x\r\n\r\nbody\r\n");
	assert_ok(scan(raw, &s));
	assert_int_equal(s.header_len, 37);
	assert_int_equal(s.fields, 3);
	assert_int_equal(s.received, 2);
	assert_int_equal(s.parts, 1);
	assert_int_equal(s.depth, 0);
	assert_false(s.nul || s.bare_lf || s.long_line || s.no_colon);
}

TEST(facts_are_facts_and_not_refusals)
{
	struct kb_scan s;
	char raw[2048] = "From: x\nno colon\n\n";
	size_t n = strlen(raw);
	memset(raw + n, 'a', 1100);
	raw[n + 5] = '\0';
	assert_ok(scan(KB_SPAN(raw, n + 1100), &s));
	assert_true(s.nul && s.bare_lf && s.long_line && s.no_colon);
}

TEST(parts_and_depth_of_multiparts_and_messages_are_counted)
{
	struct kb_scan s;
	assert_ok(scan(KB_LIT("Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n\r\none\r\n--a b\r\n"
			      "Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n\r\nx\r\n--in\r\n\r\ny\r\n--in--\r\n"
			      "--a b\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nz\r\n--a b--\r\n"),
	    &s));
	assert_int_equal(s.parts, 7);
	assert_int_equal(s.depth, 2);
	assert_int_equal(s.fields, 1);
}

TEST(a_part_of_a_digest_is_a_message)
{
	struct kb_scan s;
	assert_ok(scan(KB_LIT("Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: s\r\n\r\nx\r\n--d--\r\n"), &s));
	assert_int_equal(s.parts, 3);
	assert_int_equal(s.depth, 2);
}

TEST(types_are_known_through_comments_case_and_folds)
{
	struct kb_scan s;
	assert_ok(scan(KB_LIT("CONTENT-TYPE : (c (d)) MULTIPART (e)/ Mixed (f)\r\n ; x=\";boundary=no\" ;\r\n BOUNDARY (g) = q\r\n\r\n--q\r\n\r\n"
			      "x\r\n--q--\r\n"),
	    &s));
	assert_int_equal(s.depth, 1);
	assert_int_equal(s.parts, 2);
}

TEST(an_encoded_message_is_not_descended_into)
{
	struct kb_scan s;
	assert_ok(scan(KB_LIT("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nRnJvbTogeA0KDQo=\r\n"), &s));
	assert_int_equal(s.depth, 0);
}

TEST(fifty_levels_are_taken_and_fifty_one_are_not)
{
	struct kb_scan s;
	assert_ok(nested(50, &s));
	assert_int_equal(s.depth, 50);
	assert_int_equal(nested(51, &s), KB_LIMIT);
	assert_ok(repeated("", "Content-Type: message/rfc822\r\n\r\n", 50, "x", &s));
	assert_int_equal(repeated("", "Content-Type: message/rfc822\r\n\r\n", 51, "x", &s), KB_LIMIT);
	assert_int_equal(repeated("", "Content-Type: message/rfc822\r\n\r\n", 30000, "x", &s), KB_LIMIT);
}

TEST(a_thousand_parts_are_taken_and_one_more_is_not)
{
	struct kb_scan s;
	const char *head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
	assert_ok(repeated(head, "--b\r\n\r\nx\r\n", 999, "--b--\r\n", &s));
	assert_int_equal(s.parts, 1000);
	assert_int_equal(repeated(head, "--b\r\n\r\nx\r\n", 1000, "--b--\r\n", &s), KB_LIMIT);
}

TEST(header_octets_and_fields_are_limited_in_every_header)
{
	struct kb_scan s;
	assert_ok(repeated("", "X: y\r\n", 1000, "\r\n", &s));
	assert_int_equal(repeated("", "X: y\r\n", 1001, "\r\n", &s), KB_LIMIT);
	assert_int_equal(repeated("X: y\r\n", " zzzzzzzzzzzzzzzzzzzz\r\n", 5000, "\r\n", &s), KB_LIMIT);
	const char *part = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n";
	assert_ok(repeated(part, "X: y\r\n", 1000, "\r\n", &s));
	assert_int_equal(repeated(part, "X: y\r\n", 1001, "\r\n", &s), KB_LIMIT);
	/* the same in a body is no header */
	assert_ok(repeated("\r\n", "X: y\r\n", 100000, "", &s));
}

TEST(what_kills_libetpan_is_refused)
{
	assert_int_equal(judge("Content-Type: multipart/mixed; boundary=\"\\\"\"\r\n\r\nx\r\n"), KB_MALFORMED);
	assert_int_equal(judge("content-type:multipart/x;\n\tBOUNDARY=\n \"\\\"\"\n\nx\n"), KB_MALFORMED);
	assert_int_equal(judge("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\nx\r\n"), KB_MALFORMED);
	assert_int_equal(judge("Content-Type: multipart/mixed; boundary=\"a\\b\"\r\n\r\nx\r\n"), KB_MALFORMED);
	/* in a place where our walk sees no header, but libetpan might */
	assert_int_equal(judge("Content-Type: multipart/mixed; boundary=b\r\n\r\n--bContent-Type: multipart/mixed; boundary=\"\\\"\"\r\n\r\n"),
	    KB_MALFORMED);
	assert_int_equal(judge("\r\ntext\r\nContent-Type: multipart/x; boundary=\"\\\"\"\r\n"), KB_MALFORMED);
}

TEST(what_only_looks_like_it_is_not_refused)
{
	assert_ok(judge("Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"));
	assert_ok(judge("\r\nchar *quote = \"\\\"\";\r\n"));
	assert_ok(judge("\r\na boundary\r\nputs(\"\\\"\");\r\n"));
	assert_ok(judge("Content-Type: text/plain; boundary=\"x\"; name=\"a\\\"b\"\r\n\r\n"));
}

TEST(comments_that_nest_deep_are_refused_wherever_they_stand)
{
	struct kb_scan s;
	assert_ok(repeated("To: ", "(", 500, "\r\n\r\n", &s));
	assert_int_equal(s.parens, 500);
	assert_int_equal(repeated("To: ", "(", 30000, "\r\n\r\n", &s), KB_LIMIT);
	assert_int_equal(repeated("To: ", "(\r\n ", 3000, "\r\n\r\n", &s), KB_LIMIT);
	assert_int_equal(repeated("To: ", "(\\)", 3000, "\r\n\r\n", &s), KB_LIMIT);
	assert_int_equal(repeated("\r\n", "(", 3000, "\r\n", &s), KB_LIMIT);
	/* pairs, and lines of their own, do not nest */
	assert_ok(repeated("To: ", "()", 3000, "\r\n\r\n", &s));
	assert_int_equal(s.parens, 1);
	assert_ok(repeated("\r\n", ":(\r\n", 3000, "", &s));
}

TEST(depth_times_size_is_bounded)
{
	struct kb_scan s;
	struct kb_buf b;
	kb_buf_init(&b, 64 << 20);
	for (unsigned i = 0; i < 40; i++)
		assert_ok(kb_buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i));
	assert_ok(kb_buf_str(&b, "\r\n"));
	assert_ok(scan(kb_buf_span(&b), &s));
	assert_ok(kb_buf_reserve(&b, 20 << 20));
	memset(b.p + b.len, 'x', 20 << 20);
	b.len += 20 << 20;
	assert_int_equal(scan(kb_buf_span(&b), &s), KB_LIMIT);
	kb_buf_release(&b);
}

/* A sanitizer looks at all that is left of the message for each search, whatever the search does. */
#ifdef __SANITIZE_ADDRESS__
enum { KB_QUOTES = 1 << 16 };
#else
enum { KB_QUOTES = 6 << 20 };
#endif

/* Were the search for each not bounded by where it stands, this would take an hour. */
TEST(quoted_quotes_without_number_are_looked_at_once_each)
{
	struct kb_scan s;
	assert_int_equal(repeated("Subject: x\r\n\r\n", "\"\\\"\"", KB_QUOTES, "\r\n", &s), KB_OK);
	assert_int_equal(repeated("Subject: x\r\n\r\nboundary=", "\"\\\"\"", KB_QUOTES, "\r\n", &s), KB_MALFORMED);
}

TEST(headers_of_many_parts_are_bounded_together)
{
	struct kb_buf part;
	struct kb_scan s;
	kb_buf_init(&part, 1 << 20);
	assert_ok(kb_buf_str(&part, "--b\r\nTo: "));
	for (size_t i = 0; i < 45000; i++)
		assert_ok(kb_buf_str(&part, "a,"));
	assert_ok(kb_buf_str(&part, "\r\n\r\n\r\n"));
	assert_ok(kb_buf_byte(&part, '\0'));
	const char *head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
	assert_ok(repeated(head, (const char *)part.p, 10, "--b--\r\n", &s));
	assert_int_equal(repeated(head, (const char *)part.p, 30, "--b--\r\n", &s), KB_LIMIT);
	kb_buf_release(&part);
}

TEST(a_message_over_the_limit_is_too_big)
{
	struct kb_limits small = kb_mail_limits;
	struct kb_scan s;
	small.message_octets = 10;
	assert_int_equal(kb_scan(NULL, KB_LIT("Subject: xx"), &small, &s), KB_TOOBIG);
	assert_ok(kb_scan(NULL, KB_LIT("Subject: x"), &small, &s));
}

TEST(an_inner_boundary_ends_with_the_outer_one)
{
	struct kb_scan s;
	/* the inner multipart is never closed: its delimiter in the next outer part is text */
	assert_ok(scan(KB_LIT("Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n"
			      "--in\r\n\r\nx\r\n--out\r\n\r\ny\r\n--in\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n--out--\r\n"),
	    &s));
	assert_int_equal(s.parts, 4);
	assert_int_equal(s.depth, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(a_plain_message_is_counted),
		RUN(facts_are_facts_and_not_refusals),
		RUN(parts_and_depth_of_multiparts_and_messages_are_counted),
		RUN(a_part_of_a_digest_is_a_message),
		RUN(types_are_known_through_comments_case_and_folds),
		RUN(an_encoded_message_is_not_descended_into),
		RUN(fifty_levels_are_taken_and_fifty_one_are_not),
		RUN(a_thousand_parts_are_taken_and_one_more_is_not),
		RUN(header_octets_and_fields_are_limited_in_every_header),
		RUN(what_kills_libetpan_is_refused),
		RUN(what_only_looks_like_it_is_not_refused),
		RUN(comments_that_nest_deep_are_refused_wherever_they_stand),
		RUN(depth_times_size_is_bounded),
		RUN(quoted_quotes_without_number_are_looked_at_once_each),
		RUN(headers_of_many_parts_are_bounded_together),
		RUN(a_message_over_the_limit_is_too_big),
		RUN(an_inner_boundary_ends_with_the_outer_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
