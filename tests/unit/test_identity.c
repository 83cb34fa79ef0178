/* identity: a person's key file comes back as it went, age reads it as an identity file, and a file of another shape is refused. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/identity.h>

enum { FACTOR = 1 };
#define PASS KB_LIT("correct horse")
/* The secret key whose 32 octets are all 1, and its public half. */
#define SECRET "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN"
#define PUBLIC "age15nsf9y4k28p83wth93tf7hafhvfajp45d2mge80ems45gz0c5gys3me64l"
#define SEED "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define PERSON "# kitebox person: Ada\n"
#define SIGNING "# kitebox signing key: " SEED "\n"

static enum kb_status open_text(struct kb_diag *d, const char *text, struct kb_person_key **ret_k)
{
	return kb_person_key_open(d, kb_span_str(text), KB_SPAN(NULL, 0), ret_k);
}

static void expect_same(const struct kb_person_key *a, const struct kb_person_key *b)
{
	struct kb_recipient x, y;

	assert_string_equal(a->name, b->name);
	kb_identity_recipient(a->age, &x);
	kb_identity_recipient(b->age, &y);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_int_equal(a->can_sign, b->can_sign);
	assert_memory_equal(a->sign_public, b->sign_public, sizeof(a->sign_public));
	assert_memory_equal(a->sign_secret, b->sign_secret, sizeof(a->sign_secret));
}

TEST(a_key_file_comes_back_as_it_went)
{
	static const struct kb_span names[] = {{(const uint8_t *)"Benito Mu\xC3\xB1oz", 13}, {(const uint8_t *)"", 0}};

	for (size_t i = 0; i < KB_LEN(names); i++) {
		struct kb_person_key *k = kb_person_key_generate(names[i]), *again = NULL;
		struct kb_buf file;

		kb_buf_init(&file, 4096);
		assert_int_equal(k->can_sign, names[i].len > 0);
		assert_ok(kb_person_key_seal(k, PASS, FACTOR, &file));
		assert_true(kb_span_starts(kb_buf_span(&file), KB_LIT("-----BEGIN AGE ENCRYPTED FILE-----\n")));
		assert_ok(kb_person_key_open(NULL, kb_buf_span(&file), PASS, &again));
		expect_same(again, k);
		kb_person_key_free(&again);
		kb_person_key_free(&again); /* harmless twice */
		kb_person_key_free(&k);
		kb_buf_release(&file);
	}
}

TEST(what_is_inside_is_an_identity_file_that_age_reads)
{
	struct kb_person_key *k = NULL;
	struct kb_buf file, text;
	const struct kb_age_keys keys = {.passphrase = PASS};

	kb_buf_init(&file, 4096);
	kb_buf_init(&text, 4096);
	assert_ok(open_text(NULL, PERSON SIGNING SECRET, &k));
	assert_ok(kb_person_key_seal(k, PASS, FACTOR, &file));
	assert_ok(kb_age_open(NULL, kb_buf_span(&file), &keys, &text));
	assert_span(kb_buf_span(&text), PERSON "# public key: " PUBLIC "\n" SIGNING SECRET "\n");
	kb_person_key_free(&k);
	kb_buf_clear(&file);
	kb_buf_clear(&text);
	assert_ok(open_text(NULL, SECRET, &k));
	assert_ok(kb_person_key_seal(k, PASS, FACTOR, &file));
	assert_ok(kb_age_open(NULL, kb_buf_span(&file), &keys, &text));
	assert_span(kb_buf_span(&text), "# public key: " PUBLIC "\n" SECRET "\n");
	kb_person_key_free(&k);
	kb_buf_release(&text);
	kb_buf_release(&file);
}

TEST(the_signing_key_signs_and_its_public_half_verifies)
{
	struct kb_person_key *k = NULL;
	uint8_t sig[crypto_sign_BYTES];

	assert_ok(open_text(NULL, PERSON SIGNING SECRET, &k));
	assert_true(k->can_sign);
	assert_string_equal(k->name, "Ada");
	assert_int_equal(crypto_sign_detached(sig, NULL, (const uint8_t *)"x", 1, k->sign_secret), 0);
	assert_int_equal(crypto_sign_verify_detached(sig, (const uint8_t *)"x", 1, k->sign_public), 0);
	assert_int_not_equal(crypto_sign_verify_detached(sig, (const uint8_t *)"y", 1, k->sign_public), 0);
	kb_person_key_free(&k);
}

