/*
 * courier_job: places, jobs and their outcomes. See courier.h.
 *
 * The relays are tried in order until one has taken the mail or refused it for good; what fails in any other way at one may
 * succeed at the next. What the vault hears is the most telling of their answers: a reply before a lost connection.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "courier.h"

/* Mails of referrals that may lie in memory at once, beside one that is larger than that alone. */
#define OCTETS_MOST (UINT64_C(192) << 20)

/* ---- places ---- */

static size_t most(bool ack)
{
	return ack ? KB_COURIER_ACKS : KB_COURIER_REFERRALS;
}

static size_t taken(const struct kb_courier *c, bool ack)
{
	size_t n = 0;

	for (size_t i = 0; i < KB_COURIER_PLACES; i++)
		n += c->job[i].stage != KB_COURIER_FREE && c->job[i].ack == ack;
	return n;
}

struct kb_courier_job *kb_courier_job_new(struct kb_courier *c, const struct kb_wire_work *w, bool ack)
{
	if (taken(c, ack) >= most(ack))
		return NULL;
	for (size_t i = 0; i < KB_COURIER_PLACES; i++) {
		struct kb_courier_job *j = &c->job[i];

		if (j->stage != KB_COURIER_FREE)
			continue;
		*j = (struct kb_courier_job){.courier = c,
		    .stage = KB_COURIER_WAITING,
		    .ack = ack,
		    .owed = true,
		    .order = ++c->orders,
		    .work = *w,
		    .mail = {.fd = -1},
		    .fd = -1};
		kb_courier_soon(c);
		return j;
	}
	return NULL;
}

struct kb_courier_job *kb_courier_job_find(struct kb_courier *c, const struct kb_id *id, bool ack)
{
	for (size_t i = 0; i < KB_COURIER_PLACES; i++)
		if (c->job[i].stage != KB_COURIER_FREE && c->job[i].ack == ack && kb_id_eq(&c->job[i].work.id, id))
			return &c->job[i];
	return NULL;
}

void kb_courier_job_drop(struct kb_courier_job *j)
{
	struct kb_courier *c = j->courier;

	if (j->stage == KB_COURIER_FREE)
		return;
	kb_courier_connect_stop(j);
	kb_channel_free(&j->runner);
	kb_map_release(&j->sealed);
	kb_map_release(&j->minisig);
	kb_fd_close(&j->mail.fd);
	sodium_memzero(j, sizeof *j);
	kb_courier_soon(c); /* another may have waited for the memory */
}

static bool running(const struct kb_courier *c)
{
	for (size_t i = 0; i < KB_COURIER_PLACES; i++)
		if (c->job[i].stage == KB_COURIER_RUNNING)
			return true;
	return false;
}

static struct kb_wire_credit free_places(const struct kb_courier *c)
{
	struct kb_wire_credit w = {.referrals = (uint32_t)(most(false) - taken(c, false))};

	/* Without a relay to send them to, or words to send, acknowledgements wait with the vault. */
	if (c->templates && c->relays)
		w.acks = (uint32_t)(most(true) - taken(c, true));
	return w;
}

void kb_courier_credit(struct kb_courier *c)
{
	struct kb_wire_credit w = free_places(c);

	w.referrals = w.referrals > c->credit[0] ? w.referrals - c->credit[0] : 0;
	w.acks = w.acks > c->credit[1] ? w.acks - c->credit[1] : 0;
	if (c->stopping || !c->vault || (!w.referrals && !w.acks))
		return;
	if (kb_channel_send(c->vault, KB_WIRE_CREDIT, &w, sizeof w, NULL, 0) != KB_OK)
		return; /* the channel has ended, and another follows */
	c->credit[0] += w.referrals;
	c->credit[1] += w.acks;
}

/* ---- outcomes ---- */

static bool relay_works(const struct kb_wire_done *w)
{
	return w->outcome == KB_OUTCOME_DELIVERED || (w->outcome == KB_OUTCOME_PERMANENT && w->code);
}

/* A receiver that puts an acknowledgement off (greylisting) says nothing about the relay. */
static void look_at_relays(struct kb_courier_job *j)
{
	struct kb_courier *c = j->courier;
	const struct kb_wire_done *w = &j->result;

	if (relay_works(w)) {
		c->failing = 0;
	} else if (w->outcome == KB_OUTCOME_TEMPORARY && (!j->ack || !w->code)) {
		if (!c->failing++ || c->failing_as != (enum kb_status)w->reason)
			kb_room_log(c->host, LOG_WARNING, &j->why, "no relay took a mail; it is tried again");
		c->failing_as = (enum kb_status)w->reason;
	}
	kb_room_health(c->host, KB_HEALTH_DELIVERY_FAILING, c->failing > 0, c->failing);
}

