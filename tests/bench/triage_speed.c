/*
 * triage_speed: what triage costs a message, beside liblinear's own prediction on the same features.
 *
 * usage: triage_speed RULES MODEL ROUNDS SET...     A set is a file of texts, each ended by NUL. Prints a line of JSON a set.
 *
 * liblinear is given the model's first question: as many weights, as doubles, and for each window that the model looks at the row
 * of its features. Two facts are counted: how many texts get the same answer from both but for rounding, and, as a control, how
 * many no longer do once a single weight is one step of the file's beside its place. Times are of the processor, by median.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linear.h>
#include <sodium.h>

#include "../../lib/triage/model.h"

/* Single precision, a few operations deep. */
#define ROUNDING 1e-5
enum { FILE_MOST = 64 << 20, SAMPLES_MOST = 100000 };
/* A text is searched for the names of the desk's people; many words begin as these do. */
#define STAFF "Rosa Smith\nDean Garcia\nLucia Martinez\nHector Turner\nMarta Adams\nOwen Hernandez\n"

enum { US_TRIAGE = 0, US_PARSE, US_DOT, US_WALK, US_COUNT };
static const char *const us_name[US_COUNT] = {"triage", "parse", "liblinear", "liblinear_walk"};

struct bench {
	struct kb_triage *t;
	struct model linear;
	uint64_t *seen; /* a bit a row */
	double *us[US_COUNT];
	size_t samples;
	size_t messages, octets, verdicts, same, noticed;
	double worst;
};

static void die(const char *what)
{
	fprintf(stderr, "triage_speed: %s\n", what);
	exit(1);
}

static void *room(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		die("out of memory");
	return p;
}

static struct kb_span slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = room(FILE_MOST, 1);
	size_t n = f ? fread(p, 1, FILE_MOST, f) : 0;
	if (!n || n == FILE_MOST || ferror(f))
		die("a file cannot be read, is empty, or is too large");
	(void)fclose(f);
	return KB_SPAN(p, n);
}

static void drop(struct kb_span file)
{
	free((void *)(uintptr_t)file.p);
}

