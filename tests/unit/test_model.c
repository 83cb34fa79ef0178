/* model: the file is read strictly, and a score is what docs/FORMATS.md says it is, reckoned here a second time. */
#include "kbtest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "modelfix.h"

enum { FLIPS = 400 }; /* each costs a hash over the whole file */

/* ---- the file ---- */

static enum kb_status opens(struct kb_span file)
{
	struct kb_model m = {0};
	struct kb_diag d = {0};
	enum kb_status st = kb_model_open(&d, file, &m);
	if (st != KB_OK) {
		assert_null(m.row); /* untouched */
		assert_int_equal(d.status, st);
		assert_int_equal(d.offset, 0);
		assert_non_null(d.what);
	}
	return st;
}

static struct kb_buf a_file(void)
{
	struct modelfix *fx = modelfix_of_tests();
	struct kb_buf b = modelfix_file(fx);
	modelfix_free(&fx);
	return b;
}

TEST(a_whole_model_opens_and_is_written_as_it_was_read)
{
	struct kb_buf b = a_file(), again;
	struct kb_model m;
	kb_buf_init(&again, 2 * KB_MODEL_LEN);
	assert_int_equal(b.len, KB_MODEL_LEN);
	assert_true(b.len < 4 << 20);
	assert_ok(kb_model_open(NULL, kb_buf_span(&b), &m));
	assert_ok(kb_model_write(&m, &again));
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.p, b.p, b.len);
	kb_buf_release(&again);
	kb_buf_release(&b);
}

TEST(a_model_that_is_cut_off_or_added_to_is_refused)
{
	static const size_t head = sizeof(struct kb_model_head), rows = (size_t)KB_MODEL_ROWS * KB_HEAD_COUNT;
	const size_t lens[] = {0, 1, 8, KB_MODEL_MAGIC - 1, KB_MODEL_MAGIC, KB_MODEL_MAGIC + 1, head - 1, head, head + 1, head + rows - 1,
	    head + rows, head + rows + 1, KB_MODEL_LEN - KB_MODEL_HASH - 1, KB_MODEL_LEN - KB_MODEL_HASH, KB_MODEL_LEN - KB_MODEL_HASH + 1,
	    KB_MODEL_LEN - 1, KB_MODEL_LEN + 1, KB_MODEL_LEN + KB_MODEL_HASH, KB_MODEL_LEN + 4096};
	struct kb_buf b = a_file();
	assert_ok(kb_buf_reserve(&b, 4096));
	memset(b.p + b.len, 0, 4096);
	for (size_t i = 0; i < KB_LEN(lens); i++)
		if (opens(KB_SPAN(b.p, lens[i])) != KB_MALFORMED)
			fail_msg("%zu octets were not refused", lens[i]);
	for (size_t n = 4096; n < KB_MODEL_LEN; n += 4096)
		assert_int_equal(opens(KB_SPAN(b.p, n)), KB_MALFORMED);
	assert_ok(opens(KB_SPAN(b.p, KB_MODEL_LEN)));
	kb_buf_release(&b);
}

/* Of the magic: no model, or one of another version. Of anything else: the hash says so. */
static enum kb_status refusal_at(size_t at)
{
	size_t version = strlen("kitebox-triage-model ");
	return at < version ? KB_MALFORMED : at < KB_MODEL_MAGIC ? KB_UNSUPPORTED : KB_FORGED;
}

static void flip(struct kb_buf *b, size_t at, unsigned bit)
{
	b->p[at] ^= (uint8_t)(1u << bit);
	enum kb_status st = opens(kb_buf_span(b));
	b->p[at] ^= (uint8_t)(1u << bit);
	if (st != refusal_at(at))
		fail_msg("bit %u of octet %zu: %s", bit, at, kb_status_row(st)->name);
}

/* KB_FLIPS in the environment: that many places instead. */
TEST(a_model_with_one_bit_turned_is_refused)
{
	struct kb_buf b = a_file();
	const char *more = getenv("KB_FLIPS");
	size_t flips = more ? strtoul(more, NULL, 10) : FLIPS;
	for (size_t at = 0; at < KB_MODEL_MAGIC; at++)
		for (unsigned bit = 0; bit < 8; bit++)
			flip(&b, at, bit);
	for (size_t i = 0; i < flips; i++) { /* one in each stretch of the file, the last octet too */
		size_t stretch = KB_MODEL_LEN / flips;
		size_t at = i + 1 == flips ? KB_MODEL_LEN - 1 : i * stretch + randombytes_uniform((uint32_t)stretch);
		flip(&b, at, randombytes_uniform(8));
	}
	assert_ok(opens(kb_buf_span(&b)));
	kb_buf_release(&b);
}

