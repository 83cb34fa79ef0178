/*
 * sorter_view: the sorter as kite's sandboxed child: one message on standard input, what a person may read of it on standard
 * output.
 *
 *     kiteboxd-sorter --view      the rendering, as text that is harmless for a terminal
 *     kiteboxd-sorter --text      what triage looks at (kb_mail_flatten)
 *     kiteboxd-sorter --part N    the decoded octets of attachment N, counted from 1 as the rendering counts them
 *
 * It holds no key and no file, and closes the same sandbox as the room before it reads the first octet.
 *
 * Errors:    the exit status of the status table (sysexits); one line on standard error, a literal. A message that must not
 *            be parsed is still shown, as it came and made harmless.
 * Limits:    those of kb_mail_limits; half a minute of wall clock, after which SIGALRM ends it.
 */
#ifndef KITEBOX_DAEMON_SORTER_VIEW_H
#define KITEBOX_DAEMON_SORTER_VIEW_H

#include <kitebox/mail.h>

int kb_sorter_view(int argc, char **argv);

/* The rendering of raw octets; parsed, or as they came when they must not be. */
KB_MUST_USE enum kb_status kb_sorter_render(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_buf *ret_text);

#endif
