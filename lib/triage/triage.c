/*
 * triage: the decision. See triage.h; the order of tests is that of docs/ARCHITECTURE.md: machine, allegation, inquiry, and
 * review for all that is left.
 *
 * An inquiry is only what scores low, in a language that we read, about a topic that we know, with enough text, nothing urgent,
 * and nothing that could not be read. Everything else goes to people.
 */
#include <stdio.h>
#include <string.h>

#include "reasons.h"

enum { ENOUGH_WORDS = 5, MACHINE_WORDS = 20, LANGUAGE_WORDS = 2, ARENA_MOST = 64 << 20 };

/* Sets of common words decide the language. */
static uint8_t language(const struct kb_triage *t, const struct kb_tokens *w)
{
	size_t english = 0, spanish = 0;
	for (size_t i = 0; i < w->n; i++)
		for (size_t j = 0; j < w->t[i].sets; j++) {
			english += w->t[i].set[j] == t->common_en;
			spanish += w->t[i].set[j] == t->common_es;
		}
	if (english >= LANGUAGE_WORDS && english >= 2 * spanish)
		return KB_LANG_EN;
	if (spanish >= LANGUAGE_WORDS && spanish >= 2 * english)
		return KB_LANG_ES;
	return KB_LANG_OTHER;
}

static bool hit(const struct kb_hits *h, size_t rule)
{
	return h->bit[rule / 64] >> (rule % 64) & 1;
}

static float weight_of(const struct kb_triage *t, const struct kb_hits *h)
{
	int sum = 0;
	for (size_t i = 0; i < t->rules; i++)
		sum += hit(h, i) ? t->rule[i].weight : 0;
	return (float)sum / 100.0f;
}

#define RULE_TOPIC 0.7f /* what a rule adds to the logit of its category */

/* What the rules add: an odd word can weigh, and what names a danger is said whatever the model thinks. */
static void add_rules(const struct kb_triage *t, struct kb_finding *f)
{
	f->scores.logit[KB_HEAD_ALLEGATION] += weight_of(t, &f->hits);
	for (size_t i = 0; i < t->rules; i++) {
		if (!hit(&f->hits, i))
			continue;
		f->flags |= t->rule[i].flags;
		if (t->rule[i].category >= 0)
			f->scores.topic[t->rule[i].category] += RULE_TOPIC;
	}
}

float kb_triage_weigh(const struct kb_triage *t, struct kb_span subject, struct kb_span text)
{
	struct kb_arena a;
	struct kb_tokens w;
	struct kb_hits h;
	kb_arena_init(&a, ARENA_MOST);
	(void)kb_tokens_whole(&a, t, subject, text, &w);
	kb_match(t, &w, &h);
	kb_arena_release(&a);
	return weight_of(t, &h);
}

static uint32_t answer_e4(const struct kb_finding *f, enum kb_head head)
{
	return kb_probability_e4(f->scores.logit[head]);
}

static void add_flags(const struct kb_triage *t, struct kb_finding *f)
{
	static const uint32_t flag[KB_HEAD_COUNT] = {0, KB_FLAG_URGENT_SAFETY, KB_FLAG_SEXUAL_ABUSE, KB_FLAG_RETALIATION};
	for (unsigned h = KB_HEAD_URGENT; h < KB_HEAD_COUNT; h++)
		if (answer_e4(f, (enum kb_head)h) >= t->model->head.cut[f->language][h].low_e4)
			f->flags |= flag[h];
}

static void find(const struct kb_triage *t, struct kb_arena *a, struct kb_span subject, struct kb_span own, struct kb_finding *ret_f)
{
	struct kb_finding f = {0};
	f.whole = kb_tokens_whole(a, t, subject, own, &f.words) && f.words.n <= KB_MODEL_WORDS_MOST;
	f.pull = kb_arena_alloc(a, (f.words.n + 1) * sizeof(*f.pull));
	if (!f.words.t || !f.pull)
		f.words.n = 0;
	f.language = language(t, &f.words);
	kb_match(t, &f.words, &f.hits);
	kb_model_score(t->model, a, f.words.t, f.words.n, &f.scores, f.pull);
	add_rules(t, &f);
	add_flags(t, &f);
	f.score_e4 = answer_e4(&f, KB_HEAD_ALLEGATION);
	*ret_f = f;
}

