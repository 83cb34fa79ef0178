/*
 * vault: the one room that opens the store.
 *
 *   talks to   sealers (ROSTER; STORE, STORED), the desk (ASK, ANSWER), the courier (CREDIT, WORK, ACK_WORK, DONE)
 *   holds      the store's folder; the journal's key, the referral key, the daily keys
 *   may        files in the store's folder; no network
 *
 * It opens nothing that is sealed: it has no key to. One turn of its work: take in what has arrived, commit, answer.
 */
#include "vault.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <kitebox/memfd.h>

enum { AFTER_CHANNELS = 10, LOOK_MOST_S = 30, ACCURACY_US = 10000, QUIET_MS = 1000 };

void kb_vault_trouble(struct kb_vault *v, const struct kb_diag *d, const char *literal)
{
	bool full = d->status == KB_BUSY, known = full && v->full;
	if (full) {
		v->full = true;
		kb_room_health(v->host, KB_HEALTH_STORE_FULL, true, 0);
	}
	if (d->status == KB_CORRUPT)
		kb_room_health(v->host, KB_HEALTH_STORE_CORRUPT, true, 0);
	if (!known) /* each message that is refused says the same */
		kb_room_log(v->host, full ? LOG_WARNING : LOG_ERR, d, literal);
	if (v->store && kb_store_broken(v->store) && !v->stopping) {
		kb_room_log(v->host, LOG_ERR, NULL, "the store must be opened anew");
		kb_room_done(v->host, 1);
	}
}

void kb_vault_soon(struct kb_vault *v)
{
	if (sd_event_source_set_enabled(v->group, SD_EVENT_ONESHOT) < 0)
		abort();
}

/* A whole second is not over before it is: the wall clock's fraction counts from its own start. */
static uint64_t until_second(const struct kb_vault *v, uint64_t second)
{
	uint64_t us = 0;
	if (sd_event_now(kb_room_loop(v->host), CLOCK_REALTIME, &us) < 0)
		abort();
	return second * 1000000 > us ? second * 1000000 - us : 0;
}

static void look_later(struct kb_vault *v, bool queue)
{
	uint64_t now_ms = kb_room_now_ms(v->host), next = kb_vault_queue_next(v);
	uint64_t wait = (uint64_t)LOOK_MOST_S * 1000000;
	if (next < KB_NEVER / 1000000 && until_second(v, next) < wait)
		wait = until_second(v, next);
	if (queue)
		wait = v->queue_at_ms > now_ms ? (v->queue_at_ms - now_ms) * 1000 : 0;
	if (v->used_ms && wait > (uint64_t)QUIET_MS * 1000)
		wait = (uint64_t)QUIET_MS * 1000;
	if (v->tidy)
		wait = 0;
	if (sd_event_source_set_time_relative(v->timer, wait) < 0 ||
	    sd_event_source_set_enabled(v->timer, SD_EVENT_ONESHOT) < 0)
		abort();
}

void kb_vault_used(struct kb_vault *v)
{
	uint64_t at = 0, now = 0;
	bool armed = v->used_ms;
	v->used_ms = kb_room_now_ms(v->host);
	if (armed)
		return;
	if (sd_event_source_get_time(v->timer, &at) < 0 || sd_event_now(kb_room_loop(v->host), CLOCK_MONOTONIC, &now) < 0)
		abort();
	if (at > now + (uint64_t)QUIET_MS * 1000 && sd_event_source_set_time_relative(v->timer, (uint64_t)QUIET_MS * 1000) < 0)
		abort();
}

static int on_group(sd_event_source *s, void *ctx)
{
	struct kb_vault *v = ctx;
	(void)s;
	if (!v->used_ms) /* deliveries may go on for long: they do not put off what look_later sets the timer by */
		v->used_ms = kb_room_now_ms(v->host);
	kb_vault_commit_group(v);
	bool later = kb_room_now_ms(v->host) < v->queue_at_ms;
	if (!later)
		kb_vault_queue(v);
	look_later(v, later || !v->queue_at_ms);
	if (v->stopping && !v->first)
		kb_room_done(v->host, 0);
	return 0;
}

