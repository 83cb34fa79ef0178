/*
 * courier: the room's own memory, shared by the files of daemon/courier*.c.
 *
 * A work of the vault takes a place and becomes a job; one job is one mail. What is true of a job in each stage:
 *
 *	stage        composed   a relay is   a runner has it   the courier dies: what the vault does
 *	WAITING      maybe      not chosen   no                queues it again; nothing has left
 *	CONNECTING   yes        chosen       no                queues it again; nothing has left
 *	RUNNING      yes        connected    yes               queues it again; it may arrive twice, under one Message-ID
 *
 * A job ends when its outcome is known: that is when the vault is told, and its place is free again. There is no stage
 * after that. What a runner says counts when its process has ended, so that there are never more runners than places.
 *
 * Secrets:   outbox keys in guarded memory; an acknowledgement's address lies in its job, which is wiped.
 * Not here:  when something is tried again (the store's clock), what is said to a server (runner.c).
 */
#ifndef KITEBOX_DAEMON_COURIER_H
#define KITEBOX_DAEMON_COURIER_H

#include <sys/socket.h>

#include <kitebox/compose.h>
#include <kitebox/memfd.h>

#include "room.h"

enum {
	KB_COURIER_REFERRALS = 4,                  /* at once: each may hold tens of MiB */
	KB_COURIER_ACKS = 6,
	KB_COURIER_PLACES = KB_COURIER_REFERRALS + KB_COURIER_ACKS, /* fewer than the supervisor has for runners */
	KB_COURIER_KEYS = 64,
	KB_COURIER_ADDRESSES = 6,                  /* of one relay */
	KB_COURIER_DELIVERED = 256,                /* remembered; each vault that ends leaves a few behind */
};

enum kb_courier_stage { KB_COURIER_FREE = 0, KB_COURIER_WAITING, KB_COURIER_CONNECTING, KB_COURIER_RUNNING };

struct kb_courier_address {
	struct sockaddr_storage to;
	socklen_t len;
};

/* Where a relay is, best address first. */
struct kb_courier_route {
	struct kb_courier_address address[KB_COURIER_ADDRESSES];
	size_t n;
	enum kb_status status; /* KB_OK, or why there is none */
	uint64_t until_ms;     /* asked again then; 0: was not asked yet */
};

struct kb_courier_job {
	struct kb_courier *courier;
	enum kb_courier_stage stage;
	bool ack;
	bool owed;                      /* the vault that is there waits for the outcome */
	uint64_t order;                 /* of arrival */
	struct kb_wire_work work;
	struct kb_map sealed, minisig;  /* of a referral, until it is composed */
	char to[KB_ADDRESS_FIELD];
	struct kb_composed mail;        /* fd -1: not composed yet */
	uint32_t relay, next_relay;     /* that has it, and that gets it if that one fails */
	uint32_t round;                 /* of the settings that relay counts in */
	struct kb_courier_route route;  /* of relay, as it was when the job set out */
	size_t at;
	int fd;                         /* being connected */
	sd_event_source *io, *deadline;
	struct kb_channel *runner;
	bool reported;                  /* the runner has said what became of it */
	struct kb_wire_done said;       /* what it said, or what became of the last relay */
	struct kb_wire_done result;     /* the most telling of all relays */
	struct kb_diag why;
};

/* A delivery that the vault may not have on its disk yet. */
struct kb_courier_delivered {
	struct kb_wire_done done;
	bool told;                      /* the vault that is there */
	uint32_t credit[2];             /* of what it had then, how much it may still use: referrals, acknowledgements */
};

struct kb_courier_key {
	uint32_t number;
	uint8_t pub[32], secret[32];
};