TEST(a_passphrase_is_neither_guessed_nor_passed_over)
{
	struct kb_person_key *k = kb_person_key_generate(KB_LIT("Ada")), *none = NULL;
	struct kb_buf file;

	kb_buf_init(&file, 4096);
	assert_int_equal(kb_person_key_seal(k, KB_SPAN(NULL, 0), FACTOR, &file), KB_LIMIT); /* none is no passphrase */
	assert_int_equal(kb_person_key_seal(k, PASS, 23, &file), KB_LIMIT);
	assert_int_equal(file.len, 0);
	assert_ok(kb_person_key_seal(k, PASS, FACTOR, &file));
	assert_int_equal(kb_person_key_open(NULL, kb_buf_span(&file), KB_LIT("wrong horse"), &none), KB_NOKEY);
	assert_int_equal(kb_person_key_open(NULL, kb_buf_span(&file), KB_SPAN(NULL, 0), &none), KB_NOKEY);
	assert_int_equal(kb_person_key_open(NULL, KB_LIT(SECRET), PASS, &none), KB_MALFORMED);
	assert_null(none);
	kb_person_key_free(&k);
	kb_buf_release(&file);
}

TEST(a_name_that_could_not_be_read_again_is_not_sealed)
{
	static const char *const bad[] = {"two  spaces", " before", "after ", "a\nAGE-SECRET-KEY-1", "\x1B[2J", "\xFF"};
	struct kb_buf file;

	kb_buf_init(&file, 4096);
	for (size_t i = 0; i < KB_LEN(bad); i++) {
		struct kb_person_key *k = kb_person_key_generate(kb_span_str(bad[i]));

		assert_int_equal(kb_person_key_seal(k, PASS, FACTOR, &file), KB_MALFORMED);
		assert_int_equal(file.len, 0);
		kb_person_key_free(&k);
	}
	kb_buf_release(&file);
}

TEST(an_identity_file_is_read_line_by_line)
{
	static const struct {
		const char *text;
		enum kb_status st;
	} rows[] = {
	    {SECRET, KB_OK},
	    {SECRET "\n", KB_OK},
	    {SECRET "\r\n", KB_OK},
	    /* As age-keygen writes it. */
	    {"# created: 2026-11-24T14:21:11Z\n# public key: " PUBLIC "\n" SECRET "\n", KB_OK},
	    {"\n# anything at all\n\n" SECRET "\n\n#\n", KB_OK},
	    {PERSON SIGNING SECRET, KB_OK},
	    {SECRET "\n" SIGNING PERSON, KB_OK},
	    {"", KB_MALFORMED},
	    {"\n", KB_MALFORMED},
	    {PERSON SIGNING, KB_MALFORMED},
	    {"# " SECRET, KB_MALFORMED},
	    {" " SECRET, KB_MALFORMED},
	    {SECRET " ", KB_MALFORMED},
	    {SECRET "\n" SECRET, KB_MALFORMED},
	    {"age-secret-key-1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsz9k4cn", KB_MALFORMED},
	    {PUBLIC, KB_MALFORMED},
	    {SECRET "\nwhat is this\n", KB_MALFORMED},
	    {PERSON SECRET, KB_MALFORMED},
	    {SIGNING SECRET, KB_MALFORMED},
	    {PERSON PERSON SIGNING SECRET, KB_MALFORMED},
	    {PERSON SIGNING SIGNING SECRET, KB_MALFORMED},
	    {"# kitebox person: \n" SIGNING SECRET, KB_MALFORMED},
	    {"# kitebox person:  Ada\n" SIGNING SECRET, KB_MALFORMED},
	    {"# kitebox person: A\x1B\n" SIGNING SECRET, KB_MALFORMED},
	    {"# kitebox person: A23456789012345678901234567890123456789012345678901234567890123\n" SIGNING SECRET, KB_OK},
	    {"# kitebox person: A234567890123456789012345678901234567890123456789012345678901234\n" SIGNING SECRET, KB_MALFORMED},
	    {PERSON "# kitebox signing key: \n" SECRET, KB_MALFORMED},
	    {PERSON "# kitebox signing key: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgJ=\n" SECRET, KB_MALFORMED}, /* stray bits */
	    {PERSON "# kitebox signing key: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\n" SECRET, KB_MALFORMED},
	    {PERSON "# kitebox signing key: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg==\n" SECRET, KB_MALFORMED}, /* 31 octets */
	    {PERSON "# kitebox signing key: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC\n" SECRET, KB_MALFORMED},
	    {"# public key: " PUBLIC "\n# public key: " PUBLIC "\n" SECRET, KB_MALFORMED},
	    {"# public key: age1zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs0dsc5v\n" SECRET, KB_MALFORMED}, /* another's */
	    {"# public key: age1\n" SECRET, KB_MALFORMED},
	};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_person_key *k = NULL;
		struct kb_diag d = {0};
		enum kb_status st = open_text(&d, rows[i].text, &k);

		if (st != rows[i].st)
			fail_msg("row %zu: %s", i, kb_status_row(st)->name);
		assert_true((st == KB_OK) == (k != NULL) && (st == KB_OK) == (d.what == NULL));
		kb_person_key_free(&k);
	}
}

