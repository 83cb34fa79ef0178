/*
 * fuzz mime: a whole message. Properties: text is well-formed UTF-8 without NUL or CR and within its limit; what is the writer's
 * own is no longer than the text; strings of fields and attachments are one harmless line; each attachment that is listed is
 * given with the size that is listed; the rendering holds no control character.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <kitebox/mail.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *s)
{
	assert(s && kb_utf8_valid(kb_span_str(s)));
	for (; *s; s++)
		assert((unsigned char)*s >= 32 && *s != 127);
}

static void check_text(struct kb_span s)
{
	assert(s.len <= 1 << 20 && kb_utf8_valid(s));
	assert(!s.len || (!memchr(s.p, 0, s.len) && !memchr(s.p, '\r', s.len)));
}

static void check_rendering(const struct kb_mail *m)
{
	struct kb_buf b;
	kb_buf_init(&b, 16 << 20);
	if (kb_mail_render(m, &b) != KB_OK)
		abort();
	assert(kb_utf8_valid(kb_buf_span(&b)));
	for (size_t i = 0; i < b.len; i++)
		assert((b.p[i] >= 32 && b.p[i] != 127) || b.p[i] == '\n' || b.p[i] == '\t');
	kb_buf_release(&b);
}

static void check_parts(const struct kb_mail *m, struct kb_span raw)
{
	struct kb_buf b;
	kb_buf_init(&b, 16 << 20);
	for (size_t i = 0; i < m->attachments && i < 4; i++) {
		check_line(m->attachment[i].name);
		check_line(m->attachment[i].type);
		assert(m->attachment[i].type[0]);
		if (kb_mail_part(NULL, raw, &kb_mail_limits, i + 1, &b) != KB_OK)
			abort();
		assert(b.len == m->attachment[i].size);
		kb_buf_clear(&b);
	}
	assert(kb_mail_part(NULL, raw, &kb_mail_limits, 100000, &b) == KB_NOTFOUND);
	kb_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_mail m;
	struct kb_diag d = {0};
	struct kb_span raw = KB_SPAN(data, size);
	if (kb_charset_open(&d) != KB_OK)
		abort();
	enum kb_status st = kb_mail_parse(&d, raw, &kb_mail_limits, &m);
	if (st != KB_OK) {
		assert(st == KB_LIMIT || st == KB_MALFORMED || st == KB_TOOBIG);
		assert(d.what);
		return 0;
	}
	check_text(m.text);
	check_text(m.human);
	assert(m.human.len <= m.text.len + 1);
	check_line(m.from);
	check_line(m.to);
	check_line(m.subject);
	check_line(m.date);
	check_line(m.message_id);
	assert(m.attachments <= KB_ATTACHMENTS_MOST);
	check_parts(&m, raw);
	check_rendering(&m);
	kb_mail_release(&m);
	return 0;
}