void kb_courier_job_end(struct kb_courier_job *j, enum kb_outcome outcome, enum kb_status reason)
{
	struct kb_courier *c = j->courier;
	struct kb_wire_done w = j->result;
	bool owed = j->owed;

	w.id = j->work.id;
	w.ack = j->ack;
	w.outcome = outcome;
	w.reason = reason;
	kb_courier_job_drop(j);
	kb_courier_tell(c, &w, owed);
	if ((c->stopping || c->stale) && !running(c))
		kb_room_done(c->host, c->stopping ? 0 : 1);
	kb_courier_credit(c);
}

static void look_at_trust(struct kb_courier_job *j)
{
	struct kb_courier *c = j->courier;

	if (j->round != c->round)
		return; /* of a relay that a reload took away */
	if (j->said.reason == KB_FORGED)
		c->untrusted |= 1u << j->relay;
	else if (relay_works(&j->said))
		c->untrusted &= ~(1u << j->relay);
	kb_room_health(c->host, KB_HEALTH_RELAY_TLS, c->untrusted, (uint64_t)__builtin_popcount(c->untrusted));
}

void kb_courier_job_judge(struct kb_courier_job *j)
{
	look_at_trust(j);
	if (j->said.outcome != KB_OUTCOME_TEMPORARY || !j->result.code || j->said.code)
		j->result = j->said;
	/* Nobody waits for it any more, or not for long enough: whether it is tried again is the vault's to say. */
	bool goes_on = j->owed && !j->courier->stopping;

	if (j->said.outcome == KB_OUTCOME_TEMPORARY && goes_on && j->next_relay < j->courier->relays) {
		j->stage = KB_COURIER_WAITING;
		kb_courier_soon(j->courier);
		return;
	}
	look_at_relays(j);
	kb_courier_job_end(j, (enum kb_outcome)j->result.outcome, (enum kb_status)j->result.reason);
}

void kb_courier_job_failed(struct kb_courier_job *j, enum kb_status reason, const struct kb_diag *d)
{
	j->said = (struct kb_wire_done){.outcome = KB_OUTCOME_TEMPORARY, .reason = reason};
	j->why = d ? *d : (struct kb_diag){.status = reason};
	kb_courier_job_judge(j);
}

/* ---- whose turn it is ---- */

void kb_courier_soon(struct kb_courier *c)
{
	if (!c->stopping && sd_event_source_set_enabled(c->turn, SD_EVENT_ONESHOT) < 0)
		abort();
}

static bool composed(const struct kb_courier_job *j)
{
	return j->mail.fd >= 0;
}

static bool fits(const struct kb_courier *c, const struct kb_courier_job *j)
{
	uint64_t octets = 0;

	for (size_t i = 0; i < KB_COURIER_PLACES; i++)
		if (c->job[i].stage != KB_COURIER_FREE && !c->job[i].ack && composed(&c->job[i]))
			octets += kb_courier_octets(&c->job[i]);
	return !octets || octets + kb_courier_octets(j) <= OCTETS_MOST;
}

static struct kb_courier_job *oldest(struct kb_courier *c, bool is_composed)
{
	struct kb_courier_job *first = NULL;

	for (size_t i = 0; i < KB_COURIER_PLACES; i++) {
		struct kb_courier_job *j = &c->job[i];

		if (j->stage == KB_COURIER_WAITING && composed(j) == is_composed && (!first || j->order < first->order))
			first = j;
	}
	return first;
}

/* A large one that does not fit yet is not overtaken by those behind it: it would wait for ever. */
static struct kb_courier_job *next(struct kb_courier *c)
{
	struct kb_courier_job *a = oldest(c, true), *b = oldest(c, false);

	if (b && !fits(c, b))
		b = NULL;
	return !a || (b && b->order < a->order) ? b : a;
}

static void compose(struct kb_courier_job *j)
{
	struct kb_diag d = {0};
	enum kb_status st = kb_courier_referral(&d, j);

	if (st == KB_OK)
		return;
	kb_room_log(j->courier->host, LOG_ERR, &d, "a referral's mail could not be composed");
	kb_courier_job_end(j, st == KB_MALFORMED ? KB_OUTCOME_PERMANENT : KB_OUTCOME_TEMPORARY, st);
}

static void set_out(struct kb_courier_job *j)
{
	struct kb_courier *c = j->courier;
	struct kb_diag d = {.status = KB_NOTFOUND, .what = "no relay is configured"};

	if (!c->relays) {
		kb_courier_job_failed(j, KB_NOTFOUND, &d);
		return;
	}
	j->relay = j->next_relay++;
	j->round = c->round;
	j->reported = false;
	kb_courier_connect(j);
}

int kb_courier_on_turn(sd_event_source *s, void *ctx)
{
	struct kb_courier *c = ctx;
	struct kb_courier_job *j = next(c);

	(void)s;
	if (!j)
		return 0;
	if (composed(j))
		set_out(j);
	else
		compose(j);
	if (next(c))
		kb_courier_soon(c);
	return 0;
}
