/* minisign: what stock minisign 0.11 writes is read, what we write is the same, and every octet of it counts. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include <kitebox/minisign.h>

#define COMMENT "untrusted comment: a comment\n"
/* Of one key pair, as minisign -G -W and -S wrote them; the first text is "a LF b LF". */
#define PUBLIC "RWTqWrwFpLfS2nwCrYcd8zN2Uh1mFxfikr8esl8xlPQwaCGz77JO+23H"
#define SECRET \
	"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA6lq8BaS30totsHfm7rCHx/VuwWOiVBMaQaPE18" \
	"pi6ID1tQFIZPwOeXwCrYcd8zN2Uh1mFxfikr8esl8xlPQwaCGz77JO+23HAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define TEXT KB_LIT("a\nb\n")
#define SIG "RUTqWrwFpLfS2k8EqyALS8yKmAb5QQYK6nUFhatDhekb+2/OswUwXOnv9PkXRZykaqK3i710XVJjJEdiIMAmeF16K4QYZvJFCA0="
#define TRUSTED "a trusted comment"
#define GLOBAL "BGKT9KVy598rs9faRnfo0CC085pFrO5DfHDGf0rTzM90I/opkYU2MlQ7HY7kR/plU9tiXpq/vtp2ubzzbug1CQ=="
/* The same secret key under "correct horse" (opslimit 32768, memlimit 2^24: little work), which stock minisign opens too. */
#define SECRET_ENCRYPTED \
	"RWRTY0IyAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AgAAAAAAAAAAAAAEAAAAA9fuIjfA2WERjIEA2r/hQXA1gJq9qwXcD2PRmcE" \
	"kxxwBIjpYlvdmLvRN1MM1HBdcxxEdSKYn1rNXRpmr2WuUGpr2uoYDiIS7suKFJO6oUI00LG9GYylUVQsgwjuVYbFpV13f1J44+7i8="
/* minisign -S -l: over the file itself. */
#define SIG_OLDER "RWTqWrwFpLfS2gEw+JpX9RaAedh2lEOS77HS4KXlsxTGgfAZonKE5j4/jArSPII44uVGHbjtBR7FKdqD9s+GccT6azknzcXEuQo="
#define GLOBAL_OLDER "iCAzrlKLOnsU0IfwJ8lfy4HC0CFLxYlImbP1wNt/R8nlh8W06uiC/OlRMs2DNbUierZM/lCyLxgWWl16kAEtBQ=="
/* Another pair: a passphrase was taken off it with minisign -C -W, which leaves salt and checksum where they were. */
#define PUBLIC_OTHER "RWTEaC5t7wqD8zs3hnYvzj/hqhnDSxDt8ks6kVwMM8RyJtkmLhACHhnV"
#define SECRET_OTHER \
	"RWQAAEIye5Nd+3uDI4vE9Aax1SSEr5HlxeqK3s3jdpzX1IV6VQ4AAAACAAAAAAAAAEAAAAAAxGgube8Kg/POL42gCPg6pL0CptQjmUZPZFd6w9" \
	"nGX3DT6msK9FHXkTs3hnYvzj/hqhnDSxDt8ks6kVwMM8RyJtkmLhACHhnVANtTogGrOH1JGpX/PuPGaAFOi/8FtNmAqhd6UOr651s="

static struct kb_minisign_public public_of(const char *text)
{
	struct kb_minisign_public p;

	assert_ok(kb_minisign_public_parse(NULL, kb_span_str(text), &p));
	return p;
}

static struct kb_minisign_key stock_key(void)
{
	struct kb_minisign_key k;

	assert_ok(kb_minisign_key_parse(NULL, KB_LIT(COMMENT SECRET "\n"), KB_SPAN(NULL, 0), &k));
	return k;
}

static enum kb_status verify(const char *public_text, struct kb_span file, struct kb_span sig, struct kb_span *ret_trusted)
{
	struct kb_minisign_public p = public_of(public_text);
	uint8_t prehash[64];

