/* age: what is sealed opens, in one piece or in many, for those it was sealed to and for nobody else. */
#include "kbtest.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agefix.h"

static const size_t sizes[] = {0, 1, 15, 65535, 65536, 65537, 131071, 131072, 131073, 200000};

/* A source and a sink that move a few octets at a time, and can be made to fail. */
struct pipe {
	struct kb_span in;
	size_t piece;
	struct kb_buf out;
	size_t calls, fail_at;
};

static enum kb_status take(void *ctx, uint8_t *out, size_t cap, size_t *ret_n)
{
	struct pipe *p = ctx;
	size_t n = p->piece < cap ? p->piece : cap;

	if (++p->calls == p->fail_at)
		return KB_IO;
	n = n < p->in.len ? n : p->in.len;
	if (n)
		memcpy(out, p->in.p, n);
	p->in = kb_span_from(p->in, n);
	*ret_n = n;
	return KB_OK;
}

static enum kb_status put(void *ctx, struct kb_span octets)
{
	struct pipe *p = ctx;

	if (++p->calls == p->fail_at)
		return KB_BUSY;
	return kb_buf_add(&p->out, octets);
}

static struct kb_buf plain_of(size_t n)
{
	struct kb_buf b;

	kb_buf_init(&b, AGEFIX_MOST);
	assert_ok(kb_buf_reserve(&b, n + 1));
	for (size_t i = 0; i < n; i++)
		b.p[i] = (uint8_t)(i * 7);
	b.len = n;
	return b;
}

static void recipient(uint8_t i, struct kb_recipient *ret_r)
{
	struct kb_identity *id = agefix_identity(i);

	kb_identity_recipient(id, ret_r);
	kb_identity_free(&id);
}

static enum kb_status open_as(uint8_t i, struct kb_span file, struct kb_buf *ret)
{
	struct kb_identity *id = agefix_identity(i);
	const struct kb_identity *const ids[] = {id};
	const struct kb_age_keys keys = {.identities = ids, .n = 1};
	enum kb_status st = kb_age_open(NULL, file, &keys, ret);

	kb_identity_free(&id);
	return st;
}

TEST(any_length_comes_back_octet_for_octet)
{
	struct kb_recipient r;

	recipient(1, &r);
	for (size_t i = 0; i < KB_LEN(sizes); i++) {
		struct kb_buf plain = plain_of(sizes[i]), sealed, got;
		size_t header_len, stanzas;

		kb_buf_init(&sealed, AGEFIX_MOST);
		kb_buf_init(&got, sizes[i]); /* the limit is exact: opening needs no octet more */
		assert_ok(kb_age_seal(&r, 1, kb_buf_span(&plain), &sealed));
		assert_ok(kb_age_header_len(NULL, kb_buf_span(&sealed), &header_len, &stanzas));
		assert_int_equal(stanzas, 1);
		assert_int_equal(sealed.len, kb_age_sealed_len(sizes[i], header_len + 16));
		assert_ok(open_as(1, kb_buf_span(&sealed), &got));
		assert_true(kb_span_eq(kb_buf_span(&got), kb_buf_span(&plain)));
		kb_buf_release(&got);
		kb_buf_release(&sealed);
		kb_buf_release(&plain);
	}
}

TEST(pieces_of_any_size_make_the_same_file)
{
	static const size_t pieces[] = {1, 1000, 65535, 65536, 65537, 131072};
	static struct kb_age_writer w;
	struct kb_buf plain = plain_of(131073);
	struct kb_recipient r;

	recipient(1, &r);
	for (size_t i = 0; i < KB_LEN(pieces); i++) {
		struct pipe to = {0};
		struct kb_buf got;
		struct kb_span rest = kb_buf_span(&plain);

		kb_buf_init(&to.out, AGEFIX_MOST);
		kb_buf_init(&got, AGEFIX_MOST);
		assert_ok(kb_age_writer_init(&w, &r, 1, put, &to));
		for (size_t n; rest.len; rest = kb_span_from(rest, n)) {
			n = pieces[i] < rest.len ? pieces[i] : rest.len;
			assert_ok(kb_age_writer_add(&w, KB_SPAN(rest.p, n)));
		}
		size_t header_len = w.header_len;
		assert_ok(kb_age_writer_finish(&w, NULL));
		assert_int_equal(to.out.len, kb_age_sealed_len(plain.len, header_len));
		assert_ok(open_as(1, kb_buf_span(&to.out), &got));
		assert_true(kb_span_eq(kb_buf_span(&got), kb_buf_span(&plain)));
		kb_buf_release(&got);
		kb_buf_release(&to.out);
	}
	kb_buf_release(&plain);
}

