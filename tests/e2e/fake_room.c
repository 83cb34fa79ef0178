/*
 * fake_room: a room without work, so that the supervisor can be tried before and without the real ones.
 *
 * It says on standard error what it was handed, greets every peer, and does what the settings' hostname tells it, also
 * on a reload: "ROOM-ACTION[-ANYTHING].example".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "room.h"

enum { HELLO = 1, PEERS_MOST = 32 };

struct fake {
	struct kb_room_host *host;
	struct kb_channel *peer[PEERS_MOST];
	size_t peers;
};

static enum kb_room me;

static void say(const struct fake *f, const char *what, unsigned a, unsigned b)
{
	fprintf(stderr, "%s %u: %s %s %u\n", kb_room_name(me), kb_room_index(f->host), what, kb_room_name(a), b);
}

static enum kb_status on_hello(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	const struct kb_wire_peer *p = body;

	(void)ch, (void)fds, (void)n;
	say(ctx, "heard", p->room, p->index);
	return KB_OK;
}

static const struct kb_channel_row rows[] = {{HELLO, 0, 0, sizeof(struct kb_wire_peer), on_hello}};

static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct fake *f = ctx;
	uint32_t tag = kb_channel_tag(ch);

	for (size_t i = 0; i < f->peers; i++)
		if (f->peer[i] == ch)
			kb_channel_free(&f->peer[i]);
	kb_room_peer_closed(f->host, (enum kb_room)(tag >> 8), tag & 0xff, why);
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	struct fake *f = self;
	struct kb_wire_peer hello = {.room = me, .index = kb_room_index(f->host)};
	size_t i = 0;

	while (i < f->peers && f->peer[i])
		i++;
	if (i == PEERS_MOST)
		return KB_LIMIT;
	if (i == f->peers)
		f->peers++;
	say(f, "peer", room, index);
	enum kb_status st =
	    kb_channel_new(NULL, kb_room_loop(f->host), fd, rows, KB_LEN(rows), on_closed, f, &f->peer[i]);

	if (st != KB_OK)
		return st;
	kb_channel_set_tag(f->peer[i], room << 8 | index);
	(void)!kb_channel_send(f->peer[i], HELLO, &hello, sizeof hello, NULL, 0);
	return KB_OK;
}

static void run(struct fake *f)
{
	struct kb_wire_run w = {.relay = 0};
	int pair[2], message, ends[2];

	if (kb_channel_pair(NULL, pair) != KB_OK || kb_channel_pair(NULL, ends) != KB_OK ||
	    kb_memfd_from(NULL, "fake", KB_LIT("message"), &message) != KB_OK)
		abort();
	int fds[3] = {pair[0], ends[0], message};

	if (kb_room_control_send(f->host, KB_WIRE_RUN, &w, sizeof w, fds, 3) != KB_OK)
		abort();
	for (size_t i = 0; i < 3; i++)
		kb_fd_close(&fds[i]);
	kb_fd_close(&pair[1]);
	if (peer(f, KB_ROOM_RUNNER, 0, ends[1]) != KB_OK)
		abort();
}

static void act(struct fake *f)
{
	const char *host = kb_room_settings(f->host)->hostname;
	const char *name = kb_room_name(me);
	size_t n = strlen(name);
	struct kb_wire_peer hung = {
	    .room = me == KB_ROOM_SORTER ? KB_ROOM_SEALER : KB_ROOM_SORTER, .index = kb_room_index(f->host)};

	if (strncmp(host, name, n) != 0 || host[n] != '-')
		return;
	host += n + 1;
	if (strncmp(host, "die", 3) == 0)
		abort();
	if (strncmp(host, "quit", 4) == 0)
		kb_room_done(f->host, 0);
	if (strncmp(host, "full", 4) == 0)
		kb_room_health(f->host, KB_HEALTH_STORE_FULL, true, 7);
	if (strncmp(host, "empty", 5) == 0)
		kb_room_health(f->host, KB_HEALTH_STORE_FULL, false, 0);
	if (strncmp(host, "rude", 4) == 0)
		(void)!write(KB_ROOM_CONTROL_FD, "rude", 4);
	if (strncmp(host, "shout", 5) == 0)
		for (size_t i = 0; i < f->peers; i++)
			(void)!write(kb_channel_fd(f->peer[i]), "shout", 5);
	if (strncmp(host, "apart", 5) == 0)
		for (size_t i = 0; i < f->peers; i++)
			(void)!shutdown(kb_channel_fd(f->peer[i]), SHUT_RDWR);
	if (strncmp(host, "liar", 4) == 0)
		hung.index++;
	if (strncmp(host, "liar", 4) == 0 || strncmp(host, "hung", 4) == 0)
		if (kb_room_control_send(f->host, KB_WIRE_HUNG, &hung, sizeof hung, NULL, 0) != KB_OK)
			abort();
	if (strncmp(host, "run", 3) == 0)
		run(f);
}

static enum kb_status open_(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	struct fake *f = calloc(1, sizeof *f);

	(void)d;
	if (!f)
		abort();
	f->host = h;
	for (unsigned kind = 1; kind < KB_FILE_COUNT; kind++)
		for (uint32_t i = 0; i < KB_LISTENERS_MOST; i++)
			if (kb_room_file(h, (enum kb_file)kind, i))
				fprintf(stderr, "%s %u: file %u %u\n", kb_room_name(me), kb_room_index(h), kind, i);
	*ret_self = f;
	return KB_OK;
}

static enum kb_status start(void *self, struct kb_diag *d)
{
	struct fake *f = self;

	(void)d;
	say(f, "starts", me, 0);
	if (me != KB_ROOM_SORTER) /* which would never get ready */
		act(f);
	return KB_OK;
}

static void reload(void *self)
{
	say(self, "reloads", me, 0);
	act(self);
}

static void stop(void *self)
{
	struct fake *f = self;

	say(f, "stops", me, 0);
	kb_room_done(f->host, 0);
}

static void close_(void **self)
{
	struct fake *f = *self;

	for (size_t i = 0; i < f->peers; i++)
		kb_channel_free(&f->peer[i]);
	free(f);
	*self = NULL;
}

static bool any(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return true;
	return false;
}

static enum kb_status control(void *self, uint16_t type, const void *body, size_t size)
{
	struct fake *f = self;

	(void)size;
	if (type == KB_WIRE_OUTBOX_KEY) {
		const struct kb_wire_outbox_key *k = body;

		fprintf(stderr, "%s %u: key %u%s%s\n", kb_room_name(me), kb_room_index(f->host), k->number,
		    any(k->pub, 32) ? " pub" : "", any(k->secret, 32) ? " secret" : "");
	}
	if (type == KB_WIRE_HEALTH_ALL) {
		const struct kb_wire_health_all *all = body;

		for (uint32_t i = 0; i < all->n; i++)
			fprintf(stderr, "desk 0: health %s %u %s %u %llu\n", kb_room_name(all->row[i].room),
			    all->row[i].index, kb_health_row(all->row[i].code)->name, all->row[i].on,
			    (unsigned long long)all->row[i].count);
	}
	return KB_OK;
}

int main(int argc, char **argv)
{
	struct kb_room_spec spec = {.open = open_,
	    .start = start,
	    .peer = peer,
	    .reload = reload,
	    .stop = stop,
	    .close = close_,
	    .control = control};

	for (unsigned room = 1; argc > 0 && room < KB_ROOM_COUNT; room++)
		if (strcmp(argv[0] + strlen("kiteboxd-"), kb_room_name(room)) == 0)
			me = (enum kb_room)room;
	spec.room = me;
	return kb_room_main(&spec);
}
