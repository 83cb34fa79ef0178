/* folder: see folder.h. */
#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "file.h"

static enum kb_status open_below(const char *path, int at, const char *name, int *ret_fd)
{
	struct kb_diag d = {0};
	enum kb_status st = kite_dir_open(&d, at, name, false, ret_fd);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "%s%s%s", path, at == AT_FDCWD ? "" : "/", at == AT_FDCWD ? "" : name);
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct kb_id));
}

/* The id that stands in a file's name, wherever. */
static bool id_in(const char *name, struct kb_id *ret_id)
{
	size_t run = 0;
	for (const char *c = name; *c; c++) {
		bool hex = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'f');
		run = hex ? run + 1 : 0;
		if (run == KB_ID_TEXT - 1)
			return kb_id_parse(KB_SPAN(c + 1 - run, run), ret_id) == KB_OK;
	}
	return false;
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);
	return n >= s && strcmp(name + n - s, suffix) == 0;
}

/* Cases merge and split, and mail programs add flags: it is the id in a name that counts. */
static enum kb_status learn(struct kite_folder *f, const char *sub, size_t *cap)
{
	int fd = openat(f->dir, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	if (!list) {
		kb_fd_close(&fd);
		return kite_fail(KB_IO, NULL, "%s/%s cannot be read", f->path, sub);
	}
	while ((e = readdir(list))) {
		struct kb_id id;
		if (e->d_name[0] == '.' || !ends_in(e->d_name, f->suffix) || !id_in(e->d_name, &id))
			continue;
		if (f->n == *cap) {
			*cap = *cap ? 2 * *cap : 64;
			f->known = reallocarray(f->known, *cap, sizeof(*f->known));
			if (!f->known)
				abort();
		}
		f->known[f->n++] = id;
	}
	(void)closedir(list);
	return KB_OK;
}

/* Files are the person's alone; that others see their names is worth a word. */
static void warn_when_open(const struct kite_folder *f)
{
	struct stat s;
	if (fstat(f->dir, &s) == 0 && (s.st_mode & (S_IRWXG | S_IRWXO)))
		kite_note("warning: others may look into the folder %s; chmod 700 keeps them out", f->path);
}

static enum kb_status learn_all(struct kite_folder *f)
{
	size_t cap = 0;
	enum kb_status st = learn(f, f->maildir ? "new" : ".", &cap);
	if (st == KB_OK && f->maildir)
		st = learn(f, "cur", &cap);
	if (f->n)
		qsort(f->known, f->n, sizeof(*f->known), by_id);
	return st;
}

enum kb_status kite_folder_open(const char *path, const char *suffix, bool maildir, struct kite_folder *ret_f)
{
	struct kite_folder f = {.path = path, .suffix = suffix, .maildir = maildir, .dir = -1, .fresh = -1};
	int tmp = -1, cur = -1;
	enum kb_status st = open_below(path, AT_FDCWD, path, &f.dir);
	if (st == KB_OK && maildir)
		st = open_below(path, f.dir, "tmp", &tmp);
	if (st == KB_OK && maildir)
		st = open_below(path, f.dir, "cur", &cur);
	if (st == KB_OK)
		st = open_below(path, f.dir, maildir ? "new" : ".", &f.fresh);
	kb_fd_close(&tmp);
	kb_fd_close(&cur);
	if (st == KB_OK) {
		warn_when_open(&f);
		st = learn_all(&f);
	}
	if (st != KB_OK)
		kite_folder_close(&f);
	else
		*ret_f = f;
	return st;
}

void kite_folder_close(struct kite_folder *f)
{
	kb_fd_close(&f->dir);
	kb_fd_close(&f->fresh);
	free(f->known);
	f->known = NULL;
	f->n = 0;
}

/* A Maildir's names begin with a time, so that a program that sorts by name sorts by time. */
void kite_folder_name(const struct kite_folder *f, const struct kb_desk_message *m, char ret_name[static KITE_NAME_MOST])
{
	char id[KB_ID_TEXT], case_id[KB_CASE_TEXT];
	kb_id_format(&m->id, id);
	kb_case_id_format(&m->case_id, case_id);
	if (f->maildir)
		(void)snprintf(ret_name, KITE_NAME_MOST, "%llu.%s.%s", (unsigned long long)m->received_s, id, case_id);
	else
		(void)snprintf(ret_name, KITE_NAME_MOST, "%s.%s%s", case_id, id, f->suffix);
}

bool kite_folder_has(const struct kite_folder *f, const struct kb_desk_message *m)
{
	return f->n && bsearch(&m->id, f->known, f->n, sizeof(*f->known), by_id);
}

enum kb_status kite_folder_put(const struct kite_folder *f, const struct kb_desk_message *m, struct kb_span octets)
{
	char name[KITE_NAME_MOST];
	struct kb_diag d = {0};
	kite_folder_name(f, m, name);
	enum kb_status st = kite_file_new(&d, f->fresh, name, octets);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "%s/%s%s", f->path, f->maildir ? "new/" : "", name);
}

enum kb_status kite_folder_sync(const struct kite_folder *f)
{
	struct kb_diag d = {0};
	enum kb_status st = kite_dir_sync(&d, f->fresh);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "%s", f->path);
}
