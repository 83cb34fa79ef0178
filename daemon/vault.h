/*
 * vault: the room's own memory, shared by the files of daemon/vault*.c.
 *
 * Everything that comes is gathered while one transaction syncs, and goes into the next: messages of all sealers as one
 * group, then what the courier reported and asks for as another. Nobody is answered before the commit that the answer tells of.
 *
 * Not here:  tables and rows (kitebox/store.h); what crosses between rooms (wire.h).
 */
#ifndef KITEBOX_DAEMON_VAULT_H
#define KITEBOX_DAEMON_VAULT_H

#include <kitebox/store.h>

#include "room.h"

enum {
	KB_VAULT_SEALERS_MOST = 16,
	KB_VAULT_SESSIONS_MOST = 1024,           /* more than the desk has connections */
	KB_VAULT_GROUP_MOST = 128,               /* messages in one transaction */
	KB_VAULT_FLIGHT_MOST = 64,               /* referrals with the courier; as many acknowledgements */
	KB_VAULT_OUTBOX_KEYS_MOST = 256,
};
#define KB_VAULT_GROUP_OCTETS (UINT64_C(64) << 20)

struct kb_vault_entry;   /* vault_intake.c: a message on its way into the store */
struct kb_vault_session; /* vault_desk.c: one connection of the desk */

struct kb_vault_flight { /* what the courier has */
	bool used, done;
	bool ack;
	uint64_t seq;          /* of a referral */
	struct kb_id id;
	struct kb_ack item;    /* of an acknowledgement */
	struct kb_wire_done outcome;
};

struct kb_vault {
	struct kb_room_host *host;
	struct kb_store *store;         /* NULL: it did not open */
	int state_dir;
	enum kb_status intake;          /* KB_OK, or what every STORE is answered */
	struct kb_roster *roster, *older; /* in force; and one that a message was sealed under, kept for the next question */
	bool have_roster;
	int chain;                      /* memfd of the verified chain, as sealers get it */
	struct kb_channel *sealer[KB_VAULT_SEALERS_MOST], *desk, *courier;
	sd_event_source *group, *timer;
	struct kb_vault_entry *first, **last;
	size_t waiting;
	uint64_t waiting_octets;
	struct kb_vault_session *session;
	struct kb_vault_flight flight[2 * KB_VAULT_FLIGHT_MOST];
	uint32_t credit, ack_credit;
	bool recover;                   /* referrals may be marked sent that no courier has */
	uint32_t outbox_key[KB_VAULT_OUTBOX_KEYS_MOST];
	size_t outbox_keys;
	bool outbox_changed, tidy, stopping;
	bool full;                      /* mail is, or was a moment ago, refused for want of room */
	uint64_t refused_octets;        /* the largest message that was, since then */
	uint64_t used_ms;               /* when the store was last used; 0: memory has been given back since */
	uint64_t queue_at_ms;           /* not before, while mail comes in */
	uint64_t unsent_before, started_s;
};

/* vault.c */
/* Says what a status of the store means for the office: health, a log line, or the end of this room. */
void kb_vault_trouble(struct kb_vault *v, const struct kb_diag *d, const char *literal);
/* The store is being read or written: what that takes of memory is given back a moment after the last time. */
void kb_vault_used(struct kb_vault *v);
/* The group is due at the next turn of the loop, after everything that has arrived was taken in. */
void kb_vault_soon(struct kb_vault *v);

/* vault_office.c: reads keys and bundle, opens the store, verifies the chain; sets intake and health. Also on reload. */
void kb_vault_office(struct kb_vault *v);
void kb_vault_office_release(struct kb_vault *v);
void kb_vault_send_chain(struct kb_vault *v, struct kb_channel *sealer);
/* The bit of `entitled` that is this person's in a message, whose roster may be an older one; 0 for none. */
uint64_t kb_vault_person_bit(struct kb_vault *v, const struct kb_msg *m, const char *person);

/* vault_intake.c */
KB_MUST_USE enum kb_status kb_vault_on_store(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);
/* One transaction of everything that waits, and a step of what is large. */
void kb_vault_commit_group(struct kb_vault *v);
void kb_vault_intake_forget(struct kb_vault *v, const struct kb_channel *sealer);
void kb_vault_intake_release(struct kb_vault *v);

/* vault_courier.c */
KB_MUST_USE enum kb_status kb_vault_on_credit(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);
KB_MUST_USE enum kb_status kb_vault_on_done(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);
void kb_vault_courier_lost(struct kb_vault *v);
/* What was reported is written down, what the clock has come to is released and handed over. */
void kb_vault_queue(struct kb_vault *v);
/* When the clock has to be looked at next, in seconds; KB_NEVER. */
uint64_t kb_vault_queue_next(struct kb_vault *v);

/* vault_outbox.c */
void kb_vault_outbox_key(struct kb_vault *v, const struct kb_wire_outbox_key *k);
/* Part of kb_vault_queue: the first in its transaction, the second after its commit. */
KB_MUST_USE enum kb_status kb_vault_acks_write(struct kb_vault *v, struct kb_diag *d, bool *ret_more);
void kb_vault_acks_send(struct kb_vault *v);

/* vault_desk.c */
KB_MUST_USE enum kb_status kb_vault_on_ask(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);
KB_MUST_USE enum kb_status kb_vault_on_gone(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);
void kb_vault_desk_forget(struct kb_vault *v);

struct kb_vault_session {
	struct kb_vault_session *next;
	uint32_t conn;
	bool greeted, in;
	uint8_t client[32], server[32];
	char person[16];
};
/* Who is logged in on this connection, as the roster in force knows them; NULL when they are not, or not any more. */
const struct kb_person *kb_vault_person(struct kb_vault *v, const struct kb_vault_session *s);
/* fd -1: none. The last answer to a request says so. */
void kb_vault_answer(struct kb_vault *v, uint32_t conn, uint16_t type, const void *body, size_t size, int fd, bool last);
void kb_vault_refuse(struct kb_vault *v, uint32_t conn, enum kb_status st, const char *literal);

/* vault_desk_read.c: one a request (enum kb_desk); body has the size of its struct. */
typedef void kb_vault_ask_fn(struct kb_vault *v, struct kb_vault_session *s, const void *body);
kb_vault_ask_fn kb_vault_ask_roster, kb_vault_ask_grant, kb_vault_ask_list, kb_vault_ask_open, kb_vault_ask_referrals, kb_vault_ask_status;

#endif
