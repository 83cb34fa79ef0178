/*
 * supervisor: the loop of kiteboxd, from the first room to the last.
 *
 * Start: vault, sealers, sorters, desk, courier, door: who is asked before who asks. Stop: the door first, which
 * finishes what it has begun; when it is gone the sealers; when they are gone sorters, courier and desk; the vault
 * last. What is not gone after DEADLINE_S is killed: nothing is lost by that, since nothing was promised before it was
 * on disk.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "settings_file.h"
#include "supervisor.h"

enum { LOOK_S = 5, SILENT_MS = 30000, OPENING_MS = 120000, SORTER_GRACE_MS = 20000, DEADLINE_S = 30 };

static const enum kb_super_phase phase_of[KB_ROOM_COUNT] = {
    [KB_ROOM_DOOR] = KB_PHASE_DOOR,
    [KB_ROOM_SEALER] = KB_PHASE_SEALER,
    [KB_ROOM_SORTER] = KB_PHASE_REST,
    [KB_ROOM_DESK] = KB_PHASE_REST,
    [KB_ROOM_COURIER] = KB_PHASE_REST,
    [KB_ROOM_VAULT] = KB_PHASE_VAULT,
};

uint64_t kb_super_now_ms(const struct kb_super *s)
{
	uint64_t us;

	if (sd_event_now(s->loop, CLOCK_MONOTONIC, &us) < 0)
		abort();
	return us / 1000;
}

/* ---- start ---- */

static void place(struct kb_super *s, enum kb_room room, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		s->slot[s->slots++] = (struct kb_slot){.super = s, .room = room, .index = i, .work = {-1, -1, -1}};
}

static void place_all(struct kb_super *s)
{
	uint32_t pairs = s->settings.sealers ? s->settings.sealers : s->settings.sorters;
	int processors = get_nprocs();

	if (pairs == 0)
		pairs = processors > 0 ? (uint32_t)processors : 1;
	if (pairs > KB_SUPER_PAIRS_MOST)
		pairs = KB_SUPER_PAIRS_MOST;
	place(s, KB_ROOM_VAULT, 1);
	place(s, KB_ROOM_SEALER, pairs);
	place(s, KB_ROOM_SORTER, pairs);
	place(s, KB_ROOM_DESK, 1);
	place(s, KB_ROOM_COURIER, 1);
	place(s, KB_ROOM_DOOR, 1);
}

/* ---- stop ---- */

static bool anybody(const struct kb_super *s, enum kb_super_phase phase)
{
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i].pid && phase_of[s->slot[i].room] == phase)
			return true;
	return false;
}

static void stop_phase(struct kb_super *s)
{
	static const struct kb_wire_none none = {0};

	for (size_t i = 0; i < s->slots; i++) {
		struct kb_slot *slot = &s->slot[i];

		if (slot->pid && phase_of[slot->room] == s->phase &&
		    !kb_slot_send(slot, KB_WIRE_STOP, &none, sizeof none, -1))
			kb_slot_kill(slot);
	}
}

static void announce(struct kb_super *s)
{
	for (size_t i = 0; i < s->slots; i++)
		if (!s->slot[i].ready)
			return;
	s->announced = true;
	kb_super_write_listeners(s);
	kb_super_log(LOG_NOTICE, NULL, NULL, "every room is at work");
	(void)sd_notify(0, "READY=1\nSTATUS=At work");
}

void kb_super_progress(struct kb_super *s)
{
	if (s->phase == KB_PHASE_RUN) {
		if (!s->announced)
			announce(s);
		return;
	}
	while (s->phase != KB_PHASE_GONE && !anybody(s, s->phase)) {
		s->phase++;
		if (s->phase != KB_PHASE_GONE)
			stop_phase(s);
	}
	for (size_t i = 0; s->phase > KB_PHASE_REST && i < KB_SUPER_RUNNERS_MOST; i++)
		kb_slot_kill(&s->runner[i]); /* nobody is left to hear of them */
	if (s->phase == KB_PHASE_GONE && sd_event_exit(s->loop, 0) < 0)
		abort();
}

static int on_deadline(sd_event_source *e, uint64_t usec, void *ctx)
{
	struct kb_super *s = ctx;

	(void)e, (void)usec;
	kb_super_log(LOG_WARNING, NULL, NULL, "not every room stopped in time; what is left is ended");
	for (size_t i = 0; i < s->slots; i++)
		kb_slot_kill(&s->slot[i]);
	return 0;
}