/* Whatever was full may have been given room since: enough for what was refused, and not just at the edge. */
static void look_at_room(struct kb_vault *v)
{
	struct kb_diag d = {0};
	if (!v->full) {
		if (kb_store_room(&d, v->store, 0) == KB_BUSY)
			kb_vault_trouble(v, &d, "there is no room: intake answers 452");
	} else if (kb_store_room_again(&d, v->store, v->refused_octets) == KB_OK) {
		v->full = false;
		v->refused_octets = 0;
		kb_room_health(v->host, KB_HEALTH_STORE_FULL, false, 0);
	}
}

static void tidy(struct kb_vault *v)
{
	struct kb_diag d = {0};
	enum kb_status st = v->first ? KB_OK : kb_store_tidy(&d, v->store, kb_room_now_s(v->host));
	v->tidy = st == KB_AGAIN;
	if (st != KB_OK && st != KB_AGAIN && st != KB_NOKEY)
		kb_vault_trouble(v, &d, "what outlived its use could not be cleared away");
}

/* Pages of the last rush, once it is over; and those that a look at the clock has touched since. */
static void give_back(struct kb_vault *v)
{
	(void)malloc_trim(0);
	if (v->store)
		kb_store_trim(v->store);
}

static bool is_quiet(const struct kb_vault *v)
{
	return !v->first && (!v->used_ms || kb_room_now_ms(v->host) >= v->used_ms + QUIET_MS);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct kb_vault *v = ctx;
	(void)s, (void)usec;
	if (!v->store)
		kb_vault_office(
		    v); /* what did not open may do so now: a disk that was full, a folder that was not there */
	if (v->store) {
		look_at_room(v);
		tidy(v);
	}
	kb_vault_queue(v);
	bool quiet = is_quiet(v);
	if (quiet)
		v->used_ms = 0;
	look_later(v, !v->queue_at_ms);
	if (quiet)
		give_back(v);
	return 0;
}

/* clang-format off */
static const struct kb_channel_row sealer_rows[] = {
	/* type           fds                         size                          handler */
	{KB_WIRE_STORE,  1, 1, sizeof(struct kb_wire_store),  kb_vault_on_store},
};
static const struct kb_channel_row desk_rows[] = {
	{KB_WIRE_ASK,    0, 0,                        sizeof(struct kb_wire_ask),    kb_vault_on_ask},
	{KB_WIRE_GONE,   0, 0,                        sizeof(struct kb_wire_gone),   kb_vault_on_gone},
};
static const struct kb_channel_row courier_rows[] = {
	{KB_WIRE_CREDIT, 0, 0,                        sizeof(struct kb_wire_credit), kb_vault_on_credit},
	{KB_WIRE_DONE,   0, 0,                        sizeof(struct kb_wire_done),   kb_vault_on_done},
};
/* clang-format on */

static void sealer_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_vault *v = ctx;
	kb_vault_intake_forget(v, ch);
	for (uint32_t i = 0; i < KB_VAULT_SEALERS_MOST; i++) {
		if (v->sealer[i] == ch) {
			v->sealer[i] = NULL;
			kb_room_peer_closed(v->host, KB_ROOM_SEALER, i, why);
		}
	}
	kb_channel_free(&ch);
}

static void desk_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_vault *v = ctx;
	if (v->desk == ch)
		v->desk = NULL;
	kb_room_peer_closed(v->host, KB_ROOM_DESK, 0, why);
	kb_vault_desk_forget(v);
	kb_channel_free(&ch);
}

static void courier_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_vault *v = ctx;
	if (v->courier == ch)
		v->courier = NULL;
	kb_room_peer_closed(v->host, KB_ROOM_COURIER, 0, why);
	kb_vault_courier_lost(v);
	kb_channel_free(&ch);
}

static enum kb_status open_channel(struct kb_vault *v, int fd, const struct kb_channel_row *rows, size_t n,
    void (*closed)(void *ctx, struct kb_channel *ch, enum kb_status why), struct kb_channel **ret_ch)
{
	struct kb_diag d = {0};
	enum kb_status st = kb_channel_new(&d, kb_room_loop(v->host), fd, rows, n, closed, v, ret_ch);
	if (st != KB_OK)
		kb_room_log(v->host, LOG_ERR, &d, "a channel to a sibling could not be made");
	return st;
}

