/* Messages: what is kept of them, where they end, why they are refused, and who is answered. */
#include "smtpfix.h"

#include <stdio.h>
#include <string.h>

TEST(a_message_is_taken_as_it_came_and_answered_with_its_id)
{
	to_data();
	say("Subject: x\r\n\r\n..dots\r\n...\r\n.x\r\nend \r\n.\r\n");
	assert_int_equal(t.whole, 1);
	assert_span(KB_SPAN(t.message, t.message_len), "Subject: x\r\n\r\n.dots\r\n..\r\nx\r\nend \r\n");
	assert_true(said("250 2.0.0 " ID " sealed and stored\r\n"));
	assert_string_equal(heard(), "250 2.0.0");
	say("QUIT\r\n");
	assert_string_equal(heard(), "221 2.0.0");
	assert_true(t.closed);
}

TEST(octets_behind_data_that_nobody_asked_for_end_the_session)
{
	burst(TO_DATA "x\r\n.\r\n");
	assert_string_equal(heard(), "250|250 2.1.0|250 2.1.5|503 5.5.0");
	assert_true(t.closed);
	assert_int_equal(t.whole, 0);
	begin_as(false);
	burst(HELLO "DATA\r\nMAIL FROM:<a@b.example>\r\n"); /* also where DATA itself is refused: they may be a message */
	assert_string_equal(heard(), "250|503 5.5.0");
}

/* SMTP smuggling: whatever another program may take for an end is none here, and the session is over with the message. */
TEST(a_message_ends_at_crlf_dot_crlf_and_nowhere_else)
{
	static const char *const none[] = {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r\n.\r\r\n", "\r.\r\n", "\r\r\n.\r\r\n",
	    "\n\r\n.\n", "\r\n\n.\r\n", "\r\n.\r.\r\n", "\n.\r\r\n"};
	for (size_t i = 0; i < KB_LEN(none); i++) {
		char text[256];
		begin_as(false);
		to_data();
		(void)snprintf(text, sizeof(text), "text%sMAIL FROM:<evil@b.example>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n", none[i]);
		burst(text);
		assert_string_equal(heard(), "");
		assert_int_equal(t.s.state, KB_SMTP_DATA);
		burst("more\r\n.\r\nNOOP\r\n");
		assert_string_equal(heard(), "554 5.6.11");
		assert_true(t.closed);
		assert_int_equal(t.whole, 0);
		assert_int_equal(t.dropped, 1);
		assert_int_equal(t.refused, 1);
	}
}

TEST(a_nul_is_refused_in_a_command_and_kept_in_a_message)
{
	feed("NO\0OP\r\n", 7);
	assert_string_equal(heard(), "500 5.5.2");
	to_data();
	feed("a\0b\r\n.\r\n", 8);
	assert_string_equal(heard(), "250 2.0.0");
	assert_int_equal(t.message_len, 5);
	assert_memory_equal(t.message, "a\0b\r\n", 5);
}

TEST(a_message_over_the_limit_is_heard_out_and_refused)
{
	char line[130];
	memset(line, 'x', 128);
	memcpy(line + 126, "\r\n", 3);
	to_data();
	for (size_t i = 0; i < 32; i++)
		say(line);
	say(".\r\n");
	assert_string_equal(heard(), "250 2.0.0"); /* 4096 octets */
	say("MAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n");
	(void)heard();
	for (size_t i = 0; i < 32; i++)
		say(line);
	say("\r\nRCPT TO:<desk@kitebox.example>\r\n.\r\nNOOP\r\n");
	assert_string_equal(heard(), "552 5.3.4|250 2.0.0");
	assert_int_equal(t.whole, 1);
	assert_int_equal(t.dropped, 1);
}

TEST(a_message_without_end_ends_the_session)
{
	static char flood[32768];
	memset(flood, 'x', sizeof(flood));
	to_data();
	for (size_t i = 0; i < 64 && !t.closed; i++)
		feed(flood, sizeof(flood));
	assert_string_equal(heard(), "552 5.3.4");
	assert_true(t.closed);
}

TEST(mail_that_went_in_circles_is_refused)
{
	static const struct {
		const char *header;
		bool loop;
	} cases[] = {
	    {"Received: a\r\nreceived: b\r\nRECEIVED :c\r\nReceived\t:d\r\nReceived:e\r\n\r\n", false},
	    {"Received: a\r\nreceived: b\r\nRECEIVED :c\r\nReceived\t:d\r\nReceived:e\r\n.Received:f\r\n\r\n", true},
	    {"Received: a\r\n b\r\nReceived: b\r\nReceived: c\r\nReceived: d\r\n Received: no\r\n"
	     "X-Received: no\r\nReceived-SPF: no\r\nReceived\r\n\r\n", false},
	    {"\r\nReceived: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\nReceived: 5\r\nReceived: 6\r\n", false},
	    {"Received: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\nReceived: 5\r\nReceived: 6\r\n", true},
	};
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		begin_as(false);
		to_data();
		say(cases[i].header);
		say(".\r\n");
		assert_string_equal(heard(), cases[i].loop ? "554 5.4.6" : "250 2.0.0");
	}
}

