/* health: every condition has a row that says what it means and the way out. */
#include "kbtest.h"

#include <string.h>

#include <kitebox/desk.h>

#include "health.h"

TEST(every_condition_has_a_name_of_its_own_and_a_sentence)
{
	for (uint32_t i = 0; i < KB_HEALTH_COUNT; i++) {
		const struct kb_health_row *r = kb_health_row(i);

		assert_non_null(r->name);
		assert_int_not_equal(strcmp(r->name, "unknown"), 0);
		assert_int_equal(strspn(r->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(r->name));
		assert_in_range(r->level, 0, 2);
		assert_true(strlen(r->sentence) < sizeof ((struct kb_desk_health *)0)->sentence); /* kite shows it whole */
		assert_int_equal(r->sentence[strlen(r->sentence) - 1], '.');
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(r->name, kb_health_row(j)->name);
	}
}

TEST(a_condition_out_of_range_gets_the_row_that_says_so)
{
	assert_string_equal(kb_health_row(KB_HEALTH_COUNT)->name, "unknown");
	assert_string_equal(kb_health_row(UINT32_MAX)->name, "unknown");
	assert_int_equal(kb_health_row(UINT32_MAX)->level, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(every_condition_has_a_name_of_its_own_and_a_sentence),
	    RUN(a_condition_out_of_range_gets_the_row_that_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
