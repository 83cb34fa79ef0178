/*
 * compose_ack: an acknowledgement from a template. See kitebox/compose.h.
 *
 * The words are the template's, whatever was written and whatever it was taken for: a difference would be a disclosure. An
 * inmate messaging system delivers only what has its message indicator, and nothing else, as subject.
 */
#include "compose_internal.h"

#include <string.h>

enum { SUBJECT_MOST = 70, LINE_MOST = 400, FACT_MOST = 40, INDICATOR_MOST = 40, FILLED_MOST = 2 * KB_TEMPLATE_MOST, QP_LINE = 76 };

static bool is_printable(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

static bool is_ascii(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 0x80)
			return false;
	return true;
}

/* [0-9A-Za-z-]{0,40} */
static bool is_indicator(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && c != '-')
			return false;
	}
	return s.len <= INDICATOR_MOST;
}

enum word { WORD_NONE, WORD_DATE, WORD_NUM };

static size_t placeholder(struct kb_span s, enum word *ret_word)
{
	static const struct {
		const char *text;
		enum word word;
	} words[] = {{"{date}", WORD_DATE}, {"{num}", WORD_NUM}};

	for (size_t i = 0; i < KB_LEN(words); i++) {
		if (kb_span_starts(s, kb_span_str(words[i].text))) {
			*ret_word = words[i].word;
			return strlen(words[i].text);
		}
	}
	return 0;
}

static bool line_ok(struct kb_span line)
{
	enum word w;

	if (line.len > LINE_MOST)
		return false;
	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] < 0x20 || line.p[i] == 0x7f || line.p[i] == '}')
			return false;
		if (line.p[i] != '{')
			continue;
		size_t n = placeholder(kb_span_from(line, i), &w);

		if (!n)
			return false;
		i += n - 1;
	}
	return true;
}

enum kb_status kb_template_parse(struct kb_diag *d, struct kb_span text, struct kb_template *ret_t)
{
	struct kb_template t;
	struct kb_span line, rest = text;
	size_t n = 2;

	if (text.len > KB_TEMPLATE_MOST)
		return KB_FAIL(d, KB_TOOBIG, 0, "a template is longer than 16 KiB");
	if (!kb_utf8_valid(text))
		return KB_FAIL(d, KB_MALFORMED, 0, "a template is not UTF-8");
	if (!kb_span_line(&rest, &line) || !kb_span_starts(line, KB_LIT("Subject: ")))
		return KB_FAIL(d, KB_MALFORMED, 1, "a template begins with its subject");
	t.subject = kb_span_trim(kb_span_from(line, strlen("Subject: ")));
	if (!t.subject.len || t.subject.len > SUBJECT_MOST || !is_printable(t.subject) ||
	    kb_span_find(t.subject, KB_LIT("{")) != SIZE_MAX)
		return KB_FAIL(d, KB_MALFORMED, 1, "a template's subject is a short line of printable ASCII without placeholders");
	if (!kb_span_line(&rest, &line) || line.len)
		return KB_FAIL(d, KB_MALFORMED, 2, "an empty line follows a template's subject");
	t.body = rest;
	while (kb_span_line(&rest, &line)) {
		n++;
		if (!line_ok(line))
			return KB_FAIL(d, KB_MALFORMED, n, "a template's line is too long, or has a brace or control character that means nothing");
	}
	if (!kb_span_trim(t.body).len)
		return KB_FAIL(d, KB_MALFORMED, n, "a template says nothing");
	*ret_t = t;
	return KB_OK;
}

static enum kb_status fill_line(struct kb_buf *b, struct kb_span line, const struct kb_ack_facts *f)
{
	enum kb_status st = KB_OK;
	enum word w = WORD_NONE;

	while (st == KB_OK && line.len) {
		size_t n = placeholder(line, &w);

		st = n ? kb_buf_str(b, w == WORD_DATE ? f->date : f->number) : kb_buf_byte(b, line.p[0]);
		line = kb_span_from(line, n ? n : 1);
	}
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

/* With LF, and without empty lines at the end. */
static enum kb_status fill(struct kb_buf *b, const struct kb_template *t, const struct kb_ack_facts *f)
{
	struct kb_span line, rest = t->body;
	enum kb_status st = KB_OK;
	size_t empty = 0;

