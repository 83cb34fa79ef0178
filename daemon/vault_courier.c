/*
 * vault_courier: the delivery queue's side of the courier.
 *
 * One turn: what the courier reported is written down, held referrals that the clock has come to are released, due ones
 * are marked sent as far as the courier has credit; then one commit; then the work goes out. So the journal has an
 * attempt before it is made. What was with a courier that ended is queued again: it may arrive twice, under the same
 * Message-ID, never not at all.
 */
#include "vault.h"

#include <string.h>
#include <syslog.h>

#include <kitebox/memfd.h>

/* While mail comes in, the queue's own commits must not take turns with the mail's. */
enum { RELEASES_A_TURN = 64, CODES_FINAL = 500, QUEUE_PAUSE_MS = 200, TROUBLE_PAUSE_MS = 5000 };

struct taken {
	struct kb_referral r;
	struct kb_vault_flight *flight;
};

static struct kb_vault_flight *place(struct kb_vault *v)
{
	for (size_t i = 0; i < KB_LEN(v->flight); i++)
		if (!v->flight[i].used)
			return &v->flight[i];
	return NULL;
}

static const struct kb_vault_flight *referral_in_flight(const struct kb_vault *v, uint64_t seq)
{
	for (size_t i = 0; i < KB_LEN(v->flight); i++)
		if (v->flight[i].used && !v->flight[i].ack && v->flight[i].seq == seq)
			return &v->flight[i];
	return NULL;
}

enum kb_status kb_vault_on_credit(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_vault *v = ctx;
	const struct kb_wire_credit *c = body;
	(void)ch, (void)fds, (void)n;
	if (c->referrals > KB_VAULT_FLIGHT_MOST || c->acks > KB_VAULT_FLIGHT_MOST)
		return KB_MALFORMED;
	v->credit += c->referrals;
	v->ack_credit += c->acks;
	if (v->credit > KB_VAULT_FLIGHT_MOST)
		v->credit = KB_VAULT_FLIGHT_MOST;
	if (v->ack_credit > KB_VAULT_FLIGHT_MOST)
		v->ack_credit = KB_VAULT_FLIGHT_MOST;
	kb_vault_soon(v);
	return KB_OK;
}

enum kb_status kb_vault_on_done(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_vault *v = ctx;
	const struct kb_wire_done *w = body;
	(void)ch, (void)fds, (void)n;
	if (w->outcome >= KB_OUTCOME_COUNT || w->ack > 1 || w->reason >= KB_STATUS_COUNT || w->code > 999)
		return KB_MALFORMED;
	for (size_t i = 0; i < KB_LEN(v->flight); i++) {
		struct kb_vault_flight *f = &v->flight[i];
		if (f->used && !f->done && f->ack == (w->ack == 1) && kb_id_eq(&f->id, &w->id)) {
			f->done = true;
			f->outcome = *w;
			kb_vault_soon(v);
			return KB_OK;
		}
	}
	return KB_SEQUENCE;
}

void kb_vault_courier_lost(struct kb_vault *v)
{
	/* What it had reported is true all the same. */
	for (size_t i = 0; i < KB_LEN(v->flight); i++)
		if (!v->flight[i].done)
			v->flight[i].used = false;
	v->credit = v->ack_credit = 0;
	v->recover = true;
	kb_vault_soon(v);
}

/* ---- in the transaction ---- */

static enum kb_referral_event event_of(
    const struct kb_vault *v, const struct kb_wire_done *w, const struct kb_referral *r)
{
	if (w->outcome == KB_OUTCOME_DELIVERED)
		return KB_EVENT_DELIVER;
	/* A relay that is set up wrong says 5xx too: nobody's allegation may die of that within the day. */
	if (w->outcome == KB_OUTCOME_PERMANENT && w->code >= CODES_FINAL &&
	    kb_room_now_s(v->host) >= r->first_s + KB_GIVE_UP_S)
		return KB_EVENT_GIVE_UP;
	return KB_EVENT_DEFER;
}

