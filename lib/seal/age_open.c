/*
 * age_open: files read. See age.h.
 *
 * Three things must hold before a file is believed, in this order: the whole header parses, a stanza gives a file key, and
 * the header's MAC verifies under that key. Then each chunk stands or falls by its own tag.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "age_internal.h"

static enum kb_status unwrap_one(struct kb_diag *d, const struct kb_stanza *s, const struct kb_age_keys *keys, uint8_t *ret_file_key)
{
	enum kb_status st = KB_NOKEY;
	if (s->kind == KB_STANZA_SCRYPT && keys->passphrase.len)
		return kb_scrypt_unwrap(d, s, keys->passphrase, keys->work_factor_most, ret_file_key);
	for (size_t i = 0; s->kind == KB_STANZA_X25519 && st == KB_NOKEY && i < keys->n; i++)
		st = kb_x25519_unwrap(d, s, keys->identities[i], ret_file_key);
	return st;
}

static enum kb_status unwrap(struct kb_diag *d, struct kb_span stanzas, const struct kb_age_keys *keys, uint8_t *ret_file_key)
{
	struct kb_stanza s;
	enum kb_status st;
	while (kb_age_stanza_next(d, &stanzas, &s) == KB_OK)
		if ((st = unwrap_one(d, &s, keys, ret_file_key)) != KB_NOKEY)
			return st;
	return KB_FAIL(d, KB_NOKEY, 0, "no key given opens this file");
}

enum kb_status kb_age_header_open(struct kb_diag *d, struct kb_span file, const struct kb_age_keys *keys,
    uint8_t ret_file_key[static KB_AGE_FILE_KEY], size_t *ret_header_len)
{
	uint8_t file_key[KB_AGE_FILE_KEY], mac[KB_AGE_MAC];
	struct kb_age_header h;
	enum kb_status st;

	if ((st = kb_age_header_parse(d, file, &h)) != KB_OK)
		return st;
	if ((st = unwrap(d, h.stanza_lines, keys, file_key)) != KB_OK)
		return st;
	kb_age_header_mac(file_key, h.mac_input, mac);
	if (sodium_memcmp(mac, h.mac, sizeof(mac)) != 0) {
		st = KB_FAIL(d, KB_FORGED, 0, "the age header was altered");
	} else {
		memcpy(ret_file_key, file_key, sizeof(file_key));
		*ret_header_len = h.len;
	}
	sodium_memzero(file_key, sizeof(file_key));
	return st;
}

enum kb_status kb_age_header_len(struct kb_diag *d, struct kb_span file, size_t *ret_header_len, size_t *ret_stanzas)
{
	struct kb_age_header h;
	enum kb_status st = kb_age_header_parse(d, file, &h);
	if (st != KB_OK)
		return st;
	*ret_header_len = h.len;
	*ret_stanzas = h.stanzas;
	return KB_OK;
}

/* Opens the header and takes it and the nonce off *file: what remains are the chunks. */
static enum kb_status open_header(struct kb_diag *d, struct kb_span *file, const struct kb_age_keys *keys, uint8_t *ret_payload_key)
{
	uint8_t file_key[KB_AGE_FILE_KEY];
	size_t len;
	enum kb_status st = kb_age_header_open(d, *file, keys, file_key, &len);
	if (st != KB_OK)
		return st;
	if (file->len - len < KB_AGE_NONCE) {
		st = KB_FAIL(d, KB_MALFORMED, len, "the age file ends before its payload");
	} else {
		kb_age_payload_key(file_key, file->p + len, ret_payload_key);
		*file = kb_span_from(*file, len + KB_AGE_NONCE);
	}
	sodium_memzero(file_key, sizeof(file_key));
	return st;
}

static enum kb_status damaged(struct kb_diag *d)
{
	return KB_FAIL(d, KB_PAYLOAD, 0, "the sealed payload was altered, cut or added to");
}

static enum kb_status open_payload(struct kb_diag *d, const uint8_t *key, struct kb_span in, uint8_t *out, size_t cap, size_t *ret_n)
{
	size_t n = kb_age_plain_len(in.len), done = 0;
	if (n == SIZE_MAX)
		return damaged(d);
	if (n > cap)
		return KB_FAIL(d, KB_LIMIT, 0, "the opened file is larger than is taken here");
	for (uint64_t i = 0; in.len; i++) {
		size_t take = in.len < KB_AGE_CHUNK + KB_AGE_TAG ? in.len : KB_AGE_CHUNK + KB_AGE_TAG;
		if (!kb_age_chunk_open(key, i, take == in.len, KB_SPAN(in.p, take), out + done)) {
			sodium_memzero(out, done);
			return damaged(d);
		}
		done += take - KB_AGE_TAG;
		in = kb_span_from(in, take);
	}
	assert(done == n);
	*ret_n = n;
	return KB_OK;
}

