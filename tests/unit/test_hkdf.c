/* hkdf: RFC 5869's own test vectors for SHA-256, and the edges that age uses. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include <kitebox/age.h>

static struct kb_span hex(const char *text, uint8_t *out, size_t cap)
{
	size_t n = 0;

	assert_int_equal(sodium_hex2bin(out, cap, text, strlen(text), NULL, &n, NULL), 0);
	return KB_SPAN(out, n);
}

/* RFC 5869, appendix A.1 to A.3. */
TEST(the_vectors_of_rfc_5869_come_out)
{
	static const struct {
		const char *ikm, *salt, *info, *okm;
	} rows[] = {
	    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
	    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
	     "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
		"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
		"909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		"b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
		"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
		"da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
	    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	};
	uint8_t ikm[96], salt[96], info[96], okm[96], got[96];

	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_span want = hex(rows[i].okm, okm, sizeof(okm));

		kb_hkdf_sha256(got, want.len, hex(rows[i].ikm, ikm, sizeof(ikm)), hex(rows[i].salt, salt, sizeof(salt)),
		    hex(rows[i].info, info, sizeof(info)));
		assert_memory_equal(got, want.p, want.len);
	}
}

TEST(a_missing_salt_is_thirty_two_zeros)
{
	static const uint8_t zero[32];
	uint8_t a[48], b[48];

	kb_hkdf_sha256(a, sizeof(a), KB_LIT("key"), KB_SPAN(NULL, 0), KB_LIT("info"));
	kb_hkdf_sha256(b, sizeof(b), KB_LIT("key"), KB_SPAN(zero, sizeof(zero)), KB_LIT("info"));
	assert_memory_equal(a, b, sizeof(a));
	kb_hkdf_sha256(b, sizeof(b), KB_LIT("key"), KB_LIT("salt"), KB_LIT("info"));
	assert_memory_not_equal(a, b, sizeof(a));
}

TEST(a_shorter_output_is_the_beginning_of_a_longer_one)
{
	uint8_t longest[255 * 32], got[65];

	kb_hkdf_sha256(longest, sizeof(longest), KB_LIT("key"), KB_LIT("salt"), KB_SPAN(NULL, 0));
	for (size_t n = 0; n <= 64; n++) {
		memset(got, 0xAA, sizeof(got));
		kb_hkdf_sha256(got, n, KB_LIT("key"), KB_LIT("salt"), KB_SPAN(NULL, 0));
		if (n)
			assert_memory_equal(got, longest, n);
		assert_int_equal(got[n], 0xAA); /* nothing past the end is touched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(the_vectors_of_rfc_5869_come_out),
	    RUN(a_missing_salt_is_thirty_two_zeros),
	    RUN(a_shorter_output_is_the_beginning_of_a_longer_one),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
