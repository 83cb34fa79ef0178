/* eml: what goes in comes out, byte for byte, and nothing but what we write is taken for ours. */
#include "kbtest.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/eml.h>

#include "vector.h"

static const struct kb_span original = {(const uint8_t *)"From: Ana <ana@familia.example>\r\nSubject: Hola\r\n\r\nKitebox-End: mine\r\n", 69};

/* Head, original, padding: as the sealer puts them together. */
static struct kb_buf whole(struct kb_buf *head, struct kb_span orig)
{
	struct kb_buf b;
	uint8_t hash[32];

	(void)crypto_generichash(hash, sizeof(hash), orig.p, orig.len, NULL, 0);
	assert_ok(kb_eml_end(head, orig.len, hash));
	kb_buf_init(&b, 1 << 20);
	assert_ok(kb_buf_add(&b, kb_buf_span(head)));
	assert_ok(kb_buf_add(&b, orig));
	size_t pad = (size_t)kb_padme(b.len) - b.len;
	assert_ok(kb_buf_reserve(&b, pad));
	kb_eml_padding(0, b.p + b.len, pad);
	b.len += pad;
	return b;
}

static struct kb_buf sample_head(void)
{
	struct kb_buf head;

	kb_buf_init(&head, KB_EML_HEAD_MOST);
	assert_ok(kb_eml_add(&head, "Message", KB_LIT("00017f80ffabcdef1032547698badcfe")));
	assert_ok(kb_eml_add(&head, "Purpose", KB_LIT("message")));
	assert_ok(kb_eml_add(&head, "Epoch", KB_LIT("1")));
	assert_ok(kb_eml_add(&head, "Received", KB_LIT("2026-11-24T14:21:11Z")));
	assert_ok(kb_eml_add(&head, "Channel", KB_LIT("email")));
	assert_ok(kb_eml_add(&head, "Triage",
	    KB_LIT("class=allegation; category=excessive-force; language=es; score=0.9700; rules=1; flags=urgent-safety,retaliation")));
	assert_ok(kb_eml_add(&head, "From", KB_LIT("Ana <ana@familia.example>")));
	assert_ok(kb_eml_add(&head, "Subject", KB_LIT("Hola")));
	return head;
}

static struct kb_buf sample(void)
{
	struct kb_buf head = sample_head(), b = whole(&head, original);

	kb_buf_release(&head);
	return b;
}

static struct kb_span get_one(struct kb_span value, struct kb_eml *e, struct kb_buf *file)
{
	struct kb_buf head;

	kb_buf_init(&head, KB_EML_HEAD_MOST);
	assert_ok(kb_eml_add(&head, "X", value));
	*file = whole(&head, original);
	kb_buf_release(&head);
	assert_ok(kb_eml_parse(NULL, kb_buf_span(file), e));
	return kb_eml_get(e, "X");
}

TEST(a_sealed_message_comes_apart_into_fields_and_the_original)
{
	struct kb_buf file = sample();
	struct kb_eml e;

	assert_ok(kb_eml_parse(NULL, kb_buf_span(&file), &e));
	assert_int_equal(e.n, 8);
	assert_span(kb_eml_get(&e, "Message"), "00017f80ffabcdef1032547698badcfe");
	assert_span(kb_eml_get(&e, "cHANNEL"), "email");
	assert_span(kb_eml_get(&e, "Triage"),
	    "class=allegation; category=excessive-force; language=es; score=0.9700; rules=1; flags=urgent-safety,retaliation");
	assert_span(kb_eml_get(&e, "Nothing"), "");
	assert_true(kb_span_eq(e.original, original));
	kb_eml_release(&e);
	kb_buf_release(&file);
}

TEST(the_vector_is_what_is_written_and_the_document_shows_it)
{
	struct kb_buf file = sample(), vector;
	struct kb_eml e;
	char line[80];
	uint8_t hash[32];

	vector_read("sealed.eml", &vector);
	assert_true(kb_span_eq(kb_buf_span(&file), kb_buf_span(&vector)));
	assert_ok(kb_eml_parse(NULL, kb_buf_span(&vector), &e));
	vector_shown(KB_SPAN(vector.p, e.head_len + e.original.len));
	(void)snprintf(line, sizeof(line), "head %zu, original %zu, padding %zu octets", e.head_len, e.original.len,
	    vector.len - e.head_len - e.original.len);
	vector_shown(kb_span_str(line));
	(void)crypto_generichash(hash, sizeof(hash), vector.p, vector.len, NULL, 0);
	vector_shown_hex(KB_SPAN(hash, sizeof(hash)));
	kb_eml_release(&e);
	kb_buf_release(&vector);
	kb_buf_release(&file);
}

