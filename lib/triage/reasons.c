/* reasons: see reasons.h. */
#include "reasons.h"

#include <stdio.h>
#include <string.h>

enum { RULES_SAID = 6, WORDS_FOR = 6, WORDS_AGAINST = 3 };

void kb_reason(struct kb_verdict *v, const char *text)
{
	size_t have = strlen(v->reasons), n = strlen(text);
	if (have + n + 2 > sizeof(v->reasons))
		return;
	if (have)
		v->reasons[have++] = '\n';
	memcpy(v->reasons + have, text, n + 1);
}

static bool same_word(const struct kb_token *a, const struct kb_token *b)
{
	return a->len == b->len && memcmp(a->w, b->w, a->len) == 0;
}

/* Appends up to `most` words, those first that pull strongest in the direction of sign. */
static bool add_words(const struct kb_finding *f, float sign, size_t most, char *text, size_t room)
{
	const struct kb_token *said[WORDS_FOR];
	size_t n = 0, used = strlen(text);
	while (n < most) {
		size_t best = SIZE_MAX;
		for (size_t i = 0; i < f->words.n; i++) {
			bool again = f->words.t[i].len < 2;
			for (size_t k = 0; k < n && !again; k++)
				again = same_word(said[k], &f->words.t[i]);
			if (!again && sign * f->pull[i] > 0.05f && (best == SIZE_MAX || sign * f->pull[i] > sign * f->pull[best]))
				best = i;
		}
		if (best == SIZE_MAX || used + f->words.t[best].len + 3 > room)
			break;
		said[n] = &f->words.t[best];
		used += (size_t)snprintf(text + used, room - used, "%s%.*s", n ? ", " : "", (int)said[n]->len, said[n]->w);
		n++;
	}
	(void)snprintf(text + used, room - used, ".");
	return n > 0;
}

static void say_words(const struct kb_finding *f, struct kb_verdict *v)
{
	char line[256] = "Words that weigh for an allegation: ";
	if (add_words(f, 1.0f, WORDS_FOR, line, sizeof(line) - 2))
		kb_reason(v, line);
	(void)snprintf(line, sizeof(line), "Words that weigh against: ");
	if (add_words(f, -1.0f, WORDS_AGAINST, line, sizeof(line) - 2))
		kb_reason(v, line);
}

static int pull_of(const struct kb_rule *r)
{
	return r->weight < 0 ? -r->weight : r->weight;
}

static void say_rules(const struct kb_triage *t, const struct kb_finding *f, struct kb_verdict *v)
{
	struct kb_hits left = f->hits;
	for (size_t n = 0; n < RULES_SAID; n++) {
		size_t best = SIZE_MAX;
		for (size_t i = 0; i < t->rules; i++)
			if ((left.bit[i / 64] >> (i % 64) & 1) && (best == SIZE_MAX || pull_of(&t->rule[i]) > pull_of(&t->rule[best])))
				best = i;
		if (best == SIZE_MAX)
			return;
		left.bit[best / 64] &= ~(UINT64_C(1) << (best % 64));
		char line[KB_NAME_MOST + KB_REASON_MOST + 8];
		(void)snprintf(line, sizeof(line), "%s [%s]", t->rule[best].reason, t->rule[best].name);
		kb_reason(v, line);
	}
}

void kb_say_reasons(const struct kb_triage *t, const struct kb_finding *f, struct kb_verdict *v)
{
	say_words(f, v);
	say_rules(t, f, v);
}
