/*
 * roster_format: the one text of a roster. See roster_internal.h for the grammar.
 *
 * What was written is read again before it is returned: so whatever the struct held, a text that comes out of here parses.
 */
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "roster_internal.h"

static enum kb_status add_recipient(struct kb_buf *b, const struct kb_recipient *r)
{
	char text[KB_RECIPIENT_TEXT];
	kb_recipient_format(r, text);
	return kb_buf_printf(b, " %s", text);
}

static enum kb_status add_field(struct kb_buf *b, const char *field, size_t n)
{
	struct kb_span s;
	enum kb_status st = kb_field_get(field, n, &s);
	if (st == KB_OK)
		st = kb_buf_byte(b, ' ');
	return st == KB_OK ? kb_buf_add(b, s) : st;
}

static enum kb_status add_line_end(struct kb_buf *b, enum kb_status st)
{
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

static enum kb_status format_head(const struct kb_roster *r, struct kb_buf *b)
{
	char store[KB_ID_TEXT], when[KB_TIME_TEXT], key[KB_MINISIGN_PUBLIC_TEXT];
	kb_id_format(&r->store, store);
	kb_time_format(r->created_s, when);
	kb_minisign_public_format(&r->referral, key);
	enum kb_status st = kb_buf_printf(b, "kitebox-roster 1\nstore %s\nversion %u\nprevious ", store, (unsigned)r->version);
	if (st == KB_OK)
		st = kb_plain_hex_add(b, r->previous, sizeof(r->previous));
	if (st == KB_OK)
		st = kb_buf_printf(b, "\ncreated %s\nepoch %u", when, (unsigned)r->epoch);
	if (st == KB_OK)
		st = add_recipient(b, &r->desk);
	if (st == KB_OK)
		st = kb_buf_printf(b, "\nreferral-key %s\nrecovery", key);
	if (st == KB_OK)
		st = add_recipient(b, &r->recovery);
	return add_line_end(b, st);
}

static enum kb_status format_person(const struct kb_person *p, struct kb_buf *b)
{
	const char *role = kb_role_name(p->role);
	enum kb_status st = role ? kb_buf_str(b, "person") : KB_MALFORMED;
	if (st == KB_OK)
		st = add_field(b, p->id, sizeof(p->id));
	if (st == KB_OK)
		st = kb_buf_printf(b, " %s", role);
	if (st == KB_OK)
		st = add_recipient(b, &p->recipient);
	if (st == KB_OK)
		st = kb_buf_byte(b, ' ');
	if (st == KB_OK)
		st = kb_plain_hex_add(b, p->sign_public, sizeof(p->sign_public));
	if (st == KB_OK)
		st = add_field(b, p->name, sizeof(p->name));
	return add_line_end(b, st);
}

static enum kb_status format_destination(const struct kb_destination *to, struct kb_buf *b)
{
	enum kb_status st = to->n <= KB_DESTINATION_KEYS_MOST ? kb_buf_str(b, "destination") : KB_LIMIT;
	if (st == KB_OK)
		st = add_field(b, to->id, sizeof(to->id));
	if (st == KB_OK)
		st = add_field(b, to->address, sizeof(to->address));
	for (size_t i = 0; st == KB_OK && i < to->n; i++)
		st = add_recipient(b, &to->recipient[i]);
	return add_line_end(b, st);
}

static enum kb_status add_names(struct kb_buf *b, const struct kb_roster_names *names, uint64_t bits)
{
	enum kb_status st = bits >> names->n ? KB_MALFORMED : kb_buf_byte(b, ' ');
	if (st == KB_OK && !bits)
		return kb_buf_byte(b, '-');
	bool first = true;
	for (unsigned i = 0; st == KB_OK && i < names->n; i++) {
		if (!(bits >> i & 1))
			continue;
		st = kb_buf_printf(b, "%s%s", first ? "" : ",", names->name(i));
		first = false;
	}
	return st;
}

static enum kb_status format_route(const struct kb_roster *r, const struct kb_route *route, struct kb_buf *b)
{
	enum kb_status st = route->destination < r->destinations ? kb_buf_str(b, "route") : KB_MALFORMED;
	if (st == KB_OK)
		st = add_names(b, &kb_roster_classes, route->classes);
	if (st == KB_OK)
		st = add_names(b, &kb_roster_categories, route->categories);
	if (st == KB_OK)
		st = add_names(b, &kb_roster_flags, route->flags);
	if (st == KB_OK)
		st = add_field(b, r->destination[route->destination].id, sizeof(r->destination[0].id));
	return add_line_end(b, st);
}

static enum kb_status format(const struct kb_roster *r, struct kb_buf *b)
{
	if (r->persons > KB_PERSONS_MOST || r->custodians > KB_CUSTODIANS_MOST || r->destinations > KB_DESTINATIONS_MOST ||
	    r->routes > KB_ROUTES_MOST)
		return KB_LIMIT;
	enum kb_status st = format_head(r, b);
	for (size_t i = 0; st == KB_OK && i < r->persons; i++)
		st = format_person(&r->person[i], b);
	for (size_t i = 0; st == KB_OK && i < r->custodians; i++) {
		st = kb_buf_str(b, "custodian");
		if (st == KB_OK)
			st = add_recipient(b, &r->custodian[i]);
		st = add_line_end(b, st);
	}
	for (size_t i = 0; st == KB_OK && i < r->destinations; i++)
		st = format_destination(&r->destination[i], b);
	for (size_t i = 0; st == KB_OK && i < r->routes; i++)
		st = format_route(r, &r->route[i], b);
	return st == KB_OK ? kb_buf_str(b, "end\n") : st;
}

enum kb_status kb_roster_format(const struct kb_roster *r, struct kb_buf *ret_text)
{
	size_t before = ret_text->len;
	enum kb_status st = format(r, ret_text);
	if (st == KB_OK) {
		struct kb_roster *again = malloc(sizeof(*again));
		if (!again)
			abort();
		st = kb_roster_parse(NULL, kb_span_from(kb_buf_span(ret_text), before), again);
		free(again);
	}
	if (st != KB_OK)
		kb_plain_cut(ret_text, before);
	return st;
}
