/* The door in the clear: what clients hear, what sealers are given, and what becomes of a message whose sealer ends. */
#include "doorfix.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct door d;

static int set_up(void **state)
{
	(void)state;
	door_init(&d, false);
	return 0;
}

/* 250 with exactly this message's id. */
static void assert_stored(int fd, const struct kb_id *id)
{
	char text[KB_ID_TEXT];
	kb_id_format(id, text);
	talk(fd, NULL, "250 2.0.0");
	assert_non_null(strstr(last_line(), text));
	assert_non_null(strstr(last_line(), "sealed and stored"));
}

TEST(a_250_comes_after_the_sealers_result_and_not_before)
{
	struct kb_buf octets;
	door_start(&d, 1);
	int fd = to_data(&d, L_SMTP);
	talk(fd, "Subject: x\r\n\r\ntext\r\n.\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	assert_true(silent(fd, 100));
	result(&d, 0, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	assert_span(kb_buf_span(&octets), "Subject: x\r\n\r\ntext\r\n");
	kb_buf_release(&octets);
	talk(fd, "QUIT\r\n", "221 2.0.0");
	gone(fd);
	room_await(&d.room, KB_HEALTH_MESSAGES, true);
	assert_int_equal(d.room.on[KB_HEALTH_MESSAGES], 1 + 1);
	door_stop(&d);
}

TEST(a_250_of_a_duplicate_names_the_message_that_is_stored)
{
	struct kb_buf octets;
	struct kb_wire_result r;
	door_start(&d, 1);
	int fd = to_data(&d, L_SMTP);
	talk(fd, "text\r\n.\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	memset(&r, 0, sizeof(r));
	r.id = w.id;
	r.status = KB_OK;
	r.duplicate = 1;
	kb_id_random(&r.stored);
	say(d.sealer[0], KB_WIRE_RESULT, &r, sizeof(r), NULL, 0);
	assert_stored(fd, &r.stored);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_sealer_is_told_the_envelope_and_how_it_came)
{
	struct kb_buf octets;
	door_start(&d, 1);
	int fd = greeted(&d, L_SMTP);
	uint64_t before = (uint64_t)time(NULL);
	talk(fd, HELLO "MAIL FROM:<\"a b\"@family.example> SMTPUTF8\r\nRCPT TO:<RELAY@kitebox.example>\r\n"
		 "RCPT TO:<nobody@kitebox.example>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n",
	    "250|250 2.1.0|250 2.1.5|550 5.1.1|250 2.1.5|354");
	put(fd, "..a\0b\r\n.\r\n", 10);
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	assert_int_equal(octets.len, 6);
	assert_memory_equal(octets.p, ".a\0b\r\n", 6);
	kb_buf_release(&octets);
	assert_int_equal(w.mailboxes, 1 | 4);
	assert_string_equal(w.sender, "\"a b\"@family.example");
	assert_string_equal(w.helo, "client.example");
	assert_string_equal(w.peer, "127.0.0.1");
	assert_string_equal(w.tls_facts, "");
	assert_true(w.smtputf8 == 1 && !w.tls && !w.lmtp && !w.authenticated);
	assert_true(w.received_s >= before && w.received_s <= (uint64_t)time(NULL));
	for (size_t i = strlen(w.sender); i < sizeof(w.sender); i++)
		assert_int_equal(w.sender[i], 0); /* it is hashed whole */
	result(&d, 0, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(lmtp_speaks_over_a_unix_socket_and_answers_for_each_recipient)
{
	struct kb_buf octets;
	door_start(&d, 1);
	int fd = greeted(&d, L_UNIX);
	talk(fd, HELLO "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nRCPT TO:<familia@kitebox.example>\r\nDATA\r\n",
	    "500 5.5.1|250|250 2.1.0|250 2.1.5|250 2.1.5|354");
	talk(fd, ".\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	assert_int_equal(octets.len, 0);
	kb_buf_release(&octets);
	assert_string_equal(w.peer, "unix");
	assert_string_equal(w.sender, "");
	assert_int_equal(w.lmtp, 1);
	result(&d, 0, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	assert_stored(fd, &w.id);
	talk(fd, "QUIT\r\n", "221 2.0.0");
	gone(fd);
	door_stop(&d);
}

/* Of 5 MiB, in pieces of odd sizes, with lines of all lengths that often begin with dots. */
TEST(a_large_message_arrives_octet_for_octet)
{
	struct kb_buf sent, want, got;
	uint32_t x = 1;
	door_start(&d, 1);
	kb_buf_init(&sent, 16 << 20);
	kb_buf_init(&want, 16 << 20);
	while (want.len < 5 << 20) {
		x = x * 1664525 + 1013904223;
		size_t dots = (x >> 28) % 3, text = (x >> 12) % 300;
		assert_ok(kb_buf_str(&sent, dots ? "." : ""));
		for (size_t i = 0; i < dots + text; i++) {
			uint8_t c = i < dots ? '.' : (uint8_t)(i * x >> 24);
			c = c == '\r' || c == '\n' || (c == '.' && i == 0 && !dots) ? 'x' : c;
			assert_ok(kb_buf_byte(&sent, c));
			assert_ok(kb_buf_byte(&want, c));
		}
		assert_ok(kb_buf_str(&sent, "\r\n"));
		assert_ok(kb_buf_str(&want, "\r\n"));
	}
	assert_ok(kb_buf_str(&sent, ".\r\n"));
	int fd = to_data(&d, L_LMTP);
	for (size_t at = 0; at < sent.len;) {
		x = x * 1664525 + 1013904223;
		size_t n = 1 + x % 200000;
		n = n < sent.len - at ? n : sent.len - at;
		put(fd, sent.p + at, n);
		at += n;
	}
	struct kb_wire_submit w = submitted(&d, 0, &got);
	assert_true(kb_span_eq(kb_buf_span(&got), kb_buf_span(&want)));
	result(&d, 0, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	kb_fd_close(&fd);
	kb_buf_release(&sent);
	kb_buf_release(&want);
	kb_buf_release(&got);
	door_stop(&d);
}

TEST(what_is_pipelined_behind_a_message_waits_for_its_answer)
{
	struct kb_buf octets;
	door_start(&d, 1);
	int fd = to_data(&d, L_SMTP);
	talk(fd, "one\r\n.\r\n" ENVELOPE "DATA\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	assert_true(silent(fd, 50));
	result(&d, 0, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	talk(fd, NULL, "250 2.1.0|250 2.1.5|354");
	talk(fd, "two\r\n.\r\nQUIT\r\n", "");
	store(&d, 0);
	talk(fd, NULL, "250 2.0.0|221 2.0.0");
	gone(fd);
	door_stop(&d);
}

TEST(messages_go_to_the_sealer_with_the_fewest)
{
	struct kb_buf octets;
	struct kb_wire_submit w[SEALERS];
	int fd[SEALERS];
	door_start(&d, SEALERS);
	for (unsigned i = 0; i < SEALERS; i++) {
		fd[i] = to_data(&d, L_SMTP);
		talk(fd[i], ".\r\n", "");
		w[i] = submitted(&d, i, &octets);
		kb_buf_release(&octets);
	}
	result(&d, 1, &w[1].id, KB_OK);
	assert_stored(fd[1], &w[1].id);
	talk(fd[1], ENVELOPE "DATA\r\n", "250 2.1.0|250 2.1.5|354");
	talk(fd[1], ".\r\n", "");
	store(&d, 1);
	talk(fd[1], NULL, "250 2.0.0");
	result(&d, 0, &w[0].id, KB_OK);
	assert_stored(fd[0], &w[0].id);
	for (unsigned i = 0; i < SEALERS; i++)
		kb_fd_close(&fd[i]);
	door_stop(&d);
}

TEST(a_message_whose_sealer_dies_goes_to_another_with_the_same_id)
{
	struct kb_buf first, second;
	door_start(&d, SEALERS);
	int fd = to_data(&d, L_SMTP);
	talk(fd, "text\r\n.\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &first);
	kb_fd_close(&d.sealer[0]);
	struct kb_wire_submit again = submitted(&d, 1, &second);
	assert_memory_equal(&again, &w, sizeof(w));
	assert_true(kb_span_eq(kb_buf_span(&first), kb_buf_span(&second)));
	kb_buf_release(&first);
	kb_buf_release(&second);
	assert_true(silent(fd, 50));
	result(&d, 1, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_message_without_a_sealer_waits_for_the_next_one)
{
	struct kb_buf octets;
	door_start(&d, 1);
	int fd = to_data(&d, L_SMTP);
	talk(fd, ".\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	door_sealer(&d, 0);
	struct kb_wire_submit again = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	assert_true(kb_id_eq(&w.id, &again.id));
	result(&d, 0, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_message_that_ends_one_sealer_after_another_is_given_back)
{
	struct kb_buf octets;
	door_start(&d, 1);
	int fd = to_data(&d, L_SMTP);
	talk(fd, ".\r\n", "");
	for (unsigned i = 0; i < 3; i++) {
		(void)submitted(&d, 0, &octets);
		kb_buf_release(&octets);
		door_sealer(&d, 0);
	}
	talk(fd, NULL, "451 4.3.0");
	talk(fd, ENVELOPE "DATA\r\n", "250 2.1.0|250 2.1.5|354");
	talk(fd, ".\r\n", "");
	store(&d, 0);
	talk(fd, NULL, "250 2.0.0");
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_failure_in_the_house_is_temporary_for_the_sender)
{
	static const struct {
		enum kb_status st;
		const char *codes;
	} cases[] = {{KB_AGAIN, "451 4.3.0"}, {KB_BUSY, "452 4.3.1"}, {KB_DENIED, "451 4.3.0"}, {KB_MALFORMED, "451 4.3.0"}};
	struct kb_buf octets;
	door_start(&d, 1);
	int fd = to_data(&d, L_SMTP);
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		talk(fd, ".\r\n", "");
		struct kb_wire_submit w = submitted(&d, 0, &octets);
		kb_buf_release(&octets);
		result(&d, 0, &w.id, cases[i].st);
		talk(fd, NULL, cases[i].codes);
		talk(fd, ENVELOPE "DATA\r\n", "250 2.1.0|250 2.1.5|354");
	}
	room_await(&d.room, KB_HEALTH_REFUSED, true);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_sealer_that_breaks_the_rules_is_named_and_its_message_goes_on)
{
	struct kb_buf octets;
	struct message m;
	door_start(&d, SEALERS);
	int fd = to_data(&d, L_SMTP);
	talk(fd, ".\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	result(&d, 0, &w.id, KB_STATUS_COUNT);
	room_hear(&d.room, KB_WIRE_HUNG, &m);
	const struct kb_wire_peer *named = (const void *)m.body;
	assert_int_equal(named->room, KB_ROOM_SEALER);
	assert_int_equal(named->index, 0);
	store(&d, 1);
	assert_stored(fd, &w.id);
	kb_fd_close(&fd);
	door_stop(&d);
}

/* Its process may live on: then nobody but the room can say that they are apart. */
TEST(a_sealer_s_channel_that_ends_is_told_of_by_its_number)
{
	struct message m;
	door_start(&d, SEALERS);
	int fd = greeted(&d, L_SMTP);
	door_sealer(&d, 1); /* in place of the one before */
	talk(fd, "NOOP\r\n", "250 2.0.0");
	kb_fd_close(&d.sealer[1]);
	room_hear(&d.room, KB_WIRE_LOST, &m);
	const struct kb_wire_peer *lost = (const void *)m.body;
	while (lost->link != d.links) { /* the one before, if that was heard of before the new one came */
		assert_int_equal(lost->link, d.links - 1);
		room_hear(&d.room, KB_WIRE_LOST, &m);
	}
	assert_int_equal(lost->room, KB_ROOM_SEALER);
	assert_int_equal(lost->index, 1);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_result_for_nobody_is_passed_over)
{
	static const struct kb_id unknown = {{1}};
	struct kb_buf octets;
	door_start(&d, SEALERS);
	int fd = to_data(&d, L_SMTP);
	talk(fd, ".\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	result(&d, 0, &unknown, KB_OK);
	result(&d, 1, &w.id, KB_OK); /* not this sealer's */
	assert_true(silent(fd, 50));
	result(&d, 0, &w.id, KB_OK);
	assert_stored(fd, &w.id);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_client_that_leaves_before_its_answer_leaves_its_message)
{
	struct kb_buf octets;
	for (unsigned i = 0; i < 2; i++) {
		unsigned which = i ? L_UNIX : L_SMTP;
		const struct linger reset = {.l_onoff = 1};
		door_init(&d, false);
		door_start(&d, 1);
		int fd = to_data(&d, which);
		talk(fd, "x\r\n.\r\n", "");
		struct kb_wire_submit w = submitted(&d, 0, &octets);
		kb_buf_release(&octets);
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
		kb_fd_close(&fd);
		fd = to_data(&d, which); /* it lives on */
		result(&d, 0, &w.id, KB_OK);
		talk(fd, ".\r\n", "");
		store(&d, 0);
		talk(fd, NULL, "250 2.0.0");
		kb_fd_close(&fd);
		room_await(&d.room, KB_HEALTH_MESSAGES, true);
		door_stop(&d);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(a_250_comes_after_the_sealers_result_and_not_before),
		T(a_250_of_a_duplicate_names_the_message_that_is_stored),
		T(a_sealer_is_told_the_envelope_and_how_it_came),
		T(lmtp_speaks_over_a_unix_socket_and_answers_for_each_recipient),
		T(a_large_message_arrives_octet_for_octet),
		T(what_is_pipelined_behind_a_message_waits_for_its_answer),
		T(messages_go_to_the_sealer_with_the_fewest),
		T(a_message_whose_sealer_dies_goes_to_another_with_the_same_id),
		T(a_message_without_a_sealer_waits_for_the_next_one),
		T(a_message_that_ends_one_sealer_after_another_is_given_back),
		T(a_failure_in_the_house_is_temporary_for_the_sender),
		T(a_sealer_that_breaks_the_rules_is_named_and_its_message_goes_on),
		T(a_sealer_s_channel_that_ends_is_told_of_by_its_number),
		T(a_result_for_nobody_is_passed_over),
		T(a_client_that_leaves_before_its_answer_leaves_its_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
