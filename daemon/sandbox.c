/*
 * sandbox: see sandbox.h. One table for all rooms: a system call, the rooms that may make it, and what its arguments
 * must be. A call may stand in several rows: one that matches is enough. What is in no row is answered EPERM.
 *
 * Not listed, for any room: clone, fork, vfork, clone3, execve, execveat, ptrace, process_vm_*, process_madvise,
 * pidfd_*, kill, tkill, bind, listen, open, io_uring_*, bpf, userfaultfd, keyctl, add_key, perf_event_open,
 * memfd_secret, mount, unshare, setns, prctl, seccomp, ioctl but for one resolver's question; mapping memory as code.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "landlock.h"

#define R(room) (1u << KB_ROOM_##room)
#define ALL (R(DOOR) | R(SORTER) | R(SEALER) | R(VAULT) | R(DESK) | R(COURIER) | R(RUNNER))
/* Who speaks with the world over sockets that it was given or took. */
#define NET (R(DOOR) | R(DESK) | R(COURIER) | R(RUNNER))

/* clang-format off */
#define EQ(arg, value)         {(arg), SCMP_CMP_EQ, (scmp_datum_t)(value), 0}
#define BITS(arg, mask, value) {(arg), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value)}
#define SELF(arg)              {(arg), SCMP_CMP_EQ, SELF_PID, 0}
enum { ARGS_MOST = 3 };
#define SELF_PID UINT64_MAX /* stands for this process's id */

struct rule {
	int call;
	unsigned rooms;
	unsigned n;
	struct scmp_arg_cmp arg[ARGS_MOST];
};

