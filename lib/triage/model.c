/* model: see model.h. */
#include "model.h"

#include <math.h>
#include <string.h>

#include <sodium.h>

static const char magic[KB_MODEL_MAGIC] = "kitebox-triage-model 1\n";

/* ---- the file ---- */

static bool line_fine(const struct kb_line *l)
{
	return isfinite(l->scale) && isfinite(l->bias) && fabsf(l->scale) < 1e4f && fabsf(l->bias) < 1e4f;
}

static enum kb_status head_fine(struct kb_diag *d, const struct kb_model_head *h)
{
	bool fine = h->version && h->topic_least_e4 <= 10000 && isfinite(h->window_less) && h->window_less >= 0.0f && h->window_less < 1e4f;
	for (size_t i = 0; i < KB_HEAD_COUNT; i++)
		fine = fine && line_fine(&h->line[i]);
	for (size_t i = 0; i < KB_MODEL_TOPICS; i++)
		fine = fine && line_fine(&h->topic[i]);
	for (size_t l = 0; l < KB_LANG_COUNT; l++)
		for (size_t i = 0; i < KB_HEAD_COUNT; i++)
			fine = fine && h->cut[l][i].low_e4 <= h->cut[l][i].high_e4 && h->cut[l][i].high_e4 <= 10001;
	return fine ? KB_OK : KB_FAIL(d, KB_MALFORMED, 0, "a number of the triage model is out of its range");
}

enum kb_status kb_model_open(struct kb_diag *d, struct kb_span file, struct kb_model *ret_m)
{
	struct kb_model m;
	uint8_t hash[KB_MODEL_HASH];
	size_t kind = sizeof(magic) - 3; /* up to the version */
	if (file.len < sizeof(magic) || memcmp(file.p, magic, kind) != 0)
		return KB_FAIL(d, KB_MALFORMED, 0, "this is not a triage model");
	if (memcmp(file.p, magic, sizeof(magic)) != 0)
		return KB_FAIL(d, KB_UNSUPPORTED, 0, "the triage model is of another version");
	if (file.len != KB_MODEL_LEN)
		return KB_FAIL(d, KB_MALFORMED, 0, "the triage model has the wrong length: it is cut off, or something is added");
	crypto_generichash(hash, sizeof(hash), file.p, file.len - sizeof(hash), NULL, 0);
	if (memcmp(hash, file.p + file.len - sizeof(hash), sizeof(hash)) != 0)
		return KB_FAIL(d, KB_FORGED, 0, "the triage model is damaged: the hash at its end is not its own");
	memcpy(&m.head, file.p, sizeof(m.head));
	enum kb_status st = head_fine(d, &m.head);
	if (st != KB_OK)
		return st;
	m.row = (const int8_t *)file.p + sizeof(m.head);
	m.topic_row = m.row + (size_t)KB_MODEL_ROWS * KB_HEAD_COUNT;
	*ret_m = m;
	return KB_OK;
}

enum kb_status kb_model_write(const struct kb_model *m, struct kb_buf *ret_file)
{
	struct kb_model_head h = m->head;
	uint8_t hash[KB_MODEL_HASH];
	size_t before = ret_file->len;
	memcpy(h.magic, magic, sizeof(magic));
	enum kb_status st = kb_buf_add(ret_file, KB_SPAN(&h, sizeof(h)));
	if (st == KB_OK)
		st = kb_buf_add(ret_file, KB_SPAN(m->row, (size_t)KB_MODEL_ROWS * KB_HEAD_COUNT));
	if (st == KB_OK)
		st = kb_buf_add(ret_file, KB_SPAN(m->topic_row, (size_t)KB_MODEL_TOPIC_ROWS * KB_MODEL_TOPICS));
	if (st != KB_OK)
		return st;
	crypto_generichash(hash, sizeof(hash), ret_file->p + before, ret_file->len - before, NULL, 0);
	return kb_buf_add(ret_file, KB_SPAN(hash, sizeof(hash)));
}

/* ---- scoring ---- */

enum { SEEN_WORDS = KB_MODEL_ROWS / 64 };

/* The features of a row of tokens, walked past once for the whole and all its windows. A token has its word, the pair with the next
 * token if there is one, and its pieces, in this order. */
