/*
 * room_peers: which channel to a sibling is the newest, so that a room says LOST of that one alone.
 *
 * A channel that was replaced ends as well, and mostly later: of it there is nothing to say. The newest one is there for as
 * long as its descriptor is the very socket that came.
 *
 * Not here:  the channels, which are the rooms' (channel.h).
 */
#ifndef KITEBOX_DAEMON_ROOM_PEERS_H
#define KITEBOX_DAEMON_ROOM_PEERS_H

#include <sys/types.h>

#include "wire.h"

enum { KB_ROOM_PEERS_MOST = 32 };

struct kb_room_peers {
	struct {
		struct kb_wire_peer peer;
		int fd;
		ino_t inode;
	} newest[KB_ROOM_PEERS_MOST];
	size_t n;
};

/* fd is the new channel's end; it stays the caller's. */
KB_MUST_USE enum kb_status kb_room_peers_note(struct kb_room_peers *p, const struct kb_wire_peer *peer, int fd);
/* A channel to that sibling has ended. True: it was the newest, and has a number by which the supervisor knows it. */
KB_MUST_USE bool kb_room_peers_lost(const struct kb_room_peers *p, enum kb_room room, uint32_t index, struct kb_wire_peer *ret_peer);

#endif
