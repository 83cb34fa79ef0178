/* age header: the format's grammar, a rule at a time. Each file is whole, with a MAC that is right, but for what its row says. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include "age_internal.h"
#include "agefix.h"

#define X25519 "-> X25519 %S\n%B\n"
#define SCRYPT "-> scrypt %T 2\n%W\n"
#define COLUMNS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" /* 64 */

struct row {
	const char *text;
	enum kb_status st;
};

/* Whether the header opens, and whether what is said without a key agrees: grammar needs none. */
static void expect(const char *text, struct kb_span file, enum kb_status st)
{
	size_t len, stanzas;
	struct kb_diag d = {0};
	struct kb_buf got;
	enum kb_status opened, parsed;

	kb_buf_init(&got, 100);
	opened = agefix_open(&d, file, &got);
	parsed = kb_age_header_len(NULL, file, &len, &stanzas);
	if (opened != st)
		fail_msg("%s: %s instead of %s (%s)", text, kb_status_row(opened)->name, kb_status_row(st)->name, d.what ? d.what : "");
	if (opened == KB_OK || opened == KB_NOKEY || opened == KB_FORGED)
		assert_int_equal(parsed, KB_OK);
	if (opened == KB_OK)
		assert_int_equal(got.len, 1);
	else
		assert_true(got.len == 0 && d.what && d.status == st);
	kb_buf_release(&got);
}

static void expect_stanzas(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct kb_buf file;

		kb_buf_init(&file, AGEFIX_MOST);
		agefix_header(&file, rows[i].text);
		agefix_chunk(&file, 0, true, 0, 1);
		expect(rows[i].text, kb_buf_span(&file), rows[i].st);
		kb_buf_release(&file);
	}
}

TEST(an_x25519_stanza_is_one_share_and_one_wrapped_file_key)
{
	static const struct row rows[] = {
	    {X25519, KB_OK},
	    {"-> X25519 %!S\n%B\n", KB_NOKEY},
	    {"-> X25519 %S\n%!B\n", KB_NOKEY},
	    {"-> x25519 %S\n%B\n", KB_NOKEY}, /* another type, which we do not know */
	    {"-> X25519\n%B\n", KB_MALFORMED},
	    {"-> X25519 %S %S\n%B\n", KB_MALFORMED},
	    {"-> X25519 %S x\n%B\n", KB_MALFORMED},
	    {"-> X25519 %-S\n%B\n", KB_MALFORMED},
	    {"-> X25519 %+S\n%B\n", KB_MALFORMED},
	    {"-> X25519 %~S\n%B\n", KB_MALFORMED},
	    {"-> X25519 %=S\n%B\n", KB_MALFORMED},
	    {"-> X25519 %S\n%-B\n", KB_MALFORMED},
	    {"-> X25519 %S\n%+B\n", KB_MALFORMED},
	    {"-> X25519 %S\n%~B\n", KB_MALFORMED},
	    {"-> X25519 %S\n%=B\n", KB_MALFORMED},
	    {"-> X25519 %S\n\n", KB_MALFORMED},
	    {"-> X25519 %S\n" COLUMNS "%B\n", KB_MALFORMED},
	    /* Points of low order: with each, the shared secret would be known to all. */
	    {"-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n%B\n", KB_MALFORMED},
	    {"-> X25519 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n%B\n", KB_MALFORMED},
	    {"-> X25519 4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA\n%B\n", KB_MALFORMED},
	    {"-> X25519 X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc\n%B\n", KB_MALFORMED},
	    {"-> X25519 7P///////////////////////////////////////38\n%B\n", KB_MALFORMED},
	    {"-> X25519 7f///////////////////////////////////////38\n%B\n", KB_MALFORMED},
	    {"-> X25519 7v///////////////////////////////////////38\n%B\n", KB_MALFORMED},
	};
	expect_stanzas(rows, KB_LEN(rows));
}

