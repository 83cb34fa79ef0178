/*
 * writer: where a command's octets go, piece by piece: a new file, or standard output.
 *
 * A file has its name only after kite_writer_commit; a run that fails, or is interrupted, leaves no half of one under it.
 *
 * Ownership:  kite_writer_abandon gives everything back, also after commit, and of one that was never opened.
 * Errors:     KB_SEQUENCE where something has the name already, which is left alone; KB_IO.
 */
#ifndef KITE_WRITER_H
#define KITE_WRITER_H

#include <limits.h>

#include <kitebox/bytes.h>

struct kite_writer {
	bool open, is_file;
	int dir, fd;
	char name[NAME_MAX + 1], part[NAME_MAX + 16];
	struct kb_diag d; /* why kite_writer_add failed */
};

/* path NULL or "-": standard output. */
KB_MUST_USE enum kb_status kite_writer_open(struct kb_diag *d, const char *path, struct kite_writer *ret_w);
/* Fits kb_sink_fn: ctx is the writer. */
enum kb_status kite_writer_add(void *ctx, struct kb_span octets);
/* Everything is on the disk, and the file has its name. */
KB_MUST_USE enum kb_status kite_writer_commit(struct kb_diag *d, struct kite_writer *w);
void kite_writer_abandon(struct kite_writer *w);

#endif
