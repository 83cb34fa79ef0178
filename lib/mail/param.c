/*
 * param: type and parameters of Content-Type and Content-Disposition. See mail_internal.h.
 *
 *     value     = [CFWS] token [CFWS] ["/" [CFWS] token] *([CFWS] ";" [CFWS] attribute [CFWS] "=" [CFWS] (token / quoted-string))
 *     attribute = name ["*" section] ["*"]                                                             RFC 2231 sections 3, 4
 *
 * Read leniently: what lies between a value and the next ";" is passed over, since real mail is full of it.
 */
#include <string.h>

#include "mail_internal.h"

static bool space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Past white space and comments. */
static size_t skip(struct kb_span s, size_t at)
{
	size_t depth = 0;
	for (; at < s.len; at++) {
		uint8_t c = s.p[at];
		if (depth && c == '\\')
			at++;
		else if (c == '(')
			depth++;
		else if (depth && c == ')')
			depth--;
		else if (!depth && !space(c))
			break;
	}
	return at < s.len ? at : s.len;
}

static size_t token_end(struct kb_span s, size_t at, const char *stops)
{
	while (at < s.len && s.p[at] && !space(s.p[at]) && !strchr(stops, s.p[at]))
		at++;
	return at;
}

static void lower_add(char *type, size_t *n, struct kb_span s)
{
	for (size_t i = 0; i < s.len && *n < KB_TYPE_MOST - 1; i++)
		if (s.p[i] > 32 && s.p[i] < 127)
			type[(*n)++] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]);
}

void kb_type_parse(struct kb_span value, char ret_type[static KB_TYPE_MOST], size_t *ret_at)
{
	size_t at = skip(value, 0), n = 0;
	ret_type[0] = '\0';
	*ret_at = at;
	if (at >= value.len)
		return;
	size_t end = token_end(value, at, "/;=()\",");
	lower_add(ret_type, &n, KB_SPAN(value.p + at, end - at));
	at = skip(value, end);
	if (n && at < value.len && value.p[at] == '/') {
		at = skip(value, at + 1);
		end = token_end(value, at, ";=()\",");
		lower_add(ret_type, &n, KB_LIT("/"));
		lower_add(ret_type, &n, KB_SPAN(value.p + at, end - at));
		at = end;
	}
	ret_type[n] = '\0';
	*ret_at = at;
}

/* At the opening quote; returns where the closing one is (or the end). */
static size_t quoted_end(struct kb_span s, size_t at, bool *ret_escaped)
{
	for (at++; at < s.len && s.p[at] != '"'; at++) {
		if (s.p[at] == '\\' && at + 1 < s.len) {
			*ret_escaped = true;
			at++;
		} else if (s.p[at] == '\r' || s.p[at] == '\n') {
			*ret_escaped = true;
		}
	}
	return at;
}

static size_t next_semicolon(struct kb_span s, size_t at)
{
	bool escaped;
	for (at = skip(s, at); at < s.len && s.p[at] != ';'; at = skip(s, at))
		at = s.p[at] == '"' ? quoted_end(s, at, &escaped) + 1 : at + 1;
	return at < s.len ? at : s.len;
}

bool kb_param_next(struct kb_span value, size_t *at, struct kb_param *ret_p)
{
	for (;;) {
		size_t i = next_semicolon(value, *at);
		if (i >= value.len)
			return false;
		i = skip(value, i + 1);
		size_t end = token_end(value, i, "=;()\"");
		struct kb_param p = {.name = KB_SPAN(value.p + i, end - i)};
		*at = i = skip(value, end);
		if (!p.name.len || i >= value.len || value.p[i] != '=')
			continue;
		i = skip(value, i + 1);
		if (i < value.len && value.p[i] == '"') {
			end = quoted_end(value, i, &p.escaped);
			p.quoted = true;
			p.value = KB_SPAN(value.p + i + 1, end - i - 1);
			*at = end < value.len ? end + 1 : end;
		} else {
			end = token_end(value, i, ";\"");
			p.value = KB_SPAN(value.p + i, end - i);
			*at = end;
		}
		*ret_p = p;
		return true;
	}
}

bool kb_param_find(struct kb_span value, const char *name, struct kb_param *ret_p)
{
	struct kb_span wanted = kb_span_str(name);
	size_t at, n = 0;
	char type[KB_TYPE_MOST];
	struct kb_param p;
	for (kb_type_parse(value, type, &at); n < KB_PARAMS_MOST && kb_param_next(value, &at, &p); n++)
		if (kb_span_caseeq(p.name, wanted)) {
			*ret_p = p;
			return true;
		}
	return false;
}

