/*
 * channel: one end of a SOCK_SEQPACKET pair between two rooms, on an sd-event loop.
 *
 * A table says which types this end takes, of which exact size and with how many descriptors; what is not in the table ends
 * the channel (on_closed), with every descriptor that came along closed. Sending never blocks: what the socket does not take
 * is queued, up to KB_CHANNEL_QUEUE_MOST messages, beyond which the channel ends.
 *
 * Ownership:  kb_channel_send takes copies (dup) of descriptors: the caller keeps and closes its own. A handler is lent the
 *             received descriptors and may take one by setting its slot to -1; the rest are closed after it returns.
 *             A handler may free its channel (the loop notices).
 * Errors:     a handler that returns anything but KB_OK ends the channel: bad input is never a bug, also not from a sibling.
 */
#ifndef KITEBOX_DAEMON_CHANNEL_H
#define KITEBOX_DAEMON_CHANNEL_H

#include <systemd/sd-event.h>

#include "wire.h"

enum { KB_CHANNEL_FDS_MOST = 9, KB_CHANNEL_QUEUE_MOST = 4096, KB_CHANNEL_BODY_MOST = 8192 };

struct kb_channel;

struct kb_channel_row {
	uint16_t type;
	uint16_t fds_least, fds_most;
	uint32_t size;
	enum kb_status (*handle)(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);
};

/* fd is taken. on_closed is called once, from the loop, after the peer ended, misbehaved, or a handler refused; the callee
 * frees the channel. */
KB_MUST_USE enum kb_status kb_channel_new(struct kb_diag *d, sd_event *loop, int fd, const struct kb_channel_row *rows, size_t n,
    void (*on_closed)(void *ctx, struct kb_channel *ch, enum kb_status why), void *ctx, struct kb_channel **ret_ch);
void kb_channel_free(struct kb_channel **ch);
/* size must be that of the type's struct. KB_BUSY when the queue is full. */
KB_MUST_USE enum kb_status kb_channel_send(struct kb_channel *ch, uint16_t type, const void *body, size_t size, const int *fds, size_t n);
/* Something of the caller's, and the number of messages queued behind the socket. */
void kb_channel_set_tag(struct kb_channel *ch, uint32_t tag);
uint32_t kb_channel_tag(const struct kb_channel *ch);
size_t kb_channel_queued(const struct kb_channel *ch);
/* The raw descriptor, for a room that lends it (never to be closed). */
int kb_channel_fd(const struct kb_channel *ch);

/* A connected pair, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, with a send buffer of 1 MiB. */
KB_MUST_USE enum kb_status kb_channel_pair(struct kb_diag *d, int ret_fds[2]);

#endif
