/* deskfix: the desk as a process of its own, with the test as its supervisor, its vault and its clients. KB_DESK is its path. */
#ifndef DESKFIX_H
#define DESKFIX_H

#include "roomfix.h"

#include <sys/types.h>

#include <kitebox/desk.h>
#include <kitebox/settings.h>

struct desk {
	struct room room;
	int listener, vault;
};

void desk_start(struct desk *d);
/* Asked to stop; it ends with status 0. */
void desk_stop(struct desk *d);

/* ---- a client ---- */

int visitor(struct desk *d);
/* The same, of another user of this host. Only root can be one. */
int visitor_as(struct desk *d, uid_t uid);
void request(int fd, enum kb_desk type);
/* The same with a body, of that type's size. */
void request_body(int fd, enum kb_desk type, const void *body);
/* Frames up to END or ERROR: the type of the last one before END, or KB_DESK_ERROR; 0: the desk has hung up. */
unsigned answer(int fd);
/* What came and was not taken is discarded; true: the desk hangs up before so many milliseconds have passed. */
bool hung_up(int fd, int ms);
/* Connected, and let in by the vault. */
int person(struct desk *d);

/* ---- the vault ---- */

/* The next question; the connections that have ended are passed over. */
struct kb_wire_ask asked(struct desk *d);
/* Its answer, without a body. */
void tell(struct desk *d, const struct kb_wire_ask *q);

#endif
