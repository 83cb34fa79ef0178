/* utf8: RFC 3629, strictly. See bytes.h. */
#include <kitebox/bytes.h>

size_t kb_utf8_next(struct kb_span s, uint32_t *ret_cp)
{
	if (!s.len)
		return 0;
	uint8_t c = s.p[0];
	if (c < 0x80) {
		*ret_cp = c;
		return 1;
	}
	size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
	if (c < 0xC2 || c > 0xF4 || s.len < n)
		return 0;
	uint32_t cp = c & (0xFFu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xC0) != 0x80)
			return 0;
		cp = cp << 6 | (s.p[i] & 0x3Fu);
	}
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (cp < least[n] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
		return 0;
	*ret_cp = cp;
	return n;
}

bool kb_utf8_valid(struct kb_span s)
{
	uint32_t cp;
	while (s.len) {
		size_t n = kb_utf8_next(s, &cp);
		if (!n)
			return false;
		s = kb_span_from(s, n);
	}
	return true;
}

enum kb_status kb_utf8_put(struct kb_buf *b, uint32_t cp)
{
	uint8_t u[4];
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
		return KB_MALFORMED;
	if (n == 1) {
		u[0] = (uint8_t)cp;
	} else {
		static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
		for (size_t i = n; i-- > 1; cp >>= 6)
			u[i] = (uint8_t)(0x80 | (cp & 0x3F));
		u[0] = (uint8_t)(lead[n] | cp);
	}
	return kb_buf_add(b, KB_SPAN(u, n));
}
