/*
 * pull: `kite pull`: messages as they were received, in files of the person's own: the one way plaintext gets onto a disk here.
 */
#include <stdlib.h>

#include "take.h"

static enum kb_status pull(const struct kite *k, struct kite_take *t, bool maildir)
{
	enum kb_status st = kite_take_begin(k, "pull", maildir, false, t);
	if (st != KB_OK)
		return st;
	st = kite_take_all(t);
	enum kb_status said = kite_take_say(t, NULL, NULL);
	return st == KB_OK ? said : st;
}

enum kb_status kite_run_pull(struct kite *k)
{
	bool maildir = kite_args_has(&k->args, "maildir");
	if (maildir && kite_args_has(&k->args, "eml"))
		return kite_fail(KB_MALFORMED, NULL, "--eml and --maildir are two ways to write; take one of them");
	struct kite_take *t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	enum kb_status st = pull(k, t, maildir);
	kite_take_end(t);
	free(t);
	return st;
}
