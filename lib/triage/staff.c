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

/* "quill", "quills" (the apostrophe of "Quill's" is no letter), "quilles". */
static bool is_name(const char *w, const char *last)
{
	size_t n = strlen(last);
	return !strncmp(w, last, n) && (!w[n] || !strcmp(w + n, "s") || !strcmp(w + n, "es"));
}

/* Two words of a line that are the name once put together: "Quill-feather". */
static bool is_torn(const char *a, const char *b, const char *last)
{
	size_t n = strlen(a);
	return n < strlen(last) && !strncmp(a, last, n) && is_name(b, last + n);
}

/* Bits of staff whose last word stands in the line, whatever the line is. */
static uint64_t named_in_line(const struct kb_triage *t, struct kb_span line)
{
	char word[2][KB_TOKEN_MOST] = {"", ""};
	uint64_t named = 0;
	for (size_t n = 0; kb_token_next(&line, word[n % 2]); n++) {
		const char *w = word[n % 2], *before = word[(n + 1) % 2];
		for (size_t s = 0; s < t->staff_n; s++) {
			const char *last = t->staff[s].last;
			/* Both ways of being a name begin with the name's first letter. */
			if ((w[0] == last[0] && is_name(w, last)) || (before[0] && before[0] == last[0] && is_torn(before, w, last)))
				named |= UINT64_C(1) << s;
		}
	}
	return named;
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
