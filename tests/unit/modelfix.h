/* modelfix: small triage models, made word by word, for tests and fuzz targets. What fails here aborts. */
#ifndef MODELFIX_H
#define MODELFIX_H

#include "../../lib/triage/model.h"

struct modelfix {
	struct kb_model m; /* its head may be changed before the file is made */
	int8_t *row, *topic;
};

/* Knows nothing: each logit is -4. A text is an allegation from 0.7 on, an inquiry under 0.2 when it has a topic. */
struct modelfix *modelfix_new(void);
void modelfix_free(struct modelfix **fx);
/* What a word weighs in a question, and what each of several, with spaces between, weighs in a category: -127 to 127. */
void modelfix_teach(struct modelfix *fx, enum kb_head head, const char *words, int8_t weight);
void modelfix_topic(struct modelfix *fx, enum kb_category category, const char *words, int8_t weight);
/* The file, in a buffer of the caller's to release. */
struct kb_buf modelfix_file(const struct modelfix *fx);
/* Enough for the messages of the tests: violence, contraband, money, in English and Spanish. */
struct modelfix *modelfix_of_tests(void);

#endif
