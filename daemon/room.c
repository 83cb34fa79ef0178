/*
 * room: the life that all rooms share. See room.h.
 *
 * Before GO: the supervisor hands over settings, files, channel ends. Then the room opens what it needs, the sandbox
 * closes for good, and what was handed over meanwhile is given to the room in the order in which it came.
 *
 * Secrets:   a control message may hold an outbox key: what waits for GO is wiped once it is given on.
 * Not here:  hardening of the process and the kernel's part of the sandbox (harden.c, sandbox.c, landlock.c).
 */
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "harden.h"
#include "room_peers.h"
#include "sandbox.h"

enum { ALIVE_S = 5, HEALTH_US = 1000000, EARLY_MOST = 256 };

/* Something that came before GO. */
struct early {
	struct early *next;
	uint16_t type;
	int fd;
	size_t size;
	uint8_t body[];
};

struct condition {
	bool on, told_on, dirty;
	uint64_t count, told_count;
};

struct kb_room_host {
	const struct kb_room_spec *spec;
	void *self;
	sd_event *loop;
	struct kb_channel *control;
	sd_event_source *alive, *health;
	struct kb_settings *settings;
	uint32_t index;
	struct kb_room_file file[KB_ROOM_FILES_MOST];
	size_t files;
	struct kb_room_peers peers;
	struct early *first, **last;
	size_t early;
	struct condition condition[KB_HEALTH_COUNT];
	bool configured, go, open, stopping;
};

/* ---- what a room asks of its host ---- */

sd_event *kb_room_loop(struct kb_room_host *h)
{
	return h->loop;
}

const struct kb_settings *kb_room_settings(const struct kb_room_host *h)
{
	return h->settings;
}

uint32_t kb_room_index(const struct kb_room_host *h)
{
	return h->index;
}

struct kb_room_file *kb_room_file(struct kb_room_host *h, enum kb_file kind, uint32_t index)
{
	for (size_t i = 0; i < h->files; i++)
		if (h->file[i].kind == kind && h->file[i].index == index)
			return &h->file[i];
	return NULL;
}

static uint64_t now_us(const struct kb_room_host *h, clockid_t clock)
{
	uint64_t us;

	if (sd_event_now(h->loop, clock, &us) < 0)
		abort();
	return us;
}

uint64_t kb_room_now_s(const struct kb_room_host *h)
{
	return now_us(h, CLOCK_REALTIME) / 1000000;
}

uint64_t kb_room_now_ms(const struct kb_room_host *h)
{
	return now_us(h, CLOCK_MONOTONIC) / 1000;
}

enum kb_status kb_room_control_send(
    struct kb_room_host *h, uint16_t type, const void *body, size_t size, const int *fds, size_t n)
{
	return kb_channel_send(h->control, type, body, size, fds, n);
}

static void tell_lost(struct kb_room_host *h, enum kb_room room, uint32_t index)
{
	struct kb_wire_peer lost;

	if (h->stopping || !kb_room_peers_lost(&h->peers, room, index, &lost))
		return;
	if (kb_room_control_send(h, KB_WIRE_LOST, &lost, sizeof lost, NULL, 0) != KB_OK)
		return; /* the control channel has ended, and with it the room */
}

void kb_room_peer_closed(struct kb_room_host *h, enum kb_room room, uint32_t index, enum kb_status why)
{
	const struct kb_wire_peer w = {.room = room, .index = index};
	const struct kb_diag d = {.status = why, .what = kb_room_name(room)};

	if (why == KB_IO)
		tell_lost(h, room, index);
	if (why == KB_OK || why == KB_IO)
		return;
	kb_room_log(h, LOG_ERR, &d, "a sibling broke the rules and is dropped");
	if (kb_room_control_send(h, KB_WIRE_HUNG, &w, sizeof w, NULL, 0) != KB_OK)
		return; /* the control channel has ended, and with it the room */
}

void kb_room_done(struct kb_room_host *h, int status)
{
	if (sd_event_exit(h->loop, status) < 0)
		abort();
}

