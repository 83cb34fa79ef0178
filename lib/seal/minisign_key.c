/*
 * minisign_key: secret key files. See minisign.h; minisign_internal.h holds the grammar.
 *
 *     "Ed" kdf "B2" salt(32) opslimit(8) memlimit(8) id(8) secret(64) checksum(32)      numbers little-endian
 *     kdf      = "Sc": id, secret and checksum are xored with scrypt(passphrase, salt, opslimit, memlimit)
 *              = two NUL: they stand as they are
 *     checksum = BLAKE2b-256("Ed" id secret); where there is no passphrase, stock minisign 0.11 leaves it zero
 *
 * Limits:    what minisign itself asks for at most: opslimit 2^25, memlimit 2^30.
 * Secrets:   each copy on the stack is wiped.
 */
#include <string.h>

#include <sodium.h>

#include "minisign_internal.h"
#include "plain.h"

enum { ALG = 2, ID = 8, SECRET = 64, SUM = 32, SALT = crypto_pwhash_scryptsalsa208sha256_SALTBYTES };
enum {
	AT_KDF = ALG,
	AT_CHECK = AT_KDF + ALG,
	AT_SALT = AT_CHECK + ALG,
	AT_OPS = AT_SALT + SALT,
	AT_MEM = AT_OPS + 8,
	AT_ID = AT_MEM + 8,
	AT_SECRET = AT_ID + ID,
	AT_SUM = AT_SECRET + SECRET,
	OCTETS = AT_SUM + SUM,
	HIDDEN = OCTETS - AT_ID,
};
_Static_assert(OCTETS == 158, "minisign's secret key");

/* As much work as age's own default: N = 2^18, r = 8, p = 1. */
enum { OPS_OURS = 1 << 23, MEM_OURS = 1 << 28, OPS_MOST = 1 << 25, MEM_MOST = 1 << 30 };

static void checksum(const uint8_t key[static OCTETS], uint8_t ret_sum[static SUM])
{
	crypto_generichash_state h;
	(void)crypto_generichash_init(&h, NULL, 0, SUM);
	(void)crypto_generichash_update(&h, key, ALG);
	(void)crypto_generichash_update(&h, key + AT_ID, ID + SECRET);
	(void)crypto_generichash_final(&h, ret_sum, SUM);
	sodium_memzero(&h, sizeof(h));
}

/* Hides, or shows, what the passphrase protects. */
static bool mask(uint8_t key[static OCTETS], struct kb_span passphrase)
{
	uint8_t stream[HIDDEN];
	if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof(stream), (const char *)passphrase.p, passphrase.len, key + AT_SALT,
		kb_get_u64(key + AT_OPS), (size_t)kb_get_u64(key + AT_MEM)) != 0)
		return false;
	for (size_t i = 0; i < HIDDEN; i++)
		key[AT_ID + i] ^= stream[i];
	sodium_memzero(stream, sizeof(stream));
	return true;
}

static void write_key(const struct kb_minisign_key *k, uint8_t key[static OCTETS])
{
	memset(key, 0, OCTETS);
	memcpy(key, "Ed", ALG);
	memcpy(key + AT_CHECK, "B2", ALG);
	memcpy(key + AT_ID, k->pub.id, ID);
	memcpy(key + AT_SECRET, k->secret, SECRET);
	checksum(key, key + AT_SUM);
}

