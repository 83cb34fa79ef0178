/*
 * triage: what rules and a model say of a message, and that a mind which is not exactly right is refused. KB_RULES and KB_MODEL are
 * the sample files; most tests take a model that knows a few words (modelfix.c).
 */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/triage.h>

#include "modelfix.h"

static struct kb_buf taught, rules; /* what a test does not say otherwise about; borrowed by every mind */

static struct kb_buf file(const char *path)
{
	struct kb_buf b;
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("%s is missing", path);
	kb_buf_init(&b, 8 << 20);
	assert_ok(kb_buf_reserve(&b, 4 << 20));
	b.len = fread(b.p, 1, 4 << 20, f);
	(void)fclose(f);
	return b;
}

static struct kb_triage *mind_of(struct kb_span text, struct kb_span model)
{
	struct kb_diag d = {0};
	struct kb_triage *t = NULL;
	if (kb_triage_open(&d, text, model, &t) != KB_OK)
		fail_msg("line %zu: %s", d.offset, d.what);
	return t;
}

static struct kb_triage *sample(void)
{
	return mind_of(kb_buf_span(&rules), kb_buf_span(&taught));
}

static int read_files(void **state)
{
	struct modelfix *fx = modelfix_of_tests();
	(void)state;
	taught = modelfix_file(fx);
	rules = file(getenv("KB_RULES"));
	modelfix_free(&fx);
	return 0;
}

static int drop_files(void **state)
{
	(void)state;
	kb_buf_release(&taught);
	kb_buf_release(&rules);
	return 0;
}

static struct kb_mail mail(const char *subject, const char *text)
{
	struct kb_mail m;
	memset(&m, 0, sizeof m);
	m.from = m.to = m.date = m.message_id = "";
	m.subject = subject;
	m.text = m.human = kb_span_str(text);
	return m;
}

static struct kb_verdict judge_with(const struct kb_triage *t, const struct kb_mail *m, const struct kb_triage_context *c)
{
	struct kb_verdict v;
	kb_triage_mail(t, m, c, &v);
	assert_ok(kb_verdict_check(&v));
	return v;
}

static struct kb_verdict judge_span(const struct kb_triage *t, struct kb_span text)
{
	const struct kb_triage_context c = {.channel = KB_CHANNEL_EMAIL};
	struct kb_mail m = mail("", "");
	m.text = m.human = text;
	return judge_with(t, &m, &c);
}

static struct kb_verdict judge(const struct kb_triage *t, const char *text)
{
	return judge_span(t, kb_span_str(text));
}

/* clang-format off */
static const struct { uint8_t class_; int category; uint32_t flags; const char *text; } samples[] = {
	{KB_CLASS_ALLEGATION, KB_CAT_EXCESSIVE_FORCE, 0,
		"Officer Quillon slammed him against the wall and kicked him in the ribs while he was handcuffed."},
	{KB_CLASS_ALLEGATION, KB_CAT_EXCESSIVE_FORCE, 0,
		"El oficial golpe\xc3\xb3 a mi hermano en la cara y lo pate\xc3\xb3 cuando estaba esposado."},
	{KB_CLASS_ALLEGATION, KB_CAT_SEXUAL_MISCONDUCT, KB_FLAG_SEXUAL_ABUSE,
		"A guard touches the women during searches and has a relationship with one of them."},
	{KB_CLASS_ALLEGATION, KB_CAT_CONTRABAND_BRIBERY, 0,
		"The officer on nights is selling phones and suboxone, you pay him by cashapp."},
	{KB_CLASS_INQUIRY, KB_CAT_TRUST_FUND, 0,
		"Can you tell me how I make a deposit to the commissary account of my brother? I have the form here. Thanks."},
	{KB_CLASS_REVIEW, -1, KB_FLAG_URGENT_SAFETY,
		"He said goodbye to us on the phone and that he wont be a problem after Sunday. Please look in on him."},
	{KB_CLASS_REVIEW, -1, KB_FLAG_URGENT_SAFETY, "Mi hijo dice que ya no aguanto mas y que quiere descansar para siempre."},
	{KB_CLASS_REVIEW, -1, 0, "help"},
	{KB_CLASS_REVIEW, -1, 0, "Wann darf ich meinen Bruder besuchen und was muss ich dafuer mitbringen?"},
};
/* clang-format on */

