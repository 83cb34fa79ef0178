/* kitesay: in place of cli/say.c: what kite would have said on standard error, kept for a test to look at. */
#ifndef KITESAY_H
#define KITESAY_H

/* Everything said since the last said_clear, a line each. */
const char *said(void);
void said_clear(void);

#endif
