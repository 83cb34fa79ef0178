/*
 * folder: where pull and export put messages: a plain folder or a Maildir, in which a message is never twice.
 *
 * Names come from ids and times alone, never from content. A message that is there already (the same id, with the same suffix)
 * is left as it is.
 *
 * Ownership:  kite_folder_close closes.
 * Errors:     said.
 * Standard:   Maildir: tmp, new, cur; a name's part after ":" is the mail program's.
 */
#ifndef KITE_FOLDER_H
#define KITE_FOLDER_H

#include <kitebox/desk.h>

#include "kite.h"

enum { KITE_NAME_MOST = 128 };

struct kite_folder {
	const char *path;
	const char *suffix; /* ".eml", ".age"; "" in a Maildir */
	bool maildir;
	int dir, fresh;       /* fresh: where files are put; the same folder as dir but for a Maildir's new */
	struct kb_id *known;  /* what was there when it was opened, in order */
	size_t n;
};

KB_MUST_USE enum kb_status kite_folder_open(const char *path, const char *suffix, bool maildir, struct kite_folder *ret_f);
void kite_folder_close(struct kite_folder *f);
/* The name of the message's file, as it would be put. */
void kite_folder_name(const struct kite_folder *f, const struct kb_desk_message *m, char ret_name[static KITE_NAME_MOST]);
bool kite_folder_has(const struct kite_folder *f, const struct kb_desk_message *m);
/* What was put has its name on the disk after kite_folder_sync. */
KB_MUST_USE enum kb_status kite_folder_put(const struct kite_folder *f, const struct kb_desk_message *m, struct kb_span octets);
KB_MUST_USE enum kb_status kite_folder_sync(const struct kite_folder *f);

#endif