TEST(lmtp_answers_for_each_recipient_that_was_taken)
{
	begin_as(true);
	say("EHLO c\r\nHELO c\r\nSTARTTLS\r\nLHLO c\r\n");
	assert_string_equal(heard(), "500 5.5.1|500 5.5.1|500 5.5.1|250");
	say("MAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nRCPT TO:<nobody@kitebox.example>\r\n"
	    "RCPT TO:<relay@kitebox.example>\r\nDATA\r\nx\r\n.\r\n");
	assert_string_equal(heard(), "250 2.1.0|250 2.1.5|550 5.1.1|250 2.1.5|354|250 2.0.0|250 2.0.0");
	assert_int_equal(t.whole, 1);
	t.answer = KB_BUSY;
	say("MAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n");
	assert_string_equal(heard(), "250 2.1.0|250 2.1.5|250 2.1.5|354|452 4.3.1|452 4.3.1|250 2.0.0");
	say("MAIL FROM:<>\r\nRCPT TO:<nobody@kitebox.example>\r\nDATA\r\n");
	assert_string_equal(heard(), "250 2.1.0|550 5.1.1|503 5.5.1"); /* RFC 2033 4.2 */
}

TEST(more_answers_than_the_buffer_holds_come_in_turns)
{
	settings.limit.recipients = 1000;
	begin_as(true);
	say("LHLO c\r\nMAIL FROM:<>\r\n");
	for (size_t i = 0; i < 500; i++)
		say("RCPT TO:<desk@kitebox.example>\r\n");
	say("DATA\r\n");
	(void)heard();
	say(".\r\n");
	size_t n = 0;
	for (size_t i = 0; i < t.said_len; i++)
		n += t.said[i] == '\n';
	assert_int_equal(n, 500);
	assert_int_equal(t.s.state, KB_SMTP_READY);
}

TEST(what_fails_here_is_a_temporary_failure)
{
	for (unsigned st = KB_OK + 1; st < KB_STATUS_COUNT; st++) {
		begin_as(false);
		to_data();
		t.answer = (enum kb_status)st;
		say("x\r\n.\r\nMAIL FROM:<>\r\n");
		assert_true(said("451 4.") || said("452 4."));
		assert_false(said(ID));
		assert_true(said("250 2.1.0"));
	}
}

TEST(a_caller_without_room_refuses_before_or_during_the_message)
{
	t.open = KB_BUSY;
	say(TO_DATA "MAIL FROM:<>\r\n");
	assert_string_equal(heard(), "250|250 2.1.0|250 2.1.5|452 4.3.1|250 2.1.0");
	t.open = KB_OK;
	t.refuse = KB_BUSY;
	say("RCPT TO:<desk@kitebox.example>\r\nDATA\r\nabc\r\ndef\r\n.\r\nNOOP\r\n");
	assert_string_equal(heard(), "250 2.1.5|354|452 4.3.1|250 2.0.0");
	assert_int_equal(t.dropped, 1);
	assert_int_equal(t.whole, 0);
}

TEST(mailboxes_that_change_in_a_transaction_put_it_off)
{
	say(ENVELOPE);
	kb_smtp_stale(&t.s);
	say("RCPT TO:<desk@kitebox.example>\r\nDATA\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\nx\r\n");
	assert_string_equal(heard(), "250|250 2.1.0|250 2.1.5|451 4.3.0|451 4.3.0|250 2.0.0|250 2.1.0|250 2.1.5|354");
	kb_smtp_stale(&t.s);
	say("y\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n");
	assert_string_equal(heard(), "451 4.3.0|250 2.1.0|250 2.1.5|354");
	assert_int_equal(t.whole, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(a_message_is_taken_as_it_came_and_answered_with_its_id),
		T(octets_behind_data_that_nobody_asked_for_end_the_session),
		T(a_message_ends_at_crlf_dot_crlf_and_nowhere_else),
		T(a_nul_is_refused_in_a_command_and_kept_in_a_message),
		T(a_message_over_the_limit_is_heard_out_and_refused),
		T(a_message_without_end_ends_the_session),
		T(mail_that_went_in_circles_is_refused),
		T(lmtp_answers_for_each_recipient_that_was_taken),
		T(more_answers_than_the_buffer_holds_come_in_turns),
		T(what_fails_here_is_a_temporary_failure),
		T(a_caller_without_room_refuses_before_or_during_the_message),
		T(mailboxes_that_change_in_a_transaction_put_it_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
