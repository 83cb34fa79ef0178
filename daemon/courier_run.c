/*
 * courier_run: a runner for a connected job: what it is told, what it says, and its end.
 *
 * The supervisor starts it with the connection, the mail and the relay's secrets; the job goes over a channel of its own. A
 * runner that ends without a word, or with a word that it may not say, has delivered nothing that anybody knows of.
 */
#include <string.h>
#include <syslog.h>

#include "courier.h"

static enum kb_status on_done(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_courier_job *j = ctx;
	const struct kb_wire_done *w = body;

	(void)ch, (void)fds, (void)n;
	if (j->reported)
		return KB_SEQUENCE;
	if (!kb_id_eq(&w->id, &j->work.id) || w->outcome > KB_OUTCOME_PERMANENT || w->reason >= KB_STATUS_COUNT || w->code > 999)
		return KB_MALFORMED;
	j->reported = true;
	j->said = *w;
	return KB_OK;
}

/* clang-format off */
static const struct kb_channel_row runner_rows[] = {
	/* type              fds  size                          handler */
	{KB_WIRE_RUN_DONE,  0, 0, sizeof(struct kb_wire_done), on_done},
};
/* clang-format on */

static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_courier_job *j = ctx;
	struct kb_diag d = {.status = why, .what = "a delivery ended without a word"};

	(void)ch;
	kb_channel_free(&j->runner);
	if (why != KB_IO) {
		d.what = "a runner broke the rules and is not believed";
		kb_room_log(j->courier->host, LOG_ERR, &d, "a delivery counts as failed");
	}
	if (why != KB_IO || !j->reported) {
		kb_courier_job_failed(j, why, &d);
		return;
	}
	j->why = (struct kb_diag){.status = (enum kb_status)j->said.reason, .what = "a relay did not take it", .offset = j->said.code};
	kb_courier_job_judge(j);
}

static void fill(const struct kb_courier_job *j, struct kb_wire_job *w)
{
	const struct kb_settings *s = kb_room_settings(j->courier->host);
	const struct kb_relay *r = &j->courier->relay[j->relay];

	memset(w, 0, sizeof *w);
	w->id = j->work.id;
	w->size = j->mail.size;
	kb_field_set(w->host, sizeof w->host, kb_span_str(r->host));
	kb_field_set(w->helo, sizeof w->helo, kb_span_str(s->hostname));
	/* RFC 3834 4: what answers by itself is never answered; an acknowledgement has the null sender. */
	if (!j->ack)
		kb_field_set(w->from, sizeof w->from, kb_span_str(s->mail_from));
	kb_field_set(w->to, sizeof w->to, kb_span_str(j->to));
	kb_field_set(w->user, sizeof w->user, kb_span_str(r->user));
	w->tls = r->tls;
}

static enum kb_status ask_for(struct kb_courier_job *j, struct kb_diag *d, int fd)
{
	struct kb_courier *c = j->courier;
	const struct kb_wire_run run = {.relay = j->relay};
	struct kb_wire_job job;
	int ends[2];
	enum kb_status st = kb_channel_pair(d, ends);

	if (st != KB_OK)
		return st;
	const int fds[] = {fd, ends[1], j->mail.fd};

	st = kb_channel_new(d, kb_room_loop(c->host), ends[0], runner_rows, KB_LEN(runner_rows), on_closed, j, &j->runner);
	if (st == KB_OK) {
		fill(j, &job);
		st = kb_channel_send(j->runner, KB_WIRE_RUN_JOB, &job, sizeof job, NULL, 0);
	}
	if (st == KB_OK)
		st = kb_room_control_send(c->host, KB_WIRE_RUN, &run, sizeof run, fds, KB_LEN(fds));
	kb_fd_close(&ends[1]);
	return st;
}

void kb_courier_run(struct kb_courier_job *j, int fd)
{
	struct kb_diag d = {0};
	enum kb_status st = ask_for(j, &d, fd);

	kb_fd_close(&fd);
	j->stage = KB_COURIER_RUNNING;
	if (st == KB_OK)
		return;
	kb_channel_free(&j->runner);
	kb_courier_job_failed(j, st, &d);
}
