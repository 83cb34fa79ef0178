/*
 * age_seal: files written, as a stream through one chunk of memory or as a whole straight into a buffer. See age.h.
 */
#include <string.h>

#include <sodium.h>

#include "age_internal.h"

static enum kb_status writer_begin(struct kb_age_writer *w, const struct kb_age_audience *a, kb_sink_fn *sink, void *sink_ctx)
{
	size_t room = kb_age_begin_room(a);
	enum kb_status st;
	w->counter = 0;
	w->fill = w->header_len = 0;
	w->sink = sink;
	w->sink_ctx = sink_ctx;
	if (!room || room > sizeof(w->chunk))
		return KB_LIMIT;
	st = kb_age_begin(a, w->chunk, &w->header_len, w->file_key, w->payload_key);
	if (st == KB_OK)
		st = sink(sink_ctx, KB_SPAN(w->chunk, w->header_len));
	if (st != KB_OK)
		kb_age_writer_release(w);
	return st;
}

enum kb_status kb_age_writer_init(struct kb_age_writer *w, const struct kb_recipient *r, size_t n, kb_sink_fn *sink, void *sink_ctx)
{
	return writer_begin(w, &(struct kb_age_audience){.recipients = r, .n = n}, sink, sink_ctx);
}

enum kb_status kb_age_writer_init_passphrase(struct kb_age_writer *w, struct kb_span passphrase, unsigned work_factor,
    kb_sink_fn *sink, void *sink_ctx)
{
	return writer_begin(w, &(struct kb_age_audience){.passphrase = passphrase, .work_factor = work_factor}, sink, sink_ctx);
}

/* Seals plain, which may lie in the chunk itself, into the chunk and sinks it: no plaintext is left behind. */
static enum kb_status writer_chunk(struct kb_age_writer *w, bool last, struct kb_span plain)
{
	kb_age_chunk_seal(w->payload_key, w->counter++, last, plain, w->chunk);
	w->fill = 0;
	return w->sink(w->sink_ctx, KB_SPAN(w->chunk, plain.len + KB_AGE_TAG));
}

enum kb_status kb_age_writer_add(struct kb_age_writer *w, struct kb_span plain)
{
	/* A full chunk leaves only when more follows it: only then is it known not to be the last. */
	while (plain.len) {
		enum kb_status st = KB_OK;
		size_t take = KB_AGE_CHUNK - w->fill < plain.len ? KB_AGE_CHUNK - w->fill : plain.len;
		if (w->fill == KB_AGE_CHUNK) {
			st = writer_chunk(w, false, KB_SPAN(w->chunk, KB_AGE_CHUNK));
			take = 0;
		} else if (!w->fill && plain.len > KB_AGE_CHUNK) {
			st = writer_chunk(w, false, KB_SPAN(plain.p, KB_AGE_CHUNK));
		} else {
			memcpy(w->chunk + w->fill, plain.p, take);
			w->fill += take;
		}
		if (st != KB_OK)
			return st;
		plain = kb_span_from(plain, take);
	}
	return KB_OK;
}

enum kb_status kb_age_writer_finish(struct kb_age_writer *w, uint8_t *ret_file_key)
{
	enum kb_status st = writer_chunk(w, true, KB_SPAN(w->chunk, w->fill));
	if (st == KB_OK && ret_file_key)
		memcpy(ret_file_key, w->file_key, KB_AGE_FILE_KEY);
	kb_age_writer_release(w);
	return st;
}

void kb_age_writer_release(struct kb_age_writer *w)
{
	sodium_memzero(w->file_key, sizeof(w->file_key));
	sodium_memzero(w->payload_key, sizeof(w->payload_key));
	sodium_memzero(w->chunk, w->fill);
	w->fill = 0;
}

/* A whole file goes straight from plain to the buffer's end: no copy, and 64 KiB of writer are not touched. */
static enum kb_status seal_whole(const struct kb_age_audience *a, struct kb_span plain, struct kb_buf *ret)
{
	uint8_t file_key[KB_AGE_FILE_KEY], key[KB_AGE_KEY], *out;
	size_t head, room = kb_age_begin_room(a);
	uint64_t counter = 0;
	enum kb_status st;

	if (!room || plain.len > SIZE_MAX / 2)
		return KB_LIMIT;
	if ((st = kb_buf_reserve(ret, (size_t)kb_age_sealed_len(plain.len, room))) != KB_OK)
		return st;
	out = ret->p + ret->len;
	if ((st = kb_age_begin(a, out, &head, file_key, key)) != KB_OK)
		return st;
	out += head;
	do {
		size_t n = plain.len < KB_AGE_CHUNK ? plain.len : KB_AGE_CHUNK;
		kb_age_chunk_seal(key, counter++, n == plain.len, KB_SPAN(plain.p, n), out);
		out += n + KB_AGE_TAG;
		plain = kb_span_from(plain, n);
	} while (plain.len);
	ret->len = (size_t)(out - ret->p);
	sodium_memzero(file_key, sizeof(file_key));
	sodium_memzero(key, sizeof(key));
	return KB_OK;
}

enum kb_status kb_age_seal(const struct kb_recipient *r, size_t n, struct kb_span plain, struct kb_buf *ret)
{
	return seal_whole(&(struct kb_age_audience){.recipients = r, .n = n}, plain, ret);
}

enum kb_status kb_age_seal_passphrase(struct kb_span passphrase, unsigned work_factor, struct kb_span plain, struct kb_buf *ret)
{
	return seal_whole(&(struct kb_age_audience){.passphrase = passphrase, .work_factor = work_factor}, plain, ret);
}
