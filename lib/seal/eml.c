/*
 * eml: the head of a sealed message, its original, its padding. See eml.h.
 *
 *     file     = head original padding
 *     head     = 1*32field end CRLF
 *     field    = "Kitebox-" name ":" [SP value] CRLF        name = ALPHA *30(ALPHA / DIGIT / "-"), and not "End"
 *     value    = word *([CRLF] SP word)
 *     end      = "Kitebox-End:" SP length SP hash CRLF      length without leading zeros; 64 lower-case hexadecimal digits
 *
 * A word is UTF-8 without control characters. To unfold, the CRLF is taken out and its space stays (RFC 5322 section 2.2.3).
 */
#include <string.h>

#include <sodium.h>

#include <kitebox/eml.h>

#include "plain.h"

enum { NAME_MOST = 31, LINE_WANTED = 78, WORD_MOST = 900, HASH = 32, PAD_LINE = 78 };
_Static_assert(HASH == crypto_generichash_BYTES, "BLAKE2b-256");
_Static_assert(WORD_MOST + NAME_MOST + 16 < 998, "no line is longer than RFC 5322 section 2.1.1 allows");

static const struct kb_span prefix = {(const uint8_t *)"Kitebox-", 8};

static bool name_fine(struct kb_span name)
{
	if (!name.len || name.len > NAME_MOST)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];
		bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
		if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
			return false;
	}
	return true;
}

static bool is_end(struct kb_span name)
{
	return kb_span_caseeq(name, KB_LIT("End"));
}

/* The next word of *rest, at most WORD_MOST octets of it and cut between characters; empty at the end. */
static struct kb_span next_word(struct kb_span *rest)
{
	struct kb_span s = *rest;
	size_t n = 0;
	while (s.len && s.p[0] == ' ')
		s = kb_span_from(s, 1);
	while (n < s.len && s.p[n] != ' ' && n < WORD_MOST)
		n++;
	while (n && n < s.len && (s.p[n] & 0xC0) == 0x80)
		n--;
	*rest = kb_span_from(s, n);
	return KB_SPAN(s.p, n);
}

enum kb_status kb_eml_add(struct kb_buf *b, const char *name, struct kb_span value)
{
	struct kb_span n = kb_span_str(name), word;
	size_t before = b->len, used = prefix.len + n.len + 1;
	if (!name_fine(n) || is_end(n) || !kb_plain_text(value))
		return KB_MALFORMED;
	enum kb_status st = kb_buf_printf(b, "Kitebox-%s:", name);
	for (bool first = true; st == KB_OK && (word = next_word(&value)).len; first = false) {
		bool fold = !first && used + 1 + word.len > LINE_WANTED;
		st = kb_buf_str(b, fold ? "\r\n " : " ");
		if (st == KB_OK)
			st = kb_buf_add(b, word);
		used = (fold ? 0 : used) + 1 + word.len;
	}
	if (st == KB_OK)
		st = kb_buf_str(b, "\r\n");
	if (st != KB_OK)
		kb_plain_cut(b, before);
	return st;
}

/* What is left of a head, and where in the file that is. */
struct head {
	struct kb_diag *d;
	struct kb_span rest;
	size_t at;
};

struct end {
	uint64_t len;
	uint8_t hash[HASH];
};

#define BAD(h, lit) KB_FAIL((h)->d, KB_MALFORMED, (h)->at, lit)

static bool peek_line(const struct head *h, struct kb_span *ret_line)
{
	size_t n = kb_span_find(h->rest, KB_LIT("\r\n"));
	if (n == SIZE_MAX)
		return false;
	*ret_line = KB_SPAN(h->rest.p, n);
	return true;
}

static void skip_line(struct head *h, struct kb_span line)
{
	h->rest = kb_span_from(h->rest, line.len + 2);
	h->at += line.len + 2;
}