TEST(a_stream_opens_what_a_whole_file_opens)
{
	static const size_t pieces[] = {777, 65536, 1 << 20};
	struct kb_identity *id = agefix_identity(1);
	const struct kb_identity *const ids[] = {id};
	const struct kb_age_keys keys = {.identities = ids, .n = 1};
	struct kb_recipient r;

	kb_identity_recipient(id, &r);
	for (size_t i = 0; i < KB_LEN(sizes); i++) {
		struct kb_buf plain = plain_of(sizes[i]), sealed;

		kb_buf_init(&sealed, AGEFIX_MOST);
		assert_ok(kb_age_seal(&r, 1, kb_buf_span(&plain), &sealed));
		for (size_t j = 0; j < KB_LEN(pieces); j++) {
			struct pipe from = {.in = kb_buf_span(&sealed), .piece = pieces[j]}, to = {0};

			kb_buf_init(&to.out, AGEFIX_MOST);
			assert_ok(kb_age_open_stream(NULL, take, &from, &keys, put, &to));
			assert_true(kb_span_eq(kb_buf_span(&to.out), kb_buf_span(&plain)));
			kb_buf_release(&to.out);
		}
		kb_buf_release(&sealed);
		kb_buf_release(&plain);
	}
	kb_identity_free(&id);
}

TEST(each_recipient_opens_it_and_a_stranger_does_not)
{
	static const size_t counts[] = {1, 2, 20, KB_AGE_RECIPIENTS_MOST};
	struct kb_recipient r[KB_AGE_RECIPIENTS_MOST + 1];

	for (uint8_t i = 0; i < KB_LEN(r); i++)
		recipient((uint8_t)(i + 1), &r[i]);
	for (size_t i = 0; i < KB_LEN(counts); i++) {
		struct kb_buf sealed, got;
		size_t header_len, stanzas;

		kb_buf_init(&sealed, AGEFIX_MOST);
		kb_buf_init(&got, 100);
		assert_ok(kb_age_seal(r, counts[i], KB_LIT("for all of you"), &sealed));
		assert_ok(kb_age_header_len(NULL, kb_buf_span(&sealed), &header_len, &stanzas));
		assert_int_equal(stanzas, counts[i]);
		for (size_t j = 1; j <= counts[i]; j += counts[i] > 20 ? 13 : 1) {
			assert_ok(open_as((uint8_t)j, kb_buf_span(&sealed), &got));
			assert_span(kb_buf_span(&got), "for all of you");
			kb_buf_clear(&got);
		}
		assert_int_equal(open_as((uint8_t)(counts[i] + 1), kb_buf_span(&sealed), &got), KB_NOKEY);
		assert_int_equal(got.len, 0);
		kb_buf_release(&got);
		kb_buf_release(&sealed);
	}
}

TEST(nobody_and_too_many_are_no_audience)
{
	struct kb_recipient r[KB_AGE_RECIPIENTS_MOST + 1];
	struct kb_buf sealed;

	for (uint8_t i = 0; i < KB_LEN(r); i++)
		recipient((uint8_t)(i + 1), &r[i]);
	kb_buf_init(&sealed, AGEFIX_MOST);
	assert_int_equal(kb_age_seal(r, 0, KB_LIT("x"), &sealed), KB_LIMIT);
	assert_int_equal(kb_age_seal(r, KB_LEN(r), KB_LIT("x"), &sealed), KB_LIMIT);
	assert_int_equal(kb_age_seal_passphrase(KB_SPAN(NULL, 0), 1, KB_LIT("x"), &sealed), KB_LIMIT);
	assert_int_equal(sealed.len, 0);
	assert_ok(kb_age_seal(r, KB_AGE_RECIPIENTS_MOST, KB_LIT("x"), &sealed)); /* the control */
	kb_buf_release(&sealed);
}

/* Whatever is sealed to these, everybody can open. RFC 7748 section 6.1; the points are those of order 1, 2, 4 and 8. */
TEST(a_recipient_of_low_order_is_not_sealed_to)
{
	static const struct kb_recipient low[] = {
	    {{0}},
	    {{1}},
	    {{0xE0, 0xEB, 0x7A, 0x7C, 0x3B, 0x41, 0xB8, 0xAE, 0x16, 0x56, 0xE3, 0xFA, 0xF1, 0x9F, 0xC4, 0x6A, 0xDA, 0x09, 0x8D, 0xEB, 0x9C,
		0x32, 0xB1, 0xFD, 0x86, 0x62, 0x05, 0x16, 0x5F, 0x49, 0xB8, 0x00}},
	    {{0xEC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F}},
	};
	struct kb_recipient both[2];
	struct kb_buf sealed;

	recipient(1, &both[0]);
	for (size_t i = 0; i < KB_LEN(low); i++) {
		kb_buf_init(&sealed, AGEFIX_MOST);
		both[1] = low[i];
		assert_int_equal(kb_age_seal(&low[i], 1, KB_LIT("x"), &sealed), KB_NOKEY);
		assert_int_equal(kb_age_seal(both, 2, KB_LIT("x"), &sealed), KB_NOKEY);
		assert_int_equal(sealed.len, 0);
		kb_buf_release(&sealed);
	}
}

