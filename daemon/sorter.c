/*
 * kiteboxd-sorter: looks at a message and says what it is. The only room that parses what strangers wrote.
 *
 *   holds      rules and model of triage, the names of the desk's persons
 *   may        nothing but its one channel: no file, no socket of its own, no process
 *   talks to   its own sealer (STAFF, SORT, VERDICT; VIEW, VIEWED)
 *
 * One message at a time. A message that takes longer than limit.sort_s ends the process by SIGALRM; a failed allocation, an
 * overflow or a crash ends it too. Whoever asked still has the octets, and the supervisor starts a fresh sorter. It also ends
 * itself, with status 0, after settings.sorter_messages messages: in a pause if there is one, else at twice that many.
 *
 * Also, without the rooms' protocol, kite's sandboxed child (sorter_view.h).
 *
 * Errors:    a message that must not be parsed still gets a verdict: unreadable, from a plain scan of its octets.
 * Secrets:   a message that is not small is mapped, never copied whole; what is freed is wiped (room_memory.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <syslog.h>

#include <kitebox/memfd.h>
#include <kitebox/triage.h>

#include "room.h"
#include "room_memory.h"
#include "sorter_view.h"

enum { STAFF_MOST = 1 << 16, RULES_MOST = 1 << 20, MODEL_MOST = 4 << 20, STACK_MOST = 64 << 20, RENDER_MOST = 8 << 20, PAUSE_US = 20000 };

struct sorter {
	struct kb_room_host *host;
	struct kb_channel *sealer;
	struct kb_triage *triage;
	struct kb_map model; /* its octets, which triage borrows */
	struct kb_buf staff; /* to be given to new rules as well */
	sd_event_source *pause;
	uint32_t messages;
};

/* ---- one message ---- */

static enum kb_status alarm_set(struct sorter *s, bool on)
{
	struct itimerval t = {0};
	t.it_value.tv_sec = on ? (time_t)kb_room_settings(s->host)->limit.sort_s : 0;
	return setitimer(ITIMER_REAL, &t, NULL) < 0 ? KB_IO : KB_OK;
}

/* Nobody can be told before the message is dealt with, so it dies rather than parse without a deadline. */
static void alarm_must(struct sorter *s, bool on)
{
	if (alarm_set(s, on) != KB_OK)
		abort();
}

static void rest(struct sorter *s)
{
	uint32_t most = kb_room_settings(s->host)->sorter_messages;
	s->messages++;
	if (!most || s->messages < most)
		return;
	if (s->messages / 2 >= most)
		kb_room_done(s->host, 0);
	else if (sd_event_source_set_time_relative(s->pause, PAUSE_US) < 0 || sd_event_source_set_enabled(s->pause, SD_EVENT_ONESHOT) < 0)
		abort();
}

static int on_pause(sd_event_source *e, uint64_t usec, void *ctx)
{
	struct sorter *s = ctx;
	(void)e, (void)usec;
	kb_room_done(s->host, 0);
	return 0;
}

static enum kb_status map_message(struct sorter *s, const struct kb_wire_sort *m, int fd, struct kb_map *ret_map)
{
	enum kb_status st = kb_map_open(NULL, fd, kb_room_settings(s->host)->limit.message_octets, ret_map);
	if (st == KB_OK && (ret_map->s.len != m->size || m->channel >= KB_CHANNEL_KIND_COUNT || m->trusted > 1 || m->null_sender > 1)) {
		kb_map_release(ret_map);
		st = KB_MALFORMED;
	}
	return st;
}

static void judge(struct sorter *s, const struct kb_wire_sort *m, struct kb_span raw, struct kb_verdict *ret_v)
{
	const struct kb_triage_context c = {.channel = (uint8_t)m->channel, .trusted = m->trusted, .null_sender = m->null_sender};
	struct kb_mail mail;
	struct kb_diag d = {0};
	if (kb_mail_parse(&d, raw, &kb_room_settings(s->host)->limit, &mail) == KB_OK) {
		kb_triage_mail(s->triage, &mail, &c, ret_v);
		kb_mail_release(&mail);
	} else {
		kb_triage_raw(s->triage, raw, &c, ret_v);
	}
}

