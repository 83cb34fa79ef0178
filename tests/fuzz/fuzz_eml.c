/*
 * fuzz eml: any octets as an opened sealed message. Properties: the original lies within it; fields are plain words; a head made
 * of what was read, the original and the padding read again as the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/eml.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_all(const struct kb_eml *e, struct kb_buf *b)
{
	char name[64];
	uint8_t hash[32];
	for (size_t i = 0; i < e->n; i++) {
		assert(e->field[i].name.len < sizeof(name) && kb_utf8_valid(e->field[i].value));
		memcpy(name, e->field[i].name.p, e->field[i].name.len);
		name[e->field[i].name.len] = '\0';
		assert(kb_eml_get(e, name).p);
		assert(kb_eml_add(b, name, e->field[i].value) == KB_OK);
	}
	(void)crypto_generichash(hash, sizeof(hash), e->original.p, e->original.len, NULL, 0);
	/* Folded as we fold, a head that was folded otherwise may be longer than is taken. */
	if (kb_eml_end(b, e->original.len, hash) != KB_OK)
		b->len = 0;
}

static void check(const struct kb_eml *e, struct kb_span file)
{
	struct kb_eml again;
	struct kb_buf b;
	assert(e->head_len + e->original.len <= file.len && e->original.p == file.p + e->head_len);
	assert(file.len == kb_padme(e->head_len + e->original.len));
	kb_buf_init(&b, 1 << 24);
	add_all(e, &b);
	if (b.len) {
		size_t plain = b.len + e->original.len, pad = (size_t)kb_padme(plain) - plain;
		assert(kb_buf_add(&b, e->original) == KB_OK && kb_buf_reserve(&b, pad) == KB_OK);
		kb_eml_padding(0, b.p + b.len, pad);
		b.len += pad;
		assert(kb_eml_parse(NULL, kb_buf_span(&b), &again) == KB_OK);
		assert(again.n == e->n && kb_span_eq(again.original, e->original));
		for (size_t i = 0; i < e->n; i++)
			assert(kb_span_eq(again.field[i].name, e->field[i].name) && kb_span_eq(again.field[i].value, e->field[i].value));
		kb_eml_release(&again);
	}
	kb_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_eml e;
	struct kb_diag d = {0};
	if (sodium_init() < 0)
		abort();
	enum kb_status st = kb_eml_parse(&d, KB_SPAN(data, size), &e);
	assert(st == KB_OK || st == KB_MALFORMED || st == KB_LIMIT || st == KB_TOOBIG || st == KB_FORGED);
	assert((st == KB_OK) == (d.what == NULL) && d.offset <= size);
	if (st == KB_OK) {
		check(&e, KB_SPAN(data, size));
		kb_eml_release(&e);
	}
	return 0;
}
