/*
 * normal: text to tokens: what a person reads, less how it was dressed. See internal.h.
 */
#include "internal.h"

#include <string.h>

/* clang-format off */
/* A letter or digit, folded; 0: a separator; 1: the word goes on as if it were not there. */
static const char ascii[0x80] = {
	['\''] = 1,
	['0'] = '0','1','2','3','4','5','6','7','8','9',
	['A'] = 'a','b','c','d','e','f','g','h','i','j','k','l','m','n','o','p','q','r','s','t','u','v','w','x','y','z',
	['a'] = 'a','b','c','d','e','f','g','h','i','j','k','l','m','n','o','p','q','r','s','t','u','v','w','x','y','z',
};

/* U+00C0..U+017F folded to ASCII letters; a ligature keeps its first letter, which is enough for matching; '.' is no letter. */
static const char latin[] =
	"aaaaaaaceeeeiiiidnooooo.ouuuuyts" /* C0-DF */
	"aaaaaaaceeeeiiiidnooooo.ouuuuyty" /* E0-FF */
	"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll" /* 100-13F */
	"lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"; /* 140-17F */

/* Letters of other scripts that look like Latin ones and are used to slip past a filter. */
static const struct { uint32_t cp; char c; } alike[] = {
	{0x0391,'a'},{0x0392,'b'},{0x0395,'e'},{0x0397,'h'},{0x0399,'i'},{0x039A,'k'},{0x039C,'m'},{0x039D,'n'},{0x039F,'o'},
	{0x03A1,'p'},{0x03A4,'t'},{0x03A7,'x'},{0x03B1,'a'},{0x03BF,'o'},{0x03C1,'p'},
	{0x0410,'a'},{0x0412,'b'},{0x0415,'e'},{0x041A,'k'},{0x041C,'m'},{0x041D,'h'},{0x041E,'o'},{0x0420,'p'},{0x0421,'c'},
	{0x0422,'t'},{0x0425,'x'},{0x0430,'a'},{0x0435,'e'},{0x043E,'o'},{0x0440,'p'},{0x0441,'c'},{0x0443,'y'},{0x0445,'x'},
	{0x0455,'s'},{0x0456,'i'},{0x0458,'j'},{0x0501,'d'},
};
/* clang-format on */

/* As above; what is skipped are apostrophes, soft hyphens, combining marks, and what has no width. */
static char fold(uint32_t cp)
{
	if (cp < 0x80)
		return ascii[cp];
	if (cp >= 0xC0 && cp <= 0x17F) {
		size_t i = cp - 0xC0;
		char c = i < sizeof(latin) - 1 ? latin[i] : 0;
		return c >= 'a' && c <= 'z' ? c : 0;
	}
	if ((cp >= 0x300 && cp <= 0x36F) || cp == 0xAD || (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2060 && cp <= 0x2064) ||
	    cp == 0xFEFF || cp == 0x2018 || cp == 0x2019 || cp == 0x180E)
		return 1;
	if (cp >= 0xFF01 && cp <= 0xFF5E)
		return fold(cp - 0xFEE0); /* full-width forms */
	for (size_t i = 0; i < KB_LEN(alike); i++)
		if (alike[i].cp == cp)
			return alike[i].c;
	return 0;
}

static unsigned letter(char c)
{
	return c >= 'a' ? (unsigned)(c - 'a') : 26u + (unsigned)(c - '0');
}

static void add_sets(struct kb_token *k, const uint16_t *from)
{
	for (size_t i = 0; i < 4 && from[i]; i++) {
		bool have = false;
		for (size_t j = 0; j < k->sets; j++)
			have = have || k->set[j] == from[i] - 1;
		if (!have && k->sets < KB_TOKEN_SETS_MOST)
			k->set[k->sets++] = (uint16_t)(from[i] - 1);
	}
}

