/*
 * map: where LMDB has put the store in this process's memory, so that pages nobody reads any more can be given back.
 *
 * LMDB does not say; the kernel does, in a file that is read once, before a sandbox closes. A store whose place is not found keeps
 * its pages, and works. Giving back loses nothing: the map is read-only, and what is read again comes from the file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "internal.h"

/* "start-end perms offset major:minor inode path": proc(5) */
static bool is_map_of(const char *line, const struct stat *file, uintptr_t *ret_start, size_t *ret_len)
{
	unsigned long start, end, offset, inode;
	unsigned major_, minor_;
	char perms[5];
	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu", &start, &end, perms, &offset, &major_, &minor_, &inode) != 7)
		return false;
	if (inode != file->st_ino || makedev(major_, minor_) != file->st_dev || perms[1] != '-' || perms[3] != 's' || offset || end <= start)
		return false;
	*ret_start = start;
	*ret_len = end - start;
	return true;
}

void kb_map_find(struct kb_store *s)
{
	mdb_filehandle_t fd;
	struct stat file;
	char line[1024];
	FILE *maps = fopen("/proc/self/maps", "re");
	s->map = 0;
	s->map_len = 0;
	if (!maps)
		return;
	if (mdb_env_get_fd(s->env, &fd) == 0 && fstat(fd, &file) == 0)
		while (fgets(line, sizeof line, maps) && !is_map_of(line, &file, &s->map, &s->map_len))
			continue;
	(void)fclose(maps);
}

void kb_store_trim(struct kb_store *s)
{
	/* A refusal costs memory and nothing else. */
	if (s->map_len)
		(void)madvise((void *)s->map, s->map_len, MADV_DONTNEED);
}
