/*
 * env: how LMDB is opened. Nothing is promised before it is on the disk: LMDB's own order is kept (data, fdatasync,
 * then the page that names it, written through), with no flag that would weaken it.
 *
 * KB_FAULT_NOSYNC is a fault for tests: a store that forgets to sync must be found out by the test that looks for it.
 * The daemon is never built with it.
 */
#include "internal.h"

#include <errno.h>

#ifdef KB_FAULT_NOSYNC
/* KB_FAULT_NOSYNC */
enum { HOW = MDB_NOTLS | MDB_NOSYNC };
#else
enum { HOW = MDB_NOTLS };
#endif

enum kb_status kb_env_open(struct kb_diag *d, const char *path, uint64_t map_octets, MDB_env **ret_env)
{
	MDB_env *env = NULL;
	int dead, rc = mdb_env_create(&env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(env, KB_TABLE_COUNT);
	if (rc == 0)
		rc = mdb_env_set_mapsize(env, map_octets);
	if (rc == 0)
		rc = mdb_env_open(env, path, HOW, 0600);
	/* A vault that was killed while it read has left its slot, which would keep freed pages from being used. */
	if (rc == 0)
		rc = mdb_reader_check(env, &dead);
	if (rc != 0) {
		mdb_env_close(env);
		return kb_env_status(d, NULL, rc, "the store cannot be opened");
	}
	*ret_env = env;
	return KB_OK;
}
