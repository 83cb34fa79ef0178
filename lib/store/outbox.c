/*
 * outbox: acknowledgements that wait for their tick. See store.h.
 *
 * All leave at the first common tick after their commit, whatever the class, so that nobody who watches the relay can
 * tell an allegation from a question by when it was answered.
 */
#include <string.h>

#include "internal.h"

static uint64_t tick_after(const struct kb_store *s, uint64_t time_s)
{
	uint64_t tick = s->clocks.tick_s ? s->clocks.tick_s : 1;
	return (time_s / tick + 1) * tick;
}

static enum kb_status put(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a, struct kb_span sealed)
{
	struct kb_key key = kb_key_u64_u64(a->place.time_s, a->place.seq);
	return kb_table_put(d, s, KB_ROW_ACK, KB_KEY(key), a, sealed, MDB_NOOVERWRITE);
}

enum kb_status kb_ack_add(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_msg *m)
{
	struct kb_ack a = {
	    .place = {tick_after(s, s->now_s), s->state.next_ack},
	    .message = m->id,
	    .case_id = m->case_id,
	    .received_s = m->received_s,
	    .outbox_key = p->outbox_key,
	};
	/* It will stand in a Message-ID for the world to see: it must lead nowhere once the row is gone. */
	kb_id_random(&a.id);
	enum kb_status st = put(d, s, &a, p->ack);
	if (st == KB_OK) {
		s->state.next_ack++;
		s->state.counts.acks++;
	}
	return st;
}

static enum kb_status ack_at(struct kb_diag *d, struct kb_store *s, uint64_t time_s, uint64_t seq, struct kb_ack *ret_a,
    struct kb_span *ret_sealed)
{
	struct kb_key from = kb_key_u64_u64(time_s, seq);
	struct kb_ack a;
	struct kb_span key, value;
	enum kb_status st = kb_table_seek(d, s, KB_TABLE_OUTBOX, KB_KEY(from), KB_AT_OR_AFTER, &key, &value);
	if (st == KB_OK && key.len != from.len)
		st = KB_FAIL(d, KB_CORRUPT, key.len, "a key of the outbox has the wrong length");
	if (st == KB_OK)
		st = kb_row_read(d, KB_ROW_ACK, key, value, &a, ret_sealed);
	if (st != KB_OK)
		return st;
	a.place = (struct kb_place){kb_get_be64(key.p), kb_get_be64(key.p + 8)};
	*ret_a = a;
	return KB_OK;
}

enum kb_status kb_ack_next(struct kb_diag *d, struct kb_store *s, uint64_t until_s, struct kb_place *place,
    struct kb_ack *ret_a, struct kb_span *ret_sealed)
{
	struct kb_ack a;
	struct kb_span sealed;
	enum kb_status st = ack_at(d, s, place->time_s, place->seq + 1, &a, &sealed);
	if (st == KB_OK && a.place.time_s > until_s)
		st = KB_NOTFOUND;
	if (st != KB_OK)
		return st;
	*place = a.place;
	*ret_a = a;
	*ret_sealed = sealed;
	return KB_OK;
}

static enum kb_status end(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a, enum kb_act act, uint32_t code)
{
	struct kb_key key = kb_key_u64_u64(a->place.time_s, a->place.seq);
	/* Without a reply code nothing was tried: the vault gave it up, since the key it was sealed to is gone. */
	struct kb_entry e = kb_entry_by(act, act == KB_ACT_UNSENT && !code ? "vault" : "courier");
	e.case_id = a->case_id;
	e.number = code;
	e.subjects = 1;
	e.subject[0] = a->message;
	enum kb_status st = kb_table_del(d, s, KB_TABLE_OUTBOX, KB_KEY(key));
	if (st == KB_OK)
		st = kb_journal_add(d, s, &e);
	if (st == KB_OK) {
		s->state.counts.acks--;
		s->state.counts.unsent += act == KB_ACT_UNSENT;
	}
	return st;
}

enum kb_status kb_store_ack_sent(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a, uint32_t code)
{
	return end(d, s, a, KB_ACT_ACKNOWLEDGED, code);
}

enum kb_status kb_store_ack_unsent(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a, uint32_t code)
{
	return end(d, s, a, KB_ACT_UNSENT, code);
}

enum kb_status kb_store_ack_later(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a)
{
	struct kb_key key = kb_key_u64_u64(a->place.time_s, a->place.seq);
	struct kb_ack next = *a, row;
	struct kb_span borrowed = {0};
	struct kb_buf sealed;
	enum kb_status st = kb_table_get(d, s, KB_ROW_ACK, KB_KEY(key), &row, &borrowed);
	if (st != KB_OK)
		return st;
	kb_buf_init(&sealed, borrowed.len);
	st = kb_buf_add(&sealed, borrowed); /* lies in a page that is about to change */
	if (st == KB_OK)
		st = kb_table_del(d, s, KB_TABLE_OUTBOX, KB_KEY(key));
	next.attempts++;
	next.place.time_s =
	    tick_after(s, s->now_s + kb_backoff_s(next.attempts, s->clocks.retry_first_s, s->clocks.retry_most_s, 0));
	if (st == KB_OK)
		st = put(d, s, &next, kb_buf_span(&sealed));
	kb_buf_release(&sealed);
	return st;
}

enum kb_status kb_store_next_ack(struct kb_diag *d, struct kb_store *s, uint64_t after_s, uint64_t *ret_time_s)
{
	struct kb_ack a = {.place = {.time_s = KB_NEVER}};
	struct kb_span sealed;
	enum kb_status st = after_s < KB_NEVER ? ack_at(d, s, after_s + 1, 0, &a, &sealed) : KB_NOTFOUND;
	if (st == KB_OK || st == KB_NOTFOUND)
		*ret_time_s = a.place.time_s;
	return st == KB_NOTFOUND ? KB_OK : st;
}
