/* staff: names of the desk are found by passing over most of a text; a reading of every word must find the same. */
#include "kbtest.h"

#include <stdlib.h>
#include <string.h>

#include "../../lib/triage/internal.h"

/* Names that are hard to tell: short, doubled letters, one in another, accents, letters that stand three times. */
static const char names[] = "Ana Quill\nLu Q\nJ \xc3\x89scobar\nS\xc3\xa9\nAna Quills\n---\nBo Quilles\nD'An O'a\nA Lluil\nC Aanx\nUuu\n9a 8\n";
/* Of these, and octets that are no UTF-8, texts are made. */
static const char *const pieces[] = {"q", "u", "i", "l", "quill", "Quill", "s", "es", "a", "n", "Ana", "o", "'", "\xe2\x80\x99", "\xe2\x80\x94",
    "\xe2\x80\x8b", "\xc3\xa9", "E", "sco", "bar", "escobar", " ", " ", " ", "\n", ".", "-", "\xef\xbc\xb1", "\xd0\xb0", "\xcc\x81", "qq", "ll", "aaa",
    "Aan", "x", "uuu", "l'i", "don't", "\xff", "\xc3", "\xe2\x80", "\x80", "8"};
enum { TEXTS = 40000, PIECES = 30 };

static size_t up_to(uint32_t *seed, size_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (size_t)(*seed >> 8) % n;
}

/* Each line ends with a word that no salutation has. */
static struct kb_buf text_of(uint32_t *seed)
{
	struct kb_buf b;
	kb_buf_init(&b, 4096);
	for (size_t n = 1 + up_to(seed, PIECES); n > 0; n--) {
		const char *piece = pieces[up_to(seed, KB_LEN(pieces))];
		assert_ok(kb_buf_str(&b, *piece == '\n' ? " zz\n" : piece));
	}
	assert_ok(kb_buf_str(&b, " zz"));
	return b;
}

static struct kb_triage *desk_of(const char *lines)
{
	struct kb_triage *t;
	assert_ok(kb_triage_names(kb_span_str(lines), &t));
	return t;
}

/* Is the word the name, or the name's possessive? */
static bool is(const char *word, const char *name)
{
	char with_s[2 * KB_TOKEN_MOST], with_es[2 * KB_TOKEN_MOST];
	strcpy(with_s, name);
	strcat(with_s, "s");
	strcpy(with_es, name);
	strcat(with_es, "es");
	return !strcmp(word, name) || !strcmp(word, with_s) || !strcmp(word, with_es);
}

/* The same of two words that follow each other, the first of which is part of the name. */
static bool together(const char *a, const char *b, const char *name)
{
	size_t n = strlen(a);
	return n && n < strlen(name) && !memcmp(a, name, n) && is(b, name + n);
}

static uint64_t read_every_word(const struct kb_triage *t, struct kb_span text)
{
	uint64_t named = 0;
	struct kb_span line;
	while (kb_span_line(&text, &line)) {
		char word[KB_TOKEN_MOST], before[KB_TOKEN_MOST] = "";
		for (; kb_token_next(&line, word); memcpy(before, word, sizeof(before)))
			for (size_t s = 0; s < t->staff_n; s++)
				if (t->staff[s].last[0] && (is(word, t->staff[s].last) || together(before, word, t->staff[s].last)))
					named |= UINT64_C(1) << s;
	}
	return named;
}

TEST(what_is_passed_over_holds_no_name)
{
	struct kb_triage *t = desk_of(names);
	uint32_t seed = 5;
	size_t some = 0, none = 0;
	for (size_t i = 0; i < TEXTS; i++) {
		struct kb_buf b = text_of(&seed);
		uint64_t expected = read_every_word(t, kb_buf_span(&b));
		assert_int_equal(kb_staff_named(t, kb_buf_span(&b)), expected);
		some += expected != 0;
		none += expected == 0;
		kb_buf_release(&b);
	}
	assert_true(some > TEXTS / 10 && none > TEXTS / 10); /* or nothing was compared */
	kb_triage_free(&t);
}

TEST(each_name_is_found_alone)
{
	struct kb_span rest = kb_span_str(names), line;
	for (size_t n = 0; kb_span_line(&rest, &line); n++) {
		struct kb_triage *t = desk_of(names);
		struct kb_buf b;
		kb_buf_init(&b, 4096);
		for (size_t i = 0; i < 100; i++)
			assert_ok(kb_buf_str(&b, "nobody we know was here. "));
		assert_int_equal(kb_staff_named(t, kb_buf_span(&b)), 0);
		assert_ok(kb_buf_str(&b, t->staff[n].last));
		assert_int_equal(kb_staff_named(t, kb_buf_span(&b)) >> n & 1, t->staff[n].last[0] != '\0');
		kb_buf_release(&b);
		kb_triage_free(&t);
	}
}

TEST(a_desk_that_changed_is_searched_for_its_new_names_alone)
{
	struct kb_triage *t = desk_of("Ana Quill\n");
	struct kb_span text = KB_LIT("quill and zamudio were there");
	assert_int_equal(kb_staff_named(t, text), 1);
	assert_ok(kb_triage_staff(t, KB_LIT("Bo Xander\nCy Zamudio\n")));
	assert_int_equal(kb_staff_named(t, text), 2);
	assert_ok(kb_triage_staff(t, KB_LIT("")));
	assert_int_equal(kb_staff_named(t, text), 0);
	kb_triage_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(what_is_passed_over_holds_no_name),
		RUN(each_name_is_found_alone),
		RUN(a_desk_that_changed_is_searched_for_its_new_names_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
