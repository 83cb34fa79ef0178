/*
 * rules: conf/triage.rules, read strictly. A rules file that is not exactly right is refused with its line number, and
 * nothing of it is used: half a rule set would be a silent loss of allegations.
 *
 *     kitebox-triage-rules 1
 *     version N
 *     set NAME = word word* ...    a star stands for any ending
 *     rule NAME en|es|any WEIGHT CATEGORY|-[,FLAG...] PATTERN = REASON
 *
 * PATTERN is one to six of @set, word or word*, with `~N` (at most N words between) or `<>N` (the same, in either order)
 * between two of them. An empty line, or one that begins with #, is passed over.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

struct reader {
	struct kb_triage *t;
	struct kb_diag *d;
	size_t line;
};

#define REFUSE(r, lit) KB_FAIL((r)->d, KB_MALFORMED, (r)->line, lit)

static bool word_next(struct kb_span *rest, struct kb_span *ret_w)
{
	*rest = kb_span_trim(*rest);
	size_t n = 0;
	while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*ret_w = KB_SPAN(rest->p, n);
	*rest = kb_span_from(*rest, n);
	return n > 0;
}

static enum kb_status number(struct reader *r, struct kb_span s, int least, int most, int *ret_v)
{
	bool minus = s.len && s.p[0] == '-';
	uint64_t v;
	if (s.len && (s.p[0] == '-' || s.p[0] == '+'))
		s = kb_span_from(s, 1);
	if (kb_span_u64(s, 1000000, &v) != KB_OK)
		return REFUSE(r, "a whole number was expected");
	int n = minus ? -(int)v : (int)v;
	if (n < least || n > most)
		return REFUSE(r, "a number is out of range");
	*ret_v = n;
	return KB_OK;
}

static enum kb_status name_copy(struct reader *r, struct kb_span s, char ret_name[static KB_NAME_MOST])
{
	if (!s.len || s.len >= KB_NAME_MOST)
		return REFUSE(r, "a name has 1 to 31 characters");
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '.'))
			return REFUSE(r, "a name is made of a-z, 0-9, - and .");
	memcpy(ret_name, s.p, s.len);
	ret_name[s.len] = '\0';
	return KB_OK;
}

/* Puts one folded word (with or without star) into a set. */
static enum kb_status trie_add(struct reader *r, struct kb_span word, size_t set)
{
	struct kb_triage *t = r->t;
	bool star = word.len && word.p[word.len - 1] == '*';
	char w[KB_TOKEN_MOST];
	kb_token_fold(star ? KB_SPAN(word.p, word.len - 1) : word, w);
	if (!w[0])
		return REFUSE(r, "a word has no letter or digit");
	size_t node = 0;
	for (size_t i = 0; w[i]; i++) {
		unsigned c = w[i] >= 'a' ? (unsigned)(w[i] - 'a') : 26u + (unsigned)(w[i] - '0');
		if (!t->trie[node].next[c]) {
			if (t->nodes == KB_TRIE_MOST)
				return KB_FAIL(r->d, KB_LIMIT, r->line, "too many words");
			t->trie[node].next[c] = (uint16_t)t->nodes++;
		}
		node = t->trie[node].next[c];
	}
	uint16_t *slot = star ? t->trie[node].prefix : t->trie[node].whole;
	for (size_t i = 0; i < 4; i++) {
		if (slot[i] == set + 1)
			return KB_OK;
		if (!slot[i]) {
			slot[i] = (uint16_t)(set + 1);
			return KB_OK;
		}
	}
	return KB_FAIL(r->d, KB_LIMIT, r->line, "one word stands in more than four sets");
}

static int set_find(const struct kb_triage *t, const char *name)
{
	for (size_t i = 0; i < t->sets; i++)
		if (!strcmp(t->set_name[i], name))
			return (int)i;
	return -1;
}

