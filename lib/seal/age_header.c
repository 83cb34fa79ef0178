/*
 * age_header: the text of a new header, its MAC, and the keys that come out of a file key.
 *
 * Secrets:   one draw of randomness makes file key and nonce; what stays on the stack is wiped.
 * Standard:  age-encryption.org/v1, "Header MAC" and "Payload".
 */
#include <string.h>

#include <sodium.h>

#include "age_internal.h"

static const char version_line[] = "age-encryption.org/v1\n";
enum { VERSION_LEN = sizeof(version_line) - 1, MAC_LINE_LEN = 4 + 43 + 1 };

uint8_t *kb_age_put(uint8_t *out, struct kb_span s)
{
	memcpy(out, s.p, s.len);
	return out + s.len;
}

/* sodium_bin2base64 ends in a NUL: callers have the room, since a separator follows each field. */
uint8_t *kb_age_put_base64(uint8_t *out, const uint8_t *p, size_t n)
{
	size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	(void)sodium_bin2base64((char *)out, room, p, n, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	return out + room - 1;
}

void kb_age_wrap(const uint8_t wrap_key[static KB_AGE_KEY], const uint8_t file_key[static KB_AGE_FILE_KEY],
    uint8_t ret_wrapped[static KB_AGE_WRAPPED])
{
	static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(ret_wrapped, NULL, file_key, KB_AGE_FILE_KEY, NULL, 0, NULL, nonce, wrap_key);
}

bool kb_age_unwrap(const uint8_t wrap_key[static KB_AGE_KEY], const uint8_t wrapped[static KB_AGE_WRAPPED],
    uint8_t ret_file_key[static KB_AGE_FILE_KEY])
{
	static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	return crypto_aead_chacha20poly1305_ietf_decrypt(ret_file_key, NULL, NULL, wrapped, KB_AGE_WRAPPED, NULL, 0, nonce, wrap_key) == 0;
}

void kb_age_header_mac(const uint8_t file_key[static KB_AGE_FILE_KEY], struct kb_span mac_input,
    uint8_t ret_mac[static KB_AGE_MAC])
{
	uint8_t key[KB_AGE_KEY];
	kb_hkdf_sha256(key, sizeof(key), KB_SPAN(file_key, KB_AGE_FILE_KEY), KB_SPAN(NULL, 0), KB_LIT("header"));
	(void)crypto_auth_hmacsha256(ret_mac, mac_input.p, mac_input.len, key);
	sodium_memzero(key, sizeof(key));
}

void kb_age_payload_key(const uint8_t file_key[static KB_AGE_FILE_KEY], const uint8_t nonce[static KB_AGE_NONCE],
    uint8_t ret_key[static KB_AGE_KEY])
{
	kb_hkdf_sha256(ret_key, KB_AGE_KEY, KB_SPAN(file_key, KB_AGE_FILE_KEY), KB_SPAN(nonce, KB_AGE_NONCE), KB_LIT("payload"));
}

size_t kb_age_begin_room(const struct kb_age_audience *a)
{
	size_t fixed = VERSION_LEN + MAC_LINE_LEN + 1 + KB_AGE_NONCE;
	if (a->passphrase.len)
		return a->n ? 0 : fixed + KB_STANZA_SCRYPT_TEXT;
	if (a->n < 1 || a->n > KB_AGE_RECIPIENTS_MOST)
		return 0;
	return fixed + a->n * KB_STANZA_X25519_TEXT;
}

static enum kb_status put_stanzas(const struct kb_age_audience *a, const uint8_t *file_key, uint8_t **out)
{
	enum kb_status st = KB_OK;
	if (a->passphrase.len)
		return kb_scrypt_wrap(a->passphrase, a->work_factor, file_key, out);
	for (size_t i = 0; st == KB_OK && i < a->n; i++)
		st = kb_x25519_wrap(&a->recipients[i], file_key, out);
	return st;
}

enum kb_status kb_age_begin(const struct kb_age_audience *a, uint8_t *out, size_t *ret_len,
    uint8_t ret_file_key[static KB_AGE_FILE_KEY], uint8_t ret_payload_key[static KB_AGE_KEY])
{
	uint8_t fresh[KB_AGE_FILE_KEY + KB_AGE_NONCE], mac[KB_AGE_MAC], *p = out;
	const uint8_t *file_key = fresh, *nonce = fresh + KB_AGE_FILE_KEY;
	enum kb_status st;

	randombytes_buf(fresh, sizeof(fresh));
	p = kb_age_put(p, KB_SPAN(version_line, VERSION_LEN));
	st = put_stanzas(a, file_key, &p);
	if (st == KB_OK) {
		p = kb_age_put(p, KB_LIT("---"));
		kb_age_header_mac(file_key, KB_SPAN(out, (size_t)(p - out)), mac);
		*p++ = ' ';
		p = kb_age_put_base64(p, mac, sizeof(mac));
		*p++ = '\n';
		p = kb_age_put(p, KB_SPAN(nonce, KB_AGE_NONCE));
		kb_age_payload_key(file_key, nonce, ret_payload_key);
		memcpy(ret_file_key, file_key, KB_AGE_FILE_KEY);
		*ret_len = (size_t)(p - out);
	}
	sodium_memzero(fresh, sizeof(fresh));
	return st;
}
