/*
 * probe: asks the kernel for something in the name of a running process, to see what its sandbox answers.
 *
 *   probe PID CALL [ARGUMENT...]
 *
 * Attaches with ptrace (as root), makes the process perform the one system call with these arguments, prints "ok
 * RESULT" or the name of the error, and lets the process go on where it was, none the wiser. An argument is a number,
 * "s:TEXT" (a string in its memory), "z:N" (N zero octets), "x:HEX" (these octets, then zeros), "u:PATH" or
 * "i:A.B.C.D:PORT" (a socket address) or "self" (its own id). A descriptor that results is closed again; a process that
 * results is killed at birth.
 *
 * x86-64 alone. Exit status: 0 whatever the answer is; 2 when it could not be asked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>

#if !defined(__x86_64__)
#error "probe knows the registers of x86-64 only"
#endif

enum { ARGS_MOST = 6, SCRATCH = 4096, RED_ZONE = 128, SYSCALL_INSN = 0x050f };

struct target {
	pid_t pid;
	struct user_regs_struct saved;
	uint8_t scratch[SCRATCH], before[SCRATCH]; /* what lies below its stack, for strings */
	size_t used;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t scratch_at(const struct target *t)
{
	return (t->saved.rsp - RED_ZONE - SCRATCH) & ~UINT64_C(63);
}

/* Puts octets into the memory that will be written, and gives their address over there. */
static uint64_t place(struct target *t, const void *octets, size_t n)
{
	size_t at = (t->used + 15) & ~(size_t)15;

	if (at + n > SCRATCH) {
		errno = ENOSPC;
		die("arguments are too long");
	}
	if (octets)
		memcpy(t->scratch + at, octets, n);
	t->used = at + n;
	return scratch_at(t) + at;
}

static uint64_t place_inet(struct target *t, const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[INET_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	errno = EINVAL;
	if (!colon || n >= sizeof host)
		die(text);
	memcpy(host, text, n);
	host[n] = '\0';
	a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die(text);
	return place(t, &a, sizeof a);
}

static uint64_t place_unix(struct target *t, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	return place(t, &a, sizeof a);
}

static uint64_t place_hex(struct target *t, const char *text)
{
	uint8_t octets[128];
	size_t n = 0;

	for (; n < sizeof octets && sscanf(text, "%2hhx", &octets[n]) == 1; n++)
		text += 2;
	errno = EINVAL;
	if (*text)
		die(text);
	return place(t, octets, n);
}

static uint64_t argument(struct target *t, const char *text)
{
	char *end;

	if (strcmp(text, "self") == 0)
		return (uint64_t)t->pid;
	if (strncmp(text, "s:", 2) == 0)
		return place(t, text + 2, strlen(text + 2) + 1);
	if (strncmp(text, "z:", 2) == 0)
		return place(t, NULL, strtoul(text + 2, NULL, 0));
	if (strncmp(text, "x:", 2) == 0)
		return place_hex(t, text + 2);
	if (strncmp(text, "u:", 2) == 0)
		return place_unix(t, text + 2);
	if (strncmp(text, "i:", 2) == 0)
		return place_inet(t, text + 2);
	uint64_t v = text[0] == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);

	errno = EINVAL;
	if (end == text || *end)
		die(text);
	return v;
}

static void copy_memory(const struct target *t, void *local, bool write)
{
	const struct iovec here = {local, SCRATCH}, there = {(void *)(uintptr_t)scratch_at(t), SCRATCH};
	ssize_t n = write ? process_vm_writev(t->pid, &here, 1, &there, 1, 0)
			  : process_vm_readv(t->pid, &here, 1, &there, 1, 0);

	if (n != SCRATCH)
		die("its memory");
}

static int wait_stop(const struct target *t)
{
	int status;

	if (waitpid(t->pid, &status, __WALL) != t->pid || !WIFSTOPPED(status)) {
		errno = ESRCH;
		die("it is gone");
	}
	return status;
}