static enum kb_status sealer_came(struct kb_vault *v, uint32_t index, int fd)
{
	if (index >= KB_VAULT_SEALERS_MOST) {
		kb_fd_close(&fd);
		return KB_MALFORMED;
	}
	/* What the one before has sent and was not answered is stored all the same; nobody hears of it. */
	if (v->sealer[index])
		kb_vault_intake_forget(v, v->sealer[index]);
	kb_channel_free(&v->sealer[index]);
	enum kb_status st = open_channel(v, fd, sealer_rows, KB_LEN(sealer_rows), sealer_closed, &v->sealer[index]);
	if (st == KB_OK)
		kb_vault_send_chain(v, v->sealer[index]);
	return st;
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	struct kb_vault *v = self;
	switch (room) {
	case KB_ROOM_SEALER:
		return sealer_came(v, index, fd);
	case KB_ROOM_DESK:
		kb_vault_desk_forget(v);
		kb_channel_free(&v->desk);
		return open_channel(v, fd, desk_rows, KB_LEN(desk_rows), desk_closed, &v->desk);
	case KB_ROOM_COURIER:
		kb_vault_courier_lost(v);
		kb_channel_free(&v->courier);
		return open_channel(v, fd, courier_rows, KB_LEN(courier_rows), courier_closed, &v->courier);
	default:
		kb_fd_close(&fd);
		return KB_MALFORMED;
	}
}

static enum kb_status control(void *self, uint16_t type, const void *body, size_t size)
{
	if (type == KB_WIRE_OUTBOX_KEY && size == sizeof(struct kb_wire_outbox_key))
		kb_vault_outbox_key(self, body);
	return KB_OK;
}

static enum kb_status room_open(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	struct kb_vault *v = calloc(1, sizeof *v);
	struct kb_room_file *dir = kb_room_file(h, KB_FILE_STATE_DIR, 0);
	if (!v)
		abort();
	*ret_self = v;
	v->host = h;
	v->last = &v->first;
	v->chain = v->state_dir = -1;
	v->recover = v->outbox_changed = true;
	v->started_s = kb_room_now_s(h);
	v->roster = calloc(1, sizeof *v->roster);
	v->older = calloc(1, sizeof *v->older);
	if (!v->roster || !v->older)
		abort();
	/* From here on "." is the store's folder, whatever its path. */
	if (!dir || fchdir(dir->fd) < 0)
		return KB_FAIL_SYS(d, "the store's folder was not handed over");
	v->state_dir = dir->fd;
	dir->fd = -1;
	if (sd_event_add_defer(kb_room_loop(h), &v->group, on_group, v) < 0 ||
	    sd_event_source_set_enabled(v->group, SD_EVENT_OFF) < 0 ||
	    sd_event_source_set_priority(v->group, AFTER_CHANNELS) < 0 ||
	    sd_event_add_time_relative(kb_room_loop(h), &v->timer, CLOCK_MONOTONIC, 0, ACCURACY_US, on_timer, v) < 0)
		return KB_FAIL(d, KB_IO, 0, "no timer");
	kb_vault_office(v);
	return KB_OK;
}

static void reload(void *self)
{
	struct kb_vault *v = self;
	kb_vault_office(v);
	for (size_t i = 0; i < KB_VAULT_SEALERS_MOST; i++)
		if (v->sealer[i])
			kb_vault_send_chain(v, v->sealer[i]);
}

static void room_stop(void *self)
{
	struct kb_vault *v = self;
	v->stopping = true;
	kb_vault_soon(v);
}

static void room_close(void **self)
{
	struct kb_vault *v = KB_TAKE(*self);
	kb_vault_intake_release(v);
	kb_vault_desk_forget(v);
	for (size_t i = 0; i < KB_VAULT_SEALERS_MOST; i++)
		kb_channel_free(&v->sealer[i]);
	kb_channel_free(&v->desk);
	kb_channel_free(&v->courier);
	sd_event_source_unref(v->group);
	sd_event_source_unref(v->timer);
	kb_vault_office_release(v);
	kb_fd_close(&v->state_dir);
	free(v->roster);
	free(v->older);
	free(v);
}

static const struct kb_room_spec spec = {
    .room = KB_ROOM_VAULT,
    .open = room_open,
    .peer = peer,
    .reload = reload,
    .stop = room_stop,
    .close = room_close,
    .control = control,
};

int main(void)
{
	return kb_room_main(&spec);
}
