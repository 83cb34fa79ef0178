/*
 * rows: octets that read as a row are exactly the row that would be written from what was read; the same for the body
 * of a journal entry.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_row(enum kb_row row, struct kb_span value)
{
	union {
		struct kb_office office;
		struct kb_state state;
		struct kb_number number;
		struct kb_msg msg;
		struct kb_case kase;
		struct kb_referral referral;
		struct kb_ack ack;
		struct kb_entry entry;
	} u;
	static const uint8_t key[8];
	struct kb_span tail = {0}, again = {0};
	memset(&u, 0, sizeof u);
	if (kb_row_parse(NULL, row, value, &u, &tail) != KB_OK)
		return;
	assert(kb_row_len(row, tail.len) == value.len);
	uint8_t *out = malloc(value.len);
	assert(out);
	uint8_t *to = kb_row_write(row, &u, out);
	if (tail.len)
		memcpy(to, tail.p, tail.len);
	assert(memcmp(out, value.p, value.len - KB_ROW_CHECK) == 0);
	/* What does not carry its checksum is refused, and what does is not. */
	kb_row_check(row, KB_SPAN(key, 8), out, value.len);
	assert(kb_row_read(NULL, row, KB_SPAN(key, 8), KB_SPAN(out, value.len), &u, &again) == KB_OK);
	assert(again.len == tail.len);
	out[value.len - 1] ^= 1;
	assert(kb_row_read(NULL, row, KB_SPAN(key, 8), KB_SPAN(out, value.len), &u, &again) == KB_CORRUPT);
	free(out);
}

static void try_entry(struct kb_span body)
{
	struct kb_entry e;
	uint8_t out[KB_ENTRY_MOST];
	if (kb_entry_body_parse(NULL, body, &e) != KB_OK)
		return;
	assert(kb_entry_body_write(&e, out) == body.len);
	assert(memcmp(out, body.p, body.len) == 0);
	assert(kb_act_name(e.act));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct kb_span rest = KB_SPAN(data + 1, size - 1);
	if (data[0] < KB_ROW_COUNT)
		try_row((enum kb_row)data[0], rest);
	else
		try_entry(rest);
	return 0;
}
