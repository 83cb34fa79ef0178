/*
 * desk_room: what the files of the desk share.
 *
 * A connection has at most one request with the vault; what it sends meanwhile waits in its socket. It ends when it breaks the
 * grammar, is idle, does not read what it asked for, or when the vault that knew its session is gone.
 *
 * Whoever may open the socket is a stranger until the vault has let them in. Strangers have a time to do so in, however busy they
 * are, and places of their own number; when those are taken, the user of the host with the most of them loses the oldest. So no
 * stranger keeps out those who are logged in, nor strangers that are other users.
 *
 * Not here:  the frames themselves (desk_frame.h), the vault's side (vault_desk.c).
 */
#ifndef KITEBOX_DAEMON_DESK_ROOM_H
#define KITEBOX_DAEMON_DESK_ROOM_H

#include <sys/types.h>

#include "desk_frame.h"
#include "room.h"

/* What the desk's clocks count in. Tests build a desk with shorter ones. */
#ifndef KB_DESK_SECOND_US
#define KB_DESK_SECOND_US 1000000
#endif

struct kb_desk_room;

struct kb_desk_conn {
	struct kb_desk_conn *next;
	struct kb_desk_room *room;
	uint32_t number; /* as the vault knows it; never used twice while the room lives */
	int fd;
	uid_t uid;            /* of the process that connected */
	uint64_t deadline_us; /* for a stranger; CLOCK_MONOTONIC */
	sd_event_source *io, *clock;
	const struct kb_desk_row *pending; /* the request that the vault has; NULL: none */
	bool asked; /* the vault has heard of it */
	bool logged_in;
	bool ending; /* once what waits is out */
	struct kb_desk_in in;
	struct kb_desk_out out;
};

struct kb_desk_room {
	struct kb_room_host *host;
	struct kb_channel *vault;
	sd_event_source *listener[KB_LISTENERS_MOST];
	size_t listeners;
	struct kb_desk_conn *first; /* the youngest */
	size_t conns, strangers;
	uint32_t last_number;
	struct kb_wire_health_all health;
	bool stopping; /* nothing new; what is under way is finished */
	bool closing;  /* the loop is over */
};

/* desk_conn.c */
/* Takes fd, also when it fails. */
KB_MUST_USE enum kb_status kb_desk_conn_new(struct kb_desk_room *r, int fd);
/* The vault has let c in: it is no stranger any more. */
void kb_desk_conn_login(struct kb_desk_conn *c);
struct kb_desk_conn *kb_desk_conn_find(struct kb_desk_room *r, uint32_t number);
void kb_desk_conn_end(struct kb_desk_conn *c);
/* Queues an answer to the pending request of c; the last one makes way for the next request. Takes a's map and memory. */
void kb_desk_conn_queue(struct kb_desk_conn *c, struct kb_desk_answer *a, bool last);
/* The same, of KB_DESK_ERROR, which is always the last. */
void kb_desk_conn_error(struct kb_desk_conn *c, enum kb_status why, const char *what);
/* Sends what was queued, from outside of kb_desk_ask. c may be gone afterwards. */
void kb_desk_conn_go_on(struct kb_desk_conn *c);

/* desk.c: c has a request at its front, which has become pending; an answer may be queued at once. Never frees c. */
void kb_desk_ask(struct kb_desk_conn *c, const struct kb_desk_row *row, const uint8_t *body);
/* desk.c: the vault has not answered c in time. */
void kb_desk_late(struct kb_desk_conn *c);
/* desk.c: a connection has ended, or is no stranger any more. */
void kb_desk_room_changed(struct kb_desk_room *r);

/* desk_places.c */
/* May one more come, be it that a stranger goes for it? */
bool kb_desk_places_free(const struct kb_desk_room *r);
/* Who has to go because of the one that came last; NULL: nobody. */
struct kb_desk_conn *kb_desk_places_over(const struct kb_desk_room *r);

/* desk_status.c: the answer to STATUS. vault is what the vault said, or NULL when it says nothing. */
void kb_desk_status_answer(const struct kb_wire_health_all *health, const struct kb_desk_status *vault, uint64_t now_s,
    struct kb_desk_answer *ret_a);

#endif
