/*
 * fuzz age: any octets as an age file, binary or armored. Properties: only a status of age.h comes back, with a sentence; nothing
 * is given out on failure; whole file and stream say the same; what the header's parser takes, it takes whatever the payload; a
 * file that opens does not open once it is cut; armor that reads is the armor that is written.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/age.h>

#include "age_internal.h"

enum { WORK_FACTOR_MOST = 6, ROOM = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whose secret key is 32 times 0x01; the corpus is sealed to it, or to the passphrase "p". */
static const struct kb_age_keys *keys(void)
{
	static const char text[] = "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN";
	static struct kb_identity *id;
	static const struct kb_identity *ids[1];
	static struct kb_age_keys k = {.identities = ids, .n = 1, .work_factor_most = WORK_FACTOR_MOST};
	if (!id) {
		if (sodium_init() < 0 || kb_identity_parse(kb_span_str(text), &id) != KB_OK)
			abort();
		ids[0] = id;
		k.passphrase = KB_LIT("p");
	}
	return &k;
}

static bool known(enum kb_status st)
{
	static const enum kb_status all[] = {KB_OK, KB_MALFORMED, KB_ARMOR, KB_NOKEY, KB_FORGED, KB_PAYLOAD, KB_LIMIT, KB_UNSUPPORTED};
	for (size_t i = 0; i < KB_LEN(all); i++)
		if (all[i] == st)
			return true;
	return false;
}

static enum kb_status take(void *ctx, uint8_t *out, size_t cap, size_t *ret_n)
{
	struct kb_span *rest = ctx;
	size_t n = rest->len < cap ? rest->len : cap;
	n = n > 1000 ? 1000 : n;
	if (n)
		memcpy(out, rest->p, n);
	*rest = kb_span_from(*rest, n);
	*ret_n = n;
	return KB_OK;
}

static enum kb_status put(void *ctx, struct kb_span octets)
{
	return kb_buf_add(ctx, octets);
}

static void check_binary(struct kb_span file)
{
	struct kb_buf whole, stream;
	struct kb_span rest = file;
	struct kb_diag d = {0};
	size_t header_len = 0, stanzas = 0;
	kb_buf_init(&whole, ROOM);
	kb_buf_init(&stream, ROOM);
	enum kb_status grammar = kb_age_header_len(NULL, file, &header_len, &stanzas);
	enum kb_status st = kb_age_open(&d, file, keys(), &whole);
	assert(known(st) && known(grammar));
	assert((st == KB_OK) == (d.what == NULL) && (st == KB_OK || !whole.len));
	if (kb_age_is_armored(file)) {
		kb_buf_release(&whole);
		return;
	}
	assert(kb_age_open_stream(NULL, take, &rest, keys(), put, &stream) == st);
	if (grammar == KB_OK) {
		assert(header_len <= file.len && header_len <= KB_AGE_HEADER_MOST && stanzas >= 1);
		assert(kb_age_header_len(NULL, KB_SPAN(file.p, header_len), &header_len, &stanzas) == KB_OK);
		assert(kb_age_header_len(NULL, KB_SPAN(file.p, header_len - 1), &header_len, &stanzas) != KB_OK);
	} else {
		assert(st == grammar);
	}
	if (st == KB_OK) {
		assert(whole.len == stream.len && (!whole.len || memcmp(whole.p, stream.p, whole.len) == 0));
		assert(file.len == kb_age_sealed_len(whole.len, header_len + KB_AGE_NONCE));
		assert(kb_age_open(NULL, KB_SPAN(file.p, file.len - 1), keys(), &whole) != KB_OK);
	}
	kb_buf_release(&stream);
	kb_buf_release(&whole);
}

static void check_armor(struct kb_span text)
{
	struct kb_buf file, again;
	struct kb_span line, rest, rest_again;
	kb_buf_init(&file, ROOM);
	kb_buf_init(&again, ROOM);
	enum kb_status st = kb_age_dearmor(NULL, text, &file);
	assert(st == KB_OK || st == KB_ARMOR);
	assert(st == KB_OK || !file.len);
	if (st == KB_OK) {
		assert(kb_age_is_armored(text));
		assert(kb_age_armor(kb_buf_span(&file), &again) == KB_OK);
		rest = kb_span_trim(text);
		for (rest_again = kb_buf_span(&again); kb_span_line(&rest_again, &line);) {
			struct kb_span ours;
			assert(kb_span_line(&rest, &ours) && kb_span_eq(ours, line));
		}
		assert(!rest.len);
		check_binary(kb_buf_span(&file));
	}
	kb_buf_release(&again);
	kb_buf_release(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_binary(KB_SPAN(data, size));
	check_armor(KB_SPAN(data, size));
	return 0;
}
