/* summary: a headline opens with its own message's key and id, and with nothing else. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include <kitebox/summary.h>

#include "vector.h"

static const uint8_t file_key[KB_AGE_FILE_KEY] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const struct kb_id message = {{0x00, 0x01, 0x7F, 0x80, 0xFF, 0xAB, 0xCD, 0xEF, 0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE}};

static struct kb_summary sample(void)
{
	struct kb_summary s;

	memset(&s, 0, sizeof(s));
	s.class_ = KB_CLASS_ALLEGATION;
	s.category = KB_CAT_EXCESSIVE_FORCE;
	s.language = KB_LANG_ES;
	s.flags = KB_FLAG_URGENT_SAFETY | KB_FLAG_RETALIATION;
	s.score_e4 = 9700;
	s.size = 69;
	kb_field_set(s.from, sizeof(s.from), KB_LIT("Ana <ana@familia.example>"));
	kb_field_set(s.subject, sizeof(s.subject), KB_LIT("Hola"));
	kb_field_set(s.date, sizeof(s.date), KB_LIT("Tue, 24 Nov 2026 14:21:11 +0000"));
	kb_field_set(s.institution, sizeof(s.institution), KB_LIT("KQX"));
	kb_field_set(s.register_number, sizeof(s.register_number), KB_LIT("00000-000"));
	kb_field_set(s.reasons, sizeof(s.reasons),
	    KB_LIT("The writer says that an officer struck somebody.\nThe writer fears for somebody's life."));
	return s;
}

static void expect_same(const struct kb_summary *a, const struct kb_summary *b)
{
	assert_int_equal(a->class_, b->class_);
	assert_int_equal(a->category, b->category);
	assert_int_equal(a->language, b->language);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->score_e4, b->score_e4);
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->from, b->from, sizeof(a->from));
	assert_memory_equal(a->subject, b->subject, sizeof(a->subject));
	assert_memory_equal(a->date, b->date, sizeof(a->date));
	assert_memory_equal(a->institution, b->institution, sizeof(a->institution));
	assert_memory_equal(a->register_number, b->register_number, sizeof(a->register_number));
	assert_memory_equal(a->reasons, b->reasons, sizeof(a->reasons));
}

TEST(a_summary_comes_back_as_it_went)
{
	struct kb_summary s = sample(), got;
	uint8_t row[KB_SUMMARY_LEN];

	assert_ok(kb_summary_seal(file_key, &message, &s, row));
	assert_ok(kb_summary_open(NULL, file_key, &message, KB_SPAN(row, sizeof(row)), &got));
	expect_same(&got, &s);
}

TEST(the_vector_opens_and_the_document_shows_it)
{
	struct kb_summary s = sample(), got;
	struct kb_buf row;

	vector_read_hex("summary.hex", &row);
	assert_ok(kb_summary_open(NULL, file_key, &message, kb_buf_span(&row), &got));
	expect_same(&got, &s);
	vector_shown_hex(KB_SPAN(file_key, sizeof(file_key)));
	vector_shown_hex(KB_SPAN(message.b, sizeof(message.b)));
	vector_shown_file("summary.hex");
	kb_buf_release(&row);
}

TEST(two_rows_of_one_summary_have_nothing_in_common)
{
	struct kb_summary s = sample();
	uint8_t a[KB_SUMMARY_LEN], b[KB_SUMMARY_LEN];

	assert_ok(kb_summary_seal(file_key, &message, &s, a));
	assert_ok(kb_summary_seal(file_key, &message, &s, b));
	assert_memory_not_equal(a, b, KB_SUMMARY_NONCE);
	assert_memory_not_equal(a + KB_SUMMARY_NONCE, b + KB_SUMMARY_NONCE, 64);
	assert_int_equal(kb_span_find(KB_SPAN(a, sizeof(a)), KB_LIT("Hola")), SIZE_MAX);
}

TEST(a_row_of_another_message_or_key_does_not_open)
{
	struct kb_summary s = sample(), got;
	struct kb_id other = message;
	uint8_t row[KB_SUMMARY_LEN], key[KB_AGE_FILE_KEY];
	struct kb_diag d = {0};

	assert_ok(kb_summary_seal(file_key, &message, &s, row));
	other.b[0] ^= 1;
	assert_int_equal(kb_summary_open(&d, file_key, &other, KB_SPAN(row, sizeof(row)), &got), KB_FORGED);
	assert_non_null(d.what);
	memcpy(key, file_key, sizeof(key));
	key[15] ^= 0x80;
	assert_int_equal(kb_summary_open(NULL, key, &message, KB_SPAN(row, sizeof(row)), &got), KB_FORGED);
}

TEST(every_octet_of_a_row_counts)
{
	struct kb_summary s = sample(), got;
	uint8_t row[KB_SUMMARY_LEN];

	assert_ok(kb_summary_seal(file_key, &message, &s, row));
	for (size_t i = 0; i < sizeof(row); i++) {
		row[i] ^= 1;
		assert_int_equal(kb_summary_open(NULL, file_key, &message, KB_SPAN(row, sizeof(row)), &got), KB_FORGED);
		row[i] ^= 1;
	}
	assert_int_equal(kb_summary_open(NULL, file_key, &message, KB_SPAN(row, sizeof(row) - 1), &got), KB_MALFORMED);
	assert_int_equal(kb_summary_open(NULL, file_key, &message, KB_SPAN(NULL, 0), &got), KB_MALFORMED);
	assert_ok(kb_summary_open(NULL, file_key, &message, KB_SPAN(row, sizeof(row)), &got));
}

TEST(what_could_not_be_opened_again_is_not_sealed)
{
	uint8_t row[KB_SUMMARY_LEN];
	struct kb_summary bad[9];

	for (size_t i = 0; i < KB_LEN(bad); i++)
		bad[i] = sample();
	bad[0].class_ = KB_CLASS_COUNT;
	bad[1].category = KB_CAT_COUNT;
	bad[2].language = KB_LANG_COUNT;
	bad[3].flags = KB_FLAG_ALL + 1;
	bad[4].score_e4 = 10001;
	memset(bad[5].subject, 'x', sizeof(bad[5].subject)); /* without its NUL */
	bad[6].from[0] = '\x1B';
	bad[7].subject[100] = 'x'; /* hidden behind the NUL */
	bad[8].subject[1] = '\n';
	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kb_summary_seal(file_key, &message, &bad[i], row), KB_MALFORMED);
}

