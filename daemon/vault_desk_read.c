/*
 * vault_desk_read: what the desk may read: lists, grants, sealed messages, states.
 *
 * A case that names somebody of the desk is sealed to the others by name; here it also does not show to the person
 * named, neither in a list, nor among referrals, nor when asked for by its id.
 */
#include "vault.h"

#include <string.h>
#include <syslog.h>

#include <kitebox/memfd.h>

enum {
	RECORD_MOST = sizeof(struct kb_desk_message) + KB_AGE_HEADER_MOST + KB_SUMMARY_LEN,
	CHAIN_MOST = 64 * KB_ROSTER_TEXT_MOST,
};
/* Sealed files of one answer that lie in memory at once; what is beyond is to be asked for again. */
#define OPEN_OCTETS_MOST (UINT64_C(128) << 20)

static bool reads_cases(const struct kb_person *p)
{
	return p->role == KB_ROLE_COORDINATOR || p->role == KB_ROLE_SUPERVISOR;
}

static bool may_see(struct kb_vault *v, const struct kb_person *p, const struct kb_msg *m)
{
	return m->entitled == 0 || (m->entitled & kb_vault_person_bit(v, m, p->id)) != 0;
}

static void trouble(struct kb_vault *v, const struct kb_vault_session *s, const struct kb_diag *d)
{
	kb_vault_trouble(v, d, "a question of the desk could not be answered");
	kb_vault_refuse(v, s->conn, d->status, kb_status_row(d->status)->sentence);
}

/* The whole body in a memfd, and its frame. */
static void answer_body(struct kb_vault *v, const struct kb_vault_session *s, uint16_t type, struct kb_span body,
    uint32_t records, bool more)
{
	const struct kb_desk_body b = {.body_len = body.len, .records = records, .more = more};
	struct kb_diag d = {0};
	KB_AUTO(kb_fd_close) int fd = -1;
	if (kb_memfd_from(&d, "answer", body, &fd) == KB_OK)
		kb_vault_answer(v, s->conn, type, &b, sizeof b, fd, true);
	else
		trouble(v, s, &d);
}

void kb_vault_ask_roster(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	struct kb_buf bundle;
	struct kb_diag d = {0};
	(void)body;
	kb_buf_init(&bundle, CHAIN_MOST);
	enum kb_status st = kb_store_chain(&d, v->store, true, &bundle);
	if (st == KB_OK)
		answer_body(v, s, KB_DESK_ROSTER, kb_buf_span(&bundle), 0, false);
	else if (st == KB_NOTFOUND)
		kb_vault_refuse(v, s->conn, st, "no office is set up in this store");
	else
		trouble(v, s, &d);
	kb_buf_release(&bundle);
}

void kb_vault_ask_grant(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	const struct kb_desk_epoch *m = body;
	struct kb_span file;
	struct kb_diag d = {0};
	enum kb_status st = kb_store_grant(&d, v->store, m->epoch, s->person, &file);
	if (st == KB_OK)
		answer_body(v, s, KB_DESK_GRANT, file, 0, false);
	else if (st == KB_NOTFOUND)
		kb_vault_refuse(v, s->conn, st, "that epoch was not granted to you");
	else
		trouble(v, s, &d);
}

/* ---- lists ---- */

static enum kb_status add_message(
    struct kb_vault *v, struct kb_diag *d, const struct kb_msg *m, const struct kb_case *c, struct kb_buf *b)
{
	struct kb_span header, summary;
	struct kb_desk_message r;
	enum kb_status st = kb_store_summary(d, v->store, m->seq, &header, &summary);
	if (st != KB_OK)
		return st == KB_NOTFOUND ? KB_FAIL(d, KB_CORRUPT, 0, "a message has no summary") : st;
	memset(&r, 0, sizeof r);
	r.id = m->id;
	r.case_id = m->case_id;
	r.class_ = m->class_;
	r.channel = m->channel;
	r.status = c->status;
	r.received_s = m->received_s;
	r.size_class = m->size_class;
	r.blob_len = m->blob_len;
	r.entitled = m->entitled;
	r.epoch = m->epoch;
	r.header_len = (uint32_t)header.len;
	r.urgent = m->urgent;
	r.unreadable = m->unreadable;
	r.opened = m->opened;
	r.referrals = (uint8_t)m->referrals;
	st = kb_buf_add(b, KB_SPAN(&r, sizeof r));
	if (st == KB_OK)
		st = kb_buf_add(b, header);
	return st == KB_OK ? kb_buf_add(b, summary) : st;
}

/* Of one page: n records so far; more is set when one that would follow does not fit. */
static enum kb_status fill_list(struct kb_vault *v, struct kb_diag *d, const struct kb_person *p,
    const struct kb_desk_list *q, struct kb_buf *b, uint32_t *n, bool *more)
{
	struct kb_list l;
	struct kb_msg m;
	struct kb_case c;
	enum kb_status st = kb_list_init(d, v->store, q, &l);
	while (st == KB_OK && (st = kb_list_next(d, &l, &m)) == KB_OK) {
		if (!may_see(v, p, &m))
			continue;
		st = kb_store_case(d, v->store, &m.case_id, &c);
		if (st == KB_NOTFOUND)
			return KB_FAIL(d, KB_CORRUPT, 0, "a message's case has no row");
		if (st != KB_OK || (c.status == KB_CASE_CLOSED && !q->all))
			continue;
		if (*n == q->most) {
			*more = true;
			return KB_OK;
		}
		st = add_message(v, d, &m, &c, b);
		++*n;
	}
	return st == KB_NOTFOUND ? KB_OK : st;
}

