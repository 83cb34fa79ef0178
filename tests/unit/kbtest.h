/* kbtest: what every unit test includes first. TEST is static, so one left out of the list is a compile error. */
#ifndef KBTEST_H
#define KBTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <kitebox/bytes.h>

#define TEST(name) static void name(void **state __attribute__((unused)))
#define RUN(name) cmocka_unit_test(name)
#define assert_ok(e) assert_int_equal((e), KB_OK)
#define assert_span(s, lit)                                             \
	do {                                                            \
		struct kb_span kb_s_ = (s), kb_l_ = KB_LIT(lit);        \
		assert_int_equal(kb_s_.len, kb_l_.len);                 \
		if (kb_l_.len)                                          \
			assert_memory_equal(kb_s_.p, kb_l_.p, kb_l_.len); \
	} while (0)

#endif
