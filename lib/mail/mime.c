/*
 * mime: a message taken apart by libetpan, and everything that it says checked. See reader.h.
 *
 * libetpan is asked for one thing: where parts begin and end. What a part says of itself is read from the octets by our own
 * code. It gets the message only after kb_scan, and never an encoded word: it would decode those in Content-Type and thereby
 * see a structure that the scan did not (so "=?" is blotted out in a copy; offsets stay). A failed allocation inside it would
 * silently change the result, so it ends the process.
 *
 * Limits:  depth and parts as scanned; a tree that is deeper than the scan allowed is not followed.
 */
#include <stdlib.h>
#include <string.h>

#include <libetpan/charconv.h>
#include <libetpan/libetpan.h>

#include "reader.h"

enum { DEPTH_SLACK = 8, STUB_LEAST = 8, STUB_MOST = 600, STUB_RATIO = 3 };

struct source {
	struct kb_span raw;  /* the octets themselves */
	const char *base;    /* the same length as libetpan saw it */
	struct kb_scan scan;
	uint32_t nodes;
};

/* For libetpan: no character set but ASCII; it needs none for what it is asked. */
static int ascii_only(const char *to, const char *from, const char *s, size_t len, char *ret, size_t *ret_len)
{
	(void)to, (void)from;
	for (size_t i = 0; i < len; i++)
		ret[i] = (char)((s[i] & 0x80) ? '?' : s[i]);
	*ret_len = len;
	return MAIL_CHARCONV_NO_ERROR;
}

/* The octets of a range that libetpan named; false when it does not lie inside the message. */
static bool range(const struct source *s, const char *p, size_t len, struct kb_span *ret)
{
	if (!p || p < s->base || (size_t)(p - s->base) > s->raw.len)
		return false;
	size_t at = (size_t)(p - s->base);
	if (len > s->raw.len - at)
		return false;
	*ret = KB_SPAN(s->raw.p + at, len);
	return true;
}

static bool body_of(const struct source *s, const struct mailmime *n, struct kb_span *ret)
{
	const struct mailmime_data *b = n->mm_body;
	return b && b->dt_type == MAILMIME_DATA_TEXT && range(s, b->dt_data.dt_text.dt_data, b->dt_data.dt_text.dt_length, ret);
}

/* Header and body of a node whose header begins at header_at. */
static bool entity_of(const struct source *s, const struct mailmime *n, const uint8_t *header_at, struct kb_entity *ret_e)
{
	struct kb_span body;
	if (!body_of(s, n, &body) || header_at < s->raw.p || body.p < header_at)
		return false;
	kb_entity_init(ret_e, KB_SPAN(header_at, (size_t)(body.p - header_at)), body);
	return true;
}

static bool start_of(const struct source *s, const struct mailmime *n, const uint8_t **ret_at)
{
	struct kb_span at;
	if (!range(s, n->mm_mime_start, 0, &at))
		return false;
	*ret_at = at.p;
	return true;
}

static enum kb_status lost(struct kb_reader *r)
{
	r->m->mismatch = true;
	r->m->unread_parts++;
	return KB_OK;
}

/* A message within: its own From, Subject and Date stand above its text. */
static enum kb_status heading(struct kb_reader *r, struct kb_span message)
{
	static const char *const names[] = {"From", "Subject", "Date"};
	struct kb_field f;
	enum kb_status st = KB_OK;
	if (r->want || r->quiet)
		return KB_OK;
	for (size_t i = 0; st == KB_OK && i < KB_LEN(names); i++) {
		if (!kb_field_find(message, names[i], &f))
			continue;
		if (r->text.len && r->text.p[r->text.len - 1] != '\n')
			st = kb_buf_str(&r->text, "\n\n");
		if (st == KB_OK)
			st = kb_buf_printf(&r->text, "%s: %s\n", names[i], kb_line_decode(r->m, f.value));
	}
	r->m->truncated = r->m->truncated || st != KB_OK;
	return KB_OK;
}

static enum kb_status walk(struct kb_reader *r, struct source *s, const struct mailmime *n, const uint8_t *header_at, unsigned depth);

static const struct mailmime *child_at(const clistcell *c)
{
	return c->data;
}

/* The first HTML leaf of a node, for weighing. */
static bool find_html(const struct source *s, const struct mailmime *n, unsigned depth, struct kb_entity *ret_e)
{
	const uint8_t *at;
	if (depth == 0 || !n || !start_of(s, n, &at))
		return false;
	if (n->mm_type == MAILMIME_SINGLE)
		return entity_of(s, n, at, ret_e) && !strcmp(ret_e->type, "text/html");
	if (n->mm_type != MAILMIME_MULTIPLE || !n->mm_data.mm_multipart.mm_mp_list)
		return false;
	for (const clistcell *c = clist_begin(n->mm_data.mm_multipart.mm_mp_list); c; c = clist_next(c))
		if (find_html(s, child_at(c), depth - 1, ret_e))
			return true;
	return false;
}