static bool machine(const struct kb_mail *m, const struct kb_triage_context *c)
{
	return !c->trusted && (m->auto_submitted || m->bulk || m->list || m->report || c->null_sender);
}

static bool topic_known(const struct kb_triage *t, const struct kb_finding *f)
{
	uint8_t topic = kb_topic_of(&f->scores, false);
	return kb_probability_e4(f->scores.topic[topic]) >= t->model->head.topic_least_e4;
}

/* What keeps a low score from being an inquiry, or NULL. */
static const char *doubt(const struct kb_triage *t, const struct kb_mail *m, const struct kb_finding *f)
{
	if (f->words.n < ENOUGH_WORDS)
		return "Too little text to judge.";
	if (!f->whole)
		return "The text is too long to be judged whole.";
	if (f->language == KB_LANG_OTHER)
		return "The language was not recognised as English or Spanish.";
	if (m->unread_parts)
		return "An attachment or part could not be read.";
	if (m->charset_doubt || m->mismatch || m->truncated)
		return "Parts of the text could not be read with certainty.";
	if (f->flags & (KB_FLAG_URGENT_SAFETY | KB_FLAG_SEXUAL_ABUSE))
		return "It may speak of danger, or of sexual abuse.";
	if (!topic_known(t, f))
		return "No topic of an inquiry was recognised.";
	return NULL;
}

static void decide(const struct kb_triage *t, const struct kb_mail *m, const struct kb_finding *f, const struct kb_triage_context *c,
    struct kb_verdict *v)
{
	const struct kb_cut *cut = &t->model->head.cut[f->language][KB_HEAD_ALLEGATION];
	const char *why = doubt(t, m, f);
	bool is_machine = machine(m, c), speaks = v->score_e4 >= cut->low_e4;
	/* A notice of a few words says nothing that a model could weigh; what it sends on may. */
	bool sends_on = f->words.n >= MACHINE_WORDS && (v->score_e4 >= cut->high_e4 || (f->flags & KB_FLAG_URGENT_SAFETY && speaks));
	v->ack = !is_machine;
	if (is_machine && !sends_on) {
		v->class_ = KB_CLASS_MACHINE;
		kb_reason(v, "Sent by a machine: an automatic reply, a list, or a report.");
	} else if (v->score_e4 >= cut->high_e4 && !is_machine) {
		v->class_ = KB_CLASS_ALLEGATION;
	} else if (speaks || is_machine) {
		v->class_ = KB_CLASS_REVIEW;
		kb_reason(v, is_machine ? "Sent by a machine, but it speaks of misconduct." : "The score lies between the thresholds.");
	} else if (why) {
		v->class_ = KB_CLASS_REVIEW;
		kb_reason(v, why);
	} else {
		v->class_ = KB_CLASS_INQUIRY;
	}
	v->category = kb_topic_of(&f->scores, speaks && !(v->class_ == KB_CLASS_MACHINE));
}

/* Quoted text and signatures too: what somebody sends on accuses as well as what they write. */
static uint64_t named(const struct kb_triage *t, const struct kb_mail *m)
{
	uint64_t bits = kb_staff_named(t, kb_span_str(m->subject)) | kb_staff_named(t, kb_span_str(m->from)) | kb_staff_named(t, m->text);
	for (size_t i = 0; i < m->attachments; i++)
		bits |= kb_staff_named(t, kb_span_str(m->attachment[i].name));
	return bits;
}

/* There are no rules, or no model, that could be used: everything goes to people. */
static void judge_nothing(const struct kb_mail *m, const struct kb_triage_context *c, struct kb_verdict *v)
{
	v->class_ = KB_CLASS_REVIEW;
	v->ack = !machine(m, c);
	kb_reason(v, "Triage has no rules or no model that it can use: everything waits for a person.");
}

