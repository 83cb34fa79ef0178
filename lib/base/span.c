/* span: borrowed octets. See bytes.h. */
#include <string.h>

#include <kitebox/bytes.h>

struct kb_span kb_span_str(const char *s)
{
	return KB_SPAN(s, s ? strlen(s) : 0);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t n, bool fold)
{
	if (!n)
		return true;
	if (!fold)
		return memcmp(a, b, n) == 0;
	for (size_t i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool kb_span_eq(struct kb_span a, struct kb_span b)
{
	return a.len == b.len && same(a.p, b.p, a.len, false);
}

bool kb_span_caseeq(struct kb_span a, struct kb_span b)
{
	return a.len == b.len && same(a.p, b.p, a.len, true);
}

bool kb_span_starts(struct kb_span s, struct kb_span prefix)
{
	return s.len >= prefix.len && same(s.p, prefix.p, prefix.len, false);
}

bool kb_span_casestarts(struct kb_span s, struct kb_span prefix)
{
	return s.len >= prefix.len && same(s.p, prefix.p, prefix.len, true);
}

size_t kb_span_find(struct kb_span s, struct kb_span needle)
{
	if (!needle.len)
		return 0;
	if (s.len < needle.len)
		return SIZE_MAX;
	const uint8_t *at = memmem(s.p, s.len, needle.p, needle.len);
	return at ? (size_t)(at - s.p) : SIZE_MAX;
}

size_t kb_span_casefind(struct kb_span s, struct kb_span needle)
{
	uint8_t first = needle.len ? lower(needle.p[0]) : 0;
	for (size_t i = 0; i + needle.len <= s.len; i++)
		if (!needle.len || (lower(s.p[i]) == first && same(s.p + i, needle.p, needle.len, true)))
			return i;
	return SIZE_MAX;
}

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct kb_span kb_span_trim(struct kb_span s)
{
	while (s.len && blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct kb_span kb_span_from(struct kb_span s, size_t off)
{
	return off < s.len ? KB_SPAN(s.p + off, s.len - off) : KB_SPAN(s.len ? s.p + s.len : s.p, 0);
}

bool kb_span_line(struct kb_span *rest, struct kb_span *ret_line)
{
	if (!rest->len)
		return false;
	const uint8_t *lf = memchr(rest->p, '\n', rest->len);
	size_t n = lf ? (size_t)(lf - rest->p) : rest->len;
	size_t step = lf ? n + 1 : n;
	if (n && lf && rest->p[n - 1] == '\r')
		n--;
	*ret_line = KB_SPAN(rest->p, n);
	*rest = kb_span_from(*rest, step);
	return true;
}

enum kb_status kb_span_u64(struct kb_span s, uint64_t most, uint64_t *ret_v)
{
	uint64_t v = 0;
	if (!s.len)
		return KB_MALFORMED;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return KB_MALFORMED;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit = (uint64_t)(s.p[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return KB_LIMIT;
		v = v * 10 + digit;
	}
	if (v > most)
		return KB_LIMIT;
	*ret_v = v;
	return KB_OK;
}