static enum kb_status set_new(struct reader *r, size_t *ret_set)
{
	if (r->t->sets == KB_SETS_MOST)
		return KB_FAIL(r->d, KB_LIMIT, r->line, "too many sets (a word in a rule is one as well)");
	*ret_set = r->t->sets++;
	return KB_OK;
}

static enum kb_status on_set(struct reader *r, struct kb_span rest)
{
	struct kb_span name, word, eq;
	char text[KB_NAME_MOST];
	size_t set = 0, words = 0;
	if (!word_next(&rest, &name) || !word_next(&rest, &eq) || !kb_span_eq(eq, KB_LIT("=")))
		return REFUSE(r, "a set is written: set NAME = word ...");
	enum kb_status st = name_copy(r, name, text);
	if (st == KB_OK && set_find(r->t, text) >= 0)
		return REFUSE(r, "a set of this name exists already");
	if (st == KB_OK)
		st = set_new(r, &set);
	if (st == KB_OK)
		memcpy(r->t->set_name[set], text, sizeof(text));
	for (; st == KB_OK && word_next(&rest, &word); words++)
		st = trie_add(r, word, set);
	return st == KB_OK && !words ? REFUSE(r, "a set without words") : st;
}

/* The number of a named set, or of a new nameless one for a bare word. */
static enum kb_status step_set(struct reader *r, struct kb_span w, uint16_t *ret_set)
{
	size_t set = 0;
	if (w.p[0] == '@') {
		for (set = 0; set < r->t->sets; set++)
			if (kb_span_eq(kb_span_str(r->t->set_name[set]), kb_span_from(w, 1)))
				break;
		if (set == r->t->sets)
			return REFUSE(r, "a rule names a set that does not stand above it");
	} else {
		/* A bare word is a nameless set of its own, kept as "=word" so that each stands once. */
		char name[KB_NAME_MOST] = "=";
		if (w.len >= sizeof(name) - 1)
			return REFUSE(r, "a word in a rule has at most 30 characters");
		memcpy(name + 1, w.p, w.len);
		while (set < r->t->sets && strcmp(r->t->set_name[set], name))
			set++;
		if (set == r->t->sets) {
			enum kb_status st = set_new(r, &set);
			if (st == KB_OK)
				st = trie_add(r, w, set);
			if (st != KB_OK)
				return st;
			memcpy(r->t->set_name[set], name, sizeof(name));
		}
	}
	*ret_set = (uint16_t)set;
	return KB_OK;
}

static enum kb_status pattern(struct reader *r, struct kb_span text, struct kb_rule *rule)
{
	struct kb_span w;
	struct kb_step gap = {0};
	while (word_next(&text, &w)) {
		bool either = w.len > 2 && w.p[0] == '<' && w.p[1] == '>';
		if (either || (w.len > 1 && w.p[0] == '~')) {
			int n;
			enum kb_status st = number(r, kb_span_from(w, either ? 2 : 1), 1, 60, &n);
			if (st != KB_OK)
				return st;
			if (!rule->steps || gap.gap)
				return REFUSE(r, "a gap stands between two words");
			gap.gap = (uint8_t)n;
			gap.either = either;
			continue;
		}
		if (rule->steps == KB_STEPS_MOST)
			return REFUSE(r, "a rule has at most six words");
		enum kb_status st = step_set(r, w, &gap.set);
		if (st != KB_OK)
			return st;
		rule->step[rule->steps++] = gap;
		gap = (struct kb_step){0};
	}
	if (!rule->steps || gap.gap)
		return REFUSE(r, "a rule without words, or with a gap at its end");
	uint32_t ways = 1; /* what a hostile text can make of this rule at each of its words */
	for (size_t i = 1; i < rule->steps; i++) {
		ways *= rule->step[i].gap + 1u;
		if (ways > 4096)
			return KB_FAIL(r->d, KB_LIMIT, r->line, "the gaps of a rule multiply to more than 4096");
		if (rule->step[i].either && rule->steps != 2)
			return REFUSE(r, "<> joins exactly two words");
	}
	return KB_OK;
}

