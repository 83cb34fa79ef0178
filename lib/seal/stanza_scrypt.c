/*
 * stanza_scrypt: the file key, wrapped under a passphrase.
 *
 *     -> scrypt base64(salt) work-factor LF base64(ChaCha20-Poly1305(wrap key, file key)) LF
 *     wrap key = scrypt(N = 2^work-factor, r = 8, p = 1, S = label || salt, P = passphrase)
 *
 * Limits:    a work factor of n costs 2^n KiB: whoever opens says how much is too much, before it is spent.
 * Standard:  age-encryption.org/v1, "scrypt recipient stanza"; scrypt is RFC 7914.
 */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "age_internal.h"

enum { SCRYPT_R = 8, SCRYPT_P = 1 };

static enum kb_status wrap_key(struct kb_span passphrase, const uint8_t salt[static KB_AGE_SALT], unsigned work_factor,
    uint8_t ret_key[static KB_AGE_KEY])
{
	struct kb_span label = KB_LIT("age-encryption.org/v1/scrypt");
	uint8_t s[64];
	uint8_t *end = kb_age_put(kb_age_put(s, label), KB_SPAN(salt, KB_AGE_SALT));
	if (crypto_pwhash_scryptsalsa208sha256_ll(passphrase.p, passphrase.len, s, (size_t)(end - s), (uint64_t)1 << work_factor,
		SCRYPT_R, SCRYPT_P, ret_key, KB_AGE_KEY) != 0)
		return KB_BUSY;
	return KB_OK;
}

enum kb_status kb_scrypt_wrap(struct kb_span passphrase, unsigned work_factor,
    const uint8_t file_key[static KB_AGE_FILE_KEY], uint8_t **out)
{
	uint8_t salt[KB_AGE_SALT], key[KB_AGE_KEY], wrapped[KB_AGE_WRAPPED], *p = *out;
	char factor[8];
	enum kb_status st;

	if (work_factor < 1 || work_factor > KB_AGE_WORK_FACTOR_MOST)
		return KB_LIMIT;
	randombytes_buf(salt, sizeof(salt));
	if ((st = wrap_key(passphrase, salt, work_factor, key)) != KB_OK)
		return st;
	kb_age_wrap(key, file_key, wrapped);
	sodium_memzero(key, sizeof(key));
	(void)snprintf(factor, sizeof(factor), " %u\n", work_factor);
	p = kb_age_put(p, KB_LIT("-> scrypt "));
	p = kb_age_put_base64(p, salt, sizeof(salt));
	p = kb_age_put(p, kb_span_str(factor));
	p = kb_age_put_base64(p, wrapped, sizeof(wrapped));
	*p++ = '\n';
	*out = p;
	return KB_OK;
}

enum kb_status kb_scrypt_unwrap(struct kb_diag *d, const struct kb_stanza *s, struct kb_span passphrase,
    unsigned work_factor_most, uint8_t ret_file_key[static KB_AGE_FILE_KEY])
{
	uint8_t key[KB_AGE_KEY];
	unsigned most = work_factor_most && work_factor_most < KB_AGE_WORK_FACTOR_MOST ? work_factor_most : KB_AGE_WORK_FACTOR_MOST;
	bool opened;

	if (s->work_factor > most)
		return KB_FAIL(d, KB_LIMIT, 0, "the passphrase's work factor is higher than is taken here");
	if (wrap_key(passphrase, s->salt, s->work_factor, key) != KB_OK)
		return KB_FAIL(d, KB_BUSY, 0, "not enough memory for the passphrase's work factor");
	opened = kb_age_unwrap(key, s->wrapped, ret_file_key);
	sodium_memzero(key, sizeof(key));
	return opened ? KB_OK : KB_NOKEY;
}
