/* armor: one way to write each file as text; what is not that way is refused. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include "agefix.h"

#define BEGIN "-----BEGIN AGE ENCRYPTED FILE-----\n"
#define END "-----END AGE ENCRYPTED FILE-----\n"
#define FULL "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" /* 64 columns: 48 octets of zero */

TEST(any_length_comes_back)
{
	uint8_t octets[200];

	randombytes_buf(octets, sizeof(octets));
	for (size_t n = 1; n <= sizeof(octets); n++) {
		struct kb_buf text, file;
		struct kb_span rest, line;

		kb_buf_init(&text, 1000);
		kb_buf_init(&file, n);
		assert_ok(kb_age_armor(KB_SPAN(octets, n), &text));
		assert_ok(kb_age_dearmor(NULL, kb_buf_span(&text), &file));
		assert_true(kb_span_eq(kb_buf_span(&file), KB_SPAN(octets, n)));
		for (rest = kb_buf_span(&text); kb_span_line(&rest, &line);)
			assert_true(line.len <= 64);
		kb_buf_release(&file);
		kb_buf_release(&text);
	}
}

TEST(armor_is_exact_but_for_white_space_around_it_and_crlf)
{
	static const struct {
		const char *text;
		int octets; /* -1: refused */
	} rows[] = {
	    {BEGIN "AAAA\n" END, 3},
	    {BEGIN "AAA=\n" END, 2},
	    {BEGIN FULL END, 48},
	    {BEGIN FULL "AA==\n" END, 49},
	    {BEGIN "AAAA\n-----END AGE ENCRYPTED FILE-----", 3},
	    {"-----BEGIN AGE ENCRYPTED FILE-----\r\nAAAA\r\n-----END AGE ENCRYPTED FILE-----\r\n", 3},
	    {"\n \t\r\n" BEGIN "AAAA\n" END " \n\t\r\n", 3},
	    {BEGIN END, 0}, /* no octets: not an age file, which the header's parser says */
	    {"", -1},
	    {BEGIN, -1},
	    {BEGIN "AAAA\n", -1},
	    {"AAAA\n" END, -1},
	    {" " BEGIN "AAAA\n" END, -1},
	    {"x\n" BEGIN "AAAA\n" END, -1},
	    {BEGIN "AAAA\n" END "x", -1},
	    {BEGIN "AAAA\n" END BEGIN "AAAA\n" END, -1},
	    {BEGIN "AAAA\n" "-----END AGE ENCRYPTED FILE----- \n", -1},
	    {"-----BEGIN AGE ENCRYPTED FILE----- \nAAAA\n" END, -1},
	    {"-----BEGIN AGE ENCRYPTED MESSAGE-----\nAAAA\n-----END AGE ENCRYPTED MESSAGE-----\n", -1},
	    {"-----begin age encrypted file-----\nAAAA\n-----end age encrypted file-----\n", -1},
	    {BEGIN "AAAA\n-----END AGE ENCRYPTED MESSAGE-----\n", -1},
	    {BEGIN "Version: 1\n\nAAAA\n" END, -1},
	    {BEGIN "\nAAAA\n" END, -1},
	    {BEGIN "AAAA\n\n" END, -1},
	    {BEGIN FULL "\nAAAA\n" END, -1},
	    {BEGIN FULL "\n" END, -1},
	    {BEGIN " AAAA\n" END, -1},
	    {BEGIN "AAAA \n" END, -1},
	    {BEGIN "AA AA\n" END, -1},
	    {BEGIN "AAA\n" END, -1},
	    {BEGIN "AAB=\n" END, -1}, /* bits past the last octet */
	    {BEGIN "AAAA\nAAAA\n" END, -1},
	    {BEGIN "AA==\nAAAA\n" END, -1},
	    {BEGIN "A" FULL END, -1},
	    {BEGIN "AAAA" FULL END, -1},
	    {BEGIN FULL "AA=\n=\n" END, -1},
	    {BEGIN "AA-_\n" END, -1},
	    {BEGIN "AAAA\n=AAAA\n" END, -1}, /* a checksum as OpenPGP's armor has it */
	    {BEGIN "AAAA\r\r\n" END, -1},
	    {BEGIN "AA\x80" "A\n" END, -1}, /* libsodium 1.0.18 itself would take this */
	    {BEGIN "AA\xFF" "A\n" END, -1},
	};
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_buf file;
		struct kb_diag d = {0};

		kb_buf_init(&file, 100);
		assert_ok(kb_buf_str(&file, "kept"));
		enum kb_status st = kb_age_dearmor(&d, kb_span_str(rows[i].text), &file);
		if (st != (rows[i].octets < 0 ? KB_ARMOR : KB_OK))
			fail_msg("row %zu: %s", i, kb_status_row(st)->name);
		assert_int_equal(file.len, 4 + (rows[i].octets < 0 ? 0 : (size_t)rows[i].octets));
		assert_true((st != KB_OK) == (d.what != NULL));
		kb_buf_release(&file);
	}
}

