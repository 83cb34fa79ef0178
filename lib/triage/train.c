/*
 * train: see train.h.
 *
 * Is it an allegation? Two regressions answer: one over plain values 1 / sqrt(number of features of the view), one over values
 * weighed by r, the logarithm of how much oftener a feature stands in messages that answer yes (naive Bayes). The first holds where
 * material is thin, the second where words speak for themselves; their sum, each in units of its own spread, is a linear model like
 * either. The other questions have too few yeses for r to be more than chance, and are asked plainly.
 */
#include <kitebox/train.h>

#include <linear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "train_parts.h"

enum { QUESTIONS = KB_HEAD_COUNT + KB_CAT_COUNT, ROW_MOST = 127 };
#define SMOOTH 0.5 /* added to each count */
/* What an error costs: found by trying, on messages that were not learnt from. */
#define COST_ALLEGATION 30.0
#define COST_WEIGHED 10.0
#define COST_OTHER 3.0
#define WINDOW_LESS 0.5 /* in units of the uncalibrated score */

/* ---- what a question asks of an item ---- */

static bool answers(const struct kb_item *it, unsigned question)
{
	static const uint32_t flag[KB_HEAD_COUNT] = {0, KB_FLAG_URGENT_SAFETY, KB_FLAG_SEXUAL_ABUSE, KB_FLAG_RETALIATION};
	if (question == KB_HEAD_ALLEGATION)
		return it->allegation;
	if (question < KB_HEAD_COUNT)
		return (it->flags & flag[question]) != 0 || (question == KB_HEAD_RETALIATION && it->category == KB_CAT_RETALIATION);
	return it->category == question - KB_HEAD_COUNT;
}

static bool is_topic(unsigned question)
{
	return question >= KB_HEAD_COUNT;
}

/* A category is told from the others of its class alone: which class it is has been decided by then. */
static bool asked(const struct kb_item *it, unsigned question)
{
	if (!is_topic(question))
		return true;
	if (it->category == KB_TRAIN_UNSORTED)
		return false;
	return it->allegation == kb_is_misconduct(question - KB_HEAD_COUNT);
}

/* ---- one regression ---- */

struct fit {
	double *weight; /* a row each */
	double bias;
	bool known;     /* false: the material has not both answers */
};

static size_t rows_of(unsigned question)
{
	return is_topic(question) ? KB_MODEL_TOPIC_ROWS : KB_MODEL_ROWS;
}

static uint32_t row_of(const struct kb_item_feature *f, unsigned question)
{
	return is_topic(question) ? kb_model_topic_row(f->hash) : kb_model_row(f->hash);
}

static void ratios(const struct kb_train *t, unsigned question, unsigned left_out, double *ret_r)
{
	size_t rows = rows_of(question);
	double *yes = calloc(rows, sizeof(*yes)), *no = calloc(rows, sizeof(*no)), all_yes = 0, all_no = 0;
	if (!yes || !no)
		abort();
	for (size_t i = 0; i < t->n; i++) {
		const struct kb_item *it = &t->item[i];
		if (it->part == left_out || !asked(it, question))
			continue;
		double *to = answers(it, question) ? yes : no;
		for (size_t k = 0; k < it->features; k++)
			if (!is_topic(question) || it->feature[k].view == KB_VIEW_WORDS)
				to[row_of(&it->feature[k], question)] += 1;
	}
	for (size_t i = 0; i < rows; i++) {
		all_yes += yes[i] + SMOOTH;
		all_no += no[i] + SMOOTH;
	}
	for (size_t i = 0; i < rows; i++)
		ret_r[i] = log((yes[i] + SMOOTH) / all_yes) - log((no[i] + SMOOTH) / all_no);
	free(yes);
	free(no);
}

static int by_index(const void *a, const void *b)
{
	const struct feature_node *x = a, *y = b;
	return (x->index > y->index) - (x->index < y->index);
}

