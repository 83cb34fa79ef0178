/* sealer_job: which message goes to the sorter next. */
#include "kbtest.h"

#include <string.h>

#include "sealer_job.h"

static struct kb_job *add(struct kb_jobs *jobs, uint8_t number, size_t len)
{
	struct kb_wire_submit m;
	memset(&m, 0, sizeof m);
	m.id.b[0] = number;
	return kb_job_new(jobs, &m, NULL, -1, (struct kb_map){.s = {NULL, len}});
}

static void goes(struct kb_jobs *jobs, uint8_t number)
{
	struct kb_job *j = kb_job_next(jobs);
	assert_non_null(j);
	assert_int_equal(j->submit.id.b[0], number);
	kb_job_free(jobs, j);
}

TEST(the_oldest_and_the_smallest_take_turns)
{
	struct kb_jobs jobs = {0};
	add(&jobs, 1, 3000000);
	add(&jobs, 2, 3000000);
	add(&jobs, 3, 2000);
	add(&jobs, 4, 1000);
	add(&jobs, 5, 3000000);
	goes(&jobs, 1);
	goes(&jobs, 4);
	goes(&jobs, 2);
	goes(&jobs, 3);
	goes(&jobs, 5);
	assert_null(kb_job_next(&jobs));
	assert_null(jobs.first);
}

TEST(what_is_under_way_is_passed_over)
{
	struct kb_jobs jobs = {0};
	add(&jobs, 1, 10)->stage = KB_JOB_SORTING;
	add(&jobs, 2, 20)->stage = KB_JOB_STORING;
	add(&jobs, 3, 30);
	goes(&jobs, 3);
	assert_null(kb_job_next(&jobs));
	kb_job_free(&jobs, jobs.first);
	kb_job_free(&jobs, jobs.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(the_oldest_and_the_smallest_take_turns),
		RUN(what_is_under_way_is_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
