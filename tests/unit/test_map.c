/* map: the store's memory is found, and given back without a loss. */
#include "storefix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/memfd.h>

static void read_all(struct fix *f)
{
	for (unsigned i = 1; i <= 8; i++) {
		struct letter l = {.number = i, .len = 100000};
		struct kb_msg m;
		struct kb_id id;
		struct kb_map map;
		size_t n;
		int fd;
		letter_id(&l, &id);
		assert_ok(kb_store_message(NULL, f->s, &id, &m));
		uint8_t *want = letter_octets(&l, -1, &n);
		assert_ok(kb_store_blob(NULL, f->s, m.blob, m.blob_len, &fd));
		assert_ok(kb_map_open(NULL, fd, SIZE_MAX, &map));
		assert_int_equal(map.s.len, n);
		assert_memory_equal(map.s.p, want, n);
		kb_map_release(&map);
		kb_fd_close(&fd);
		free(want);
	}
	kb_store_rest(f->s);
}

/* Resident pages of the store's file, in octets (proc(5), smaps). */
static size_t resident(void)
{
	char line[512];
	size_t kib = 0;
	bool ours = false;
	FILE *f = fopen("/proc/self/smaps", "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		unsigned long start, end;
		size_t n;
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			ours = strstr(line, "/data.mdb") != NULL;
		else if (ours && sscanf(line, "Rss: %zu kB", &n) == 1)
			kib += n;
	}
	(void)fclose(f);
	return kib << 10;
}

TEST(memory_that_was_read_is_given_back_and_read_again)
{
	struct fix *f = fix_new();
	struct kb_put_result r;
	for (unsigned i = 1; i <= 8; i++) {
		struct letter l = {.number = i, .len = 100000};
		assert_ok(fix_put(f, &l, &r));
	}
	read_all(f);
	const size_t before = resident();
	assert_true(before >= 8 * 100000);
	kb_store_trim(f->s);
	assert_true(resident() < before / 4);
	read_all(f);
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
		RUN(memory_that_was_read_is_given_back_and_read_again),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
