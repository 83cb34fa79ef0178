/*
 * fuzz flat: any octets as what the sandboxed child says of a message. Properties: they are refused as malformed, or are exactly what
 * would be written of what was read; lines are harmless, texts are UTF-8 without NUL; and a verdict on them is one to be believed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/triage.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *line)
{
	struct kb_buf clean;
	kb_buf_init(&clean, 4 << 20);
	assert(kb_text_harmless(&clean, kb_span_str(line), false) == KB_OK);
	assert(kb_span_eq(kb_buf_span(&clean), kb_span_str(line)));
	kb_buf_release(&clean);
}

static void check_text(struct kb_span s)
{
	assert(s.len <= 1 << 20 && kb_utf8_valid(s));
	assert(!s.len || !memchr(s.p, 0, s.len));
}

static void check_verdict(const struct kb_mail *m)
{
	static struct kb_verdict v;
	const struct kb_triage_context c = {0};
	struct kb_triage *t = NULL;
	assert(kb_triage_names(KB_LIT("Ann Quill\n"), &t) == KB_OK);
	kb_triage_mail(t, m, &c, &v);
	assert(v.class_ == KB_CLASS_REVIEW);
	assert(kb_verdict_check(&v) == KB_OK);
	kb_triage_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_mail m = {0};
	struct kb_buf again;
	enum kb_status st = kb_mail_unflatten(KB_SPAN(data, size), &m);
	assert(st == KB_OK || st == KB_MALFORMED);
	if (st != KB_OK) {
		assert(!m.from && !m.text.p);
		return 0;
	}
	assert(m.from && m.to && m.subject && m.date && m.message_id);
	check_line(m.from);
	check_line(m.subject);
	check_line(m.date);
	check_text(m.text);
	check_text(m.human);
	assert(m.attachments <= KB_ATTACHMENTS_MOST);
	for (size_t i = 0; i < m.attachments; i++)
		check_line(m.attachment[i].name);
	kb_buf_init(&again, 8 << 20);
	assert(kb_mail_flatten(&m, &again) == KB_OK);
	assert(kb_span_eq(kb_buf_span(&again), KB_SPAN(data, size)));
	kb_buf_release(&again);
	check_verdict(&m);
	kb_mail_release(&m);
	return 0;
}
