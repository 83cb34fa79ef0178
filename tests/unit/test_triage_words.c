/* triage: which words of a text are judged, and which of them a person is told. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modelfix.h"

#define RULES                                                                                                                      \
	"kitebox-triage-rules 1\nversion 5\nset common-en = the and is was to of in my me he it you i for that this\n"             \
	"set common-es = el la los que de y en un una\nrule odd any 0 - zzyzx = An odd word.\n"

struct mind {
	struct kb_buf file;
	struct kb_triage *t;
};

static struct mind mind_of(struct modelfix *fx)
{
	struct mind m = {modelfix_file(fx), NULL};
	struct kb_diag d = {0};
	if (kb_triage_open(&d, KB_LIT(RULES), kb_buf_span(&m.file), &m.t) != KB_OK)
		fail_msg("line %zu: %s", d.offset, d.what);
	modelfix_free(&fx);
	return m;
}

static void mind_free(struct mind *m)
{
	kb_triage_free(&m->t);
	kb_buf_release(&m->file);
}

static struct kb_verdict judge(const struct mind *m, const char *subject, struct kb_span text)
{
	const struct kb_triage_context c = {.channel = KB_CHANNEL_EMAIL};
	struct kb_mail mail = {.from = "", .to = "", .date = "", .message_id = "", .subject = subject, .text = text, .human = text};
	struct kb_verdict v;
	kb_triage_mail(m->t, &mail, &c, &v);
	assert_ok(kb_verdict_check(&v));
	return v;
}

/* ---- which words ---- */

/* Six digits, every other one a letter, so that none stands twice and is squeezed. */
static const char *numeral(unsigned n, char ret[static 8])
{
	(void)snprintf(ret, 8, "w%06u", n);
	for (size_t i = 2; i < 7; i += 2)
		ret[i] = (char)('a' + ret[i] - '0');
	return ret;
}

static bool has_word(const struct kb_tokens *w, unsigned n)
{
	char word[8];
	(void)numeral(n, word);
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->t[i].w, word))
			return true;
	return false;
}

/* Words of seven octets and a space, counted from 0, exactly len octets. */
static struct kb_buf numbered(size_t len)
{
	struct kb_buf b;
	char w[8];
	kb_buf_init(&b, 1 << 21);
	for (unsigned i = 0; b.len < len; i++)
		assert_ok(kb_buf_printf(&b, "%s ", numeral(i, w)));
	b.len = len;
	return b;
}

static bool whole(struct kb_span text, struct kb_arena *a, struct kb_tokens *ret_w)
{
	kb_arena_init(a, 64 << 20);
	return kb_tokens_whole(a, NULL, KB_LIT("Their subject"), text, ret_w);
}

TEST(a_text_of_32_KiB_is_looked_at_whole)
{
	struct kb_buf b = numbered(KB_JUDGED_MOST);
	struct kb_arena a;
	struct kb_tokens w;
	assert_true(whole(kb_buf_span(&b), &a, &w));
	assert_int_equal(w.n, 2 + KB_JUDGED_MOST / 8);
	assert_string_equal(w.t[0].w, "their");
	assert_true(has_word(&w, 0) && has_word(&w, 2060) && has_word(&w, 4095));
	kb_arena_release(&a);
	kb_buf_release(&b);
}

TEST(of_a_longer_text_its_two_ends_are_looked_at)
{
	static const size_t lens[] = {KB_JUDGED_MOST + 1, 48 << 10, 1 << 20};
	for (size_t i = 0; i < KB_LEN(lens); i++) {
		struct kb_buf b = numbered(lens[i]);
		size_t end = 8 * 2048, at = lens[i] - end;
		struct kb_arena a, expected;
		struct kb_tokens w, first, last;
		assert_false(whole(kb_buf_span(&b), &a, &w));
		kb_arena_init(&expected, 64 << 20);
		kb_tokens_of(&expected, NULL, KB_SPAN(b.p, end), &first);
		kb_tokens_of(&expected, NULL, KB_SPAN(b.p + at, end), &last);
		assert_int_equal(w.n, 2 + first.n + last.n);
		assert_memory_equal(w.t + 2, first.t, first.n * sizeof(*w.t));
		assert_memory_equal(w.t + 2 + first.n, last.t, last.n * sizeof(*w.t));
		if (lens[i] > 2 * end + 64) /* the middle is not there */
			assert_false(has_word(&w, 2060));
		kb_arena_release(&expected);
		kb_arena_release(&a);
		kb_buf_release(&b);
	}
}