	kb_minisign_prehash(file, prehash);
	return kb_minisign_verify(NULL, &p, prehash, sig, ret_trusted);
}

TEST(a_stock_signature_verifies_and_its_comment_comes_back)
{
	struct kb_span trusted;

	assert_ok(verify(PUBLIC, TEXT, KB_LIT(COMMENT SIG "\ntrusted comment: " TRUSTED "\n" GLOBAL "\n"), &trusted));
	assert_span(trusted, TRUSTED);
}

TEST(ours_is_the_same_signature_octet_for_octet)
{
	struct kb_minisign_key k = stock_key();
	uint8_t prehash[64];
	struct kb_buf sig;
	struct kb_span rest, line;

	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	kb_minisign_prehash(TEXT, prehash);
	assert_ok(kb_minisign_sign(&k, prehash, KB_LIT(TRUSTED), &sig));
	rest = kb_buf_span(&sig);
	assert_true(kb_span_line(&rest, &line) && kb_span_starts(line, KB_LIT("untrusted comment: ")));
	assert_span(rest, SIG "\ntrusted comment: " TRUSTED "\n" GLOBAL "\n");
	kb_buf_release(&sig);
	kb_minisign_release(&k);
	assert_true(sodium_is_zero((const uint8_t *)&k, sizeof(k)));
}

TEST(another_text_key_or_comment_does_not_verify)
{
	struct kb_span t;

	const struct kb_span sig = KB_LIT(COMMENT SIG "\ntrusted comment: " TRUSTED "\n" GLOBAL "\n");

	assert_int_equal(verify(PUBLIC, KB_LIT("a\nc\n"), sig, &t), KB_FORGED);
	assert_int_equal(verify(PUBLIC, KB_LIT(""), sig, &t), KB_FORGED);
	assert_int_equal(verify(PUBLIC_OTHER, TEXT, sig, &t), KB_NOKEY);
	assert_int_equal(verify(PUBLIC, TEXT, KB_LIT(COMMENT SIG "\ntrusted comment: A trusted comment\n" GLOBAL "\n"), &t), KB_FORGED);
	assert_int_equal(verify(PUBLIC, TEXT, KB_LIT(COMMENT SIG "\ntrusted comment: \n" GLOBAL "\n"), &t), KB_FORGED);
	/* The comment that nobody signed may say what it likes. */
	assert_ok(verify(PUBLIC, TEXT, KB_LIT("untrusted comment: x\n" SIG "\ntrusted comment: " TRUSTED "\n" GLOBAL "\n"), &t));
}

/* An id is chosen freely: a key of the same id is still another key. */
TEST(a_key_that_only_bears_the_id_does_not_verify)
{
	struct kb_minisign_public p = public_of(PUBLIC);
	struct kb_minisign_key other;
	uint8_t prehash[64];
	struct kb_buf sig;
	struct kb_span trusted;

	kb_minisign_generate(&other);
	memcpy(other.pub.id, p.id, sizeof(p.id));
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	kb_minisign_prehash(TEXT, prehash);
	assert_ok(kb_minisign_sign(&other, prehash, KB_LIT("x"), &sig));
	assert_ok(kb_minisign_verify(NULL, &other.pub, prehash, kb_buf_span(&sig), &trusted)); /* the control */
	assert_int_equal(kb_minisign_verify(NULL, &p, prehash, kb_buf_span(&sig), &trusted), KB_FORGED);
	kb_buf_release(&sig);
	kb_minisign_release(&other);
}