/* Seals octets of any kind as a summary would be: one who holds the file key, but is no sealer of ours. */
static void seal_octets(const uint8_t plain[static KB_SUMMARY_PLAIN], uint8_t row[static KB_SUMMARY_LEN])
{
	static const uint8_t zero[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	uint8_t key[32];

	randombytes_buf(row, KB_SUMMARY_NONCE);
	kb_hkdf_sha256(key, sizeof(key), KB_SPAN(file_key, sizeof(file_key)), KB_SPAN(row, KB_SUMMARY_NONCE), KB_LIT("kitebox summary v1"));
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(
	    row + KB_SUMMARY_NONCE, NULL, plain, KB_SUMMARY_PLAIN, message.b, sizeof(message.b), NULL, zero, key);
}

TEST(what_opens_but_is_no_summary_is_refused)
{
	static const struct {
		size_t at;
		uint8_t octet;
	} rows[] = {{0, 0}, {0, 2}, {1, KB_CLASS_COUNT}, {2, KB_CAT_COUNT}, {3, KB_LANG_COUNT}, {4, 0x80}, {7, 1}, {11, 1}, {16, '\x07'},
	    {16, 0xFF}, {239, 'x'}, {240, '\n'}, {656, '\r'}, {911, 'x'}, {912, 1}, {1023, 1}};
	uint8_t plain[KB_SUMMARY_PLAIN] = {1}, row[KB_SUMMARY_LEN];
	struct kb_summary got;

	seal_octets(plain, row);
	assert_ok(kb_summary_open(NULL, file_key, &message, KB_SPAN(row, sizeof(row)), &got)); /* the control */
	plain[656] = '\n'; /* between reasons */
	seal_octets(plain, row);
	assert_ok(kb_summary_open(NULL, file_key, &message, KB_SPAN(row, sizeof(row)), &got));
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		memset(plain, 0, sizeof(plain));
		plain[0] = 1;
		plain[rows[i].at] = rows[i].octet;
		seal_octets(plain, row);
		assert_int_equal(kb_summary_open(NULL, file_key, &message, KB_SPAN(row, sizeof(row)), &got), KB_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_summary_comes_back_as_it_went),
	    RUN(the_vector_opens_and_the_document_shows_it),
	    RUN(two_rows_of_one_summary_have_nothing_in_common),
	    RUN(a_row_of_another_message_or_key_does_not_open),
	    RUN(every_octet_of_a_row_counts),
	    RUN(what_could_not_be_opened_again_is_not_sealed),
	    RUN(what_opens_but_is_no_summary_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
