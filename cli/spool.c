/* spool: see spool.h. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "file.h"

enum { STEP = 65536 };

static enum kb_status read_some(struct kb_diag *d, int fd, uint8_t *out, size_t cap, size_t *ret_n)
{
	ssize_t n;
	do
		n = read(fd, out, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return KB_FAIL_SYS(d, "it cannot be read");
	*ret_n = (size_t)n;
	return KB_OK;
}

/* Until head has `most` octets, or that was all. */
static enum kb_status fill(struct kb_diag *d, struct kite_spool *s, size_t most)
{
	size_t n = 1;
	while (n && s->head.len < most) {
		size_t room = most - s->head.len < STEP ? most - s->head.len : STEP;
		enum kb_status st = kb_buf_reserve(&s->head, room);
		if (st == KB_OK)
			st = read_some(d, s->fd, s->head.p + s->head.len, room, &n);
		if (st != KB_OK)
			return st;
		s->head.len += n;
	}
	s->whole = n == 0;
	return KB_OK;
}

enum kb_status kite_spool_open(struct kb_diag *d, const char *path, struct kite_spool *ret_s)
{
	struct kite_spool s = {.open = true, .fd = STDIN_FILENO};
	if (strcmp(path, "-") != 0)
		s.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	else
		s.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (s.fd < 0)
		return kb_fail(d, errno == ENOENT ? KB_NOTFOUND : KB_IO, 0, errno, "it cannot be opened");
	kb_buf_init(&s.head, KITE_SPOOL_ARMOR + STEP);
	enum kb_status st = fill(d, &s, KITE_SPOOL_MEMORY);
	if (st == KB_OK)
		*ret_s = s;
	else
		kite_spool_close(&s);
	return st;
}

void kite_spool_close(struct kite_spool *s)
{
	if (!s->open)
		return;
	kb_fd_close(&s->fd);
	kb_buf_release(&s->head);
	s->open = false;
}

enum kb_status kite_spool_gather(struct kb_diag *d, struct kite_spool *s)
{
	if (s->whole)
		return KB_OK;
	enum kb_status st = fill(d, s, KITE_SPOOL_ARMOR + 1);
	if (st == KB_OK && !s->whole)
		st = KB_FAIL(d, KB_TOOBIG, 0, "armored files of up to 256 MiB are taken; make a larger one anew without armor");
	return st;
}

/* A file that has no name and goes with its last descriptor. */
static enum kb_status nameless(struct kb_diag *d, int *ret_fd)
{
	const char *folder = getenv("TMPDIR");
	int fd = open(folder && folder[0] == '/' ? folder : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return KB_FAIL_SYS(
		    d, "there is no room beside for what comes through a pipe; name the file instead, or use --stream");
	*ret_fd = fd;
	return KB_OK;
}

static enum kb_status copy(struct kb_diag *d, int from, int to)
{
	uint8_t *step = malloc(STEP);
	size_t n = 1;
	enum kb_status st = KB_OK;
	if (!step)
		abort();
	while (st == KB_OK && n) {
		st = read_some(d, from, step, STEP, &n);
		if (st == KB_OK && n)
			st = kite_fd_write(d, to, KB_SPAN(step, n));
	}
	free(step);
	return st;
}

enum kb_status kite_spool_keep(struct kb_diag *d, struct kite_spool *s)
{
	int fd = -1;
	if (s->whole || (s->tail = lseek(s->fd, 0, SEEK_CUR)) >= 0)
		return KB_OK;
	enum kb_status st = nameless(d, &fd);
	if (st == KB_OK)
		st = copy(d, s->fd, fd);
	if (st != KB_OK) {
		kb_fd_close(&fd);
		return st;
	}
	kb_fd_close(&s->fd);
	s->fd = fd;
	s->tail = 0;
	return kite_spool_rewind(d, s);
}

enum kb_status kite_spool_rewind(struct kb_diag *d, struct kite_spool *s)
{
	s->at = 0;
	if (!s->whole && lseek(s->fd, s->tail, SEEK_SET) < 0)
		return KB_FAIL_SYS(d, "it cannot be read again");
	return KB_OK;
}

enum kb_status kite_spool_source(void *ctx, uint8_t *out, size_t cap, size_t *ret_n)
{
	struct kite_spool *s = ctx;
	size_t n = s->head.len - s->at < cap ? s->head.len - s->at : cap;
	if (n) {
		memcpy(out, s->head.p + s->at, n);
		s->at += n;
		*ret_n = n;
		return KB_OK;
	}
	*ret_n = 0;
	return s->whole ? KB_OK : read_some(NULL, s->fd, out, cap, ret_n);
}
