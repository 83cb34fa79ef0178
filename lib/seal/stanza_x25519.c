/*
 * stanza_x25519: the file key, wrapped for one public key.
 *
 *     -> X25519 base64(ephemeral share) LF base64(ChaCha20-Poly1305(wrap key, file key)) LF
 *     wrap key = HKDF-SHA-256(ikm = X25519(ephemeral secret, recipient), salt = share || recipient, info)
 *
 * Two multiplications a stanza, one of them by the base point: the format asks for a new ephemeral secret for each stanza,
 * so two recipients of one file cannot share one.
 *
 * Standard:  age-encryption.org/v1, "X25519 recipient stanza"; X25519 is RFC 7748.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "age_internal.h"

static_assert(sizeof(struct kb_recipient) == crypto_scalarmult_BYTES, "a recipient is one point");

static void wrap_key(const uint8_t shared[static 32], const uint8_t share[static KB_AGE_SHARE],
    const struct kb_recipient *r, uint8_t ret_key[static KB_AGE_KEY])
{
	uint8_t salt[KB_AGE_SHARE + sizeof(r->x25519)];
	memcpy(salt, share, KB_AGE_SHARE);
	memcpy(salt + KB_AGE_SHARE, r->x25519, sizeof(r->x25519));
	kb_hkdf_sha256(ret_key, KB_AGE_KEY, KB_SPAN(shared, 32), KB_SPAN(salt, sizeof(salt)), KB_LIT("age-encryption.org/v1/X25519"));
}

enum kb_status kb_x25519_wrap(const struct kb_recipient *r, const uint8_t file_key[static KB_AGE_FILE_KEY], uint8_t **out)
{
	struct {
		uint8_t ephemeral[crypto_scalarmult_SCALARBYTES], shared[crypto_scalarmult_BYTES], key[KB_AGE_KEY];
	} secret;
	uint8_t share[KB_AGE_SHARE], wrapped[KB_AGE_WRAPPED], *p = *out;
	enum kb_status st = KB_NOKEY;

	randombytes_buf(secret.ephemeral, sizeof(secret.ephemeral));
	kb_x25519_share(secret.ephemeral, share);
	/* Refused for a recipient of low order: everybody could open what is sealed to it. */
	if (crypto_scalarmult(secret.shared, secret.ephemeral, r->x25519) == 0) {
		wrap_key(secret.shared, share, r, secret.key);
		kb_age_wrap(secret.key, file_key, wrapped);
		p = kb_age_put(p, KB_LIT("-> X25519 "));
		p = kb_age_put_base64(p, share, sizeof(share));
		*p++ = '\n';
		p = kb_age_put_base64(p, wrapped, sizeof(wrapped));
		*p++ = '\n';
		*out = p;
		st = KB_OK;
	}
	sodium_memzero(&secret, sizeof(secret));
	return st;
}

enum kb_status kb_x25519_unwrap(struct kb_diag *d, const struct kb_stanza *s, const struct kb_identity *id,
    uint8_t ret_file_key[static KB_AGE_FILE_KEY])
{
	struct {
		uint8_t shared[crypto_scalarmult_BYTES], key[KB_AGE_KEY];
	} secret;
	enum kb_status st = KB_NOKEY;

	if (crypto_scalarmult(secret.shared, id->secret, s->share) != 0)
		return KB_FAIL(d, KB_MALFORMED, 0, "age header: an X25519 share of low order");
	wrap_key(secret.shared, s->share, &id->recipient, secret.key);
	if (kb_age_unwrap(secret.key, s->wrapped, ret_file_key))
		st = KB_OK;
	sodium_memzero(&secret, sizeof(secret));
	return st;
}
