/*
 * entity: one part of a message: its text, or its place in the list of attachments. See reader.h.
 *
 * What counts as unread decides whether a person must look: every part whose text could not be taken out, but for signatures
 * and for small pictures that only decorate a page.
 */
#include <string.h>

#include "reader.h"

enum { LINE_MOST = 4096, DECORATION_MOST = 16384 };

void kb_entity_init(struct kb_entity *e, struct kb_span header, struct kb_span body)
{
	struct kb_field f;
	size_t params;
	*e = (struct kb_entity){.header = header, .body = body};
	bool encoding = false;
	for (size_t at = 0; kb_field_next(header, &at, &f);) {
		if (!kb_span_casestarts(f.name, KB_LIT("Content-")))
			continue;
		if (!e->content.p && kb_span_caseeq(f.name, KB_LIT("Content-Type")))
			e->content = f.value;
		else if (!e->disposition.p && kb_span_caseeq(f.name, KB_LIT("Content-Disposition")))
			e->disposition = f.value;
		else if (!encoding && kb_span_caseeq(f.name, KB_LIT("Content-Transfer-Encoding"))) {
			e->encoding = kb_encoding_find(f.value);
			encoding = true;
		}
	}
	kb_type_parse(e->content, e->type, &params);
}

bool kb_entity_is(const struct kb_entity *e, const char *prefix)
{
	return !strncmp(e->type, prefix, strlen(prefix));
}

const char *kb_line_decode(struct kb_mail *m, struct kb_span value)
{
	KB_AUTO(kb_buf_release) struct kb_buf words, line;
	bool doubt = false;
	if (value.len > LINE_MOST)
		value.len = LINE_MOST;
	kb_buf_init(&words, LINE_MOST * 2);
	kb_buf_init(&line, LINE_MOST * 2);
	/* A line that is too long is cut; what was appended until then stands. */
	enum kb_status st = kb_words_decode(&words, value, &doubt);
	if (st == KB_OK)
		st = kb_text_harmless(&line, kb_span_trim(kb_buf_span(&words)), false);
	m->charset_doubt = m->charset_doubt || doubt || st != KB_OK;
	const char *s = kb_arena_copy(&m->arena, kb_span_trim(kb_buf_span(&line)));
	return s ? s : "";
}

static void name_of(struct kb_mail *m, const struct kb_entity *e, const char **ret_name)
{
	KB_AUTO(kb_buf_release) struct kb_buf raw, line;
	bool doubt = false;
	kb_buf_init(&raw, LINE_MOST);
	kb_buf_init(&line, LINE_MOST * 2);
	*ret_name = "";
	if (!kb_param_decode(&raw, e->disposition, "filename", &doubt) && !kb_param_decode(&raw, e->content, "name", &doubt))
		return;
	m->charset_doubt = m->charset_doubt || doubt;
	if (kb_text_harmless(&line, kb_span_trim(kb_buf_span(&raw)), false) != KB_OK)
		m->charset_doubt = true;
	const char *s = kb_arena_copy(&m->arena, kb_buf_span(&line));
	*ret_name = s ? s : "";
}

static bool is_text(const struct kb_entity *e)
{
	return !e->type[0] || kb_entity_is(e, "text/") || !strchr(e->type, '/') || (kb_entity_is(e, "message/") && !kb_entity_is(e, "message/partial"));
}

static bool is_message(const struct kb_entity *e)
{
	return !strcmp(e->type, "message/rfc822") || !strcmp(e->type, "message/global");
}

static bool is_attached(const struct kb_entity *e)
{
	char how[KB_TYPE_MOST];
	size_t at;
	struct kb_param p;
	kb_type_parse(e->disposition, how, &at);
	return !strcmp(how, "attachment") || kb_param_find(e->disposition, "filename", &p) || kb_param_find(e->disposition, "filename*", &p) ||
	    kb_param_find(e->disposition, "filename*0", &p) || kb_param_find(e->disposition, "filename*0*", &p) ||
	    kb_param_find(e->content, "name", &p) || kb_param_find(e->content, "name*", &p);
}

