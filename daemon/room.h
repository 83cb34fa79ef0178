/*
 * room: the life that all rooms share, so that each file of daemon/ holds only its own work.
 *
 * kb_room_main: hardens the process (undumpable, no core, no new privileges, umask 077, SIGPIPE ignored), starts libsodium
 * and the loop, takes everything that the supervisor hands over on descriptor 3 until GO, calls spec->open, closes the
 * sandbox (sandbox.h), says READY, runs until STOP, calls spec->close, and exits 0. A lost supervisor ends the room.
 *
 * A room's file starts with its struct kb_room_spec: what it holds, may do and talks to is the first screen.
 *
 * Not here:   the rooms' work; the sandbox's tables (sandbox.c).
 */
#ifndef KITEBOX_DAEMON_ROOM_H
#define KITEBOX_DAEMON_ROOM_H

#include "channel.h"
#include "health.h"

enum { KB_ROOM_CONTROL_FD = 3, KB_ROOM_FILES_MOST = 32 };

struct kb_room_host; /* the shared side; opaque to rooms */

struct kb_room_file {
	enum kb_file kind;
	uint32_t index;
	int fd; /* owned by the host until a room takes it by setting -1 */
};

struct kb_room_spec {
	enum kb_room room;
	/* Before the sandbox closes: read keys, open LMDB or character sets. Sets *ret_self, given to everything below. */
	enum kb_status (*open)(struct kb_room_host *h, struct kb_diag *d, void **ret_self);
	/* After it closed: listen, send first messages. May be NULL. */
	enum kb_status (*start)(void *self, struct kb_diag *d);
	/* A new or replaced channel end to a sibling (also those that came before GO, after start). The room makes the channel. */
	enum kb_status (*peer)(void *self, enum kb_room room, uint32_t index, int fd);
	/* Settings changed by SIGHUP (kb_room_settings already gives the new ones); files that came again. May be NULL. */
	void (*reload)(void *self);
	/* Take nothing new; call kb_room_done when nothing is under way any more. NULL: done at once. */
	void (*stop)(void *self);
	void (*close)(void **self);
	/* Messages of the control channel that only this room takes (OUTBOX_KEY, HEALTH_ALL). May be NULL. */
	enum kb_status (*control)(void *self, uint16_t type, const void *body, size_t size);
};

int kb_room_main(const struct kb_room_spec *spec);

sd_event *kb_room_loop(struct kb_room_host *h);
const struct kb_settings *kb_room_settings(const struct kb_room_host *h);
uint32_t kb_room_index(const struct kb_room_host *h);
/* The file of that kind and index, or NULL. */
struct kb_room_file *kb_room_file(struct kb_room_host *h, enum kb_file kind, uint32_t index);
/* Wall clock in seconds and monotonic clock in milliseconds, as of this turn of the loop. */
uint64_t kb_room_now_s(const struct kb_room_host *h);
uint64_t kb_room_now_ms(const struct kb_room_host *h);
/* Raises or takes back a condition; sent to the supervisor when it changes (counts at most once a second). */
void kb_room_health(struct kb_room_host *h, enum kb_health code, bool on, uint64_t count);
/* For a peer channel's on_closed: when the sibling broke the rules (why is neither KB_OK nor KB_IO), the supervisor ends it and
 * starts it again; when it merely ended, or this process could not go on with it (KB_IO), the supervisor is told of the lost
 * channel. Each time a new channel end comes by spec->peer. */
void kb_room_peer_closed(struct kb_room_host *h, enum kb_room room, uint32_t index, enum kb_status why);
/* Sends to the supervisor: KB_WIRE_HUNG, KB_WIRE_LOST, KB_WIRE_RUN. */
KB_MUST_USE enum kb_status kb_room_control_send(struct kb_room_host *h, uint16_t type, const void *body, size_t size, const int *fds, size_t n);
/* Ends the loop with this exit status (0 after stop; else the supervisor starts the room again). */
void kb_room_done(struct kb_room_host *h, int status);
/* One line on standard error, in journald's "<N>" form: a literal, a status and numbers; never content. */
void kb_room_log(struct kb_room_host *h, int priority, const struct kb_diag *d, const char *literal);

#endif
