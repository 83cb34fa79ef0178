/* pen: see compose_internal.h. Pieces of a few KiB go into the memory file as they are made. */
#include "compose_internal.h"

#include <stdio.h>
#include <time.h>

#include <kitebox/address.h>
#include <kitebox/memfd.h>

enum { PIECE = 16384, LINE_IN = 57, LINE_OUT = 76 };

void kb_pen_init(struct kb_pen *p, struct kb_diag *d)
{
	*p = (struct kb_pen){.d = d, .fd = -1};
	kb_buf_init(&p->buf, 2 * PIECE);
	p->status = kb_memfd_new(d, "mail", &p->fd);
}

void kb_pen_release(struct kb_pen *p)
{
	kb_buf_release(&p->buf);
	kb_fd_close(&p->fd);
}

void kb_pen_fail(struct kb_pen *p, enum kb_status st, const char *literal)
{
	if (p->status == KB_OK)
		p->status = kb_fail(p->d, st, 0, 0, literal);
}

static void flush(struct kb_pen *p)
{
	if (p->status == KB_OK)
		p->status = kb_memfd_write(p->d, p->fd, kb_buf_span(&p->buf));
	p->size += p->buf.len;
	kb_buf_clear(&p->buf);
}

void kb_pen_add(struct kb_pen *p, struct kb_span s)
{
	while (p->status == KB_OK && s.len) {
		size_t n = s.len < PIECE ? s.len : PIECE;

		if (p->buf.len + n > 2 * PIECE)
			flush(p);
		if (kb_buf_add(&p->buf, KB_SPAN(s.p, n)) != KB_OK)
			kb_pen_fail(p, KB_LIMIT, "a piece of a mail is too long");
		s = kb_span_from(s, n);
	}
}

void kb_pen_str(struct kb_pen *p, const char *s)
{
	kb_pen_add(p, kb_span_str(s));
}

/* RFC 4648 section 4. What is encoded is sealed already, so a table may be used. Returns octets written. */
static size_t base64_line(const uint8_t *in, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t o = 0;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0u);

		out[o++] = digits[v >> 18];
		out[o++] = digits[v >> 12 & 63];
		out[o++] = left > 1 ? digits[v >> 6 & 63] : '=';
		out[o++] = left > 2 ? digits[v & 63] : '=';
	}
	return o;
}

void kb_pen_base64(struct kb_pen *p, struct kb_span s)
{
	char line[LINE_OUT + 2];

	while (p->status == KB_OK && s.len) {
		size_t n = s.len < LINE_IN ? s.len : LINE_IN;
		size_t o = base64_line(s.p, n, line);

		line[o++] = '\r';
		line[o++] = '\n';
		kb_pen_add(p, KB_SPAN(line, o));
		s = kb_span_from(s, n);
	}
}

enum kb_status kb_pen_finish(struct kb_pen *p, struct kb_composed *ret_mail)
{
	flush(p);
	if (p->status == KB_OK)
		p->status = kb_memfd_seal(p->d, p->fd);
	if (p->status == KB_OK) {
		*ret_mail = (struct kb_composed){.fd = p->fd, .size = p->size};
		p->fd = -1;
	}
	return p->status;
}

/* RFC 5322 3.3, in UTC: "Tue, 24 Nov 2026 16:11:41 +0000" */
static void date(struct kb_pen *p, uint64_t now_s)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	char text[64];
	struct tm tm;
	time_t t = (time_t)now_s;

	if (!gmtime_r(&t, &tm) || tm.tm_year > 8099) {
		kb_pen_fail(p, KB_MALFORMED, "this is no time for a letter");
		return;
	}
	(void)snprintf(text, sizeof text, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	kb_pen_str(p, text);
}

static bool is_printable(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return s.len > 0 && s.len <= 200;
}

void kb_pen_header(struct kb_pen *p, const struct kb_letter *l, const char *kind, const char *auto_submitted, struct kb_span subject)
{
	char id[KB_ID_TEXT];

	if (!kb_address_ok(kb_span_str(l->from)) || !kb_address_ok(kb_span_str(l->to)))
		kb_pen_fail(p, KB_MALFORMED, "an address cannot be written to");
	if (!kb_helo_ok(kb_span_str(l->hostname)))
		kb_pen_fail(p, KB_MALFORMED, "the host's name cannot stand in a Message-ID");
	if (!is_printable(subject))
		kb_pen_fail(p, KB_MALFORMED, "a subject is not one line of printable ASCII");
	kb_id_format(&l->id, id);
	date(p, l->now_s);
	kb_pen_str(p, "From: ");
	kb_pen_str(p, l->from);
	kb_pen_str(p, "\r\nTo: ");
	kb_pen_str(p, l->to);
	kb_pen_str(p, "\r\nSubject: ");
	kb_pen_add(p, subject);
	kb_pen_str(p, "\r\nMessage-ID: <");
	kb_pen_str(p, kind);
	kb_pen_str(p, ".");
	kb_pen_str(p, id);
	kb_pen_str(p, "@");
	kb_pen_str(p, l->hostname);
	kb_pen_str(p, ">\r\nAuto-Submitted: ");
	kb_pen_str(p, auto_submitted);
	kb_pen_str(p, "\r\nMIME-Version: 1.0\r\n");
}
