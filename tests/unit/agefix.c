/* agefix: see agefix.h. */
#include "kbtest.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agefix.h"
#include "bech32.h"

const uint8_t agefix_file_key[KB_AGE_FILE_KEY] = {'k', 'e', 'y', ' ', 'o', 'f', ' ', 'a', ' ', 'f', 'i', 'l', 'e', 1, 2, 3};
static const uint8_t salt[16] = {0xFF, 0xFE, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t payload_nonce[16] = {9, 9, 9};

struct kb_identity *agefix_identity(uint8_t i)
{
	char text[KB_IDENTITY_TEXT];
	uint8_t secret[32];
	struct kb_identity *id = NULL;

	memset(secret, i, sizeof(secret));
	kb_bech32_format(KB_LIT("AGE-SECRET-KEY-"), secret, text);
	assert_ok(kb_identity_parse(kb_span_str(text), &id));
	return id;
}

/* how: 0, or one of the signs of agefix.h. p has room for an octet more than n. */
static void add_base64(struct kb_buf *b, uint8_t *p, size_t n, char how)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int variant = how == '=' ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
	char text[128], *last;

	p[n] = 0;
	p[n - 1] ^= how == '!';
	n = how == '-' ? n - 1 : how == '+' ? n + 1 : n;
	assert_non_null(sodium_bin2base64(text, sizeof(text), p, n, variant));
	last = text + strlen(text) - 1;
	if (how == '~')
		*last = *(strchr(alphabet, *last) + 1); /* no octet ends here: the bits below are beyond the last one */
	assert_ok(kb_buf_str(b, text));
}

static void wrap(const uint8_t key[static 32], uint8_t ret_wrapped[static 32])
{
	static const uint8_t zero[12];

	(void)crypto_aead_chacha20poly1305_ietf_encrypt(
	    ret_wrapped, NULL, agefix_file_key, sizeof(agefix_file_key), NULL, 0, NULL, zero, key);
}

/* out: share or wrapped key, and an octet of room. */
static void x25519(bool share_only, uint8_t out[static 33])
{
	uint8_t ephemeral[32], shared[32], key[32], salt_of[64];
	struct kb_identity *id = agefix_identity(1);
	struct kb_recipient r;

	kb_identity_recipient(id, &r);
	kb_identity_free(&id);
	memset(ephemeral, 0x42, sizeof(ephemeral));
	assert_int_equal(crypto_scalarmult_base(salt_of, ephemeral), 0);
	memcpy(salt_of + 32, r.x25519, 32);
	assert_int_equal(crypto_scalarmult(shared, ephemeral, r.x25519), 0);
	kb_hkdf_sha256(key, sizeof(key), KB_SPAN(shared, 32), KB_SPAN(salt_of, 64), KB_LIT("age-encryption.org/v1/X25519"));
	if (share_only)
		memcpy(out, salt_of, 32);
	else
		wrap(key, out);
}

static void scrypt(uint8_t out[static 33])
{
	struct kb_span pass = KB_LIT(AGEFIX_PASSPHRASE), label = KB_LIT("age-encryption.org/v1/scrypt");
	uint8_t s[64], key[32];

	memcpy(s, label.p, label.len);
	memcpy(s + label.len, salt, sizeof(salt));
	assert_int_equal(crypto_pwhash_scryptsalsa208sha256_ll(pass.p, pass.len, s, label.len + sizeof(salt), 1u << AGEFIX_FACTOR, 8, 1, key,
			     sizeof(key)), 0);
	wrap(key, out);
}

static void add_mark(struct kb_buf *b, char letter, char how)
{
	uint8_t octets[33] = {0};
	size_t n = letter == 'T' ? sizeof(salt) : 32;

	if (letter == 'T')
		memcpy(octets, salt, sizeof(salt));
	else if (letter == 'W')
		scrypt(octets);
	else
		x25519(letter == 'S', octets);
	add_base64(b, octets, n, how);
}

void agefix_text(struct kb_buf *b, const char *text)
{
	for (const char *p = text; *p; p++) {
		char how = 0;

		if (*p != '%') {
			assert_ok(kb_buf_byte(b, (uint8_t)*p));
			continue;
		}
		if (strchr("-+~=!", *++p))
			how = *p++;
		if (!strchr("SBTW", *p))
			fail_msg("no such mark: %c", *p);
		add_mark(b, *p, how);
	}
}

void agefix_mac(struct kb_buf *b)
{
	uint8_t key[32], mac[33];

	assert_ok(kb_buf_str(b, "---"));
	kb_hkdf_sha256(key, sizeof(key), KB_SPAN(agefix_file_key, 16), KB_SPAN(NULL, 0), KB_LIT("header"));
	(void)crypto_auth_hmacsha256(mac, b->p, b->len, key);
	assert_ok(kb_buf_byte(b, ' '));
	add_base64(b, mac, 32, 0);
	assert_ok(kb_buf_byte(b, '\n'));
	assert_ok(kb_buf_add(b, KB_SPAN(payload_nonce, sizeof(payload_nonce))));
}

void agefix_header(struct kb_buf *b, const char *text)
{
	assert_ok(kb_buf_str(b, AGEFIX_VERSION));
	agefix_text(b, text);
	agefix_mac(b);
}

void agefix_chunk(struct kb_buf *b, uint64_t counter, bool last, size_t at, size_t n)
{
	uint8_t key[32], nonce[12] = {0}, *plain = malloc(n + 1);

	assert_non_null(plain);
	for (size_t i = 0; i < n; i++)
		plain[i] = (uint8_t)((at + i) * 7);
	for (unsigned i = 0; i < 8; i++)
		nonce[10 - i] = (uint8_t)(counter >> 8 * i);
	nonce[11] = last;
	kb_hkdf_sha256(key, sizeof(key), KB_SPAN(agefix_file_key, 16), KB_SPAN(payload_nonce, sizeof(payload_nonce)), KB_LIT("payload"));
	assert_ok(kb_buf_reserve(b, n + 16));
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(b->p + b->len, NULL, plain, n, NULL, 0, NULL, nonce, key);
	b->len += n + 16;
	free(plain);
}

enum kb_status agefix_open(struct kb_diag *d, struct kb_span file, struct kb_buf *ret)
{
	struct kb_identity *id = agefix_identity(1);
	const struct kb_identity *const ids[] = {id};
	const struct kb_age_keys keys = {.identities = ids, .n = 1, .passphrase = KB_LIT(AGEFIX_PASSPHRASE)};
	enum kb_status st = kb_age_open(d, file, &keys, ret);

	kb_identity_free(&id);
	return st;
}
