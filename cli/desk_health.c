/* desk_health: see desk_health.h. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "desk_health.h"
#include "out.h"

static const char *const levels[] = {"fact", "warning", "fault"};

enum kb_status kite_health_next(struct kb_span *body, struct kb_desk_health *ret_h)
{
	struct kb_desk_health h;
	struct kb_span s;
	if (!body->len)
		return KB_NOTFOUND;
	if (body->len < sizeof(h))
		return KB_MALFORMED;
	memcpy(&h, body->p, sizeof(h));
	if (kb_field_get(h.room, sizeof(h.room), &s) != KB_OK || kb_field_get(h.code, sizeof(h.code), &s) != KB_OK ||
	    kb_field_get(h.sentence, sizeof(h.sentence), &s) != KB_OK || h.on > 1 || h.level >= KB_LEN(levels))
		return KB_MALFORMED;
	*body = kb_span_from(*body, sizeof(h));
	*ret_h = h;
	return KB_OK;
}

enum kb_status kite_health_sum(const struct kb_desk_status *s, struct kb_span body, struct kite_health_sum *ret_sum)
{
	struct kite_health_sum sum = {0};
	struct kb_desk_health h;
	enum kb_status st;
	if (s->body_len != body.len)
		return KB_MALFORMED;
	while ((st = kite_health_next(&body, &h)) == KB_OK)
		sum.on[h.level] += h.on;
	if (st != KB_NOTFOUND)
		return st;
	*ret_sum = sum;
	return KB_OK;
}

/* ---- for a person ---- */

static enum kb_status verdict(const struct kite_health_sum *sum, struct kb_buf *b)
{
	if (!sum->on[2] && !sum->on[1])
		return kb_buf_str(b, "All is well.\n");
	return kb_buf_printf(b, "%zu fault%s, %zu warning%s.\n", sum->on[2], sum->on[2] == 1 ? "" : "s", sum->on[1],
	    sum->on[1] == 1 ? "" : "s");
}

