/*
 * out: text for a person: columns that hold whatever a message brings, and a pager where there is a terminal.
 *
 * Everything that is not a literal goes through kb_text_harmless on its way. Nothing is told by colour.
 *
 * Secrets:   what is printed is gathered in memory that is wiped; a pager gets it through a pipe, never as a file or argument.
 */
#ifndef KITE_OUT_H
#define KITE_OUT_H

#include "kite.h"

enum { KITE_WIDTH_PLAIN = 160, KITE_OUT_MOST = 256 << 20 };

/* Columns of the terminal; KITE_WIDTH_PLAIN when standard output is none. */
size_t kite_width(bool *ret_terminal);

/* Appends s, harmless, in exactly `width` columns: cut (with "…") or filled up with spaces. width 0: as it is. */
KB_MUST_USE enum kb_status kite_cell(struct kb_buf *b, struct kb_span s, size_t width);
/* Columns that s takes once harmless. */
size_t kite_columns(struct kb_span s);

/* Where a command's text goes: $PAGER (default less) when standard output is a terminal, else standard output. */
struct kite_out {
	int fd;
	int pager; /* its pid, or 0 */
};
KB_MUST_USE enum kb_status kite_out_begin(struct kite_out *o);
/* Writes b and empties it. KB_OK also when a pager was quit: nobody wants the rest, and *ret_quit says so. */
KB_MUST_USE enum kb_status kite_out_write(struct kite_out *o, struct kb_buf *b, bool *ret_quit);
void kite_out_end(struct kite_out *o);

#endif
