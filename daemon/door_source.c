/*
 * door_source: where clients come from, and how much of the door one such place may take. See door.h.
 *
 * A place is an IPv4 address, or a /64 of IPv6: whoever has one address of it has them all. What is the office's own (a Unix
 * socket, an LMTP listener) is one place without a share: the mail of everybody comes from there. A place is remembered while
 * a connection or a message of it is.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"

/* RESERVE: that part of all connections is kept for what is the office's own. */
enum { SHARE = 4, SHARE_LEAST = 8, RESERVE = 10, OCTETS_SHARE = 2 };

struct kb_door_source {
	struct kb_door_source *next;
	struct kb_door_origin origin;
	uint32_t conns, jobs;
	uint64_t octets; /* of room->flight */
};

struct kb_door_origin kb_door_origin(const struct sockaddr *a, uint8_t kind)
{
	struct kb_door_origin o = {.own = kind == KB_LISTEN_LMTP || (a->sa_family != AF_INET && a->sa_family != AF_INET6)};
	if (o.own)
		return o;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
	if (a->sa_family == AF_INET)
		memcpy(o.net, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
	else if (IN6_IS_ADDR_V4MAPPED(v6)) /* by a listener that takes both */
		memcpy(o.net, v6->s6_addr + 12, 4);
	else
		memcpy(o.net, v6->s6_addr, sizeof(o.net));
	o.v6 = a->sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(v6);
	return o;
}

static bool is_same(const struct kb_door_origin *a, const struct kb_door_origin *b)
{
	return a->own == b->own && a->v6 == b->v6 && memcmp(a->net, b->net, sizeof(a->net)) == 0;
}

/* The bucket that has it, or would. */
static struct kb_door_source **bucket(struct kb_door *r, const struct kb_door_origin *o)
{
	unsigned h = 5381;
	for (size_t i = 0; i < sizeof(o->net); i++)
		h = h * 33 + o->net[i];
	return &r->sources[h % KB_DOOR_BUCKETS];
}

static struct kb_door_source *find(struct kb_door *r, const struct kb_door_origin *o)
{
	struct kb_door_source *s = *bucket(r, o);
	while (s && !is_same(&s->origin, o))
		s = s->next;
	return s;
}

bool kb_door_admits(struct kb_door *r, const struct kb_door_origin *o, enum kb_smtp_end *ret_why)
{
	uint32_t most = kb_room_settings(r->host)->limit.connections;
	uint32_t share = most / SHARE < SHARE_LEAST ? SHARE_LEAST : most / SHARE;
	const struct kb_door_source *s = find(r, o);
	*ret_why = KB_SMTP_CROWDED;
	if (r->conns >= most)
		return false;
	if (o->own)
		return true;
	if (s && s->conns >= share) {
		*ret_why = KB_SMTP_GREEDY;
		return false;
	}
	return r->strangers < most - most / RESERVE;
}

void kb_door_source_enter(struct kb_door_conn *c, const struct kb_door_origin *o)
{
	struct kb_door *r = c->room;
	struct kb_door_source *s = find(r, o), **at = bucket(r, o);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			abort();
		*s = (struct kb_door_source){.next = *at, .origin = *o};
		*at = s;
	}
	s->conns++;
	r->conns++;
	r->strangers += !o->own;
	c->source = s;
}

static void forget_idle(struct kb_door *r, struct kb_door_source *s)
{
	struct kb_door_source **at = bucket(r, &s->origin);
	if (s->conns || s->jobs)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
}

void kb_door_source_leave(struct kb_door_conn *c)
{
	struct kb_door *r = c->room;
	struct kb_door_source *s = KB_TAKE(c->source);
	s->conns--;
	r->conns--;
	r->strangers -= !s->origin.own;
	forget_idle(r, s);
}

struct kb_door_source *kb_door_source_job(struct kb_door_conn *c)
{
	c->source->jobs++;
	return c->source;
}

void kb_door_source_job_end(struct kb_door *r, struct kb_door_source *s)
{
	s->jobs--;
	forget_idle(r, s);
}

static bool fits(uint64_t used, uint64_t n, uint64_t most)
{
	return used <= most && n <= most - used;
}

bool kb_door_flight_fits(const struct kb_door_conn *c, uint64_t n)
{
	const struct kb_limits *limit = &kb_room_settings(c->room->host)->limit;
	uint64_t share = limit->flight_octets / OCTETS_SHARE;
	if (share < limit->message_octets) /* one message of the longest there may always be */
		share = limit->message_octets;
	return fits(c->room->flight, n, limit->flight_octets) && (c->source->origin.own || fits(c->source->octets, n, share));
}

void kb_door_flight_more(struct kb_door *r, struct kb_door_source *s, uint64_t n)
{
	r->flight += n;
	s->octets += n;
}

void kb_door_flight_less(struct kb_door *r, struct kb_door_source *s, uint64_t n)
{
	r->flight -= n;
	s->octets -= n;
}
