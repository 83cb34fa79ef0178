/*
 * door_turn: as far as a dialogue goes with what is there.
 *
 * What had to wait before and what the socket has now are put together in the room's buffer, the dialogue goes on, and its
 * replies go out in one write; so do the octets of a message that came along, into its memfd. What neither side can take yet
 * is held; while replies are held, or a message is being stored, nothing more is read.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include <sodium.h>

#include "door.h"

enum { PIECES_MOST = 64, MESSAGE_IDLES = 12 };

struct turn {
	struct kb_door_conn *c;
	struct kb_span in, octets;
	struct kb_smtp_out out;
	struct iovec piece[PIECES_MOST]; /* of the message, in the room's buffer */
	int pieces;
	enum kb_status st; /* KB_IO: the connection is gone */
};

/* ---- the message ---- */

void kb_door_forget(struct kb_door_conn *c)
{
	kb_fd_close(&c->message);
	kb_door_flight_less(c->room, c->source, c->octets);
	c->octets = 0;
}

/* What lies behind the first n octets of these pieces. */
static struct iovec *past(struct iovec *at, int *left, size_t n)
{
	for (; *left && n >= at->iov_len; --*left)
		n -= (at++)->iov_len;
	if (*left)
		*at = (struct iovec){(char *)at->iov_base + n, at->iov_len - n};
	return at;
}

/* Writes the pieces that were gathered, in one call as a rule. */
static enum kb_status pour(struct turn *t)
{
	struct kb_door_conn *c = t->c;
	struct iovec *at = t->piece;
	int left = t->pieces;
	t->pieces = 0;
	if (left && c->message < 0 && kb_memfd_new(NULL, "kitebox-message", &c->message) != KB_OK)
		return KB_IO;
	while (left) {
		ssize_t n = writev(c->message, at, left);
		if (n < 0 && errno != EINTR)
			return KB_IO;
		if (n > 0)
			at = past(at, &left, (size_t)n);
	}
	return KB_OK;
}

/* ---- acts ---- */

static bool on_more(struct turn *t)
{
	(void)t;
	return false;
}

static bool on_flush(struct turn *t)
{
	t->st = kb_door_say(t->c, &t->out);
	return t->st == KB_OK && !t->c->out.len;
}

static void no_room(struct kb_door *r)
{
	kb_room_health(r->host, KB_HEALTH_FLIGHT_FULL, true, ++r->full);
}

static bool on_open(struct turn *t)
{
	struct kb_door_conn *c = t->c;
	struct kb_door *r = c->room;
	const struct kb_limits *limit = &kb_room_settings(r->host)->limit;
	bool room = kb_door_flight_fits(c, c->smtp.mail.declared ? c->smtp.mail.declared : 1);
	if (!room)
		no_room(r);
	kb_smtp_open(&c->smtp, room ? KB_OK : KB_BUSY, &t->out);
	c->message_begun_ms = kb_room_now_ms(r->host);
	c->message_until_ms = c->message_begun_ms + (uint64_t)limit->idle_s * 1000 * MESSAGE_IDLES;
	return true;
}

static bool on_octets(struct turn *t)
{
	struct kb_door_conn *c = t->c;
	struct kb_door *r = c->room;
	if (!kb_door_flight_fits(c, t->octets.len)) {
		no_room(r);
		kb_smtp_refuse(&c->smtp, KB_BUSY);
		return true;
	}
	if (t->pieces == PIECES_MOST && pour(t) != KB_OK) {
		kb_smtp_refuse(&c->smtp, KB_AGAIN);
		return true;
	}
	t->piece[t->pieces++] = (struct iovec){(void *)(uintptr_t)t->octets.p, t->octets.len};
	c->octets += t->octets.len;
	kb_door_flight_more(r, c->source, t->octets.len);
	return true;
}

static bool on_drop(struct turn *t)
{
	t->pieces = 0;
	kb_door_forget(t->c);
	return true;
}

static bool on_refused(struct turn *t)
{
	struct kb_door *r = t->c->room;
	kb_room_health(r->host, KB_HEALTH_REFUSED, true, ++r->refused);
	return true;
}

static bool on_whole(struct turn *t)
{
	static const struct kb_id none;
	if (pour(t) == KB_OK && kb_door_submit(t->c) == KB_OK)
		return true;
	kb_door_forget(t->c);
	kb_smtp_answer(&t->c->smtp, KB_AGAIN, &none);
	return on_refused(t);
}

static bool on_secure(struct turn *t)
{
	t->c->stage = KB_DOOR_SHAKES;
	t->c->until_ms = kb_room_now_ms(t->c->room->host) + KB_DOOR_SHAKE_MS;
	return false;
}

static bool on_close(struct turn *t)
{
	t->c->stage = KB_DOOR_LEAVES;
	t->c->until_ms = kb_room_now_ms(t->c->room->host) + KB_DOOR_FAREWELL_MS;
	return false;
}

/* clang-format off */
static bool (*const acts[])(struct turn *t) = {
	/* act                 what it takes here; true: the dialogue goes on */
	[KB_SMTP_MORE]    = on_more,
	[KB_SMTP_FLUSH]   = on_flush,
	[KB_SMTP_OPEN]    = on_open,
	[KB_SMTP_OCTETS]  = on_octets,
	[KB_SMTP_DROP]    = on_drop,
	[KB_SMTP_REFUSED] = on_refused,
	[KB_SMTP_WHOLE]   = on_whole,
	[KB_SMTP_SECURE]  = on_secure,
	[KB_SMTP_WAIT]    = on_more,
	[KB_SMTP_CLOSE]   = on_close,
};
/* clang-format on */

/* ---- a turn ---- */

struct kb_smtp_out kb_door_out(struct kb_door *r)
{
	return (struct kb_smtp_out){r->out, 0, sizeof(r->out)};
}

static enum kb_status greet(struct kb_door_conn *c)
{
	struct kb_door *r = c->room;
	struct kb_smtp_out out = kb_door_out(r);
	size_t n = 0;
	enum kb_status st = kb_door_read(c, r->buffer, KB_DOOR_READ, &n);
	sodium_memzero(r->buffer, n);
	if (st == KB_IO)
		return st;
	kb_smtp_greet(&c->smtp, st == KB_OK, &out);
	return kb_door_say(c, &out);
}

enum kb_status kb_door_turn(struct kb_door_conn *c, bool readable)
{
	struct kb_door *r = c->room;
	struct turn t = {.c = c, .out = kb_door_out(r)};
	size_t held = c->in.len, got = 0;
	enum kb_status st = c->smtp.state == KB_SMTP_NEW ? greet(c) : KB_OK;
	if (held)
		memcpy(r->buffer, c->in.p, held);
	kb_door_let_go(&c->in);
	if (st == KB_OK && readable && !c->job && held <= KB_DOOR_READ)
		st = kb_door_read(c, r->buffer + held, KB_DOOR_READ, &got);
	t.in = KB_SPAN(r->buffer, held + got);
	t.st = st == KB_AGAIN ? KB_OK : st;
	while (t.st == KB_OK && acts[kb_smtp_next(&c->smtp, &t.in, &t.out, &t.octets)](&t))
		;
	if (pour(&t) != KB_OK)
		kb_smtp_refuse(&c->smtp, KB_AGAIN);
	kb_door_hold(&c->in, t.in);
	if (t.in.len < held + got && !c->smtp.skipping) /* half a line says nothing */
		kb_door_still_there(c);
	sodium_memzero(r->buffer, held + got);
	return t.st == KB_OK ? kb_door_say(c, &t.out) : t.st;
}
