/* buf: a growable buffer with a limit, wiped whenever memory leaves it. See bytes.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/bytes.h>

void kb_buf_init(struct kb_buf *b, size_t most)
{
	*b = (struct kb_buf){.most = most};
}

void kb_buf_release(struct kb_buf *b)
{
	if (b->p)
		sodium_memzero(b->p, b->cap);
	free(b->p);
	*b = (struct kb_buf){.most = b->most};
}

enum kb_status kb_buf_reserve(struct kb_buf *b, size_t n)
{
	if (n > b->most - b->len)
		return KB_LIMIT;
	if (n <= b->cap - b->len)
		return KB_OK;
	size_t cap = b->cap ? b->cap : 64;
	while (cap < b->len + n)
		cap = cap > b->most / 2 ? b->most : cap * 2;
	/* realloc could leave a copy of what was here: move by hand, and wipe. */
	uint8_t *p = malloc(cap);
	if (!p)
		abort();
	if (b->len)
		memcpy(p, b->p, b->len);
	if (b->p)
		sodium_memzero(b->p, b->cap);
	free(b->p);
	b->p = p;
	b->cap = cap;
	return KB_OK;
}

enum kb_status kb_buf_add(struct kb_buf *b, struct kb_span s)
{
	enum kb_status st = kb_buf_reserve(b, s.len);
	if (st != KB_OK)
		return st;
	if (s.len)
		memcpy(b->p + b->len, s.p, s.len);
	b->len += s.len;
	return KB_OK;
}

enum kb_status kb_buf_str(struct kb_buf *b, const char *s)
{
	return kb_buf_add(b, kb_span_str(s));
}

enum kb_status kb_buf_byte(struct kb_buf *b, uint8_t c)
{
	return kb_buf_add(b, KB_SPAN(&c, 1));
}

enum kb_status kb_buf_printf(struct kb_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	enum kb_status st = n < 0 ? KB_MALFORMED : KB_OK;
	/* vsnprintf wants room for its NUL: make it in a buffer of its own when the limit leaves none. */
	if (st == KB_OK && (size_t)n > b->most - b->len)
		st = KB_LIMIT;
	if (st == KB_OK) {
		char *text = malloc((size_t)n + 1);
		if (!text)
			abort();
		(void)vsnprintf(text, (size_t)n + 1, fmt, again);
		st = kb_buf_add(b, KB_SPAN(text, (size_t)n));
		sodium_memzero(text, (size_t)n + 1);
		free(text);
	}
	va_end(again);
	return st;
}

void kb_buf_drop(struct kb_buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (!n)
		return;
	memmove(b->p, b->p + n, b->len - n);
	sodium_memzero(b->p + b->len - n, n);
	b->len -= n;
}

void kb_buf_clear(struct kb_buf *b)
{
	if (b->p)
		sodium_memzero(b->p, b->len);
	b->len = 0;
}

struct kb_span kb_buf_span(const struct kb_buf *b)
{
	return KB_SPAN(b->p, b->len);
}