TEST(a_scrypt_stanza_is_a_salt_a_work_factor_and_one_wrapped_file_key)
{
	static const struct row rows[] = {
	    {SCRYPT, KB_OK},
	    {"-> scrypt %!T 2\n%W\n", KB_NOKEY},
	    {"-> scrypt %T 2\n%!W\n", KB_NOKEY},
	    {"-> scrypt %T 3\n%W\n", KB_NOKEY},
	    {"-> Scrypt %T 2\n%W\n", KB_NOKEY},
	    {"-> scrypt\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T\n%W\n", KB_MALFORMED},
	    {"-> scrypt 2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T 2 2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %-T 2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %+T 2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %~T 2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T 2\n%-W\n", KB_MALFORMED},
	    {"-> scrypt %T 2\n%+W\n", KB_MALFORMED},
	    {"-> scrypt %T 2\n%~W\n", KB_MALFORMED},
	    {"-> scrypt %T 2\n" COLUMNS "%W\n", KB_MALFORMED},
	    {"-> scrypt %T 0\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T 02\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T +2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T -2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T x2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T 2x\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T 0x2\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T 2.0\n%W\n", KB_MALFORMED},
	    {"-> scrypt %T 23\n%W\n", KB_LIMIT},
	    {"-> scrypt %T 66\n%W\n", KB_LIMIT},
	    {"-> scrypt %T 258\n%W\n", KB_LIMIT},
	    {"-> scrypt %T 4294967298\n%W\n", KB_LIMIT},
	    {"-> scrypt %T 18446744073709551618\n%W\n", KB_LIMIT},
	};
	expect_stanzas(rows, KB_LEN(rows));
}

TEST(a_scrypt_stanza_stands_alone)
{
	static const struct row rows[] = {
	    {SCRYPT, KB_OK},
	    {SCRYPT SCRYPT, KB_MALFORMED},
	    {SCRYPT X25519, KB_MALFORMED},
	    {X25519 SCRYPT, KB_MALFORMED},
	    {"-> other\n\n" SCRYPT, KB_MALFORMED},
	    {SCRYPT "-> other\n\n", KB_MALFORMED},
	    {"-> scrypt %T 23\n%W\n" X25519, KB_MALFORMED},
	};
	expect_stanzas(rows, KB_LEN(rows));
}

TEST(stanzas_that_we_do_not_know_are_passed_over_if_well_formed)
{
	static const struct row rows[] = {
	    {"-> other\n\n" X25519, KB_OK},
	    {X25519 "-> other\n\n", KB_OK},
	    {"-> other a b c d e f g\nAAAA\n" X25519, KB_OK},
	    {"-> other\n" COLUMNS "\n" X25519, KB_OK},
	    {"-> other\n" COLUMNS COLUMNS "AA\n" X25519, KB_OK},
	    {"-> other\n\n", KB_NOKEY},
	    {X25519 X25519, KB_OK},
	    {"-> X25519 %S\n%!B\n" X25519, KB_OK},
	    /* Malformed, though the stanza before it would open the file. */
	    {X25519 "-> X25519 %S\n%-B\n", KB_MALFORMED},
	    {X25519 "-> other\nAA=\n", KB_MALFORMED},
	};
	expect_stanzas(rows, KB_LEN(rows));
}

TEST(every_visible_character_may_stand_in_an_argument_and_no_other)
{
	for (unsigned c = 1; c < 256; c++) {
		struct kb_buf file;

		kb_buf_init(&file, AGEFIX_MOST);
		assert_ok(kb_buf_str(&file, AGEFIX_VERSION "-> other a"));
		assert_ok(kb_buf_byte(&file, (uint8_t)c));
		assert_ok(kb_buf_str(&file, "b\n\n"));
		agefix_text(&file, X25519);
		agefix_mac(&file);
		agefix_chunk(&file, 0, true, 0, 1);
		/* A space separates two arguments; a line feed ends the line, and then "b" is not base64. */
		expect("an argument", kb_buf_span(&file), c >= 0x20 && c <= 0x7E ? KB_OK : KB_MALFORMED);
		kb_buf_release(&file);
	}
}

