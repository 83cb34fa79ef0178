/* sealer_outbox: see sealer_outbox.h. */
#include "sealer_outbox.h"

#include <string.h>

#include <sodium.h>

enum { NONCE = crypto_box_NONCEBYTES };
_Static_assert(KB_ACK_SEALED == sizeof(struct kb_ack_item) + crypto_box_PUBLICKEYBYTES + NONCE + crypto_box_MACBYTES,
    "an item is a share, a nonce and a box");

void kb_outbox_forget(struct kb_outbox *o)
{
	sodium_memzero(o->key, sizeof(o->key));
	o->left = 0;
}

void kb_outbox_key_message(struct kb_outbox *o, const struct kb_wire_outbox_key *k)
{
	if (k->destroy && k->number == o->number) {
		o->number = 0;
		kb_outbox_forget(o);
	} else if (!k->destroy && k->number > o->number) {
		o->number = k->number;
		memcpy(o->pub, k->pub, sizeof(o->pub));
		kb_outbox_forget(o);
	}
}

static bool renew(struct kb_outbox *o)
{
	uint8_t secret[crypto_box_SECRETKEYBYTES];
	crypto_box_keypair(o->share, secret);
	o->left = crypto_box_beforenm(o->key, o->pub, secret) == 0 ? KB_OUTBOX_ITEMS_A_SHARE : 0;
	sodium_memzero(secret, sizeof(secret));
	return o->left > 0;
}

bool kb_outbox_seal(struct kb_outbox *o, const struct kb_ack_item *item, uint8_t ret_sealed[static KB_ACK_SEALED])
{
	uint8_t *nonce = ret_sealed + sizeof(o->share), *box = nonce + NONCE;
	if (!o->number || (!o->left && !renew(o)))
		return false;
	memcpy(ret_sealed, o->share, sizeof(o->share));
	randombytes_buf(nonce, NONCE);
	(void)crypto_box_easy_afternm(box, (const uint8_t *)item, sizeof(*item), nonce, o->key); /* fails for no length of ours */
	if (--o->left == 0)
		kb_outbox_forget(o);
	return true;
}
