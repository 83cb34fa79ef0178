/*
 * settings_file: kitebox.conf (libconfig) into struct kb_settings, by one table.
 *
 * A row names a key, the field it fills, its default, its least and most, and what it is for. The parser, the defaults,
 * `kiteboxd --check-config` and the test of the manual page all read that row. `@include` is refused: one file is the whole.
 *
 * Ownership:  the caller's memory throughout; *ret_s is written only when there is no fault.
 * Errors:     every fault is reported with its line, up to KB_SETTINGS_FAULTS_MOST; KB_MALFORMED when there is one, KB_IO or
 *             KB_TOOBIG when the file cannot be read.
 * Secrets:    none: a password or key is named by a path.
 * Standard:   libconfig 1.5's grammar.
 * Not here:   reading the files that are named (supervisor_files.c).
 */
#ifndef KITEBOX_DAEMON_SETTINGS_FILE_H
#define KITEBOX_DAEMON_SETTINGS_FILE_H

#include <stdio.h>

#include <kitebox/settings.h>

enum { KB_SETTINGS_FAULTS_MOST = 64, KB_SETTINGS_FILE_MOST = 1 << 18 };

struct kb_settings_fault {
	unsigned line;      /* 0: of the whole file */
	unsigned entry;     /* of the list that key names first, counted from 1; 0: no list's */
	char key[64];       /* as written in the file, in full ("limits.idle_s"), or empty */
	const char *what;   /* a literal */
	uint64_t least, most; /* shown when most is not 0 */
};

struct kb_settings_report {
	struct kb_settings_fault fault[KB_SETTINGS_FAULTS_MOST];
	size_t faults; /* all that were found; those beyond the array are only counted */
};

KB_MUST_USE enum kb_status kb_settings_parse(struct kb_span text, struct kb_settings *ret_s, struct kb_settings_report *ret_report);
KB_MUST_USE enum kb_status kb_settings_load(struct kb_diag *d, const char *path, struct kb_settings *ret_s, struct kb_settings_report *ret_report);
/* Where referral.key and vault.key are: credentials_dir, else what systemd says, else /etc/kitebox/credentials. */
const char *kb_settings_credentials(const struct kb_settings *s);
/* What would be missing at a start: a line for each file that is named and cannot be read by whoever asks; gives their number. */
size_t kb_settings_named(FILE *out, const char *config, const struct kb_settings *s);
/* "FILE:LINE: KEY: WHAT (1 to 10)" */
void kb_settings_fault_format(const char *file, const struct kb_settings_fault *f, char *ret_line, size_t size);

/* ---- the table; for the parser, and for tests ---- */

enum kb_setting_kind {
	KB_SETTING_TEXT,     /* any UTF-8 without control characters */
	KB_SETTING_HOST,     /* a host name: letters, digits, dots, hyphens */
	KB_SETTING_ADDRESS,  /* a mail address, local part and domain */
	KB_SETTING_PATH,     /* absolute */
	KB_SETTING_LISTEN,   /* numeric address and port, or an absolute path that fits a Unix socket */
	KB_SETTING_NUMBER,   /* unsigned, of `size` octets */
	KB_SETTING_BOOL,
	KB_SETTING_WORD,     /* one of `words`, stored as its index */
};

struct kb_setting {
	const char *key; /* with the groups it is in: "office.public_key"; of a list: the key within one entry */
	enum kb_setting_kind kind;
	bool required;
	size_t offset, size;
	const char *text;          /* default of a text; NULL: empty */
	uint64_t number;           /* default of a number, bool or word */
	uint64_t least, most;      /* of a number, or of a text's length in octets */
	const char *const *words;  /* NULL-terminated */
	const char *help;
};

struct kb_setting_list {
	const char *key;
	size_t least, most;
	size_t offset, stride, count_offset;
	const struct kb_setting *rows;
	size_t n;
	const char *help;
};

const struct kb_setting *kb_settings_rows(size_t *ret_n);
const struct kb_setting_list *kb_settings_lists(size_t *ret_n);

/* ---- between settings_parse.c and settings_check.c ---- */

void kb_settings_fault_add(struct kb_settings_report *r, unsigned line, const char *key, const char *what, uint64_t least, uint64_t most);
/* NULL when the text suits the kind; else a literal that says why not. */
const char *kb_settings_text_fault(enum kb_setting_kind kind, struct kb_span text);
/* What no single row can see: pairs that belong together, addresses that stand twice. Faults have no line yet. */
void kb_settings_check(const struct kb_settings *s, struct kb_settings_report *r);

#endif
