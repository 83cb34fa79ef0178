/* plain: see plain.h. */
#include "plain.h"

#include <sodium.h>

bool kb_plain_text(struct kb_span s)
{
	while (s.len) {
		uint32_t cp;
		size_t n = kb_utf8_next(s, &cp);
		if (!n || cp < 0x20 || (cp >= 0x7F && cp < 0xA0))
			return false;
		s = kb_span_from(s, n);
	}
	return true;
}

bool kb_plain_words(struct kb_span s)
{
	if (s.len && (s.p[0] == ' ' || s.p[s.len - 1] == ' '))
		return false;
	return kb_plain_text(s) && kb_span_find(s, KB_LIT("  ")) == SIZE_MAX;
}

bool kb_plain_field(const char *field, size_t n, bool lines)
{
	struct kb_span s, line;
	if (kb_field_get(field, n, &s) != KB_OK)
		return false;
	for (size_t i = s.len; i < n; i++)
		if (field[i])
			return false;
	if (!lines)
		return kb_plain_text(s);
	/* Not kb_span_line: it would pass over a CR. */
	for (size_t lf; s.len; s = kb_span_from(s, lf == SIZE_MAX ? s.len : lf + 1)) {
		lf = kb_span_find(s, KB_LIT("\n"));
		line = KB_SPAN(s.p, lf == SIZE_MAX ? s.len : lf);
		if (!kb_plain_text(line))
			return false;
	}
	return true;
}

static int digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool kb_plain_hex(struct kb_span text, uint8_t *ret, size_t n)
{
	if (text.len != 2 * n)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (digit(text.p[i]) < 0)
			return false;
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint8_t)(digit(text.p[2 * i]) << 4 | digit(text.p[2 * i + 1]));
	return true;
}

enum kb_status kb_plain_hex_add(struct kb_buf *b, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	enum kb_status st = kb_buf_reserve(b, 2 * n);
	for (size_t i = 0; st == KB_OK && i < n; i++) {
		b->p[b->len++] = (uint8_t)digits[p[i] >> 4];
		b->p[b->len++] = (uint8_t)digits[p[i] & 15];
	}
	return st;
}

/* libsodium 1.0.18 reads every octet past 127 as "/", so those are looked for here, without a branch on any one of them. */
bool kb_plain_base64(struct kb_span text, bool padded, uint8_t *ret, size_t cap, size_t *ret_n)
{
	int variant = padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
	uint8_t high = 0;
	for (size_t i = 0; i < text.len; i++)
		high |= text.p[i] & 0x80;
	return !high && sodium_base642bin(ret, cap, (const char *)text.p, text.len, NULL, ret_n, NULL, variant) == 0;
}

bool kb_plain_number(struct kb_span text, uint64_t most, uint64_t *ret)
{
	uint64_t v;
	if ((text.len > 1 && text.p[0] == '0') || kb_span_u64(text, most, &v) != KB_OK)
		return false;
	*ret = v;
	return true;
}

void kb_plain_cut(struct kb_buf *b, size_t len)
{
	if (b->len > len)
		sodium_memzero(b->p + len, b->len - len);
	b->len = len;
}
