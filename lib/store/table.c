/* table: one row at a time, in the transaction that is open. See internal.h. */
#include "internal.h"

#include <errno.h>
#include <string.h>

enum kb_status kb_env_status(struct kb_diag *d, struct kb_store *s, int rc, const char *what)
{
	enum kb_status st;
	switch (rc) {
	case MDB_SUCCESS:
		return KB_OK;
	case MDB_NOTFOUND:
		return kb_fail(d, KB_NOTFOUND, 0, 0, what);
	case MDB_KEYEXIST:
		return kb_fail(d, KB_SEQUENCE, 0, 0, what);
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case ENOSPC:
	case EDQUOT:
		return kb_fail(d, KB_BUSY, 0, rc > 0 ? rc : 0, what);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_PANIC:
		st = KB_CORRUPT;
		break;
	default:
		st = KB_IO;
	}
	if (s)
		s->broken = true;
	return kb_fail(d, st, rc < 0 ? (size_t)-rc : 0, rc > 0 ? rc : 0, what);
}

enum kb_status kb_table_txn(struct kb_diag *d, struct kb_store *s, MDB_txn **ret_txn)
{
	int rc;
	if (s->writer) {
		*ret_txn = s->writer;
		return KB_OK;
	}
	if (!s->reading) {
		rc = s->reader ? mdb_txn_renew(s->reader) : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
		if (rc != 0)
			return KB_LMDB(d, s, rc, "the store cannot be read");
		s->reading = true;
	}
	*ret_txn = s->reader;
	return KB_OK;
}

static MDB_val val(struct kb_span s)
{
	MDB_val v = {.mv_size = s.len};
	memcpy(&v.mv_data, &s.p, sizeof v.mv_data); /* LMDB does not write through a key */
	return v;
}

enum kb_status kb_table_get(
    struct kb_diag *d, struct kb_store *s, enum kb_row row, struct kb_span key, void *ret, struct kb_span *ret_tail)
{
	MDB_txn *txn = NULL;
	MDB_val k = val(key), v;
	enum kb_status st = kb_table_txn(d, s, &txn);
	if (st == KB_OK)
		st = KB_LMDB(d, s, mdb_get(txn, s->dbi[kb_row_table(row)], &k, &v), "there is no such row");
	return st == KB_OK ? kb_row_read(d, row, key, KB_SPAN(v.mv_data, v.mv_size), ret, ret_tail) : st;
}

/* KB_NOKEY outside of a transaction: only kb_store_begin, which asks for the key, opens one. */
static enum kb_status reserve(struct kb_diag *d, struct kb_store *s, enum kb_row row, struct kb_span key, size_t len,
    unsigned flags, uint8_t **ret_row)
{
	if (!s->writer)
		return KB_FAIL(d, KB_SEQUENCE, 0, "nothing is written outside of a transaction");
	MDB_val k = val(key), v = {.mv_size = len};
	enum kb_status st = KB_LMDB(
	    d, s, mdb_put(s->writer, s->dbi[kb_row_table(row)], &k, &v, flags | MDB_RESERVE), "a row is not taken");
	if (st == KB_OK)
		*ret_row = v.mv_data;
	return st;
}

enum kb_status kb_table_put(struct kb_diag *d, struct kb_store *s, enum kb_row row, struct kb_span key, const void *src,
    struct kb_span tail, unsigned flags)
{
	uint8_t *p;
	size_t len = kb_row_len(row, tail.len);
	enum kb_status st = reserve(d, s, row, key, len, flags, &p);
	if (st != KB_OK)
		return st;
	uint8_t *to = kb_row_write(row, src, p);
	if (tail.len)
		memcpy(to, tail.p, tail.len);
	kb_row_check(row, key, p, len);
	return KB_OK;
}

enum kb_status kb_table_reserve(
    struct kb_diag *d, struct kb_store *s, enum kb_row row, struct kb_span key, size_t tail, uint8_t **ret_row)
{
	return reserve(d, s, row, key, kb_row_len(row, tail), 0, ret_row);
}

enum kb_status kb_table_del(struct kb_diag *d, struct kb_store *s, enum kb_table table, struct kb_span key)
{
	MDB_val k = val(key);
	if (!s->writer)
		return KB_FAIL(d, KB_SEQUENCE, 0, "nothing is deleted outside of a transaction");
	return KB_LMDB(d, s, mdb_del(s->writer, s->dbi[table], &k, NULL), "a row cannot be deleted");
}

enum kb_status kb_table_seek(struct kb_diag *d, struct kb_store *s, enum kb_table table, struct kb_span key,
    enum kb_direction direction, struct kb_span *ret_key, struct kb_span *ret_value)
{
	MDB_txn *txn = NULL;
	MDB_cursor *c = NULL;
	MDB_val k = val(key), v;
	enum kb_status st = kb_table_txn(d, s, &txn);
	if (st != KB_OK)
		return st;
	int rc = mdb_cursor_open(txn, s->dbi[table], &c);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	/* Past the end, what lies before is the last row. */
	if (direction == KB_BEFORE && (rc == 0 || rc == MDB_NOTFOUND))
		rc = mdb_cursor_get(c, &k, &v, rc == 0 ? MDB_PREV : MDB_LAST);
	if (c)
		mdb_cursor_close(c);
	st = KB_LMDB(d, s, rc, "there is no further row");
	if (st == KB_OK) {
		*ret_key = KB_SPAN(k.mv_data, k.mv_size);
		if (ret_value)
			*ret_value = KB_SPAN(v.mv_data, v.mv_size);
	}
	return st;
}

struct kb_key kb_key_u64(uint64_t a)
{
	struct kb_key k = {.len = 8};
	kb_put_be64(k.b, a);
	return k;
}

struct kb_key kb_key_u64_u64(uint64_t a, uint64_t b)
{
	struct kb_key k = {.len = 16};
	kb_put_be64(k.b, a);
	kb_put_be64(k.b + 8, b);
	return k;
}

struct kb_key kb_key_u64_u32(uint64_t a, uint32_t b)
{
	struct kb_key k = kb_key_u64_u64(a, (uint64_t)b << 32);
	k.len = 12;
	return k;
}

struct kb_key kb_key_member(const struct kb_case_id *id, uint64_t seq)
{
	struct kb_key k = {.len = sizeof id->b + 8};
	memcpy(k.b, id->b, sizeof id->b);
	kb_put_be64(k.b + sizeof id->b, seq);
	return k;
}
