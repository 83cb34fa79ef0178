/* The mails that leave: what they carry, what they never carry, and that they can be taken apart again. */
#include "kbtest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kitebox/address.h>
#include <kitebox/compose.h>
#include <kitebox/mail.h>
#include <kitebox/memfd.h>

#define MINISIG "untrusted comment: signature\nRUQabc=\ntrusted comment: id\nxyz=\n"
#define TEMPLATE "Subject: We received your message\n\nReceived on {date}.\nYour number is {num}.\n"

static struct kb_letter letter;
static struct kb_ack_facts facts;
static struct kb_diag diag;
static struct kb_composed mail;
static struct kb_map map;

static int set_up(void **state)
{
	(void)state;
	memset(&diag, 0, sizeof diag);
	memset(&map, 0, sizeof map);
	mail = (struct kb_composed){.fd = -1};
	letter = (struct kb_letter){
	    .hostname = "kitebox.example", .from = "desk@kitebox.example", .to = "intake@oia.example", .now_s = 1795536701};
	for (uint8_t i = 0; i < KB_ID_LEN; i++)
		letter.id.b[i] = (uint8_t)(0xa0 + i);
	facts = (struct kb_ack_facts){.indicator = "", .language = "en", .date = "2026-11-24", .number = "K-7Q2M-9XTD"};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kb_map_release(&map);
	kb_fd_close(&mail.fd);
	return 0;
}

#define ID "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"

/* The composed octets, which must be what SMTP carries: 7-bit, CRLF, short lines. */
static struct kb_span octets(void)
{
	kb_map_release(&map);
	assert_ok(kb_map_open(&diag, mail.fd, 64 << 20, &map)); /* which checks the seals */
	assert_int_equal(map.s.len, mail.size);
	assert_memory_equal(map.s.p + map.s.len - 2, "\r\n", 2);
	size_t line = 0;

	for (size_t i = 0; i < map.s.len; i++, line++) {
		assert_in_range(map.s.p[i], 0, 0x7f);
		assert_true(line <= 998);
		assert_int_equal(map.s.p[i] == '\n', i > 0 && map.s.p[i - 1] == '\r');
		if (map.s.p[i] == '\n')
			line = 0;
	}
	return map.s;
}

static void assert_field(struct kb_span raw, const char *name, const char *value)
{
	struct kb_field f;
	size_t n = 0, at = 0;

	while (kb_field_next(raw, &at, &f))
		n += kb_span_caseeq(f.name, kb_span_str(name));
	assert_int_equal(n, 1);
	assert_true(kb_field_find(raw, name, &f));
	assert_true(kb_span_eq(kb_span_trim(f.value), kb_span_str(value)));
}

static bool holds(struct kb_span s, const char *text)
{
	return kb_span_find(s, kb_span_str(text)) != SIZE_MAX;
}

static struct kb_span referral(struct kb_span sealed)
{
	kb_fd_close(&mail.fd);
	assert_ok(kb_compose_referral(&diag, &letter, sealed, KB_LIT(MINISIG), &mail));
	return octets();
}

static struct kb_span ack(struct kb_span text)
{
	struct kb_template t;

	kb_fd_close(&mail.fd);
	assert_ok(kb_template_parse(&diag, text, &t));
	assert_ok(kb_compose_ack(&diag, &letter, &t, &facts, &mail));
	return octets();
}

/* ---- referrals ---- */

TEST(a_referral_is_two_attachments_and_a_word_on_how_to_open_them)
{
	struct kb_mail m;
	struct kb_span raw = referral(KB_LIT("age-encryption.org/v1\nsealed"));

	assert_ok(kb_mail_parse(&diag, raw, &kb_mail_limits, &m));
	assert_int_equal(m.attachments, 2);
	assert_string_equal(m.attachment[0].name, "referral-" ID ".eml.age");
	assert_string_equal(m.attachment[0].type, "application/octet-stream");
	assert_string_equal(m.attachment[1].name, "referral-" ID ".eml.age.minisig");
	assert_true(holds(m.text, "age -d -i IDENTITY -o referral-" ID ".eml referral-" ID ".eml.age\n"));
	assert_true(holds(m.text, "minisign -V -P KEY -m referral-" ID ".eml.age\n"));
	assert_false(m.mismatch);
	kb_mail_release(&m);
}

