/*
 * The desk among those who may open its socket and are nobody: what they cannot do to the vault, to people, and to each other.
 * Its seconds here have 40 ms (see meson.build).
 */
#include "deskfix.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECOND_MS = 40, STATUS_MS = 5 * SECOND_MS, STRANGER_MS = 60 * SECOND_MS, STRANGERS = 32 };

static struct desk d;

/* A question of fd's passes through the desk and back. */
static void assert_served(int fd, enum kb_desk type)
{
	request(fd, type);
	struct kb_wire_ask q = asked(&d);
	assert_int_equal(q.type, type);
	tell(&d, &q);
	assert_int_equal(answer(fd), type);
}

static void close_all(int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kb_fd_close(&fd[i]);
}

/* ---- the vault is late ---- */

/* fd asks and does not read, at most so often as given; the number that it was possible to answer until nothing went out any more. */
static unsigned ask_until_stuck(int fd, unsigned most)
{
	for (unsigned n = 0; n < most; n++) {
		request(fd, KB_DESK_STATUS);
		if (silent(d.vault, 50))
			return n;
		struct kb_wire_ask q = asked(&d);
		tell(&d, &q);
	}
	return most;
}

TEST(a_true_answer_that_comes_too_late_is_no_fault_of_the_vault)
{
	desk_start(&d);
	int first = visitor(&d);
	unsigned whole = ask_until_stuck(first, 100000) - 1; /* the last answer went out in part */
	kb_fd_close(&first);
	int fd = visitor(&d), other = visitor(&d);
	assert_int_equal(ask_until_stuck(fd, whole), whole);
	request(fd, KB_DESK_STATUS);
	struct kb_wire_ask late = asked(&d);
	assert_true(silent(d.vault, STATUS_MS + 400)); /* the desk has answered in the vault's place, and cannot get it out */
	tell(&d, &late);
	assert_served(other, KB_DESK_STATUS);
	kb_fd_close(&fd);
	kb_fd_close(&other);
	desk_stop(&d);
}

TEST(an_answer_that_nobody_asked_for_is_dropped_and_one_of_another_type_ends_the_channel)
{
	struct message m;
	desk_start(&d);
	int fd = visitor(&d);
	request(fd, KB_DESK_STATUS);
	struct kb_wire_ask q = asked(&d);
	tell(&d, &q);
	tell(&d, &q);
	assert_int_equal(answer(fd), KB_DESK_STATUS);
	assert_served(fd, KB_DESK_STATUS);
	request(fd, KB_DESK_ROSTER);
	q = asked(&d);
	q.type = KB_DESK_LIST;
	tell(&d, &q);
	assert_false(hear(d.vault, &m));
	kb_fd_close(&fd);
	desk_stop(&d);
}

/* ---- what must be zero ---- */

TEST(what_must_be_zero_in_a_request_is_refused_where_it_is_not)
{
	static const struct {
		enum kb_desk type;
		size_t at;
	} cases[] = {
	    {KB_DESK_HELLO, offsetof(struct kb_desk_hello, zero)},
	    {KB_DESK_ROSTER, offsetof(struct kb_desk_none, zero) + 7},
	    {KB_DESK_GRANT, offsetof(struct kb_desk_epoch, zero)},
	    {KB_DESK_OPEN, offsetof(struct kb_desk_open, zero) + 3},
	    {KB_DESK_OPEN, offsetof(struct kb_desk_open, id) + 2 * KB_ID_LEN}, /* of two ids the third */
	    {KB_DESK_OPEN, sizeof(struct kb_desk_open) - 1},
	    {KB_DESK_STATUS, offsetof(struct kb_desk_none, zero)},
	};
	desk_start(&d);
	int fd = person(&d);
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		uint8_t body[KB_ASK_BODY] = {0};
		if (cases[i].type == KB_DESK_OPEN)
			body[0] = 2;
		body[cases[i].at] = 1;
		request_body(fd, cases[i].type, body);
		assert_int_equal(answer(fd), KB_DESK_ERROR);
		assert_true(silent(d.vault, 0)); /* which never hears of it */
	}
	uint8_t two[KB_ASK_BODY] = {2};
	memset(two + offsetof(struct kb_desk_open, id), 1, 2 * KB_ID_LEN);
	request_body(fd, KB_DESK_OPEN, two);
	assert_int_equal(asked(&d).type, KB_DESK_OPEN);
	kb_fd_close(&fd);
	desk_stop(&d);
}

/* ---- strangers ---- */

/* Answers one question that is there. */
static void serve(void)
{
	struct message m;
	struct kb_wire_ask q;
	do {
		if (silent(d.vault, 100))
			return;
		assert_true(hear(d.vault, &m));
	} while (m.type != KB_WIRE_ASK);
	memcpy(&q, m.body, sizeof(q));
	tell(&d, &q);
}

