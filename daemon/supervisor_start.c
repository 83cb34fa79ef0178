/*
 * supervisor_start: one process into one slot: fork, exec by a descriptor that was opened at the start, then everything
 * that is the room's own: settings, files, channel ends, keys, GO.
 *
 * Who is whose peer is kb_slot_linked() below. A room that starts again gets new channel ends, and so do its siblings
 * (supervisor_links.c).
 *
 * Secrets:   a child has descriptors 0 to 3 alone, no environment, and arguments that say nothing but its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "room.h"
#include "supervisor.h"

enum { HIGH_FD = 10, BACKOFF_FIRST_MS = 100, BACKOFF_MOST_MS = 5000, STEADY_MS = 10000, FAILURES_DOWN = 5 };

enum kb_status kb_super_programs(struct kb_diag *d, struct kb_super *s)
{
	for (unsigned room = KB_ROOM_SUPERVISOR + 1; room < KB_ROOM_COUNT; room++) {
		char path[4096];
		int n = snprintf(path, sizeof path, "%s/kiteboxd-%s", s->libexec, kb_room_name(room));

		if (n < 0 || n >= (int)sizeof path)
			return KB_FAIL(d, KB_TOOBIG, 0, "the path of the rooms is too long");
		KB_AUTO(kb_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return KB_FAIL_SYS(d, "a room's program cannot be opened; is --libexec right?");
		/* Beyond the descriptors that a child is given. */
		s->program[room] = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
		if (s->program[room] < 0)
			return KB_FAIL_SYS(d, "a room's program cannot be kept open");
	}
	return KB_OK;
}

/* Rooms have no environment. Only a sanitizer build is told where to write, and not to look for leaks (harden.c). */
static void room_environment(char *ret_env[static 3])
{
	size_t n = 0;
#if KB_SANITIZED
	static char asan[1024], ubsan[1024];
	const char *a = getenv("ASAN_OPTIONS"), *u = getenv("UBSAN_OPTIONS");

	snprintf(asan, sizeof asan, "ASAN_OPTIONS=%s:detect_leaks=0", a ? a : "");
	snprintf(ubsan, sizeof ubsan, "UBSAN_OPTIONS=%s", u ? u : "");
	ret_env[n++] = asan;
	ret_env[n++] = ubsan;
#endif
	ret_env[n] = NULL;
}

/* In the child. Does not return. */
static _Noreturn void become(const struct kb_super *s, enum kb_room room, int control)
{
	char name[32];
	char *argv[] = {name, NULL}, *env[3];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	snprintf(name, sizeof name, "kiteboxd-%s", kb_room_name(room));
	room_environment(env);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	if (control == KB_ROOM_CONTROL_FD ? fcntl(control, F_SETFD, 0) < 0 : dup2(control, KB_ROOM_CONTROL_FD) < 0)
		_exit(126);
	fexecve(s->program[room], argv, env);
	_exit(127);
}

bool kb_slot_send(struct kb_slot *slot, uint16_t type, const void *body, size_t size, int fd)
{
	return slot->control && kb_channel_send(slot->control, type, body, size, &fd, fd >= 0) == KB_OK;
}

static void give_file(struct kb_slot *slot, enum kb_file kind, uint32_t index, int fd)
{
	const struct kb_wire_file w = {.kind = kind, .index = index};

	(void)kb_slot_send(slot, KB_WIRE_FILE, &w, sizeof w, fd);
}

/* What was bound or opened at the start never changes: a room that has it goes on with the descriptor that it has. */
static bool is_fixed(enum kb_file kind)
{
	return kind == KB_FILE_LISTEN || kind == KB_FILE_STATE_DIR;
}

static void give_files(struct kb_slot *slot, bool again)
{
	const struct kb_super *s = slot->super;

	for (size_t i = 0; i < s->files; i++) {
		const struct kb_super_file *f = &s->file[i];

		if (again && is_fixed(f->kind))
			continue;
		if (kb_super_file_is_for(s, f, slot->room) && (slot->room != KB_ROOM_RUNNER || f->index == slot->relay))
			give_file(slot, f->kind, f->index, f->fd);
	}
}

static void give_settings(struct kb_slot *slot)
{
	static const struct kb_wire_none none = {0};

	(void)kb_slot_send(slot, KB_WIRE_CONFIG, &none, sizeof none, slot->super->settings_fd);
}

void kb_slot_reload(struct kb_slot *slot)
{
	give_files(slot, true);
	give_settings(slot); /* last: the room looks at its files when these come */
}

static bool is_pair(const struct kb_slot *a, const struct kb_slot *b, enum kb_room x, enum kb_room y)
{
	return (a->room == x && b->room == y) || (a->room == y && b->room == x);
}

bool kb_slot_linked(const struct kb_slot *a, const struct kb_slot *b)
{
	return is_pair(a, b, KB_ROOM_DOOR, KB_ROOM_SEALER) ||
	       (is_pair(a, b, KB_ROOM_SEALER, KB_ROOM_SORTER) && a->index == b->index) ||
	       is_pair(a, b, KB_ROOM_SEALER, KB_ROOM_VAULT) || is_pair(a, b, KB_ROOM_DESK, KB_ROOM_VAULT) ||
	       is_pair(a, b, KB_ROOM_COURIER, KB_ROOM_VAULT);
}

