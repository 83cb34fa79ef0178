/*
 * field: header fields of raw octets, one after the other. See mail.h.
 *
 *     field = 1*ftext *WSP ":" *(any but LF) *(LF WSP *(any but LF)) LF          RFC 5322 sections 2.2, 4.5 (obsolete space)
 *
 * A line that is neither a field nor a continuation is passed over (an mbox's "From " line, a header that was broken on its
 * way): what stands behind it is still wanted. Lines end in LF, with or without CR.
 */
#include <string.h>

#include <kitebox/mail.h>

/* Length of the line at `at` without its end; *ret_next is where the next one begins. */
static size_t line_at(struct kb_span raw, size_t at, size_t *ret_next)
{
	const uint8_t *lf = memchr(raw.p + at, '\n', raw.len - at);
	size_t n = lf ? (size_t)(lf - raw.p) - at : raw.len - at;
	*ret_next = lf ? at + n + 1 : raw.len;
	return n && raw.p[at + n - 1] == '\r' ? n - 1 : n;
}

static bool wsp(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* The name in front of the colon, without trailing space; false when that is not a name. */
static bool name_of(struct kb_span line, struct kb_span *ret_name)
{
	const uint8_t *colon = line.len ? memchr(line.p, ':', line.len) : NULL;
	size_t n = colon ? (size_t)(colon - line.p) : 0;
	while (n && wsp(line.p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		if (line.p[i] < 33 || line.p[i] > 126)
			return false;
	*ret_name = KB_SPAN(line.p, n);
	return n > 0;
}

bool kb_field_next(struct kb_span raw, size_t *at, struct kb_field *ret_f)
{
	while (*at < raw.len) {
		size_t start = *at, next;
		struct kb_span name;
		size_t n = line_at(raw, start, &next);
		if (!n)
			return false; /* stays before the empty line */
		bool field = name_of(KB_SPAN(raw.p + start, n), &name);
		size_t end = start + n;
		while (next < raw.len && wsp(raw.p[next])) {
			size_t from = next;
			end = from + line_at(raw, from, &next);
		}
		*at = next;
		if (!field)
			continue;
		size_t colon = (size_t)((const uint8_t *)memchr(name.p + name.len, ':', raw.len - start - name.len) - raw.p);
		ret_f->name = name;
		ret_f->value = kb_span_trim(KB_SPAN(raw.p + colon + 1, end - colon - 1));
		return true;
	}
	return false;
}

bool kb_field_find(struct kb_span raw, const char *name, struct kb_field *ret_f)
{
	struct kb_span wanted = kb_span_str(name);
	struct kb_field f;
	for (size_t at = 0; kb_field_next(raw, &at, &f);)
		if (kb_span_caseeq(f.name, wanted)) {
			*ret_f = f;
			return true;
		}
	return false;
}