/* liblinear's row of an item: ascending, each index once, ended by -1; the constant is the last. */
static struct feature_node *nodes_of(const struct kb_item *it, unsigned question, const double *r)
{
	struct feature_node *x = calloc(it->features + 2, sizeof(*x));
	size_t n = 0, out = 0;
	if (!x)
		abort();
	for (size_t k = 0; k < it->features; k++) {
		const struct kb_item_feature *f = &it->feature[k];
		uint32_t row = row_of(f, question);
		if (is_topic(question) && f->view != KB_VIEW_WORDS)
			continue;
		x[n++] = (struct feature_node){(int)row + 1, (r ? r[row] : 1.0) / sqrt(it->n[f->view])};
	}
	qsort(x, n, sizeof(*x), by_index);
	for (size_t k = 0; k < n; k++) {
		if (out && x[out - 1].index == x[k].index)
			x[out - 1].value += x[k].value;
		else
			x[out++] = x[k];
	}
	x[out] = (struct feature_node){(int)rows_of(question) + 1, 1.0};
	x[out + 1].index = -1;
	return x;
}

static void silent(const char *text)
{
	(void)text;
}

/* What liblinear finds, its constant last; speaks for yes whichever label it met first. */
static void solve(const struct problem *p, double cost, double *ret_v)
{
	const struct parameter how = {.solver_type = L2R_LR, .eps = 0.01, .C = cost};
	set_print_string_function(silent);
	struct model *m = train(p, &how);
	double sign = m->label[0] == 1 ? 1.0 : -1.0;
	for (int i = 0; i < p->n; i++)
		ret_v[i] = sign * m->w[i];
	free_and_destroy_model(&m);
}

static double spread(const struct problem *p, const double *v)
{
	double sum = 0, squares = 0;
	for (int i = 0; i < p->l; i++) {
		double at = 0;
		for (const struct feature_node *x = p->x[i]; x->index > 0; x++)
			at += v[x->index - 1] * x->value;
		sum += at;
		squares += at * at;
	}
	double mean = sum / p->l, variance = squares / p->l - mean * mean;
	return variance > 1e-9 ? sqrt(variance) : 1.0;
}

static void fit_new(unsigned question, struct fit *f)
{
	*f = (struct fit){.weight = calloc(rows_of(question), sizeof(double))};
	if (!f->weight)
		abort();
}

/* Adds one regression over values r (NULL: plain) to f. */
static void learn_one(const struct kb_train *t, unsigned question, unsigned left_out, const double *r, bool in_spreads, struct fit *f)
{
	size_t rows = rows_of(question), yes = 0;
	struct problem p = {.n = (int)rows + 1, .bias = 1};
	double *v = calloc(rows + 1, sizeof(*v));
	p.x = calloc(t->n + 1, sizeof(*p.x));
	p.y = calloc(t->n + 1, sizeof(*p.y));
	if (!v || !p.x || !p.y)
		abort();
	for (size_t i = 0; i < t->n; i++) {
		const struct kb_item *it = &t->item[i];
		if (it->part == left_out || !asked(it, question))
			continue;
		yes += answers(it, question);
		p.y[p.l] = answers(it, question) ? 1 : -1;
		p.x[p.l++] = nodes_of(it, question, r);
	}
	if (yes && yes < (size_t)p.l) {
		solve(&p, r ? COST_WEIGHED : question == KB_HEAD_ALLEGATION ? COST_ALLEGATION : COST_OTHER, v);
		double unit = in_spreads ? spread(&p, v) : 1.0;
		for (size_t i = 0; i < rows; i++)
			f->weight[i] += v[i] * (r ? r[i] : 1.0) / unit;
		f->bias += v[rows] / unit;
		f->known = true;
	}
	for (int i = 0; i < p.l; i++)
		free(p.x[i]);
	free(p.x);
	free(p.y);
	free(v);
}

