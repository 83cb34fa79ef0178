/*
 * keys: the identities that may open a file: identity files as age has them, plain or protected by a passphrase.
 *
 *     identity file  = *( comment / empty / "AGE-SECRET-KEY-1" ... ) lines, in the clear or as an age file with a scrypt stanza
 *
 * Ownership:  kite_keys_release frees and wipes.
 * Errors:     said.
 * Secrets:    identities lie in guarded memory; the text they came in is wiped.
 */
#ifndef KITE_KEYS_H
#define KITE_KEYS_H

#include <kitebox/age.h>

#include "kite.h"

enum { KITE_KEYS_MOST = 256 };

struct kite_keys {
	struct kb_identity *identity[KITE_KEYS_MOST];
	size_t n;
};

/* All of --identity, else the identity of the person's folder. */
KB_MUST_USE enum kb_status kite_keys_load(const struct kite *k, struct kite_keys *ret_keys);
void kite_keys_release(struct kite_keys *keys);
/* The lines of a file in the clear; *ret_line is the number of the one at fault. Appends. */
KB_MUST_USE enum kb_status kite_keys_parse(struct kb_span text, struct kite_keys *keys, size_t *ret_line);

#endif
