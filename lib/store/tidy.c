/* tidy: what outlived its use goes, a bounded step at a time. See store.h. */
#include <string.h>

#include "internal.h"

enum { CHUNKS_A_STEP = 256, ROWS_A_STEP = 1024 };

/* The first message that never became whole: nobody writes one now. */
static enum kb_status sweep(struct kb_diag *d, struct kb_store *s)
{
	struct kb_key from = kb_key_u64(0), at;
	struct kb_span key;
	enum kb_status st = kb_table_seek(d, s, KB_TABLE_PARTIAL, KB_KEY(from), KB_AT_OR_AFTER, &key, NULL);
	if (st != KB_OK || key.len != from.len)
		return st == KB_OK
			   ? KB_FAIL(d, KB_CORRUPT, key.len, "a key of an unfinished message has the wrong length")
			   : st;
	at = kb_key_u64(kb_get_be64(key.p));
	st = kb_blob_del(d, s, kb_get_be64(at.b), CHUNKS_A_STEP);
	if (st == KB_OK)
		st = kb_table_del(d, s, KB_TABLE_PARTIAL, KB_KEY(at));
	return st == KB_OK ? KB_AGAIN : st;
}

/* Rows lie by day, oldest first: the first one that lives ends it. */
static enum kb_status forget(struct kb_diag *d, struct kb_store *s)
{
	struct kb_key from = {.len = 1}, at;
	struct kb_span key;
	for (size_t i = 0; i < ROWS_A_STEP; i++) {
		enum kb_status st = kb_table_seek(d, s, KB_TABLE_RECENT, KB_KEY(from), KB_AT_OR_AFTER, &key, NULL);
		if (st != KB_OK)
			return st;
		if (key.len != KB_RECENT_KEY)
			return KB_FAIL(d, KB_CORRUPT, key.len, "a key of what is remembered has the wrong length");
		if (kb_recent_lives(s->recent, key.p))
			return KB_NOTFOUND;
		at.len = key.len;
		memcpy(at.b, key.p, key.len);
		st = kb_table_del(d, s, KB_TABLE_RECENT, KB_KEY(at));
		if (st != KB_OK)
			return st;
	}
	return KB_AGAIN;
}

enum kb_status kb_store_tidy(struct kb_diag *d, struct kb_store *s, uint64_t now_s)
{
	enum kb_status st = kb_store_begin(d, s, now_s);
	if (st != KB_OK)
		return st;
	st = sweep(d, s);
	if (st == KB_NOTFOUND)
		st = forget(d, s);
	bool done = st == KB_NOTFOUND;
	if (!done && st != KB_AGAIN) {
		kb_store_abort(s);
		return st;
	}
	st = kb_store_commit(d, s);
	return st == KB_OK && !done ? KB_AGAIN : st;
}
