/*
 * door: what the files of the room share.
 *
 * door.c the room, its listeners and its clock · door_conn.c one client · door_turn.c what it says, and its message ·
 * door_io.c its socket · door_tls.c TLS · door_job.c messages on their way to the disk · door_source.c what one place may take.
 * What is said is the business of kitebox/smtp.h alone.
 *
 * Ownership:  a connection owns its socket, its TLS session and the message that is coming in; a job owns a message that is
 *             whole, and outlives the connection: its client may be gone, and the message is kept all the same.
 * Limits:     octets of mail in memory (limit.flight_octets) from the first octet until the result; connections; of both, what
 *             comes from one place has a share; deadlines.
 *             A client that waits costs the struct below and its socket: read and reply buffers are the room's.
 * Secrets:    mail in memfds and in the room's buffer, which is wiped after each turn; the TLS key, in GnuTLS.
 */
#ifndef KITEBOX_DAEMON_DOOR_H
#define KITEBOX_DAEMON_DOOR_H

#include <netinet/in.h>

#include <kitebox/memfd.h>
#include <kitebox/smtp.h>

#include "room.h"

enum {
	KB_DOOR_SEALERS_MOST = 8,
	KB_DOOR_READ = 1 << 16,   /* at once */
	KB_DOOR_BUFFER = 2 * KB_DOOR_READ, /* with the longest part of a line that can lie before it */
	KB_DOOR_OUT = 8192,
	KB_DOOR_SHAKE_MS = 30000,
	KB_DOOR_FAREWELL_MS = 10000,
	KB_DOOR_BUCKETS = 256,
};

struct kb_door;
struct kb_door_job;
struct kb_door_pair; /* a certificate and its key; shared by the sessions that began with it */
struct kb_door_tls;
struct kb_door_source; /* one place that clients come from */

/* Octets that wait, in memory of exactly their size. */
struct kb_door_held {
	uint8_t *p;
	size_t len;
};

enum kb_door_stage {
	KB_DOOR_TALKS = 0,
	KB_DOOR_SHAKES,  /* TLS handshake, or what is to be sent before it */
	KB_DOOR_LEAVES,  /* closes once the last reply is sent */
	KB_DOOR_LINGERS, /* everything is said; what still comes is thrown away, lest its reset overtake the last reply */
};

struct kb_door_conn {
	struct kb_door_conn *next, *before;
	struct kb_door *room;
	sd_event_source *io;
	uint32_t events; /* that io waits for */
	uint32_t shake_events; /* that the handshake waits for */
	int fd;
	uint8_t stage;   /* enum kb_door_stage */
	struct kb_smtp smtp;
	struct kb_door_source *source;
	struct kb_door_tls *tls; /* NULL: in the clear */
	struct kb_door_held in;  /* came, and cannot be taken yet */
	struct kb_door_held out; /* said, and not sent yet */
	uint64_t until_ms;       /* silence, a handshake or a farewell ends then */
	uint64_t message_until_ms; /* whatever comes of it; see also message_due in door_conn.c */
	uint64_t message_begun_ms;
	uint64_t lingered;       /* octets thrown away */
	int message;             /* memfd of what came of it, or -1 */
	uint64_t octets;         /* of it; they count in room->flight */
	struct kb_door_job *job; /* the message that is to be stored; its client waits */
	char peer[INET6_ADDRSTRLEN];
};

struct kb_door_origin {
	bool own; /* a Unix socket, or LMTP: nobody strange */
	bool v6;
	uint8_t net[8]; /* an IPv4 address, or a /64 of IPv6 */
};

struct kb_door_listener {
	struct kb_door *room;
	sd_event_source *io;
	uint8_t kind; /* enum kb_listener_kind */
};

struct kb_door_sealer {
	struct kb_channel *ch; /* NULL: not there */
	uint32_t jobs;
};

struct kb_door {
	struct kb_room_host *host;
	struct kb_door_listener listener[KB_LISTENERS_MOST];
	size_t listeners;
	sd_event_source *clock;
	bool ticking;
	bool paused;   /* no descriptors left: nobody is let in until the next tick */
	bool stopping, closing;
	uint64_t stop_until_ms;
	struct kb_door_pair *pair; /* NULL: no TLS */
	struct kb_mailbox mailbox[KB_MAILBOXES_MOST]; /* as transactions under way know them */
	uint32_t mailboxes;
	struct kb_door_conn *first;
	size_t conns, strangers; /* of these, not the office's own */
	struct kb_door_source *sources[KB_DOOR_BUCKETS];
	struct kb_door_sealer sealer[KB_DOOR_SEALERS_MOST];
	struct kb_door_job *jobs, **last_job;
	uint64_t flight; /* octets of mail in memory */
	uint64_t messages, refused, full;
	uint8_t buffer[KB_DOOR_BUFFER];
	char out[KB_DOOR_OUT];
};

/* ---- door.c ---- */

/* Something has a deadline. */
void kb_door_wake(struct kb_door *r);
/* A connection or a job has ended. */
void kb_door_less(struct kb_door *r);

/* ---- door_conn.c ---- */

