/*
 * staff: does a message name somebody of this office's own desk? In doubt, yes: a restricted case that should not be is
 * released by a supervisor; an open one that should not be cannot be taken back.
 *
 * A name is found by its last word, also as a possessive or torn in two, on any line but a salutation: everybody who writes to
 * "Dear Ms. Quill" names her, and means nothing by it. A salutation is a line of greeting words, titles and names of the desk
 * and nothing else, so that "Ms. Quill hit me" is none.
 */
#include <string.h>

#include "internal.h"

/* What an octet may be: the end of a word for certain; what a word may begin behind, an apostrophe and all that is not ASCII too;
 * the first of a name's first letter. */
enum { ENDS = 1, OPENS = 2, BEGINS = 4 };

/* What an octet is folded to where it stands alone; 0 where that is no letter and no digit. */
static char folded(unsigned c)
{
	uint8_t octet = (uint8_t)c;
	char w[KB_TOKEN_MOST];
	kb_token_fold(KB_SPAN(&octet, 1), w);
	return w[0];
}

static uint8_t kind_of(unsigned c)
{
	if (c >= 0x80)
		return c >= 0xC0 ? OPENS | BEGINS : OPENS; /* only the first octet of a character is a letter's first */
	if (folded(c))
		return 0;
	return c == '\'' ? OPENS : ENDS | OPENS;
}

/* Five bits of an octet: the same for both cases of a letter. */
static unsigned five(uint8_t c)
{
	return c % 32;
}

/* A name of one or two letters may be the beginning of any word that has those. */
static void set_third(struct kb_triage *t, const char *last)
{
	uint32_t *of_first = t->staff_third + (size_t)five((uint8_t)last[0]) * 32;
	for (unsigned c = 0; c < 32; c++)
		if (!last[1] || c == five((uint8_t)last[1]))
			of_first[c] |= last[1] && last[2] ? UINT32_C(1) << five((uint8_t)last[2]) : UINT32_MAX;
}

static void set_kinds(struct kb_triage *t)
{
	for (unsigned c = 0; c < KB_LEN(t->staff_kind); c++) {
		char w = folded(c);
		t->staff_kind[c] = kind_of(c);
		for (size_t s = 0; s < t->staff_n && w; s++)
			t->staff_kind[c] |= t->staff[s].last[0] == w ? BEGINS : 0;
	}
	memset(t->staff_third, 0, sizeof(t->staff_third));
	for (size_t s = 0; s < t->staff_n; s++)
		if (t->staff[s].last[0])
			set_third(t, t->staff[s].last);
}

enum kb_status kb_triage_staff(struct kb_triage *t, struct kb_span names)
{
	struct kb_span line;
	size_t n = 0;
	memset(t->staff, 0, sizeof(t->staff));
	for (; kb_span_line(&names, &line); n++) {
		if (n == KB_STAFF_MOST)
			return KB_LIMIT;
		struct kb_arena a;
		struct kb_tokens w;
		kb_arena_init(&a, 65536);
		kb_tokens_of(&a, NULL, line, &w);
		if (w.n) {
			memcpy(t->staff[n].last, w.t[w.n - 1].w, KB_TOKEN_MOST);
			memcpy(t->staff[n].first, w.t[0].w, KB_TOKEN_MOST);
		}
		kb_arena_release(&a);
	}
	t->staff_n = n;
	set_kinds(t);
	return KB_OK;
}

/* Folded, as tokens are. */
static const char *const greetings[] = {"dear", "hello", "hi", "hey", "good", "morning", "afternoon", "evening", "day", "greetings", "to",
    "attn", "attention", "estimada", "estimado", "estimados", "querida", "querido", "hola", "buenos", "buenas", "dias", "tardes", "noches",
    "a", "la", "el"};
static const char *const titles[] = {"mr", "mrs", "ms", "miss", "dr", "sr", "sra", "srta", "senor", "senora", "senorita", "don", "dona",
    "and", "y", "support", "coordinator", "coordinators", "team", "office", "desk"};

static bool among(const char *w, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(w, words[i]))
			return true;
	return false;
}

static bool name_of_desk(const struct kb_triage *t, const char *w)
{
	for (size_t s = 0; s < t->staff_n; s++)
		if (!strcmp(w, t->staff[s].last) || !strcmp(w, t->staff[s].first))
			return true;
	return false;
}

static bool salutation(const struct kb_triage *t, const struct kb_tokens *w, struct kb_span line)
{
	size_t greeted = 0, titled = 0;
	for (size_t i = 0; i < w->n; i++) {
		bool greeting = among(w->t[i].w, greetings, KB_LEN(greetings)), title = among(w->t[i].w, titles, KB_LEN(titles));
		if (!greeting && !title && !name_of_desk(t, w->t[i].w))
			return false;
		greeted += greeting;
		titled += title;
	}
	uint8_t end = line.len ? line.p[line.len - 1] : 0;
	return greeted || (titled && (end == ',' || end == ':'));
}

