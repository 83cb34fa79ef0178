/*
 * html: what a reader of a page would see, by libxml2's SAX parser. See mail_internal.h.
 *
 * Blocks become line breaks, cells are kept apart, the alternative text of pictures is kept; style, script, title and what is
 * hidden are left out; a quotation of mail gets "> " in front of each line, as in plain text, so that it is known for one.
 * Nothing is fetched, no tree is built, no entity of the page's own exists in HTML.
 *
 * libxml2 compares each attribute with all before it and each end tag with all that is open: so a tag beyond TAG_MOST octets or
 * ATTRIBUTES_MOST attributes goes in without any, and past DEPTH_MOST open elements the parser is stopped and the page only
 * stripped of its tags.
 */
#include <stdlib.h>
#include <string.h>

#include <libxml/HTMLparser.h>

#include "mail_internal.h"

enum { TAG_MOST = 4096, ATTRIBUTES_MOST = 64, DEPTH_MOST = 256, QUOTES_MOST = 16, SNIFF = 1024 };

/* clang-format off */
enum what { INLINE = 0, BLOCK, PARAGRAPH, CELL, BREAK, GONE, PRE, QUOTE, IMAGE };
static const struct { const char *name; enum what what; } elements[] = {
	{"a", INLINE}, {"b", INLINE}, {"span", INLINE}, {"font", INLINE}, {"br", BREAK}, {"div", BLOCK}, {"p", PARAGRAPH}, {"td", CELL},
	{"th", CELL}, {"tr", BLOCK}, {"table", BLOCK}, {"li", BLOCK}, {"ul", BLOCK}, {"ol", BLOCK}, {"hr", BLOCK}, {"pre", PRE},
	{"blockquote", QUOTE}, {"img", IMAGE}, {"style", GONE}, {"script", GONE}, {"title", GONE}, {"template", GONE}, {"head", INLINE},
	{"h1", PARAGRAPH}, {"h2", PARAGRAPH}, {"h3", PARAGRAPH}, {"h4", PARAGRAPH}, {"h5", PARAGRAPH}, {"h6", PARAGRAPH}, {"dl", BLOCK},
	{"dt", BLOCK}, {"dd", BLOCK}, {"center", BLOCK}, {"address", BLOCK}, {"article", BLOCK}, {"section", BLOCK}, {"header", BLOCK},
	{"footer", BLOCK}, {"form", BLOCK}, {"fieldset", BLOCK}, {"option", BLOCK}, {"textarea", PRE}, {"select", BLOCK}, {"caption", BLOCK},
	{"iframe", GONE}, {"object", INLINE}, {"noscript", INLINE}, {"svg", GONE}, {"math", INLINE},
};
/* clang-format on */

struct page {
	struct kb_buf *out;
	htmlParserCtxt *ctxt;
	enum kb_status st;
	size_t start;      /* where this page's text begins in out */
	unsigned depth, gone, pre, quotes;
	unsigned quote_depth[QUOTES_MOST];
	unsigned breaks;   /* line ends that stand before the next word */
	bool space;        /* white space stands before the next word */
	bool stopped;
};

static enum what what_is(const char *name)
{
	for (size_t i = 0; i < KB_LEN(elements); i++)
		if (elements[i].name[0] == name[0] && !strcmp(elements[i].name, name))
			return elements[i].what;
	return INLINE;
}

static void stop(struct page *p)
{
	p->stopped = true;
	xmlStopParser(p->ctxt);
}

static void put(struct page *p, struct kb_span s)
{
	if (p->st == KB_OK && (p->st = kb_buf_add(p->out, s)) != KB_OK)
		stop(p);
}

/* The breaks and the space that are owed before a word. */
static void settle(struct page *p)
{
	bool first = p->out->len == p->start;
	if (p->breaks && !first)
		put(p, p->breaks > 1 ? KB_LIT("\n\n") : KB_LIT("\n"));
	if (p->breaks || first)
		for (unsigned i = 0; i < p->quotes && i < QUOTES_MOST; i++)
			put(p, KB_LIT("> "));
	else if (p->space)
		put(p, KB_LIT(" "));
	p->breaks = 0;
	p->space = false;
}

static void owe(struct page *p, unsigned breaks)
{
	if (p->breaks < breaks)
		p->breaks = breaks;
}

