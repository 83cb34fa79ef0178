/* internal: what the files of lib/smtp share. The machine is smtp.c; each other file is one grammar or one table of it. */
#ifndef KITEBOX_LIB_SMTP_INTERNAL_H
#define KITEBOX_LIB_SMTP_INTERNAL_H

#include <kitebox/smtp.h>

/* ---- reply.c ---- */

enum kb_smtp_why {
	KB_SMTP_FINE = 0,
	KB_SMTP_EARLY,       /* spoke before the greeting */
	KB_SMTP_UNKNOWN,
	KB_SMTP_FOREIGN,     /* HTTP: whoever sends this means somebody else */
	KB_SMTP_BARE,        /* a line that does not end in CRLF */
	KB_SMTP_TOO_LONG,
	KB_SMTP_NUL,
	KB_SMTP_NOT_SPOKEN,  /* a word of SMTP said to LMTP, or the reverse */
	KB_SMTP_NOT_OFFERED,
	KB_SMTP_CHUNKS,
	KB_SMTP_SEQUENCE,
	KB_SMTP_PIPELINED,   /* octets behind a command that must be the last of its group */
	KB_SMTP_ARGUMENT,
	KB_SMTP_SENDER,
	KB_SMTP_RECIPIENT,
	KB_SMTP_NEEDS_UTF8,
	KB_SMTP_PARAMETER,
	KB_SMTP_TOO_BIG,
	KB_SMTP_NOBODY,
	KB_SMTP_TOO_MANY,    /* recipients */
	KB_SMTP_ENOUGH,      /* messages */
	KB_SMTP_NO_TLS,
	KB_SMTP_TLS_TWICE,
	KB_SMTP_CHANGED,     /* the mailboxes, meanwhile */
	KB_SMTP_FRAMING,     /* a bare CR or LF in a message */
	KB_SMTP_LOOP,
	KB_SMTP_FAULTS,      /* too many of them */
	KB_SMTP_WHYS
};

struct kb_smtp_refusal {
	struct kb_smtp_line line;
	bool ends; /* the session */
};
const struct kb_smtp_refusal *kb_smtp_refusal(enum kb_smtp_why why);
/* What the status table says of a failure. */
struct kb_smtp_line kb_smtp_status_line(enum kb_status st);
void kb_smtp_say(struct kb_smtp_out *out, const struct kb_smtp_line *l);
void kb_smtp_say_stored(struct kb_smtp_out *out, const char *id);
void kb_smtp_say_greeting(const struct kb_smtp *s, struct kb_smtp_out *out);
void kb_smtp_say_hello(const struct kb_smtp *s, struct kb_smtp_out *out);
/* With the list of extensions. */
void kb_smtp_say_features(const struct kb_smtp *s, struct kb_smtp_out *out);

/* ---- command.c ---- */

/* One line, without its CRLF; more: octets lie behind it. Says its reply and moves s. */
void kb_smtp_command(struct kb_smtp *s, struct kb_span line, bool more, struct kb_smtp_out *out);
/* A line that is refused for its form alone. */
void kb_smtp_fault(struct kb_smtp *s, enum kb_smtp_why why, struct kb_smtp_out *out);

/* ---- path.c, parameter.c ---- */

struct kb_smtp_path {
	struct kb_span mailbox;       /* without brackets and route; empty for "<>" */
	struct kb_span local, domain; /* domain is empty for "<>" and "<Postmaster>" */
	bool utf8;                    /* has octets beyond ASCII, which are well-formed UTF-8 */
};

/* At the start of *rest, which is moved behind it. False: not one. */
bool kb_smtp_path(struct kb_span *rest, struct kb_smtp_path *ret_p);
/* Bit of the mailbox that this is an address of, or 0. */
uint32_t kb_smtp_mailbox(const struct kb_settings *settings, const struct kb_smtp_path *p);

/* What stands behind the path of MAIL, into s->mail. */
enum kb_smtp_why kb_smtp_mail_parameters(struct kb_smtp *s, struct kb_span rest);

/* ---- data.c ---- */

enum kb_smtp_part { KB_SMTP_PART_MORE, KB_SMTP_PART_OCTETS, KB_SMTP_PART_SPOILED, KB_SMTP_PART_END };

void kb_smtp_data_begin(struct kb_smtp_data *d);
/* SPOILED: the message will be refused, for d->refusal or because d->broken; nothing is given on any more. */
enum kb_smtp_part kb_smtp_data_next(
    struct kb_smtp_data *d, const struct kb_limits *limit, struct kb_span *in, struct kb_span *ret_octets);
bool kb_smtp_data_spoiled(const struct kb_smtp_data *d);

#endif
