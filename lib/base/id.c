/* id: see id.h. */
#include <string.h>

#include <sodium.h>

#include <kitebox/id.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void kb_id_random(struct kb_id *ret_id)
{
	randombytes_buf(ret_id->b, sizeof(ret_id->b));
}

bool kb_id_eq(const struct kb_id *a, const struct kb_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void kb_id_format(const struct kb_id *id, char ret_text[static KB_ID_TEXT])
{
	(void)sodium_bin2hex(ret_text, KB_ID_TEXT, id->b, sizeof(id->b));
}

enum kb_status kb_id_parse(struct kb_span text, struct kb_id *ret_id)
{
	struct kb_id id;
	if (text.len != 2 * sizeof(id.b))
		return KB_MALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		uint8_t v = c >= '0' && c <= '9' ? (uint8_t)(c - '0') : c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : 16;
		if (v > 15)
			return KB_MALFORMED;
		id.b[i / 2] = (uint8_t)(i % 2 ? id.b[i / 2] << 4 | v : v);
	}
	*ret_id = id;
	return KB_OK;
}

void kb_case_id_random(struct kb_case_id *ret_id)
{
	randombytes_buf(ret_id->b, sizeof(ret_id->b));
}

void kb_case_id_format(const struct kb_case_id *id, char ret_text[static KB_CASE_TEXT])
{
	uint64_t v = 0;
	for (size_t i = 0; i < sizeof(id->b); i++)
		v = v << 8 | id->b[i];
	memcpy(ret_text, "K-", 2);
	for (size_t i = 0; i < 8; i++)
		ret_text[2 + i + (i >= 4)] = crockford[v >> (35 - 5 * i) & 31];
	ret_text[6] = '-';
	ret_text[11] = '\0';
}

static int crockford_value(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		c = (uint8_t)(c - 32);
	if (c == 'I' || c == 'L')
		c = '1';
	if (c == 'O')
		c = '0';
	const char *at = c ? strchr(crockford, c) : NULL;
	return at ? (int)(at - crockford) : -1;
}

enum kb_status kb_case_id_parse(struct kb_span text, struct kb_case_id *ret_id)
{
	uint64_t v = 0;
	if (text.len != 11 || (text.p[0] | 32) != 'k' || text.p[1] != '-' || text.p[6] != '-')
		return KB_MALFORMED;
	for (size_t i = 0; i < 8; i++) {
		int digit = crockford_value(text.p[2 + i + (i >= 4)]);
		if (digit < 0)
			return KB_MALFORMED;
		v = v << 5 | (unsigned)digit;
	}
	for (size_t i = 0; i < sizeof(ret_id->b); i++)
		ret_id->b[i] = (uint8_t)(v >> (32 - 8 * i));
	return KB_OK;
}

void kb_referral_id(const struct kb_id *message, uint8_t destination, struct kb_id *ret_id)
{
	static const char label[] = "kitebox referral v1"; /* its NUL is hashed too */
	uint8_t in[sizeof(label) + KB_ID_LEN + 1], out[32];
	memcpy(in, label, sizeof(label));
	memcpy(in + sizeof(label), message->b, KB_ID_LEN);
	in[sizeof(in) - 1] = destination;
	crypto_generichash(out, sizeof(out), in, sizeof(in), NULL, 0);
	memcpy(ret_id->b, out, KB_ID_LEN);
}
