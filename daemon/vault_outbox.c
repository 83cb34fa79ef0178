/*
 * vault_outbox: acknowledgements: which keys still open them, and what leaves at a tick.
 *
 * The keys live in the memory of supervisor and courier. What is sealed to one that is gone can never be sent: it is
 * written down as unsent, and its row goes.
 */
#include "vault.h"

#include <string.h>
#include <syslog.h>

#include <kitebox/memfd.h>

enum { GIVEN_UP_A_TURN = 256, ATTEMPTS_MOST = 8 };

static bool opens(const struct kb_vault *v, uint32_t number)
{
	for (size_t i = 0; i < v->outbox_keys; i++)
		if (v->outbox_key[i] == number)
			return true;
	return false;
}

void kb_vault_outbox_key(struct kb_vault *v, const struct kb_wire_outbox_key *k)
{
	if (k->destroy) {
		for (size_t i = v->outbox_keys; i-- > 0;)
			if (v->outbox_key[i] == k->number)
				v->outbox_key[i] = v->outbox_key[--v->outbox_keys];
		v->outbox_changed = true;
	} else if (!opens(v, k->number)) {
		if (v->outbox_keys == KB_VAULT_OUTBOX_KEYS_MOST)
			memmove(&v->outbox_key[0], &v->outbox_key[1], --v->outbox_keys * sizeof v->outbox_key[0]);
		v->outbox_key[v->outbox_keys++] = k->number;
	}
	kb_vault_soon(v);
}

static bool in_flight(const struct kb_vault *v, const struct kb_ack *a)
{
	for (size_t i = 0; i < KB_LEN(v->flight); i++)
		if (v->flight[i].used && v->flight[i].ack && kb_id_eq(&v->flight[i].id, &a->id))
			return true;
	return false;
}

static enum kb_status write_outcome(struct kb_vault *v, struct kb_diag *d, const struct kb_vault_flight *f)
{
	const struct kb_wire_done *w = &f->outcome;
	if (w->outcome == KB_OUTCOME_DELIVERED)
		return kb_store_ack_sent(d, v->store, &f->item, w->code);
	if (w->outcome == KB_OUTCOME_TEMPORARY && f->item.attempts + 1 < ATTEMPTS_MOST)
		return kb_store_ack_later(d, v->store, &f->item);
	return kb_store_ack_unsent(d, v->store, &f->item, w->code);
}

/* After a start, or when a key was destroyed: whatever no key opens any more. */
static enum kb_status give_up(struct kb_vault *v, struct kb_diag *d, bool *ret_more)
{
	struct kb_place at = {0};
	struct kb_ack a;
	struct kb_span sealed;
	size_t n = 0;
	enum kb_status st = KB_OK;
	while (v->outbox_changed && (st = kb_ack_next(d, v->store, KB_NEVER, &at, &a, &sealed)) == KB_OK) {
		if (opens(v, a.outbox_key) || in_flight(v, &a))
			continue;
		if (n++ == GIVEN_UP_A_TURN) {
			*ret_more = true;
			return KB_OK;
		}
		st = kb_store_ack_unsent(d, v->store, &a, 0);
		if (st != KB_OK)
			return st;
	}
	if (st == KB_OK || st == KB_NOTFOUND)
		v->outbox_changed = false;
	return st == KB_NOTFOUND ? KB_OK : st;
}

enum kb_status kb_vault_acks_write(struct kb_vault *v, struct kb_diag *d, bool *ret_more)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < KB_LEN(v->flight); i++)
		if (v->flight[i].used && v->flight[i].done && v->flight[i].ack)
			st = write_outcome(v, d, &v->flight[i]);
	return st == KB_OK ? give_up(v, d, ret_more) : st;
}

static enum kb_status send_one(
    struct kb_vault *v, struct kb_diag *d, struct kb_vault_flight *f, const struct kb_ack *a, struct kb_span sealed)
{
	KB_AUTO(kb_fd_close) int fd = -1;
	struct kb_wire_work w;
	memset(&w, 0, sizeof w);
	w.id = a->id;
	w.received_s = a->received_s;
	w.attempt = a->attempts + 1;
	w.outbox_key = a->outbox_key;
	w.case_id = a->case_id;
	enum kb_status st = kb_memfd_from(d, "acknowledgement", sealed, &fd);
	if (st == KB_OK)
		st = kb_channel_send(v->courier, KB_WIRE_ACK_WORK, &w, sizeof w, &fd, 1);
	if (st == KB_OK) {
		*f = (struct kb_vault_flight){.used = true, .ack = true, .id = a->id, .item = *a};
		v->ack_credit--;
	}
	return st;
}

void kb_vault_acks_send(struct kb_vault *v)
{
	struct kb_diag d = {0};
	struct kb_place at = {0};
	struct kb_ack a;
	struct kb_span sealed;
	enum kb_status st = KB_OK;
	size_t i = 0;
	while (v->courier && v->ack_credit && st == KB_OK) {
		while (i < KB_LEN(v->flight) && v->flight[i].used)
			i++;
		if (i == KB_LEN(v->flight))
			break;
		st = kb_ack_next(&d, v->store, kb_room_now_s(v->host), &at, &a, &sealed);
		if (st == KB_OK && !in_flight(v, &a) && opens(v, a.outbox_key))
			st = send_one(v, &d, &v->flight[i], &a, sealed);
	}
	kb_store_rest(v->store);
	if (st != KB_OK && st != KB_NOTFOUND)
		kb_vault_trouble(v, &d, "acknowledgements could not be handed to the courier");
}