TEST(a_signature_has_four_lines_of_one_form)
{
#define REST "\ntrusted comment: " TRUSTED "\n" GLOBAL "\n"
	static const struct {
		const char *sig;
		enum kb_status st;
	} rows[] = {
	    {COMMENT SIG REST, KB_OK},
	    {"untrusted comment: \n" SIG REST, KB_OK},
	    {"untrusted comment: tab\tand \xC3\xA9\n" SIG REST, KB_OK},
	    {"", KB_MALFORMED},
	    {COMMENT, KB_MALFORMED},
	    {COMMENT SIG "\n", KB_MALFORMED},
	    {COMMENT SIG "\ntrusted comment: " TRUSTED "\n", KB_MALFORMED},
	    {COMMENT SIG "\ntrusted comment: " TRUSTED "\n" GLOBAL, KB_MALFORMED},
	    {COMMENT SIG REST "\n", KB_MALFORMED},
	    {COMMENT SIG REST "x", KB_MALFORMED},
	    {"\n" COMMENT SIG REST, KB_MALFORMED},
	    {SIG REST, KB_MALFORMED},
	    {"Untrusted comment: x\n" SIG REST, KB_MALFORMED},
	    {"untrusted comment:x\n" SIG REST, KB_MALFORMED},
	    {"untrusted comment: \x1B[2J\n" SIG REST, KB_MALFORMED},
	    {"untrusted comment: \xFF\n" SIG REST, KB_MALFORMED},
	    {"untrusted comment: x\r\n" SIG REST, KB_MALFORMED},
	    {COMMENT SIG "\r" REST, KB_MALFORMED},
	    {COMMENT SIG " " REST, KB_MALFORMED},
	    {COMMENT " " SIG REST, KB_MALFORMED},
	    {COMMENT SIG "=" REST, KB_MALFORMED},
	    {COMMENT GLOBAL REST, KB_MALFORMED}, /* 64 octets, not 74 */
	    {COMMENT SIG "\nuntrusted comment: " TRUSTED "\n" GLOBAL "\n", KB_MALFORMED},
	    {COMMENT SIG "\ntrusted comment: " TRUSTED "\r\n" GLOBAL "\n", KB_MALFORMED},
	    {COMMENT SIG "\ntrusted comment: " TRUSTED "\n" SIG "\n", KB_MALFORMED},
	    {COMMENT SIG "\ntrusted comment: " TRUSTED "\n" GLOBAL_OLDER "\n", KB_FORGED},
	    {COMMENT SIG_OLDER "\ntrusted comment: " TRUSTED "\n" GLOBAL_OLDER "\n", KB_UNSUPPORTED},
	};
	struct kb_minisign_public p = public_of(PUBLIC);
	struct kb_span trusted;
	uint8_t prehash[64];

	kb_minisign_prehash(TEXT, prehash);
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_diag d = {0};
		enum kb_status st = kb_minisign_verify(&d, &p, prehash, kb_span_str(rows[i].sig), &trusted);

		if (st != rows[i].st)
			fail_msg("row %zu: %s", i, kb_status_row(st)->name);
		assert_true((st != KB_OK) == (d.what != NULL));
	}
}

/* Base64 of 74 and of 64 octets has bits to spare in its last letter, so this would be two texts for one signature. */
TEST(every_octet_of_a_signature_counts)
{
	char sig[] = COMMENT SIG "\ntrusted comment: " TRUSTED "\n" GLOBAL "\n";
	struct kb_minisign_public p = public_of(PUBLIC);
	struct kb_span trusted;
	uint8_t prehash[64];

	kb_minisign_prehash(TEXT, prehash);
	for (size_t i = sizeof(COMMENT) - 1; i + 1 < sizeof(sig); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			sig[i] = (char)(sig[i] ^ (char)(1u << bit));
			assert_int_not_equal(kb_minisign_verify(NULL, &p, prehash, KB_SPAN(sig, sizeof(sig) - 1), &trusted), KB_OK);
			sig[i] = (char)(sig[i] ^ (char)(1u << bit));
		}
		assert_int_not_equal(kb_minisign_verify(NULL, &p, prehash, KB_SPAN(sig, i), &trusted), KB_OK);
	}
	assert_ok(kb_minisign_verify(NULL, &p, prehash, KB_SPAN(sig, sizeof(sig) - 1), &trusted));
}

