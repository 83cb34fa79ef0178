/*
 * spool: a sealed file on its way in, which is read twice before anything of it is shown.
 *
 * What is small lies in memory as a whole. A larger file is read again from where it lies; what comes through a pipe is first
 * copied into a file without a name: sealed as it is, it may be on a disk.
 *
 * Ownership:  kite_spool_close closes and wipes.
 * Errors:     KB_IO, KB_TOOBIG.
 */
#ifndef KITE_SPOOL_H
#define KITE_SPOOL_H

#include <sys/types.h>

#include <kitebox/bytes.h>

enum { KITE_SPOOL_MEMORY = 1 << 20, KITE_SPOOL_ARMOR = 256 << 20 };

struct kite_spool {
	bool open, whole; /* whole: head is all there is */
	int fd;
	struct kb_buf head; /* the first octets */
	off_t tail;         /* where in fd it goes on behind them */
	size_t at;          /* what of head the source has given out */
};

/* "-": standard input. Reads the head. */
KB_MUST_USE enum kb_status kite_spool_open(struct kb_diag *d, const char *path, struct kite_spool *ret_s);
void kite_spool_close(struct kite_spool *s);
/* Everything into memory; KB_TOOBIG past KITE_SPOOL_ARMOR. */
KB_MUST_USE enum kb_status kite_spool_gather(struct kb_diag *d, struct kite_spool *s);
/* After this, kite_spool_rewind goes back to the first octet. */
KB_MUST_USE enum kb_status kite_spool_keep(struct kb_diag *d, struct kite_spool *s);
KB_MUST_USE enum kb_status kite_spool_rewind(struct kb_diag *d, struct kite_spool *s);
/* Fits kb_source_fn: ctx is the spool. */
enum kb_status kite_spool_source(void *ctx, uint8_t *out, size_t cap, size_t *ret_n);

#endif
