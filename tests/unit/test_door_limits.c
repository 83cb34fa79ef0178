/* The door under pressure: too many clients, too much mail, silence, deaf clients, a reload, an end. */
#include "doorfix.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct door d;

static int set_up(void **state)
{
	(void)state;
	door_init(&d, false);
	return 0;
}

TEST(a_client_that_speaks_before_it_is_greeted_is_refused)
{
	door_start(&d, 0);
	assert_int_equal(kill(d.room.pid, SIGSTOP), 0); /* lest the greeting be faster */
	int fd = client(&d, L_SMTP);
	put(fd, "EHLO x\r\n", 8);
	assert_int_equal(kill(d.room.pid, SIGCONT), 0);
	talk(fd, NULL, "554 5.5.0");
	gone(fd);
	door_stop(&d);
}

TEST(clients_beyond_the_limit_are_turned_away_and_there_is_room_again)
{
	d.settings.limit.connections = 2;
	door_start(&d, 0);
	int a = greeted(&d, L_SMTP), b = greeted(&d, L_UNIX), c = client(&d, L_SMTP);
	talk(c, NULL, "421 4.3.2");
	gone(c);
	talk(a, "QUIT\r\n", "221 2.0.0");
	gone(a);
	c = greeted(&d, L_SMTP);
	kb_fd_close(&b);
	kb_fd_close(&c);
	door_stop(&d);
}

TEST(one_address_may_have_a_quarter_of_the_connections_and_others_are_let_in)
{
	enum { SHARE = 10 };
	int own[SHARE + 1], more[3];
	d.settings.limit.connections = 4 * SHARE;
	door_start(&d, 1);
	for (unsigned i = 0; i < SHARE; i++)
		own[i] = greeted(&d, L_SMTP);
	own[SHARE] = client(&d, L_SMTP);
	talk(own[SHARE], NULL, "421 4.7.0");
	gone(own[SHARE]);
	more[0] = greeted_from(&d, L_SMTP, "127.0.0.2");
	more[1] = greeted(&d, L_LMTP);
	more[2] = greeted(&d, L_UNIX);
	talk(own[0], "QUIT\r\n", "221 2.0.0");
	gone(own[0]);
	own[0] = greeted(&d, L_SMTP); /* what has ended is not counted for ever */
	for (unsigned i = 0; i < SHARE; i++)
		kb_fd_close(&own[i]);
	for (unsigned i = 0; i < KB_LEN(more); i++)
		kb_fd_close(&more[i]);
	door_stop(&d);
}

TEST(strangers_leave_a_tenth_of_the_connections_to_lmtp_and_unix_sockets)
{
	enum { MOST = 20, STRANGERS = 18 };
	int fd[MOST];
	d.settings.limit.connections = MOST;
	door_start(&d, 0);
	for (unsigned i = 0; i < STRANGERS; i++) {
		char address[16];
		snprintf(address, sizeof(address), "127.0.1.%u", 1 + i / 8);
		fd[i] = greeted_from(&d, L_SMTP, address);
	}
	int late = client_from(&d, L_SMTP, "127.0.2.1");
	talk(late, NULL, "421 4.3.2");
	gone(late);
	fd[STRANGERS] = greeted(&d, L_LMTP);
	fd[STRANGERS + 1] = greeted(&d, L_UNIX);
	late = client(&d, L_UNIX);
	talk(late, NULL, "421 4.3.2");
	gone(late);
	for (unsigned i = 0; i < MOST; i++)
		kb_fd_close(&fd[i]);
	door_stop(&d);
}

