/* address: see kitebox/address.h. */
#include <kitebox/address.h>

enum { LOCAL_MOST = 64, DOMAIN_MOST = 255, LABEL_MOST = 63 };

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 5322 3.2.3 */
static bool is_atext(uint8_t c)
{
	return is_alnum(c) || kb_span_find(KB_LIT("!#$%&'*+-/=?^_`{|}~"), KB_SPAN(&c, 1)) != SIZE_MAX;
}

/* Dot-string = Atom *("." Atom) */
static bool is_local(struct kb_span s)
{
	bool atom = false;

	if (s.len > LOCAL_MOST)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.' ? !atom : !is_atext(s.p[i]))
			return false;
		atom = s.p[i] != '.';
	}
	return atom;
}

/* sub-domain *("." sub-domain): letters, digits and hyphens, which neither begin nor end a label */
static bool is_domain(struct kb_span s)
{
	size_t label = 0;

	if (s.len > DOMAIN_MOST)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool end = s.p[i] == '.' || i + 1 == s.len;

		if (s.p[i] != '.') {
			label++;
			if (!is_alnum(s.p[i]) && (s.p[i] != '-' || label == 1 || end || s.p[i + 1] == '.'))
				return false;
		}
		if (label > LABEL_MOST || (s.p[i] == '.' && (label == 0 || i + 1 == s.len)))
			return false;
		if (s.p[i] == '.')
			label = 0;
	}
	return s.len > 0;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static bool is_literal(struct kb_span s)
{
	if (s.len < 3 || s.len > 64 || s.p[0] != '[' || s.p[s.len - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != ':' && s.p[i] != '-')
			return false;
	return true;
}

bool kb_helo_ok(struct kb_span name)
{
	return is_domain(name) || is_literal(name);
}

bool kb_address_ok(struct kb_span address)
{
	size_t at = kb_span_find(address, KB_LIT("@"));

	return at != SIZE_MAX && is_local(KB_SPAN(address.p, at)) && kb_helo_ok(kb_span_from(address, at + 1));
}