TEST(a_trusted_comment_is_one_line_of_at_most_512_octets)
{
	static const char *const bad[] = {"two\nlines", "a\rreturn", "\x1B[2J", "\x7F", "\xC2\x9B", "\xFF", "\xED\xA0\x80"};
	struct kb_minisign_key k = stock_key();
	char longest[KB_MINISIGN_COMMENT_MOST + 1];
	uint8_t prehash[64] = {0};
	struct kb_span trusted;
	struct kb_buf sig;

	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kb_minisign_sign(&k, prehash, kb_span_str(bad[i]), &sig), KB_MALFORMED);
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(kb_minisign_sign(&k, prehash, KB_SPAN(longest, sizeof(longest)), &sig), KB_LIMIT);
	assert_int_equal(sig.len, 0);
	assert_ok(kb_minisign_sign(&k, prehash, KB_SPAN(longest, sizeof(longest) - 1), &sig));
	assert_ok(kb_minisign_verify(NULL, &k.pub, prehash, kb_buf_span(&sig), &trusted));
	assert_int_equal(trusted.len, KB_MINISIGN_COMMENT_MOST);
	kb_buf_clear(&sig);
	assert_ok(kb_minisign_sign(&k, prehash, KB_LIT("time\t1 \xC3\xA9"), &sig));
	assert_ok(kb_minisign_verify(NULL, &k.pub, prehash, kb_buf_span(&sig), &trusted));
	assert_span(trusted, "time\t1 \xC3\xA9");
	kb_buf_release(&sig);
	kb_buf_init(&sig, 300);
	assert_ok(kb_buf_str(&sig, "kept"));
	assert_int_equal(kb_minisign_sign(&k, prehash, KB_SPAN(longest, 200), &sig), KB_LIMIT);
	assert_span(kb_buf_span(&sig), "kept");
	kb_buf_release(&sig);
	kb_minisign_release(&k);
}

TEST(a_public_key_is_one_line_or_two)
{
	static const struct {
		const char *text;
		enum kb_status st;
	} rows[] = {
	    {PUBLIC, KB_OK},
	    {PUBLIC "\n", KB_OK},
	    {COMMENT PUBLIC "\n", KB_OK},
	    {COMMENT PUBLIC, KB_OK},
	    {"", KB_MALFORMED},
	    {"\n", KB_MALFORMED},
	    {COMMENT, KB_MALFORMED},
	    {"untrusted comment: x", KB_MALFORMED},
	    {COMMENT "\n" PUBLIC "\n", KB_MALFORMED},
	    {COMMENT COMMENT PUBLIC "\n", KB_MALFORMED},
	    {PUBLIC "\n\n", KB_MALFORMED},
	    {PUBLIC "\n" PUBLIC "\n", KB_MALFORMED},
	    {PUBLIC " ", KB_MALFORMED},
	    {" " PUBLIC, KB_MALFORMED},
	    {PUBLIC "\r\n", KB_MALFORMED},
	    {PUBLIC "=", KB_MALFORMED},
	    {PUBLIC "AAAA", KB_MALFORMED},
	    {SIG "\n", KB_MALFORMED},
	};
	struct kb_minisign_public p, want = public_of(PUBLIC);
	char text[KB_MINISIGN_PUBLIC_TEXT];

	for (size_t i = 0; i < KB_LEN(rows); i++) {
		enum kb_status st = kb_minisign_public_parse(NULL, kb_span_str(rows[i].text), &p);

		if (st != rows[i].st)
			fail_msg("row %zu: %s", i, kb_status_row(st)->name);
		if (st == KB_OK)
			assert_memory_equal(&p, &want, sizeof(p));
	}
	kb_minisign_public_format(&want, text);
	assert_string_equal(text, PUBLIC);
	text[1] = 'U'; /* "ED" is no algorithm of a key */
	assert_int_equal(kb_minisign_public_parse(NULL, kb_span_str(text), &p), KB_UNSUPPORTED);
}

