/*
 * blob: sealed files, whole in one row or in chunks, straight from the descriptor they came on into LMDB's page.
 *
 * What is too large for one transaction is written in steps. A row in `partial` names a file that is not yet anybody's:
 * the transaction that makes it a message's takes that row away, and a start deletes the chunks of those that are still
 * there.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "internal.h"

static uint64_t chunk_at(uint64_t len, uint64_t at)
{
	uint64_t most = len > KB_BLOB_WHOLE ? KB_BLOB_CHUNK : KB_BLOB_WHOLE;
	return len - at < most ? len - at : most;
}

static enum kb_status read_at(struct kb_diag *d, int fd, uint8_t *to, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "a sealed file cannot be read");
		if (n == 0)
			return KB_FAIL(d, KB_MALFORMED, (size_t)at, "a sealed file is shorter than it was said to be");
		to += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return KB_OK;
}

static enum kb_status put_chunk(
    struct kb_diag *d, struct kb_store *s, const struct kb_sealed_file *f, struct kb_upload_file *u)
{
	size_t len = (size_t)chunk_at(f->len, u->at);
	struct kb_key key = kb_key_u64_u32(u->blob, (uint32_t)(u->at / KB_BLOB_CHUNK));
	uint8_t *row;
	enum kb_status st = kb_table_reserve(d, s, KB_ROW_BLOB, KB_KEY(key), len, &row);
	if (st != KB_OK)
		return st;
	uint8_t *tail = kb_row_write(KB_ROW_BLOB, NULL, row);
	st = read_at(d, f->fd, tail, len, f->at + u->at);
	if (st != KB_OK)
		return st;
	crypto_generichash_update(&u->state, tail, len);
	kb_row_check(KB_ROW_BLOB, KB_KEY(key), row, kb_row_len(KB_ROW_BLOB, len));
	u->at += len;
	return KB_OK;
}

/* The hash runs over what was stored, in our memory: a sibling that changed its memfd meanwhile changes nothing. */
static void start(struct kb_store *s, struct kb_upload_file *u, size_t hash_len)
{
	u->blob = s->state.next_blob++;
	u->at = 0;
	crypto_generichash_init(&u->state, NULL, 0, hash_len);
}

enum kb_status kb_blob_put(
    struct kb_diag *d, struct kb_store *s, const struct kb_sealed_file *f, struct kb_upload_file *u, size_t hash_len)
{
	enum kb_status st = KB_OK;
	start(s, u, hash_len);
	while (st == KB_OK && u->at < f->len)
		st = put_chunk(d, s, f, u);
	if (st == KB_OK)
		crypto_generichash_final(&u->state, u->hash, hash_len);
	return st;
}

bool kb_put_is_large(const struct kb_put *p)
{
	bool large = p->message.len > KB_BLOB_WHOLE;
	for (size_t i = 0; i < p->referrals; i++)
		large = large || p->referral[i].file.len > KB_BLOB_WHOLE;
	return large;
}

static const struct kb_sealed_file *file_of(const struct kb_put *p, size_t i)
{
	return i == 0 ? &p->message : &p->referral[i - 1].file;
}

static size_t hash_len_of(size_t i)
{
	return i == 0 ? 32 : 64;
}

static enum kb_status begin_all(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, struct kb_upload *u)
{
	enum kb_status st = KB_OK;
	u->n = 1 + p->referrals;
	u->done = 0;
	for (size_t i = 0; st == KB_OK && i < u->n; i++) {
		start(s, &u->file[i], hash_len_of(i));
		struct kb_key key = kb_key_u64(u->file[i].blob);
		st = kb_table_put(d, s, KB_ROW_PARTIAL, KB_KEY(key), NULL, KB_SPAN(NULL, 0), 0);
	}
	return st;
}

static enum kb_status step(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, struct kb_upload *u)
{
	uint64_t written = 0;
	enum kb_status st = u->n ? KB_OK : begin_all(d, s, p, u);
	while (st == KB_OK && u->done < u->n && written < KB_UPLOAD_STEP) {
		struct kb_upload_file *f = &u->file[u->done];
		uint64_t before = f->at;
		if (f->at < file_of(p, u->done)->len)
			st = put_chunk(d, s, file_of(p, u->done), f);
		written += f->at - before;
		if (st == KB_OK && f->at == file_of(p, u->done)->len) {
			crypto_generichash_final(&f->state, f->hash, hash_len_of(u->done));
			u->done++;
		}
	}
	return st;
}

enum kb_status kb_store_upload(
    struct kb_diag *d, struct kb_store *s, const struct kb_put *p, struct kb_upload *u, uint64_t now_s)
{
	struct kb_upload next = *u; /* a step that fails has not been taken */
	enum kb_status st = kb_store_begin(d, s, now_s);
	if (st != KB_OK)
		return st;
	st = step(d, s, p, &next);
	if (st != KB_OK) {
		kb_store_abort(s);
		return st;
	}
	st = kb_store_commit(d, s);
	if (st != KB_OK)
		return st;
	*u = next;
	return u->done < u->n ? KB_AGAIN : KB_OK;
}

enum kb_status kb_upload_drop(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_upload *u)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < u->n; i++) {
		struct kb_key key = kb_key_u64(u->file[i].blob);
		st = kb_blob_del(d, s, u->file[i].blob, (size_t)(file_of(p, i)->len / KB_BLOB_CHUNK) + 1);
		if (st == KB_OK || st == KB_AGAIN)
			st = kb_table_del(d, s, KB_TABLE_PARTIAL, KB_KEY(key));
	}
	return st;
}

enum kb_status kb_blob_del(struct kb_diag *d, struct kb_store *s, uint64_t blob, size_t most)
{
	struct kb_key first = kb_key_u64_u32(blob, 0), at;
	struct kb_span key;
	for (size_t i = 0;; i++) {
		enum kb_status st = kb_table_seek(d, s, KB_TABLE_BLOB, KB_KEY(first), KB_AT_OR_AFTER, &key, NULL);
		if (st == KB_NOTFOUND || (st == KB_OK && (key.len != first.len || memcmp(key.p, first.b, 8) != 0)))
			return KB_OK;
		if (st == KB_OK && i == most)
			return KB_AGAIN;
		if (st == KB_OK) {
			at = (struct kb_key){.len = key.len};
			memcpy(at.b, key.p, key.len); /* the key lies in the page that is about to change */
			st = kb_table_del(d, s, KB_TABLE_BLOB, KB_KEY(at));
		}
		if (st != KB_OK)
			return st;
	}
}

enum kb_status kb_store_blob(struct kb_diag *d, struct kb_store *s, uint64_t blob, uint64_t len, int *ret_fd)
{
	KB_AUTO(kb_fd_close) int fd = -1;
	uint64_t at = 0;
	enum kb_status st = kb_memfd_new(d, "sealed", &fd);
	for (uint32_t i = 0; st == KB_OK && at < len; i++) {
		struct kb_key key = kb_key_u64_u32(blob, i);
		struct kb_span chunk = {0};
		st = kb_table_get(d, s, KB_ROW_BLOB, KB_KEY(key), NULL, &chunk);
		if (st == KB_NOTFOUND || (st == KB_OK && chunk.len != chunk_at(len, at)))
			st = KB_FAIL(d, KB_CORRUPT, i, "a piece of a sealed file is missing");
		if (st == KB_OK)
			st = kb_memfd_write(d, fd, chunk);
		at += chunk.len;
	}
	if (st == KB_OK)
		st = kb_memfd_seal(d, fd);
	if (st != KB_OK)
		return st;
	*ret_fd = fd;
	fd = -1;
	return KB_OK;
}