static bool says_nothing(const struct kb_reader *r, const struct kb_entity *e, size_t size)
{
	if (!strcmp(e->type, "application/pgp-signature") || !strcmp(e->type, "application/pkcs7-signature") ||
	    !strcmp(e->type, "application/x-pkcs7-signature"))
		return true;
	return size == 0 || (r->related && kb_entity_is(e, "image/") && size <= DECORATION_MOST);
}

/* ---- text ---- */

static void truncated(struct kb_reader *r, enum kb_status st)
{
	r->m->truncated = r->m->truncated || st != KB_OK;
}

/* Line ends become LF, an empty line stands between two parts. */
static enum kb_status add_lines(struct kb_buf *b, struct kb_span s)
{
	enum kb_status st = KB_OK;
	while (st == KB_OK && s.len) {
		const uint8_t *cr = memchr(s.p, '\r', s.len);
		size_t n = cr ? (size_t)(cr - s.p) : s.len, room = b->most - b->len;
		if (n > room) {
			/* whole characters only */
			n = room;
			while (n && (s.p[n] & 0xC0) == 0x80)
				n--;
			st = kb_buf_add(b, KB_SPAN(s.p, n));
			return st == KB_OK ? KB_LIMIT : st;
		}
		st = kb_buf_add(b, KB_SPAN(s.p, n));
		s = kb_span_from(s, n);
		if (!s.len)
			break;
		if ((s.len < 2 || s.p[1] != '\n') && st == KB_OK)
			st = kb_buf_byte(b, '\n');
		s = kb_span_from(s, 1);
	}
	return st;
}

static enum kb_status separate(struct kb_buf *b)
{
	while (b->len && (b->p[b->len - 1] == '\n' || b->p[b->len - 1] == ' '))
		b->len--;
	return b->len ? kb_buf_str(b, "\n\n") : KB_OK;
}

/* The decoded octets of a part that is text, as many as are read; borrowed from the message when nothing had to be decoded. */
static struct kb_span octets_of(const struct kb_entity *e, struct kb_buf *room, bool *doubt, enum kb_status *ret_st)
{
	*ret_st = KB_OK;
	if (e->encoding == KB_ENCODING_NONE && e->body.len <= KB_PART_TEXT_MOST)
		return e->body;
	*ret_st = kb_decode(room, e->encoding, e->body, doubt);
	return kb_buf_span(room);
}

static struct kb_span charset_of(const struct kb_entity *e)
{
	struct kb_param p;
	return kb_param_find(e->content, "charset", &p) ? kb_span_trim(p.value) : (struct kb_span){0};
}

static enum kb_status add_html(struct kb_reader *r, struct kb_span octets, struct kb_span charset)
{
	KB_AUTO(kb_buf_release) struct kb_buf page, lines;
	bool cut = false;
	kb_buf_init(&page, (size_t)KB_PART_TEXT_MOST * 2);
	kb_buf_init(&lines, KB_TEXT_MOST);
	if (!charset.len)
		charset = kb_html_charset(octets);
	truncated(r, kb_charset_decode(&page, octets, charset, &r->m->charset_doubt));
	r->html += page.len;
	cut = r->html > KB_HTML_MOST;
	truncated(r, cut ? kb_html_strip(&lines, kb_buf_span(&page)) : kb_html_text(&lines, kb_buf_span(&page), &cut));
	bool sound = kb_utf8_valid(kb_buf_span(&lines)); /* libxml2 is no code of ours */
	r->m->charset_doubt = r->m->charset_doubt || cut || !sound;
	return sound ? add_lines(&r->text, kb_buf_span(&lines)) : kb_html_strip(&r->text, kb_buf_span(&page));
}