TEST(the_shape_of_a_stanza_is_exact)
{
	static const struct row rows[] = {
	    {"", KB_MALFORMED},
	    {"\n" X25519, KB_MALFORMED},
	    {X25519 "\n", KB_MALFORMED},
	    {"->\n\n" X25519, KB_MALFORMED},
	    {"-> \n\n" X25519, KB_MALFORMED},
	    {"->other\n\n" X25519, KB_MALFORMED},
	    {"-->other\n\n" X25519, KB_MALFORMED},
	    {" -> other\n\n" X25519, KB_MALFORMED},
	    {"->  other\n\n" X25519, KB_MALFORMED},
	    {"-> other  a\n\n" X25519, KB_MALFORMED},
	    {"-> other a \n\n" X25519, KB_MALFORMED},
	    {"-> other\ta\n\n" X25519, KB_MALFORMED},
	    {"-> other\r\n\n" X25519, KB_MALFORMED},
	    {"-> other\n\r\n" X25519, KB_MALFORMED},
	    {"-> other\nAAAA\r\n" X25519, KB_MALFORMED},
	    {"-> other\n" X25519, KB_MALFORMED},                /* no body */
	    {"-> other\n" COLUMNS X25519, KB_MALFORMED},        /* no final line */
	    {"-> other\nAAAA\nAAAA\n" X25519, KB_MALFORMED},    /* a short line that is not the last */
	    {"-> other\n" COLUMNS "AAAA\n\n" X25519, KB_MALFORMED},
	    {"-> other\nA" COLUMNS "\n" X25519, KB_MALFORMED},  /* 65 columns */
	    {"-> other\nAAAA" COLUMNS "\n" X25519, KB_MALFORMED},
	    {"-> other\nAA==\n" X25519, KB_MALFORMED},
	    {"-> other\nAAAA \n" X25519, KB_MALFORMED},
	    {"-> other\nA\n" X25519, KB_MALFORMED},
	    {"-> other\nAB\n" X25519, KB_MALFORMED},            /* bits past the last octet */
	    {"-> other\nAA-_\n" X25519, KB_MALFORMED},          /* the other alphabet */
	};
	expect_stanzas(rows, KB_LEN(rows));
}

/* Octets past 127 are among them: a decoder that looks at signed characters may take those. */
TEST(no_octet_outside_the_alphabet_stands_in_base64)
{
	static const struct kb_span after[] = {
	    {(const uint8_t *)"X25519 ", 7}, {(const uint8_t *)"\n--- ", 5}, {(const uint8_t *)"other\n", 6}};
	struct kb_buf file;
	size_t len, stanzas;

	kb_buf_init(&file, AGEFIX_MOST);
	agefix_header(&file, X25519 "-> other\nAAAAAAAA\n");
	for (size_t i = 0; i < KB_LEN(after); i++) {
		uint8_t *at = file.p + kb_span_find(kb_buf_span(&file), after[i]) + after[i].len + 5, kept = *at;

		for (unsigned c = 0; c < 256; c++) {
			bool letter = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '+' || c == '/';

			*at = (uint8_t)c;
			assert_int_equal(kb_age_header_len(NULL, kb_buf_span(&file), &len, &stanzas), letter ? KB_OK : KB_MALFORMED);
		}
		*at = kept;
	}
	kb_buf_release(&file);
}

