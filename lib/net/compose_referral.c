/*
 * compose_referral: a sealed file and its signature, with a word on how to open them. See kitebox/compose.h.
 *
 * Nothing here depends on the case but its id and the sealed octets: who watches the mail learns that a referral went, when,
 * and its size class.
 */
#include "compose_internal.h"

#include <stdio.h>

enum { MINISIG_MOST = 4096 };

/* %s is the id. */
static const char explanation[] =
    "This mail carries a referral that is sealed to your office's key. Nothing of it\r\n"
    "can be read on the way, and nothing of it stands in this text.\r\n"
    "\r\n"
    "  referral-%s.eml.age          the referral (age)\r\n"
    "  referral-%s.eml.age.minisig  its signature (minisign)\r\n"
    "\r\n"
    "Save both. To see that the office sent it, with the referral key that you were\r\n"
    "given on paper:\r\n"
    "\r\n"
    "  minisign -V -P KEY -m referral-%s.eml.age\r\n"
    "\r\n"
    "To open it, with your office's identity file:\r\n"
    "\r\n"
    "  age -d -i IDENTITY -o referral-%s.eml referral-%s.eml.age\r\n"
    "\r\n"
    "What you get begins with Kitebox- lines: when and how the message came, and why\r\n"
    "it was referred. After an empty line the message follows as it was received;\r\n"
    "Kitebox-End says how many octets it has, and blanks fill up the rest.\r\n"
    "\r\n"
    "The same referral may reach you twice; the number in its name tells. Please do\r\n"
    "not answer this mail with anything that stands in the referral: an answer would\r\n"
    "not be sealed.\r\n";

static void boundary(struct kb_pen *p, const char *id, bool last)
{
	kb_pen_str(p, "--kitebox-");
	kb_pen_str(p, id);
	kb_pen_str(p, last ? "--\r\n" : "\r\n");
}

static void attachment(struct kb_pen *p, const char *id, const char *suffix, struct kb_span octets)
{
	boundary(p, id, false);
	kb_pen_str(p, "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
		      "Content-Disposition: attachment; filename=\"referral-");
	kb_pen_str(p, id);
	kb_pen_str(p, suffix);
	kb_pen_str(p, "\"\r\n\r\n");
	kb_pen_base64(p, octets);
}

enum kb_status kb_compose_referral(
    struct kb_diag *d, const struct kb_letter *l, struct kb_span sealed, struct kb_span minisig, struct kb_composed *ret_mail)
{
	char id[KB_ID_TEXT], subject[64], text[sizeof explanation + 5 * KB_ID_TEXT];
	struct kb_pen p;

	kb_pen_init(&p, d);
	if (!sealed.len || !minisig.len || minisig.len > MINISIG_MOST)
		kb_pen_fail(&p, KB_MALFORMED, "a referral is a sealed file and its signature");
	kb_id_format(&l->id, id);
	(void)snprintf(subject, sizeof subject, "Sealed referral %s", id);
	(void)snprintf(text, sizeof text, explanation, id, id, id, id, id);
	kb_pen_header(&p, l, "referral", "auto-generated", kb_span_str(subject));
	kb_pen_str(&p, "Content-Type: multipart/mixed; boundary=\"kitebox-");
	kb_pen_str(&p, id);
	kb_pen_str(&p, "\"\r\n\r\n");
	boundary(&p, id, false);
	kb_pen_str(&p, "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
	kb_pen_str(&p, text);
	attachment(&p, id, ".eml.age", sealed);
	attachment(&p, id, ".eml.age.minisig", minisig);
	boundary(&p, id, true);
	enum kb_status st = kb_pen_finish(&p, ret_mail);

	kb_pen_release(&p);
	return st;
}
