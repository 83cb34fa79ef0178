/* Whole messages, from tests/data/mail. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/mail.h>

static struct kb_buf file(const char *name)
{
	char path[4096];
	struct kb_buf b;
	const char *dir = getenv("KB_TEST_DATA");
	assert_non_null(dir);
	(void)snprintf(path, sizeof(path), "%s/mail/%s.eml", dir, name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("%s is missing", path);
	kb_buf_init(&b, 1 << 20);
	assert_ok(kb_buf_reserve(&b, 65536));
	b.len = fread(b.p, 1, 65536, f);
	assert_true(b.len < 65536);
	(void)fclose(f);
	return b;
}

static struct kb_mail parsed(struct kb_span raw)
{
	struct kb_mail m;
	struct kb_diag d = {0};
	enum kb_status st = kb_mail_parse(&d, raw, &kb_mail_limits, &m);
	if (st != KB_OK)
		fail_msg("%s: %s", kb_status_row(st)->name, d.what);
	return m;
}

static struct kb_mail mail(const char *name)
{
	struct kb_buf b = file(name);
	struct kb_mail m = parsed(kb_buf_span(&b));
	kb_buf_release(&b); /* nothing of a mail may point into the raw octets that this test could not see */
	return m;
}

static enum kb_status refusal(const char *name)
{
	struct kb_buf b = file(name);
	struct kb_mail m;
	enum kb_status st = kb_mail_parse(NULL, kb_buf_span(&b), &kb_mail_limits, &m);
	kb_buf_release(&b);
	if (st == KB_OK)
		kb_mail_release(&m);
	return st;
}

static bool has(struct kb_span s, const char *what)
{
	return kb_span_find(s, kb_span_str(what)) != SIZE_MAX;
}

static int open_charsets(void **state)
{
	(void)state;
	return kb_charset_open(NULL) == KB_OK ? 0 : -1;
}

static int close_charsets(void **state)
{
	(void)state;
	kb_charset_close();
	return 0;
}

