/*
 * channel: one end of a SOCK_SEQPACKET pair between two rooms. See channel.h for what it promises.
 *
 * A wake-up takes at most BATCH datagrams, so that one busy sibling cannot keep the others waiting. What a datagram
 * brought along is closed on every path: descriptors are counted in before anything is looked at, and closed after the
 * handler.
 *
 * Not here:  the types and their structs (wire.h).
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kitebox/memfd.h>

enum { BATCH = 64, RETRY_US = 10000, SEND_BUFFER = 1 << 20 };

struct datagram {
	struct kb_wire_head head;
	_Alignas(8) uint8_t body[KB_CHANNEL_BODY_MOST];
};
_Static_assert(
    offsetof(struct datagram, body) == sizeof(struct kb_wire_head), "a datagram is a head and a body, nothing between");

union rights {
	struct cmsghdr align;
	char room[CMSG_SPACE(KB_CHANNEL_FDS_MOST * sizeof(int))];
};

struct queued {
	struct queued *next;
	struct kb_wire_head head;
	int fds[KB_CHANNEL_FDS_MOST];
	uint8_t body[];
};

struct kb_channel {
	int fd;
	const struct kb_channel_row *rows;
	size_t n;
	void (*on_closed)(void *ctx, struct kb_channel *ch, enum kb_status why);
	void *ctx;
	sd_event_source *io, *end, *retry;
	struct queued *first, **last;
	size_t queued;
	uint32_t tag;
	enum kb_status why;
	bool reset_seen; /* ECONNRESET comes once, before what is still queued */
	bool closed, dispatching, freed;
};

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kb_fd_close(&fds[i]);
}

static void queued_free(struct queued *q)
{
	close_all(q->fds, q->head.fds);
	sodium_memzero(q->body, q->head.size);
	free(q);
}

static void queue_drop(struct kb_channel *ch)
{
	while (ch->first) {
		struct queued *q = ch->first;

		ch->first = q->next;
		queued_free(q);
	}
	ch->last = &ch->first;
	ch->queued = 0;
}

/* Everything but the memory, which a handler further up the stack may still look at. */
static void shut(struct kb_channel *ch)
{
	ch->closed = true;
	ch->io = sd_event_source_disable_unref(ch->io);
	ch->end = sd_event_source_disable_unref(ch->end);
	ch->retry = sd_event_source_disable_unref(ch->retry);
	queue_drop(ch);
	kb_fd_close(&ch->fd);
}

/* From the loop only. May free ch. */
static void finish(struct kb_channel *ch, enum kb_status why)
{
	if (ch->closed)
		return;
	shut(ch);
	ch->on_closed(ch->ctx, ch, why);
}

/* From anywhere: the loop will finish the channel. The first reason stands. */
static void end_later(struct kb_channel *ch, enum kb_status why)
{
	if (ch->closed || ch->why != KB_OK)
		return;
	ch->why = why;
	queue_drop(ch);
	if (sd_event_source_set_enabled(ch->end, SD_EVENT_ONESHOT) < 0)
		abort();
}

static const struct kb_channel_row *find(const struct kb_channel *ch, uint16_t type)
{
	for (size_t i = 0; i < ch->n; i++)
		if (ch->rows[i].type == type)
			return &ch->rows[i];
	return NULL;
}

/* Moves the descriptors that came along into fds (all -1 before) and says how many came; what has no room is closed. */
static size_t take_fds(struct msghdr *msg, int fds[static KB_CHANNEL_FDS_MOST])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < k; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (n < KB_CHANNEL_FDS_MOST)
				fds[n] = fd;
			else
				kb_fd_close(&fd); /* the padding of the control buffer has room for one more */
			n++;
		}
	}
	return n;
}

static enum kb_status judge(struct kb_channel *ch, const struct datagram *dg, size_t len, int flags, int *fds, size_t n)
{
	if (flags & MSG_TRUNC || len < sizeof dg->head)
		return KB_MALFORMED;
	const struct kb_channel_row *row = find(ch, dg->head.type);

	if (!row || dg->head.size != row->size || len - sizeof dg->head != row->size ||
	    dg->head.fds < row->fds_least || dg->head.fds > row->fds_most || dg->head.fds > KB_CHANNEL_FDS_MOST)
		return KB_MALFORMED;
	/* Fewer came than there is room for, and the kernel says so: this process has no descriptor left. That is nobody's
	 * fault, and what was cut off will not come again. */
	if (flags & MSG_CTRUNC)
		return n < dg->head.fds ? KB_IO : KB_MALFORMED;
	if (dg->head.fds != n)
		return KB_MALFORMED;
	return row->handle(ch->ctx, ch, dg->body, fds, n);
}

