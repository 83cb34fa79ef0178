/*
 * scan: a cheap walk over raw octets with code of our own, before libetpan sees them. See mail.h.
 *
 * Two kinds of question. What is the message (header, fields, parts, depth)? A walk by lines with a stack of the boundaries
 * that are open answers as an honest reader would. And what could it do to libetpan's parser, wherever that may see a header
 * that the walk does not? Those are asked of every line of the message, header or not, and answered with upper bounds:
 *
 *   - libetpan dies of a boundary whose value is one quote. That value can only be written as the four octets of KILLER.
 *     (Encoded words, which could hide it, are taken from libetpan: see mime.c.)
 *   - its parser recurses for each comment in a comment: parentheses are counted over each line with its continuations.
 *   - it recurses for each multipart and message within another, and walks the whole of it again: the number of Content-Type
 *     fields bounds the one, depth times size the other.
 *
 * Time is linear: each octet is looked at a fixed number of times, boundaries are compared only on lines that begin with "--".
 */
#include <string.h>

#include <kitebox/mail.h>

#include "mail_internal.h"

/* HEADERS_MOST: all headers together, in longest ones: what libetpan makes of a header takes many times its length. */
enum { DEPTH_MOST = 200, PARENS_MOST = 1000, LINE_LONG = 998, WORK_MIB = 512, HEADERS_MOST = 20 };

#define KILLER "\"\\\"\""

enum kind { KIND_LEAF, KIND_MULTIPART, KIND_MESSAGE };

struct opened {
	struct kb_span boundary;
	uint32_t depth;
	bool digest;
};

struct walk {
	struct kb_span raw;
	const struct kb_limits *limit;
	struct kb_diag *d;
	struct kb_scan s;
	struct opened *open; /* of DEPTH_MOST */
	size_t opens;
	uint32_t depth;
	bool header, top; /* inside a header; inside the message's own */
	/* of the header that is being read */
	size_t header_at;
	uint32_t fields;
	enum kind kind;
	bool typed, digest, encoded;
	struct kb_span boundary;
	/* of a field that is being read: from its first line to where it ends */
	size_t field_at;
	bool in_field;
	/* over lines of any kind */
	uint64_t parens, types, header_sum;
	size_t next_paren, next_dash;
};

#define REFUSE(w, st, at, lit) KB_FAIL((w)->d, (st), (at), lit)

static size_t find_from(struct kb_span raw, size_t at, int c)
{
	const uint8_t *p = at < raw.len ? memchr(raw.p + at, c, raw.len - at) : NULL;
	return p ? (size_t)(p - raw.p) : raw.len;
}

/* A header begins here: of a part, or of a message within. */
static enum kb_status begin_header(struct walk *w, size_t at, bool digest)
{
	w->header = true;
	w->header_at = at;
	w->fields = 0;
	w->kind = digest ? KIND_MESSAGE : KIND_LEAF;
	w->typed = w->digest = w->encoded = w->in_field = false;
	w->boundary = (struct kb_span){0};
	w->s.parts++;
	return w->s.parts > w->limit->mime_parts ? REFUSE(w, KB_LIMIT, at, "more parts than are taken apart") : KB_OK;
}

static enum kb_status content_type(struct walk *w, struct kb_span value, size_t at)
{
	char type[KB_TYPE_MOST];
	size_t params;
	struct kb_param p;
	if (w->typed)
		return KB_OK; /* the first counts */
	w->typed = true;
	kb_type_parse(value, type, &params);
	w->kind = KIND_LEAF;
	if (!strcmp(type, "message/rfc822"))
		w->kind = KIND_MESSAGE;
	if (strncmp(type, "multipart", 9) != 0 || !kb_param_find(value, "boundary", &p))
		return KB_OK;
	if (!p.value.len || memchr(p.value.p, '\\', p.value.len))
		return REFUSE(w, KB_MALFORMED, at, "a boundary is empty, or holds an escape");
	if (p.escaped)
		return KB_OK; /* folded: no two programs agree on what it is then; a mismatch will show */
	w->kind = KIND_MULTIPART;
	w->boundary = p.value;
	w->digest = !strcmp(type, "multipart/digest");
	return KB_OK;
}

