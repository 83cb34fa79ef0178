/* supervisor_links: two rooms that live and have lost their channel get another, and nobody else does. */
#include "kbtest.h"

#include <string.h>

#include <kitebox/memfd.h>

#include "supervisor.h"

enum { DOOR, SEALER, VAULT, SLOTS };
static struct kb_super s;
static unsigned given[SLOTS], killed;
static struct kb_wire_peer last[SLOTS];
static char control; /* stands for a control channel that is there */

/* What else the supervisor is made of: here it notes what is given to whom. */
bool kb_slot_send(struct kb_slot *slot, uint16_t type, const void *body, size_t size, int fd)
{
	size_t i = (size_t)(slot - s.slot);
	assert_int_equal(type, KB_WIRE_PEER);
	assert_int_equal(size, sizeof(struct kb_wire_peer));
	assert_true(fd >= 0);
	last[i] = *(const struct kb_wire_peer *)body;
	given[i]++;
	return true;
}

bool kb_slot_linked(const struct kb_slot *a, const struct kb_slot *b)
{
	return a != b && (a->room == KB_ROOM_SEALER || b->room == KB_ROOM_SEALER);
}

void kb_slot_kill(struct kb_slot *slot)
{
	slot->killed = true;
	killed++;
}

void kb_super_log(int priority, const struct kb_slot *slot, const struct kb_diag *d, const char *literal)
{
	(void)priority, (void)slot, (void)d, (void)literal;
}

static int set_up(void **state)
{
	static const enum kb_room rooms[SLOTS] = {KB_ROOM_DOOR, KB_ROOM_SEALER, KB_ROOM_VAULT};
	(void)state;
	s = (struct kb_super){.slots = SLOTS};
	for (size_t i = 0; i < SLOTS; i++)
		s.slot[i] = (struct kb_slot){.super = &s, .room = rooms[i], .pid = 1, .control = (void *)&control};
	assert_true(sd_event_new(&s.loop) >= 0);
	kb_slot_link_all(&s.slot[SEALER]);
	memset(given, 0, sizeof given);
	killed = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	s.relink = sd_event_source_disable_unref(s.relink);
	s.loop = sd_event_unref(s.loop);
	return 0;
}

/* Two seconds are twice what it takes. */
static void wait_for_it(void)
{
	assert_true(sd_event_run(s.loop, 2000000) >= 0);
}

TEST(a_room_that_starts_is_linked_with_each_sibling_by_a_number_of_its_own)
{
	assert_int_equal(last[DOOR].room, KB_ROOM_SEALER);
	assert_int_equal(last[VAULT].room, KB_ROOM_SEALER);
	assert_true(last[DOOR].link && last[VAULT].link && last[DOOR].link != last[VAULT].link);
	assert_int_equal(s.link[DOOR][VAULT].number, 0);
}

TEST(two_rooms_that_live_get_one_fresh_channel_though_both_say_that_it_is_lost)
{
	uint64_t number = last[DOOR].link;
	kb_slot_link_lost(&s.slot[DOOR], &s.slot[SEALER], number);
	kb_slot_link_lost(&s.slot[SEALER], &s.slot[DOOR], number);
	assert_int_equal(given[DOOR], 0); /* not at once */
	wait_for_it();
	assert_int_equal(given[DOOR], 1);
	assert_int_equal(given[SEALER], 1);
	assert_int_equal(given[VAULT], 0);
	assert_true(last[DOOR].link > number);
	assert_int_equal(last[DOOR].link, last[SEALER].link);
	assert_int_equal(last[SEALER].room, KB_ROOM_DOOR);
	kb_slot_link_lost(&s.slot[SEALER], &s.slot[DOOR], last[DOOR].link); /* and again, if need be */
	wait_for_it();
	assert_int_equal(given[DOOR], 2);
}

TEST(what_is_said_of_a_channel_that_was_replaced_is_nothing)
{
	uint64_t number = last[DOOR].link;
	kb_slot_link_all(&s.slot[DOOR]);
	given[DOOR] = given[SEALER] = 0;
	kb_slot_link_lost(&s.slot[SEALER], &s.slot[DOOR], number);
	assert_null(s.relink);
	kb_slot_link_lost(&s.slot[SEALER], &s.slot[DOOR], last[DOOR].link);
	kb_slot_link_all(&s.slot[DOOR]); /* it was its restart */
	given[DOOR] = 0;
	wait_for_it();
	assert_int_equal(given[DOOR], 0);
}

TEST(a_room_that_is_not_there_is_left_to_its_restart)
{
	s.slot[DOOR].pid = 0;
	kb_slot_link_lost(&s.slot[SEALER], &s.slot[DOOR], last[DOOR].link);
	s.slot[VAULT].killed = true;
	kb_slot_link_lost(&s.slot[SEALER], &s.slot[VAULT], last[VAULT].link);
	wait_for_it();
	assert_int_equal(given[DOOR] + given[SEALER] + given[VAULT] + killed, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_room_that_starts_is_linked_with_each_sibling_by_a_number_of_its_own),
		T(two_rooms_that_live_get_one_fresh_channel_though_both_say_that_it_is_lost),
		T(what_is_said_of_a_channel_that_was_replaced_is_nothing),
		T(a_room_that_is_not_there_is_left_to_its_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
