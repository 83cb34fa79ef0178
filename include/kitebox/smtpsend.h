/*
 * smtpsend: gives one message to one server, and says what became of it.
 *
 * The dialogue: greeting, EHLO, STARTTLS and EHLO again (or TLS at once), AUTH PLAIN when there is a user, MAIL, RCPT, DATA,
 * the message, QUIT. There is no sending in the clear: a server that does not offer TLS, or whose certificate does not
 * verify, gets nothing but EHLO. The message is delivered when the server said 250 after the final dot, and not otherwise:
 * what is lost after that dot is sent again with the same Message-ID.
 *
 * Errors:    in the result, with the SMTP reply code where there was one. Permanent is what a server refuses of this
 *            message (5xx to MAIL, RCPT, DATA or the message); whatever else fails may succeed later.
 * Limits:    replies of 4 KiB a line and 64 KiB in all; time by struct kb_tls_limits.
 * Secrets:   user and password are sent under TLS alone, and wiped from the buffers they passed.
 * Standard:  RFC 5321, 3207, 4954 and 4616 (PLAIN), 1870 (SIZE).
 * Not here:  the message (compose.h), retries (the store's clock), several recipients.
 */
#ifndef KITEBOX_SMTPSEND_H
#define KITEBOX_SMTPSEND_H

#include <kitebox/tlsstream.h>

enum kb_send_outcome { KB_SEND_DELIVERED = 0, KB_SEND_TEMPORARY, KB_SEND_PERMANENT };

struct kb_send_job {
	const char *host;       /* for SNI and verification */
	bool tls_at_once;       /* else STARTTLS */
	const char *helo;
	const char *from;       /* empty: the null sender */
	const char *to;
	const char *user;       /* empty: no AUTH */
	struct kb_span password;
	struct kb_span message; /* 7-bit, with CRLF */
};

struct kb_send_result {
	enum kb_send_outcome outcome;
	unsigned code;          /* of the reply that decided, or 0 */
	enum kb_status reason;  /* KB_OK, or: KB_FORGED, KB_UNSUPPORTED, KB_SEQUENCE, KB_AGAIN, KB_LIMIT, KB_IO of the stream;
	                         * KB_AGAIN a 4xx, KB_DENIED a 5xx, KB_MALFORMED no reply of SMTP, or a job that cannot be sent */
};

/* What a conversation may take that carries so many octets: a minute for each reply, and two minutes and 64 KiB a second for all. */
struct kb_tls_limits kb_send_limits(size_t message_octets);
/* The longest of all deadlines. */
enum { KB_SEND_DEADLINE_MOST_S = 1800 };
/* The deadline of kb_send_limits alone, for those who only watch (daemon/supervisor_runner.c). */
static inline uint32_t kb_send_deadline_s(uint64_t message_octets)
{
	uint64_t s = 120 + message_octets / 65536;

	return s < KB_SEND_DEADLINE_MOST_S ? (uint32_t)s : KB_SEND_DEADLINE_MOST_S;
}

/* Takes fd, which is connected. d says in words what the result says in numbers. */
void kb_send(struct kb_diag *d, int fd, const struct kb_trust *trust, const struct kb_tls_limits *limits, const struct kb_send_job *job,
    struct kb_send_result *ret_result);

#endif
