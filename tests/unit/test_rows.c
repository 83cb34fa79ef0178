/* rows: exactly the octets of docs/FORMATS.md, and nothing that is not exactly them reads. Vectors were made with
 * Python's hashlib. */
#include "kbtest.h"

#include <string.h>

#include "rows.h"

static void ramp(uint8_t *p, size_t n, uint8_t from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(from + i);
}

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
	char text[2048];
	assert_true(2 * n + 1 <= sizeof text);
	sodium_bin2hex(text, sizeof text, p, n);
	assert_string_equal(text, hex);
}

static struct kb_msg a_message(void)
{
	struct kb_msg m = {
	    .class_ = KB_CLASS_ALLEGATION,
	    .channel = 0,
	    .urgent = 1,
	    .received_s = 1764000000,
	    .size_class = 2816,
	    .entitled = 5,
	    .blob = 3,
	    .blob_len = 3032,
	    .epoch = 1,
	    .roster_version = 2,
	    .header_len = 200,
	    .referrals = 1,
	};
	ramp(m.id.b, sizeof m.id.b, 0);
	ramp(m.case_id.b, sizeof m.case_id.b, 0x40);
	ramp(m.sealed_hash, sizeof m.sealed_hash, 0x60);
	ramp(m.summary_hash, sizeof m.summary_hash, 0x80);
	return m;
}

static size_t write_row(enum kb_row row, struct kb_span key, const void *src, struct kb_span tail, uint8_t *out)
{
	uint8_t *p = kb_row_write(row, src, out);
	if (tail.len)
		memcpy(p, tail.p, tail.len);
	kb_row_check(row, key, out, kb_row_len(row, tail.len));
	return kb_row_len(row, tail.len);
}

TEST(a_message_row_is_the_octets_of_the_format)
{
	static const char hex[] =
	    "01000102030405060708090a0b0c0d0e0f404142434401000100000081246900000000000b00000000000005000000000000000300"
	    "000000"
	    "000000d80b0000000000000100000002000000c800000001000000606162636465666768696a6b6c6d6e6f70717273747576777879"
	    "7a7b"
	    "7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fe07a1165d5f019e1c2d1ee8a062f9cab";
	struct kb_msg m = a_message(), back = {0};
	uint8_t key[8], row[KB_ROW_FIXED_MOST];
	kb_put_be64(key, 7);
	size_t n = write_row(KB_ROW_MSG, KB_SPAN(key, 8), &m, KB_SPAN(NULL, 0), row);
	assert_hex(row, n, hex);
	assert_ok(kb_row_read(NULL, KB_ROW_MSG, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL));
	assert_memory_equal(&back.id, &m.id, sizeof m.id);
	assert_int_equal(back.entitled, 5);
	assert_int_equal(back.header_len, 200);
	assert_memory_equal(back.summary_hash, m.summary_hash, 32);
}

TEST(rows_of_every_shape_are_the_octets_of_the_format)
{
	struct kb_number seven = {7};
	uint8_t row[128], id[16], key[16];
	ramp(id, sizeof id, 0);
	assert_hex(row, write_row(KB_ROW_NAME, KB_SPAN(id, 16), &seven, KB_SPAN(NULL, 0), row),
	    "01070000000000000062a0744e7d18dfc37b523e92fc93eab5");
	kb_put_be64(key, 1764000000);
	kb_put_be64(key + 8, 7);
	assert_hex(row, write_row(KB_ROW_BYTIME, KB_SPAN(key, 16), NULL, KB_SPAN(NULL, 0), row),
	    "01c1b6b7dbbeff751a7f87f52b67343707");
	kb_put_be64(key, 3);
	memcpy(key + 8, "\0\0\0\1", 4);
	assert_hex(row, write_row(KB_ROW_BLOB, KB_SPAN(key, 12), NULL, KB_LIT("sealed"), row),
	    "017365616c656431dc565fb3cb16432f350f74dd0e9317");
}

