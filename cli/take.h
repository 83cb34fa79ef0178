/*
 * take: messages from the desk into a folder: what pull and export have in common.
 *
 * What the folder has already is not fetched again, so that the journal says who read what, and not how often a command ran.
 * A message that does not open is said, with the reason, and the others are taken all the same.
 *
 * Ownership:  kite_take_end gives everything back, also of one that did not begin.
 * Errors:     said; kite_take_all gives the first message's, where nothing worse came.
 */
#ifndef KITE_TAKE_H
#define KITE_TAKE_H

#include "case.h"
#include "folder.h"
#include "json.h"

struct kite_take {
	const struct kite *k;
	const char *out;
	bool sealed; /* as it is stored, instead of opened */
	struct kite_session session;
	struct kite_targets targets; /* all that was named */
	struct kite_folder folder;
	bool folder_open;
	size_t written, kept, failed;
	enum kb_status first_failure;
	json_t *messages; /* or NULL */
};

/* purpose is the command's name. The folder is made only when there is something to be put into it. */
KB_MUST_USE enum kb_status kite_take_begin(
    const struct kite *k, const char *purpose, bool maildir, bool sealed, struct kite_take *ret_t);
KB_MUST_USE enum kb_status kite_take_all(struct kite_take *t);
/* "3 messages written to DIR, ..." or the JSON object, to which extra adds what it likes (NULL: nothing). */
KB_MUST_USE enum kb_status kite_take_say(struct kite_take *t, void (*extra)(void *ctx, json_t *whole), void *ctx);
void kite_take_end(struct kite_take *t);

#endif
