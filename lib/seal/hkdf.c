/*
 * hkdf: HKDF-SHA256 over libsodium's HMAC, since 1.0.18 has no HKDF of its own.
 *
 * Secrets:   the pseudorandom key, the last block and the HMAC state are wiped.
 * Standard:  RFC 5869, sections 2.2 and 2.3. An empty salt is the same key to HMAC as 32 zero octets.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/age.h>

enum { HASH = crypto_auth_hmacsha256_BYTES };

static void hmac_init(crypto_auth_hmacsha256_state *h, const uint8_t *key, size_t len)
{
	static const uint8_t none[1];
	crypto_auth_hmacsha256_init(h, len ? key : none, len);
}

static void hmac_add(crypto_auth_hmacsha256_state *h, struct kb_span s)
{
	if (s.len)
		crypto_auth_hmacsha256_update(h, s.p, s.len);
}

void kb_hkdf_sha256(uint8_t *out, size_t out_len, struct kb_span ikm, struct kb_span salt, struct kb_span info)
{
	crypto_auth_hmacsha256_state h;
	uint8_t prk[HASH], t[HASH];
	size_t filled = 0;

	assert(out_len <= 255 * (size_t)HASH); /* a caller's constant: past it the counter would wrap */
	hmac_init(&h, salt.p, salt.len);
	hmac_add(&h, ikm);
	crypto_auth_hmacsha256_final(&h, prk);
	for (uint8_t i = 1; filled < out_len; i++) {
		size_t n = out_len - filled < HASH ? out_len - filled : HASH;
		hmac_init(&h, prk, HASH);
		hmac_add(&h, KB_SPAN(t, i > 1 ? HASH : 0));
		hmac_add(&h, info);
		crypto_auth_hmacsha256_update(&h, &i, 1);
		crypto_auth_hmacsha256_final(&h, t);
		memcpy(out + filled, t, n);
		filled += n;
	}
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(t, sizeof(t));
	sodium_memzero(&h, sizeof(h));
}