enum kb_status kb_age_open_into(struct kb_diag *d, struct kb_span file, const struct kb_age_keys *keys, uint8_t *out,
    size_t cap, size_t *ret_n)
{
	uint8_t key[KB_AGE_KEY];
	enum kb_status st = open_header(d, &file, keys, key);
	if (st != KB_OK)
		return st;
	st = open_payload(d, key, file, out, cap, ret_n);
	sodium_memzero(key, sizeof(key));
	return st;
}

static enum kb_status open_binary(struct kb_diag *d, struct kb_span file, const struct kb_age_keys *keys, struct kb_buf *ret)
{
	uint8_t key[KB_AGE_KEY], none[1];
	size_t n = 0, room;
	enum kb_status st = open_header(d, &file, keys, key);
	if (st != KB_OK)
		return st;
	room = kb_age_plain_len(file.len);
	if (room == SIZE_MAX)
		st = damaged(d);
	else if ((st = kb_buf_reserve(ret, room)) != KB_OK)
		st = KB_FAIL(d, st, 0, "the opened file is larger than is taken here");
	else if ((st = open_payload(d, key, file, room ? ret->p + ret->len : none, room, &n)) == KB_OK)
		ret->len += n;
	sodium_memzero(key, sizeof(key));
	return st;
}

enum kb_status kb_age_open(struct kb_diag *d, struct kb_span file, const struct kb_age_keys *keys, struct kb_buf *ret)
{
	KB_AUTO(kb_buf_release) struct kb_buf binary;
	enum kb_status st;
	kb_buf_init(&binary, file.len);
	if (!kb_age_is_armored(file))
		return open_binary(d, file, keys, ret);
	if ((st = kb_age_dearmor(d, file, &binary)) != KB_OK)
		return st;
	return open_binary(d, kb_buf_span(&binary), keys, ret);
}

enum { SEALED_CHUNK = KB_AGE_CHUNK + KB_AGE_TAG };
static_assert(SEALED_CHUNK >= KB_AGE_HEADER_MOST + KB_AGE_NONCE, "a header fits where chunks are gathered");

/* One chunk in, one chunk out, and one octet that tells whether a chunk is the last. */
struct stream {
	uint8_t key[KB_AGE_KEY];
	kb_source_fn *source;
	void *ctx;
	size_t fill;
	uint64_t counter;
	uint8_t in[SEALED_CHUNK + 1], out[KB_AGE_CHUNK];
};

static enum kb_status stream_fill(struct stream *s)
{
	size_t n = 1;
	while (n && s->fill < sizeof(s->in)) {
		enum kb_status st = s->source(s->ctx, s->in + s->fill, sizeof(s->in) - s->fill, &n);
		if (st != KB_OK)
			return st;
		if (n > sizeof(s->in) - s->fill)
			return KB_IO;
		s->fill += n;
	}
	return KB_OK;
}

static void stream_drop(struct stream *s, size_t n)
{
	s->fill -= n;
	memmove(s->in, s->in + n, s->fill);
}

/* Opens and sinks one chunk, and says whether another follows. A chunk that is followed by anything is not the last, whatever
 * its own nonce says: so nothing that has a tail is ever handed out as the end of a file. */
static enum kb_status stream_chunk(struct kb_diag *d, struct stream *s, kb_sink_fn *sink, void *sink_ctx, bool *ret_more)
{
	bool more = s->fill > SEALED_CHUNK;
	size_t n = more ? SEALED_CHUNK : s->fill;
	enum kb_status st;

	if (n < KB_AGE_TAG || (n == KB_AGE_TAG && s->counter) ||
	    !kb_age_chunk_open(s->key, s->counter++, !more, KB_SPAN(s->in, n), s->out))
		return damaged(d);
	st = sink(sink_ctx, KB_SPAN(s->out, n - KB_AGE_TAG));
	stream_drop(s, n);
	*ret_more = more;
	return st;
}

static enum kb_status stream_run(struct kb_diag *d, struct stream *s, const struct kb_age_keys *keys, kb_sink_fn *sink, void *sink_ctx)
{
	struct kb_span rest;
	enum kb_status st;
	bool more = true;
	if ((st = stream_fill(s)) != KB_OK)
		return KB_FAIL(d, st, 0, "the sealed file could not be read");
	rest = KB_SPAN(s->in, s->fill);
	if ((st = open_header(d, &rest, keys, s->key)) != KB_OK)
		return st;
	stream_drop(s, s->fill - rest.len);
	while (st == KB_OK && more) {
		if ((st = stream_fill(s)) != KB_OK)
			return KB_FAIL(d, st, 0, "the sealed file could not be read");
		st = stream_chunk(d, s, sink, sink_ctx, &more);
	}
	return st;
}

enum kb_status kb_age_open_stream(struct kb_diag *d, kb_source_fn *source, void *source_ctx, const struct kb_age_keys *keys,
    kb_sink_fn *sink, void *sink_ctx)
{
	struct stream *s = sodium_malloc(sizeof(*s));
	enum kb_status st;
	if (!s)
		abort();
	s->source = source;
	s->ctx = source_ctx;
	s->fill = 0;
	s->counter = 0;
	st = stream_run(d, s, keys, sink, sink_ctx);
	sodium_free(s);
	return st;
}
