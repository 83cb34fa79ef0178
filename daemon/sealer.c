/*
 * sealer: the room that turns what is being received into what only people can open.
 *
 *   talks to   doors (SUBMIT, RESULT), its own sorter (SORT, VERDICT), the vault (ROSTER; STORE, STORED)
 *   holds      public keys of the signed roster; the message while it is under way
 *   may        nothing but its channels
 *
 * Messages go one way: waiting -> sorting -> storing -> answered. One message at a time is with the sorter, so that a sorter
 * that dies names the message it died of; it gets a second try with a fresh sorter, and after that the message is sealed
 * without a verdict. Nothing is stored in the clear and nothing is dropped: what cannot be sealed or stored is answered with
 * a temporary failure, and the sender still has it.
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <sodium.h>

#include <kitebox/memfd.h>
#include <kitebox/triage.h>

#include "room.h"
#include "sealer_job.h"
#include "sealer_message.h"

enum { DOORS_MOST = 4, SORT_TRIES = 2, SORT_GRACE_MS = 500, SUBMIT_MOST = 1 << 30 };

struct sealer {
	struct kb_room_host *host;
	struct kb_minisign_public office;
	bool have_office, have_roster;
	struct kb_roster roster;
	int chain; /* memfd, as the vault gave it; -1 */
	struct kb_channel *door[DOORS_MOST], *sorter, *vault;
	struct kb_jobs jobs;
	sd_event_source *timer;
	bool stopping, hung_said;
	uint64_t alone_ms; /* since when there was no sorter, the last time */
	struct kb_triage *names;
	struct kb_outbox outbox;
	uint64_t unreadable, died, hung;
};

/* The door answers what the status table says; anything that is not the sender's fault is temporary. */
static void answer(struct sealer *s, struct kb_job *job, enum kb_status st, const struct kb_wire_result *stored)
{
	struct kb_wire_result r;
	memset(&r, 0, sizeof(r));
	if (stored)
		r = *stored;
	r.id = job->submit.id;
	r.status = st == KB_OK || st == KB_BUSY ? st : KB_AGAIN;
	if (job->door && kb_channel_send(job->door, KB_WIRE_RESULT, &r, sizeof(r), NULL, 0) != KB_OK)
		kb_room_log(s->host, LOG_WARNING, NULL, "a result could not be handed to the door");
	kb_job_free(&s->jobs, job);
	if (s->stopping && !s->jobs.first)
		kb_room_done(s->host, 0);
}

static void seal_and_store(struct sealer *s, struct kb_job *job)
{
	struct kb_diag d = {0};
	struct kb_sealed sealed;
	if (!s->vault || !s->have_roster) {
		answer(s, job, KB_AGAIN, NULL);
		return;
	}
	struct kb_seal_job what = {
	    .submit = &job->submit,
	    .settings = kb_room_settings(s->host),
	    .roster = &s->roster,
	    .verdict = &job->verdict,
	    .original = job->map.s,
	    .outbox = &s->outbox,
	};
	enum kb_status st = kb_seal_message(&d, &what, &sealed);
	if (st != KB_OK) {
		kb_room_log(s->host, LOG_ERR, &d, "a message could not be sealed and was answered with a temporary failure");
		answer(s, job, st, NULL);
		return;
	}
	job->stage = KB_JOB_STORING;
	st = kb_channel_send(s->vault, KB_WIRE_STORE, &sealed.row, sizeof(sealed.row), &sealed.fd, 1);
	kb_sealed_release(&sealed);
	if (st != KB_OK)
		answer(s, job, KB_AGAIN, NULL);
}

static void seal_unreadable(struct sealer *s, struct kb_job *job)
{
	bool trusted;
	struct kb_triage_context c = {
	    .channel = kb_submit_channel(kb_room_settings(s->host), job->submit.mailboxes, &trusted),
	    .null_sender = !job->submit.sender[0],
	};
	c.trusted = trusted;
	kb_triage_raw(s->names, job->map.s, &c, &job->verdict);
	kb_room_health(s->host, KB_HEALTH_UNREADABLE, true, ++s->unreadable);
	seal_and_store(s, job);
}

