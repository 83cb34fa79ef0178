/*
 * harden: see harden.h. The limits are one row a room.
 *
 * Not here:  the supervisor's own hardening (supervisor_privilege.c), which must keep more.
 */
#include "harden.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "room.h"

#if KB_SANITIZED
/* The leak checker needs clone and ptrace, which the sandbox refuses; unit tests look for leaks. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

struct bounds {
	uint32_t address_mib; /* RLIMIT_AS; 0: none (the vault maps the store) */
	uint32_t files;
};

/* clang-format off */
static const struct bounds bounds[KB_ROOM_COUNT] = {
	[KB_ROOM_DOOR]    = {4096, 16384},
	[KB_ROOM_SORTER]  = {2048, 64},
	[KB_ROOM_SEALER]  = {4096, 8192},
	[KB_ROOM_VAULT]   = {0,    16384},
	[KB_ROOM_DESK]    = {2048, 2048},
	[KB_ROOM_COURIER] = {2048, 2048},
	[KB_ROOM_RUNNER]  = {4096, 64}, /* maps one mail: the longest message, and what base64 and padding add */
};
/* clang-format on */

static enum kb_status limit(struct kb_diag *d, int which, rlim_t most)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)which, &r) < 0)
		return KB_FAIL_SYS(d, "a limit could not be read");
	if (r.rlim_max == RLIM_INFINITY || r.rlim_max > most)
		r.rlim_max = most;
	r.rlim_cur = r.rlim_max;
	if (setrlimit((__rlimit_resource_t)which, &r) < 0)
		return KB_FAIL_SYS(d, "a limit could not be set");
	return KB_OK;
}

static enum kb_status limits(struct kb_diag *d, const struct bounds *b)
{
	enum kb_status st = limit(d, RLIMIT_CORE, 0);

	if (st == KB_OK)
		st = limit(d, RLIMIT_NOFILE, b->files);
	if (st == KB_OK && b->address_mib && !KB_SANITIZED) /* which reserves terabytes of addresses */
		st = limit(d, RLIMIT_AS, (rlim_t)b->address_mib << 20);
	return st;
}

/* The supervisor stops rooms by message or by SIGKILL; a terminal's Ctrl-C is not meant for them. */
static enum kb_status ignore_signals(struct kb_diag *d)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT};
	sigset_t none;

	for (size_t i = 0; i < KB_LEN(ignored); i++)
		if (signal(ignored[i], SIG_IGN) == SIG_ERR)
			return KB_FAIL_SYS(d, "a signal could not be ignored");
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return KB_FAIL_SYS(d, "signals could not be unblocked");
	return KB_OK;
}

/* A room that was woken waits for its turn and takes what has come by then together, instead of interrupting the one that woke
 * it; and those that compute let those go first whose word others wait for. A preference: where it is refused, the room works as
 * well, in smaller steps. */
static void take_turns(enum kb_room room)
{
	enum { BEHIND = 5 };
	const struct sched_param none = {0};
	(void)sched_setscheduler(0, SCHED_BATCH, &none);
	if (room == KB_ROOM_SEALER || room == KB_ROOM_SORTER)
		(void)setpriority(PRIO_PROCESS, 0, BEHIND);
}

enum kb_status kb_harden(struct kb_diag *d, enum kb_room room)
{
	int type = 0;
	socklen_t len = sizeof type;

	if (getsockopt(KB_ROOM_CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return KB_FAIL(d, KB_SEQUENCE, 0, "rooms are started by kiteboxd, not by hand");
	umask(077);
	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) < 0)
		return KB_FAIL_SYS(d, "the process could not be hardened");
	if (close_range(KB_ROOM_CONTROL_FD + 1, ~0U, 0) < 0)
		return KB_FAIL_SYS(d, "inherited descriptors could not be closed");
	take_turns(room);
	enum kb_status st = ignore_signals(d);

	if (st == KB_OK)
		st = limits(d, &bounds[room]);
	if (st == KB_OK && sodium_init() < 0)
		return KB_FAIL(d, KB_IO, 0, "libsodium did not start");
	return st;
}
