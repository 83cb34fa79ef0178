/* list_format: see list.h. */
#include <stdlib.h>
#include <string.h>

#include <kitebox/settings.h>

#include "list.h"
#include "out.h"

/* What stands before the columns that give way: mark, case, received, class, and a space after each of six. */
enum { FIXED = 2 + 11 + 16 + 10 + 6, SHARED_LEAST = 40 };

static size_t clamp(size_t n, size_t least, size_t most)
{
	return n < least ? least : n > most ? most : n;
}

struct kite_columns kite_list_columns(size_t width, bool terminal)
{
	struct kite_columns c;
	size_t shared = width > FIXED + SHARED_LEAST ? width - FIXED : SHARED_LEAST;
	c.flags = clamp(shared / 5, 5, 28);
	c.category = clamp(shared / 5, 8, 20);
	c.from = clamp(shared / 4, 10, 34);
	c.subject = terminal ? shared - c.flags - c.category - c.from : 0;
	return c;
}

static enum kb_status columns(struct kb_buf *b, const struct kite_columns *c, const struct kb_span cell[static 8])
{
	const size_t width[8] = {1, 11, 16, 10, c->flags, c->category, c->from, c->subject};
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < 8; i++) {
		if (i)
			st = kb_buf_byte(b, ' ');
		if (st == KB_OK)
			st = kite_cell(b, cell[i], width[i]);
	}
	while (b->len && b->p[b->len - 1] == ' ')
		b->len--;
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

enum kb_status kite_list_heading(const struct kite_columns *c, struct kb_buf *b)
{
	const struct kb_span cell[8] = {KB_LIT(" "), KB_LIT("CASE"), KB_LIT("RECEIVED (UTC)"), KB_LIT("CLASS"),
	    KB_LIT("FLAGS"), KB_LIT("CATEGORY"), KB_LIT("FROM"), KB_LIT("SUBJECT")};
	return columns(b, c, cell);
}

const char *kite_closed_reason(enum kb_status st)
{
	switch (st) {
	case KB_NOKEY:
	case KB_NOTFOUND:
		return "(closed: no key of yours opens it)";
	case KB_FORGED:
	case KB_PAYLOAD:
		return "(closed: it was altered, or is not what it should be)";
	default:
		return "(closed: it is damaged)";
	}
}

static struct kb_span field(const char *f, size_t n)
{
	struct kb_span s;
	return kb_field_get(f, n, &s) == KB_OK ? s : KB_SPAN(NULL, 0);
}
#define FIELD(f) field((f), sizeof(f))

/* "2026-11-24 14:21": the store keeps no seconds. */
static void minute(uint64_t unix_s, char ret_text[static KB_TIME_TEXT])
{
	kb_time_format(unix_s, ret_text);
	ret_text[10] = ' ';
	ret_text[16] = '\0';
}

static struct kb_span name_or(const char *name)
{
	return kb_span_str(name ? name : "?");
}

enum kb_status kite_list_line(const struct kite_columns *c, const struct kb_desk_message *m, const struct kb_summary *summary,
    enum kb_status st, struct kb_buf *b)
{
	char id[KB_CASE_TEXT], when[KB_TIME_TEXT];
	struct kb_buf flags;
	kb_case_id_format(&m->case_id, id);
	minute(m->received_s, when);
	kb_buf_init(&flags, 512);
	uint32_t set = summary ? summary->flags
			       : (m->urgent ? KB_FLAG_URGENT_SAFETY : 0) | (m->unreadable ? KB_FLAG_UNREADABLE : 0);
	enum kb_status made = kb_flags_format(&flags, set & KB_FLAG_ALL);
	if (made == KB_OK && kite_row_restricted(m))
		made = kb_buf_str(&flags, flags.len ? ",restricted" : "restricted");
	const struct kb_span cell[8] = {
	    kb_span_str(m->opened ? " " : "*"),
	    kb_span_str(id),
	    kb_span_str(when),
	    name_or(kb_class_name(summary ? summary->class_ : m->class_)),
	    kb_buf_span(&flags),
	    summary ? name_or(kb_category_name(summary->category)) : KB_LIT("?"),
	    summary ? FIELD(summary->from) : kb_span_str(kite_closed_reason(st)),
	    summary ? FIELD(summary->subject) : KB_LIT(""),
	};
	if (made == KB_OK)
		made = columns(b, c, cell);
	kb_buf_release(&flags);
	return made;
}

