/*
 * sample: `kite sample`: a second look at what triage called an inquiry.
 *
 * A seed decides which messages are drawn: those whose keyed hash is smallest, so that anybody with the same seed draws the same, and
 * nobody can say afterwards that others were meant. What people then found in them bounds what is in the whole pile.
 *
 * Formula:   the share p above which `found` or fewer in a sample of `of` would be seen in less than one draw of twenty (Clopper and
 *            Pearson's upper bound, one-sided, 95%).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "case.h"
#include "file.h"
#include "list.h"
#include "triage.h"

enum { SIZE = 100, NAME = 64 };
#define CHANCE 0.05

struct drawn {
	uint8_t rank[16];
	char name[NAME], case_[KB_CASE_TEXT];
	uint64_t received_s;
};

struct drawing {
	const struct kite *k;
	struct drawn *v;
	size_t n, room;
	uint8_t key[32];
};

static void add(struct drawing *d, struct kb_span name, const char *case_, uint64_t received_s)
{
	if (d->n == d->room) {
		d->room = d->room ? 2 * d->room : 1024;
		d->v = reallocarray(d->v, d->room, sizeof(*d->v));
		if (!d->v)
			abort();
	}
	struct drawn *v = &d->v[d->n++];
	memset(v, 0, sizeof(*v));
	crypto_generichash(v->rank, sizeof(v->rank), name.p, name.len, d->key, sizeof(d->key));
	kb_field_set(v->name, sizeof(v->name), name);
	kb_field_set(v->case_, sizeof(v->case_), kb_span_str(case_));
	v->received_s = received_s;
}

static int by_rank(const void *a, const void *b)
{
	return memcmp(((const struct drawn *)a)->rank, ((const struct drawn *)b)->rank, sizeof(((const struct drawn *)a)->rank));
}

/* ---- where the pile is ---- */

static enum kb_status from_desk(const struct kite *k, struct drawing *d)
{
	struct kite_session s;
	struct kite_list l;
	struct kite_row r;
	enum kb_status st = kite_session_begin(k, "list", &s);
	if (st != KB_OK)
		return st;
	kite_list_init(&l, NULL, true, KB_DESK_LIST_MOST);
	while ((st = kite_list_page(&s, &l)) == KB_OK) {
		struct kb_span page = kb_buf_span(&l.page);
		while (kite_row_next(&page, &r) == KB_OK) {
			char id[KB_ID_TEXT], case_[KB_CASE_TEXT];
			if (r.m.class_ != KB_CLASS_INQUIRY)
				continue;
			kb_id_format(&r.m.id, id);
			kb_case_id_format(&r.m.case_id, case_);
			add(d, kb_span_str(id), case_, r.m.received_s);
		}
	}
	kite_list_release(&l);
	kite_session_end(&s);
	return st == KB_NOTFOUND ? KB_OK : st;
}

static enum kb_status one_line(void *ctx, const char *path, size_t line, json_t *object)
{
	struct drawing *d = ctx;
	struct kb_span id, class_;
	char number[32];
	json_t *n = json_object_get(object, "id");
	enum kb_status st = json_is_integer(n) ? KB_OK : kite_line_text(path, line, object, "id", &id);
	if (json_is_integer(n)) {
		(void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(n));
		id = kb_span_str(number);
	}
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "class", &class_);
	if (st == KB_OK && kb_span_eq(class_, KB_LIT("inquiry")))
		add(d, id, "", 0);
	return st;
}

/* ---- the draw ---- */

static enum kb_status show(const struct kite *k, const struct drawing *d, size_t size)
{
	json_t *a = json_array();
	for (size_t i = 0; i < size; i++) {
		json_t *o = json_object();
		kite_json_set(o, "id", json_string(d->v[i].name));
		if (d->v[i].case_[0]) {
			kite_json_set(o, "case", json_string(d->v[i].case_));
			kite_json_set(o, "received", kite_json_time(d->v[i].received_s));
		}
		if (json_array_append_new(a, o) < 0)
			abort();
	}
	if (k->json) {
		json_t *o = json_object();
		kite_json_set(o, "pile", json_integer((json_int_t)d->n));
		kite_json_set(o, "sample", a);
		return kite_json_print(o);
	}
	json_decref(a);
	struct kb_buf b;
	struct kb_diag diag = {0};
	kb_buf_init(&b, (size_t)64 << 20);
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < size; i++)
		st = kb_buf_printf(&b, "%s%s%s\n", d->v[i].case_, d->v[i].case_[0] ? "  " : "", d->v[i].name);
	if (st == KB_OK)
		st = kite_fd_write(&diag, STDOUT_FILENO, kb_buf_span(&b));
	kb_buf_release(&b);
	if (st != KB_OK)
		return kite_fail(st, &diag, "standard output");
	kite_note("%zu of %zu inquiries. Read them, then: kite sample --of %zu --found N", size, d->n, size);
	return KB_OK;
}

