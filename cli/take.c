/* take: see take.h. */
#include "take.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

enum kb_status kite_take_begin(const struct kite *k, const char *purpose, bool maildir, bool sealed, struct kite_take *ret_t)
{
	struct kite_take *t = ret_t;
	t->k = k;
	t->sealed = sealed;
	t->out = kite_args_value(&k->args, "out");
	if (!t->out)
		return kite_fail(KB_MALFORMED, NULL, "name the folder to write to with --out DIR");
	if (k->json) {
		kite_json_begin();
		t->messages = json_array();
	}
	enum kb_status st = kite_session_begin(k, purpose, &t->session);
	if (st == KB_OK)
		st = kite_targets_find(&t->session, &k->args, kite_args_has(&k->args, "all"), &t->targets);
	if (st == KB_OK)
		st = kite_folder_open(t->out, maildir ? "" : sealed ? ".age" : ".eml", maildir, &t->folder);
	t->folder_open = st == KB_OK;
	return st;
}

static void note(struct kite_take *t, const struct kb_desk_message *m, const char *state, const char *file, enum kb_status st)
{
	if (!t->messages)
		return;
	json_t *j = json_object();
	kite_json_set(j, "case", kite_json_case(&m->case_id));
	kite_json_set(j, "message", kite_json_id(&m->id));
	kite_json_set(j, "state", json_string(state));
	kite_json_set(j, "file", file ? json_string(file) : json_null());
	kite_json_set(j, "error", st == KB_OK ? json_null() : json_string(kb_status_row(st)->name));
	if (json_array_append_new(t->messages, j) < 0)
		abort();
}

/* One that cannot be had does not keep the others from being taken; a folder that takes nothing more does. */
static enum kb_status one(void *ctx, enum kb_status st, const struct kb_diag *d, struct kite_message *m)
{
	struct kite_take *t = ctx;
	char id[KB_ID_TEXT], name[KITE_NAME_MOST];
	if (st == KB_OK) {
		st = kite_folder_put(&t->folder, m->row, t->sealed ? m->sealed : m->eml.original);
		if (st != KB_OK)
			return st;
		kite_folder_name(&t->folder, m->row, name);
		note(t, m->row, "written", name, KB_OK);
		t->written++;
		return KB_OK;
	}
	kb_id_format(&m->row->id, id);
	if (t->first_failure == KB_OK)
		t->first_failure = st;
	note(t, m->row, "failed", NULL, st);
	t->failed++;
	(void)kite_fail(st, d, "message %s is not %s", id, t->sealed ? "exported" : "pulled");
	return KB_OK;
}

enum kb_status kite_take_all(struct kite_take *t)
{
	struct kb_desk_message *fresh = calloc(t->targets.n + 1, sizeof(*fresh));
	size_t n = 0;
	if (!fresh)
		abort();
	for (size_t i = 0; i < t->targets.n; i++) {
		const struct kb_desk_message *m = &t->targets.m[i];
		if (!kite_folder_has(&t->folder, m)) {
			fresh[n++] = *m;
			continue;
		}
		t->kept++;
		note(t, m, "kept", NULL, KB_OK);
	}
	enum kb_status st = kite_fetch(&t->session, fresh, n, t->sealed, one, t);
	enum kb_status synced = kite_folder_sync(&t->folder);
	free(fresh);
	if (st == KB_OK)
		st = synced;
	return st == KB_OK ? t->first_failure : st;
}

static enum kb_status sentence(const struct kite_take *t)
{
	struct kb_buf b;
	struct kb_diag d = {0};
	kb_buf_init(&b, 2 * KITE_PATH);
	enum kb_status st = kb_buf_printf(&b, "%zu message%s written to ", t->written, t->written == 1 ? "" : "s");
	if (st == KB_OK)
		st = kb_text_harmless(&b, kb_span_str(t->out), false);
	if (st == KB_OK && t->kept)
		st = kb_buf_printf(&b, "; %zu %s there already", t->kept, t->kept == 1 ? "was" : "were");
	if (st == KB_OK && t->failed)
		st = kb_buf_printf(&b, "; %zu could not be had", t->failed);
	if (st == KB_OK)
		st = kb_buf_byte(&b, '\n');
	if (st == KB_OK)
		st = kite_fd_write(&d, STDOUT_FILENO, kb_buf_span(&b));
	kb_buf_release(&b);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "standard output");
}

enum kb_status kite_take_say(struct kite_take *t, void (*extra)(void *ctx, json_t *whole), void *ctx)
{
	if (!t->messages)
		return sentence(t);
	json_t *whole = json_object();
	kite_json_set(whole, "folder", kite_json_text(kb_span_str(t->out)));
	kite_json_set(whole, "written", json_integer((json_int_t)t->written));
	kite_json_set(whole, "kept", json_integer((json_int_t)t->kept));
	kite_json_set(whole, "failed", json_integer((json_int_t)t->failed));
	kite_json_set(whole, "messages", KB_TAKE(t->messages));
	if (extra)
		extra(ctx, whole);
	return kite_json_print(whole);
}

void kite_take_end(struct kite_take *t)
{
	json_decref(t->messages);
	if (t->folder_open)
		kite_folder_close(&t->folder);
	t->folder_open = false;
	kite_targets_release(&t->targets);
	kite_session_end(&t->session);
}
