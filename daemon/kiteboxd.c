/*
 * kiteboxd: the command. Reads its options and the configuration; the rest is the supervisor's.
 *
 * Runs in the foreground; logs to standard error in journald's form. Nothing secret is an argument or in the
 * environment.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "settings_file.h"
#include "supervisor.h"

struct options {
	const char *config, *libexec;
	bool check, version, help;
};

struct option_row {
	const char *name, *argument, *help;
	size_t offset; /* in struct options: a text when there is an argument, else a bool */
};

/* clang-format off */
static const struct option_row option_rows[] = {
	{"--config",       "FILE", "the configuration (default " KB_SYSCONFDIR "/kitebox.conf)", offsetof(struct options, config)},
	{"--check-config", NULL,   "show every fault of the configuration, and end",             offsetof(struct options, check)},
	{"--libexec",      "DIR",  "where the rooms' programs are (default " KB_LIBEXECDIR ")",  offsetof(struct options, libexec)},
	{"--version",      NULL,   "show the version, and end",                                  offsetof(struct options, version)},
	{"--help",         NULL,   "show this, and end",                                         offsetof(struct options, help)},
};
/* clang-format on */

static void usage(FILE *f)
{
	fprintf(f, "usage: kiteboxd [options]\n\n");
	for (size_t i = 0; i < KB_LEN(option_rows); i++)
		fprintf(f, "  %-14s %-5s %s\n", option_rows[i].name,
		    option_rows[i].argument ? option_rows[i].argument : "", option_rows[i].help);
	fprintf(f, "\nkiteboxd(8) and kitebox.conf(5) say more.\n");
}

static bool parse(int argc, char **argv, struct options *ret_o)
{
	for (int i = 1; i < argc; i++) {
		const struct option_row *row = NULL;

		for (size_t j = 0; j < KB_LEN(option_rows) && !row; j++)
			if (strcmp(argv[i], option_rows[j].name) == 0)
				row = &option_rows[j];
		if (!row || (row->argument && i + 1 == argc)) {
			fprintf(stderr, "kiteboxd: %s\n\n", row ? "an option lacks its argument" : "no such option");
			return false;
		}
		if (row->argument)
			memcpy((char *)ret_o + row->offset, &argv[++i], sizeof(char *));
		else
			*(bool *)((char *)ret_o + row->offset) = true;
	}
	return true;
}

static enum kb_status load(const char *path, struct kb_settings *ret_s)
{
	static struct kb_settings_report report;
	struct kb_diag d = {0};
	enum kb_status st = kb_settings_load(&d, path, ret_s, &report);

	for (size_t i = 0; i < report.faults && i < KB_SETTINGS_FAULTS_MOST; i++) {
		char line[1024];

		kb_settings_fault_format(path, &report.fault[i], line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
	if (report.faults > KB_SETTINGS_FAULTS_MOST)
		fprintf(stderr, "%s: %zu faults more\n", path, report.faults - KB_SETTINGS_FAULTS_MOST);
	if (st != KB_OK && !report.faults)
		fprintf(stderr, "%s: %s (%s)\n", path, d.what,
		    d.sys_errno ? strerror(d.sys_errno) : kb_status_row(st)->name);
	return st;
}

int main(int argc, char **argv)
{
	struct options o = {.config = KB_SYSCONFDIR "/kitebox.conf", .libexec = KB_LIBEXECDIR};
	static struct kb_super super;

	if (!parse(argc, argv, &o)) {
		usage(stderr);
		return EX_USAGE;
	}
	if (o.help || o.version) {
		if (o.help)
			usage(stdout);
		else
			printf("kiteboxd %s\n", KB_VERSION);
		return 0;
	}
	enum kb_status st = load(o.config, &super.settings);

	if (st != KB_OK)
		return kb_status_row(st)->exit_status;
	if (o.check) {
		printf("%s: no fault\n", o.config);
		if (kb_settings_named(stdout, o.config, &super.settings))
			printf("%s: a start would do without the above, and kite status would say what that means\n", o.config);
		return 0;
	}
	if (sodium_init() < 0) {
		fprintf(stderr, "kiteboxd: libsodium did not start\n");
		return kb_status_row(KB_IO)->exit_status;
	}
	super.config_path = o.config;
	super.libexec = o.libexec;
	return kb_super_run(&super);
}