TEST(another_kind_of_file_or_version_is_refused_as_such)
{
	struct kb_buf b = a_file();
	char *version = (char *)b.p + strlen("kitebox-triage-model ");
	*version = '2';
	assert_int_equal(opens(kb_buf_span(&b)), KB_UNSUPPORTED);
	*version = '1';
	b.p[0] = 'K';
	assert_int_equal(opens(kb_buf_span(&b)), KB_MALFORMED);
	b.p[0] = 'k';
	assert_ok(opens(kb_buf_span(&b)));
	memset(b.p, 0, b.len);
	assert_int_equal(opens(kb_buf_span(&b)), KB_MALFORMED);
	memset(b.p, 0xff, b.len);
	assert_int_equal(opens(kb_buf_span(&b)), KB_MALFORMED);
	kb_buf_release(&b);
}

static void number(struct kb_model_head *h, size_t which)
{
	float *const values[] = {&h->line[0].scale, &h->line[KB_HEAD_COUNT - 1].bias, &h->topic[0].bias,
	    &h->topic[KB_MODEL_TOPICS - 1].scale, &h->window_less};
	const float wrong[] = {NAN, -NAN, INFINITY, -INFINITY, 1e4f, -1e5f};
	*values[which / KB_LEN(wrong)] = wrong[which % KB_LEN(wrong)];
}

enum { NUMBERS = 30 };

static void threshold(struct kb_model_head *h, size_t which)
{
	struct kb_cut *first = &h->cut[0][0], *last = &h->cut[KB_LANG_COUNT - 1][KB_HEAD_COUNT - 1];
	switch (which) {
	case 0: *first = (struct kb_cut){7000, 6999}; break;
	case 1: *last = (struct kb_cut){7000, 10002}; break;
	case 2: *first = (struct kb_cut){UINT32_MAX, UINT32_MAX}; break;
	case 3: h->topic_least_e4 = 10001; break;
	case 4: h->version = 0; break;
	default: h->window_less = -0.5f; break;
	}
}

enum { THRESHOLDS = 6 };

/* Its hash is right: somebody made it so. */
TEST(a_model_with_a_number_out_of_its_range_is_refused)
{
	struct modelfix *fx = modelfix_new();
	const struct kb_model_head good = fx->m.head;
	for (size_t i = 0; i < NUMBERS + THRESHOLDS; i++) {
		fx->m.head = good;
		if (i < NUMBERS)
			number(&fx->m.head, i);
		else
			threshold(&fx->m.head, i - NUMBERS);
		struct kb_buf b = modelfix_file(fx);
		if (opens(kb_buf_span(&b)) != KB_MALFORMED)
			fail_msg("number %zu was not refused", i);
		kb_buf_release(&b);
	}
	fx->m.head = good; /* the widest that is taken */
	fx->m.head.cut[KB_LANG_EN][KB_HEAD_ALLEGATION] = (struct kb_cut){0, 10001};
	fx->m.head.cut[KB_LANG_ES][KB_HEAD_URGENT] = (struct kb_cut){10001, 10001};
	fx->m.head.topic_least_e4 = 10000;
	fx->m.head.line[KB_HEAD_URGENT] = (struct kb_line){-9999.0f, 9999.0f};
	fx->m.head.window_less = 9999.0f;
	struct kb_buf b = modelfix_file(fx);
	assert_ok(opens(kb_buf_span(&b)));
	kb_buf_release(&b);
	modelfix_free(&fx);
}

/* ---- scores ---- */

struct text {
	struct kb_arena a;
	struct kb_tokens w;
};

static struct text text_of(struct kb_span s)
{
	struct text t;
	kb_arena_init(&t.a, (size_t)64 << 20);
	kb_tokens_of(&t.a, NULL, s, &t.w);
	return t;
}

static struct kb_scores score_of(const struct kb_model *m, const struct kb_token *t, size_t n)
{
	struct kb_arena a;
	struct kb_scores s;
	kb_arena_init(&a, 64 << 20);
	kb_model_score(m, &a, t, n, &s, NULL);
	kb_arena_release(&a);
	return s;
}

