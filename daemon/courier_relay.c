/*
 * courier_relay: where a relay is, and a connection to it.
 *
 * The C library's resolver blocks, and without threads nobody else can ask it. So one question is asked a turn of the loop,
 * bounded to a few seconds (each server once, no TCP, no search list for a name with a dot), and the answer is kept for a
 * while, also that there is none. Meanwhile this room says that it is alive in time: see SILENT_MS in supervisor.c.
 *
 * Connecting does not block. Each address has its own deadline; the one that worked is asked first from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "courier.h"

enum { QUERY_S = 2, KEEP_MS = 60000, KEEP_NOTHING_MS = 30000, CONNECT_MS = 10000 };

/* ---- the resolver ---- */

/*
 * Landlock's rules are on files, not on names. One that is replaced, as DHCP clients and editors do, is closed to this process
 * for good, and the C library goes on without it: nothing would be found any more. So the room ends when it notices, and
 * starts again with the new file.
 */
static const char *const resolver_files[] = {"/etc/resolv.conf", "/etc/hosts"};

static bool can_read(const char *path)
{
	KB_AUTO(kb_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

void kb_courier_resolver_init(struct kb_courier *c)
{
	for (size_t i = 0; i < KB_LEN(resolver_files); i++)
		if (can_read(resolver_files[i]))
			c->readable |= 1u << i;
}

static void look_at_resolver(struct kb_courier *c)
{
	for (size_t i = 0; i < KB_LEN(resolver_files) && !c->stale; i++) {
		if (!(c->readable & 1u << i) || can_read(resolver_files[i]) || errno != EACCES)
			continue;
		c->stale = true;
		kb_room_log(c->host, LOG_WARNING, NULL, "the resolver's files were replaced; the courier starts again to read them");
	}
}

/* ---- addresses ---- */

static void bound_resolver(const char *host)
{
	if (res_init() != 0)
		return; /* nobody to ask: what stands in /etc/hosts is found all the same */
	_res.retrans = QUERY_S;
	_res.retry = 1;
	_res.options &= ~(unsigned long)RES_USEVC;
	_res.options |= RES_IGNTC;
	if (strchr(host, '.'))
		_res.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
}

static void add(struct kb_courier_route *r, const struct addrinfo *a)
{
	if (r->n == KB_COURIER_ADDRESSES || a->ai_addrlen > sizeof r->address[0].to ||
	    (a->ai_family != AF_INET && a->ai_family != AF_INET6))
		return;
	memcpy(&r->address[r->n].to, a->ai_addr, a->ai_addrlen);
	r->address[r->n++].len = a->ai_addrlen;
}

static void ask(const struct kb_relay *relay, struct kb_courier_route *ret_r)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *all = NULL;
	char port[8];

	*ret_r = (struct kb_courier_route){.status = KB_NOTFOUND};
	(void)snprintf(port, sizeof port, "%u", relay->port);
	bound_resolver(relay->host);
	int e = getaddrinfo(relay->host, port, &hints, &all);

	if (e == 0) {
		for (const struct addrinfo *a = all; a; a = a->ai_next)
			add(ret_r, a);
		freeaddrinfo(all);
	}
	if (ret_r->n)
		ret_r->status = KB_OK;
	else if (e != EAI_NONAME && e != EAI_NODATA)
		ret_r->status = KB_AGAIN;
}

static const struct kb_courier_route *look_up(struct kb_courier *c, uint32_t relay)
{
	struct kb_courier_route *r = &c->route[relay];
	uint64_t now = kb_room_now_ms(c->host);

	if (now >= r->until_ms) {
		ask(&c->relay[relay], r);
		r->until_ms = now + (r->status == KB_OK ? KEEP_MS : KEEP_NOTHING_MS);
		if (r->status != KB_OK)
			look_at_resolver(c);
	}
	return r;
}

static bool same(const struct kb_courier_address *a, const struct kb_courier_address *b)
{
	return a->len == b->len && memcmp(&a->to, &b->to, a->len) == 0;
}

static void put_first(struct kb_courier_route *r, const struct kb_courier_address *a)
{
	for (size_t i = 1; i < r->n; i++) {
		if (!same(&r->address[i], a))
			continue;
		struct kb_courier_address found = r->address[i];

		memmove(&r->address[1], &r->address[0], i * sizeof r->address[0]);
		r->address[0] = found;
		return;
	}
}

/* ---- connecting ---- */

static void try_next(struct kb_courier_job *j);

void kb_courier_connect_stop(struct kb_courier_job *j)
{
	j->io = sd_event_source_disable_unref(j->io);
	j->deadline = sd_event_source_disable_unref(j->deadline);
	kb_fd_close(&j->fd);
}

static void failed(struct kb_courier_job *j, int sys_errno, const char *literal)
{
	kb_courier_connect_stop(j);
	j->why = (struct kb_diag){.status = KB_IO, .what = literal, .sys_errno = sys_errno};
	j->at++;
	try_next(j);
}

static int on_connected(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct kb_courier_job *j = ctx;
	struct kb_courier *c = j->courier;
	int e = 0;
	socklen_t len = sizeof e;

	(void)s, (void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e) {
		failed(j, e, "the relay cannot be reached");
		return 0;
	}
	fd = j->fd;
	j->fd = -1;
	kb_courier_connect_stop(j);
	if (j->round == c->round)
		put_first(&c->route[j->relay], &j->route.address[j->at]);
	kb_courier_run(j, fd);
	return 0;
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *ctx)
{
	(void)s, (void)usec;
	failed(ctx, ETIMEDOUT, "the relay does not answer");
	return 0;
}

/* An errno, or 0: under way. */
static int begin(struct kb_courier_job *j, const struct kb_courier_address *a)
{
	sd_event *loop = kb_room_loop(j->courier->host);

	j->fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (j->fd < 0)
		return errno;
	if (connect(j->fd, (const struct sockaddr *)&a->to, a->len) < 0 && errno != EINPROGRESS) {
		int e = errno;

		kb_fd_close(&j->fd);
		return e;
	}
	if (sd_event_add_io(loop, &j->io, j->fd, EPOLLOUT, on_connected, j) < 0 ||
	    sd_event_add_time_relative(loop, &j->deadline, CLOCK_MONOTONIC, CONNECT_MS * UINT64_C(1000), 0, on_deadline, j) < 0)
		abort();
	return 0;
}

static void try_next(struct kb_courier_job *j)
{
	for (; j->at < j->route.n; j->at++) {
		int e = begin(j, &j->route.address[j->at]);

		if (e == 0)
			return;
		j->why = (struct kb_diag){.status = KB_IO, .what = "the relay cannot be reached", .sys_errno = e};
	}
	struct kb_courier *c = j->courier;

	if (j->round == c->round)
		c->route[j->relay].until_ms = 0; /* it may have moved */
	const struct kb_diag d = j->why;

	kb_courier_job_failed(j, KB_IO, &d);
}

void kb_courier_connect(struct kb_courier_job *j)
{
	static const struct kb_diag nowhere = {.status = KB_NOTFOUND, .what = "the relay's name is not known"},
				    nobody = {.status = KB_AGAIN, .what = "the relay's name could not be looked up"};
	const struct kb_courier_route *r = look_up(j->courier, j->relay);

	j->stage = KB_COURIER_CONNECTING;
	j->route = *r;
	j->at = 0;
	if (r->status == KB_OK)
		try_next(j);
	else
		kb_courier_job_failed(j, r->status, r->status == KB_NOTFOUND ? &nowhere : &nobody);
}
