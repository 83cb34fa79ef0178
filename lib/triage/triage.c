/*
 * triage: the decision. See triage.h; the order of tests is that of docs/ARCHITECTURE.md: machine, allegation, inquiry, and
 * review for all that is left.
 *
 * An inquiry is only what scores low, in a language that we read, about a topic that we know, with enough text, nothing urgent,
 * and nothing that could not be read. Everything else goes to people.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum { ENOUGH_WORDS = 5, LANGUAGE_WORDS = 2, ARENA_MOST = 64 << 20 };

struct finding {
	struct kb_hits hits;
	size_t words, english, spanish;
	int score; /* hundredths of log-odds */
	int topic; /* of an inquiry, or -1 */
	int kind;  /* of an allegation, or -1 */
	int topic_weight, kind_weight;
	uint32_t flags;
};

/* Sets of common words decide the language. */
static void count_languages(const struct kb_triage *t, const struct kb_tokens *w, struct finding *f)
{
	for (size_t i = 0; i < w->n; i++)
		for (size_t j = 0; j < w->t[i].sets; j++) {
			f->english += w->t[i].set[j] == t->common_en;
			f->spanish += w->t[i].set[j] == t->common_es;
		}
}

static bool is_topic(int category)
{
	return category >= KB_CAT_VISITING;
}

static void weigh(const struct kb_triage *t, struct finding *f)
{
	f->score = t->bias;
	for (size_t i = 0; i < t->rules; i++) {
		if (!(f->hits.bit[i / 64] >> (i % 64) & 1))
			continue;
		const struct kb_rule *r = &t->rule[i];
		f->score += r->weight;
		f->flags |= r->flags;
		int pull = r->weight < 0 ? -r->weight : r->weight;
		if (r->category >= 0 && is_topic(r->category) && (f->topic < 0 || pull > f->topic_weight)) {
			f->topic = r->category;
			f->topic_weight = pull;
		}
		if (r->category > 0 && !is_topic(r->category) && (f->kind < 0 || pull > f->kind_weight)) {
			f->kind = r->category;
			f->kind_weight = pull;
		}
	}
}

static void find(const struct kb_triage *t, struct kb_arena *a, struct kb_span subject, struct kb_span own, struct finding *ret_f)
{
	struct finding f = {.topic = -1, .kind = -1};
	struct kb_tokens w = {NULL, 0}, s = {NULL, 0};
	struct kb_hits h;
	kb_tokens_of(a, t, own, &w);
	kb_tokens_of(a, t, subject, &s);
	kb_match(t, &w, &f.hits);
	kb_match(t, &s, &h);
	for (size_t i = 0; i < KB_LEN(h.bit); i++)
		f.hits.bit[i] |= h.bit[i];
	f.words = w.n + s.n;
	count_languages(t, &w, &f);
	count_languages(t, &s, &f);
	weigh(t, &f);
	*ret_f = f;
}

static uint8_t language(const struct finding *f)
{
	if (f->english >= LANGUAGE_WORDS && f->english >= 2 * f->spanish)
		return KB_LANG_EN;
	if (f->spanish >= LANGUAGE_WORDS && f->spanish >= 2 * f->english)
		return KB_LANG_ES;
	return KB_LANG_OTHER;
}

static uint32_t probability_e4(int score)
{
	double p = 1.0 / (1.0 + exp(-score / 100.0));
	return (uint32_t)(p * 10000.0 + 0.5);
}

static void reason(struct kb_verdict *v, const char *text)
{
	size_t have = strlen(v->reasons), n = strlen(text);
	if (have + n + 2 > sizeof(v->reasons))
		return;
	if (have)
		v->reasons[have++] = '\n';
	memcpy(v->reasons + have, text, n + 1);
}

/* The heaviest rules first, both ways, so that what decided stands at the top. */
static void say_reasons(const struct kb_triage *t, const struct finding *f, struct kb_verdict *v)
{
	uint64_t said[KB_RULES_MOST / 64] = {0};
	for (size_t n = 0; n < 8; n++) {
		size_t best = SIZE_MAX;
		int weight = -1;
		for (size_t i = 0; i < t->rules; i++) {
			int pull = t->rule[i].weight < 0 ? -t->rule[i].weight : t->rule[i].weight;
			if ((f->hits.bit[i / 64] >> (i % 64) & 1) && !(said[i / 64] >> (i % 64) & 1) && pull > weight) {
				best = i;
				weight = pull;
			}
		}
		if (best == SIZE_MAX)
			return;
		said[best / 64] |= UINT64_C(1) << (best % 64);
		char line[KB_NAME_MOST + KB_REASON_MOST + 32];
		(void)snprintf(line, sizeof(line), "%s [%s %+d]", t->rule[best].reason, t->rule[best].name, t->rule[best].weight);
		reason(v, line);
	}
}

static bool machine(const struct kb_mail *m, const struct kb_triage_context *c)
{
	return !c->trusted && (m->auto_submitted || m->bulk || m->list || m->report || c->null_sender);
}