static int on_stop(sd_event_source *e, const struct signalfd_siginfo *si, void *ctx)
{
	struct kb_super *s = ctx;

	(void)e, (void)si;
	if (s->phase != KB_PHASE_RUN)
		return 0;
	kb_super_log(LOG_NOTICE, NULL, NULL, "stopping");
	(void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
	for (size_t i = 0; i < s->slots; i++) /* whoever waits to be started stays away */
		s->slot[i].again = sd_event_source_disable_unref(s->slot[i].again);
	if (sd_event_add_time_relative(
		s->loop, &s->deadline, CLOCK_MONOTONIC, DEADLINE_S * UINT64_C(1000000), 0, on_deadline, s) < 0)
		abort();
	s->phase = KB_PHASE_DOOR;
	stop_phase(s);
	kb_super_progress(s);
	return 0;
}

/* ---- reload ---- */

/* What was bound, mapped or counted at the start stays as it is. */
static void keep_fixed(struct kb_settings *next, const struct kb_settings *old)
{
	memcpy(next->user, old->user, sizeof next->user);
	memcpy(next->state_dir, old->state_dir, sizeof next->state_dir);
	memcpy(next->run_dir, old->run_dir, sizeof next->run_dir);
	memcpy(next->listener, old->listener, sizeof next->listener);
	next->listeners = old->listeners;
	next->map_octets = old->map_octets;
	next->sorters = old->sorters;
	next->sealers = old->sealers;
}

static void log_faults(const struct kb_super *s, const struct kb_settings_report *r)
{
	for (size_t i = 0; i < r->faults && i < KB_SETTINGS_FAULTS_MOST; i++) {
		char line[512];

		kb_settings_fault_format(s->config_path, &r->fault[i], line, sizeof line);
		kb_super_log(LOG_ERR, NULL, NULL, line);
	}
}

static void reload(struct kb_super *s)
{
	static struct kb_settings_report report;
	struct kb_settings next;
	struct kb_diag d = {0};
	enum kb_status st = kb_settings_load(&d, s->config_path, &next, &report);

	if (st != KB_OK) {
		log_faults(s, &report);
		kb_super_log(LOG_ERR, NULL, &d, "the new configuration is refused, and the old one stays in force");
		kb_super_health(s, KB_ROOM_SUPERVISOR, 0, KB_HEALTH_CONFIG_REFUSED, true, 0);
		return;
	}
	kb_super_health(s, KB_ROOM_SUPERVISOR, 0, KB_HEALTH_CONFIG_REFUSED, false, 0);
	keep_fixed(&next, &s->settings);
	s->settings = next;
	st = kb_super_files_read(&d, s);
	if (st == KB_OK)
		st = kb_super_settings_share(&d, s);
	if (st != KB_OK) {
		kb_super_log(LOG_ERR, NULL, &d, "the new configuration cannot be handed to the rooms");
		return;
	}
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i].control)
			kb_slot_reload(&s->slot[i]);
	kb_super_log(LOG_NOTICE, NULL, NULL, "the new configuration is in force");
}

static int on_reload(sd_event_source *e, const struct signalfd_siginfo *si, void *ctx)
{
	struct kb_super *s = ctx;

	(void)e, (void)si;
	if (s->phase != KB_PHASE_RUN)
		return 0;
	if (s->announced)
		(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)kb_super_now_ms(s) * 1000);
	reload(s);
	if (s->announced)
		(void)sd_notify(0, "READY=1");
	return 0;
}

/* ---- the look-out ---- */

static bool overdue(const struct kb_super *s, const struct kb_slot *slot)
{
	uint64_t most = slot->ready ? SILENT_MS : OPENING_MS; /* a large store takes its time to open */

	if (slot->room == KB_ROOM_SORTER && most < s->settings.limit.sort_s * UINT64_C(1000) + SORTER_GRACE_MS)
		most = s->settings.limit.sort_s * UINT64_C(1000) + SORTER_GRACE_MS;
	return !slot->control || kb_super_now_ms(s) - slot->heard_ms > most;
}

/* Two looks in a row: when kiteboxd itself stood still, what was said meanwhile is heard before the second. */
static void look_at(struct kb_super *s, struct kb_slot *slot)
{
	if (!slot->pid || slot->killed || !overdue(s, slot)) {
		slot->silent = false;
		return;
	}
	if (slot->silent) {
		kb_super_log(LOG_ERR, slot, NULL, "has fallen silent and is ended");
		kb_slot_kill(slot);
	}
	slot->silent = true;
}

