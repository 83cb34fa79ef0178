/*
 * sealer_outbox: acknowledgements sealed to the outbox key, whose secret half only supervisor and courier have.
 *
 * One key agreement serves a number of items, so that a rush does not pay for one each: share and key last for so many, or
 * until nothing is under way, and are forgotten. Until then whoever holds the sealer's memory could open those few items; it
 * holds what is being received at the same time.
 *
 * Secrets:   the key is wiped when it is forgotten.
 * Standard:  libsodium's crypto_box (X25519, XSalsa20-Poly1305) with a random nonce; docs/FORMATS.md, "Outbox item".
 * Not here:  opening (courier_mail.c); when the outbox key turns (supervisor_outbox.c).
 */
#ifndef KITEBOX_DAEMON_SEALER_OUTBOX_H
#define KITEBOX_DAEMON_SEALER_OUTBOX_H

#include "wire.h"

enum { KB_OUTBOX_ITEMS_A_SHARE = 64 };

struct kb_outbox {
	uint32_t number; /* of the outbox key; 0: there is none, and nothing is acknowledged */
	uint8_t pub[32];
	uint8_t share[32], key[32];
	unsigned left; /* items that share and key still seal; 0: they are forgotten */
};

/* A newer key takes the place of the one in use; one that is destroyed is not used again. */
void kb_outbox_key_message(struct kb_outbox *o, const struct kb_wire_outbox_key *k);
/* False when there is no key to seal to. */
KB_MUST_USE bool kb_outbox_seal(struct kb_outbox *o, const struct kb_ack_item *item, uint8_t ret_sealed[static KB_ACK_SEALED]);
/* The next item makes a share of its own. */
void kb_outbox_forget(struct kb_outbox *o);

#endif
