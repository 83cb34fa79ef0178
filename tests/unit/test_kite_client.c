/* kite_client: the desk's protocol, from the side that believes nothing. */
#include "kbtest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

struct pair {
	struct kite_client c;
	int desk;
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int ends[2];
	assert_non_null(p);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	p->c = (struct kite_client){.fd = ends[0], .wait_ms = 30};
	p->desk = ends[1];
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;
	kite_client_close(&p->c);
	if (p->desk >= 0)
		close(p->desk);
	free(p);
	return 0;
}

static void say(struct pair *p, uint16_t type, uint16_t zero, uint32_t len, const void *body, size_t size)
{
	const struct kb_desk_frame head = {.type = type, .zero = zero, .len = len};
	assert_int_equal(send(p->desk, &head, sizeof(head), 0), sizeof(head));
	if (size)
		assert_int_equal(send(p->desk, body, size, 0), size);
}

static void data(struct pair *p, const char *text)
{
	say(p, KB_DESK_DATA, 0, (uint32_t)strlen(text), text, strlen(text));
}

static void list(struct pair *p, uint64_t body_len)
{
	const struct kb_desk_body b = {.body_len = body_len, .records = 1};
	say(p, KB_DESK_LIST, 0, sizeof(b), &b, sizeof(b));
}

static void end(struct pair *p)
{
	say(p, KB_DESK_END, 0, 0, NULL, 0);
}

static enum kb_status get(struct pair *p, size_t most, struct kb_buf *body)
{
	static const struct kb_desk_list ask = {.most = 1};
	struct kb_desk_body b;
	return kite_client_get(&p->c, NULL, KB_DESK_LIST, &ask, sizeof(ask), &b, sizeof(b), most, body);
}

static void expect(struct pair *p, enum kb_status st)
{
	struct kb_buf body;
	kb_buf_init(&body, 1000);
	assert_int_equal(get(p, 100, &body), st);
	kb_buf_release(&body);
}

