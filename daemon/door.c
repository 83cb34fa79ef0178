/*
 * door: the room that speaks SMTP and LMTP with the world, and answers 250 when a message is on the disk.
 *
 *   talks to   clients; sealers (SUBMIT, RESULT)
 *   holds      the TLS key; mail that is being received
 *   may        accept connections; no file, no other socket
 *
 * A message is in memory alone from its first octet until a sealer says that the vault has committed it; before that there
 * is no 250, and whatever fails on the way is a temporary failure, with the message still at its sender.
 *
 * Not here:  what is said (kitebox/smtp.h), who binds the listeners (supervisor_sockets.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#include "door.h"

enum { TICK_US = 1000000, STOP_MS = 15000, ACCEPTS_A_TURN = 32 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

/* ---- the clock ---- */

static void listen_on(struct kb_door *r, bool on)
{
	for (size_t i = 0; i < r->listeners; i++)
		if (sd_event_source_set_enabled(r->listener[i].io, on ? SD_EVENT_ON : SD_EVENT_OFF) < 0)
			kb_room_log(r->host, LOG_ERR, NULL, "a listener could not be switched");
}

void kb_door_wake(struct kb_door *r)
{
	if (r->ticking)
		return;
	if (sd_event_source_set_time_relative(r->clock, TICK_US) < 0 || sd_event_source_set_enabled(r->clock, SD_EVENT_ONESHOT) < 0)
		abort();
	r->ticking = true;
}

static int on_tick(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct kb_door *r = ctx;
	uint64_t now = kb_room_now_ms(r->host);
	(void)s, (void)usec;
	r->ticking = false;
	for (struct kb_door_conn *c = r->first, *next; c; c = next) {
		next = c->next;
		kb_door_conn_tick(c, now);
	}
	kb_door_jobs_tick(r, now);
	if (r->paused && !r->stopping)
		listen_on(r, true);
	r->paused = false;
	if (r->first || r->jobs)
		kb_door_wake(r);
	return 0;
}

void kb_door_less(struct kb_door *r)
{
	if (r->stopping && !r->closing && !r->first && !r->jobs)
		kb_room_done(r->host, 0);
}

/* ---- connections ---- */

static void describe(const union address *a, char ret_text[static INET6_ADDRSTRLEN])
{
	if (a->any.sa_family == AF_INET && inet_ntop(AF_INET, &a->v4.sin_addr, ret_text, INET6_ADDRSTRLEN))
		return;
	if (a->any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a->v6.sin6_addr, ret_text, INET6_ADDRSTRLEN))
		return;
	kb_field_set(ret_text, INET6_ADDRSTRLEN, KB_LIT("unix"));
}

