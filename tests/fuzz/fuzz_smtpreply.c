/*
 * fuzz smtpreply: a server that answers anything.
 *
 * Input: an octet of switches (1: TLS at once, 2: a user logs in, 4: replies trickle in), then what the server says; each
 * 0x1e ends what comes in one piece. Properties: nothing but EHLO, STARTTLS and QUIT is said in the clear, and no command
 * that is not in the dialogue, ever; a mail counts as delivered only when the whole of it was sent under TLS and 250
 * came after it; an outcome, its code and its reason agree; it ends.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <libetpan/mailstream.h>

#include "smtpsession.h"

#define MESSAGE "Subject: Sealed referral\r\n\r\n.dot\r\nlast\r\n"
#define SENT "Subject: Sealed referral\r\n\r\n..dot\r\nlast\r\n.\r\n"
#define PASSWORD "AHRpbQB0YW5zdGFhZnRhbnN0YWFm"

enum { SAID_MOST = 8192, PIECE_END = 0x1e };

struct world {
	mailstream *stream;
	struct kb_span server; /* not said yet */
	bool trickles, secure, patient;
	char said[SAID_MOST];  /* by the client */
	size_t said_len, clear_len, taken_from;
	const uint8_t *answer; /* what the server said after the mail begins here */
	struct kb_diag trouble;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t on_read(mailstream_low *low, void *to, size_t n)
{
	struct world *w = low->data;
	size_t len = 0;

	if (w->server.len && w->server.p[0] == PIECE_END)
		w->server = kb_span_from(w->server, 1);
	while (len < n && len < w->server.len && w->server.p[len] != PIECE_END && !(w->trickles && len))
		len++;
	if (!len) {
		(void)KB_FAIL(&w->trouble, KB_IO, 0, "the server ended the connection");
		return -1;
	}
	memcpy(to, w->server.p, len);
	w->server = kb_span_from(w->server, len);
	return (ssize_t)len;
}

static ssize_t on_write(mailstream_low *low, const void *from, size_t n)
{
	struct world *w = low->data;

	if (w->trouble.status != KB_OK)
		return -1;
	assert(w->said_len + n < SAID_MOST);
	memcpy(w->said + w->said_len, from, n);
	w->said_len += n;
	if (!w->secure)
		w->clear_len = w->said_len;
	return (ssize_t)n;
}

static int on_close(mailstream_low *low)
{
	(void)low;
	return 0;
}

static void on_free(mailstream_low *low)
{
	free(low);
}

static mailstream_low_driver driver = {
    .mailstream_read = on_read, .mailstream_write = on_write, .mailstream_close = on_close, .mailstream_free = on_free};

static enum kb_status begin_tls(struct kb_diag *d, void *ctx)
{
	struct world *w = ctx;

	(void)d;
	assert(!w->secure);
	w->secure = true;
	return KB_OK;
}

static void be_patient(void *ctx)
{
	struct world *w = ctx;

	assert(w->secure && !w->patient);
	w->patient = true;
	w->taken_from = w->said_len;
	w->answer = w->server.p - w->stream->read_buffer_len; /* a server may have been too quick */
}

static const struct kb_diag *trouble(void *ctx)
{
	const struct world *w = ctx;

	return &w->trouble;
}

static bool is_one_of(struct kb_span line, const char *const *words)
{
	for (; *words; words++)
		if (kb_span_starts(line, kb_span_str(*words)))
			return true;
	return false;
}

static void check_commands(struct kb_span said, const char *const *words)
{
	struct kb_span line;

	assert(!memchr(said.p, 0, said.len));
	while (kb_span_line(&said, &line))
		assert(is_one_of(line, words));
}

static void check_said(const struct world *w, bool user)
{
	static const char *const clear[] = {"EHLO kitebox.example", "STARTTLS", "QUIT", NULL};
	static const char *const secure[] = {"EHLO kitebox.example", "AUTH PLAIN " PASSWORD, "MAIL FROM:<desk@kitebox.example>",
	    "RCPT TO:<intake@oia.example>", "DATA", "QUIT", NULL};
	size_t end = w->patient ? w->taken_from : w->said_len;

	check_commands(KB_SPAN(w->said, w->clear_len), clear);
	check_commands(KB_SPAN(w->said + w->clear_len, end - w->clear_len), secure);
	assert(user || kb_span_find(KB_SPAN(w->said, w->said_len), KB_LIT("AUTH")) == SIZE_MAX);
}

/* 250 was said after the mail, in however many pieces. */
static bool answered_250(const struct world *w)
{
	struct kb_span rest = KB_SPAN(w->answer, (size_t)(w->server.p - w->answer));
	uint32_t last = 0;

	for (size_t i = 0; i < rest.len; i++) {
		if (rest.p[i] == PIECE_END)
			continue;
		last = (last << 8 | rest.p[i]) & 0xffffff;
		if (last == ('2' << 16 | '5' << 8 | '0'))
			return true;
	}
	return false;
}

static void check_result(const struct world *w, const struct kb_send_result *r)
{
	assert(r->code == 0 || (r->code >= 200 && r->code <= 599));
	switch (r->outcome) {
	case KB_SEND_DELIVERED:
		assert(r->code == 250 && r->reason == KB_OK && w->patient && answered_250(w));
		assert(w->said_len - w->taken_from >= strlen(SENT) && memcmp(w->said + w->taken_from, SENT, strlen(SENT)) == 0);
		break;
	case KB_SEND_PERMANENT:
		assert(r->code / 100 == 5 && r->reason == KB_DENIED && w->secure);
		break;
	default:
		assert(r->outcome == KB_SEND_TEMPORARY && r->reason != KB_OK);
		break;
	}
}

static void check_lines(struct kb_span said)
{
	struct kb_span line, text;
	unsigned code;
	bool more;

	while (kb_span_line(&said, &line)) {
		(void)kb_ehlo_feature(line);
		if (kb_reply_line(line, &code, &more, &text) != KB_OK)
			continue;
		assert(code >= 200 && code <= 599);
		assert(text.len <= line.len && (!text.len || text.p + text.len == line.p + line.len));
		assert((kb_ehlo_feature(text) & ~7u) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned switches = size ? data[0] : 0;
	struct world *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	*w = (struct world){.server = kb_span_from(KB_SPAN(data, size), 1), .trickles = switches & 4, .secure = switches & 1};
	check_lines(w->server);
	mailstream_low *low = mailstream_low_new(w, &driver);
	w->stream = low ? mailstream_new(low, 8192) : NULL;
	const struct kb_smtp_link link = {
	    .stream = w->stream, .ctx = w, .begin_tls = begin_tls, .be_patient = be_patient, .trouble = trouble};
	const struct kb_send_job job = {.host = "mail.oia.example",
	    .tls_at_once = w->secure,
	    .helo = "kitebox.example",
	    .from = "desk@kitebox.example",
	    .to = "intake@oia.example",
	    .user = switches & 2 ? "tim" : "",
	    .password = KB_LIT("tanstaaftanstaaf"),
	    .message = KB_LIT(MESSAGE)};
	struct kb_send_result r = {.code = 999};

	if (!w->stream)
		abort();
	w->stream->logger = NULL;
	kb_smtp_run(NULL, &link, &job, &r);
	check_said(w, switches & 2);
	check_result(w, &r);
	free(w);
	return 0;
}
