/* What becomes of one mail, against a server that answers rightly, wrongly, too much, or not at all. */
#include "net_send.h"

TEST(a_message_is_delivered_when_the_server_says_250_after_the_dot)
{
	static const struct turn script[] = {TAKEN, {SAY, "250 2.0.0 queued\r\n"}, {HEAR, "QUIT\r\n"}, {END, NULL}};

	assert_result(send_to(script), KB_SEND_DELIVERED, 250, KB_OK);
	assert_true(server.kept);
	assert_int_equal(diag.status, KB_OK);
}

TEST(the_message_arrives_octet_for_octet)
{
	static const struct turn script[] = {TAKEN, {SAY, "250 ok\r\n"}, {END, NULL}};

	assert_result(send_to(script), KB_SEND_DELIVERED, 250, KB_OK);
	assert_int_equal(server.message_len, strlen(SENT));
	assert_memory_equal(server.message, SENT, strlen(SENT));
}

TEST(tls_may_come_first)
{
	static const struct turn script[] = {{TLS, NULL}, {SAY, "220 hello\r\n"}, {HEAR, "EHLO"}, {SAY, "250 hello\r\n"},
	    {HEAR, "MAIL FROM:<desk@kitebox.example>\r\n"}, {SAY, "250 ok\r\n"}, {HEAR, "RCPT"}, {SAY, "251 will forward\r\n"},
	    {HEAR, "DATA"}, {SAY, "354 go\r\n"}, {TAKE, NULL}, {SAY, "250 ok\r\n"}, {END, NULL}};

	job.tls_at_once = true;
	assert_result(send_to(script), KB_SEND_DELIVERED, 250, KB_OK);
	assert_true(server.kept);
}

TEST(the_null_sender_stays_null)
{
	static const struct turn script[] = {READY, {HEAR, "MAIL FROM:<> SIZE="}, {SAY, "250 ok\r\n"}, {HEAR, "RCPT"},
	    {SAY, "250 ok\r\n"}, {HEAR, "DATA"}, {SAY, "354 go\r\n"}, {TAKE, NULL}, {SAY, "250 ok\r\n"}, {END, NULL}};

	job.from = "";
	assert_result(send_to(script), KB_SEND_DELIVERED, 250, KB_OK);
	assert_true(server.kept);
}

TEST(a_user_logs_in_under_tls)
{
	static const struct turn script[] = {READY, {HEAR, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"}, {SAY, "235 welcome\r\n"},
	    {HEAR, "MAIL"}, {SAY, "250 ok\r\n"}, {HEAR, "RCPT"}, {SAY, "250 ok\r\n"}, {HEAR, "DATA"}, {SAY, "354 go\r\n"}, {TAKE, NULL},
	    {SAY, "250 ok\r\n"}, {END, NULL}};

	/* RFC 4616 section 4, the first example */
	job.user = "tim";
	job.password = KB_LIT("tanstaaftanstaaf");
	assert_result(send_to(script), KB_SEND_DELIVERED, 250, KB_OK);
	assert_true(server.kept);
}

TEST(a_server_that_offers_no_login_does_not_hear_the_password)
{
	static const struct turn script[] = {SECURE, {SAY, "250-mail.oia.example\r\n250 AUTH LOGIN\r\n"}, {END, NULL}};

	job.user = "tim";
	job.password = KB_LIT("tanstaaftanstaaf");
	assert_result(send_to(script), KB_SEND_TEMPORARY, 0, KB_UNSUPPORTED);
	assert_false(was_heard("AUTH"));
}

TEST(a_server_without_starttls_hears_nothing_but_ehlo)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "250-hi\r\n250 SIZE\r\n"}, {END, NULL}};

	job.user = "tim";
	job.password = KB_LIT("tanstaaftanstaaf");
	assert_result(send_to(script), KB_SEND_TEMPORARY, 0, KB_UNSUPPORTED);
	assert_int_equal(server.heard_len, strlen("EHLO kitebox.example\r\nQUIT\r\n"));
}

TEST(the_name_that_the_server_greets_with_is_no_offer)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "250-STARTTLS\r\n250 SIZE\r\n"}, {END, NULL}};

	assert_result(send_to(script), KB_SEND_TEMPORARY, 0, KB_UNSUPPORTED);
}

TEST(octets_injected_before_tls_end_the_delivery)
{
	static const struct turn script[] = {HELLO, {HEAR, "STARTTLS"}, {SAY, "220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n"}, {END, NULL}};

	assert_result(send_to(script), KB_SEND_TEMPORARY, 0, KB_SEQUENCE);
}