static void sort_next(struct sealer *s)
{
	struct kb_job *job = s->sorter && !kb_job_at(&s->jobs, KB_JOB_SORTING) ? kb_job_next(&s->jobs) : NULL;
	if (!job)
		return;
	bool trusted;
	struct kb_wire_sort m;
	memset(&m, 0, sizeof(m));
	m.id = job->submit.id;
	m.size = job->map.s.len;
	m.channel = kb_submit_channel(kb_room_settings(s->host), job->submit.mailboxes, &trusted);
	m.trusted = trusted;
	m.null_sender = !job->submit.sender[0];
	if (kb_channel_send(s->sorter, KB_WIRE_SORT, &m, sizeof(m), &job->fd, 1) != KB_OK)
		return; /* the channel's end, or the timer, comes back to this message */
	job->stage = KB_JOB_SORTING;
	job->tries++;
	job->since_ms = kb_room_now_ms(s->host);
	s->hung_said = false;
}

/* The message that is being sorted when its sorter ends is the one that ended it. */
static void sorter_lost(struct sealer *s)
{
	struct kb_job *job = kb_job_at(&s->jobs, KB_JOB_SORTING);
	if (!job)
		return;
	kb_room_health(s->host, KB_HEALTH_SORTER_DIED, true, ++s->died);
	/* What used up a sorter's time would use up the next one's. */
	bool late = kb_room_now_ms(s->host) - job->since_ms + SORT_GRACE_MS >= (uint64_t)kb_room_settings(s->host)->limit.sort_s * 1000;
	job->stage = KB_JOB_WAITING;
	job->since_ms = kb_room_now_ms(s->host);
	if (job->tries >= SORT_TRIES || s->hung_said || late)
		seal_unreadable(s, job);
}

static void sorter_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct sealer *s = ctx;
	if (s->sorter == ch)
		s->sorter = NULL;
	s->alone_ms = kb_room_now_ms(s->host);
	kb_room_peer_closed(s->host, KB_ROOM_SORTER, kb_room_index(s->host), why);
	kb_channel_free(&ch);
	sorter_lost(s);
}

/* A sorter that neither answers nor dies is named to the supervisor, which ends it; its message waits no longer. */
static void sorter_hung(struct sealer *s, struct kb_job *job)
{
	struct kb_wire_peer who = {.room = KB_ROOM_SORTER, .index = kb_room_index(s->host)};
	s->hung_said = true;
	kb_room_health(s->host, KB_HEALTH_SORTER_HUNG, true, ++s->hung);
	if (kb_room_control_send(s->host, KB_WIRE_HUNG, &who, sizeof(who), NULL, 0) != KB_OK)
		kb_room_log(s->host, LOG_ERR, NULL, "the supervisor could not be told of a hung sorter");
	kb_channel_free(&s->sorter);
	s->alone_ms = kb_room_now_ms(s->host);
	seal_unreadable(s, job);
}

/* Who waits behind others waits for them, not for a sorter: that counts from when the last one went. */
static uint64_t since_ms(const struct sealer *s, const struct kb_job *j)
{
	return j->stage == KB_JOB_WAITING && j->since_ms < s->alone_ms ? s->alone_ms : j->since_ms;
}

/* One wall clock for every message: being sorted, or waiting for a sorter that does not come. */
static int on_timer(sd_event_source *src, uint64_t usec, void *ctx)
{
	struct sealer *s = ctx;
	uint64_t now = kb_room_now_ms(s->host);
	uint64_t most = (uint64_t)kb_room_settings(s->host)->limit.sort_s * 1000 + SORT_GRACE_MS;
	(void)usec;
	for (struct kb_job *j = s->jobs.first, *next; j; j = next) {
		next = j->next;
		if (j->stage == KB_JOB_STORING || now - since_ms(s, j) < most)
			continue;
		if (j->stage == KB_JOB_SORTING)
			sorter_hung(s, j);
		else if (!s->sorter)
			seal_unreadable(s, j);
	}
	sort_next(s);
	if (!s->jobs.first)
		kb_outbox_forget(&s->outbox);
	kb_jobs_rest(&s->jobs, now);
	if (sd_event_source_set_time_relative(src, 250000) < 0 || sd_event_source_set_enabled(src, SD_EVENT_ONESHOT) < 0)
		return -1;
	return 0;
}

