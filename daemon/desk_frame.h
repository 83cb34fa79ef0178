/*
 * desk_frame: the octets between kite and the desk, without I/O: requests taken apart, answers put together.
 *
 * In: octets go into kb_desk_in as they come; kb_desk_in_next gives the request that stands at the front. What is no request,
 * or not of its exact size, is refused once the eight octets of its head are there.
 * Out: answers queue in kb_desk_out, which says at any moment what is to be written next. A body stays where it is (a map, or
 * memory of its own) and is cut into KB_DESK_DATA frames on the way, so that nothing grows with the size of a message.
 *
 * Ownership:  kb_desk_out_add takes the answer's map and memory; release lets go of everything that waits.
 * Errors:     KB_AGAIN more octets are needed; KB_MALFORMED the connection ends.
 * Limits:     a request: KB_DESK_IN_MOST octets; answers that wait: KB_DESK_OUT_MOST.
 * Standard:   desk.h.
 * Not here:   connections (desk_conn.h), what is answered (desk.c).
 */
#ifndef KITEBOX_DAEMON_DESK_FRAME_H
#define KITEBOX_DAEMON_DESK_FRAME_H

#include <kitebox/desk.h>
#include <kitebox/memfd.h>

#include "wire.h"

enum {
	KB_DESK_HEAD = sizeof(struct kb_desk_frame),
	KB_DESK_IN_MOST = KB_DESK_HEAD + KB_ASK_BODY,
	KB_DESK_OUT_MOST = KB_DESK_OPEN_MOST + 2,
};

struct kb_desk_in {
	size_t fill;
	uint8_t octets[KB_DESK_IN_MOST];
};

/* Where the next octets go; never empty when kb_desk_in_next has said KB_AGAIN. */
struct kb_desk_in_room {
	uint8_t *p;
	size_t len;
};
struct kb_desk_in_room kb_desk_in_room(struct kb_desk_in *in);
void kb_desk_in_filled(struct kb_desk_in *in, size_t n);
/* The request at the front; *ret_body has ret_row->size octets and is good until kb_desk_in_drop. */
KB_MUST_USE enum kb_status kb_desk_in_next(const struct kb_desk_in *in, const struct kb_desk_row **ret_row, const uint8_t **ret_body);
/* Is everything of a request zero that must be: reserved fields, and ids behind the last? */
bool kb_desk_spare_is_zero(const struct kb_desk_row *row, const uint8_t *body);
/* Takes the request at the front away, and wipes it. */
void kb_desk_in_drop(struct kb_desk_in *in);

struct kb_desk_answer {
	uint16_t type, len;
	bool end;          /* KB_DESK_END follows */
	struct kb_map map; /* the body, or */
	uint8_t *memory;   /* the body, from malloc, of memory_len octets; NULL: none */
	size_t memory_len;
	uint8_t body[KB_ANSWER_BODY]; /* of the frame itself: len octets */
};

struct kb_desk_out {
	struct kb_desk_answer *answer[KB_DESK_OUT_MOST];
	size_t first, n;
	/* the frame under way, of answer[first] */
	uint8_t head[KB_DESK_HEAD];
	struct kb_span payload;
	size_t sent;    /* octets of head and payload that are out */
	uint64_t at;    /* octets of the body that are in frames */
	unsigned stage; /* what the frame is */
};

/* Takes map and memory of *a, and a's own octets as a copy. KB_LIMIT: too many wait; then nothing is taken. */
KB_MUST_USE enum kb_status kb_desk_out_add(struct kb_desk_out *out, struct kb_desk_answer *a);
bool kb_desk_out_empty(const struct kb_desk_out *out);
/* What is to be written next, as two spans of which the first may be empty; both are empty when nothing waits. */
void kb_desk_out_next(struct kb_desk_out *out, struct kb_span ret_s[static 2]);
/* n octets of that are out. */
void kb_desk_out_sent(struct kb_desk_out *out, size_t n);
void kb_desk_out_release(struct kb_desk_out *out);
void kb_desk_answer_release(struct kb_desk_answer *a);

#endif
