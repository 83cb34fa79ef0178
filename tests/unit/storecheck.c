/* storecheck: what must hold between rows, and between rows and journal, whenever a transaction is over. */
#include "storefix.h"

#include <stdlib.h>
#include <string.h>

#include <kitebox/memfd.h>

#include "internal.h"

struct sums {
	struct kb_store_counts counts;
	uint64_t blobs, chunks, names, members, bytime, cases, held, due, refnames, sealed;
};

static uint64_t rows_in(struct kb_store *s, enum kb_table table)
{
	struct kb_key from = {.len = 1};
	struct kb_span key;
	uint64_t n = 0;
	while (kb_table_seek(NULL, s, table, KB_KEY(from), KB_AT_OR_AFTER, &key, NULL) == KB_OK) {
		n++;
		from.len = key.len;
		memcpy(from.b, key.p, key.len);
		from.b[from.len++] = 0; /* the next key there can be */
	}
	return n;
}

static void check_blob(struct fix *f, uint64_t blob, uint64_t len, const uint8_t *hash, size_t hash_len, struct sums *n)
{
	uint8_t got[64];
	struct kb_map m;
	KB_AUTO(kb_fd_close) int fd = -1;
	assert_ok(kb_store_blob(NULL, f->s, blob, len, &fd));
	assert_ok(kb_map_open(NULL, fd, SIZE_MAX, &m));
	assert_int_equal(m.s.len, len);
	crypto_generichash(got, hash_len, m.s.p, m.s.len, NULL, 0);
	assert_memory_equal(got, hash, hash_len);
	kb_map_release(&m);
	n->blobs++;
	n->chunks += len <= KB_BLOB_WHOLE ? 1 : (len + KB_BLOB_CHUNK - 1) / KB_BLOB_CHUNK;
}

static void check_messages(struct fix *f, struct sums *n)
{
	static const struct kb_desk_list all = {.all = 1};
	struct kb_list l;
	struct kb_msg m, named;
	struct kb_case c;
	struct kb_span header, summary;
	uint64_t before = UINT64_MAX;
	enum kb_status st;
	assert_ok(kb_list_init(NULL, f->s, &all, &l));
	while ((st = kb_list_next(NULL, &l, &m)) == KB_OK) {
		assert_true(m.received_s <= before);
		assert_int_equal(m.received_s % 60, 0);
		before = m.received_s;
		assert_ok(kb_store_message(NULL, f->s, &m.id, &named));
		assert_int_equal(named.seq, m.seq);
		assert_ok(kb_store_summary(NULL, f->s, m.seq, &header, &summary));
		assert_int_equal(header.len, m.header_len);
		assert_ok(kb_store_case(NULL, f->s, &m.case_id, &c));
		struct kb_key member = kb_key_member(&m.case_id, m.seq);
		assert_ok(kb_table_get(NULL, f->s, KB_ROW_MEMBER, KB_KEY(member), NULL, NULL));
		assert_int_equal(c.status != KB_CASE_NEW, m.opened);
		check_blob(f, m.blob, m.blob_len, m.sealed_hash, 32, n);
		n->counts.messages++;
		n->counts.cases[c.status]++;
		n->counts.review += m.class_ == KB_CLASS_REVIEW && !m.opened;
		n->names++;
	}
	assert_int_equal(st, KB_NOTFOUND);
}

static void check_signature(struct fix *f, const struct kb_referral *r)
{
	struct kb_span sig, trusted;
	enum kb_status st = kb_store_signature(NULL, f->s, r->seq, &sig);
	if (r->state == KB_REFERRAL_HELD) {
		assert_int_equal(st, KB_NOTFOUND);
		return;
	}
	assert_ok(st);
	assert_ok(kb_minisign_verify(NULL, &f->referral.pub, r->prehash, sig, &trusted));
	assert_true(kb_span_starts(trusted, KB_LIT("kitebox referral ")));
}

