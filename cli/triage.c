/* triage: `kite triage`: see triage.h. */
#include "triage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

enum { RULES_MOST = 1 << 20, MODEL_MOST = 8 << 20 };

/* A program that was not installed has its files beside its folder. */
static bool beside(const char *name, char ret_path[static KITE_PATH])
{
	char self[KITE_PATH - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	for (int up = 0; up < 2 && n > 0; up++)
		while (n > 0 && self[--n] != '/')
			;
	if (n <= 0)
		return false;
	self[n] = '\0';
	(void)snprintf(ret_path, KITE_PATH, "%s/conf/%s", self, name);
	return access(ret_path, R_OK) == 0;
}

static enum kb_status read_one(const char *option, const char *name, size_t most, struct kb_buf *ret)
{
	char path[KITE_PATH];
	struct kb_diag d = {0};
	if (option)
		(void)snprintf(path, sizeof(path), "%s", option);
	else if (!beside(name, path))
		(void)snprintf(path, sizeof(path), "%s/%s", KB_CONFDIR, name);
	kb_buf_init(ret, most + 1);
	enum kb_status st = kite_file_read(&d, path, most, ret);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "%s; name another with --rules or --model", path);
}

enum kb_status kite_rules_open(const char *rules, struct kite_mind *ret_m)
{
	struct kb_diag d = {0};
	struct kite_mind m = {0};
	enum kb_status st = read_one(rules, "triage.rules", RULES_MOST, &m.rules);
	if (st == KB_OK && (st = kb_triage_rules(&d, kb_buf_span(&m.rules), &m.triage)) != KB_OK)
		st = kite_fail(st, &d, "%s, line %zu", rules ? rules : "the rules", d.offset);
	if (st == KB_OK)
		*ret_m = m;
	else
		kite_mind_close(&m);
	return st;
}

enum kb_status kite_mind_open(const char *rules, const char *model, struct kite_mind *ret_m)
{
	struct kb_diag d = {0};
	struct kite_mind m = {0};
	enum kb_status st = read_one(rules, "triage.rules", RULES_MOST, &m.rules);
	if (st == KB_OK)
		st = read_one(model, "triage.model", MODEL_MOST, &m.model);
	if (st == KB_OK && (st = kb_triage_open(&d, kb_buf_span(&m.rules), kb_buf_span(&m.model), &m.triage)) != KB_OK)
		st = d.offset ? kite_fail(st, &d, "%s, line %zu", rules ? rules : "the rules", d.offset) : kite_fail(st, &d, "%s", model ? model : "the model");
	if (st == KB_OK)
		*ret_m = m;
	else
		kite_mind_close(&m);
	return st;
}

void kite_mind_close(struct kite_mind *m)
{
	kb_triage_free(&m->triage);
	kb_buf_release(&m->rules);
	kb_buf_release(&m->model);
}

enum kb_status kite_run_triage(struct kite *k)
{
	static const struct {
		const char *name;
		enum kb_status (*run)(struct kite *k);
	} what[] = {{"eval", kite_triage_eval}, {"train", kite_triage_train}, {"test", kite_triage_test}};
	for (size_t i = 0; i < KB_LEN(what); i++)
		if (!strcmp(k->args.word[0], what[i].name))
			return what[i].run(k);
	return kite_fail(KB_MALFORMED, NULL, "kite triage does not know \"%s\"; it knows eval, train and test", k->args.word[0]);
}
