/* queue: referrals and when the clock comes to them. See store.h; the table of states is queue_state.c's. */
#include <string.h>

#include "internal.h"

static const struct kb_span nothing = {NULL, 0};

static enum kb_status put_row(struct kb_diag *d, struct kb_store *s, const struct kb_referral *r, unsigned flags)
{
	struct kb_key key = kb_key_u64(r->seq);
	return kb_table_put(d, s, KB_ROW_REFERRAL, KB_KEY(key), r, nothing, flags);
}

/* Held, queued and sent referrals are somebody's next step, in the table of whoever takes it; the others rest. */
static bool waits(const struct kb_referral *r, enum kb_row *ret_row)
{
	*ret_row = r->state == KB_REFERRAL_HELD ? KB_ROW_HELD : KB_ROW_DUE;
	return r->state == KB_REFERRAL_HELD || r->state == KB_REFERRAL_QUEUED || r->state == KB_REFERRAL_SENT;
}

static enum kb_status put_clock(struct kb_diag *d, struct kb_store *s, const struct kb_referral *r)
{
	enum kb_row row;
	struct kb_key key = kb_key_u64_u64(r->next_s, r->seq);
	return waits(r, &row) ? kb_table_put(d, s, row, KB_KEY(key), NULL, nothing, 0) : KB_OK;
}

static enum kb_status del_clock(struct kb_diag *d, struct kb_store *s, const struct kb_referral *r)
{
	enum kb_row row;
	struct kb_key key = kb_key_u64_u64(r->next_s, r->seq);
	return waits(r, &row) ? kb_table_del(d, s, kb_row_table(row), KB_KEY(key)) : KB_OK;
}

static bool fails(const struct kb_referral *r)
{
	return r->state == KB_REFERRAL_QUEUED && r->attempts > 0;
}

static void count(struct kb_store *s, const struct kb_referral *r, int by)
{
	s->state.counts.referrals[r->state] += (uint64_t)(int64_t)by;
	s->state.counts.failing += (uint64_t)(int64_t)(fails(r) ? by : 0);
}

static struct kb_entry entry_of(enum kb_act act, const char *room, const struct kb_referral *r)
{
	struct kb_entry e = kb_entry_by(act, room);
	kb_field_set(e.note, sizeof e.note, kb_span_str(r->destination));
	e.case_id = r->case_id;
	e.subjects = 2;
	e.subject[0] = r->id;
	e.subject[1] = r->message;
	return e;
}

/* The referral leaves with the proof that it stood in the journal when it was queued: the head is in what is signed. */
static enum kb_status sign(struct kb_diag *d, struct kb_store *s, const struct kb_referral *r)
{
	char id[KB_ID_TEXT], when[KB_TIME_TEXT], head[2 * 32 + 1];
	struct kb_buf trusted, sig;
	if (!s->can_sign)
		return KB_FAIL(d, KB_NOKEY, 0, "there is no key to sign referrals with");
	kb_id_format(&r->id, id);
	kb_time_format(r->queued_s, when);
	sodium_bin2hex(head, sizeof head, s->state.journal_head, sizeof s->state.journal_head);
	kb_buf_init(&trusted, KB_MINISIGN_COMMENT_MOST);
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	enum kb_status st = kb_buf_printf(&trusted, "kitebox referral %s %s journal %s", id, when, head);
	if (st == KB_OK)
		st = kb_minisign_sign(&s->secret->referral, r->prehash, kb_buf_span(&trusted), &sig);
	struct kb_key key = kb_key_u64(r->seq);
	st = st == KB_OK ? kb_table_put(d, s, KB_ROW_REFSIG, KB_KEY(key), NULL, kb_buf_span(&sig), 0)
			 : KB_FAIL(d, st, 0, "a referral could not be signed");
	kb_buf_release(&trusted);
	kb_buf_release(&sig);
	return st;
}

/* A whole minute, unless the office's clock is shorter than one. */
static uint64_t release_at(const struct kb_store *s, uint64_t received_s)
{
	uint64_t at = received_s + s->clocks.held_s;
	return s->clocks.held_s < 60 ? at : kb_minute(at + 59);
}

static enum kb_status journal_new(struct kb_diag *d, struct kb_store *s, const struct kb_referral *r)
{
	struct kb_entry e = entry_of(r->state == KB_REFERRAL_HELD ? KB_ACT_HELD : KB_ACT_REFERRED, "sealer", r);
	e.commitments = 2;
	memcpy(e.commitment, r->prehash, sizeof r->prehash);
	return kb_journal_add(d, s, &e);
}