TEST(samples_of_each_class_are_told_apart)
{
	struct kb_triage *t = sample();
	for (size_t i = 0; i < KB_LEN(samples); i++) {
		struct kb_verdict v = judge(t, samples[i].text);
		if (v.class_ != samples[i].class_ || (v.flags & samples[i].flags) != samples[i].flags ||
		    (samples[i].category >= 0 && v.category != samples[i].category))
			fail_msg("%s: %s, %s, %x (%u)", samples[i].text, kb_class_name(v.class_), kb_category_name(v.category), v.flags,
			    v.score_e4);
		assert_true(strlen(v.reasons) > 0);
		assert_int_equal(v.ack, 1);
	}
	kb_triage_free(&t);
}

TEST(accents_repeats_look_alikes_and_case_hide_nothing)
{
	static const char *const dressed[] = {
		"OFFICER QUILLON KICKED HIM WHILE HE WAS IN HANDCUFFS",
		"offfffficer quillon kicked him while he was in handcuffs",
		"\xd0\xbe" "fficer quillon ki\xe2\x80\x8b" "cked him while he was in h\xc2\xad" "andcuffs",
		"\xef\xbd\x8f\xef\xbd\x86\xef\xbd\x86icer quillon k\xc3\xad" "ck\xc3\xa9" "d him while he was in h\xc3\xa4" "ndcuffs",
	};
	struct kb_triage *t = sample();
	uint32_t plain = judge(t, "officer quillon kicked him while he was in handcuffs").score_e4;
	for (size_t i = 0; i < KB_LEN(dressed); i++)
		assert_int_equal(judge(t, dressed[i]).score_e4, plain);
	assert_true(plain > judge(t, "quillon saw him while he was in town").score_e4);
	kb_triage_free(&t);
}

/* Room is made for as many words as a text can have: whatever stands between them, the last ones are read. */
TEST(whatever_stands_between_words_the_last_are_read)
{
	static const char *const between[] = {" ", "\n", ".", "/", "@", "[", "{", "\x7f", "\xff", "\xe2\x80\x94", "\xc2\xbf", "' ", "\xe2\x80\x99 ",
	    "'\xff"};
	enum { WORDS = 400 };
	struct kb_triage *t = sample();
	uint32_t plain = 0;
	for (size_t i = 0; i < KB_LEN(between); i++) {
		struct kb_buf b;
		kb_buf_init(&b, 1 << 16);
		for (size_t n = 0; n < WORDS; n++)
			assert_ok(kb_buf_printf(&b, "ab%s", between[i]));
		uint32_t without = judge_span(t, kb_buf_span(&b)).score_e4;
		assert_ok(kb_buf_printf(&b, "officer%squillon%skicked%shim", between[i], between[i], between[i]));
		uint32_t with = judge_span(t, kb_buf_span(&b)).score_e4;
		plain = i ? plain : with;
		assert_true(with > without);
		assert_int_equal(with, plain);
		kb_buf_release(&b);
	}
	kb_triage_free(&t);
}

/* Each doubt alone keeps a message, which would be an inquiry without it, with people. */
TEST(what_is_not_certain_is_never_an_inquiry)
{
	static const char plain[] = "Can you tell me how I make a deposit to the commissary account of my brother? I have the form. Thanks.";
	const struct kb_triage_context c = {.channel = KB_CHANNEL_EMAIL};
	struct kb_triage *t = sample();
	struct kb_mail m = mail("", plain);
	assert_int_equal(judge_with(t, &m, &c).class_, KB_CLASS_INQUIRY);
	m.unread_parts = 1;
	assert_int_equal(judge_with(t, &m, &c).class_, KB_CLASS_REVIEW);
	m.unread_parts = 0;
	m.charset_doubt = true;
	assert_int_equal(judge_with(t, &m, &c).class_, KB_CLASS_REVIEW);
	m.charset_doubt = false;
	m.mismatch = true;
	assert_int_equal(judge_with(t, &m, &c).class_, KB_CLASS_REVIEW);
	m.mismatch = false;
	m.truncated = true;
	assert_int_equal(judge_with(t, &m, &c).class_, KB_CLASS_REVIEW);
	kb_triage_free(&t);
}

TEST(machine_mail_gets_no_answer_and_is_still_read)
{
	const struct kb_triage_context c = {.channel = KB_CHANNEL_EMAIL}, bounce = {.null_sender = true},
				       relay = {.channel = KB_CHANNEL_INMATE_RELAY, .trusted = true};
	struct kb_triage *t = sample();
	struct kb_mail m = mail("Out of office", "Thank you for your message about the visiting form. I am back on the 9th and will answer then.");
	m.auto_submitted = true;
	struct kb_verdict v = judge_with(t, &m, &c);
	assert_int_equal(v.class_, KB_CLASS_MACHINE);
	assert_int_equal(v.ack, 0);
	assert_int_equal(judge_with(t, &m, &relay).ack, 1);
	m.auto_submitted = false;
	assert_int_equal(judge_with(t, &m, &bounce).ack, 0);
	m = mail("Re: your message", "Officer Quillon slammed him against the wall and kicked him in the ribs while he was handcuffed.");
	m.list = true;
	v = judge_with(t, &m, &c);
	assert_int_equal(v.class_, KB_CLASS_REVIEW);
	assert_int_equal(v.ack, 0);
	kb_triage_free(&t);
}

