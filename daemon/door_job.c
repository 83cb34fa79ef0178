/*
 * door_job: messages that are whole, until they are on the disk. See door.h.
 *
 * waiting -> with a sealer -> answered. A job goes to the sealer with the fewest. When that sealer ends before its result, the
 * job goes to another with the same id: whoever stored it already recognises it. It is tried so many times, lest a message
 * that ends sealers ends them all, and for so long; then the answer is temporary, and the sender still has the message. What a
 * sealer has not let go of counts on even then, lest a sealer that stands still be given ever more.
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <sodium.h>

#include "door.h"

/* A client waits ten minutes for this reply (RFC 5321 4.5.3.2.6). */
enum { TRIES_MOST = 3, RESULT_MS = 300000, PLACE_MS = 30000, AT_ONCE_MOST = 1024 };
enum { NOBODY = -1 };

struct kb_door_job {
	struct kb_door_job *next;
	struct kb_door_conn *conn; /* NULL: the client is gone */
	struct kb_door_source *source;
	bool answered;             /* given up; a sealer has it still */
	int fd;
	int sealer;                /* its index, or NOBODY */
	unsigned tries;
	uint64_t until_ms, place_until_ms;
	struct kb_wire_submit submit;
};

static void unlink_job(struct kb_door *r, struct kb_door_job *j)
{
	struct kb_door_job **at = &r->jobs;
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	if (r->last_job == &j->next)
		r->last_job = at;
	if (j->sealer != NOBODY)
		r->sealer[j->sealer].jobs--;
}

static void free_job(struct kb_door *r, struct kb_door_job *j)
{
	unlink_job(r, j);
	kb_door_flight_less(r, j->source, j->submit.size);
	kb_door_source_job_end(r, j->source);
	kb_fd_close(&j->fd);
	sodium_memzero(j, sizeof(*j));
	free(j);
}

static void count(struct kb_door *r, enum kb_status st)
{
	if (st == KB_OK)
		kb_room_health(r->host, KB_HEALTH_MESSAGES, true, ++r->messages);
	else
		kb_room_health(r->host, KB_HEALTH_REFUSED, true, ++r->refused);
}

static void tell(struct kb_door_conn *c, enum kb_status st, const struct kb_id *id)
{
	if (!c)
		return;
	c->job = NULL;
	kb_door_conn_answered(c, st, id);
}

/* id is the one that the client is told. */
static void finish(struct kb_door *r, struct kb_door_job *j, enum kb_status st, struct kb_id id)
{
	struct kb_door_conn *c = j->conn;
	if (!j->answered)
		count(r, st);
	free_job(r, j);
	tell(c, st, &id);
	kb_door_less(r);
}

/* Its client waits no longer; the memory is let go of when its sealer lets go. */
static void give_up(struct kb_door *r, struct kb_door_job *j)
{
	if (j->answered)
		return;
	j->answered = true;
	kb_fd_close(&j->fd);
	count(r, KB_AGAIN);
	tell(KB_TAKE(j->conn), KB_AGAIN, &j->submit.id);
}

/* ---- where it goes ---- */

static int least_busy(const struct kb_door *r)
{
	int best = NOBODY;
	for (int i = 0; i < KB_DOOR_SEALERS_MOST; i++)
		if (r->sealer[i].ch && r->sealer[i].jobs < AT_ONCE_MOST && (best == NOBODY || r->sealer[i].jobs < r->sealer[best].jobs))
			best = i;
	return best;
}

static void place(struct kb_door *r, struct kb_door_job *j)
{
	int i = least_busy(r);
	/* A channel that does not take it has ended, and says so from the loop: then it is tried again. */
	if (i == NOBODY || kb_channel_send(r->sealer[i].ch, KB_WIRE_SUBMIT, &j->submit, sizeof(j->submit), &j->fd, 1) != KB_OK)
		return;
	j->sealer = i;
	j->tries++;
	r->sealer[i].jobs++;
}

static void place_waiting(struct kb_door *r)
{
	for (struct kb_door_job *j = r->jobs; j; j = j->next)
		if (j->sealer == NOBODY)
			place(r, j);
}

/* Its jobs are nobody's. Those that have ended sealers before are given up. */
static void take_back(struct kb_door *r, int sealer)
{
	uint64_t now = kb_room_now_ms(r->host);
	for (struct kb_door_job *j = r->jobs, *next; j; j = next) {
		next = j->next;
		if (j->sealer != sealer)
			continue;
		r->sealer[sealer].jobs--;
		j->sealer = NOBODY;
		j->place_until_ms = now + PLACE_MS;
		if (j->answered || j->tries >= TRIES_MOST)
			finish(r, j, KB_AGAIN, j->submit.id);
	}
	place_waiting(r);
}

/* ---- what a sealer says ---- */

