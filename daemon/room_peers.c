/* room_peers: see room_peers.h. */
#include "room_peers.h"

#include <sys/stat.h>

/* Its place, or the first that is free. */
static size_t place_of(const struct kb_room_peers *p, uint32_t room, uint32_t index)
{
	size_t i = 0;

	while (i < p->n && !(p->newest[i].peer.room == room && p->newest[i].peer.index == index))
		i++;
	return i;
}

enum kb_status kb_room_peers_note(struct kb_room_peers *p, const struct kb_wire_peer *peer, int fd)
{
	size_t i = place_of(p, peer->room, peer->index);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return KB_IO;
	if (i == KB_ROOM_PEERS_MOST)
		return KB_LIMIT;
	if (i == p->n)
		p->n++;
	p->newest[i].peer = *peer;
	p->newest[i].fd = fd;
	p->newest[i].inode = st.st_ino;
	return KB_OK;
}

bool kb_room_peers_lost(const struct kb_room_peers *p, enum kb_room room, uint32_t index, struct kb_wire_peer *ret_peer)
{
	size_t i = place_of(p, room, index);
	struct stat st;

	if (i == p->n || p->newest[i].peer.link == 0 || (fstat(p->newest[i].fd, &st) == 0 && st.st_ino == p->newest[i].inode))
		return false;
	*ret_peer = p->newest[i].peer;
	return true;
}
