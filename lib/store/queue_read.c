/* queue_read: referrals by number, by id, by clock, newest first. See store.h. */
#include "internal.h"

enum kb_status kb_store_referral(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_referral *ret_r)
{
	struct kb_key key = kb_key_u64(seq);
	struct kb_referral r = {.seq = seq};
	enum kb_status st = kb_table_get(d, s, KB_ROW_REFERRAL, KB_KEY(key), &r, NULL);
	if (st == KB_OK)
		*ret_r = r;
	return st;
}

static enum kb_status must(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_referral *ret_r)
{
	enum kb_status st = kb_store_referral(d, s, seq, ret_r);
	return st == KB_NOTFOUND ? KB_FAIL(d, KB_CORRUPT, 0, "a referral is named and has no row") : st;
}

enum kb_status kb_store_referral_find(
    struct kb_diag *d, struct kb_store *s, const struct kb_id *id, struct kb_referral *ret_r)
{
	struct kb_number seq;
	enum kb_status st = kb_table_get(d, s, KB_ROW_REFNAME, KB_SPAN(id->b, KB_ID_LEN), &seq, NULL);
	return st == KB_OK ? must(d, s, seq.v, ret_r) : st;
}

enum kb_status kb_store_signature(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_span *ret_minisig)
{
	struct kb_key key = kb_key_u64(seq);
	return kb_table_get(d, s, KB_ROW_REFSIG, KB_KEY(key), NULL, ret_minisig);
}

/* The first row of `held` or `due` at or after this place. */
static enum kb_status clock_at(
    struct kb_diag *d, struct kb_store *s, enum kb_row row, uint64_t time_s, uint64_t seq, struct kb_place *ret_at)
{
	struct kb_key from = kb_key_u64_u64(time_s, seq);
	struct kb_span key, value;
	enum kb_status st = kb_table_seek(d, s, kb_row_table(row), KB_KEY(from), KB_AT_OR_AFTER, &key, &value);
	if (st == KB_OK && key.len != from.len)
		st = KB_FAIL(d, KB_CORRUPT, key.len, "a key of the delivery queue has the wrong length");
	if (st == KB_OK)
		st = kb_row_read(d, row, key, value, NULL, NULL);
	if (st == KB_OK)
		*ret_at = (struct kb_place){kb_get_be64(key.p), kb_get_be64(key.p + 8)};
	return st;
}

static enum kb_status next_until(struct kb_diag *d, struct kb_store *s, enum kb_row row, uint64_t until_s,
    struct kb_place *place, struct kb_referral *ret_r)
{
	struct kb_place at;
	enum kb_status st = clock_at(d, s, row, place->time_s, place->seq + 1, &at);
	if (st == KB_OK && at.time_s > until_s)
		st = KB_NOTFOUND;
	if (st == KB_OK)
		st = must(d, s, at.seq, ret_r);
	if (st == KB_OK && ret_r->next_s != at.time_s)
		st = KB_FAIL(d, KB_CORRUPT, 0, "a referral and its clock do not agree");
	if (st == KB_OK)
		*place = at;
	return st;
}

enum kb_status kb_held_next(
    struct kb_diag *d, struct kb_store *s, uint64_t until_s, struct kb_place *place, struct kb_referral *ret_r)
{
	return next_until(d, s, KB_ROW_HELD, until_s, place, ret_r);
}

enum kb_status kb_due_next(
    struct kb_diag *d, struct kb_store *s, uint64_t until_s, struct kb_place *place, struct kb_referral *ret_r)
{
	return next_until(d, s, KB_ROW_DUE, until_s < KB_NEVER ? until_s : KB_NEVER - 1, place, ret_r);
}

enum kb_status kb_sent_next(struct kb_diag *d, struct kb_store *s, struct kb_place *place, struct kb_referral *ret_r)
{
	if (place->time_s != KB_NEVER)
		*place = (struct kb_place){.time_s = KB_NEVER};
	return next_until(d, s, KB_ROW_DUE, KB_NEVER, place, ret_r);
}

enum kb_status kb_store_next_due(struct kb_diag *d, struct kb_store *s, uint64_t after_s, uint64_t *ret_time_s)
{
	static const enum kb_row clocks[] = {KB_ROW_HELD, KB_ROW_DUE};
	uint64_t first = KB_NEVER;
	for (size_t i = 0; i < KB_LEN(clocks); i++) {
		struct kb_place at = {.time_s = KB_NEVER};
		enum kb_status st = after_s < KB_NEVER ? clock_at(d, s, clocks[i], after_s + 1, 0, &at) : KB_NOTFOUND;
		if (st != KB_OK && st != KB_NOTFOUND)
			return st;
		first = at.time_s < first ? at.time_s : first;
	}
	*ret_time_s = first;
	return KB_OK;
}

enum kb_status kb_referral_before(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_referral *ret_r)
{
	struct kb_key from = kb_key_u64(seq ? seq : UINT64_MAX);
	struct kb_span key;
	enum kb_status st = kb_table_seek(d, s, KB_TABLE_REFERRAL, KB_KEY(from), KB_BEFORE, &key, NULL);
	if (st == KB_OK && key.len != from.len)
		st = KB_FAIL(d, KB_CORRUPT, key.len, "a key of a referral has the wrong length");
	return st == KB_OK ? must(d, s, kb_get_be64(key.p), ret_r) : st;
}