/* Copies a value and its continuation lines together. The arena has room for the whole head, so for every value of it. */
static enum kb_status take_value(struct head *h, struct kb_span first, struct kb_arena *a, struct kb_span *ret_value)
{
	struct kb_span line;
	const uint8_t *start = h->rest.p;
	size_t n = first.len;
	while (peek_line(h, &line) && line.len && line.p[0] == ' ') {
		n += line.len;
		skip_line(h, line);
	}
	uint8_t *p = kb_arena_alloc(a, n + 1);
	if (!p)
		return KB_FAIL(h->d, KB_TOOBIG, h->at, "the head of the sealed message is too long");
	memcpy(p, first.p, first.len);
	struct head again = {.rest = KB_SPAN(start, (size_t)(h->rest.p - start))};
	for (size_t at = first.len; peek_line(&again, &line); skip_line(&again, line)) {
		memcpy(p + at, line.p, line.len);
		at += line.len;
	}
	struct kb_span value = KB_SPAN(p, n);
	if (n && (n == 1 || p[0] != ' ' || !kb_plain_words(kb_span_from(value, 1))))
		return BAD(h, "a field of the sealed message's head is malformed");
	*ret_value = n ? kb_span_from(value, 1) : value;
	return KB_OK;
}

static enum kb_status take_end(struct head *h, struct kb_span value, struct end *ret_end)
{
	size_t space = kb_span_find(value, KB_LIT(" "));
	struct kb_span line;
	if (space == SIZE_MAX || !kb_plain_number(KB_SPAN(value.p, space), UINT64_MAX, &ret_end->len) ||
	    !kb_plain_hex(kb_span_from(value, space + 1), ret_end->hash, HASH))
		return BAD(h, "the end of the sealed message's head is malformed");
	if (!peek_line(h, &line) || line.len)
		return BAD(h, "the sealed message's head does not end where it says");
	skip_line(h, line);
	return KB_OK;
}

static enum kb_status take_field(struct head *h, struct kb_eml *e, struct end *ret_end, bool *ret_done)
{
	struct kb_span line, value;
	if (!peek_line(h, &line))
		return KB_FAIL(h->d, h->at + h->rest.len < KB_EML_HEAD_MOST ? KB_MALFORMED : KB_TOOBIG, h->at,
		    "the sealed message's head has no end");
	size_t colon = kb_span_find(line, KB_LIT(":"));
	if (!kb_span_starts(line, prefix) || colon == SIZE_MAX)
		return BAD(h, "the sealed message's head holds a line that is no field of it");
	struct kb_span name = KB_SPAN(line.p + prefix.len, colon - prefix.len);
	if (!name_fine(name))
		return BAD(h, "the sealed message's head holds a field without a proper name");
	skip_line(h, line);
	if (is_end(name)) {
		*ret_done = true;
		value = kb_span_from(line, colon + 1);
		if (!kb_span_eq(name, KB_LIT("End")) || !kb_span_starts(value, KB_LIT(" ")) || !e->n)
			return BAD(h, "the end of the sealed message's head is malformed");
		return take_end(h, kb_span_from(value, 1), ret_end);
	}
	if (e->n == KB_EML_FIELDS_MOST)
		return KB_FAIL(h->d, KB_LIMIT, h->at, "the sealed message's head has too many fields");
	enum kb_status st = take_value(h, kb_span_from(line, colon + 1), &e->arena, &value);
	if (st == KB_OK)
		e->field[e->n++] = (struct kb_eml_field){.name = name, .value = value};
	return st;
}

/* The head at the front of s. *e has an arena of its own even where this fails. */
static enum kb_status take_head(struct kb_diag *d, struct kb_span s, struct kb_eml *e, struct end *ret_end)
{
	struct head h = {.d = d, .rest = KB_SPAN(s.p, s.len < KB_EML_HEAD_MOST ? s.len : KB_EML_HEAD_MOST)};
	bool done = false;
	enum kb_status st = KB_OK;
	*e = (struct kb_eml){0};
	kb_arena_init(&e->arena, 2 * (size_t)KB_EML_HEAD_MOST);
	while (st == KB_OK && !done)
		st = take_field(&h, e, ret_end, &done);
	e->head_len = h.at;
	return st;
}

