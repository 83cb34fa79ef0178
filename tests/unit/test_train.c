/* train: a small set of made-up letters is learnt, the same way each time, and nobody is judged by what they wrote themselves. */
#include "kbtest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include <kitebox/train.h>

#include "../../lib/triage/train_parts.h"

enum { LETTERS = 60, NOISE = 20, ALL = LETTERS + NOISE, WORDS = 18, HASH = 32 };

static const char *const common[] = {"the", "and", "was", "of", "my", "brother", "morning", "table", "letter", "corridor", "yesterday", "sister",
    "unit", "floor", "number", "tower", "kitchen", "paper", "chair", "week"};
/* clang-format off */
/* Allegations have odd numbers. */
static const struct { uint8_t category; uint32_t flags; const char *word[6]; } kinds[] = {
	{KB_CAT_VISITING, 0, {"visit", "visiting", "appointment", "schedule", "weekend", "hours"}},
	{KB_CAT_EXCESSIVE_FORCE, 0, {"kicked", "slammed", "choked", "punched", "bruised", "shackled"}},
	{KB_CAT_TRUST_FUND, 0, {"deposit", "commissary", "account", "money", "balance", "refund"}},
	{KB_CAT_SEXUAL_MISCONDUCT, KB_FLAG_SEXUAL_ABUSE, {"groped", "touches", "undress", "shower", "stares", "grabbed"}},
};
/* clang-format on */