/* Learns a question from all parts but one (KB_TRAIN_PARTS: from all). */
static void learn(const struct kb_train *t, unsigned question, unsigned left_out, struct fit *f)
{
	bool both = question == KB_HEAD_ALLEGATION;
	fit_new(question, f);
	learn_one(t, question, left_out, NULL, both, f);
	if (!both)
		return;
	double *r = calloc(rows_of(question), sizeof(*r));
	if (!r)
		abort();
	ratios(t, question, left_out, r);
	learn_one(t, question, left_out, r, both, f);
	free(r);
}

/* ---- to octets ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Most weights are small: the scale is that of all but the few largest, which are cut. */
static double scale_of(const double *w, size_t n)
{
	double *abs_ = calloc(n, sizeof(*abs_));
	size_t k = 0;
	if (!abs_)
		abort();
	for (size_t i = 0; i < n; i++)
		if (w[i] != 0.0)
			abs_[k++] = fabs(w[i]);
	qsort(abs_, k, sizeof(*abs_), by_value);
	double most = k ? abs_[(size_t)((double)(k - 1) * 0.9995)] : 0.0;
	free(abs_);
	return most > 0.0 ? most / ROW_MOST : 1.0;
}

static int8_t octet(double w, double scale)
{
	double v = round(w / scale);
	return (int8_t)(v > ROW_MOST ? ROW_MOST : v < -ROW_MOST ? -ROW_MOST : v);
}

struct kb_tables {
	int8_t row[KB_MODEL_ROWS][KB_HEAD_COUNT];
	int8_t topic[KB_MODEL_TOPIC_ROWS][KB_MODEL_TOPICS];
};

static void put(struct kb_model *m, struct kb_tables *to, unsigned question, const struct fit *f)
{
	double scale = scale_of(f->weight, rows_of(question));
	struct kb_line line = {(float)scale, f->known ? (float)f->bias : -8.0f};
	if (is_topic(question)) {
		unsigned c = question - KB_HEAD_COUNT;
		m->head.topic[c] = line;
		for (size_t i = 0; i < KB_MODEL_TOPIC_ROWS; i++)
			to->topic[i][c] = octet(f->weight[i], scale);
	} else {
		m->head.line[question] = line;
		for (size_t i = 0; i < KB_MODEL_ROWS; i++)
			to->row[i][question] = octet(f->weight[i], scale);
	}
}

static struct kb_tables *make(const struct kb_train *t, unsigned left_out, struct kb_model *ret_m)
{
	struct kb_tables *to = calloc(1, sizeof(*to));
	if (!to)
		abort();
	memset(ret_m, 0, sizeof(*ret_m));
	ret_m->head.window_less = (float)WINDOW_LESS;
	ret_m->row = to->row[0];
	ret_m->topic_row = to->topic[0];
	for (unsigned q = 0; q < QUESTIONS; q++) {
		struct fit f;
		learn(t, q, left_out, &f);
		put(ret_m, to, q, &f);
		free(f.weight);
	}
	return to;
}

/* ---- answers for what was not seen ---- */

struct unseen {
	struct kb_scores *scores; /* of each item */
};

static void answer_part(const struct kb_train *t, unsigned part, struct unseen *u)
{
	struct kb_model m;
	struct kb_tables *tables = make(t, part, &m);
	for (size_t i = 0; i < t->n; i++) {
		struct kb_arena a;
		if (t->item[i].part != part)
			continue;
		kb_arena_init(&a, (size_t)64 << 20);
		kb_model_score(&m, &a, t->item[i].token, t->item[i].tokens, &u->scores[i], NULL);
		kb_arena_release(&a);
	}
	free(tables);
}

/* What is added beside the model. */
static double beside(const struct kb_item *it, unsigned question)
{
	return question == KB_HEAD_ALLEGATION ? it->rules : 0.0;
}

/* What a line costs, in logarithms: of the answers that are wanted, softened, each item's probability. */
struct softened {
	const struct kb_train *t;
	const struct unseen *u;
	unsigned question;
	double high, low;
};

