/* settings: every row of the table, by its default, its least, its most and what it refuses. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_file.h"

static const char minimal[] = "hostname = \"kitebox.example\";\n"
			      "mail_from = \"desk@kitebox.example\";\n"
			      "listen = ( { kind = \"lmtp\"; address = \"/run/kitebox/lmtp.sock\"; } );\n"
			      "mailboxes = ( { address = \"desk@kitebox.example\"; } );\n";

static struct kb_settings_report report;

static enum kb_status parse(const char *text, struct kb_settings *ret_s)
{
	return kb_settings_parse(kb_span_str(text), ret_s, &report);
}

/* The minimal file with a line put in front; a row that the minimal file has is taken out of it. */
static enum kb_status parse_with(const char *key, const char *line, struct kb_settings *ret_s)
{
	char text[4096];
	struct kb_span rest = kb_span_str(minimal), l;
	size_t n = (size_t)snprintf(text, sizeof text, "%s\n", line);

	while (kb_span_line(&rest, &l))
		if (!kb_span_starts(l, kb_span_str(key)))
			n += (size_t)snprintf(text + n, sizeof text - n, "%.*s\n", (int)l.len, (const char *)l.p);
	return parse(text, ret_s);
}

/* "a.b" = VALUE as libconfig writes it: a = { b = VALUE; }; */
static void assign(char *line, size_t size, const char *key, const char *value)
{
	const char *dot = strchr(key, '.');

	if (dot)
		snprintf(line, size, "%.*s = { %s = %s; };", (int)(dot - key), key, dot + 1, value);
	else
		snprintf(line, size, "%s = %s;", key, value);
}

static uint64_t number(const struct kb_settings *s, const struct kb_setting *r)
{
	uint64_t v = 0;

	memcpy(&v, (const uint8_t *)s + r->offset, r->size);
	return v;
}

static enum kb_status set_number(const struct kb_setting *r, uint64_t v, struct kb_settings *ret_s)
{
	char value[32], line[128];

	snprintf(value, sizeof value, "%lluL", (unsigned long long)v);
	assign(line, sizeof line, r->key, value);
	return parse_with(r->key, line, ret_s);
}

/* Numbers that must agree with others are tried within those bounds. */
static bool bound_by_others(const struct kb_setting *r)
{
	return strcmp(r->key, "limits.message_octets") == 0 || strcmp(r->key, "limits.flight_octets") == 0 ||
	       strncmp(r->key, "referral.retry", 14) == 0;
}

TEST(a_minimal_file_gets_every_default)
{
	struct kb_settings s;
	size_t n;
	const struct kb_setting *rows = kb_settings_rows(&n);

	assert_ok(parse(minimal, &s));
	assert_int_equal(report.faults, 0);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].kind == KB_SETTING_NUMBER)
			assert_int_equal(number(&s, &rows[i]), rows[i].number);
		else if (!rows[i].required)
			assert_string_equal((const char *)&s + rows[i].offset, rows[i].text ? rows[i].text : "");
	}
	assert_string_equal(s.hostname, "kitebox.example");
	assert_int_equal(s.limit.message_octets, 52428800);
	assert_int_equal(s.listeners, 1);
	assert_int_equal(s.listener[0].kind, KB_LISTEN_LMTP);
	assert_int_equal(s.mailboxes, 1);
	assert_int_equal(s.mailbox[0].language, KB_LANG_EN);
	assert_int_equal(s.relays, 0);
}

TEST(every_number_takes_its_least_and_its_most_and_nothing_beyond)
{
	size_t n;
	const struct kb_setting *rows = kb_settings_rows(&n);

	for (size_t i = 0; i < n; i++) {
		struct kb_settings s;

		if (rows[i].kind != KB_SETTING_NUMBER)
			continue;
		assert_in_range(rows[i].number, rows[i].least, rows[i].most);
		if (!bound_by_others(&rows[i])) {
			assert_ok(set_number(&rows[i], rows[i].least, &s));
			assert_int_equal(number(&s, &rows[i]), rows[i].least);
			assert_ok(set_number(&rows[i], rows[i].most, &s));
			assert_int_equal(number(&s, &rows[i]), rows[i].most);
		}
		assert_int_equal(set_number(&rows[i], rows[i].most + 1, &s), KB_MALFORMED);
		assert_string_equal(report.fault[0].key, rows[i].key);
		assert_int_equal(report.fault[0].line, 1);
		assert_int_equal(report.fault[0].most, rows[i].most);
		if (rows[i].least)
			assert_int_equal(set_number(&rows[i], rows[i].least - 1, &s), KB_MALFORMED);
	}
}

