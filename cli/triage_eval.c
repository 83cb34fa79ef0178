/* triage_eval: `kite triage eval FILE...`: what triage says of each message. */
#include <stdio.h>
#include <string.h>

#include "triage.h"

struct evaluating {
	const struct kite *k;
	struct kite_mind mind;
};

static json_t *flags_of(uint32_t flags)
{
	json_t *a = json_array();
	for (uint32_t bit = 1; bit < KB_FLAG_ALL; bit <<= 1)
		if (flags & bit && json_array_append_new(a, json_string(kb_flag_name(bit))) < 0)
			abort();
	return a;
}

static json_t *reasons_of(const struct kb_verdict *v)
{
	json_t *a = json_array();
	struct kb_span rest = kb_span_str(v->reasons), line;
	while (kb_span_line(&rest, &line))
		if (json_array_append_new(a, kite_json_text(line)) < 0)
			abort();
	return a;
}

static enum kb_status one(void *ctx, const char *path, size_t line, json_t *object)
{
	struct evaluating *e = ctx;
	struct kb_verdict v;
	enum kb_status st = kite_line_judge(e->k, &e->mind, path, line, object, &v);
	if (st != KB_OK)
		return st;
	json_t *id = json_object_get(object, "id"), *o = json_object();
	kite_json_set(o, "id", id ? json_incref(id) : json_integer((json_int_t)line));
	kite_json_set(o, "class", json_string(kb_class_name(v.class_)));
	kite_json_set(o, "score", json_real(v.score_e4 / 10000.0));
	kite_json_set(o, "category", json_string(kb_category_name(v.category)));
	kite_json_set(o, "flags", flags_of(v.flags));
	kite_json_set(o, "reasons", reasons_of(&v));
	kite_json_set(o, "language", json_string(kb_language_name(v.language)));
	kite_json_set(o, "rules_version", json_integer(v.rules_version));
	kite_json_set(o, "model_version", json_integer(v.model_version));
	return kite_json_line(o);
}

enum kb_status kite_triage_eval(struct kite *k)
{
	struct evaluating e = {.k = k};
	enum kb_status st = kite_mind_open(kite_args_value(&k->args, "rules"), kite_args_value(&k->args, "model"), &e.mind);
	for (size_t i = 1; st == KB_OK && i < k->args.words; i++)
		st = kite_lines_read(k->args.word[i], one, &e);
	kite_mind_close(&e.mind);
	return st;
}