void kb_door_conn_new(struct kb_door *r, int fd, uint8_t kind, const struct kb_door_origin *o, const char *peer);
void kb_door_conn_end(struct kb_door_conn *c);
/* Its message is stored, or not. c may be gone afterwards. */
void kb_door_conn_answered(struct kb_door_conn *c, enum kb_status st, const struct kb_id *id);
/* The clock looked at it. c may be gone afterwards. */
void kb_door_conn_tick(struct kb_door_conn *c, uint64_t now_ms);
/* The room is about to stop. c may be gone afterwards. */
void kb_door_conn_stop(struct kb_door_conn *c);

/* ---- door_turn.c ---- */

/* Greets it, or takes what it says. KB_IO: it is gone. */
KB_MUST_USE enum kb_status kb_door_turn(struct kb_door_conn *c, bool readable);
/* What came of its message so far. */
void kb_door_forget(struct kb_door_conn *c);
/* The room's, for replies that are sent at once. */
struct kb_smtp_out kb_door_out(struct kb_door *r);

/* ---- door_io.c ---- */

/* KB_OK: *ret_n octets, at least one. KB_AGAIN: not now. KB_IO: the other side has ended. */
KB_MUST_USE enum kb_status kb_door_read(struct kb_door_conn *c, uint8_t *to, size_t room, size_t *ret_n);
/* Sends what the socket takes, holds the rest, and empties out. */
KB_MUST_USE enum kb_status kb_door_say(struct kb_door_conn *c, struct kb_smtp_out *out);
KB_MUST_USE enum kb_status kb_door_send_held(struct kb_door_conn *c);
/* Its silence begins anew. */
void kb_door_still_there(struct kb_door_conn *c);
void kb_door_hold(struct kb_door_held *h, struct kb_span s); /* behind what is held already */
void kb_door_let_go(struct kb_door_held *h);                 /* wipes */

/* ---- door_tls.c ---- */

/* KB_MALFORMED: certificate and key are not PEM, or do not belong together. */
KB_MUST_USE enum kb_status kb_door_pair_new(struct kb_diag *d, int certificate, int key, struct kb_door_pair **ret_p);
void kb_door_pair_free(struct kb_door_pair **p); /* while sessions use it, only this hold on it ends */
KB_MUST_USE enum kb_status kb_door_tls_new(struct kb_door_pair *p, int fd, struct kb_door_tls **ret_t);
void kb_door_tls_free(struct kb_door_tls **t);
/* KB_AGAIN: *ret_events must come first. */
KB_MUST_USE enum kb_status kb_door_tls_shake(struct kb_door_tls *t, uint32_t *ret_events);
/* "TLS1.3 TLS_AES_256_GCM_SHA384" */
void kb_door_tls_facts(const struct kb_door_tls *t, char *ret_text, size_t size);
/* KB_OK: *ret_n octets, at least one. KB_AGAIN: not now. KB_IO: the other side has ended. */
KB_MUST_USE enum kb_status kb_door_tls_read(struct kb_door_tls *t, uint8_t *to, size_t room, size_t *ret_n);
/* After KB_AGAIN it must be called again with the same octets. */
KB_MUST_USE enum kb_status kb_door_tls_write(struct kb_door_tls *t, struct kb_span s, size_t *ret_n);
void kb_door_tls_bye(struct kb_door_tls *t);

/* ---- door_source.c ---- */

struct kb_door_origin kb_door_origin(const struct sockaddr *a, uint8_t kind);
/* May one more come from there? *ret_why: what to say if not. */
KB_MUST_USE bool kb_door_admits(struct kb_door *r, const struct kb_door_origin *o, enum kb_smtp_end *ret_why);
void kb_door_source_enter(struct kb_door_conn *c, const struct kb_door_origin *o);
void kb_door_source_leave(struct kb_door_conn *c);
/* A message outlives its connection, and counts where it came from. */
struct kb_door_source *kb_door_source_job(struct kb_door_conn *c);
void kb_door_source_job_end(struct kb_door *r, struct kb_door_source *s);
/* Is there memory for n more octets of c's? */
KB_MUST_USE bool kb_door_flight_fits(const struct kb_door_conn *c, uint64_t n);
void kb_door_flight_more(struct kb_door *r, struct kb_door_source *s, uint64_t n);
void kb_door_flight_less(struct kb_door *r, struct kb_door_source *s, uint64_t n);

/* ---- door_job.c ---- */

/* Takes c's message, which is whole, and hands it to a sealer; kb_door_conn_answered follows, never at once. KB_IO: it
 * could not be made ready, and is c's still. */
KB_MUST_USE enum kb_status kb_door_submit(struct kb_door_conn *c);
/* c ends before its job, if it has one. */
void kb_door_job_orphan(struct kb_door_conn *c);
/* A channel to sealer `index`, in place of the one before. */
KB_MUST_USE enum kb_status kb_door_sealer(struct kb_door *r, uint32_t index, int fd);
void kb_door_jobs_tick(struct kb_door *r, uint64_t now_ms);
/* The loop is over. */
void kb_door_jobs_free(struct kb_door *r);

#endif