TEST(any_original_comes_back_octet_for_octet)
{
	static const struct kb_span originals[] = {
	    {(const uint8_t *)"", 0},
	    {(const uint8_t *)"\0\0\0", 3},
	    {(const uint8_t *)"\r\n\r\n", 4},
	    {(const uint8_t *)"Kitebox-End: 0 00\r\n\r\n", 21},
	    {(const uint8_t *)"Kitebox-Message: forged\r\n", 25},
	    {(const uint8_t *)"   \r\n   ", 8},
	    {(const uint8_t *)"no line end", 11},
	    {(const uint8_t *)"\xFF\xFE lone \r and \n", 15},
	};
	for (size_t i = 0; i < KB_LEN(originals); i++) {
		struct kb_buf head = sample_head(), file = whole(&head, originals[i]);
		struct kb_eml e;

		assert_ok(kb_eml_parse(NULL, kb_buf_span(&file), &e));
		assert_true(kb_span_eq(e.original, originals[i]));
		assert_span(kb_eml_get(&e, "Message"), "00017f80ffabcdef1032547698badcfe");
		kb_eml_release(&e);
		kb_buf_release(&file);
		kb_buf_release(&head);
	}
}

TEST(every_octet_of_the_file_counts)
{
	struct kb_buf file = sample();
	struct kb_eml e;

	for (size_t i = 0; i < file.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			file.p[i] ^= (uint8_t)(1u << bit);
			if (kb_eml_parse(NULL, kb_buf_span(&file), &e) == KB_OK) {
				/* Only within the name or value of a field can another octet be as good; the original is the same. */
				assert_true(i < e.head_len);
				assert_true(kb_span_eq(e.original, original));
				kb_eml_release(&e);
			}
			file.p[i] ^= (uint8_t)(1u << bit);
		}
		assert_int_not_equal(kb_eml_parse(NULL, KB_SPAN(file.p, i), &e), KB_OK);
	}
	assert_ok(kb_buf_byte(&file, ' '));
	assert_int_equal(kb_eml_parse(NULL, kb_buf_span(&file), &e), KB_MALFORMED);
	kb_buf_release(&file);
}

TEST(an_original_of_other_octets_is_a_forgery)
{
	struct kb_buf file = sample();
	struct kb_diag d = {0};
	struct kb_eml e;

	file.p[kb_span_find(kb_buf_span(&file), KB_LIT("Hola\r\n\r\nKitebox")) + 1] ^= 1;
	assert_int_equal(kb_eml_parse(&d, kb_buf_span(&file), &e), KB_FORGED);
	assert_non_null(d.what);
	kb_buf_release(&file);
}

TEST(a_head_of_another_shape_is_refused)
{
#define END "Kitebox-End: 0 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n\r\n"
	static const struct {
		const char *head;
		enum kb_status st;
	} rows[] = {
	    {"Kitebox-A: b\r\n" END, KB_OK}, /* the control */
	    {"Kitebox-A: b\r\n c\r\n" END, KB_OK},
	    {"Kitebox-A:\r\n" END, KB_OK},
	    {"", KB_MALFORMED},
	    {END, KB_MALFORMED},
	    {"Kitebox-A: b\n" END, KB_MALFORMED},
	    {"kitebox-A: b\r\n" END, KB_MALFORMED},
	    {"Subject: b\r\n" END, KB_MALFORMED},
	    {"Kitebox-A b\r\n" END, KB_MALFORMED},
	    {"Kitebox-: b\r\n" END, KB_MALFORMED},
	    {"Kitebox-1: b\r\n" END, KB_MALFORMED},
	    {"Kitebox-A_: b\r\n" END, KB_MALFORMED},
	    {"Kitebox-A234567890123456789012345678901: b\r\n" END, KB_OK},
	    {"Kitebox-A2345678901234567890123456789012: b\r\n" END, KB_MALFORMED},
	    {"Kitebox-A :b\r\n" END, KB_MALFORMED},
	    {"Kitebox-A:b\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: \r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b \r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b  c\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\r\n\tc\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\r\n  c\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\r\n \r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\xFF\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\x1B\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\rc\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\r\n\r\n" END, KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End: 0\r\n\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End: 0 00\r\n\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End: 00 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End: 0  e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End: 0 0E5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End: 0 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-END: 0 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End:\r\n 0 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n\r\n", KB_MALFORMED},
	    {"Kitebox-A: b\r\nKitebox-End: 18446744073709551615 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\r\n\r\n",
		KB_TOOBIG},
	};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_span head = kb_span_str(rows[i].head);
		struct kb_buf b;
		struct kb_eml e;

		kb_buf_init(&b, 10000);
		assert_ok(kb_buf_add(&b, head));
		size_t pad = (size_t)kb_padme(b.len) - b.len;
		assert_ok(kb_buf_reserve(&b, pad + 1));
		kb_eml_padding(0, b.p + b.len, pad);
		b.len += pad;
		assert_int_equal(kb_eml_parse(NULL, kb_buf_span(&b), &e), rows[i].st);
		if (rows[i].st == KB_OK)
			kb_eml_release(&e);
		kb_buf_release(&b);
	}
}