TEST(what_is_enclosed_comes_out_as_it_went_in)
{
	static const size_t lengths[] = {1, 2, 3, 56, 57, 58, 113, 114, 115, 16384, 100003};
	uint8_t *sealed = malloc(100003);
	struct kb_buf out;

	assert_non_null(sealed);
	for (size_t i = 0; i < 100003; i++)
		sealed[i] = (uint8_t)(i * 31 + i / 251);
	kb_buf_init(&out, 1 << 20);
	for (size_t i = 0; i < KB_LEN(lengths); i++) {
		struct kb_span raw = referral(KB_SPAN(sealed, lengths[i]));

		kb_buf_clear(&out);
		assert_ok(kb_mail_part(&diag, raw, &kb_mail_limits, 1, &out));
		assert_int_equal(out.len, lengths[i]);
		assert_memory_equal(out.p, sealed, lengths[i]);
		kb_buf_clear(&out);
		assert_ok(kb_mail_part(&diag, raw, &kb_mail_limits, 2, &out));
		assert_true(kb_span_eq(kb_buf_span(&out), KB_LIT(MINISIG)));
	}
	kb_buf_release(&out);
	free(sealed);
}

TEST(a_referral_says_who_whom_when_and_its_number_and_nothing_else)
{
	struct kb_span raw = referral(KB_LIT("sealed"));

	assert_field(raw, "Date", "Tue, 24 Nov 2026 16:11:41 +0000");
	assert_field(raw, "From", "desk@kitebox.example");
	assert_field(raw, "To", "intake@oia.example");
	assert_field(raw, "Subject", "Sealed referral " ID);
	assert_field(raw, "Message-ID", "<referral." ID "@kitebox.example>");
	assert_field(raw, "Auto-Submitted", "auto-generated");
	assert_field(raw, "MIME-Version", "1.0");
}

TEST(two_referrals_differ_in_what_is_sealed_and_nowhere_else)
{
	struct kb_span raw = referral(KB_LIT("a sealed file with one thing in it"));
	struct kb_buf first;

	kb_buf_init(&first, 1 << 20);
	assert_ok(kb_buf_add(&first, raw));
	raw = referral(KB_LIT("a sealed file with another in it.."));
	assert_int_equal(raw.len, first.len);
	size_t from = 0, to = raw.len;

	while (from < to && raw.p[from] == first.p[from])
		from++;
	while (to > from && raw.p[to - 1] == first.p[to - 1])
		to--;
	assert_true(to > from && to - from <= 4 * ((strlen("a sealed file with another in it..") + 2) / 3));
	kb_buf_release(&first);
}

TEST(a_message_id_depends_on_the_id_alone)
{
	struct kb_field a, b;
	char first[128];

	assert_true(kb_field_find(referral(KB_LIT("one")), "Message-ID", &a));
	kb_field_set(first, sizeof first, kb_span_trim(a.value));
	letter.now_s += 86400;
	letter.to = "prea@oia.example";
	assert_true(kb_field_find(referral(KB_LIT("another")), "Message-ID", &b));
	assert_true(kb_span_eq(kb_span_trim(b.value), kb_span_str(first)));
	letter.id.b[15] ^= 1;
	assert_true(kb_field_find(referral(KB_LIT("another")), "Message-ID", &b));
	assert_false(kb_span_eq(kb_span_trim(b.value), kb_span_str(first)));
}

TEST(a_referral_without_a_seal_or_signature_is_none)
{
	assert_int_equal(kb_compose_referral(&diag, &letter, KB_SPAN(NULL, 0), KB_LIT(MINISIG), &mail), KB_MALFORMED);
	assert_int_equal(kb_compose_referral(&diag, &letter, KB_LIT("sealed"), KB_SPAN(NULL, 0), &mail), KB_MALFORMED);
	assert_int_equal(mail.fd, -1);
}

/* ---- addresses ---- */

static const char *const good_addresses[] = {"a@b", "desk@kitebox.example", "NYM/Duty.Officer~@bop.example", "a.b+c=d@x-y.example",
    "o'brien@family.example", "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]", "!#$%&'*+-/=?^_`{|}~@a.example"};
