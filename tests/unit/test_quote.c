#include "kbtest.h"

#include <string.h>

#include "mail_internal.h"

static void own(const char *subject, const char *text, const char *wanted)
{
	struct kb_buf b;
	kb_buf_init(&b, 65536);
	assert_ok(kb_own_text(&b, kb_span_str(text), kb_span_str(subject)));
	struct kb_span s = kb_span_trim(kb_buf_span(&b));
	assert_int_equal(s.len, strlen(wanted));
	if (s.len)
		assert_memory_equal(s.p, wanted, s.len);
	kb_buf_release(&b);
}

TEST(text_without_history_is_all_the_writers)
{
	own("x", "one\n\ntwo\n", "one\n\ntwo");
	own("x", "", "");
}

TEST(quoted_lines_go_and_answers_between_them_stay)
{
	own("Re: x", "> a\nb\n>> c\n > d\ne\n", "b\ne");
}

TEST(an_attribution_goes_with_the_lines_it_introduces)
{
	own("Re: x", "mine\n\nOn Fri, Nov 20, 2026 at 3:14 PM Desk <desk@kitebox.example>\nwrote:\n\n> theirs\nmine too\n", "mine\n\n\nmine too");
	own("Re: x", "hecho\n\nEl vie, 20 nov 2026 a las 15:14, Oficina (<familia@kitebox.example>) escribi\xC3\xB3:\n> suyo\n", "hecho");
	own("Re: x", "merci\n\nLe ven. 20 nov. 2026 \xC3\xA0 15:14, X <x@kitebox.example> a \xC3\xA9" "crit :\n> eux\n", "merci");
	own("AW: x", "danke\n\nAm 20.11.2026 um 15:14 schrieb X <x@kitebox.example>:\n> ihr\n", "danke");
}

TEST(an_attribution_with_an_address_ends_the_text_when_history_follows_unmarked)
{
	own("Re: x", "mine\n\nOn Nov 20, 2026, Desk <desk@kitebox.example> wrote:\ntheirs\nmore\n", "mine");
}

TEST(a_sentence_that_looks_like_an_attribution_stays)
{
	own("x", "On Friday the officer came and on the form he wrote:\nthis inmate lies\n",
	    "On Friday the officer came and on the form he wrote:\nthis inmate lies");
	own("x", "first\nOn Friday I wrote to you.\nsecond\n", "first\nOn Friday I wrote to you.\nsecond");
}

TEST(the_blocks_that_mail_programs_write_end_the_text)
{
	own("RE: x", "mine\n\n-----Original Message-----\nFrom: a\ntheirs\n", "mine");
	own("RE: x", "mine\n\n-----Mensaje original-----\nDe: a\nsuyo\n", "mine");
	own("RE: x", "mine\n\nFrom: A <a@kitebox.example>\nSent: Friday\nTo: B\nSubject: x\n\ntheirs\n", "mine");
	own("RE: x", "mine\n\n*From:* A\n*Sent:* Friday\n*To:* B\ntheirs\n", "mine");
	own("RE: x", "mio\n\nDe: A\nEnviado el: viernes\nPara: B\nAsunto: x\n\nsuyo\n", "mio");
	own("AW: x", "mein\n\nVon: A\nGesendet: Freitag\nAn: B\nBetreff: x\n\nihr\n", "mein");
	own("Re: x", "mine\n\n>>> Desk <desk@kitebox.example> 11/20/2026 3:14 PM >>>\ntheirs\n", "mine");
}

TEST(a_pasted_header_that_is_no_block_stays)
{
	own("x", "he wrote me this:\n\nFROM: DOE JOHN\nTO: Example\nSUBJECT: food\nDATE: 11/20/2026\n\nno hot food\n",
	    "he wrote me this:\n\nFROM: DOE JOHN\nTO: Example\nSUBJECT: food\nDATE: 11/20/2026\n\nno hot food");
	own("x", "From: the day I came here\nI asked for a doctor.\n", "From: the day I came here\nI asked for a doctor.");
}

