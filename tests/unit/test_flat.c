/* flat: a parsed message as octets and back; what comes back from a child that may have been taken over is checked. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/mail.h>

enum { UNREAD = 4, FLAGS = 8, LENGTHS = 12, TEXTS = 6, HEAD = 36 };

static struct kb_buf empty(void)
{
	struct kb_buf b;
	kb_buf_init(&b, 8 << 20);
	return b;
}

static struct kb_buf flat_of(const struct kb_mail *m)
{
	struct kb_buf b = empty();
	assert_ok(kb_mail_flatten(m, &b));
	return b;
}

static bool taken(struct kb_span flat)
{
	struct kb_mail m;
	enum kb_status st = kb_mail_unflatten(flat, &m);
	if (st == KB_OK)
		kb_mail_release(&m);
	else
		assert_int_equal(st, KB_MALFORMED);
	return st == KB_OK;
}

static void assert_same_span(struct kb_span a, struct kb_span b)
{
	assert_int_equal(a.len, b.len);
	if (a.len)
		assert_memory_equal(a.p, b.p, a.len);
}

static void assert_same(const struct kb_mail *a, const struct kb_mail *b)
{
	assert_string_equal(a->from, b->from);
	assert_string_equal(a->subject, b->subject);
	assert_string_equal(a->date, b->date);
	assert_same_span(a->text, b->text);
	assert_same_span(a->human, b->human);
	assert_int_equal(a->attachments, b->attachments);
	for (size_t i = 0; i < a->attachments; i++)
		assert_string_equal(a->attachment[i].name, b->attachment[i].name);
	assert_int_equal(a->unread_parts, b->unread_parts);
	assert_int_equal(a->charset_doubt, b->charset_doubt);
	assert_int_equal(a->mismatch, b->mismatch);
	assert_int_equal(a->truncated, b->truncated);
	assert_int_equal(a->auto_submitted, b->auto_submitted);
	assert_int_equal(a->bulk, b->bulk);
	assert_int_equal(a->list, b->list);
	assert_int_equal(a->report, b->report);
}

/* There and back, and there again: the same octets. */
static void round_trip(const struct kb_mail *m)
{
	struct kb_buf b = flat_of(m);
	struct kb_mail back;
	assert_ok(kb_mail_unflatten(kb_buf_span(&b), &back));
	assert_same(&back, m);
	struct kb_buf again = flat_of(&back);
	assert_same_span(kb_buf_span(&again), kb_buf_span(&b));
	kb_buf_release(&again);
	kb_mail_release(&back);
	kb_buf_release(&b);
}

static struct kb_mail example(void)
{
	struct kb_mail m;
	memset(&m, 0, sizeof(m));
	m.from = "Mar\xc3\xad" "a <maria@example.org>";
	m.subject = "Visit";
	m.date = "Mon, 1 Jan 2024 10:00:00 +0000";
	m.to = m.message_id = "";
	m.text = KB_LIT("When may I visit?\n> you wrote\n");
	m.human = KB_LIT("When may I visit?\n");
	m.attachment[0].name = "form.pdf";
	m.attachment[1].name = "";
	m.attachment[2].name = "foto.jpg";
	m.attachments = 3;
	m.unread_parts = 2;
	return m;
}

TEST(a_message_comes_back_as_it_went)
{
	struct kb_mail m = example(), none;
	round_trip(&m);
	memset(&none, 0, sizeof(none));
	none.from = none.to = none.subject = none.date = none.message_id = "";
	round_trip(&none);
	bool *const flag[] = {&m.charset_doubt, &m.mismatch, &m.truncated, &m.auto_submitted, &m.bulk, &m.list, &m.report};
	for (size_t i = 0; i < KB_LEN(flag); i++) { /* each alone: none stands for another */
		*flag[i] = true;
		round_trip(&m);
		*flag[i] = false;
	}
	for (m.attachments = 0; m.attachments < KB_ATTACHMENTS_MOST; m.attachments++)
		m.attachment[m.attachments].name = "a";
	m.unread_parts = UINT32_MAX;
	round_trip(&m);
}

TEST(parsed_messages_come_back_as_they_went)
{
	static const char *const files[] = {"plain-en", "mixed-pdf", "auto-reply", "charset-big5", "attribution-like"};
	assert_ok(kb_charset_open(NULL));
	for (size_t i = 0; i < KB_LEN(files); i++) {
		char path[4096], raw[65536];
		struct kb_mail m;
		(void)snprintf(path, sizeof(path), "%s/mail/%s.eml", getenv("KB_TEST_DATA"), files[i]);
		FILE *f = fopen(path, "rb");
		if (!f)
			fail_msg("%s is missing", path);
		size_t n = fread(raw, 1, sizeof(raw), f);
		(void)fclose(f);
		assert_ok(kb_mail_parse(NULL, KB_SPAN(raw, n), &kb_mail_limits, &m));
		round_trip(&m);
		kb_mail_release(&m);
	}
	kb_charset_close();
}

