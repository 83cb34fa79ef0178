/* age payload: each chunk stands at its place, the last one is marked, and nothing follows it. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include "agefix.h"

enum { FULL = KB_AGE_CHUNK };

/* A chunk as it is written, right or wrong. counter -1: n octets that no key made. */
struct chunk {
	int counter;
	bool last;
	size_t n;
};

struct row {
	const char *what;
	struct chunk chunk[4];
	size_t chunks;
	bool opens;
};

/* clang-format off */
static const struct row rows[] = {
	{ "one short chunk",                     {{0, true, 5}},                                     1, true },
	{ "nothing at all in it",                {{0, true, 0}},                                     1, true },
	{ "one full chunk",                      {{0, true, FULL}},                                  1, true },
	{ "a full one and a short one",          {{0, false, FULL}, {1, true, 1}},                   2, true },
	{ "two full ones",                       {{0, false, FULL}, {1, true, FULL}},                2, true },
	{ "three",                               {{0, false, FULL}, {1, false, FULL}, {2, true, 9}}, 3, true },
	{ "no chunk",                            {{0}},                                              0, false },
	{ "a short one that is not marked last", {{0, false, 5}},                                    1, false },
	{ "a full one that is not marked last",  {{0, false, FULL}},                                 1, false },
	{ "the last of two cut off",             {{0, false, FULL}},                                 1, false },
	{ "the first of two cut off",            {{1, true, 5}},                                     1, false },
	{ "an empty last one after a full one",  {{0, false, FULL}, {1, true, 0}},                   2, false },
	{ "a short one that is not the last",    {{0, false, 100}, {1, true, 5}},                    2, false },
	{ "both marked last",                    {{0, true, FULL}, {1, true, 5}},                    2, false },
	{ "two short ones, both marked last",    {{0, true, 5}, {1, true, 5}},                       2, false },
	{ "the last one twice",                  {{0, false, FULL}, {1, true, FULL}, {1, true, FULL}}, 3, false },
	{ "one more after the last",             {{0, true, FULL}, {1, false, FULL}},                2, false },
	{ "the second before the first",         {{1, false, FULL}, {0, true, 5}},                   2, false },
	{ "the first twice",                     {{0, false, FULL}, {0, false, FULL}, {1, true, 5}}, 3, false },
	{ "the middle left out",                 {{0, false, FULL}, {2, true, 5}},                   2, false },
	{ "an octet after the last",             {{0, true, 5}, {-1, false, 1}},                     2, false },
	{ "an octet after a full last",          {{0, true, FULL}, {-1, false, 1}},                  2, false },
	{ "a tag's worth after a full last",     {{0, true, FULL}, {-1, false, 16}},                 2, false },
	{ "a chunk's worth after a full last",   {{0, true, FULL}, {-1, false, FULL}},               2, false },
	{ "less than a tag",                     {{-1, false, 15}},                                  1, false },
	{ "a tag that is none",                  {{-1, false, 16}},                                  1, false },
};
/* clang-format on */

static void build(const struct row *r, struct kb_buf *file)
{
	size_t at = 0;

	agefix_header(file, "-> X25519 %S\n%B\n");
	for (size_t i = 0; i < r->chunks; i++) {
		const struct chunk *c = &r->chunk[i];

		if (c->counter >= 0) {
			agefix_chunk(file, (uint64_t)c->counter, c->last, at, c->n);
			at += c->n;
			continue;
		}
		assert_ok(kb_buf_reserve(file, c->n));
		memset(file->p + file->len, 0, c->n);
		file->len += c->n;
	}
}

struct pipe {
	struct kb_span in;
	struct kb_buf out;
};

static enum kb_status take(void *ctx, uint8_t *out, size_t cap, size_t *ret_n)
{
	struct pipe *p = ctx;
	size_t n = p->in.len < cap ? p->in.len : cap;

	if (n)
		memcpy(out, p->in.p, n);
	p->in = kb_span_from(p->in, n);
	*ret_n = n;
	return KB_OK;
}

static enum kb_status put(void *ctx, struct kb_span octets)
{
	struct pipe *p = ctx;

	return kb_buf_add(&p->out, octets);
}

static void expect_plain(struct kb_span got)
{
	for (size_t i = 0; i < got.len; i++)
		if (got.p[i] != (uint8_t)(i * 7))
			fail_msg("octet %zu is not what was sealed", i);
}

static enum kb_status open_stream(struct kb_span file, struct pipe *p)
{
	struct kb_identity *id = agefix_identity(1);
	const struct kb_identity *const ids[] = {id};
	const struct kb_age_keys keys = {.identities = ids, .n = 1};
	enum kb_status st;

	p->in = file;
	kb_buf_init(&p->out, AGEFIX_MOST);
	st = kb_age_open_stream(NULL, take, p, &keys, put, p);
	kb_identity_free(&id);
	return st;
}