/* clang-format off */
enum { DOUBT = 1, MISMATCH = 2, UNREAD = 4, AUTO = 8, BULK = 16, LIST = 32, REPORT = 64 };
static const struct row {
	const char *file, *text; /* the text of it, exactly */
	unsigned flags;
	const char *human;       /* NULL: the same */
} rows[] = {
	{"plain-en", "Good morning,\n\nwhen may I visit my brother at KQA?\n\nMaria Example", 0, NULL},
	{"plain-es-utf8", "El teniente golpe\xC3\xB3 a mi hijo en la ma\xC3\xB1" "ana del lunes.", 0, NULL},
	{"plain-es-latin1", "Mi hermano est\xC3\xA1 en el hoyo desde hace dos a\xC3\xB1os.", 0, NULL},
	{"plain-es-latin1-qp", "La se\xC3\xB1ora espera una llamada; dice que el a\xC3\xB1o pasado tampoco lleg\xC3\xB3 el correo.", 0, NULL},
	{"plain-base64", "They took my mother\xE2\x80\x99s letters again.\nThe officer laughed.", 0, NULL},
	{"plain-format-flowed", "This is one paragraph that was \nbroken by the mail program.", 0, NULL},
	{"html-only", "Dear office,\n\nmy son was hit by an officer & left alone.\nPlease call me.", 0, NULL},
	{"html-meta-charset", "El ni\xC3\xB1o \xE2\x80\x9C" "est\xC3\xA1\xE2\x80\x9D bien", 0, NULL},
	{"html-latin1-qp", "Se\xC3\xB1or director: el guardia me amenaz\xC3\xB3.", 0, NULL},
	{"html-quote", "Thank you, that helps.\n> You wrote to us about visiting.", 0, "Thank you, that helps."},
	{"alternative", "Plain words about the commissary and the money that is missing from it.", 0, NULL},
	{"alternative-stub", "View in HTML.\n\nThe sergeant told the others that I talk to you, and since then they spit into my food every day.", 0, NULL},
	{"alternative-empty-plain", "Only here are words.", 0, NULL},
	{"related-logo", "With a logo below, and otherwise plain words.", 0, NULL},
	{"mixed-pdf", "The form is attached.", UNREAD, NULL},
	{"attachment-text", "See the letter.\n\nEl se\xC3\xB1or guardia pidi\xC3\xB3 dinero.", 0, NULL},
	{"nested-rfc822", "My sister sent me this.\n\nFrom: Ana Ejemplo <ana@example.net>\nSubject: What happened on Sunday\n"
		"Date: Sun, 22 Nov 2026 08:00:00 +0000\n\nThe lieutenant used the spray while he was cuffed.", 0, NULL},
	{"nested-rfc822-base64", "My sister sent me this.\n\nFrom: Ana Ejemplo <ana@example.net>\nSubject: What happened on Sunday\n"
		"Date: Sun, 22 Nov 2026 08:00:00 +0000\n\nThe lieutenant used the spray while he was cuffed.", 0, NULL},
	{"digest", "From: a@example.net\nSubject: first of two\n\nFirst body.\n\nFrom: b@example.net\nSubject: second of two\n\nSecond body.", 0, NULL},
	{"auto-reply", "I am away until Monday.", AUTO, NULL},
	{"auto-no", "I wrote this myself.", 0, NULL},
	{"list-mail", "This month's news for families.", LIST | BULK, NULL},
	{"charset-unknown", "El ni\xC3\xB1o sigue all\xC3\xAD.", DOUBT, NULL},
	{"charset-wrong-utf8", "El ni\xC3\xB1o sigue all\xC3\xAD.", DOUBT, NULL},
	{"charset-utf8-as-latin1", "El ni\xC3\xB1o sigue all\xC3\xAD.", 0, NULL},
	{"charset-iso-2022-jp", "\xE5\x85\x84\xE3\x81\x8C\xE5\x88\x91\xE5\x8B\x99\xE5\xAE\x98\xE3\x81\xAB\xE6\xAE\xB4\xE3\x82\x89\xE3\x82\x8C\xE3\x81\xBE\xE3\x81\x97\xE3\x81\x9F\xE3\x80\x82", 0, NULL},
	{"charset-utf-16", "Nadie contesta en la ma\xC3\xB1" "ana.", 0, NULL},
	{"charset-windows-1252", "\xE2\x80\x9C" "Don\xE2\x80\x99t tell\xE2\x80\x9D, he said \xE2\x80\x93 twice\xE2\x80\xA6", 0, NULL},
	{"charset-utf-7", "Ma\xC3\xB1" "ana no hay visita.", 0, NULL},
	{"encoding-unknown", "Gur jbeqf.", DOUBT, NULL},
	{"encoding-uu", "The note is below.\n\nhello", 0, NULL},
	{"base64-broken", "They took my letters.", DOUBT, NULL},
	{"qp-broken", "fifty =ZZ percent = of it", DOUBT, NULL},
	{"signed-pgp", "A signed letter about the law library.", 0, NULL},
	{"calendar", "The hearing date is attached.\n\nBEGIN:VCALENDAR\nSUMMARY:hearing\nEND:VCALENDAR", 0, NULL},
	{"empty", "", 0, NULL},
	{"empty-body", "", 0, NULL},
	{"header-only", "MIME-Version: 1.0", MISMATCH, NULL},
	{"header-no-colon", "this line is no field at all\nX-After: still here\n\nThe text of it.", MISMATCH, NULL},
	{"two-froms", "Which one wrote?", MISMATCH, NULL},
	{"mbox-from-line", "Kept in a mailbox file first.", 0, NULL},
	{"bare-lf", "Only line feeds here.", 0, NULL},
	{"multipart-unclosed", "First part.\n\nSecond part", 0, NULL},
	{"multipart-no-boundary", "--guess\nContent-Type: text/plain\n\nWords in a part without a boundary.\n--guess--", UNREAD, NULL},
	{"multipart-empty-part", "--b\nContent-Type: text/plain\n\nAfter an empty part.", MISMATCH, NULL},
	{"part-without-header", "Note: he hit me.\nPS: twice.\n\nThe rest.\n\nSecond: part.", 0, NULL},
	{"part-blank-before-header", "Decoded all the same.", MISMATCH, NULL},
	{"hostile-encoded-type", "--\"\n\nStill to be read.", 0, NULL},
	{"hostile-folded-boundary", "Under a folded boundary.", MISMATCH, NULL},
	{"relay-quoted-in-reply", "This was answered in the unit yesterday, thank you.\n\n> To: SupportCoordinator\n> ***Inmate Message Below***\n>\n"
		"> I ask for help with my mattress.", 0, "This was answered in the unit yesterday, thank you."},
	{"reply-interleaved", "On Fri, Nov 20, 2026 at 3:14 PM Support <desk@kitebox.example> wrote:\n> What is his number?\n\nIt is 12345-678.\n\n"
		"> Which unit?\n\nUnit Zed.", 0, "It is 12345-678.\n\n\nUnit Zed."},
};
/* clang-format on */

