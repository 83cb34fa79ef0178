/*
 * bech32: see bech32.h. The checksum is always computed over lower case (BIP 173).
 */
#include <string.h>

#include <sodium.h>

#include "bech32.h"

static const char alphabet[33] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool is_upper(struct kb_span hrp)
{
	return hrp.len && hrp.p[0] >= 'A' && hrp.p[0] <= 'Z';
}

/* One step of the checksum: a polynomial remainder over GF(32). */
static uint32_t polymod(uint32_t c, uint8_t symbol)
{
	static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = c >> 25;
	c = (c & 0x1ffffff) << 5 ^ symbol;
	for (unsigned i = 0; i < 5; i++)
		c ^= generator[i] & (0u - (top >> i & 1));
	return c;
}

static uint32_t prefix_polymod(struct kb_span hrp)
{
	uint32_t c = 1;
	for (size_t i = 0; i < hrp.len; i++)
		c = polymod(c, lower(hrp.p[i]) >> 5);
	c = polymod(c, 0);
	for (size_t i = 0; i < hrp.len; i++)
		c = polymod(c, lower(hrp.p[i]) & 31);
	return c;
}

/* Five bits of data beginning at symbol i; bits past the end are zero. */
static uint8_t symbol_at(const uint8_t *data, size_t i)
{
	size_t bit = i * 5;
	unsigned pair = (unsigned)data[bit / 8] << 8;
	if (bit / 8 + 1 < KB_BECH32_DATA)
		pair |= data[bit / 8 + 1];
	return (uint8_t)(pair >> (11 - bit % 8) & 31);
}

void kb_bech32_format(struct kb_span hrp, const uint8_t data[static KB_BECH32_DATA], char *ret_text)
{
	uint32_t c = prefix_polymod(hrp);
	char *out = ret_text + hrp.len;
	memcpy(ret_text, hrp.p, hrp.len);
	*out++ = '1';
	for (size_t i = 0; i < KB_BECH32_SYMBOLS; i++) {
		uint8_t s = symbol_at(data, i);
		c = polymod(c, s);
		*out++ = alphabet[s];
	}
	for (unsigned i = 0; i < KB_BECH32_CHECK; i++)
		c = polymod(c, 0);
	c ^= 1;
	for (unsigned i = 0; i < KB_BECH32_CHECK; i++)
		*out++ = alphabet[c >> 5 * (5 - i) & 31];
	*out = '\0';
	for (char *p = ret_text + hrp.len; is_upper(hrp) && p < out; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - ('a' - 'A'));
	sodium_memzero(&c, sizeof(c));
}

/* The symbol that c stands for, or 32. Looks at every letter, so that time does not tell which it was. */
static uint8_t symbol_of(uint8_t c)
{
	uint8_t found = 32;
	for (uint8_t i = 0; i < 32; i++) {
		uint8_t same = (uint8_t)(0u - (unsigned)((uint8_t)alphabet[i] == c));
		found = (uint8_t)((found & ~same) | (i & same));
	}
	return found;
}

enum kb_status kb_bech32_parse(struct kb_span hrp, struct kb_span text, uint8_t ret_data[static KB_BECH32_DATA])
{
	uint8_t data[KB_BECH32_DATA + 1] = {0}; /* one more for the padding bits, which must be zero */
	uint32_t c = prefix_polymod(hrp);
	bool upper = is_upper(hrp), good = true;

	if (text.len != KB_BECH32_TEXT(hrp.len) - 1 || !kb_span_starts(text, hrp) || text.p[hrp.len] != '1')
		return KB_MALFORMED;
	for (size_t i = 0; i < KB_BECH32_SYMBOLS + KB_BECH32_CHECK; i++) {
		uint8_t ch = text.p[hrp.len + 1 + i];
		uint8_t s = symbol_of(upper ? lower(ch) : ch);
		good &= s < 32 && !(upper && ch >= 'a' && ch <= 'z');
		c = polymod(c, s & 31);
		if (i < KB_BECH32_SYMBOLS) {
			size_t bit = i * 5;
			unsigned pair = (unsigned)(s & 31) << (11 - bit % 8);
			data[bit / 8] |= (uint8_t)(pair >> 8);
			data[bit / 8 + 1] |= (uint8_t)pair;
		}
	}
	good &= c == 1 && data[KB_BECH32_DATA] == 0;
	if (good)
		memcpy(ret_data, data, KB_BECH32_DATA);
	sodium_memzero(data, sizeof(data));
	return good ? KB_OK : KB_MALFORMED;
}
