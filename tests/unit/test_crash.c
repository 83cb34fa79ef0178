/* crash: at whichever step the vault dies, or the power fails, what was promised is there and everything else is whole. */
#include "crashrun.h"

static void at_every_step(enum crash how, uint32_t seed)
{
	struct crash_left left = {0};
	uint64_t step = 0;
	unsigned most = 0;
	while (!left.finished) {
		step++;
		crash_run(how, step, seed + (uint32_t)step, &left);
		assert_true(left.opened);
		assert_int_equal(left.lost, 0);
		most = left.promised > most ? left.promised : most;
		assert_true(step < 2000);
	}
	assert_int_equal(most, 12);
	assert_true(step > 30); /* it did die at every one of them */
}

TEST(a_vault_killed_at_any_step_loses_nothing_it_promised)
{
	at_every_step(CRASH_KILL, 0);
}

TEST(a_power_cut_at_any_step_loses_nothing_that_was_promised)
{
	at_every_step(CRASH_LOSE, 0);
}

TEST(a_disk_that_wrote_some_pages_and_not_others_loses_nothing_that_was_promised)
{
	at_every_step(CRASH_SOME, 1);
	at_every_step(CRASH_SOME, 77);
}

TEST(each_commit_syncs_its_data_before_it_returns)
{
	struct fix *f = fix_new();
	struct kb_put_result r;
	crash_arm(CRASH_KILL, 0, 0);
	for (unsigned i = 1; i <= 5; i++) {
		struct letter l = {.number = i};
		assert_ok(fix_put(f, &l, &r));
		assert_int_equal(crash_syncs(), i);
	}
	crash_arm(CRASH_NONE, 0, 0);
	fix_free(f);
}

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_vault_killed_at_any_step_loses_nothing_it_promised),
	    RUN(a_power_cut_at_any_step_loses_nothing_that_was_promised),
	    RUN(a_disk_that_wrote_some_pages_and_not_others_loses_nothing_that_was_promised),
	    RUN(each_commit_syncs_its_data_before_it_returns),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