static void an_answer_comes_with_its_body_in_pieces(void **state)
{
	struct pair *p = *state;
	struct kb_desk_frame head;
	struct kb_desk_list asked;
	struct kb_buf body;
	kb_buf_init(&body, 1000);
	data(p, "one ");
	data(p, "two");
	list(p, 7);
	end(p);
	assert_ok(get(p, 100, &body));
	assert_span(kb_buf_span(&body), "one two");
	assert_int_equal(recv(p->desk, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(head.type, KB_DESK_LIST);
	assert_int_equal(head.zero, 0);
	assert_int_equal(head.len, sizeof(asked));
	assert_int_equal(recv(p->desk, &asked, sizeof(asked), 0), sizeof(asked));
	assert_int_equal(asked.most, 1);
	kb_buf_release(&body);
}

static void a_body_of_another_length_than_said_is_a_breach(void **state)
{
	data(*state, "one");
	list(*state, 4);
	expect(*state, KB_MALFORMED);
}

static void more_than_belongs_to_the_request_is_not_taken(void **state)
{
	char much[101];
	memset(much, 'x', 100);
	much[100] = '\0';
	data(*state, much);
	data(*state, "!");
	expect(*state, KB_LIMIT);
}

static void a_data_frame_over_the_limit_is_a_breach(void **state)
{
	say(*state, KB_DESK_DATA, 0, KB_DESK_DATA_MOST + 1, NULL, 0);
	expect(*state, KB_MALFORMED);
}

static void an_empty_data_frame_is_a_breach(void **state)
{
	say(*state, KB_DESK_DATA, 0, 0, NULL, 0);
	expect(*state, KB_MALFORMED);
}

static void data_where_none_belongs_is_a_breach(void **state)
{
	data(*state, "x");
	assert_int_equal(get(*state, 100, NULL), KB_MALFORMED);
}

static void another_type_than_asked_for_is_a_breach(void **state)
{
	const struct kb_desk_body b = {0};
	say(*state, KB_DESK_ROSTER, 0, sizeof(b), &b, sizeof(b));
	expect(*state, KB_MALFORMED);
}

static void an_answer_of_another_size_is_a_breach(void **state)
{
	const struct kb_desk_body b = {0};
	say(*state, KB_DESK_LIST, 0, sizeof(b) + 1, &b, sizeof(b));
	expect(*state, KB_MALFORMED);
}

static void a_frame_whose_zero_is_not_is_a_breach(void **state)
{
	say(*state, KB_DESK_LIST, 1, sizeof(struct kb_desk_body), NULL, 0);
	expect(*state, KB_MALFORMED);
}

static void an_end_without_an_answer_is_a_breach(void **state)
{
	end(*state);
	expect(*state, KB_MALFORMED);
}

static void a_second_answer_to_a_question_with_one_is_a_breach(void **state)
{
	list(*state, 0);
	list(*state, 0);
	expect(*state, KB_MALFORMED);
}

static void an_error_gives_its_status_and_words(void **state)
{
	struct pair *p = *state;
	struct kb_desk_error e = {.status = KB_DENIED};
	kb_field_set(e.what, sizeof(e.what), KB_LIT("log in first"));
	say(p, KB_DESK_ERROR, 0, sizeof(e), &e, sizeof(e));
	expect(p, KB_DENIED);
	assert_true(p->c.failed);
	assert_string_equal(p->c.said, "log in first");
}

static void an_error_instead_of_the_end_is_that_error(void **state)
{
	struct kb_desk_error e = {.status = KB_AGAIN};
	list(*state, 0);
	say(*state, KB_DESK_ERROR, 0, sizeof(e), &e, sizeof(e));
	expect(*state, KB_AGAIN);
}

static void an_error_that_says_ok_or_nothing_known_is_a_breach(void **state)
{
	struct kb_desk_error e = {.status = KB_OK};
	say(*state, KB_DESK_ERROR, 0, sizeof(e), &e, sizeof(e));
	expect(*state, KB_MALFORMED);
	e.status = KB_STATUS_COUNT;
	say(*state, KB_DESK_ERROR, 0, sizeof(e), &e, sizeof(e));
	expect(*state, KB_MALFORMED);
}

static void an_error_without_a_nul_is_a_breach(void **state)
{
	struct kb_desk_error e = {.status = KB_DENIED};
	memset(e.what, 'x', sizeof(e.what));
	say(*state, KB_DESK_ERROR, 0, sizeof(e), &e, sizeof(e));
	expect(*state, KB_MALFORMED);
}

static void a_desk_that_goes_away_is_said_to(void **state)
{
	struct pair *p = *state;
	data(p, "half");
	close(p->desk);
	p->desk = -1;
	struct kb_desk_body b;
	struct kb_buf body;
	kb_buf_init(&body, 100);
	assert_int_equal(kite_client_next(&p->c, NULL, KB_DESK_LIST, &b, sizeof(b), 100, &body), KB_IO);
	kb_buf_release(&body);
}

static void a_desk_that_stops_in_the_middle_is_not_waited_for_without_end(void **state)
{
	say(*state, KB_DESK_LIST, 0, sizeof(struct kb_desk_body), "xx", 2);
	expect(*state, KB_AGAIN);
}

static void a_socket_that_is_not_there_is_said_by_the_system(void **state)
{
	struct kite_client c = {0};
	struct kb_diag d = {0};
	(void)state;
	assert_int_equal(kite_client_open(&d, "/nonexistent/desk.sock", &c), KB_IO);
	assert_int_not_equal(d.sys_errno, 0);
	char path[109];
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(kite_client_open(&d, path, &c), KB_LIMIT);
	kite_client_close(&c);
}

#define PAIR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR(an_answer_comes_with_its_body_in_pieces),
		PAIR(a_body_of_another_length_than_said_is_a_breach),
		PAIR(more_than_belongs_to_the_request_is_not_taken),
		PAIR(a_data_frame_over_the_limit_is_a_breach),
		PAIR(an_empty_data_frame_is_a_breach),
		PAIR(data_where_none_belongs_is_a_breach),
		PAIR(another_type_than_asked_for_is_a_breach),
		PAIR(an_answer_of_another_size_is_a_breach),
		PAIR(a_frame_whose_zero_is_not_is_a_breach),
		PAIR(an_end_without_an_answer_is_a_breach),
		PAIR(a_second_answer_to_a_question_with_one_is_a_breach),
		PAIR(an_error_gives_its_status_and_words),
		PAIR(an_error_instead_of_the_end_is_that_error),
		PAIR(an_error_that_says_ok_or_nothing_known_is_a_breach),
		PAIR(an_error_without_a_nul_is_a_breach),
		PAIR(a_desk_that_goes_away_is_said_to),
		PAIR(a_desk_that_stops_in_the_middle_is_not_waited_for_without_end),
		PAIR(a_socket_that_is_not_there_is_said_by_the_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
