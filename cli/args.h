/*
 * args: what a person typed, against the tables of options that a command takes.
 *
 * "--name VALUE", "--name=VALUE", "-o VALUE", "-oVALUE", switches together ("-pa"); options and words in any order; "--"
 * ends options; "-" alone is a word. Names are whole: an abbreviation would change its meaning with the next option.
 *
 * Ownership:  everything borrows from argv.
 * Errors:     a struct kite_args_fault that says which word of argv, and what is wrong with it.
 * Secrets:    no option takes one: argv is for everybody to read.
 * Not here:   what the options are (commands.c).
 */
#ifndef KITE_ARGS_H
#define KITE_ARGS_H

#include <kitebox/bytes.h>

enum { KITE_GIVEN_MOST = 256, KITE_WORDS_MOST = 4096 };

struct kite_option {
	const char *name;  /* without its dashes */
	char letter;       /* or 0 */
	const char *value; /* what stands for its value in the help; NULL: a switch */
	const char *help;
};

struct kite_options {
	const struct kite_option *row;
	size_t n;
};

struct kite_args {
	struct {
		const struct kite_option *option;
		const char *value;
	} given[KITE_GIVEN_MOST];
	size_t n;
	const char *word[KITE_WORDS_MOST];
	size_t words;
};

struct kite_args_fault {
	const char *at;   /* the word of argv */
	const char *what; /* a literal */
};

/* Takes argv[0..argc), without the program's and the command's name. Options are looked for in each table in turn. */
KB_MUST_USE enum kb_status kite_args_parse(int argc, char *const *argv, const struct kite_options *tables, size_t n,
    struct kite_args *ret_args, struct kite_args_fault *ret_fault);

bool kite_args_has(const struct kite_args *a, const char *name);
/* The last one given, or NULL. */
const char *kite_args_value(const struct kite_args *a, const char *name);
/* All of them, in order: *at is 0 at first. NULL at the end. */
const char *kite_args_next(const struct kite_args *a, const char *name, size_t *at);

#endif