static enum kb_status add_text(struct kb_reader *r, const struct kb_entity *e)
{
	KB_AUTO(kb_buf_release) struct kb_buf decoded, utf8;
	enum kb_status st;
	kb_buf_init(&decoded, KB_PART_TEXT_MOST);
	kb_buf_init(&utf8, KB_TEXT_MOST + 4);
	struct kb_span octets = octets_of(e, &decoded, &r->m->charset_doubt, &st);
	truncated(r, st);
	if (separate(&r->text) != KB_OK) {
		truncated(r, KB_LIMIT);
		return KB_OK;
	}
	if (!strcmp(e->type, "text/html")) {
		st = add_html(r, octets, charset_of(e));
	} else {
		truncated(r, kb_charset_decode(&utf8, octets, charset_of(e), &r->m->charset_doubt));
		st = add_lines(&r->text, kb_buf_span(&utf8));
	}
	truncated(r, st);
	return KB_OK;
}

/* ---- attachments ---- */

static enum kb_status give_part(struct kb_reader *r, const struct kb_entity *e)
{
	bool doubt = false;
	r->found = true;
	return kb_decode(r->part, e->encoding, e->body, &doubt);
}

static enum kb_status list(struct kb_reader *r, const struct kb_entity *e, bool read)
{
	struct kb_mail *m = r->m;
	r->listed++;
	if (r->want)
		return r->listed == r->want ? give_part(r, e) : KB_OK;
	size_t size = kb_decoded_size(e->encoding, e->body);
	if (!read && !says_nothing(r, e, size))
		m->unread_parts++;
	if (m->attachments == KB_ATTACHMENTS_MOST)
		return KB_OK;
	struct kb_attachment *a = &m->attachment[m->attachments++];
	name_of(m, e, &a->name);
	a->type = kb_arena_copy(&m->arena, kb_span_str(e->type[0] ? e->type : "text/plain"));
	if (!a->type)
		a->type = "";
	a->size = size;
	a->read = read;
	return KB_OK;
}

/* A message in base64 or quoted-printable: forbidden (RFC 2046 section 5.2.1), and sent all the same. */
static enum kb_status read_encoded_message(struct kb_reader *r, const struct kb_entity *e, bool *ret_read)
{
	KB_AUTO(kb_buf_release) struct kb_buf decoded;
	bool doubt = false;
	uint32_t parts;
	*ret_read = false;
	kb_buf_init(&decoded, KB_PART_TEXT_MOST);
	if (r->nested == KB_NESTED_MOST || kb_decode(&decoded, e->encoding, e->body, &doubt) != KB_OK)
		return KB_OK;
	r->nested++;
	enum kb_status st = kb_message_read(r, kb_buf_span(&decoded), &parts);
	r->nested--;
	*ret_read = st == KB_OK;
	/* What must not be parsed counts as unread; the message around it stands. */
	return st == KB_LIMIT || st == KB_MALFORMED || st == KB_TOOBIG ? KB_OK : st;
}

enum kb_status kb_entity_read(struct kb_reader *r, const struct kb_entity *e)
{
	bool attached = is_attached(e), read = false;
	enum kb_status st = KB_OK;
	if (is_message(e)) {
		st = read_encoded_message(r, e, &read);
		return st == KB_OK && !r->found ? list(r, e, read) : st;
	}
	bool text = is_text(e);
	if (text && !r->want && (attached || !r->quiet))
		st = add_text(r, e);
	return st == KB_OK && (attached || !text) ? list(r, e, text) : st;
}

enum kb_status kb_entity_raw(struct kb_reader *r, const struct kb_entity *e)
{
	struct kb_entity plain = *e;
	plain.type[0] = '\0';
	plain.content = (struct kb_span){0};
	if (r->want)
		return KB_OK;
	r->m->unread_parts++;
	return add_text(r, &plain);
}

size_t kb_entity_weight(const struct kb_entity *e)
{
	KB_AUTO(kb_buf_release) struct kb_buf decoded;
	bool doubt = false;
	enum kb_status st;
	kb_buf_init(&decoded, KB_PART_TEXT_MOST);
	struct kb_span octets = octets_of(e, &decoded, &doubt, &st);
	return kb_html_weight(octets);
}
