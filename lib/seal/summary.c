/*
 * summary: see summary.h. The layout, little-endian, of what is sealed:
 *
 *     at   octets          at   octets
 *     0    1   version 1   16   224  from
 *     1    1   class       240  320  subject
 *     2    1   category    560   64  date
 *     3    1   language    624   16  institution
 *     4    4   flags       640   16  register number
 *     8    4   score       656  256  reasons, LF between them
 *     12   4   size        912  112  zero
 *
 * A text is UTF-8 without control characters; one NUL or more fill its field. Both sides check the same: what could not be
 * opened again is not sealed.
 */
#include <stddef.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/summary.h>

#include "plain.h"

enum { VERSION = 1, SCORE_MOST = 10000, TEXTS_END = 912 };

/* clang-format off */
static const struct { size_t at, member, n; bool lines; } texts[] = {
	{  16, offsetof(struct kb_summary, from),            sizeof(((struct kb_summary *)0)->from),            false },
	{ 240, offsetof(struct kb_summary, subject),         sizeof(((struct kb_summary *)0)->subject),         false },
	{ 560, offsetof(struct kb_summary, date),            sizeof(((struct kb_summary *)0)->date),            false },
	{ 624, offsetof(struct kb_summary, institution),     sizeof(((struct kb_summary *)0)->institution),     false },
	{ 640, offsetof(struct kb_summary, register_number), sizeof(((struct kb_summary *)0)->register_number), false },
	{ 656, offsetof(struct kb_summary, reasons),         sizeof(((struct kb_summary *)0)->reasons),         true },
};
/* clang-format on */
_Static_assert(16 + 224 + 320 + 64 + 16 + 16 + 256 == TEXTS_END, "the texts follow each other");
_Static_assert(KB_SUMMARY_LEN == KB_SUMMARY_NONCE + KB_SUMMARY_PLAIN + crypto_aead_chacha20poly1305_ietf_ABYTES, "nonce, text, tag");

static bool summary_fine(const struct kb_summary *s)
{
	if (s->class_ >= KB_CLASS_COUNT || s->category >= KB_CAT_COUNT || s->language >= KB_LANG_COUNT)
		return false;
	if ((s->flags & ~(uint32_t)KB_FLAG_ALL) || s->score_e4 > SCORE_MOST)
		return false;
	for (size_t i = 0; i < KB_LEN(texts); i++)
		if (!kb_plain_field((const char *)s + texts[i].member, texts[i].n, texts[i].lines))
			return false;
	return true;
}

static void encode(const struct kb_summary *s, uint8_t out[static KB_SUMMARY_PLAIN])
{
	memset(out, 0, KB_SUMMARY_PLAIN);
	out[0] = VERSION;
	out[1] = s->class_;
	out[2] = s->category;
	out[3] = s->language;
	kb_put_u32(out + 4, s->flags);
	kb_put_u32(out + 8, s->score_e4);
	kb_put_u32(out + 12, s->size);
	for (size_t i = 0; i < KB_LEN(texts); i++)
		memcpy(out + texts[i].at, (const char *)s + texts[i].member, texts[i].n);
}

static bool decode(const uint8_t in[static KB_SUMMARY_PLAIN], struct kb_summary *s)
{
	if (in[0] != VERSION || !sodium_is_zero(in + TEXTS_END, KB_SUMMARY_PLAIN - TEXTS_END))
		return false;
	memset(s, 0, sizeof(*s));
	s->class_ = in[1];
	s->category = in[2];
	s->language = in[3];
	s->flags = kb_get_u32(in + 4);
	s->score_e4 = kb_get_u32(in + 8);
	s->size = kb_get_u32(in + 12);
	for (size_t i = 0; i < KB_LEN(texts); i++)
		memcpy((char *)s + texts[i].member, in + texts[i].at, texts[i].n);
	return summary_fine(s);
}

/* A key of its own for each row: the random nonce is HKDF's salt, so the cipher's nonce may stay zero. */
static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

static void make_key(const uint8_t *file_key, const uint8_t *nonce, uint8_t ret_key[static crypto_aead_chacha20poly1305_ietf_KEYBYTES])
{
	kb_hkdf_sha256(ret_key, crypto_aead_chacha20poly1305_ietf_KEYBYTES, KB_SPAN(file_key, KB_AGE_FILE_KEY),
	    KB_SPAN(nonce, KB_SUMMARY_NONCE), KB_LIT("kitebox summary v1"));
}

enum kb_status kb_summary_seal(const uint8_t file_key[static KB_AGE_FILE_KEY], const struct kb_id *message,
    const struct kb_summary *s, uint8_t ret_row[static KB_SUMMARY_LEN])
{
	uint8_t plain[KB_SUMMARY_PLAIN], key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
	if (!summary_fine(s))
		return KB_MALFORMED;
	encode(s, plain);
	randombytes_buf(ret_row, KB_SUMMARY_NONCE);
	make_key(file_key, ret_row, key);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(
	    ret_row + KB_SUMMARY_NONCE, NULL, plain, sizeof(plain), message->b, sizeof(message->b), NULL, zero_nonce, key);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(plain, sizeof(plain));
	return KB_OK;
}

enum kb_status kb_summary_open(struct kb_diag *d, const uint8_t file_key[static KB_AGE_FILE_KEY],
    const struct kb_id *message, struct kb_span row, struct kb_summary *ret_s)
{
	uint8_t plain[KB_SUMMARY_PLAIN], key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
	struct kb_summary s;
	enum kb_status st = KB_OK;
	if (row.len != KB_SUMMARY_LEN)
		return KB_FAIL(d, KB_MALFORMED, 0, "a summary has the wrong length");
	make_key(file_key, row.p, key);
	int wrong = crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, row.p + KB_SUMMARY_NONCE,
	    KB_SUMMARY_LEN - KB_SUMMARY_NONCE, message->b, sizeof(message->b), zero_nonce, key);
	if (wrong)
		st = KB_FAIL(d, KB_FORGED, 0, "a summary does not open: it is of another message, or was altered");
	else if (!decode(plain, &s))
		st = KB_FAIL(d, KB_MALFORMED, 0, "what a summary holds is malformed");
	else
		*ret_s = s;
	sodium_memzero(key, sizeof(key));
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(&s, sizeof(s));
	return st;
}
