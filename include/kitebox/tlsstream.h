/*
 * tlsstream: the byte stream that libetpan's clients run over: GnuTLS on a descriptor that is connected already.
 *
 * A stream begins in the clear, for the few lines that ask for TLS, or under TLS at once; nothing of worth is sent before
 * kb_tls_begin has verified the server's chain and host name. Octets that arrived in the clear when TLS begins were put there
 * by somebody on the way: the stream ends. Whatever the server does, reading and writing end by the deadline, and a line or
 * a conversation longer than the limits is an error. The end of the connection is an error too: the protocols here say when
 * they are done.
 *
 * Ownership:  a stream takes its descriptor; a trust outlives the streams that use it. The mailstream is kb_tls_free's to
 *             close, unless a libetpan session has closed it before.
 * Errors:     the first one stays, in kb_tls_trouble, and ends the stream: KB_FORGED a certificate that does not verify;
 *             KB_UNSUPPORTED no TLS 1.2 or later; KB_SEQUENCE octets injected before TLS; KB_AGAIN silence or deadline;
 *             KB_LIMIT a line or conversation without end; KB_IO a lost connection.
 * Standard:   TLS 1.2 and 1.3, RFC 6125 for names, RFC 3207 section 6 for what came before.
 * Not here:   connecting, resolving (daemon/courier.c); what is said (smtpsend.h).
 */
#ifndef KITEBOX_TLSSTREAM_H
#define KITEBOX_TLSSTREAM_H

#include <kitebox/bytes.h>

struct kb_trust; /* whom to believe */
struct kb_tls;
struct _mailstream; /* libetpan's */

/* pem: certificates to trust; empty: the system's. KB_MALFORMED when there is none in it. */
KB_MUST_USE enum kb_status kb_trust_new(struct kb_diag *d, struct kb_span pem, struct kb_trust **ret_t);
void kb_trust_free(struct kb_trust **t);

struct kb_tls_limits {
	uint32_t wait_ms;     /* the longest silence within one read or write */
	uint32_t deadline_ms; /* for everything, from kb_tls_new on */
	size_t line_octets;   /* the longest line that is read; 0: what is read has no lines */
	uint64_t read_octets; /* everything that is read */
};

/* host: a name, or a numeric address, which the certificate must show. */
KB_MUST_USE enum kb_status kb_tls_new(struct kb_diag *d, int fd, const struct kb_trust *trust, const char *host,
    const struct kb_tls_limits *limits, struct kb_tls **ret_t);
void kb_tls_free(struct kb_tls **t);
/* The handshake, with all checks. */
KB_MUST_USE enum kb_status kb_tls_begin(struct kb_diag *d, struct kb_tls *t);
/* Changes wait_ms: some replies take their time. */
void kb_tls_patience(struct kb_tls *t, uint32_t wait_ms);
/* NULL once a libetpan session has closed it. */
struct _mailstream *kb_tls_stream(struct kb_tls *t);
/* The first failure; status KB_OK when there was none. */
const struct kb_diag *kb_tls_trouble(const struct kb_tls *t);

#endif
