/* compose_internal: a mail on its way into a memory file. Internal to compose*.c. */
#ifndef KITEBOX_NET_COMPOSE_INTERNAL_H
#define KITEBOX_NET_COMPOSE_INTERNAL_H

#include <kitebox/compose.h>

/* The first failure stands, and everything after it does nothing: the caller asks once, at the end. */
struct kb_pen {
	struct kb_diag *d;
	enum kb_status status;
	int fd;
	uint64_t size;
	struct kb_buf buf;
};

void kb_pen_init(struct kb_pen *p, struct kb_diag *d);
void kb_pen_release(struct kb_pen *p);
void kb_pen_fail(struct kb_pen *p, enum kb_status st, const char *literal);
void kb_pen_add(struct kb_pen *p, struct kb_span s);
void kb_pen_str(struct kb_pen *p, const char *s);
/* Base64 in lines of 76, each with its CRLF. */
void kb_pen_base64(struct kb_pen *p, struct kb_span s);
/* Seals the file and hands it over. */
KB_MUST_USE enum kb_status kb_pen_finish(struct kb_pen *p, struct kb_composed *ret_mail);

/* Date, From, To, Subject, Message-ID <kind.ID@hostname>, Auto-Submitted, MIME-Version; checks all that comes from outside. */
void kb_pen_header(struct kb_pen *p, const struct kb_letter *l, const char *kind, const char *auto_submitted, struct kb_span subject);

#endif
