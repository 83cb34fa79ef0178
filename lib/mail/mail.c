/*
 * mail: a raw message into a struct kb_mail, and one attachment out of it. See mail.h.
 */
#include <string.h>

#include "reader.h"

enum { ARENA_MOST = 16 << 20 };

const struct kb_limits kb_mail_limits = {
	.message_octets = 50 << 20, .header_octets = 100 << 10, .header_fields = 1000, .mime_depth = 50, .mime_parts = 1000, .hops = 50,
};

/* clang-format off */
static const struct { const char *name; size_t offset; } fields[] = {
	{"From", offsetof(struct kb_mail, from)}, {"To", offsetof(struct kb_mail, to)}, {"Subject", offsetof(struct kb_mail, subject)},
	{"Date", offsetof(struct kb_mail, date)}, {"Message-ID", offsetof(struct kb_mail, message_id)},
};
/* clang-format on */

static const char **slot(struct kb_mail *m, size_t i)
{
	return (const char **)(void *)((char *)m + fields[i].offset);
}

/* One walk over the header for all that is wanted of it. Of a field that stands twice the first counts, and it is a mismatch. */
static void read_fields(struct kb_mail *m, struct kb_span raw)
{
	struct kb_field f;
	bool typed = false;
	for (size_t i = 0; i < KB_LEN(fields); i++)
		*slot(m, i) = NULL;
	for (size_t at = 0; kb_field_next(raw, &at, &f);) {
		kb_machine_field(m, &f);
		if (kb_span_caseeq(f.name, KB_LIT("Content-Type"))) {
			m->mismatch = m->mismatch || typed;
			typed = true;
		}
		for (size_t i = 0; i < KB_LEN(fields); i++) {
			if (!kb_span_caseeq(f.name, kb_span_str(fields[i].name)))
				continue;
			if (*slot(m, i))
				m->mismatch = true;
			else
				*slot(m, i) = kb_line_decode(m, f.value);
		}
	}
	for (size_t i = 0; i < KB_LEN(fields); i++)
		if (!*slot(m, i))
			*slot(m, i) = "";
}

/* Text and the writer's own part of it move into the arena. */
static enum kb_status keep_text(struct kb_reader *r)
{
	struct kb_mail *m = r->m;
	KB_AUTO(kb_buf_release) struct kb_buf own;
	kb_buf_init(&own, KB_TEXT_MOST + 4096);
	struct kb_span text = kb_span_trim(kb_buf_span(&r->text));
	char *p = kb_arena_copy(&m->arena, text);
	if (!p)
		return KB_FAIL(r->d, KB_LIMIT, 0, "the text does not fit");
	m->text = KB_SPAN(p, text.len);
	enum kb_status st = kb_own_text(&own, m->text, kb_span_str(m->subject));
	if (st != KB_OK)
		return KB_FAIL(r->d, st, 0, "the text does not fit");
	struct kb_span human = kb_span_trim(kb_buf_span(&own));
	if (human.len == text.len) {
		m->human = m->text;
		return KB_OK;
	}
	p = kb_arena_copy(&m->arena, human);
	if (!p)
		return KB_FAIL(r->d, KB_LIMIT, 0, "the text does not fit");
	m->human = KB_SPAN(p, human.len);
	return KB_OK;
}

enum kb_status kb_mail_parse(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_mail *ret_m)
{
	struct kb_mail m = {0};
	struct kb_reader r = {.d = d, .limit = limit, .m = &m};
	uint32_t parts;
	kb_arena_init(&m.arena, ARENA_MOST);
	kb_buf_init(&r.text, KB_TEXT_MOST);
	enum kb_status st = kb_message_read(&r, raw, &parts);
	if (st == KB_OK) {
		read_fields(&m, raw);
		st = keep_text(&r);
	}
	kb_buf_release(&r.text);
	if (st == KB_OK)
		*ret_m = m;
	else
		kb_mail_release(&m);
	return st;
}

enum kb_status kb_mail_part(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, size_t n, struct kb_buf *ret_octets)
{
	struct kb_mail m = {0};
	struct kb_reader r = {.d = d, .limit = limit, .m = &m, .want = n, .part = ret_octets};
	uint32_t parts;
	if (!n)
		return KB_FAIL(d, KB_NOTFOUND, 0, "attachments are counted from 1");
	kb_arena_init(&m.arena, ARENA_MOST);
	kb_buf_init(&r.text, 0);
	enum kb_status st = kb_message_read(&r, raw, &parts);
	kb_buf_release(&r.text);
	kb_mail_release(&m);
	if (st == KB_OK && !r.found)
		st = KB_FAIL(d, KB_NOTFOUND, 0, "there is no such attachment");
	return st;
}
