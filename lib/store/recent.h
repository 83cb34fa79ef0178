/*
 * recent: daily keys under which it is remembered for a few days which messages came.
 *
 * A key lies in a file of its own, recent.DAY, in the store's folder but outside of LMDB, whose freed pages are never wiped,
 * and outside of backups. It is on the disk before it is used, and gone after KB_RECENT_DAYS: what was hashed under it then
 * says nothing any more to anybody.
 *
 * Ownership:  kb_recent_close takes its address, wipes, nulls.
 * Errors:     KB_IO; KB_SEQUENCE when the clock gives no day that a key could be for.
 * Secrets:    guarded memory; a file is overwritten before it is unlinked.
 */
#ifndef KITEBOX_LIB_STORE_RECENT_H
#define KITEBOX_LIB_STORE_RECENT_H

#include <kitebox/bytes.h>

/* Keys of today and of the days before: one that is this old is unlinked. */
enum { KB_RECENT_DAYS = 5, KB_RECENT_KEYS_MOST = 2 * KB_RECENT_DAYS, KB_RECENT_KEY = 4 + 28 };

struct kb_recent;
/* dir stays the caller's. Reads what keys there are; what is no key of a living day is unlinked. */
KB_MUST_USE enum kb_status kb_recent_open(struct kb_diag *d, int dir, uint64_t now_s, struct kb_recent **ret_r);
void kb_recent_close(struct kb_recent **r);
/* Makes today's key when there is none, and unlinks the old ones. Cheap when nothing is to be done. */
KB_MUST_USE enum kb_status kb_recent_roll(struct kb_diag *d, struct kb_recent *r, uint64_t now_s);
/* How many keys live; key i's hash of what 32 octets say: the key of a row in table `recent`. Key 0 is today's. */
size_t kb_recent_keys(const struct kb_recent *r);
void kb_recent_hash(const struct kb_recent *r, size_t i, const uint8_t fingerprint[static 32], uint8_t ret_key[static KB_RECENT_KEY]);
/* Does a key of the day that a row's key begins with live? */
bool kb_recent_lives(const struct kb_recent *r, const uint8_t row_key[static KB_RECENT_KEY]);

#endif