static enum kb_status write_outcomes(struct kb_vault *v, struct kb_diag *d)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < KB_LEN(v->flight); i++) {
		struct kb_vault_flight *f = &v->flight[i];
		struct kb_referral r;
		if (!f->used || !f->done || f->ack)
			continue;
		struct kb_referral_outcome o = {.code = f->outcome.code, .chance = randombytes_random()};
		st = kb_store_referral(d, v->store, f->seq, &r);
		if (st == KB_OK && r.state == KB_REFERRAL_SENT)
			st = kb_store_referral_event(d, v->store, &r, event_of(v, &f->outcome, &r), &o);
	}
	return st;
}

static enum kb_status recover(struct kb_vault *v, struct kb_diag *d)
{
	struct kb_place at = {0};
	struct kb_referral r;
	enum kb_status st = KB_OK;
	while (v->recover && (st = kb_sent_next(d, v->store, &at, &r)) == KB_OK)
		if (!referral_in_flight(v, r.seq) &&
		    (st = kb_store_referral_event(d, v->store, &r, KB_EVENT_LOSE, NULL)) != KB_OK)
			break;
	return st == KB_NOTFOUND ? KB_OK : st;
}

static enum kb_status release(struct kb_vault *v, struct kb_diag *d, bool *ret_more)
{
	struct kb_place at = {0};
	struct kb_referral r;
	enum kb_status st = KB_OK;
	for (size_t n = 0; (st = kb_held_next(d, v->store, kb_room_now_s(v->host), &at, &r)) == KB_OK; n++) {
		if (n == RELEASES_A_TURN) {
			*ret_more = true;
			return KB_OK;
		}
		st = kb_store_referral_event(d, v->store, &r, KB_EVENT_RELEASE, NULL);
		if (st != KB_OK)
			return st;
	}
	return st == KB_NOTFOUND ? KB_OK : st;
}

static enum kb_status take(struct kb_vault *v, struct kb_diag *d, struct taken *t, size_t *n)
{
	struct kb_place at = {0};
	struct kb_vault_flight *f;
	struct kb_referral r;
	while (v->courier && *n < v->credit && (f = place(v))) {
		enum kb_status st = kb_due_next(d, v->store, kb_room_now_s(v->host), &at, &r);
		if (st == KB_OK)
			st = kb_store_referral_event(d, v->store, &r, KB_EVENT_TAKE, NULL);
		if (st != KB_OK)
			return st == KB_NOTFOUND ? KB_OK : st;
		*f = (struct kb_vault_flight){.used = true, .seq = r.seq, .id = r.id};
		t[(*n)++] = (struct taken){r, f};
	}
	return KB_OK;
}

/* ---- after the commit ---- */

static const struct kb_destination *destination_of(const struct kb_vault *v, const struct kb_referral *r)
{
	for (size_t i = 0; v->have_roster && i < v->roster->destinations; i++)
		if (strcmp(v->roster->destination[i].id, r->destination) == 0)
			return &v->roster->destination[i];
	return NULL;
}

static enum kb_status open_work(
    struct kb_vault *v, struct kb_diag *d, const struct kb_referral *r, int ret_fds[static 2])
{
	struct kb_span sig;
	enum kb_status st = kb_store_blob(d, v->store, r->blob, r->blob_len, &ret_fds[0]);
	if (st == KB_OK)
		st = kb_store_signature(d, v->store, r->seq, &sig);
	if (st == KB_OK)
		st = kb_memfd_from(d, "signature", sig, &ret_fds[1]);
	kb_store_rest(v->store);
	return st;
}