/* What keeps a low score from being an inquiry, or NULL. */
static const char *doubt(const struct kb_mail *m, const struct finding *f, uint8_t lang)
{
	if (f->words < ENOUGH_WORDS)
		return "Too little text to judge.";
	if (lang == KB_LANG_OTHER)
		return "The language was not recognised as English or Spanish.";
	if (m->unread_parts)
		return "An attachment or part could not be read.";
	if (m->charset_doubt || m->mismatch || m->truncated)
		return "Parts of the text could not be read with certainty.";
	if (f->flags & (KB_FLAG_URGENT_SAFETY | KB_FLAG_SEXUAL_ABUSE | KB_FLAG_RETALIATION))
		return "Safety words were found.";
	if (f->topic < 0)
		return "No topic of an inquiry was recognised.";
	return NULL;
}

static void decide(const struct kb_triage *t, const struct kb_mail *m, const struct finding *f, const struct kb_triage_context *c,
    struct kb_verdict *v)
{
	const char *why = doubt(m, f, v->language);
	bool is_machine = machine(m, c);
	v->ack = !is_machine;
	if (v->score_e4 >= t->allegation_e4 && !is_machine) {
		v->class_ = KB_CLASS_ALLEGATION;
	} else if (v->score_e4 >= t->review_e4 && (!is_machine || f->kind >= 0 || f->flags)) {
		/* A machine's score is the bias alone where no rule speaks of an act: every list would go to investigators. */
		v->class_ = KB_CLASS_REVIEW;
		reason(v, is_machine ? "Sent by a machine, but it speaks of misconduct." : "The score lies between the thresholds.");
	} else if (is_machine) {
		v->class_ = KB_CLASS_MACHINE;
		reason(v, "Sent by a machine: an automatic reply, a list, or a report.");
	} else if (why) {
		v->class_ = KB_CLASS_REVIEW;
		reason(v, why);
	} else {
		v->class_ = KB_CLASS_INQUIRY;
	}
	bool topic = v->class_ == KB_CLASS_INQUIRY || v->class_ == KB_CLASS_MACHINE || f->kind < 0;
	int category = topic ? f->topic : f->kind;
	v->category = category < 0 ? (v->class_ == KB_CLASS_ALLEGATION ? KB_CAT_OTHER_MISCONDUCT : KB_CAT_GENERAL) : (uint8_t)category;
}

/* Quoted text and signatures too: what somebody sends on accuses as well as what they write. */
static uint64_t named(const struct kb_triage *t, const struct kb_mail *m)
{
	uint64_t bits = kb_staff_named(t, kb_span_str(m->subject)) | kb_staff_named(t, kb_span_str(m->from)) | kb_staff_named(t, m->text);
	for (size_t i = 0; i < m->attachments; i++)
		bits |= kb_staff_named(t, kb_span_str(m->attachment[i].name));
	return bits;
}

void kb_triage_mail(const struct kb_triage *t, const struct kb_mail *m, struct kb_span raw, const struct kb_triage_context *c,
    struct kb_verdict *ret_v)
{
	struct kb_verdict v;
	struct finding f;
	struct kb_arena a;
	(void)raw;
	memset(&v, 0, sizeof(v));
	kb_arena_init(&a, ARENA_MOST);
	find(t, &a, kb_span_str(m->subject), m->human, &f);
	kb_arena_release(&a);
	v.language = language(&f);
	v.flags = f.flags;
	v.rules_version = t->version;
	v.score_e4 = probability_e4(f.score);
	v.named = named(t, m);
	if (v.named)
		v.flags |= KB_FLAG_NAMES_COORDINATOR;
	kb_field_set(v.from, sizeof(v.from), kb_span_str(m->from));
	kb_field_set(v.subject, sizeof(v.subject), kb_span_str(m->subject));
	kb_field_set(v.date, sizeof(v.date), kb_span_str(m->date));
	kb_extract(kb_span_str(m->subject), m->text, c->channel == KB_CHANNEL_INMATE_RELAY, &v);
	say_reasons(t, &f, &v);
	decide(t, m, &f, c, &v);
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
	reason(&v, "The message could not be taken apart; it is kept as it came and waits for a person.");
	if (t) {
		struct finding found;
		struct kb_arena a;
		kb_arena_init(&a, ARENA_MOST);
		find(t, &a, kb_span_str(v.subject), KB_SPAN(raw.p, raw.len < (1u << 20) ? raw.len : (1u << 20)), &found);
		kb_arena_release(&a);
		v.language = language(&found);
		v.flags |= found.flags;
		v.score_e4 = probability_e4(found.score);
		v.rules_version = t->version;
		v.named = kb_staff_named(t, KB_SPAN(raw.p, raw.len < (1u << 20) ? raw.len : (1u << 20)));
		if (v.named)
			v.flags |= KB_FLAG_NAMES_COORDINATOR;
		say_reasons(t, &found, &v);
		if (v.score_e4 >= t->allegation_e4)
			v.class_ = KB_CLASS_ALLEGATION;
		v.category = found.kind > 0 ? (uint8_t)found.kind : KB_CAT_GENERAL;
	}
	*ret_v = v;
}