TEST(a_sealed_file_is_read_as_strictly_as_a_plain_one)
{
	struct kb_person_key *k = NULL;
	struct kb_buf sealed, text;
	struct kb_diag d = {0};

	kb_buf_init(&sealed, 10000);
	kb_buf_init(&text, 10000);
	assert_ok(kb_age_seal_passphrase(PASS, FACTOR, KB_LIT(SECRET), &sealed)); /* binary: as age writes it without -a */
	assert_ok(kb_person_key_open(&d, kb_buf_span(&sealed), PASS, &k));
	kb_person_key_free(&k);
	kb_buf_clear(&sealed);
	assert_ok(kb_age_seal_passphrase(PASS, FACTOR, KB_LIT("no key at all"), &sealed));
	assert_int_equal(kb_person_key_open(&d, kb_buf_span(&sealed), PASS, &k), KB_MALFORMED);
	assert_int_equal(d.offset, 1); /* the line */
	kb_buf_clear(&sealed);
	/* Within an octet of what is taken: both sealed and plain. */
	while (text.len < 4096 - sizeof(SECRET))
		assert_ok(kb_buf_str(&text, "#\n"));
	assert_ok(kb_buf_str(&text, SECRET));
	assert_ok(kb_age_seal_passphrase(PASS, FACTOR, kb_buf_span(&text), &sealed));
	assert_ok(kb_person_key_open(NULL, kb_buf_span(&sealed), PASS, &k));
	kb_person_key_free(&k);
	assert_ok(kb_person_key_open(NULL, kb_buf_span(&text), KB_SPAN(NULL, 0), &k));
	kb_person_key_free(&k);
	while (text.len <= 4096)
		assert_ok(kb_buf_str(&text, "\n"));
	kb_buf_clear(&sealed);
	assert_ok(kb_age_seal_passphrase(PASS, FACTOR, kb_buf_span(&text), &sealed));
	assert_int_equal(kb_person_key_open(NULL, kb_buf_span(&sealed), PASS, &k), KB_LIMIT);
	assert_int_equal(kb_person_key_open(NULL, kb_buf_span(&text), KB_SPAN(NULL, 0), &k), KB_LIMIT);
	assert_null(k);
	kb_buf_release(&text);
	kb_buf_release(&sealed);
}

TEST(every_octet_of_a_sealed_identity_counts)
{
	struct kb_person_key *k = kb_person_key_generate(KB_LIT("Ada")), *none = NULL;
	struct kb_buf file;

	kb_buf_init(&file, 4096);
	assert_ok(kb_person_key_seal(k, PASS, FACTOR, &file));
	for (size_t i = 0; i < file.len; i++) {
		file.p[i] ^= 1;
		assert_int_not_equal(kb_person_key_open(NULL, kb_buf_span(&file), PASS, &none), KB_OK);
		file.p[i] ^= 1;
	}
	assert_ok(kb_person_key_open(NULL, kb_buf_span(&file), PASS, &none));
	kb_person_key_free(&none);
	kb_person_key_free(&k);
	kb_buf_release(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_key_file_comes_back_as_it_went),
	    RUN(what_is_inside_is_an_identity_file_that_age_reads),
	    RUN(the_signing_key_signs_and_its_public_half_verifies),
	    RUN(a_passphrase_is_neither_guessed_nor_passed_over),
	    RUN(a_name_that_could_not_be_read_again_is_not_sealed),
	    RUN(an_identity_file_is_read_line_by_line),
	    RUN(a_sealed_file_is_read_as_strictly_as_a_plain_one),
	    RUN(every_octet_of_a_sealed_identity_counts),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