TEST(every_row_refuses_a_value_of_another_type)
{
	static const char *const wrong[] = {"\"twelve\"", "1.5", "true", "12", "( 1, 2 )", "{ x = 1; }", "-1"};
	size_t n;
	const struct kb_setting *rows = kb_settings_rows(&n);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < KB_LEN(wrong); j++) {
			struct kb_settings s;
			char line[128];
			bool is_number = rows[i].kind == KB_SETTING_NUMBER;

			if ((is_number && j == 3) || (!is_number && j == 0))
				continue;
			assign(line, sizeof line, rows[i].key, wrong[j]);
			if (parse_with(rows[i].key, line, &s) != KB_MALFORMED ||
			    strcmp(report.fault[0].key, rows[i].key) != 0)
				fail_msg("%s takes %s", rows[i].key, wrong[j]);
		}
	}
}

struct bad {
	const char *key, *line, *fault_key;
};

/* clang-format off */
static const struct bad bad[] = {
	{"hostname", "hostname = \"-x.example\";", "hostname"},
	{"hostname", "hostname = \"a..b\";", "hostname"},
	{"hostname", "hostname = \"a.b.\";", "hostname"},
	{"hostname", "hostname = \"\";", "hostname"},
	{"hostname", "hostname = \"two words\";", "hostname"},
	{"mail_from", "mail_from = \"desk\";", "mail_from"},
	{"mail_from", "mail_from = \"a\\r\\nb@kitebox.example\";", "mail_from"},
	{"mail_from", "mail_from = \".a@kitebox.example\";", "mail_from"},
	{"rules", "rules = \"relative.rules\";", "rules"},
	{"model", "model = \"relative.model\";", "model"},
	{"user", "user = \"a\\nb\";", "user"},
	{"colour", "colour = \"green\";", "colour"},
	{"limits", "limits = { colour = 1; };", "limits.colour"},
	{"limits", "limits = 3;", "limits"},
	{"tls", "tls = { certificate = \"/a\"; };", "tls"},
	{"listen", "listen = ( );", "listen"},
	{"listen", "listen = \"127.0.0.1:25\";", "listen"},
	{"listen", "listen = ( { kind = \"smtp\"; } );", "listen.address"},
	{"listen", "listen = ( { address = \"127.0.0.1:25\"; } );", "listen.kind"},
	{"listen", "listen = ( { kind = \"http\"; address = \"127.0.0.1:25\"; } );", "listen.kind"},
	{"listen", "listen = ( { kind = \"smtp\"; address = \"localhost:25\"; } );", "listen.address"},
	{"listen", "listen = ( { kind = \"smtp\"; address = \"127.0.0.1:65536\"; } );", "listen.address"},
	{"listen", "listen = ( { kind = \"smtp\"; address = \"[127.0.0.1]:25\"; } );", "listen.address"},
	{"listen", "listen = ( { kind = \"smtp\"; address = \"127.0.0.1\"; } );", "listen.address"},
	{"listen", "listen = ( { kind = \"smtp\"; address = \"127.0.0.1:25\"; port = 25; } );", "listen.port"},
	{"listen", "listen = ( { kind = \"desk\"; address = \"127.0.0.1:25\"; } );", "listen.address"},
	{"listen", "listen = ( { kind = \"smtps\"; address = \"127.0.0.1:25\"; } );", "listen.kind"},
	{"listen", "listen = ( { kind = \"smtp\"; address = \"[::1]:25\"; }, { kind = \"lmtp\"; address = \"[::1]:25\"; } );", "listen.address"},
	{"listen", "listen = ( 1, 2 );", "listen"},
	{"mailboxes", "mailboxes = ( { address = \"a@b.example\"; trusted = 1; } );", "mailboxes.trusted"},
	{"mailboxes", "mailboxes = ( { address = \"a@b.example\"; }, { address = \"A@B.example\"; } );", "mailboxes.address"},
	{"mailboxes", "mailboxes = ( { address = \"a@b.example\"; channel = \"letter\"; } );", "mailboxes.channel"},
	{"relays", "relays = ( { host = \"m.oia.example\"; port = 0; } );", "relays.port"},
	{"relays", "relays = ( { host = \"m.oia.example\"; tls = \"none\"; } );", "relays.tls"},
	{"relays", "relays = ( { host = \"m.oia.example\"; user = \"u\"; } );", "relays.password_file"},
	{"limits", "limits = { message_octets = 1000000; flight_octets = 999999; };", "limits.flight_octets"},
	{"referral", "referral = { retry_first_s = 100; retry_most_s = 99; };", "referral.retry_first_s"},
	{"rooms", "rooms = { sorters = 1; sealers = 2; };", "rooms.sorters"},
};
/* clang-format on */

