/*
 * identity: the secret half of an age key, in guarded memory. See age.h; key files are in person_key.c.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "age_internal.h"
#include "bech32.h"

static_assert(KB_IDENTITY_TEXT == KB_BECH32_TEXT(sizeof("AGE-SECRET-KEY-") - 1), "length of an identity's text");

static struct kb_identity *identity_alloc(void)
{
	struct kb_identity *id = sodium_malloc(sizeof(*id));
	if (!id)
		abort(); /* as every failed allocation here: see bytes.h */
	return id;
}

/* The public half is kept: each stanza that is tried needs it as salt. */
static void identity_complete(struct kb_identity *id)
{
	if (crypto_scalarmult_base(id->recipient.x25519, id->secret) != 0)
		abort();
}

struct kb_identity *kb_identity_generate(void)
{
	struct kb_identity *id = identity_alloc();
	randombytes_buf(id->secret, sizeof(id->secret));
	identity_complete(id);
	return id;
}

enum kb_status kb_identity_parse(struct kb_span text, struct kb_identity **ret_id)
{
	struct kb_identity *id = identity_alloc();
	enum kb_status st = kb_bech32_parse(KB_LIT("AGE-SECRET-KEY-"), text, id->secret);
	if (st != KB_OK) {
		kb_identity_free(&id);
		return st;
	}
	identity_complete(id);
	*ret_id = id;
	return KB_OK;
}

void kb_identity_format(const struct kb_identity *id, char ret_text[static KB_IDENTITY_TEXT])
{
	kb_bech32_format(KB_LIT("AGE-SECRET-KEY-"), id->secret, ret_text);
}

void kb_identity_recipient(const struct kb_identity *id, struct kb_recipient *ret_r)
{
	*ret_r = id->recipient;
}

void kb_identity_free(struct kb_identity **id)
{
	if (!id || !*id)
		return;
	sodium_free(*id); /* wipes before it unmaps */
	*id = NULL;
}
