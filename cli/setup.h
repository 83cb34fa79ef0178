/*
 * setup: a whole new office in one go.
 *
 * kite_plan_parse turns the command line into a plan; kite_office_make turns a plan and a passphrase into the files of an
 * office, in memory; the command writes them into an empty folder. So keys exist either all or not at all, and what is made
 * can be looked at without a disk.
 *
 * Ownership:  kite_files owns its buffers; release wipes.
 * Errors:     said by the function that finds them.
 * Secrets:    in the files, each protected as FORMATS.md says; none is ever printed.
 * Standard:   docs/FORMATS.md (roster, bundle), age, minisign.
 */
#ifndef KITE_SETUP_H
#define KITE_SETUP_H

#include <kitebox/roster.h>

#include "kite.h"

enum { KITE_FILES_MOST = 2 * KB_PERSONS_MOST + 64, KITE_FILE_PATH = 96 };

struct kite_plan {
	const char *store_host; /* may be NULL */
	const char *desk;       /* what the persons' settings name; may be NULL */
	unsigned work_factor;
	struct {
		char id[16], name[64];
		uint8_t role;
	} person[KB_PERSONS_MOST];
	size_t persons;
	struct {
		char id[16], address[256];
		uint32_t flags;
		bool own_key; /* recipient is theirs: no identity is made */
		struct kb_recipient recipient;
	} destination[KB_DESTINATIONS_MOST];
	size_t destinations;
};
KB_MUST_USE enum kb_status kite_plan_parse(const struct kite_args *a, struct kite_plan *ret_p);

struct kite_files {
	struct kite_file {
		char path[KITE_FILE_PATH]; /* below the office's folder */
		struct kb_buf body;
	} file[KITE_FILES_MOST];
	size_t n;
};
/* A new empty file of that path; aborts past KITE_FILES_MOST, which a plan within its limits does not reach. */
struct kb_buf *kite_files_add(struct kite_files *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void kite_files_release(struct kite_files *f);

/* What a person compares, and what the sheet and --json show. */
struct kite_office {
	struct kb_roster roster;
	struct kb_minisign_public office;
};
KB_MUST_USE enum kb_status kite_office_make(const struct kite_plan *p, struct kb_span passphrase, uint64_t now_s,
    struct kite_files *ret_files, struct kite_office *ret_office);
/* The setup sheet; short: what is printed at the end of `kite setup`. */
KB_MUST_USE enum kb_status kite_office_sheet(const struct kite_plan *p, const struct kite_office *o, struct kb_buf *ret_text);
KB_MUST_USE enum kb_status kite_office_brief(
    const struct kite_plan *p, const struct kite_office *o, const char *out, struct kb_buf *ret_text);

#endif