static double now_us(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* ---- liblinear ---- */

/* The first question's weights as liblinear has them: row 0 is its index 1, and the constant comes last. */
static void linear_of(const struct kb_model *m, struct model *ret)
{
	const struct kb_line *line = &m->head.line[KB_HEAD_ALLEGATION];
	struct model l = {.param.solver_type = L2R_LR, .nr_class = 2, .nr_feature = KB_MODEL_ROWS, .bias = 1};
	l.w = room((size_t)KB_MODEL_ROWS + 1, sizeof(*l.w));
	l.label = room(2, sizeof(*l.label));
	l.label[0] = 1;
	for (size_t i = 0; i < KB_MODEL_ROWS; i++)
		l.w[i] = (double)line->scale * m->row[i * KB_HEAD_COUNT + KB_HEAD_ALLEGATION];
	l.w[KB_MODEL_ROWS] = line->bias;
	*ret = l;
}

struct row_ctx {
	uint64_t *seen;
	struct feature_node *x;
	size_t n, of[KB_VIEW_COUNT];
};

/* Until all are counted, the view stands where the value will. */
static inline void add_node(void *ctx, enum kb_view view, uint32_t hash, size_t token)
{
	struct row_ctx *c = ctx;
	uint32_t row = kb_model_row(hash);
	(void)token;
	if (kb_model_met(c->seen, row))
		return;
	c->of[view]++;
	c->x[c->n++] = (struct feature_node){(int)row + 1, view};
}

/* x has room for every feature of the tokens, the constant, and the end. */
static void row_of_tokens(struct bench *b, const struct kb_token *t, size_t n, struct feature_node *x)
{
	struct row_ctx c = {.seen = b->seen, .x = x};
	memset(b->seen, 0, KB_MODEL_ROWS / 8);
	kb_features_walk(t, n, add_node, &c);
	double value[KB_VIEW_COUNT];
	for (size_t v = 0; v < KB_VIEW_COUNT; v++)
		value[v] = c.of[v] ? 1 / sqrt((double)c.of[v]) : 0;
	for (size_t i = 0; i < c.n; i++)
		x[i].value = value[x[i].value == KB_VIEW_PIECES];
	x[c.n++] = (struct feature_node){KB_MODEL_ROWS + 1, 1};
	x[c.n] = (struct feature_node){-1, 0};
}

static struct feature_node *nodes_for(size_t tokens)
{
	size_t each = 2 + (KB_PIECE_MOST - KB_PIECE_LEAST + 1) * (size_t)KB_TOKEN_MOST;
	return room(tokens * each + 2, sizeof(struct feature_node));
}

static double predicted(const struct bench *b, const struct feature_node *x)
{
	double value;
	(void)predict_values(&b->linear, x, &value);
	return value;
}

/* The strongest of the whole and its windows, as kb_model_score has it; that one's row, and what it was made less by. */
static double strongest(struct bench *b, const struct kb_tokens *w, struct feature_node *ret_x, double *ret_less)
{
	size_t most = w->n < KB_MODEL_WORDS_MOST ? w->n : KB_MODEL_WORDS_MOST, best_at = 0, best_len = most;
	row_of_tokens(b, w->t, most, ret_x);
	double best = predicted(b, ret_x);
	for (size_t at = 0; most > KB_MODEL_WINDOW && at < most; at += KB_MODEL_WINDOW / 2) {
		size_t len = most - at < KB_MODEL_WINDOW ? most - at : KB_MODEL_WINDOW;
		row_of_tokens(b, w->t + at, len, ret_x);
		double value = predicted(b, ret_x) - b->t->model->head.window_less;
		if (value > best) {
			best = value;
			best_at = at;
			best_len = len;
		}
		if (at + len == most)
			break;
	}
	row_of_tokens(b, w->t + best_at, best_len, ret_x);
	*ret_less = best_len < most ? b->t->model->head.window_less : 0;
	return best;
}

static bool same(double ours, double theirs)
{
	return fabs(ours - theirs) <= ROUNDING * (1 + fabs(theirs));
}

/* The control raises one weight that the strongest row has by one step: the same comparison must then tell them apart. */
static void compare(struct bench *b, const struct kb_tokens *w, const struct kb_scores *s)
{
	struct feature_node *x = nodes_for(w->n);
	double ours = s->logit[KB_HEAD_ALLEGATION], less, theirs = strongest(b, w, x, &less);
	b->same += same(ours, theirs);
	b->worst = fmax(b->worst, fabs(ours - theirs));
	double *weight = &b->linear.w[x[0].index - 1], as_it_was = *weight;
	*weight += b->t->model->head.line[KB_HEAD_ALLEGATION].scale;
	b->noticed += !same(ours, predicted(b, x) - less);
	*weight = as_it_was;
	free(x);
}

/* ---- a message ---- */

static void sample(struct bench *b, const double us[US_COUNT])
{
	for (size_t i = 0; i < US_COUNT && b->samples < SAMPLES_MOST; i++)
		b->us[i][b->samples] = us[i];
	b->samples += b->samples < SAMPLES_MOST;
}

static void measure_linear(struct bench *b, const struct kb_mail *m, struct feature_node *x, double us[US_COUNT])
{
	struct kb_arena a;
	struct kb_tokens w;
	double from = now_us();
	kb_arena_init(&a, FILE_MOST);
	(void)kb_tokens_whole(&a, NULL, kb_span_str(m->subject), m->human, &w);
	row_of_tokens(b, w.t, w.n, x);
	(void)predicted(b, x);
	kb_arena_release(&a);
	us[US_WALK] = now_us() - from;
	from = now_us();
	(void)predicted(b, x);
	us[US_DOT] = now_us() - from;
}

/* What is measured must be what is true: the verdict of the last round is looked at. */
static void measure(struct bench *b, struct kb_span text, size_t rounds, struct feature_node *x)
{
	struct kb_triage_context c = {0};
	struct kb_verdict v = {0};
	struct kb_mail m;
	for (size_t r = 0; r < rounds; r++) {
		double us[US_COUNT], from = now_us();
		if (kb_mail_from_text(KB_LIT(""), text, &m) != KB_OK)
			die("a text was not taken");
		us[US_PARSE] = now_us() - from;
		from = now_us();
		kb_triage_mail(b->t, &m, &c, &v);
		us[US_TRIAGE] = now_us() - from;
		measure_linear(b, &m, x, us);
		sample(b, us);
		kb_mail_release(&m);
	}
	b->verdicts += v.model_version == b->t->model->head.version && v.rules_version == b->t->version &&
	    (v.class_ == KB_CLASS_REVIEW || v.class_ == KB_CLASS_ALLEGATION || v.class_ == KB_CLASS_INQUIRY);
}

static void message(struct bench *b, struct kb_span text, size_t rounds)
{
	struct kb_mail m;
	struct kb_arena a;
	struct kb_tokens w;
	struct kb_scores s;
	kb_arena_init(&a, FILE_MOST);
	if (kb_mail_from_text(KB_LIT(""), text, &m) != KB_OK)
		die("a text was not taken");
	(void)kb_tokens_whole(&a, b->t, KB_LIT(""), m.human, &w);
	kb_model_score(b->t->model, &a, w.t, w.n, &s, NULL);
	compare(b, &w, &s);
	struct feature_node *x = nodes_for(w.n);
	measure(b, text, rounds, x);
	free(x);
	kb_mail_release(&m);
	kb_arena_release(&a);
	b->messages++;
	b->octets += text.len;
}

/* ---- a set ---- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void say(struct bench *b, const char *path)
{
	printf("{\"set\": \"%s\", \"messages\": %zu, \"octets\": %zu, \"verdicts\": %zu, \"same\": %zu, \"noticed\": %zu, \"worst\": %.3g, "
	       "\"samples\": %zu",
	    path, b->messages, b->octets, b->verdicts, b->same, b->noticed, b->worst, b->samples);
	for (size_t i = 0; i < US_COUNT; i++) {
		if (!b->samples)
			die("a set without texts, or no rounds");
		qsort(b->us[i], b->samples, sizeof(double), by_size);
		printf(", \"%s_us\": %.3f, \"%s_tenth_us\": %.3f", us_name[i], b->us[i][b->samples / 2], us_name[i], b->us[i][b->samples / 10]);
	}
	printf("}\n");
}

static void set(struct bench *b, const char *path, size_t rounds)
{
	struct kb_span file = slurp(path), rest = file;
	b->samples = b->messages = b->octets = b->verdicts = b->same = b->noticed = 0;
	b->worst = 0;
	if (file.p[file.len - 1] != '\0')
		die("a set's last text is not ended");
	while (rest.len) {
		size_t len = strlen((const char *)rest.p);
		message(b, KB_SPAN(rest.p, len), rounds);
		rest = kb_span_from(rest, len + 1);
	}
	say(b, path);
	drop(file);
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	struct kb_diag d = {0};
	if (argc < 5 || sodium_init() < 0)
		die("usage: triage_speed RULES MODEL ROUNDS SET...");
	struct kb_span rules = slurp(argv[1]), model = slurp(argv[2]);
	if (kb_triage_open(&d, rules, model, &b.t) != KB_OK)
		die(d.what);
	if (kb_triage_staff(b.t, KB_LIT(STAFF)) != KB_OK)
		die("the desk's names were not taken");
	linear_of(b.t->model, &b.linear);
	b.seen = room(KB_MODEL_ROWS / 64, sizeof(*b.seen));
	for (size_t i = 0; i < US_COUNT; i++)
		b.us[i] = room(SAMPLES_MOST, sizeof(double));
	for (int i = 4; i < argc; i++)
		set(&b, argv[i], strtoul(argv[3], NULL, 10));
	for (size_t i = 0; i < US_COUNT; i++)
		free(b.us[i]);
	free(b.seen);
	free(b.linear.w);
	free(b.linear.label);
	kb_triage_free(&b.t);
	drop(model);
	drop(rules);
	return 0;
}
