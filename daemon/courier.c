/*
 * courier: sends what leaves: sealed referrals, and acknowledgements.
 *
 *   talks to   the vault (CREDIT, WORK, ACK_WORK, DONE); the supervisor (RUN); runners (RUN_JOB, RUN_DONE)
 *   holds      the outbox keys; what waits to be sent, while it is being sent
 *   may        resolve and connect to the configured relays; it reads nothing from a connection
 *
 * A referral passes as it is: sealed. An acknowledgement is opened here, and nowhere else. What is lost here is with the
 * vault still, which hands it over again.
 */
#include "courier.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum { AFTER_CHANNELS = 10, GRACE_S = 5, MINISIG_MOST = 4096 };
#define SEALED_MOST ((size_t)4 << 30)

/* ---- the vault ---- */

/*
 * What was delivered is remembered until the vault has it on its disk. No message says so; credit does: what the vault hands over
 * on credit that followed a DONE, it hands over after the commit in which that DONE stands.
 */
static void remember(struct kb_courier *c, const struct kb_wire_done *done, bool told)
{
	struct kb_courier_delivered *r;

	if (c->delivereds == KB_COURIER_DELIVERED)
		memmove(&c->delivered[0], &c->delivered[1], --c->delivereds * sizeof c->delivered[0]);
	r = &c->delivered[c->delivereds++];
	*r = (struct kb_courier_delivered){.done = *done, .told = told, .credit = {c->credit[0], c->credit[1]}};
}

void kb_courier_tell(struct kb_courier *c, const struct kb_wire_done *done, bool owed)
{
	bool told = owed && c->vault && kb_channel_send(c->vault, KB_WIRE_DONE, done, sizeof *done, NULL, 0) == KB_OK;

	if (done->outcome == KB_OUTCOME_DELIVERED)
		remember(c, done, told);
}

/* The vault has used one of its credits of this kind: those told before it was given that are on the disk. */
static void forget_written(struct kb_courier *c, bool ack)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->delivereds; i++) {
		struct kb_courier_delivered *r = &c->delivered[i];

		if (r->told && r->credit[ack]-- == 0)
			continue;
		c->delivered[kept++] = *r;
	}
	c->delivereds = kept;
}

/* A vault that started again asks for what the one before had asked for: what has arrived already is not sent twice. */
static bool was_delivered(struct kb_courier *c, const struct kb_wire_work *w, bool ack)
{
	for (size_t i = 0; i < c->delivereds; i++) {
		const struct kb_wire_done done = c->delivered[i].done;

		if (!kb_id_eq(&done.id, &w->id) || done.ack != ack)
			continue;
		memmove(&c->delivered[i], &c->delivered[i + 1], (--c->delivereds - i) * sizeof c->delivered[0]);
		kb_courier_tell(c, &done, true);
		kb_courier_credit(c);
		return true;
	}
	return false;
}

/* *ret_job is NULL when nothing is left to do. */
static enum kb_status take(struct kb_courier *c, const struct kb_wire_work *w, bool ack, struct kb_courier_job **ret_job)
{
	struct kb_courier_job *j = kb_courier_job_find(c, &w->id, ack);

	*ret_job = NULL;
	if (!c->credit[ack] || (j && j->owed))
		return KB_SEQUENCE;
	c->credit[ack]--;
	forget_written(c, ack);
	if (j) {
		j->owed = true; /* it is on its way already */
		kb_courier_credit(c);
		return KB_OK;
	}
	if (was_delivered(c, w, ack) || c->stopping)
		return KB_OK;
	*ret_job = kb_courier_job_new(c, w, ack);
	return *ret_job ? KB_OK : KB_LIMIT;
}

/* What cannot be mapped for want of memory is tried again; what has not the seals of a sibling is not taken from one. */
static enum kb_status map(struct kb_diag *d, struct kb_courier_job *j, int fd, size_t most, struct kb_map *ret_m)
{
	enum kb_status st = kb_map_open(d, fd, most, ret_m);

