/* kite_cell, kite_list: whatever a message brings, a line stays a line, in its columns, and drives no terminal. */
#include "kbtest.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "out.h"

static void cell(const char *text, size_t width, const char *expected)
{
	struct kb_buf b;
	kb_buf_init(&b, 1 << 20);
	assert_ok(kite_cell(&b, kb_span_str(text), width));
	assert_ok(kb_buf_byte(&b, 0));
	assert_string_equal((const char *)b.p, expected);
	kb_buf_release(&b);
}

TEST(a_cell_is_filled_up_or_cut_to_its_columns)
{
	cell("abc", 5, "abc  ");
	cell("abcde", 5, "abcde");
	cell("abcdef", 5, "abcd…");
	cell("", 3, "   ");
	cell("abc", 1, "…");
	cell("abcdef", 0, "abcdef");
}

TEST(wide_characters_take_two_columns_and_are_never_halved)
{
	cell("日本", 4, "日本");
	cell("日本語", 5, "日本…");
	cell("日本語", 4, "日… ");
	assert_int_equal(kite_columns(kb_span_str("日本")), 4);
	assert_int_equal(kite_columns(kb_span_str("señora")), 6);
}

TEST(marks_take_no_column_and_do_not_pile_up)
{
	cell("e\u0301x", 3, "e\u0301x ");
	assert_int_equal(kite_columns(kb_span_str("a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301")), 1);
	struct kb_buf b;
	kb_buf_init(&b, 4096);
	assert_ok(kite_cell(&b, kb_span_str("a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301"), 0));
	assert_int_equal(b.len, 1 + 4 * 2);
	kb_buf_release(&b);
}

TEST(nothing_in_a_cell_drives_a_terminal_or_ends_a_line)
{
	static const char *const hostile[] = {"\033[2J", "a\nb", "a\r\nb", "\x9b[31m", "\u202Eevil", "\u2066x", "a\tb",
	    "\a\b\x7f", "\xff\xfe", "\xc2\x85"};
	for (size_t i = 0; i < KB_LEN(hostile); i++) {
		struct kb_buf b;
		kb_buf_init(&b, 4096);
		assert_ok(kite_cell(&b, kb_span_str(hostile[i]), 12));
		assert_true(kb_utf8_valid(kb_buf_span(&b)));
		for (size_t k = 0; k < b.len; k++)
			assert_true(b.p[k] >= 0x20 && b.p[k] != 0x7f);
		assert_int_equal(kb_span_find(kb_buf_span(&b), kb_span_str("\u202E")), SIZE_MAX);
		assert_int_equal(kb_span_find(kb_buf_span(&b), kb_span_str("\u2066")), SIZE_MAX);
		assert_int_equal(kb_span_find(kb_buf_span(&b), kb_span_str("\xc2\x85")), SIZE_MAX);
		assert_int_equal(kite_columns(kb_buf_span(&b)), 12);
		kb_buf_release(&b);
	}
}

static const struct kb_desk_message row = {
    .id = {{0x4f, 0x0c}},
    .class_ = KB_CLASS_ALLEGATION,
    .received_s = 1764000000,
    .urgent = 1,
    .epoch = 3,
    .referrals = 2,
};

static void summary(struct kb_summary *s)
{
	memset(s, 0, sizeof(*s));
	s->class_ = KB_CLASS_ALLEGATION;
	s->category = KB_CAT_RETALIATION;
	s->flags = KB_FLAG_URGENT_SAFETY | KB_FLAG_RETALIATION;
	s->score_e4 = 9300;
	s->language = KB_LANG_ES;
	s->size = 3120;
	kb_field_set(s->from, sizeof(s->from), KB_LIT("Rosa \033[31mQuill <rosa@family.example>"));
	kb_field_set(s->subject, sizeof(s->subject), KB_LIT("They\nare \xe2\x80\xaehere"));
	kb_field_set(s->reasons, sizeof(s->reasons), KB_LIT("one reason\nanother\n"));
}

static void line(size_t width, bool terminal, const struct kb_desk_message *m, const struct kb_summary *s,
    enum kb_status st, struct kb_buf *b)
{
	struct kite_columns c = kite_list_columns(width, terminal);
	kb_buf_init(b, 1 << 16);
	assert_ok(kite_list_line(&c, m, s, st, b));
}

TEST(a_line_is_one_line_that_fits_the_terminal)
{
	struct kb_summary s;
	summary(&s);
	for (size_t width = 90; width < 300; width += 7) {
		struct kb_buf b;
		line(width, true, &row, &s, KB_OK, &b);
		assert_int_equal(b.p[b.len - 1], '\n');
		assert_null(memchr(b.p, '\n', b.len - 1));
		assert_null(memchr(b.p, '\033', b.len));
		assert_true(kite_columns(KB_SPAN(b.p, b.len - 1)) <= width);
		kb_buf_release(&b);
	}
}