#define CALL(name) SCMP_SYS(name)
static const struct rule rules[] = {
	/* the loop, clocks and timers */
	{CALL(epoll_wait), ALL, 0, {{0}}}, {CALL(epoll_pwait), ALL, 0, {{0}}}, {CALL(epoll_pwait2), ALL, 0, {{0}}}, {CALL(epoll_ctl), ALL, 0, {{0}}},
	{CALL(timerfd_create), ALL, 0, {{0}}}, {CALL(timerfd_settime), ALL, 0, {{0}}},
	{CALL(clock_gettime), ALL, 0, {{0}}}, {CALL(gettimeofday), ALL, 0, {{0}}}, {CALL(time), ALL, 0, {{0}}},
	/* descriptors that it holds already */
	{CALL(read), ALL, 0, {{0}}}, {CALL(write), ALL, 0, {{0}}}, {CALL(readv), ALL, 0, {{0}}}, {CALL(writev), ALL, 0, {{0}}}, {CALL(close), ALL, 0, {{0}}},
	{CALL(recvmsg), ALL, 0, {{0}}}, {CALL(sendmsg), ALL, 0, {{0}}}, {CALL(lseek), ALL, 0, {{0}}}, {CALL(fstat), ALL, 0, {{0}}},
	{CALL(newfstatat), ALL, 1, {EQ(3, AT_EMPTY_PATH)}}, {CALL(poll), ALL, 0, {{0}}}, {CALL(ppoll), ALL, 0, {{0}}},
	{CALL(fcntl), ALL, 1, {EQ(1, F_DUPFD_CLOEXEC)}}, {CALL(fcntl), ALL, 1, {EQ(1, F_GETFD)}}, {CALL(fcntl), ALL, 1, {EQ(1, F_GETFL)}},
	{CALL(fcntl), ALL, 1, {EQ(1, F_SETFL)}}, {CALL(fcntl), ALL, 1, {EQ(1, F_GET_SEALS)}}, {CALL(fcntl), ALL, 1, {EQ(1, F_ADD_SEALS)}},
	/* memory, never as code */
	{CALL(mmap), ALL, 1, {BITS(2, PROT_EXEC, 0)}}, {CALL(mprotect), ALL, 1, {BITS(2, PROT_EXEC, 0)}},
	{CALL(munmap), ALL, 0, {{0}}}, {CALL(mremap), ALL, 0, {{0}}}, {CALL(madvise), ALL, 0, {{0}}}, {CALL(brk), ALL, 0, {{0}}},
	{CALL(mlock), ALL, 0, {{0}}}, {CALL(munlock), ALL, 0, {{0}}}, {CALL(futex), ALL, 0, {{0}}}, {CALL(getrandom), ALL, 0, {{0}}},
	{CALL(memfd_create), ALL, 0, {{0}}}, {CALL(ftruncate), ALL, 0, {{0}}}, {CALL(pread64), ALL, 0, {{0}}}, {CALL(pwrite64), ALL, 0, {{0}}},
	/* itself, and its end */
	{CALL(getpid), ALL, 0, {{0}}}, {CALL(gettid), ALL, 0, {{0}}}, {CALL(getrusage), ALL, 0, {{0}}}, {CALL(tgkill), ALL, 1, {SELF(0)}},
	{CALL(rt_sigaction), ALL, 0, {{0}}}, {CALL(rt_sigprocmask), ALL, 0, {{0}}}, {CALL(rt_sigreturn), ALL, 0, {{0}}}, {CALL(sigaltstack), ALL, 0, {{0}}},
	{CALL(restart_syscall), ALL, 0, {{0}}}, {CALL(sched_yield), ALL, 0, {{0}}}, {CALL(exit), ALL, 0, {{0}}}, {CALL(exit_group), ALL, 0, {{0}}},
	/* a deadline for each message */
	{CALL(setitimer), R(SORTER), 1, {EQ(0, ITIMER_REAL)}},
	/* connections */
	{CALL(accept4), R(DOOR) | R(DESK), 0, {{0}}},
	{CALL(recvfrom), NET, 0, {{0}}}, {CALL(sendto), NET, 0, {{0}}}, {CALL(shutdown), NET, 0, {{0}}}, {CALL(getsockopt), NET, 0, {{0}}},
	{CALL(setsockopt), NET, 0, {{0}}}, {CALL(getpeername), NET, 0, {{0}}}, {CALL(getsockname), NET, 0, {{0}}},
	{CALL(select), R(RUNNER), 0, {{0}}}, {CALL(pselect6), R(RUNNER), 0, {{0}}},
	/* connecting out: the courier connects, and asks the resolver whereto (UDP; a signed-off look at files) */
	{CALL(socket), R(COURIER), 2, {EQ(0, AF_INET), BITS(1, 0xf, SOCK_STREAM)}}, {CALL(socket), R(COURIER), 2, {EQ(0, AF_INET6), BITS(1, 0xf, SOCK_STREAM)}},
	{CALL(socket), R(COURIER), 2, {EQ(0, AF_INET), BITS(1, 0xf, SOCK_DGRAM)}}, {CALL(socket), R(COURIER), 2, {EQ(0, AF_INET6), BITS(1, 0xf, SOCK_DGRAM)}},
	{CALL(connect), R(COURIER), 0, {{0}}}, {CALL(sendmmsg), R(COURIER), 0, {{0}}}, {CALL(ioctl), R(COURIER), 1, {EQ(1, FIONREAD)}}, {CALL(uname), R(COURIER), 0, {{0}}},
	{CALL(openat), R(COURIER), 1, {BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)}}, {CALL(newfstatat), R(COURIER), 0, {{0}}},
	{CALL(socketpair), R(COURIER), 1, {EQ(0, AF_UNIX)}}, /* its channel to a runner */
	/* the store: paths are Landlock's to judge */
	{CALL(openat), R(VAULT), 0, {{0}}}, {CALL(newfstatat), R(VAULT), 0, {{0}}}, {CALL(unlinkat), R(VAULT), 0, {{0}}}, {CALL(mkdirat), R(VAULT), 0, {{0}}},
	{CALL(renameat), R(VAULT), 0, {{0}}}, {CALL(renameat2), R(VAULT), 0, {{0}}}, {CALL(getdents64), R(VAULT), 0, {{0}}},
	{CALL(fsync), R(VAULT), 0, {{0}}}, {CALL(fdatasync), R(VAULT), 0, {{0}}}, {CALL(msync), R(VAULT), 0, {{0}}}, {CALL(pwritev), R(VAULT), 0, {{0}}},
	{CALL(fstatfs), R(VAULT), 0, {{0}}}, {CALL(fallocate), R(VAULT), 0, {{0}}},
	{CALL(fcntl), R(VAULT), 1, {EQ(1, F_SETLK)}}, {CALL(fcntl), R(VAULT), 1, {EQ(1, F_SETLKW)}}, {CALL(fcntl), R(VAULT), 1, {EQ(1, F_GETLK)}},
};
/* clang-format on */

static int add(scmp_filter_ctx f, const struct rule *r)
{
	struct scmp_arg_cmp arg[ARGS_MOST];

	for (unsigned i = 0; i < r->n; i++) {
		arg[i] = r->arg[i];
		if (arg[i].op == SCMP_CMP_EQ && arg[i].datum_a == SELF_PID)
			arg[i].datum_a = (scmp_datum_t)getpid();
	}
	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, r->call, r->n, arg);
}

static int load(enum kb_room room)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (!f)
		return -ENOMEM;
	int e = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; e == 0 && i < KB_LEN(rules); i++)
		if (rules[i].rooms & 1u << room)
			e = add(f, &rules[i]);
	if (e == 0)
		e = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: the filter runs before every call */
	if (e == 0)
		e = seccomp_load(f);
	seccomp_release(f);
	return e;
}

enum kb_status kb_sandbox_close(struct kb_diag *d, enum kb_room room, const struct kb_sandbox_paths *paths)
{
	if (room <= KB_ROOM_SUPERVISOR || room >= KB_ROOM_COUNT)
		return KB_FAIL(d, KB_UNSUPPORTED, 0, "this room has no sandbox");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return KB_FAIL_SYS(d, "new privileges could not be given up");
	enum kb_status fs = kb_landlock_close(d, paths, room == KB_ROOM_COURIER);

	if (fs != KB_OK && fs != KB_UNSUPPORTED)
		return fs;
	int e = load(room);

	return e == 0 ? fs : kb_fail(d, KB_IO, 0, -e, "the seccomp filter was refused");
}
