#include "kbtest.h"

#include <string.h>

#include "mail_internal.h"

static bool cut;

static void page(const char *html, const char *wanted)
{
	struct kb_buf b;
	kb_buf_init(&b, 65536);
	cut = false;
	assert_ok(kb_html_text(&b, kb_span_str(html), &cut));
	assert_ok(kb_buf_byte(&b, 0));
	assert_string_equal((const char *)b.p, wanted);
	kb_buf_release(&b);
}

/* part n times between head and tail; returns what was read, for the caller to release */
static struct kb_buf repeated(const char *head, const char *part, size_t n, const char *tail)
{
	struct kb_buf in, out;
	kb_buf_init(&in, 16 << 20);
	kb_buf_init(&out, 1 << 20);
	assert_ok(kb_buf_str(&in, head));
	for (size_t i = 0; i < n; i++)
		assert_ok(kb_buf_str(&in, part));
	assert_ok(kb_buf_str(&in, tail));
	cut = false;
	assert_ok(kb_html_text(&out, kb_buf_span(&in), &cut));
	kb_buf_release(&in);
	return out;
}

TEST(blocks_break_lines_and_inline_elements_do_not)
{
	page("<p>one <b>two</b><i>three</i></p><p>four</p>", "one twothree\n\nfour");
	page("<div>one</div><div>two</div>three", "one\ntwo\nthree");
	page("one<br>two<br/>three", "one\ntwo\nthree");
	page("one<br><br>two", "one\n\ntwo");
	page("<ul><li>one</li><li>two</li></ul>", "one\ntwo");
	page("<h1>title</h1>text", "title\n\ntext");
}

TEST(cells_are_kept_apart)
{
	page("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc");
}

TEST(white_space_is_one_space)
{
	page("  one \r\n\t two&nbsp;&nbsp;three\xC2\xA0  ", "one two three");
	page("<pre>one\n  two</pre>", "one\ntwo");
}

TEST(what_nobody_sees_is_left_out)
{
	page("<head><title>t</title><style>s{}</style></head><script>x()</script>seen<!-- comment -->", "seen");
	page("a<span style=\"display : NONE\">hidden</span>b", "ab");
	page("a<div style='color:red;visibility:hidden'>x<p>y</p></div>b", "a\n\nb");
	page("a<div hidden>x</div>b", "a\n\nb");
	page("a<span style=\"display:inline\">b</span>", "ab");
	page("a<br style=\"display:none\">b", "ab");
}

TEST(links_and_pictures_keep_their_words)
{
	page("see <a href=\"http://example.net/\">the page</a> <img src=x alt=\"a photo\">", "see the page a photo");
}

TEST(entities_are_characters_and_unknown_ones_are_text)
{
	page("&lt;b&gt; &amp; &ntilde; &#241; &#xF1; &bogus; &", "<b> & \xC3\xB1 \xC3\xB1 \xC3\xB1 &bogus; &");
	page("<!DOCTYPE html [<!ENTITY x \"yyyy\">]><p>&x;</p>", "]>\n\n&x;");
}

TEST(a_quotation_of_mail_is_marked_and_an_indentation_is_not)
{
	page("mine<blockquote type=\"cite\">theirs<br>more</blockquote>mine again", "mine\n\n> theirs\n> more\nmine again");
	page("<blockquote class=gmail_quote>a<blockquote type=cite>b</blockquote>c</blockquote>d", "> a\n> > b\n> c\nd");
	page("<blockquote style=\"margin: 0 0 0 40px\">mine</blockquote>", "mine");
}

TEST(broken_pages_keep_their_words)
{
	page("<p>one<p>two", "one\n\ntwo");
	page("one</b></div></p>two", "one\n\ntwo");
	page("a < b and c > d", "a < b and c > d");
	page("<b>bold <i>both</b> rest</i>", "bold both rest");
	page("<a href=\"never closed>link</a> <b>words</b>", "link words");
	page("<table><td>cell", "cell");
	page("just text", "just text");
	page("", "");
}

TEST(a_tag_without_end_of_attributes_costs_its_attributes_only)
{
	struct kb_buf b = repeated("one <a ", "x=1 ", 100000, ">link</a> two");
	assert_span(kb_buf_span(&b), "one link two");
	assert_false(cut);
	kb_buf_release(&b);
}

TEST(a_tag_with_many_attributes_goes_without_them)
{
	struct kb_buf b = repeated("one<br style=\"display:none\"", " x=1", 20, ">two");
	assert_span(kb_buf_span(&b), "onetwo");
	kb_buf_release(&b);
	b = repeated("one<br style=\"display:none\"", " x=1", 200, ">two");
	assert_span(kb_buf_span(&b), "one\ntwo");
	kb_buf_release(&b);
}

TEST(a_picture_inside_the_page_costs_nothing)
{
	struct kb_buf b = repeated("one <img src=\"data:image/png;base64,", "AAAAAAAAAAAAAAAA", 200000, "\"> two");
	assert_span(kb_buf_span(&b), "one two");
	kb_buf_release(&b);
}

TEST(nesting_beyond_reason_is_stripped_and_said)
{
	struct kb_buf b = repeated("before ", "<b>", 10000, "deep words");
	assert_true(cut);
	assert_true(kb_span_find(kb_buf_span(&b), KB_LIT("before ")) == 0);
	assert_true(kb_span_find(kb_buf_span(&b), KB_LIT("deep words")) != SIZE_MAX);
	kb_buf_release(&b);
	b = repeated("before ", "<b>", 100, "deep words");
	assert_false(cut);
	kb_buf_release(&b);
}

TEST(a_full_buffer_is_a_limit)
{
	struct kb_buf b;
	kb_buf_init(&b, 5);
	assert_int_equal(kb_html_text(&b, KB_LIT("<p>one two three</p>"), &cut), KB_LIMIT);
	assert_true(b.len <= 5);
	kb_buf_release(&b);
}

TEST(the_page_names_its_charset)
{
	assert_span(kb_html_charset(KB_LIT("<meta http-equiv=Content-Type content=\"text/html; charset=koi8-r\">")), "koi8-r");
	assert_span(kb_html_charset(KB_LIT("<meta charset='utf-8'>")), "utf-8");
	assert_int_equal(kb_html_charset(KB_LIT("<p>no</p>")).len, 0);
	assert_int_equal(kb_html_charset(KB_LIT("<meta charset=")).len, 0);
}

TEST(weight_counts_words_and_no_tags)
{
	assert_int_equal(kb_html_weight(KB_LIT("<p class=x>abc 12</p><style>p{}</style>!")), 5);
	assert_int_equal(kb_html_weight(KB_LIT("plain words")), 10);
	assert_int_equal(kb_html_weight(KB_LIT("<never")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(blocks_break_lines_and_inline_elements_do_not),
		RUN(cells_are_kept_apart),
		RUN(white_space_is_one_space),
		RUN(what_nobody_sees_is_left_out),
		RUN(links_and_pictures_keep_their_words),
		RUN(entities_are_characters_and_unknown_ones_are_text),
		RUN(a_quotation_of_mail_is_marked_and_an_indentation_is_not),
		RUN(broken_pages_keep_their_words),
		RUN(a_tag_without_end_of_attributes_costs_its_attributes_only),
		RUN(a_tag_with_many_attributes_goes_without_them),
		RUN(a_picture_inside_the_page_costs_nothing),
		RUN(nesting_beyond_reason_is_stripped_and_said),
		RUN(a_full_buffer_is_a_limit),
		RUN(the_page_names_its_charset),
		RUN(weight_counts_words_and_no_tags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