/* In these, $ stands for what follows "---" when it is right: a space, 43 characters, LF. */
TEST(the_mac_line_is_exact)
{
	static const struct row rows[] = {
	    {"---$", KB_OK},
	    {"--- $", KB_MALFORMED},
	    {"----$", KB_MALFORMED},
	    {"--$", KB_MALFORMED},
	    {"---\n", KB_MALFORMED},
	    {"--- \n", KB_MALFORMED},
	    {"", KB_MALFORMED},
	    {"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", KB_FORGED},
	    {"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n", KB_MALFORMED},
	    {"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", KB_MALFORMED},
	    {"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", KB_MALFORMED},
	    {"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", KB_MALFORMED},
	    {"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA \n", KB_MALFORMED},
	    {"--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n", KB_MALFORMED},
	    {"---AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", KB_MALFORMED},
	    {"---$---$", KB_PAYLOAD}, /* the second one is payload already */
	};
	struct kb_buf whole;

	kb_buf_init(&whole, AGEFIX_MOST);
	agefix_header(&whole, X25519);
	agefix_chunk(&whole, 0, true, 0, 1);
	size_t at = kb_span_find(kb_buf_span(&whole), KB_LIT("--- "));
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_buf file;

		kb_buf_init(&file, AGEFIX_MOST);
		assert_ok(kb_buf_add(&file, KB_SPAN(whole.p, at)));
		for (const char *p = rows[i].text; *p; p++)
			assert_ok(*p == '$' ? kb_buf_add(&file, KB_SPAN(whole.p + at + 3, 45)) : kb_buf_byte(&file, (uint8_t)*p));
		assert_ok(kb_buf_add(&file, kb_span_from(kb_buf_span(&whole), at + 48)));
		expect(rows[i].text, kb_buf_span(&file), rows[i].st);
		kb_buf_release(&file);
	}
	kb_buf_release(&whole);
}

TEST(the_version_line_is_exact)
{
	static const struct row rows[] = {
	    {"age-encryption.org/v1\n", KB_OK},
	    {"age-encryption.org/v2\n", KB_UNSUPPORTED},
	    {"age-encryption.org/v10\n", KB_UNSUPPORTED},
	    {"age-encryption.org/\n", KB_MALFORMED},
	    {"age-encryption.org/v1 \n", KB_MALFORMED},
	    {"age-encryption.org/v1\r\n", KB_MALFORMED},
	    {"age-encryption.org/v1\n\n", KB_MALFORMED},
	    {" age-encryption.org/v1\n", KB_MALFORMED},
	    {"Age-encryption.org/v1\n", KB_MALFORMED},
	    {"age-encryption.org v1\n", KB_MALFORMED},
	    {"\xEF\xBB\xBF" "age-encryption.org/v1\n", KB_MALFORMED},
	    {"", KB_MALFORMED},
	};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_buf file;

		kb_buf_init(&file, AGEFIX_MOST);
		assert_ok(kb_buf_str(&file, rows[i].text));
		agefix_text(&file, X25519);
		agefix_mac(&file);
		agefix_chunk(&file, 0, true, 0, 1);
		expect(rows[i].text, kb_buf_span(&file), rows[i].st);
		kb_buf_release(&file);
	}
}

/* What was sealed to two, with one stanza exchanged, left out or moved: the MAC says so, though each stanza is genuine. */
TEST(stanzas_in_another_order_or_number_are_a_forgery)
{
	struct kb_identity *a = agefix_identity(1), *b = agefix_identity(2);
	struct kb_recipient r[2];
	struct kb_buf sealed, file, got;
	enum { STANZA = 98 };

	kb_identity_recipient(a, &r[0]);
	kb_identity_recipient(b, &r[1]);
	kb_identity_free(&a);
	kb_identity_free(&b);
	kb_buf_init(&sealed, AGEFIX_MOST);
	kb_buf_init(&file, AGEFIX_MOST);
	kb_buf_init(&got, 100);
	assert_ok(kb_age_seal(r, 2, KB_LIT("x"), &sealed));
	assert_ok(agefix_open(NULL, kb_buf_span(&sealed), &got)); /* the control */
	kb_buf_clear(&got);
	size_t start = sizeof(AGEFIX_VERSION) - 1;
	struct kb_span tail = kb_span_from(kb_buf_span(&sealed), start + 2 * STANZA);
	/* the other way round, the first alone, twice the first */
	static const int kept[3][2] = {{1, 0}, {0, -1}, {0, 0}};
	for (size_t i = 0; i < 3; i++) {
		kb_buf_clear(&file);
		assert_ok(kb_buf_str(&file, AGEFIX_VERSION));
		for (size_t j = 0; j < 2; j++)
			if (kept[i][j] >= 0)
				assert_ok(kb_buf_add(&file, KB_SPAN(sealed.p + start + (size_t)kept[i][j] * STANZA, STANZA)));
		assert_ok(kb_buf_add(&file, tail));
		assert_int_equal(agefix_open(NULL, kb_buf_span(&file), &got), KB_FORGED);
		assert_int_equal(got.len, 0);
	}
	kb_buf_release(&got);
	kb_buf_release(&file);
	kb_buf_release(&sealed);
}