static double wanted(const struct softened *s, size_t i)
{
	return answers(&s->t->item[i], s->question) ? s->high : s->low;
}

static double cost_of(const struct softened *s, double a, double b)
{
	double cost = 0;
	for (size_t i = 0; i < s->t->n; i++) {
		if (s->t->item[i].unmeasured)
			continue;
		double z = a * s->u->scores[i].logit[s->question] + b + beside(&s->t->item[i], s->question);
		cost += (z > 0 ? z : 0) + log1p(exp(-fabs(z))) - wanted(s, i) * z;
	}
	return cost;
}

/* Where Newton's method would go from here. */
static void newton(const struct softened *s, double a, double b, double *ret_da, double *ret_db)
{
	double ga = 0, gb = 0, haa = 1e-6, hab = 0, hbb = 1e-6;
	for (size_t i = 0; i < s->t->n; i++) {
		if (s->t->item[i].unmeasured)
			continue;
		double x = s->u->scores[i].logit[s->question], p = 1 / (1 + exp(-(a * x + b + beside(&s->t->item[i], s->question))));
		double g = p - wanted(s, i), h = p * (1 - p);
		ga += g * x;
		gb += g;
		haa += h * x * x;
		hab += h * x;
		hbb += h;
	}
	double det = haa * hbb - hab * hab;
	*ret_da = (hbb * ga - hab * gb) / det;
	*ret_db = (haa * gb - hab * ga) / det;
}

/* Platt: p = 1 / (1 + exp(-(a * logit + b + rules))), by Newton's method on softened targets. A step that does not make it cheaper is
 * halved: where answers are far apart, as in little material, whole steps lead away without end. */
static struct kb_line calibrate(const struct kb_train *t, unsigned question, const struct unseen *u)
{
	struct softened s = {t, u, question, 0, 0};
	double a = 1, b = 0, yes = 0, n = 0, da, db;
	for (size_t i = 0; i < t->n; i++) {
		yes += !t->item[i].unmeasured && answers(&t->item[i], question);
		n += !t->item[i].unmeasured;
	}
	s.high = (yes + 1) / (yes + 2);
	s.low = 1 / (n - yes + 2);
	double cost = cost_of(&s, a, b), step = 1;
	for (int round = 0; round < 100 && step > 1e-9; round++) {
		newton(&s, a, b, &da, &db);
		for (step = 1; step > 1e-9; step /= 2) {
			double less = cost_of(&s, a - step * da, b - step * db);
			if (less < cost) {
				a -= step * da;
				b -= step * db;
				cost = less;
				break;
			}
		}
	}
	if (a > 0)
		return (struct kb_line){(float)a, (float)b};
	double share = (yes + 1) / (n + 2); /* what was learnt tells nothing, or the opposite: it is not used */
	return (struct kb_line){0.0f, (float)log(share / (1 - share))};
}

