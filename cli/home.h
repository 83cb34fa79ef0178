/*
 * home: a person's folder ($KITE_HOME), and what is remembered there from one session to the next.
 *
 *     identity      the person's key file, protected by a passphrase (identity.h)
 *     office.pub    the office's key, pinned at first contact
 *     settings      lines "desk SOCKET", "libexec DIR" and "on-host yes"; # begins a comment
 *     store         "store ID" and "roster VERSION": the store that was spoken with, and the newest roster seen
 *
 * Errors:    said by the function that finds them; KB_NOTFOUND for a file that is not there is left to the caller.
 */
#ifndef KITE_HOME_H
#define KITE_HOME_H

#include <kitebox/id.h>
#include <kitebox/minisign.h>

#include "kite.h"

/* Finds the home from option and environment; nothing is read. */
KB_MUST_USE enum kb_status kite_find_home(struct kite *k);
/* The desk's socket: from option or settings, else the daemon's default. */
KB_MUST_USE enum kb_status kite_find_desk(const struct kite *k, char ret_path[static KITE_PATH]);
/* The folder of the sandbox's programs: from option, environment or settings, else where they were installed. */
KB_MUST_USE enum kb_status kite_find_libexec(const struct kite *k, char ret_path[static KITE_PATH]);
/* Did the person say, in settings, that working on the store's own host is meant? */
bool kite_home_on_host(const struct kite *k);

/* Appends the file NAME of the home; KB_NOTFOUND (nothing said) when it is not there. */
KB_MUST_USE enum kb_status kite_home_read(const struct kite *k, const char *name, size_t most, struct kb_buf *ret);
KB_MUST_USE enum kb_status kite_home_write(const struct kite *k, const char *name, struct kb_span s);

/* What is remembered of the store. roster is 0 before the first contact. */
struct kite_memory {
	struct kb_id store;
	uint32_t roster;
};
KB_MUST_USE enum kb_status kite_memory_parse(struct kb_span text, struct kite_memory *ret_m);
KB_MUST_USE enum kb_status kite_memory_format(const struct kite_memory *m, struct kb_buf *ret_text);

/* SHA-256 of the key's line, as `tail -n 1 office.pub | sha256sum` gives it, in groups of four. */
enum { KITE_FINGERPRINT_TEXT = 80 };
void kite_fingerprint(const struct kb_minisign_public *p, char ret_text[static KITE_FINGERPRINT_TEXT]);

#endif
