/* writer: see writer.h. */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "file.h"

/* The folder that path names a file of, and the file's own name. */
static enum kb_status split(struct kb_diag *d, const char *path, struct kite_writer *w)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[PATH_MAX];
	if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return KB_FAIL(d, KB_MALFORMED, 0, "that is not the name of a file");
	if (strlen(name) >= sizeof(w->name) || (slash && (size_t)(slash - path) >= sizeof(folder)))
		return KB_FAIL(d, KB_LIMIT, 0, "the name is too long");
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	kb_field_set(w->name, sizeof(w->name), kb_span_str(name));
	w->dir = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->dir < 0 ? KB_FAIL_SYS(d, "its folder cannot be opened") : KB_OK;
}

enum kb_status kite_writer_open(struct kb_diag *d, const char *path, struct kite_writer *ret_w)
{
	struct kite_writer w = {.open = true, .dir = -1, .fd = STDOUT_FILENO};
	struct stat is;
	if (!path || strcmp(path, "-") == 0) {
		*ret_w = w;
		return KB_OK;
	}
	w.is_file = true;
	enum kb_status st = split(d, path, &w);
	if (st != KB_OK)
		return st;
	/* Said before hours of work rather than after; who is first is decided when the name is given. */
	if (fstatat(w.dir, w.name, &is, AT_SYMLINK_NOFOLLOW) == 0) {
		kb_fd_close(&w.dir);
		return KB_FAIL(d, KB_SEQUENCE, 0, "there is a file of that name already");
	}
	(void)snprintf(w.part, sizeof(w.part), ".%.200s.part%d", w.name, (int)getpid());
	(void)unlinkat(w.dir, w.part, 0);
	w.fd = openat(w.dir, w.part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w.fd < 0) {
		st = KB_FAIL_SYS(d, "the file cannot be made");
		kb_fd_close(&w.dir);
		return st;
	}
	*ret_w = w;
	return KB_OK;
}

enum kb_status kite_writer_add(void *ctx, struct kb_span octets)
{
	struct kite_writer *w = ctx;
	return kite_fd_write(&w->d, w->fd, octets);
}

enum kb_status kite_writer_commit(struct kb_diag *d, struct kite_writer *w)
{
	if (!w->is_file)
		return KB_OK;
	if (fsync(w->fd) < 0)
		return KB_FAIL_SYS(d, "the file does not reach the disk");
	if (renameat2(w->dir, w->part, w->dir, w->name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? KB_FAIL(d, KB_SEQUENCE, 0, "there is a file of that name already") :
					 KB_FAIL_SYS(d, "the file cannot be given its name");
	w->part[0] = '\0';
	return kite_dir_sync(d, w->dir);
}

void kite_writer_abandon(struct kite_writer *w)
{
	if (!w->open || !w->is_file)
		return;
	if (w->part[0])
		(void)unlinkat(w->dir, w->part, 0);
	kb_fd_close(&w->fd);
	kb_fd_close(&w->dir);
	w->open = false;
}
