/*
 * door_conn: one client: its socket, what waits in either direction, and the message that is coming in. See door.h.
 *
 * A turn: what had to wait before and what the socket has now are put together in the room's buffer, the dialogue goes on
 * as far as it can, and its replies go out in one write. What neither side can take yet is held; while replies are held,
 * or a message is being stored, nothing more is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <sodium.h>

#include "door.h"

enum { PIECES_MOST = 64, SHAKE_MS = 30000, FAREWELL_MS = 10000, LINGER_MS = 2000, LINGER_MOST = 1 << 20, MESSAGE_IDLES = 12 };

struct turn {
	struct kb_door_conn *c;
	struct kb_span in, octets;
	struct kb_smtp_out out;
	struct iovec piece[PIECES_MOST]; /* of the message, in the room's buffer */
	int pieces;
	enum kb_status st; /* KB_IO: the connection is gone */
};

/* ---- what waits ---- */

static void let_go(struct kb_door_held *h)
{
	if (h->p)
		sodium_memzero(h->p, h->len);
	free(h->p);
	*h = (struct kb_door_held){0};
}

static void hold(struct kb_door_held *h, struct kb_span s)
{
	if (!s.len)
		return;
	uint8_t *p = malloc(h->len + s.len);
	if (!p)
		abort();
	if (h->len)
		memcpy(p, h->p, h->len);
	memcpy(p + h->len, s.p, s.len);
	size_t len = h->len + s.len;
	let_go(h);
	*h = (struct kb_door_held){p, len};
}

static void drop(struct kb_door_held *h, size_t n)
{
	struct kb_door_held rest = {0};
	hold(&rest, kb_span_from(KB_SPAN(h->p, h->len), n));
	let_go(h);
	*h = rest;
}

/* ---- the socket ---- */

static enum kb_status read_some(struct kb_door_conn *c, uint8_t *to, size_t room, size_t *ret_n)
{
	if (c->tls)
		return kb_door_tls_read(c->tls, to, room, ret_n);
	ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KB_AGAIN : KB_IO;
	*ret_n = (size_t)n;
	return n ? KB_OK : KB_IO;
}

