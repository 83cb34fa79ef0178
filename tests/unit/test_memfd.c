/* memfd: what a sibling may still change is not believed, and what is believed cannot be changed. */
#include "kbtest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kitebox/memfd.h>

TEST(what_is_written_is_what_is_mapped)
{
	struct kb_span text = KB_LIT("a message under way");
	struct kb_map m;
	int fd = -1;

	assert_ok(kb_memfd_from(NULL, "test", text, &fd));
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_ok(kb_map_open(NULL, fd, 1000, &m));
	kb_fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_span(m.s, "a message under way"); /* also after the descriptor is closed */
	kb_map_release(&m);
	assert_null(m.s.p);
	kb_map_release(&m);
	kb_fd_close(&fd);
}

TEST(pieces_are_appended)
{
	struct kb_map m;
	int fd = -1;

	assert_ok(kb_memfd_new(NULL, "test", &fd));
	assert_ok(kb_memfd_write(NULL, fd, KB_LIT("one ")));
	assert_ok(kb_memfd_write(NULL, fd, KB_SPAN(NULL, 0)));
	assert_ok(kb_memfd_write(NULL, fd, KB_LIT("two")));
	assert_ok(kb_memfd_seal(NULL, fd));
	assert_ok(kb_map_open(NULL, fd, 7, &m));
	assert_span(m.s, "one two");
	kb_map_release(&m);
	kb_fd_close(&fd);
}

TEST(an_empty_file_maps_to_nothing)
{
	struct kb_map m;
	int fd = -1;

	assert_ok(kb_memfd_from(NULL, "test", KB_SPAN(NULL, 0), &fd));
	assert_ok(kb_map_open(NULL, fd, 0, &m));
	assert_null(m.s.p);
	assert_int_equal(m.s.len, 0);
	kb_map_release(&m);
	kb_fd_close(&fd);
}

TEST(a_sealed_file_cannot_be_changed_any_more)
{
	struct kb_diag d = {0};
	int fd = -1;

	assert_ok(kb_memfd_from(NULL, "test", KB_LIT("final"), &fd));
	assert_int_equal(kb_memfd_write(&d, fd, KB_LIT("!")), KB_IO);
	assert_int_equal(d.sys_errno, EPERM);
	assert_int_equal(pwrite(fd, "F", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_ptr_equal(mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	kb_fd_close(&fd);
}

/* Each seal but one: whichever is missing, a sibling could still do something. */
TEST(a_file_without_one_of_the_seals_is_refused)
{
	static const int needed[] = {F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK};
	struct kb_diag d = {0};
	struct kb_map m = {0};

	for (size_t i = 0; i < KB_LEN(needed); i++) {
		int fd = -1, seals = (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) & ~needed[i];
		assert_ok(kb_memfd_new(NULL, "test", &fd));
		assert_ok(kb_memfd_write(NULL, fd, KB_LIT("octets")));
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
		assert_int_equal(kb_map_open(&d, fd, 1000, &m), KB_FORGED);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, needed[i]), 0);
		assert_ok(kb_map_open(&d, fd, 1000, &m)); /* the control: with it, the same file is fine */
		kb_map_release(&m);
		kb_fd_close(&fd);
	}
}

TEST(what_is_no_memfd_is_refused)
{
	struct kb_map m;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), ends[2];

	assert_true(fd >= 0);
	assert_int_equal(kb_map_open(NULL, fd, 1000, &m), KB_FORGED);
	kb_fd_close(&fd);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(kb_map_open(NULL, ends[0], 1000, &m), KB_FORGED);
	kb_fd_close(&ends[0]);
	kb_fd_close(&ends[1]);
	assert_int_equal(kb_map_open(NULL, -1, 1000, &m), KB_FORGED);
}

TEST(a_file_larger_than_is_taken_is_refused)
{
	struct kb_map m;
	int fd = -1;

	assert_ok(kb_memfd_from(NULL, "test", KB_LIT("12345"), &fd));
	assert_int_equal(kb_map_open(NULL, fd, 4, &m), KB_TOOBIG);
	assert_ok(kb_map_open(NULL, fd, 5, &m));
	kb_map_release(&m);
	kb_fd_close(&fd);
}

/* A file of that many octets, no two neighbours alike. */
static int file_of(size_t n, uint8_t *ret_octets)
{
	int fd = -1;

	for (size_t i = 0; i < n; i++)
		ret_octets[i] = (uint8_t)(i * 7 + i / 256);
	assert_ok(kb_memfd_from(NULL, "kitebox-test", KB_SPAN(ret_octets, n), &fd));
	return fd;
}

enum { LONG = KB_MAP_READ_MOST + 1 };

TEST(short_and_long_files_read_the_same_and_last_longer_than_their_descriptor)
{
	static const size_t sizes[] = {1, 4096, LONG - 1, LONG, 200000};
	static uint8_t octets[200000];

	for (size_t i = 0; i < KB_LEN(sizes); i++) {
		struct kb_map m;
		int fd = file_of(sizes[i], octets);

		assert_ok(kb_map_open(NULL, fd, sizes[i], &m));
		kb_fd_close(&fd);
		assert_int_equal(m.s.len, sizes[i]);
		assert_memory_equal(m.s.p, octets, sizes[i]);
		assert_int_equal(m.mapped, sizes[i] < LONG ? 0 : sizes[i]);
		kb_map_release(&m);
		assert_null(m.s.p);
	}
}

TEST(what_is_mapped_cannot_be_written_through_the_map)
{
	static uint8_t octets[LONG];
	struct kb_map m;
	int fd = file_of(LONG, octets);

	assert_ok(kb_map_open(NULL, fd, LONG, &m));
	/* The kernel reads into it: refused where the pages are not writable. */
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_true(zero >= 0);
	errno = 0;
	assert_int_equal(read(zero, (void *)(uintptr_t)m.s.p, 1), -1);
	assert_int_equal(errno, EFAULT);
	assert_memory_equal(m.s.p, octets, LONG);
	kb_fd_close(&zero);
	kb_map_release(&m);
	kb_fd_close(&fd);
}

/* Kernels before 6.7 refuse a shared mapping of a write-sealed memfd, even one to read: only a private one works on Debian 12. */
TEST(the_map_is_private)
{
	static uint8_t octets[LONG];
	struct kb_map m;
	char line[512], start[32];
	bool seen = false;
	int fd = file_of(LONG, octets);

	assert_ok(kb_map_open(NULL, fd, LONG, &m));
	(void)snprintf(start, sizeof(start), "%zx-", (size_t)(uintptr_t)m.s.p);
	FILE *f = fopen("/proc/self/maps", "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, start, strlen(start)) != 0)
			continue;
		assert_non_null(strstr(line, " r--p "));
		assert_non_null(strstr(line, "memfd:kitebox-test"));
		seen = true;
	}
	assert_true(seen);
	(void)fclose(f);
	kb_map_release(&m);
	kb_fd_close(&fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(what_is_written_is_what_is_mapped),
	    RUN(pieces_are_appended),
	    RUN(an_empty_file_maps_to_nothing),
	    RUN(a_sealed_file_cannot_be_changed_any_more),
	    RUN(a_file_without_one_of_the_seals_is_refused),
	    RUN(what_is_no_memfd_is_refused),
	    RUN(a_file_larger_than_is_taken_is_refused),
	    RUN(short_and_long_files_read_the_same_and_last_longer_than_their_descriptor),
	    RUN(what_is_mapped_cannot_be_written_through_the_map),
	    RUN(the_map_is_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
