/*
 * setup: `kite setup`. See setup.h; keys are made in setup_make.c.
 */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "file.h"
#include "home.h"
#include "json.h"
#include "passphrase.h"

/* Makes the folders of path below dir, and opens the last. */
static enum kb_status folder_of(struct kb_diag *d, int dir, const char *path, const char **ret_name, int *ret_fd)
{
	KB_AUTO(kb_fd_close) int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (at < 0)
		return KB_FAIL_SYS(d, "the folder cannot be kept open");
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1) {
		char part[KITE_FILE_PATH];
		int next = -1;
		kb_field_set(part, sizeof(part), KB_SPAN(path, (size_t)(slash - path)));
		enum kb_status st = kite_dir_open(d, at, part, false, &next);
		if (st != KB_OK)
			return st;
		kb_fd_close(&at);
		at = next;
	}
	*ret_name = path;
	*ret_fd = at;
	at = -1;
	return KB_OK;
}

static enum kb_status write_all(int dir, const char *out, const struct kite_files *f)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < f->n; i++) {
		KB_AUTO(kb_fd_close) int folder = -1;
		const char *name = f->file[i].path;
		struct kb_diag d = {0};
		st = folder_of(&d, dir, f->file[i].path, &name, &folder);
		if (st == KB_OK)
			st = kite_file_new(&d, folder, name, kb_buf_span(&f->file[i].body));
		if (st == KB_OK)
			st = kite_dir_sync(&d, folder);
		if (st != KB_OK)
			(void)kite_fail(st, &d, "%s/%s; the office is not whole, remove %s and set it up again", out,
			    f->file[i].path, out);
	}
	return st;
}

static json_t *json_public(const struct kb_minisign_public *p)
{
	char text[KB_MINISIGN_PUBLIC_TEXT], print[KITE_FINGERPRINT_TEXT];
	json_t *j = json_object();
	kb_minisign_public_format(p, text);
	kite_fingerprint(p, print);
	kite_json_set(j, "key", json_string(text));
	kite_json_set(j, "fingerprint", json_string(print));
	return j;
}

static json_t *json_recipient(const struct kb_recipient *r)
{
	char text[KB_RECIPIENT_TEXT];
	kb_recipient_format(r, text);
	return json_string(text);
}

static enum kb_status print_json(const char *out, const struct kite_office *o)
{
	kite_json_begin();
	json_t *j = json_object(), *people = json_array(), *destinations = json_array();
	kite_json_set(j, "folder", json_string(out));
	kite_json_set(j, "store", kite_json_id(&o->roster.store));
	kite_json_set(j, "office_key", json_public(&o->office));
	kite_json_set(j, "referral_key", json_public(&o->roster.referral));
	kite_json_set(j, "desk", json_recipient(&o->roster.desk));
	kite_json_set(j, "recovery", json_recipient(&o->roster.recovery));
	kite_json_set(j, "custodian", json_recipient(&o->roster.custodian[0]));
	for (size_t i = 0; i < o->roster.persons; i++) {
		json_t *p = json_object();
		kite_json_set(p, "id", json_string(o->roster.person[i].id));
		kite_json_set(p, "name", json_string(o->roster.person[i].name));
		kite_json_set(p, "role", json_string(kb_role_name(o->roster.person[i].role)));
		kite_json_set(p, "recipient", json_recipient(&o->roster.person[i].recipient));
		if (json_array_append_new(people, p) < 0)
			abort();
	}
	for (size_t i = 0; i < o->roster.destinations; i++) {
		json_t *t = json_object();
		kite_json_set(t, "id", json_string(o->roster.destination[i].id));
		kite_json_set(t, "address", json_string(o->roster.destination[i].address));
		kite_json_set(t, "recipient", json_recipient(&o->roster.destination[i].recipient[0]));
		if (json_array_append_new(destinations, t) < 0)
			abort();
	}
	kite_json_set(j, "people", people);
	kite_json_set(j, "destinations", destinations);
	return kite_json_print(j);
}

static enum kb_status print_brief(const char *out, const struct kite_plan *p, const struct kite_office *o)
{
	struct kb_buf b;
	struct kb_diag d = {0};
	kb_buf_init(&b, 65536);
	enum kb_status st = kite_office_brief(p, o, out, &b);
	if (st == KB_OK)
		st = kite_fd_write(&d, STDOUT_FILENO, kb_buf_span(&b));
	kb_buf_release(&b);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "standard output");
}

/* Everything that one run of setup holds: too much for a stack frame. */
struct setup {
	struct kite_plan plan;
	struct kite_files files;
	struct kite_office office;
};

static enum kb_status make(struct kite *k, struct setup *s, int dir, const char *out)
{
	struct kite_passphrase *pass = NULL;
	enum kb_status st = kite_passphrase_get(k, "Passphrase for the new keys", true, &pass);
	if (st == KB_OK)
		st = kite_office_make(&s->plan, kite_passphrase_span(pass), (uint64_t)time(NULL), &s->files, &s->office);
	kite_passphrase_free(&pass);
	if (st == KB_OK && (st = kite_office_sheet(&s->plan, &s->office, kite_files_add(&s->files, "setup-sheet.txt"))) != KB_OK)
		(void)kite_fail(st, NULL, "the setup sheet could not be written");
	if (st == KB_OK)
		st = write_all(dir, out, &s->files);
	return st;
}

enum kb_status kite_run_setup(struct kite *k)
{
	const char *out = kite_args_value(&k->args, "out");
	KB_AUTO(kb_fd_close) int dir = -1;
	struct kb_diag d = {0};
	if (!out)
		return kite_fail(KB_MALFORMED, NULL, "name the folder to make with --out DIR");
	struct setup *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	enum kb_status st = kite_plan_parse(&k->args, &s->plan);
	if (st == KB_OK && (st = kite_dir_open(&d, AT_FDCWD, out, true, &dir)) != KB_OK)
		(void)kite_fail(st, &d, "%s", out);
	if (st == KB_OK)
		st = make(k, s, dir, out);
	if (st == KB_OK)
		st = k->json ? print_json(out, &s->office) : print_brief(out, &s->plan, &s->office);
	kite_files_release(&s->files);
	free(s);
	return st;
}
