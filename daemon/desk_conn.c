/*
 * desk_conn: one connection of the desk: its socket, its clock, and the order of requests and answers. See desk_room.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "desk_room.h"

/*
 * STRANGER_S: from the connection on, until they are logged in; a person types a passphrase meanwhile.
 * FRAMES_A_TURN: one that is sent a large case must not keep the others waiting.
 */
enum { IDLE_S = 300, STRANGER_S = 60, VAULT_S = 60, STATUS_S = 5, FRAMES_A_TURN = 32 };

static uint64_t now_us(const struct kb_desk_conn *c)
{
	uint64_t us;
	if (sd_event_now(kb_room_loop(c->room->host), CLOCK_MONOTONIC, &us) < 0)
		abort();
	return us;
}

static uint64_t in_s(const struct kb_desk_conn *c, uint64_t s)
{
	return now_us(c) + s * KB_DESK_SECOND_US;
}

/* What it waits for is then the vault's to answer in its own time: that is not held against a stranger. */
static void arm(struct kb_desk_conn *c)
{
	uint64_t us = c->logged_in ? in_s(c, IDLE_S) : c->deadline_us;
	if (c->pending)
		us = in_s(c, c->pending->type == KB_DESK_STATUS ? STATUS_S : VAULT_S);
	if (sd_event_source_set_time(c->clock, us) < 0 || sd_event_source_set_enabled(c->clock, SD_EVENT_ONESHOT) < 0)
		abort();
	uint32_t events = kb_desk_out_empty(&c->out) ? 0 : (uint32_t)EPOLLOUT;
	if (!events && !c->pending)
		events = EPOLLIN;
	if (sd_event_source_set_io_events(c->io, events) < 0)
		abort();
}

/* Writes what waits, as far as the socket takes it. KB_IO: the connection is gone. */
static enum kb_status flush(struct kb_desk_conn *c)
{
	for (unsigned i = 0; i < FRAMES_A_TURN && !kb_desk_out_empty(&c->out); i++) {
		struct kb_span s[2];
		kb_desk_out_next(&c->out, s);
		struct iovec iov[2] = {{(void *)(uintptr_t)s[0].p, s[0].len}, {(void *)(uintptr_t)s[1].p, s[1].len}};
		const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
		ssize_t n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? KB_OK : KB_IO;
		kb_desk_out_sent(&c->out, (size_t)n);
	}
	return KB_OK;
}

/* Takes the connection as far as it goes without waiting. Anything but KB_OK: it is to end. */
static enum kb_status advance(struct kb_desk_conn *c)
{
	const struct kb_desk_row *row;
	const uint8_t *body;
	for (;;) {
		enum kb_status st = flush(c);
		if (st != KB_OK)
			return st;
		if (!kb_desk_out_empty(&c->out) || c->pending)
			break;
		if (c->ending || (!c->logged_in && now_us(c) >= c->deadline_us))
			return KB_SEQUENCE;
		st = kb_desk_in_next(&c->in, &row, &body);
		if (st == KB_AGAIN)
			break;
		if (st != KB_OK)
			return st;
		c->pending = row;
		kb_desk_ask(c, row, body);
		kb_desk_in_drop(&c->in);
	}
	arm(c);
	return KB_OK;
}

static enum kb_status receive(struct kb_desk_conn *c)
{
	struct kb_desk_in_room room = kb_desk_in_room(&c->in);
	ssize_t n = recv(c->fd, room.p, room.len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KB_OK : KB_IO;
	if (n == 0)
		return KB_IO;
	kb_desk_in_filled(&c->in, (size_t)n);
	return KB_OK;
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct kb_desk_conn *c = ctx;
	enum kb_status st = KB_OK;
	(void)s, (void)fd;
	if (events & EPOLLIN)
		st = receive(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		st = KB_IO;
	if (st == KB_OK)
		st = advance(c);
	if (st != KB_OK)
		kb_desk_conn_end(c);
	return 0;
}

static int on_clock(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct kb_desk_conn *c = ctx;
	(void)s, (void)usec;
	if (c->pending) {
		c->ending = true;
		kb_desk_late(c);
	} else {
		kb_desk_conn_end(c);
	}
	return 0;
}

enum kb_status kb_desk_conn_new(struct kb_desk_room *r, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || len != sizeof(who)) {
		kb_fd_close(&fd);
		return KB_IO;
	}
	struct kb_desk_conn *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->room = r;
	c->fd = fd;
	c->uid = who.uid;
	c->number = ++r->last_number;
	c->deadline_us = in_s(c, STRANGER_S);
	c->next = r->first;
	r->first = c;
	r->conns++;
	r->strangers++;
	sd_event *loop = kb_room_loop(r->host);
	if (sd_event_add_io(loop, &c->io, fd, EPOLLIN, on_io, c) < 0 ||
	    sd_event_add_time(loop, &c->clock, CLOCK_MONOTONIC, c->deadline_us, 0, on_clock, c) < 0) {
		kb_desk_conn_end(c);
		return KB_IO;
	}
	return KB_OK;
}

void kb_desk_conn_login(struct kb_desk_conn *c)
{
	if (c->logged_in)
		return;
	c->logged_in = true;
	c->room->strangers--;
	kb_desk_room_changed(c->room);
}

struct kb_desk_conn *kb_desk_conn_find(struct kb_desk_room *r, uint32_t number)
{
	for (struct kb_desk_conn *c = r->first; c; c = c->next)
		if (c->number == number)
			return c;
	return NULL;
}

void kb_desk_conn_end(struct kb_desk_conn *c)
{
	struct kb_desk_room *r = c->room;
	const struct kb_wire_gone gone = {.conn = c->number};
	for (struct kb_desk_conn **at = &r->first; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	r->conns--;
	r->strangers -= c->logged_in ? 0 : 1;
	if (r->vault && c->asked && kb_channel_send(r->vault, KB_WIRE_GONE, &gone, sizeof(gone), NULL, 0) != KB_OK)
		(void)0; /* the vault's channel has ended, and every session with it */
	c->io = sd_event_source_disable_unref(c->io);
	c->clock = sd_event_source_disable_unref(c->clock);
	kb_fd_close(&c->fd);
	kb_desk_out_release(&c->out);
	free(c);
	kb_desk_room_changed(r);
}

void kb_desk_conn_queue(struct kb_desk_conn *c, struct kb_desk_answer *a, bool last)
{
	if (kb_desk_out_add(&c->out, a) != KB_OK)
		c->ending = last = true; /* more answers than any request has: what follows could not be told apart */
	kb_desk_answer_release(a);
	if (last)
		c->pending = NULL;
}

void kb_desk_conn_error(struct kb_desk_conn *c, enum kb_status why, const char *what)
{
	struct kb_desk_answer a;
	struct kb_desk_error e;
	memset(&a, 0, sizeof(a));
	memset(&e, 0, sizeof(e));
	e.status = why;
	kb_field_set(e.what, sizeof(e.what), kb_span_str(what));
	a.type = KB_DESK_ERROR;
	a.len = sizeof(e);
	memcpy(a.body, &e, sizeof(e));
	kb_desk_conn_queue(c, &a, true);
}

void kb_desk_conn_go_on(struct kb_desk_conn *c)
{
	if (advance(c) != KB_OK)
		kb_desk_conn_end(c);
}
