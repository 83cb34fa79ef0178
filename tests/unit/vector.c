/* vector: see vector.h. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "vector.h"

static void read_path(const char *folder, const char *name, struct kb_buf *ret_file)
{
	char path[4096];
	const char *data = getenv("KB_TEST_DATA");

	assert_non_null(data);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", data, folder, name);
	FILE *f = fopen(path, "rbe");
	if (!f)
		fail_msg("%s cannot be read", path);
	kb_buf_init(ret_file, VECTOR_MOST);
	assert_ok(kb_buf_reserve(ret_file, VECTOR_MOST));
	ret_file->len = fread(ret_file->p, 1, VECTOR_MOST, f);
	assert_true(feof(f));
	(void)fclose(f);
}

void vector_read(const char *name, struct kb_buf *ret_file)
{
	read_path("formats", name, ret_file);
}

void vector_read_hex(const char *name, struct kb_buf *ret_octets)
{
	struct kb_buf text;
	size_t n = 0;

	vector_read(name, &text);
	kb_buf_init(ret_octets, VECTOR_MOST);
	assert_ok(kb_buf_reserve(ret_octets, text.len / 2 + 1));
	assert_int_equal(sodium_hex2bin(ret_octets->p, text.len / 2, (const char *)text.p, text.len, " \n", &n, NULL), 0);
	ret_octets->len = n;
	kb_buf_release(&text);
}

static void without_cr(struct kb_span s, struct kb_buf *ret)
{
	kb_buf_init(ret, VECTOR_MOST);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '\r')
			assert_ok(kb_buf_byte(ret, s.p[i]));
}

void vector_shown(struct kb_span text)
{
	struct kb_buf want, document;

	without_cr(text, &want);
	read_path("../../docs", "FORMATS.md", &document);
	assert_true(want.len > 0);
	if (kb_span_find(kb_buf_span(&document), kb_buf_span(&want)) == SIZE_MAX)
		fail_msg("docs/FORMATS.md does not show: %.*s", (int)want.len, (const char *)want.p);
	kb_buf_release(&want);
	kb_buf_release(&document);
}

void vector_shown_file(const char *name)
{
	struct kb_buf file;

	vector_read(name, &file);
	vector_shown(kb_buf_span(&file));
	kb_buf_release(&file);
}

void vector_shown_hex(struct kb_span octets)
{
	char text[2 * 64 + 1];

	assert_true(octets.len <= 64);
	vector_shown(kb_span_str(sodium_bin2hex(text, sizeof(text), octets.p, octets.len)));
}