static enum kb_status effect(struct reader *r, struct kb_span text, struct kb_rule *rule)
{
	rule->category = -1;
	for (size_t i = 0; text.len; i++) {
		size_t comma = kb_span_find(text, KB_LIT(","));
		struct kb_span one = comma == SIZE_MAX ? text : KB_SPAN(text.p, comma);
		text = comma == SIZE_MAX ? KB_SPAN(text.p, 0) : kb_span_from(text, comma + 1);
		int category = kb_category_find(one);
		unsigned flag = kb_flag_find(one);
		if (i == 0 && category >= 0)
			rule->category = (int8_t)category;
		else if (i > 0 && flag)
			rule->flags |= flag;
		else if (i > 0 || !kb_span_eq(one, KB_LIT("-")))
			return REFUSE(r, "an effect is a category or -, then flags with commas");
	}
	return KB_OK;
}

/* It becomes part of a verdict, and one with a character that is not harmless is believed by nobody (kb_verdict_check): each
 * message that the rule matched would be turned away. */
static bool reason_fine(struct kb_span reason)
{
	struct kb_buf clean;
	kb_buf_init(&clean, 4 * KB_REASON_MOST);
	bool fine = kb_utf8_valid(reason) && kb_text_harmless(&clean, reason, false) == KB_OK && kb_span_eq(kb_buf_span(&clean), reason);
	kb_buf_release(&clean);
	return fine;
}

static enum kb_status on_rule(struct reader *r, struct kb_span rest)
{
	struct kb_rule rule = {0};
	struct kb_span name, lang, weight, what;
	int n = 0;
	if (!word_next(&rest, &name) || !word_next(&rest, &lang) || !word_next(&rest, &weight) || !word_next(&rest, &what))
		return REFUSE(r, "a rule is written: rule NAME LANGUAGE WEIGHT EFFECT PATTERN = REASON");
	size_t eq = kb_span_find(rest, KB_LIT(" = "));
	if (eq == SIZE_MAX)
		return REFUSE(r, "a rule ends in = and a reason");
	struct kb_span reason = kb_span_trim(kb_span_from(rest, eq + 3));
	if (!reason.len || reason.len >= KB_REASON_MOST || !reason_fine(reason))
		return REFUSE(r, "a reason has 1 to 95 octets of UTF-8, without control or hidden characters");
	memcpy(rule.reason, reason.p, reason.len);
	int language = kb_span_eq(lang, KB_LIT("any")) ? KB_LANG_OTHER : kb_language_find(lang);
	if (language < 0)
		return REFUSE(r, "a rule's language is en, es or any");
	rule.language = (uint8_t)language;
	enum kb_status st = name_copy(r, name, rule.name);
	if (st == KB_OK)
		st = number(r, weight, -1000, 1000, &n);
	rule.weight = (int16_t)n;
	if (st == KB_OK)
		st = effect(r, what, &rule);
	if (st == KB_OK)
		st = pattern(r, KB_SPAN(rest.p, eq), &rule);
	if (st == KB_OK && r->t->rules == KB_RULES_MOST)
		st = KB_FAIL(r->d, KB_LIMIT, r->line, "too many rules");
	if (st == KB_OK)
		r->t->rule[r->t->rules++] = rule;
	return st;
}

static enum kb_status on_setting(struct reader *r, struct kb_span key, struct kb_span value)
{
	int n;
	value = kb_span_trim(value);
	enum kb_status st;
	if (kb_span_eq(key, KB_LIT("version"))) {
		st = number(r, value, 1, 1000000, &n);
		if (st == KB_OK)
			r->t->version = (uint32_t)n;
		return st;
	}
	return REFUSE(r, "a line begins with version, set or rule");
}

