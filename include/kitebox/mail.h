/*
 * mail: what a raw message says: header fields, text as UTF-8, and what is attached.
 *
 * Two eyes: kb_scan walks the raw octets with code of our own and counts what libetpan must not be given (its parser
 * recurses, is quadratic in nesting, and dies of boundary="\""); only a message within the limits is parsed by libetpan
 * (kb_mail_parse). What libetpan found is compared with our own scan; every range it returns is checked against the message.
 *
 * Ownership:  struct kb_mail owns an arena; kb_mail_release wipes it. Spans borrow from the message or the arena.
 * Errors:     KB_LIMIT, KB_TOOBIG and KB_MALFORMED from kb_scan: not to be parsed (the case becomes `unreadable`);
 *             a failed allocation inside libetpan aborts the process (the sorter is meant to die).
 * Limits:     kb_limits.message_octets, header_octets (of each header), header_fields (of each), mime_depth, mime_parts;
 *             1 MiB of text; time is linear in the octets, times the depth.
 * Standard:   RFC 5322, 2045-2047, 2231, 3464, 3834, 6532.
 * Not here:   what the text means (triage.h); the sandbox around it (daemon/sandbox.h).
 */
#ifndef KITEBOX_MAIL_H
#define KITEBOX_MAIL_H

#include <kitebox/bytes.h>
#include <kitebox/settings.h>

/* The limits of the design, for whoever has no settings (kite's sandboxed child, tests). */
extern const struct kb_limits kb_mail_limits;

struct kb_scan {
	size_t header_len;   /* octets up to and with the empty line */
	uint32_t fields, received; /* of the message's own header */
	uint32_t depth, parts; /* multiparts and messages within each other; header blocks, the message's own included */
	uint32_t parens;     /* an upper bound of how deep comments nest, wherever a field could stand */
	bool nul, bare_lf, long_line, no_colon; /* facts, not refusals */
};
/* KB_MALFORMED: a construct that kills libetpan; KB_LIMIT, KB_TOOBIG: more, or deeper, than is taken apart. */
KB_MUST_USE enum kb_status kb_scan(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_scan *ret_s);

/* One raw header field, unfolded lazily: iterate with *at = 0. Stops at the empty line. */
struct kb_field {
	struct kb_span name, value; /* value still folded, borrowed from raw */
};
bool kb_field_next(struct kb_span raw, size_t *at, struct kb_field *ret_f);
/* First field of that name. A line that is neither field nor continuation is passed over. */
bool kb_field_find(struct kb_span raw, const char *name, struct kb_field *ret_f);

enum { KB_ATTACHMENTS_MOST = 64 };
struct kb_attachment {
	const char *name; /* decoded (RFC 2231, 2047), harmless; "" when none */
	const char *type; /* "application/pdf", lower case; never empty */
	size_t size;      /* decoded octets */
	bool read;        /* its text is in kb_mail.text */
};

struct kb_mail {
	struct kb_arena arena;
	const char *from, *to, *subject, *date, *message_id; /* decoded UTF-8, harmless, one line; "" when absent */
	struct kb_span text;     /* all readable text, UTF-8, LF; parts in order, an empty line between */
	struct kb_span human;    /* text less quoted history and signature: the writer's own; a sub-span or arena copy */
	struct kb_attachment attachment[KB_ATTACHMENTS_MOST];
	size_t attachments;
	uint32_t unread_parts;   /* attachments or parts whose text could not be taken out */
	bool charset_doubt;      /* a charset was unknown or its text ill-formed */
	bool mismatch;           /* libetpan and our scan disagree, or a field stands twice: programs may show it differently */
	bool truncated;          /* text beyond what is kept (1 MiB) */
	/* machine traffic (RFC 3834, 3464, 2919) as read from the fields */
	bool auto_submitted, bulk, list, report;
};

/* Opens the character sets that text is converted from; call before the sandbox closes. */
KB_MUST_USE enum kb_status kb_charset_open(struct kb_diag *d);
void kb_charset_close(void);

KB_MUST_USE enum kb_status kb_mail_parse(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_mail *ret_m);
void kb_mail_release(struct kb_mail *m);

/* Appends the decoded octets of attachment n, counted from 1 in the order of kb_mail.attachment (also beyond its 64).
 * KB_NOTFOUND when there is none; KB_LIMIT when ret_octets is full. */
KB_MUST_USE enum kb_status kb_mail_part(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, size_t n, struct kb_buf *ret_octets);

/* What triage looks at, as octets and back: KB_MALFORMED for anything but what kb_mail_flatten writes (flat.c has the layout). */
KB_MUST_USE enum kb_status kb_mail_flatten(const struct kb_mail *m, struct kb_buf *ret);
KB_MUST_USE enum kb_status kb_mail_unflatten(struct kb_span flat, struct kb_mail *ret_m);
/* A message that came as a text, without a header: the writer's own is found as in any other. Both UTF-8; cut after 1 MiB. */
KB_MUST_USE enum kb_status kb_mail_from_text(struct kb_span subject, struct kb_span text, struct kb_mail *ret_m);

/* A rendering for a person: chosen fields, text, list of attachments; harmless for a terminal. */
KB_MUST_USE enum kb_status kb_mail_render(const struct kb_mail *m, struct kb_buf *ret_text);
/* A message that must not be parsed, as it came, made harmless and cut after 64 KiB. */
KB_MUST_USE enum kb_status kb_mail_render_raw(struct kb_span raw, struct kb_buf *ret_text);

#endif