TEST(a_text_alone_loses_what_it_quotes_and_comes_back_as_it_went)
{
	struct kb_mail m;
	assert_ok(kb_mail_from_text(KB_LIT("Visit"), KB_LIT("My own words.\n\nOn Monday, A <a@family.example> wrote:\n> theirs\n> and more\n"), &m));
	assert_int_not_equal(kb_span_find(m.text, KB_LIT("theirs")), SIZE_MAX);
	assert_int_equal(kb_span_find(m.human, KB_LIT("theirs")), SIZE_MAX);
	assert_int_not_equal(kb_span_find(m.human, KB_LIT("My own words.")), SIZE_MAX);
	round_trip(&m);
	kb_mail_release(&m);
}

TEST(a_text_that_is_too_long_is_cut_between_characters_and_says_so)
{
	enum { TEXT = 1 << 20, SUBJECT = 1 << 16 };
	struct kb_mail m;
	char *large = malloc(TEXT + 2);
	assert_non_null(large);
	memset(large, 'a', TEXT + 2);
	large[TEXT - 1] = '\n';
	assert_ok(kb_mail_from_text(KB_SPAN(large, SUBJECT), KB_SPAN(large, TEXT), &m));
	assert_false(m.truncated);
	assert_int_equal(m.text.len, TEXT);
	round_trip(&m);
	kb_mail_release(&m);
	memcpy(large + TEXT - 1, "\xc3\xb1", 2); /* astride of the end */
	assert_ok(kb_mail_from_text(KB_LIT(""), KB_SPAN(large, TEXT + 1), &m));
	assert_true(m.truncated);
	assert_int_equal(m.text.len, TEXT - 1);
	round_trip(&m);
	kb_mail_release(&m);
	assert_ok(kb_mail_from_text(KB_SPAN(large, SUBJECT + 1), KB_LIT("a"), &m));
	assert_true(m.truncated);
	assert_int_equal(strlen(m.subject), SUBJECT);
	round_trip(&m);
	kb_mail_release(&m);
	free(large);
}

TEST(whatever_is_cut_off_or_added_is_refused)
{
	struct kb_mail m = example();
	struct kb_buf b = flat_of(&m);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *exact = malloc(n + !n); /* so that a sanitizer sees an octet read past it */
		assert_non_null(exact);
		memcpy(exact, b.p, n);
		if (taken(KB_SPAN(exact, n)) || taken(KB_SPAN(b.p, n))) /* nor is what stands behind its end used */
			fail_msg("the first %zu octets were taken", n);
		free(exact);
	}
	assert_true(taken(kb_buf_span(&b)));
	assert_ok(kb_buf_byte(&b, '\n'));
	assert_false(taken(kb_buf_span(&b)));
	kb_buf_release(&b);
}

TEST(lengths_that_lie_are_refused)
{
	static const uint32_t lies[] = {UINT32_MAX, INT32_MAX, (uint32_t)INT32_MAX + 1, 1 << 20, 65537};
	struct kb_mail m = example();
	struct kb_buf b = flat_of(&m);
	for (unsigned i = 0; i < TEXTS; i++) {
		uint8_t *at = b.p + LENGTHS + 4 * i;
		uint32_t is = kb_get_u32(at);
		for (size_t k = 0; k < KB_LEN(lies) + 2; k++) {
			kb_put_u32(at, k < KB_LEN(lies) ? lies[k] : k == KB_LEN(lies) ? is + 1 : is - 1);
			assert_false(taken(kb_buf_span(&b)));
		}
		kb_put_u32(at, is);
		assert_true(taken(kb_buf_span(&b)));
	}
	/* Two that are right together only when they are added in 32 bits. */
	uint32_t first = kb_get_u32(b.p + LENGTHS), second = kb_get_u32(b.p + LENGTHS + 4);
	kb_put_u32(b.p + LENGTHS, first + 0x80000000u);
	kb_put_u32(b.p + LENGTHS + 4, second + 0x80000000u);
	assert_false(taken(kb_buf_span(&b)));
	kb_buf_release(&b);
}