static enum kb_status end_field(struct walk *w, size_t end)
{
	if (!w->in_field)
		return KB_OK;
	w->in_field = false;
	struct kb_field f;
	size_t at = 0;
	if (!kb_field_next(KB_SPAN(w->raw.p + w->field_at, end - w->field_at), &at, &f))
		return KB_OK;
	if (w->top) {
		w->s.fields = w->fields;
		if (kb_span_caseeq(f.name, KB_LIT("Received")))
			w->s.received++;
	}
	if (kb_span_caseeq(f.name, KB_LIT("Content-Type")))
		return content_type(w, f.value, w->field_at);
	if (kb_span_caseeq(f.name, KB_LIT("Content-Transfer-Encoding"))) {
		enum kb_encoding e = kb_encoding_find(f.value);
		w->encoded = w->encoded || (e != KB_ENCODING_NONE && e != KB_ENCODING_UNKNOWN);
	}
	return KB_OK;
}

static enum kb_status deeper(struct walk *w, size_t at)
{
	w->depth++;
	if (w->depth > w->s.depth)
		w->s.depth = w->depth;
	if (w->depth > w->limit->mime_depth || w->depth > DEPTH_MOST)
		return REFUSE(w, KB_LIMIT, at, "parts lie deeper within each other than are taken apart");
	if (w->depth * (uint64_t)w->raw.len > (uint64_t)WORK_MIB << 20)
		return REFUSE(w, KB_LIMIT, at, "too much lies too deep to be taken apart in time");
	return KB_OK;
}

/* The header has ended before `at`; what follows depends on what it said. */
static enum kb_status end_header(struct walk *w, size_t at)
{
	w->header = false;
	if (w->top)
		w->s.header_len = at;
	w->top = false;
	if (w->kind == KIND_LEAF || (w->kind == KIND_MESSAGE && w->encoded))
		return KB_OK;
	enum kb_status st = deeper(w, at);
	if (st != KB_OK)
		return st;
	if (w->kind == KIND_MESSAGE)
		return begin_header(w, at, false);
	w->open[w->opens++] = (struct opened){w->boundary, w->depth, w->digest};
	return KB_OK;
}

static enum kb_status header_line(struct walk *w, struct kb_span line, size_t at, size_t next)
{
	if (!line.len) {
		enum kb_status st = end_field(w, at);
		return st == KB_OK ? end_header(w, next) : st;
	}
	w->header_sum += next - at;
	if (w->header_sum > HEADERS_MOST * w->limit->header_octets)
		return REFUSE(w, KB_LIMIT, at, "the headers of all parts together are longer than is taken");
	if (next - w->header_at > w->limit->header_octets)
		return REFUSE(w, KB_LIMIT, at, "a header is longer than is taken");
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return KB_OK; /* of the field above */
	enum kb_status st = end_field(w, at);
	if (st != KB_OK)
		return st;
	if (!memchr(line.p, ':', line.len)) {
		w->s.no_colon = true;
		/* Broken on its way: of the message itself the rest may still be its header; a part without fields is its text. */
		return w->top ? KB_OK : end_header(w, at);
	}
	w->in_field = true;
	w->field_at = at;
	return ++w->fields > w->limit->header_fields ? REFUSE(w, KB_LIMIT, at, "more header fields than are taken") : KB_OK;
}

static struct kb_span without_tail(struct kb_span s)
{
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* A line that begins with "--": a delimiter of one of the multiparts that are open? Inner ones are left behind. */
static enum kb_status delimiter(struct walk *w, struct kb_span line, size_t at, size_t next, bool *ret_was)
{
	struct kb_span t = without_tail(kb_span_from(line, 2));
	for (size_t i = w->opens; i-- > 0;) {
		struct kb_span b = w->open[i].boundary;
		bool close = t.len == b.len + 2;
		if ((!close && t.len != b.len) || memcmp(t.p, b.p, b.len) || (close && memcmp(t.p + b.len, "--", 2)))
			continue;
		enum kb_status st = w->header ? end_field(w, at) : KB_OK;
		if (w->header && w->top)
			w->s.header_len = at;
		*ret_was = true;
		w->top = w->header = false;
		w->opens = close ? i : i + 1;
		w->depth = w->open[i].depth - (close ? 1 : 0);
		return st == KB_OK && !close ? begin_header(w, next, w->open[i].digest) : st;
	}
	return KB_OK;
}

/* An upper bound of how deep comments nest on a line and its continuations. */
static void count_parens(struct walk *w, struct kb_span line, size_t at)
{
	bool folded = line.len && (line.p[0] == ' ' || line.p[0] == '\t');
	if (!folded)
		w->parens = 0;
	if (w->next_paren >= at + line.len && !w->parens)
		return;
	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] == '(')
			w->parens++;
		else if (line.p[i] == ')' && w->parens && (!i || line.p[i - 1] != '\\'))
			w->parens--;
		if (w->parens > w->s.parens)
			w->s.parens = (uint32_t)(w->parens < UINT32_MAX ? w->parens : UINT32_MAX);
	}
	w->next_paren = find_from(w->raw, at + line.len, '(');
}

