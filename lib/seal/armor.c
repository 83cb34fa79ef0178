/*
 * armor: an age file as text, strictly: one way to write each file, but for white space around it and CRLF line ends.
 *
 *     -----BEGIN AGE ENCRYPTED FILE-----
 *     *(64base64char EOL) [1*64base64char EOL]     with "=" padding
 *     -----END AGE ENCRYPTED FILE-----
 *
 * Standard:  age-encryption.org/v1, "ASCII armor"; RFC 7468 section 3 (strict).
 */
#include <sodium.h>

#include "age_internal.h"
#include "plain.h"

enum { OCTETS = KB_AGE_COLUMNS * 3 / 4, SPACE_MOST = 1024 };

#define BEGIN_LINE "-----BEGIN AGE ENCRYPTED FILE-----"
#define END_LINE "-----END AGE ENCRYPTED FILE-----"

static size_t leading_space(struct kb_span s)
{
	size_t n = 0;
	while (n < s.len && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r' || s.p[n] == '\n'))
		n++;
	return n;
}

/* Wider than the BEGIN line, so that armor of another kind is called that, and not a malformed header. */
bool kb_age_is_armored(struct kb_span file)
{
	return kb_span_starts(kb_span_from(file, leading_space(file)), KB_LIT("-----"));
}

enum kb_status kb_age_armor(struct kb_span file, struct kb_buf *ret_text)
{
	char line[KB_AGE_COLUMNS + 1];
	size_t before = ret_text->len;
	enum kb_status st = kb_buf_str(ret_text, BEGIN_LINE "\n");
	for (size_t i = 0; st == KB_OK && i < file.len; i += OCTETS) {
		size_t n = file.len - i < OCTETS ? file.len - i : OCTETS;
		(void)sodium_bin2base64(line, sizeof(line), file.p + i, n, sodium_base64_VARIANT_ORIGINAL);
		if ((st = kb_buf_str(ret_text, line)) == KB_OK)
			st = kb_buf_byte(ret_text, '\n');
	}
	if (st == KB_OK)
		st = kb_buf_str(ret_text, END_LINE "\n");
	if (st != KB_OK)
		ret_text->len = before;
	return st;
}

/* White space before the first line, in lines of its own. */
static enum kb_status skip_begin(struct kb_diag *d, struct kb_span *text)
{
	size_t n = leading_space(*text);
	struct kb_span line;
	if (n > SPACE_MOST)
		return KB_FAIL(d, KB_ARMOR, 0, "armor: too much white space before it");
	if (n && text->p[n - 1] != '\n')
		return KB_FAIL(d, KB_ARMOR, n, "armor: its first line is indented");
	*text = kb_span_from(*text, n);
	if (!kb_span_line(text, &line) || !kb_span_eq(line, KB_LIT(BEGIN_LINE)))
		return KB_FAIL(d, KB_ARMOR, n, "armor: no BEGIN line");
	return KB_OK;
}

static enum kb_status check_tail(struct kb_diag *d, struct kb_span tail)
{
	if (leading_space(tail) != tail.len)
		return KB_FAIL(d, KB_ARMOR, 0, "armor: something follows it");
	if (tail.len > SPACE_MOST)
		return KB_FAIL(d, KB_ARMOR, 0, "armor: too much white space after it");
	return KB_OK;
}

static enum kb_status dearmor(struct kb_diag *d, struct kb_span text, struct kb_buf *out)
{
	uint8_t octets[OCTETS];
	struct kb_span line;
	bool full = true;
	size_t n;
	enum kb_status st = skip_begin(d, &text);
	if (st != KB_OK)
		return st;
	while (kb_span_line(&text, &line)) {
		if (kb_span_eq(line, KB_LIT(END_LINE)))
			return check_tail(d, text);
		if (!full)
			return KB_FAIL(d, KB_ARMOR, out->len, "armor: a short line that is not the last");
		if (!line.len || line.len > KB_AGE_COLUMNS || !kb_plain_base64(line, true, octets, sizeof(octets), &n))
			return KB_FAIL(d, KB_ARMOR, out->len, "armor: a line is not canonical base64 in 64 columns");
		full = n == OCTETS;
		if ((st = kb_buf_add(out, KB_SPAN(octets, n))) != KB_OK)
			return KB_FAIL(d, st, 0, "armor: more inside than is taken here");
	}
	return KB_FAIL(d, KB_ARMOR, out->len, "armor: no END line");
}

enum kb_status kb_age_dearmor(struct kb_diag *d, struct kb_span text, struct kb_buf *ret_file)
{
	size_t before = ret_file->len;
	enum kb_status st = dearmor(d, text, ret_file);
	if (st != KB_OK)
		ret_file->len = before;
	return st;
}