/* Of the forms of one text the plain one is read, unless it is missing or only says that there is another. */
static const struct mailmime *plain_form(const struct source *s, const clist *list, bool *ret_stub)
{
	struct kb_entity e, html;
	const uint8_t *at;
	const struct mailmime *plain = NULL;
	size_t weight = 0, rich = 0;
	for (const clistcell *c = clist_begin(list); c; c = clist_next(c)) {
		const struct mailmime *n = child_at(c);
		if (!plain && n && n->mm_type == MAILMIME_SINGLE && start_of(s, n, &at) && entity_of(s, n, at, &e) &&
		    (!e.type[0] || !strcmp(e.type, "text/plain"))) {
			plain = n;
			weight = kb_entity_weight(&e);
		} else if (find_html(s, n, 4, &html)) {
			size_t w = kb_entity_weight(&html);
			rich = w > rich ? w : rich;
		}
	}
	*ret_stub = weight < STUB_LEAST || (weight < STUB_MOST && weight * STUB_RATIO < rich);
	return plain;
}

/* An empty line directly before `at`. */
static bool blank_before(const struct source *s, const uint8_t *at)
{
	size_t i = (size_t)(at - s->raw.p);
	if (!i || s->raw.p[i - 1] != '\n')
		return false;
	i--;
	i -= i && s->raw.p[i - 1] == '\r';
	return i && s->raw.p[i - 1] == '\n';
}

/* A part whose header is empty, in a digest: a message; else text. */
static enum kb_status walk_headless(struct kb_reader *r, struct source *s, struct kb_span body, bool digest)
{
	struct kb_entity e;
	s->nodes++;
	if (digest && r->nested < KB_NESTED_MOST) {
		uint32_t parts = 0;
		r->nested++;
		enum kb_status st = kb_message_read(r, body, &parts);
		r->nested--;
		s->nodes += parts;
		if (st == KB_OK)
			return KB_OK;
	}
	kb_entity_init(&e, KB_SPAN(body.p, 0), body);
	return kb_entity_read(r, &e);
}

/*
 * One part of a multipart. libetpan passes over an empty line at its beginning and takes what follows for its header, so that
 * "Note: ..." as the first line of a text without header would vanish. Where nothing in that header is about content, the empty
 * line is believed.
 */
static enum kb_status walk_part(struct kb_reader *r, struct source *s, const struct mailmime *n, bool digest, unsigned depth)
{
	const uint8_t *at;
	struct kb_entity e;
	if (!n || !start_of(s, n, &at) || !entity_of(s, n, at, &e))
		return lost(r);
	if (!blank_before(s, at))
		return walk(r, s, n, at, depth);
	if (!e.content.p && !e.disposition.p && e.encoding == KB_ENCODING_NONE)
		return walk_headless(r, s, KB_SPAN(at, (size_t)(e.body.p + e.body.len - at)), digest);
	r->m->mismatch = true;
	return walk(r, s, n, at, depth);
}

static enum kb_status walk_children(struct kb_reader *r, struct source *s, const struct mailmime *n, const struct kb_entity *e, unsigned depth)
{
	const clist *list = n->mm_data.mm_multipart.mm_mp_list;
	const struct mailmime *plain = NULL;
	bool stub = true, quiet = r->quiet, related = r->related;
	enum kb_status st = KB_OK;
	if (!strcmp(e->type, "multipart/alternative") && !r->want)
		plain = plain_form(s, list, &stub);
	if (!strcmp(e->type, "multipart/related"))
		r->related = true;
	for (const clistcell *c = clist_begin(list); st == KB_OK && c && !r->found; c = clist_next(c)) {
		const struct mailmime *child = child_at(c);
		r->quiet = quiet || (plain && child != plain && !stub);
		st = walk_part(r, s, child, !strcmp(e->type, "multipart/digest"), depth + 1);
	}
	r->quiet = quiet;
	r->related = related;
	return st;
}

static enum kb_status walk_multiple(struct kb_reader *r, struct source *s, const struct mailmime *n, const struct kb_entity *e, unsigned depth)
{
	if (!kb_entity_is(e, "multipart"))
		r->m->mismatch = true;
	const clist *list = n->mm_data.mm_multipart.mm_mp_list;
	if (list && clist_begin(list))
		return walk_children(r, s, n, e, depth);
	r->m->mismatch = true;
	return kb_entity_raw(r, e);
}