/* The space at s, or 0: U+00A0 is one to a reader. */
static size_t space_at(struct kb_span s)
{
	if (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\n' || s.p[0] == '\r')
		return 1;
	return s.len >= 2 && s.p[0] == 0xC2 && s.p[1] == 0xA0 ? 2 : 0;
}

static void text(struct page *p, struct kb_span s)
{
	while (s.len && !p->stopped) {
		size_t n = 0, step = space_at(s);
		if (step) {
			p->breaks += p->pre && s.p[0] == '\n';
			p->space = true;
			s = kb_span_from(s, step);
			continue;
		}
		while (n < s.len && !space_at(kb_span_from(s, n)))
			n++;
		settle(p);
		put(p, KB_SPAN(s.p, n));
		s = kb_span_from(s, n);
	}
}

static const char *attribute(const xmlChar **atts, const char *name)
{
	for (size_t i = 0; atts && atts[i]; i += 2)
		if (atts[i + 1] && !strcmp((const char *)atts[i], name))
			return (const char *)atts[i + 1];
	return NULL;
}

/* `what: value` in a style attribute, whatever the spaces and the case. */
static bool styled(struct kb_span style, const char *property, const char *value)
{
	struct kb_span key = kb_span_str(property), wanted = kb_span_str(value);
	for (size_t at; (at = kb_span_casefind(style, key)) != SIZE_MAX;) {
		struct kb_span v = kb_span_trim(kb_span_from(style, at + key.len));
		if (v.len && v.p[0] == ':' && kb_span_casestarts(kb_span_trim(kb_span_from(v, 1)), wanted))
			return true;
		style = kb_span_from(style, at + key.len);
	}
	return false;
}

static bool hidden(const xmlChar **atts)
{
	const char *style = attribute(atts, "style");
	struct kb_span s = kb_span_str(style);
	for (size_t i = 0; atts && atts[i]; i += 2)
		if (!strcmp((const char *)atts[i], "hidden"))
			return true;
	return style && (styled(s, "display", "none") || styled(s, "visibility", "hidden") || styled(s, "mso-hide", "all"));
}

/* A quotation of mail, and not a mere indentation. */
static bool cites(const xmlChar **atts)
{
	const char *type = attribute(atts, "type"), *class_ = attribute(atts, "class");
	return attribute(atts, "cite") || (type && !strcasecmp(type, "cite")) ||
	    (class_ && kb_span_casefind(kb_span_str(class_), KB_LIT("quote")) != SIZE_MAX);
}

static void opened(struct page *p, enum what what, const xmlChar **atts)
{
	const char *alt;
	switch (what) {
	case BLOCK:
	case BREAK:
		p->breaks += what == BREAK;
		owe(p, 1);
		break;
	case PARAGRAPH:
		owe(p, 2);
		break;
	case CELL:
		p->space = true;
		break;
	case PRE:
		owe(p, 1);
		p->pre++;
		break;
	case QUOTE:
		owe(p, 1);
		if (cites(atts) && p->quotes < QUOTES_MOST)
			p->quote_depth[p->quotes++] = p->depth;
		break;
	case IMAGE:
		alt = attribute(atts, "alt");
		if (alt)
			text(p, kb_span_str(alt));
		break;
	case GONE:
	case INLINE:
		break;
	}
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar **atts)
{
	struct page *p = ctx;
	enum what what = what_is((const char *)name);
	p->depth++;
	if (p->depth > DEPTH_MOST) {
		stop(p);
		return;
	}
	if (p->gone || what == GONE || hidden(atts)) {
		p->gone += p->gone == 0 ? p->depth : 0;
		return;
	}
	opened(p, what, atts);
}

static void on_end(void *ctx, const xmlChar *name)
{
	struct page *p = ctx;
	enum what what = what_is((const char *)name);
	unsigned depth = p->depth;
	p->depth -= p->depth > 0;
	if (p->gone) {
		if (depth <= p->gone)
			p->gone = 0;
		return;
	}
	if (what == PRE)
		p->pre -= p->pre > 0;
	if (what == QUOTE) {
		owe(p, 1);
		if (p->quotes && p->quote_depth[p->quotes - 1] >= depth)
			p->quotes--;
	}
	if (what == BLOCK || what == PRE)
		owe(p, 1);
	if (what == PARAGRAPH)
		owe(p, 2);
}

static void on_text(void *ctx, const xmlChar *s, int len)
{
	struct page *p = ctx;
	if (!p->gone && !p->stopped && len > 0)
		text(p, KB_SPAN(s, (size_t)len));
}

/* The end of the tag that begins at `at`: past its ">" (or before the next "<", in broken HTML), or 0 when it has none.
 * *ret_attributes is at least how many attributes it could have. */
static size_t tag_end(struct kb_span s, size_t at, size_t *ret_attributes)
{
	uint8_t quote = 0;
	*ret_attributes = 0;
	for (size_t i = at + 1; i < s.len; i++) {
		uint8_t c = s.p[i];
		if (quote)
			quote = c == quote ? 0 : quote;
		else if ((c == '"' || c == '\'') && s.p[i - 1] == '=')
			quote = c;
		else if (c == '>' || c == '<')
			return c == '>' ? i + 1 : i;
		else if (c == '=' || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '/')
			++*ret_attributes;
	}
	return 0;
}

static bool letter(uint8_t c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* Copies html, with tags beyond reason reduced to their names. */
static enum kb_status tame(struct kb_buf *b, struct kb_span html)
{
	enum kb_status st = KB_OK;
	size_t from = 0;
	bool endless = false; /* a quote that never closes is looked for once; its text must not be lost with it */
	const uint8_t *lt;
	for (size_t at = 0; st == KB_OK && at < html.len && (lt = memchr(html.p + at, '<', html.len - at));) {
		at = (size_t)(lt - html.p);
		if (at + 1 >= html.len || !letter(html.p[at + 1])) {
			at++;
			continue;
		}
		size_t attributes = 0, end = endless ? 0 : tag_end(html, at, &attributes);
		if (!end) {
			endless = true;
			const uint8_t *gt = memchr(html.p + at, '>', html.len - at);
			end = gt ? (size_t)(gt - html.p) + 1 : html.len;
		}
		if (end - at > TAG_MOST || attributes > 2 * ATTRIBUTES_MOST || endless) {
			size_t name = at + 1;
			while (name < end && name < at + 32 && letter(html.p[name]))
				name++;
			st = kb_buf_add(b, KB_SPAN(html.p + from, name - from));
			if (st == KB_OK)
				st = kb_buf_byte(b, '>');
			from = end;
		}
		at = end;
	}
	return st == KB_OK ? kb_buf_add(b, kb_span_from(html, from)) : st;
}

static void parse(struct page *p, struct kb_span html)
{
	htmlParserCtxt *c = htmlNewParserCtxt();
	if (!c || html.len > INT32_MAX)
		abort();
	p->ctxt = c;
	memset(c->sax, 0, sizeof(*c->sax));
	c->sax->startElement = on_start;
	c->sax->endElement = on_end;
	c->sax->characters = on_text;
	c->sax->cdataBlock = on_text;
	c->sax->ignorableWhitespace = on_text;
	c->userData = p;
	htmlDocPtr doc = htmlCtxtReadMemory(c, (const char *)html.p, (int)html.len, NULL, "UTF-8",
	    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC | HTML_PARSE_NODEFDTD);
	xmlFreeDoc(doc);
	htmlFreeParserCtxt(c);
}

enum kb_status kb_html_text(struct kb_buf *b, struct kb_span html, bool *cut)
{
	struct page p = {.out = b, .start = b->len};
	KB_AUTO(kb_buf_release) struct kb_buf tamed;
	kb_buf_init(&tamed, html.len + 64);
	if (!html.len)
		return KB_OK;
	enum kb_status st = tame(&tamed, html);
	if (st == KB_OK)
		parse(&p, kb_buf_span(&tamed));
	if (st != KB_OK || (p.stopped && p.st == KB_OK)) {
		*cut = true;
		b->len = p.start;
		return kb_html_strip(b, html);
	}
	return p.st;
}

/* ---- without a parser ---- */

/* Where the run of text that begins at `at` ends; *ret_next is where the next one begins: past a tag, style or script. */
static size_t run_at(struct kb_span s, size_t at, size_t *ret_next)
{
	const uint8_t *lt = memchr(s.p + at, '<', s.len - at);
	size_t end = lt ? (size_t)(lt - s.p) : s.len;
	const uint8_t *gt = lt ? memchr(lt, '>', s.len - end) : NULL;
	*ret_next = gt ? (size_t)(gt - s.p) + 1 : s.len;
	struct kb_span rest = kb_span_from(s, end);
	if (gt && (kb_span_casestarts(rest, KB_LIT("<style")) || kb_span_casestarts(rest, KB_LIT("<script")))) {
		size_t close = kb_span_find(kb_span_from(s, *ret_next), KB_LIT("</"));
		*ret_next = close == SIZE_MAX ? s.len : *ret_next + close;
	}
	return end;
}

size_t kb_html_weight(struct kb_span html)
{
	size_t weight = 0;
	for (size_t at = 0, next; at < html.len; at = next) {
		size_t end = run_at(html, at, &next);
		for (size_t i = at; i < end; i++)
			weight += letter(html.p[i]) || html.p[i] >= 0x80 || (html.p[i] >= '0' && html.p[i] <= '9');
	}
	return weight;
}

enum kb_status kb_html_strip(struct kb_buf *b, struct kb_span html)
{
	enum kb_status st = KB_OK;
	for (size_t at = 0, next; st == KB_OK && at < html.len; at = next) {
		size_t end = run_at(html, at, &next);
		size_t room = b->most - b->len;
		bool fits = end - at < room;
		st = kb_buf_add(b, KB_SPAN(html.p + at, fits ? end - at : 0));
		if (!fits)
			return KB_LIMIT;
		if (st == KB_OK && next > end && b->len && b->p[b->len - 1] != ' ')
			st = kb_buf_byte(b, ' ');
	}
	return st;
}

struct kb_span kb_html_charset(struct kb_span html)
{
	struct kb_span top = KB_SPAN(html.p, html.len < SNIFF ? html.len : SNIFF);
	size_t at = kb_span_casefind(top, KB_LIT("charset="));
	if (at == SIZE_MAX)
		return (struct kb_span){0};
	top = kb_span_from(top, at + 8);
	if (top.len && (top.p[0] == '"' || top.p[0] == '\''))
		top = kb_span_from(top, 1);
	size_t n = 0;
	while (n < top.len && (letter(top.p[n]) || (top.p[n] >= '0' && top.p[n] <= '9') || top.p[n] == '-' || top.p[n] == '_'))
		n++;
	return KB_SPAN(top.p, n);
}