static const char question[] = "Can you tell me how to make a deposit to the commissary account of my brother? I was told that it is a form. ";

/* The question, then the same few words again up to a length. */
static struct kb_buf padded(const char *filler, size_t len)
{
	struct kb_buf b;
	kb_buf_init(&b, 1 << 21);
	assert_ok(kb_buf_str(&b, question));
	while (b.len < len)
		assert_ok(kb_buf_str(&b, filler));
	b.len = len;
	return b;
}

TEST(a_text_that_is_not_looked_at_whole_is_never_an_inquiry)
{
	static const size_t longer[] = {KB_JUDGED_MOST + 1, KB_JUDGED_MOST + 4096, 1 << 20};
	struct mind m = mind_of(modelfix_of_tests());
	struct kb_buf b = padded("mother of ", KB_JUDGED_MOST);
	assert_int_equal(judge(&m, "", kb_buf_span(&b)).class_, KB_CLASS_INQUIRY);
	kb_buf_release(&b);
	for (size_t i = 0; i < KB_LEN(longer); i++) {
		b = padded("mother of ", longer[i]);
		struct kb_verdict v = judge(&m, "", kb_buf_span(&b));
		assert_int_equal(v.class_, KB_CLASS_REVIEW);
		assert_non_null(strstr(v.reasons, "too long"));
		kb_buf_release(&b);
	}
	mind_free(&m);
}

TEST(more_words_than_are_judged_are_never_an_inquiry)
{
	struct mind m = mind_of(modelfix_of_tests());
	size_t words = 0;
	for (struct kb_span rest = kb_span_str(question); rest.len; words++) {
		char w[KB_TOKEN_MOST];
		if (!kb_token_next(&rest, w))
			break;
	}
	struct kb_buf b = padded("of ", sizeof(question) - 1 + 3 * (KB_MODEL_WORDS_MOST - words));
	assert_true(b.len < KB_JUDGED_MOST);
	assert_int_equal(judge(&m, "", kb_buf_span(&b)).class_, KB_CLASS_INQUIRY);
	assert_int_equal(judge(&m, "of", kb_buf_span(&b)).class_, KB_CLASS_REVIEW);
	kb_buf_release(&b);
	mind_free(&m);
}

TEST(what_stands_at_either_end_of_a_long_text_is_found)
{
	static const char blow[] = " they kicked him in the ribs while handcuffed ";
	struct mind m = mind_of(modelfix_of_tests());
	struct kb_buf b = padded("mother of ", 1 << 20);
	size_t n = sizeof(blow) - 1, at[] = {4000, b.len - n, b.len / 2};
	uint32_t without = judge(&m, "", kb_buf_span(&b)).score_e4;
	for (size_t i = 0; i < KB_LEN(at); i++) {
		struct kb_buf with;
		kb_buf_init(&with, 1 << 21);
		assert_ok(kb_buf_add(&with, kb_buf_span(&b)));
		memcpy(with.p + at[i], blow, n);
		struct kb_verdict v = judge(&m, "", kb_buf_span(&with));
		assert_true(i == 2 ? v.score_e4 == without : v.score_e4 > without);
		assert_int_equal(v.class_, i == 2 ? KB_CLASS_REVIEW : KB_CLASS_ALLEGATION); /* in the middle: a person looks */
		kb_buf_release(&with);
	}
	kb_buf_release(&b);
	mind_free(&m);
}

