/* reply: what is said. Texts are literals, so that nothing a client sent comes back in a reply. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* clang-format off */
static const struct kb_smtp_refusal refusals[KB_SMTP_WHYS] = {
	[KB_SMTP_FINE]        = { { 250, "2.0.0",  "done" }, false },
	[KB_SMTP_EARLY]       = { { 554, "5.5.0",  "you spoke before you were greeted" }, true },
	[KB_SMTP_UNKNOWN]     = { { 500, "5.5.2",  "that is no command here" }, false },
	[KB_SMTP_FOREIGN]     = { { 500, "5.5.2",  "this is a mail server" }, true },
	[KB_SMTP_BARE]        = { { 500, "5.5.2",  "a line ends in CR LF, and neither stands alone" }, true },
	[KB_SMTP_TOO_LONG]    = { { 500, "5.5.2",  "the line is too long" }, false },
	[KB_SMTP_NUL]         = { { 500, "5.5.2",  "a command holds no NUL" }, false },
	[KB_SMTP_NOT_SPOKEN]  = { { 500, "5.5.1",  "that is not spoken here" }, false },
	[KB_SMTP_NOT_OFFERED] = { { 502, "5.5.1",  "not offered" }, false },
	[KB_SMTP_CHUNKS]      = { { 502, "5.5.1",  "CHUNKING is not offered" }, true },
	[KB_SMTP_SEQUENCE]    = { { 503, "5.5.1",  "out of sequence" }, false },
	[KB_SMTP_PIPELINED]   = { { 503, "5.5.0",  "nothing may follow that command before its reply" }, true },
	[KB_SMTP_ARGUMENT]    = { { 501, "5.5.4",  "the argument is not well-formed" }, false },
	[KB_SMTP_SENDER]      = { { 501, "5.1.7",  "the sender's address is not well-formed" }, false },
	[KB_SMTP_RECIPIENT]   = { { 501, "5.1.3",  "the recipient's address is not well-formed" }, false },
	[KB_SMTP_NEEDS_UTF8]  = { { 553, "5.6.7",  "such an address needs SMTPUTF8" }, false },
	[KB_SMTP_PARAMETER]   = { { 555, "5.5.4",  "a parameter is not known here" }, false },
	[KB_SMTP_TOO_BIG]     = { { 552, "5.3.4",  "the message is larger than is taken here" }, false },
	[KB_SMTP_NOBODY]      = { { 550, "5.1.1",  "there is no such mailbox here" }, false },
	[KB_SMTP_TOO_MANY]    = { { 452, "4.5.3",  "too many recipients" }, false },
	[KB_SMTP_ENOUGH]      = { { 421, "4.7.0",  "enough messages for one session" }, true },
	[KB_SMTP_NO_TLS]      = { { 454, "4.7.0",  "TLS is not available" }, false },
	[KB_SMTP_TLS_TWICE]   = { { 503, "5.5.1",  "TLS is on already" }, false },
	[KB_SMTP_CHANGED]     = { { 451, "4.3.0",  "the configuration has changed; try again" }, false },
	[KB_SMTP_FRAMING]     = { { 554, "5.6.11", "the message has a CR or LF that stands alone" }, true },
	[KB_SMTP_LOOP]        = { { 554, "5.4.6",  "the message has been through too many hosts" }, false },
	[KB_SMTP_FAULTS]      = { { 421, "4.7.0",  "too many faults" }, true },
};

static const struct kb_smtp_line ends[KB_SMTP_ENDS] = {
	[KB_SMTP_IDLE]     = { 421, "4.4.2", "nothing was said for too long" },
	[KB_SMTP_STOPPING] = { 421, "4.3.2", "this server is about to stop; try again" },
	[KB_SMTP_CROWDED]  = { 421, "4.3.2", "too many connections; try again" },
	[KB_SMTP_GREEDY]   = { 421, "4.7.0", "too many connections from one address; try again" },
};
/* clang-format on */

const struct kb_smtp_refusal *kb_smtp_refusal(enum kb_smtp_why why)
{
	return &refusals[why];
}

struct kb_smtp_line kb_smtp_status_line(enum kb_status st)
{
	const struct kb_status_row *r = kb_status_row(st);
	return (struct kb_smtp_line){r->smtp, r->enhanced, r->sentence};
}

/* Whoever calls has seen that KB_SMTP_REPLY_MOST octets fit. */
static void __attribute__((format(printf, 2, 3))) put(struct kb_smtp_out *out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(out->p + out->len, out->cap - out->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= out->cap - out->len)
		abort();
	out->len += (size_t)n;
}

void kb_smtp_say(struct kb_smtp_out *out, const struct kb_smtp_line *l)
{
	put(out, "%d %s%s%s\r\n", l->code, l->enhanced ? l->enhanced : "", l->enhanced ? " " : "", l->text);
}

void kb_smtp_say_stored(struct kb_smtp_out *out, const char *id)
{
	put(out, "250 2.0.0 %s sealed and stored\r\n", id);
}

void kb_smtp_say_greeting(const struct kb_smtp *s, struct kb_smtp_out *out)
{
	put(out, "220 %s %s kitebox\r\n", s->settings->hostname, s->lmtp ? "LMTP" : "ESMTP");
}

void kb_smtp_say_hello(const struct kb_smtp *s, struct kb_smtp_out *out)
{
	put(out, "250 %s\r\n", s->settings->hostname);
}

void kb_smtp_say_features(const struct kb_smtp *s, struct kb_smtp_out *out)
{
	put(out, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n", s->settings->hostname,
	    (unsigned long long)s->settings->limit.message_octets);
	if (!s->lmtp && !s->secure && s->offer_tls)
		put(out, "250-STARTTLS\r\n");
	put(out, "250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8\r\n");
}

void kb_smtp_end(struct kb_smtp *s, enum kb_smtp_end why, struct kb_smtp_out *out)
{
	kb_smtp_say(out, &ends[why]);
	s->ends = true;
	s->state = KB_SMTP_ENDED;
}