TEST(a_stranger_has_a_time_to_log_in_however_busy_and_a_person_has_longer)
{
	static const uint8_t hello[8 + sizeof(struct kb_desk_hello)] = {KB_DESK_HELLO, [4] = sizeof(struct kb_desk_hello)};
	struct {
		struct kb_desk_frame head;
		struct kb_desk_none body;
	} many[120] = {0};
	bool trickle_ended = false, poll_ended = false;
	desk_start(&d);
	int in = person(&d), trickle = visitor(&d), poll = visitor(&d);
	for (size_t i = 0; i < KB_LEN(many); i++)
		many[i].head = (struct kb_desk_frame){.type = KB_DESK_ROSTER, .len = sizeof(struct kb_desk_none)};
	assert_int_equal(send(poll, many, sizeof(many), MSG_NOSIGNAL), sizeof(many)); /* read at once, and answered one by one */
	for (int ms = 0; !(trickle_ended && poll_ended); ms += 50) {
		if (!trickle_ended)
			(void)!send(trickle, &hello[(size_t)ms / 50 % sizeof(hello)], 1, MSG_NOSIGNAL);
		serve();
		poll_ended = poll_ended || hung_up(poll, 50);
		trickle_ended = trickle_ended || hung_up(trickle, 50);
		assert_true(ms > 0 || !(trickle_ended || poll_ended));
		assert_true(ms < 2 * STRANGER_MS); /* steps of at least so long */
	}
	assert_served(in, KB_DESK_LIST);
	kb_fd_close(&in);
	kb_fd_close(&trickle);
	kb_fd_close(&poll);
	desk_stop(&d);
}

TEST(strangers_without_number_take_no_place_from_a_person_and_the_oldest_goes)
{
	int fd[4 * STRANGERS];
	desk_start(&d);
	int in = person(&d);
	for (size_t i = 0; i < KB_LEN(fd); i++)
		fd[i] = visitor(&d);
	assert_served(fd[KB_LEN(fd) - 1], KB_DESK_STATUS); /* so all have been let in, in turn */
	for (size_t i = 0; i < KB_LEN(fd); i++)
		assert_int_equal(hung_up(fd[i], 0), i < KB_LEN(fd) - STRANGERS);
	assert_served(in, KB_DESK_LIST);
	int second = person(&d);
	assert_served(second, KB_DESK_LIST);
	kb_fd_close(&second);
	kb_fd_close(&in);
	close_all(fd, KB_LEN(fd));
	desk_stop(&d);
}

TEST(of_strangers_the_user_with_the_most_loses_the_oldest)
{
	enum { NOBODY = 65534, MANY = 3 * STRANGERS };
	int fd[MANY];
	if (geteuid() != 0)
		skip(); /* only root can be two users */
	desk_start(&d);
	int alone = visitor(&d);
	for (size_t i = 0; i < MANY; i++)
		fd[i] = visitor_as(&d, NOBODY);
	assert_served(fd[MANY - 1], KB_DESK_STATUS);
	assert_served(alone, KB_DESK_STATUS);
	assert_true(hung_up(fd[MANY - STRANGERS], 0));
	assert_false(hung_up(fd[MANY - STRANGERS + 1], 0));
	kb_fd_close(&alone);
	close_all(fd, MANY);
	desk_stop(&d);
}

TEST(people_who_are_logged_in_however_often_leave_a_place_to_the_next_one)
{
	enum { PEOPLE = KB_PERSONS_MOST * KB_DESK_SESSIONS_MOST };
	int fd[PEOPLE], next[STRANGERS];
	desk_start(&d);
	for (size_t i = 0; i < PEOPLE; i++)
		fd[i] = person(&d);
	for (size_t i = 0; i < STRANGERS; i++)
		next[i] = visitor(&d);
	for (size_t i = 0; i < STRANGERS; i++)
		assert_served(next[i], KB_DESK_STATUS);
	int late = person(&d); /* more people than there can be: a stranger goes for one */
	assert_served(late, KB_DESK_LIST);
	assert_served(fd[0], KB_DESK_LIST);
	kb_fd_close(&late);
	close_all(next, STRANGERS);
	close_all(fd, PEOPLE);
	desk_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_true_answer_that_comes_too_late_is_no_fault_of_the_vault),
	    cmocka_unit_test(an_answer_that_nobody_asked_for_is_dropped_and_one_of_another_type_ends_the_channel),
	    cmocka_unit_test(what_must_be_zero_in_a_request_is_refused_where_it_is_not),
	    cmocka_unit_test(a_stranger_has_a_time_to_log_in_however_busy_and_a_person_has_longer),
	    cmocka_unit_test(strangers_without_number_take_no_place_from_a_person_and_the_oldest_goes),
	    cmocka_unit_test(of_strangers_the_user_with_the_most_loses_the_oldest),
	    cmocka_unit_test(people_who_are_logged_in_however_often_leave_a_place_to_the_next_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
