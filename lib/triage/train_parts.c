/* train_parts: see train_parts.h. */
#include "train_parts.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

struct kb_train *kb_train_new(void)
{
	struct kb_train *t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	return t;
}

void kb_train_free(struct kb_train **tp)
{
	struct kb_train *t = KB_TAKE(*tp);
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		sodium_memzero(t->item[i].token, t->item[i].tokens * sizeof(struct kb_token));
		free(t->item[i].token);
		free(t->item[i].feature);
	}
	free(t->item);
	free(t);
}

/* ---- an item ---- */

struct collecting {
	struct kb_item *it;
	uint64_t *seen;
	size_t room;
};

static void collect(void *ctx, enum kb_view view, uint32_t hash, size_t token)
{
	struct collecting *c = ctx;
	(void)token;
	if (kb_model_met(c->seen, kb_model_row(hash)))
		return;
	if (c->it->features == c->room) {
		c->room = c->room ? 2 * c->room : 1024;
		c->it->feature = realloc(c->it->feature, c->room * sizeof(*c->it->feature));
		if (!c->it->feature)
			abort();
	}
	c->it->feature[c->it->features++] = (struct kb_item_feature){hash, view};
	c->it->n[view]++;
}

static void find_features(struct kb_item *it)
{
	struct collecting c = {it, calloc(KB_MODEL_ROWS / 64, sizeof(uint64_t)), 0};
	if (!c.seen)
		abort();
	kb_features_walk(it->token, it->tokens, collect, &c);
	free(c.seen);
}

static uint64_t name_hash(struct kb_span s)
{
	uint64_t h = 0;
	uint8_t out[crypto_generichash_BYTES];
	if (!s.len)
		return 0;
	crypto_generichash(out, sizeof(out), s.p, s.len, NULL, 0);
	memcpy(&h, out, sizeof(h));
	return h ? h : 1;
}

enum kb_status kb_train_add(struct kb_train *t, const struct kb_train_item *item)
{
	struct kb_arena a;
	struct kb_tokens w;
	if (t->n == KB_TRAIN_ITEMS_MOST)
		return KB_LIMIT;
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 1024;
		t->item = realloc(t->item, t->room * sizeof(*t->item));
		if (!t->item)
			abort();
	}
	struct kb_item *it = &t->item[t->n++];
	*it = (struct kb_item){.allegation = item->allegation, .unmeasured = item->unmeasured, .flags = item->flags, .category = item->category, .language = item->language, .rules = item->rules,
	    .author = name_hash(item->author), .pair = name_hash(item->pair)};
	kb_arena_init(&a, (size_t)64 << 20);
	kb_tokens_whole(&a, NULL, item->subject, item->text, &w);
	it->tokens = w.n < KB_MODEL_WORDS_MOST ? w.n : KB_MODEL_WORDS_MOST;
	it->token = calloc(it->tokens + 1, sizeof(*it->token));
	if (!it->token)
		abort();
	memcpy(it->token, w.t, it->tokens * sizeof(*it->token));
	kb_arena_release(&a);
	find_features(it);
	return KB_OK;
}

/* ---- parts ---- */

static size_t root_of(struct kb_train *t, size_t i)
{
	while (t->item[i].kin != i)
		i = t->item[i].kin = t->item[t->item[i].kin].kin;
	return i;
}

struct name {
	uint64_t hash;
	size_t item;
};

static int by_hash(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	return (x->hash > y->hash) - (x->hash < y->hash);
}

static void join(struct kb_train *t, bool pairs)
{
	struct name *v = calloc(t->n, sizeof(*v));
	size_t n = 0;
	if (!v)
		abort();
	for (size_t i = 0; i < t->n; i++) {
		uint64_t h = pairs ? t->item[i].pair : t->item[i].author;
		if (h)
			v[n++] = (struct name){h, i};
	}
	qsort(v, n, sizeof(*v), by_hash);
	for (size_t i = 1; i < n; i++)
		if (v[i].hash == v[i - 1].hash)
			t->item[root_of(t, v[i].item)].kin = root_of(t, v[i - 1].item);
	free(v);
}

struct kin {
	size_t root, size;
};

static int by_size(const void *a, const void *b)
{
	const struct kin *x = a, *y = b;
	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return (x->root > y->root) - (x->root < y->root);
}

/* The largest first, each to the part that has least: the same material is always dealt in the same way. */
static enum kb_status deal(struct kb_diag *d, struct kb_train *t)
{
	struct kin *k = calloc(t->n, sizeof(*k));
	size_t n = 0, in[KB_TRAIN_PARTS] = {0};
	if (!k)
		abort();
	for (size_t i = 0; i < t->n; i++)
		k[i].root = i;
	for (size_t i = 0; i < t->n; i++)
		k[root_of(t, i)].size++;
	qsort(k, t->n, sizeof(*k), by_size);
	while (n < t->n && k[n].size)
		n++;
	for (size_t i = 0; i < n; i++) {
		unsigned least = 0;
		for (unsigned p = 1; p < KB_TRAIN_PARTS; p++)
			least = in[p] < in[least] ? p : least;
		in[least] += k[i].size;
		t->item[k[i].root].part = least;
	}
	for (size_t i = 0; i < t->n; i++)
		t->item[i].part = t->item[root_of(t, i)].part;
	free(k);
	return n < KB_TRAIN_PARTS ? KB_FAIL(d, KB_MALFORMED, n, "there are too few messages that share neither author nor pair") : KB_OK;
}

enum kb_status kb_train_deal(struct kb_diag *d, struct kb_train *t)
{
	size_t yes = 0;
	for (size_t i = 0; i < t->n; i++) {
		t->item[i].kin = i;
		yes += t->item[i].allegation;
	}
	if (yes < KB_TRAIN_PARTS || t->n - yes < KB_TRAIN_PARTS)
		return KB_FAIL(d, KB_MALFORMED, yes, "there are too few messages of one class to learn from");
	join(t, false);
	join(t, true);
	return deal(d, t);
}
