/* read: messages, cases and lists of them, and a person's acts upon them. See store.h. */
#include <string.h>

#include "internal.h"

enum kb_status kb_store_message_at(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_msg *ret_m)
{
	struct kb_key key = kb_key_u64(seq);
	struct kb_msg m = {.seq = seq};
	enum kb_status st = kb_table_get(d, s, KB_ROW_MSG, KB_KEY(key), &m, NULL);
	if (st == KB_OK)
		*ret_m = m;
	return st;
}

enum kb_status kb_store_message(struct kb_diag *d, struct kb_store *s, const struct kb_id *id, struct kb_msg *ret_m)
{
	struct kb_number seq;
	enum kb_status st = kb_table_get(d, s, KB_ROW_NAME, KB_SPAN(id->b, KB_ID_LEN), &seq, NULL);
	if (st != KB_OK)
		return st;
	st = kb_store_message_at(d, s, seq.v, ret_m);
	return st == KB_NOTFOUND ? KB_FAIL(d, KB_CORRUPT, 0, "a message has a name and no row") : st;
}

enum kb_status kb_store_summary(
    struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_span *ret_header, struct kb_span *ret_summary)
{
	struct kb_number len;
	struct kb_span both = {0};
	struct kb_key key = kb_key_u64(seq);
	enum kb_status st = kb_table_get(d, s, KB_ROW_SUMMARY, KB_KEY(key), &len, &both);
	if (st != KB_OK)
		return st;
	if (both.len < KB_SUMMARY_LEN || len.v != both.len - KB_SUMMARY_LEN)
		return KB_FAIL(d, KB_CORRUPT, both.len, "a summary's row has the wrong length");
	*ret_header = KB_SPAN(both.p, (size_t)len.v);
	*ret_summary = kb_span_from(both, (size_t)len.v);
	return KB_OK;
}

enum kb_status kb_store_case(struct kb_diag *d, struct kb_store *s, const struct kb_case_id *id, struct kb_case *ret_c)
{
	struct kb_case c = {.id = *id};
	enum kb_status st = kb_table_get(d, s, KB_ROW_CASE, KB_SPAN(id->b, sizeof id->b), &c, NULL);
	if (st == KB_OK)
		*ret_c = c;
	return st;
}

enum kb_status kb_list_init(struct kb_diag *d, struct kb_store *s, const struct kb_desk_list *q, struct kb_list *ret_l)
{
	struct kb_list l = {
	    .store = s, .time_s = UINT64_MAX, .seq = UINT64_MAX, .below_s = UINT64_MAX, .case_id = q->case_id};
	l.one_case = !sodium_is_zero(q->case_id.b, sizeof q->case_id.b);
	if (!sodium_is_zero(q->before.b, sizeof q->before.b)) {
		struct kb_msg m;
		enum kb_status st = kb_store_message(d, s, &q->before, &m);
		if (st != KB_OK)
			return st;
		l.time_s = m.received_s;
		l.seq = m.seq;
	} else if (q->before_s) {
		l.below_s = l.time_s = q->before_s;
		l.seq = l.one_case ? UINT64_MAX : 0;
	}
	*ret_l = l;
	return KB_OK;
}

/* Messages of one case lie in the order they were stored in. */
static enum kb_status next_in_case(struct kb_diag *d, struct kb_list *l, uint64_t *ret_seq)
{
	struct kb_key from = kb_key_member(&l->case_id, l->seq);
	struct kb_span key;
	enum kb_status st = kb_table_seek(d, l->store, KB_TABLE_CASE, KB_KEY(from), KB_BEFORE, &key, NULL);
	if (st != KB_OK)
		return st;
	if (key.len != from.len || memcmp(key.p, l->case_id.b, sizeof l->case_id.b) != 0)
		return KB_NOTFOUND;
	*ret_seq = kb_get_be64(key.p + sizeof l->case_id.b);
	return KB_OK;
}