static void judge(const struct kb_triage *t, const struct kb_mail *m, const struct kb_triage_context *c, struct kb_verdict *v)
{
	struct kb_finding f;
	struct kb_arena a;
	kb_arena_init(&a, ARENA_MOST);
	find(t, &a, kb_span_str(m->subject), m->human, &f);
	v->language = f.language;
	v->flags |= f.flags;
	v->rules_version = t->version;
	v->model_version = t->model->head.version;
	v->score_e4 = f.score_e4;
	kb_say_reasons(t, &f, v);
	decide(t, m, &f, c, v);
	kb_arena_release(&a);
}

void kb_triage_mail(const struct kb_triage *t, const struct kb_mail *m, const struct kb_triage_context *c, struct kb_verdict *ret_v)
{
	struct kb_verdict v;
	memset(&v, 0, sizeof(v));
	v.named = named(t, m);
	if (v.named)
		v.flags |= KB_FLAG_NAMES_COORDINATOR;
	kb_field_set(v.from, sizeof(v.from), kb_span_str(m->from));
	kb_field_set(v.subject, sizeof(v.subject), kb_span_str(m->subject));
	kb_field_set(v.date, sizeof(v.date), kb_span_str(m->date));
	kb_extract(kb_span_str(m->subject), m->text, c->channel == KB_CHANNEL_INMATE_RELAY, &v);
	if (t->model)
		judge(t, m, c, &v);
	else
		judge_nothing(m, c, &v);
	*ret_v = v;
}

static void raw_field(struct kb_span raw, const char *name, char *field, size_t n)
{
	struct kb_field f;
	struct kb_buf clean;
	if (!kb_field_find(raw, name, &f))
		return;
	kb_buf_init(&clean, 8192);
	if (kb_text_harmless(&clean, KB_SPAN(f.value.p, f.value.len < 1024 ? f.value.len : 1024), false) == KB_OK)
		kb_field_set(field, n, kb_span_trim(kb_buf_span(&clean)));
	kb_buf_release(&clean);
}

static void judge_raw(const struct kb_triage *t, struct kb_span raw, struct kb_verdict *v)
{
	struct kb_finding f;
	struct kb_arena a;
	kb_arena_init(&a, ARENA_MOST);
	find(t, &a, kb_span_str(v->subject), raw, &f);
	v->language = f.language;
	v->flags |= f.flags;
	v->score_e4 = f.score_e4;
	v->rules_version = t->version;
	v->model_version = t->model->head.version;
	kb_say_reasons(t, &f, v);
	if (f.score_e4 >= t->model->head.cut[f.language][KB_HEAD_ALLEGATION].high_e4)
		v->class_ = KB_CLASS_ALLEGATION;
	v->category = kb_topic_of(&f.scores, v->class_ == KB_CLASS_ALLEGATION);
	kb_arena_release(&a);
}

void kb_triage_raw(const struct kb_triage *t, struct kb_span raw, const struct kb_triage_context *c, struct kb_verdict *ret_v)
{
	struct kb_verdict v;
	struct kb_field f;
	memset(&v, 0, sizeof(v));
	v.class_ = KB_CLASS_REVIEW;
	v.flags = KB_FLAG_UNREADABLE;
	v.ack = c->trusted ||
	    (!c->null_sender && !kb_field_find(raw, "Auto-Submitted", &f) && !kb_field_find(raw, "List-Id", &f) &&
		!kb_field_find(raw, "Precedence", &f));
	raw_field(raw, "From", v.from, sizeof(v.from));
	raw_field(raw, "Subject", v.subject, sizeof(v.subject));
	raw_field(raw, "Date", v.date, sizeof(v.date));
	kb_reason(&v, "The message could not be taken apart; it is kept as it came and waits for a person.");
	v.named = t ? kb_staff_named(t, KB_SPAN(raw.p, raw.len < (1u << 20) ? raw.len : (1u << 20))) : 0;
	if (v.named)
		v.flags |= KB_FLAG_NAMES_COORDINATOR;
	if (t && t->model)
		judge_raw(t, raw, &v);
	*ret_v = v;
}