enum kb_status kb_minisign_key_format(const struct kb_minisign_key *k, struct kb_span passphrase, struct kb_buf *ret)
{
	uint8_t key[OCTETS];
	size_t before = ret->len;
	enum kb_status st = KB_OK;
	write_key(k, key);
	if (passphrase.len) {
		memcpy(key + AT_KDF, "Sc", ALG);
		randombytes_buf(key + AT_SALT, SALT);
		kb_put_u64(key + AT_OPS, OPS_OURS);
		kb_put_u64(key + AT_MEM, MEM_OURS);
		st = mask(key, passphrase) ? KB_OK : KB_BUSY;
	}
	if (st == KB_OK)
		st = kb_buf_printf(ret, "untrusted comment: minisign %s secret key\n", passphrase.len ? "encrypted" : "plain");
	if (st == KB_OK)
		st = kb_minisign_put(ret, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
	if (st != KB_OK)
		kb_plain_cut(ret, before);
	return st;
}

static enum kb_status read_key(struct kb_diag *d, struct kb_span text, uint8_t key[static OCTETS])
{
	struct kb_span line;
	if (!kb_minisign_line(&text, &line) || !kb_minisign_untrusted(line))
		return KB_FAIL(d, KB_MALFORMED, 1, "not a minisign secret key");
	if (!kb_minisign_line(&text, &line) || !kb_minisign_octets(line, key, OCTETS))
		return KB_FAIL(d, KB_MALFORMED, 2, "a minisign secret key is malformed");
	if (text.len)
		return KB_FAIL(d, KB_MALFORMED, 3, "something follows a minisign secret key");
	if (memcmp(key, "Ed", ALG) != 0 || memcmp(key + AT_CHECK, "B2", ALG) != 0)
		return KB_FAIL(d, KB_UNSUPPORTED, 2, "a minisign secret key of another algorithm");
	return KB_OK;
}

/* Whether the file and the caller agree that there is a passphrase; then takes the mask off. */
static enum kb_status unmask(struct kb_diag *d, struct kb_span passphrase, uint8_t key[static OCTETS])
{
	uint8_t sum[SUM];
	bool masked = memcmp(key + AT_KDF, "Sc", ALG) == 0;
	if (!masked && !sodium_is_zero(key + AT_KDF, ALG))
		return KB_FAIL(d, KB_UNSUPPORTED, 2, "a minisign secret key under another key derivation");
	if (masked && !passphrase.len)
		return KB_FAIL(d, KB_NOKEY, 2, "a minisign secret key that needs a passphrase");
	if (!masked && passphrase.len)
		return KB_FAIL(d, KB_NOKEY, 2, "a minisign secret key that no passphrase protects");
	if (masked && (kb_get_u64(key + AT_OPS) > OPS_MOST || kb_get_u64(key + AT_MEM) > MEM_MOST))
		return KB_FAIL(d, KB_LIMIT, 2, "a minisign secret key asks for more work than is taken here");
	if (masked && !mask(key, passphrase))
		return KB_FAIL(d, KB_BUSY, 2, "not enough memory for the passphrase of a minisign secret key");
	checksum(key, sum);
	if (sodium_memcmp(sum, key + AT_SUM, SUM) == 0 || (!masked && sodium_is_zero(key + AT_SUM, SUM)))
		return KB_OK;
	if (masked)
		return KB_FAIL(d, KB_NOKEY, 2, "the passphrase does not open this minisign secret key");
	return KB_FAIL(d, KB_MALFORMED, 2, "a minisign secret key's checksum does not match");
}

/* The public half is made again: with one that belongs to another secret, each signature would give the secret away. */
static enum kb_status take_key(struct kb_diag *d, const uint8_t key[static OCTETS], struct kb_minisign_key *ret_k)
{
	struct kb_minisign_key k;
	enum kb_status st = KB_OK;
	memcpy(k.pub.id, key + AT_ID, ID);
	(void)crypto_sign_seed_keypair(k.pub.key, k.secret, key + AT_SECRET);
	if (sodium_memcmp(k.secret, key + AT_SECRET, SECRET) == 0)
		*ret_k = k;
	else
		st = KB_FAIL(d, KB_MALFORMED, 2, "the halves of a minisign secret key do not belong together");
	kb_minisign_release(&k);
	return st;
}

enum kb_status kb_minisign_key_parse(struct kb_diag *d, struct kb_span text, struct kb_span passphrase,
    struct kb_minisign_key *ret_k)
{
	uint8_t key[OCTETS];
	enum kb_status st = read_key(d, text, key);
	if (st == KB_OK)
		st = unmask(d, passphrase, key);
	if (st == KB_OK)
		st = take_key(d, key, ret_k);
	sodium_memzero(key, sizeof(key));
	return st;
}