static enum kb_status on_verdict(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct sealer *s = ctx;
	const struct kb_wire_verdict *v = body;
	struct kb_job *job = kb_job_find(&s->jobs, &v->id, KB_JOB_SORTING);
	(void)ch, (void)fds, (void)n;
	if (!job)
		return KB_SEQUENCE;
	if (kb_verdict_check(&v->verdict) != KB_OK)
		return KB_MALFORMED; /* ends the channel; the message gets its second try or goes without a verdict */
	job->verdict = v->verdict;
	job->stage = KB_JOB_STORING; /* off the sorter's hands, so that the next one can go before this one is sealed */
	sort_next(s);
	seal_and_store(s, job);
	return KB_OK;
}

static enum kb_status on_submit(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct sealer *s = ctx;
	const struct kb_wire_submit *m = body;
	const struct kb_settings *set = kb_room_settings(s->host);
	struct kb_diag d = {0};
	struct kb_span text;
	(void)n;
	if (kb_field_get(m->sender, sizeof(m->sender), &text) != KB_OK || kb_field_get(m->helo, sizeof(m->helo), &text) != KB_OK ||
	    kb_field_get(m->peer, sizeof(m->peer), &text) != KB_OK || kb_field_get(m->tls_facts, sizeof(m->tls_facts), &text) != KB_OK)
		return KB_MALFORMED;
	/* The door may have taken it under the settings before these: its sender comes again. */
	bool stale = set->mailboxes < 32 && m->mailboxes >> set->mailboxes;
	struct kb_map map;
	enum kb_status st = m->mailboxes ? kb_map_open(&d, fds[0], SUBMIT_MOST, &map) : KB_MALFORMED;
	if (st == KB_OK && map.s.len != m->size) {
		kb_map_release(&map);
		st = KB_MALFORMED;
	}
	if (st != KB_OK)
		return st;
	struct kb_job *job = kb_job_new(&s->jobs, m, ch, fds[0], map);
	fds[0] = -1;
	job->since_ms = kb_room_now_ms(s->host);
	if (stale || map.s.len > set->limit.message_octets || !s->have_roster || !s->vault || s->stopping)
		answer(s, job, KB_AGAIN, NULL);
	else
		sort_next(s);
	return KB_OK;
}

static enum kb_status on_stored(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct sealer *s = ctx;
	const struct kb_wire_result *r = body;
	struct kb_job *job = kb_job_find(&s->jobs, &r->id, KB_JOB_STORING);
	(void)ch, (void)fds, (void)n;
	if (!job)
		return KB_SEQUENCE;
	if (r->status >= KB_STATUS_COUNT)
		return KB_MALFORMED;
	if (r->status == KB_SEQUENCE && !job->resealed) {
		job->resealed = true; /* the roster turned meanwhile: a message is never stored under an old one */
		seal_and_store(s, job);
		return KB_OK;
	}
	answer(s, job, r->status, r);
	return KB_OK;
}

static void send_staff(struct sealer *s)
{
	if (!s->sorter || !s->have_roster)
		return;
	struct kb_buf names;
	struct kb_diag d = {0};
	struct kb_wire_none none = {0};
	KB_AUTO(kb_fd_close) int fd = -1;
	kb_buf_init(&names, KB_PERSONS_MOST * (sizeof(s->roster.person[0].name) + 1));
	enum kb_status st = kb_roster_names(&s->roster, &names);
	if (st == KB_OK)
		st = kb_memfd_from(&d, "staff", kb_buf_span(&names), &fd);
	if (st == KB_OK)
		st = kb_channel_send(s->sorter, KB_WIRE_STAFF, &none, sizeof(none), &fd, 1);
	kb_buf_release(&names);
	if (st != KB_OK)
		kb_room_log(s->host, LOG_ERR, &d, "the sorter could not be given the staff list");
}

