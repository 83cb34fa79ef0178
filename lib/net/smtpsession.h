/*
 * smtpsession: the dialogue of smtpsend, without sockets and TLS: it runs over any libetpan stream, and is told how to begin
 * TLS on it. Internal to lib/net, its tests and its fuzz target.
 */
#ifndef KITEBOX_NET_SMTPSESSION_H
#define KITEBOX_NET_SMTPSESSION_H

#include <kitebox/smtpsend.h>

struct kb_smtp_link {
	struct _mailstream *stream; /* the session closes it, unless the job cannot be sent at all */
	void *ctx;
	/* After STARTTLS was granted. */
	enum kb_status (*begin_tls)(struct kb_diag *d, void *ctx);
	/* The final dot was sent: a server may take its time. */
	void (*be_patient)(void *ctx);
	/* Why reading or writing failed; status KB_OK: it did not. */
	const struct kb_diag *(*trouble)(void *ctx);
};

void kb_smtp_run(struct kb_diag *d, const struct kb_smtp_link *link, const struct kb_send_job *job, struct kb_send_result *ret_result);

enum { KB_REPLY_LINE_MOST = 4096, KB_REPLIES_MOST = 65536 };

enum kb_feature { KB_FEATURE_STARTTLS = 1, KB_FEATURE_SIZE = 2, KB_FEATURE_AUTH_PLAIN = 4 };

/* One line of a reply: three digits of which the first is 2 to 5, then the end, or SP or "-" and text. RFC 5321 4.2. */
KB_MUST_USE enum kb_status kb_reply_line(struct kb_span line, unsigned *ret_code, bool *ret_more, struct kb_span *ret_text);
/* What a line of an EHLO reply offers: bits of enum kb_feature. */
unsigned kb_ehlo_feature(struct kb_span text);

#endif
