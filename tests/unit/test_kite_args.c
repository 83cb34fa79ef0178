/* kite_args: words and options of a command line. */
#include "kbtest.h"

#include <string.h>

#include "args.h"

static const struct kite_option own[] = {{"all", 'a', NULL, ""}, {"armor", 'b', NULL, ""}, {"output", 'o', "FILE", ""}};
static const struct kite_option shared[] = {{"json", 0, NULL, ""}, {"home", 0, "DIR", ""}};
static const struct kite_options tables[] = {{own, KB_LEN(own)}, {shared, KB_LEN(shared)}};

struct parsed {
	struct kite_args a;
	struct kite_args_fault fault;
	enum kb_status st;
};

static void parse(struct parsed *p, const char *line)
{
	static char words[32][64];
	static char *argv[32];
	int argc = 0;
	struct kb_span rest = kb_span_str(line);
	while (rest.len) {
		size_t n = kb_span_find(rest, KB_LIT(" "));
		kb_field_set(words[argc], sizeof(words[0]), KB_SPAN(rest.p, n == SIZE_MAX ? rest.len : n));
		argv[argc] = words[argc];
		argc++;
		rest = n == SIZE_MAX ? KB_SPAN(NULL, 0) : kb_span_from(rest, n + 1);
	}
	memset(&p->fault, 0, sizeof(p->fault));
	p->st = kite_args_parse(argc, argv, tables, KB_LEN(tables), &p->a, &p->fault);
}

static void refused(const char *line, const char *at, const char *what)
{
	struct parsed p;
	parse(&p, line);
	assert_int_equal(p.st, KB_MALFORMED);
	assert_string_equal(p.fault.at, at);
	assert_string_equal(p.fault.what, what);
}

TEST(words_and_options_stand_in_any_order)
{
	struct parsed p;
	parse(&p, "one --all two -o file three --home=here");
	assert_ok(p.st);
	assert_int_equal(p.a.words, 3);
	assert_string_equal(p.a.word[0], "one");
	assert_string_equal(p.a.word[2], "three");
	assert_true(kite_args_has(&p.a, "all"));
	assert_false(kite_args_has(&p.a, "json"));
	assert_string_equal(kite_args_value(&p.a, "output"), "file");
	assert_string_equal(kite_args_value(&p.a, "home"), "here");
	assert_null(kite_args_value(&p.a, "all"));
}

TEST(a_value_may_stand_in_the_same_word)
{
	struct parsed p;
	parse(&p, "-ofile --home= -abo-");
	assert_ok(p.st);
	assert_string_equal(kite_args_value(&p.a, "output"), "-");
	assert_string_equal(kite_args_value(&p.a, "home"), "");
	assert_true(kite_args_has(&p.a, "armor"));
}

TEST(an_option_given_twice_keeps_both_and_the_last_counts)
{
	struct parsed p;
	size_t at = 0;
	parse(&p, "-o one --output two");
	assert_ok(p.st);
	assert_string_equal(kite_args_value(&p.a, "output"), "two");
	assert_string_equal(kite_args_next(&p.a, "output", &at), "one");
	assert_string_equal(kite_args_next(&p.a, "output", &at), "two");
	assert_null(kite_args_next(&p.a, "output", &at));
}

TEST(two_dashes_end_the_options_and_one_alone_is_a_word)
{
	struct parsed p;
	parse(&p, "- -- --all -o");
	assert_ok(p.st);
	assert_int_equal(p.a.words, 3);
	assert_string_equal(p.a.word[0], "-");
	assert_string_equal(p.a.word[1], "--all");
	assert_false(kite_args_has(&p.a, "all"));
}

TEST(what_is_wrong_is_said_of_the_word_at_fault)
{
	refused("--bogus", "--bogus", "is not an option of this command");
	refused("--al", "--al", "is not an option of this command");
	refused("-x", "-x", "is not an option of this command");
	refused("-ax", "-ax", "is not an option of this command");
	refused("one --output", "--output", "needs a value");
	refused("-o", "-o", "needs a value");
	refused("--all=yes", "--all=yes", "takes no value");
	refused("---", "---", "is not an option of this command");
}

TEST(more_options_than_there_is_room_for_are_refused)
{
	static char *argv[KITE_GIVEN_MOST + 1];
	static char all[] = "-a";
	static struct kite_args a;
	struct kite_args_fault fault;
	for (size_t i = 0; i < KB_LEN(argv); i++)
		argv[i] = all;
	assert_ok(kite_args_parse(KITE_GIVEN_MOST, argv, tables, 2, &a, &fault));
	assert_int_equal(kite_args_parse(KITE_GIVEN_MOST + 1, argv, tables, 2, &a, &fault), KB_MALFORMED);
}

TEST(more_words_than_there_is_room_for_are_refused)
{
	static char *argv[KITE_WORDS_MOST + 1];
	static char word[] = "w";
	static struct kite_args a;
	struct kite_args_fault fault;
	for (size_t i = 0; i < KB_LEN(argv); i++)
		argv[i] = word;
	assert_ok(kite_args_parse(KITE_WORDS_MOST, argv, tables, 2, &a, &fault));
	assert_int_equal(kite_args_parse(KITE_WORDS_MOST + 1, argv, tables, 2, &a, &fault), KB_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(words_and_options_stand_in_any_order),
		RUN(a_value_may_stand_in_the_same_word),
		RUN(an_option_given_twice_keeps_both_and_the_last_counts),
		RUN(two_dashes_end_the_options_and_one_alone_is_a_word),
		RUN(what_is_wrong_is_said_of_the_word_at_fault),
		RUN(more_options_than_there_is_room_for_are_refused),
		RUN(more_words_than_there_is_room_for_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