TEST(a_stock_secret_key_gives_its_public_half)
{
	struct kb_minisign_public want = public_of(PUBLIC), other = public_of(PUBLIC_OTHER);
	struct kb_minisign_key k = stock_key();

	assert_memory_equal(&k.pub, &want, sizeof(want));
	assert_ok(kb_minisign_key_parse(NULL, KB_LIT(COMMENT SECRET_OTHER "\n"), KB_SPAN(NULL, 0), &k));
	assert_memory_equal(&k.pub, &other, sizeof(other));
	assert_ok(kb_minisign_key_parse(NULL, KB_LIT(COMMENT SECRET_ENCRYPTED "\n"), KB_LIT("correct horse"), &k));
	assert_memory_equal(&k.pub, &want, sizeof(want));
	kb_minisign_release(&k);
}

TEST(a_secret_key_opens_with_its_passphrase_alone)
{
	struct kb_minisign_key k;

	memset(&k, 0, sizeof(k));
	assert_int_equal(kb_minisign_key_parse(NULL, KB_LIT(COMMENT SECRET_ENCRYPTED "\n"), KB_LIT("wrong horse"), &k), KB_NOKEY);
	assert_int_equal(kb_minisign_key_parse(NULL, KB_LIT(COMMENT SECRET_ENCRYPTED "\n"), KB_SPAN(NULL, 0), &k), KB_NOKEY);
	assert_int_equal(kb_minisign_key_parse(NULL, KB_LIT(COMMENT SECRET "\n"), KB_LIT("correct horse"), &k), KB_NOKEY);
	assert_true(sodium_is_zero((const uint8_t *)&k, sizeof(k)));
}

TEST(a_secret_key_file_has_two_lines)
{
	static const char *const bad[] = {"", COMMENT, SECRET "\n", COMMENT SECRET, COMMENT SECRET "\n\n", COMMENT SECRET "\nx",
	    COMMENT SECRET "\r\n", COMMENT " " SECRET "\n", COMMENT PUBLIC "\n", COMMENT SECRET "=\n", "comment: x\n" SECRET "\n"};
	struct kb_minisign_key k;

	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kb_minisign_key_parse(NULL, kb_span_str(bad[i]), KB_SPAN(NULL, 0), &k), KB_MALFORMED);
}

/* Octets of a plain secret key, changed one at a time. */
static enum kb_status parse_changed(const char *secret, const char *passphrase, size_t at, uint8_t mask)
{
	uint8_t octets[158];
	char text[300] = COMMENT;
	struct kb_minisign_key k;
	size_t n = 0;

