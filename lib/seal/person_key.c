/*
 * person_key: key files of persons and offices. See identity.h.
 *
 *     file    = *(comment / blank) identity-line *(comment / blank)       LF or CRLF; the last may be missing
 *     comment = "#" text         three of them are ours, each at most once, person and signing key together or not at all:
 *               "# kitebox person: " words
 *               "# public key: " recipient            must be the identity's own
 *               "# kitebox signing key: " base64(32)
 *
 * Other comments are passed over, as age does: age-keygen writes when a key was made.
 *
 * Secrets:   the text lies in a buffer that wipes; what is decoded of it on the stack is wiped.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/identity.h>

#include "age_internal.h"
#include "plain.h"

enum { FILE_MOST = 8192, TEXT_MOST = 4096, SEED = crypto_sign_SEEDBYTES, SEED_TEXT = 45 };
_Static_assert(sizeof(((struct kb_person_key *)0)->sign_secret) == crypto_sign_SECRETKEYBYTES, "seed and public key");
_Static_assert(SEED_TEXT == sodium_base64_ENCODED_LEN(SEED, sodium_base64_VARIANT_ORIGINAL), "a seed's base64");

#define PERSON "# kitebox person: "
#define PUBLIC "# public key: "
#define SIGNING "# kitebox signing key: "

static struct kb_person_key *key_new(void)
{
	struct kb_person_key *k = sodium_malloc(sizeof(*k));
	if (!k)
		abort(); /* as every failed allocation here: see bytes.h */
	memset(k, 0, sizeof(*k));
	return k;
}

struct kb_person_key *kb_person_key_generate(struct kb_span name)
{
	struct kb_person_key *k = key_new();
	kb_field_set(k->name, sizeof(k->name), name);
	k->age = kb_identity_generate();
	k->can_sign = name.len > 0;
	if (k->can_sign)
		(void)crypto_sign_keypair(k->sign_public, k->sign_secret);
	return k;
}

void kb_person_key_free(struct kb_person_key **k)
{
	if (!k || !*k)
		return;
	kb_identity_free(&(*k)->age);
	sodium_free(*k); /* wipes before it unmaps */
	*k = NULL;
}

/* What the lines of a file gave so far. */
struct reading {
	struct kb_person_key *k;
	struct kb_recipient stated;
	bool has_person, has_public, has_signing;
};

static bool take_person(struct reading *r, struct kb_span value)
{
	if (r->has_person || !value.len || value.len >= sizeof(r->k->name) || !kb_plain_words(value))
		return false;
	kb_field_set(r->k->name, sizeof(r->k->name), value);
	return r->has_person = true;
}

static bool take_public(struct reading *r, struct kb_span value)
{
	if (r->has_public || kb_recipient_parse(value, &r->stated) != KB_OK)
		return false;
	return r->has_public = true;
}

static bool take_signing(struct reading *r, struct kb_span value)
{
	uint8_t seed[SEED];
	size_t n = 0;
	if (r->has_signing)
		return false;
	r->has_signing = kb_plain_base64(value, true, seed, sizeof(seed), &n) && n == SEED;
	if (r->has_signing)
		(void)crypto_sign_seed_keypair(r->k->sign_public, r->k->sign_secret, seed);
	sodium_memzero(seed, sizeof(seed));
	return r->has_signing;
}

static bool take_identity(struct reading *r, struct kb_span line)
{
	return !r->k->age && kb_identity_parse(line, &r->k->age) == KB_OK;
}

/* clang-format off */
static const struct comment {
	struct kb_span prefix;
	bool (*take)(struct reading *r, struct kb_span value);
} comments[] = {
	{ {(const uint8_t *)PERSON,  sizeof(PERSON) - 1},  take_person },
	{ {(const uint8_t *)PUBLIC,  sizeof(PUBLIC) - 1},  take_public },
	{ {(const uint8_t *)SIGNING, sizeof(SIGNING) - 1}, take_signing },
};
/* clang-format on */

static bool take_line(struct reading *r, struct kb_span line)
{
	if (!line.len)
		return true;
	for (size_t i = 0; i < KB_LEN(comments); i++)
		if (kb_span_starts(line, comments[i].prefix))
			return comments[i].take(r, kb_span_from(line, comments[i].prefix.len));
	return line.p[0] == '#' || take_identity(r, line);
}

