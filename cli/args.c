/* args: see args.h. */
#include "args.h"

#include <string.h>

static const struct kite_option *find(const struct kite_options *tables, size_t n, struct kb_span name, char letter)
{
	for (size_t t = 0; t < n; t++)
		for (size_t i = 0; i < tables[t].n; i++) {
			const struct kite_option *o = &tables[t].row[i];
			if (letter ? o->letter == letter : kb_span_eq(kb_span_str(o->name), name))
				return o;
		}
	return NULL;
}

static enum kb_status fault(struct kite_args_fault *f, const char *at, const char *what)
{
	*f = (struct kite_args_fault){at, what};
	return KB_MALFORMED;
}

static enum kb_status add(struct kite_args *a, const struct kite_option *o, const char *value, const char *at,
    struct kite_args_fault *f)
{
	if (a->n == KITE_GIVEN_MOST)
		return fault(f, at, "is one option too many");
	a->given[a->n].option = o;
	a->given[a->n++].value = value;
	return KB_OK;
}

/* The value that stands in the next word; *i moves onto it. */
static const char *following(int argc, char *const *argv, int *i)
{
	return *i + 1 < argc ? argv[++*i] : NULL;
}

static enum kb_status long_option(struct kite_args *a, int argc, char *const *argv, int *i,
    const struct kite_options *tables, size_t n, struct kite_args_fault *f)
{
	const char *at = argv[*i], *text = at + 2, *eq = strchr(text, '=');
	const struct kite_option *o = find(tables, n, KB_SPAN(text, eq ? (size_t)(eq - text) : strlen(text)), 0);
	if (!o)
		return fault(f, at, "is not an option of this command");
	if (!o->value)
		return eq ? fault(f, at, "takes no value") : add(a, o, NULL, at, f);
	const char *value = eq ? eq + 1 : following(argc, argv, i);
	return value ? add(a, o, value, at, f) : fault(f, at, "needs a value");
}

static enum kb_status short_options(struct kite_args *a, int argc, char *const *argv, int *i,
    const struct kite_options *tables, size_t n, struct kite_args_fault *f)
{
	const char *at = argv[*i];
	for (const char *c = at + 1; *c; c++) {
		const struct kite_option *o = find(tables, n, KB_SPAN(NULL, 0), *c);
		if (!o)
			return fault(f, at, "is not an option of this command");
		if (o->value) {
			const char *value = c[1] ? c + 1 : following(argc, argv, i);
			return value ? add(a, o, value, at, f) : fault(f, at, "needs a value");
		}
		enum kb_status st = add(a, o, NULL, at, f);
		if (st != KB_OK)
			return st;
	}
	return KB_OK;
}

enum kb_status kite_args_parse(int argc, char *const *argv, const struct kite_options *tables, size_t n,
    struct kite_args *ret_args, struct kite_args_fault *ret_fault)
{
	bool words_only = false;
	enum kb_status st = KB_OK;
	memset(ret_args, 0, sizeof(*ret_args));
	for (int i = 0; st == KB_OK && i < argc; i++) {
		const char *w = argv[i];
		if (words_only || w[0] != '-' || !w[1]) {
			if (ret_args->words == KITE_WORDS_MOST)
				return fault(ret_fault, w, "is one word too many");
			ret_args->word[ret_args->words++] = w;
		} else if (strcmp(w, "--") == 0) {
			words_only = true;
		} else if (w[1] == '-') {
			st = long_option(ret_args, argc, argv, &i, tables, n, ret_fault);
		} else {
			st = short_options(ret_args, argc, argv, &i, tables, n, ret_fault);
		}
	}
	return st;
}

bool kite_args_has(const struct kite_args *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->given[i].option->name, name) == 0)
			return true;
	return false;
}

const char *kite_args_value(const struct kite_args *a, const char *name)
{
	const char *last = NULL, *v;
	size_t at = 0;
	while ((v = kite_args_next(a, name, &at)))
		last = v;
	return last;
}

const char *kite_args_next(const struct kite_args *a, const char *name, size_t *at)
{
	while (*at < a->n) {
		size_t i = (*at)++;
		if (a->given[i].value && strcmp(a->given[i].option->name, name) == 0)
			return a->given[i].value;
	}
	return NULL;
}
