/* file: see file.h. */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kitebox/memfd.h>

enum { STEP = 65536 };

enum kb_status kite_fd_read(struct kb_diag *d, int fd, size_t most, struct kb_buf *ret)
{
	size_t start = ret->len;
	for (;;) {
		size_t left = most - (ret->len - start),
		       room = left < STEP ? left + 1 : STEP; /* one more shows that there is more */
		if (kb_buf_reserve(ret, room) != KB_OK)
			return KB_FAIL(d, KB_TOOBIG, 0, "the file is larger than is taken here");
		ssize_t n = read(fd, ret->p + ret->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "it cannot be read");
		if (n == 0)
			return KB_OK;
		ret->len += (size_t)n;
		if (ret->len - start > most)
			return KB_FAIL(d, KB_TOOBIG, 0, "the file is larger than is taken here");
	}
}

enum kb_status kite_file_read(struct kb_diag *d, const char *path, size_t most, struct kb_buf *ret)
{
	if (strcmp(path, "-") == 0)
		return kite_fd_read(d, STDIN_FILENO, most, ret);
	KB_AUTO(kb_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return kb_fail(d, errno == ENOENT ? KB_NOTFOUND : KB_IO, 0, errno, "it cannot be opened");
	return kite_fd_read(d, fd, most, ret);
}

enum kb_status kite_fd_write(struct kb_diag *d, int fd, struct kb_span s)
{
	while (s.len) {
		ssize_t n = write(fd, s.p, s.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "it cannot be written");
		s = kb_span_from(s, (size_t)n);
	}
	return KB_OK;
}

static bool is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	bool empty = list != NULL;
	while (empty && (e = readdir(list)))
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	if (list)
		(void)closedir(list);
	else
		kb_fd_close(&fd);
	return empty;
}

enum kb_status kite_dir_open(struct kb_diag *d, int at, const char *path, bool empty, int *ret_fd)
{
	if (mkdirat(at, path, 0700) < 0 && errno != EEXIST)
		return KB_FAIL_SYS(d, "the folder cannot be made");
	KB_AUTO(kb_fd_close) int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return KB_FAIL_SYS(d, "the folder cannot be opened");
	if (empty && !is_empty(fd))
		return KB_FAIL(d, KB_SEQUENCE, 0, "the folder is not empty");
	*ret_fd = fd;
	fd = -1;
	return KB_OK;
}

/* Writes under a name that nothing else uses, then gives it its own in one step. flags are renameat2's. */
static enum kb_status put(struct kb_diag *d, int dir, const char *name, struct kb_span s, unsigned flags)
{
	char part[NAME_MAX + 1];
	if (snprintf(part, sizeof(part), ".%s.part", name) >= (int)sizeof(part))
		return KB_FAIL(d, KB_LIMIT, 0, "the name is too long");
	(void)unlinkat(dir, part, 0);
	KB_AUTO(kb_fd_close) int fd = openat(dir, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return KB_FAIL_SYS(d, "the file cannot be made");
	enum kb_status st = kite_fd_write(d, fd, s);
	if (st == KB_OK && fsync(fd) < 0)
		st = KB_FAIL_SYS(d, "the file does not reach the disk");
	if (st == KB_OK && renameat2(dir, part, dir, name, flags) < 0)
		st = errno == EEXIST ? KB_FAIL(d, KB_SEQUENCE, 0, "there is a file of that name already") :
				       KB_FAIL_SYS(d, "the file cannot be given its name");
	if (st != KB_OK)
		(void)unlinkat(dir, part, 0);
	return st;
}

enum kb_status kite_dir_sync(struct kb_diag *d, int dir)
{
	return fsync(dir) < 0 ? KB_FAIL_SYS(d, "the folder does not reach the disk") : KB_OK;
}

enum kb_status kite_file_new(struct kb_diag *d, int dir, const char *name, struct kb_span s)
{
	return put(d, dir, name, s, RENAME_NOREPLACE);
}

enum kb_status kite_file_replace(struct kb_diag *d, int dir, const char *name, struct kb_span s)
{
	enum kb_status st = put(d, dir, name, s, 0);
	return st == KB_OK ? kite_dir_sync(d, dir) : st;
}
