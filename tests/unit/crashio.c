/* crashio: see crashio.h. */
#include "crashio.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* One write that a power cut may undo. */
struct undo {
	struct undo *next;
	int fd;
	off_t at;
	size_t len, had; /* had: octets that were there before */
	uint8_t before[];
};

static struct {
	enum crash how;
	uint64_t step, steps;
	uint32_t seed;
	unsigned syncs;
	struct undo *last;
} disk;

ssize_t pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at);
ssize_t writev(int fd, const struct iovec *v, int n);
int fdatasync(int fd);
int fsync(int fd);

void crash_arm(enum crash how, uint64_t step, uint32_t seed)
{
	disk.how = how;
	disk.step = step;
	disk.seed = seed;
	disk.steps = 0;
	disk.syncs = 0;
}

uint64_t crash_steps(void)
{
	return disk.steps;
}

unsigned crash_syncs(void)
{
	return disk.syncs;
}

static int is_data(int fd)
{
	char link[64], path[512];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path);
	return n > 8 && memcmp(path + n - 8, "data.mdb", 8) == 0;
}

/* Newest first: what lay there before the last sync is there again. */
static void undo_all(void)
{
	for (struct undo *u = disk.last; u; u = u->next) {
		struct stat st;
		disk.seed = disk.seed * 1664525 + 1013904223;
		if (disk.how == CRASH_SOME && disk.seed >> 31)
			continue;
		if (u->had)
			(void)syscall(SYS_pwrite64, u->fd, u->before, u->had, u->at);
		if (u->had < u->len && fstat(u->fd, &st) == 0 && st.st_size == u->at + (off_t)u->len)
			(void)syscall(SYS_ftruncate, u->fd, u->at + (off_t)u->had);
	}
}

static void step(void)
{
	if (disk.how == CRASH_NONE)
		return;
	if (++disk.steps != disk.step)
		return;
	if (disk.how != CRASH_KILL)
		undo_all();
	kill(getpid(), SIGKILL);
}

static void remember(int fd, off_t at, size_t len)
{
	if (disk.how == CRASH_NONE || !is_data(fd) || fcntl(fd, F_GETFL) & O_DSYNC)
		return;
	struct undo *u = malloc(sizeof *u + len);
	if (!u)
		abort();
	ssize_t had = syscall(SYS_pread64, fd, u->before, len, at);
	*u = (struct undo){.next = disk.last, .fd = fd, .at = at, .len = len, .had = had > 0 ? (size_t)had : 0};
	disk.last = u;
}

static size_t total(const struct iovec *v, int n)
{
	size_t len = 0;
	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	return len;
}

static int synced(int fd, long call)
{
	step();
	if (disk.how != CRASH_NONE && is_data(fd)) {
		disk.syncs++;
		while (disk.last) {
			struct undo *u = disk.last;
			disk.last = u->next;
			free(u);
		}
	}
	return (int)syscall(call, fd);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	step();
	remember(fd, at, n);
	return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	step();
	remember(fd, at, total(v, n));
	return syscall(SYS_pwritev, fd, v, n, at, 0);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	step();
	remember(fd, lseek(fd, 0, SEEK_CUR), total(v, n));
	return syscall(SYS_writev, fd, v, n);
}

int fdatasync(int fd)
{
	return synced(fd, SYS_fdatasync);
}

int fsync(int fd)
{
	return synced(fd, SYS_fsync);
}
