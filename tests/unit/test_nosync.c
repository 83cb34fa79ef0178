/*
 * nosync: the same crashes upon a store that was built to forget its sync. The test of what must not be lost has to fail
 * here: otherwise it would prove nothing of the real one.
 */
#define KB_FAULT_NOSYNC
#include "../../lib/store/env.c"

#include "crashrun.h"

TEST(a_store_that_does_not_sync_loses_what_it_promised_when_the_power_fails)
{
	struct crash_left left = {0};
	unsigned lost = 0;
	for (uint64_t step = 1; !left.finished; step++) {
		crash_run(CRASH_LOSE, step, 0, &left);
		lost += left.lost > 0;
		assert_true(step < 2000);
	}
	assert_true(lost > 10);
}

TEST(a_store_that_does_not_sync_is_seen_not_to)
{
	struct fix *f = fix_new();
	struct kb_put_result r;
	struct letter l = {.number = 1};
	crash_arm(CRASH_KILL, 0, 0);
	assert_ok(fix_put(f, &l, &r));
	assert_int_equal(crash_syncs(), 0);
	crash_arm(CRASH_NONE, 0, 0);
	fix_free(f);
}

/* A store that ends in SIGBUS while it is opened is left as it lies: here, and nowhere else, leaks are not looked for. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_store_that_does_not_sync_loses_what_it_promised_when_the_power_fails),
	    RUN(a_store_that_does_not_sync_is_seen_not_to),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