/* Who asks, where the question itself is sound; NULL when it was refused. */
static const struct kb_person *reader(
    struct kb_vault *v, const struct kb_vault_session *s, const struct kb_desk_list *q)
{
	const struct kb_person *p = kb_vault_person(v, s);
	if (!p || !reads_cases(p)) {
		kb_vault_refuse(v, s->conn, KB_DENIED, "cases are open to coordinators and supervisors alone");
		return NULL;
	}
	if (q && (q->most < 1 || q->most > KB_DESK_LIST_MOST || q->all > 1)) {
		kb_vault_refuse(
		    v, s->conn, KB_MALFORMED, "a list is asked for with a number of records that cannot be");
		return NULL;
	}
	return p;
}

void kb_vault_ask_list(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	const struct kb_desk_list *q = body;
	const struct kb_person *p = reader(v, s, q);
	struct kb_diag d = {0};
	struct kb_buf b;
	uint32_t n = 0;
	bool more = false;
	if (!p)
		return;
	kb_buf_init(&b, (size_t)q->most * RECORD_MOST);
	if (fill_list(v, &d, p, q, &b, &n, &more) == KB_OK)
		answer_body(v, s, KB_DESK_LIST, kb_buf_span(&b), n, more);
	else
		trouble(v, s, &d);
	kb_buf_release(&b);
}

/* ---- sealed messages ---- */

struct opening {
	struct kb_msg m;
	enum kb_status status;
};

static enum kb_status look_up(
    struct kb_vault *v, const struct kb_person *p, const struct kb_id *id, uint64_t *octets, struct kb_msg *ret_m)
{
	struct kb_diag d = {0};
	enum kb_status st = kb_store_message(&d, v->store, id, ret_m);
	if (st != KB_OK && st != KB_NOTFOUND)
		kb_vault_trouble(v, &d, "a message does not read");
	if (st == KB_OK && !may_see(v, p, ret_m))
		return KB_NOTFOUND; /* whoever is named does not learn that there is such a case */
	if (st == KB_OK && *octets && *octets + ret_m->blob_len > OPEN_OCTETS_MOST)
		return KB_AGAIN;
	*octets += st == KB_OK ? ret_m->blob_len : 0;
	return st;
}

/* The entry stands in the journal before the first octet leaves. */
static enum kb_status journal_opened(
    struct kb_vault *v, struct kb_diag *d, const struct kb_person *p, const struct opening *o, size_t n)
{
	struct kb_id id[KB_DESK_OPEN_MOST];
	size_t k = 0;
	for (size_t i = 0; i < n; i++)
		if (o[i].status == KB_OK)
			id[k++] = o[i].m.id;
	if (!k)
		return KB_OK;
	enum kb_status st = kb_store_begin(d, v->store, kb_room_now_s(v->host));
	if (st != KB_OK)
		return st;
	st = kb_store_opened(d, v->store, p->id, id, k);
	if (st == KB_OK)
		return kb_store_commit(d, v->store);
	kb_store_abort(v->store);
	return st;
}

static void hand_out(
    struct kb_vault *v, const struct kb_vault_session *s, const struct kb_id *id, const struct opening *o, bool last)
{
	struct kb_diag d = {0};
	KB_AUTO(kb_fd_close) int fd = -1;
	struct kb_desk_blob b;
	memset(&b, 0, sizeof b);
	b.id = *id;
	b.status = o->status;
	if (o->status == KB_OK && kb_store_blob(&d, v->store, o->m.blob, o->m.blob_len, &fd) != KB_OK) {
		kb_vault_trouble(v, &d, "a sealed message does not read");
		b.status = KB_CORRUPT;
	}
	if (b.status == KB_OK) {
		b.body_len = o->m.blob_len;
		memcpy(b.sealed_hash, o->m.sealed_hash, sizeof b.sealed_hash);
	}
	kb_vault_answer(v, s->conn, KB_DESK_OPEN, &b, sizeof b, fd, last);
}

void kb_vault_ask_open(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	const struct kb_desk_open *q = body;
	const struct kb_person *p = reader(v, s, NULL);
	struct opening o[KB_DESK_OPEN_MOST];
	struct kb_diag d = {0};
	uint64_t octets = 0;
	if (!p)
		return;
	if (q->n < 1 || q->n > KB_DESK_OPEN_MOST) {
		kb_vault_refuse(v, s->conn, KB_MALFORMED, "a number of messages is asked for that cannot be");
		return;
	}
	for (size_t i = 0; i < q->n; i++)
		o[i].status = look_up(v, p, &q->id[i], &octets, &o[i].m);
	if (journal_opened(v, &d, p, o, q->n) != KB_OK) {
		kb_vault_trouble(v, &d, "a reading could not be written to the journal, so nothing was handed out");
		kb_vault_refuse(v, s->conn, KB_AGAIN, "the journal cannot be written, so nothing is handed out");
		return;
	}
	for (size_t i = 0; i < q->n; i++)
		hand_out(v, s, &q->id[i], &o[i], i + 1 == q->n);
}