enum got { GOT_ONE, GOT_NONE, GOT_END, GOT_REFUSED };

static enum got receive_one(struct kb_channel *ch, enum kb_status *ret_why)
{
	struct datagram dg;
	union rights rights;
	int fds[KB_CHANNEL_FDS_MOST];
	struct iovec iov = {&dg, sizeof dg};
	struct msghdr msg = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof rights.room};
	ssize_t len = recvmsg(ch->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (len < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return GOT_NONE;
		*ret_why = KB_IO;
		return errno == ECONNRESET && !ch->reset_seen ? (ch->reset_seen = true, GOT_ONE) : GOT_END;
	}
	memset(fds, -1, sizeof fds);
	size_t n = take_fds(&msg, fds);
	/* An empty datagram looks like the end; both end the channel. */
	enum kb_status st = len == 0 ? KB_IO : judge(ch, &dg, (size_t)len, msg.msg_flags, fds, n);

	close_all(fds, KB_LEN(fds));
	sodium_memzero(&dg, (size_t)len);
	if (st == KB_OK)
		return GOT_ONE;
	*ret_why = st;
	return len == 0 ? GOT_END : GOT_REFUSED;
}

/* Handles what is there, at most `most`. Afterwards ch may be closed. False: the channel is to end, for *ret_why. */
static bool receive(struct kb_channel *ch, size_t most, enum kb_status *ret_why)
{
	enum got g = GOT_ONE;

	for (size_t i = 0; i < most && g == GOT_ONE && !ch->closed; i++)
		g = receive_one(ch, ret_why);
	return ch->closed || g == GOT_ONE || g == GOT_NONE;
}

enum sent { SENT, LATER, LATER_TIMED, BROKEN };

static enum sent transmit(int fd, const struct kb_wire_head *head, const void *body, const int *fds)
{
	struct kb_wire_head h = *head;
	union rights rights;
	struct iovec iov[2] = {{&h, sizeof h}, {(void *)(uintptr_t)body, head->size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (head->fds) {
		memset(&rights, 0, sizeof rights);
		msg.msg_control = rights.room;
		msg.msg_controllen = CMSG_SPACE(head->fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(head->fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, head->fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return SENT;
		switch (errno) {
		case EINTR:
			continue;
		case EAGAIN:
			return LATER;
		/* Too many descriptors of this user under way, or no memory: EPOLLOUT does not tell when that is
		 * over. */
		case ETOOMANYREFS:
		case ENOBUFS:
		case ENOMEM:
			return LATER_TIMED;
		default:
			return BROKEN;
		}
	}
}

/* Sends what waits, in order, until the socket takes no more. */
static void flush(struct kb_channel *ch)
{
	enum sent s = SENT;

	while (ch->first && (s = transmit(ch->fd, &ch->first->head, ch->first->body, ch->first->fds)) == SENT) {
		struct queued *q = ch->first;

		ch->first = q->next;
		if (!ch->first)
			ch->last = &ch->first;
		ch->queued--;
		queued_free(q);
	}
	if (ch->first && s == BROKEN) {
		end_later(ch, KB_IO);
		return;
	}
	bool timed = ch->first && s == LATER_TIMED;

	if (sd_event_source_set_io_events(ch->io, EPOLLIN | (ch->first && !timed ? (uint32_t)EPOLLOUT : 0)) < 0)
		abort();
	if (timed && (sd_event_source_set_time_relative(ch->retry, RETRY_US) < 0 ||
			 sd_event_source_set_enabled(ch->retry, SD_EVENT_ONESHOT) < 0))
		abort();
}

static void leave(struct kb_channel *ch)
{
	ch->dispatching = false;
	if (ch->freed)
		free(ch);
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct kb_channel *ch = ctx;

	(void)s, (void)fd;
	ch->dispatching = true;
	if (events & EPOLLOUT)
		flush(ch);
	enum kb_status why = KB_OK;

	if (events & ~(uint32_t)EPOLLOUT && !receive(ch, BATCH, &why))
		finish(ch, why);
	leave(ch);
	return 0;
}

/* A send found the peer gone or deaf: what it had said before is still heard, then the channel ends. */
static int on_end(sd_event_source *s, void *ctx)
{
	struct kb_channel *ch = ctx;

	(void)s;
	ch->dispatching = true;
	enum kb_status why = ch->why;

	if (why == KB_IO)
		(void)receive(ch, KB_CHANNEL_QUEUE_MOST, &why);
	finish(ch, why);
	leave(ch);
	return 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *ctx)
{
	(void)s, (void)usec;
	flush(ctx);
	return 0;
}

enum kb_status kb_channel_new(struct kb_diag *d, sd_event *loop, int fd, const struct kb_channel_row *rows, size_t n,
    void (*on_closed)(void *ctx, struct kb_channel *ch, enum kb_status why), void *ctx, struct kb_channel **ret_ch)
{
	struct kb_channel *ch = calloc(1, sizeof *ch);

	if (!ch)
		abort();
	*ch = (struct kb_channel){.fd = fd, .rows = rows, .n = n, .on_closed = on_closed, .ctx = ctx};
	ch->last = &ch->first;
	if (sd_event_add_io(loop, &ch->io, fd, EPOLLIN, on_io, ch) < 0 ||
	    sd_event_add_defer(loop, &ch->end, on_end, ch) < 0 ||
	    sd_event_source_set_enabled(ch->end, SD_EVENT_OFF) < 0 ||
	    sd_event_add_time_relative(loop, &ch->retry, CLOCK_MONOTONIC, RETRY_US, RETRY_US, on_retry, ch) < 0 ||
	    sd_event_source_set_enabled(ch->retry, SD_EVENT_OFF) < 0) {
		kb_channel_free(&ch);
		return KB_FAIL(d, KB_IO, 0, "a channel could not be added to the loop");
	}
	*ret_ch = ch;
	return KB_OK;
}

void kb_channel_free(struct kb_channel **chp)
{
	struct kb_channel *ch = KB_TAKE(*chp);

	if (!ch)
		return;
	shut(ch);
	if (ch->dispatching)
		ch->freed = true;
	else
		free(ch);
}

static enum kb_status enqueue(struct kb_channel *ch, const struct kb_wire_head *head, const void *body, const int *fds)
{
	if (ch->queued >= KB_CHANNEL_QUEUE_MOST) {
		end_later(ch, KB_BUSY);
		return KB_BUSY;
	}
	struct queued *q = calloc(1, sizeof *q + head->size);

