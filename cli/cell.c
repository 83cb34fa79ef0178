/* cell: text in a given number of columns. See out.h. */
#include <wchar.h>

#include "out.h"

/* ZALGO: more marks than any script needs over one letter are left out: they would climb into the lines above. */
enum { ZALGO = 4, TEXT_MOST = 1 << 20 };
static const char ellipsis[] = "…";

static size_t width_of(uint32_t cp)
{
	int w = wcwidth((wchar_t)cp);
	return w < 0 ? 1 : (size_t)w;
}

/* Octets of s that fit into `most` columns, and the columns they take. */
static size_t fit(struct kb_span s, size_t most, size_t *ret_columns)
{
	size_t used = 0, at = 0;
	uint32_t cp;
	while (at < s.len) {
		size_t n = kb_utf8_next(kb_span_from(s, at), &cp);
		if (!n || used + width_of(cp) > most)
			break;
		used += width_of(cp);
		at += n;
	}
	*ret_columns = used;
	return at;
}

/* Harmless, one line, and without towers of marks. */
static enum kb_status tame(struct kb_buf *b, struct kb_span s)
{
	struct kb_buf clean;
	size_t marks = 0;
	uint32_t cp;
	kb_buf_init(&clean, TEXT_MOST);
	enum kb_status st = kb_text_harmless(&clean, s.len < TEXT_MOST / 4 ? s : KB_SPAN(s.p, TEXT_MOST / 4), false);
	for (struct kb_span rest = kb_buf_span(&clean); st == KB_OK && rest.len;) {
		size_t n = kb_utf8_next(rest, &cp);
		if (!n)
			break;
		marks = width_of(cp) ? 0 : marks + 1;
		if (marks <= ZALGO)
			st = kb_buf_add(b, KB_SPAN(rest.p, n));
		rest = kb_span_from(rest, n);
	}
	kb_buf_release(&clean);
	return st;
}

enum kb_status kite_cell(struct kb_buf *b, struct kb_span s, size_t width)
{
	struct kb_buf text;
	size_t columns = 0;
	if (!width)
		return tame(b, s);
	kb_buf_init(&text, TEXT_MOST);
	enum kb_status st = tame(&text, s);
	if (st == KB_OK && fit(kb_buf_span(&text), width, &columns) == text.len) {
		st = kb_buf_add(b, kb_buf_span(&text));
	} else if (st == KB_OK) {
		st = kb_buf_add(b, KB_SPAN(text.p, fit(kb_buf_span(&text), width - 1, &columns)));
		if (st == KB_OK)
			st = kb_buf_str(b, ellipsis);
		columns++;
	}
	for (; st == KB_OK && columns < width; columns++)
		st = kb_buf_byte(b, ' ');
	kb_buf_release(&text);
	return st;
}

size_t kite_columns(struct kb_span s)
{
	struct kb_buf text;
	size_t columns = 0;
	kb_buf_init(&text, TEXT_MOST);
	if (tame(&text, s) == KB_OK)
		(void)fit(kb_buf_span(&text), SIZE_MAX, &columns);
	kb_buf_release(&text);
	return columns;
}
