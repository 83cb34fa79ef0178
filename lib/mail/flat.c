/*
 * flat: a parsed message as octets, from the sandboxed child that took it apart to a program that must not; and what else of a
 * message needs no parser, so that such a program links none.
 *
 *     magic u32 | unread_parts u32 | flags u32 | lengths u32 of from, subject, date, text, human, names | those six, in a row
 *
 * names: those of the attachments, an LF after each. What comes back may be anything: every length and every text is checked.
 */
#include <stdlib.h>
#include <string.h>

#include "mail_internal.h"
#include "reader.h"

enum { MAGIC = 0x544d424b, TEXTS = 6, LINES = 3, HEAD = 4 * (3 + TEXTS), FLAGS = 7, LINE_MOST = 65536, NAMES_MOST = 1 << 20 };

void kb_mail_release(struct kb_mail *m)
{
	kb_arena_release(&m->arena);
	*m = (struct kb_mail){0};
}

static uint32_t flags_of(const struct kb_mail *m)
{
	const bool flag[FLAGS] = {m->charset_doubt, m->mismatch, m->truncated, m->auto_submitted, m->bulk, m->list, m->report};
	uint32_t bits = 0;
	for (unsigned i = 0; i < FLAGS; i++)
		bits |= (uint32_t)flag[i] << i;
	return bits;
}

enum kb_status kb_mail_flatten(const struct kb_mail *m, struct kb_buf *ret)
{
	struct kb_buf names;
	uint8_t head[HEAD];
	kb_buf_init(&names, NAMES_MOST);
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < m->attachments; i++)
		st = kb_buf_printf(&names, "%s\n", m->attachment[i].name);
	const struct kb_span text[TEXTS] = {
	    kb_span_str(m->from), kb_span_str(m->subject), kb_span_str(m->date), m->text, m->human, kb_buf_span(&names)};
	kb_put_u32(head, MAGIC);
	kb_put_u32(head + 4, m->unread_parts);
	kb_put_u32(head + 8, flags_of(m));
	for (unsigned i = 0; i < TEXTS; i++)
		kb_put_u32(head + 12 + 4 * i, (uint32_t)text[i].len);
	if (st == KB_OK)
		st = kb_buf_add(ret, KB_SPAN(head, sizeof(head)));
	for (unsigned i = 0; st == KB_OK && i < TEXTS; i++)
		st = kb_buf_add(ret, text[i]);
	kb_buf_release(&names);
	return st;
}

static bool text_fine(struct kb_span s, size_t most)
{
	return s.len <= most && kb_utf8_valid(s) && !memchr(s.len ? (const void *)s.p : "", 0, s.len);
}

/* As a parsed message has it: on one line, and nothing in it that could drive a terminal. */
static bool line_fine(struct kb_span s)
{
	struct kb_buf clean;
	kb_buf_init(&clean, 4 * s.len);
	bool fine = kb_text_harmless(&clean, s, false) == KB_OK && kb_span_eq(kb_buf_span(&clean), s);
	kb_buf_release(&clean);
	return fine;
}

static bool take_names(struct kb_mail *m, struct kb_span names)
{
	for (size_t n; names.len; names = kb_span_from(names, n + 1)) {
		n = kb_span_find(names, KB_LIT("\n"));
		struct kb_span line = KB_SPAN(names.p, n == SIZE_MAX ? 0 : n);
		if (n == SIZE_MAX || m->attachments == KB_ATTACHMENTS_MOST || !line_fine(line))
			return false;
		m->attachment[m->attachments++] = (struct kb_attachment){.name = kb_arena_copy(&m->arena, line), .type = "application/octet-stream"};
	}
	return true;
}

enum kb_status kb_mail_unflatten(struct kb_span flat, struct kb_mail *ret_m)
{
	static const size_t most[TEXTS] = {LINE_MOST, LINE_MOST, LINE_MOST, KB_TEXT_MOST, KB_TEXT_MOST, NAMES_MOST};
	struct kb_span text[TEXTS], rest = kb_span_from(flat, HEAD);
	if (flat.len < HEAD || kb_get_u32(flat.p) != MAGIC || kb_get_u32(flat.p + 8) >> FLAGS)
		return KB_MALFORMED;
	for (unsigned i = 0; i < TEXTS; i++) {
		size_t len = kb_get_u32(flat.p + 12 + 4 * i);
		if (len > rest.len)
			return KB_MALFORMED;
		text[i] = KB_SPAN(rest.p, len);
		rest = kb_span_from(rest, len);
		if (!text_fine(text[i], most[i]) || (i < LINES && !line_fine(text[i])))
			return KB_MALFORMED;
	}
	if (rest.len)
		return KB_MALFORMED;
	uint32_t bits = kb_get_u32(flat.p + 8);
	struct kb_mail m = {.unread_parts = kb_get_u32(flat.p + 4), .charset_doubt = bits & 1, .mismatch = bits >> 1 & 1, .truncated = bits >> 2 & 1,
	    .auto_submitted = bits >> 3 & 1, .bulk = bits >> 4 & 1, .list = bits >> 5 & 1, .report = bits >> 6 & 1};
	kb_arena_init(&m.arena, (size_t)16 << 20);
	m.from = kb_arena_copy(&m.arena, text[0]);
	m.subject = kb_arena_copy(&m.arena, text[1]);
	m.date = kb_arena_copy(&m.arena, text[2]);
	m.text = KB_SPAN(kb_arena_copy(&m.arena, text[3]), text[3].len);
	m.human = KB_SPAN(kb_arena_copy(&m.arena, text[4]), text[4].len);
	m.to = m.message_id = "";
	if (!take_names(&m, text[5])) {
		kb_mail_release(&m);
		return KB_MALFORMED;
	}
	*ret_m = m;
	return KB_OK;
}

/* At most n octets, cut between characters. */
static struct kb_span first_of(struct kb_span s, size_t n)
{
	if (s.len <= n)
		return s;
	while (n && (s.p[n] & 0xC0) == 0x80)
		n--;
	return KB_SPAN(s.p, n);
}

enum kb_status kb_mail_from_text(struct kb_span subject, struct kb_span text, struct kb_mail *ret_m)
{
	struct kb_mail m = {.from = "", .to = "", .date = "", .message_id = ""};
	struct kb_buf own;
	m.truncated = subject.len > LINE_MOST || text.len > KB_TEXT_MOST;
	subject = first_of(subject, LINE_MOST);
	text = first_of(text, KB_TEXT_MOST);
	kb_arena_init(&m.arena, (size_t)16 << 20);
	kb_buf_init(&own, KB_TEXT_MOST + 4096);
	m.subject = kb_arena_copy(&m.arena, subject);
	m.text = KB_SPAN(kb_arena_copy(&m.arena, text), text.len);
	enum kb_status st = kb_own_text(&own, m.text, subject);
	m.human = KB_SPAN(kb_arena_copy(&m.arena, kb_buf_span(&own)), own.len);
	kb_buf_release(&own);
	if (st == KB_OK)
		*ret_m = m;
	else
		kb_mail_release(&m);
	return st;
}