/* Also where no sorter can say so, a case that names somebody of the desk is not for them. */
static enum kb_status learn_names(struct sealer *s)
{
	struct kb_buf names;
	kb_triage_free(&s->names);
	kb_buf_init(&names, KB_PERSONS_MOST * (sizeof(s->roster.person[0].name) + 1));
	enum kb_status st = kb_roster_names(&s->roster, &names);
	if (st == KB_OK)
		st = kb_triage_names(kb_buf_span(&names), &s->names);
	kb_buf_release(&names);
	return st;
}

/* The vault's chain under the office's key, when either has come. */
static void take_roster(struct sealer *s)
{
	static struct kb_roster r;
	struct kb_diag d = {0};
	struct kb_map map = {0};
	enum kb_status st = s->have_office ? kb_map_open(&d, s->chain, (size_t)64 * KB_ROSTER_TEXT_MOST, &map)
					   : KB_FAIL(&d, KB_NOKEY, 0, "the office's public key is missing");
	if (st == KB_OK)
		st = kb_roster_chain_verify(&d, map.s, &s->office, &r);
	kb_map_release(&map);
	if (st == KB_OK && !r.destinations)
		st = KB_FAIL(&d, KB_NOKEY, 0, "the roster names no investigators: an allegation could not be referred");
	if (st == KB_OK && s->roster.version > r.version)
		st = KB_FAIL(&d, KB_SEQUENCE, r.version, "the roster is older than one that was in force");
	if (st == KB_OK) {
		s->roster = r;
		st = learn_names(s);
	}
	s->have_roster = st == KB_OK;
	if (st != KB_OK)
		kb_room_log(s->host, LOG_ERR, &d, "the roster is refused: intake answers 451 until it is right");
	kb_room_health(s->host, KB_HEALTH_ROSTER_MISSING, st == KB_NOTFOUND, 0);
	kb_room_health(s->host, KB_HEALTH_ROSTER_REFUSED, st != KB_OK && st != KB_NOTFOUND, 0);
	if (st == KB_OK)
		send_staff(s);
}

static enum kb_status on_roster(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct sealer *s = ctx;
	(void)ch, (void)body, (void)n;
	kb_fd_close(&s->chain);
	s->chain = fds[0];
	fds[0] = -1;
	take_roster(s);
	return KB_OK; /* a bad roster is a state of the office, not a fault of the channel */
}

/* clang-format off */
static const struct kb_channel_row door_rows[] = {
	/* type            fds    size                            handler */
	{ KB_WIRE_SUBMIT,  1, 1,  sizeof(struct kb_wire_submit),  on_submit },
};
static const struct kb_channel_row sorter_rows[] = {
	{ KB_WIRE_VERDICT, 0, 0,  sizeof(struct kb_wire_verdict), on_verdict },
};
static const struct kb_channel_row vault_rows[] = {
	{ KB_WIRE_ROSTER,  1, 1,  sizeof(struct kb_wire_none),    on_roster },
	{ KB_WIRE_STORED,  0, 0,  sizeof(struct kb_wire_result),  on_stored },
};
/* clang-format on */

static void door_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct sealer *s = ctx;
	for (size_t i = 0; i < DOORS_MOST; i++)
		if (s->door[i] == ch)
			s->door[i] = NULL;
	kb_room_peer_closed(s->host, KB_ROOM_DOOR, 0, why);
	for (struct kb_job *j = s->jobs.first; j; j = j->next)
		if (j->door == ch)
			j->door = NULL; /* goes on: stored twice it would be recognised, lost it would not */
	kb_channel_free(&ch);
}

