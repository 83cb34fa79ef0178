/* json: see json.h. */
#include "json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "file.h"

static void *get(size_t n)
{
	void *p = malloc(n);
	if (!p)
		abort();
	return p;
}

static void give_back(void *p)
{
	if (p)
		sodium_memzero(p, malloc_usable_size(p));
	free(p);
}

void kite_json_begin(void)
{
	json_set_alloc_funcs(get, give_back);
}

void kite_json_set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		abort();
}

json_t *kite_json_text(struct kb_span s)
{
	struct kb_buf b;
	kb_buf_init(&b, 4 * s.len + 64);
	if (kb_text_harmless(&b, s, true) != KB_OK)
		abort();
	json_t *j = json_stringn(b.len ? (const char *)b.p : "", b.len);
	kb_buf_release(&b);
	return j;
}

json_t *kite_json_time(uint64_t unix_s)
{
	char text[KB_TIME_TEXT];
	if (!unix_s)
		return json_null();
	kb_time_format(unix_s, text);
	return json_string(text);
}

json_t *kite_json_id(const struct kb_id *id)
{
	char text[KB_ID_TEXT];
	kb_id_format(id, text);
	return json_string(text);
}

json_t *kite_json_case(const struct kb_case_id *id)
{
	char text[KB_CASE_TEXT];
	kb_case_id_format(id, text);
	return json_string(text);
}

static int put(const char *text, size_t n, void *ctx)
{
	return kb_buf_add(ctx, KB_SPAN(text, n)) == KB_OK ? 0 : -1;
}

static enum kb_status print(json_t *value, size_t how)
{
	struct kb_diag d = {0};
	struct kb_buf b;
	kb_buf_init(&b, SIZE_MAX / 4);
	int e = json_dump_callback(value, put, &b, how | JSON_REAL_PRECISION(6));
	json_decref(value);
	enum kb_status st = e == 0 ? kb_buf_byte(&b, '\n') : KB_LIMIT;
	if (st == KB_OK)
		st = kite_fd_write(&d, STDOUT_FILENO, kb_buf_span(&b));
	kb_buf_release(&b);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "standard output");
}

enum kb_status kite_json_print(json_t *value)
{
	return print(value, JSON_INDENT(2));
}

enum kb_status kite_json_line(json_t *value)
{
	return print(value, 0);
}

enum kb_status kite_json_list(const char *name, json_t *records, bool more)
{
	json_t *whole = json_object();
	kite_json_set(whole, name, records);
	kite_json_set(whole, "more", json_boolean(more));
	return kite_json_print(whole);
}