/* How many letters a and b have in common at their beginnings. */
static size_t common(const char *a, const char *b)
{
	size_t n = 0;
	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/* "quill", "quills" (the apostrophe of "Quill's" is no letter), "quilles". */
static bool is_name(const char *w, const char *last)
{
	size_t n = common(w, last);
	return !last[n] && (!w[n] || !strcmp(w + n, "s") || !strcmp(w + n, "es"));
}

/* Two words of a line that are the name once put together: "Quill-feather". */
static bool is_torn(const char *a, const char *b, const char *last)
{
	size_t n = common(a, last);
	return !a[n] && last[n] && is_name(b, last + n);
}

/* The next letter from i on, also behind one octet that ends a word and may tear a name; false when what stands there is neither. */
static bool next_letter(const struct kb_triage *t, struct kb_span line, size_t *i_io, unsigned *ret_five)
{
	size_t i = *i_io;
	i += i < line.len && t->staff_kind[line.p[i]] & ENDS;
	if (i >= line.len || t->staff_kind[line.p[i]] & OPENS)
		return false;
	*i_io = i + 1;
	*ret_five = five(line.p[i]);
	return true;
}

/* Could a name begin at i, where the first letter of one begins a word? What is no letter may be nothing; of a letter that stands
 * three times, one is not counted. */
static bool may_begin(const struct kb_triage *t, struct kb_span line, size_t i)
{
	unsigned first = five(line.p[i]), second, third;
	if (line.p[i++] >= 0x80 || !next_letter(t, line, &i, &second))
		return true;
	uint32_t thirds = t->staff_third[first * 32 + second];
	if (!thirds || !next_letter(t, line, &i, &third))
		return thirds != 0;
	return thirds >> third & 1 || (first == second && second == third);
}

/* Where in the line a name could begin; NULL: nowhere. What stands first in the line begins a word. */
static const uint8_t *candidate(const struct kb_triage *t, struct kb_span line)
{
	unsigned looked_for = BEGINS;
	for (size_t i = 0; i < line.len; i++) {
		unsigned kind = t->staff_kind[line.p[i]];
		if (kind & looked_for && may_begin(t, line, i))
			return line.p + i;
		looked_for = (kind & OPENS) * (BEGINS / OPENS); /* no branch: whether a word ends here, no processor foresees */
	}
	return NULL;
}

/* Passes over words that cannot begin a name, and are most of a long text: to the word that has a candidate in it, or one that
 * stands before that with no certain end between. False when there is none. */
static bool skip_words(const struct kb_triage *t, struct kb_span *line, const uint8_t **ret_candidate)
{
	const uint8_t *to = candidate(t, *line), *from = to;
	while (from && from > line->p && !(t->staff_kind[from[-1]] & ENDS))
		from--;
	if (from)
		*line = kb_span_from(*line, (size_t)(from - line->p));
	*ret_candidate = to;
	return to != NULL;
}

static uint64_t named_by(const struct kb_triage *t, const char *before, const char *w)
{
	uint64_t named = 0;
	for (size_t s = 0; s < t->staff_n; s++) {
		const char *last = t->staff[s].last;
		/* Both ways of being a name begin with the name's first letter. */
		if ((w[0] == last[0] && is_name(w, last)) || (before[0] && before[0] == last[0] && is_torn(before, w, last)))
			named |= UINT64_C(1) << s;
	}
	return named;
}

/* Could the word be what comes first of a torn name? */
static bool may_be_torn(const struct kb_triage *t, const char *w)
{
	for (size_t s = 0; s < t->staff_n; s++) {
		size_t n = common(w, t->staff[s].last);
		if (n && !w[n] && t->staff[s].last[n])
			return true;
	}
	return false;
}

/* Bits of staff whose last word stands in the line, whatever the line is. */
static uint64_t named_in_line(const struct kb_triage *t, struct kb_span line)
{
	char word[2][KB_TOKEN_MOST] = {"", ""};
	const uint8_t *read_to = NULL;
	uint64_t named = 0;
	for (size_t n = 0;; n++) {
		char *w = word[n % 2], *before = word[(n + 1) % 2];
		bool in_doubt = before[0] || (read_to && line.p <= read_to);
		if ((!in_doubt && !skip_words(t, &line, &read_to)) || !kb_token_next(&line, w))
			return named;
		named |= named_by(t, before, w);
		if (!may_be_torn(t, w))
			w[0] = '\0';
	}
}

static bool is_salutation(const struct kb_triage *t, struct kb_span line)
{
	struct kb_arena a;
	struct kb_tokens w;
	kb_arena_init(&a, (size_t)64 << 20);
	kb_tokens_of(&a, NULL, line, &w);
	bool is = salutation(t, &w, line);
	kb_arena_release(&a);
	return is;
}

uint64_t kb_staff_named(const struct kb_triage *t, struct kb_span text)
{
	uint64_t named = 0;
	struct kb_span line;
	while (t->staff_n && kb_span_line(&text, &line)) {
		line = kb_span_trim(line);
		uint64_t here = named_in_line(t, line);
		if (here & ~named && !is_salutation(t, line))
			named |= here;
	}
	return named;
}