static void check_referrals(struct fix *f, struct sums *n)
{
	struct kb_referral r = {0}, named;
	struct kb_msg m;
	enum kb_status st;
	while ((st = kb_referral_before(NULL, f->s, r.seq, &r)) == KB_OK) {
		assert_ok(kb_store_referral_find(NULL, f->s, &r.id, &named));
		assert_int_equal(named.seq, r.seq);
		assert_ok(kb_store_message_at(NULL, f->s, r.message_seq, &m));
		assert_true(kb_id_eq(&m.id, &r.message));
		check_blob(f, r.blob, r.blob_len, r.prehash, 64, n);
		check_signature(f, &r);
		n->counts.referrals[r.state]++;
		n->counts.failing += r.state == KB_REFERRAL_QUEUED && r.attempts > 0;
		n->held += r.state == KB_REFERRAL_HELD;
		n->due += r.state == KB_REFERRAL_QUEUED || r.state == KB_REFERRAL_SENT;
		n->refnames++;
	}
	assert_int_equal(st, KB_NOTFOUND);
}

/* Each message's hashes stand in the journal, and nothing is sealed there that is not here. */
static void check_journal(struct fix *f, struct sums *n)
{
	struct kb_store_facts facts;
	struct kb_entry e;
	struct kb_msg m;
	assert_ok(kb_store_journal_verify(NULL, f->s));
	kb_store_facts(f->s, &facts);
	for (uint64_t seq = 1; seq <= facts.journal_seq; seq++) {
		assert_ok(kb_store_journal(NULL, f->s, seq, &e));
		n->counts.unsent += e.act == KB_ACT_UNSENT;
		if (e.act != KB_ACT_SEALED)
			continue;
		assert_ok(kb_store_message(NULL, f->s, &e.subject[0], &m));
		assert_memory_equal(e.commitment[0], m.sealed_hash, 32);
		assert_memory_equal(e.commitment[1], m.summary_hash, 32);
		n->sealed++;
	}
	assert_memory_equal(e.hash, facts.journal_head, 32);
}

void fix_check(struct fix *f)
{
	struct sums n;
	struct kb_store_facts facts;
	memset(&n, 0, sizeof n);
	check_messages(f, &n);
	check_referrals(f, &n);
	check_journal(f, &n);
	kb_store_facts(f->s, &facts);
	n.counts.acks = rows_in(f->s, KB_TABLE_OUTBOX);
	assert_memory_equal(&n.counts, &facts.counts, sizeof n.counts);
	assert_int_equal(n.sealed, n.counts.messages);
	assert_int_equal(rows_in(f->s, KB_TABLE_BLOB), n.chunks);
	assert_int_equal(rows_in(f->s, KB_TABLE_PARTIAL), 0);
	assert_int_equal(rows_in(f->s, KB_TABLE_NAME), n.names);
	assert_int_equal(rows_in(f->s, KB_TABLE_MSG), n.names);
	assert_int_equal(rows_in(f->s, KB_TABLE_SUMMARY), n.names);
	assert_int_equal(rows_in(f->s, KB_TABLE_CASE), 2 * n.names);
	assert_int_equal(rows_in(f->s, KB_TABLE_REFNAME), n.refnames);
	assert_int_equal(rows_in(f->s, KB_TABLE_HELD), n.held);
	assert_int_equal(rows_in(f->s, KB_TABLE_DUE), n.due);
	kb_store_rest(f->s);
}

void fix_swap_roster(struct fix *f)
{
	struct kb_number len;
	struct kb_span both;
	struct kb_buf changed;
	struct kb_key key = kb_key_u64(1);
	fix_reopen(f);
	kb_buf_init(&changed, 1 << 20);
	fix_begin(f);
	assert_ok(kb_table_get(NULL, f->s, KB_ROW_ROSTER, KB_KEY(key), &len, &both));
	assert_ok(kb_buf_add(&changed, both));
	size_t at = kb_span_find(kb_buf_span(&changed), KB_LIT("age1"));
	assert_true(at < len.v);
	changed.p[at + 10] = changed.p[at + 10] == 'q' ? 'p' : 'q';
	assert_ok(kb_table_put(NULL, f->s, KB_ROW_ROSTER, KB_KEY(key), &len, kb_buf_span(&changed), 0));
	fix_commit(f);
	kb_buf_release(&changed);
	fix_close(f);
}
