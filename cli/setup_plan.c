/*
 * setup_plan: the words of `kite setup` as a plan. See setup.h.
 *
 *     person       = ID ":" NAME
 *     destination  = ID ":" ADDRESS *( ":flags=" FLAG *( "," FLAG ) / ":key=" RECIPIENT )
 */
#include <string.h>

#include "setup.h"

enum { WORK_FACTOR = 18, WORK_FACTOR_MOST = 22 };

/* [a-z][a-z0-9-]{0,14}: it becomes the name of a folder. */
static bool id_fine(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool letter = s.p[i] >= 'a' && s.p[i] <= 'z', other = (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-';
		if (!letter && !(i && other))
			return false;
	}
	return s.len >= 1 && s.len <= 15;
}

static bool name_fine(struct kb_span s)
{
	struct kb_buf clean;
	if (!s.len || s.len > 63 || !kb_utf8_valid(s) || !kb_span_eq(kb_span_trim(s), s))
		return false;
	kb_buf_init(&clean, 4096);
	bool same = kb_text_harmless(&clean, s, false) == KB_OK && kb_span_eq(kb_buf_span(&clean), s);
	kb_buf_release(&clean);
	return same;
}

/* Enough to catch a slip: one @ with something on both sides, and no octet that ends a command or a line. */
static bool address_fine(struct kb_span s)
{
	size_t at = kb_span_find(s, KB_LIT("@"));
	if (at == SIZE_MAX || !at || at + 1 >= s.len || s.len > 255)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7F || s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '"' ||
		    (s.p[i] == '@' && i != at))
			return false;
	return true;
}

static enum kb_status add_person(struct kite_plan *p, const char *word, uint8_t role)
{
	struct kb_span all = kb_span_str(word);
	size_t colon = kb_span_find(all, KB_LIT(":"));
	struct kb_span id = KB_SPAN(all.p, colon == SIZE_MAX ? all.len : colon);
	struct kb_span name = colon == SIZE_MAX ? id : kb_span_from(all, colon + 1);
	if (!id_fine(id))
		return kite_fail(KB_MALFORMED, NULL,
		    "%s does not begin with an id; write ID:NAME, the ID of at most 15 letters a-z, digits and dashes",
		    word);
	if (!name_fine(name))
		return kite_fail(KB_MALFORMED, NULL,
		    "the name in %s is not one; write 1 to 63 octets of UTF-8 without control characters", word);
	for (size_t i = 0; i < p->persons; i++)
		if (kb_span_eq(kb_span_str(p->person[i].id), id))
			return kite_fail(KB_MALFORMED, NULL, "two persons have the id %s; give each one of their own",
			    p->person[i].id);
	if (p->persons == KB_PERSONS_MOST)
		return kite_fail(KB_LIMIT, NULL, "%d persons are the most an office can have", KB_PERSONS_MOST);
	kb_field_set(p->person[p->persons].id, sizeof(p->person[0].id), id);
	kb_field_set(p->person[p->persons].name, sizeof(p->person[0].name), name);
	p->person[p->persons++].role = role;
	return KB_OK;
}

static bool parse_flags(struct kb_span text, uint32_t *ret_flags)
{
	uint32_t flags = 0;
	while (text.len) {
		size_t comma = kb_span_find(text, KB_LIT(","));
		unsigned bit = kb_flag_find(KB_SPAN(text.p, comma == SIZE_MAX ? text.len : comma));
		if (!bit)
			return false;
		flags |= bit;
		text = comma == SIZE_MAX ? KB_SPAN(NULL, 0) : kb_span_from(text, comma + 1);
	}
	*ret_flags = flags;
	return flags != 0;
}

/* Takes the last ":KEY=..." off *s; false when there is none. */
static bool take_tail(struct kb_span *s, struct kb_span key, struct kb_span *ret_value)
{
	size_t at = kb_span_find(*s, key);
	if (at == SIZE_MAX)
		return false;
	*ret_value = kb_span_from(*s, at + key.len);
	*s = KB_SPAN(s->p, at);
	return true;
}