TEST(chunks_open_in_their_order_up_to_the_one_marked_last)
{
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_buf file, got;
		struct kb_diag d = {0};

		kb_buf_init(&file, AGEFIX_MOST);
		kb_buf_init(&got, AGEFIX_MOST);
		assert_ok(kb_buf_str(&got, "kept"));
		build(&rows[i], &file);
		enum kb_status st = agefix_open(&d, kb_buf_span(&file), &got);
		if (st != (rows[i].opens ? KB_OK : KB_PAYLOAD))
			fail_msg("%s: %s", rows[i].what, kb_status_row(st)->name);
		if (!rows[i].opens)
			assert_int_equal(got.len, 4); /* all or nothing: a chunk that verified is not shown either */
		expect_plain(kb_span_from(kb_buf_span(&got), 4));
		kb_buf_release(&got);
		kb_buf_release(&file);
	}
}

TEST(a_stream_says_the_same_and_sinks_nothing_that_is_not_genuine)
{
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_buf file;
		struct pipe p;

		kb_buf_init(&file, AGEFIX_MOST);
		build(&rows[i], &file);
		enum kb_status st = open_stream(kb_buf_span(&file), &p);
		if (st != (rows[i].opens ? KB_OK : KB_PAYLOAD))
			fail_msg("%s: %s", rows[i].what, kb_status_row(st)->name);
		expect_plain(kb_buf_span(&p.out));
		kb_buf_release(&p.out);
		kb_buf_release(&file);
	}
}

/* A reader that stops at the first chunk marked last would take a file with a tail for whole. */
TEST(a_chunk_marked_last_is_not_sunk_when_something_follows_it)
{
	static const struct row tail = {"a tail", {{0, true, FULL}, {-1, false, 40}}, 2, false};
	struct kb_buf file;
	struct pipe p;

	kb_buf_init(&file, AGEFIX_MOST);
	build(&tail, &file);
	assert_int_equal(open_stream(kb_buf_span(&file), &p), KB_PAYLOAD);
	assert_int_equal(p.out.len, 0);
	kb_buf_release(&p.out);
	kb_buf_release(&file);
}

TEST(a_file_cut_anywhere_in_its_payload_does_not_open)
{
	static const struct row two = {"two", {{0, false, FULL}, {1, true, 40}}, 2, true};
	struct kb_buf file, got;
	size_t len, stanzas;

	kb_buf_init(&file, AGEFIX_MOST);
	kb_buf_init(&got, AGEFIX_MOST);
	build(&two, &file);
	assert_ok(kb_age_header_len(NULL, kb_buf_span(&file), &len, &stanzas));
	for (size_t n = len; n < file.len; n += n > len + 40 && n < len + FULL - 40 ? 1009 : 1) {
		enum kb_status st = agefix_open(NULL, KB_SPAN(file.p, n), &got);

		assert_int_equal(st, n < len + 16 ? KB_MALFORMED : KB_PAYLOAD);
		assert_int_equal(got.len, 0);
	}
	assert_ok(agefix_open(NULL, kb_buf_span(&file), &got));
	kb_buf_release(&got);
	kb_buf_release(&file);
}

TEST(a_payload_of_another_file_key_or_nonce_does_not_open)
{
	struct kb_buf file, got;
	size_t len, stanzas;

	kb_buf_init(&file, AGEFIX_MOST);
	kb_buf_init(&got, 100);
	agefix_header(&file, "-> X25519 %S\n%B\n");
	agefix_chunk(&file, 0, true, 0, 9);
	assert_ok(kb_age_header_len(NULL, kb_buf_span(&file), &len, &stanzas));
	for (size_t i = len; i < file.len; i++) {
		file.p[i] ^= 0x10;
		assert_int_equal(agefix_open(NULL, kb_buf_span(&file), &got), KB_PAYLOAD);
		file.p[i] ^= 0x10;
	}
	assert_ok(agefix_open(NULL, kb_buf_span(&file), &got));
	assert_int_equal(got.len, 9);
	kb_buf_release(&got);
	kb_buf_release(&file);
}

TEST(a_buffer_that_is_too_small_stays_empty)
{
	static const struct row one = {"one", {{0, true, 100}}, 1, true};
	struct kb_buf file, got;

	kb_buf_init(&file, AGEFIX_MOST);
	kb_buf_init(&got, 99);
	build(&one, &file);
	assert_int_equal(agefix_open(NULL, kb_buf_span(&file), &got), KB_LIMIT);
	assert_int_equal(got.len, 0);
	kb_buf_release(&got);
	kb_buf_release(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(chunks_open_in_their_order_up_to_the_one_marked_last),
	    RUN(a_stream_says_the_same_and_sinks_nothing_that_is_not_genuine),
	    RUN(a_chunk_marked_last_is_not_sunk_when_something_follows_it),
	    RUN(a_file_cut_anywhere_in_its_payload_does_not_open),
	    RUN(a_payload_of_another_file_key_or_nonce_does_not_open),
	    RUN(a_buffer_that_is_too_small_stays_empty),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