static enum kb_status write_some(struct kb_door_conn *c, struct kb_span s, size_t *ret_n)
{
	if (c->tls)
		return kb_door_tls_write(c->tls, s, ret_n);
	ssize_t n = send(c->fd, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KB_AGAIN : KB_IO;
	*ret_n = (size_t)n;
	return KB_OK;
}

static void still_there(struct kb_door_conn *c)
{
	if (c->stage == KB_DOOR_TALKS)
		c->until_ms = kb_room_now_ms(c->room->host) + kb_room_settings(c->room->host)->limit.idle_s * UINT64_C(1000);
}

/* As much as the socket takes now. */
static enum kb_status send_now(struct kb_door_conn *c, struct kb_span s, size_t *ret_sent)
{
	enum kb_status st = KB_OK;
	size_t n = 0;
	*ret_sent = 0;
	while (st == KB_OK && *ret_sent < s.len) {
		st = write_some(c, kb_span_from(s, *ret_sent), &n);
		*ret_sent += st == KB_OK ? n : 0;
	}
	if (*ret_sent)
		still_there(c);
	return st == KB_AGAIN ? KB_OK : st;
}

static enum kb_status send_held(struct kb_door_conn *c)
{
	size_t sent = 0;
	if (!c->out.len)
		return KB_OK;
	enum kb_status st = send_now(c, KB_SPAN(c->out.p, c->out.len), &sent);
	drop(&c->out, sent);
	return st;
}

static enum kb_status say(struct kb_door_conn *c, struct kb_smtp_out *out)
{
	struct kb_span s = KB_SPAN(out->p, out->len);
	size_t sent = 0;
	enum kb_status st = c->out.len ? KB_OK : send_now(c, s, &sent);
	hold(&c->out, kb_span_from(s, sent));
	out->len = 0;
	return st;
}

/* ---- the message ---- */

static void forget(struct kb_door_conn *c)
{
	kb_fd_close(&c->message);
	c->room->flight -= c->octets;
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
	t->st = say(t->c, &t->out);
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
	uint64_t declared = c->smtp.mail.declared;
	bool room = r->flight < limit->flight_octets && declared <= limit->flight_octets - r->flight;
	if (!room)
		no_room(r);
	kb_smtp_open(&c->smtp, room ? KB_OK : KB_BUSY, &t->out);
	c->message_until_ms = kb_room_now_ms(r->host) + (uint64_t)limit->idle_s * 1000 * MESSAGE_IDLES;
	return true;
}

static bool on_octets(struct turn *t)
{
	struct kb_door_conn *c = t->c;
	struct kb_door *r = c->room;
	if (r->flight + t->octets.len > kb_room_settings(r->host)->limit.flight_octets) {
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
	r->flight += t->octets.len;
	return true;
}

static bool on_drop(struct turn *t)
{
	t->pieces = 0;
	forget(t->c);
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
	forget(t->c);
	kb_smtp_answer(&t->c->smtp, KB_AGAIN, &none);
	return on_refused(t);
}

static bool on_secure(struct turn *t)
{
	t->c->stage = KB_DOOR_SHAKES;
	t->c->until_ms = kb_room_now_ms(t->c->room->host) + SHAKE_MS;
	return false;
}

static bool on_close(struct turn *t)
{
	t->c->stage = KB_DOOR_LEAVES;
	t->c->until_ms = kb_room_now_ms(t->c->room->host) + FAREWELL_MS;
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

/* ---- a turn, by stage ---- */

static struct kb_smtp_out empty_out(struct kb_door *r)
{
	return (struct kb_smtp_out){r->out, 0, sizeof(r->out)};
}

static enum kb_status greet(struct kb_door_conn *c)
{
	struct kb_door *r = c->room;
	struct kb_smtp_out out = empty_out(r);
	size_t n = 0;
	enum kb_status st = read_some(c, r->buffer, KB_DOOR_READ, &n);
	sodium_memzero(r->buffer, n);
	if (st == KB_IO)
		return st;
	kb_smtp_greet(&c->smtp, st == KB_OK, &out);
	return say(c, &out);
}

static enum kb_status talk(struct kb_door_conn *c, bool readable)
{
	struct kb_door *r = c->room;
	struct turn t = {.c = c, .out = empty_out(r)};
	size_t held = c->in.len, got = 0;
	enum kb_status st = c->smtp.state == KB_SMTP_NEW ? greet(c) : KB_OK;
	if (held)
		memcpy(r->buffer, c->in.p, held);
	let_go(&c->in);
	if (st == KB_OK && readable && !c->job && held <= KB_DOOR_READ)
		st = read_some(c, r->buffer + held, KB_DOOR_READ, &got);
	if (st == KB_IO)
		return st;
	t.in = KB_SPAN(r->buffer, held + got);
	while (acts[kb_smtp_next(&c->smtp, &t.in, &t.out, &t.octets)](&t))
		;
	if (pour(&t) != KB_OK)
		kb_smtp_refuse(&c->smtp, KB_AGAIN);
	hold(&c->in, t.in);
	if (t.in.len < held + got && !c->smtp.skipping) /* half a line says nothing */
		still_there(c);
	sodium_memzero(r->buffer, held + got);
	return t.st == KB_OK ? say(c, &t.out) : t.st;
}

static enum kb_status shake(struct kb_door_conn *c, bool readable)
{
	enum kb_status st = KB_OK;
	(void)readable;
	if (!c->tls)
		st = c->room->pair ? kb_door_tls_new(c->room->pair, c->fd, &c->tls) : KB_IO;
	if (st == KB_OK)
		st = kb_door_tls_shake(c->tls, &c->shake_events);
	if (st == KB_AGAIN)
		return KB_OK;
	if (st != KB_OK)
		return st;
	kb_smtp_secured(&c->smtp);
	c->stage = KB_DOOR_TALKS;
	still_there(c);
	return KB_OK;
}

/* Whoever said QUIT reads on no longer; to others the last reply must get through, whatever they are still sending. */
static enum kb_status leave(struct kb_door_conn *c, bool readable)
{
	(void)readable;
	if (c->tls)
		kb_door_tls_bye(c->tls);
	if (!c->smtp.ends || shutdown(c->fd, SHUT_WR) < 0)
		return KB_IO;
	c->stage = KB_DOOR_LINGERS;
	c->until_ms = kb_room_now_ms(c->room->host) + LINGER_MS;
	return KB_OK;
}

static enum kb_status linger(struct kb_door_conn *c, bool readable)
{
	if (!readable)
		return KB_OK;
	ssize_t n = recv(c->fd, c->room->buffer, KB_DOOR_READ, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KB_OK : KB_IO;
	sodium_memzero(c->room->buffer, (size_t)n);
	c->lingered += (uint64_t)n;
	return n && c->lingered < LINGER_MOST ? KB_OK : KB_IO;
}

static enum kb_status (*const stages[])(struct kb_door_conn *c, bool readable) = {
    [KB_DOOR_TALKS] = talk, [KB_DOOR_SHAKES] = shake, [KB_DOOR_LEAVES] = leave, [KB_DOOR_LINGERS] = linger};

static void watch(struct kb_door_conn *c, uint32_t events)
{
	if (c->events == events)
		return;
	if (sd_event_source_set_io_events(c->io, events) < 0)
		abort();
	c->events = events;
}

static void arm(struct kb_door_conn *c)
{
	if (c->out.len)
		watch(c, EPOLLOUT);
	else if (c->stage == KB_DOOR_SHAKES)
		watch(c, c->shake_events);
	else if (!c->job) /* else on_io decides: a client that says nothing meanwhile costs no call */
		watch(c, EPOLLIN);
}

/* Between messages a room that stops lets its clients go. */
static bool is_to_go(const struct kb_door_conn *c)
{
	return c->room->stopping && c->stage == KB_DOOR_TALKS && c->smtp.state >= KB_SMTP_STRANGER && c->smtp.state <= KB_SMTP_RCPT;
}

static enum kb_status dismiss(struct kb_door_conn *c, enum kb_smtp_end why)
{
	struct kb_smtp_out out = empty_out(c->room);
	forget(c);
	let_go(&c->in);
	kb_smtp_end(&c->smtp, why, &out);
	c->stage = KB_DOOR_LEAVES;
	c->until_ms = kb_room_now_ms(c->room->host) + FAREWELL_MS;
	return say(c, &out);
}

/* As far as it goes without waiting. c may be gone afterwards. */
static void go_on(struct kb_door_conn *c, bool readable)
{
	enum kb_status st = send_held(c);
	bool moved = true;
	while (st == KB_OK && !c->out.len && moved) {
		uint8_t before = c->stage;
		st = stages[before](c, readable);
		readable = false;
		if (st == KB_OK && is_to_go(c))
			st = dismiss(c, KB_SMTP_STOPPING);
		moved = c->stage != before;
	}
	if (st == KB_OK)
		arm(c);
	else
		kb_door_conn_end(c);
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct kb_door_conn *c = ctx;
	(void)s, (void)fd;
	if (!c->job || c->out.len)
		go_on(c, events & ~(uint32_t)EPOLLOUT);
	else if (events & (EPOLLHUP | EPOLLERR))
		kb_door_conn_end(c); /* its message goes on without it */
	else
		watch(c, 0);
	return 0;
}

/* ---- its life ---- */

void kb_door_conn_new(struct kb_door *r, int fd, uint8_t kind, const char *peer)
{
	struct kb_door_conn *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct kb_door_conn){.room = r, .fd = fd, .message = -1, .events = EPOLLIN, .shake_events = EPOLLIN};
	kb_field_set(c->peer, sizeof(c->peer), kb_span_str(peer));
	kb_smtp_init(&c->smtp, kb_room_settings(r->host), kind == KB_LISTEN_LMTP);
	c->smtp.offer_tls = r->pair && kind == KB_LISTEN_SMTP;
	c->next = r->first;
	if (r->first)
		r->first->before = c;
	r->first = c;
	r->conns++;
	still_there(c);
	if (kind == KB_LISTEN_SMTPS) {
		c->stage = KB_DOOR_SHAKES;
		c->until_ms = kb_room_now_ms(r->host) + SHAKE_MS;
	}
	kb_door_wake(r);
	if (sd_event_add_io(kb_room_loop(r->host), &c->io, fd, EPOLLIN, on_io, c) < 0)
		kb_door_conn_end(c);
	else
		go_on(c, false);
}

void kb_door_conn_end(struct kb_door_conn *c)
{
	struct kb_door *r = c->room;
	if (c->next)
		c->next->before = c->before;
	*(c->before ? &c->before->next : &r->first) = c->next;
	r->conns--;
	kb_door_job_orphan(c);
	forget(c);
	let_go(&c->in);
	let_go(&c->out);
	c->io = sd_event_source_disable_unref(c->io);
	kb_door_tls_free(&c->tls);
	kb_fd_close(&c->fd);
	sodium_memzero(c, sizeof(*c));
	free(c);
	kb_door_less(r);
}

void kb_door_conn_answered(struct kb_door_conn *c, enum kb_status st, const struct kb_id *id)
{
	kb_smtp_answer(&c->smtp, st, id);
	go_on(c, false);
}

void kb_door_conn_tick(struct kb_door_conn *c, uint64_t now_ms)
{
	bool stopping = c->room->stopping && now_ms >= c->room->stop_until_ms;
	bool late = now_ms >= c->until_ms || (c->smtp.state == KB_SMTP_DATA && now_ms >= c->message_until_ms);
	if (c->job || !(late || (stopping && c->stage == KB_DOOR_TALKS)))
		return;
	/* Whoever does not read what was said would not read that either. */
	if (c->stage != KB_DOOR_TALKS || c->out.len || dismiss(c, stopping ? KB_SMTP_STOPPING : KB_SMTP_IDLE) != KB_OK)
		kb_door_conn_end(c);
	else
		go_on(c, false);
}

void kb_door_conn_stop(struct kb_door_conn *c)
{
	if (c->stage == KB_DOOR_SHAKES)
		kb_door_conn_end(c);
	else
		go_on(c, false);
}