/* ---- referrals ---- */

static enum kb_status add_referral(const struct kb_referral *r, struct kb_buf *b)
{
	struct kb_desk_referral w;
	memset(&w, 0, sizeof w);
	w.id = r->id;
	w.case_id = r->case_id;
	w.state = r->state;
	memcpy(w.destination, r->destination, sizeof w.destination);
	w.received_s = r->received_s;
	w.queued_s = r->queued_s;
	w.delivered_s = r->delivered_s;
	w.next_s = r->next_s == KB_NEVER ? 0 : r->next_s;
	w.attempts = r->attempts;
	w.last_code = r->last_code;
	w.blob_len = r->blob_len;
	return kb_buf_add(b, KB_SPAN(&w, sizeof w));
}

static bool asked_for(const struct kb_desk_list *q, const struct kb_referral *r)
{
	bool one = !sodium_is_zero(q->case_id.b, sizeof q->case_id.b);
	bool after = !sodium_is_zero(q->before.b, sizeof q->before.b); /* the place says it all */
	return (!one || memcmp(&q->case_id, &r->case_id, sizeof r->case_id) == 0) &&
	       (after || !q->before_s || r->received_s < q->before_s);
}

static enum kb_status fill_referrals(struct kb_vault *v, struct kb_diag *d, const struct kb_person *p,
    const struct kb_desk_list *q, struct kb_buf *b, uint32_t *n, bool *more)
{
	struct kb_referral r = {0};
	struct kb_msg m;
	struct kb_case c;
	enum kb_status st = KB_OK;
	if (!sodium_is_zero(q->before.b, sizeof q->before.b))
		st = kb_store_referral_find(d, v->store, &q->before, &r);
	while (st == KB_OK && (st = kb_referral_before(d, v->store, r.seq, &r)) == KB_OK) {
		if (!asked_for(q, &r))
			continue;
		st = kb_store_message_at(d, v->store, r.message_seq, &m);
		if (st == KB_OK)
			st = kb_store_case(d, v->store, &r.case_id, &c);
		if (st != KB_OK)
			return st == KB_NOTFOUND ? KB_FAIL(d, KB_CORRUPT, 0, "a referral's message or case has no row")
						 : st;
		if (!may_see(v, p, &m) || (c.status == KB_CASE_CLOSED && !q->all))
			continue;
		if (*n == q->most) {
			*more = true;
			return KB_OK;
		}
		st = add_referral(&r, b);
		++*n;
	}
	return st == KB_NOTFOUND ? KB_OK : st;
}

void kb_vault_ask_referrals(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	const struct kb_desk_list *q = body;
	const struct kb_person *p = reader(v, s, q);
	struct kb_diag d = {0};
	struct kb_buf b;
	uint32_t n = 0;
	bool more = false;
	if (!p)
		return;
	kb_buf_init(&b, (size_t)q->most * sizeof(struct kb_desk_referral));
	if (fill_referrals(v, &d, p, q, &b, &n, &more) == KB_OK)
		answer_body(v, s, KB_DESK_REFERRALS, kb_buf_span(&b), n, more);
	else
		trouble(v, s, &d);
	kb_buf_release(&b);
}

void kb_vault_ask_status(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	struct kb_store_facts f = {0};
	struct kb_desk_status w;
	(void)body;
	if (v->store) /* without one, health says why */
		kb_store_facts(v->store, &f);
	memset(&w, 0, sizeof w);
	w.now_s = kb_room_now_s(v->host);
	w.started_s = v->started_s;
	w.messages = f.counts.messages;
	w.cases_open = f.counts.cases[KB_CASE_NEW] + f.counts.cases[KB_CASE_OPEN];
	w.held = f.counts.referrals[KB_REFERRAL_HELD];
	w.queued = f.counts.referrals[KB_REFERRAL_QUEUED] + f.counts.referrals[KB_REFERRAL_SENT];
	w.delivered = f.counts.referrals[KB_REFERRAL_DELIVERED] + f.counts.referrals[KB_REFERRAL_ACKNOWLEDGED] +
		      f.counts.referrals[KB_REFERRAL_CLOSED];
	w.acks_waiting = f.counts.acks;
	w.review = f.counts.review;
	w.map_used = f.map_used;
	w.map_size = f.map_size;
	w.roster_version = v->have_roster ? v->roster->version : 0;
	w.epoch = v->have_roster ? v->roster->epoch : 0;
	w.journal_seq = f.journal_seq;
	memcpy(w.journal_head, f.journal_head, sizeof w.journal_head);
	kb_vault_answer(v, s->conn, KB_DESK_STATUS, &w, sizeof w, -1, true);
}
