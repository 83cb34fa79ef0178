/* The dialogue, as transcripts: what a client says, and the codes that it hears. */
#include "smtpfix.h"

#include <stdio.h>
#include <string.h>

TEST(the_greeting_names_host_and_protocol)
{
	struct kb_smtp_out out = {t.said, 0, sizeof(t.said)};
	kb_smtp_init(&t.s, &settings, false);
	kb_smtp_greet(&t.s, false, &out);
	kb_smtp_init(&t.s, &settings, true);
	kb_smtp_greet(&t.s, false, &out);
	t.said_len = out.len;
	assert_true(said("220 mx.kitebox.example ESMTP "));
	assert_true(said("220 mx.kitebox.example LMTP "));
}

TEST(the_envelope_is_kept_until_the_message_is_answered)
{
	say(HELLO "MAIL FROM:<\"a b\"@b.example> SIZE=100\r\nRCPT TO:<desk@kitebox.example>\r\nRCPT TO:<RELAY@kitebox.EXAMPLE>\r\n");
	assert_string_equal(t.s.mail.sender, "\"a b\"@b.example");
	assert_string_equal(t.s.helo, "c.example");
	assert_int_equal(t.s.mail.mailboxes, 3);
	assert_int_equal(t.s.mail.recipients, 2);
	assert_int_equal(t.s.mail.declared, 100);
	say("DATA\r\n.\r\n");
	assert_int_equal(t.s.mail.recipients, 0);
	assert_string_equal(t.s.mail.sender, "");
	assert_int_equal(t.message_len, 0); /* a message without an octet is one */
	assert_int_equal(t.whole, 1);
}

TEST(ehlo_lists_what_is_offered_and_starttls_only_with_a_certificate)
{
	say(HELLO);
	static const char *const words[] = {"250-mx.kitebox.example\r\n", "-PIPELINING\r\n", "-SIZE 4096\r\n", "-8BITMIME\r\n",
	    "-ENHANCEDSTATUSCODES\r\n", "250 SMTPUTF8\r\n"};
	for (size_t i = 0; i < KB_LEN(words); i++)
		assert_true(said(words[i]));
	assert_false(said("STARTTLS"));
	assert_false(said("CHUNKING"));
	assert_false(said("AUTH"));
	t.s.offer_tls = true;
	say(HELLO);
	assert_true(said("250-STARTTLS\r\n"));
	begin_as(true);
	t.s.offer_tls = true;
	say("LHLO c.example\r\n");
	assert_true(said("-PIPELINING\r\n") && said("-ENHANCEDSTATUSCODES\r\n") && said("-8BITMIME\r\n"));
	assert_false(said("STARTTLS"));
}

TEST(each_command_is_answered_as_the_table_says)
{
	static const struct {
		const char *say, *hear;
	} cases[] = {
	    {"NOOP\r\nNOOP with words\r\n", "250 2.0.0|250 2.0.0"},
	    {"noop\r\nHeLo c.example\r\n", "250 2.0.0|250"},
	    {"HELO\r\nEHLO\r\nEHLO a b\r\n", "501 5.5.4|501 5.5.4|501 5.5.4"},
	    {"EHLO c\xC3\xA9\r\n", "501 5.5.4"},
	    {"MAIL FROM:<a@b.example>\r\n", "503 5.5.1"},
	    {"HELO c\r\nMAIL FROM:<a@b.example>\r\n", "250|250 2.1.0"},
	    {"RCPT TO:<desk@kitebox.example>\r\nDATA\r\n", "503 5.5.1|503 5.5.1"},
	    {HELLO "RCPT TO:<desk@kitebox.example>\r\nDATA\r\n", "250|503 5.5.1|503 5.5.1"},
	    {HELLO "MAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n", "250|250 2.1.0|503 5.5.1|503 5.5.1"},
	    {HELLO "MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n", "250|250 2.1.0|250 2.0.0|250 2.1.0"},
	    {"RSET\r\nMAIL FROM:<>\r\n", "250 2.0.0|503 5.5.1"},
	    {ENVELOPE "EHLO c\r\nDATA\r\n", "250|250 2.1.0|250 2.1.5|250|503 5.5.1"},
	    {ENVELOPE "EHLO \r\nDATA\r\n", "250|250 2.1.0|250 2.1.5|501 5.5.4|354"}, /* refused, so nothing was forgotten */
	    {ENVELOPE "DATA now\r\n", "250|250 2.1.0|250 2.1.5|501 5.5.4"},
	    {"VRFY desk\r\nEXPN desk\r\nHELP\r\nHELP MAIL\r\n", "252 2.5.0|502 5.5.1|214 2.0.0|214 2.0.0"},
	    {HELLO "AUTH PLAIN AGEAYg==\r\nETRN x\r\n", "250|502 5.5.1|502 5.5.1"},
	    {"LHLO c\r\n", "500 5.5.1"},
	    {"XFORWARD x\r\nMAILFROM:<>\r\n\r\n NOOP\r\n", "500 5.5.2|500 5.5.2|500 5.5.2|500 5.5.2"},
	    {"RSET x\r\nQUIT x\r\nNOOP \t \r\n", "501 5.5.4|501 5.5.4|250 2.0.0"},
	    {HELLO "STARTTLS\r\n", "250|454 4.7.0"},
	    {"STARTTLS\r\n", "503 5.5.1"},
	};
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		begin_as(false);
		say(cases[i].say);
		assert_string_equal(heard(), cases[i].hear);
		assert_false(t.closed);
	}
}