TEST(a_passphrase_opens_what_it_sealed_and_another_does_not)
{
	struct kb_age_keys keys = {.passphrase = KB_LIT("correct horse")};
	struct kb_buf sealed, got;

	kb_buf_init(&sealed, AGEFIX_MOST);
	kb_buf_init(&got, 100);
	for (unsigned factor = 1; factor <= 10; factor += 3) {
		assert_ok(kb_age_seal_passphrase(KB_LIT("correct horse"), factor, KB_LIT("hello"), &sealed));
		assert_ok(kb_age_open(NULL, kb_buf_span(&sealed), &keys, &got));
		assert_span(kb_buf_span(&got), "hello");
		keys.passphrase = KB_LIT("correct horse ");
		assert_int_equal(kb_age_open(NULL, kb_buf_span(&sealed), &keys, &got), KB_NOKEY);
		keys.passphrase = KB_SPAN(NULL, 0);
		assert_int_equal(kb_age_open(NULL, kb_buf_span(&sealed), &keys, &got), KB_NOKEY);
		keys.passphrase = KB_LIT("correct horse");
		kb_buf_clear(&sealed);
		kb_buf_clear(&got);
	}
	kb_buf_release(&got);
	kb_buf_release(&sealed);
}

TEST(a_work_factor_past_the_limit_is_refused_before_it_is_spent)
{
	struct kb_age_keys keys = {.passphrase = KB_LIT("p"), .work_factor_most = 4};
	struct kb_buf sealed, got;

	kb_buf_init(&sealed, AGEFIX_MOST);
	kb_buf_init(&got, 100);
	assert_int_equal(kb_age_seal_passphrase(KB_LIT("p"), 0, KB_LIT("x"), &sealed), KB_LIMIT);
	assert_int_equal(kb_age_seal_passphrase(KB_LIT("p"), 23, KB_LIT("x"), &sealed), KB_LIMIT);
	assert_ok(kb_age_seal_passphrase(KB_LIT("p"), 5, KB_LIT("x"), &sealed));
	assert_int_equal(kb_age_open(NULL, kb_buf_span(&sealed), &keys, &got), KB_LIMIT);
	keys.work_factor_most = 5;
	assert_ok(kb_age_open(NULL, kb_buf_span(&sealed), &keys, &got));
	keys.work_factor_most = 0; /* as many as age itself takes */
	assert_ok(kb_age_open(NULL, kb_buf_span(&sealed), &keys, &got));
	kb_buf_release(&got);
	kb_buf_release(&sealed);
}

TEST(two_files_of_one_text_share_nothing_past_the_first_line)
{
	struct kb_recipient r;
	struct kb_buf a, b;
	size_t at = sizeof("age-encryption.org/v1\n-> X25519 ") - 1;

	recipient(1, &r);
	kb_buf_init(&a, AGEFIX_MOST);
	kb_buf_init(&b, AGEFIX_MOST);
	assert_ok(kb_age_seal(&r, 1, KB_LIT("the same words"), &a));
	assert_ok(kb_age_seal(&r, 1, KB_LIT("the same words"), &b));
	assert_memory_not_equal(a.p + at, b.p + at, 43);
	assert_memory_not_equal(a.p + a.len - 30, b.p + b.len - 30, 30);
	assert_int_equal(kb_span_find(kb_buf_span(&a), KB_LIT("same words")), SIZE_MAX);
	kb_buf_release(&b);
	kb_buf_release(&a);
}

TEST(each_stanza_has_an_ephemeral_key_of_its_own)
{
	struct kb_recipient r[2];
	struct kb_buf sealed;

	recipient(1, &r[0]);
	recipient(1, &r[1]);
	kb_buf_init(&sealed, AGEFIX_MOST);
	assert_ok(kb_age_seal(r, 2, KB_LIT("x"), &sealed));
	assert_memory_not_equal(sealed.p + 22, sealed.p + 22 + 98, 98);
	assert_memory_equal(sealed.p + 22, sealed.p + 22 + 98, 10); /* "-> X25519 ": the two stanzas are where we think */
	kb_buf_release(&sealed);
}