static enum kb_status on_result(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_door *r = ctx;
	const struct kb_wire_result *w = body;
	(void)fds, (void)n;
	if (w->status >= KB_STATUS_COUNT || w->duplicate > 1)
		return KB_MALFORMED;
	struct kb_door_job *j = r->jobs;
	while (j && !(j->sealer == (int)kb_channel_tag(ch) && kb_id_eq(&j->submit.id, &w->id)))
		j = j->next;
	if (!j)
		return KB_OK; /* given up meanwhile */
	bool waiting = r->sealer[j->sealer].jobs >= AT_ONCE_MOST;
	finish(r, j, (enum kb_status)w->status, w->duplicate ? w->stored : w->id);
	if (waiting)
		place_waiting(r);
	return KB_OK;
}

/* clang-format off */
static const struct kb_channel_row sealer_rows[] = {
	/* type            fds    size                           handler */
	{ KB_WIRE_RESULT,  0, 0,  sizeof(struct kb_wire_result), on_result },
};
/* clang-format on */

static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_door *r = ctx;
	uint32_t index = kb_channel_tag(ch);
	kb_channel_free(&r->sealer[index].ch);
	kb_room_peer_closed(r->host, KB_ROOM_SEALER, index, why);
	take_back(r, (int)index);
}

enum kb_status kb_door_sealer(struct kb_door *r, uint32_t index, int fd)
{
	if (index >= KB_DOOR_SEALERS_MOST) {
		kb_fd_close(&fd);
		return KB_LIMIT;
	}
	struct kb_door_sealer *s = &r->sealer[index];
	struct kb_diag d = {0};
	kb_channel_free(&s->ch);
	enum kb_status st = kb_channel_new(&d, kb_room_loop(r->host), fd, sealer_rows, KB_LEN(sealer_rows), on_closed, r, &s->ch);
	if (st == KB_OK)
		kb_channel_set_tag(s->ch, index);
	take_back(r, (int)index);
	return st;
}

/* ---- what a client gave ---- */

static void fill(const struct kb_door_conn *c, struct kb_wire_submit *m)
{
	memset(m, 0, sizeof(*m));
	kb_id_random(&m->id);
	m->received_s = kb_room_now_s(c->room->host);
	m->size = c->octets;
	m->mailboxes = c->smtp.mail.mailboxes;
	m->lmtp = c->smtp.lmtp;
	m->tls = c->tls != NULL;
	m->smtputf8 = c->smtp.mail.smtputf8;
	kb_field_set(m->sender, sizeof(m->sender), kb_span_str(c->smtp.mail.sender));
	kb_field_set(m->helo, sizeof(m->helo), kb_span_str(c->smtp.helo));
	kb_field_set(m->peer, sizeof(m->peer), kb_span_str(c->peer));
	if (c->tls)
		kb_door_tls_facts(c->tls, m->tls_facts, sizeof(m->tls_facts));
}

enum kb_status kb_door_submit(struct kb_door_conn *c)
{
	struct kb_door *r = c->room;
	if (c->message < 0 && kb_memfd_new(NULL, "kitebox-message", &c->message) != KB_OK)
		return KB_IO; /* of no octets: nothing made it before */
	if (kb_memfd_seal(NULL, c->message) != KB_OK)
		return KB_IO;
	struct kb_door_job *j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	uint64_t now = kb_room_now_ms(r->host);
	fill(c, &j->submit);
	j->conn = c;
	j->source = kb_door_source_job(c);
	j->fd = c->message;
	c->message = -1;
	c->octets = 0; /* they count with the job now */
	c->job = j;
	j->sealer = NOBODY;
	j->until_ms = now + RESULT_MS;
	j->place_until_ms = now + PLACE_MS;
	*r->last_job = j;
	r->last_job = &j->next;
	place(r, j);
	kb_door_wake(r);
	return KB_OK;
}

void kb_door_job_orphan(struct kb_door_conn *c)
{
	if (c->job)
		c->job->conn = NULL;
	c->job = NULL;
}

void kb_door_jobs_tick(struct kb_door *r, uint64_t now_ms)
{
	bool over = r->stopping && now_ms >= r->stop_until_ms;
	place_waiting(r);
	for (struct kb_door_job *j = r->jobs, *next; j; j = next) {
		next = j->next;
		bool late = now_ms >= j->until_ms;
		if (over || (j->sealer == NOBODY && (late || now_ms >= j->place_until_ms)))
			finish(r, j, KB_AGAIN, j->submit.id);
		else if (late)
			give_up(r, j);
	}
}

void kb_door_jobs_free(struct kb_door *r)
{
	for (size_t i = 0; i < KB_DOOR_SEALERS_MOST; i++)
		kb_channel_free(&r->sealer[i].ch);
	while (r->jobs)
		free_job(r, r->jobs);
}