TEST(what_was_offered_in_the_clear_is_forgotten)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "250-hi\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"},
	    {HEAR, "STARTTLS"}, {SAY, "220 go\r\n"}, {TLS, NULL}, {HEAR, "EHLO"}, {SAY, "250 hi\r\n"}, {END, NULL}};

	job.user = "tim";
	job.password = KB_LIT("tanstaaftanstaaf");
	assert_result(send_to(script), KB_SEND_TEMPORARY, 0, KB_UNSUPPORTED);
	assert_false(was_heard("AUTH"));
}

/* ---- at each step: put off, refused, cut off ---- */

#define AT(name, ...) static const struct turn name[] = {__VA_ARGS__, {END, NULL}}
#define CUT_AT(name, ...) static const struct turn name[] = {__VA_ARGS__, {CUT, NULL}}

AT(greeting_421, {SAY, "421 busy\r\n"});
AT(greeting_554, {SAY, "554 no mail here\r\n"});
AT(ehlo_421, {SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "421 busy\r\n"});
AT(ehlo_502, {SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "502 what?\r\n"});
AT(starttls_454, HELLO, {HEAR, "STARTTLS"}, {SAY, "454 not now\r\n"});
AT(starttls_501, HELLO, {HEAR, "STARTTLS"}, {SAY, "501 no\r\n"});
AT(again_421, SECURE, {SAY, "421 busy\r\n"});
AT(again_550, SECURE, {SAY, "550 not you\r\n"});
AT(mail_451, MAILED, {SAY, "451 later\r\n"});
AT(mail_550, MAILED, {SAY, "550-not\r\n550 you\r\n"});
AT(mail_530, MAILED, {SAY, "530 log in first\r\n"});
AT(mail_552, MAILED, {SAY, "552 too big\r\n"});
AT(rcpt_450, RCPTED, {SAY, "450 greylisted\r\n"});
AT(rcpt_550, RCPTED, {SAY, "550 unknown\r\n"});
AT(rcpt_252, RCPTED, {SAY, "252 maybe\r\n"});
AT(data_451, DATAED, {SAY, "451 later\r\n"});
AT(data_554, DATAED, {SAY, "554 no\r\n"});
AT(taken_452, TAKEN, {SAY, "452 no room\r\n"});
AT(taken_554, TAKEN, {SAY, "554 refused\r\n"});
AT(taken_odd, TAKEN, {SAY, "200 fine\r\n"});
AT(taken_long, TAKEN, {SAY, "2500 fine\r\n"});
AT(taken_words, TAKEN, {SAY, "all right\r\n"});

TEST(what_a_server_answers_at_each_step_decides_the_outcome)
{
	static const struct {
		const struct turn *script;
		enum kb_send_outcome outcome;
		unsigned code;
		enum kb_status reason;
	} rows[] = {
	    {greeting_421, KB_SEND_TEMPORARY, 421, KB_AGAIN},
	    {greeting_554, KB_SEND_TEMPORARY, 554, KB_DENIED},
	    {ehlo_421, KB_SEND_TEMPORARY, 421, KB_AGAIN},
	    {ehlo_502, KB_SEND_TEMPORARY, 502, KB_DENIED},
	    {starttls_454, KB_SEND_TEMPORARY, 454, KB_AGAIN},
	    {starttls_501, KB_SEND_TEMPORARY, 501, KB_DENIED},
	    {again_421, KB_SEND_TEMPORARY, 421, KB_AGAIN},
	    {again_550, KB_SEND_TEMPORARY, 550, KB_DENIED},
	    {mail_451, KB_SEND_TEMPORARY, 451, KB_AGAIN},
	    {mail_550, KB_SEND_PERMANENT, 550, KB_DENIED},
	    {mail_530, KB_SEND_TEMPORARY, 530, KB_DENIED},
	    {mail_552, KB_SEND_PERMANENT, 552, KB_DENIED},
	    {rcpt_450, KB_SEND_TEMPORARY, 450, KB_AGAIN},
	    {rcpt_550, KB_SEND_PERMANENT, 550, KB_DENIED},
	    {rcpt_252, KB_SEND_TEMPORARY, 252, KB_MALFORMED},
	    {data_451, KB_SEND_TEMPORARY, 451, KB_AGAIN},
	    {data_554, KB_SEND_PERMANENT, 554, KB_DENIED},
	    {taken_452, KB_SEND_TEMPORARY, 452, KB_AGAIN},
	    {taken_554, KB_SEND_PERMANENT, 554, KB_DENIED},
	    {taken_odd, KB_SEND_TEMPORARY, 200, KB_MALFORMED},
	    {taken_long, KB_SEND_TEMPORARY, 0, KB_MALFORMED},
	    {taken_words, KB_SEND_TEMPORARY, 0, KB_MALFORMED},
	};

	for (size_t i = 0; i < KB_LEN(rows); i++) {
		(void)set_up(NULL);
		assert_result(send_to(rows[i].script), rows[i].outcome, rows[i].code, rows[i].reason);
		assert_true(server.kept);
		assert_int_equal(diag.status, rows[i].reason);
		assert_non_null(diag.what);
	}
}

