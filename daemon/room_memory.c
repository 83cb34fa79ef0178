/* room_memory: see room_memory.h. */
#include "room_memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MOST = 1 << 20 };

void kb_room_memory_init(void)
{
	/* refused only when the values are out of range, which these are not */
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_MOST);
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_MOST);
}

#if !KB_SANITIZER

/* The C library's own, by the names that it exports for this. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t k, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

void *malloc(size_t n)
{
	return must(__libc_malloc(n));
}

void *calloc(size_t k, size_t n)
{
	return must(__libc_calloc(k, n));
}

void free(void *p)
{
	int kept = errno;
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
	errno = kept;
}

void *realloc(void *p, size_t n)
{
	if (!p)
		return malloc(n);
	size_t have = malloc_usable_size(p);
	void *fresh = malloc(n);
	memcpy(fresh, p, have < n ? have : n);
	free(p);
	return fresh;
}

void *reallocarray(void *p, size_t k, size_t n)
{
	if (n && k > SIZE_MAX / n)
		abort();
	return realloc(p, k * n);
}

void *memalign(size_t align, size_t n)
{
	return must(__libc_memalign(align, n));
}

void *aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

int posix_memalign(void **ret, size_t align, size_t n)
{
	*ret = memalign(align, n);
	return 0;
}

#endif