TEST(a_member_of_the_desk_is_seen_in_the_text_and_not_in_the_salutation)
{
	struct kb_triage *t = sample();
	assert_ok(kb_triage_staff(t, KB_LIT("Anna Quillfeather\nBen Xiom\xc3\xa1ra\n")));
	assert_int_equal(judge(t, "I spoke with Quillfeather last week and she hung up on me.").named, 1);
	assert_int_equal(judge(t, "el senor XIOMARA no me contesta").named, 2);
	assert_true(judge(t, "BEN XIOMARA and Anna QUILLFEATHER").named == 3);
	assert_true(judge(t, "BEN XIOMARA lied to me").flags & KB_FLAG_NAMES_COORDINATOR);
	assert_int_equal(judge(t, "Dear Ms. Quillfeather,\nhow do I add my aunt to the visiting list?").named, 0);
	assert_int_equal(judge(t, "Dear Ms. Quillfeather,\nyou hung up on me, Quillfeather, and I want to complain.").named, 1);
	assert_int_equal(judge(t, "Dear Ms. Quillfeather hung up on me when I called about the list").named, 1);
	static const char *const naming[] = {"Quillfeather's fist broke my jaw", "Quillfeather\xe2\x80\x99s fist broke my jaw", "Ms Quillfeather hit me",
		"Sra Quillfeather me golpe\xc3\xb3:", "Msgs stolen by Quillfeather,", "it was Quill-feather who did it", "> Quillfeather beat him",
		"who did it?\nQuillfeather", "hello,\n-- \nQuillfeather is a thief", "To Quillfeather I owe my broken arm"};
	static const char *const greeting[] = {"Dear Anna Quillfeather:\nhello", "Good morning Ms. Quillfeather\nhello", "Ms. Quillfeather,\nhello",
		"Hola Sra. Quillfeather, buenas tardes\nhola", "> Dear Ms. Quillfeather,\n> hello", "Attn: Support Coordinator Quillfeather\nhello"};
	for (size_t i = 0; i < KB_LEN(naming); i++)
		if (judge(t, naming[i]).named != 1)
			fail_msg("not seen: %s", naming[i]);
	for (size_t i = 0; i < KB_LEN(greeting); i++)
		if (judge(t, greeting[i]).named != 0)
			fail_msg("taken for more than a greeting: %s", greeting[i]);
	const struct kb_triage_context c = {0};
	struct kb_mail m = mail("Officer Quillfeather beat me", "see above, please help me with this");
	assert_int_equal(judge_with(t, &m, &c).named, 1);
	m = mail("pictures", "see the picture, please help me with this");
	m.attachment[0].name = "quillfeather-hits-me.jpg";
	m.attachments = 1;
	assert_int_equal(judge_with(t, &m, &c).named, 1);
	assert_ok(kb_triage_staff(t, KB_LIT("")));
	assert_int_equal(judge(t, "I spoke with Quillfeather last week").named, 0);
	kb_triage_free(&t);
}

TEST(identifiers_are_told_from_what_looks_like_them)
{
	const struct kb_triage_context c = {.channel = KB_CHANNEL_INMATE_RELAY, .trusted = true};
	struct kb_triage *t = sample();
	struct kb_mail m = mail("***Request to Staff*** QUARREL, DEAN, Reg# 90001777, KBA-C-A",
	    "***ATTENTION***\n268378c5-9a1e-4c55-8a0e-0123456789ab\n***Inmate Message Below***\nWhen is my visit?");
	struct kb_verdict v = judge_with(t, &m, &c);
	assert_string_equal(v.indicator, "268378c5-9a1e-4c55-8a0e-0123456789ab");
	assert_string_equal(v.register_number, "90001-777");
	assert_string_equal(v.institution, "KBA");
	m = mail("", "ZIP 12345-6789, phone 555-555-0199, case 1:20-cr-00123, remedy 1132042-F1, a268378c5-9a1e-4c55-8a0e-0123456789ab");
	v = judge_with(t, &m, &c);
	assert_string_equal(v.indicator, "");
	assert_string_equal(v.register_number, "");
	assert_string_equal(v.institution, "");
	m = mail("", "his number is 12345-678.");
	assert_string_equal(judge_with(t, &m, &c).register_number, "12345-678");
	kb_triage_free(&t);
}

