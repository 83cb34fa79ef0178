/*
 * passphrase: what a person types, or a file holds, and nobody sees.
 *
 * Ownership:  guarded memory (sodium_malloc); kite_passphrase_free takes its address, wipes, nulls.
 * Errors:     KB_IO no terminal and no file; KB_MALFORMED empty, or two that differ; KB_LIMIT too long, or (fresh) too short.
 *             The sentence has been said.
 */
#ifndef KITE_PASSPHRASE_H
#define KITE_PASSPHRASE_H

#include "kite.h"

enum { KITE_PASSPHRASE_MOST = 1024, KITE_PASSPHRASE_LEAST = 8 };

struct kite_passphrase {
	size_t len;
	uint8_t octets[KITE_PASSPHRASE_MOST + 1];
};

/* From --passphrase-file (its first line), else asked on the terminal without echo: for `what`. A fresh one is asked twice,
 * and has KITE_PASSPHRASE_LEAST octets at least. */
KB_MUST_USE enum kb_status kite_passphrase_get(const struct kite *k, const char *what, bool fresh, struct kite_passphrase **ret_p);
void kite_passphrase_free(struct kite_passphrase **p);
struct kb_span kite_passphrase_span(const struct kite_passphrase *p);

#endif
