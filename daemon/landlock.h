/*
 * landlock: takes the file system, TCP and foreign processes away from this process, as far as the kernel can.
 *
 * Errors:    KB_UNSUPPORTED when the kernel has no Landlock, or less of it than ABI 6 (what it has is in force); KB_IO.
 * Standard:  Linux landlock(7), ABI 1 to 7, by raw system calls: the C library of Debian 12 has no wrappers, and its
 * headers know less than a newer kernel can do. Not here:  system calls (sandbox.c).
 */
#ifndef KITEBOX_DAEMON_LANDLOCK_H
#define KITEBOX_DAEMON_LANDLOCK_H

#include "sandbox.h"

/* may_connect: outgoing TCP stays allowed; binding a TCP port never does. */
KB_MUST_USE enum kb_status kb_landlock_close(struct kb_diag *d, const struct kb_sandbox_paths *paths, bool may_connect);

#endif
