/*
 * recipient: the public half of an age key as text. See age.h.
 */
#include <assert.h>

#include "bech32.h"

#include <kitebox/age.h>

static_assert(KB_RECIPIENT_TEXT == KB_BECH32_TEXT(sizeof("age") - 1), "length of a recipient's text");

void kb_recipient_format(const struct kb_recipient *r, char ret_text[static KB_RECIPIENT_TEXT])
{
	kb_bech32_format(KB_LIT("age"), r->x25519, ret_text);
}

enum kb_status kb_recipient_parse(struct kb_span text, struct kb_recipient *ret_r)
{
	return kb_bech32_parse(KB_LIT("age"), text, ret_r->x25519);
}