void kb_room_log(struct kb_room_host *h, int priority, const struct kb_diag *d, const char *literal)
{
	char line[512];
	int n = snprintf(line, sizeof line, "<%d>%s", priority, kb_room_name(h->spec->room));

	if (h->spec->room == KB_ROOM_SORTER || h->spec->room == KB_ROOM_SEALER)
		n += snprintf(line + n, sizeof line - (size_t)n, " %u", h->index);
	n += snprintf(line + n, sizeof line - (size_t)n, ": %.200s", literal);
	if (d && d->what)
		n += snprintf(line + n, sizeof line - (size_t)n, ": %.160s", d->what);
	if (d && d->status != KB_OK)
		n += snprintf(line + n, sizeof line - (size_t)n, " (%s, %zu, %s)", kb_status_row(d->status)->name,
		    d->offset, d->sys_errno ? strerrorname_np(d->sys_errno) : "no errno");
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* a log that takes nothing must not stop the mail */
}

/* ---- health ---- */

static void tell(struct kb_room_host *h, enum kb_health code)
{
	struct condition *c = &h->condition[code];
	const struct kb_wire_health w = {.code = code, .on = c->on, .count = c->count};

	c->dirty = false;
	c->told_on = c->on;
	c->told_count = c->count;
	if (kb_room_control_send(h, KB_WIRE_HEALTH, &w, sizeof w, NULL, 0) != KB_OK)
		return; /* the control channel has ended, and with it the room */
}

static int on_health(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct kb_room_host *h = ctx;

	(void)s, (void)usec;
	for (unsigned i = 1; i < KB_HEALTH_COUNT; i++)
		if (h->condition[i].dirty)
			tell(h, (enum kb_health)i);
	return 0;
}

void kb_room_health(struct kb_room_host *h, enum kb_health code, bool on, uint64_t count)
{
	struct condition *c = &h->condition[code];
	int armed;

	c->on = on;
	c->count = count;
	if (c->on != c->told_on) {
		tell(h, code);
		return;
	}
	if (c->count == c->told_count)
		return;
	c->dirty = true;
	if (sd_event_source_get_enabled(h->health, &armed) < 0)
		abort();
	if (armed == SD_EVENT_OFF && (sd_event_source_set_time_relative(h->health, HEALTH_US) < 0 ||
					 sd_event_source_set_enabled(h->health, SD_EVENT_ONESHOT) < 0))
		abort();
}

static int on_alive(sd_event_source *s, uint64_t usec, void *ctx)
{
	static const struct kb_wire_none none = {0};
	struct kb_room_host *h = ctx;

	(void)usec;
	if (kb_room_control_send(h, KB_WIRE_ALIVE, &none, sizeof none, NULL, 0) != KB_OK)
		return 0; /* the channel has ended; on_lost follows */
	if (sd_event_source_set_time_relative(s, ALIVE_S * UINT64_C(1000000)) < 0 ||
	    sd_event_source_set_enabled(s, SD_EVENT_ONESHOT) < 0)
		abort();
	return 0;
}

/* ---- what the supervisor says ---- */

static enum kb_status on_config(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_room_host *h = ctx;
	struct kb_map m;
	enum kb_status st = kb_map_open(NULL, fds[0], sizeof *h->settings, &m);

	(void)ch, (void)body, (void)n;
	if (st != KB_OK)
		return st;
	if (m.s.len != sizeof *h->settings) {
		kb_map_release(&m);
		return KB_MALFORMED;
	}
	memcpy(h->settings, m.s.p, sizeof *h->settings);
	kb_map_release(&m);
	h->configured = true;
	if (h->open && h->spec->reload)
		h->spec->reload(h->self);
	return KB_OK;
}

static enum kb_status on_file(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_room_host *h = ctx;
	const struct kb_wire_file *w = body;

	(void)ch, (void)n;
	if (w->kind == 0 || w->kind >= KB_FILE_COUNT)
		return KB_MALFORMED;
	struct kb_room_file *f = kb_room_file(h, (enum kb_file)w->kind, w->index);

	if (!f) {
		if (h->files == KB_ROOM_FILES_MOST)
			return KB_LIMIT;
		f = &h->file[h->files++];
		*f = (struct kb_room_file){.kind = (enum kb_file)w->kind, .index = w->index, .fd = -1};
	}
	kb_fd_close(&f->fd);
	f->fd = fds[0];
	fds[0] = -1;
	return KB_OK;
}