	assert_int_equal(
	    sodium_base642bin(octets, sizeof(octets), secret, strlen(secret), NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
	assert_int_equal(n, sizeof(octets));
	octets[at] ^= mask;
	assert_non_null(sodium_bin2base64(text + strlen(text), sizeof(text) - strlen(text), octets, n, sodium_base64_VARIANT_ORIGINAL));
	text[strlen(text)] = '\n'; /* the rest of the array is zero */
	return kb_minisign_key_parse(NULL, kb_span_str(text), kb_span_str(passphrase), &k);
}

TEST(a_secret_key_that_was_altered_is_refused)
{
	assert_ok(parse_changed(SECRET, "", 0, 0)); /* the control */
	assert_int_equal(parse_changed(SECRET, "", 0, 1), KB_UNSUPPORTED);
	assert_int_equal(parse_changed(SECRET, "", 2, 1), KB_UNSUPPORTED);
	assert_int_equal(parse_changed(SECRET, "", 4, 1), KB_UNSUPPORTED);
	assert_int_equal(parse_changed(SECRET, "", 62, 1), KB_MALFORMED);  /* seed */
	assert_int_equal(parse_changed(SECRET, "", 125, 1), KB_MALFORMED); /* public half */
	assert_int_equal(parse_changed(SECRET, "", 157, 1), KB_MALFORMED); /* checksum: zero, or right */
	assert_int_equal(parse_changed(SECRET_OTHER, "", 157, 1), KB_MALFORMED);
	assert_int_equal(parse_changed(SECRET_OTHER, "", 54, 1), KB_MALFORMED); /* id, which the checksum covers */
	assert_int_equal(parse_changed(SECRET_ENCRYPTED, "correct horse", 6, 1), KB_NOKEY); /* salt */
	assert_int_equal(parse_changed(SECRET_ENCRYPTED, "correct horse", 70, 1), KB_NOKEY);
	assert_int_equal(parse_changed(SECRET_ENCRYPTED, "correct horse", 157, 1), KB_NOKEY);
}

TEST(work_past_the_limit_is_refused_before_it_is_spent)
{
	assert_int_equal(parse_changed(SECRET_ENCRYPTED, "correct horse", 42, 1), KB_LIMIT); /* opslimit 2^32 more */
	assert_int_equal(parse_changed(SECRET_ENCRYPTED, "correct horse", 45, 0x80), KB_LIMIT);
	assert_int_equal(parse_changed(SECRET_ENCRYPTED, "correct horse", 49, 0x80), KB_LIMIT); /* memlimit 2 GiB more */
	assert_int_equal(parse_changed(SECRET_ENCRYPTED, "correct horse", 53, 0x80), KB_LIMIT);
}

/* Under a passphrase it is much work on purpose: tests/interop/minisign.py has it done once, and reads it with stock minisign. */
TEST(what_is_written_reads_again)
{
	struct kb_minisign_key k, again;
	struct kb_buf file;

	kb_minisign_generate(&k);
	kb_buf_init(&file, 1000);
	assert_ok(kb_minisign_key_format(&k, KB_SPAN(NULL, 0), &file));
	assert_ok(kb_minisign_key_parse(NULL, kb_buf_span(&file), KB_SPAN(NULL, 0), &again));
	assert_memory_equal(&again, &k, sizeof(k));
	kb_buf_release(&file);
	kb_buf_init(&file, 100);
	assert_int_equal(kb_minisign_key_format(&k, KB_SPAN(NULL, 0), &file), KB_LIMIT);
	assert_int_equal(file.len, 0);
	kb_buf_release(&file);
	kb_minisign_release(&again);
	kb_minisign_release(&k);
}

TEST(two_generated_keys_differ_in_id_and_key)
{
	struct kb_minisign_key a, b;

	kb_minisign_generate(&a);
	kb_minisign_generate(&b);
	assert_memory_not_equal(a.pub.id, b.pub.id, sizeof(a.pub.id));
	assert_memory_not_equal(a.pub.key, b.pub.key, sizeof(a.pub.key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_stock_signature_verifies_and_its_comment_comes_back),
	    RUN(ours_is_the_same_signature_octet_for_octet),
	    RUN(another_text_key_or_comment_does_not_verify),
	    RUN(a_key_that_only_bears_the_id_does_not_verify),
	    RUN(a_signature_has_four_lines_of_one_form),
	    RUN(every_octet_of_a_signature_counts),
	    RUN(a_trusted_comment_is_one_line_of_at_most_512_octets),
	    RUN(a_public_key_is_one_line_or_two),
	    RUN(a_stock_secret_key_gives_its_public_half),
	    RUN(a_secret_key_opens_with_its_passphrase_alone),
	    RUN(a_secret_key_file_has_two_lines),
	    RUN(a_secret_key_that_was_altered_is_refused),
	    RUN(work_past_the_limit_is_refused_before_it_is_spent),
	    RUN(what_is_written_reads_again),
	    RUN(two_generated_keys_differ_in_id_and_key),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