TEST(history_with_nothing_above_it_is_the_message)
{
	own("Re: x", "> only\n> this\n", "> only\n> this");
	own("Re: x", "-----Original Message-----\nFrom: a\ntheirs\n", "-----Original Message-----\nFrom: a\ntheirs");
	own("Re: x", "From: A <a@kitebox.example>\nSent: Friday\nTo: B\n\ntheirs\n", "From: A <a@kitebox.example>\nSent: Friday\nTo: B\n\ntheirs");
}

TEST(what_is_forwarded_stays)
{
	own("Fwd: x", "look\n\nFrom: A <a@kitebox.example>\nSent: Friday\nTo: B\n\n> theirs\n",
	    "look\n\nFrom: A <a@kitebox.example>\nSent: Friday\nTo: B\n\n> theirs");
	own("FW: x", "look\n-----Original Message-----\ntheirs\n", "look\n-----Original Message-----\ntheirs");
	own("x", "look\n---------- Forwarded message ---------\nFrom: A\nDate: b\nTo: c\n> theirs\n",
	    "look\n---------- Forwarded message ---------\nFrom: A\nDate: b\nTo: c\n> theirs");
	own("x", "look\n\nBegin forwarded message:\n\n> theirs\n", "look\n\nBegin forwarded message:\n\n> theirs");
}

TEST(a_signature_goes_and_a_long_one_is_text)
{
	own("x", "mine\n-- \nMaria\nExample Street\n", "mine");
	own("x", "mine\n--\nmore of mine\n", "mine\n--\nmore of mine");
	own("x", "mine\n-- \na\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np\n", "mine\n-- \na\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np");
	own("x", "-- \nMaria\n", "-- \nMaria");
	own("Re: x", "mine\n-- \nMaria\n> theirs\nmine again\n", "mine\nmine again");
}

#define WRAPPER "To: SupportCoordinator\nInmate Work Assignment: kitchen\n\n***ATTENTION***\nPlease cut\n\n***Inmate Message Below***\n"

TEST(below_the_relays_marker_all_is_the_inmates_own)
{
	own("***Request to Staff***", WRAPPER "\nhelp me\n> he said\nOn 11/20 he wrote:\n-- \nend\n", "help me\n> he said\nOn 11/20 he wrote:\n-- \nend");
}

TEST(a_remark_above_the_wrapper_is_kept_and_the_wrapper_is_not)
{
	own("Fwd: x", "not ours\n\n>>> ~ DOE 11/20/2026 12:41 PM >>>\n" WRAPPER "help me\n", "not ours\nhelp me");
	own("FW: x", "not ours\n\n-----Original Message-----\nFrom: x\nSent: y\n" WRAPPER "help me\n", "not ours\nhelp me");
	own("x", "not ours\n\nFrom: x\nSent: y\nTo: z\n" WRAPPER "help me\n", "not ours\nhelp me");
}

TEST(a_quoted_wrapper_is_history)
{
	own("Re: x", "answered\n\n> ***Inmate Message Below***\n> help me\n", "answered");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(text_without_history_is_all_the_writers),
		RUN(quoted_lines_go_and_answers_between_them_stay),
		RUN(an_attribution_goes_with_the_lines_it_introduces),
		RUN(an_attribution_with_an_address_ends_the_text_when_history_follows_unmarked),
		RUN(a_sentence_that_looks_like_an_attribution_stays),
		RUN(the_blocks_that_mail_programs_write_end_the_text),
		RUN(a_pasted_header_that_is_no_block_stays),
		RUN(history_with_nothing_above_it_is_the_message),
		RUN(what_is_forwarded_stays),
		RUN(a_signature_goes_and_a_long_one_is_text),
		RUN(below_the_relays_marker_all_is_the_inmates_own),
		RUN(a_remark_above_the_wrapper_is_kept_and_the_wrapper_is_not),
		RUN(a_quoted_wrapper_is_history),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
