/*
 * bundle: several files as one, in order. See roster.h.
 *
 *     bundle  = "kitebox-office-bundle 1" LF *section
 *     section = "--- " name SP length LF length*OCTET LF      length without leading zeros
 *     name    = 1*64(ALPHA / DIGIT / "." / "-")
 */
#include <kitebox/roster.h>

#include "plain.h"

enum { NAME_MOST = 64, LENGTH_DIGITS = 20 };

static const struct kb_span first_line = {(const uint8_t *)"kitebox-office-bundle 1\n", 24};
static const struct kb_span dashes = {(const uint8_t *)"--- ", 4};

static bool name_fine(struct kb_span s)
{
	if (!s.len || s.len > NAME_MOST)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];
		if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '.' || c == '-'))
			return false;
	}
	return true;
}

enum kb_status kb_bundle_add(struct kb_buf *b, const char *name, struct kb_span body)
{
	size_t before = b->len;
	if (!name_fine(kb_span_str(name)))
		return KB_MALFORMED;
	enum kb_status st = before ? KB_OK : kb_buf_add(b, first_line);
	if (st == KB_OK)
		st = kb_buf_printf(b, "--- %s %zu\n", name, body.len);
	if (st == KB_OK)
		st = kb_buf_add(b, body);
	if (st == KB_OK)
		st = kb_buf_byte(b, '\n');
	if (st != KB_OK)
		kb_plain_cut(b, before);
	return st;
}

/* Two numbers and a name: a line is never longer than these. */
static bool take_line(struct kb_span *rest, struct kb_span *ret_line)
{
	size_t most = dashes.len + NAME_MOST + 1 + LENGTH_DIGITS + 1;
	size_t n = kb_span_find(KB_SPAN(rest->p, rest->len < most ? rest->len : most), KB_LIT("\n"));
	if (n == SIZE_MAX)
		return false;
	*ret_line = KB_SPAN(rest->p, n);
	*rest = kb_span_from(*rest, n + 1);
	return true;
}

enum kb_status kb_bundle_next(struct kb_span *rest, struct kb_bundle_item *ret_item)
{
	struct kb_span s = *rest, line;
	uint64_t len;
	bool first = kb_span_starts(s, first_line);
	if (first)
		s = kb_span_from(s, first_line.len);
	if (!s.len)
		return KB_NOTFOUND;
	if (!take_line(&s, &line) || !kb_span_starts(line, dashes))
		return KB_MALFORMED;
	line = kb_span_from(line, dashes.len);
	size_t space = kb_span_find(line, KB_LIT(" "));
	if (space == SIZE_MAX || !name_fine(KB_SPAN(line.p, space)) || !kb_plain_number(kb_span_from(line, space + 1), SIZE_MAX, &len))
		return KB_MALFORMED;
	if (len >= s.len || s.p[len] != '\n')
		return KB_MALFORMED;
	struct kb_span after = kb_span_from(s, (size_t)len + 1);
	/* A second first line would be two bundles in one file. */
	if (after.len && !kb_span_starts(after, dashes))
		return KB_MALFORMED;
	*ret_item = (struct kb_bundle_item){.name = KB_SPAN(line.p, space), .body = KB_SPAN(s.p, (size_t)len)};
	*rest = after;
	return KB_OK;
}