TEST(a_value_is_folded_and_comes_back_on_one_line)
{
	struct kb_buf words, file;
	struct kb_span rest, line;
	struct kb_eml e;

	kb_buf_init(&words, 4000);
	for (unsigned i = 0; i < 300; i++)
		assert_ok(kb_buf_printf(&words, "%sw\xC3\xB6rd%u", i ? " " : "", i * 7919));
	assert_true(kb_span_eq(get_one(kb_buf_span(&words), &e, &file), kb_buf_span(&words)));
	rest = KB_SPAN(file.p, e.head_len);
	while (kb_span_line(&rest, &line))
		assert_true(line.len <= 78 || kb_span_starts(line, KB_LIT("Kitebox-End")));
	kb_eml_release(&e);
	kb_buf_release(&file);
	kb_buf_release(&words);
}

TEST(runs_of_spaces_become_one)
{
	struct kb_buf file;
	struct kb_eml e;

	assert_span(get_one(KB_LIT("  a   b "), &e, &file), "a b");
	kb_eml_release(&e);
	kb_buf_release(&file);
	assert_span(get_one(KB_LIT("   "), &e, &file), "");
	kb_eml_release(&e);
	kb_buf_release(&file);
}

TEST(an_endless_word_is_cut_between_characters)
{
	struct kb_buf word, file;
	struct kb_eml e;

	kb_buf_init(&word, 4000);
	assert_ok(kb_buf_byte(&word, 'x'));
	while (word.len < 2000)
		assert_ok(kb_buf_str(&word, "\xE2\x82\xAC"));
	struct kb_span got = get_one(kb_buf_span(&word), &e, &file);
	assert_true(kb_utf8_valid(got));
	assert_int_equal(got.len, word.len + 2);
	assert_int_equal(kb_span_find(got, KB_LIT(" ")), 898); /* 1 + 299 * 3: the 300th would not fit into 900 */
	kb_eml_release(&e);
	kb_buf_release(&file);
	kb_buf_release(&word);
}

TEST(a_field_that_could_not_be_read_again_is_not_written)
{
	static const char *const values[] = {"a\r\nKitebox-End: 0", "a\nb", "a\tb", "\x7F", "\xC2\x9B", "\xFF", "\xED\xA0\x80"};
	static const char *const names[] = {"", "End", "eND", "1a", "a b", "a:", "-a", "A2345678901234567890123456789012"};
	struct kb_buf b;

	kb_buf_init(&b, 1000);
	assert_ok(kb_eml_add(&b, "Kept", KB_LIT("x")));
	for (size_t i = 0; i < KB_LEN(values); i++)
		assert_int_equal(kb_eml_add(&b, "A", kb_span_str(values[i])), KB_MALFORMED);
	for (size_t i = 0; i < KB_LEN(names); i++)
		assert_int_equal(kb_eml_add(&b, names[i], KB_LIT("x")), KB_MALFORMED);
	assert_span(kb_buf_span(&b), "Kitebox-Kept: x\r\n");
	kb_buf_release(&b);
}

