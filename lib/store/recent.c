/* recent: see recent.h. */
#include "recent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include <kitebox/memfd.h>

enum { DAY_S = 86400, KEY = 32 };
#define PREFIX "recent."
#define UNFINISHED "recent.new"

struct key {
	uint32_t day;
	uint8_t b[KEY];
};

struct kb_recent {
	int dir;
	size_t n;
	struct key key[KB_RECENT_KEYS_MOST]; /* newest first */
};

static bool living(uint32_t day, uint32_t today)
{
	/* A clock that was set back a little does not cost a key; one far ahead is nobody's. */
	return day + KB_RECENT_DAYS > today && day < today + KB_RECENT_DAYS;
}

static void name_of(uint32_t day, char ret_name[static 32])
{
	(void)snprintf(ret_name, 32, PREFIX "%u", (unsigned)day);
}

/* A key that is gone must be gone: what the file held is written over first, as far as the file system does that in
 * place. */
static void destroy(int dir, const char *name)
{
	static const uint8_t zeros[KEY];
	KB_AUTO(kb_fd_close) int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pwrite(fd, zeros, sizeof zeros, 0) == KEY)
		(void)fsync(fd);
	(void)unlinkat(dir, name, 0);
}

static void insert(struct kb_recent *r, const struct key *k)
{
	size_t at = 0;
	while (at < r->n && r->key[at].day > k->day)
		at++;
	memmove(&r->key[at + 1], &r->key[at], (r->n - at) * sizeof *k);
	r->key[at] = *k;
	r->n++;
}

static bool read_key(int dir, const char *name, uint8_t ret_key[static KEY])
{
	KB_AUTO(kb_fd_close) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint8_t b[KEY + 1];
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b);
	if (n == KEY)
		memcpy(ret_key, b, KEY);
	sodium_memzero(b, sizeof b);
	return n == KEY;
}

/* One name in the folder: a key of a living day, or something to clear away, or nothing of ours. */
static void look_at(struct kb_recent *r, const char *name, uint32_t today)
{
	struct kb_span digits = kb_span_from(kb_span_str(name), sizeof PREFIX - 1);
	struct key k;
	uint64_t day;
	char canonical[32];
	if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
		return;
	bool ours = kb_span_u64(digits, UINT32_MAX - KB_RECENT_DAYS, &day) == KB_OK;
	if (ours) {
		name_of((uint32_t)day, canonical);
		ours = strcmp(canonical, name) == 0;
	}
	if (!ours && strcmp(name, UNFINISHED) != 0)
		return;
	k.day = ours ? (uint32_t)day : 0;
	if (ours && living(k.day, today) && r->n < KB_RECENT_KEYS_MOST && read_key(r->dir, name, k.b))
		insert(r, &k);
	else
		destroy(r->dir, name);
	sodium_memzero(&k, sizeof k);
}

static enum kb_status scan(struct kb_diag *d, struct kb_recent *r, uint32_t today)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	if (!dir) {
		kb_fd_close(&fd);
		return KB_FAIL_SYS(d, "the store's folder cannot be read");
	}
	while ((e = readdir(dir)))
		look_at(r, e->d_name, today);
	(void)closedir(dir);
	return KB_OK;
}

/* On the disk under its name, with the folder's entry, before a hash under it is stored: else a crash would leave rows
 * that nothing can be compared with. */
static enum kb_status write_key(struct kb_diag *d, struct kb_recent *r, const struct key *k)
{
	char name[32];
	name_of(k->day, name);
	KB_AUTO(kb_fd_close)
	int fd = openat(r->dir, UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, k->b, KEY) != KEY || fsync(fd) != 0)
		return KB_FAIL_SYS(d, "today's key cannot be written");
	if (renameat(r->dir, UNFINISHED, r->dir, name) != 0 || fsync(r->dir) != 0)
		return KB_FAIL_SYS(d, "today's key cannot be put in its place");
	return KB_OK;
}

static void drop_dead(struct kb_recent *r, uint32_t today)
{
	for (size_t i = r->n; i-- > 0;) {
		char name[32];
		if (living(r->key[i].day, today))
			continue;
		name_of(r->key[i].day, name);
		destroy(r->dir, name);
		memmove(&r->key[i], &r->key[i + 1], (r->n - i - 1) * sizeof r->key[0]);
		r->n--;
		sodium_memzero(&r->key[r->n], sizeof r->key[0]);
	}
}

enum kb_status kb_recent_roll(struct kb_diag *d, struct kb_recent *r, uint64_t now_s)
{
	if (now_s / DAY_S < KB_RECENT_DAYS || now_s / DAY_S > UINT32_MAX - KB_RECENT_DAYS)
		return KB_FAIL(d, KB_SEQUENCE, 0, "the clock is not set");
	struct key k = {.day = (uint32_t)(now_s / DAY_S)};
	if (r->n && r->key[0].day >= k.day && living(r->key[0].day, k.day) && living(r->key[r->n - 1].day, k.day))
		return KB_OK;
	drop_dead(r, k.day);
	if (r->n && r->key[0].day >= k.day)
		return KB_OK;
	randombytes_buf(k.b, sizeof k.b);
	enum kb_status st = write_key(d, r, &k);
	if (st == KB_OK)
		insert(r, &k);
	sodium_memzero(&k, sizeof k);
	return st;
}

enum kb_status kb_recent_open(struct kb_diag *d, int dir, uint64_t now_s, struct kb_recent **ret_r)
{
	struct kb_recent *r = sodium_malloc(sizeof *r);
	if (!r)
		abort();
	memset(r, 0, sizeof *r);
	r->dir = dir;
	enum kb_status st = scan(d, r, (uint32_t)(now_s / DAY_S));
	if (st == KB_OK)
		st = kb_recent_roll(d, r, now_s);
	if (st == KB_OK)
		*ret_r = r;
	else
		kb_recent_close(&r);
	return st;
}

void kb_recent_close(struct kb_recent **r)
{
	sodium_free(*r); /* wipes; harmless on NULL */
	*r = NULL;
}

size_t kb_recent_keys(const struct kb_recent *r)
{
	return r->n;
}

void kb_recent_hash(
    const struct kb_recent *r, size_t i, const uint8_t fingerprint[static 32], uint8_t ret_key[static KB_RECENT_KEY])
{
	for (unsigned j = 0; j < 4; j++)
		ret_key[j] = (uint8_t)(r->key[i].day >> (24 - 8 * j));
	crypto_generichash(ret_key + 4, KB_RECENT_KEY - 4, fingerprint, 32, r->key[i].b, KEY);
}

bool kb_recent_lives(const struct kb_recent *r, const uint8_t row_key[static KB_RECENT_KEY])
{
	uint32_t day = (uint32_t)row_key[0] << 24 | (uint32_t)row_key[1] << 16 | (uint32_t)row_key[2] << 8 | row_key[3];
	for (size_t i = 0; i < r->n; i++)
		if (r->key[i].day == day)
			return true;
	return false;
}
