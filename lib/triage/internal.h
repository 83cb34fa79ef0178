/*
 * internal: what the files of lib/triage share: words, rules, hits.
 *
 * A text becomes a row of tokens (normal.c): lower case, accents and look-alike letters folded, apostrophes dropped, invisible
 * characters taken out. A trie (rules.c) gives each token the sets of words it belongs to. A rule (match.c) is a short row of
 * sets with gaps. Everything is bounded by the length of the text times the rules that begin with a word of it.
 */
#ifndef KITEBOX_TRIAGE_INTERNAL_H
#define KITEBOX_TRIAGE_INTERNAL_H

#include <kitebox/triage.h>

enum {
	KB_TOKEN_MOST = 24,       /* octets of a token; longer words are cut */
	KB_TOKENS_MOST = 400000,  /* of one text */
	KB_SETS_MOST = 512,
	KB_RULES_MOST = 1024,
	KB_STEPS_MOST = 6,
	KB_NAME_MOST = 32,
	KB_REASON_MOST = 96,
	KB_TOKEN_SETS_MOST = 12,  /* sets one word may belong to */
	KB_RULES_TEXT_MOST = 1 << 20,
	KB_TRIE_MOST = 60000,
	KB_JUDGED_MOST = 32768,   /* octets of a text that is judged whole; of a longer one, its ends, and a person looks at it */
	KB_JUDGED_ENDS = KB_JUDGED_MOST / 2,
};

struct kb_token {
	char w[KB_TOKEN_MOST];
	uint8_t len;
	uint8_t sets; /* how many of set[] */
	uint16_t set[KB_TOKEN_SETS_MOST];
};

struct kb_tokens {
	struct kb_token *t; /* of the arena that made it */
	size_t n;
};

/* "~N": the next step follows within N words; N = 0: at once. */
struct kb_step {
	uint16_t set;
	uint8_t gap;    /* words that may stand between the step before and this one */
	bool either;    /* the step before may also follow this one ("<>N") */
};

struct kb_rule {
	char name[KB_NAME_MOST];
	char reason[KB_REASON_MOST];
	struct kb_step step[KB_STEPS_MOST];
	uint8_t steps;
	uint8_t language; /* enum kb_language it is written for; KB_LANG_OTHER: any */
	int16_t weight;   /* hundredths of log-odds that this is an allegation */
	int8_t category;  /* enum kb_category, or -1 */
	uint32_t flags;
};

struct kb_trie_node {
	uint16_t next[36]; /* a-z 0-9; 0: none */
	uint16_t whole[4], prefix[4]; /* set number + 1 */
};

struct kb_model;
struct kb_triage {
	uint32_t version;
	struct kb_trie_node *trie;
	size_t nodes;
	char set_name[KB_SETS_MOST][KB_NAME_MOST];
	size_t sets;
	int common_en, common_es; /* sets of that name, "common-en" and "common-es"; -1: none */
	struct kb_rule *rule;
	size_t rules;
	uint16_t first[KB_SETS_MOST]; /* rules sorted by the set of their first step: where it begins */
	struct {
		char last[KB_TOKEN_MOST], first[KB_TOKEN_MOST];
	} staff[KB_STAFF_MOST];
	size_t staff_n;
	uint8_t staff_kind[256]; /* what an octet is to a search for names: staff.c */
	uint32_t staff_third[32 * 32]; /* by the lower five bits of a name's first two octets: those of its third, a bit each */
	const struct kb_model *model; /* NULL: names alone */
};

/* Normalises text into tokens of the arena. t may be NULL: then no sets are looked up. */
void kb_tokens_of(struct kb_arena *a, const struct kb_triage *t, struct kb_span text, struct kb_tokens *ret);
/* Subject, then text, as one row; false where the text was too long, and only its beginning and its end are in it. */
bool kb_tokens_whole(struct kb_arena *a, const struct kb_triage *t, struct kb_span subject, struct kb_span text, struct kb_tokens *ret);
/* The next word of *rest, folded; false, and an empty word, at the end. */
bool kb_token_next(struct kb_span *rest, char ret_w[static KB_TOKEN_MOST]);
/* Folds one word as kb_tokens_of does. */
void kb_token_fold(struct kb_span word, char ret_w[static KB_TOKEN_MOST]);

/* One bit a rule, set when it matched anywhere. */
struct kb_hits {
	uint64_t bit[KB_RULES_MOST / 64];
};
void kb_match(const struct kb_triage *t, const struct kb_tokens *w, struct kb_hits *ret_hits);

/* Bits of staff whose names stand in the text, on any line that is no salutation. */
uint64_t kb_staff_named(const struct kb_triage *t, struct kb_span text);
/* Message indicator, register number and institution, out of subject and text. */
void kb_extract(struct kb_span subject, struct kb_span text, bool relay, struct kb_verdict *v);

#endif
