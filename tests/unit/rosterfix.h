/* rosterfix: the roster of tests/data/formats/roster.txt as a struct, an office that signs, and chains of both. */
#ifndef ROSTERFIX_H
#define ROSTERFIX_H

#include <kitebox/roster.h>

/* Every key in it is fixed: a recipient's 32 octets are all the same number, a signing key's too. */
void rosterfix_sample(struct kb_roster *ret_r);
/* The office key is made of a seed of all 0x0f, its id is eight times 0xab. */
void rosterfix_office(struct kb_minisign_key *ret_k);
void rosterfix_sign(const struct kb_minisign_key *k, struct kb_span text, struct kb_buf *ret_sig);
/* A version that follows `before`, which verify gave; nothing else is changed. */
void rosterfix_next(const struct kb_roster *before, struct kb_roster *ret_r);
/* Appends roster.N and roster.N.minisig, and verifies nothing. */
void rosterfix_add(struct kb_buf *bundle, const struct kb_minisign_key *office, const struct kb_roster *r);

#endif
