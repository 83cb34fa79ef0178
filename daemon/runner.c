/*
 * runner: one delivery, then its end.
 *
 *   talks to   the courier that asked for it (RUN_JOB, RUN_DONE); one mail server, on a connection that it was given
 *   holds      that connection, the mail, the relay's certificates and password
 *   may        read and write what it holds
 *
 * The supervisor hands everything over; the courier says whom the mail is for. A server that takes the process over has one
 * mail, which it was to get anyway, and the password that it was to be told.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <kitebox/memfd.h>
#include <kitebox/smtpsend.h>

#include "room.h"

enum { TRUST_MOST = 8 << 20, PASSWORD_MOST = 1024, GRACE_S = 20 };
#define MAIL_MOST ((size_t)4 << 30)

_Static_assert((int)KB_OUTCOME_DELIVERED == KB_SEND_DELIVERED && (int)KB_OUTCOME_TEMPORARY == KB_SEND_TEMPORARY &&
		   (int)KB_OUTCOME_PERMANENT == KB_SEND_PERMANENT,
    "what smtpsend says is what the courier hears");

struct runner {
	struct kb_room_host *host;
	struct kb_channel *courier;
	struct kb_trust *trust; /* NULL: nobody is believed, and nothing sent */
	struct kb_map mail;
	uint8_t *password; /* in guarded memory */
	size_t password_len;
};

/* ---- the delivery ---- */

static const char *text(const char *field, size_t n)
{
	struct kb_span s;

	return kb_field_get(field, n, &s) == KB_OK ? field : NULL;
}

#define TEXT(field) text(field, sizeof(field))

static enum kb_status run(struct runner *r, const struct kb_wire_job *w, struct kb_wire_done *done)
{
	struct kb_room_file *sock = kb_room_file(r->host, KB_FILE_RELAY_SOCKET, 0);
	const struct kb_tls_limits limits = kb_send_limits(r->mail.s.len);
	const struct kb_send_job job = {
	    .host = TEXT(w->host),
	    .tls_at_once = w->tls == KB_RELAY_TLS,
	    .helo = TEXT(w->helo),
	    .from = TEXT(w->from),
	    .to = TEXT(w->to),
	    .user = TEXT(w->user),
	    .password = KB_SPAN(r->password, r->password_len),
	    .message = r->mail.s,
	};
	struct kb_send_result result = {.outcome = KB_SEND_TEMPORARY, .reason = KB_FORGED};
	struct kb_diag d = {.status = KB_FORGED, .what = "there is no certificate to trust"};

	if (!job.host || !job.helo || !job.from || !job.to || !job.user || w->tls > KB_RELAY_TLS || !sock || w->size != r->mail.s.len)
		return KB_MALFORMED;
	if (r->trust) {
		int fd = sock->fd;

		sock->fd = -1;
		memset(&d, 0, sizeof d);
		kb_send(&d, fd, r->trust, &limits, &job, &result);
	}
	if (result.outcome != KB_SEND_DELIVERED)
		kb_room_log(r->host, LOG_WARNING, &d, "a mail was not taken");
	done->outcome = (uint32_t)result.outcome;
	done->code = result.code;
	done->reason = result.reason;
	return KB_OK;
}

static enum kb_status on_job(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct runner *r = ctx;
	const struct kb_wire_job *w = body;
	struct kb_wire_done done;

	(void)fds, (void)n;
	memset(&done, 0, sizeof done);
	done.id = w->id;
	enum kb_status st = run(r, w, &done);

	if (st == KB_OK)
		st = kb_channel_send(ch, KB_WIRE_RUN_DONE, &done, sizeof done, NULL, 0);
	kb_room_done(r->host, st == KB_OK ? 0 : 1);
	return st;
}

/* clang-format off */
static const struct kb_channel_row courier_rows[] = {
	/* type             fds  size                         handler */
	{KB_WIRE_RUN_JOB,  0, 0, sizeof(struct kb_wire_job), on_job},
};
/* clang-format on */

/* Nobody is left to hear of it. */
static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct runner *r = ctx;

	(void)ch, (void)why;
	kb_channel_free(&r->courier);
	kb_room_done(r->host, 0);
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	struct runner *r = self;

	(void)index;
	if (room != KB_ROOM_COURIER || r->courier) {
		kb_fd_close(&fd);
		return KB_MALFORMED;
	}
	return kb_channel_new(NULL, kb_room_loop(r->host), fd, courier_rows, KB_LEN(courier_rows), on_closed, r, &r->courier);
}

/* ---- what it was handed ---- */

static void read_trust(struct runner *r)
{
	struct kb_room_file *f = NULL;
	struct kb_diag d = {0};
	struct kb_map m;

	for (uint32_t i = 0; !f && i < KB_RELAYS_MOST; i++)
		f = kb_room_file(r->host, KB_FILE_RELAY_CA, i);
	if (!f || kb_map_open(&d, f->fd, TRUST_MOST, &m) != KB_OK)
		return;
	/* An empty file trusts nobody, and not the system's. */
	if (m.s.len && kb_trust_new(&d, m.s, &r->trust) != KB_OK)
		kb_room_log(r->host, LOG_ERR, &d, "the relay's certificates cannot be read");
	kb_map_release(&m);
}

/* A file of one line. */
static enum kb_status read_password(struct runner *r, struct kb_diag *d)
{
	struct kb_room_file *f = NULL;
	struct kb_map m;

	for (uint32_t i = 0; !f && i < KB_RELAYS_MOST; i++)
		f = kb_room_file(r->host, KB_FILE_RELAY_PASSWORD, i);
	if (!f)
		return KB_OK;
	enum kb_status st = kb_map_open(d, f->fd, PASSWORD_MOST, &m);

	if (st != KB_OK)
		return st;
	struct kb_span line = {0}, rest = m.s;

	if (kb_span_line(&rest, &line) && line.len) {
		r->password = sodium_malloc(line.len);
		if (!r->password)
			abort();
		memcpy(r->password, line.p, line.len);
		r->password_len = line.len;
	}
	kb_map_release(&m);
	kb_fd_close(&f->fd);
	return KB_OK;
}

static enum kb_status room_open(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	struct runner *r = calloc(1, sizeof *r);
	struct kb_room_file *mail = kb_room_file(h, KB_FILE_RELAY_MESSAGE, 0);

	if (!r)
		abort();
	*ret_self = r;
	r->host = h;
	if (!mail || !kb_room_file(h, KB_FILE_RELAY_SOCKET, 0))
		return KB_FAIL(d, KB_SEQUENCE, 0, "a runner was given nothing to deliver");
	enum kb_status st = kb_map_open(d, mail->fd, MAIL_MOST, &r->mail);

	if (st == KB_OK)
		st = read_password(r, d);
	if (st != KB_OK)
		return st;
	read_trust(r);
	/* Should the stream's own deadline not hold: SIGALRM ends the process. */
	(void)alarm(kb_send_deadline_s(r->mail.s.len) + GRACE_S);
	return KB_OK;
}

static void room_close(void **self)
{
	struct runner *r = KB_TAKE(*self);

	kb_channel_free(&r->courier);
	kb_trust_free(&r->trust);
	kb_map_release(&r->mail);
	sodium_free(r->password); /* wipes; harmless on NULL */
	free(r);
}

static const struct kb_room_spec spec = {
    .room = KB_ROOM_RUNNER,
    .open = room_open,
    .peer = peer,
    .close = room_close,
};

int main(void)
{
	return kb_room_main(&spec);
}
