/*
 * staff: does the writer name somebody of this office's own desk? In doubt, yes: a restricted case that should not be is
 * released by a supervisor; an open one that should not be cannot be taken back.
 *
 * A name is found by its last word, wherever it stands in the writer's own text but in the salutation: everybody who writes to
 * "Dear Ms. Quill" names her, and means nothing by it.
 */
#include <string.h>

#include "internal.h"

enum { SALUTATION_WORDS = 8 };

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

static bool salutation(struct kb_span line)
{
	/* clang-format off */
	static const char *const opening[] = {"dear", "hello", "hi ", "hi,", "good morning", "good afternoon", "good evening",
		"greetings", "to ", "to:", "attn", "attention", "estimad", "querid", "hola", "buenos", "buenas", "a la ", "sra", "sr.", "mr", "ms"};
	/* clang-format on */
	for (size_t i = 0; i < KB_LEN(opening); i++)
		if (kb_span_casestarts(line, kb_span_str(opening[i])))
			return true;
	return false;
}

/* A greeting counts as one only while it is short: "Dear Ms. Quill hit me" on one line is not passed over. */
static struct kb_span without_salutation(struct kb_span own)
{
	struct kb_span rest = own, line;
	while (kb_span_line(&rest, &line)) {
		line = kb_span_trim(line);
		if (!line.len)
			continue;
		size_t words = 1;
		for (size_t i = 0; i < line.len; i++)
			words += line.p[i] == ' ';
		return salutation(line) && words <= SALUTATION_WORDS && (words <= 4 || line.p[line.len - 1] == ',' || line.p[line.len - 1] == ':')
			   ? rest
			   : own;
	}
	return own;
}

uint64_t kb_staff_named(const struct kb_triage *t, struct kb_span own)
{
	uint64_t named = 0;
	struct kb_arena a;
	struct kb_tokens w;
	if (!t->staff_n)
		return 0;
	kb_arena_init(&a, (size_t)64 << 20);
	kb_tokens_of(&a, NULL, without_salutation(own), &w);
	for (size_t i = 0; i < w.n; i++)
		for (size_t s = 0; s < t->staff_n; s++)
			if (t->staff[s].last[0] && !strcmp(w.t[i].w, t->staff[s].last))
				named |= UINT64_C(1) << s;
	kb_arena_release(&a);
	return named;
}
