/*
 * extract: the identifiers that an inmate messaging system puts into a message: message indicator (a UUID), register number
 * (12345-678), institution code. A look-alike (ZIP+4, telephone, docket) is told apart by what stands on both sides.
 */
#include <string.h>

#include "internal.h"

static bool digit(struct kb_span s, size_t i)
{
	return i < s.len && s.p[i] >= '0' && s.p[i] <= '9';
}

static bool hex(struct kb_span s, size_t i)
{
	return digit(s, i) || (i < s.len && ((s.p[i] >= 'a' && s.p[i] <= 'f') || (s.p[i] >= 'A' && s.p[i] <= 'F')));
}

static bool word_char(struct kb_span s, size_t i)
{
	return digit(s, i) || (i < s.len && ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z')) || (i < s.len && s.p[i] == '-');
}

static bool alone(struct kb_span s, size_t at, size_t len)
{
	return (at == 0 || !word_char(s, at - 1)) && !word_char(s, at + len);
}

/* 8-4-4-4-12 hexadecimal digits (RFC 4122, section 3). */
static bool uuid_at(struct kb_span s, size_t at)
{
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (at + i >= s.len || (dash ? s.p[at + i] != '-' : !hex(s, at + i)))
			return false;
	}
	return alone(s, at, 36);
}

static void find_indicator(struct kb_span text, struct kb_verdict *v)
{
	for (size_t i = 0; i + 36 <= text.len; i++)
		if (hex(text, i) && uuid_at(text, i)) {
			kb_field_set(v->indicator, sizeof(v->indicator), KB_SPAN(text.p + i, 36));
			return;
		}
}

/* "12345-678", or eight digits behind "Reg": 12345678 is then written with its hyphen. */
static bool find_register(struct kb_span s, struct kb_verdict *v)
{
	for (size_t i = 0; i + 9 <= s.len; i++) {
		size_t n = 0;
		while (n < 9 && (n == 5 ? s.p[i + n] == '-' : digit(s, i + n)))
			n++;
		if (n == 9 && alone(s, i, 9)) {
			kb_field_set(v->register_number, sizeof(v->register_number), KB_SPAN(s.p + i, 9));
			return true;
		}
	}
	for (size_t i = 0; (i = kb_span_casefind(s, KB_LIT("reg"))) != SIZE_MAX; s = kb_span_from(s, i + 3)) {
		size_t at = i + 3, n = 0;
		while (at < s.len && at < i + 24 && !digit(s, at) && s.p[at] != '\n')
			at++;
		while (n < 8 && digit(s, at + n))
			n++;
		if (n == 8 && !word_char(s, at + 8)) {
			char text[10];
			memcpy(text, s.p + at, 5);
			text[5] = '-';
			memcpy(text + 6, s.p + at + 5, 3);
			kb_field_set(v->register_number, sizeof(v->register_number), KB_SPAN(text, 9));
			return true;
		}
	}
	return false;
}

/* "ABC-D-E" (institution, building, section), or the three capitals that follow a register number in a subject. */
static bool find_institution(struct kb_span s, struct kb_verdict *v)
{
	for (size_t i = 0; i + 5 <= s.len; i++) {
		if (s.p[i + 3] != '-' || (i && word_char(s, i - 1)))
			continue;
		bool capitals = true;
		for (size_t j = 0; j < 3; j++)
			capitals = capitals && s.p[i + j] >= 'A' && s.p[i + j] <= 'Z';
		size_t end = i + 4;
		while (end < s.len && ((s.p[end] >= 'A' && s.p[end] <= 'Z') || digit(s, end)))
			end++;
		if (capitals && end > i + 4 && end < s.len && s.p[end] == '-' && end - i < 8) {
			kb_field_set(v->institution, sizeof(v->institution), KB_SPAN(s.p + i, 3));
			return true;
		}
	}
	return false;
}

void kb_extract(struct kb_span subject, struct kb_span text, bool relay, struct kb_verdict *v)
{
	/* What a wrapper says stands near the top; nothing beyond is worth a walk of a megabyte. */
	struct kb_span top = KB_SPAN(text.p, text.len < 16384 ? text.len : 16384);
	if (relay)
		find_indicator(top, v);
	if (!find_register(subject, v))
		(void)find_register(top, v);
	if (!find_institution(subject, v))
		(void)find_institution(top, v);
}