CUT_AT(cut_at_once, {SAY, ""});
CUT_AT(cut_greeting, {SAY, "220 h"});
CUT_AT(cut_ehlo, {SAY, "220 hi\r\n"}, {HEAR, "EHLO"});
CUT_AT(cut_offers, {SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "250-hi\r\n250-STARTTLS\r\n"});
CUT_AT(cut_starttls, HELLO, {HEAR, "STARTTLS"});
CUT_AT(cut_handshake, HELLO, {HEAR, "STARTTLS"}, {SAY, "220 go\r\n"});
CUT_AT(cut_secure, SECURE);
CUT_AT(cut_mail, MAILED);
CUT_AT(cut_rcpt, RCPTED);
CUT_AT(cut_data, DATAED);
CUT_AT(cut_message, TAKING, {TAKE_SOME, NULL});
CUT_AT(cut_dot, TAKEN);
CUT_AT(cut_reply, TAKEN, {SAY, "250 queu"});
CUT_AT(cut_more, TAKEN, {SAY, "250-queued\r\n"});

TEST(a_connection_lost_at_any_step_is_temporary_and_never_a_delivery)
{
	static const struct turn *const scripts[] = {cut_at_once, cut_greeting, cut_ehlo, cut_offers, cut_starttls, cut_handshake,
	    cut_secure, cut_mail, cut_rcpt, cut_data, cut_message, cut_dot, cut_reply, cut_more};
	static char large[1 << 20];

	memset(large, 'x', sizeof large);
	for (size_t i = 76; i < sizeof large; i += 78)
		memcpy(large + i, "\r\n", 2);
	memcpy(large + sizeof large - 2, "\r\n", 2);
	for (size_t i = 0; i < KB_LEN(scripts); i++) {
		(void)set_up(NULL);
		if (scripts[i] == cut_message)
			job.message = KB_SPAN(large, sizeof large);
		assert_result(send_to(scripts[i]), KB_SEND_TEMPORARY, 0, KB_IO);
		assert_true(server.kept);
	}
}

/* ---- servers that mean harm ---- */

static char chunk[3001];

static const char *no_line(void)
{
	memset(chunk, 'a', sizeof chunk - 1);
	memcpy(chunk, "250-", 4);
	return chunk;
}

TEST(a_line_without_end_is_not_read_to_its_end)
{
	const struct turn clear[] = {{SAY, "220-"}, {FLOOD, no_line()}, {END, NULL}};
	const struct turn secure[] = {SECURE, {SAY, "250-"}, {FLOOD, no_line()}, {END, NULL}};

	assert_result(send_to(clear), KB_SEND_TEMPORARY, 0, KB_LIMIT);
	(void)set_up(NULL);
	assert_result(send_to(secure), KB_SEND_TEMPORARY, 0, KB_LIMIT);
}