struct walked {
	uint32_t *hash;
	uint32_t *begin; /* of each token, and the end */
	size_t tokens, n;
};

static inline void keep(void *ctx, enum kb_view view, uint32_t hash, size_t token)
{
	struct walked *w = ctx;
	(void)view;
	w->hash[w->n++] = hash;
	w->begin[token + 1] = (uint32_t)w->n;
}

/* False when the arena is full. */
static bool walk(struct kb_arena *a, const struct kb_token *t, size_t n, struct walked *ret_w)
{
	size_t most = 0;
	struct walked w = {.begin = kb_arena_alloc(a, (n + 1) * sizeof(*w.begin)), .tokens = n};
	for (size_t i = 0; i < n; i++) /* a word, a pair, and of each length at most as many pieces as the word has letters */
		most += 2 + (size_t)(KB_PIECE_MOST - KB_PIECE_LEAST + 1) * t[i].len;
	w.hash = kb_arena_alloc(a, most * sizeof(*w.hash));
	if (!w.begin || !w.hash)
		return false;
	kb_features_walk(t, n, keep, &w);
	*ret_w = w;
	return true;
}

struct sum {
	int32_t head[KB_HEAD_COUNT];
	uint32_t n;
};

/* Adds what was not met before. Without branch or loop: no processor foresees the one, and compilers leave the other as it is. */
__attribute__((always_inline)) static inline bool add(const int8_t *rows, uint64_t *seen, uint32_t hash, struct sum *s)
{
	uint32_t row = kb_model_row(hash);
	const int8_t *w = rows + (size_t)row * KB_HEAD_COUNT;
	uint64_t bits = seen[row / 64];
	int fresh = !(bits >> (row % 64) & 1);
	seen[row / 64] = bits | UINT64_C(1) << (row % 64);
	s->n += (uint32_t)fresh;
	_Static_assert(KB_HEAD_COUNT == 4, "a line each");
	s->head[0] += w[0] & -fresh;
	s->head[1] += w[1] & -fresh;
	s->head[2] += w[2] & -fresh;
	s->head[3] += w[3] & -fresh;
	return fresh;
}

static inline void add_topics(const struct kb_model *m, uint32_t hash, int32_t topic[restrict KB_MODEL_TOPICS])
{
	const int8_t *t = m->topic_row + (size_t)kb_model_topic_row(hash) * KB_MODEL_TOPICS;
	for (size_t i = 0; i < KB_MODEL_TOPICS; i++)
		topic[i] += t[i];
}

/* What tokens from at to end bring, as if they were a text of their own: its last word has no pair. The views share rows, and so
 * what was seen. topic and pull may be NULL. */
__attribute__((always_inline)) static inline void add_tokens(const struct kb_model *m, uint64_t *seen, const struct walked *w,
    size_t at, size_t end, struct sum ret_s[KB_VIEW_COUNT], int32_t *topic, int32_t (*pull)[KB_VIEW_COUNT])
{
	struct sum words = {0}, pieces = {0};
	const int8_t *rows = m->row;
	memset(seen, 0, SEEN_WORDS * sizeof(seen[0]));
	for (size_t i = at; i < end; i++) {
		int32_t before[KB_VIEW_COUNT] = {words.head[KB_HEAD_ALLEGATION], pieces.head[KB_HEAD_ALLEGATION]};
		const uint32_t *h = w->hash + w->begin[i], *last = w->hash + w->begin[i + 1];
		size_t has = i + 1 < w->tokens ? 2 : 1, wanted = i + 1 < end ? 2 : 1;
		for (size_t k = 0; k < wanted; k++)
			if (add(rows, seen, h[k], &words) && topic)
				add_topics(m, h[k], topic);
		for (h += has; h < last; h++)
			(void)add(rows, seen, *h, &pieces);
		if (pull) {
			pull[i][KB_VIEW_WORDS] = words.head[KB_HEAD_ALLEGATION] - before[KB_VIEW_WORDS];
			pull[i][KB_VIEW_PIECES] = pieces.head[KB_HEAD_ALLEGATION] - before[KB_VIEW_PIECES];
		}
	}
	ret_s[KB_VIEW_WORDS] = words;
	ret_s[KB_VIEW_PIECES] = pieces;
}

