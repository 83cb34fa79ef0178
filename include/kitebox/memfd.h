/*
 * memfd: octets that travel between rooms as a descriptor that nobody can change any more.
 *
 * A writer fills a memfd, then seals it (F_SEAL_WRITE, GROW, SHRINK, SEAL); a receiver maps it, or reads it where it is
 * small, only after it has seen those seals, so that no sibling can change or shorten what was checked. Nothing is ever on a
 * disk.
 *
 * Errors:    KB_FORGED when the seals are missing (a sibling misbehaves), KB_TOOBIG past most, KB_IO.
 * Secrets:   kb_map_release unmaps, and wipes what was read; the pages die with the last descriptor.
 */
#ifndef KITEBOX_MEMFD_H
#define KITEBOX_MEMFD_H

#include <kitebox/bytes.h>

/* MFD_CLOEXEC, sealable; name is a literal for /proc, never content. */
KB_MUST_USE enum kb_status kb_memfd_new(struct kb_diag *d, const char *name, int *ret_fd);
/* Appends all of s (write until done). */
KB_MUST_USE enum kb_status kb_memfd_write(struct kb_diag *d, int fd, struct kb_span s);
KB_MUST_USE enum kb_status kb_memfd_seal(struct kb_diag *d, int fd);
/* new + write + seal */
KB_MUST_USE enum kb_status kb_memfd_from(struct kb_diag *d, const char *name, struct kb_span s, int *ret_fd);

/* What is no longer than this is read: a small copy costs less than a mapping. */
enum { KB_MAP_READ_MOST = 16384 };

struct kb_map {
	struct kb_span s; /* p is NULL for an empty file */
	size_t mapped;    /* 0: it was read */
};
/* Checks the seals and maps or reads the whole, for reading. The descriptor may be closed afterwards. */
KB_MUST_USE enum kb_status kb_map_open(struct kb_diag *d, int fd, size_t most, struct kb_map *ret_m);
void kb_map_release(struct kb_map *m);

/* Closes *fd if it is >= 0 and sets it to -1; fits KB_AUTO. */
void kb_fd_close(int *fd);

#endif