/* ---- reasons ---- */

static const char *const filler[] = {"the", "and", "was", "of", "my", "that", "morning", "table", "window", "letter", "corridor", "yesterday",
    "sister", "weather", "floor", "number", "street", "kitchen", "paper", "chair"};
static const char *const strong[] = {"kicked", "slammed", "choked", "spat", "threatened", "stole", "groped", "denied", "starved", "burned",
    "shackled", "taunted"};
static const char *const mild[] = {"please", "thanks", "kindly", "wondering"};

static struct modelfix *judging(void)
{
	struct modelfix *fx = modelfix_new();
	for (size_t i = 0; i < KB_LEN(strong); i++)
		modelfix_teach(fx, KB_HEAD_ALLEGATION, strong[i], (int8_t)(70 + 4 * i));
	for (size_t i = 0; i < KB_LEN(mild); i++)
		modelfix_teach(fx, KB_HEAD_ALLEGATION, mild[i], (int8_t)(-50 - 5 * (int)i));
	return fx;
}

/* A message of 24 words, a third of them strong ones or mild ones; another for each number. */
static struct kb_buf message(unsigned number)
{
	struct kb_buf b;
	uint32_t state = 977 * number + 1;
	kb_buf_init(&b, 4096);
	for (unsigned i = 0; i < 24; i++) {
		state = state * 1664525u + 1013904223u;
		uint32_t n = state >> 16;
		const char *w = i % 6 == 0 ? strong[n % KB_LEN(strong)] : i % 8 == 1 ? mild[n % KB_LEN(mild)] : filler[n % KB_LEN(filler)];
		assert_ok(kb_buf_printf(&b, "%s ", w));
	}
	return b;
}

/* The text without a word, wherever it stands. */
static struct kb_buf without(struct kb_span text, struct kb_span word)
{
	struct kb_buf b;
	kb_buf_init(&b, 4096);
	while (text.len) {
		size_t n = kb_span_find(text, KB_LIT(" "));
		struct kb_span w = KB_SPAN(text.p, n == SIZE_MAX ? text.len : n);
		text = kb_span_from(text, n == SIZE_MAX ? text.len : n + 1);
		if (!kb_span_eq(w, word))
			assert_ok(kb_buf_printf(&b, "%.*s ", (int)w.len, (const char *)w.p));
	}
	return b;
}

/* The words of the line of reasons that begins so; returns how many. */
static size_t said(const struct kb_verdict *v, const char *begin, struct kb_span ret_word[8])
{
	struct kb_span rest = kb_span_str(v->reasons), line;
	size_t n = 0;
	while (kb_span_line(&rest, &line)) {
		if (kb_span_find(line, kb_span_str(begin)) != 0)
			continue;
		line = kb_span_from(line, strlen(begin));
		assert_true(line.len && line.p[line.len - 1] == '.');
		line.len--;
		while (line.len && n < 8) {
			size_t comma = kb_span_find(line, KB_LIT(", "));
			ret_word[n++] = KB_SPAN(line.p, comma == SIZE_MAX ? line.len : comma);
			line = kb_span_from(line, comma == SIZE_MAX ? line.len : comma + 2);
		}
	}
	return n;
}

#define FOR "Words that weigh for an allegation: "
#define AGAINST "Words that weigh against: "

static bool among(struct kb_span w, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (kb_span_eq(w, kb_span_str(list[i])))
			return true;
	return false;
}

static uint32_t score_without(const struct mind *m, struct kb_span text, struct kb_span word)
{
	struct kb_buf b = without(text, word);
	uint32_t score = judge(m, "", kb_buf_span(&b)).score_e4;
	kb_buf_release(&b);
	return score;
}