static enum kb_status condition(const struct kb_desk_health *h, struct kb_buf *b)
{
	char since[KB_TIME_TEXT];
	enum kb_status st = kb_buf_printf(b, "%-8s", h->level == 2 ? "FAULT" : levels[h->level]);
	if (st == KB_OK)
		st = kite_cell(b, kb_span_str(h->code), 0);
	if (st == KB_OK)
		st = kb_buf_str(b, ", ");
	if (st == KB_OK)
		st = kite_cell(b, kb_span_str(h->room), 0);
	if (st == KB_OK && h->index)
		st = kb_buf_printf(b, " %u", (unsigned)h->index);
	if (st == KB_OK && h->count)
		st = kb_buf_printf(b, ", %llu time%s", (unsigned long long)h->count, h->count == 1 ? "" : "s");
	kb_time_format(h->since_s, since);
	if (st == KB_OK && h->since_s)
		st = kb_buf_printf(b, ", since %s", since);
	if (st == KB_OK)
		st = kb_buf_str(b, "\n        ");
	if (st == KB_OK)
		st = kite_cell(b, kb_span_str(h->sentence), 0);
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

/* Faults first, then warnings; facts stand in --json. */
static enum kb_status conditions(struct kb_span body, struct kb_buf *b)
{
	enum kb_status st = KB_OK;
	for (uint32_t level = 2; st == KB_OK && level > 0; level--) {
		struct kb_span rest = body;
		struct kb_desk_health h;
		while (st == KB_OK && kite_health_next(&rest, &h) == KB_OK)
			if (h.on && h.level == level)
				st = condition(&h, b);
	}
	return st;
}

static enum kb_status number(struct kb_buf *b, const char *label, uint64_t n)
{
	return kb_buf_printf(b, "%-28s %llu\n", label, (unsigned long long)n);
}

static enum kb_status numbers(const struct kb_desk_status *s, struct kb_buf *b)
{
	const struct {
		const char *label;
		uint64_t n;
	} row[] = {
	    {"messages", s->messages},
	    {"open cases", s->cases_open},
	    {"in review, unread", s->review},
	    {"referrals held", s->held},
	    {"referrals to be sent", s->queued},
	    {"referrals delivered", s->delivered},
	    {"acknowledgements waiting", s->acks_waiting},
	    {"roster version", s->roster_version},
	    {"epoch", s->epoch},
	    {"journal entries", s->journal_seq},
	};
	char hash[2 * sizeof(s->journal_head) + 1], since[KB_TIME_TEXT];
	enum kb_status st = KB_OK;
	kb_time_format(s->started_s, since);
	(void)sodium_bin2hex(hash, sizeof(hash), s->journal_head, sizeof(s->journal_head));
	if (s->started_s)
		st = kb_buf_printf(b, "%-28s %s\n", "running since", since);
	for (size_t i = 0; st == KB_OK && i < KB_LEN(row); i++)
		st = number(b, row[i].label, row[i].n);
	if (st == KB_OK)
		st = kb_buf_printf(b, "%-28s %s\n", "journal head", hash);
	return st == KB_OK ? kb_buf_printf(b, "%-28s %.1f of %.1f MiB\n", "store", (double)s->map_used / 1048576,
				 (double)s->map_size / 1048576)
			   : st;
}

enum kb_status kite_health_text(
    const struct kb_desk_status *s, struct kb_span body, const struct kite_health_sum *sum, struct kb_buf *b)
{
	enum kb_status st = verdict(sum, b);
	if (st == KB_OK)
		st = conditions(body, b);
	if (st == KB_OK)
		st = kb_buf_byte(b, '\n');
	return st == KB_OK ? numbers(s, b) : st;
}

/* ---- for a program ---- */

static json_t *number_json(uint64_t n)
{
	return json_integer(n <= INT64_MAX ? (json_int_t)n : INT64_MAX);
}

static json_t *condition_json(const struct kb_desk_health *h)
{
	json_t *j = json_object();
	kite_json_set(j, "code", kite_json_text(kb_span_str(h->code)));
	kite_json_set(j, "level", json_string(levels[h->level]));
	kite_json_set(j, "on", json_boolean(h->on));
	kite_json_set(j, "room", kite_json_text(kb_span_str(h->room)));
	kite_json_set(j, "index", json_integer(h->index));
	kite_json_set(j, "count", number_json(h->count));
	kite_json_set(j, "since", kite_json_time(h->since_s));
	kite_json_set(j, "sentence", kite_json_text(kb_span_str(h->sentence)));
	return j;
}

static json_t *referrals_json(const struct kb_desk_status *s)
{
	json_t *j = json_object();
	kite_json_set(j, "held", number_json(s->held));
	kite_json_set(j, "queued", number_json(s->queued));
	kite_json_set(j, "delivered", number_json(s->delivered));
	return j;
}

static json_t *journal_json(const struct kb_desk_status *s)
{
	char hash[2 * sizeof(s->journal_head) + 1];
	json_t *j = json_object();
	(void)sodium_bin2hex(hash, sizeof(hash), s->journal_head, sizeof(s->journal_head));
	kite_json_set(j, "seq", number_json(s->journal_seq));
	kite_json_set(j, "head", json_string(hash));
	return j;
}

static json_t *store_json(const struct kb_desk_status *s)
{
	json_t *j = json_object();
	kite_json_set(j, "map_used", number_json(s->map_used));
	kite_json_set(j, "map_size", number_json(s->map_size));
	return j;
}

json_t *kite_health_json(const struct kb_desk_status *s, struct kb_span body, const struct kite_health_sum *sum)
{
	json_t *j = json_object(), *list = json_array();
	struct kb_desk_health h;
	while (kite_health_next(&body, &h) == KB_OK)
		if (json_array_append_new(list, condition_json(&h)) < 0)
			abort();
	kite_json_set(j, "well", json_boolean(!sum->on[2]));
	kite_json_set(j, "faults", json_integer((json_int_t)sum->on[2]));
	kite_json_set(j, "warnings", json_integer((json_int_t)sum->on[1]));
	kite_json_set(j, "now", kite_json_time(s->now_s));
	kite_json_set(j, "started", kite_json_time(s->started_s));
	kite_json_set(j, "messages", number_json(s->messages));
	kite_json_set(j, "cases_open", number_json(s->cases_open));
	kite_json_set(j, "review", number_json(s->review));
	kite_json_set(j, "referrals", referrals_json(s));
	kite_json_set(j, "acknowledgements_waiting", number_json(s->acks_waiting));
	kite_json_set(j, "roster_version", json_integer(s->roster_version));
	kite_json_set(j, "epoch", json_integer(s->epoch));
	kite_json_set(j, "journal", journal_json(s));
	kite_json_set(j, "store", store_json(s));
	kite_json_set(j, "health", list);
	return j;
}
