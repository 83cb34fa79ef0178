/*
 * sandbox: what each room may still ask of the kernel, as one table a room.
 *
 * seccomp (libseccomp) allows only the calls of the room's row and answers EPERM to the rest; Landlock, where the kernel has
 * it, takes the file system away but for the room's folders. No room may ptrace, read a sibling's memory, signal a foreign
 * process, fork or exec.
 *
 * Errors:    KB_UNSUPPORTED when Landlock is missing or old (seccomp still holds; health says so); KB_IO is fatal to the room.
 * Not here:  the unit file's sandbox (systemd/kiteboxd.service), which lies around all of it.
 */
#ifndef KITEBOX_DAEMON_SANDBOX_H
#define KITEBOX_DAEMON_SANDBOX_H

#include "wire.h"

/* Paths a room's Landlock domain still reaches; NULL-terminated lists, each may be NULL. */
struct kb_sandbox_paths {
	const char *const *read;
	int write_dir; /* the state folder's descriptor, or -1 */
};
KB_MUST_USE enum kb_status kb_sandbox_close(struct kb_diag *d, enum kb_room room, const struct kb_sandbox_paths *paths);

#endif