static float over_root(int32_t sum, uint32_t n)
{
	return n ? (float)sum / sqrtf((float)n) : 0.0f;
}

static float logit_of(const struct kb_model *m, const struct sum s[KB_VIEW_COUNT], size_t head)
{
	const struct kb_line *line = &m->head.line[head];
	return line->bias + line->scale * (over_root(s[KB_VIEW_WORDS].head[head], s[KB_VIEW_WORDS].n) +
	    over_root(s[KB_VIEW_PIECES].head[head], s[KB_VIEW_PIECES].n));
}

static void judge_whole(const struct kb_model *m, uint64_t *seen, const struct walked *w, struct kb_scores *ret_s, float *ret_pull,
    int32_t (*pull)[KB_VIEW_COUNT])
{
	struct sum s[KB_VIEW_COUNT];
	int32_t topic[KB_MODEL_TOPICS] = {0};
	add_tokens(m, seen, w, 0, w->tokens, s, topic, pull);
	for (size_t i = 0; i < KB_HEAD_COUNT; i++)
		ret_s->logit[i] = logit_of(m, s, i);
	for (size_t i = 0; i < KB_MODEL_TOPICS; i++)
		ret_s->topic[i] = m->head.topic[i].bias + m->head.topic[i].scale * over_root(topic[i], s[KB_VIEW_WORDS].n);
	for (size_t i = 0; pull && i < w->tokens; i++)
		ret_pull[i] = m->head.line[KB_HEAD_ALLEGATION].scale *
		    (over_root(pull[i][KB_VIEW_WORDS], s[KB_VIEW_WORDS].n) + over_root(pull[i][KB_VIEW_PIECES], s[KB_VIEW_PIECES].n));
}

static void judge_window(const struct kb_model *m, uint64_t *seen, const struct walked *w, size_t at, size_t end,
    struct kb_scores *s_io)
{
	struct sum s[KB_VIEW_COUNT];
	add_tokens(m, seen, w, at, end, s, NULL, NULL);
	for (size_t i = 0; i < KB_HEAD_COUNT; i++) {
		float logit = logit_of(m, s, i) - m->head.window_less;
		s_io->logit[i] = logit > s_io->logit[i] ? logit : s_io->logit[i];
	}
}

void kb_model_score(const struct kb_model *m, struct kb_arena *a, const struct kb_token *t, size_t n, struct kb_scores *ret_s, float *pull)
{
	struct kb_scores s;
	struct walked w;
	size_t most = n < KB_MODEL_WORDS_MOST ? n : KB_MODEL_WORDS_MOST;
	uint64_t *seen = kb_arena_alloc(a, SEEN_WORDS * sizeof(uint64_t));
	int32_t (*sums)[KB_VIEW_COUNT] = pull ? kb_arena_alloc(a, (most + 1) * sizeof(*sums)) : NULL;
	if (!seen || (pull && !sums) || !walk(a, t, most, &w)) { /* the arena is full: nothing is known, the safe answer elsewhere */
		memset(ret_s, 0, sizeof(*ret_s));
		return;
	}
	judge_whole(m, seen, &w, &s, pull, sums);
	for (size_t i = most; pull && i < n; i++)
		pull[i] = 0.0f;
	for (size_t at = 0; most > KB_MODEL_WINDOW && at < most; at += KB_MODEL_WINDOW / 2) {
		size_t end = most - at < KB_MODEL_WINDOW ? most : at + KB_MODEL_WINDOW;
		judge_window(m, seen, &w, at, end, &s);
		if (end == most)
			break;
	}
	*ret_s = s;
}

uint32_t kb_probability_e4(float logit)
{
	return (uint32_t)(10000.0f / (1.0f + expf(-logit)) + 0.5f);
}

uint8_t kb_topic_of(const struct kb_scores *s, bool allegation)
{
	uint8_t best = allegation ? KB_CAT_OTHER_MISCONDUCT : KB_CAT_GENERAL;
	for (uint8_t c = 0; c < KB_CAT_COUNT; c++)
		if (kb_is_misconduct(c) == allegation && s->topic[c] > s->topic[best])
			best = c;
	return best;
}