TEST(what_is_wrong_is_named_by_its_key_and_line)
{
	for (size_t i = 0; i < KB_LEN(bad); i++) {
		struct kb_settings s;

		if (parse_with(bad[i].key, bad[i].line, &s) != KB_MALFORMED ||
		    strcmp(report.fault[0].key, bad[i].fault_key) != 0 || report.fault[0].line != 1)
			fail_msg("%s: %zu faults, first %s in line %u", bad[i].line, report.faults, report.fault[0].key,
			    report.fault[0].line);
	}
}

TEST(what_is_right_is_taken)
{
	struct kb_settings s;

	assert_ok(parse_with("listen",
	    "listen = ( { kind = \"smtp\"; address = \"127.0.0.1:0\"; }, { kind = \"lmtp\"; address = \"127.0.0.1:0\"; "
	    "},"
	    " { kind = \"desk\"; address = \"/run/kitebox/desk.sock\"; } );"
	    "relays = ( { host = \"mail.oia.example\"; port = 587; tls = \"tls\"; user = \"kite\"; password_file = "
	    "\"/p\"; } );"
	    "tls = { certificate = \"/c\"; key = \"/k\"; }; limits = { idle_s = 9; }; store = { map_octets = "
	    "68719476736L; };",
	    &s));
	assert_int_equal(s.listeners, 3);
	assert_int_equal(s.listener[2].kind, KB_LISTEN_DESK);
	assert_int_equal(s.relay[0].port, 587);
	assert_int_equal(s.relay[0].tls, KB_RELAY_TLS);
	assert_string_equal(s.relay[0].ca_file, "");
	assert_int_equal(s.limit.idle_s, 9);
	assert_int_equal(s.map_octets, 68719476736);
	assert_ok(parse_with("mailboxes",
	    "mailboxes = ( { address = \"relay@kitebox.example\"; channel = \"inmate-relay\"; language = \"es\"; "
	    "trusted = true; } );",
	    &s));
	assert_int_equal(s.mailbox[0].channel, KB_CHANNEL_INMATE_RELAY);
	assert_int_equal(s.mailbox[0].language, KB_LANG_ES);
	assert_int_equal(s.mailbox[0].trusted, 1);
}

TEST(every_fault_is_reported_each_with_its_line)
{
	struct kb_settings s;
	char line[256];

	memset(&s, 0x5a, sizeof s);
	assert_int_equal(parse("hostname = 3;\ncolour = 1;\nlimits = {\n  idle_s = 0;\n  hops = \"x\";\n};\nlisten = ( "
			       "{ kind = \"x\"; } );\n",
			     &s),
	    KB_MALFORMED);
	/* hostname, colour, idle_s, hops, kind, address missing, mail_from missing, mailboxes missing */
	assert_int_equal(report.faults, 8);
	assert_int_equal(report.fault[2].line, 4);
	kb_settings_fault_format("kitebox.conf", &report.fault[2], line, sizeof line);
	assert_string_equal(line, "kitebox.conf:4: limits.idle_s: is out of range (5 to 86400)");
	kb_settings_fault_format("kitebox.conf", &report.fault[7], line, sizeof line);
	assert_string_equal(line, "kitebox.conf: mailboxes: is missing");
	assert_int_equal(((const uint8_t *)&s)[0], 0x5a); /* untouched */
}

TEST(grammar_and_duplicates_are_faults_with_a_line)
{
	struct kb_settings s;

	assert_int_equal(parse("hostname = \"a\";\nhostname = \"b\";\n", &s), KB_MALFORMED);
	assert_int_equal(report.fault[0].line, 2);
	assert_string_equal(report.fault[0].what, "a setting stands twice");
	assert_int_equal(parse("hostname = \n\n= 3", &s), KB_MALFORMED);
	assert_int_equal(report.fault[0].line, 3);
	assert_int_equal(kb_settings_parse(KB_LIT("hostname = \"a\0b\";"), &s, &report), KB_MALFORMED);
}

