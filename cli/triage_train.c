/*
 * triage_train: `kite triage train -o MODEL FILE...`: a model out of judged messages, and what it is worth.
 *
 * The figures are of messages that the judging model had not seen, with nobody's messages on both sides.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kitebox/memfd.h>
#include <kitebox/train.h>

#include "file.h"
#include "triage.h"

enum { MODEL_MOST = 8 << 20 };

struct material {
	struct kb_train *train;
	struct kite_mind mind; /* its rules, beside which the model will work */
	json_t *ids;
	size_t passed_over;
};

static enum kb_status flags_in(const char *path, size_t line, json_t *object, uint32_t *ret_flags)
{
	size_t i;
	json_t *v, *a = json_object_get(object, "flags");
	*ret_flags = 0;
	json_array_foreach(a, i, v) {
		unsigned flag = json_is_string(v) ? kb_flag_find(kb_span_str(json_string_value(v))) : 0;
		if (!flag)
			return kite_fail(KB_MALFORMED, NULL, "%s, line %zu: a flag is unknown", path, line);
		*ret_flags |= flag;
	}
	return KB_OK;
}

/* The text as triage will see it: without what is quoted. */
static enum kb_status add(struct material *m, struct kb_train_item *item)
{
	struct kb_mail mail;
	enum kb_status st = kb_mail_from_text(item->subject, item->text, &mail);
	if (st != KB_OK)
		return st;
	item->text = mail.human;
	item->rules = kb_triage_weigh(m->mind.triage, item->subject, item->text);
	st = kb_train_add(m->train, item);
	kb_mail_release(&mail);
	return st;
}

static enum kb_status one(void *ctx, const char *path, size_t line, json_t *object)
{
	struct material *m = ctx;
	struct kb_span class_, category, lang;
	struct kb_train_item item = {0};
	enum kb_status st = kite_line_text(path, line, object, "class", &class_);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "category", &category);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "lang", &lang);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "subject", &item.subject);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "text", &item.text);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "author", &item.author);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "pair", &item.pair);
	if (st == KB_OK)
		st = flags_in(path, line, object, &item.flags);
	if (st != KB_OK)
		return st;
	int kind = kb_class_find(class_), topic = kb_category_find(category), language = kb_language_find(lang);
	if (kind < 0 || (topic < 0 && category.len) || language < 0)
		return kite_fail(KB_MALFORMED, NULL, "%s, line %zu: class, category or lang is unknown", path, line);
	if ((kind != KB_CLASS_ALLEGATION && kind != KB_CLASS_INQUIRY) || language == KB_LANG_OTHER) {
		m->passed_over++; /* machines are told by their header fields, other languages by their words */
		return KB_OK;
	}
	item.unmeasured = json_is_false(json_object_get(object, "measure"));
	item.allegation = kind == KB_CLASS_ALLEGATION;
	item.category = topic < 0 ? KB_TRAIN_UNSORTED : (uint8_t)topic;
	item.language = (uint8_t)language;
	st = add(m, &item);
	json_t *id = json_object_get(object, "id");
	if (json_array_append_new(m->ids, id ? json_incref(id) : json_null()) < 0)
		abort();
	return st == KB_OK ? KB_OK : kite_fail(st, NULL, "%s, line %zu: the message is not taken", path, line);
}

static enum kb_status share(const struct kite *k, const char *option, double otherwise, double *ret)
{
	const char *text = kite_args_value(&k->args, option);
	char *end;
	*ret = otherwise;
	if (!text)
		return KB_OK;
	*ret = strtod(text, &end);
	return *end || *ret <= 0 || *ret >= 1 ? kite_fail(KB_MALFORMED, NULL, "--%s is a share between 0 and 1", option) : KB_OK;
}

static enum kb_status write_file(const char *path, struct kb_span s)
{
	struct kb_diag d = {0};
	KB_AUTO(kb_fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	enum kb_status st = fd < 0 ? KB_FAIL_SYS(&d, "it cannot be written") : kite_fd_write(&d, fd, s);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "%s", path);
}

static enum kb_status write_answers(const char *path, const struct material *m, const struct kb_train_answer *a)
{
	struct kb_buf b;
	enum kb_status st = KB_OK;
	kb_buf_init(&b, (size_t)256 << 20);
	for (size_t i = 0; st == KB_OK && i < json_array_size(m->ids); i++) {
		char *id = json_dumps(json_array_get(m->ids, i), JSON_ENCODE_ANY);
		st = kb_buf_printf(&b, "{\"id\": %s, \"part\": %u, \"allegation\": %.4f, \"urgent\": %.4f, \"sexual\": %.4f, \"retaliation\": %.4f, \"category\": \"%s\"}\n",
		    id ? id : "null", a[i].part, a[i].allegation_e4 / 1e4, a[i].urgent_e4 / 1e4, a[i].sexual_e4 / 1e4,
		    a[i].retaliation_e4 / 1e4, kb_category_name(a[i].category));
		free(id);
	}
	if (st == KB_OK)
		st = write_file(path, kb_buf_span(&b));
	kb_buf_release(&b);
	return st;
}

static void said(void *ctx, const char *what)
{
	(void)ctx;
	kite_note("learning: %s", what);
}

static enum kb_status learn(const struct kite *k, const struct material *m, struct kb_train_wish *w)
{
	const char *answers = kite_args_value(&k->args, "answers");
	struct kb_train_answer *a = calloc(json_array_size(m->ids) + 1, sizeof(*a));
	struct kb_buf model;
	struct kb_diag d = {0};
	if (!a)
		abort();
	kb_buf_init(&model, MODEL_MOST);
	enum kb_status st = kb_train_run(&d, m->train, w, &model, a);
	if (st != KB_OK)
		st = kite_fail(st, &d, "nothing was learnt");
	if (st == KB_OK)
		st = write_file(kite_args_value(&k->args, "output"), kb_buf_span(&model));
	if (st == KB_OK && answers)
		st = write_answers(answers, m, a);
	if (st == KB_OK)
		kite_note("learnt from %zu messages; %zu were passed over (machines, other languages)", json_array_size(m->ids), m->passed_over);
	kb_buf_release(&model);
	free(a);
	return st;
}

enum kb_status kite_triage_train(struct kite *k)
{
	struct material m = {.train = kb_train_new(), .ids = json_array()};
	struct kb_train_wish w = {.version = 1, .said = said};
	const char *serial = kite_args_value(&k->args, "serial");
	uint64_t n = 1;
	enum kb_status st = kite_args_value(&k->args, "output") ? KB_OK : kite_fail(KB_MALFORMED, NULL, "name the model to write with -o FILE");
	if (st == KB_OK && serial && (kb_span_u64(kb_span_str(serial), UINT32_MAX, &n) != KB_OK || !n))
		st = kite_fail(KB_MALFORMED, NULL, "--serial is a whole number from 1 on");
	w.version = (uint32_t)n;
	if (st == KB_OK)
		st = share(k, "recall", 0.985, &w.recall);
	if (st == KB_OK)
		st = share(k, "outright", 0.04, &w.outright);
	if (st == KB_OK)
		st = kite_rules_open(kite_args_value(&k->args, "rules"), &m.mind);
	for (size_t i = 1; st == KB_OK && i < k->args.words; i++)
		st = kite_lines_read(k->args.word[i], one, &m);
	if (st == KB_OK)
		st = learn(k, &m, &w);
	kb_train_free(&m.train);
	kite_mind_close(&m.mind);
	json_decref(m.ids);
	return st;
}