enum kb_status kb_eml_end(struct kb_buf *b, uint64_t original_len, const uint8_t original_hash[static 32])
{
	size_t before = b->len;
	struct kb_eml e;
	struct end end;
	enum kb_status st = kb_buf_printf(b, "Kitebox-End: %llu ", (unsigned long long)original_len);
	if (st == KB_OK)
		st = kb_plain_hex_add(b, original_hash, HASH);
	if (st == KB_OK)
		st = kb_buf_str(b, "\r\n\r\n");
	if (st == KB_OK) {
		/* What could not be read again must not be sealed: too many fields, a head that is too long, a buffer that held more. */
		st = take_head(NULL, kb_buf_span(b), &e, &end);
		if (st == KB_OK && e.head_len != b->len)
			st = KB_MALFORMED;
		kb_eml_release(&e);
	}
	if (st != KB_OK)
		kb_plain_cut(b, before);
	return st;
}

uint64_t kb_padme(uint64_t n)
{
	unsigned e = 0, s = 0;
	for (uint64_t v = n; v > 1; v >>= 1)
		e++;
	for (unsigned v = e; v; v >>= 1)
		s++;
	/* The low e - s bits become zero, by rounding up. */
	uint64_t low = e > s ? (UINT64_C(1) << (e - s)) - 1 : 0;
	return n > UINT64_MAX - low ? n : (n + low) & ~low;
}

void kb_eml_padding(uint64_t pos, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t column = (pos + i) % PAD_LINE;
		out[i] = column == PAD_LINE - 2 ? '\r' : column == PAD_LINE - 1 ? '\n' : ' ';
	}
}

static bool padding_fine(struct kb_span pad)
{
	uint8_t line[PAD_LINE];
	kb_eml_padding(0, line, sizeof(line));
	for (; pad.len; pad = kb_span_from(pad, PAD_LINE))
		if (memcmp(pad.p, line, pad.len < PAD_LINE ? pad.len : PAD_LINE) != 0)
			return false;
	return true;
}

static enum kb_status check_rest(struct kb_diag *d, struct kb_span file, const struct end *end, struct kb_eml *e)
{
	struct kb_span rest = kb_span_from(file, e->head_len);
	uint8_t hash[HASH];
	if (end->len > rest.len)
		return KB_FAIL(d, KB_TOOBIG, e->head_len, "the sealed message is shorter than its head says");
	e->original = KB_SPAN(rest.p, (size_t)end->len);
	(void)crypto_generichash(hash, sizeof(hash), e->original.p, e->original.len, NULL, 0);
	if (sodium_memcmp(hash, end->hash, sizeof(hash)) != 0)
		return KB_FAIL(d, KB_FORGED, e->head_len, "the sealed message is not the one that its head names");
	if (file.len != kb_padme((uint64_t)e->head_len + end->len) || !padding_fine(kb_span_from(rest, e->original.len)))
		return KB_FAIL(d, KB_MALFORMED, e->head_len, "the sealed message's padding is malformed");
	return KB_OK;
}

enum kb_status kb_eml_parse(struct kb_diag *d, struct kb_span file, struct kb_eml *ret_e)
{
	struct kb_eml e;
	struct end end;
	enum kb_status st = take_head(d, file, &e, &end);
	if (st == KB_OK)
		st = check_rest(d, file, &end, &e);
	if (st == KB_OK)
		*ret_e = e;
	else
		kb_eml_release(&e);
	return st;
}

struct kb_span kb_eml_get(const struct kb_eml *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (kb_span_caseeq(e->field[i].name, kb_span_str(name)))
			return e->field[i].value;
	return KB_SPAN(NULL, 0);
}

void kb_eml_release(struct kb_eml *e)
{
	kb_arena_release(&e->arena);
	*e = (struct kb_eml){0};
}
