/* kite's table of commands: the manual page says what it says, and nothing else. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kite.h"

enum { PAGE_MOST = 1 << 18 };

#define STUB(name)                                       \
	enum kb_status kite_run_##name(struct kite *k)   \
	{                                                \
		(void)k;                                 \
		return KB_OK;                            \
	}
STUB(setup)
STUB(list)
STUB(show)
STUB(pull)
STUB(export)
STUB(referrals)
STUB(status)
STUB(seal)
STUB(open)
STUB(sample)
STUB(triage)
STUB(help)

static int read_page(void **state)
{
	char path[4096];
	const char *data = getenv("KB_TEST_DATA");
	struct kb_buf *b = calloc(1, sizeof(*b));
	assert_non_null(data);
	assert_non_null(b);
	(void)snprintf(path, sizeof(path), "%s/../../docs/man/kite.1.scd", data);
	FILE *f = fopen(path, "rbe");
	assert_non_null(f);
	kb_buf_init(b, 2 * PAGE_MOST);
	assert_ok(kb_buf_reserve(b, PAGE_MOST));
	b->len = fread(b->p, 1, PAGE_MOST, f);
	assert_true(feof(f));
	(void)fclose(f);
	*state = b;
	return 0;
}

static int drop_page(void **state)
{
	kb_buf_release(*state);
	free(*state);
	return 0;
}

/* From behind the line `heading` to the next heading; the test fails when there is no such line, or two. */
static struct kb_span section(void **state, const char *heading)
{
	const struct kb_buf *page = *state;
	struct kb_span rest = kb_buf_span(page), line, found = KB_SPAN(NULL, 0);
	bool in = false;
	size_t times = 0;
	while (kb_span_line(&rest, &line)) {
		if (line.len && line.p[0] == '#')
			in = false;
		if (in)
			found.len = (size_t)(rest.p - found.p);
		if (kb_span_eq(line, kb_span_str(heading))) {
			in = true;
			times++;
			found = KB_SPAN(rest.p, 0);
		}
	}
	if (times != 1)
		fail_msg("the page has %zu sections %s", times, heading);
	return found;
}

/* How the page shows an option: "*-n*, *--limit* _N_". */
static void shown(const struct kite_option *o, char *ret, size_t size)
{
	char letter[8] = "";
	if (o->letter)
		(void)snprintf(letter, sizeof(letter), "*-%c*, ", o->letter);
	(void)snprintf(ret, size, "%s*--%s*%s%s%s", letter, o->name, o->value ? " _" : "", o->value ? o->value : "",
	    o->value ? "_" : "");
}

static bool has_line(struct kb_span s, const char *text)
{
	struct kb_span line;
	while (kb_span_line(&s, &line))
		if (kb_span_eq(line, kb_span_str(text)))
			return true;
	return false;
}

static size_t option_lines(struct kb_span s)
{
	struct kb_span line;
	size_t n = 0;
	while (kb_span_line(&s, &line))
		n += kb_span_starts(line, KB_LIT("*-"));
	return n;
}

/* How many options a section lacks, or has too many of; the first that it lacks is said. */
static size_t differences(const struct kite_options *o, struct kb_span s, const char *where)
{
	char text[256];
	size_t n = 0;
	for (size_t i = 0; i < o->n; i++) {
		shown(&o->row[i], text, sizeof(text));
		if (has_line(s, text))
			continue;
		if (where && !n)
			print_message("kite(1), %s: no line %s\n", where, text);
		n++;
	}
	return n + (option_lines(s) > o->n ? option_lines(s) - o->n : 0);
}

static void agrees(const struct kite_options *o, struct kb_span s, const char *where)
{
	size_t n = differences(o, s, where);
	if (n)
		fail_msg("kite(1), %s: %zu options differ from the table", where, n);
}

/* Without this, a test that looks in the wrong place would find nothing wrong. */
TEST(a_section_that_differs_from_the_table_is_found_out)
{
	static const struct kite_option rows[] = {{"all", 'a', NULL, ""}, {"limit", 'n', "N", ""}};
	const struct kite_options o = {rows, KB_LEN(rows)};
	assert_int_equal(differences(&o, KB_LIT("*-a*, *--all*\n\tx\n*-n*, *--limit* _N_\n"), NULL), 0);
	assert_int_equal(differences(&o, KB_LIT("*-a*, *--all*\n"), NULL), 1);
	assert_int_equal(differences(&o, KB_LIT("*--all*\n*-n*, *--limit* _N_\n"), NULL), 1);
	assert_int_equal(differences(&o, KB_LIT("*-a*, *--all*\n*-n*, *--limit* _N_\n*--more*\n"), NULL), 1);
}

