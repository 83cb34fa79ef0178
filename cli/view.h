/*
 * view: a message's text, taken apart by a child in a sandbox.
 *
 * The child is the sorter's program with --view or --text: it gets the message on its standard input and gives a rendering, or what
 * triage looks at, on its standard output, and has no other descriptor, no environment, no file, no network and no key. Whatever a message does to it
 * stays there; what it writes is believed only as text, and made harmless again.
 *
 * Errors:    KB_NOTFOUND no such program (said); KB_UNSUPPORTED it died or gave up: there is no rendering (not said); KB_AGAIN it
 *            took too long (not said).
 */
#ifndef KITE_VIEW_H
#define KITE_VIEW_H

#include "kite.h"

enum { KITE_VIEW_MOST = 8 << 20, KITE_VIEW_MS = 30000 };

/* Appends the rendering, harmless. */
KB_MUST_USE enum kb_status kite_view(const struct kite *k, struct kb_span message, struct kb_buf *ret_text);
/* Appends what kb_mail_unflatten reads, which checks it. KB_UNSUPPORTED also for a message that must not be taken apart. */
KB_MUST_USE enum kb_status kite_take_apart(const struct kite *k, struct kb_span message, struct kb_buf *ret_flat);

#endif
