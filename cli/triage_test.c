/*
 * triage_test: `kite triage test FILE...`: what would change over past messages if other rules, or another model, were in force.
 *
 * Those in force are the installed ones; the others are named with --rules and --model.
 */
#include <stdio.h>

#include "triage.h"

struct testing {
	const struct kite *k;
	struct kite_mind now, then;
	size_t messages, changed, from[KB_CLASS_COUNT][KB_CLASS_COUNT];
};

static enum kb_status one(void *ctx, const char *path, size_t line, json_t *object)
{
	struct testing *t = ctx;
	struct kb_verdict now, then;
	enum kb_status st = kite_line_judge(t->k, &t->now, path, line, object, &now);
	if (st == KB_OK)
		st = kite_line_judge(t->k, &t->then, path, line, object, &then);
	if (st != KB_OK)
		return st;
	t->messages++;
	t->from[now.class_][then.class_]++;
	if (now.class_ == then.class_ && now.flags == then.flags)
		return KB_OK;
	t->changed++;
	json_t *id = json_object_get(object, "id"), *o = json_object();
	kite_json_set(o, "id", id ? json_incref(id) : json_integer((json_int_t)line));
	kite_json_set(o, "class", json_string(kb_class_name(now.class_)));
	kite_json_set(o, "class_then", json_string(kb_class_name(then.class_)));
	kite_json_set(o, "score", json_real(now.score_e4 / 10000.0));
	kite_json_set(o, "score_then", json_real(then.score_e4 / 10000.0));
	return kite_json_line(o);
}

enum kb_status kite_triage_test(struct kite *k)
{
	struct testing t = {.k = k};
	const char *rules = kite_args_value(&k->args, "rules"), *model = kite_args_value(&k->args, "model");
	if (!rules && !model)
		return kite_fail(KB_MALFORMED, NULL, "name what is to be tried with --rules FILE, --model FILE, or both");
	enum kb_status st = kite_mind_open(NULL, NULL, &t.now);
	if (st == KB_OK)
		st = kite_mind_open(rules, model, &t.then);
	for (size_t i = 1; st == KB_OK && i < k->args.words; i++)
		st = kite_lines_read(k->args.word[i], one, &t);
	if (st == KB_OK) {
		kite_note("%zu of %zu messages would be judged otherwise", t.changed, t.messages);
		for (unsigned a = 0; a < KB_CLASS_COUNT; a++)
			for (unsigned b = 0; b < KB_CLASS_COUNT; b++)
				if (a != b && t.from[a][b])
					kite_note("  %zu from %s to %s", t.from[a][b], kb_class_name(a), kb_class_name(b));
	}
	kite_mind_close(&t.now);
	kite_mind_close(&t.then);
	return st;
}
