/*
 * reader: one message on its way into a struct kb_mail: what mime.c, entity.c and mail.c hold in common.
 *
 * Ownership:  the reader borrows message, limits and mail; it owns its text buffer. Entities borrow from the message.
 * Not here:   mail_internal.h has what does not need a reader.
 */
#ifndef KITEBOX_MAIL_READER_H
#define KITEBOX_MAIL_READER_H

#include "mail_internal.h"

enum { KB_TEXT_MOST = 1 << 20, KB_PART_TEXT_MOST = 8 << 20, KB_HTML_MOST = 16 << 20, KB_NESTED_MOST = 4 };

struct kb_reader {
	struct kb_diag *d;
	const struct kb_limits *limit;
	struct kb_mail *m;
	struct kb_buf text;
	size_t html;         /* octets of HTML that were parsed; past KB_HTML_MOST the rest is only stripped */
	unsigned nested;     /* messages within encoded parts that are being read */
	bool quiet;          /* body text that was already read in another form is passed over */
	bool related;        /* inside a multipart/related: pictures are decoration */
	size_t listed;       /* attachments met, also those beyond the list */
	size_t want;         /* the attachment that is asked for, from 1; 0: none, text is read instead */
	struct kb_buf *part; /* where it goes */
	bool found;
};

/* A header block and what it describes. */
struct kb_entity {
	struct kb_span header, body;
	struct kb_span content, disposition; /* values of the fields, or empty */
	enum kb_encoding encoding;
	char type[KB_TYPE_MOST];             /* "" when no field says one */
};
void kb_entity_init(struct kb_entity *e, struct kb_span header, struct kb_span body);
bool kb_entity_is(const struct kb_entity *e, const char *prefix);
/* A part that holds no others: its text is read, or it is listed as an attachment, or both. */
KB_MUST_USE enum kb_status kb_entity_read(struct kb_reader *r, const struct kb_entity *e);
/* A body that should hold others but could not be taken apart: its octets are read as text. */
KB_MUST_USE enum kb_status kb_entity_raw(struct kb_reader *r, const struct kb_entity *e);
/* Letters and digits of a plain or HTML part, as a measure of how much it says. */
size_t kb_entity_weight(const struct kb_entity *e);
/* One field on one line, decoded and harmless, in m's arena; "" when it is empty. */
const char *kb_line_decode(struct kb_mail *m, struct kb_span value);

/* Takes a whole message apart (mime.c) and says how many header blocks it had. KB_LIMIT, KB_TOOBIG or KB_MALFORMED when it must
 * not be taken apart. */
KB_MUST_USE enum kb_status kb_message_read(struct kb_reader *r, struct kb_span raw, uint32_t *ret_parts);

#endif