static void vault_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct sealer *s = ctx;
	if (s->vault == ch)
		s->vault = NULL;
	kb_room_peer_closed(s->host, KB_ROOM_VAULT, 0, why);
	kb_channel_free(&ch);
	s->have_roster = false; /* the next vault hands it over again */
	kb_fd_close(&s->chain);
	for (struct kb_job *j = s->jobs.first, *next; j; j = next) {
		next = j->next;
		if (j->stage == KB_JOB_STORING)
			answer(s, j, KB_AGAIN, NULL); /* maybe stored: the sender comes again, and the vault recognises it */
	}
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	struct sealer *s = self;
	sd_event *loop = kb_room_loop(s->host);
	struct kb_channel *ch = NULL;
	struct kb_diag d = {0};
	enum kb_status st = KB_DENIED;
	(void)index;
	if (room == KB_ROOM_DOOR) {
		size_t i = 0;
		while (i < DOORS_MOST && s->door[i])
			i++;
		if (i < DOORS_MOST && (st = kb_channel_new(&d, loop, fd, door_rows, KB_LEN(door_rows), door_closed, s, &ch)) == KB_OK)
			s->door[i] = ch;
	} else if (room == KB_ROOM_SORTER) {
		kb_channel_free(&s->sorter);
		sorter_lost(s);
		st = kb_channel_new(&d, loop, fd, sorter_rows, KB_LEN(sorter_rows), sorter_closed, s, &ch);
		if (st == KB_OK) {
			s->sorter = ch;
			send_staff(s);
			sort_next(s);
		}
	} else if (room == KB_ROOM_VAULT) {
		if (s->vault)
			vault_closed(s, s->vault, KB_OK);
		st = kb_channel_new(&d, loop, fd, vault_rows, KB_LEN(vault_rows), vault_closed, s, &ch);
		if (st == KB_OK)
			s->vault = ch;
	}
	return st;
}

static enum kb_status control(void *self, uint16_t type, const void *body, size_t size)
{
	struct sealer *s = self;
	(void)size;
	if (type != KB_WIRE_OUTBOX_KEY)
		return KB_UNSUPPORTED;
	kb_outbox_key_message(&s->outbox, body);
	return KB_OK;
}

static void load_office(struct sealer *s)
{
	struct kb_room_file *f = kb_room_file(s->host, KB_FILE_OFFICE_PUBLIC, 0);
	struct kb_diag d = {0};
	struct kb_map map = {0};
	s->have_office = f && kb_map_open(&d, f->fd, 4096, &map) == KB_OK && kb_minisign_public_parse(&d, map.s, &s->office) == KB_OK;
	kb_map_release(&map);
	if (!s->have_office)
		kb_room_log(s->host, LOG_ERR, &d, "the office's public key is missing or malformed: intake answers 451");
	kb_room_health(s->host, KB_HEALTH_ROSTER_MISSING, !s->have_office, 0);
}

static enum kb_status room_open(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	struct sealer *s = calloc(1, sizeof(*s));
	if (!s)
		return KB_FAIL(d, KB_BUSY, 0, "no memory");
	s->host = h;
	s->chain = -1;
	load_office(s);
	int r = sd_event_add_time_relative(kb_room_loop(h), &s->timer, CLOCK_MONOTONIC, 250000, 50000, on_timer, s);
	if (r < 0) {
		free(s);
		return KB_FAIL(d, KB_IO, 0, "no timer");
	}
	*ret_self = s;
	return KB_OK;
}

/* The vault gives a chain that is right under the new key; whether it came before this or comes after, it is judged by both. */
static void reload(void *self)
{
	struct sealer *s = self;
	load_office(s);
	if (s->chain >= 0)
		take_roster(s);
}

static void room_stop(void *self)
{
	struct sealer *s = self;
	s->stopping = true;
	if (!s->jobs.first)
		kb_room_done(s->host, 0);
}

static void room_close(void **self)
{
	struct sealer *s = *self;
	while (s->jobs.first)
		kb_job_free(&s->jobs, s->jobs.first);
	for (size_t i = 0; i < DOORS_MOST; i++)
		kb_channel_free(&s->door[i]);
	kb_channel_free(&s->sorter);
	kb_channel_free(&s->vault);
	kb_fd_close(&s->chain);
	sd_event_source_unref(s->timer);
	kb_triage_free(&s->names);
	kb_outbox_forget(&s->outbox);
	free(s);
	*self = NULL;
}

static const struct kb_room_spec spec = {
    .room = KB_ROOM_SEALER,
    .open = room_open,
    .peer = peer,
    .control = control,
    .reload = reload,
    .stop = room_stop,
    .close = room_close,
};

int main(void)
{
	return kb_room_main(&spec);
}
