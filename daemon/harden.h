/*
 * harden: what every room does to itself before it looks at a single octet.
 *
 * Undumpable (so that neither a core nor a sibling of the same user shows its memory), no new privileges, umask 077, no
 * signal but SIGKILL ends it, dies with the supervisor, holds no descriptor but 0 to 3, and has limits on memory and
 * files. It takes turns with the others (SCHED_BATCH), sealers and sorters behind them (nice 5).
 *
 * Errors:    KB_IO, fatal to the room; KB_SEQUENCE when it was not the supervisor that started it.
 * Not here:  what it may ask of the kernel afterwards (sandbox.h).
 */
#ifndef KITEBOX_DAEMON_HARDEN_H
#define KITEBOX_DAEMON_HARDEN_H

#include "wire.h"

KB_MUST_USE enum kb_status kb_harden(struct kb_diag *d, enum kb_room room);

#endif