static enum kb_status draw(const struct kite *k, uint64_t size)
{
	const char *seed = kite_args_value(&k->args, "seed"), *from = kite_args_value(&k->args, "from");
	struct drawing d = {.k = k};
	struct kb_span s = kb_span_str(seed ? seed : "");
	if (!s.len)
		return kite_fail(KB_MALFORMED, NULL, "name a seed with --seed TEXT before you look: it decides which messages are drawn");
	crypto_generichash(d.key, sizeof(d.key), s.p, s.len, NULL, 0);
	enum kb_status st = from ? kite_lines_read(from, one_line, &d) : from_desk(k, &d);
	if (d.n)
		qsort(d.v, d.n, sizeof(*d.v), by_rank);
	if (st == KB_OK)
		st = show(k, &d, size < d.n ? (size_t)size : d.n);
	free(d.v);
	return st;
}

/* ---- what it says of the pile ---- */

/* The chance of k or fewer in n draws, each with probability p. */
static double at_most(uint64_t k, uint64_t n, double p)
{
	double sum = 0;
	for (uint64_t i = 0; i <= k; i++)
		sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) + (double)i * log(p) + (double)(n - i) * log1p(-p));
	return sum;
}

static double bound(uint64_t k, uint64_t n)
{
	double low = (double)k / (double)n, high = 1;
	if (k >= n)
		return 1;
	for (int i = 0; i < 60; i++) {
		double p = (low + high) / 2;
		if (at_most(k, n, p) > CHANCE)
			low = p;
		else
			high = p;
	}
	return high;
}

static enum kb_status state(const struct kite *k, uint64_t of, uint64_t found)
{
	if (found > of || !of)
		return kite_fail(KB_MALFORMED, NULL, "--found is a number from 0 to --of, which is 1 at least");
	double share = (double)found / (double)of, most = bound(found, of);
	if (k->json) {
		json_t *o = json_object();
		kite_json_set(o, "of", json_integer((json_int_t)of));
		kite_json_set(o, "found", json_integer((json_int_t)found));
		kite_json_set(o, "share", json_real(share));
		kite_json_set(o, "at_most", json_real(most));
		kite_json_set(o, "confidence", json_real(1 - CHANCE));
		return kite_json_print(o);
	}
	struct kb_buf b;
	struct kb_diag d = {0};
	kb_buf_init(&b, 4096);
	enum kb_status st = kb_buf_printf(&b, "%llu of %llu: %.2f%% of the inquiries that were looked at were allegations.\n"
	    "Of all inquiries it is at most %.2f%%, unless this draw is one of the twentieth that mislead.\n",
	    (unsigned long long)found, (unsigned long long)of, 100 * share, 100 * most);
	if (st == KB_OK)
		st = kite_fd_write(&d, STDOUT_FILENO, kb_buf_span(&b));
	kb_buf_release(&b);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "standard output");
}

static enum kb_status number(const struct kite *k, const char *option, uint64_t otherwise, uint64_t *ret_n)
{
	const char *text = kite_args_value(&k->args, option);
	*ret_n = otherwise;
	if (text && kb_span_u64(kb_span_str(text), 10000000, ret_n) != KB_OK)
		return kite_fail(KB_MALFORMED, NULL, "--%s %s is not a number", option, text);
	return KB_OK;
}

enum kb_status kite_run_sample(struct kite *k)
{
	uint64_t size, of, found;
	enum kb_status st = number(k, "size", SIZE, &size);
	if (st == KB_OK)
		st = number(k, "of", 0, &of);
	if (st == KB_OK)
		st = number(k, "found", 0, &found);
	if (st != KB_OK)
		return st;
	kite_json_begin();
	return kite_args_has(&k->args, "found") ? state(k, of, found) : draw(k, size);
}
