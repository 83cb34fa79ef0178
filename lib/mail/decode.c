/*
 * decode: base64, quoted-printable, uuencode: tolerant, since a line that one relay broke must not cost the whole text; and
 * flagged, since then it is only a reading. See mail_internal.h.
 *
 * Standard:  RFC 2045 sections 6.7, 6.8; uuencode as in POSIX uuencode(1).
 */
#include <string.h>

#include "mail_internal.h"

/* clang-format off */
#define S 64 /* white space: passed over */
#define P 65 /* padding */
#define X 66 /* anything else: passed over, and said */
static const uint8_t base64[256] = {
	X,X,X,X,X,X,X,X,X,S,S,X,X,S,X,X, X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,
	S,X,X,X,X,X,X,X,X,X,X,62,X,X,X,63, 52,53,54,55,56,57,58,59,60,61,X,X,X,P,X,X,
	X,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14, 15,16,17,18,19,20,21,22,23,24,25,X,X,X,X,X,
	X,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40, 41,42,43,44,45,46,47,48,49,50,51,X,X,X,X,X,
	X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X, X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X, X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X, X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,
	X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X, X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X, X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X, X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,X,
};
#undef S
#undef P
#undef X
enum { SPACE = 64, PADDING = 65 };

static const struct { const char *name; enum kb_encoding e; } encodings[] = {
	{"7bit", KB_ENCODING_NONE}, {"8bit", KB_ENCODING_NONE}, {"binary", KB_ENCODING_NONE}, {"base64", KB_ENCODING_BASE64},
	{"quoted-printable", KB_ENCODING_QP}, {"x-uuencode", KB_ENCODING_UU}, {"uuencode", KB_ENCODING_UU}, {"x-uue", KB_ENCODING_UU},
};
/* clang-format on */

enum kb_encoding kb_encoding_find(struct kb_span value)
{
	char word[KB_TYPE_MOST];
	size_t at;
	kb_type_parse(value, word, &at);
	if (!word[0])
		return value.len ? KB_ENCODING_UNKNOWN : KB_ENCODING_NONE;
	for (size_t i = 0; i < KB_LEN(encodings); i++)
		if (!strcmp(encodings[i].name, word))
			return encodings[i].e;
	return KB_ENCODING_UNKNOWN;
}

enum kb_status kb_add_some(struct kb_buf *b, struct kb_span s)
{
	size_t room = b->most - b->len;
	enum kb_status st = kb_buf_add(b, KB_SPAN(s.p, s.len < room ? s.len : room));
	return st == KB_OK && s.len > room ? KB_LIMIT : st;
}

static enum kb_status decode_base64(struct kb_buf *b, struct kb_span in, bool *doubt)
{
	uint32_t bits = 0;
	unsigned have = 0;
	bool odd = false;
	size_t room = in.len / 4 * 3 + 3;
	if (kb_buf_reserve(b, room) != KB_OK) {
		/* Decode what fits. */
		room = b->most - b->len;
		if (kb_buf_reserve(b, room) != KB_OK)
			return KB_LIMIT;
	}
	uint8_t *out = b->p + b->len, *end = out + room;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t v = base64[in.p[i]];
		if (v >= 64) {
			if (v == PADDING)
				have = 0; /* the end, or of one piece when several were put behind each other */
			else if (v != SPACE)
				odd = true;
			continue;
		}
		bits = bits << 6 | v;
		have += 6;
		if (have < 8)
			continue;
		if (out == end) {
			b->len = (size_t)(out - b->p);
			return KB_LIMIT;
		}
		have -= 8;
		*out++ = (uint8_t)(bits >> have);
	}
	b->len = (size_t)(out - b->p);
	*doubt = *doubt || odd;
	return KB_OK;
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What follows an "=" at i: the length of the escape, and its octet (-1: a soft line break); 0 when it is none. */
static size_t escape_at(struct kb_span in, size_t i, int *ret_octet)
{
	int high = i + 2 < in.len ? hex(in.p[i + 1]) : -1, low = i + 2 < in.len ? hex(in.p[i + 2]) : -1;
	if (high >= 0 && low >= 0) {
		*ret_octet = high << 4 | low;
		return 3;
	}
	size_t j = i + 1;
	while (j < in.len && (in.p[j] == ' ' || in.p[j] == '\t'))
		j++;
	*ret_octet = -1;
	if (j == in.len)
		return j - i;
	if (in.p[j] == '\n')
		return j + 1 - i;
	return in.p[j] == '\r' && j + 1 < in.len && in.p[j + 1] == '\n' ? j + 2 - i : 0;
}