static void hand_over(struct kb_vault *v, const struct taken *t)
{
	const struct kb_referral *r = &t->r;
	const struct kb_destination *to = destination_of(v, r);
	struct kb_diag d = {0};
	int fds[2] = {-1, -1};
	struct kb_wire_work w;
	memset(&w, 0, sizeof w);
	w.id = r->id;
	w.received_s = r->received_s;
	w.attempt = r->attempts;
	w.case_id = r->case_id;
	enum kb_status st = to ? open_work(v, &d, r, fds)
			       : KB_FAIL(&d, KB_NOTFOUND, 0, "the roster does not know that destination any more");
	if (st == KB_OK) {
		memcpy(w.address, to->address, sizeof w.address);
		memcpy(w.destination, to->id, sizeof w.destination);
		st = v->courier ? kb_channel_send(v->courier, KB_WIRE_WORK, &w, sizeof w, fds, 2) : KB_IO;
	}
	kb_fd_close(&fds[0]);
	kb_fd_close(&fds[1]);
	if (st == KB_OK) {
		v->credit -= v->credit > 0;
		return;
	}
	kb_vault_trouble(v, &d, "a referral could not be handed to the courier and is tried again");
	t->flight->done = true;
	t->flight->outcome = (struct kb_wire_done){.id = r->id, .outcome = KB_OUTCOME_TEMPORARY, .reason = st};
	v->queue_at_ms = 0;
	kb_vault_soon(v);
}

static void say_how_it_goes(struct kb_vault *v)
{
	struct kb_store_facts f;
	kb_store_facts(v->store, &f);
	kb_room_health(v->host, KB_HEALTH_DELIVERY_FAILING, f.counts.failing > 0, f.counts.failing);
	kb_room_health(v->host, KB_HEALTH_REFERRAL_DEAD, f.counts.referrals[KB_REFERRAL_DEAD] > 0,
	    f.counts.referrals[KB_REFERRAL_DEAD]);
	kb_room_health(
	    v->host, KB_HEALTH_ACKS_UNSENT, f.counts.unsent > v->unsent_before, f.counts.unsent - v->unsent_before);
}

static enum kb_status write_all(struct kb_vault *v, struct kb_diag *d, struct taken *t, size_t *n, bool *ret_more)
{
	enum kb_status st = write_outcomes(v, d);
	if (st == KB_OK)
		st = recover(v, d);
	if (st == KB_OK)
		st = release(v, d, ret_more);
	if (st == KB_OK)
		st = take(v, d, t, n);
	return st == KB_OK ? kb_vault_acks_write(v, d, ret_more) : st;
}

void kb_vault_queue(struct kb_vault *v)
{
	struct taken t[KB_VAULT_FLIGHT_MOST];
	struct kb_diag d = {0};
	size_t n = 0;
	bool more = false;
	v->queue_at_ms = kb_room_now_ms(v->host) + QUEUE_PAUSE_MS; /* also where there is nothing to do: 0 means at once */
	if (!v->store || v->intake != KB_OK || v->stopping)
		return;
	enum kb_status st = kb_store_begin(&d, v->store, kb_room_now_s(v->host));
	if (st == KB_OK) {
		st = write_all(v, &d, t, &n, &more);
		if (st == KB_OK)
			st = kb_store_commit(&d, v->store);
		else
			kb_store_abort(v->store);
	}
	if (st != KB_OK) {
		for (size_t i = 0; i < n; i++)
			t[i].flight->used = false;
		v->queue_at_ms = kb_room_now_ms(v->host) + TROUBLE_PAUSE_MS;
		kb_vault_trouble(v, &d, "the delivery queue could not be brought forward");
		return;
	}
	v->recover = false;
	for (size_t i = 0; i < KB_LEN(v->flight); i++)
		if (v->flight[i].used && v->flight[i].done)
			v->flight[i].used = false;
	for (size_t i = 0; i < n; i++)
		hand_over(v, &t[i]);
	kb_vault_acks_send(v);
	say_how_it_goes(v);
	if (more)
		v->queue_at_ms = 0;
}

uint64_t kb_vault_queue_next(struct kb_vault *v)
{
	struct kb_diag d = {0};
	uint64_t due = KB_NEVER, ack = KB_NEVER, now = kb_room_now_s(v->host);
	if (!v->store || v->intake != KB_OK)
		return KB_NEVER;
	/* What is due already waits for credit, and credit wakes us. */
	if (kb_store_next_due(&d, v->store, now, &due) != KB_OK || kb_store_next_ack(&d, v->store, now, &ack) != KB_OK)
		kb_vault_trouble(v, &d, "the delivery queue does not read");
	kb_store_rest(v->store);
	return due < ack ? due : ack;
}