static json_t *flag_list(uint32_t flags)
{
	json_t *list = json_array();
	for (unsigned bit = 1; bit <= KB_FLAG_ALL; bit <<= 1)
		if (flags & bit && json_array_append_new(list, json_string(kb_flag_name(bit))) < 0)
			abort();
	return list;
}

static json_t *name_json(const char *name)
{
	return name ? json_string(name) : json_null();
}

static json_t *reason_list(struct kb_span reasons)
{
	json_t *list = json_array();
	struct kb_span one;
	while (kb_span_line(&reasons, &one))
		if (one.len && json_array_append_new(list, kite_json_text(one)) < 0)
			abort();
	return list;
}

static void add_summary(json_t *j, const struct kb_summary *s)
{
	kite_json_set(j, "class", name_json(kb_class_name(s->class_)));
	kite_json_set(j, "category", name_json(kb_category_name(s->category)));
	kite_json_set(j, "flags", flag_list(s->flags & KB_FLAG_ALL));
	kite_json_set(j, "score", json_real(s->score_e4 / 10000.0));
	kite_json_set(j, "language", name_json(kb_language_name(s->language)));
	kite_json_set(j, "from", kite_json_text(FIELD(s->from)));
	kite_json_set(j, "subject", kite_json_text(FIELD(s->subject)));
	kite_json_set(j, "date", kite_json_text(FIELD(s->date)));
	kite_json_set(j, "institution", kite_json_text(FIELD(s->institution)));
	kite_json_set(j, "register_number", kite_json_text(FIELD(s->register_number)));
	kite_json_set(j, "reasons", reason_list(FIELD(s->reasons)));
	kite_json_set(j, "octets", json_integer((json_int_t)s->size));
}

/* What the store says in clear; nothing of what is sealed. */
static void add_clear(json_t *j, const struct kb_desk_message *m)
{
	static const char *const sealed[] = {
	    "category", "score", "language", "from", "subject", "date", "institution", "register_number", "reasons", "octets"};
	kite_json_set(j, "class", name_json(kb_class_name(m->class_)));
	kite_json_set(j, "flags", flag_list((m->urgent ? KB_FLAG_URGENT_SAFETY : 0u) | (m->unreadable ? KB_FLAG_UNREADABLE : 0u)));
	for (size_t i = 0; i < KB_LEN(sealed); i++)
		kite_json_set(j, sealed[i], json_null());
}

json_t *kite_list_json(const struct kb_desk_message *m, const struct kb_summary *summary, enum kb_status st)
{
	json_t *j = json_object();
	kite_json_set(j, "case", kite_json_case(&m->case_id));
	kite_json_set(j, "message", kite_json_id(&m->id));
	kite_json_set(j, "received", kite_json_time(m->received_s));
	kite_json_set(j, "channel", name_json(kb_channel_kind_name(m->channel)));
	kite_json_set(j, "status", name_json(kb_case_status_name(m->status)));
	kite_json_set(j, "opened", json_boolean(m->opened));
	kite_json_set(j, "restricted", json_boolean(kite_row_restricted(m)));
	kite_json_set(j, "epoch", json_integer(m->epoch));
	kite_json_set(j, "referrals", json_integer(m->referrals));
	kite_json_set(j, "error", summary ? json_null() : json_string(kb_status_row(st)->name));
	if (summary)
		add_summary(j, summary);
	else
		add_clear(j, m);
	return j;
}
