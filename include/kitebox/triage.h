/*
 * triage: give a message a class, a category, flags, a score, and reasons that a person can check.
 *
 * A model judges (conf/triage.model, made by train.h), and rules add what it must not be left to guess (conf/triage.rules);
 * docs/FORMATS.md has both. The costly error is a missed allegation, so everything in doubt is `review`. Text of a message never
 * changes a state: an instruction in it is content.
 *
 * Ownership:  kb_triage_open allocates, and borrows the model's octets; kb_triage_free takes its address.
 * Errors:     for a rules file that is not exactly right KB_MALFORMED, with the line in d->offset; for a model KB_MALFORMED,
 *             KB_UNSUPPORTED, KB_FORGED, with d->offset 0.
 * Not here:   taking text out of a message (mail.h).
 */
#ifndef KITEBOX_TRIAGE_H
#define KITEBOX_TRIAGE_H

#include <kitebox/mail.h>
#include <kitebox/verdict.h>

struct kb_triage;
KB_MUST_USE enum kb_status kb_triage_open(struct kb_diag *d, struct kb_span rules, struct kb_span model, struct kb_triage **ret_t);
void kb_triage_free(struct kb_triage **t);
/* Rules alone, and what they add to the logit of a text: for whoever trains a model that works beside them. */
KB_MUST_USE enum kb_status kb_triage_rules(struct kb_diag *d, struct kb_span rules, struct kb_triage **ret_t);
float kb_triage_weigh(const struct kb_triage *t, struct kb_span subject, struct kb_span text);
/* Names of the desk's persons, a line each in roster order; replaces those before. */
KB_MUST_USE enum kb_status kb_triage_staff(struct kb_triage *t, struct kb_span names);
/* Without rules and model: finds those names in kb_triage_raw, and says nothing else. */
KB_MUST_USE enum kb_status kb_triage_names(struct kb_span names, struct kb_triage **ret_t);

struct kb_triage_context {
	uint8_t channel;  /* enum kb_channel_kind */
	bool trusted;     /* inmate relay: never machine mail */
	bool null_sender;
};
/* Fills the whole verdict from a parsed message. Never fails: doubt is a verdict (review), and so is everything where t has no
 * model. */
void kb_triage_mail(const struct kb_triage *t, const struct kb_mail *m, const struct kb_triage_context *c, struct kb_verdict *ret_v);
/* A message that could not be parsed: a plain scan of our own over the raw octets; always KB_FLAG_UNREADABLE, KB_CLASS_REVIEW
 * (or ALLEGATION when the scan finds one), From/Subject/Date as far as the fields give them. Needs no rules when t is NULL. */
void kb_triage_raw(const struct kb_triage *t, struct kb_span raw, const struct kb_triage_context *c, struct kb_verdict *ret_v);

#endif
