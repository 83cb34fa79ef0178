/* arena: what is parsed from one message lives and ends, wiped, with it. See bytes.h. */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/bytes.h>

struct kb_arena_chunk {
	struct kb_arena_chunk *next;
	size_t cap, used;
	alignas(max_align_t) uint8_t data[];
};

enum { CHUNK_LEAST = 4096 - sizeof(struct kb_arena_chunk), CHUNK_MOST = 256 * 1024 };

void kb_arena_init(struct kb_arena *a, size_t most)
{
	*a = (struct kb_arena){.most = most};
}

void kb_arena_release(struct kb_arena *a)
{
	struct kb_arena_chunk *c = a->first;
	while (c) {
		struct kb_arena_chunk *next = c->next;
		sodium_memzero(c->data, c->used);
		free(c);
		c = next;
	}
	*a = (struct kb_arena){.most = a->most};
}

void *kb_arena_alloc(struct kb_arena *a, size_t n)
{
	size_t align = alignof(max_align_t);
	if (n > a->most - a->used || n > SIZE_MAX - align)
		return NULL;
	size_t need = (n + align - 1) / align * align;
	struct kb_arena_chunk *c = a->first;
	if (!c || need > c->cap - c->used) {
		size_t cap = c ? c->cap * 2 : CHUNK_LEAST;
		if (cap > CHUNK_MOST)
			cap = CHUNK_MOST;
		if (cap < need)
			cap = need;
		struct kb_arena_chunk *fresh = malloc(sizeof(*fresh) + cap);
		if (!fresh)
			abort();
		fresh->next = c;
		fresh->cap = cap;
		fresh->used = 0;
		a->first = c = fresh;
	}
	uint8_t *p = c->data + c->used;
	c->used += need;
	a->used += n;
	memset(p, 0, need);
	return p;
}

char *kb_arena_copy(struct kb_arena *a, struct kb_span s)
{
	char *p = s.len < SIZE_MAX ? kb_arena_alloc(a, s.len + 1) : NULL;
	if (p && s.len)
		memcpy(p, s.p, s.len);
	return p;
}