TEST(a_header_longer_than_16_kib_is_past_our_limit)
{
	struct kb_buf file, got;
	size_t len, stanzas;
	enum { LINE = 65 };

	kb_buf_init(&got, 100);
	for (unsigned lines = 200; lines <= 300; lines += 100) {
		kb_buf_init(&file, AGEFIX_MOST);
		assert_ok(kb_buf_str(&file, AGEFIX_VERSION "-> other\n"));
		for (unsigned i = 0; i < lines; i++)
			assert_ok(kb_buf_str(&file, COLUMNS));
		assert_ok(kb_buf_str(&file, "\n"));
		agefix_text(&file, X25519);
		agefix_mac(&file);
		agefix_chunk(&file, 0, true, 0, 1);
		assert_int_equal(agefix_open(NULL, kb_buf_span(&file), &got), lines * LINE < KB_AGE_HEADER_MOST ? KB_OK : KB_LIMIT);
		assert_int_equal(kb_age_header_len(NULL, kb_buf_span(&file), &len, &stanzas), lines * LINE < KB_AGE_HEADER_MOST ? KB_OK : KB_LIMIT);
		kb_buf_clear(&got);
		kb_buf_release(&file);
	}
	kb_buf_release(&got);
}

TEST(every_octet_of_the_header_counts)
{
	struct kb_buf file, got;

	kb_buf_init(&file, AGEFIX_MOST);
	kb_buf_init(&got, 100);
	agefix_header(&file, X25519);
	agefix_chunk(&file, 0, true, 0, 1);
	for (size_t i = 0; i < file.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			file.p[i] ^= (uint8_t)(1u << bit);
			assert_int_not_equal(agefix_open(NULL, kb_buf_span(&file), &got), KB_OK);
			file.p[i] ^= (uint8_t)(1u << bit);
		}
		assert_int_not_equal(agefix_open(NULL, KB_SPAN(file.p, i), &got), KB_OK);
	}
	assert_int_equal(got.len, 0);
	assert_ok(agefix_open(NULL, kb_buf_span(&file), &got));
	kb_buf_release(&got);
	kb_buf_release(&file);
}

/* Two ways to one point: the table's and the ladder's. */
TEST(a_share_is_what_the_ladder_gives)
{
	uint8_t secret[32], share[32], ladder[32], zero[32] = {0};
	for (size_t i = 0; i < 2000; i++) {
		randombytes_buf(secret, sizeof secret);
		if (i < 256)
			memset(secret, (int)i, sizeof secret); /* all zeros and all ones among them: clamping makes scalars of them */
		kb_x25519_share(secret, share);
		assert_int_equal(crypto_scalarmult_base(ladder, secret), 0);
		assert_memory_equal(share, ladder, sizeof share);
		assert_memory_not_equal(share, zero, sizeof share);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(an_x25519_stanza_is_one_share_and_one_wrapped_file_key),
	    RUN(a_scrypt_stanza_is_a_salt_a_work_factor_and_one_wrapped_file_key),
	    RUN(a_scrypt_stanza_stands_alone),
	    RUN(stanzas_that_we_do_not_know_are_passed_over_if_well_formed),
	    RUN(every_visible_character_may_stand_in_an_argument_and_no_other),
	    RUN(the_shape_of_a_stanza_is_exact),
	    RUN(no_octet_outside_the_alphabet_stands_in_base64),
	    RUN(the_mac_line_is_exact),
	    RUN(the_version_line_is_exact),
	    RUN(stanzas_in_another_order_or_number_are_a_forgery),
	    RUN(a_header_longer_than_16_kib_is_past_our_limit),
	    RUN(every_octet_of_the_header_counts),
	    RUN(a_share_is_what_the_ladder_gives),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
