/*
 * kite: what every command of the program shares.
 *
 * A command is a row of commands.c and a file cli/NAME.c with its run function. run returns the status that decides the
 * exit status (kb_status_row), after saying on standard error what failed: one sentence that names the thing and the way out.
 *
 * Secrets:   memory is locked as far as the system lets us, undumpable, and wiped; nothing secret is ever in argv or the
 *            environment, and nothing decrypted in a temporary file.
 * Not here:  option parsing (args.h), speaking with the desk (client.h, session.h), what is printed (out.h).
 */
#ifndef KITE_KITE_H
#define KITE_KITE_H

#include <kitebox/bytes.h>

#include "args.h"

/* Beside the exit statuses of kb_status_row. */
enum { KITE_EXIT_FAULT = 1, KITE_EXIT_USAGE = 64 };
enum { KITE_PATH = 4096 };

struct kite {
	const struct kite_command *command;
	struct kite_args args;
	char home[KITE_PATH];
	bool json;
	int exit_status; /* of a command that succeeded; KITE_EXIT_FAULT of `status` */
};

struct kite_command {
	const char *name, *words, *summary;
	struct kite_options options;
	uint16_t words_least, words_most;
	bool json; /* has a shape in docs/JSON.md */
	enum kb_status (*run)(struct kite *k);
};

/* commands.c: all of them, in the order of the help text; NULL at the end. */
extern const struct kite_command kite_commands[];
extern const struct kite_options kite_common_options;
const struct kite_command *kite_command_find(struct kb_span name);

enum kb_status kite_run_setup(struct kite *k);
enum kb_status kite_run_list(struct kite *k);
enum kb_status kite_run_show(struct kite *k);
enum kb_status kite_run_pull(struct kite *k);
enum kb_status kite_run_export(struct kite *k);
enum kb_status kite_run_referrals(struct kite *k);
enum kb_status kite_run_status(struct kite *k);
enum kb_status kite_run_seal(struct kite *k);
enum kb_status kite_run_open(struct kite *k);
enum kb_status kite_run_sample(struct kite *k);
enum kb_status kite_run_triage(struct kite *k);
enum kb_status kite_run_help(struct kite *k);

/* Says "kite: SENTENCE: what d says: what errno means" on standard error, made harmless, and returns st. d may be NULL. */
enum kb_status kite_fail(enum kb_status st, const struct kb_diag *d, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A line on standard error that is no failure. */
void kite_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Best effort, before anything secret is touched: no cores, no debugger, locked memory where the limit allows it. */
void kite_memory_guard(void);

#endif
