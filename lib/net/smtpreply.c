/*
 * smtpreply: what a server may answer. See smtpsession.h.
 *
 * libetpan takes any number for a code, and its reading of an EHLO reply does not end on some that a server could send on
 * purpose: what a server offers is read here.
 */
#include "smtpsession.h"

static bool is_digit(uint8_t c, uint8_t least, uint8_t most)
{
	return c >= least && c <= most;
}

enum kb_status kb_reply_line(struct kb_span line, unsigned *ret_code, bool *ret_more, struct kb_span *ret_text)
{
	if (line.len < 3 || !is_digit(line.p[0], '2', '5') || !is_digit(line.p[1], '0', '9') || !is_digit(line.p[2], '0', '9'))
		return KB_MALFORMED;
	if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return KB_MALFORMED;
	*ret_code = (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
	*ret_more = line.len > 3 && line.p[3] == '-';
	*ret_text = kb_span_from(line, 4);
	return KB_OK;
}

/* The next word; false at the end. */
static bool next_word(struct kb_span *rest, struct kb_span *ret_word)
{
	size_t n = 0;

	while (rest->len && (rest->p[0] == ' ' || rest->p[0] == '\t'))
		*rest = kb_span_from(*rest, 1);
	while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*ret_word = KB_SPAN(rest->p, n);
	*rest = kb_span_from(*rest, n);
	return n > 0;
}

unsigned kb_ehlo_feature(struct kb_span text)
{
	struct kb_span word;

	if (!next_word(&text, &word))
		return 0;
	if (kb_span_caseeq(word, KB_LIT("STARTTLS")))
		return KB_FEATURE_STARTTLS;
	if (kb_span_caseeq(word, KB_LIT("SIZE")))
		return KB_FEATURE_SIZE;
	if (kb_span_caseeq(word, KB_LIT("AUTH")))
		while (next_word(&text, &word))
			if (kb_span_caseeq(word, KB_LIT("PLAIN")))
				return KB_FEATURE_AUTH_PLAIN;
	return 0;
}
