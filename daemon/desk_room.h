/*
 * desk_room: what the files of the desk share.
 *
 * A connection has at most one request with the vault; what it sends meanwhile waits in its socket. It ends when it breaks the
 * grammar, is idle, does not read what it asked for, or when the vault that knew its session is gone.
 *
 * Not here:  the frames themselves (desk_frame.h), the vault's side (vault_desk.c).
 */
#ifndef KITEBOX_DAEMON_DESK_ROOM_H
#define KITEBOX_DAEMON_DESK_ROOM_H

#include "desk_frame.h"
#include "room.h"

struct kb_desk_room;

struct kb_desk_conn {
	struct kb_desk_conn *next;
	struct kb_desk_room *room;
	uint32_t number; /* as the vault knows it; never used twice while the room lives */
	int fd;
	sd_event_source *io, *clock;
	const struct kb_desk_row *pending; /* the request that the vault has; NULL: none */
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
	struct kb_desk_conn *first;
	size_t conns;
	uint32_t last_number;
	struct kb_wire_health_all health;
	bool stopping; /* nothing new; what is under way is finished */
	bool closing;  /* the loop is over */
};

/* desk_conn.c */
KB_MUST_USE enum kb_status kb_desk_conn_new(struct kb_desk_room *r, int fd);
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
/* desk.c: there is room for a connection again. */
void kb_desk_room_freed(struct kb_desk_room *r);

/* desk_status.c: the answer to STATUS. vault is what the vault said, or NULL when it says nothing. */
void kb_desk_status_answer(const struct kb_wire_health_all *health, const struct kb_desk_status *vault, uint64_t now_s,
    struct kb_desk_answer *ret_a);

#endif