	if (st == KB_IO) {
		kb_room_log(j->courier->host, LOG_ERR, d, "a work cannot be looked at now");
		kb_courier_job_end(j, KB_OUTCOME_TEMPORARY, KB_IO);
	}
	return st;
}

static enum kb_status on_work(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_courier *c = ctx;
	const struct kb_wire_work *w = body;
	struct kb_courier_job *j;
	struct kb_diag d = {0};
	struct kb_span text;

	(void)ch, (void)n;
	if (kb_field_get(w->address, sizeof w->address, &text) != KB_OK ||
	    kb_field_get(w->destination, sizeof w->destination, &text) != KB_OK)
		return KB_MALFORMED;
	enum kb_status st = take(c, w, false, &j);

	if (st != KB_OK || !j)
		return st;
	st = map(&d, j, fds[0], SEALED_MOST, &j->sealed);
	if (st == KB_OK)
		st = map(&d, j, fds[1], MINISIG_MOST, &j->minisig);
	return st == KB_IO ? KB_OK : st;
}

static enum kb_status on_ack_work(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_courier *c = ctx;
	struct kb_courier_job *j;
	struct kb_diag d = {0};
	struct kb_map m;

	(void)ch, (void)n;
	enum kb_status st = take(c, body, true, &j);

	if (st != KB_OK || !j)
		return st;
	st = map(&d, j, fds[0], KB_ACK_SEALED, &m);
	if (st != KB_OK)
		return st == KB_IO ? KB_OK : st;
	st = kb_courier_ack(&d, j, m.s);
	kb_map_release(&m);
	if (st == KB_OK)
		return KB_OK;
	bool never = st == KB_NOKEY || st == KB_FORGED || st == KB_MALFORMED;

	kb_room_log(c->host, LOG_WARNING, &d, never ? "an acknowledgement can never be sent" : "an acknowledgement waits");
	kb_courier_job_end(j, never ? KB_OUTCOME_UNSENT : KB_OUTCOME_TEMPORARY, st);
	return KB_OK;
}

/* clang-format off */
static const struct kb_channel_row vault_rows[] = {
	/* type              fds  size                          handler */
	{KB_WIRE_WORK,      2, 2, sizeof(struct kb_wire_work), on_work},
	{KB_WIRE_ACK_WORK,  1, 1, sizeof(struct kb_wire_work), on_ack_work},
};
/* clang-format on */

/* What has not set out is the vault's to hand over again, or not: a person may withdraw it meanwhile. */
static void vault_lost(struct kb_courier *c)
{
	kb_channel_free(&c->vault);
	c->credit[0] = c->credit[1] = 0;
	for (size_t i = 0; i < c->delivereds; i++)
		c->delivered[i].told = false;
	for (size_t i = 0; i < KB_COURIER_PLACES; i++) {
		struct kb_courier_job *j = &c->job[i];

		j->owed = false;
		if (j->stage != KB_COURIER_FREE && j->stage != KB_COURIER_RUNNING)
			kb_courier_job_drop(j);
	}
}

static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_courier *c = ctx;

	(void)ch;
	vault_lost(c);
	kb_room_peer_closed(c->host, KB_ROOM_VAULT, 0, why);
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	struct kb_courier *c = self;

	if (room != KB_ROOM_VAULT || index != 0) {
		kb_fd_close(&fd);
		return KB_MALFORMED;
	}
	vault_lost(c);
	enum kb_status st =
	    kb_channel_new(NULL, kb_room_loop(c->host), fd, vault_rows, KB_LEN(vault_rows), on_closed, c, &c->vault);

	if (st == KB_OK)
		kb_courier_credit(c);
	return st;
}

/* ---- the supervisor ---- */

static enum kb_status control(void *self, uint16_t type, const void *body, size_t size)
{
	if (type == KB_WIRE_OUTBOX_KEY && size == sizeof(struct kb_wire_outbox_key))
		kb_courier_key_message(self, body);
	return KB_OK;
}

