/*
 * internal: the store's own memory and the ways to its tables, for lib/store alone.
 *
 * Reads go through whatever transaction is open: the writer's while there is one, else a snapshot that kb_store_rest ends.
 */
#ifndef KITEBOX_LIB_STORE_INTERNAL_H
#define KITEBOX_LIB_STORE_INTERNAL_H

#include <lmdb.h>

#include "recent.h"
#include "rows.h"

/* Keys that must not be swapped out or read by accident: in guarded memory. */
struct kb_store_secrets {
	uint8_t journal[32];
	struct kb_minisign_key referral;
};

struct kb_store {
	MDB_env *env;
	MDB_dbi dbi[KB_TABLE_COUNT];
	MDB_txn *writer, *reader;
	bool reading, broken;
	int dir;
	uint64_t now_s; /* of the transaction that is open */
	struct kb_state state, committed;
	struct kb_store_secrets *secret;
	bool unlocked, can_sign;
	struct kb_store_clocks clocks;
	struct kb_recent *recent;
	uintptr_t map; /* where the file is mapped, and how long; 0: not known */
	size_t map_len;
};

/* env.c: the one place that says how what is committed reaches the disk. */
KB_MUST_USE enum kb_status kb_env_open(struct kb_diag *d, const char *path, uint64_t map_octets, MDB_env **ret_env);
/* What LMDB said, in our words; sets broken where only a new start helps. */
enum kb_status kb_env_status(struct kb_diag *d, struct kb_store *s, int rc, const char *what);
#define KB_LMDB(d, s, rc, lit) kb_env_status((d), (s), (rc), "" lit "")
/* map.c */
void kb_map_find(struct kb_store *s);
/* Octets up to the last page that is used. */
uint64_t kb_env_used(const struct kb_store *s);

/* table.c: one row at a time. */
KB_MUST_USE enum kb_status kb_table_txn(struct kb_diag *d, struct kb_store *s, MDB_txn **ret_txn);
KB_MUST_USE enum kb_status kb_table_get(struct kb_diag *d, struct kb_store *s, enum kb_row row, struct kb_span key, void *ret, struct kb_span *ret_tail);
/* flags: MDB_APPEND for a table whose keys only grow, MDB_NOOVERWRITE for one that must be new (KB_SEQUENCE). */
KB_MUST_USE enum kb_status kb_table_put(struct kb_diag *d, struct kb_store *s, enum kb_row row, struct kb_span key, const void *src, struct kb_span tail, unsigned flags);
/* Room for a row of a kind without fields whose tail the caller fills, and then hands to kb_row_check at once. */
KB_MUST_USE enum kb_status kb_table_reserve(struct kb_diag *d, struct kb_store *s, enum kb_row row, struct kb_span key, size_t tail, uint8_t **ret_row);
KB_MUST_USE enum kb_status kb_table_del(struct kb_diag *d, struct kb_store *s, enum kb_table table, struct kb_span key);
/* The first row whose key is at or after (before: before) key, in key order. The row is not looked at. */
enum kb_direction { KB_AT_OR_AFTER, KB_BEFORE };
KB_MUST_USE enum kb_status kb_table_seek(struct kb_diag *d, struct kb_store *s, enum kb_table table, struct kb_span key, enum kb_direction direction, struct kb_span *ret_key, struct kb_span *ret_value);

/* Keys. */
struct kb_key {
	uint8_t b[36];
	size_t len;
};
struct kb_key kb_key_u64(uint64_t a);
struct kb_key kb_key_u64_u64(uint64_t a, uint64_t b);
struct kb_key kb_key_u64_u32(uint64_t a, uint32_t b);
struct kb_key kb_key_member(const struct kb_case_id *id, uint64_t seq);
#define KB_KEY(k) KB_SPAN((k).b, (k).len)

/* journal.c: appends; fills seq, time, salt, previous, hash of *e. */
KB_MUST_USE enum kb_status kb_journal_add(struct kb_diag *d, struct kb_store *s, struct kb_entry *e);
/* An entry by a room of the house. */
struct kb_entry kb_entry_by(enum kb_act act, const char *room);
void kb_state_mac(const struct kb_store *s, const struct kb_state *state, uint8_t ret_mac[static 32]);

/* blob.c */
KB_MUST_USE enum kb_status kb_blob_put(struct kb_diag *d, struct kb_store *s, const struct kb_sealed_file *f, struct kb_upload_file *u, size_t hash_len);
KB_MUST_USE enum kb_status kb_upload_drop(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_upload *u);
/* Deletes up to most chunks; KB_AGAIN when there are more. */
KB_MUST_USE enum kb_status kb_blob_del(struct kb_diag *d, struct kb_store *s, uint64_t blob, size_t most);

/* queue.c: a new referral, in its first state, with its signature where it is queued. */
KB_MUST_USE enum kb_status kb_referral_add(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, size_t i, const struct kb_msg *m, const struct kb_upload_file *u);
/* outbox.c */
KB_MUST_USE enum kb_status kb_ack_add(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_msg *m);

/* Down to the minute. */
uint64_t kb_minute(uint64_t time_s);

#endif
