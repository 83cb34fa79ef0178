/*
 * compose: the mails that leave, as RFC 5322 messages in sealed memory files.
 *
 * Two kinds: a referral, which carries a sealed file and its signature and says nothing of what they hold; and an
 * acknowledgement, the words of a template, the same for every class of message. Both are 7-bit, with CRLF and lines of at
 * most 998 octets. The Message-ID follows from the id alone, so that a mail sent twice is known by its receiver as one.
 *
 * Ownership:  the caller closes *ret_fd. A template borrows the text it was parsed from.
 * Errors:     KB_MALFORMED for an address, name, template or indicator that could say more than it should (a line of its
 *             own, a field of its own); KB_IO for memory files.
 * Limits:     a file of any length passes in pieces of a few KiB; a template has at most 16 KiB.
 * Secrets:    an acknowledgement's address lies in the caller's memory and in the memory file alone.
 * Standard:   RFC 5322, 2045, 2046, 3834; age-encryption.org/v1 and minisign for what is enclosed.
 * Not here:   sending (smtpsend.h), who gets an acknowledgement (daemon/sealer_message.c).
 */
#ifndef KITEBOX_COMPOSE_H
#define KITEBOX_COMPOSE_H

#include <kitebox/id.h>

struct kb_letter {
	const char *hostname; /* the right side of the Message-ID */
	const char *from, *to;
	uint64_t now_s;
	struct kb_id id;
};

/* A memory file that nobody can change any more, and its length. */
struct kb_composed {
	int fd;
	uint64_t size;
};

KB_MUST_USE enum kb_status kb_compose_referral(
    struct kb_diag *d, const struct kb_letter *l, struct kb_span sealed, struct kb_span minisig, struct kb_composed *ret_mail);

/*
 * A template is UTF-8 text:
 *
 *     Subject: printable ASCII, used when the message has no indicator
 *     (an empty line)
 *     any text, in which {date} and {num} stand for the day of receipt and the case's number
 *
 * Any other brace, a control character, or a line of more than 400 octets is KB_MALFORMED, with the line as d->offset.
 */
enum { KB_TEMPLATE_MOST = 16384 };
struct kb_template {
	struct kb_span subject, body;
};
KB_MUST_USE enum kb_status kb_template_parse(struct kb_diag *d, struct kb_span text, struct kb_template *ret_t);

struct kb_ack_facts {
	const char *indicator; /* becomes the whole subject; empty: the template's subject */
	const char *language;  /* "en": RFC 3282 */
	const char *date;      /* printable ASCII, for {date} */
	const char *number;    /* printable ASCII, for {num} */
};
KB_MUST_USE enum kb_status kb_compose_ack(struct kb_diag *d, const struct kb_letter *l, const struct kb_template *t,
    const struct kb_ack_facts *f, struct kb_composed *ret_mail);

/* Quoted-printable with lines of at most 76 octets, CRLF at line ends; text has LF. RFC 2045 6.7. */
KB_MUST_USE enum kb_status kb_qp_encode(struct kb_buf *b, struct kb_span text);

#endif