/* The formula, over one row of words: sums of rows met for the first time, by view, each by the root of how many there were. */
struct reckoning {
	const struct kb_model *m;
	bool seen[KB_MODEL_ROWS];
	double sum[KB_VIEW_COUNT], n[KB_VIEW_COUNT];
};

static void reckon_one(void *ctx, enum kb_view view, uint32_t hash, size_t token)
{
	struct reckoning *r = ctx;
	size_t row = hash % KB_MODEL_ROWS;
	(void)token;
	if (r->seen[row])
		return;
	r->seen[row] = true;
	r->n[view] += 1;
	r->sum[view] += r->m->row[row * KB_HEAD_COUNT];
}

static double reckon(const struct kb_model *m, const struct kb_token *t, size_t n)
{
	struct reckoning *r = calloc(1, sizeof(*r));
	double at = m->head.line[0].bias;
	assert_non_null(r);
	r->m = m;
	kb_features_walk(t, n, reckon_one, r);
	for (size_t v = 0; v < KB_VIEW_COUNT; v++)
		at += r->n[v] > 0 ? m->head.line[0].scale * r->sum[v] / sqrt(r->n[v]) : 0;
	free(r);
	return at;
}

static void assert_near(double a, double b)
{
	if (fabs(a - b) > 1e-3)
		fail_msg("%f is not %f", a, b);
}

/* Every row of it says something, so that no word is worth nothing. */
static struct modelfix *full_model(void)
{
	static const uint8_t seed[randombytes_SEEDBYTES] = "the same each time";
	struct modelfix *fx = modelfix_new();
	randombytes_buf_deterministic(fx->row, (size_t)KB_MODEL_ROWS * KB_HEAD_COUNT, seed);
	randombytes_buf_deterministic(fx->topic, (size_t)KB_MODEL_TOPIC_ROWS * KB_MODEL_TOPICS, seed);
	return fx;
}

static const char letter[] = "They locked him in the shower cell for two days without water, y nadie nos dijo nada; no water, no mattress, nothing.";

TEST(a_score_is_what_the_formula_says)
{
	struct modelfix *fx = full_model();
	struct text t = text_of(kb_span_str(letter));
	assert_near(score_of(&fx->m, t.w.t, t.w.n).logit[0], reckon(&fx->m, t.w.t, t.w.n));
	for (size_t n = 0; n < t.w.n; n++) /* and a shorter one has another */
		assert_near(score_of(&fx->m, t.w.t, n).logit[0], reckon(&fx->m, t.w.t, n));
	assert_true(fabs(reckon(&fx->m, t.w.t, t.w.n) - reckon(&fx->m, t.w.t, t.w.n - 1)) > 1e-3);
	assert_near(score_of(&fx->m, t.w.t, 0).logit[0], fx->m.head.line[0].bias);
	kb_arena_release(&t.a);
	modelfix_free(&fx);
}

TEST(the_same_text_always_gets_the_same_score)
{
	struct modelfix *fx = full_model();
	struct kb_buf file = modelfix_file(fx);
	struct kb_model m;
	struct text t = text_of(kb_span_str(letter)), other = text_of(KB_LIT("Where do I send money for the phone?"));
	assert_ok(kb_model_open(NULL, kb_buf_span(&file), &m));
	struct kb_scores first = score_of(&fx->m, t.w.t, t.w.n);
	for (size_t i = 0; i < 50; i++) {
		struct kb_scores between = score_of(&m, other.w.t, other.w.n), again = score_of(&m, t.w.t, t.w.n);
		assert_memory_equal(&again, &first, sizeof(first));
		assert_memory_not_equal(&between, &first, sizeof(first));
	}
	kb_arena_release(&t.a);
	kb_arena_release(&other.a);
	kb_buf_release(&file);
	modelfix_free(&fx);
}

static void words(struct kb_buf *b, const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_ok(kb_buf_printf(b, "%s%c%c ", word, (char)('a' + i / 26), (char)('a' + i % 26))); /* digits count alike */
}