TEST(an_include_is_refused_and_not_opened)
{
	struct kb_settings s;

	assert_int_equal(parse_with("x", "\t@include \"/dev/null\"", &s), KB_MALFORMED);
	assert_int_equal(report.fault[0].line, 1);
}

TEST(faults_beyond_the_report_are_counted)
{
	struct kb_settings s;
	char text[4096];
	size_t n = 0;

	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "x%d = 1;\n", i);
	assert_int_equal(parse(text, &s), KB_MALFORMED);
	assert_true(report.faults > KB_SETTINGS_FAULTS_MOST);
}

TEST(a_file_is_read_as_a_text_is_and_a_missing_one_says_so)
{
	struct kb_settings s;
	struct kb_diag d = {0};

	assert_int_equal(kb_settings_load(&d, "/nonexistent/kitebox.conf", &s, &report), KB_IO);
	assert_true(d.sys_errno != 0);
	assert_int_equal(kb_settings_load(&d, "/dev/null", &s, &report), KB_MALFORMED);
	assert_true(report.faults > 0);
}

static char *slurp(const char *relative)
{
	char path[1024];
	const char *data = getenv("KB_TEST_DATA");
	char *text = calloc(1, 1 << 16);

	assert_non_null(text);
	snprintf(path, sizeof path, "%s/../../%s", data ? data : "tests/data", relative);
	FILE *f = fopen(path, "re");

	if (!f)
		fail_msg("%s is missing", path);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

TEST(the_sample_configuration_is_right)
{
	struct kb_settings s;
	char *text = slurp("conf/kitebox.conf");

	if (parse(text, &s) != KB_OK)
		fail_msg("line %u: %s: %s", report.fault[0].line, report.fault[0].key, report.fault[0].what);
	free(text);
}

/* A row's paragraph in the manual: its key as a heading, and its default where it has one. */
static void assert_in_manual(const char *manual, const char *key, const struct kb_setting *r)
{
	char heading[96], expect[600] = "";
	const char *p;

	snprintf(heading, sizeof heading, "\n*%s* =", key);
	p = strstr(manual, heading);
	if (!p)
		fail_msg("%s is not in the manual", key);
	if (!strstr(p, r->help))
		fail_msg("the manual does not say of %s: %s", key, r->help);
	if (r->kind == KB_SETTING_NUMBER)
		snprintf(expect, sizeof expect, "Default %llu; %llu to %llu.", (unsigned long long)r->number,
		    (unsigned long long)r->least, (unsigned long long)r->most);
	else if (r->required)
		snprintf(expect, sizeof expect, "Required.");
	else if (r->kind == KB_SETTING_WORD)
		snprintf(expect, sizeof expect, "Default \"%s\".", r->words[r->number]);
	else if (r->text)
		snprintf(expect, sizeof expect, "Default \"%s\".", r->text);
	const char *end = strstr(p + 1, "\n*");
	const char *at = strstr(p, expect);

	if (!at || (end && at > end))
		fail_msg("the manual does not say of %s: %s", key, expect);
}

TEST(the_manual_page_says_what_the_table_says)
{
	char *manual = slurp("docs/man/kitebox.conf.5.scd");
	size_t n, lists_n;
	const struct kb_setting *rows = kb_settings_rows(&n);
	const struct kb_setting_list *lists = kb_settings_lists(&lists_n);

	for (size_t i = 0; i < n; i++)
		assert_in_manual(manual, rows[i].key, &rows[i]);
	for (size_t i = 0; i < lists_n; i++) {
		for (size_t j = 0; j < lists[i].n; j++) {
			char key[96];

			snprintf(key, sizeof key, "%s.%s", lists[i].key, lists[i].rows[j].key);
			assert_in_manual(manual, key, &lists[i].rows[j]);
		}
	}
	free(manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_minimal_file_gets_every_default),
	    RUN(every_number_takes_its_least_and_its_most_and_nothing_beyond),
	    RUN(every_row_refuses_a_value_of_another_type),
	    RUN(what_is_wrong_is_named_by_its_key_and_line),
	    RUN(what_is_right_is_taken),
	    RUN(every_fault_is_reported_each_with_its_line),
	    RUN(grammar_and_duplicates_are_faults_with_a_line),
	    RUN(an_include_is_refused_and_not_opened),
	    RUN(faults_beyond_the_report_are_counted),
	    RUN(a_file_is_read_as_a_text_is_and_a_missing_one_says_so),
	    RUN(the_sample_configuration_is_right),
	    RUN(the_manual_page_says_what_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