static enum kb_status decode_qp(struct kb_buf *b, struct kb_span in, bool *doubt)
{
	enum kb_status st = KB_OK;
	while (st == KB_OK && in.len) {
		const uint8_t *eq = memchr(in.p, '=', in.len);
		size_t plain = eq ? (size_t)(eq - in.p) : in.len;
		st = kb_add_some(b, KB_SPAN(in.p, plain));
		in = kb_span_from(in, plain);
		if (st != KB_OK || !in.len)
			break;
		int octet = '=';
		size_t n = escape_at(in, 0, &octet);
		if (!n) {
			octet = '=';
			*doubt = true;
		}
		if (octet >= 0)
			st = kb_buf_byte(b, (uint8_t)octet);
		in = kb_span_from(in, n ? n : 1);
	}
	return st;
}

enum kb_status kb_decode_q(struct kb_buf *b, struct kb_span in, bool *doubt)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < in.len; i++) {
		int octet = in.p[i] == '_' ? ' ' : in.p[i];
		if (in.p[i] == '=') {
			int high = i + 2 < in.len ? hex(in.p[i + 1]) : -1, low = i + 2 < in.len ? hex(in.p[i + 2]) : -1;
			if (high >= 0 && low >= 0) {
				octet = high << 4 | low;
				i += 2;
			} else {
				*doubt = true;
			}
		}
		st = kb_buf_byte(b, (uint8_t)octet);
	}
	return st;
}

/* One line: a length character, then groups of four characters for three octets. */
static enum kb_status uu_line(struct kb_buf *b, struct kb_span line, bool *doubt)
{
	size_t n = line.len ? (size_t)(line.p[0] - 32) & 63 : 0;
	enum kb_status st = KB_OK;
	for (size_t at = 1; st == KB_OK && n; at += 4) {
		uint32_t v = 0;
		for (size_t j = 0; j < 4; j++) {
			bool there = at + j < line.len;
			*doubt = *doubt || !there;
			v = v << 6 | (there ? (uint32_t)(line.p[at + j] - 32) & 63 : 0);
		}
		uint8_t octets[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
		size_t take = n < 3 ? n : 3;
		st = kb_buf_add(b, KB_SPAN(octets, take));
		n -= take;
	}
	return st;
}

static enum kb_status decode_uu(struct kb_buf *b, struct kb_span in, bool *doubt)
{
	struct kb_span line;
	bool inside = false;
	enum kb_status st = KB_OK;
	while (st == KB_OK && kb_span_line(&in, &line)) {
		if (!inside) {
			inside = kb_span_starts(line, KB_LIT("begin "));
			continue;
		}
		if (kb_span_eq(line, KB_LIT("end")))
			return KB_OK;
		st = uu_line(b, line, doubt);
	}
	if (st == KB_OK)
		*doubt = true; /* it never began, or never ended */
	return st;
}

enum kb_status kb_decode(struct kb_buf *b, enum kb_encoding e, struct kb_span in, bool *doubt)
{
	switch (e) {
	case KB_ENCODING_BASE64:
		return decode_base64(b, in, doubt);
	case KB_ENCODING_QP:
		return decode_qp(b, in, doubt);
	case KB_ENCODING_UU:
		return decode_uu(b, in, doubt);
	case KB_ENCODING_UNKNOWN:
		*doubt = true;
		break;
	case KB_ENCODING_NONE:
		break;
	}
	return kb_add_some(b, in);
}

static size_t size_base64(struct kb_span in)
{
	size_t total = 0, run = 0;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t v = base64[in.p[i]];
		run += v < 64;
		if (v == PADDING) {
			total += run * 6 / 8;
			run = 0;
		}
	}
	return total + run * 6 / 8;
}

static size_t size_qp(struct kb_span in)
{
	size_t n = in.len;
	const uint8_t *eq;
	for (size_t i = 0; i < in.len && (eq = memchr(in.p + i, '=', in.len - i));) {
		int octet;
		i = (size_t)(eq - in.p);
		size_t step = escape_at(in, i, &octet);
		if (step)
			n -= octet < 0 ? step : step - 1;
		i += step ? step : 1;
	}
	return n;
}

static size_t size_uu(struct kb_span in)
{
	struct kb_span line;
	size_t n = 0;
	bool inside = false;
	while (kb_span_line(&in, &line)) {
		if (inside && kb_span_eq(line, KB_LIT("end")))
			break;
		if (inside && line.len)
			n += (size_t)(line.p[0] - 32) & 63;
		inside = inside || kb_span_starts(line, KB_LIT("begin "));
	}
	return n;
}

size_t kb_decoded_size(enum kb_encoding e, struct kb_span in)
{
	switch (e) {
	case KB_ENCODING_BASE64:
		return size_base64(in);
	case KB_ENCODING_QP:
		return size_qp(in);
	case KB_ENCODING_UU:
		return size_uu(in);
	case KB_ENCODING_NONE:
	case KB_ENCODING_UNKNOWN:
		break;
	}
	return in.len;
}