/* The strongest of the whole and of each window, less what is taken off a window. */
static double reckon_windows(const struct kb_model *m, const struct kb_tokens *w)
{
	double most = reckon(m, w->t, w->n);
	for (size_t at = 0; at < w->n; at += KB_MODEL_WINDOW / 2) {
		size_t len = w->n - at < KB_MODEL_WINDOW ? w->n - at : KB_MODEL_WINDOW;
		double window = reckon(m, w->t + at, len) - m->head.window_less;
		most = window > most ? window : most;
		if (at + len == w->n)
			break;
	}
	return most;
}

static void line_among_filler(struct modelfix *fx, size_t before)
{
	struct kb_buf b;
	kb_buf_init(&b, 1 << 16);
	words(&b, "quiet", before);
	assert_ok(kb_buf_str(&b, "they kicked him in the ribs while handcuffed "));
	words(&b, "still", 400 - before);
	struct text t = text_of(kb_buf_span(&b));
	double whole = reckon(&fx->m, t.w.t, t.w.n);
	assert_int_equal(t.w.n, 408);
	for (unsigned less = 0; less < 2; less++) {
		fx->m.head.window_less = (float)less / 4;
		double all = score_of(&fx->m, t.w.t, t.w.n).logit[0];
		assert_near(all, reckon_windows(&fx->m, &t.w));
		assert_true(all > whole + 0.4); /* the filler would have talked it down */
	}
	fx->m.head.window_less = 1000; /* so much that no window counts */
	assert_near(score_of(&fx->m, t.w.t, t.w.n).logit[0], whole);
	kb_arena_release(&t.a);
	kb_buf_release(&b);
}

TEST(one_strong_line_among_filler_scores_as_its_window_does)
{
	static const size_t before[] = {0, 1, 59, 60, 119, 200, 333, 399, 400};
	struct modelfix *fx = modelfix_new();
	modelfix_teach(fx, KB_HEAD_ALLEGATION, "handcuffed kicked ribs", 120);
	for (size_t i = 0; i < KB_LEN(before); i++)
		line_among_filler(fx, before[i]);
	modelfix_free(&fx);
}

TEST(what_a_word_brings_is_its_share_of_the_score)
{
	struct modelfix *fx = full_model();
	struct text t = text_of(kb_span_str(letter));
	float pull[64];
	struct kb_arena a;
	struct kb_scores s;
	double sum = fx->m.head.line[0].bias;
	assert_in_range(t.w.n, 1, KB_LEN(pull));
	kb_arena_init(&a, 1 << 20);
	kb_model_score(&fx->m, &a, t.w.t, t.w.n, &s, pull);
	kb_arena_release(&a);
	for (size_t i = 0; i < t.w.n; i++)
		sum += pull[i];
	assert_near(sum, s.logit[0]);
	kb_arena_release(&t.a);
	modelfix_free(&fx);
}

TEST(probabilities_and_topics_stay_within_their_range)
{
	struct kb_scores s = {{0}, {0}};
	assert_int_equal(kb_probability_e4(0), 5000);
	assert_int_equal(kb_probability_e4(1e9f), 10000);
	assert_int_equal(kb_probability_e4(-1e9f), 0);
	assert_true(kb_probability_e4(1) > kb_probability_e4(0.9f));
	for (unsigned c = 0; c < KB_MODEL_TOPICS; c++) { /* columns beyond the categories are never chosen */
		memset(&s, 0, sizeof(s));
		s.topic[c] = 5;
		bool of_allegation = c >= KB_CAT_EXCESSIVE_FORCE && c <= KB_CAT_OTHER_MISCONDUCT, is = c < KB_CAT_COUNT;
		assert_int_equal(kb_topic_of(&s, true), is && of_allegation ? c : KB_CAT_OTHER_MISCONDUCT);
		assert_int_equal(kb_topic_of(&s, false), is && !of_allegation ? c : KB_CAT_GENERAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(a_whole_model_opens_and_is_written_as_it_was_read),
		RUN(a_model_that_is_cut_off_or_added_to_is_refused),
		RUN(a_model_with_one_bit_turned_is_refused),
		RUN(another_kind_of_file_or_version_is_refused_as_such),
		RUN(a_model_with_a_number_out_of_its_range_is_refused),
		RUN(a_score_is_what_the_formula_says),
		RUN(the_same_text_always_gets_the_same_score),
		RUN(one_strong_line_among_filler_scores_as_its_window_does),
		RUN(what_a_word_brings_is_its_share_of_the_score),
		RUN(probabilities_and_topics_stay_within_their_range),
	};
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
