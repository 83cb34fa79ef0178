/*
 * age_stream: the payload's chunks, each under its own tag, so that none can be cut off, put elsewhere or left out unseen.
 *
 *     nonce = counter, 11 octets big-endian || 1 for the last chunk, 0 for the others
 *
 * The last chunk is shorter than, or as long as, the others; it is empty only where the whole payload is.
 *
 * Standard:  age-encryption.org/v1, "Payload" (STREAM over ChaCha20-Poly1305, RFC 8439).
 */
#include <stdint.h>

#include <sodium.h>

#include "age_internal.h"

enum { NONCE = crypto_aead_chacha20poly1305_ietf_NPUBBYTES };

static void chunk_nonce(uint64_t counter, bool last, uint8_t ret_nonce[static NONCE])
{
	ret_nonce[0] = ret_nonce[1] = ret_nonce[2] = 0;
	kb_put_be64(ret_nonce + 3, counter);
	ret_nonce[NONCE - 1] = last;
}

void kb_age_chunk_seal(const uint8_t key[static KB_AGE_KEY], uint64_t counter, bool last, struct kb_span plain, uint8_t *out)
{
	uint8_t nonce[NONCE];
	chunk_nonce(counter, last, nonce);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.p, plain.len, NULL, 0, NULL, nonce, key);
}

bool kb_age_chunk_open(const uint8_t key[static KB_AGE_KEY], uint64_t counter, bool last, struct kb_span in, uint8_t *out)
{
	uint8_t nonce[NONCE];
	chunk_nonce(counter, last, nonce);
	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in.p, in.len, NULL, 0, nonce, key) == 0;
}

uint64_t kb_age_sealed_len(uint64_t n, size_t header_len)
{
	uint64_t chunks = n ? (n - 1) / KB_AGE_CHUNK + 1 : 1;
	return header_len + n + chunks * KB_AGE_TAG;
}

size_t kb_age_plain_len(size_t n)
{
	size_t sealed_chunk = KB_AGE_CHUNK + KB_AGE_TAG;
	size_t last = n % sealed_chunk;
	/* A last chunk of a tag alone is empty: allowed only where it is the only one. */
	if (n == 0 || (last && last < KB_AGE_TAG) || (last == KB_AGE_TAG && n > KB_AGE_TAG))
		return SIZE_MAX;
	return n - (n / sealed_chunk + (last != 0)) * KB_AGE_TAG;
}