static enum kb_status on_sort(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct sorter *s = ctx;
	const struct kb_wire_sort *m = body;
	struct kb_wire_verdict v;
	struct kb_map map;
	(void)n;
	memset(&v, 0, sizeof(v));
	v.id = m->id;
	alarm_must(s, true);
	enum kb_status st = map_message(s, m, fds[0], &map);
	if (st == KB_OK) {
		judge(s, m, map.s, &v.verdict);
		kb_map_release(&map);
	}
	alarm_must(s, false);
	if (st == KB_OK)
		st = kb_channel_send(ch, KB_WIRE_VERDICT, &v, sizeof(v), NULL, 0);
	rest(s);
	return st;
}

/* The status of a rendering travels in the answer: what cannot be parsed is shown as it is, and no fault of whoever asks. */
static enum kb_status render(struct sorter *s, struct kb_span raw, int *ret_fd)
{
	struct kb_buf text;
	kb_buf_init(&text, RENDER_MOST);
	enum kb_status st = kb_sorter_render(NULL, raw, &kb_room_settings(s->host)->limit, &text);
	if (st == KB_OK)
		st = kb_memfd_from(NULL, "kitebox-view", kb_buf_span(&text), ret_fd);
	kb_buf_release(&text);
	return st;
}

static enum kb_status on_view(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct sorter *s = ctx;
	const struct kb_wire_sort *m = body;
	struct kb_wire_viewed v = {.id = m->id};
	KB_AUTO(kb_fd_close) int fd = -1;
	struct kb_map map;
	(void)n;
	alarm_must(s, true);
	enum kb_status st = map_message(s, m, fds[0], &map);
	if (st != KB_OK)
		return st;
	st = render(s, map.s, &fd);
	kb_map_release(&map);
	alarm_must(s, false);
	v.status = st;
	if (st != KB_OK && kb_memfd_from(NULL, "kitebox-view", KB_LIT(""), &fd) != KB_OK)
		return KB_IO;
	st = kb_channel_send(ch, KB_WIRE_VIEWED, &v, sizeof(v), &fd, 1);
	rest(s);
	return st;
}

/* ---- what it is told ---- */

static enum kb_status on_staff(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct sorter *s = ctx;
	struct kb_map map;
	(void)ch, (void)body, (void)n;
	enum kb_status st = kb_map_open(NULL, fds[0], STAFF_MOST, &map);
	if (st != KB_OK)
		return st;
	kb_buf_clear(&s->staff);
	st = kb_buf_add(&s->staff, map.s);
	kb_map_release(&map);
	return st == KB_OK ? kb_triage_staff(s->triage, kb_buf_span(&s->staff)) : st;
}

/* clang-format off */
static const struct kb_channel_row rows[] = {
	/* type           fds  size                         handler */
	{KB_WIRE_STAFF,  1, 1, sizeof(struct kb_wire_none), on_staff},
	{KB_WIRE_SORT,   1, 1, sizeof(struct kb_wire_sort), on_sort},
	{KB_WIRE_VIEW,   1, 1, sizeof(struct kb_wire_sort), on_view},
};
/* clang-format on */

static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct sorter *s = ctx;
	uint32_t most = kb_room_settings(s->host)->sorter_messages;
	const struct kb_diag d = {.status = why, .what = "the channel has ended"};
	if (why != KB_IO)
		kb_room_log(s->host, LOG_WARNING, &d, "the sealer was not understood");
	if (s->sealer == ch)
		s->sealer = NULL;
	kb_channel_free(&ch);
	if (most && s->messages >= most)
		kb_room_done(s->host, 0);
}

/* ---- the room ---- */

static enum kb_status map_file(struct sorter *s, struct kb_diag *d, enum kb_file kind, size_t most, struct kb_map *ret_map)
{
	struct kb_room_file *f = kb_room_file(s->host, kind, 0);
	if (!f || f->fd < 0)
		return kind == KB_FILE_RULES ? KB_FAIL(d, KB_NOTFOUND, 0, "there are no rules of triage")
					     : KB_FAIL(d, KB_NOTFOUND, 0, "there is no model of triage");
	return kb_map_open(d, f->fd, most, ret_map);
}

/* The mind that is used from now on, with the names that the one before had. */
static void use(struct sorter *s, struct kb_triage *t, struct kb_map *model)
{
	kb_triage_free(&s->triage);
	kb_map_release(&s->model);
	s->triage = t;
	if (model)
		s->model = *model;
}