static enum kb_status read_lines(struct reader *r, struct kb_span text)
{
	struct kb_span line, key;
	enum kb_status st = KB_OK;
	if (!kb_span_line(&text, &line) || !kb_span_eq(line, KB_LIT("kitebox-triage-rules 1"))) {
		r->line = 1;
		return REFUSE(r, "the first line is not: kitebox-triage-rules 1");
	}
	for (r->line = 2; st == KB_OK && kb_span_line(&text, &line); r->line++) {
		if (line.len > 4096)
			return KB_FAIL(r->d, KB_LIMIT, r->line, "a line is longer than 4096 octets");
		if (!word_next(&line, &key) || key.p[0] == '#')
			continue;
		if (kb_span_eq(key, KB_LIT("set")))
			st = on_set(r, line);
		else if (kb_span_eq(key, KB_LIT("rule")))
			st = on_rule(r, line);
		else
			st = on_setting(r, key, line);
	}
	return st;
}

static int by_first_set(const void *a, const void *b)
{
	const struct kb_rule *x = a, *y = b;
	return x->step[0].set != y->step[0].set ? (int)x->step[0].set - (int)y->step[0].set : strcmp(x->name, y->name);
}

static enum kb_status finish(struct reader *r)
{
	struct kb_triage *t = r->t;
	if (!t->version || !t->rules)
		return REFUSE(r, "a version and rules are both needed");
	t->common_en = set_find(t, "common-en");
	t->common_es = set_find(t, "common-es");
	qsort(t->rule, t->rules, sizeof(t->rule[0]), by_first_set);
	for (size_t s = 0, i = 0; s < KB_SETS_MOST; s++) {
		while (i < t->rules && t->rule[i].step[0].set < s)
			i++;
		t->first[s] = (uint16_t)i;
	}
	return KB_OK;
}

static struct kb_triage *blank(void)
{
	struct kb_triage *t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->trie = calloc(KB_TRIE_MOST, sizeof(t->trie[0]));
	t->rule = calloc(KB_RULES_MOST, sizeof(t->rule[0]));
	if (!t->trie || !t->rule)
		abort();
	t->nodes = 1;
	return t;
}

enum kb_status kb_triage_rules(struct kb_diag *d, struct kb_span rules, struct kb_triage **ret_t)
{
	if (rules.len > KB_RULES_TEXT_MOST)
		return KB_FAIL(d, KB_TOOBIG, 0, "the rules are larger than 1 MiB");
	struct kb_triage *t = blank();
	struct reader r = {t, d, 0};
	enum kb_status st = read_lines(&r, rules);
	if (st == KB_OK)
		st = finish(&r);
	if (st == KB_OK)
		*ret_t = t;
	else
		kb_triage_free(&t);
	return st;
}

enum kb_status kb_triage_open(struct kb_diag *d, struct kb_span rules, struct kb_span model, struct kb_triage **ret_t)
{
	struct kb_triage *t = NULL;
	enum kb_status st = kb_triage_rules(d, rules, &t);
	if (st != KB_OK)
		return st;
	struct kb_model *m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	t->model = m;
	st = kb_model_open(d, model, m);
	if (st == KB_OK)
		*ret_t = t;
	else
		kb_triage_free(&t);
	return st;
}

enum kb_status kb_triage_names(struct kb_span names, struct kb_triage **ret_t)
{
	struct kb_triage *t = blank();
	t->common_en = t->common_es = -1;
	enum kb_status st = kb_triage_staff(t, names);
	if (st == KB_OK)
		*ret_t = t;
	else
		kb_triage_free(&t);
	return st;
}

void kb_triage_free(struct kb_triage **t)
{
	if (!*t)
		return;
	free((*t)->trie);
	free((*t)->rule);
	free((void *)(uintptr_t)(*t)->model);
	sodium_memzero(*t, sizeof(**t));
	free(*t);
	*t = NULL;
}
