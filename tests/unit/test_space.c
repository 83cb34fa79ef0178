/* space: whether there is room, in the map and on the disk. */
#include "storefix.h"

#include <sys/statvfs.h>

TEST(a_full_map_refuses_before_a_transaction_and_what_was_stored_stays)
{
	struct fix *f = fix_bare();
	kb_store_close(&f->s);
	f->map_octets = 4 << 20;
	assert_ok(kb_store_open(NULL, f->dir, f->map_octets, &f->s));
	assert_ok(kb_store_unlock(NULL, f->s, f->vault_key, f->now_s));
	struct kb_put_result r;
	unsigned n = 0;
	assert_int_equal(kb_store_room(NULL, f->s, 8 << 20), KB_BUSY);
	while (kb_store_room(NULL, f->s, 100000) == KB_OK) {
		struct letter l = {.number = ++n, .len = 100000};
		assert_ok(fix_put(f, &l, &r));
		assert_true(n < 50);
	}
	assert_true(n > 20);
	/* Pushed beyond the watermark, it fails as a whole and harms nothing. */
	const struct letter large = {.number = 1000, .len = 3 << 20};
	assert_int_equal(fix_put(f, &large, &r), KB_BUSY);
	assert_false(kb_store_broken(f->s));
	while (kb_store_tidy(NULL, f->s, f->now_s) == KB_AGAIN)
		continue;
	struct kb_store_facts now;
	kb_store_facts(f->s, &now);
	assert_int_equal(now.counts.messages, n);
	fix_check(f);
	fix_free(f);
}

/* The disk that the store sees, when free_blocks says so: as many blocks of 4096 octets free, of 65536. */
static uint64_t free_blocks;

int fstatvfs(int fd, struct statvfs *ret)
{
	(void)fd;
	*ret = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096, .f_blocks = 65536, .f_bavail = free_blocks ? free_blocks : 65536};
	return 0;
}

TEST(a_full_disk_has_room_again_only_well_above_its_reserve)
{
	struct fix *f = fix_new();
	const uint64_t reserve = 65536 / 16;
	free_blocks = reserve - 1;
	assert_int_equal(kb_store_room(NULL, f->s, 0), KB_BUSY);
	free_blocks = reserve; /* where every message fails, and nothing does not */
	assert_int_equal(kb_store_room(NULL, f->s, 0), KB_OK);
	assert_int_equal(kb_store_room(NULL, f->s, 500), KB_BUSY);
	assert_int_equal(kb_store_room_again(NULL, f->s, 0), KB_BUSY);
	free_blocks = reserve + reserve / 2;
	assert_int_equal(kb_store_room_again(NULL, f->s, 0), KB_OK);
	assert_int_equal(kb_store_room_again(NULL, f->s, 500), KB_BUSY); /* nor for what was refused */
	free_blocks++;
	assert_int_equal(kb_store_room_again(NULL, f->s, 500), KB_OK);
	free_blocks = 0;
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
	    RUN(a_full_map_refuses_before_a_transaction_and_what_was_stored_stays),
	    RUN(a_full_disk_has_room_again_only_well_above_its_reserve),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
