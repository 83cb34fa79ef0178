/* triage_lines: messages as JSON lines: see triage.h. */
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "triage.h"
#include "view.h"

enum { FILE_MOST = 512 << 20 };

enum kb_status kite_lines_read(const char *path, kite_line_fn *one, void *ctx)
{
	struct kb_buf b;
	struct kb_diag d = {0};
	struct kb_span rest, line;
	kb_buf_init(&b, FILE_MOST + 1);
	enum kb_status st = kite_file_read(&d, path, FILE_MOST, &b);
	if (st != KB_OK)
		st = kite_fail(st, &d, "%s", path);
	rest = kb_buf_span(&b);
	for (size_t n = 1; st == KB_OK && kb_span_line(&rest, &line); n++) {
		json_error_t e;
		if (!kb_span_trim(line).len)
			continue;
		json_t *object = json_loadb((const char *)line.p, line.len, JSON_REJECT_DUPLICATES, &e);
		if (!json_is_object(object))
			st = kite_fail(KB_MALFORMED, NULL, "%s, line %zu: this is not a JSON object: %s", path, n, object ? "another kind of value" : e.text);
		else
			st = one(ctx, path, n, object);
		json_decref(object);
	}
	kb_buf_release(&b);
	return st;
}

enum kb_status kite_line_text(const char *path, size_t line, json_t *object, const char *key, struct kb_span *ret)
{
	json_t *v = json_object_get(object, key);
	*ret = KB_SPAN(NULL, 0);
	if (!v || json_is_null(v))
		return KB_OK;
	if (!json_is_string(v))
		return kite_fail(KB_MALFORMED, NULL, "%s, line %zu: \"%s\" is not a text", path, line, key);
	*ret = KB_SPAN(json_string_value(v), json_string_length(v));
	return KB_OK;
}

/* A message that the child cannot take apart is what it is for the sorter's room: unreadable. */
static enum kb_status judge_raw(const struct kite *k, const struct kite_mind *m, struct kb_span raw, struct kb_triage_context *c, struct kb_verdict *ret_v)
{
	struct kb_buf flat;
	struct kb_mail mail;
	kb_buf_init(&flat, KITE_VIEW_MOST + 65536);
	enum kb_status st = kite_take_apart(k, raw, &flat);
	if (st == KB_OK)
		st = kb_mail_unflatten(kb_buf_span(&flat), &mail);
	if (st == KB_OK) {
		kb_triage_mail(m->triage, &mail, c, ret_v);
		kb_mail_release(&mail);
	} else if (st != KB_NOTFOUND) {
		kb_triage_raw(m->triage, raw, c, ret_v);
		st = KB_OK;
	}
	kb_buf_release(&flat);
	return st;
}

static bool is_relay(struct kb_span channel)
{
	return kb_span_eq(channel, KB_LIT("inmate")) || kb_span_eq(channel, KB_LIT("inmate-relay")) || kb_span_eq(channel, KB_LIT("trulincs"));
}

enum kb_status kite_line_judge(const struct kite *k, const struct kite_mind *m, const char *path, size_t line, json_t *object,
    struct kb_verdict *ret_v)
{
	struct kb_span channel, subject, text, raw;
	struct kb_triage_context c = {.channel = KB_CHANNEL_EMAIL};
	struct kb_mail mail;
	enum kb_status st = kite_line_text(path, line, object, "channel", &channel);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "raw", &raw);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "subject", &subject);
	if (st == KB_OK)
		st = kite_line_text(path, line, object, "text", &text);
	if (st != KB_OK)
		return st;
	if (is_relay(channel))
		c.channel = KB_CHANNEL_INMATE_RELAY;
	if (raw.len)
		return judge_raw(k, m, raw, &c, ret_v);
	st = kb_mail_from_text(subject, text, &mail);
	if (st != KB_OK)
		return kite_fail(st, NULL, "%s, line %zu: the text is not taken", path, line);
	kb_triage_mail(m->triage, &mail, &c, ret_v);
	kb_mail_release(&mail);
	return KB_OK;
}
