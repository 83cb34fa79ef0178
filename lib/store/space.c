/* space: is there room for what comes. See store.h. */
#include <errno.h>
#include <sys/statvfs.h>

#include "internal.h"

enum { RESERVE_MOST = 64 << 20, RESERVE_PART = 16, MARGIN_PART = 2 };

static uint64_t page_size(const struct kb_store *s)
{
	MDB_stat st;
	return mdb_env_stat(s->env, &st) == 0 ? st.ms_psize : 4096;
}

uint64_t kb_env_used(const struct kb_store *s)
{
	MDB_envinfo info;
	return mdb_env_info(s->env, &info) == 0 ? (info.me_last_pgno + 1) * page_size(s) : 0;
}

/* Pages below the last one that are free: each row of LMDB's table 0 is a list that begins with its length. */
static enum kb_status free_pages(struct kb_diag *d, struct kb_store *s, uint64_t *ret_n)
{
	enum { FREE_TABLE = 0 };
	MDB_txn *txn = NULL;
	MDB_cursor *c = NULL;
	MDB_val k, v;
	uint64_t n = 0;
	enum kb_status st = kb_table_txn(d, s, &txn);
	if (st != KB_OK)
		return st;
	int rc = mdb_cursor_open(txn, FREE_TABLE, &c);
	while (rc == 0 && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0)
		if (v.mv_size >= sizeof(uint64_t))
			n += kb_get_u64(v.mv_data);
	if (c)
		mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND)
		return KB_LMDB(d, s, rc, "free pages cannot be counted");
	*ret_n = n;
	return KB_OK;
}

static uint64_t reserve(uint64_t whole)
{
	return whole / RESERVE_PART < RESERVE_MOST ? whole / RESERVE_PART : RESERVE_MOST;
}

/* Both reserves grow by 1/part of themselves; 0: they do not. */
static enum kb_status look(struct kb_diag *d, struct kb_store *s, uint64_t octets, unsigned part)
{
	MDB_envinfo info;
	struct statvfs fs;
	if (mdb_env_info(s->env, &info) != 0 || fstatvfs(s->dir, &fs) != 0)
		return KB_FAIL_SYS(d, "how much room there is cannot be seen");
	uint64_t need = octets + octets / 8, left = info.me_mapsize - kb_env_used(s);
	uint64_t in_map = reserve(info.me_mapsize), on_disk = reserve(fs.f_blocks * fs.f_frsize);
	if (part) {
		in_map += in_map / part;
		on_disk += on_disk / part;
	}
	if (left < need + in_map) {
		uint64_t pages = 0;
		enum kb_status st = free_pages(d, s, &pages);
		kb_store_rest(s);
		if (st != KB_OK)
			return st;
		if (left + pages * page_size(s) < need + in_map)
			return KB_FAIL(d, KB_BUSY, 0, "the store's map is nearly full");
	}
	if (fs.f_bavail * fs.f_frsize < need + on_disk)
		return KB_FAIL(d, KB_BUSY, 0, "the store's disk is nearly full");
	return KB_OK;
}

enum kb_status kb_store_room(struct kb_diag *d, struct kb_store *s, uint64_t octets)
{
	return look(d, s, octets, 0);
}

enum kb_status kb_store_room_again(struct kb_diag *d, struct kb_store *s, uint64_t octets)
{
	return look(d, s, octets, MARGIN_PART);
}
