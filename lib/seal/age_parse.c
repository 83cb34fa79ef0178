/*
 * age_parse: the header's grammar, strictly. What the format calls invalid is refused here, before any key is touched,
 * whether or not the stanza at fault is one for us.
 *
 *     header    = "age-encryption.org/v1" LF 1*stanza "--- " 43base64char LF
 *     stanza    = "-> " argument *(SP argument) LF *full-line final-line
 *     argument  = 1*VCHAR
 *     full-line = 64base64char LF        final-line = *63base64char LF
 *
 *     X25519    = "X25519" SP base64(32)                      body of 32 octets
 *     scrypt    = "scrypt" SP base64(16) SP %x31-39 *DIGIT    body of 32 octets, and no other stanza
 *
 * Base64 is canonical and without padding (RFC 4648 section 3.5).
 */
#include <string.h>

#include "age_internal.h"
#include "plain.h"

enum { ARGS_MOST = 4, WORK_FACTOR_DIGITS = 3, WORK_FACTOR_HUGE = 1000 };

#define BAD(d, at, lit) KB_FAIL((d), KB_MALFORMED, (at), lit)

static bool base64_exactly(struct kb_span text, uint8_t *out, size_t n)
{
	size_t got;
	return kb_plain_base64(text, false, out, n, &got) && got == n;
}

/* A line ended by LF alone: a CR is an ordinary, and here never allowed, octet. Where the LF is missing, the callers say
 * KB_AGAIN, and kb_age_header_parse, which knows whether there is more, what that means. */
static bool take_line(struct kb_span *rest, struct kb_span *ret_line)
{
	const uint8_t *lf = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
	if (!lf)
		return false;
	*ret_line = KB_SPAN(rest->p, (size_t)(lf - rest->p));
	*rest = kb_span_from(*rest, ret_line->len + 1);
	return true;
}

/* Splits the arguments after "-> "; the first ARGS_MOST are kept, all are checked. */
static bool split_args(struct kb_span line, struct kb_span args[static ARGS_MOST], size_t *ret_n)
{
	size_t n = 0, start = 0;
	for (size_t i = 0; i <= line.len; i++) {
		if (i < line.len && line.p[i] != ' ') {
			if (line.p[i] < 0x21 || line.p[i] > 0x7e)
				return false;
			continue;
		}
		if (i == start)
			return false;
		if (n < ARGS_MOST)
			args[n] = KB_SPAN(line.p + start, i - start);
		n++;
		start = i + 1;
	}
	*ret_n = n;
	return true;
}

/* Digits without leading zero. More digits than a work factor can have read as a number past every limit. */
static bool parse_work_factor(struct kb_span s, unsigned *ret_n)
{
	unsigned n = 0;
	if (!s.len || s.p[0] == '0')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (i < WORK_FACTOR_DIGITS)
			n = n * 10 + (unsigned)(s.p[i] - '0');
	}
	*ret_n = s.len > WORK_FACTOR_DIGITS ? WORK_FACTOR_HUGE : n;
	return true;
}

static enum kb_status parse_args(struct kb_diag *d, struct kb_span line, struct kb_stanza *s)
{
	struct kb_span args[ARGS_MOST];
	size_t n;
	s->kind = KB_STANZA_OTHER;
	if (!split_args(line, args, &n))
		return BAD(d, 0, "age header: a stanza's arguments are malformed");
	if (kb_span_eq(args[0], KB_LIT("X25519"))) {
		s->kind = KB_STANZA_X25519;
		if (n != 2 || !base64_exactly(args[1], s->share, sizeof(s->share)))
			return BAD(d, 0, "age header: an X25519 stanza without one share of 32 octets");
	} else if (kb_span_eq(args[0], KB_LIT("scrypt"))) {
		s->kind = KB_STANZA_SCRYPT;
		if (n != 3 || !base64_exactly(args[1], s->salt, sizeof(s->salt)))
			return BAD(d, 0, "age header: a scrypt stanza without a salt of 16 octets and a work factor");
		if (!parse_work_factor(args[2], &s->work_factor))
			return BAD(d, 0, "age header: a scrypt work factor is not a decimal number");
	}
	return KB_OK;
}

