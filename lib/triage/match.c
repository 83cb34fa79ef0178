/*
 * match: which rules a row of tokens meets. Each token starts the rules that begin with a set of its own, so the work is bounded
 * by tokens times such rules times the widths of their gaps. See internal.h.
 */
#include "internal.h"

static bool in_set(const struct kb_token *k, uint16_t set)
{
	for (size_t i = 0; i < k->sets; i++)
		if (k->set[i] == set)
			return true;
	return false;
}

/* The step matches at `at`; do the ones behind it match too? Gaps are tried nearest first, to the sixth step at most. */
static bool rest_matches(const struct kb_rule *r, size_t step, const struct kb_tokens *w, size_t at)
{
	if (step >= r->steps || step >= KB_STEPS_MOST)
		return true;
	const struct kb_step *s = &r->step[step];
	for (size_t i = at + 1; i < w->n && i <= at + 1 + s->gap; i++)
		if (in_set(&w->t[i], s->set) && rest_matches(r, step + 1, w, i))
			return true;
	if (s->either)
		for (size_t i = at; i-- > 0 && at - i <= (size_t)s->gap + 1;)
			if (in_set(&w->t[i], s->set))
				return true;
	return false;
}

void kb_match(const struct kb_triage *t, const struct kb_tokens *w, struct kb_hits *ret_hits)
{
	struct kb_hits h = {{0}};
	for (size_t i = 0; i < w->n; i++) {
		for (size_t j = 0; j < w->t[i].sets; j++) {
			uint16_t set = w->t[i].set[j];
			for (size_t k = t->first[set]; k < t->rules && t->rule[k].step[0].set == set; k++)
				if (!(h.bit[k / 64] >> (k % 64) & 1) && rest_matches(&t->rule[k], 1, w, i))
					h.bit[k / 64] |= UINT64_C(1) << (k % 64);
		}
	}
	*ret_hits = h;
}
