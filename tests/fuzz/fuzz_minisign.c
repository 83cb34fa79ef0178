/*
 * fuzz minisign: the first octet says what the rest is: a public key, a plain secret key, a signature, or an office bundle.
 * Properties: a key that reads is written and read again as the same; a signature that verifies holds its trusted comment, and
 * does not verify over anything else; a bundle that reads to its end is the bundle that its items make.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/roster.h>

enum { MOST = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_public(struct kb_span text)
{
	char line[KB_MINISIGN_PUBLIC_TEXT];
	struct kb_minisign_public p;
	struct kb_diag d = {0};
	if (kb_minisign_public_parse(&d, text, &p) != KB_OK) {
		assert(d.what && d.offset >= 1 && d.offset <= 3);
		return;
	}
	kb_minisign_public_format(&p, line);
	assert(kb_span_find(text, kb_span_str(line)) != SIZE_MAX);
}

static void check_secret(struct kb_span text)
{
	struct kb_minisign_key k, again;
	struct kb_span trusted;
	struct kb_buf b;
	uint8_t prehash[64] = {0};
	if (kb_minisign_key_parse(NULL, text, KB_SPAN(NULL, 0), &k) != KB_OK)
		return;
	kb_buf_init(&b, MOST);
	assert(kb_minisign_key_format(&k, KB_SPAN(NULL, 0), &b) == KB_OK);
	assert(kb_minisign_key_parse(NULL, kb_buf_span(&b), KB_SPAN(NULL, 0), &again) == KB_OK);
	assert(memcmp(&k, &again, sizeof(k)) == 0);
	kb_buf_clear(&b);
	assert(kb_minisign_sign(&k, prehash, KB_LIT("x"), &b) == KB_OK);
	assert(kb_minisign_verify(NULL, &k.pub, prehash, kb_buf_span(&b), &trusted) == KB_OK);
	kb_buf_release(&b);
}

/* The corpus is signed over no octets at all by the key whose seed is 32 times 0x01, its id 8 times. */
static void check_signature(struct kb_span sig)
{
	struct kb_minisign_public p;
	struct kb_span trusted = {0};
	uint8_t seed[crypto_sign_SEEDBYTES], secret[crypto_sign_SECRETKEYBYTES], prehash[64];
	struct kb_diag d = {0};
	memset(seed, 1, sizeof(seed));
	memset(p.id, 1, sizeof(p.id));
	(void)crypto_sign_seed_keypair(p.key, secret, seed);
	kb_minisign_prehash(KB_SPAN(NULL, 0), prehash);
	enum kb_status st = kb_minisign_verify(&d, &p, prehash, sig, &trusted);
	assert(st == KB_OK || st == KB_MALFORMED || st == KB_NOKEY || st == KB_FORGED || st == KB_UNSUPPORTED);
	assert((st == KB_OK) == (d.what == NULL));
	if (st != KB_OK)
		return;
	assert(trusted.p > sig.p && trusted.p + trusted.len < sig.p + sig.len);
	assert(kb_span_find(trusted, KB_LIT("\n")) == SIZE_MAX);
	prehash[0] ^= 1;
	assert(kb_minisign_verify(NULL, &p, prehash, sig, &trusted) == KB_FORGED);
}

static void check_bundle(struct kb_span text)
{
	struct kb_span rest = text;
	struct kb_bundle_item item;
	struct kb_buf again;
	char name[65];
	size_t items = 0;
	enum kb_status st;
	kb_buf_init(&again, MOST);
	while ((st = kb_bundle_next(&rest, &item)) == KB_OK) {
		assert(item.name.len && item.name.len < sizeof(name));
		assert(item.body.p >= text.p && item.body.p + item.body.len < text.p + text.len);
		memcpy(name, item.name.p, item.name.len);
		name[item.name.len] = '\0';
		assert(kb_bundle_add(&again, name, item.body) == KB_OK);
		items++;
	}
	/* A chain passed between rooms, from which the first lines were cut, reads too: then only the first line differs. */
	if (st == KB_NOTFOUND && items && kb_span_starts(text, KB_LIT("kitebox")))
		assert(kb_span_eq(kb_buf_span(&again), text));
	kb_buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const check[])(struct kb_span) = {check_public, check_secret, check_signature, check_bundle};
	if (sodium_init() < 0)
		abort();
	if (size)
		check[data[0] % KB_LEN(check)](KB_SPAN(data + 1, size - 1));
	return 0;
}