static const char *const bad_addresses[] = {"", "a", "@b.example", "a@", "a@b.example\r\nBcc: c@d.example", "a@b.example\n",
    "a@b.example\r", "a b@c.example", "a@b c.example", "<a@b.example>", "a@b.example>", "a,b@c.example", "a@b.example,c@d.example",
    "a(b)@c.example", "a:b@c.example", "a;b@c.example", "\"a b\"@c.example", "a\\b@c.example", ".a@b.example", "a.@b.example",
    "a..b@c.example", "a@.b.example", "a@b.example.", "a@b..example", "a@-b.example", "a@b-.example", "a@b_c.example",
    "a@b@c.example", "a@[]", "a@[192.0.2.1", "a@[a]b]", "a\x7f@b.example", "a\x01@b.example", "\xc3\xa1@b.example",
    "a@\xc3\xa1.example", "a@b.example ", " a@b.example",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b.example",
    "a@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example"};

TEST(an_address_is_one_mailbox_and_nothing_more)
{
	for (size_t i = 0; i < KB_LEN(good_addresses); i++)
		assert_true(kb_address_ok(kb_span_str(good_addresses[i])));
	for (size_t i = 0; i < KB_LEN(bad_addresses); i++)
		assert_false(kb_address_ok(kb_span_str(bad_addresses[i])));
	assert_false(kb_address_ok(KB_SPAN("a\0@b.example", 12)));
}

TEST(nothing_that_comes_from_outside_can_add_a_field)
{
	struct kb_template t;

	assert_ok(kb_template_parse(&diag, KB_LIT(TEMPLATE), &t));
	for (size_t i = 0; i < KB_LEN(bad_addresses); i++) {
		letter.to = bad_addresses[i];
		assert_int_equal(kb_compose_referral(&diag, &letter, KB_LIT("s"), KB_LIT(MINISIG), &mail), KB_MALFORMED);
		assert_int_equal(kb_compose_ack(&diag, &letter, &t, &facts, &mail), KB_MALFORMED);
		letter.to = "intake@oia.example";
		letter.from = bad_addresses[i];
		assert_int_equal(kb_compose_referral(&diag, &letter, KB_LIT("s"), KB_LIT(MINISIG), &mail), KB_MALFORMED);
		letter.from = "desk@kitebox.example";
	}
	letter.hostname = "kitebox.example>\r\nBcc: a@b.example";
	assert_int_equal(kb_compose_referral(&diag, &letter, KB_LIT("s"), KB_LIT(MINISIG), &mail), KB_MALFORMED);
	assert_int_equal(mail.fd, -1);
}

