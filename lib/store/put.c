/*
 * put: one message with everything that belongs to it, in the transaction that is open. See store.h.
 *
 * Rows that every message has are keyed by a number that only grows, so that those of a group lie on neighbouring
 * pages; only three (name, case, recent) land on a random page each.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static const struct kb_span nothing = {NULL, 0};

static enum kb_status message_of(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_put_result *ret_r)
{
	struct kb_msg m;
	enum kb_status st = kb_store_message_at(d, s, seq, &m);
	if (st == KB_OK) {
		ret_r->id = m.id;
		ret_r->case_id = m.case_id;
	}
	return st;
}

/* The sealer's hash of octets and envelope, hashed again under each key that still lives. */
static enum kb_status find_recent(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, uint64_t *ret_seq)
{
	enum kb_status st = KB_NOTFOUND;
	for (size_t i = 0; st == KB_NOTFOUND && i < kb_recent_keys(s->recent); i++) {
		uint8_t key[KB_RECENT_KEY];
		struct kb_number seq;
		kb_recent_hash(s->recent, i, p->fingerprint, key);
		st = kb_table_get(d, s, KB_ROW_RECENT, KB_SPAN(key, sizeof key), &seq, NULL);
		if (st == KB_OK)
			*ret_seq = seq.v;
	}
	return st;
}

enum kb_status kb_store_seen(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, struct kb_put_result *ret_r)
{
	struct kb_put_result r = {.known = true};
	struct kb_number seq;
	if (!s->unlocked)
		return KB_FAIL(d, KB_NOKEY, 0, "without its vault.key the store takes no change");
	enum kb_status st = kb_table_get(d, s, KB_ROW_NAME, KB_SPAN(p->id.b, KB_ID_LEN), &seq, NULL);
	if (st == KB_NOTFOUND) {
		r = (struct kb_put_result){.duplicate = true};
		st = find_recent(d, s, p, &seq.v);
	}
	if (st == KB_OK)
		st = message_of(d, s, seq.v, &r);
	if (st == KB_OK)
		*ret_r = r;
	return st;
}

static enum kb_status journal_duplicate(
    struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_put_result *r)
{
	struct kb_entry e = kb_entry_by(KB_ACT_DUPLICATE, "sealer");
	e.case_id = r->case_id;
	e.subjects = 1;
	e.subject[0] = p->id;
	return kb_journal_add(d, s, &e);
}

static enum kb_status check(struct kb_diag *d, const struct kb_put *p)
{
	if (p->summary.len != KB_SUMMARY_LEN || p->message.len == 0 || p->header_len > p->message.len ||
	    p->header_len > KB_AGE_HEADER_MOST || p->referrals > KB_DESTINATIONS_MOST || p->class_ >= KB_CLASS_COUNT)
		return KB_FAIL(d, KB_MALFORMED, 0, "a message to be stored is not whole");
	return KB_OK;
}

/* 40 random bits: met twice, drawn again. */
static enum kb_status new_case(struct kb_diag *d, struct kb_store *s, struct kb_msg *m)
{
	struct kb_case c = {.status = KB_CASE_NEW, .alert = m->urgent, .created_s = kb_minute(s->now_s), .messages = 1};
	enum kb_status st;
	do {
		kb_case_id_random(&c.id);
		st = kb_table_put(d, s, KB_ROW_CASE, KB_SPAN(c.id.b, sizeof c.id.b), &c, nothing, MDB_NOOVERWRITE);
	} while (st == KB_SEQUENCE);
	m->case_id = c.id;
	struct kb_key member = kb_key_member(&c.id, m->seq);
	s->state.counts.cases[KB_CASE_NEW]++;
	return st == KB_OK ? kb_table_put(d, s, KB_ROW_MEMBER, KB_KEY(member), NULL, nothing, 0) : st;
}

static enum kb_status put_message_blob(
    struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_upload *u, struct kb_msg *m)
{
	struct kb_upload_file file;
	enum kb_status st = KB_OK;
	if (!u)
		st = kb_blob_put(d, s, &p->message, &file, sizeof m->sealed_hash);
	const struct kb_upload_file *f = u ? &u->file[0] : &file;
	if (st != KB_OK)
		return st;
	m->blob = f->blob;
	m->blob_len = p->message.len;
	memcpy(m->sealed_hash, f->hash, sizeof m->sealed_hash);
	return KB_OK;
}

static enum kb_status put_summary(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_msg *m)
{
	uint8_t both[KB_AGE_HEADER_MOST + KB_SUMMARY_LEN];
	struct kb_number len = {p->header_len};
	struct kb_key key = kb_key_u64(m->seq);
	if (pread(p->message.fd, both, p->header_len, (off_t)p->message.at) != (ssize_t)p->header_len)
		return KB_FAIL_SYS(d, "a sealed file's header cannot be read");
	memcpy(both + p->header_len, p->summary.p, p->summary.len);
	return kb_table_put(
	    d, s, KB_ROW_SUMMARY, KB_KEY(key), &len, KB_SPAN(both, p->header_len + p->summary.len), MDB_APPEND);
}