static unsigned flags_of(const struct kb_mail *m)
{
	return (m->charset_doubt ? DOUBT : 0u) | (m->mismatch ? MISMATCH : 0u) | (m->unread_parts ? UNREAD : 0u) | (m->auto_submitted ? AUTO : 0u) |
	    (m->bulk ? BULK : 0u) | (m->list ? LIST : 0u) | (m->report ? REPORT : 0u);
}

static void expect_text(const char *name, struct kb_span s, const char *wanted)
{
	if (s.len != strlen(wanted) || (s.len && memcmp(s.p, wanted, s.len) != 0))
		fail_msg("%s: \"%.*s\"", name, (int)s.len, (const char *)s.p);
}

TEST(texts_are_taken_out_as_written)
{
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_mail m = mail(rows[i].file);
		expect_text(rows[i].file, m.text, rows[i].text);
		expect_text(rows[i].file, m.human, rows[i].human ? rows[i].human : rows[i].text);
		if (flags_of(&m) != rows[i].flags)
			fail_msg("%s: flags %u", rows[i].file, flags_of(&m));
		assert_false(m.truncated);
		kb_mail_release(&m);
	}
}

TEST(what_must_not_be_parsed_is_refused)
{
	assert_int_equal(refusal("hostile-boundary-quote"), KB_MALFORMED);
	assert_int_equal(refusal("hostile-boundary-quote-folded"), KB_MALFORMED);
	assert_int_equal(refusal("hostile-boundary-midline"), KB_MALFORMED);
	assert_int_equal(refusal("hostile-boundary-empty"), KB_MALFORMED);
	assert_int_equal(refusal("hostile-comments"), KB_LIMIT);
	assert_int_equal(refusal("hostile-depth"), KB_LIMIT);
	assert_int_equal(refusal("hostile-depth-rfc822"), KB_LIMIT);
	assert_int_equal(refusal("hostile-depth-digest"), KB_LIMIT);
}

TEST(fields_are_decoded_on_one_line_and_harmless)
{
	struct kb_mail m = mail("plain-es-utf8");
	assert_string_equal(m.from, "Jos\xC3\xA9 Ejemplo <jose@example.org>");
	assert_string_equal(m.subject, "Una pregunta de la ma\xC3\xB1" "ana");
	assert_string_equal(m.to, "desk@kitebox.example");
	assert_true(m.date[0] && m.message_id[0]);
	kb_mail_release(&m);
	m = mail("subject-adjacent");
	assert_string_equal(m.subject, "uno dos tr\xC3\xA9s four five");
	kb_mail_release(&m);
	m = mail("subject-split-character");
	assert_string_equal(m.subject, "a\xC3\xB1os del ni\xC3\xB1o ma\xC3\xB1" "ana");
	kb_mail_release(&m);
	m = mail("subject-raw-8bit");
	assert_string_equal(m.subject, "Queja del a\xC3\xB1o");
	assert_true(m.charset_doubt);
	kb_mail_release(&m);
	m = mail("subject-terminal");
	assert_null(strpbrk(m.subject, "\x1b\x07\n\r"));
	assert_null(strstr(m.subject, "\xE2\x80\xAE"));
	kb_mail_release(&m);
	m = mail("empty");
	assert_string_equal(m.from, "");
	assert_string_equal(m.subject, "");
	kb_mail_release(&m);
	m = mail("two-froms");
	assert_string_equal(m.from, "first@example.org");
	kb_mail_release(&m);
}

TEST(attachments_are_listed_with_name_type_and_size)
{
	struct kb_mail m = mail("mixed-pdf");
	assert_int_equal(m.attachments, 1);
	assert_string_equal(m.attachment[0].name, "form.pdf");
	assert_string_equal(m.attachment[0].type, "application/pdf");
	assert_int_equal(m.attachment[0].size, 27);
	assert_false(m.attachment[0].read);
	kb_mail_release(&m);
	m = mail("attachment-text");
	assert_int_equal(m.attachments, 1);
	assert_string_equal(m.attachment[0].name, "carta.txt");
	assert_true(m.attachment[0].read);
	kb_mail_release(&m);
	m = mail("attachment-rfc2231");
	assert_string_equal(m.attachment[0].name, "queja del ni\xC3\xB1o final.jpg");
	kb_mail_release(&m);
	m = mail("attachment-rfc2047");
	assert_string_equal(m.attachment[0].name, "foto del ni\xC3\xB1o.jpg");
	kb_mail_release(&m);
	m = mail("attachment-bidi-name");
	assert_string_equal(m.attachment[0].name, "photo\xEF\xBF\xBDgpj.exe");
	kb_mail_release(&m);
	m = mail("related-logo");
	assert_int_equal(m.attachments, 1);
	assert_int_equal(m.unread_parts, 0);
	kb_mail_release(&m);
}