TEST(one_address_may_fill_half_of_the_memory_and_others_have_the_rest)
{
	static char text[20000];
	struct kb_buf octets;
	d.settings.limit.flight_octets = 65536;
	d.settings.limit.message_octets = 30000;
	door_start(&d, 1);
	memset(text, 'x', sizeof(text));
	int first = to_data(&d, L_SMTP), second = to_data(&d, L_SMTP);
	put(first, text, sizeof(text));
	talk(first, "\r\n.\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	put(second, text, sizeof(text));
	talk(second, "\r\n.\r\n", "452 4.3.1");
	int other = greeted_from(&d, L_SMTP, "127.0.0.2"), own = to_data(&d, L_LMTP);
	talk(other, HELLO ENVELOPE "DATA\r\n", "250|250 2.1.0|250 2.1.5|354");
	put(other, text, sizeof(text));
	talk(other, "\r\n.\r\n", "");
	store(&d, 0);
	talk(other, NULL, "250 2.0.0");
	put(own, text, sizeof(text));
	talk(own, "\r\n.\r\n", "");
	store(&d, 0);
	talk(own, NULL, "250 2.0.0");
	result(&d, 0, &w.id, KB_OK);
	talk(first, NULL, "250 2.0.0");
	kb_fd_close(&first);
	kb_fd_close(&second);
	kb_fd_close(&other);
	kb_fd_close(&own);
	door_stop(&d);
}

/* Each line puts the silence off; but at that pace the message would never come. */
TEST(a_message_that_comes_too_slowly_is_let_go)
{
	bool over = false;
	d.settings.limit.idle_s = 1;
	door_start(&d, 1);
	int slow = to_data(&d, L_SMTP);
	for (unsigned i = 0; i < 40 && !over; i++) { /* 4 seconds, of 12 that any message has */
		struct pollfd p = {.fd = slow, .events = POLLIN};
		put(slow, "x\r\n", 3);
		over = poll(&p, 1, 100) == 1;
	}
	assert_true(over);
	talk(slow, NULL, "421 4.4.2");
	kb_fd_close(&slow);
	door_stop(&d);
}

TEST(mail_beyond_the_memory_for_it_is_put_off)
{
	static char text[40000];
	struct kb_buf octets;
	d.settings.limit.flight_octets = 65536;
	door_start(&d, 1);
	memset(text, 'x', sizeof(text));
	int first = to_data(&d, L_SMTP), second = to_data(&d, L_SMTP), third = greeted(&d, L_SMTP);
	put(first, text, sizeof(text));
	talk(first, "\r\n.\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	put(second, text, sizeof(text));
	talk(second, "\r\n.\r\n", "452 4.3.1");
	talk(third, HELLO "MAIL FROM:<> SIZE=30000\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n", "250|250 2.1.0|250 2.1.5|452 4.3.1");
	room_await(&d.room, KB_HEALTH_FLIGHT_FULL, true);
	result(&d, 0, &w.id, KB_OK);
	talk(first, NULL, "250 2.0.0");
	for (unsigned i = 0; i < 5; i++) { /* what was put off is not counted for ever */
		talk(second, ENVELOPE "DATA\r\n", "250 2.1.0|250 2.1.5|354");
		put(second, text, sizeof(text));
		talk(second, "\r\n.\r\n", "");
		store(&d, 0);
		talk(second, NULL, "250 2.0.0");
	}
	kb_fd_close(&first);
	kb_fd_close(&second);
	kb_fd_close(&third);
	door_stop(&d);
}

TEST(a_client_that_ends_within_a_message_leaves_no_room_taken)
{
	static char text[60000];
	d.settings.limit.flight_octets = 65536;
	door_start(&d, 1);
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < 4; i++) {
		int fd = to_data(&d, L_SMTP);
		put(fd, text, sizeof(text));
		kb_fd_close(&fd);
	}
	int fd = to_data(&d, L_SMTP);
	put(fd, text, sizeof(text));
	talk(fd, "\r\n.\r\n", "");
	store(&d, 0);
	talk(fd, NULL, "250 2.0.0");
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_client_that_says_nothing_or_half_a_line_is_let_go)
{
	d.settings.limit.idle_s = 1;
	door_start(&d, 1);
	int idle = greeted(&d, L_SMTP), half = greeted(&d, L_SMTP), data = to_data(&d, L_LMTP), waits = to_data(&d, L_SMTP);
	put(half, "NOO", 3);
	put(data, "text\r\n", 6);
	talk(waits, ".\r\n", "");
	talk(idle, NULL, "421 4.4.2");
	talk(half, NULL, "421 4.4.2");
	talk(data, NULL, "421 4.4.2");
	assert_true(silent(waits, 0)); /* whose silence is the door's own */
	store(&d, 0);
	talk(waits, NULL, "250 2.0.0");
	gone(idle);
	gone(half);
	gone(data);
	kb_fd_close(&waits);
	door_stop(&d);
}

/* It has asked for more replies than its socket holds; when it reads at last, all of them are there, in order. */
TEST(a_client_that_does_not_read_is_not_read_from_and_holds_up_nobody)
{
	enum { RCPTS = 30000 };
	static const char rcpt[] = "RCPT TO:<desk@kitebox.example>\r\n";
	struct kb_buf lines;
	d.settings.limit.recipients = RCPTS;
	door_start(&d, 1);
	kb_buf_init(&lines, 1 << 20);
	for (unsigned i = 0; i < RCPTS; i++)
		assert_ok(kb_buf_str(&lines, rcpt));
	int deaf = greeted(&d, L_UNIX);
	talk(deaf, "LHLO c\r\nMAIL FROM:<>\r\n", "250|250 2.1.0");
	size_t sent = 0;
	for (unsigned turns = 0; sent < lines.len && turns < 5;) {
		ssize_t n = send(deaf, lines.p + sent, lines.len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		struct pollfd p = {.fd = deaf, .events = POLLOUT};
		if (n > 0)
			sent += (size_t)n;
		else
			turns += poll(&p, 1, 20) == 0;
	}
	assert_true(sent < lines.len); /* it stopped to read */
	int fd = to_data(&d, L_SMTP);
	talk(fd, ".\r\n", "");
	store(&d, 0);
	talk(fd, NULL, "250 2.0.0");
	kb_fd_close(&fd);
	for (unsigned i = 0; i < RCPTS; i++) {
		while (sent < lines.len) {
			ssize_t n = send(deaf, lines.p + sent, lines.len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n <= 0)
				break;
			sent += (size_t)n;
		}
		talk(deaf, NULL, "250 2.1.5");
	}
	talk(deaf, "DATA\r\n", "354");
	talk(deaf, ".\r\n", "");
	store(&d, 0);
	for (unsigned i = 0; i < RCPTS; i++)
		talk(deaf, NULL, "250 2.0.0");
	talk(deaf, "QUIT\r\n", "221 2.0.0");
	gone(deaf);
	kb_buf_release(&lines);
	door_stop(&d);
}

/* Were the socket closed while octets lie unread in it, its reset could overtake the reply. */
TEST(the_last_reply_reaches_a_client_that_is_still_sending)
{
	static char flood[1 << 18];
	char c;
	door_start(&d, 0);
	int fd = greeted(&d, L_SMTP);
	memset(flood, 'x', sizeof(flood));
	talk(fd, "NOOP\nNOOP\r\n", "");
	put(fd, flood, sizeof(flood));
	talk(fd, NULL, "500 5.5.2");
	assert_int_equal(recv(fd, &c, 1, 0), 0); /* an end, not a reset */
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_reload_changes_limits_and_puts_off_transactions_under_way)
{
	door_start(&d, 1);
	int rcpt = greeted(&d, L_SMTP), data = to_data(&d, L_SMTP);
	talk(rcpt, HELLO ENVELOPE, "250|250 2.1.0|250 2.1.5");
	kb_field_set(d.settings.mailbox[0].address, KB_ADDRESS_FIELD, KB_LIT("other@kitebox.example"));
	d.settings.limit.message_octets = 99999;
	room_settings(&d.room, &d.settings);
	int fd = greeted(&d, L_SMTP);
	talk(fd, "MAIL FROM:<>\r\n", "503 5.5.1"); /* a turn of the loop */
	talk(fd, HELLO "MAIL FROM:<> SIZE=100000\r\n", "250|552 5.3.4");
	talk(rcpt, "RCPT TO:<other@kitebox.example>\r\nDATA\r\n", "451 4.3.0|451 4.3.0");
	talk(rcpt, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nRCPT TO:<other@kitebox.example>\r\n",
	    "250 2.0.0|250 2.1.0|550 5.1.1|250 2.1.5");
	talk(data, "text\r\n.\r\n", "451 4.3.0");
	kb_fd_close(&rcpt);
	kb_fd_close(&data);
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_stop_lets_idle_clients_go_and_finishes_what_has_begun)
{
	door_start(&d, 1);
	int idle = greeted(&d, L_SMTP), rcpt = greeted(&d, L_LMTP), data = to_data(&d, L_SMTP), waits = to_data(&d, L_UNIX);
	talk(rcpt, "LHLO c\r\n" ENVELOPE, "250|250 2.1.0|250 2.1.5");
	talk(waits, ".\r\n", "");
	room_ask_to_stop(&d.room);
	talk(idle, NULL, "421 4.3.2");
	gone(idle);
	talk(rcpt, NULL, "421 4.3.2");
	gone(rcpt);
	store(&d, 0);
	talk(waits, NULL, "250 2.0.0|421 4.3.2");
	gone(waits);
	talk(data, "text\r\n.\r\n", "");
	store(&d, 0);
	talk(data, NULL, "250 2.0.0|421 4.3.2");
	gone(data);
	door_end(&d);
}

TEST(a_stop_waits_for_a_message_whose_client_is_gone)
{
	struct kb_buf octets;
	struct pollfd p;
	door_start(&d, 1);
	int fd = to_data(&d, L_UNIX);
	talk(fd, "x\r\n.\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	kb_buf_release(&octets);
	kb_fd_close(&fd);
	room_ask_to_stop(&d.room);
	p = (struct pollfd){.fd = d.sealer[0], .events = POLLIN};
	assert_int_equal(poll(&p, 1, 200), 0); /* still there */
	result(&d, 0, &w.id, KB_OK);
	door_end(&d);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(a_client_that_speaks_before_it_is_greeted_is_refused),
		T(clients_beyond_the_limit_are_turned_away_and_there_is_room_again),
		T(one_address_may_have_a_quarter_of_the_connections_and_others_are_let_in),
		T(strangers_leave_a_tenth_of_the_connections_to_lmtp_and_unix_sockets),
		T(one_address_may_fill_half_of_the_memory_and_others_have_the_rest),
		T(a_message_that_comes_too_slowly_is_let_go),
		T(mail_beyond_the_memory_for_it_is_put_off),
		T(a_client_that_ends_within_a_message_leaves_no_room_taken),
		T(a_client_that_says_nothing_or_half_a_line_is_let_go),
		T(a_client_that_does_not_read_is_not_read_from_and_holds_up_nobody),
		T(the_last_reply_reaches_a_client_that_is_still_sending),
		T(a_reload_changes_limits_and_puts_off_transactions_under_way),
		T(a_stop_lets_idle_clients_go_and_finishes_what_has_begun),
		T(a_stop_waits_for_a_message_whose_client_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
