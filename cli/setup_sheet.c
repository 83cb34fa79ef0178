/*
 * setup_sheet: the page of fingerprints that goes into the office's safe. Nothing on it is secret. See setup.h.
 */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "home.h"
#include "setup.h"

static const char tail[] =
    "\n"
    "What goes where\n"
    "  host/             to the server, and nothing else does: office.pub and office.bundle beside kitebox.conf, credentials/\n"
    "                    where only root reads it. Once the store has taken the bundle, it may go.\n"
    "  people/ID/        to that person, as the folder ~/.config/kite (or $KITE_HOME) of that person's own machine.\n"
    "  custodian/        to the custodian, who opens what was written in confidence.\n"
    "  investigators/    each key to the office of that name, and no copy stays here.\n"
    "  safe/             into the safe: recovery.key opens everything but referrals when all other keys are lost.\n"
    "\n"
    "All of these have the passphrase that was given at setup. Each holder gives a file one of their own:\n"
    "  kite open identity | kite seal -p -o identity.new && mv identity.new identity\n"
    "  minisign -C -s office.key\n"
    "\n"
    "At first contact kite shows the office key's fingerprint: compare it with this page.\n"
    "On the host: tail -n 1 office.pub | sha256sum\n";

static enum kb_status add_recipient(struct kb_buf *b, const char *label, const struct kb_recipient *r)
{
	char text[KB_RECIPIENT_TEXT];
	kb_recipient_format(r, text);
	return kb_buf_printf(b, "%-17s %s\n", label, text);
}

static enum kb_status add_minisign(struct kb_buf *b, const char *label, const struct kb_minisign_public *p)
{
	char text[KB_MINISIGN_PUBLIC_TEXT], print[KITE_FINGERPRINT_TEXT];
	kb_minisign_public_format(p, text);
	kite_fingerprint(p, print);
	return kb_buf_printf(b, "%-17s %s\n  fingerprint     %.39s\n                  %s\n", label, text, print, print + 40);
}

static enum kb_status add_keys(struct kb_buf *b, const struct kite_office *o)
{
	char store[KB_ID_TEXT], hash[2 * sizeof(o->roster.hash) + 1];
	kb_id_format(&o->roster.store, store);
	(void)sodium_bin2hex(hash, sizeof(hash), o->roster.hash, sizeof(o->roster.hash));
	enum kb_status st = kb_buf_printf(b, "store             %s\nroster 1          %s\n\n", store, hash);
	if (st == KB_OK)
		st = add_minisign(b, "office key", &o->office);
	if (st == KB_OK)
		st = add_minisign(b, "referral key", &o->roster.referral);
	if (st == KB_OK)
		st = add_recipient(b, "desk, epoch 1", &o->roster.desk);
	if (st == KB_OK)
		st = add_recipient(b, "recovery", &o->roster.recovery);
	return st == KB_OK ? add_recipient(b, "custodian", &o->roster.custodian[0]) : st;
}

static enum kb_status add_people(struct kb_buf *b, const struct kb_roster *r)
{
	char recipient[KB_RECIPIENT_TEXT], sign[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)];
	enum kb_status st = kb_buf_str(b, "\nPeople\n");
	for (size_t i = 0; st == KB_OK && i < r->persons; i++) {
		const struct kb_person *p = &r->person[i];
		kb_recipient_format(&p->recipient, recipient);
		(void)sodium_bin2base64(sign, sizeof(sign), p->sign_public, sizeof(p->sign_public), sodium_base64_VARIANT_ORIGINAL);
		st = kb_buf_printf(b, "%-17s %s, %s\n  reads with      %s\n  signs with      %s\n", p->id, p->name,
		    kb_role_name(p->role), recipient, sign);
	}
	return st;
}

static enum kb_status add_destinations(struct kb_buf *b, const struct kite_plan *plan, const struct kb_roster *r)
{
	char recipient[KB_RECIPIENT_TEXT];
	enum kb_status st = kb_buf_str(b, "\nReferrals go to\n");
	for (size_t i = 0; st == KB_OK && i < r->destinations; i++) {
		kb_recipient_format(&r->destination[i].recipient[0], recipient);
		st = kb_buf_printf(b, "%-17s %s: ", r->destination[i].id, r->destination[i].address);
		if (st == KB_OK && (i == 0 || !plan->destination[i].flags))
			st = kb_buf_printf(b, "allegations, and what is in doubt%s",
			    plan->destination[i].flags ? "; and what has the flags " : "");
		else if (st == KB_OK)
			st = kb_buf_str(b, "what has the flags ");
		if (st == KB_OK)
			st = kb_flags_format(b, plan->destination[i].flags);
		if (st == KB_OK)
			st = kb_buf_printf(b, "\n  reads with      %s%s\n", recipient,
			    plan->destination[i].own_key ? " (their own key)" : "");
	}
	return st;
}

enum kb_status kite_office_sheet(const struct kite_plan *p, const struct kite_office *o, struct kb_buf *ret_text)
{
	char when[KB_TIME_TEXT];
	kb_time_format(o->roster.created_s, when);
	enum kb_status st = kb_buf_printf(ret_text,
	    "Setup sheet of the office%s%s\nmade %s. Nothing on this page is secret; keep it on paper.\n\n",
	    p->store_host ? " at " : "", p->store_host ? p->store_host : "", when);
	if (st == KB_OK)
		st = add_keys(ret_text, o);
	if (st == KB_OK)
		st = add_people(ret_text, &o->roster);
	if (st == KB_OK)
		st = add_destinations(ret_text, p, &o->roster);
	if (st == KB_OK)
		st = kb_buf_printf(ret_text,
		    "\nThe office key, which signs every roster, is people/%s/office.key. It never goes to the "
		    "server.\n",
		    p->person[0].id);
	return st == KB_OK ? kb_buf_str(ret_text, tail) : st;
}

enum kb_status kite_office_brief(const struct kite_plan *p, const struct kite_office *o, const char *out, struct kb_buf *ret_text)
{
	enum kb_status st = kb_buf_printf(ret_text, "A new office stands in %s: %zu person%s, %zu destination%s.\n\n",
	    out, p->persons, p->persons == 1 ? "" : "s", p->destinations, p->destinations == 1 ? "" : "s");
	if (st == KB_OK)
		st = add_keys(ret_text, o);
	return st == KB_OK
		   ? kb_buf_printf(ret_text,
			 "\nPrint %s/setup-sheet.txt: it says what goes where. Only %s/host belongs on the server.\n",
			 out, out)
		   : st;
}