TEST(the_octets_of_an_attachment_are_given_on_request)
{
	struct kb_buf raw = file("mixed-pdf"), out;
	kb_buf_init(&out, 1000);
	assert_ok(kb_mail_part(NULL, kb_buf_span(&raw), &kb_mail_limits, 1, &out));
	assert_span(kb_buf_span(&out), "%PDF-1.4 not really a form\n");
	assert_int_equal(kb_mail_part(NULL, kb_buf_span(&raw), &kb_mail_limits, 0, &out), KB_NOTFOUND);
	assert_int_equal(kb_mail_part(NULL, kb_buf_span(&raw), &kb_mail_limits, 2, &out), KB_NOTFOUND);
	kb_buf_release(&raw);
	kb_buf_clear(&out);
	raw = file("nested-rfc822-base64");
	assert_ok(kb_mail_part(NULL, kb_buf_span(&raw), &kb_mail_limits, 1, &out));
	assert_true(kb_span_starts(kb_buf_span(&out), KB_LIT("From: Ana")));
	kb_buf_release(&raw);
	kb_buf_release(&out);
	raw = file("mixed-pdf");
	kb_buf_init(&out, 5);
	assert_int_equal(kb_mail_part(NULL, kb_buf_span(&raw), &kb_mail_limits, 1, &out), KB_LIMIT);
	kb_buf_release(&raw);
	kb_buf_release(&out);
}

TEST(a_bounce_is_a_report_and_its_parts_are_read)
{
	struct kb_mail m = mail("bounce-dsn");
	assert_true(m.report && m.auto_submitted);
	assert_true(has(m.text, "could not be delivered"));
	assert_true(has(m.text, "Status: 5.1.1"));
	assert_true(has(m.text, "Your message was received."));
	assert_int_equal(m.attachments, 0);
	kb_mail_release(&m);
}

TEST(the_inmates_own_text_is_what_stands_below_the_marker)
{
	/* clang-format off */
	static const char *const files[] = {"relay-wrapper", "relay-forwarded-groupwise", "relay-forwarded-outlook"};
	static const char *const remarks[] = {NULL, "Passing this on, not ours.", "FYI only."};
	/* clang-format on */
	for (size_t i = 0; i < KB_LEN(files); i++) {
		struct kb_mail m = mail(files[i]);
		assert_true(has(m.human, "Officer Doe took my legal mail"));
		assert_true(has(m.human, "> he said nobody will believe me"));
		assert_true(has(m.human, "me a shot for lying."));
		assert_false(has(m.human, "ATTENTION"));
		assert_false(has(m.human, "kitchen"));
		assert_true(has(m.text, "268378c5-0a1b-4c2d-8e3f-1a2b3c4d5e6f"));
		assert_true(!remarks[i] || has(m.human, remarks[i]));
		kb_mail_release(&m);
	}
}

TEST(history_is_cut_from_replies_and_kept_in_forwards)
{
	/* clang-format off */
	static const struct { const char *file, *kept, *gone; } cases[] = {
		{"reply-gmail-en", "nobody has called me yet.", "received by the office"}, {"reply-gmail-es", "nadie me llam\xC3\xB3", "llego a la oficina"},
		{"reply-gmail-es-unquoted", "Gracias por todo.", "llego a la oficina"}, {"reply-outlook", "the wheelchair.", "received by the office"},
		{"reply-outlook-es", "Sigo esperando.", "llego a la oficina"}, {"reply-groupwise", "We handled it here.", "received by the office"},
		{"reply-original-message", "the second page too.", "received by the office"}, {"reply-german", "Vielen Dank.", "was received"},
		{"reply-french", "Merci.", "was received"}, {"signature", "since May.", "Example Street"}, {"signature-long", "24. an incident", "-nothing-"},
		{"forward-gmail", "used the spray", "-nothing-"}, {"forward-no-subject-mark", "used the spray", "-nothing-"},
		{"corrlinks-paste", "hot food for nine days", "-nothing-"}, {"reply-only-quote", "A person will read it.", "-nothing-"},
		{"attribution-like", "put him in the hole.", "-nothing-"},
	};
	/* clang-format on */
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		struct kb_mail m = mail(cases[i].file);
		if (!has(m.human, cases[i].kept) || has(m.human, cases[i].gone))
			fail_msg("%s: \"%.*s\"", cases[i].file, (int)m.human.len, (const char *)m.human.p);
		assert_true(has(m.text, cases[i].kept));
		kb_mail_release(&m);
	}
}