TEST(a_reply_without_end_is_not_read_to_its_end)
{
	static const struct turn greeting[] = {{FLOOD, "220-and another thing\r\n"}, {END, NULL}};
	static const struct turn offers[] = {{SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {FLOOD, "250-STARTTLS\r\n"}, {END, NULL}};
	static const struct turn last[] = {TAKEN, {FLOOD, "250-and another thing\r\n"}, {END, NULL}};
	static const struct turn odd[] = {{FLOOD, "4096 a number that libetpan reads on after\r\n"}, {END, NULL}};
	static const struct turn *const scripts[] = {greeting, offers, last, odd};

	for (size_t i = 0; i < KB_LEN(scripts); i++) {
		(void)set_up(NULL);
		assert_result(send_to(scripts[i]), KB_SEND_TEMPORARY, 0, KB_LIMIT);
	}
}

TEST(an_offer_that_libetpan_would_read_for_ever_is_passed_over)
{
	static const struct turn script[] = {SECURE, {SAY, "250-hi\r\n250-AUTH X\tY\r\n250 AUTH=\t\r\n"}, {HEAR, "MAIL"}, {SAY, "250 ok\r\n"},
	    {HEAR, "RCPT"}, {SAY, "250 ok\r\n"}, {HEAR, "DATA"}, {SAY, "354 go\r\n"}, {TAKE, NULL}, {SAY, "250 ok\r\n"}, {END, NULL}};

	assert_result(send_to(script), KB_SEND_DELIVERED, 250, KB_OK);
}

TEST(a_silent_server_is_left)
{
	static const struct turn script[] = {{END, NULL}};

	limits.wait_ms = 50;
	assert_result(send_to(script), KB_SEND_TEMPORARY, 0, KB_AGAIN);
}

TEST(a_deadline_that_is_over_ends_everything)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {END, NULL}};

	limits.deadline_ms = 0;
	assert_result(send_to(script), KB_SEND_TEMPORARY, 0, KB_AGAIN);
	assert_int_equal(server.heard_len, 0);
}

TEST(a_large_message_has_more_time)
{
	assert_true(kb_send_limits(64 << 20).deadline_ms > 2 * kb_send_limits(1000).deadline_ms);
	assert_int_equal(kb_send_limits(SIZE_MAX / 2).deadline_ms, KB_SEND_DEADLINE_MOST_S * 1000);
}

/* ---- what cannot be said ---- */

TEST(nothing_that_could_end_a_command_reaches_the_server)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {END, NULL}};
	static const char *const addresses[] = {"a@b.example\r\nDATA", "a@b.example>\r\n", "a b@c.example", "<a@b.example>",
	    "a@b.example\n", "a@b.example NOTIFY=NEVER", "a", "a@", "@b.example", "\"a b\"@c.example", "a\xc3\xa9@b.example", ""};

	for (size_t i = 0; i < 2 * KB_LEN(addresses); i++) {
		const char *address = addresses[i / 2];

		(void)set_up(NULL);
		if (i % 2)
			job.to = address;
		else if (address[0])
			job.from = address;
		else
			job.helo = "kitebox.example\r\nMAIL FROM:<a@b.example>";
		assert_result(send_to(script), KB_SEND_PERMANENT, 0, KB_MALFORMED);
		assert_int_equal(server.heard_len, 0);
	}
}

TEST(a_message_without_its_last_line_end_is_not_sent)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {END, NULL}};

	job.message = KB_LIT("Subject: x\r\n\r\nno end");
	assert_result(send_to(script), KB_SEND_PERMANENT, 0, KB_MALFORMED);
}

TEST(a_password_with_nul_is_not_sent)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {END, NULL}};

	job.user = "tim";
	job.password = KB_SPAN("a\0b", 3);
	assert_result(send_to(script), KB_SEND_PERMANENT, 0, KB_MALFORMED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
	    T(a_message_is_delivered_when_the_server_says_250_after_the_dot),
	    T(the_message_arrives_octet_for_octet),
	    T(tls_may_come_first),
	    T(the_null_sender_stays_null),
	    T(a_user_logs_in_under_tls),
	    T(a_server_that_offers_no_login_does_not_hear_the_password),
	    T(a_server_without_starttls_hears_nothing_but_ehlo),
	    T(the_name_that_the_server_greets_with_is_no_offer),
	    T(octets_injected_before_tls_end_the_delivery),
	    T(what_was_offered_in_the_clear_is_forgotten),
	    T(what_a_server_answers_at_each_step_decides_the_outcome),
	    T(a_connection_lost_at_any_step_is_temporary_and_never_a_delivery),
	    T(a_line_without_end_is_not_read_to_its_end),
	    T(a_reply_without_end_is_not_read_to_its_end),
	    T(an_offer_that_libetpan_would_read_for_ever_is_passed_over),
	    T(a_silent_server_is_left),
	    T(a_deadline_that_is_over_ends_everything),
	    T(a_large_message_has_more_time),
	    T(nothing_that_could_end_a_command_reaches_the_server),
	    T(a_message_without_its_last_line_end_is_not_sent),
	    T(a_password_with_nul_is_not_sent),
	};

	return cmocka_run_group_tests(tests, net_open, net_close);
}