/* How often a Content-Type field could begin, in whatever place. */
static void count_types(struct walk *w, size_t end)
{
	while (w->next_dash < end) {
		size_t at = w->next_dash;
		if (at >= 7 && kb_span_casestarts(kb_span_from(w->raw, at - 7), KB_LIT("content-type")))
			w->types++;
		w->next_dash = find_from(w->raw, at + 1, '-');
	}
}

/* Is the quoted quote the value of a boundary, on a line with its continuations? */
static bool kills(struct kb_span raw)
{
	size_t at = 0, line = 0;
	for (;;) {
		size_t hit = kb_span_find(kb_span_from(raw, at), KB_LIT(KILLER));
		if (hit == SIZE_MAX)
			return false;
		hit += at;
		/* the first line at or before the hit that is no continuation */
		for (size_t next = line; next <= hit; next = find_from(KB_SPAN(raw.p, hit + 1), next, '\n') + 1)
			if (next >= raw.len || (raw.p[next] != ' ' && raw.p[next] != '\t'))
				line = next;
		size_t boundary = kb_span_casefind(KB_SPAN(raw.p + line, hit - line), KB_LIT("boundary"));
		if (boundary != SIZE_MAX)
			return true;
		at = hit + 1;
		line = hit;
	}
}

static enum kb_status check_totals(struct walk *w)
{
	if (w->s.parens > PARENS_MOST)
		return REFUSE(w, KB_LIMIT, 0, "comments nest deeper than are parsed");
	if (w->types > 2 * (uint64_t)w->limit->mime_parts)
		return REFUSE(w, KB_LIMIT, 0, "more content types than parts are taken apart");
	if (kills(w->raw))
		return REFUSE(w, KB_MALFORMED, 0, "a boundary is nothing but a quote");
	return KB_OK;
}

static enum kb_status walk_lines(struct walk *w)
{
	enum kb_status st = begin_header(w, 0, false);
	struct kb_span raw = w->raw;
	for (size_t at = 0, next; st == KB_OK && at < raw.len; at = next) {
		size_t end = find_from(raw, at, '\n');
		next = end < raw.len ? end + 1 : end;
		if (end < raw.len && (end == at || raw.p[end - 1] != '\r'))
			w->s.bare_lf = true;
		struct kb_span line = KB_SPAN(raw.p + at, end - at);
		if (line.len && line.p[line.len - 1] == '\r')
			line.len--;
		w->s.long_line = w->s.long_line || line.len > LINE_LONG;
		bool was = false;
		if (w->opens && line.len > 2 && line.p[0] == '-' && line.p[1] == '-')
			st = delimiter(w, line, at, next, &was);
		if (st == KB_OK && !was && w->header)
			st = header_line(w, line, at, next);
		count_parens(w, line, at);
		count_types(w, next);
	}
	if (st == KB_OK && w->header)
		st = end_field(w, raw.len);
	if (w->header && w->top)
		w->s.header_len = raw.len;
	return st;
}

enum kb_status kb_scan(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_scan *ret_s)
{
	struct opened open[DEPTH_MOST + 1];
	struct walk w = {.raw = raw, .limit = limit, .d = d, .open = open, .top = true};
	if (raw.len > limit->message_octets)
		return KB_FAIL(d, KB_TOOBIG, 0, "the message is larger than is taken");
	w.next_paren = find_from(raw, 0, '(');
	w.next_dash = find_from(raw, 0, '-');
	enum kb_status st = walk_lines(&w);
	if (st == KB_OK)
		st = check_totals(&w);
	if (st != KB_OK)
		return st;
	w.s.nul = raw.len && memchr(raw.p, '\0', raw.len);
	*ret_s = w.s;
	return KB_OK;
}