/* A message of one text part: n times the line. */
static struct kb_buf long_text(const char *type, const char *line, size_t n)
{
	struct kb_buf b;
	kb_buf_init(&b, 64 << 20);
	assert_ok(kb_buf_printf(&b, "Content-Type: %s; charset=utf-8\r\n\r\n", type));
	for (size_t i = 0; i < n; i++)
		assert_ok(kb_buf_str(&b, line));
	return b;
}

TEST(text_beyond_a_mebibyte_is_cut_between_characters_and_said)
{
	static const char *const types[] = {"text/plain", "text/html"};
	for (size_t i = 0; i < KB_LEN(types); i++) {
		struct kb_buf b = long_text(types[i], "\xC3\xB1\xC3\xB1\xC3\xB1 words and more words\r\n", 60000);
		struct kb_mail m = parsed(kb_buf_span(&b));
		assert_true(m.truncated);
		if (m.text.len > 1 << 20 || m.text.len < 1000000)
			fail_msg("%s: %zu octets of text", types[i], m.text.len);
		assert_true(kb_utf8_valid(m.text) && kb_utf8_valid(m.human));
		kb_mail_release(&m);
		kb_buf_release(&b);
	}
}

TEST(more_attachments_than_the_list_holds_are_still_counted)
{
	struct kb_buf b, out;
	kb_buf_init(&b, 1 << 20);
	kb_buf_init(&out, 100);
	assert_ok(kb_buf_str(&b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
	for (unsigned i = 1; i <= 100; i++)
		assert_ok(kb_buf_printf(&b, "--b\r\nContent-Type: application/x-thing\r\n\r\nnumber %u\r\n", i));
	assert_ok(kb_buf_str(&b, "--b--\r\n"));
	struct kb_mail m = parsed(kb_buf_span(&b));
	assert_int_equal(m.attachments, KB_ATTACHMENTS_MOST);
	assert_int_equal(m.unread_parts, 100);
	assert_false(m.mismatch);
	kb_mail_release(&m);
	assert_ok(kb_mail_part(NULL, kb_buf_span(&b), &kb_mail_limits, 100, &out));
	assert_span(kb_buf_span(&out), "number 100");
	kb_buf_release(&b);
	kb_buf_release(&out);
}

TEST(a_rendering_is_harmless_and_names_what_is_attached)
{
	struct kb_buf out;
	kb_buf_init(&out, 1 << 20);
	struct kb_mail m = mail("subject-terminal");
	assert_ok(kb_mail_render(&m, &out));
	assert_true(has(kb_buf_span(&out), "cleared?"));
	assert_true(kb_utf8_valid(kb_buf_span(&out)));
	for (size_t i = 0; i < out.len; i++)
		assert_true(out.p[i] >= 32 || out.p[i] == '\n' || out.p[i] == '\t');
	kb_mail_release(&m);
	kb_buf_clear(&out);
	m = mail("mixed-pdf");
	assert_ok(kb_mail_render(&m, &out));
	assert_true(has(kb_buf_span(&out), "From:    Maria Example <maria@example.org>\n"));
	assert_true(has(kb_buf_span(&out), "\nThe form is attached.\n"));
	assert_true(has(kb_buf_span(&out), "Attachment 1: form.pdf (application/pdf, 27 octets)\n"));
	assert_true(has(kb_buf_span(&out), "Note: not every part could be read as text.\n"));
	kb_mail_release(&m);
	kb_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(texts_are_taken_out_as_written),
		RUN(what_must_not_be_parsed_is_refused),
		RUN(fields_are_decoded_on_one_line_and_harmless),
		RUN(attachments_are_listed_with_name_type_and_size),
		RUN(the_octets_of_an_attachment_are_given_on_request),
		RUN(a_bounce_is_a_report_and_its_parts_are_read),
		RUN(the_inmates_own_text_is_what_stands_below_the_marker),
		RUN(history_is_cut_from_replies_and_kept_in_forwards),
		RUN(text_beyond_a_mebibyte_is_cut_between_characters_and_said),
		RUN(more_attachments_than_the_list_holds_are_still_counted),
		RUN(a_rendering_is_harmless_and_names_what_is_attached),
	};
	return cmocka_run_group_tests(tests, open_charsets, close_charsets);
}