	if (!q)
		abort();
	q->head = *head;
	memcpy(q->body, body, head->size);
	memset(q->fds, -1, sizeof q->fds);
	for (size_t i = 0; i < head->fds; i++) {
		q->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (q->fds[i] < 0) {
			queued_free(q);
			return KB_IO;
		}
	}
	*ch->last = q;
	ch->last = &q->next;
	ch->queued++;
	return KB_OK;
}

enum kb_status kb_channel_send(
    struct kb_channel *ch, uint16_t type, const void *body, size_t size, const int *fds, size_t n)
{
	if (size > KB_CHANNEL_BODY_MOST || n > KB_CHANNEL_FDS_MOST)
		return KB_LIMIT;
	if (ch->closed || ch->why != KB_OK)
		return KB_IO;
	const struct kb_wire_head head = {.type = type, .fds = (uint16_t)n, .size = (uint32_t)size};
	bool waiting = ch->first != NULL;
	enum sent s = waiting ? LATER : transmit(ch->fd, &head, body, fds);

	if (s == SENT)
		return KB_OK;
	if (s == BROKEN) {
		end_later(ch, KB_IO);
		return KB_IO;
	}
	enum kb_status st = enqueue(ch, &head, body, fds);

	if (st == KB_OK && !waiting)
		flush(ch); /* tries once more, and arms what tells when to go on */
	return st;
}

void kb_channel_set_tag(struct kb_channel *ch, uint32_t tag)
{
	ch->tag = tag;
}

uint32_t kb_channel_tag(const struct kb_channel *ch)
{
	return ch->tag;
}

size_t kb_channel_queued(const struct kb_channel *ch)
{
	return ch->queued;
}

int kb_channel_fd(const struct kb_channel *ch)
{
	return ch->fd;
}

enum kb_status kb_channel_pair(struct kb_diag *d, int ret_fds[2])
{
	int fds[2], room = SEND_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return KB_FAIL_SYS(d, "a channel could not be made");
	for (size_t i = 0; i < 2; i++) /* what the kernel grants will do */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0)
			(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return KB_OK;
}
