/*
 * file: whole files in and out, so that what is written is on the disk, whole, and readable by its owner alone.
 *
 * Errors:    KB_IO with errno; KB_TOOBIG past a limit; KB_SEQUENCE where something stands already that must not.
 * Secrets:   buffers are kb_buf, which wipes.
 */
#ifndef KITE_FILE_H
#define KITE_FILE_H

#include <kitebox/bytes.h>

/* Appends the whole file, of at most `most` octets; ret has room for one more. "-" is standard input. */
KB_MUST_USE enum kb_status kite_file_read(struct kb_diag *d, const char *path, size_t most, struct kb_buf *ret);
KB_MUST_USE enum kb_status kite_fd_read(struct kb_diag *d, int fd, size_t most, struct kb_buf *ret);
KB_MUST_USE enum kb_status kite_fd_write(struct kb_diag *d, int fd, struct kb_span s);

/* A folder, 0700: made (its parent must exist) or opened; KB_SEQUENCE when `empty` is asked for and it is not. */
KB_MUST_USE enum kb_status kite_dir_open(struct kb_diag *d, int at, const char *path, bool empty, int *ret_fd);

/* A new file, 0600, whole and on the disk: it gets its name last, which is on the disk after kite_dir_sync. KB_SEQUENCE when the
 * name is taken, and the file that has it is left alone. What an interrupted run left behind is replaced. */
KB_MUST_USE enum kb_status kite_file_new(struct kb_diag *d, int dir, const char *name, struct kb_span s);
KB_MUST_USE enum kb_status kite_dir_sync(struct kb_diag *d, int dir);
/* The same in one, but takes the place of what has the name. */
KB_MUST_USE enum kb_status kite_file_replace(struct kb_diag *d, int dir, const char *name, struct kb_span s);

#endif