static enum kb_status next_of_all(struct kb_diag *d, struct kb_list *l, uint64_t *ret_seq)
{
	struct kb_key from = kb_key_u64_u64(l->time_s, l->seq);
	struct kb_span key;
	enum kb_status st = kb_table_seek(d, l->store, KB_TABLE_BYTIME, KB_KEY(from), KB_BEFORE, &key, NULL);
	if (st != KB_OK)
		return st;
	if (key.len != from.len)
		return KB_FAIL(d, KB_CORRUPT, key.len, "a key in the list by time has the wrong length");
	*ret_seq = kb_get_be64(key.p + 8);
	return KB_OK;
}

enum kb_status kb_list_next(struct kb_diag *d, struct kb_list *l, struct kb_msg *ret_m)
{
	uint64_t seq = 0;
	struct kb_msg m;
	do {
		enum kb_status st = l->one_case ? next_in_case(d, l, &seq) : next_of_all(d, l, &seq);
		if (st != KB_OK)
			return st;
		st = kb_store_message_at(d, l->store, seq, &m);
		if (st != KB_OK)
			return st == KB_NOTFOUND ? KB_FAIL(d, KB_CORRUPT, 0, "a message is listed and has no row") : st;
		l->time_s = m.received_s;
		l->seq = seq;
	} while (m.received_s >= l->below_s);
	*ret_m = m;
	return KB_OK;
}

/* ---- acts ---- */

static struct kb_entry by_person(enum kb_act act, const char *person)
{
	struct kb_entry e = kb_entry_by(act, person);
	e.by_person = 1;
	return e;
}

enum kb_status kb_store_login(struct kb_diag *d, struct kb_store *s, const char *person, const char *purpose)
{
	struct kb_entry e = by_person(KB_ACT_LOGIN, person);
	kb_field_set(e.note, sizeof e.note, kb_span_str(purpose));
	return kb_journal_add(d, s, &e);
}

static enum kb_status open_case(struct kb_diag *d, struct kb_store *s, const struct kb_case_id *id)
{
	struct kb_case c;
	enum kb_status st = kb_store_case(d, s, id, &c);
	if (st == KB_NOTFOUND)
		return KB_FAIL(d, KB_CORRUPT, 0, "a message's case has no row");
	if (st != KB_OK || (c.status != KB_CASE_NEW && !c.alert))
		return st;
	if (c.status == KB_CASE_NEW) {
		s->state.counts.cases[KB_CASE_NEW]--;
		s->state.counts.cases[KB_CASE_OPEN]++;
		c.status = KB_CASE_OPEN;
		c.opened_s = kb_minute(s->now_s);
	}
	c.alert = 0;
	return kb_table_put(d, s, KB_ROW_CASE, KB_SPAN(id->b, sizeof id->b), &c, KB_SPAN(NULL, 0), 0);
}

static enum kb_status mark_opened(struct kb_diag *d, struct kb_store *s, const struct kb_id *id)
{
	struct kb_msg m;
	enum kb_status st = kb_store_message(d, s, id, &m);
	if (st == KB_OK)
		st = open_case(d, s, &m.case_id);
	if (st != KB_OK || m.opened)
		return st;
	struct kb_key key = kb_key_u64(m.seq);
	m.opened = 1;
	s->state.counts.review -= m.class_ == KB_CLASS_REVIEW;
	return kb_table_put(d, s, KB_ROW_MSG, KB_KEY(key), &m, KB_SPAN(NULL, 0), 0);
}

enum kb_status kb_store_opened(
    struct kb_diag *d, struct kb_store *s, const char *person, const struct kb_id *id, size_t n)
{
	struct kb_entry e = by_person(KB_ACT_OPENED, person);
	if (n > KB_ENTRY_SUBJECTS)
		return KB_FAIL(d, KB_LIMIT, n, "too many messages for one entry of the journal");
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < n; i++) {
		e.subject[i] = id[i];
		st = mark_opened(d, s, &id[i]);
	}
	e.subjects = n;
	return st == KB_OK ? kb_journal_add(d, s, &e) : st;
}
