/*
 * health: every condition that a room may report, with the sentence an operator reads and the way out.
 *
 * One table (health.c) is the daemon's, kite's and the manual page's; sentences are literals, so health carries no content.
 */
#ifndef KITEBOX_DAEMON_HEALTH_H
#define KITEBOX_DAEMON_HEALTH_H

#include <stdint.h>

enum kb_health {
	KB_HEALTH_NONE = 0,
	KB_HEALTH_ROSTER_REFUSED,   /* signature, chain or floor does not hold: intake answers 451 */
	KB_HEALTH_ROSTER_MISSING,   /* no office set up */
	KB_HEALTH_OFFICE_KEY_DIFFERS, /* office.pub of the configuration is not the store's */
	KB_HEALTH_STORE_REFUSED,    /* LMDB does not open, or is damaged */
	KB_HEALTH_STORE_FULL,       /* map or disk beyond the watermark: intake answers 452 */
	KB_HEALTH_STORE_CORRUPT,    /* a row's checksum does not hold */
	KB_HEALTH_SORTER_DIED,      /* count */
	KB_HEALTH_SORTER_HUNG,      /* count */
	KB_HEALTH_UNREADABLE,       /* count of messages sealed without a verdict */
	KB_HEALTH_ROOM_RESTARTED,   /* count, per room */
	KB_HEALTH_ROOM_DOWN,        /* a room does not stay up */
	KB_HEALTH_SANDBOX_PARTIAL,  /* the kernel lacks Landlock, or part of it */
	KB_HEALTH_SWAP_ON,          /* memory may be swapped to disk */
	KB_HEALTH_TLS_REFUSED,      /* certificate or key does not load: STARTTLS is not offered */
	KB_HEALTH_FLIGHT_FULL,      /* count of messages answered 452 for memory */
	KB_HEALTH_DELIVERY_FAILING, /* referrals are waiting because the relay refuses */
	KB_HEALTH_RELAY_TLS,        /* the relay's certificate does not verify */
	KB_HEALTH_ACKS_UNSENT,      /* count of acknowledgements lost to a restart */
	KB_HEALTH_REFERRAL_DEAD,    /* count of referrals refused for good */
	KB_HEALTH_MESSAGES,         /* count of messages taken */
	KB_HEALTH_REFUSED,          /* count of messages answered 4xx or 5xx after DATA */
	KB_HEALTH_KEY_MISSING,      /* referral.key or vault.key does not load: intake answers 451 */
	KB_HEALTH_REFERRAL_KEY_DIFFERS, /* referral.key is not the one that the roster names */
	KB_HEALTH_TEMPLATE_REFUSED, /* a template is missing or malformed: acknowledgements wait */
	KB_HEALTH_CONFIG_REFUSED,   /* a reload found faults: what was in force before still is */
	KB_HEALTH_TRIAGE_REFUSED,   /* rules or model are missing or malformed: everything is review */
	KB_HEALTH_COUNT
};

struct kb_health_row {
	const char *name;     /* "roster-refused" */
	int level;            /* 0 fact, 1 warning, 2 fault */
	const char *sentence; /* what it means and the way out */
};
/* Never NULL. */
const struct kb_health_row *kb_health_row(uint32_t code);

#endif
