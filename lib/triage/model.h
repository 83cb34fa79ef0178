/*
 * model: a linear model over hashed features, in a file that is read strictly.
 *
 * Four questions are answered at once, each with a probability: is this an allegation, is somebody in danger, does it speak of
 * sexual abuse, of retaliation; and a weight for each category. A text longer than a window is also judged window by window, and
 * the strongest window counts: one line about an act is not talked down by pages about something else.
 *
 * Ownership:  kb_model_open borrows the file's octets, which stay where they are as long as the model.
 * Errors:     KB_MALFORMED, KB_UNSUPPORTED for another version, KB_FORGED when the hash at its end is not that of the file.
 * Formula:    docs/FORMATS.md ("triage.model").
 */
#ifndef KITEBOX_TRIAGE_MODEL_H
#define KITEBOX_TRIAGE_MODEL_H

#include "feature_walk.h"

enum kb_head { KB_HEAD_ALLEGATION = 0, KB_HEAD_URGENT, KB_HEAD_SEXUAL, KB_HEAD_RETALIATION, KB_HEAD_COUNT };
enum {
	KB_MODEL_BITS = 18, KB_MODEL_TOPIC_BITS = 16,
	KB_MODEL_ROWS = 1 << KB_MODEL_BITS, KB_MODEL_TOPIC_ROWS = 1 << KB_MODEL_TOPIC_BITS,
	KB_MODEL_TOPICS = 32,       /* columns; the first KB_CAT_COUNT are used */
	KB_MODEL_WINDOW = 120,      /* words; they overlap by half */
	KB_MODEL_WORDS_MOST = 8192, /* more are not looked at, and then a text is never judged whole */
};
_Static_assert((int)KB_CAT_COUNT <= (int)KB_MODEL_TOPICS, "a column a category");

/* logit = bias + scale * sum; in the file as IEEE 754 single precision. */
struct kb_line {
	float scale, bias;
};
/* Probabilities in ten-thousandths, by language: from low on a person looks, from high on it is so. */
struct kb_cut {
	uint32_t low_e4, high_e4;
};

struct kb_model_head {
	char magic[24];
	uint32_t version, messages; /* of the training; how many it saw */
	struct kb_line line[KB_HEAD_COUNT], topic[KB_MODEL_TOPICS];
	struct kb_cut cut[KB_LANG_COUNT][KB_HEAD_COUNT];
	uint32_t topic_least_e4;
	float window_less; /* taken off a window's logits: among many windows one is high by chance */
};
enum { KB_MODEL_MAGIC = 24, KB_MODEL_HASH = 32 };
#define KB_MODEL_LEN (sizeof(struct kb_model_head) + (size_t)KB_MODEL_ROWS * KB_HEAD_COUNT + (size_t)KB_MODEL_TOPIC_ROWS * KB_MODEL_TOPICS + KB_MODEL_HASH)

struct kb_model {
	struct kb_model_head head;
	const int8_t *row;       /* KB_MODEL_ROWS times KB_HEAD_COUNT */
	const int8_t *topic_row; /* KB_MODEL_TOPIC_ROWS times KB_MODEL_TOPICS */
};

KB_MUST_USE enum kb_status kb_model_open(struct kb_diag *d, struct kb_span file, struct kb_model *ret_m);
/* Appends the file; rows are laid out as in struct kb_model. */
KB_MUST_USE enum kb_status kb_model_write(const struct kb_model *m, struct kb_buf *ret_file);

struct kb_scores {
	float logit[KB_HEAD_COUNT];
	float topic[KB_MODEL_TOPICS]; /* logits */
};
/* Scores n tokens. pull, if given, has room for n: what each word brings to the first logit, its neighbours' pairs included. */
void kb_model_score(const struct kb_model *m, struct kb_arena *a, const struct kb_token *t, size_t n, struct kb_scores *ret_s, float *pull);

static inline uint32_t kb_model_row(uint32_t hash)
{
	return hash & (KB_MODEL_ROWS - 1);
}
static inline uint32_t kb_model_topic_row(uint32_t hash)
{
	return hash >> (32 - KB_MODEL_TOPIC_BITS);
}
/* Was the row met before? From now on it was. seen has a bit a row. */
static inline bool kb_model_met(uint64_t *seen, uint32_t row)
{
	uint64_t bit = UINT64_C(1) << (row % 64);
	bool met = seen[row / 64] & bit;
	seen[row / 64] |= bit;
	return met;
}
static inline bool kb_is_misconduct(unsigned category)
{
	return category >= KB_CAT_EXCESSIVE_FORCE && category <= KB_CAT_OTHER_MISCONDUCT;
}
uint32_t kb_probability_e4(float logit);
/* The likeliest category of an allegation, or of an inquiry. */
uint8_t kb_topic_of(const struct kb_scores *s, bool allegation);

#endif