static uint32_t calibrated_e4(const struct kb_train *t, size_t i, unsigned question, const struct unseen *u, const struct kb_line *c)
{
	return kb_probability_e4(c[question].scale * u->scores[i].logit[question] + c[question].bias + (float)beside(&t->item[i], question));
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* The probability that this share of the items which answer so (or not so) stay below. */
static uint32_t quantile(const struct kb_train *t, unsigned question, bool yes, uint8_t language, const struct unseen *u, const struct kb_line *c,
    double share)
{
	uint32_t *p = calloc(t->n, sizeof(*p));
	size_t n = 0;
	if (!p)
		abort();
	for (size_t i = 0; i < t->n; i++)
		if (!t->item[i].unmeasured && answers(&t->item[i], question) == yes && (language == KB_LANG_OTHER || t->item[i].language == language))
			p[n++] = calibrated_e4(t, i, question, u, c);
	qsort(p, n, sizeof(*p), by_number);
	uint32_t at = n ? p[(size_t)((double)(n - 1) * share)] : 5000;
	free(p);
	return at;
}

static void set_cuts(const struct kb_train *t, const struct kb_train_wish *w, const struct unseen *u, const struct kb_line *c, struct kb_model_head *h)
{
	/* Of messages without the flag: danger is told generously, since a person then looks; the others send a referral on its way. */
	static const double without[KB_HEAD_COUNT] = {0, 0.94, 0.955, 0.955};
	for (uint8_t l = 0; l < KB_LANG_COUNT; l++) {
		struct kb_cut *cut = h->cut[l];
		cut[KB_HEAD_ALLEGATION].low_e4 = quantile(t, KB_HEAD_ALLEGATION, true, l, u, c, 1 - w->recall);
		cut[KB_HEAD_ALLEGATION].high_e4 = quantile(t, KB_HEAD_ALLEGATION, false, l, u, c, 1 - w->outright);
		for (unsigned q = KB_HEAD_URGENT; q < KB_HEAD_COUNT; q++)
			cut[q].low_e4 = cut[q].high_e4 = quantile(t, q, false, KB_LANG_OTHER, u, c, without[q]);
		for (unsigned q = 0; q < KB_HEAD_COUNT; q++)
			cut[q].high_e4 = cut[q].high_e4 < cut[q].low_e4 ? cut[q].low_e4 : cut[q].high_e4;
	}
	h->topic_least_e4 = 500;
}

static void give_answers(const struct kb_train *t, const struct unseen *u, const struct kb_line *c, struct kb_train_answer *ret)
{
	for (size_t i = 0; i < t->n; i++) {
		ret[i] = (struct kb_train_answer){
		    calibrated_e4(t, i, KB_HEAD_ALLEGATION, u, c), calibrated_e4(t, i, KB_HEAD_URGENT, u, c),
		    calibrated_e4(t, i, KB_HEAD_SEXUAL, u, c), calibrated_e4(t, i, KB_HEAD_RETALIATION, u, c),
		    kb_topic_of(&u->scores[i], t->item[i].allegation), (uint8_t)t->item[i].part};
	}
}

static void say(const struct kb_train_wish *w, const char *what)
{
	if (w->said)
		w->said(w->ctx, what);
}

enum kb_status kb_train_run(struct kb_diag *d, struct kb_train *t, const struct kb_train_wish *w, struct kb_buf *ret_model,
    struct kb_train_answer *ret_answers)
{
	static const char *const part_names[KB_TRAIN_PARTS] = {"part 1", "part 2", "part 3", "part 4", "part 5"};
	struct kb_model m;
	struct kb_line c[KB_HEAD_COUNT];
	enum kb_status st = kb_train_deal(d, t);
	if (st != KB_OK)
		return st;
	struct unseen u = {calloc(t->n, sizeof(*u.scores))};
	if (!u.scores)
		abort();
	for (unsigned part = 0; part < KB_TRAIN_PARTS; part++) {
		say(w, part_names[part]);
		answer_part(t, part, &u);
	}
	for (unsigned q = 0; q < KB_HEAD_COUNT; q++)
		c[q] = calibrate(t, q, &u);
	if (c[KB_HEAD_ALLEGATION].scale <= 0) {
		free(u.scores);
		return KB_FAIL(d, KB_MALFORMED, 0, "allegations cannot be told from the other messages by what was learnt");
	}
	say(w, "the whole");
	struct kb_tables *tables = make(t, KB_TRAIN_PARTS, &m);
	for (unsigned q = 0; q < KB_HEAD_COUNT; q++)
		m.head.line[q] = (struct kb_line){c[q].scale * m.head.line[q].scale, c[q].scale * m.head.line[q].bias + c[q].bias};
	m.head.window_less *= c[KB_HEAD_ALLEGATION].scale;
	m.head.version = w->version;
	m.head.messages = (uint32_t)t->n;
	set_cuts(t, w, &u, c, &m.head);
	st = kb_model_write(&m, ret_model);
	if (st == KB_OK && ret_answers)
		give_answers(t, &u, c, ret_answers);
	free(tables);
	free(u.scores);
	return st;
}