/* Stops it at rest: within a call that waits, so that the instruction before it is `syscall`. */
static void attach(struct target *t)
{
	const long options =
	    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

	if (ptrace(PTRACE_SEIZE, t->pid, NULL, options) < 0 || ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL) < 0)
		die("cannot attach");
	wait_stop(t);
	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &t->saved) < 0)
		die("registers");
	errno = 0;
	long insn = ptrace(PTRACE_PEEKTEXT, t->pid, (void *)(uintptr_t)(t->saved.rip - 2), NULL);

	if (errno || (insn & 0xffff) != SYSCALL_INSN) {
		errno = EBUSY;
		die("it is not at rest; try again");
	}
	copy_memory(t, t->before, false);
}

static void kill_newborn(const struct target *t)
{
	unsigned long child = 0;
	int status;

	if (ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &child) == 0 && child) {
		kill((pid_t)child, SIGKILL);
		waitpid((pid_t)child, &status, __WALL);
	}
}

/* Runs to the end of the call. True when it executed another program, whose registers are its own. */
static bool run_to_exit(const struct target *t)
{
	bool entered = false, executed = false;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, t->pid, NULL, 0L) < 0)
			die("cannot go on");
		int status = wait_stop(t), event = status >> 16;

		if (event == PTRACE_EVENT_EXEC)
			executed = true;
		else if (event)
			kill_newborn(t);
		else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (entered)
				return executed;
			entered = true;
		}
	}
}

static int64_t inject(struct target *t, int call, const uint64_t arg[static ARGS_MOST], bool *ret_executed)
{
	struct user_regs_struct r = t->saved;

	r.rip -= 2;
	r.rax = (unsigned long long)call;
	r.orig_rax = (unsigned long long)-1; /* not a call to be restarted */
	r.rdi = arg[0];
	r.rsi = arg[1];
	r.rdx = arg[2];
	r.r10 = arg[3];
	r.r8 = arg[4];
	r.r9 = arg[5];
	if (ptrace(PTRACE_SETREGS, t->pid, NULL, &r) < 0)
		die("registers");
	*ret_executed = run_to_exit(t);
	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
		die("registers");
	return (int64_t)r.rax;
}

/* Back to where it was. With its own orig_rax, a call that we interrupted is restarted by the kernel. */
static void let_go(struct target *t, bool executed)
{
	if (!executed) {
		copy_memory(t, t->before, true);
		if (ptrace(PTRACE_SETREGS, t->pid, NULL, &t->saved) < 0)
			die("registers");
	}
	if (ptrace(PTRACE_DETACH, t->pid, NULL, NULL) < 0)
		die("cannot let go");
}

static bool gives_descriptor(const char *call)
{
	static const char *const calls[] = {"open", "openat", "openat2", "creat", "socket", "pidfd_open",
	    "memfd_create", "userfaultfd", "io_uring_setup", "perf_event_open", "accept4", "timerfd_create",
	    "epoll_create1", "memfd_secret", "dup"};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (strcmp(call, calls[i]) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static struct target t;
	uint64_t arg[ARGS_MOST] = {0};
	bool executed, ignored;

	if (argc < 3 || argc > 3 + ARGS_MOST) {
		fprintf(stderr, "usage: probe PID CALL [ARGUMENT...]\n");
		return 2;
	}
	int call = seccomp_syscall_resolve_name(argv[2]);

	errno = ENOSYS;
	if (call < 0)
		die(argv[2]);
	t.pid = (pid_t)strtol(argv[1], NULL, 10);
	attach(&t);
	for (int i = 3; i < argc; i++)
		arg[i - 3] = argument(&t, argv[i]);
	copy_memory(&t, t.scratch, true);
	int64_t result = inject(&t, call, arg, &executed);

	if (result >= 0 && gives_descriptor(argv[2])) {
		const uint64_t close_it[ARGS_MOST] = {(uint64_t)result};

		inject(&t, SYS_close, close_it, &ignored);
	}
	let_go(&t, executed);
	if (result < 0 && result > -4096)
		printf("%s\n", strerrorname_np((int)-result));
	else
		printf("ok %lld\n", (long long)result);
	return 0;
}