TEST(a_head_that_is_too_long_leaves_the_buffer_as_it_was)
{
	struct kb_buf b;
	uint8_t hash[32] = {0};

	kb_buf_init(&b, 40);
	assert_ok(kb_eml_add(&b, "A", KB_LIT("x")));
	assert_int_equal(kb_eml_add(&b, "B", KB_LIT("much more than there is room for here")), KB_LIMIT);
	assert_int_equal(kb_eml_end(&b, 1, hash), KB_LIMIT);
	assert_span(kb_buf_span(&b), "Kitebox-A: x\r\n");
	kb_buf_release(&b);

	kb_buf_init(&b, 20000);
	for (size_t i = 0; i < 20; i++) {
		char value[450];
		memset(value, 'x', sizeof(value));
		assert_ok(kb_eml_add(&b, "A", KB_SPAN(value, sizeof(value))));
	}
	assert_int_equal(kb_eml_end(&b, 1, hash), KB_TOOBIG);
	kb_buf_release(&b);
}

TEST(a_head_has_at_most_32_fields)
{
	struct kb_buf b;
	uint8_t hash[32] = {0};

	kb_buf_init(&b, KB_EML_HEAD_MOST);
	for (size_t i = 0; i < KB_EML_FIELDS_MOST; i++)
		assert_ok(kb_eml_add(&b, "A", KB_LIT("x")));
	size_t before = b.len;
	assert_ok(kb_eml_end(&b, 1, hash));
	b.len = before;
	assert_ok(kb_eml_add(&b, "A", KB_LIT("x")));
	assert_int_equal(kb_eml_end(&b, 1, hash), KB_LIMIT);
	kb_buf_release(&b);
	kb_buf_init(&b, KB_EML_HEAD_MOST);
	assert_int_equal(kb_eml_end(&b, 1, hash), KB_MALFORMED); /* a head without any field */
	assert_int_equal(b.len, 0);
	kb_buf_release(&b);
}

/* Nikitin et al., Reducing Metadata Leakage from Encrypted Files and Communication with PURBs, 2019, section 4 and algorithm 1. */
TEST(padme_adds_at_most_12_percent_and_leaves_few_lengths)
{
	static const struct {
		uint64_t n, padded;
	} rows[] = {{0, 0}, {1, 1}, {2, 2}, {7, 7}, {8, 8}, {9, 10}, {10, 10}, {15, 16}, {17, 18}, {100, 104}, {1000, 1024}, {1025, 1088},
	    {65537, 67584}, {1000000, 1015808}, {UINT64_C(1) << 40, UINT64_C(1) << 40}, {UINT64_MAX, UINT64_MAX}};
	size_t distinct = 0;

	for (size_t i = 0; i < KB_LEN(rows); i++)
		assert_true(kb_padme(rows[i].n) == rows[i].padded);
	for (uint64_t n = 1, last = 0; n < 200000; n++) {
		uint64_t p = kb_padme(n);
		assert_true(p >= n && (p - n) * 100 <= n * 12);
		assert_true(kb_padme(p) == p && p >= last);
		distinct += p != last;
		last = p;
	}
	assert_true(distinct < 300);
}

TEST(padding_is_the_same_in_one_piece_or_many)
{
	uint8_t all[1000], pieces[1000];

	kb_eml_padding(0, all, sizeof(all));
	for (size_t at = 0; at < sizeof(pieces); at += 7)
		kb_eml_padding(at, pieces + at, sizeof(pieces) - at < 7 ? sizeof(pieces) - at : 7);
	assert_memory_equal(all, pieces, sizeof(all));
	assert_int_equal(all[75], ' ');
	assert_memory_equal(all + 76, "\r\n ", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_sealed_message_comes_apart_into_fields_and_the_original),
	    RUN(the_vector_is_what_is_written_and_the_document_shows_it),
	    RUN(any_original_comes_back_octet_for_octet),
	    RUN(every_octet_of_the_file_counts),
	    RUN(an_original_of_other_octets_is_a_forgery),
	    RUN(a_head_of_another_shape_is_refused),
	    RUN(a_value_is_folded_and_comes_back_on_one_line),
	    RUN(runs_of_spaces_become_one),
	    RUN(an_endless_word_is_cut_between_characters),
	    RUN(a_field_that_could_not_be_read_again_is_not_written),
	    RUN(a_head_that_is_too_long_leaves_the_buffer_as_it_was),
	    RUN(a_head_has_at_most_32_fields),
	    RUN(padme_adds_at_most_12_percent_and_leaves_few_lengths),
	    RUN(padding_is_the_same_in_one_piece_or_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
