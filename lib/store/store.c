/* store: open, unlock, and the one transaction at a time. See store.h. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kitebox/memfd.h>

static const struct kb_span state_key = {(const uint8_t *)"state", 5};

static enum kb_status open_tables(struct kb_diag *d, struct kb_store *s)
{
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	for (unsigned i = 0; rc == 0 && i < KB_TABLE_COUNT; i++)
		rc = mdb_dbi_open(txn, kb_table_name((enum kb_table)i), MDB_CREATE, &s->dbi[i]);
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	else if (txn)
		mdb_txn_abort(txn);
	return KB_LMDB(d, s, rc, "the store's tables cannot be opened");
}

static enum kb_status read_state(struct kb_diag *d, struct kb_store *s)
{
	struct kb_state fresh = {.next_msg = 1, .next_blob = 1, .next_referral = 1, .next_ack = 1};
	enum kb_status st = kb_table_get(d, s, KB_ROW_STATE, state_key, &s->committed, NULL);
	kb_store_rest(s);
	if (st == KB_NOTFOUND) {
		s->committed = fresh;
		st = KB_OK;
	}
	s->state = s->committed;
	return st;
}

enum kb_status kb_store_open(struct kb_diag *d, const char *path, uint64_t map_octets, struct kb_store **ret_s)
{
	struct kb_store *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->secret = sodium_malloc(sizeof *s->secret);
	if (!s->secret)
		abort();
	enum kb_status st = s->dir < 0 ? KB_FAIL_SYS(d, "the store's folder cannot be opened") : KB_OK;
	if (st == KB_OK)
		st = kb_env_open(d, path, map_octets, &s->env);
	if (st == KB_OK) {
		kb_map_find(s);
		st = open_tables(d, s);
	}
	if (st == KB_OK)
		st = read_state(d, s);
	if (st == KB_OK)
		*ret_s = s;
	else
		kb_store_close(&s);
	return st;
}

void kb_store_close(struct kb_store **sp)
{
	struct kb_store *s = KB_TAKE(*sp);
	if (!s)
		return;
	kb_store_abort(s);
	if (s->reader)
		mdb_txn_abort(s->reader);
	if (s->env)
		mdb_env_close(s->env);
	kb_recent_close(&s->recent);
	sodium_free(s->secret);
	kb_fd_close(&s->dir);
	free(s);
}

void kb_state_mac(const struct kb_store *s, const struct kb_state *state, uint8_t ret_mac[static 32])
{
	uint8_t row[KB_ROW_FIXED_MOST];
	size_t len = (size_t)(kb_row_write(KB_ROW_STATE, state, row) - row) - sizeof state->mac; /* the last field */
	crypto_generichash(ret_mac, 32, row, len, s->secret->journal, sizeof s->secret->journal);
}

static enum kb_status check_head(struct kb_diag *d, struct kb_store *s)
{
	uint8_t mac[32];
	struct kb_entry last;
	if (s->committed.journal_seq == 0)
		return KB_OK;
	kb_state_mac(s, &s->committed, mac);
	if (sodium_memcmp(mac, s->committed.mac, sizeof mac) != 0)
		return KB_FAIL(d, KB_FORGED, 0, "vault.key is not the key that this store's journal was kept with");
	enum kb_status st = kb_store_journal(d, s, s->committed.journal_seq, &last);
	if (st == KB_OK && memcmp(last.hash, s->committed.journal_head, sizeof last.hash) != 0)
		st = KB_FAIL(
		    d, KB_CORRUPT, (size_t)last.seq, "the journal's last entry is not the one that its head names");
	kb_store_rest(s);
	return st == KB_NOTFOUND
		   ? KB_FAIL(d, KB_CORRUPT, (size_t)s->committed.journal_seq, "the journal's last entry is missing")
		   : st;
}

enum kb_status kb_store_unlock(
    struct kb_diag *d, struct kb_store *s, const uint8_t vault_key[static 32], uint64_t now_s)
{
	static const char label[] = "kitebox journal key v1";
	s->unlocked = false;
	crypto_generichash(
	    s->secret->journal, sizeof s->secret->journal, (const uint8_t *)label, sizeof label, vault_key, 32);
	enum kb_status st = check_head(d, s);
	if (st == KB_OK && !s->recent)
		st = kb_recent_open(d, s->dir, now_s, &s->recent);
	s->unlocked = st == KB_OK;
	return st;
}

void kb_store_referral_key(struct kb_store *s, const struct kb_minisign_key *key)
{
	s->can_sign = key != NULL;
	if (key)
		s->secret->referral = *key;
	else
		sodium_memzero(&s->secret->referral, sizeof s->secret->referral);
}

void kb_store_clocks(struct kb_store *s, const struct kb_store_clocks *c)
{
	s->clocks = *c;
}

enum kb_status kb_store_begin(struct kb_diag *d, struct kb_store *s, uint64_t now_s)
{
	if (s->writer)
		return KB_FAIL(d, KB_SEQUENCE, 0, "a transaction is open already");
	if (!s->unlocked)
		return KB_FAIL(d, KB_NOKEY, 0, "without its vault.key the store takes no change");
	enum kb_status st = kb_recent_roll(d, s->recent, now_s);
	if (st != KB_OK)
		return st;
	kb_store_rest(s);
	s->now_s = now_s;
	s->state = s->committed;
	return KB_LMDB(d, s, mdb_txn_begin(s->env, NULL, 0, &s->writer), "no transaction");
}

enum kb_status kb_store_commit(struct kb_diag *d, struct kb_store *s)
{
	if (!s->writer)
		return KB_FAIL(d, KB_SEQUENCE, 0, "no transaction is open");
	enum kb_status st = KB_OK;
	if (memcmp(&s->state, &s->committed, sizeof s->state) != 0) {
		kb_state_mac(s, &s->state, s->state.mac);
		st = kb_table_put(d, s, KB_ROW_STATE, state_key, &s->state, KB_SPAN(NULL, 0), 0);
	}
	if (st != KB_OK) {
		kb_store_abort(s);
		return st;
	}
	int rc = mdb_txn_commit(KB_TAKE(s->writer));
	if (rc != 0) {
		s->state = s->committed;
		return KB_LMDB(d, s, rc, "a transaction could not be brought to the disk");
	}
	s->committed = s->state;
	return KB_OK;
}

void kb_store_abort(struct kb_store *s)
{
	if (s->writer)
		mdb_txn_abort(KB_TAKE(s->writer));
	s->state = s->committed;
}

void kb_store_rest(struct kb_store *s)
{
	if (s->reading)
		mdb_txn_reset(s->reader);
	s->reading = false;
}

bool kb_store_broken(const struct kb_store *s)
{
	return s->broken;
}

uint64_t kb_minute(uint64_t time_s)
{
	return time_s - time_s % 60;
}

void kb_store_facts(const struct kb_store *s, struct kb_store_facts *ret_f)
{
	MDB_envinfo info;
	struct kb_store_facts f = {
	    .counts = s->state.counts,
	    .map_used = kb_env_used(s),
	    .journal_seq = s->state.journal_seq,
	    .roster_version = s->state.roster_version,
	};
	memcpy(f.journal_head, s->state.journal_head, sizeof f.journal_head);
	f.map_size = mdb_env_info(s->env, &info) == 0 ? info.me_mapsize : 0;
	*ret_f = f;
}
