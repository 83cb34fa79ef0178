/*
 * minisign: public keys and signatures. See minisign.h; minisign_internal.h holds the grammar of the files.
 *
 * What is signed is BLAKE2b-512 of the file; the global signature covers that signature and the trusted comment, so a comment
 * cannot be moved to another file.
 */
#include <string.h>

#include <sodium.h>

#include "minisign_internal.h"
#include "plain.h"

enum { ALG = 2, ID = 8, KEY = 32, SIG = crypto_sign_BYTES };
enum { PUBLIC_OCTETS = ALG + ID + KEY, SIG_OCTETS = ALG + ID + SIG };
_Static_assert(sizeof(((struct kb_minisign_key *)0)->secret) == crypto_sign_SECRETKEYBYTES, "seed and public key");
_Static_assert(KB_MINISIGN_PUBLIC_TEXT == PUBLIC_OCTETS / 3 * 4 + 1, "a public key's base64 has no padding");

#define UNTRUSTED "untrusted comment: "
#define TRUSTED "trusted comment: "

bool kb_minisign_line(struct kb_span *rest, struct kb_span *ret_line)
{
	size_t n = kb_span_find(*rest, KB_LIT("\n"));
	if (n == SIZE_MAX)
		return false;
	*ret_line = KB_SPAN(rest->p, n);
	*rest = kb_span_from(*rest, n + 1);
	return true;
}

/* HT stands in the trusted comments that minisign writes by itself. */
bool kb_minisign_text_fine(struct kb_span text)
{
	if (text.len > KB_MINISIGN_COMMENT_MOST)
		return false;
	for (size_t tab; (tab = kb_span_find(text, KB_LIT("\t"))) != SIZE_MAX; text = kb_span_from(text, tab + 1))
		if (!kb_plain_text(KB_SPAN(text.p, tab)))
			return false;
	return kb_plain_text(text);
}

static bool comment(struct kb_span line, struct kb_span prefix, struct kb_span *ret_text)
{
	if (!kb_span_starts(line, prefix))
		return false;
	*ret_text = kb_span_from(line, prefix.len);
	return kb_minisign_text_fine(*ret_text);
}

bool kb_minisign_untrusted(struct kb_span line)
{
	struct kb_span text;
	return comment(line, KB_LIT(UNTRUSTED), &text);
}

bool kb_minisign_octets(struct kb_span line, uint8_t *ret, size_t n)
{
	size_t got;
	return kb_plain_base64(line, true, ret, n, &got) && got == n;
}

enum kb_status kb_minisign_put(struct kb_buf *b, const uint8_t *p, size_t n)
{
	size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
	enum kb_status st = kb_buf_reserve(b, room);
	if (st != KB_OK)
		return st;
	(void)sodium_bin2base64((char *)b->p + b->len, room, p, n, sodium_base64_VARIANT_ORIGINAL);
	b->len += room;
	b->p[b->len - 1] = '\n'; /* where its NUL was */
	return KB_OK;
}

void kb_minisign_generate(struct kb_minisign_key *ret_k)
{
	randombytes_buf(ret_k->pub.id, sizeof(ret_k->pub.id));
	(void)crypto_sign_keypair(ret_k->pub.key, ret_k->secret);
}

void kb_minisign_release(struct kb_minisign_key *k)
{
	sodium_memzero(k, sizeof(*k));
}

void kb_minisign_public_format(const struct kb_minisign_public *p, char ret_text[static KB_MINISIGN_PUBLIC_TEXT])
{
	uint8_t octets[PUBLIC_OCTETS] = "Ed";
	memcpy(octets + ALG, p->id, ID);
	memcpy(octets + ALG + ID, p->key, KEY);
	(void)sodium_bin2base64(ret_text, KB_MINISIGN_PUBLIC_TEXT, octets, sizeof(octets), sodium_base64_VARIANT_ORIGINAL);
}

enum kb_status kb_minisign_public_parse(struct kb_diag *d, struct kb_span text, struct kb_minisign_public *ret_p)
{
	struct kb_span line, rest = text;
	uint8_t octets[PUBLIC_OCTETS];
	size_t at = 1;
	if (kb_span_starts(text, KB_LIT(UNTRUSTED))) {
		if (!kb_minisign_line(&rest, &line) || !kb_minisign_untrusted(line))
			return KB_FAIL(d, KB_MALFORMED, at, "a minisign public key's comment is malformed");
		at++;
	}
	/* A key that was pasted may have lost its line end. */
	if (!kb_minisign_line(&rest, &line)) {
		line = rest;
		rest = kb_span_from(rest, rest.len);
	}
	if (!kb_minisign_octets(line, octets, sizeof(octets)))
		return KB_FAIL(d, KB_MALFORMED, at, "not a minisign public key");
	if (rest.len)
		return KB_FAIL(d, KB_MALFORMED, at + 1, "something follows a minisign public key");
	if (memcmp(octets, "Ed", ALG) != 0)
		return KB_FAIL(d, KB_UNSUPPORTED, at, "a minisign public key of another algorithm");
	memcpy(ret_p->id, octets + ALG, ID);
	memcpy(ret_p->key, octets + ALG + ID, KEY);
	return KB_OK;
}

