/*
 * space: is there room for what comes, and a file that need not grow while somebody waits.
 *
 * The file is written ahead with zeros, a step at a time after a commit: a sync of pages whose blocks exist already is
 * one flush of the disk, where a file that grows costs the file system's journal as well.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include "internal.h"

enum { RESERVE_MOST = 64 << 20, RESERVE_PART = 16, AHEAD = 1 << 20, ZEROS = 16384, PIECES = 64, STEP = ZEROS * PIECES };

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

enum kb_status kb_store_room(struct kb_diag *d, struct kb_store *s, uint64_t octets)
{
	MDB_envinfo info;
	struct statvfs fs;
	if (mdb_env_info(s->env, &info) != 0 || fstatvfs(s->dir, &fs) != 0)
		return KB_FAIL_SYS(d, "how much room there is cannot be seen");
	uint64_t need = octets + octets / 8, left = info.me_mapsize - kb_env_used(s);
	if (left < need + reserve(info.me_mapsize)) {
		uint64_t pages = 0;
		enum kb_status st = free_pages(d, s, &pages);
		kb_store_rest(s);
		if (st != KB_OK)
			return st;
		if (left + pages * page_size(s) < need + reserve(info.me_mapsize))
			return KB_FAIL(d, KB_BUSY, 0, "the store's map is nearly full");
	}
	if (fs.f_bavail * fs.f_frsize < need + reserve(fs.f_blocks * fs.f_frsize))
		return KB_FAIL(d, KB_BUSY, 0, "the store's disk is nearly full");
	return KB_OK;
}

/* Only ever past the end of the file, where no page can lie. What the disk does not take is not missed. */
void kb_env_grow(struct kb_store *s)
{
	static const uint8_t zeros[ZEROS];
	mdb_filehandle_t fd;
	struct stat file;
	uint64_t used = kb_env_used(s);
	MDB_envinfo info;
	if (used + AHEAD <= s->grown || mdb_env_get_fd(s->env, &fd) != 0 || fstat(fd, &file) != 0 ||
	    mdb_env_info(s->env, &info) != 0)
		return;
	uint64_t end = (uint64_t)file.st_size;
	if (used + AHEAD > end && end + STEP <= info.me_mapsize) {
		struct iovec piece[PIECES];
		for (size_t i = 0; i < PIECES; i++) {
			memcpy(&piece[i].iov_base, &(const void *){zeros}, sizeof piece[i].iov_base);
			piece[i].iov_len = sizeof zeros;
		}
		ssize_t n = pwritev(fd, piece, PIECES, (off_t)end);
		end += n > 0 ? (uint64_t)n : 0;
	}
	s->grown = end > used + AHEAD ? end : used + AHEAD; /* asked again when that is used up */
}