TEST(white_space_around_it_is_bounded)
{
	struct kb_buf text, file;

	kb_buf_init(&text, 10000);
	kb_buf_init(&file, 100);
	for (size_t i = 0; i < 1024; i++)
		assert_ok(kb_buf_byte(&text, '\n'));
	assert_ok(kb_buf_str(&text, BEGIN "AAAA\n" END));
	for (size_t i = 0; i < 1024; i++)
		assert_ok(kb_buf_byte(&text, ' '));
	assert_ok(kb_age_dearmor(NULL, kb_buf_span(&text), &file));
	assert_ok(kb_buf_byte(&text, ' '));
	assert_int_equal(kb_age_dearmor(NULL, kb_buf_span(&text), &file), KB_ARMOR);
	text.p[0] = text.p[1] = ' ';
	text.len--;
	assert_ok(kb_age_dearmor(NULL, kb_buf_span(&text), &file));
	kb_buf_drop(&text, 1024);
	assert_ok(kb_age_dearmor(NULL, kb_buf_span(&text), &file)); /* the control: nothing else was wrong */
	kb_buf_release(&file);
	kb_buf_release(&text);
}

TEST(an_age_file_opens_with_armor_and_without)
{
	struct kb_buf file, text, got;

	kb_buf_init(&file, AGEFIX_MOST);
	kb_buf_init(&text, AGEFIX_MOST);
	kb_buf_init(&got, 1000);
	agefix_header(&file, "-> X25519 %S\n%B\n");
	agefix_chunk(&file, 0, true, 0, 500);
	assert_ok(kb_buf_str(&text, "\n\n"));
	assert_ok(kb_age_armor(kb_buf_span(&file), &text));
	assert_ok(agefix_open(NULL, kb_buf_span(&file), &got));
	assert_ok(agefix_open(NULL, kb_buf_span(&text), &got));
	assert_int_equal(got.len, 1000);
	assert_memory_equal(got.p, got.p + 500, 500);
	/* Damage inside, and damage to the armor, are told apart. */
	text.p[text.len / 2] ^= 1;
	assert_int_not_equal(agefix_open(NULL, kb_buf_span(&text), &got), KB_OK);
	text.p[text.len / 2] = '*';
	assert_int_equal(agefix_open(NULL, kb_buf_span(&text), &got), KB_ARMOR);
	assert_int_equal(got.len, 1000);
	kb_buf_release(&got);
	kb_buf_release(&text);
	kb_buf_release(&file);
}

TEST(a_buffer_that_is_too_small_stays_as_it_was)
{
	uint8_t octets[100] = {0};
	struct kb_buf text, file;

	kb_buf_init(&text, 150);
	assert_ok(kb_buf_str(&text, "kept"));
	assert_int_equal(kb_age_armor(KB_SPAN(octets, sizeof(octets)), &text), KB_LIMIT);
	assert_span(kb_buf_span(&text), "kept");
	kb_buf_release(&text);
	kb_buf_init(&text, 1000);
	kb_buf_init(&file, 99);
	assert_ok(kb_age_armor(KB_SPAN(octets, sizeof(octets)), &text));
	assert_int_equal(kb_age_dearmor(NULL, kb_buf_span(&text), &file), KB_LIMIT);
	assert_int_equal(file.len, 0);
	kb_buf_release(&file);
	kb_buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(any_length_comes_back),
	    RUN(armor_is_exact_but_for_white_space_around_it_and_crlf),
	    RUN(white_space_around_it_is_bounded),
	    RUN(an_age_file_opens_with_armor_and_without),
	    RUN(a_buffer_that_is_too_small_stays_as_it_was),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