static enum kb_status walk_message(struct kb_reader *r, struct source *s, const struct mailmime *n, const struct kb_entity *e, unsigned depth)
{
	if (e->type[0] && strcmp(e->type, "message/rfc822") != 0)
		r->m->mismatch = true;
	if (!n->mm_data.mm_message.mm_msg_mime) {
		r->m->mismatch = true;
		return kb_entity_raw(r, e);
	}
	enum kb_status st = heading(r, e->body);
	return st == KB_OK ? walk(r, s, n->mm_data.mm_message.mm_msg_mime, e->body.p, depth + 1) : st;
}

static enum kb_status walk_single(struct kb_reader *r, const struct kb_entity *e)
{
	struct kb_param p;
	if (!kb_entity_is(e, "multipart"))
		return kb_entity_read(r, e);
	if (kb_param_find(e->content, "boundary", &p))
		r->m->mismatch = true; /* we saw a boundary, libetpan did not */
	return kb_entity_raw(r, e);
}

static enum kb_status walk(struct kb_reader *r, struct source *s, const struct mailmime *n, const uint8_t *header_at, unsigned depth)
{
	struct kb_entity e;
	s->nodes++;
	if (depth > r->limit->mime_depth + DEPTH_SLACK || s->nodes > r->limit->mime_parts || !entity_of(s, n, header_at, &e))
		return lost(r);
	if (depth == 0 && (size_t)(e.body.p - s->raw.p) != s->scan.header_len)
		r->m->mismatch = true;
	switch (n->mm_type) {
	case MAILMIME_MULTIPLE:
		return walk_multiple(r, s, n, &e, depth);
	case MAILMIME_MESSAGE:
		return walk_message(r, s, n, &e, depth);
	case MAILMIME_SINGLE:
		return walk_single(r, &e);
	default:
		return lost(r);
	}
}

static enum kb_status take_apart(struct kb_reader *r, struct source *s)
{
	struct mailmime *root = NULL;
	size_t at = 0;
	extended_charconv = ascii_only;
	int e = mailmime_parse(s->base, s->raw.len, &at, &root);
	if (e == MAILIMF_ERROR_MEMORY)
		abort();
	if (e != MAILIMF_NO_ERROR || !root)
		return KB_FAIL(r->d, KB_MALFORMED, 0, "the message could not be taken apart");
	enum kb_status st;
	if (root->mm_type == MAILMIME_MESSAGE && root->mm_data.mm_message.mm_msg_mime)
		st = walk(r, s, root->mm_data.mm_message.mm_msg_mime, s->raw.p, 0);
	else
		st = KB_FAIL(r->d, KB_MALFORMED, 0, "the message could not be taken apart");
	if (s->nodes != s->scan.parts && !r->found)
		r->m->mismatch = true;
	mailmime_free(root);
	return st;
}

/* Past what mailboxes put above a message: an mbox's "From " line, a blank one that is not empty. */
static struct kb_span without_envelope(struct kb_span raw)
{
	struct kb_span rest = raw, line;
	while (kb_span_line(&rest, &line) && line.len &&
	    (kb_span_starts(line, KB_LIT("From ")) || kb_span_starts(line, KB_LIT(">From ")) || !kb_span_trim(line).len))
		raw = rest;
	return raw;
}

enum kb_status kb_message_read(struct kb_reader *r, struct kb_span raw, uint32_t *ret_parts)
{
	struct source s = {.raw = raw = without_envelope(raw)};
	KB_AUTO(kb_buf_release) struct kb_buf copy;
	kb_buf_init(&copy, raw.len);
	enum kb_status st = kb_scan(r->d, raw, r->limit, &s.scan);
	if (st == KB_OK && r->nested)
		st = heading(r, raw);
	if (st != KB_OK)
		return st;
	*ret_parts = s.scan.parts;
	if (!raw.len) {
		raw = s.raw = KB_LIT("\n"); /* an empty message is one with an empty body */
		s.scan.header_len = 1;
	}
	s.base = (const char *)raw.p;
	size_t word = kb_span_find(raw, KB_LIT("=?"));
	if (word != SIZE_MAX) {
		st = kb_buf_add(&copy, raw);
		if (st != KB_OK)
			return st;
		for (; word != SIZE_MAX; word = kb_span_find(raw, KB_LIT("=?"))) {
			raw = kb_span_from(raw, word + 2);
			copy.p[(size_t)(raw.p - s.raw.p) - 1] = '_';
		}
		s.base = (const char *)copy.p;
	}
	return take_apart(r, &s);
}