TEST(what_cannot_be_parsed_is_unreadable_and_waits_for_a_person)
{
	static const char raw[] = "From: a@family.example\r\nSubject: =?x?\r\n\r\nOfficer Quillon kicked him in the ribs in handcuffs, he punched him.\r\n";
	const struct kb_triage_context c = {0}, bounce = {.null_sender = true};
	struct kb_triage *t = sample();
	struct kb_verdict v;
	struct kb_span octets = kb_span_str(raw);
	kb_triage_raw(NULL, octets, &c, &v);
	assert_ok(kb_verdict_check(&v));
	assert_int_equal(v.class_, KB_CLASS_REVIEW);
	assert_int_equal(v.flags, KB_FLAG_UNREADABLE);
	assert_int_equal(v.ack, 1);
	kb_triage_raw(NULL, octets, &bounce, &v);
	assert_int_equal(v.ack, 0);
	kb_triage_raw(t, octets, &c, &v);
	assert_int_equal(v.class_, KB_CLASS_ALLEGATION);
	assert_true(v.flags & KB_FLAG_UNREADABLE);
	kb_triage_free(&t);
}

TEST(names_are_found_also_where_there_are_no_rules)
{
	const struct kb_triage_context c = {0};
	struct kb_triage *t = NULL;
	struct kb_verdict v;
	assert_ok(kb_triage_names(KB_LIT("Anna Quillfeather\nBen Xiomara\n"), &t));
	kb_triage_raw(t, KB_LIT("Subject: x\r\n\r\nBen Xiomara kicked him in the ribs in handcuffs\r\n"), &c, &v);
	assert_ok(kb_verdict_check(&v));
	assert_int_equal(v.named, 2);
	assert_int_equal(v.class_, KB_CLASS_REVIEW);
	assert_int_equal(v.flags, KB_FLAG_UNREADABLE | KB_FLAG_NAMES_COORDINATOR);
	assert_int_equal(v.score_e4, 0);
	kb_triage_raw(t, KB_LIT("Subject: x\r\n\r\nnobody\r\n"), &c, &v);
	assert_int_equal(v.named, 0);
	struct kb_mail m = mail("Xiomara", "Can you tell me how I make a deposit to the commissary account of my brother? I have the form. Thanks.");
	v = judge_with(t, &m, &c);
	assert_int_equal(v.class_, KB_CLASS_REVIEW);
	assert_int_equal(v.named, 2);
	assert_true(v.flags & KB_FLAG_NAMES_COORDINATOR);
	assert_int_equal(v.ack, 1);
	assert_int_equal(v.model_version, 0);
	assert_true(strlen(v.reasons) > 0);
	kb_triage_free(&t);
}

#define HEAD "kitebox-triage-rules 1\nversion 7\n"