static enum kb_status put_names(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_msg *m)
{
	struct kb_number seq = {m->seq};
	struct kb_key bytime = kb_key_u64_u64(m->received_s, m->seq);
	uint8_t recent[KB_RECENT_KEY];
	kb_recent_hash(s->recent, 0, p->fingerprint, recent);
	enum kb_status st =
	    kb_table_put(d, s, KB_ROW_NAME, KB_SPAN(m->id.b, KB_ID_LEN), &seq, nothing, MDB_NOOVERWRITE);
	if (st == KB_OK)
		st = kb_table_put(d, s, KB_ROW_BYTIME, KB_KEY(bytime), NULL, nothing, 0);
	return st == KB_OK ? kb_table_put(d, s, KB_ROW_RECENT, KB_SPAN(recent, sizeof recent), &seq, nothing, 0) : st;
}

static enum kb_status journal_sealed(struct kb_diag *d, struct kb_store *s, const struct kb_msg *m)
{
	uint8_t row[KB_ROW_FIXED_MOST];
	struct kb_entry e = kb_entry_by(KB_ACT_SEALED, "sealer");
	e.case_id = m->case_id;
	e.number = m->roster_version;
	e.subjects = 1;
	e.subject[0] = m->id;
	e.commitments = 3;
	memcpy(e.commitment[0], m->sealed_hash, 32);
	memcpy(e.commitment[1], m->summary_hash, 32);
	/* The row that decides who may open it and which case it is. */
	size_t len = (size_t)(kb_row_write(KB_ROW_MSG, m, row) - row);
	crypto_generichash(e.commitment[2], 32, row, len, NULL, 0);
	return kb_journal_add(d, s, &e);
}

static enum kb_status put_referrals(
    struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_upload *u, const struct kb_msg *m)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < p->referrals; i++)
		st = kb_referral_add(d, s, p, i, m, u ? &u->file[1 + i] : NULL);
	/* From here on the chunks are somebody's. */
	for (size_t i = 0; st == KB_OK && u && i < u->n; i++) {
		struct kb_key key = kb_key_u64(u->file[i].blob);
		st = kb_table_del(d, s, KB_TABLE_PARTIAL, KB_KEY(key));
	}
	return st;
}

static enum kb_status insert(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_upload *u,
    struct kb_put_result *ret_r)
{
	struct kb_msg m = {
	    .seq = s->state.next_msg,
	    .id = p->id,
	    .class_ = p->class_,
	    .channel = p->channel,
	    .urgent = p->urgent,
	    .unreadable = p->unreadable,
	    .received_s = kb_minute(p->received_s),
	    .size_class = p->size_class,
	    .entitled = p->entitled,
	    .epoch = p->epoch,
	    .roster_version = p->roster_version,
	    .header_len = p->header_len,
	    .referrals = (uint32_t)p->referrals,
	};
	enum kb_status st = check(d, p);
	if (st == KB_OK)
		st = put_message_blob(d, s, p, u, &m);
	if (st == KB_OK)
		st = new_case(d, s, &m);
	if (st == KB_OK)
		st = put_summary(d, s, p, &m);
	crypto_generichash(m.summary_hash, sizeof m.summary_hash, p->summary.p, p->summary.len, NULL, 0);
	struct kb_key key = kb_key_u64(m.seq);
	if (st == KB_OK)
		st = kb_table_put(d, s, KB_ROW_MSG, KB_KEY(key), &m, nothing, MDB_APPEND);
	if (st == KB_OK)
		st = put_names(d, s, p, &m);
	if (st == KB_OK)
		st = journal_sealed(d, s, &m);
	if (st == KB_OK)
		st = put_referrals(d, s, p, u, &m);
	if (st == KB_OK && p->outbox_key)
		st = kb_ack_add(d, s, p, &m);
	if (st != KB_OK)
		return st;
	s->state.next_msg++;
	s->state.counts.messages++;
	s->state.counts.review += m.class_ == KB_CLASS_REVIEW;
	*ret_r = (struct kb_put_result){.id = m.id, .case_id = m.case_id};
	return KB_OK;
}

enum kb_status kb_store_put(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_upload *u,
    struct kb_put_result *ret_r)
{
	struct kb_put_result r;
	if (!s->writer)
		return KB_FAIL(d, KB_SEQUENCE, 0, "no transaction is open");
	enum kb_status st = kb_store_seen(d, s, p, &r);
	if (st == KB_NOTFOUND)
		return insert(d, s, p, u, ret_r);
	if (st == KB_OK && r.duplicate)
		st = journal_duplicate(d, s, p, &r);
	if (st == KB_OK && u && u->n)
		st = kb_upload_drop(d, s, p, u);
	if (st == KB_OK)
		*ret_r = r;
	return st;
}
