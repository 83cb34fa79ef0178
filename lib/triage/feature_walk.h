/*
 * feature_walk: what the model sees of a row of tokens: words, pairs of neighbours, and pieces of words.
 *
 * Two views. WORDS: each word, and each word with the one that follows it. PIECES: each run of 3 to 5 octets of a word between two
 * marks, so that a word that is spelt in another way still shares most of its pieces. A feature is a 32-bit hash; what it means is
 * its row in the model's table. Trainer and model walk with this one function, or they would not speak of the same thing.
 *
 * Formula:   docs/FORMATS.md ("triage.model").
 */
#ifndef KITEBOX_TRIAGE_FEATURE_WALK_H
#define KITEBOX_TRIAGE_FEATURE_WALK_H

#include "internal.h"

enum kb_view { KB_VIEW_WORDS = 0, KB_VIEW_PIECES, KB_VIEW_COUNT };
enum { KB_PIECE_LEAST = 3, KB_PIECE_MOST = 5, KB_PIECE_MARK = 1 };

/* FNV-1a, 32 bits, an octet at a time; the seeds keep the kinds apart. */
enum { KB_HASH_PRIME = 16777619 };
#define KB_HASH_WORD UINT32_C(2166136261)
#define KB_HASH_PAIR UINT32_C(0x9e3779b9)
#define KB_HASH_PIECE UINT32_C(0x85ebca6b)

static inline uint32_t kb_hash_step(uint32_t h, uint8_t c)
{
	return (h ^ c) * (uint32_t)KB_HASH_PRIME;
}

/* Spreads what FNV leaves in the upper bits over all of them. */
static inline uint32_t kb_hash_end(uint32_t h)
{
	h ^= h >> 15;
	h *= UINT32_C(0x2c1b3c6d);
	return h ^ h >> 13;
}

/* Which number it is says nothing, that it is one may. */
static inline uint8_t kb_letter(char c)
{
	return (uint8_t)(c >= '0' && c <= '9' ? '0' : c);
}

static inline uint32_t kb_hash_word(uint32_t h, const struct kb_token *t)
{
	for (size_t i = 0; i < t->len; i++)
		h = kb_hash_step(h, kb_letter(t->w[i]));
	return h;
}

/* one(ctx, view, hash, token) is called for each, also for those that were met before. */
typedef void kb_feature_fn(void *ctx, enum kb_view view, uint32_t hash, size_t token);

__attribute__((always_inline)) static inline void kb_pieces_walk(const struct kb_token *t, size_t token, kb_feature_fn *one, void *ctx)
{
	uint8_t w[KB_TOKEN_MOST + 2];
	size_t n = t->len + 2u;
	w[0] = w[n - 1] = KB_PIECE_MARK;
	for (size_t i = 0; i < t->len; i++)
		w[1 + i] = kb_letter(t->w[i]);
	for (size_t from = 0; from + KB_PIECE_LEAST <= n; from++) {
		uint32_t h = KB_HASH_PIECE;
		for (size_t len = 1; len <= KB_PIECE_MOST && from + len <= n; len++) {
			h = kb_hash_step(h, w[from + len - 1]);
			if (len >= KB_PIECE_LEAST)
				one(ctx, KB_VIEW_PIECES, kb_hash_end(h ^ (uint32_t)len), token);
		}
	}
}

__attribute__((always_inline)) static inline void kb_features_walk(const struct kb_token *t, size_t n, kb_feature_fn *one, void *ctx)
{
	for (size_t i = 0; i < n; i++) {
		one(ctx, KB_VIEW_WORDS, kb_hash_end(kb_hash_word(KB_HASH_WORD, &t[i])), i);
		if (i + 1 < n)
			one(ctx, KB_VIEW_WORDS, kb_hash_end(kb_hash_word(kb_hash_step(kb_hash_word(KB_HASH_PAIR, &t[i]), ' '), &t[i + 1])), i);
		kb_pieces_walk(&t[i], i, one, ctx);
	}
}

#endif