static void the_manual_has_every_command_and_option_and_no_other(void **state)
{
	char heading[128];
	size_t commands = 0, headings = 0;
	for (const struct kite_command *c = kite_commands; c->name; c++, commands++) {
		(void)snprintf(heading, sizeof(heading), "## kite %s%s%s", c->name, c->words[0] ? " " : "", c->words);
		agrees(&c->options, section(state, heading), c->name);
	}
	agrees(&kite_common_options, section(state, "# OPTIONS OF EVERY COMMAND"), "options of every command");
	struct kb_span rest = kb_buf_span(*state), line;
	while (kb_span_line(&rest, &line))
		headings += kb_span_starts(line, KB_LIT("## "));
	assert_int_equal(headings, commands);
}

static void the_manual_has_every_exit_status(void **state)
{
	struct kb_span s = section(state, "# EXIT STATUS"), line, rest;
	char cell[16];
	for (unsigned i = 0; i < KB_STATUS_COUNT; i++) {
		const struct kb_status_row *row = kb_status_row((enum kb_status)i);
		bool in = false, found = false;
		(void)snprintf(cell, sizeof(cell), "|  %d", row->exit_status);
		for (rest = s; kb_span_line(&rest, &line);) {
			if (line.len && line.p[0] == '|')
				in = kb_span_eq(line, kb_span_str(cell));
			found |= in && kb_span_find(line, kb_span_str(row->name)) != SIZE_MAX;
		}
		if (!found)
			fail_msg("kite(1): no row for %s with status %d", row->name, row->exit_status);
	}
	(void)snprintf(cell, sizeof(cell), "|  %d", KITE_EXIT_FAULT);
	assert_true(has_line(s, cell));
	(void)snprintf(cell, sizeof(cell), "|  %d", KITE_EXIT_USAGE);
	assert_true(has_line(s, cell));
}

/* The kinds of failure of `kite open`: header, no match, HMAC, payload, armor. */
TEST(the_ways_a_sealed_file_can_fail_have_an_exit_status_each)
{
	static const enum kb_status kinds[] = {KB_MALFORMED, KB_NOKEY, KB_FORGED, KB_PAYLOAD, KB_ARMOR};
	for (size_t i = 0; i < KB_LEN(kinds); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(kb_status_row(kinds[i])->exit_status, kb_status_row(kinds[k])->exit_status);
}

TEST(no_name_or_letter_means_two_things)
{
	for (const struct kite_command *c = kite_commands; c->name; c++) {
		assert_ptr_equal(kite_command_find(kb_span_str(c->name)), c);
		for (size_t i = 0; i < c->options.n; i++) {
			const struct kite_option *o = &c->options.row[i];
			for (size_t k = 0; k < i; k++) {
				assert_string_not_equal(o->name, c->options.row[k].name);
				assert_true(!o->letter || o->letter != c->options.row[k].letter);
			}
			for (size_t k = 0; k < kite_common_options.n; k++) {
				assert_string_not_equal(o->name, kite_common_options.row[k].name);
				assert_true(!o->letter || o->letter != kite_common_options.row[k].letter);
			}
		}
	}
	assert_null(kite_command_find(KB_LIT("")));
	assert_null(kite_command_find(KB_LIT("lis")));
}

TEST(no_option_takes_a_secret)
{
	/* argv is for everybody to read */
	for (const struct kite_command *c = kite_commands; c->name; c++)
		for (size_t i = 0; i < c->options.n; i++)
			if (strstr(c->options.row[i].name, "passphrase") || strstr(c->options.row[i].name, "identity"))
				assert_true(!c->options.row[i].value || strcmp(c->options.row[i].value, "FILE") == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(the_manual_has_every_command_and_option_and_no_other),
		RUN(a_section_that_differs_from_the_table_is_found_out),
		RUN(the_manual_has_every_exit_status),
		RUN(the_ways_a_sealed_file_can_fail_have_an_exit_status_each),
		RUN(no_name_or_letter_means_two_things),
		RUN(no_option_takes_a_secret),
	};
	return cmocka_run_group_tests(tests, read_page, drop_page);
}