/* Said without a look at who it is, or what it says. */
static void turn_away(struct kb_door *r, int fd, uint8_t kind, enum kb_smtp_end why)
{
	struct kb_smtp s;
	struct kb_smtp_out out = {r->out, 0, sizeof(r->out)};
	kb_smtp_init(&s, kb_room_settings(r->host), kind == KB_LISTEN_LMTP);
	kb_smtp_end(&s, why, &out);
	if (kind != KB_LISTEN_SMTPS && send(fd, out.p, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* it has gone already */
}

/* False: nobody is there any more, or there is no room for a descriptor. */
static bool let_in(struct kb_door *r, int listener, uint8_t kind)
{
	static const int on = 1;
	union address a = {.any.sa_family = AF_UNIX};
	socklen_t len = sizeof(a);
	char peer[INET6_ADDRSTRLEN] = "";
	int fd = accept4(listener, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		r->paused = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
		return errno == ECONNABORTED || errno == EINTR;
	}
	const struct kb_door_origin origin = kb_door_origin(&a.any, kind);
	enum kb_smtp_end why;
	if (!kb_door_admits(r, &origin, &why) || (kind == KB_LISTEN_SMTPS && !r->pair)) {
		turn_away(r, fd, kind, why);
		kb_fd_close(&fd);
		return true;
	}
	if (a.any.sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	describe(&a, peer);
	kb_door_conn_new(r, fd, kind, &origin, peer);
	return true;
}

static int on_connect(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct kb_door_listener *l = ctx;
	(void)s, (void)events;
	for (unsigned i = 0; i < ACCEPTS_A_TURN && let_in(l->room, fd, l->kind); i++)
		;
	if (l->room->paused) {
		listen_on(l->room, false);
		kb_door_wake(l->room);
	}
	return 0;
}

static enum kb_status add_listeners(struct kb_door *r, struct kb_diag *d)
{
	const struct kb_settings *s = kb_room_settings(r->host);
	for (uint32_t i = 0; i < s->listeners && i < KB_LISTENERS_MOST; i++) {
		struct kb_room_file *f = s->listener[i].kind != KB_LISTEN_DESK ? kb_room_file(r->host, KB_FILE_LISTEN, i) : NULL;
		if (!f)
			continue;
		struct kb_door_listener *l = &r->listener[r->listeners];
		*l = (struct kb_door_listener){.room = r, .kind = s->listener[i].kind};
		if (sd_event_add_io(kb_room_loop(r->host), &l->io, f->fd, EPOLLIN, on_connect, l) < 0)
			return KB_FAIL(d, KB_IO, i, "a listener could not be watched");
		r->listeners++;
	}
	return KB_OK;
}

/* ---- the certificate ---- */

static bool has_smtps(const struct kb_door *r)
{
	for (size_t i = 0; i < r->listeners; i++)
		if (r->listener[i].kind == KB_LISTEN_SMTPS)
			return true;
	return false;
}

static void use_pair(struct kb_door *r, struct kb_door_pair *pair)
{
	kb_door_pair_free(&r->pair);
	r->pair = pair;
	for (struct kb_door_conn *c = r->first; c; c = c->next)
		c->smtp.offer_tls = pair != NULL; /* LMTP does not look at it */
}

/* A pair that does not load leaves the one before in place: for sessions that began with it, and for new ones. */
static void load_pair(struct kb_door *r)
{
	struct kb_room_file *certificate = kb_room_file(r->host, KB_FILE_TLS_CERTIFICATE, 0);
	struct kb_room_file *key = kb_room_file(r->host, KB_FILE_TLS_KEY, 0);
	struct kb_door_pair *pair = NULL;
	struct kb_diag d = {0};
	if (!kb_room_settings(r->host)->tls_certificate[0]) {
		use_pair(r, NULL);
		kb_room_health(r->host, KB_HEALTH_TLS_REFUSED, has_smtps(r), 0); /* which is nothing without one */
		return;
	}
	enum kb_status st = certificate && key ? kb_door_pair_new(&d, certificate->fd, key->fd, &pair)
					       : KB_FAIL(&d, KB_NOTFOUND, 0, "certificate or key was not there to be read");
	kb_room_health(r->host, KB_HEALTH_TLS_REFUSED, st != KB_OK, 0);
	if (st == KB_OK)
		use_pair(r, pair);
	else
		kb_room_log(r->host, LOG_ERR, &d, "the certificate is refused");
}

/* ---- the room's life ---- */

static void note_mailboxes(struct kb_door *r)
{
	const struct kb_settings *s = kb_room_settings(r->host);
	bool same = r->mailboxes == s->mailboxes && memcmp(r->mailbox, s->mailbox, sizeof(r->mailbox)) == 0;
	for (struct kb_door_conn *c = r->first; c && !same; c = c->next)
		kb_smtp_stale(&c->smtp);
	memcpy(r->mailbox, s->mailbox, sizeof(r->mailbox));
	r->mailboxes = s->mailboxes;
}

static void reload(void *self)
{
	struct kb_door *r = self;
	load_pair(r);
	note_mailboxes(r);
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	if (room == KB_ROOM_SEALER)
		return kb_door_sealer(self, index, fd);
	kb_fd_close(&fd);
	return KB_DENIED;
}

static void stop(void *self)
{
	struct kb_door *r = self;
	r->stopping = true;
	r->stop_until_ms = kb_room_now_ms(r->host) + STOP_MS;
	listen_on(r, false);
	for (struct kb_door_conn *c = r->first, *next; c; c = next) {
		next = c->next;
		kb_door_conn_stop(c);
	}
	kb_door_less(r);
}

static enum kb_status open_room(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	static struct kb_door room;
	struct kb_door *r = &room;
	r->host = h;
	r->last_job = &r->jobs;
	*ret_self = r;
	if (sd_event_add_time_relative(kb_room_loop(h), &r->clock, CLOCK_MONOTONIC, TICK_US, TICK_US / 10, on_tick, r) < 0 ||
	    sd_event_source_set_enabled(r->clock, SD_EVENT_OFF) < 0)
		return KB_FAIL(d, KB_IO, 0, "no timer");
	enum kb_status st = add_listeners(r, d);
	load_pair(r);
	note_mailboxes(r);
	return st;
}

static void close_room(void **self)
{
	struct kb_door *r = *self;
	r->closing = true;
	while (r->first)
		kb_door_conn_end(r->first);
	kb_door_jobs_free(r);
	for (size_t i = 0; i < r->listeners; i++)
		r->listener[i].io = sd_event_source_disable_unref(r->listener[i].io);
	r->clock = sd_event_source_disable_unref(r->clock);
	kb_door_pair_free(&r->pair);
	*self = NULL;
}

int main(void)
{
	static const struct kb_room_spec spec = {
	    .room = KB_ROOM_DOOR,
	    .open = open_room,
	    .peer = peer,
	    .reload = reload,
	    .stop = stop,
	    .close = close_room,
	};
	return kb_room_main(&spec);
}