TEST(an_acknowledgement_is_told_nothing_that_could_be_content)
{
	static const char *const indicators[] = {"a b", "a\r\nBcc: c@d.example", "re:x", "a_b", "\xc3\xa1",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct kb_template t;

	assert_ok(kb_template_parse(&diag, KB_LIT(TEMPLATE), &t));
	for (size_t i = 0; i < KB_LEN(indicators); i++) {
		facts.indicator = indicators[i];
		assert_int_equal(kb_compose_ack(&diag, &letter, &t, &facts, &mail), KB_MALFORMED);
	}
	facts.indicator = "";
	facts.number = "K-1\n";
	assert_int_equal(kb_compose_ack(&diag, &letter, &t, &facts, &mail), KB_MALFORMED);
	facts.number = "K-1";
	facts.date = "2026\r\n.\r\n";
	assert_int_equal(kb_compose_ack(&diag, &letter, &t, &facts, &mail), KB_MALFORMED);
	facts.date = "2026-11-24";
	assert_ok(kb_compose_ack(&diag, &letter, &t, &facts, &mail));
}

/* ---- acknowledgements ---- */

TEST(an_acknowledgement_is_the_template_with_day_and_number)
{
	struct kb_span raw = ack(KB_LIT(TEMPLATE));

	assert_field(raw, "Subject", "We received your message");
	assert_field(raw, "Auto-Submitted", "auto-replied");
	assert_field(raw, "Message-ID", "<ack." ID "@kitebox.example>");
	assert_field(raw, "Content-Language", "en");
	assert_field(raw, "Content-Type", "text/plain; charset=us-ascii");
	assert_true(holds(raw, "\r\n\r\nReceived on 2026-11-24.\r\nYour number is K-7Q2M-9XTD.\r\n"));
}

TEST(the_indicator_is_the_whole_subject)
{
	facts.indicator = "268378c5-1c11-4f6e-9d5a-0123456789ab";
	assert_field(ack(KB_LIT(TEMPLATE)), "Subject", "268378c5-1c11-4f6e-9d5a-0123456789ab");
}

TEST(empty_lines_at_the_end_of_a_template_are_not_sent)
{
	struct kb_span raw = ack(KB_LIT("Subject: s\n\nfirst\n\nlast\n\n\n"));

	assert_true(holds(raw, "\r\n\r\nfirst\r\n\r\nlast\r\n"));
	assert_memory_equal(raw.p + raw.len - 8, "\r\nlast\r\n", 8);
}

TEST(what_is_not_ascii_goes_as_quoted_printable)
{
	struct kb_mail m;
	struct kb_span raw = ack(KB_LIT("Subject: Recibimos su mensaje\n\nSu n\xc3\xbamero es {num}. El plazo es de 20 d\xc3\xad" "as = el "
					"mismo para todos, y esta l\xc3\xadnea es larga.\n.con punto \n"));

	assert_field(raw, "Content-Transfer-Encoding", "quoted-printable");
	assert_true(holds(raw, "n=C3=BAmero es K-7Q2M-9XTD."));
	assert_ok(kb_mail_parse(&diag, raw, &kb_mail_limits, &m));
	assert_true(holds(m.text, "Su n\xc3\xbamero es K-7Q2M-9XTD. El plazo es de 20 d\xc3\xad" "as = el mismo para todos, y esta "
				  "l\xc3\xadnea es larga.\n.con punto"));
	kb_mail_release(&m);
}

/* RFC 2045 section 6.7 */
TEST(quoted_printable_keeps_lines_short_and_hides_blanks_at_their_end)
{
	static const struct {
		const char *text, *encoded;
	} rows[] = {
	    {"", ""},
	    {"plain\n", "plain\r\n"},
	    {"no end", "no end\r\n"},
	    {"a=b\n", "a=3Db\r\n"},
	    {"blank \n", "blank=20\r\n"},
	    {"tab\t\n", "tab=09\r\n"},
	    {"in the middle \t is fine\n", "in the middle \t is fine\r\n"},
	    {"\xf0\x9f\xaa\x81\n", "=F0=9F=AA=81\r\n"},
	    {"\n\n", "\r\n\r\n"},
	};
	struct kb_buf b;

	kb_buf_init(&b, 1 << 16);
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		kb_buf_clear(&b);
		assert_ok(kb_qp_encode(&b, kb_span_str(rows[i].text)));
		assert_true(kb_span_eq(kb_buf_span(&b), kb_span_str(rows[i].encoded)));
	}
	for (size_t n = 1; n < 300; n++) {
		char text[301];
		struct kb_span line, rest;

		memset(text, n % 2 ? '=' : 'x', n);
		kb_buf_clear(&b);
		assert_ok(kb_qp_encode(&b, KB_SPAN(text, n)));
		rest = kb_buf_span(&b);
		while (kb_span_line(&rest, &line))
			assert_in_range(line.len, 1, 76);
	}
	kb_buf_release(&b);
}

/* ---- templates ---- */

