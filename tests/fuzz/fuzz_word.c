/*
 * fuzz word: a header value, read as unstructured text and as a value with parameters. Properties: UTF-8 comes out, without NUL
 * and without line ends of the fold; every parameter lies inside the value; decoding twice gives the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mail_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct kb_buf *b)
{
	assert(kb_utf8_valid(kb_buf_span(b)));
	assert(!b->len || !memchr(b->p, 0, b->len));
	kb_buf_clear(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_span value = KB_SPAN(data, size);
	struct kb_param p;
	struct kb_buf b;
	bool doubt = false;
	char type[KB_TYPE_MOST];
	size_t at, n = 0, last = 0;
	if (kb_charset_open(NULL) != KB_OK)
		abort();
	kb_buf_init(&b, 1 << 20);
	if (kb_words_decode(&b, value, &doubt) != KB_OK)
		assert(size > 4096);
	check(&b);
	kb_type_parse(value, type, &at);
	assert(strlen(type) < KB_TYPE_MOST && at <= size);
	for (last = at; kb_param_next(value, &at, &p) && n < 1000; n++, last = at) {
		assert(at > last && at <= size && p.name.len);
		assert(p.name.p >= data && p.name.p + p.name.len <= data + size);
		assert(p.value.p >= data && p.value.p + p.value.len <= data + size);
	}
	static const char *const names[] = {"name", "filename", "charset", "boundary"};
	for (size_t i = 0; i < KB_LEN(names); i++) {
		bool there = kb_param_decode(&b, value, names[i], &doubt);
		assert(there || !b.len);
		check(&b);
	}
	(void)kb_encoding_find(value);
	kb_buf_release(&b);
	return 0;
}
