/*
 * door_conn: one client, from the first octet to the last: the stages it goes through, what its socket waits for, and the
 * clock. See door.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <sodium.h>

#include "door.h"

enum { LINGER_MS = 2000, LINGER_MOST = 1 << 20, SLOWEST = 1024 /* octets a second, of a message */ };

/* ---- stages ---- */

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
	kb_door_still_there(c);
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
    [KB_DOOR_TALKS] = kb_door_turn, [KB_DOOR_SHAKES] = shake, [KB_DOOR_LEAVES] = leave, [KB_DOOR_LINGERS] = linger};

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
	struct kb_smtp_out out = kb_door_out(c->room);
	kb_door_forget(c);
	kb_door_let_go(&c->in);
	kb_smtp_end(&c->smtp, why, &out);
	c->stage = KB_DOOR_LEAVES;
	c->until_ms = kb_room_now_ms(c->room->host) + KB_DOOR_FAREWELL_MS;
	return kb_door_say(c, &out);
}

/* As far as it goes without waiting. c may be gone afterwards. */
static void go_on(struct kb_door_conn *c, bool readable)
{
	enum kb_status st = kb_door_send_held(c);
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

void kb_door_conn_new(struct kb_door *r, int fd, uint8_t kind, const struct kb_door_origin *o, const char *peer)
{
	struct kb_door_conn *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct kb_door_conn){.room = r, .fd = fd, .message = -1, .events = EPOLLIN, .shake_events = EPOLLIN};
	kb_field_set(c->peer, sizeof(c->peer), kb_span_str(peer));
	kb_smtp_init(&c->smtp, kb_room_settings(r->host), kind == KB_LISTEN_LMTP);
	c->smtp.offer_tls = r->pair != NULL;
	c->next = r->first;
	if (r->first)
		r->first->before = c;
	r->first = c;
	kb_door_source_enter(c, o);
	kb_door_still_there(c);
	if (kind == KB_LISTEN_SMTPS) {
		c->stage = KB_DOOR_SHAKES;
		c->until_ms = kb_room_now_ms(r->host) + KB_DOOR_SHAKE_MS;
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
	kb_door_job_orphan(c);
	kb_door_forget(c);
	kb_door_source_leave(c);
	kb_door_let_go(&c->in);
	kb_door_let_go(&c->out);
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

/* Each line puts the silence off; so a message must also come at a certain pace, or a few octets could hold a place for long. */
static uint64_t message_due(const struct kb_door_conn *c)
{
	uint64_t idle_ms = (uint64_t)kb_room_settings(c->room->host)->limit.idle_s * 1000;
	uint64_t pace = c->message_begun_ms + idle_ms + c->smtp.data.octets * 1000 / SLOWEST;
	return pace < c->message_until_ms ? pace : c->message_until_ms;
}

void kb_door_conn_tick(struct kb_door_conn *c, uint64_t now_ms)
{
	bool stopping = c->room->stopping && now_ms >= c->room->stop_until_ms;
	bool late = now_ms >= c->until_ms || (c->smtp.state == KB_SMTP_DATA && now_ms >= message_due(c));
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