/* Rules and model as they are now. */
static enum kb_status read_mind(struct sorter *s, struct kb_diag *d)
{
	struct kb_map rules = {0}, model = {0};
	struct kb_triage *t = NULL;
	enum kb_status st = map_file(s, d, KB_FILE_RULES, RULES_MOST, &rules);
	if (st == KB_OK)
		st = map_file(s, d, KB_FILE_MODEL, MODEL_MOST, &model);
	if (st == KB_OK)
		st = kb_triage_open(d, rules.s, model.s, &t);
	if (st == KB_OK)
		st = kb_triage_staff(t, kb_buf_span(&s->staff));
	kb_map_release(&rules);
	if (st == KB_OK) {
		use(s, t, &model);
	} else {
		kb_triage_free(&t);
		kb_map_release(&model);
	}
	kb_room_health(s->host, KB_HEALTH_TRIAGE_REFUSED, st != KB_OK, 0);
	return st;
}

/* Without a mind a message is still taken apart, looked through for names of the desk, and put before people. */
static enum kb_status read_names(struct sorter *s)
{
	struct kb_triage *t = NULL;
	enum kb_status st = kb_triage_names(kb_buf_span(&s->staff), &t);
	if (st == KB_OK)
		use(s, t, NULL);
	return st;
}

static enum kb_status limit(struct kb_diag *d, int which, rlim_t most)
{
	struct rlimit r;
	if (getrlimit((__rlimit_resource_t)which, &r) < 0)
		return KB_FAIL_SYS(d, "a limit could not be read");
	r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > most ? most : r.rlim_max;
	if (setrlimit((__rlimit_resource_t)which, &r) < 0)
		return KB_FAIL_SYS(d, "a limit could not be set");
	return KB_OK;
}

/* A deadline for each message is set as it comes; this one is for the life of the process. */
static enum kb_status limits(const struct sorter *s, struct kb_diag *d)
{
	const struct kb_settings *c = kb_room_settings(s->host);
	enum kb_status st = limit(d, RLIMIT_STACK, STACK_MOST);
	uint64_t messages = c->sorter_messages ? 2 * (uint64_t)c->sorter_messages : UINT32_MAX;
	return st == KB_OK ? limit(d, RLIMIT_CPU, (rlim_t)(messages * c->limit.sort_s)) : st;
}

static void sorter_free(void **self)
{
	struct sorter *s = *self;
	if (!s)
		return;
	kb_channel_free(&s->sealer);
	use(s, NULL, NULL);
	kb_buf_release(&s->staff);
	s->pause = sd_event_source_disable_unref(s->pause);
	kb_charset_close();
	free(s);
	*self = NULL;
}

static enum kb_status sorter_open(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	struct sorter *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->host = h;
	kb_room_memory_init();
	kb_buf_init(&s->staff, STAFF_MOST);
	enum kb_status st = limits(s, d);
	if (st == KB_OK)
		st = kb_charset_open(d);
	if (st == KB_OK && read_mind(s, d) != KB_OK) {
		kb_room_log(h, LOG_ERR, d, "triage has nothing to judge by: every message goes to review");
		st = read_names(s);
	}
	if (st == KB_OK && (sd_event_add_time_relative(kb_room_loop(h), &s->pause, CLOCK_MONOTONIC, PAUSE_US, 0, on_pause, s) < 0 ||
			       sd_event_source_set_enabled(s->pause, SD_EVENT_OFF) < 0))
		st = KB_FAIL(d, KB_IO, 0, "no timer");
	*ret_self = s;
	if (st != KB_OK)
		sorter_free(ret_self);
	return st;
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	struct sorter *s = self;
	struct kb_channel *ch;
	struct kb_diag d = {0};
	(void)index;
	if (room != KB_ROOM_SEALER) {
		kb_fd_close(&fd);
		return KB_DENIED;
	}
	enum kb_status st = kb_channel_new(&d, kb_room_loop(s->host), fd, rows, KB_LEN(rows), on_closed, s, &ch);
	if (st != KB_OK)
		return st;
	kb_channel_free(&s->sealer);
	s->sealer = ch;
	return KB_OK;
}

/* What is new is used when it is right, and else the old goes on. */
static void reload(void *self)
{
	struct sorter *s = self;
	struct kb_diag d = {0};
	if (read_mind(s, &d) != KB_OK)
		kb_room_log(s->host, LOG_ERR, &d, "the new rules or model were not taken; what was in force before goes on");
}

static const struct kb_room_spec spec = {
	.room = KB_ROOM_SORTER,
	.open = sorter_open,
	.peer = peer,
	.reload = reload,
	.close = sorter_free,
};

int main(int argc, char **argv)
{
	return argc > 1 ? kb_sorter_view(argc, argv) : kb_room_main(&spec);
}