static void hand_over(struct kb_slot *slot)
{
	const struct kb_wire_peer self = {.room = slot->room, .index = slot->index}, courier = {.room = KB_ROOM_COURIER};

	give_settings(slot);
	give_files(slot, false);
	if (slot->room == KB_ROOM_RUNNER) {
		give_file(slot, KB_FILE_RELAY_SOCKET, 0, slot->work[0]);
		give_file(slot, KB_FILE_RELAY_MESSAGE, 0, slot->work[2]);
		kb_slot_give_peer(slot, &courier, &slot->work[1]);
	} else {
		kb_slot_link_all(slot);
		kb_super_outbox_give(slot);
	}
	(void)kb_slot_send(slot, KB_WIRE_GO, &self, sizeof self, -1);
}

static int on_again(sd_event_source *e, uint64_t usec, void *ctx)
{
	struct kb_slot *slot = ctx;

	(void)e, (void)usec;
	kb_slot_start(slot);
	return 0;
}

static void start_later(struct kb_slot *slot, uint64_t ms)
{
	slot->again = sd_event_source_disable_unref(slot->again);
	if (sd_event_add_time_relative(
		slot->super->loop, &slot->again, CLOCK_MONOTONIC, ms * 1000, 10000, on_again, slot) < 0)
		abort();
}

/* A sorter that dies of a message must be back at once for the next one; what never gets to work must not spin. */
static uint64_t backoff_ms(struct kb_slot *slot)
{
	bool steady = slot->ready &&
		      (slot->room == KB_ROOM_SORTER || kb_super_now_ms(slot->super) - slot->started_ms >= STEADY_MS);
	uint64_t ms = BACKOFF_FIRST_MS;

	slot->failures = steady ? 0 : slot->failures + 1;
	if (slot->failures <= 1)
		return 0;
	for (unsigned i = 2; i < slot->failures && ms < BACKOFF_MOST_MS; i++)
		ms *= 2;
	return ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
}

static void log_end(const struct kb_slot *slot, const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		kb_super_log_number(LOG_WARNING, slot, "ended with exit status", si->si_status);
	else
		kb_super_log_number(LOG_WARNING, slot, "ended by signal", si->si_status);
}

static int on_child(sd_event_source *e, const siginfo_t *si, void *ctx)
{
	struct kb_slot *slot = ctx;
	struct kb_super *s = slot->super;
	bool clean = si->si_code == CLD_EXITED && si->si_status == 0;
	bool runner = slot->room == KB_ROOM_RUNNER;

	(void)e;
	slot->pid = 0;
	slot->child = sd_event_source_disable_unref(slot->child);
	slot->again = sd_event_source_disable_unref(slot->again);
	kb_channel_free(&slot->control);
	if (slot->room == KB_ROOM_COURIER)
		kb_super_runners_end(s);
	if (runner || s->phase != KB_PHASE_RUN) {
		if (!clean)
			log_end(slot, si);
		kb_super_progress(s);
		return 0;
	}
	kb_super_health_forget(s, slot);
	if (clean && slot->room == KB_ROOM_SORTER && slot->ready) {
		kb_slot_start(slot); /* recycled */
		return 0;
	}
	log_end(slot, si);
	kb_super_health(s, slot->room, slot->index, KB_HEALTH_ROOM_RESTARTED, true, ++slot->restarts);
	uint64_t ms = backoff_ms(slot);

	if (slot->failures >= FAILURES_DOWN)
		kb_super_health(s, slot->room, slot->index, KB_HEALTH_ROOM_DOWN, true, slot->failures);
	start_later(slot, ms);
	return 0;
}

/* False: nothing was started. */
static bool spawn(struct kb_slot *slot, struct kb_diag *d)
{
	struct kb_super *s = slot->super;
	int ends[2];

	if (kb_channel_pair(d, ends) != KB_OK)
		return false;
	pid_t pid = fork();

	if (pid == 0)
		become(s, slot->room, ends[1]);
	kb_fd_close(&ends[1]);
	if (pid < 0) {
		(void)KB_FAIL_SYS(d, "no process can be made");
		kb_fd_close(&ends[0]);
		return false;
	}
	slot->pid = pid;
	slot->ready = slot->silent = slot->killed = false;
	slot->started_ms = slot->heard_ms = kb_super_now_ms(s);
	if (sd_event_add_child(s->loop, &slot->child, pid, WEXITED, on_child, slot) < 0 ||
	    kb_channel_new(
		d, s->loop, ends[0], kb_super_rows, kb_super_rows_n, kb_super_on_closed, slot, &slot->control) != KB_OK)
		abort(); /* a child that nobody watches: better that all ends, and systemd starts it again */
	return true;
}

void kb_slot_start(struct kb_slot *slot)
{
	struct kb_diag d = {0};

	slot->again = sd_event_source_disable_unref(slot->again);
	if (!spawn(slot, &d)) {
		kb_super_log(LOG_ERR, slot, &d, "cannot be started");
		if (slot->room != KB_ROOM_RUNNER) /* a runner's work comes back to the courier, which tries again */
			start_later(slot, BACKOFF_MOST_MS);
		return;
	}
	hand_over(slot);
	if (slot->room != KB_ROOM_RUNNER)
		kb_super_write_rooms(slot->super);
}

void kb_slot_kill(struct kb_slot *slot)
{
	slot->killed = true;
	if (slot->pid > 0)
		(void)kill(slot->pid, SIGKILL);
}

struct kb_slot *kb_super_slot(struct kb_super *s, enum kb_room room, uint32_t index)
{
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i].room == room && s->slot[i].index == index)
			return &s->slot[i];
	return NULL;
}