/* Without backslashes and folds. */
static enum kb_status unquote(struct kb_buf *b, const struct kb_param *p)
{
	enum kb_status st = KB_OK;
	if (!p->escaped)
		return kb_buf_add(b, p->value);
	for (size_t i = 0; st == KB_OK && i < p->value.len; i++) {
		uint8_t c = p->value.p[i];
		if (c == '\r' || c == '\n')
			continue;
		if (c == '\\' && i + 1 < p->value.len)
			c = p->value.p[++i];
		st = kb_buf_byte(b, c);
	}
	return st;
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum kb_status percent(struct kb_buf *b, struct kb_span s, bool *doubt)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < s.len; i++) {
		uint8_t c = s.p[i];
		if (c == '%') {
			int high = i + 2 < s.len ? hex(s.p[i + 1]) : -1, low = i + 2 < s.len ? hex(s.p[i + 2]) : -1;
			if (high < 0 || low < 0) {
				*doubt = true;
			} else {
				c = (uint8_t)(high << 4 | low);
				i += 2;
			}
		}
		st = kb_buf_byte(b, c);
	}
	return st;
}

/* What follows the first "*" of an attribute: its section, and whether it is percent-encoded. False: something else. */
static bool section_of(struct kb_span star, uint64_t *ret_section, bool *ret_encoded)
{
	*ret_encoded = star.len && star.p[star.len - 1] == '*';
	if (star.len == 1) { /* name*= */
		*ret_section = 0;
		return *ret_encoded;
	}
	struct kb_span digits = KB_SPAN(star.p + 1, star.len - 1 - (*ret_encoded ? 1 : 0));
	return kb_span_u64(digits, KB_SEGMENTS_MOST - 1, ret_section) == KB_OK;
}

struct segments {
	struct kb_param p[KB_SEGMENTS_MOST];
	bool there[KB_SEGMENTS_MOST], encoded[KB_SEGMENTS_MOST];
};

static bool gather(struct kb_span value, struct kb_span name, struct segments *ret)
{
	size_t at, n = 0;
	char type[KB_TYPE_MOST];
	struct kb_param p;
	for (kb_type_parse(value, type, &at); n < KB_PARAMS_MOST && kb_param_next(value, &at, &p); n++) {
		uint64_t section;
		bool encoded;
		if (p.name.len <= name.len || p.name.p[name.len] != '*' || !kb_span_casestarts(p.name, name))
			continue;
		if (!section_of(kb_span_from(p.name, name.len), &section, &encoded) || ret->there[section])
			continue;
		ret->p[section] = p;
		ret->encoded[section] = encoded;
		ret->there[section] = true;
	}
	return ret->there[0];
}

/* charset'language'rest; false (and nothing taken) when the quotes are not there. */
static bool take_charset(struct kb_span *s, struct kb_span *ret_charset)
{
	size_t first = kb_span_find(*s, KB_LIT("'"));
	if (first == SIZE_MAX)
		return false;
	size_t second = kb_span_find(kb_span_from(*s, first + 1), KB_LIT("'"));
	if (second == SIZE_MAX)
		return false;
	*ret_charset = KB_SPAN(s->p, first);
	*s = kb_span_from(*s, first + second + 2);
	return true;
}

static enum kb_status join(struct kb_buf *b, const struct segments *g, struct kb_span *ret_charset, bool *doubt)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < KB_SEGMENTS_MOST && g->there[i]; i++) {
		struct kb_span s = g->p[i].value;
		if (!g->encoded[i]) {
			st = unquote(b, &g->p[i]);
			continue;
		}
		if (i == 0 && !take_charset(&s, ret_charset))
			*doubt = true;
		st = percent(b, s, doubt);
	}
	return st;
}

bool kb_param_decode(struct kb_buf *b, struct kb_span value, const char *name, bool *doubt)
{
	struct segments g = {0};
	struct kb_param p;
	struct kb_span charset = {0};
	KB_AUTO(kb_buf_release) struct kb_buf octets;
	kb_buf_init(&octets, 4096);
	if (gather(value, kb_span_str(name), &g)) {
		if (join(&octets, &g, &charset, doubt) != KB_OK)
			*doubt = true;
		if (kb_charset_decode(b, kb_buf_span(&octets), charset, doubt) != KB_OK)
			*doubt = true;
		return true;
	}
	if (!kb_param_find(value, name, &p))
		return false;
	/* Encoded words do not belong here (RFC 2047 section 5), and stand here in half of all mail. */
	if (unquote(&octets, &p) != KB_OK || kb_words_decode(b, kb_buf_span(&octets), doubt) != KB_OK)
		*doubt = true;
	return true;
}
