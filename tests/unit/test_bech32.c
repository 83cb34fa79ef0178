/* bech32: keys as text: one way to write each, and a mistyped character is seen. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include <kitebox/age.h>

#include "bech32.h"

/* The secret key whose 32 octets are all 1, and what age-keygen -y makes of it. */
static const char secret_text[] = "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN";
static const char public_text[] = "age15nsf9y4k28p83wth93tf7hafhvfajp45d2mge80ems45gz0c5gys3me64l";

TEST(what_is_written_reads_again)
{
	char text[KB_BECH32_TEXT(3)];
	uint8_t data[KB_BECH32_DATA], again[KB_BECH32_DATA];

	for (unsigned i = 0; i < 500; i++) {
		randombytes_buf(data, sizeof(data));
		kb_bech32_format(KB_LIT("age"), data, text);
		assert_int_equal(strlen(text), sizeof(text) - 1);
		assert_ok(kb_bech32_parse(KB_LIT("age"), kb_span_str(text), again));
		assert_memory_equal(again, data, sizeof(data));
	}
}

TEST(an_identity_is_written_in_upper_case_and_a_recipient_in_lower)
{
	struct kb_identity *id = NULL;
	struct kb_recipient r, again;
	char identity[KB_IDENTITY_TEXT], recipient[KB_RECIPIENT_TEXT];

	id = kb_identity_generate();
	kb_identity_format(id, identity);
	kb_identity_recipient(id, &r);
	kb_recipient_format(&r, recipient);
	kb_identity_free(&id);
	for (const char *p = identity; *p; p++)
		assert_false(*p >= 'a' && *p <= 'z');
	for (const char *p = recipient; *p; p++)
		assert_false(*p >= 'A' && *p <= 'Z');
	assert_memory_equal(identity, "AGE-SECRET-KEY-1", 16);
	assert_memory_equal(recipient, "age1", 4);
	assert_ok(kb_recipient_parse(kb_span_str(recipient), &again));
	assert_memory_equal(&again, &r, sizeof(r));
	assert_ok(kb_identity_parse(kb_span_str(identity), &id));
	kb_identity_recipient(id, &again);
	assert_memory_equal(&again, &r, sizeof(r));
	kb_identity_free(&id);
	kb_identity_free(&id); /* harmless twice */
	assert_null(id);
}

TEST(a_known_key_reads_as_its_octets_and_has_the_public_half_that_age_gives_it)
{
	uint8_t data[KB_BECH32_DATA], ones[KB_BECH32_DATA];
	char recipient[KB_RECIPIENT_TEXT];
	struct kb_identity *id = NULL;
	struct kb_recipient r;

	memset(ones, 1, sizeof(ones));
	assert_ok(kb_bech32_parse(KB_LIT("AGE-SECRET-KEY-"), kb_span_str(secret_text), data));
	assert_memory_equal(data, ones, sizeof(ones));
	assert_ok(kb_identity_parse(kb_span_str(secret_text), &id));
	kb_identity_recipient(id, &r);
	kb_recipient_format(&r, recipient);
	assert_string_equal(recipient, public_text);
	kb_identity_free(&id);
}

TEST(any_one_character_mistyped_is_seen)
{
	static const char letters[] = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L1BIOqz-. \n";
	char text[sizeof(secret_text)];
	uint8_t data[KB_BECH32_DATA];

	for (size_t i = 0; i + 1 < sizeof(secret_text); i++) {
		for (const char *c = letters; *c; c++) {
			memcpy(text, secret_text, sizeof(text));
			text[i] = *c;
			if (*c != secret_text[i])
				assert_int_equal(kb_bech32_parse(KB_LIT("AGE-SECRET-KEY-"), kb_span_str(text), data), KB_MALFORMED);
		}
	}
}

TEST(two_characters_exchanged_are_seen)
{
	char text[KB_BECH32_TEXT(3)];
	uint8_t data[KB_BECH32_DATA];

	for (uint8_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 29);
	kb_bech32_format(KB_LIT("age"), data, text);
	for (size_t i = 4; i + 2 < sizeof(text); i++) {
		char c = text[i];

		if (c == text[i + 1])
			continue;
		text[i] = text[i + 1];
		text[i + 1] = c;
		assert_int_equal(kb_bech32_parse(KB_LIT("age"), kb_span_str(text), data), KB_MALFORMED);
		text[i + 1] = text[i];
		text[i] = c;
	}
	assert_ok(kb_bech32_parse(KB_LIT("age"), kb_span_str(text), data));
}

TEST(another_case_prefix_or_length_is_refused)
{
	char text[KB_RECIPIENT_TEXT + 1];
	struct kb_identity *id = kb_identity_generate(), *none = NULL;
	struct kb_recipient r;

	kb_identity_recipient(id, &r);
	kb_identity_free(&id);
	kb_recipient_format(&r, text);
	text[KB_RECIPIENT_TEXT - 1] = 'q';
	assert_ok(kb_recipient_parse(KB_SPAN(text, KB_RECIPIENT_TEXT - 1), &r)); /* the control */
	assert_int_equal(kb_recipient_parse(KB_SPAN(text, KB_RECIPIENT_TEXT), &r), KB_MALFORMED);
	assert_int_equal(kb_recipient_parse(KB_SPAN(text, KB_RECIPIENT_TEXT - 2), &r), KB_MALFORMED);
	assert_int_equal(kb_recipient_parse(KB_SPAN(text, 0), &r), KB_MALFORMED);
	assert_int_equal(kb_identity_parse(KB_SPAN(text, KB_RECIPIENT_TEXT - 1), &none), KB_MALFORMED);
	assert_null(none);
	for (size_t i = 0; i < KB_RECIPIENT_TEXT - 1; i++)
		if (text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)(text[i] - 'a' + 'A');
	assert_int_equal(kb_recipient_parse(KB_SPAN(text, KB_RECIPIENT_TEXT - 1), &r), KB_MALFORMED); /* all upper case */
}

/* The checksum of each is right, so that the padding bits alone are wrong: four bits, of which each must be zero. */
TEST(padding_bits_that_are_not_zero_are_refused)
{
	static const char *const texts[] = {
	    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpfwgqrs",
	    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqz8aakd0",
	    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqymj7n3c",
	    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqg2vceql",
	};
	uint8_t data[KB_BECH32_DATA];

	assert_ok(kb_bech32_parse(KB_LIT("age"), KB_LIT("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z"), data));
	for (size_t i = 0; i < KB_LEN(texts); i++)
		assert_int_equal(kb_bech32_parse(KB_LIT("age"), kb_span_str(texts[i]), data), KB_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(what_is_written_reads_again),
	    RUN(an_identity_is_written_in_upper_case_and_a_recipient_in_lower),
	    RUN(a_known_key_reads_as_its_octets_and_has_the_public_half_that_age_gives_it),
	    RUN(any_one_character_mistyped_is_seen),
	    RUN(two_characters_exchanged_are_seen),
	    RUN(another_case_prefix_or_length_is_refused),
	    RUN(padding_bits_that_are_not_zero_are_refused),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