static enum kb_status parse_body(struct kb_diag *d, struct kb_span *lines, struct kb_stanza *s)
{
	uint8_t octets[KB_AGE_COLUMNS * 3 / 4];
	struct kb_span line;
	size_t n, all = 0;
	do {
		if (!take_line(lines, &line))
			return KB_AGAIN;
		if (line.len > KB_AGE_COLUMNS || !kb_plain_base64(line, false, octets, sizeof(octets), &n))
			return BAD(d, 0, "age header: a stanza's body is not canonical base64 in 64 columns");
		if (all == 0 && n == KB_AGE_WRAPPED)
			memcpy(s->wrapped, octets, KB_AGE_WRAPPED);
		all += n;
	} while (line.len == KB_AGE_COLUMNS);
	/* Checked before anything is decrypted: a longer body could hold many keys at once (partitioning oracle). */
	if (s->kind != KB_STANZA_OTHER && all != KB_AGE_WRAPPED)
		return BAD(d, 0, "age header: a wrapped file key is not of 16 octets");
	return KB_OK;
}

enum kb_status kb_age_stanza_next(struct kb_diag *d, struct kb_span *lines, struct kb_stanza *ret_s)
{
	struct kb_span rest = *lines, line;
	enum kb_status st;
	if (!kb_span_starts(rest, KB_LIT("-> ")))
		return KB_NOTFOUND;
	if (!take_line(&rest, &line))
		return KB_AGAIN;
	if ((st = parse_args(d, kb_span_from(line, 3), ret_s)) != KB_OK)
		return st;
	if ((st = parse_body(d, &rest, ret_s)) != KB_OK)
		return st;
	*lines = rest;
	return KB_OK;
}

static enum kb_status parse_version(struct kb_diag *d, struct kb_span *rest)
{
	struct kb_span prefix = KB_LIT("age-encryption.org/"), line;
	if (!kb_span_starts(*rest, prefix))
		return BAD(d, 0, "not an age file");
	if (!take_line(rest, &line))
		return KB_AGAIN;
	line = kb_span_from(line, prefix.len);
	if (kb_span_eq(line, KB_LIT("v1")))
		return KB_OK;
	if (!line.len)
		return BAD(d, prefix.len, "age header: the version is missing");
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] < 0x21 || line.p[i] > 0x7e)
			return BAD(d, prefix.len + i, "age header: the version is malformed");
	return KB_FAIL(d, KB_UNSUPPORTED, prefix.len, "an age file of another version than v1");
}

/* Walks all stanzas once, so that a later walk cannot fail. */
static enum kb_status parse_stanzas(struct kb_diag *d, struct kb_span *rest, struct kb_age_header *h)
{
	struct kb_stanza s;
	const uint8_t *start = rest->p;
	enum kb_status st;
	bool passphrase = false;
	size_t n = 0;
	while ((st = kb_age_stanza_next(d, rest, &s)) == KB_OK) {
		passphrase |= s.kind == KB_STANZA_SCRYPT;
		n++;
	}
	if (st != KB_NOTFOUND)
		return st;
	if (!n)
		return BAD(d, 0, "age header: no stanza");
	/* A passphrase says also who wrote the file, so nothing may stand beside it. */
	if (passphrase && n > 1)
		return BAD(d, 0, "age header: a scrypt stanza beside others");
	h->stanzas = n;
	h->stanza_lines = KB_SPAN(start, (size_t)(rest->p - start));
	return KB_OK;
}

static enum kb_status parse_mac(struct kb_diag *d, struct kb_span *rest, struct kb_age_header *h)
{
	struct kb_span line;
	if (!take_line(rest, &line))
		return KB_AGAIN;
	if (!kb_span_starts(line, KB_LIT("--- ")) || !base64_exactly(kb_span_from(line, 4), h->mac, sizeof(h->mac)))
		return BAD(d, 0, "age header: no MAC line after the stanzas");
	return KB_OK;
}

enum kb_status kb_age_header_parse(struct kb_diag *d, struct kb_span file, struct kb_age_header *ret_h)
{
	bool cut = file.len > KB_AGE_HEADER_MOST;
	struct kb_span rest = cut ? KB_SPAN(file.p, KB_AGE_HEADER_MOST) : file;
	struct kb_age_header h;
	enum kb_status st;

	if ((st = parse_version(d, &rest)) == KB_OK && (st = parse_stanzas(d, &rest, &h)) == KB_OK) {
		h.mac_input = KB_SPAN(file.p, (size_t)(rest.p - file.p) + 3);
		st = parse_mac(d, &rest, &h);
	}
	if (st == KB_AGAIN && cut)
		return KB_FAIL(d, KB_LIMIT, KB_AGE_HEADER_MOST, "an age header longer than is taken here");
	if (st == KB_AGAIN)
		return BAD(d, file.len, "age header: the file ends within it");
	if (st != KB_OK)
		return st;
	h.len = (size_t)(rest.p - file.p);
	*ret_h = h;
	return KB_OK;
}