static uint32_t draw(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

/* A third of its words are of its kind, the rest of all. */
static void letter(unsigned number, char ret_text[static 512])
{
	uint32_t state = 2654435761u * (number + 1);
	size_t n = 0;
	for (unsigned i = 0; i < WORDS; i++) {
		uint32_t n_own = draw(&state) % KB_LEN(kinds[0].word), n_common = draw(&state) % KB_LEN(common);
		const char *w = i % 3 == 1 ? kinds[number % KB_LEN(kinds)].word[n_own] : common[n_common];
		n += (size_t)snprintf(ret_text + n, 512 - n, "%s ", w);
	}
}

/* Of words that stand nowhere else: what it is can be remembered and not be told. */
static void noise(unsigned number, char ret_text[static 512])
{
	uint32_t state = 40503u * (number + 1);
	size_t n = 0;
	for (unsigned i = 0; i < WORDS; i++) {
		for (unsigned k = 0; k < 8; k++)
			ret_text[n++] = (char)('a' + draw(&state) % 26);
		ret_text[n++] = ' ';
	}
	ret_text[n] = '\0';
}

static struct kb_train_item item_of(unsigned number, const char *text)
{
	return (struct kb_train_item){.subject = KB_LIT("To the office"), .text = kb_span_str(text), .allegation = number % 2,
	    .category = kinds[number % KB_LEN(kinds)].category, .flags = kinds[number % KB_LEN(kinds)].flags, .language = KB_LANG_EN};
}

static struct kb_train *material(unsigned letters)
{
	struct kb_train *t = kb_train_new();
	char text[512];
	for (unsigned i = 0; i < letters; i++) {
		if (i < LETTERS)
			letter(i, text);
		else
			noise(i, text);
		const struct kb_train_item item = item_of(i, text);
		assert_ok(kb_train_add(t, &item));
		memset(text, 'x', sizeof(text)); /* it has been copied */
	}
	return t;
}

static const struct kb_train_wish wish = {.version = 7, .recall = 0.98, .outright = 0.04};

static struct kb_buf trained(struct kb_train *t, struct kb_train_answer *ret_answers)
{
	struct kb_buf b;
	struct kb_diag d = {0};
	kb_buf_init(&b, 8 << 20);
	if (kb_train_run(&d, t, &wish, &b, ret_answers) != KB_OK)
		fail_msg("%s", d.what);
	return b;
}

/* ---- learning, once for all tests ---- */

static struct kb_buf file;
static struct kb_train_answer answer[ALL];
static uint8_t elsewhere[HASH]; /* what another process made of the same letters */

static int learn(void **state)
{
	int ends[2], status;
	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	struct kb_train *t = material(ALL);
	file = trained(t, answer);
	kb_train_free(&t);
	assert_null(t);
	if (pid == 0) {
		uint8_t hash[HASH];
		crypto_generichash(hash, sizeof(hash), file.p, file.len, NULL, 0);
		_exit(write(ends[1], hash, sizeof(hash)) != sizeof(hash));
	}
	assert_int_equal(read(ends[0], elsewhere, sizeof(elsewhere)), HASH);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return 0;
}

static int forget(void **state)
{
	(void)state;
	kb_buf_release(&file);
	return 0;
}

static struct kb_model model(void)
{
	struct kb_model m;
	struct kb_diag d = {0};
	if (kb_model_open(&d, kb_buf_span(&file), &m) != KB_OK)
		fail_msg("%s", d.what);
	return m;
}

TEST(what_is_learnt_is_a_model_of_the_version_wished)
{
	struct kb_model m = model();
	assert_int_equal(file.len, KB_MODEL_LEN);
	assert_int_equal(m.head.version, wish.version);
	assert_int_equal(m.head.messages, ALL);
}

TEST(the_same_letters_make_the_same_model)
{
	uint8_t hash[HASH];
	crypto_generichash(hash, sizeof(hash), file.p, file.len, NULL, 0);
	assert_memory_equal(hash, elsewhere, HASH);
	crypto_generichash(hash, sizeof(hash), file.p, file.len - 1, NULL, 0);
	assert_memory_not_equal(hash, elsewhere, HASH);
}

static struct kb_scores scores_of(const struct kb_model *m, const char *text)
{
	struct kb_arena a;
	struct kb_tokens w;
	struct kb_scores s;
	kb_arena_init(&a, 1 << 22);
	assert_true(kb_tokens_whole(&a, NULL, KB_LIT("To the office"), kb_span_str(text), &w));
	kb_model_score(m, &a, w.t, w.n, &s, NULL);
	kb_arena_release(&a);
	return s;
}

/* Letters beyond those it learnt from; a letter without a word of either class is the control. */
TEST(letters_it_has_not_seen_are_told_apart)
{
	struct kb_model m = model();
	uint32_t least = 10000, most = 0;
	size_t sexual = 0, falsely = 0;
	char text[512];
	for (unsigned i = ALL; i < ALL + 100; i++) {
		letter(i, text);
		struct kb_scores s = scores_of(&m, text);
		uint32_t p = kb_probability_e4(s.logit[KB_HEAD_ALLEGATION]);
		least = i % 2 && p < least ? p : least;
		most = !(i % 2) && p > most ? p : most;
		sexual += i % 4 == 3 ? kb_probability_e4(s.logit[KB_HEAD_SEXUAL]) >= m.head.cut[KB_LANG_EN][KB_HEAD_SEXUAL].low_e4 : 0;
		falsely += i % 4 != 3 ? kb_probability_e4(s.logit[KB_HEAD_SEXUAL]) >= m.head.cut[KB_LANG_EN][KB_HEAD_SEXUAL].low_e4 : 0;
		assert_int_equal(kb_topic_of(&s, i % 2), kinds[i % KB_LEN(kinds)].category);
	}
	if (least <= most || least < 5000 || most > 5000)
		fail_msg("allegations from %u on, others up to %u", least, most);
	if (sexual < 15 || falsely > 7) /* of 25, and of 75 */
		fail_msg("%zu found, %zu more", sexual, falsely);
	uint32_t neither = kb_probability_e4(scores_of(&m, "the morning was of my table and the corridor").logit[KB_HEAD_ALLEGATION]);
	assert_true(neither < least && neither > most);
}

TEST(thresholds_hold_for_letters_that_were_not_seen)
{
	struct kb_model m = model();
	size_t found = 0, outright = 0;
	for (size_t l = 0; l < KB_LANG_COUNT; l++)
		for (size_t h = 0; h < KB_HEAD_COUNT; h++)
			assert_true(m.head.cut[l][h].low_e4 <= m.head.cut[l][h].high_e4);
	const struct kb_cut *cut = &m.head.cut[KB_LANG_EN][KB_HEAD_ALLEGATION];
	for (unsigned i = 0; i < ALL; i++) {
		found += i % 2 && answer[i].allegation_e4 >= cut->low_e4;
		outright += !(i % 2) && answer[i].allegation_e4 > cut->high_e4;
	}
	assert_true(found >= (size_t)(wish.recall * ALL / 2));
	assert_true(outright <= 1 + (size_t)(wish.outright * ALL / 2));
}

TEST(answers_are_of_all_parts_and_tell_the_classes)
{
	size_t in[KB_TRAIN_PARTS] = {0};
	for (unsigned i = 0; i < ALL; i++) {
		assert_in_range(answer[i].part, 0, KB_TRAIN_PARTS - 1);
		in[answer[i].part]++;
		if (i >= LETTERS)
			continue;
		assert_int_equal(answer[i].allegation_e4 > 5000, i % 2);
		assert_int_equal(answer[i].category, kinds[i % KB_LEN(kinds)].category);
	}
	for (size_t p = 0; p < KB_TRAIN_PARTS; p++)
		assert_int_equal(in[p], ALL / KB_TRAIN_PARTS);
}

/* What can only be remembered is known to a model that learnt from it, and to no model that answers for it. */
TEST(answers_are_of_models_that_had_not_seen_the_letter)
{
	struct kb_model m = model();
	size_t remembered = 0, told = 0;
	double middle = 0;
	char text[512];
	for (unsigned i = LETTERS; i < ALL; i++)
		middle += answer[i].allegation_e4 / (double)NOISE;
	for (unsigned i = LETTERS; i < ALL; i++) {
		noise(i, text);
		remembered += (kb_probability_e4(scores_of(&m, text).logit[KB_HEAD_ALLEGATION]) > middle) == i % 2;
		told += (answer[i].allegation_e4 > middle) == i % 2;
	}
	if (remembered < NOISE - 2 || told > NOISE * 3 / 4)
		fail_msg("%zu of %d remembered, %zu told", remembered, NOISE, told);
}

/* ---- parts ---- */

static void add(struct kb_train *t, bool allegation, const char *author, const char *pair)
{
	struct kb_train_item item = item_of(allegation, "one two three four five");
	item.author = kb_span_str(author);
	item.pair = kb_span_str(pair);
	assert_ok(kb_train_add(t, &item));
}

enum { MIXED = 400, AUTHORS = 60, PAIRS = 150 };

/* Drawn by lot: many share an author, many a pair, some neither. Chains of both hold together what shares nothing itself. */
TEST(no_author_and_no_pair_is_ever_in_two_parts)
{
	struct kb_train *t = kb_train_new();
	static char author[MIXED][16], pair[MIXED][16];
	uint32_t lot = 4711;
	size_t shared = 0, apart = 0;
	for (unsigned i = 0; i < MIXED; i++) {
		unsigned a = draw(&lot) % AUTHORS, p = draw(&lot) % PAIRS;
		if (i % 4)
			(void)snprintf(author[i], sizeof(author[i]), "a%u", a);
		if (i % 4 == 1)
			(void)snprintf(pair[i], sizeof(pair[i]), "p%u-%u", a / 4, p % 4);
		add(t, i % 2, author[i], pair[i]);
	}
	assert_ok(kb_train_deal(NULL, t));
	for (unsigned i = 0; i < MIXED; i++)
		for (unsigned j = 0; j < i; j++) {
			bool same = (author[i][0] && !strcmp(author[i], author[j])) || (pair[i][0] && !strcmp(pair[i], pair[j]));
			shared += same;
			apart += t->item[i].part != t->item[j].part;
			if (same && t->item[i].part != t->item[j].part)
				fail_msg("%u and %u share an author or a pair and are in two parts", i, j);
		}
	assert_true(shared > 500);
	assert_true(apart > MIXED * (MIXED - 1) / 4); /* and the others are dealt out */
	kb_train_free(&t);
}

TEST(a_chain_of_authors_and_pairs_stays_together)
{
	struct kb_train *t = kb_train_new();
	add(t, true, "anna", "");
	add(t, false, "anna", "visit");
	add(t, true, "ben", "visit");
	add(t, false, "ben", "money");
	add(t, true, "", "money");
	for (unsigned i = 0; i < 20; i++)
		add(t, i % 2, "", "");
	assert_ok(kb_train_deal(NULL, t));
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(t->item[i].part, t->item[0].part);
	size_t elsewhere_n = 0;
	for (unsigned i = 5; i < 25; i++)
		elsewhere_n += t->item[i].part != t->item[0].part;
	assert_int_equal(elsewhere_n, 20); /* five parts of five: the chain has filled its own */
	kb_train_free(&t);
}

/* An author and a pair of one name are not the same thing. */
TEST(an_author_is_no_pair)
{
	struct kb_train *t = kb_train_new();
	for (unsigned i = 0; i < 10; i++)
		add(t, i % 2, i < 5 ? "x" : "", i < 5 ? "" : "x");
	assert_int_equal(kb_train_deal(NULL, t), KB_MALFORMED); /* two kinds, which is too few */
	for (unsigned i = 0; i < 6; i++)
		add(t, i % 2, "", "");
	assert_ok(kb_train_deal(NULL, t));
	assert_int_not_equal(t->item[0].part, t->item[5].part);
	kb_train_free(&t);
}

/* ---- refusals ---- */

static enum kb_status refusal(struct kb_train *t)
{
	struct kb_buf b;
	struct kb_diag d = {0};
	kb_buf_init(&b, 8 << 20);
	enum kb_status st = kb_train_run(&d, t, &wish, &b, NULL);
	if (st != KB_OK) {
		assert_int_equal(b.len, 0);
		assert_non_null(d.what);
	}
	kb_buf_release(&b);
	kb_train_free(&t);
	return st;
}

TEST(too_few_letters_or_one_class_are_refused)
{
	struct kb_train *t = kb_train_new();
	assert_int_equal(refusal(t), KB_MALFORMED);
	assert_int_equal(refusal(material(2 * KB_TRAIN_PARTS - 1)), KB_MALFORMED);
	for (int class_ = 0; class_ < 2; class_++) {
		t = kb_train_new();
		for (unsigned i = 0; i < LETTERS; i++)
			add(t, class_, "", "");
		for (unsigned i = 0; i + 1 < KB_TRAIN_PARTS; i++)
			add(t, !class_, "", "");
		assert_int_equal(refusal(t), KB_MALFORMED);
	}
	t = kb_train_new();
	for (unsigned i = 0; i < LETTERS; i++) /* four who wrote them all */
		add(t, i % 2, i % 4 == 0 ? "a" : i % 4 == 1 ? "b" : i % 4 == 2 ? "c" : "d", "");
	assert_int_equal(refusal(t), KB_MALFORMED);
}

/* Each letter stands twice, once in each class: whoever has not seen it is wrong about it as often as not. */
TEST(letters_that_tell_nothing_are_refused)
{
	struct kb_train *t = kb_train_new();
	char text[512];
	for (unsigned i = 0; i < 2 * KB_TRAIN_PARTS; i++) {
		letter(i / 2, text);
		struct kb_train_item item = item_of(i, text);
		assert_ok(kb_train_add(t, &item));
	}
	assert_int_equal(refusal(t), KB_MALFORMED);
}

TEST(the_fewest_letters_that_are_taken_are_enough)
{
	struct kb_train *t = material(2 * KB_TRAIN_PARTS);
	assert_ok(kb_train_deal(NULL, t));
	kb_train_free(&t);
	kb_train_free(&t); /* of nothing: nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(what_is_learnt_is_a_model_of_the_version_wished),
		RUN(the_same_letters_make_the_same_model),
		RUN(letters_it_has_not_seen_are_told_apart),
		RUN(thresholds_hold_for_letters_that_were_not_seen),
		RUN(answers_are_of_all_parts_and_tell_the_classes),
		RUN(answers_are_of_models_that_had_not_seen_the_letter),
		RUN(no_author_and_no_pair_is_ever_in_two_parts),
		RUN(a_chain_of_authors_and_pairs_stays_together),
		RUN(an_author_is_no_pair),
		RUN(too_few_letters_or_one_class_are_refused),
		RUN(letters_that_tell_nothing_are_refused),
		RUN(the_fewest_letters_that_are_taken_are_enough),
	};
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, learn, forget);
}