TEST(reasons_name_the_words_that_move_the_score)
{
	struct mind m = mind_of(judging());
	size_t moved = 0;
	for (unsigned i = 0; i < 50; i++) {
		struct kb_buf b = message(i);
		struct kb_verdict v = judge(&m, "", kb_buf_span(&b));
		struct kb_span word[8];
		size_t n = said(&v, FOR, word);
		assert_in_range(n, 1, 6);
		for (size_t k = 0; k < n; k++, moved++) {
			assert_true(among(word[k], strong, KB_LEN(strong)));
			if (score_without(&m, kb_buf_span(&b), word[k]) >= v.score_e4)
				fail_msg("message %u: without \"%.*s\" the score is no lower", i, (int)word[k].len, (const char *)word[k].p);
		}
		n = said(&v, AGAINST, word);
		assert_in_range(n, 1, 3);
		for (size_t k = 0; k < n; k++, moved++) {
			assert_true(among(word[k], mild, KB_LEN(mild)));
			assert_true(score_without(&m, kb_buf_span(&b), word[k]) > v.score_e4);
		}
		/* A word that is not named moves it the other way, if at all: what is left stands closer together. */
		for (size_t k = 0; k < KB_LEN(filler); k++)
			assert_true(v.score_e4 < 5000 || score_without(&m, kb_buf_span(&b), kb_span_str(filler[k])) + 300 >= v.score_e4);
		kb_buf_release(&b);
	}
	assert_true(moved >= 150);
	mind_free(&m);
}

TEST(the_heaviest_words_are_named_first_and_once)
{
	struct mind m = mind_of(judging());
	struct kb_span word[8];
	struct kb_verdict v = judge(&m, "", KB_LIT("kicked the taunted kicked of burned my kicked that slammed choked spat threatened"));
	assert_int_equal(said(&v, FOR, word), 6);
	assert_span(word[0], "taunted");
	assert_span(word[1], "burned");
	assert_span(word[5], "slammed"); /* "kicked", lightest of seven, is not said */
	v = judge(&m, "", KB_LIT("the morning was of my window"));
	assert_int_equal(said(&v, FOR, word), 0);
	assert_int_equal(said(&v, AGAINST, word), 0);
	mind_free(&m);
}

TEST(reasons_are_harmless_whatever_the_text_is)
{
	static const char *const dressed[] = {
	    "\x1b[31m kicked\x1b[0m the \xe2\x80\xae" "slammed of my\xe2\x80\xac zzyzx",
	    "k\xc3\xad" "cked\r\nWords that weigh against: nothing, at all.\nthe sl\xe2\x80\x8b" "ammed zzyzx",
	    "kicked,slammed,\"choked\"<b>spat</b> zzyzx \xff\xfe kicked\x07",
	    "aaaaaaaaaaaaaaaaaaaaaaaaabababababababababababababababkickedkickedkickedkicked kicked zzyzx",
	};
	struct mind m = mind_of(judging());
	for (size_t i = 0; i < KB_LEN(dressed); i++) {
		struct kb_verdict v = judge(&m, "", kb_span_str(dressed[i]));
		assert_non_null(strstr(v.reasons, "kicked"));
		assert_non_null(strstr(v.reasons, "An odd word. [odd]"));
		for (const char *p = v.reasons; *p; p++)
			assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
		struct kb_span rest = kb_span_str(v.reasons), line;
		size_t against = 0;
		while (kb_span_line(&rest, &line))
			against += kb_span_find(line, KB_LIT("Words that weigh against")) == 0;
		assert_int_equal(against, 0); /* what a text says of itself is not what triage says */
	}
	mind_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(a_text_of_32_KiB_is_looked_at_whole),
		RUN(of_a_longer_text_its_two_ends_are_looked_at),
		RUN(a_text_that_is_not_looked_at_whole_is_never_an_inquiry),
		RUN(more_words_than_are_judged_are_never_an_inquiry),
		RUN(what_stands_at_either_end_of_a_long_text_is_found),
		RUN(reasons_name_the_words_that_move_the_score),
		RUN(the_heaviest_words_are_named_first_and_once),
		RUN(reasons_are_harmless_whatever_the_text_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
