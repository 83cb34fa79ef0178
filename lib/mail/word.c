/*
 * word: unstructured header text with encoded words. See mail_internal.h.
 *
 *     encoded-word = "=?" charset ["*" language] "?" ("Q" / "B") "?" encoded-text "?="                RFC 2047, RFC 2231 section 5
 *
 * White space between two encoded words is not text. Words that follow each other in one charset are joined before they are
 * converted, since many senders cut in the middle of a character.
 */
#include <string.h>

#include "mail_internal.h"

enum { CHARSET_MOST = 64 };

struct word {
	struct kb_span charset, text;
	bool base64;
	size_t len; /* of all of it */
};

struct joiner {
	struct kb_buf *out;
	struct kb_buf octets; /* decoded, not yet converted */
	struct kb_span charset;
	bool *doubt;
};

static bool space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* s begins with "=?". */
static bool word_parse(struct kb_span s, struct word *ret_w)
{
	size_t at = 2, star = 0;
	while (at < s.len && at < 2 + CHARSET_MOST && s.p[at] > 32 && s.p[at] < 127 && s.p[at] != '?') {
		if (s.p[at] == '*' && !star)
			star = at;
		at++;
	}
	if (at + 3 >= s.len || s.p[at] != '?' || at == 2 || s.p[at + 2] != '?')
		return false;
	uint8_t how = s.p[at + 1] | 32;
	if (how != 'q' && how != 'b')
		return false;
	size_t text = at + 3;
	const uint8_t *end = memchr(s.p + text, '?', s.len - text);
	size_t n = end ? (size_t)(end - s.p) - text : 0;
	if (!end || text + n + 1 >= s.len || s.p[text + n + 1] != '=')
		return false;
	*ret_w = (struct word){.charset = KB_SPAN(s.p + 2, (star ? star : at) - 2), .text = KB_SPAN(s.p + text, n), .base64 = how == 'b',
		.len = text + n + 2};
	return true;
}

static enum kb_status flush(struct joiner *j)
{
	enum kb_status st = KB_OK;
	if (j->octets.len)
		st = kb_charset_decode(j->out, kb_buf_span(&j->octets), j->charset, j->doubt);
	kb_buf_clear(&j->octets);
	return st;
}

static enum kb_status on_word(struct joiner *j, const struct word *w)
{
	enum kb_status st = KB_OK;
	if (!kb_span_caseeq(j->charset, w->charset))
		st = flush(j);
	j->charset = w->charset;
	if (st != KB_OK)
		return st;
	return w->base64 ? kb_decode(&j->octets, KB_ENCODING_BASE64, w->text, j->doubt) : kb_decode_q(&j->octets, w->text, j->doubt);
}

/* Text between words: folds are taken out (RFC 5322 section 2.2.3), what is not ASCII is read as the charset nobody named. */
static enum kb_status on_text(struct joiner *j, struct kb_span s)
{
	enum kb_status st = flush(j);
	while (st == KB_OK && s.len) {
		size_t n = 0;
		while (n < s.len && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		st = kb_charset_decode(j->out, KB_SPAN(s.p, n), KB_LIT(""), j->doubt);
		while (n < s.len && (s.p[n] == '\r' || s.p[n] == '\n'))
			n++;
		s = kb_span_from(s, n);
	}
	return st;
}

static size_t find_start(struct kb_span s, size_t from)
{
	size_t at = kb_span_find(kb_span_from(s, from), KB_LIT("=?"));
	return at == SIZE_MAX ? s.len : from + at;
}

static bool blank(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!space(s.p[i]))
			return false;
	return true;
}

enum kb_status kb_words_decode(struct kb_buf *b, struct kb_span value, bool *doubt)
{
	struct joiner j = {.out = b, .doubt = doubt};
	struct word w;
	enum kb_status st = KB_OK;
	bool after_word = false;
	kb_buf_init(&j.octets, value.len + 4);
	size_t text = 0, at = 0;
	while (st == KB_OK && (at = find_start(value, at)) < value.len) {
		if (!word_parse(kb_span_from(value, at), &w)) {
			at += 2;
			continue;
		}
		struct kb_span between = KB_SPAN(value.p + text, at - text);
		if (!(after_word && blank(between)) && between.len)
			st = on_text(&j, between);
		if (st == KB_OK)
			st = on_word(&j, &w);
		text = at += w.len;
		after_word = true;
	}
	if (st == KB_OK)
		st = on_text(&j, kb_span_from(value, text));
	kb_buf_release(&j.octets);
	return st;
}