static bool relays_differ(const struct kb_courier *c, const struct kb_settings *s)
{
	return c->relays != s->relays || memcmp(c->relay, s->relay, sizeof c->relay) != 0;
}

/* Numbers of relays mean others now: what is under way starts with the first one that it comes to. */
static void take_relays(struct kb_courier *c)
{
	const struct kb_settings *s = kb_room_settings(c->host);

	if (!relays_differ(c, s))
		return;
	memcpy(c->relay, s->relay, sizeof c->relay);
	c->relays = s->relays < KB_RELAYS_MOST ? s->relays : KB_RELAYS_MOST;
	memset(c->route, 0, sizeof c->route);
	c->round++;
	c->untrusted = 0;
	kb_room_health(c->host, KB_HEALTH_RELAY_TLS, false, 0);
	for (size_t i = 0; i < KB_COURIER_PLACES; i++) {
		struct kb_courier_job *j = &c->job[i];

		j->next_relay = 0;
		if (j->stage != KB_COURIER_CONNECTING)
			continue;
		kb_courier_connect_stop(j);
		j->stage = KB_COURIER_WAITING;
	}
	kb_courier_soon(c);
}

static void reload(void *self)
{
	struct kb_courier *c = self;

	take_relays(c);
	kb_courier_templates(c);
	kb_courier_credit(c);
}

static int on_grace(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct kb_courier *c = ctx;

	(void)s, (void)usec;
	kb_room_done(c->host, 0);
	return 0;
}

/* What is with a runner may end well within a moment; what is not is queued again by the vault. */
static void room_stop(void *self)
{
	struct kb_courier *c = self;
	bool running = false;

	c->stopping = true;
	for (size_t i = 0; i < KB_COURIER_PLACES; i++) {
		if (c->job[i].stage == KB_COURIER_RUNNING)
			running = true;
		else
			kb_courier_job_drop(&c->job[i]);
	}
	if (!running) {
		kb_room_done(c->host, 0);
		return;
	}
	if (sd_event_add_time_relative(
		kb_room_loop(c->host), &c->grace, CLOCK_MONOTONIC, GRACE_S * UINT64_C(1000000), 0, on_grace, c) < 0)
		abort();
}

/* ---- life ---- */

static enum kb_status room_open(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	struct kb_courier *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	*ret_self = c;
	c->host = h;
	c->key = sodium_allocarray(KB_COURIER_KEYS, sizeof *c->key);
	if (!c->key)
		return KB_FAIL(d, KB_IO, 0, "no guarded memory for outbox keys");
	memset(c->key, 0, KB_COURIER_KEYS * sizeof *c->key);
	if (sd_event_add_defer(kb_room_loop(h), &c->turn, kb_courier_on_turn, c) < 0 ||
	    sd_event_source_set_enabled(c->turn, SD_EVENT_OFF) < 0 ||
	    sd_event_source_set_priority(c->turn, AFTER_CHANNELS) < 0)
		return KB_FAIL(d, KB_IO, 0, "no turn of the loop");
	tzset(); /* reads a file, which the sandbox does not allow later */
	kb_courier_resolver_init(c);
	take_relays(c);
	kb_courier_templates(c);
	return KB_OK;
}

static void room_close(void **self)
{
	struct kb_courier *c = KB_TAKE(*self);

	c->stopping = true; /* the loop is over, and takes no more turns */
	for (size_t i = 0; i < KB_COURIER_PLACES; i++)
		kb_courier_job_drop(&c->job[i]);
	kb_channel_free(&c->vault);
	kb_courier_templates_release(c);
	c->turn = sd_event_source_disable_unref(c->turn);
	c->grace = sd_event_source_disable_unref(c->grace);
	sodium_free(c->key); /* wipes; harmless on NULL */
	free(c);
}

static const struct kb_room_spec spec = {
    .room = KB_ROOM_COURIER,
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