static int on_look(sd_event_source *e, uint64_t usec, void *ctx)
{
	struct kb_super *s = ctx;

	(void)usec;
	for (size_t i = 0; i < s->slots; i++)
		look_at(s, &s->slot[i]);
	if (sd_event_source_set_time_relative(e, LOOK_S * UINT64_C(1000000)) < 0 ||
	    sd_event_source_set_enabled(e, SD_EVENT_ONESHOT) < 0)
		abort();
	return 0;
}

/* ---- the whole ---- */

static enum kb_status open_loop(struct kb_diag *d, struct kb_super *s)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return KB_FAIL_SYS(d, "signals cannot be set up");
	if (sd_event_new(&s->loop) < 0 || sd_event_add_signal(s->loop, NULL, SIGTERM, on_stop, s) < 0 ||
	    sd_event_add_signal(s->loop, NULL, SIGINT, on_stop, s) < 0 ||
	    sd_event_add_signal(s->loop, NULL, SIGHUP, on_reload, s) < 0 ||
	    sd_event_add_time_relative(s->loop, &s->look, CLOCK_MONOTONIC, LOOK_S * UINT64_C(1000000), 0, on_look, s) <
		0 ||
	    sd_event_set_watchdog(s->loop, true) < 0)
		return KB_FAIL(d, KB_IO, 0, "no event loop");
	return KB_OK;
}

static enum kb_status prepare(struct kb_diag *d, struct kb_super *s)
{
	/* In this order: what may need root, then its end, then what never does. */
	static enum kb_status (*const steps[])(struct kb_diag *, struct kb_super *) = {
	    kb_super_programs,
	    kb_super_folders,
	    kb_super_sockets,
	    kb_super_files_read,
	};
	enum kb_status st = kb_super_limits(d);

	for (size_t i = 0; i < KB_LEN(steps) && st == KB_OK; i++)
		st = steps[i](d, s);
	if (st == KB_OK)
		st = kb_super_drop(d, s);
	if (st == KB_OK)
		st = kb_super_settings_share(d, s);
	if (st == KB_OK)
		st = open_loop(d, s);
	if (st == KB_OK)
		st = kb_super_health_init(d, s);
	return st == KB_OK ? kb_super_outbox_init(d, s) : st;
}

static void release(struct kb_super *s)
{
	for (size_t i = 0; i < s->slots; i++) {
		kb_channel_free(&s->slot[i].control);
		s->slot[i].child = sd_event_source_disable_unref(s->slot[i].child);
		s->slot[i].again = sd_event_source_disable_unref(s->slot[i].again);
	}
	for (size_t i = 0; i < KB_SUPER_RUNNERS_MOST; i++) {
		kb_channel_free(&s->runner[i].control);
		s->runner[i].child = sd_event_source_disable_unref(s->runner[i].child);
		s->runner[i].again = sd_event_source_disable_unref(s->runner[i].again);
	}
	for (size_t i = 0; i < s->files; i++)
		kb_fd_close(&s->file[i].fd);
	for (size_t i = 0; i < KB_ROOM_COUNT; i++)
		kb_fd_close(&s->program[i]);
	kb_fd_close(&s->settings_fd);
	kb_fd_close(&s->lock);
	kb_super_outbox_release(s);
	s->look = sd_event_source_disable_unref(s->look);
	s->health = sd_event_source_disable_unref(s->health);
	s->outbox = sd_event_source_disable_unref(s->outbox);
	s->deadline = sd_event_source_disable_unref(s->deadline);
	s->relink = sd_event_source_disable_unref(s->relink);
	s->loop = sd_event_unref(s->loop);
}

int kb_super_run(struct kb_super *s)
{
	struct kb_diag d = {0};
	int status = 0;

	s->settings_fd = s->lock = -1;
	memset(s->program, -1, sizeof s->program);
	enum kb_status st = prepare(&d, s);

	if (st != KB_OK) {
		kb_super_log(LOG_ERR, NULL, &d, "cannot start");
		release(s);
		return kb_status_row(st)->exit_status;
	}
	kb_super_forget(s);
	place_all(s);
	for (size_t i = 0; i < s->slots; i++)
		kb_slot_start(&s->slot[i]);
	if (sd_event_loop(s->loop) < 0 || sd_event_get_exit_code(s->loop, &status) < 0) {
		kb_super_log(LOG_ERR, NULL, NULL, "the event loop failed");
		status = 1;
	}
	kb_super_forget(s);
	release(s);
	return status;
}