/* Gives one thing on to the room, or keeps it until the room is open. Takes *fd when it succeeds. */
static enum kb_status give(struct kb_room_host *h, uint16_t type, const void *body, size_t size, int *fd)
{
	if (h->open) {
		if (type != KB_WIRE_PEER)
			return h->spec->control ? h->spec->control(h->self, type, body, size) : KB_OK;
		const struct kb_wire_peer *p = body;
		int taken = *fd;
		enum kb_status st = kb_room_peers_note(&h->peers, p, taken);

		if (st != KB_OK)
			return st;
		*fd = -1;
		return h->spec->peer(h->self, (enum kb_room)p->room, p->index, taken);
	}
	if (h->early++ == EARLY_MOST)
		return KB_LIMIT;
	struct early *e = calloc(1, sizeof *e + size);

	if (!e)
		abort();
	e->type = type;
	e->size = size;
	e->fd = fd ? *fd : -1;
	if (fd)
		*fd = -1;
	memcpy(e->body, body, size);
	*h->last = e;
	h->last = &e->next;
	return KB_OK;
}

/* Lets go of what waited; gives it to the room first when it is open. */
static enum kb_status give_early(struct kb_room_host *h)
{
	enum kb_status st = KB_OK;

	while (h->first) {
		struct early *e = h->first;

		h->first = e->next;
		if (st == KB_OK && h->open)
			st = give(h, e->type, e->body, e->size, &e->fd);
		kb_fd_close(&e->fd);
		sodium_memzero(e->body, e->size);
		free(e);
	}
	h->last = &h->first;
	return st;
}

static enum kb_status on_peer(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_room_host *h = ctx;
	const struct kb_wire_peer *p = body;

	(void)ch, (void)n;
	if (p->room == KB_ROOM_SUPERVISOR || p->room >= KB_ROOM_COUNT || !h->spec->peer)
		return KB_MALFORMED;
	return give(h, KB_WIRE_PEER, body, sizeof *p, &fds[0]);
}

static enum kb_status on_outbox_key(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	(void)ch, (void)fds, (void)n;
	return give(ctx, KB_WIRE_OUTBOX_KEY, body, sizeof(struct kb_wire_outbox_key), NULL);
}

static enum kb_status on_health_all(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	(void)ch, (void)fds, (void)n;
	return give(ctx, KB_WIRE_HEALTH_ALL, body, sizeof(struct kb_wire_health_all), NULL);
}

static enum kb_status on_go(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_room_host *h = ctx;
	const struct kb_wire_peer *self = body;

	(void)ch, (void)fds, (void)n;
	if (!h->configured || h->go)
		return KB_SEQUENCE;
	if (self->room != h->spec->room)
		return KB_MALFORMED;
	h->index = self->index;
	h->go = true;
	return KB_OK;
}

static enum kb_status on_stop(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_room_host *h = ctx;

	(void)ch, (void)body, (void)fds, (void)n;
	if (h->stopping)
		return KB_OK;
	h->stopping = true;
	if (h->open && h->spec->stop)
		h->spec->stop(h->self);
	else
		kb_room_done(h, 0);
	return KB_OK;
}

/* clang-format off */
static const struct kb_channel_row table[] = {
	/* type               fds  size                                handler */
	{KB_WIRE_CONFIG,     1, 1, sizeof(struct kb_wire_none),       on_config},
	{KB_WIRE_FILE,       1, 1, sizeof(struct kb_wire_file),       on_file},
	{KB_WIRE_PEER,       1, 1, sizeof(struct kb_wire_peer),       on_peer},
	{KB_WIRE_OUTBOX_KEY, 0, 0, sizeof(struct kb_wire_outbox_key), on_outbox_key},
	{KB_WIRE_HEALTH_ALL, 0, 0, sizeof(struct kb_wire_health_all), on_health_all},
	{KB_WIRE_GO,         0, 0, sizeof(struct kb_wire_peer),       on_go},
	{KB_WIRE_STOP,       0, 0, sizeof(struct kb_wire_none),       on_stop},
};
/* clang-format on */

static void on_lost(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_room_host *h = ctx;
	const struct kb_diag d = {.status = why, .what = "the control channel has ended"};

	(void)ch;
	if (!h->stopping)
		kb_room_log(h, LOG_ERR, &d, "the supervisor is gone");
	kb_room_done(h, h->stopping ? 0 : 1);
}

/* ---- one room's life ---- */

static enum kb_status begin(struct kb_room_host *h, struct kb_diag *d)
{
	if (sd_event_new(&h->loop) < 0)
		return KB_FAIL(d, KB_IO, 0, "no event loop");
	enum kb_status st =
	    kb_channel_new(d, h->loop, KB_ROOM_CONTROL_FD, table, KB_LEN(table), on_lost, h, &h->control);

