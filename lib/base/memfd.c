/* memfd: see memfd.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include <kitebox/memfd.h>

enum { SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL };

enum kb_status kb_memfd_new(struct kb_diag *d, const char *name, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return KB_FAIL_SYS(d, "memfd_create");
	*ret_fd = fd;
	return KB_OK;
}

enum kb_status kb_memfd_write(struct kb_diag *d, int fd, struct kb_span s)
{
	while (s.len) {
		ssize_t n = write(fd, s.p, s.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "write to a memfd");
		s = kb_span_from(s, (size_t)n);
	}
	return KB_OK;
}

enum kb_status kb_memfd_seal(struct kb_diag *d, int fd)
{
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return KB_FAIL_SYS(d, "seal a memfd");
	return KB_OK;
}

enum kb_status kb_memfd_from(struct kb_diag *d, const char *name, struct kb_span s, int *ret_fd)
{
	KB_AUTO(kb_fd_close) int fd = -1;
	enum kb_status st = kb_memfd_new(d, name, &fd);
	if (st == KB_OK)
		st = kb_memfd_write(d, fd, s);
	if (st == KB_OK)
		st = kb_memfd_seal(d, fd);
	if (st == KB_OK) {
		*ret_fd = fd;
		fd = -1;
	}
	return st;
}

static enum kb_status read_whole(struct kb_diag *d, int fd, size_t n, struct kb_map *ret_m)
{
	uint8_t *p = malloc(n);
	if (!p)
		abort();
	if (pread(fd, p, n, 0) != (ssize_t)n) {
		free(p);
		return KB_FAIL_SYS(d, "read a memfd");
	}
	*ret_m = (struct kb_map){.s = {p, n}};
	return KB_OK;
}

enum kb_status kb_map_open(struct kb_diag *d, int fd, size_t most, struct kb_map *ret_m)
{
	struct stat sb;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & (SEALS & ~F_SEAL_SEAL)) != (SEALS & ~F_SEAL_SEAL))
		return KB_FAIL(d, KB_FORGED, 0, "a descriptor came without the seals of a finished memfd");
	if (fstat(fd, &sb) < 0)
		return KB_FAIL_SYS(d, "fstat of a memfd");
	if (sb.st_size < 0 || (uint64_t)sb.st_size > most)
		return KB_FAIL(d, KB_TOOBIG, 0, "a memfd is larger than is taken here");
	size_t n = (size_t)sb.st_size;
	void *p = NULL;
	if (n && n <= KB_MAP_READ_MOST)
		return read_whole(d, fd, n, ret_m);
	if (n) {
		/* MAP_PRIVATE: kernels before 6.7 take any shared mapping of a write-sealed memfd for a writable one. Nothing is
		 * copied, since nobody writes. */
		p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			return KB_FAIL_SYS(d, "map a memfd");
	}
	*ret_m = (struct kb_map){.s = {p, n}, .mapped = n};
	return KB_OK;
}

void kb_map_release(struct kb_map *m)
{
	void *p;
	/* what is unmapped was mapped writable to nobody: only the type loses its const here */
	memcpy(&p, &m->s.p, sizeof(p));
	if (m->mapped) {
		(void)munmap(p, m->mapped);
	} else if (p) {
		sodium_memzero(p, m->s.len);
		free(p);
	}
	*m = (struct kb_map){0};
}

void kb_fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}
