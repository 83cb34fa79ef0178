/* The envelope: addresses and parameters of MAIL and RCPT. */
#include "smtpfix.h"

#include <stdio.h>
#include <string.h>

TEST(paths_are_those_of_the_standard)
{
	static const struct {
		const char *path, *code, *sender;
	} cases[] = {
	    {"<>", "250 2.1.0", ""},
	    {"<a@b.example>", "250 2.1.0", "a@b.example"},
	    {" <a@b.example>", "250 2.1.0", "a@b.example"},
	    {"<KBA/DutyOfficer~@prison.example>", "250 2.1.0", "KBA/DutyOfficer~@prison.example"},
	    {"<a.b+c=d@e-f.g>", "250 2.1.0", "a.b+c=d@e-f.g"},
	    {"<@x.example,@y.example:a@b.example>", "250 2.1.0", "a@b.example"},
	    {"<\"a \\\"b\\\"> c\"@b.example>", "250 2.1.0", "\"a \\\"b\\\"> c\"@b.example"},
	    {"<a@[192.0.2.1]>", "250 2.1.0", "a@[192.0.2.1]"},
	    {"<a@[IPv6:2001:db8::1]>", "250 2.1.0", "a@[IPv6:2001:db8::1]"},
	    {"<a_b@my_host.example>", "250 2.1.0", "a_b@my_host.example"},
	    {"a@b.example", "501 5.1.7", ""},
	    {"<a@b.example", "501 5.1.7", ""},
	    {"<a@b.example>x", "501 5.1.7", ""},
	    {"<a>", "501 5.1.7", ""},
	    {"<Postmaster>", "501 5.1.7", ""}, /* RFC 5321 4.1.1.2: a sender has a domain */
	    {"<a@>", "501 5.1.7", ""},
	    {"<@b.example>", "501 5.1.7", ""},
	    {"<@x.example:>", "501 5.1.7", ""},
	    {"<.a@b.example>", "501 5.1.7", ""},
	    {"<a.@b.example>", "501 5.1.7", ""},
	    {"<a..b@c.example>", "501 5.1.7", ""},
	    {"<a@b..example>", "501 5.1.7", ""},
	    {"<a@b.example.>", "501 5.1.7", ""},
	    {"<a b@c.example>", "501 5.1.7", ""},
	    {"<a(c)@b.example>", "501 5.1.7", ""},
	    {"<\"a@b.example>", "501 5.1.7", ""},
	    {"<\"a\\\"@b.example>", "501 5.1.7", ""},
	    {"<a@[]>", "501 5.1.7", ""},
	    {"<a@b@c.example>", "501 5.1.7", ""},
	    {"<\xC3\xA9@b.example>", "553 5.6.7", ""},
	    {"<\xC3\xA9@b.example> SMTPUTF8", "250 2.1.0", "\xC3\xA9@b.example"},
	    {"<a@\xC3\xA9.example> smtputf8", "250 2.1.0", "a@\xC3\xA9.example"},
	    {"<\xC3@b.example> SMTPUTF8", "501 5.1.7", ""},
	    {"<a\x01@b.example>", "501 5.1.7", ""},
	};
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		char line[512], codes[64];
		begin_as(false);
		(void)snprintf(line, sizeof(line), HELLO "MAIL FROM:%s\r\n", cases[i].path);
		(void)snprintf(codes, sizeof(codes), "250|%s", cases[i].code);
		say(line);
		assert_string_equal(heard(), codes);
		assert_string_equal(t.s.mail.sender, cases[i].sender);
	}
}

TEST(lengths_of_paths_have_an_end)
{
	char line[1024], local[300], label[80];
	memset(local, 'a', sizeof(local));
	memset(label, 'b', sizeof(label));
	say(HELLO);
	static const struct {
		int local, label;
		const char *code;
	} cases[] = {
	    {64, 10, "250 2.1.0"},
	    {100, 10, "250 2.1.0"}, /* bounce addresses are that long */
	    {232, 10, "250 2.1.0"}, /* a path of 256 octets */
	    {233, 10, "501 5.1.7"},
	    {5, 63, "250 2.1.0"},
	    {5, 64, "501 5.1.7"},
	};
	(void)heard();
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		(void)snprintf(line, sizeof(line), "MAIL FROM:<%.*s@%.*s.example.of>\r\n", cases[i].local, local, cases[i].label, label);
		say(line);
		assert_string_equal(heard(), cases[i].code);
		say("RSET\r\n");
		(void)heard();
	}
}