TEST(a_template_is_checked_to_the_last_brace)
{
	static const struct {
		const char *text;
		size_t line;
	} rows[] = {
	    {"", 1},
	    {"no subject\n\ntext\n", 1},
	    {"Subject: \n\ntext\n", 1},
	    {"Subject: t\xc3\xa9xto\n\ntext\n", 1},
	    {"Subject: a long subject, longer than seventy characters, which no mail program shows\n\ntext\n", 1},
	    {"Subject: {num}\n\ntext\n", 1},
	    {"Subject: s\ntext\n", 2},
	    {"Subject: s\n\n", 2},
	    {"Subject: s\n\n \n", 3},
	    {"Subject: s\n\n{name}\n", 3},
	    {"Subject: s\n\nfine\n{date\n", 4},
	    {"Subject: s\n\ndate}\n", 3},
	    {"Subject: s\n\n{ date }\n", 3},
	    {"Subject: s\n\n{{date}}\n", 3},
	    {"Subject: s\n\n{DATE}\n", 3},
	    {"Subject: s\n\n{}\n", 3},
	    {"Subject: s\n\nbell\a\n", 3},
	    {"Subject: s\n\ntab\there\n", 3},
	    {"Subject: s\n\ncr\rhere\n", 3},
	    {"Subject: s\n\nill-formed \xff\n", 0},
	};
	struct kb_template t;

	for (size_t i = 0; i < KB_LEN(rows); i++) {
		memset(&diag, 0, sizeof diag);
		assert_int_equal(kb_template_parse(&diag, kb_span_str(rows[i].text), &t), KB_MALFORMED);
		assert_int_equal(diag.offset, rows[i].line);
	}
	assert_ok(kb_template_parse(&diag, KB_LIT("Subject: s\r\n\r\n{date}{num}{date}\r\n"), &t));
}

TEST(a_template_too_long_is_refused)
{
	static char text[KB_TEMPLATE_MOST + 2];
	struct kb_template t;

	memset(text, '\n', sizeof text);
	memcpy(text, "Subject: s\n\nx\n", 14);
	assert_int_equal(kb_template_parse(&diag, KB_SPAN(text, sizeof text), &t), KB_TOOBIG);
	assert_ok(kb_template_parse(&diag, KB_SPAN(text, KB_TEMPLATE_MOST), &t));
	memset(text + 12, 'x', 401);
	assert_int_equal(kb_template_parse(&diag, KB_SPAN(text, 1000), &t), KB_MALFORMED);
	text[412] = '\n';
	assert_ok(kb_template_parse(&diag, KB_SPAN(text, 1000), &t));
}

static void read_file(const char *name, struct kb_buf *b)
{
	char path[1024];

	assert_in_range(snprintf(path, sizeof path, "%s/../../conf/templates/%s", getenv("KB_TEST_DATA"), name), 1, sizeof path - 1);
	KB_AUTO(kb_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(kb_buf_reserve(b, KB_TEMPLATE_MOST));
	ssize_t n = read(fd, b->p, KB_TEMPLATE_MOST);

	assert_true(n > 0);
	b->len = (size_t)n;
}

/* What an inmate's kiosk shows may have lost its accents: both are ASCII, and say the same. */
TEST(the_templates_that_are_shipped_are_fit_to_send)
{
	static const char *const names[] = {"ack.en.txt", "ack.es.txt"};

	for (size_t i = 0; i < KB_LEN(names); i++) {
		struct kb_buf b;

		kb_buf_init(&b, KB_TEMPLATE_MOST);
		read_file(names[i], &b);
		struct kb_span raw = ack(kb_buf_span(&b));

		assert_field(raw, "Content-Transfer-Encoding", "7bit");
		assert_true(holds(raw, "2026-11-24"));
		assert_true(holds(raw, "K-7Q2M-9XTD"));
		assert_true(holds(raw, "BP-9"));
		kb_buf_release(&b);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_referral_is_two_attachments_and_a_word_on_how_to_open_them),
	    T(what_is_enclosed_comes_out_as_it_went_in),
	    T(a_referral_says_who_whom_when_and_its_number_and_nothing_else),
	    T(two_referrals_differ_in_what_is_sealed_and_nowhere_else),
	    T(a_message_id_depends_on_the_id_alone),
	    T(a_referral_without_a_seal_or_signature_is_none),
	    T(an_address_is_one_mailbox_and_nothing_more),
	    T(nothing_that_comes_from_outside_can_add_a_field),
	    T(an_acknowledgement_is_told_nothing_that_could_be_content),
	    T(an_acknowledgement_is_the_template_with_day_and_number),
	    T(the_indicator_is_the_whole_subject),
	    T(empty_lines_at_the_end_of_a_template_are_not_sent),
	    T(what_is_not_ascii_goes_as_quoted_printable),
	    T(quoted_printable_keeps_lines_short_and_hides_blanks_at_their_end),
	    T(a_template_is_checked_to_the_last_brace),
	    T(a_template_too_long_is_refused),
	    T(the_templates_that_are_shipped_are_fit_to_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