static void look_up(const struct kb_triage *t, struct kb_token *k)
{
	size_t node = 0;
	for (size_t i = 0; i < k->len; i++) {
		node = t->trie[node].next[letter(k->w[i])];
		if (!node)
			return;
		add_sets(k, t->trie[node].prefix);
	}
	add_sets(k, t->trie[node].whole);
}

/* The character at the head of s, folded, and how many octets it has. */
static inline char folded_at(struct kb_span s, size_t at, size_t *ret_step)
{
	uint32_t cp = s.p[at];
	*ret_step = 1;
	if (cp < 0x80)
		return ascii[cp];
	size_t step = kb_utf8_next(kb_span_from(s, at), &cp);
	if (!step)
		return 0;
	*ret_step = step;
	return fold(cp);
}

/* Reads one word from *rest into w, without its end; false when there is none. Letters that stand three or more times become two. */
static bool next_word(struct kb_span *rest, char w[static KB_TOKEN_MOST], uint8_t *ret_len)
{
	size_t n = 0, at = 0, step;
	for (; at < rest->len; at += step) {
		char c = folded_at(*rest, at, &step);
		if (c > 1) {
			if (n < KB_TOKEN_MOST - 1 && !(n >= 2 && w[n - 1] == c && w[n - 2] == c))
				w[n++] = c;
		} else if (!c && n) {
			at += step;
			break;
		}
	}
	*rest = kb_span_from(*rest, at);
	*ret_len = (uint8_t)n;
	return n > 0;
}

bool kb_token_next(struct kb_span *rest, char ret_w[static KB_TOKEN_MOST])
{
	uint8_t len;
	bool is = next_word(rest, ret_w, &len);
	ret_w[len] = '\0';
	return is;
}

void kb_token_fold(struct kb_span word, char ret_w[static KB_TOKEN_MOST])
{
	uint8_t len = 0;
	char w[KB_TOKEN_MOST];
	(void)next_word(&word, w, &len);
	memcpy(ret_w, w, len);
	memset(ret_w + len, 0, (size_t)KB_TOKEN_MOST - len);
}

/* No text has more words than octets that end one, and the one at its end. What is not ASCII may end one. */
static size_t words_most(struct kb_span text)
{
	size_t n = 1;
	for (size_t i = 0; i + 1 < text.len; i++) {
		uint8_t c = text.p[i], next = text.p[i + 1];
		bool ends = (next < '0' || next > 'z' || (next > '9' && next < 'A') || (next > 'Z' && next < 'a')) && next != '\'';
		n += ends && c > ' ';
	}
	return n < KB_TOKENS_MOST ? n : KB_TOKENS_MOST;
}

static void add_tokens(const struct kb_triage *t, struct kb_span text, size_t most, struct kb_tokens *w)
{
	while (w->t && w->n < most) {
		struct kb_token *k = &w->t[w->n];
		if (!next_word(&text, k->w, &k->len))
			break;
		if (t)
			look_up(t, k);
		w->n++;
	}
}

void kb_tokens_of(struct kb_arena *a, const struct kb_triage *t, struct kb_span text, struct kb_tokens *ret)
{
	size_t most = words_most(text);
	struct kb_tokens w = {kb_arena_alloc(a, most * sizeof(struct kb_token)), 0};
	add_tokens(t, text, most, &w);
	*ret = w;
}

bool kb_tokens_whole(struct kb_arena *a, const struct kb_triage *t, struct kb_span subject, struct kb_span text, struct kb_tokens *ret)
{
	bool whole = text.len <= KB_JUDGED_MOST;
	struct kb_span first = whole ? text : KB_SPAN(text.p, KB_JUDGED_ENDS), last = kb_span_from(text, whole ? text.len : text.len - KB_JUDGED_ENDS);
	size_t most = words_most(subject) + words_most(first) + words_most(last);
	struct kb_tokens w = {kb_arena_alloc(a, most * sizeof(struct kb_token)), 0};
	add_tokens(t, subject, most, &w);
	add_tokens(t, first, most, &w);
	add_tokens(t, last, most, &w);
	*ret = w;
	return whole && w.t;
}