TEST(only_our_mailboxes_are_recipients)
{
	static const struct {
		const char *path, *code;
		uint32_t mailboxes;
	} cases[] = {
	    {"<desk@kitebox.example>", "250 2.1.5", 1},
	    {"<DESK@KITEBOX.example>", "250 2.1.5", 1},
	    {"<\"desk\"@kitebox.example>", "250 2.1.5", 1},
	    {"<\"d\\esk\"@kitebox.example>", "250 2.1.5", 1},
	    {"<@relay.example:desk@kitebox.example>", "250 2.1.5", 1},
	    {"<relay@kitebox.example>", "250 2.1.5", 2},
	    {"<O'Neil+X@other.example>", "250 2.1.5", 4},
	    {"<Postmaster>", "250 2.1.5", 1},
	    {"<postmaster@mx.kitebox.example>", "250 2.1.5", 1},
	    {"<postMASTER@kitebox.example>", "250 2.1.5", 1},
	    {"<postmaster@other.example>", "250 2.1.5", 1},
	    {"<postmaster@elsewhere.example>", "550 5.1.1", 0},
	    {"<desk@elsewhere.example>", "550 5.1.1", 0},
	    {"<desk@mx.kitebox.example>", "550 5.1.1", 0},
	    {"<nobody@kitebox.example>", "550 5.1.1", 0},
	    {"<desk%kitebox.example@kitebox.example>", "550 5.1.1", 0},
	    {"<desk@kitebox.example@elsewhere.example>", "501 5.1.3", 0},
	    {"<\"\"@kitebox.example>", "550 5.1.1", 0},
	    {"<desk>", "501 5.1.3", 0},
	    {"<>", "501 5.1.3", 0},
	    {"<desk@kitebox.example> NOTIFY=NEVER", "555 5.5.4", 0},
	    {"<desk@kitebox.example>x", "501 5.1.3", 0},
	    {"<d\xC3\xA9sk@kitebox.example>", "553 5.6.7", 0},
	};
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		char line[512];
		begin_as(false);
		(void)snprintf(line, sizeof(line), HELLO "MAIL FROM:<>\r\nRCPT TO:%s\r\n", cases[i].path);
		say(line);
		assert_string_equal(heard() + strlen("250|250 2.1.0|"), cases[i].code);
		assert_int_equal(t.s.mail.mailboxes, cases[i].mailboxes);
	}
}

TEST(parameters_of_mail_are_known_or_refused)
{
	static const struct {
		const char *words, *code;
	} cases[] = {
	    {"SIZE=4096", "250 2.1.0"},
	    {"SIZE=4097", "552 5.3.4"},
	    {"SIZE=99999999999999999999", "552 5.3.4"},
	    {"SIZE=999999999999999999999", "501 5.5.4"},
	    {"SIZE=", "501 5.5.4"},
	    {"SIZE", "501 5.5.4"},
	    {"SIZE=-1", "501 5.5.4"},
	    {"BODY=8BITMIME SIZE=1", "250 2.1.0"},
	    {"body=7bit  SMTPUTF8", "250 2.1.0"},
	    {"BODY=BINARYMIME", "501 5.5.4"},
	    {"SMTPUTF8=1", "501 5.5.4"},
	    {"SIZE=1 SIZE=1", "501 5.5.4"},
	    {"RET=FULL", "555 5.5.4"},
	    {"AUTH=<>", "555 5.5.4"},
	    {"=1", "555 5.5.4"},
	};
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		char line[512];
		begin_as(false);
		(void)snprintf(line, sizeof(line), HELLO "MAIL FROM:<a@b.example> %s\r\n", cases[i].words);
		say(line);
		assert_string_equal(heard() + strlen("250|"), cases[i].code);
		assert_int_equal(t.s.state, cases[i].code[0] == '2' ? KB_SMTP_MAIL : KB_SMTP_READY);
	}
}

TEST(a_refused_recipient_leaves_the_others)
{
	say(HELLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@kitebox.example>\r\nRCPT TO:<desk@kitebox.example>\r\n"
		  "RCPT TO:<nobody@kitebox.example>\r\nDATA\r\n");
	assert_string_equal(heard(), "250|250 2.1.0|550 5.1.1|250 2.1.5|550 5.1.1|354");
}

TEST(recipients_beyond_the_limit_are_to_come_again)
{
	say(ENVELOPE "RCPT TO:<desk@kitebox.example>\r\nRCPT TO:<desk@kitebox.example>\r\nRCPT TO:<desk@kitebox.example>\r\nDATA\r\n");
	assert_string_equal(heard(), "250|250 2.1.0|250 2.1.5|250 2.1.5|250 2.1.5|452 4.5.3|354");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(paths_are_those_of_the_standard),
		T(lengths_of_paths_have_an_end),
		T(only_our_mailboxes_are_recipients),
		T(parameters_of_mail_are_known_or_refused),
		T(a_refused_recipient_leaves_the_others),
		T(recipients_beyond_the_limit_are_to_come_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
