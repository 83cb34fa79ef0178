/*
 * machine: traces of a machine in the fields of a header. See mail_internal.h.
 *
 * Standard:  RFC 3834 section 5 (Auto-Submitted), RFC 2076 section 3.9 (Precedence), RFC 2919 and 2369 (lists), RFC 3464 and
 *            RFC 6522 (reports), RFC 8058 (one-click). X-Auto-Response-Suppress is no trace: it stands in what people write as well.
 */
#include <string.h>

#include "mail_internal.h"

static bool says(struct kb_span value, const char *word)
{
	char type[KB_TYPE_MOST];
	size_t at;
	kb_type_parse(value, type, &at);
	return !strcmp(type, word);
}

static void auto_submitted(struct kb_mail *m, struct kb_span v)
{
	m->auto_submitted = m->auto_submitted || (v.len && !says(v, "no"));
}

static void auto_reply(struct kb_mail *m, struct kb_span v)
{
	m->auto_submitted = m->auto_submitted || (v.len && !says(v, "no") && !says(v, "false"));
}

static void precedence(struct kb_mail *m, struct kb_span v)
{
	m->bulk = m->bulk || says(v, "bulk") || says(v, "junk");
	m->list = m->list || says(v, "list");
	m->auto_submitted = m->auto_submitted || says(v, "auto_reply");
}

static void list(struct kb_mail *m, struct kb_span v)
{
	m->list = m->list || v.len > 0;
}

static void report(struct kb_mail *m, struct kb_span v)
{
	m->report = m->report || says(v, "multipart/report") || says(v, "message/delivery-status") || says(v, "message/disposition-notification");
}

/* Written by who delivers, from the envelope: a null reverse-path is a notification's (RFC 5321 section 4.5.5). */
static void return_path(struct kb_mail *m, struct kb_span v)
{
	m->report = m->report || kb_span_eq(v, KB_LIT("<>"));
}

/* What a mail system calls itself when it reports. */
static void from(struct kb_mail *m, struct kb_span v)
{
	m->report = m->report || kb_span_casefind(v, KB_LIT("mailer-daemon@")) != SIZE_MAX;
}

static void failed(struct kb_mail *m, struct kb_span v)
{
	m->report = m->report || v.len > 0;
}

/* clang-format off */
static const struct { const char *name; void (*look)(struct kb_mail *m, struct kb_span value); } fields[] = {
	{"Auto-Submitted", auto_submitted}, {"X-Autoreply", auto_reply}, {"X-Autorespond", auto_reply}, {"X-Auto-Reply", auto_reply},
	{"Precedence", precedence}, {"X-Precedence", precedence},
	{"List-Id", list}, {"List-Post", list}, {"List-Unsubscribe", list}, {"List-Help", list}, {"List-Unsubscribe-Post", list}, {"Mailing-List", list},
	{"Content-Type", report}, {"X-Failed-Recipients", failed}, {"Return-Path", return_path}, {"From", from},
};
/* clang-format on */

void kb_machine_field(struct kb_mail *m, const struct kb_field *f)
{
	for (size_t i = 0; i < KB_LEN(fields); i++)
		if (kb_span_caseeq(f->name, kb_span_str(fields[i].name)))
			fields[i].look(m, kb_span_trim(f->value));
}
