/*
 * render: a message as a person reads it: chosen fields, the text, what is attached, and what to be careful about. See mail.h.
 *
 * Plain lines and fixed labels, nothing by colour or drawing; all of it harmless for a terminal.
 */
#include "mail_internal.h"

enum { RAW_MOST = 64 << 10 };

static enum kb_status field(struct kb_buf *b, const char *label, const char *value)
{
	return value && value[0] ? kb_buf_printf(b, "%-9s%s\n", label, value) : KB_OK;
}

static enum kb_status attachments(const struct kb_mail *m, struct kb_buf *b)
{
	enum kb_status st = m->attachments ? kb_buf_str(b, "\n") : KB_OK;
	for (size_t i = 0; st == KB_OK && i < m->attachments; i++) {
		const struct kb_attachment *a = &m->attachment[i];
		st = kb_buf_printf(b, "Attachment %zu: %s (%s, %zu octets)%s\n", i + 1, a->name[0] ? a->name : "without a name", a->type, a->size,
		    a->read ? ", its text is above" : "");
	}
	return st;
}

static enum kb_status notes(const struct kb_mail *m, struct kb_buf *b)
{
	/* clang-format off */
	const struct { bool on; const char *text; } rows[] = {
		{m->unread_parts > 0, "Note: not every part could be read as text.\n"},
		{m->charset_doubt, "Note: some of the text was not in the character set or encoding it claimed.\n"},
		{m->mismatch, "Note: the message is not well-formed; other programs may show it differently.\n"},
		{m->truncated, "Note: the text is longer than what is shown.\n"},
		{m->auto_submitted || m->bulk || m->list || m->report, "Note: a machine seems to have sent this.\n"},
	};
	/* clang-format on */
	enum kb_status st = KB_OK;
	bool first = true;
	for (size_t i = 0; st == KB_OK && i < KB_LEN(rows); i++) {
		if (!rows[i].on)
			continue;
		if (first)
			st = kb_buf_str(b, "\n");
		first = false;
		if (st == KB_OK)
			st = kb_buf_str(b, rows[i].text);
	}
	return st;
}

enum kb_status kb_mail_render(const struct kb_mail *m, struct kb_buf *ret_text)
{
	enum kb_status st = field(ret_text, "From:", m->from);
	if (st == KB_OK)
		st = field(ret_text, "To:", m->to);
	if (st == KB_OK)
		st = field(ret_text, "Subject:", m->subject);
	if (st == KB_OK)
		st = field(ret_text, "Date:", m->date);
	if (st == KB_OK)
		st = kb_buf_str(ret_text, "\n");
	if (st == KB_OK)
		st = m->text.len ? kb_text_harmless(ret_text, m->text, true) : kb_buf_str(ret_text, "(no text)");
	if (st == KB_OK)
		st = kb_buf_str(ret_text, "\n");
	if (st == KB_OK)
		st = attachments(m, ret_text);
	return st == KB_OK ? notes(m, ret_text) : st;
}

enum kb_status kb_mail_render_raw(struct kb_span raw, struct kb_buf *ret_text)
{
	struct kb_span top = KB_SPAN(raw.p, raw.len < RAW_MOST ? raw.len : RAW_MOST);
	enum kb_status st = kb_buf_str(ret_text, "Note: this message could not be taken apart; it is shown as it came.\n\n");
	if (st == KB_OK)
		st = kb_text_harmless(ret_text, top, true);
	if (st == KB_OK && top.len < raw.len)
		st = kb_buf_printf(ret_text, "\n\nNote: %zu more octets are not shown.\n", raw.len - top.len);
	return st == KB_OK ? kb_buf_byte(ret_text, '\n') : st;
}
