/* smtpsend: see kitebox/smtpsend.h. The dialogue of smtpsession.c over a stream of tlsstream.c. */
#include <kitebox/smtpsend.h>

#include <libetpan/mailstream.h>

#include "smtpsession.h"

enum { WAIT_MS = 60000 };

static enum kb_status begin_tls(struct kb_diag *d, void *ctx)
{
	return kb_tls_begin(d, ctx);
}

/* RFC 5321 4.5.3.2.6 gives ten minutes; the deadline ends it before. */
static void be_patient(void *ctx)
{
	kb_tls_patience(ctx, UINT32_MAX / 4);
}

static const struct kb_diag *trouble(void *ctx)
{
	return kb_tls_trouble(ctx);
}

struct kb_tls_limits kb_send_limits(size_t message_octets)
{
	return (struct kb_tls_limits){.wait_ms = WAIT_MS,
	    .deadline_ms = kb_send_deadline_s(message_octets) * 1000,
	    .line_octets = KB_REPLY_LINE_MOST,
	    .read_octets = KB_REPLIES_MOST};
}

void kb_send(struct kb_diag *d, int fd, const struct kb_trust *trust, const struct kb_tls_limits *limits, const struct kb_send_job *job,
    struct kb_send_result *ret_result)
{
	struct kb_diag local = {0}, *diag = d ? d : &local;
	struct kb_tls *t = NULL;
	enum kb_status st = kb_tls_new(diag, fd, trust, job->host, limits, &t);

	if (st == KB_OK && job->tls_at_once)
		st = kb_tls_begin(diag, t);
	if (st == KB_OK) {
		const struct kb_smtp_link link = {
		    .stream = kb_tls_stream(t), .ctx = t, .begin_tls = begin_tls, .be_patient = be_patient, .trouble = trouble};

		kb_smtp_run(diag, &link, job, ret_result);
	} else {
		*ret_result = (struct kb_send_result){.outcome = KB_SEND_TEMPORARY, .reason = st};
	}
	kb_tls_free(&t);
}
