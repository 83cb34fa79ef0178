/* vault: what it does while nothing comes: looks whether there is room, and gives memory back. */
#include "vaultfix.h"

static const char *program;

/* Its map has room for nothing more, but for what needs none; looked at again, and again, that is still so. */
TEST(a_full_store_is_said_once_and_as_long_as_mail_is_refused)
{
	enum { LOOKS_MS = 1500 }; /* it looks at least once a second after it was used */
	struct house *h = house_new(program);
	unsigned n = 0;
	h->settings.map_octets = 4 << 20;
	house_start(h);
	enum kb_status st = KB_OK;
	while (st == KB_OK) {
		const struct letter l = {.number = ++n, .class_ = KB_CLASS_INQUIRY, .len = 100000};
		st = (enum kb_status)house_put(h, &l).status;
	}
	assert_int_equal(st, KB_BUSY);
	room_await(&h->room, KB_HEALTH_STORE_FULL, true);
	assert_false(room_says(&h->room, KB_HEALTH_STORE_FULL, LOOKS_MS));
	const struct letter more = {.number = ++n, .class_ = KB_CLASS_INQUIRY, .len = 100000};
	assert_int_equal(house_put(h, &more).status, KB_BUSY);
	assert_false(room_says(&h->room, KB_HEALTH_STORE_FULL, 300));
	house_free(h);
}

/* Octets of the room's memory that the store's file takes; 0 where only root may look. */
static size_t resident(const struct house *h)
{
	return room_resident(&h->room, "/data.mdb");
}

TEST(what_was_read_for_the_desk_is_given_back_when_nobody_asks_any_more)
{
	enum { LETTERS = 40, LEN = 200000 };
	const struct kb_desk_list list = {.most = 1};
	struct kb_desk_open open = {.n = LETTERS};
	struct kb_desk_blob blob;
	struct kb_desk_body body;
	struct kb_map map;
	struct house *h = house_new(program);
	house_start(h);
	for (unsigned i = 0; i < LETTERS; i++) {
		const struct letter l = {.number = i + 1, .class_ = KB_CLASS_INQUIRY, .len = LEN};
		assert_int_equal(house_put(h, &l).status, KB_OK);
		letter_id(&l, &open.id[i]);
	}
	if (!resident(h))
		skip();
	assert_ok(log_in(h, 1, 1));
	ask(h, 1, KB_DESK_LIST, &list, sizeof list);
	assert_ok(answer(h, KB_DESK_LIST, &body, sizeof body, &map));
	kb_map_release(&map);
	wait_until(resident(h) < LETTERS * LEN / 8); /* after that it has nothing to do for half a minute */
	ask(h, 1, KB_DESK_OPEN, &open, sizeof open);
	for (unsigned i = 0; i < LETTERS; i++) {
		assert_ok(answer(h, KB_DESK_OPEN, &blob, sizeof blob, &map));
		kb_map_release(&map);
	}
	assert_true(resident(h) > LETTERS * LEN / 2);
	wait_until(resident(h) < LETTERS * LEN / 8);
	house_free(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_full_store_is_said_once_and_as_long_as_mail_is_refused),
	    RUN(what_was_read_for_the_desk_is_given_back_when_nobody_asks_any_more),
	};
	program = argc > 1 ? argv[1] : "";
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