/* clang-format off */
static const struct { const char *text; enum kb_status st; size_t line; } files[] = {
	{HEAD "rule a any 200 excessive-force kick* = Kicked.\n", KB_OK, 0},
	{"kitebox-triage-rules 2\n", KB_MALFORMED, 1},
	{"", KB_MALFORMED, 1},
	{HEAD "bias -100\nrule a any 200 - kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "review 0.1\nrule a any 200 - kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "allegation 0.5\nrule a any 200 - kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "rule a any 200 - kick* = K\x1b[31m.\n", KB_MALFORMED, 3},
	{HEAD "rule a any 200 excessive-force kick*\n", KB_MALFORMED, 3},
	{HEAD "rule a any 200 no-such-category kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "rule a any 200 -,no-such-flag kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "rule a xx 200 - kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "rule a any 99999 - kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "rule a any 200 - @nobody = K.\n", KB_MALFORMED, 3},
	{HEAD "rule a any 200 - ~3 kick* = K.\n", KB_MALFORMED, 3},
	{HEAD "rule a any 200 - kick* = K.\n\n# fine\nnonsense\n", KB_MALFORMED, 6},
};
/* clang-format on */

TEST(rules_that_are_not_exactly_right_are_refused_with_their_line)
{
	for (size_t i = 0; i < KB_LEN(files); i++) {
		struct kb_diag d = {0};
		struct kb_triage *t = NULL;
		enum kb_status st = kb_triage_open(&d, kb_span_str(files[i].text), kb_buf_span(&taught), &t);
		if (st != files[i].st || d.offset != files[i].line)
			fail_msg("%zu: status %d, line %zu", i, st, d.offset);
		assert_int_equal(t != NULL, st == KB_OK);
		kb_triage_free(&t);
	}
}

TEST(a_rule_is_met_in_its_order_and_width)
{
	struct modelfix *fx = modelfix_new();
	struct kb_buf blank = modelfix_file(fx);
	struct kb_triage *t = mind_of(
	    KB_LIT(HEAD "rule a any 300 excessive-force guard* ~2 kick* = K.\nrule b any 300 excessive-force red <>1 blue = K.\n"), kb_buf_span(&blank));
	const uint32_t none = judge(t, "nothing here").score_e4, one = judge(t, "guard kicked").score_e4;
	assert_true(one > none);
	assert_int_equal(judge(t, "guards then soon kicking").score_e4, one);
	assert_int_equal(judge(t, "guards and then soon kicking").score_e4, none);
	assert_int_equal(judge(t, "kicked the guard").score_e4, none);
	assert_int_equal(judge(t, "red blue").score_e4, one);
	assert_int_equal(judge(t, "blue or red").score_e4, one);
	assert_int_equal(judge(t, "blue or else red").score_e4, none);
	assert_int_equal(judge(t, "").rules_version, 7);
	kb_triage_free(&t);
	kb_buf_release(&blank);
	modelfix_free(&fx);
}

TEST(a_mind_needs_both_rules_and_a_model)
{
	struct kb_span model = kb_buf_span(&taught), text = kb_buf_span(&rules);
	struct kb_diag d = {0};
	struct kb_triage *t = NULL;
	assert_int_equal(kb_triage_open(&d, text, KB_LIT(""), &t), KB_MALFORMED);
	assert_int_equal(d.offset, 0);
	assert_int_equal(kb_triage_open(&d, text, KB_SPAN(model.p, model.len - 1), &t), KB_MALFORMED);
	assert_int_equal(d.offset, 0);
	assert_int_equal(kb_triage_open(&d, text, text, &t), KB_MALFORMED);
	assert_int_equal(kb_triage_open(&d, KB_LIT(""), model, &t), KB_MALFORMED);
	assert_int_equal(kb_triage_open(&d, model, model, &t), KB_TOOBIG);
	taught.p[KB_MODEL_LEN / 2] ^= 1;
	assert_int_equal(kb_triage_open(&d, text, model, &t), KB_FORGED);
	assert_int_equal(d.offset, 0);
	taught.p[KB_MODEL_LEN / 2] ^= 1;
	assert_null(t);
	assert_ok(kb_triage_open(&d, text, model, &t));
	struct kb_verdict v = judge(t, "anything");
	assert_int_equal(v.model_version, 1);
	assert_int_equal(v.rules_version, 2);
	kb_triage_free(&t);
}

/* The sample model is trained anew from time to time: what any such model must say. */
TEST(the_sample_mind_takes_no_plain_allegation_for_an_inquiry)
{
	struct kb_buf model = file(getenv("KB_MODEL"));
	struct kb_triage *t = mind_of(kb_buf_span(&rules), kb_buf_span(&model));
	uint32_t least = 10000, question = 0;
	for (size_t i = 0; i < KB_LEN(samples); i++) {
		struct kb_verdict v = judge(t, samples[i].text);
		if (samples[i].class_ != KB_CLASS_INQUIRY && v.class_ == KB_CLASS_INQUIRY)
			fail_msg("%s: %s (%u)", samples[i].text, kb_class_name(v.class_), v.score_e4);
		if (samples[i].class_ == KB_CLASS_INQUIRY)
			question = v.score_e4;
		else if (samples[i].class_ == KB_CLASS_ALLEGATION && v.score_e4 < least)
			least = v.score_e4;
	}
	assert_true(least > question);
	kb_triage_free(&t);
	kb_buf_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(samples_of_each_class_are_told_apart),
		RUN(accents_repeats_look_alikes_and_case_hide_nothing),
		RUN(whatever_stands_between_words_the_last_are_read),
		RUN(what_is_not_certain_is_never_an_inquiry),
		RUN(machine_mail_gets_no_answer_and_is_still_read),
		RUN(a_member_of_the_desk_is_seen_in_the_text_and_not_in_the_salutation),
		RUN(identifiers_are_told_from_what_looks_like_them),
		RUN(what_cannot_be_parsed_is_unreadable_and_waits_for_a_person),
		RUN(names_are_found_also_where_there_are_no_rules),
		RUN(rules_that_are_not_exactly_right_are_refused_with_their_line),
		RUN(a_rule_is_met_in_its_order_and_width),
		RUN(a_mind_needs_both_rules_and_a_model),
		RUN(the_sample_mind_takes_no_plain_allegation_for_an_inquiry),
	};
	return cmocka_run_group_tests(tests, read_files, drop_files);
}
