/* storefix: an office in a store of its own, messages to put into it, and a check of everything that must hold between rows. */
#ifndef STOREFIX_H
#define STOREFIX_H

#include "kbtest.h"

#include <kitebox/store.h>

struct fix {
	char dir[64];
	struct kb_store *s;
	struct kb_minisign_key office, referral;
	struct kb_roster roster;
	uint8_t vault_key[32], person_secret[3][64];
	uint64_t now_s, map_octets;
};

enum { FIX_NOW = 1764000000, FIX_MAP = 256 << 20 };

/* ada supervises, ben and eve coordinate; oia (0) and prea (1) are the destinations. */
struct fix *fix_new(void);
/* Opened, but without key and office. */
struct fix *fix_bare(void);
void fix_free(struct fix *f);
/* As a start would: opened anew and unlocked. */
void fix_reopen(struct fix *f);
void fix_close(struct fix *f);
/* The bundle that kite setup would write. */
void fix_bundle(struct fix *f, struct kb_buf *ret);

struct letter {
	unsigned number;   /* id, fingerprint and octets follow from it */
	unsigned resent;   /* another submission of the same octets and envelope */
	uint8_t class_;
	bool urgent, unreadable;
	uint64_t entitled;
	size_t len;        /* sealed; 0: 3000 */
	uint32_t destinations, outbox_key;
	uint64_t received_s; /* 0: now */
};

/* A put and the memfds under it. */
struct parcel {
	struct kb_put put;
	uint8_t fingerprint[32], ack[64], summary[KB_SUMMARY_LEN];
};
void parcel_new(struct fix *f, const struct letter *l, struct parcel *ret);
void parcel_release(struct parcel *p);
void letter_id(const struct letter *l, struct kb_id *ret_id);

/* In a transaction of its own, in steps where it is large. */
enum kb_status fix_put(struct fix *f, const struct letter *l, struct kb_put_result *ret_r);
/* As many octets as the letter has, in a fresh buffer. */
uint8_t *letter_octets(const struct letter *l, int destination, size_t *ret_len);

void fix_begin(struct fix *f);
void fix_commit(struct fix *f);
/* Takes a referral through an event in a transaction of its own. */
void fix_event(struct fix *f, struct kb_referral *r, enum kb_referral_event event, uint32_t code);

/* An octet of the stored roster changed, with a checksum that holds; the store is closed before and after. */
void fix_swap_roster(struct fix *f);
/* Everything that must hold between rows, and between rows and journal. */
void fix_check(struct fix *f);

#endif