TEST(a_pipeline_is_answered_in_order)
{
	burst(HELLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n");
	assert_string_equal(heard(), "250|250 2.1.0|250 2.1.5|354");
	burst("x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n");
	assert_string_equal(heard(), "250 2.0.0|250 2.1.0|250 2.1.5|354");
	burst("y\r\n.\r\nQUIT\r\nNOOP\r\n");
	assert_string_equal(heard(), "250 2.0.0|221 2.0.0");
	assert_int_equal(t.whole, 2);
}

TEST(octets_behind_starttls_end_the_session)
{
	t.s.offer_tls = true;
	burst(HELLO "STARTTLS\r\nMAIL FROM:<a@b.example>\r\n");
	assert_string_equal(heard(), "250|503 5.5.0");
	assert_true(t.closed);
	assert_false(t.s.secure);
}

TEST(after_starttls_everything_is_forgotten_and_it_is_not_offered_again)
{
	t.s.offer_tls = true;
	say(HELLO "STARTTLS\r\n");
	assert_string_equal(heard(), "250|220 2.0.0");
	assert_string_equal(t.s.helo, "");
	say("MAIL FROM:<a@b.example>\r\nSTARTTLS\r\n" HELLO);
	assert_false(said("250-STARTTLS"));
	assert_string_equal(heard(), "503 5.5.1|503 5.5.1|250");
	say("STARTTLS\r\nMAIL FROM:<a@b.example>\r\n");
	assert_string_equal(heard(), "503 5.5.1|250 2.1.0");
}

TEST(an_early_talker_is_refused)
{
	struct kb_smtp_out out = {t.said, 0, sizeof(t.said)};
	kb_smtp_init(&t.s, &settings, false);
	kb_smtp_greet(&t.s, true, &out);
	t.said_len = out.len;
	assert_string_equal(heard(), "554 5.5.0");
	say(HELLO);
	assert_true(t.closed);
	assert_string_equal(heard(), "");
}

TEST(a_bare_lf_or_cr_in_a_command_ends_the_session)
{
	static const char *const lines[] = {"NOOP\n", "NOOP\rNOOP\r\n", "NOOP\r\r\n", "\n", "MAIL FROM:<a@b.example>\nRCPT"};
	for (size_t i = 0; i < KB_LEN(lines); i++) {
		begin_as(false);
		say(HELLO);
		burst(lines[i]);
		burst("MAIL FROM:<a@b.example>\r\n");
		assert_string_equal(heard(), "250|500 5.5.2");
		assert_true(t.closed);
	}
}

TEST(whoever_means_a_web_server_or_sends_chunks_is_not_listened_to)
{
	static const char *const lines[] = {"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "CONNECT a:25 HTTP/1.1\r\n", "BDAT 40 LAST\r\n"};
	for (size_t i = 0; i < KB_LEN(lines); i++) {
		begin_as(false);
		say(HELLO);
		burst(lines[i]);
		burst("MAIL FROM:<evil@b.example>\r\n");
		assert_string_equal(heard(), i == 3 ? "250|502 5.5.1" : "250|500 5.5.2");
		assert_true(t.closed);
	}
}

TEST(a_line_that_is_too_long_is_passed_over_whole)
{
	char line[4000];
	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	feed(line, 510);
	feed("\r\n", 2);
	assert_string_equal(heard(), "250 2.0.0");
	feed(line, 511);
	feed("\r\n", 2);
	assert_string_equal(heard(), "500 5.5.2");
	feed(line, sizeof(line));
	assert_string_equal(heard(), "");
	feed(line, sizeof(line));
	feed("\r", 1);
	feed("\nNOOP\r\n", 7);
	assert_string_equal(heard(), "500 5.5.2|250 2.0.0");
	feed(line, sizeof(line));
	feed("\n", 1);
	assert_string_equal(heard(), "500 5.5.2");
	assert_true(t.closed);
}

TEST(a_session_has_so_many_messages_faults_and_idle_words)
{
	settings.limit.messages_a_session = 2;
	to_data();
	say(".\r\nMAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n.\r\nMAIL FROM:<>\r\n");
	assert_string_equal(heard(), "250 2.0.0|250 2.1.0|250 2.1.5|354|250 2.0.0|421 4.7.0");
	assert_true(t.closed);
	begin_as(false);
	for (size_t i = 0; i < 19; i++)
		say("NONSENSE\r\n");
	assert_false(t.closed);
	(void)heard();
	say("NONSENSE\r\nNOOP\r\n");
	assert_string_equal(heard(), "500 5.5.2|421 4.7.0");
	assert_true(t.closed);
	begin_as(false);
	for (size_t i = 0; i < 100; i++)
		say("NOOP\r\n");
	assert_false(t.closed);
	(void)heard();
	say("NOOP\r\n");
	assert_string_equal(heard(), "421 4.7.0");
	assert_true(t.closed);
}

TEST(a_message_makes_up_for_faults_and_idle_words)
{
	for (size_t i = 0; i < 40; i++) {
		say(i ? "NOOP\r\nNOOP\r\nNONSENSE\r\n" : HELLO);
		say("MAIL FROM:<>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n.\r\n");
		assert_false(t.closed);
	}
	assert_int_equal(t.whole, 40);
}

TEST(a_session_can_be_ended_at_any_moment)
{
	static const char *const codes[KB_SMTP_ENDS] = {
	    [KB_SMTP_IDLE] = "421 4.4.2", [KB_SMTP_STOPPING] = "421 4.3.2", [KB_SMTP_CROWDED] = "421 4.3.2", [KB_SMTP_GREEDY] = "421 4.7.0"};
	for (unsigned i = 0; i < KB_SMTP_ENDS; i++) {
		begin_as(false);
		to_data();
		struct kb_smtp_out out = {t.said, 0, sizeof(t.said)};
		kb_smtp_end(&t.s, (enum kb_smtp_end)i, &out);
		t.said_len = out.len;
		assert_string_equal(heard(), codes[i]);
		say("x\r\n.\r\n");
		assert_true(t.closed);
		assert_string_equal(heard(), "");
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(the_greeting_names_host_and_protocol),
		T(the_envelope_is_kept_until_the_message_is_answered),
		T(ehlo_lists_what_is_offered_and_starttls_only_with_a_certificate),
		T(each_command_is_answered_as_the_table_says),
		T(a_pipeline_is_answered_in_order),
		T(octets_behind_starttls_end_the_session),
		T(after_starttls_everything_is_forgotten_and_it_is_not_offered_again),
		T(an_early_talker_is_refused),
		T(a_bare_lf_or_cr_in_a_command_ends_the_session),
		T(whoever_means_a_web_server_or_sends_chunks_is_not_listened_to),
		T(a_line_that_is_too_long_is_passed_over_whole),
		T(a_session_has_so_many_messages_faults_and_idle_words),
		T(a_message_makes_up_for_faults_and_idle_words),
		T(a_session_can_be_ended_at_any_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
