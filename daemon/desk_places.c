/*
 * desk_places: who may stay when more connect than there are places. See desk_room.h.
 *
 * No stranger is turned away for another user's: the newcomer stays, and the user with the most strangers loses the oldest of
 * them, which may be the newcomer's own. Whoever is logged in stays; as the vault lets each person in so many times and no more,
 * there is always a place beside those of all people.
 */
#include "desk_room.h"

enum { CONNECTIONS_MOST = 536, STRANGERS_MOST = 32 };
_Static_assert(CONNECTIONS_MOST == KB_PERSONS_MOST * KB_DESK_SESSIONS_MOST + STRANGERS_MOST, "a place for each session there can be");

bool kb_desk_places_free(const struct kb_desk_room *r)
{
	return r->conns < CONNECTIONS_MOST || r->strangers > 0;
}

static size_t strangers_of(const struct kb_desk_room *r, uid_t uid)
{
	size_t n = 0;
	for (const struct kb_desk_conn *c = r->first; c; c = c->next)
		n += !c->logged_in && c->uid == uid;
	return n;
}

struct kb_desk_conn *kb_desk_places_over(const struct kb_desk_room *r)
{
	struct kb_desk_conn *over = NULL;
	size_t most = 0;
	if (r->strangers <= STRANGERS_MOST && r->conns <= CONNECTIONS_MOST)
		return NULL;
	for (struct kb_desk_conn *c = r->first; c; c = c->next) {
		size_t n = c->logged_in ? 0 : strangers_of(r, c->uid);
		if (n && n >= most) { /* of as many, the older one: it comes later */
			most = n;
			over = c;
		}
	}
	return over;
}
