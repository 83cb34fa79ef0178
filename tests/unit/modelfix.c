/* modelfix: see modelfix.h. */
#include "modelfix.h"

#include <stdlib.h>
#include <string.h>

#define BIAS (-4.0f)
#define SCALE 0.1f

struct modelfix *modelfix_new(void)
{
	struct modelfix *fx = calloc(1, sizeof(*fx));
	if (!fx)
		abort();
	fx->row = calloc(KB_MODEL_ROWS, KB_HEAD_COUNT);
	fx->topic = calloc(KB_MODEL_TOPIC_ROWS, KB_MODEL_TOPICS);
	if (!fx->row || !fx->topic)
		abort();
	fx->m.row = fx->row;
	fx->m.topic_row = fx->topic;
	fx->m.head.version = 1;
	fx->m.head.messages = 1;
	fx->m.head.topic_least_e4 = 500;
	for (size_t i = 0; i < KB_HEAD_COUNT; i++)
		fx->m.head.line[i] = (struct kb_line){SCALE, BIAS};
	for (size_t i = 0; i < KB_MODEL_TOPICS; i++)
		fx->m.head.topic[i] = (struct kb_line){SCALE, BIAS};
	for (size_t l = 0; l < KB_LANG_COUNT; l++)
		for (size_t i = 0; i < KB_HEAD_COUNT; i++)
			fx->m.head.cut[l][i] = (struct kb_cut){2000, 7000};
	return fx;
}

void modelfix_free(struct modelfix **fx)
{
	struct modelfix *f = KB_TAKE(*fx);
	if (!f)
		return;
	free(f->row);
	free(f->topic);
	free(f);
}

static bool next_hash(struct kb_span *rest, uint32_t *ret_hash)
{
	struct kb_token t = {0};
	if (!kb_token_next(rest, t.w))
		return false;
	t.len = (uint8_t)strlen(t.w);
	*ret_hash = kb_hash_end(kb_hash_word(KB_HASH_WORD, &t));
	return true;
}

void modelfix_teach(struct modelfix *fx, enum kb_head head, const char *words, int8_t weight)
{
	uint32_t hash;
	for (struct kb_span rest = kb_span_str(words); next_hash(&rest, &hash);)
		fx->row[(size_t)kb_model_row(hash) * KB_HEAD_COUNT + head] = weight;
}

void modelfix_topic(struct modelfix *fx, enum kb_category category, const char *words, int8_t weight)
{
	uint32_t hash;
	for (struct kb_span rest = kb_span_str(words); next_hash(&rest, &hash);)
		fx->topic[(size_t)kb_model_topic_row(hash) * KB_MODEL_TOPICS + category] = weight;
}

struct kb_buf modelfix_file(const struct modelfix *fx)
{
	struct kb_buf b;
	kb_buf_init(&b, 2 * KB_MODEL_LEN);
	if (kb_model_write(&fx->m, &b) != KB_OK)
		abort();
	return b;
}

/* clang-format off */
static const struct { enum kb_category category; const char *words; } known[] = {
	{KB_CAT_EXCESSIVE_FORCE, "slammed kicked punched ribs handcuffed handcuffs golpe\xc3\xb3 pate\xc3\xb3 esposado"},
	{KB_CAT_SEXUAL_MISCONDUCT, "touches women relationship"},
	{KB_CAT_CONTRABAND_BRIBERY, "selling phones suboxone cashapp"},
};
/* clang-format on */

struct modelfix *modelfix_of_tests(void)
{
	struct modelfix *fx = modelfix_new();
	for (size_t i = 0; i < KB_LEN(known); i++) {
		modelfix_teach(fx, KB_HEAD_ALLEGATION, known[i].words, 120);
		modelfix_topic(fx, known[i].category, known[i].words, 120);
	}
	modelfix_teach(fx, KB_HEAD_ALLEGATION, "thanks form deposit", -60);
	modelfix_teach(fx, KB_HEAD_URGENT, "goodbye problem sunday", 120);
	modelfix_teach(fx, KB_HEAD_SEXUAL, "touches relationship", 120);
	modelfix_topic(fx, KB_CAT_TRUST_FUND, "deposit commissary account", 120);
	modelfix_topic(fx, KB_CAT_VISITING, "visit visiting", 120);
	return fx;
}