TEST(another_magic_or_an_unknown_flag_is_refused)
{
	struct kb_mail m = example();
	struct kb_buf b = flat_of(&m);
	for (unsigned bit = 0; bit < 32; bit++) {
		b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(taken(kb_buf_span(&b)));
		b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	uint32_t flags = kb_get_u32(b.p + FLAGS);
	for (unsigned bit = 0; bit < 32; bit++) {
		kb_put_u32(b.p + FLAGS, flags | UINT32_C(1) << bit);
		assert_int_equal(taken(kb_buf_span(&b)), bit < 7);
	}
	kb_buf_release(&b);
}

/* A flat message of those texts, with lengths that are right. */
static bool texts_taken(const struct kb_span text[TEXTS])
{
	struct kb_buf b = empty();
	struct kb_mail m = example();
	struct kb_buf like = flat_of(&m);
	assert_ok(kb_buf_add(&b, KB_SPAN(like.p, HEAD)));
	for (unsigned i = 0; i < TEXTS; i++) {
		kb_put_u32(b.p + LENGTHS + 4 * i, (uint32_t)text[i].len);
		assert_ok(kb_buf_add(&b, text[i]));
	}
	bool is = taken(kb_buf_span(&b));
	kb_buf_release(&like);
	kb_buf_release(&b);
	return is;
}

TEST(texts_that_no_message_has_are_refused)
{
	static const struct kb_span wrong[] = {{(const uint8_t *)"a\0b\n", 4}, {(const uint8_t *)"\xff\n", 2}, {(const uint8_t *)"\xed\xa0\x80\n", 4},
		{(const uint8_t *)"\xc3\n", 2}};
	for (size_t i = 0; i < TEXTS; i++)
		for (size_t k = 0; k <= KB_LEN(wrong); k++) {
			struct kb_span text[TEXTS] = {KB_LIT("a"), KB_LIT("b"), KB_LIT("c"), KB_LIT("d"), KB_LIT("e"), KB_LIT("f\n")};
			if (k < KB_LEN(wrong))
				text[i] = wrong[k];
			assert_int_equal(texts_taken(text), k == KB_LEN(wrong));
		}
}

TEST(texts_longer_than_any_message_has_are_refused)
{
	static const size_t most[TEXTS] = {65536, 65536, 65536, 1 << 20, 1 << 20, 1 << 20};
	char *large = malloc((1 << 20) + 1);
	assert_non_null(large);
	memset(large, 'a', (1 << 20) + 1);
	for (size_t i = 0; i < TEXTS; i++) {
		struct kb_span text[TEXTS] = {{0}};
		text[i] = KB_SPAN(large + (1 << 20) + 1 - most[i], most[i]);
		large[1 << 20] = i == TEXTS - 1 ? '\n' : 'a';
		assert_true(texts_taken(text));
		text[i] = KB_SPAN(large + (1 << 20) - most[i], most[i] + 1);
		assert_false(texts_taken(text));
	}
	free(large);
}

TEST(names_are_lines_and_no_more_than_a_message_has)
{
	struct kb_span text[TEXTS] = {{0}}, *names = &text[TEXTS - 1];
	struct kb_buf b = empty();
	for (size_t i = 0; i < KB_ATTACHMENTS_MOST; i++)
		assert_ok(kb_buf_str(&b, "a\n"));
	*names = kb_buf_span(&b);
	assert_true(texts_taken(text));
	assert_ok(kb_buf_str(&b, "\n"));
	*names = kb_buf_span(&b);
	assert_false(texts_taken(text));
	*names = KB_LIT("form.pdf\nfoto.jpg");
	assert_false(texts_taken(text));
	*names = KB_LIT("form.pdf\r\n");
	assert_false(texts_taken(text));
	*names = KB_LIT("form.pdf\n");
	assert_true(texts_taken(text));
	kb_buf_release(&b);
}

/* What kb_mail_parse leaves in a line is fit for a terminal, and whoever believes a flat message relies on that. */
TEST(lines_that_are_not_harmless_are_refused)
{
	static const char *const wrong[] = {"a\x1b[31mb", "a\nb", "a\xe2\x80\xaez", "a\x7f"};
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < KB_LEN(wrong); k++) {
			struct kb_span text[TEXTS] = {{0}};
			text[i] = kb_span_str(wrong[k]);
			assert_false(texts_taken(text));
			text[i] = KB_LIT("a [31m b \xc3\xb1");
			assert_true(texts_taken(text));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(a_message_comes_back_as_it_went),
		RUN(parsed_messages_come_back_as_they_went),
		RUN(a_text_alone_loses_what_it_quotes_and_comes_back_as_it_went),
		RUN(a_text_that_is_too_long_is_cut_between_characters_and_says_so),
		RUN(whatever_is_cut_off_or_added_is_refused),
		RUN(lengths_that_lie_are_refused),
		RUN(another_magic_or_an_unknown_flag_is_refused),
		RUN(texts_that_no_message_has_are_refused),
		RUN(texts_longer_than_any_message_has_are_refused),
		RUN(names_are_lines_and_no_more_than_a_message_has),
		RUN(lines_that_are_not_harmless_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