struct kb_courier {
	struct kb_room_host *host;
	struct kb_channel *vault;
	struct kb_courier_job job[KB_COURIER_PLACES];
	uint64_t orders;
	uint32_t credit[2];             /* given to the vault and not used: referrals, acknowledgements */
	sd_event_source *turn, *grace;
	struct kb_courier_key *key;     /* KB_COURIER_KEYS, in guarded memory; oldest first */
	size_t keys;
	struct kb_map text[KB_LANG_COUNT]; /* what the templates borrow */
	struct kb_template template[KB_LANG_COUNT];
	bool templates;                 /* each language has one */
	struct kb_relay relay[KB_RELAYS_MOST]; /* as in force */
	uint32_t relays, round;
	struct kb_courier_route route[KB_RELAYS_MOST];
	uint32_t untrusted;             /* bit i: relay i's certificate did not verify */
	struct kb_courier_delivered delivered[KB_COURIER_DELIVERED]; /* oldest first */
	size_t delivereds;
	uint64_t failing;               /* outcomes in a row that relays are to blame for */
	enum kb_status failing_as;
	uint32_t readable;              /* bit i: file i of the resolver could be read at the start */
	bool stale;                     /* one cannot be read any more */
	bool stopping;
};

/* courier.c: an outcome, for the vault that waits for it, if one does; a delivery is remembered. */
void kb_courier_tell(struct kb_courier *c, const struct kb_wire_done *done, bool owed);

/* courier_job.c */
/* NULL: every place of this kind is taken. */
struct kb_courier_job *kb_courier_job_new(struct kb_courier *c, const struct kb_wire_work *w, bool ack);
/* The job of this id that has no outcome yet, or NULL. */
struct kb_courier_job *kb_courier_job_find(struct kb_courier *c, const struct kb_id *id, bool ack);
/* Forgets it without a word; a runner that has it goes on. */
void kb_courier_job_drop(struct kb_courier_job *j);
/* The outcome: the vault is told, and the place is free. */
void kb_courier_job_end(struct kb_courier_job *j, enum kb_outcome outcome, enum kb_status reason);
/* The relay in j->relay came to j->said: the end, or the next relay. */
void kb_courier_job_judge(struct kb_courier_job *j);
/* The relay in j->relay could not be reached, or not be given to a runner; d may be NULL. */
void kb_courier_job_failed(struct kb_courier_job *j, enum kb_status reason, const struct kb_diag *d);
/* Tells the vault what more can be taken. */
void kb_courier_credit(struct kb_courier *c);
/* Jobs that wait go on at the next turn of the loop. */
void kb_courier_soon(struct kb_courier *c);
/* One step of one job; at most one question to the resolver. */
int kb_courier_on_turn(sd_event_source *s, void *ctx);

/* courier_mail.c */
void kb_courier_templates(struct kb_courier *c);
void kb_courier_templates_release(struct kb_courier *c);
void kb_courier_key_message(struct kb_courier *c, const struct kb_wire_outbox_key *k);
/* Opens an outbox item and composes the acknowledgement. KB_NOKEY, KB_FORGED, KB_MALFORMED: never to be sent. */
KB_MUST_USE enum kb_status kb_courier_ack(struct kb_diag *d, struct kb_courier_job *j, struct kb_span sealed);
/* Composes the referral and lets go of what it was composed of. */
KB_MUST_USE enum kb_status kb_courier_referral(struct kb_diag *d, struct kb_courier_job *j);
/* About how many octets its mail has, or will have. */
uint64_t kb_courier_octets(const struct kb_courier_job *j);

/* courier_relay.c: before the sandbox closes. */
void kb_courier_resolver_init(struct kb_courier *c);
/* Finds and connects j->relay; kb_courier_run or kb_courier_job_failed follows, now or from the loop. */
void kb_courier_connect(struct kb_courier_job *j);
void kb_courier_connect_stop(struct kb_courier_job *j);

/* courier_run.c: gives the job, connected by fd (taken), to a runner; kb_courier_job_judge follows from the loop. */
void kb_courier_run(struct kb_courier_job *j, int fd);

#endif