static enum kb_status destination_extras(struct kite_plan *p, const char *word, struct kb_span *rest)
{
	struct kb_span flags = KB_SPAN(NULL, 0), key = KB_SPAN(NULL, 0);
	bool has_key = take_tail(rest, KB_LIT(":key="), &key), has_flags = take_tail(rest, KB_LIT(":flags="), &flags);
	if (has_key && !has_flags)
		has_flags = take_tail(&key, KB_LIT(":flags="), &flags);
	if (has_flags && !parse_flags(flags, &p->destination[p->destinations].flags))
		return kite_fail(KB_MALFORMED, NULL,
		    "the flags in %s are not flags of triage; sexual-abuse or urgent-safety, for example", word);
	if (has_key && kb_recipient_parse(key, &p->destination[p->destinations].recipient) != KB_OK)
		return kite_fail(KB_MALFORMED, NULL,
		    "the key in %s is not a recipient; it begins with age1, as age-keygen -y prints it", word);
	p->destination[p->destinations].own_key = has_key;
	return KB_OK;
}

static enum kb_status add_destination(struct kite_plan *p, const char *word)
{
	struct kb_span all = kb_span_str(word);
	size_t colon = kb_span_find(all, KB_LIT(":"));
	if (p->destinations == KB_DESTINATIONS_MOST)
		return kite_fail(KB_LIMIT, NULL, "%d destinations are the most an office can have", KB_DESTINATIONS_MOST);
	struct kb_span id = KB_SPAN(all.p, colon == SIZE_MAX ? all.len : colon);
	struct kb_span rest = colon == SIZE_MAX ? KB_SPAN(NULL, 0) : kb_span_from(all, colon + 1);
	if (!id_fine(id))
		return kite_fail(KB_MALFORMED, NULL,
		    "%s does not begin with an id; write ID:ADDRESS, the ID of at most 15 letters a-z, digits and "
		    "dashes",
		    word);
	for (size_t i = 0; i < p->destinations; i++)
		if (kb_span_eq(kb_span_str(p->destination[i].id), id))
			return kite_fail(KB_MALFORMED, NULL,
			    "two destinations have the id %s; give each one of its own", p->destination[i].id);
	enum kb_status st = destination_extras(p, word, &rest);
	if (st != KB_OK)
		return st;
	if (!address_fine(rest))
		return kite_fail(KB_MALFORMED, NULL, "the address in %s is not an e-mail address", word);
	kb_field_set(p->destination[p->destinations].id, sizeof(p->destination[0].id), id);
	kb_field_set(p->destination[p->destinations].address, sizeof(p->destination[0].address), rest);
	p->destinations++;
	return KB_OK;
}

static enum kb_status each(const struct kite_args *a, const char *option, uint8_t role, struct kite_plan *p)
{
	enum kb_status st = KB_OK;
	const char *word;
	size_t at = 0;
	while (st == KB_OK && (word = kite_args_next(a, option, &at)))
		st = role ? add_person(p, word, role) : add_destination(p, word);
	return st;
}

enum kb_status kite_plan_parse(const struct kite_args *a, struct kite_plan *ret_p)
{
	const char *factor = kite_args_value(a, "work-factor");
	uint64_t n = WORK_FACTOR;
	memset(ret_p, 0, sizeof(*ret_p));
	ret_p->store_host = kite_args_value(a, "store-host");
	ret_p->desk = kite_args_value(a, "desk");
	if (ret_p->store_host && !name_fine(kb_span_str(ret_p->store_host)))
		return kite_fail(KB_MALFORMED, NULL, "%s is not the name of a host", ret_p->store_host);
	if (factor && (kb_span_u64(kb_span_str(factor), WORK_FACTOR_MOST, &n) != KB_OK || n == 0))
		return kite_fail(KB_MALFORMED, NULL, "--work-factor %s is not a number from 1 to %d", factor, WORK_FACTOR_MOST);
	ret_p->work_factor = (unsigned)n;
	enum kb_status st = each(a, "supervisor", KB_ROLE_SUPERVISOR, ret_p);
	if (st == KB_OK)
		st = each(a, "coordinator", KB_ROLE_COORDINATOR, ret_p);
	if (st == KB_OK)
		st = each(a, "destination", KB_ROLE_NONE, ret_p);
	if (st != KB_OK)
		return st;
	if (!ret_p->persons || ret_p->person[0].role != KB_ROLE_SUPERVISOR)
		return kite_fail(KB_MALFORMED, NULL, "an office needs a supervisor; name one with --supervisor ID:NAME");
	if (!ret_p->destinations)
		return kite_fail(KB_MALFORMED, NULL,
		    "an office needs somebody to refer allegations to; name them with --destination ID:ADDRESS");
	return KB_OK;
}