enum kb_status kb_referral_add(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, size_t i,
    const struct kb_msg *m, const struct kb_upload_file *u)
{
	struct kb_upload_file own;
	struct kb_number seq = {s->state.next_referral};
	enum kb_status st = KB_OK;
	if (!u)
		st = kb_blob_put(d, s, &p->referral[i].file, &own, sizeof own.hash);
	const struct kb_upload_file *f = u ? u : &own;
	struct kb_referral r = {
	    .seq = seq.v,
	    .message = m->id,
	    .message_seq = m->seq,
	    .case_id = m->case_id,
	    .state = kb_referral_first(m->class_, m->unreadable),
	    .index = p->referral[i].index,
	    .received_s = m->received_s,
	    .blob_len = p->referral[i].file.len,
	};
	if (st != KB_OK)
		return st;
	r.blob = f->blob;
	memcpy(r.prehash, f->hash, sizeof r.prehash);
	memcpy(r.destination, p->referral[i].to->id, sizeof r.destination);
	kb_referral_id(&m->id, r.index, &r.id);
	if (r.state == KB_REFERRAL_QUEUED)
		r.queued_s = kb_minute(s->now_s);
	r.next_s = r.state == KB_REFERRAL_HELD ? release_at(s, p->received_s) : r.queued_s;
	st = put_row(d, s, &r, MDB_APPEND);
	if (st == KB_OK)
		st = kb_table_put(d, s, KB_ROW_REFNAME, KB_SPAN(r.id.b, KB_ID_LEN), &seq, nothing, MDB_NOOVERWRITE);
	if (st == KB_OK)
		st = put_clock(d, s, &r);
	if (st == KB_OK)
		st = journal_new(d, s, &r);
	if (st == KB_OK && r.state == KB_REFERRAL_QUEUED)
		st = sign(d, s, &r);
	if (st != KB_OK)
		return st;
	s->state.next_referral++;
	count(s, &r, 1);
	return KB_OK;
}

static void on_release(struct kb_store *s, struct kb_referral *r, const struct kb_referral_outcome *o)
{
	(void)o;
	r->queued_s = kb_minute(s->now_s);
	r->next_s = r->queued_s;
}

static void on_take(struct kb_store *s, struct kb_referral *r, const struct kb_referral_outcome *o)
{
	(void)o;
	r->attempts++;
	r->next_s = KB_NEVER;
	if (!r->first_s)
		r->first_s = kb_minute(s->now_s);
}

static void on_deliver(struct kb_store *s, struct kb_referral *r, const struct kb_referral_outcome *o)
{
	(void)o;
	r->delivered_s = kb_minute(s->now_s);
	r->next_s = KB_NEVER;
}

static void on_defer(struct kb_store *s, struct kb_referral *r, const struct kb_referral_outcome *o)
{
	r->next_s =
	    s->now_s + kb_backoff_s(r->attempts, s->clocks.retry_first_s, s->clocks.retry_most_s, o ? o->chance : 0);
}

/* Nobody refused it, so it does not count among what fails, nor towards the next wait. */
static void on_lose(struct kb_store *s, struct kb_referral *r, const struct kb_referral_outcome *o)
{
	(void)o;
	if (r->attempts)
		r->attempts--;
	r->next_s = s->now_s;
}

/* clang-format off */
static const struct {
	enum kb_act act;
	const char *room;
	void (*run)(struct kb_store *s, struct kb_referral *r, const struct kb_referral_outcome *o);
} events[KB_EVENT_COUNT] = {
	[KB_EVENT_RELEASE] = {KB_ACT_RELEASED,  "clock",   on_release},
	[KB_EVENT_TAKE]    = {KB_ACT_SENT,      "courier", on_take},
	[KB_EVENT_DELIVER] = {KB_ACT_DELIVERED, "courier", on_deliver},
	[KB_EVENT_DEFER]   = {KB_ACT_DEFERRED,  "courier", on_defer},
	[KB_EVENT_GIVE_UP] = {KB_ACT_DEAD,      "courier", NULL},
	[KB_EVENT_LOSE]    = {KB_ACT_LOST,      "vault",   on_lose},
};
/* clang-format on */

enum kb_status kb_store_referral_event(struct kb_diag *d, struct kb_store *s, struct kb_referral *r,
    enum kb_referral_event event, const struct kb_referral_outcome *o)
{
	struct kb_referral next = *r;
	enum kb_status st = kb_referral_step(r->state, event, &next.state);
	if (st != KB_OK)
		return KB_FAIL(d, st, 0, "this does not happen to a referral in that state");
	if (o)
		next.last_code = o->code;
	if (events[event].run)
		events[event].run(s, &next, o);
	st = del_clock(d, s, r);
	if (st == KB_OK)
		st = put_clock(d, s, &next);
	if (st == KB_OK)
		st = put_row(d, s, &next, 0);
	struct kb_entry e = entry_of(events[event].act, events[event].room, &next);
	e.number = o ? o->code : next.attempts;
	if (st == KB_OK)
		st = kb_journal_add(d, s, &e);
	if (st == KB_OK && event == KB_EVENT_RELEASE)
		st = sign(d, s, &next);
	if (st != KB_OK)
		return st;
	count(s, r, -1);
	count(s, &next, 1);
	*r = next;
	return KB_OK;
}