TEST(a_finished_writer_holds_neither_keys_nor_text)
{
	static struct kb_age_writer w;
	uint8_t file_key[KB_AGE_FILE_KEY], again[KB_AGE_FILE_KEY];
	struct kb_identity *id = agefix_identity(1);
	const struct kb_identity *const ids[] = {id};
	const struct kb_age_keys keys = {.identities = ids, .n = 1};
	struct kb_recipient r;
	struct pipe to = {0};
	size_t header_len;

	kb_identity_recipient(id, &r);
	kb_buf_init(&to.out, AGEFIX_MOST);
	assert_ok(kb_age_writer_init(&w, &r, 1, put, &to));
	assert_ok(kb_age_writer_add(&w, KB_LIT("a secret that nobody may find in memory")));
	assert_ok(kb_age_writer_finish(&w, file_key));
	assert_true(sodium_is_zero(w.file_key, sizeof(w.file_key)));
	assert_true(sodium_is_zero(w.payload_key, sizeof(w.payload_key)));
	assert_int_equal(kb_span_find(KB_SPAN(w.chunk, sizeof(w.chunk)), KB_LIT("nobody may find")), SIZE_MAX);
	/* The key given for the summary is the file's own. */
	assert_ok(kb_age_header_open(NULL, kb_buf_span(&to.out), &keys, again, &header_len));
	assert_memory_equal(again, file_key, sizeof(again));
	kb_identity_free(&id);
	kb_buf_release(&to.out);
}

TEST(a_sink_that_fails_stops_the_writer_with_its_status)
{
	static struct kb_age_writer w;
	struct kb_buf plain = plain_of(200000);
	struct kb_recipient r;

	recipient(1, &r);
	for (size_t fail_at = 1; fail_at <= 5; fail_at++) {
		struct pipe to = {.fail_at = fail_at};
		enum kb_status st;

		kb_buf_init(&to.out, AGEFIX_MOST);
		st = kb_age_writer_init(&w, &r, 1, put, &to);
		if (st == KB_OK)
			st = kb_age_writer_add(&w, kb_buf_span(&plain));
		if (st == KB_OK)
			st = kb_age_writer_finish(&w, NULL);
		assert_int_equal(st, KB_BUSY);
		assert_int_equal(to.calls, fail_at);
		kb_age_writer_release(&w);
		assert_true(sodium_is_zero(w.payload_key, sizeof(w.payload_key)));
		kb_buf_release(&to.out);
	}
	kb_buf_release(&plain);
}

TEST(a_source_or_sink_that_fails_stops_an_opening_stream)
{
	struct kb_identity *id = agefix_identity(1);
	const struct kb_identity *const ids[] = {id};
	const struct kb_age_keys keys = {.identities = ids, .n = 1};
	struct kb_buf plain = plain_of(70000), sealed;
	struct kb_recipient r;

	kb_identity_recipient(id, &r);
	kb_buf_init(&sealed, AGEFIX_MOST);
	assert_ok(kb_age_seal(&r, 1, kb_buf_span(&plain), &sealed));
	for (size_t i = 1; i <= 2; i++) {
		struct pipe from = {.in = kb_buf_span(&sealed), .piece = 65536, .fail_at = i}, to = {0};
		struct pipe again = {.in = kb_buf_span(&sealed), .piece = 65536}, broken = {.fail_at = i};
		struct kb_diag d = {0};

		kb_buf_init(&to.out, AGEFIX_MOST);
		kb_buf_init(&broken.out, AGEFIX_MOST);
		assert_int_equal(kb_age_open_stream(&d, take, &from, &keys, put, &to), KB_IO);
		assert_non_null(d.what);
		assert_int_equal(kb_age_open_stream(NULL, take, &again, &keys, put, &broken), KB_BUSY);
		kb_buf_release(&to.out);
		kb_buf_release(&broken.out);
	}
	kb_buf_release(&sealed);
	kb_buf_release(&plain);
	kb_identity_free(&id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(any_length_comes_back_octet_for_octet),
	    RUN(pieces_of_any_size_make_the_same_file),
	    RUN(a_stream_opens_what_a_whole_file_opens),
	    RUN(each_recipient_opens_it_and_a_stranger_does_not),
	    RUN(nobody_and_too_many_are_no_audience),
	    RUN(a_recipient_of_low_order_is_not_sealed_to),
	    RUN(a_passphrase_opens_what_it_sealed_and_another_does_not),
	    RUN(a_work_factor_past_the_limit_is_refused_before_it_is_spent),
	    RUN(two_files_of_one_text_share_nothing_past_the_first_line),
	    RUN(each_stanza_has_an_ephemeral_key_of_its_own),
	    RUN(a_finished_writer_holds_neither_keys_nor_text),
	    RUN(a_sink_that_fails_stops_the_writer_with_its_status),
	    RUN(a_source_or_sink_that_fails_stops_an_opening_stream),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
