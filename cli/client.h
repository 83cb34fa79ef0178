/*
 * client: kite's end of the desk's protocol: frames, exact sizes, limits. Believes nothing that it reads.
 *
 * Ownership:  kite_client_close closes; one that is all zero was never opened.
 * Errors:     KB_IO no desk there, or it went away; KB_AGAIN it is silent; KB_MALFORMED it breaks the protocol; KB_LIMIT it sends
 *             more than belongs to a request; KB_NOTFOUND the answers to a request have ended; else what the desk said, whose
 *             words stand in client.said.
 * Standard:   desk.h.
 * Not here:   who is at the other end, and whether to believe it (session.h).
 */
#ifndef KITE_CLIENT_H
#define KITE_CLIENT_H

#include <kitebox/desk.h>

#include "kite.h"

enum { KITE_CLIENT_WAIT_MS = 90000 };

struct kite_client {
	int fd;
	int wait_ms; /* 0: not open */
	bool failed;    /* the desk answered with an error, in whose words: */
	char said[512];
};

KB_MUST_USE enum kb_status kite_client_open(struct kb_diag *d, const char *path, struct kite_client *ret_c);
void kite_client_close(struct kite_client *c);
/* Is the process that listens there an ssh that forwards the socket from elsewhere? */
bool kite_client_is_far(const struct kite_client *c);

/* Sends one request: body is the struct of that type. */
KB_MUST_USE enum kb_status kite_client_ask(struct kite_client *c, struct kb_diag *d, uint16_t type, const void *body, size_t size);
/* Reads the next answer to it: the type's struct into ret_answer, and its body, of at most `most` octets, appended to ret_body
 * (NULL: there is to be none). */
KB_MUST_USE enum kb_status kite_client_next(struct kite_client *c, struct kb_diag *d, uint16_t type, void *ret_answer, size_t size,
    size_t most, struct kb_buf *ret_body);
/* Reads the end of the answers. */
KB_MUST_USE enum kb_status kite_client_end(struct kite_client *c, struct kb_diag *d, uint16_t type);
/* ask, next and end in one, for a request with a single answer. */
KB_MUST_USE enum kb_status kite_client_get(struct kite_client *c, struct kb_diag *d, uint16_t type, const void *request,
    size_t request_size, void *ret_answer, size_t size, size_t most, struct kb_buf *ret_body);

/* As kite_fail, with what the desk said. */
enum kb_status kite_client_fail(const struct kite_client *c, enum kb_status st, const struct kb_diag *d, const char *sentence);

#endif
