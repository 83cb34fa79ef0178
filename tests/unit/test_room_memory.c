/* The heap of sorter and door, which replaces the C library's. */
#include "kbtest.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "room_memory.h"

/* So that no compiler sees through what is allocated. */
static void *volatile kept;

static int ends_with(void (*act)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const struct rlimit none = {0, 0}, little = {64 << 20, 64 << 20};
		(void)signal(SIGABRT, SIG_DFL); /* the test runner catches it */
		if (setrlimit(RLIMIT_CORE, &none) == 0 && setrlimit(RLIMIT_AS, &little) == 0)
			act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void by_malloc(void)
{
	kept = malloc((size_t)1 << 30);
}

static void by_calloc(void)
{
	kept = calloc(1 << 20, 1 << 10);
}

static void by_realloc(void)
{
	kept = malloc(10);
	kept = realloc(kept, (size_t)1 << 30);
}

static void by_little(void)
{
	kept = malloc(1 << 20);
}

TEST(an_allocation_that_fails_ends_the_process)
{
	if (KB_SANITIZER)
		skip();
	assert_int_equal(ends_with(by_malloc), SIGABRT);
	assert_int_equal(ends_with(by_calloc), SIGABRT);
	assert_int_equal(ends_with(by_realloc), SIGABRT);
	assert_int_equal(ends_with(by_little), 0);
}

/* How many octets of 'x' a new block of that size holds, behind the allocator's own two words, which may be anything. */
static size_t marks(size_t n)
{
	volatile uint8_t *p = kept = malloc(n);
	size_t found = 0;
	for (size_t i = 2 * sizeof(void *); i < n; i++)
		found += p[i] == 'x';
	return found;
}

TEST(what_is_freed_is_wiped)
{
	if (KB_SANITIZER)
		skip();
	kept = malloc(512);
	memset(kept, 'x', 512);
	free(kept);
	assert_int_equal(marks(512), 0);
	memset(kept, 'x', 512);
	kept = realloc(kept, 100000);
	assert_memory_equal(kept, "xxxxxxxx", 8);
	free(kept);
	assert_int_equal(marks(512), 0);
	free(kept);
}

TEST(memory_keeps_what_was_in_it_when_it_grows_and_shrinks)
{
	kept = NULL;
	kept = realloc(kept, 4);
	memcpy(kept, "abcd", 4);
	kept = realloc(kept, 5000);
	assert_memory_equal(kept, "abcd", 4);
	kept = realloc(kept, 2);
	assert_memory_equal(kept, "ab", 2);
	free(kept);
	kept = calloc(3, 5);
	assert_memory_equal(kept, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
	free(kept);
	free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(an_allocation_that_fails_ends_the_process),
		RUN(what_is_freed_is_wiped),
		RUN(memory_keeps_what_was_in_it_when_it_grows_and_shrinks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
