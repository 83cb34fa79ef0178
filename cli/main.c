/*
 * main: from argv to a command, and from its status to the exit status.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "file.h"
#include "home.h"
#include "kite.h"

static int usage(const char *at, const char *what)
{
	(void)kite_fail(KB_MALFORMED, NULL, "%s %s; kite help says how it is used", at, what);
	return KITE_EXIT_USAGE;
}

static int version(void)
{
	static const char text[] = "kite " KB_VERSION "\n";
	return write(STDOUT_FILENO, text, sizeof(text) - 1) < 0 ? kb_status_row(KB_IO)->exit_status : 0;
}

static int run(struct kite *k)
{
	enum kb_status st = kite_args_has(&k->args, "help") ? kite_run_help(k) : k->command->run(k);
	return st == KB_OK ? k->exit_status : kb_status_row(st)->exit_status;
}

/* Where in argv the command's name stands: after common options, if any. 0: nowhere. */
static int command_at(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			return i;
		for (size_t o = 0; o < kite_common_options.n; o++)
			if (argv[i][1] == '-' && kite_common_options.row[o].value &&
			    strcmp(argv[i] + 2, kite_common_options.row[o].name) == 0)
				i++;
	}
	return 0;
}

static int begin(struct kite *k, int argc, char **argv)
{
	struct kite_args_fault fault;
	int at = command_at(argc, argv);
	k->command = kite_command_find(kb_span_str(at ? argv[at] : "help"));
	if (!k->command)
		return usage(argv[at], "is not a command");
	for (int i = at; at && i > 1; i--)
		argv[i] = argv[i - 1];
	int skip = at ? 2 : 1;
	const struct kite_options tables[] = {k->command->options, kite_common_options};
	if (kite_args_parse(argc - skip, argv + skip, tables, KB_LEN(tables), &k->args, &fault) != KB_OK)
		return usage(fault.at, fault.what);
	bool help = kite_args_has(&k->args, "help");
	if (!help && k->args.words < k->command->words_least)
		return usage(k->command->name, "needs to be told more");
	if (!help && k->args.words > k->command->words_most)
		return usage(k->args.word[k->command->words_most], "is one word too many");
	k->json = kite_args_has(&k->args, "json");
	if (k->json && !k->command->json)
		return usage("--json", "has no meaning for this command");
	enum kb_status st = kite_find_home(k);
	if (st != KB_OK)
		return kb_status_row(st)->exit_status;
	int status = run(k);
	return at || help ? status : KITE_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	/* One character width for everybody: text is UTF-8 here, whatever the person's locale says. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0)
		abort();
	kite_memory_guard();
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return version();
	struct kite *k = calloc(1, sizeof(*k));
	if (!k)
		abort();
	int status = begin(k, argc, argv);
	free(k);
	return status;
}
