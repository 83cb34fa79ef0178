/*
 * smtpsession: see smtpsession.h. libetpan speaks the commands in which it does what RFC 5321 says; EHLO (it sends the
 * machine's own name, and can be made to read an answer for ever) and AUTH (it loads plug-ins) are said here.
 */
#include "smtpsession.h"

#include <libetpan/mailsmtp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/address.h>

enum { COMMAND_MOST = 4096, CREDENTIAL_MOST = 1024 };

struct session {
	const struct kb_smtp_link *link;
	const struct kb_send_job *job;
	mailsmtp *smtp;
	struct kb_diag d;
	unsigned code, features;
	bool secure;
};

/* ---- what a step comes to ---- */

static enum kb_status by_code(struct session *s)
{
	switch (s->code / 100) {
	case 4:
		return KB_FAIL(&s->d, KB_AGAIN, s->code, "the server put it off");
	case 5:
		return KB_FAIL(&s->d, KB_DENIED, s->code, "the server refused");
	default:
		return KB_FAIL(&s->d, KB_MALFORMED, s->code, "the server did not answer as SMTP does");
	}
}

/* A stream that failed says more than a reply that did not come. */
static enum kb_status failed(struct session *s)
{
	const struct kb_diag *t = s->link->trouble(s->link->ctx);

	if (t->status == KB_OK)
		return by_code(s);
	s->code = 0;
	s->d = *t;
	return t->status;
}

/* What libetpan returned, and the code that it last read. */
static enum kb_status after(struct session *s, int r)
{
	s->code = s->smtp->response_code >= 200 && s->smtp->response_code <= 599 ? (unsigned)s->smtp->response_code : 0;
	return r == MAILSMTP_NO_ERROR ? KB_OK : failed(s);
}

/* ---- our own commands ---- */

/* Reads a whole reply into s->code; adds what its lines offer when features is not NULL. */
static enum kb_status read_reply(struct session *s, unsigned *features)
{
	bool more = true;

	for (bool first = true; more; first = false) {
		struct kb_span text;
		unsigned code = 0;
		char *line = mailstream_read_line_remove_eol(s->link->stream, s->smtp->line_buffer);

		s->code = 0;
		if (!line || kb_reply_line(KB_SPAN(line, s->smtp->line_buffer->len), &code, &more, &text) != KB_OK)
			return failed(s);
		if (features && !first)
			*features |= kb_ehlo_feature(text);
		s->code = code;
	}
	return KB_OK;
}

static enum kb_status command(struct session *s, const char *line, unsigned *features)
{
	s->code = 0;
	if (mailstream_write(s->link->stream, line, strlen(line)) < 0 || mailstream_flush(s->link->stream) < 0)
		return failed(s);
	return read_reply(s, features);
}

/* ---- steps ---- */

static enum kb_status greeting(struct session *s)
{
	return after(s, mailsmtp_connect(s->smtp, s->link->stream));
}

static enum kb_status ehlo(struct session *s)
{
	char line[COMMAND_MOST];

	(void)snprintf(line, sizeof line, "EHLO %s\r\n", s->job->helo);
	s->features = 0;
	enum kb_status st = command(s, line, &s->features);

	if (st == KB_OK && s->code != 250)
		st = by_code(s);
	s->smtp->esmtp = MAILSMTP_ESMTP | (s->features & KB_FEATURE_STARTTLS ? MAILSMTP_ESMTP_STARTTLS : 0) |
			 (s->features & KB_FEATURE_SIZE ? MAILSMTP_ESMTP_SIZE : 0);
	return st;
}

/* RFC 3207 4 and 6: what was said before is forgotten with the EHLO that follows. */
static enum kb_status starttls(struct session *s)
{
	if (!(s->features & KB_FEATURE_STARTTLS))
		return KB_FAIL(&s->d, KB_UNSUPPORTED, 0, "the server does not offer STARTTLS");
	enum kb_status st = after(s, mailesmtp_starttls(s->smtp));

	if (s->code == 220 && s->link->stream->read_buffer_len) {
		s->code = 0;
		return KB_FAIL(&s->d, KB_SEQUENCE, 0, "octets in the clear came before TLS");
	}
	if (st != KB_OK)
		return st;
	s->code = 0; /* what fails from here on, no reply has decided */
	st = s->link->begin_tls(&s->d, s->link->ctx);
	s->secure = st == KB_OK;
	return st;
}

/* RFC 4616: authorize NUL authenticate NUL password, as the command's initial response. */
static enum kb_status auth(struct session *s)
{
	static const char verb[] = "AUTH PLAIN ";
	uint8_t plain[2 * CREDENTIAL_MOST + 2];
	char line[COMMAND_MOST];
	size_t user = strlen(s->job->user), n = 0;