	if (st != KB_OK)
		return st;
	if (sd_event_add_time_relative(
		h->loop, &h->alive, CLOCK_MONOTONIC, ALIVE_S * UINT64_C(1000000), 0, on_alive, h) < 0 ||
	    sd_event_add_time_relative(h->loop, &h->health, CLOCK_MONOTONIC, HEALTH_US, 0, on_health, h) < 0 ||
	    sd_event_source_set_enabled(h->health, SD_EVENT_OFF) < 0)
		return KB_FAIL(d, KB_IO, 0, "no timer");
	while (!h->go) {
		if (sd_event_get_state(h->loop) == SD_EVENT_FINISHED)
			return KB_FAIL(d, KB_AGAIN, 0, "stopped before it began");
		if (sd_event_run(h->loop, UINT64_MAX) < 0)
			return KB_FAIL(d, KB_IO, 0, "the event loop failed");
	}
	return KB_OK;
}

/* The paths that this room's Landlock domain keeps. The folder's descriptor is the room's to take, hence the copy. */
static enum kb_status close_sandbox(struct kb_room_host *h, int state_dir, struct kb_diag *d)
{
	static const char *const resolver[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
	    "/etc/gai.conf", "/etc/services", "/etc/protocols", "/run/systemd/resolve", NULL};
	const struct kb_sandbox_paths paths = {
	    .read = h->spec->room == KB_ROOM_COURIER ? resolver : NULL, .write_dir = state_dir};
	enum kb_status st = kb_sandbox_close(d, h->spec->room, &paths);

	if (st == KB_UNSUPPORTED) {
		kb_room_health(h, KB_HEALTH_SANDBOX_PARTIAL, true, 0);
		return KB_OK;
	}
	return st;
}

static enum kb_status work(struct kb_room_host *h, struct kb_diag *d)
{
	static const struct kb_wire_none none = {0};
	struct kb_room_file *dir = kb_room_file(h, KB_FILE_STATE_DIR, 0);
	KB_AUTO(kb_fd_close) int state_dir = dir ? fcntl(dir->fd, F_DUPFD_CLOEXEC, 0) : -1;
	enum kb_status st = h->spec->open(h, d, &h->self);

	if (st == KB_OK)
		st = close_sandbox(h, state_dir, d);
	kb_fd_close(&state_dir);
	if (st == KB_OK && h->spec->start)
		st = h->spec->start(h->self, d);
	if (st != KB_OK)
		return st;
	h->open = true;
	st = give_early(h);
	if (st == KB_OK)
		st = kb_room_control_send(h, KB_WIRE_READY, &none, sizeof none, NULL, 0);
	if (st != KB_OK)
		return KB_FAIL(d, st, 0, "what the supervisor handed over was refused");
	if (sd_event_loop(h->loop) < 0)
		return KB_FAIL(d, KB_IO, 0, "the event loop failed");
	return KB_OK;
}

static void end(struct kb_room_host *h)
{
	if (h->self)
		h->spec->close(&h->self);
	h->open = false;
	(void)give_early(h);
	for (size_t i = 0; i < h->files; i++)
		kb_fd_close(&h->file[i].fd);
	kb_channel_free(&h->control);
	h->alive = sd_event_source_disable_unref(h->alive);
	h->health = sd_event_source_disable_unref(h->health);
	h->loop = sd_event_unref(h->loop);
	free(h->settings);
}

int kb_room_main(const struct kb_room_spec *spec)
{
	struct kb_room_host h = {.spec = spec};
	struct kb_diag d = {0};
	int status = 1;

	h.last = &h.first;
	h.settings = calloc(1, sizeof *h.settings);
	if (!h.settings)
		abort();
	enum kb_status st = kb_harden(&d, spec->room);

	if (st == KB_OK)
		st = begin(&h, &d);
	if (st == KB_OK)
		st = work(&h, &d);
	if (st != KB_OK && st != KB_AGAIN)
		kb_room_log(&h, LOG_ERR, &d, "cannot go on");
	if (h.loop && (st == KB_OK || st == KB_AGAIN) && sd_event_get_exit_code(h.loop, &status) < 0)
		status = 1;
	end(&h);
	return status;
}
