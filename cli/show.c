/*
 * show: `kite show`: what kite knows of a message, why it was sorted as it was, and what it says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case.h"
#include "file.h"
#include "json.h"
#include "list.h"
#include "out.h"
#include "view.h"

struct showing {
	const struct kite *k;
	struct kite_session session;
	struct kite_targets targets;
	struct kite_out out;
	struct kb_buf text;
	json_t *json; /* or NULL */
	bool raw, quit;
	enum kb_status first_failure;
};

/* What the head says, in the order in which a person asks; a field that is not there is left out. */
static const struct {
	const char *field, *label;
} head_rows[] = {
    {"Received", "Received"},
    {"Channel", "Channel"},
    {"Envelope-From", "Envelope"},
    {"Envelope-To", "To"},
    {"Authentication", "Checks"},
    {"Peer", "Peer"},
    {"Helo", "Greeting"},
    {"TLS", "TLS"},
    {"From", "From"},
    {"Subject", "Subject"},
    {"Date", "Date"},
    {"Institution", "Institution"},
    {"Register-Number", "Register no."},
    {"Triage", "Triage"},
};

static enum kb_status line(struct kb_buf *b, const char *label, struct kb_span value)
{
	enum kb_status st = kb_buf_printf(b, "%-13s ", label);
	if (st == KB_OK)
		st = kite_cell(b, value, 0);
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

static enum kb_status reasons(struct kb_buf *b, struct kb_span all)
{
	enum kb_status st = KB_OK;
	while (st == KB_OK && all.len) {
		size_t n = kb_span_find(all, KB_LIT("; "));
		st = line(b, "  because", KB_SPAN(all.p, n == SIZE_MAX ? all.len : n));
		all = n == SIZE_MAX ? KB_SPAN(NULL, 0) : kb_span_from(all, n + 2);
	}
	return st;
}

static enum kb_status head(struct kb_buf *b, const struct kite_message *m)
{
	char case_id[KB_CASE_TEXT], id[KB_ID_TEXT];
	kb_case_id_format(&m->row->case_id, case_id);
	kb_id_format(&m->row->id, id);
	enum kb_status st = line(b, "Case", kb_span_str(case_id));
	if (st == KB_OK)
		st = line(b, "Message", kb_span_str(id));
	for (size_t i = 0; st == KB_OK && i < KB_LEN(head_rows); i++) {
		struct kb_span v = kb_eml_get(&m->eml, head_rows[i].field);
		if (v.len)
			st = line(b, head_rows[i].label, v);
	}
	if (st == KB_OK)
		st = reasons(b, kb_eml_get(&m->eml, "Reasons"));
	if (st == KB_OK && kite_row_restricted(m->row))
		st = line(b, "Restricted", KB_LIT("it may name somebody of the desk, and is sealed to you by name"));
	return st == KB_OK ? kb_buf_printf(b, "%-13s %zu octets\n", "Original", m->eml.original.len) : st;
}

/* The rendering, or a sentence that stands for it. */
static enum kb_status rendering(const struct kite *k, const struct kite_message *m, struct kb_buf *b, bool *ret_there)
{
	enum kb_status st = kite_view(k, m->eml.original, b);
	*ret_there = st == KB_OK;
	if (st == KB_UNSUPPORTED || st == KB_LIMIT)
		return kb_buf_str(b, "(This message could not be taken apart safely. kite show --raw writes it as it came.)\n");
	if (st == KB_AGAIN)
		return kb_buf_str(b, "(Taking this message apart took too long. kite show --raw writes it as it came.)\n");
	return st;
}

static json_t *head_json(const struct kb_eml *e)
{
	json_t *j = json_object();
	char name[64];
	for (size_t i = 0; i < e->n; i++) {
		kb_field_set(name, sizeof(name), e->field[i].name);
		kite_json_set(j, name, kite_json_text(e->field[i].value));
	}
	return j;
}

static enum kb_status one_json(struct showing *s, const struct kite_message *m)
{
	bool there = false;
	json_t *j = json_object();
	enum kb_status st = rendering(s->k, m, &s->text, &there);
	kite_json_set(j, "case", kite_json_case(&m->row->case_id));
	kite_json_set(j, "message", kite_json_id(&m->row->id));
	kite_json_set(j, "restricted", json_boolean(kite_row_restricted(m->row)));
	kite_json_set(j, "head", head_json(&m->eml));
	kite_json_set(j, "octets", json_integer((json_int_t)m->eml.original.len));
	kite_json_set(j, "text", there ? kite_json_text(kb_buf_span(&s->text)) : json_null());
	kb_buf_clear(&s->text);
	if (json_array_append_new(s->json, j) < 0)
		abort();
	return st;
}

static enum kb_status one_text(struct showing *s, const struct kite_message *m)
{
	bool there;
	enum kb_status st = s->raw ? kb_buf_add(&s->text, m->eml.original) : head(&s->text, m);
	if (st == KB_OK && !s->raw)
		st = kb_buf_byte(&s->text, '\n');
	if (st == KB_OK && !s->raw)
		st = rendering(s->k, m, &s->text, &there);
	if (st == KB_OK && !s->raw && m->row != &s->targets.m[s->targets.n - 1])
		st = kb_buf_str(&s->text, "\n----------------------------------------\n\n");
	enum kb_status out = kite_out_write(&s->out, &s->text, &s->quit);
	return st != KB_OK ? st : s->quit ? KB_AGAIN : out;
}

static enum kb_status one(void *ctx, enum kb_status st, const struct kb_diag *d, struct kite_message *m)
{
	struct showing *s = ctx;
	char id[KB_ID_TEXT];
	kb_id_format(&m->row->id, id);
	if (st == KB_OK)
		return s->json ? one_json(s, m) : one_text(s, m);
	if (s->first_failure == KB_OK)
		s->first_failure = st;
	(void)kite_fail(st, d, "message %s is not shown", id);
	return KB_OK;
}

static enum kb_status all(struct showing *s)
{
	enum kb_status st = KB_OK;
	if (s->k->json) {
		kite_json_begin();
		s->json = json_array();
	} else if (s->raw) {
		s->out = (struct kite_out){.fd = STDOUT_FILENO};
	} else {
		st = kite_out_begin(&s->out);
	}
	if (st == KB_OK)
		st = kite_fetch(&s->session, s->targets.m, s->targets.n, false, one, s);
	if (!s->json) {
		kite_out_end(&s->out);
		return s->quit ? KB_OK : st;
	}
	if (st != KB_OK) {
		json_decref(s->json);
		return st;
	}
	json_t *whole = json_object();
	kite_json_set(whole, "messages", s->json);
	return kite_json_print(whole);
}

enum kb_status kite_run_show(struct kite *k)
{
	struct showing *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->k = k;
	s->raw = kite_args_has(&k->args, "raw");
	kb_buf_init(&s->text, KITE_OUT_MOST);
	enum kb_status st = s->raw && k->json
				? kite_fail(KB_MALFORMED, NULL, "--raw is octets and --json is not; take one of them")
				: kite_session_begin(k, "show", &s->session);
	if (st == KB_OK)
		st = kite_targets_find(&s->session, &k->args, true, &s->targets);
	if (st == KB_OK && s->raw && s->targets.n > 1)
		st = kite_fail(KB_MALFORMED, NULL,
		    "%s has %zu messages; with --raw name one of them (kite list %s --json), or use kite pull",
		    k->args.word[0], s->targets.n, k->args.word[0]);
	if (st == KB_OK)
		st = all(s);
	if (st == KB_OK)
		st = s->first_failure;
	kite_targets_release(&s->targets);
	kite_session_end(&s->session);
	kb_buf_release(&s->text);
	free(s);
	return st;
}