void kb_minisign_prehash(struct kb_span file, uint8_t ret_prehash[static 64])
{
	(void)crypto_generichash(ret_prehash, crypto_generichash_BYTES_MAX, file.p, file.len, NULL, 0);
}

/* What the global signature covers. */
struct global {
	uint8_t octets[SIG + KB_MINISIGN_COMMENT_MOST];
	size_t len;
};

static void global_init(struct global *g, const uint8_t sig[static SIG], struct kb_span trusted)
{
	memcpy(g->octets, sig, SIG);
	if (trusted.len)
		memcpy(g->octets + SIG, trusted.p, trusted.len);
	g->len = SIG + trusted.len;
}

enum kb_status kb_minisign_sign(const struct kb_minisign_key *k, const uint8_t prehash[static 64], struct kb_span trusted,
    struct kb_buf *ret_sig)
{
	uint8_t octets[SIG_OCTETS] = "ED", *sig = octets + ALG + ID, over_all[SIG];
	size_t before = ret_sig->len;
	struct global g;
	if (trusted.len > KB_MINISIGN_COMMENT_MOST)
		return KB_LIMIT;
	if (!kb_minisign_text_fine(trusted))
		return KB_MALFORMED;
	memcpy(octets + ALG, k->pub.id, ID);
	(void)crypto_sign_detached(sig, NULL, prehash, crypto_generichash_BYTES_MAX, k->secret);
	global_init(&g, sig, trusted);
	(void)crypto_sign_detached(over_all, NULL, g.octets, g.len, k->secret);
	enum kb_status st = kb_buf_str(ret_sig, UNTRUSTED "signature by kitebox\n");
	if (st == KB_OK)
		st = kb_minisign_put(ret_sig, octets, sizeof(octets));
	if (st == KB_OK)
		st = kb_buf_str(ret_sig, TRUSTED);
	if (st == KB_OK)
		st = kb_buf_add(ret_sig, trusted);
	if (st == KB_OK)
		st = kb_buf_byte(ret_sig, '\n');
	if (st == KB_OK)
		st = kb_minisign_put(ret_sig, over_all, sizeof(over_all));
	if (st != KB_OK)
		kb_plain_cut(ret_sig, before);
	return st;
}

struct signature {
	uint8_t octets[SIG_OCTETS], over_all[SIG];
	struct kb_span trusted;
};

static enum kb_status parse_signature(struct kb_diag *d, struct kb_span text, struct signature *ret_s)
{
	struct kb_span line;
	if (text.len > KB_MINISIGN_SIG_MOST)
		return KB_FAIL(d, KB_MALFORMED, 0, "a minisign signature longer than is taken here");
	if (!kb_minisign_line(&text, &line) || !kb_minisign_untrusted(line))
		return KB_FAIL(d, KB_MALFORMED, 1, "not a minisign signature");
	if (!kb_minisign_line(&text, &line) || !kb_minisign_octets(line, ret_s->octets, SIG_OCTETS))
		return KB_FAIL(d, KB_MALFORMED, 2, "a minisign signature is malformed");
	if (!kb_minisign_line(&text, &line) || !comment(line, KB_LIT(TRUSTED), &ret_s->trusted))
		return KB_FAIL(d, KB_MALFORMED, 3, "a minisign signature's trusted comment is malformed");
	if (!kb_minisign_line(&text, &line) || !kb_minisign_octets(line, ret_s->over_all, SIG))
		return KB_FAIL(d, KB_MALFORMED, 4, "a minisign signature's global signature is malformed");
	if (text.len)
		return KB_FAIL(d, KB_MALFORMED, 5, "something follows a minisign signature");
	/* "Ed", the older form, signs the file itself: from a prehash it cannot be verified. */
	if (memcmp(ret_s->octets, "ED", ALG) != 0)
		return KB_FAIL(d, KB_UNSUPPORTED, 2, "a minisign signature that is not over a prehash");
	return KB_OK;
}

enum kb_status kb_minisign_verify(struct kb_diag *d, const struct kb_minisign_public *p, const uint8_t prehash[static 64],
    struct kb_span sig, struct kb_span *ret_trusted)
{
	struct signature s;
	struct global g;
	enum kb_status st = parse_signature(d, sig, &s);
	if (st != KB_OK)
		return st;
	if (sodium_memcmp(s.octets + ALG, p->id, ID) != 0)
		return KB_FAIL(d, KB_NOKEY, 2, "signed by another key than the one expected");
	if (crypto_sign_verify_detached(s.octets + ALG + ID, prehash, crypto_generichash_BYTES_MAX, p->key) != 0)
		return KB_FAIL(d, KB_FORGED, 2, "the signature does not verify");
	global_init(&g, s.octets + ALG + ID, s.trusted);
	if (crypto_sign_verify_detached(s.over_all, g.octets, g.len, p->key) != 0)
		return KB_FAIL(d, KB_FORGED, 4, "the signature's trusted comment does not verify");
	*ret_trusted = s.trusted;
	return KB_OK;
}