	while (st == KB_OK && kb_span_line(&rest, &line)) {
		if (!line.len) {
			empty++;
			continue;
		}
		for (; st == KB_OK && empty; empty--)
			st = kb_buf_byte(b, '\n');
		if (st == KB_OK)
			st = fill_line(b, line, f);
	}
	return st;
}

static enum kb_status plain(struct kb_buf *b, struct kb_span text)
{
	struct kb_span line;
	enum kb_status st = KB_OK;

	while (st == KB_OK && kb_span_line(&text, &line)) {
		st = kb_buf_add(b, line);
		if (st == KB_OK)
			st = kb_buf_str(b, "\r\n");
	}
	return st;
}

/* What one octet becomes; last: nothing follows it on its line, so that white space would be lost on the way. */
static size_t qp_octet(uint8_t c, bool last, char out[static 3])
{
	static const char hex[] = "0123456789ABCDEF";

	if ((c > 0x20 && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !last)) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '=';
	out[1] = hex[c >> 4];
	out[2] = hex[c & 15];
	return 3;
}

enum kb_status kb_qp_encode(struct kb_buf *b, struct kb_span text)
{
	struct kb_span line;
	enum kb_status st = KB_OK;

	while (st == KB_OK && kb_span_line(&text, &line)) {
		size_t column = 0;

		for (size_t i = 0; st == KB_OK && i < line.len; i++) {
			char out[3];
			size_t n = qp_octet(line.p[i], i + 1 == line.len, out);

			if (column + n > QP_LINE - 1) {
				st = kb_buf_str(b, "=\r\n");
				column = 0;
			}
			if (st == KB_OK)
				st = kb_buf_add(b, KB_SPAN(out, n));
			column += n;
		}
		if (st == KB_OK)
			st = kb_buf_str(b, "\r\n");
	}
	return st;
}

static bool facts_ok(const struct kb_ack_facts *f)
{
	struct kb_span date = kb_span_str(f->date), number = kb_span_str(f->number), language = kb_span_str(f->language);

	return is_indicator(kb_span_str(f->indicator)) && is_printable(date) && date.len <= FACT_MOST && is_printable(number) &&
	       number.len <= FACT_MOST && is_indicator(language) && language.len;
}

static enum kb_status encode(struct kb_pen *p, const struct kb_template *t, const struct kb_ack_facts *f)
{
	struct kb_buf filled, encoded;

	kb_buf_init(&filled, FILLED_MOST);
	kb_buf_init(&encoded, 4 * FILLED_MOST);
	enum kb_status st = fill(&filled, t, f);
	bool ascii = is_ascii(kb_buf_span(&filled));

	if (st == KB_OK)
		st = ascii ? plain(&encoded, kb_buf_span(&filled)) : kb_qp_encode(&encoded, kb_buf_span(&filled));
	if (st == KB_OK) {
		kb_pen_str(p, "Content-Type: text/plain; charset=");
		kb_pen_str(p, ascii ? "us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
				    : "utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
		kb_pen_add(p, kb_buf_span(&encoded));
	}
	kb_buf_release(&filled);
	kb_buf_release(&encoded);
	return st;
}

enum kb_status kb_compose_ack(struct kb_diag *d, const struct kb_letter *l, const struct kb_template *t, const struct kb_ack_facts *f,
    struct kb_composed *ret_mail)
{
	struct kb_span indicator = kb_span_str(f->indicator);
	struct kb_pen p;

	kb_pen_init(&p, d);
	if (!facts_ok(f))
		kb_pen_fail(&p, KB_MALFORMED, "an acknowledgement was given more to say than it may");
	kb_pen_header(&p, l, "ack", "auto-replied", indicator.len ? indicator : t->subject);
	kb_pen_str(&p, "Content-Language: ");
	kb_pen_str(&p, f->language);
	kb_pen_str(&p, "\r\n");
	if (p.status == KB_OK && encode(&p, t, f) != KB_OK)
		kb_pen_fail(&p, KB_LIMIT, "an acknowledgement is too long");
	enum kb_status st = kb_pen_finish(&p, ret_mail);

	kb_pen_release(&p);
	return st;
}
