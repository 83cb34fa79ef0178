/*
 * parameter: what may stand behind the path of MAIL.
 *
 *	esmtp-param = keyword [ "=" 1*( %d33-60 / %d62-126 ) ]          RFC 5321 4.1.2
 *
 * RCPT takes none: of the extensions offered here, none has one.
 */
#include "internal.h"

static enum kb_smtp_why on_size(struct kb_smtp *s, struct kb_span value)
{
	enum kb_status st = kb_span_u64(value, UINT64_MAX, &s->mail.declared);
	if (st == KB_MALFORMED || value.len > 20)
		return KB_SMTP_ARGUMENT;
	/* RFC 1870 6.1 */
	return st != KB_OK || s->mail.declared > s->settings->limit.message_octets ? KB_SMTP_TOO_BIG : KB_SMTP_FINE;
}

/* Octets are kept as they come, whatever is said of them. */
static enum kb_smtp_why on_body(struct kb_smtp *s, struct kb_span value)
{
	(void)s;
	return kb_span_caseeq(value, KB_LIT("7BIT")) || kb_span_caseeq(value, KB_LIT("8BITMIME")) ? KB_SMTP_FINE : KB_SMTP_ARGUMENT;
}

static enum kb_smtp_why on_smtputf8(struct kb_smtp *s, struct kb_span value)
{
	s->mail.smtputf8 = true;
	return value.p ? KB_SMTP_ARGUMENT : KB_SMTP_FINE;
}

/* clang-format off */
static const struct {
	const char *keyword;
	enum kb_smtp_why (*run)(struct kb_smtp *s, struct kb_span value); /* value.p is NULL: no "=" */
} parameters[] = {
	{ "SIZE",     on_size },
	{ "BODY",     on_body },
	{ "SMTPUTF8", on_smtputf8 },
};
/* clang-format on */

static struct kb_span take_word(struct kb_span *rest)
{
	size_t n = 0;
	while (n < rest->len && rest->p[n] != ' ')
		n++;
	struct kb_span word = KB_SPAN(rest->p, n);
	while (n < rest->len && rest->p[n] == ' ')
		n++;
	*rest = kb_span_from(*rest, n);
	return word;
}

static enum kb_smtp_why one(struct kb_smtp *s, struct kb_span word, unsigned *seen)
{
	size_t eq = kb_span_find(word, KB_LIT("="));
	struct kb_span keyword = KB_SPAN(word.p, eq == SIZE_MAX ? word.len : eq);
	struct kb_span value = eq == SIZE_MAX ? KB_SPAN(NULL, 0) : kb_span_from(word, eq + 1);
	for (size_t i = 0; i < KB_LEN(parameters); i++) {
		if (!kb_span_caseeq(keyword, kb_span_str(parameters[i].keyword)))
			continue;
		if (*seen & 1u << i)
			return KB_SMTP_ARGUMENT;
		*seen |= 1u << i;
		return parameters[i].run(s, value);
	}
	return KB_SMTP_PARAMETER;
}

enum kb_smtp_why kb_smtp_mail_parameters(struct kb_smtp *s, struct kb_span rest)
{
	unsigned seen = 0;
	enum kb_smtp_why why = KB_SMTP_FINE;
	if (rest.len && rest.p[0] != ' ')
		return KB_SMTP_SENDER; /* "<a@b>c" */
	(void)take_word(&rest);
	while (why == KB_SMTP_FINE && rest.len)
		why = one(s, take_word(&rest), &seen);
	return why;
}