static enum kb_status parse_text(struct kb_diag *d, struct kb_span text, struct kb_person_key *k)
{
	struct reading r = {.k = k};
	struct kb_recipient own;
	struct kb_span line;
	for (size_t at = 1; kb_span_line(&text, &line); at++)
		if (!take_line(&r, line))
			return KB_FAIL(d, KB_MALFORMED, at, "a line of the identity file does not read");
	if (!k->age)
		return KB_FAIL(d, KB_MALFORMED, 0, "the identity file holds no age identity");
	if (r.has_person != r.has_signing)
		return KB_FAIL(d, KB_MALFORMED, 0, "the identity file has a person without a signing key, or the reverse");
	kb_identity_recipient(k->age, &own);
	if (r.has_public && memcmp(&own, &r.stated, sizeof(own)) != 0)
		return KB_FAIL(d, KB_MALFORMED, 0, "the identity file's public key is not that of its identity");
	k->can_sign = r.has_signing;
	return KB_OK;
}

static bool is_sealed(struct kb_span file)
{
	return kb_age_is_armored(file) || kb_span_starts(file, KB_LIT("age-encryption.org/"));
}

enum kb_status kb_person_key_open(struct kb_diag *d, struct kb_span file, struct kb_span passphrase, struct kb_person_key **ret_k)
{
	struct kb_age_keys keys = {.passphrase = passphrase};
	struct kb_person_key *k = NULL;
	struct kb_buf text;
	enum kb_status st = KB_OK;
	if (file.len > FILE_MOST)
		return KB_FAIL(d, KB_LIMIT, 0, "an identity file longer than is taken here");
	if (!is_sealed(file) && passphrase.len)
		return KB_FAIL(d, KB_MALFORMED, 0, "the identity file is not one that a passphrase protects");
	kb_buf_init(&text, TEXT_MOST);
	if (is_sealed(file))
		st = kb_age_open(d, file, &keys, &text);
	else if ((st = kb_buf_add(&text, file)) != KB_OK)
		st = KB_FAIL(d, st, 0, "an identity file longer than is taken here");
	if (st == KB_OK) {
		k = key_new();
		st = parse_text(d, kb_buf_span(&text), k);
	}
	kb_buf_release(&text);
	if (st == KB_OK)
		*ret_k = KB_TAKE(k);
	kb_person_key_free(&k);
	return st;
}

static enum kb_status add_person(const struct kb_person_key *k, struct kb_buf *b)
{
	struct kb_span name;
	enum kb_status st = kb_field_get(k->name, sizeof(k->name), &name);
	if (st != KB_OK || !name.len || !kb_plain_words(name))
		return KB_MALFORMED;
	st = kb_buf_str(b, PERSON);
	if (st == KB_OK)
		st = kb_buf_add(b, name);
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

static enum kb_status add_secrets(const struct kb_person_key *k, struct kb_buf *b)
{
	char seed[SEED_TEXT], identity[KB_IDENTITY_TEXT];
	enum kb_status st = KB_OK;
	if (k->can_sign) {
		(void)sodium_bin2base64(seed, sizeof(seed), k->sign_secret, SEED, sodium_base64_VARIANT_ORIGINAL);
		st = kb_buf_str(b, SIGNING);
		if (st == KB_OK)
			st = kb_buf_str(b, seed);
		if (st == KB_OK)
			st = kb_buf_byte(b, '\n');
	}
	kb_identity_format(k->age, identity);
	if (st == KB_OK)
		st = kb_buf_str(b, identity);
	if (st == KB_OK)
		st = kb_buf_byte(b, '\n');
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(identity, sizeof(identity));
	return st;
}

enum kb_status kb_person_key_seal(const struct kb_person_key *k, struct kb_span passphrase, unsigned work_factor,
    struct kb_buf *ret_file)
{
	char recipient[KB_RECIPIENT_TEXT];
	struct kb_recipient own;
	struct kb_buf text, sealed;
	enum kb_status st = KB_OK;
	kb_buf_init(&text, TEXT_MOST);
	kb_buf_init(&sealed, FILE_MOST);
	kb_identity_recipient(k->age, &own);
	kb_recipient_format(&own, recipient);
	if (k->can_sign)
		st = add_person(k, &text);
	if (st == KB_OK)
		st = kb_buf_printf(&text, PUBLIC "%s\n", recipient);
	if (st == KB_OK)
		st = add_secrets(k, &text);
	if (st == KB_OK)
		st = kb_age_seal_passphrase(passphrase, work_factor, kb_buf_span(&text), &sealed);
	if (st == KB_OK)
		st = kb_age_armor(kb_buf_span(&sealed), ret_file);
	kb_buf_release(&text);
	kb_buf_release(&sealed);
	return st;
}