	if (!(s->features & KB_FEATURE_AUTH_PLAIN))
		return KB_FAIL(&s->d, KB_UNSUPPORTED, 0, "the server does not offer AUTH PLAIN");
	plain[n++] = 0;
	memcpy(plain + n, s->job->user, user);
	n += user;
	plain[n++] = 0;
	if (s->job->password.len)
		memcpy(plain + n, s->job->password.p, s->job->password.len);
	n += s->job->password.len;
	memcpy(line, verb, sizeof verb);
	sodium_bin2base64(line + strlen(verb), sizeof line - strlen(verb) - 2, plain, n, sodium_base64_VARIANT_ORIGINAL);
	memcpy(line + strlen(line), "\r\n", 3);
	enum kb_status st = command(s, line, NULL);

	sodium_memzero(plain, sizeof plain);
	sodium_memzero(line, sizeof line);
	return st == KB_OK && s->code != 235 ? by_code(s) : st;
}

static enum kb_status mail(struct session *s)
{
	return after(s, mailesmtp_mail_size(s->smtp, s->job->from, 0, NULL, s->job->message.len));
}

static enum kb_status rcpt(struct session *s)
{
	return after(s, mailesmtp_rcpt(s->smtp, s->job->to, 0, NULL));
}

static enum kb_status data(struct session *s)
{
	enum kb_status st = after(s, mailsmtp_data(s->smtp));

	if (st == KB_OK)
		s->link->be_patient(s->link->ctx);
	return st;
}

/* libetpan ends what it sends with CRLF of its own before the dot. */
static enum kb_status message(struct session *s)
{
	struct kb_span m = s->job->message;

	return after(s, mailsmtp_data_message(s->smtp, (const char *)m.p, m.len - 2));
}

static bool always(const struct session *s)
{
	return s != NULL;
}

static bool in_the_clear(const struct session *s)
{
	return !s->job->tls_at_once;
}

static bool has_user(const struct session *s)
{
	return s->job->user[0] != '\0';
}

/* clang-format off */
static const struct step {
	bool (*wanted)(const struct session *s);
	bool secure;  /* never said in the clear */
	bool final;   /* a 5xx is about this message */
	enum kb_status (*run)(struct session *s);
} steps[] = {
	/* wanted        secure final  run */
	{always,        false, false, greeting},
	{in_the_clear,  false, false, ehlo},
	{in_the_clear,  false, false, starttls},
	{always,        true,  false, ehlo},
	{has_user,      true,  false, auth},
	{always,        true,  true,  mail},
	{always,        true,  true,  rcpt},
	{always,        true,  true,  data},
	{always,        true,  true,  message},
};
/* clang-format on */

/* 530 and 538 say that we should have logged in, or under TLS: a fault of the configuration, not of the message. */
static bool is_final(const struct step *step, enum kb_status st, unsigned code)
{
	return step->final && st == KB_DENIED && code / 100 == 5 && code != 530 && code != 538;
}

static enum kb_status run_step(struct session *s, const struct step *step)
{
	s->code = 0;
	if (step->secure && !s->secure)
		return KB_FAIL(&s->d, KB_SEQUENCE, 0, "nothing is said in the clear");
	return step->run(s);
}

static void run(struct session *s, struct kb_send_result *ret_result)
{
	for (size_t i = 0; i < KB_LEN(steps); i++) {
		if (!steps[i].wanted(s))
			continue;
		enum kb_status st = run_step(s, &steps[i]);

		if (st == KB_OK)
			continue;
		*ret_result = (struct kb_send_result){
		    .outcome = is_final(&steps[i], st, s->code) ? KB_SEND_PERMANENT : KB_SEND_TEMPORARY, .code = s->code, .reason = st};
		return;
	}
	*ret_result = (struct kb_send_result){.outcome = KB_SEND_DELIVERED, .code = s->code, .reason = KB_OK};
}

/* Nothing that could end a line, or a command, reaches libetpan, which looks at nothing. */
static bool can_be_said(const struct kb_send_job *j)
{
	return kb_helo_ok(kb_span_str(j->helo)) && (!j->from[0] || kb_address_ok(kb_span_str(j->from))) &&
	       kb_address_ok(kb_span_str(j->to)) && strlen(j->user) <= CREDENTIAL_MOST && j->password.len <= CREDENTIAL_MOST &&
	       (!j->password.len || !memchr(j->password.p, 0, j->password.len)) && j->message.len > 2 &&
	       memcmp(j->message.p + j->message.len - 2, "\r\n", 2) == 0;
}

void kb_smtp_run(struct kb_diag *d, const struct kb_smtp_link *link, const struct kb_send_job *job, struct kb_send_result *ret_result)
{
	struct session s = {.link = link, .job = job, .secure = job->tls_at_once};

	if (!can_be_said(job)) {
		*ret_result = (struct kb_send_result){.outcome = KB_SEND_PERMANENT, .reason = KB_MALFORMED};
		(void)KB_FAIL(d, KB_MALFORMED, 0, "a mail has an address, a name or an end that cannot be sent");
		return;
	}
	s.smtp = mailsmtp_new(0, NULL);
	if (!s.smtp)
		abort();
	run(&s, ret_result);
	mailsmtp_free(s.smtp); /* says QUIT, and closes the stream */
	if (s.d.status != KB_OK && d)
		*d = s.d;
}
