/*
 * reasons: what was found in a message, and sentences about it that a person can check against the text.
 */
#ifndef KITEBOX_TRIAGE_REASONS_H
#define KITEBOX_TRIAGE_REASONS_H

#include "model.h"

struct kb_finding {
	struct kb_tokens words;
	float *pull; /* what each word brings to the score */
	bool whole;  /* all of the text was judged */
	uint8_t language;
	struct kb_hits hits;
	struct kb_scores scores;
	uint32_t flags, score_e4;
};

/* Appends a line, unless there is no more room. */
void kb_reason(struct kb_verdict *v, const char *text);
/* The words that weighed most, both ways, and the rules that were met, the heaviest first. */
void kb_say_reasons(const struct kb_triage *t, const struct kb_finding *f, struct kb_verdict *v);

#endif