TEST(without_a_terminal_the_subject_is_whole)
{
	struct kb_summary s;
	struct kb_buf b;
	summary(&s);
	memset(s.subject, 'x', sizeof(s.subject) - 1);
	line(KITE_WIDTH_PLAIN, false, &row, &s, KB_OK, &b);
	assert_int_not_equal(kb_span_find(kb_buf_span(&b), kb_span_str(s.subject)), SIZE_MAX);
	kb_buf_release(&b);
}

TEST(heading_and_lines_stand_in_the_same_columns)
{
	struct kite_columns c = kite_list_columns(120, true);
	struct kb_summary s;
	struct kb_buf head, b;
	summary(&s);
	kb_field_set(s.from, sizeof(s.from), KB_LIT("Rosa"));
	kb_buf_init(&head, 4096);
	assert_ok(kite_list_heading(&c, &head));
	line(120, true, &row, &s, KB_OK, &b);
	assert_int_equal(kb_span_find(kb_buf_span(&head), KB_LIT("CLASS")), kb_span_find(kb_buf_span(&b), KB_LIT("allegation")));
	/* the flags of this line are cut, and their sign is of three octets in one column */
	assert_int_equal(kb_span_find(kb_buf_span(&head), KB_LIT("FROM")) + 2, kb_span_find(kb_buf_span(&b), KB_LIT("Rosa")));
	kb_buf_release(&head);
	kb_buf_release(&b);
}

TEST(what_does_not_open_stands_in_the_list_with_its_reason)
{
	static const struct {
		enum kb_status st;
		const char *reason;
	} rows[] = {{KB_NOKEY, "no key of yours"}, {KB_NOTFOUND, "no key of yours"}, {KB_FORGED, "altered"},
	    {KB_PAYLOAD, "altered"}, {KB_MALFORMED, "damaged"}};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_buf b;
		line(400, true, &row, NULL, rows[i].st, &b);
		assert_int_not_equal(kb_span_find(kb_buf_span(&b), kb_span_str(rows[i].reason)), SIZE_MAX);
		assert_int_not_equal(kb_span_find(kb_buf_span(&b), KB_LIT("allegation")), SIZE_MAX);
		assert_int_not_equal(kb_span_find(kb_buf_span(&b), KB_LIT("urgent-safety")), SIZE_MAX);
		kb_buf_release(&b);
	}
}

static const char *text(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

TEST(json_has_every_field_whether_it_opened_or_not)
{
	struct kb_summary s;
	const char *key;
	json_t *value;
	summary(&s);
	json_t *opened = kite_list_json(&row, &s, KB_OK), *closed = kite_list_json(&row, NULL, KB_NOKEY);
	assert_int_equal(json_object_size(opened), json_object_size(closed));
	json_object_foreach(opened, key, value)
		assert_non_null(json_object_get(closed, key));
	assert_string_equal(text(opened, "class"), "allegation");
	assert_string_equal(text(opened, "category"), "retaliation");
	assert_string_equal(text(opened, "channel"), "email");
	assert_string_equal(text(opened, "status"), "new");
	assert_string_equal(text(opened, "language"), "es");
	assert_string_equal(text(opened, "received"), "2025-11-24T16:00:00Z");
	assert_string_equal(text(opened, "message"), "4f0c0000000000000000000000000000");
	assert_int_equal(json_array_size(json_object_get(opened, "flags")), 2);
	assert_int_equal(json_array_size(json_object_get(opened, "reasons")), 2);
	assert_true(json_is_null(json_object_get(opened, "error")));
	assert_string_equal(text(closed, "error"), "KB_NOKEY");
	assert_string_equal(text(closed, "class"), "allegation");
	assert_true(json_is_null(json_object_get(closed, "subject")));
	assert_null(strchr(text(opened, "from"), '\033'));
	assert_null(strstr(text(opened, "subject"), "\u202E"));
	json_decref(opened);
	json_decref(closed);
}

static int start(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") == NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(a_cell_is_filled_up_or_cut_to_its_columns),
		RUN(wide_characters_take_two_columns_and_are_never_halved),
		RUN(marks_take_no_column_and_do_not_pile_up),
		RUN(nothing_in_a_cell_drives_a_terminal_or_ends_a_line),
		RUN(a_line_is_one_line_that_fits_the_terminal),
		RUN(without_a_terminal_the_subject_is_whole),
		RUN(heading_and_lines_stand_in_the_same_columns),
		RUN(what_does_not_open_stands_in_the_list_with_its_reason),
		RUN(json_has_every_field_whether_it_opened_or_not),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
