/* recent: a key is on the disk before it is used, lives its days, and is gone afterwards. */
#include "kbtest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "recent.h"

enum { DAY = 86400, START = 20000 };

struct folder {
	char path[64];
	int fd;
};

static struct folder folder_new(void)
{
	struct folder f = {.path = "/tmp/kb-recent-XXXXXX"};
	assert_non_null(mkdtemp(f.path));
	f.fd = open(f.path, O_RDONLY | O_DIRECTORY);
	assert_true(f.fd >= 0);
	return f;
}

static unsigned count(const struct folder *f)
{
	unsigned n = 0;
	DIR *d = opendir(f->path);
	struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)))
		n += strncmp(e->d_name, "recent.", 7) == 0;
	closedir(d);
	return n;
}

static void folder_free(struct folder *f)
{
	char name[400];
	DIR *d = opendir(f->path);
	struct dirent *e;
	while ((e = readdir(d))) {
		snprintf(name, sizeof name, "%s/%s", f->path, e->d_name);
		(void)unlink(name);
	}
	closedir(d);
	close(f->fd);
	rmdir(f->path);
}

static uint64_t day(unsigned n)
{
	return (uint64_t)(START + n) * DAY + 3600;
}

static struct kb_recent *recent(const struct folder *f, unsigned n)
{
	struct kb_recent *r = NULL;
	assert_ok(kb_recent_open(NULL, f->fd, day(n), &r));
	return r;
}

TEST(a_key_is_a_file_that_nobody_else_may_read_and_survives_a_restart)
{
	struct folder f = folder_new();
	struct stat st;
	uint8_t print[32] = {7}, a[KB_RECENT_KEY], b[KB_RECENT_KEY];
	struct kb_recent *r = recent(&f, 0);
	kb_recent_hash(r, 0, print, a);
	assert_int_equal(fstatat(f.fd, "recent.20000", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	kb_recent_close(&r);
	assert_null(r);
	r = recent(&f, 0);
	kb_recent_hash(r, 0, print, b);
	assert_memory_equal(a, b, sizeof a);
	kb_recent_close(&r);
	folder_free(&f);
}

TEST(a_key_lives_five_days_and_then_its_file_is_gone)
{
	struct folder f = folder_new();
	uint8_t print[32] = {7}, first[KB_RECENT_KEY], again[KB_RECENT_KEY];
	struct kb_recent *r = recent(&f, 0);
	kb_recent_hash(r, 0, print, first);
	for (unsigned i = 1; i < KB_RECENT_DAYS; i++) {
		assert_ok(kb_recent_roll(NULL, r, day(i)));
		assert_int_equal(kb_recent_keys(r), i + 1);
		kb_recent_hash(r, i, print, again);
		assert_memory_equal(first, again, sizeof first);
		assert_true(kb_recent_lives(r, first));
	}
	assert_ok(kb_recent_roll(NULL, r, day(KB_RECENT_DAYS)));
	assert_int_equal(kb_recent_keys(r), KB_RECENT_DAYS);
	assert_int_equal(faccessat(f.fd, "recent.20000", F_OK, 0), -1);
	assert_false(kb_recent_lives(r, first));
	kb_recent_close(&r);
	folder_free(&f);
}

TEST(another_day_says_another_hash_of_the_same_message)
{
	struct folder f = folder_new();
	uint8_t print[32] = {7}, a[KB_RECENT_KEY], b[KB_RECENT_KEY];
	struct kb_recent *r = recent(&f, 0);
	kb_recent_hash(r, 0, print, a);
	assert_ok(kb_recent_roll(NULL, r, day(1)));
	kb_recent_hash(r, 0, print, b);
	assert_memory_not_equal(a + 4, b + 4, sizeof a - 4);
	kb_recent_close(&r);
	folder_free(&f);
}

TEST(a_start_after_a_long_pause_unlinks_what_is_too_old_and_what_was_never_finished)
{
	struct folder f = folder_new();
	struct kb_recent *r = recent(&f, 0);
	assert_ok(kb_recent_roll(NULL, r, day(1)));
	kb_recent_close(&r);
	int fd = openat(f.fd, "recent.new", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "half a key", 10), 10);
	close(fd);
	fd = openat(f.fd, "recent.20029", O_WRONLY | O_CREAT, 0600); /* a key that was cut short is none */
	assert_int_equal(write(fd, "half a key", 10), 10);
	close(fd);
	fd = openat(f.fd, "recent.txt", O_WRONLY | O_CREAT, 0600); /* not ours */
	close(fd);
	assert_int_equal(count(&f), 5);
	r = recent(&f, 30);
	assert_int_equal(kb_recent_keys(r), 1);
	assert_int_equal(count(&f), 2);
	assert_int_equal(faccessat(f.fd, "recent.txt", F_OK, 0), 0);
	kb_recent_close(&r);
	folder_free(&f);
}

TEST(a_clock_set_back_a_little_costs_no_key_and_makes_none)
{
	struct folder f = folder_new();
	struct kb_recent *r = recent(&f, 3);
	assert_ok(kb_recent_roll(NULL, r, day(2)));
	assert_int_equal(kb_recent_keys(r), 1);
	assert_int_equal(count(&f), 1);
	assert_int_equal(kb_recent_roll(NULL, r, 0), KB_SEQUENCE); /* 1970 is a clock that is not set */
	kb_recent_close(&r);
	folder_free(&f);
}

TEST(a_folder_that_takes_no_file_is_a_failure_and_not_a_key_in_memory_alone)
{
	struct folder f = folder_new();
	struct kb_recent *r = recent(&f, 0);
	int right = dup(f.fd), null = open("/dev/null", O_RDONLY);
	assert_int_equal(dup2(null, f.fd), f.fd);
	assert_int_equal(kb_recent_roll(NULL, r, day(1)), KB_IO);
	assert_int_equal(kb_recent_keys(r), 1);
	assert_int_equal(dup2(right, f.fd), f.fd);
	assert_ok(kb_recent_roll(NULL, r, day(1)));
	assert_int_equal(kb_recent_keys(r), 2);
	close(right);
	close(null);
	kb_recent_close(&r);
	folder_free(&f);
}

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_key_is_a_file_that_nobody_else_may_read_and_survives_a_restart),
	    RUN(a_key_lives_five_days_and_then_its_file_is_gone),
	    RUN(another_day_says_another_hash_of_the_same_message),
	    RUN(a_start_after_a_long_pause_unlinks_what_is_too_old_and_what_was_never_finished),
	    RUN(a_clock_set_back_a_little_costs_no_key_and_makes_none),
	    RUN(a_folder_that_takes_no_file_is_a_failure_and_not_a_key_in_memory_alone),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