TEST(any_octet_that_changed_is_found)
{
	struct kb_msg m = a_message(), back;
	uint8_t key[8] = {0}, row[KB_ROW_FIXED_MOST];
	size_t n = write_row(KB_ROW_MSG, KB_SPAN(key, 8), &m, KB_SPAN(NULL, 0), row);
	for (size_t i = 0; i < n; i++) {
		row[i] ^= 0x10;
		assert_int_not_equal(
		    kb_row_read(NULL, KB_ROW_MSG, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL), KB_OK);
		row[i] ^= 0x10;
	}
	assert_ok(kb_row_read(NULL, KB_ROW_MSG, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL));
}

TEST(a_row_under_another_key_or_in_another_table_does_not_read)
{
	struct kb_number seven = {7}, back;
	uint8_t a[16] = {1}, b[16] = {2}, row[64];
	size_t n = write_row(KB_ROW_NAME, KB_SPAN(a, 16), &seven, KB_SPAN(NULL, 0), row);
	assert_ok(kb_row_read(NULL, KB_ROW_NAME, KB_SPAN(a, 16), KB_SPAN(row, n), &back, NULL));
	assert_int_equal(kb_row_read(NULL, KB_ROW_NAME, KB_SPAN(b, 16), KB_SPAN(row, n), &back, NULL), KB_CORRUPT);
	assert_int_equal(kb_row_read(NULL, KB_ROW_REFNAME, KB_SPAN(a, 16), KB_SPAN(row, n), &back, NULL), KB_CORRUPT);
}

TEST(a_row_of_another_length_does_not_read_even_with_its_own_checksum)
{
	struct kb_number seven = {7}, back;
	uint8_t key[16] = {1}, row[64] = {0};
	size_t n = kb_row_len(KB_ROW_NAME, 0);
	kb_row_write(KB_ROW_NAME, &seven, row);
	for (size_t len = 17; len < sizeof row; len++) {
		kb_row_check(KB_ROW_NAME, KB_SPAN(key, 16), row, len);
		assert_int_equal(kb_row_read(NULL, KB_ROW_NAME, KB_SPAN(key, 16), KB_SPAN(row, len), &back, NULL),
		    len == n ? KB_OK : KB_CORRUPT);
	}
	assert_int_equal(kb_row_read(NULL, KB_ROW_NAME, KB_SPAN(key, 16), KB_SPAN(row, 0), &back, NULL), KB_CORRUPT);
}

TEST(another_version_is_unsupported_and_a_value_out_of_range_is_damage)
{
	struct kb_msg m = a_message(), back;
	uint8_t key[8] = {0}, row[KB_ROW_FIXED_MOST];
	size_t n = write_row(KB_ROW_MSG, KB_SPAN(key, 8), &m, KB_SPAN(NULL, 0), row);
	row[0] = 2;
	kb_row_check(KB_ROW_MSG, KB_SPAN(key, 8), row, n);
	assert_int_equal(kb_row_read(NULL, KB_ROW_MSG, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL), KB_UNSUPPORTED);
	m.class_ = KB_CLASS_COUNT;
	n = write_row(KB_ROW_MSG, KB_SPAN(key, 8), &m, KB_SPAN(NULL, 0), row);
	assert_int_equal(kb_row_read(NULL, KB_ROW_MSG, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL), KB_CORRUPT);
}

TEST(a_text_that_is_not_ended_or_goes_on_after_its_end_is_damage)
{
	struct kb_referral r = {.destination = "oia"}, back;
	uint8_t key[8] = {0}, row[KB_ROW_FIXED_MOST];
	size_t n = write_row(KB_ROW_REFERRAL, KB_SPAN(key, 8), &r, KB_SPAN(NULL, 0), row);
	assert_ok(kb_row_read(NULL, KB_ROW_REFERRAL, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL));
	r.destination[9] = 'x';
	n = write_row(KB_ROW_REFERRAL, KB_SPAN(key, 8), &r, KB_SPAN(NULL, 0), row);
	assert_int_equal(kb_row_read(NULL, KB_ROW_REFERRAL, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL), KB_CORRUPT);
	memset(r.destination, 'x', sizeof r.destination);
	n = write_row(KB_ROW_REFERRAL, KB_SPAN(key, 8), &r, KB_SPAN(NULL, 0), row);
	assert_int_equal(kb_row_read(NULL, KB_ROW_REFERRAL, KB_SPAN(key, 8), KB_SPAN(row, n), &back, NULL), KB_CORRUPT);
}

