/*
 * path: the addresses of MAIL and RCPT.
 *
 *	Path          = "<" [ A-d-l ":" ] Mailbox ">" / "<>" / "<Postmaster>"      RFC 5321 4.1.2, 4.1.1.3
 *	A-d-l         = "@" Domain *( "," "@" Domain )
 *	Mailbox       = Local-part "@" ( Domain / address-literal )
 *	Local-part    = Atom *("." Atom) / DQUOTE *( qtext / "\" %d32-126 ) DQUOTE
 *	Domain        = sub-domain *("." sub-domain)
 *
 * with octets of UTF-8 wherever a letter may stand (RFC 6531 3.3); whether they may is the transaction's to say.
 */
#include <string.h>

#include "internal.h"

enum { PATH_MOST = 256, DOMAIN_MOST = 255, LABEL_MOST = 63 };

static bool is_letter_or_digit(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
}

/* RFC 5322 3.2.3 */
static bool is_atext(uint8_t c)
{
	return is_letter_or_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_in_domain(uint8_t c)
{
	return is_letter_or_digit(c) || c == '-' || c == '_';
}

static bool is_in_literal(uint8_t c)
{
	return c < 0x80 && (is_letter_or_digit(c) || c == '.' || c == ':' || c == '-');
}

static bool take(struct kb_span *rest, uint8_t c)
{
	if (!rest->len || rest->p[0] != c)
		return false;
	*rest = kb_span_from(*rest, 1);
	return true;
}

/* How many octets of that kind stand at the front; they are taken. */
static size_t take_run(struct kb_span *rest, bool (*is)(uint8_t c))
{
	size_t n = 0;
	while (n < rest->len && is(rest->p[n]))
		n++;
	*rest = kb_span_from(*rest, n);
	return n;
}

static bool take_domain(struct kb_span *rest, struct kb_span *ret_domain)
{
	const uint8_t *start = rest->p;
	do {
		size_t label = take_run(rest, is_in_domain);
		if (!label || label > LABEL_MOST)
			return false;
	} while (take(rest, '.'));
	*ret_domain = KB_SPAN(start, (size_t)(rest->p - start));
	return ret_domain->len <= DOMAIN_MOST;
}

static bool take_literal(struct kb_span *rest, struct kb_span *ret_domain)
{
	const uint8_t *start = rest->p;
	if (!take(rest, '[') || !take_run(rest, is_in_literal) || !take(rest, ']'))
		return false;
	*ret_domain = KB_SPAN(start, (size_t)(rest->p - start));
	return ret_domain->len <= DOMAIN_MOST;
}

static bool take_quoted(struct kb_span *rest)
{
	if (!take(rest, '"'))
		return false;
	while (!take(rest, '"')) {
		bool escaped = take(rest, '\\');
		if (!rest->len || rest->p[0] < ' ' || rest->p[0] == 0x7F || (escaped && rest->p[0] >= 0x80))
			return false;
		*rest = kb_span_from(*rest, 1);
	}
	return true;
}

static bool take_local(struct kb_span *rest, struct kb_span *ret_local)
{
	const uint8_t *start = rest->p;
	if (rest->len && rest->p[0] == '"') {
		if (!take_quoted(rest))
			return false;
	} else {
		do
			if (!take_run(rest, is_atext))
				return false;
		while (take(rest, '.'));
	}
	*ret_local = KB_SPAN(start, (size_t)(rest->p - start));
	return true;
}

/* "@hosta,@hostb:" is well-formed or not, and says nothing. */
static bool take_route(struct kb_span *rest)
{
	struct kb_span host;
	if (!rest->len || rest->p[0] != '@')
		return true;
	do
		if (!take(rest, '@') || !take_domain(rest, &host))
			return false;
	while (take(rest, ','));
	return take(rest, ':');
}

static bool take_mailbox(struct kb_span *rest, struct kb_smtp_path *p)
{
	const uint8_t *start = rest->p;
	if (!take_local(rest, &p->local))
		return false;
	if (take(rest, '@')) {
		bool literal = rest->len && rest->p[0] == '[';
		if (!(literal ? take_literal : take_domain)(rest, &p->domain))
			return false;
	} else if (!kb_span_caseeq(p->local, KB_LIT("postmaster"))) {
		return false;
	}
	p->mailbox = KB_SPAN(start, (size_t)(rest->p - start));
	return true;
}

static bool has_utf8(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 0x80)
			return true;
	return false;
}

bool kb_smtp_path(struct kb_span *rest, struct kb_smtp_path *ret_p)
{
	struct kb_smtp_path p = {0};
	struct kb_span in = *rest;
	if (!take(&in, '<'))
		return false;
	bool null = in.len && in.p[0] == '>';
	if (!null && (!take_route(&in) || !take_mailbox(&in, &p)))
		return false;
	if (!take(&in, '>') || rest->len - in.len > PATH_MOST || !kb_utf8_valid(p.mailbox))
		return false;
	p.utf8 = has_utf8(p.mailbox);
	*ret_p = p;
	*rest = in;
	return true;
}

/* "a\ b"@ is the same mailbox as "a b"@, and "a"@ the same as a@. */
static struct kb_span unquoted(struct kb_span local, uint8_t room[static PATH_MOST])
{
	size_t n = 0;
	if (!local.len || local.p[0] != '"')
		return local;
	for (size_t i = 1; i + 1 < local.len; i++) {
		i += local.p[i] == '\\';
		room[n++] = local.p[i];
	}
	return KB_SPAN(room, n);
}

static bool split(const char *address, struct kb_span *ret_local, struct kb_span *ret_domain)
{
	const char *at = strrchr(address, '@');
	if (!at)
		return false;
	*ret_local = KB_SPAN(address, (size_t)(at - address));
	*ret_domain = kb_span_str(at + 1);
	return true;
}

uint32_t kb_smtp_mailbox(const struct kb_settings *settings, const struct kb_smtp_path *p)
{
	uint8_t room[PATH_MOST];
	struct kb_span mine = unquoted(p->local, room), local, domain;
	bool ours = !p->domain.len || kb_span_caseeq(p->domain, kb_span_str(settings->hostname));
	if (!mine.len)
		return 0;
	for (uint32_t i = 0; i < settings->mailboxes && i < KB_MAILBOXES_MOST; i++) {
		if (!split(settings->mailbox[i].address, &local, &domain) || !kb_span_caseeq(domain, p->domain))
			continue;
		ours = true;
		if (kb_span_caseeq(local, mine))
			return UINT32_C(1) << i;
	}
	/* RFC 5321 4.5.1: the postmaster of each domain that is ours, and of none, is there. */
	return ours && settings->mailboxes && kb_span_caseeq(mine, KB_LIT("postmaster")) ? 1 : 0;
}