static struct kb_entry an_entry(void)
{
	struct kb_entry e = {.time_s = 1764000000,
	    .act = KB_ACT_SEALED,
	    .actor = "sealer",
	    .number = 2,
	    .subjects = 1,
	    .commitments = 1};
	ramp(e.salt, sizeof e.salt, 0xa0);
	ramp(e.case_id.b, sizeof e.case_id.b, 0x40);
	ramp(e.subject[0].b, KB_ID_LEN, 0);
	ramp(e.commitment[0], 32, 0x60);
	ramp(e.previous, 32, 0xc0);
	return e;
}

TEST(a_journal_entry_and_its_hash_are_those_of_the_format)
{
	static const char body_hex[] = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf008124690000000002007365616c6572000000000000000"
				       "000000000000000000000000000000000"
				       "00004041424344020000000101000102030405060708090a0b0c0d0e0f606162636465666768696"
				       "a6b6c6d6e6f707172737475767778797a"
				       "7b7c7d7e7f";
	struct kb_entry e = an_entry(), back;
	uint8_t body[KB_ENTRY_MOST], hash[32];
	size_t n = kb_entry_body_write(&e, body);
	assert_hex(body, n, body_hex);
	kb_entry_hash(9, e.previous, KB_SPAN(body, n), hash);
	assert_hex(hash, 32, "714a824a31d02a70ab3c8cbaadbcbb1919e97ebad5fc7e103c35300802cb0316");
	assert_ok(kb_entry_body_parse(NULL, KB_SPAN(body, n), &back));
	assert_int_equal(back.act, KB_ACT_SEALED);
	assert_string_equal(back.actor, "sealer");
	assert_memory_equal(&back.subject[0], &e.subject[0], KB_ID_LEN);
}

TEST(an_entry_that_is_cut_or_goes_on_or_names_no_act_does_not_parse)
{
	struct kb_entry e = an_entry(), back;
	uint8_t body[KB_ENTRY_MOST] = {0};
	size_t n = kb_entry_body_write(&e, body);
	for (size_t len = 0; len < sizeof body; len++)
		assert_int_equal(kb_entry_body_parse(NULL, KB_SPAN(body, len), &back), len == n ? KB_OK : KB_CORRUPT);
	for (unsigned act = 0; act < 256; act++) {
		body[24] = (uint8_t)act;
		assert_int_equal(
		    kb_entry_body_parse(NULL, KB_SPAN(body, n), &back) == KB_OK, act > 0 && act < KB_ACT_COUNT);
	}
}

TEST(every_act_has_a_name_and_every_row_a_table)
{
	for (unsigned i = 1; i < KB_ACT_COUNT; i++)
		assert_non_null(kb_act_name(i));
	assert_null(kb_act_name(0));
	assert_null(kb_act_name(KB_ACT_COUNT));
	for (unsigned i = 0; i < KB_ROW_COUNT; i++)
		assert_non_null(kb_table_name(kb_row_table((enum kb_row)i)));
	assert_int_equal(kb_row_table(KB_ROW_MEMBER), KB_TABLE_CASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_message_row_is_the_octets_of_the_format),
	    RUN(rows_of_every_shape_are_the_octets_of_the_format),
	    RUN(any_octet_that_changed_is_found),
	    RUN(a_row_under_another_key_or_in_another_table_does_not_read),
	    RUN(a_row_of_another_length_does_not_read_even_with_its_own_checksum),
	    RUN(another_version_is_unsupported_and_a_value_out_of_range_is_damage),
	    RUN(a_text_that_is_not_ended_or_goes_on_after_its_end_is_damage),
	    RUN(a_journal_entry_and_its_hash_are_those_of_the_format),
	    RUN(an_entry_that_is_cut_or_goes_on_or_names_no_act_does_not_parse),
	    RUN(every_act_has_a_name_and_every_row_a_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
