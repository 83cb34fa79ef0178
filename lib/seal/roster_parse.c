/*
 * roster_parse: the text of a roster, strictly. See roster_internal.h for the grammar.
 *
 * The table is the grammar's order: a line belongs to the row it is at, or to a later one whose skipped rows may all be absent.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "plain.h"
#include "roster_internal.h"

/* The words after a line's first one, taken from the left. */
struct words {
	struct kb_span rest;
	bool more;
};

typedef enum kb_status take_fn(struct kb_roster *r, struct words *w);

/* The next word: not empty, and one space before it. Empty when there is none. */
static struct kb_span word(struct words *w)
{
	if (!w->more)
		return KB_SPAN(NULL, 0);
	size_t space = kb_span_find(w->rest, KB_LIT(" "));
	struct kb_span s = KB_SPAN(w->rest.p, space == SIZE_MAX ? w->rest.len : space);
	w->more = space != SIZE_MAX;
	w->rest = kb_span_from(w->rest, s.len + 1);
	return s;
}

static enum kb_status number(struct words *w, uint32_t *ret)
{
	uint64_t v;
	if (!kb_plain_number(word(w), UINT32_MAX, &v) || !v)
		return KB_MALFORMED;
	*ret = (uint32_t)v;
	return KB_OK;
}

static enum kb_status take_format(struct kb_roster *r, struct words *w)
{
	(void)r;
	return kb_span_eq(word(w), KB_LIT("1")) ? KB_OK : KB_UNSUPPORTED;
}

static enum kb_status take_store(struct kb_roster *r, struct words *w)
{
	return kb_id_parse(word(w), &r->store);
}

static enum kb_status take_version(struct kb_roster *r, struct words *w)
{
	return number(w, &r->version);
}

static enum kb_status take_previous(struct kb_roster *r, struct words *w)
{
	if (!kb_plain_hex(word(w), r->previous, sizeof(r->previous)))
		return KB_MALFORMED;
	return sodium_is_zero(r->previous, sizeof(r->previous)) == (r->version == 1) ? KB_OK : KB_MALFORMED;
}

static enum kb_status take_created(struct kb_roster *r, struct words *w)
{
	return kb_time_parse(word(w), &r->created_s);
}

static enum kb_status take_epoch(struct kb_roster *r, struct words *w)
{
	enum kb_status st = number(w, &r->epoch);
	return st == KB_OK ? kb_recipient_parse(word(w), &r->desk) : st;
}

/* A file of two lines, which minisign's parser takes as well, is never one word. */
static enum kb_status take_referral_key(struct kb_roster *r, struct words *w)
{
	return kb_minisign_public_parse(NULL, word(w), &r->referral);
}

static enum kb_status take_recovery(struct kb_roster *r, struct words *w)
{
	return kb_recipient_parse(word(w), &r->recovery);
}

static enum kb_status take_person(struct kb_roster *r, struct words *w)
{
	struct kb_person p = {0};
	struct kb_span id = word(w);
	int role = kb_role_find(word(w));
	if (r->persons == KB_PERSONS_MOST)
		return KB_LIMIT;
	if (!kb_roster_id_fine(id) || kb_roster_person(r, id) >= 0 || role < 0)
		return KB_MALFORMED;
	kb_field_set(p.id, sizeof(p.id), id);
	p.role = (uint8_t)role;
	enum kb_status st = kb_recipient_parse(word(w), &p.recipient);
	if (st != KB_OK)
		return st;
	if (!kb_plain_hex(word(w), p.sign_public, sizeof(p.sign_public)) || !w->more || !kb_roster_name_fine(w->rest))
		return KB_MALFORMED;
	kb_field_set(p.name, sizeof(p.name), w->rest);
	w->more = false;
	r->person[r->persons++] = p;
	return KB_OK;
}

static enum kb_status take_custodian(struct kb_roster *r, struct words *w)
{
	if (r->custodians == KB_CUSTODIANS_MOST)
		return KB_LIMIT;
	return kb_recipient_parse(word(w), &r->custodian[r->custodians++]);
}

static int find_destination(const struct kb_roster *r, struct kb_span id)
{
	for (size_t i = 0; i < r->destinations; i++)
		if (kb_span_eq(kb_span_str(r->destination[i].id), id))
			return (int)i;
	return -1;
}

static enum kb_status take_destination(struct kb_roster *r, struct words *w)
{
	struct kb_destination to = {0};
	struct kb_span id = word(w), address = word(w);
	enum kb_status st = KB_OK;
	if (r->destinations == KB_DESTINATIONS_MOST)
		return KB_LIMIT;
	if (!kb_roster_id_fine(id) || find_destination(r, id) >= 0 || !kb_roster_address_fine(address))
		return KB_MALFORMED;
	kb_field_set(to.id, sizeof(to.id), id);
	kb_field_set(to.address, sizeof(to.address), address);
	while (st == KB_OK && w->more) {
		if (to.n == KB_DESTINATION_KEYS_MOST)
			return KB_LIMIT;
		st = kb_recipient_parse(word(w), &to.recipient[to.n++]);
	}
	if (st != KB_OK || !to.n)
		return KB_MALFORMED;
	r->destination[r->destinations++] = to;
	return KB_OK;
}

/* Names with commas between them, each later in its enum than the one before; "-" for none. */
static bool take_names(struct kb_span s, const struct kb_roster_names *names, uint64_t *ret_bits)
{
	uint64_t bits = 0;
	unsigned i = 0;
	if (kb_span_eq(s, KB_LIT("-"))) {
		*ret_bits = 0;
		return true;
	}
	for (bool more = true; more;) {
		size_t comma = kb_span_find(s, KB_LIT(","));
		struct kb_span one = KB_SPAN(s.p, comma == SIZE_MAX ? s.len : comma);
		while (i < names->n && !kb_span_eq(kb_span_str(names->name(i)), one))
			i++;
		if (i == names->n)
			return false;
		bits |= UINT64_C(1) << i++;
		more = comma != SIZE_MAX;
		s = kb_span_from(s, one.len + 1);
	}
	*ret_bits = bits;
	return true;
}

static enum kb_status take_route(struct kb_roster *r, struct words *w)
{
	uint64_t classes, flags, categories;
	if (r->routes == KB_ROUTES_MOST)
		return KB_LIMIT;
	if (!take_names(word(w), &kb_roster_classes, &classes) || !take_names(word(w), &kb_roster_categories, &categories) ||
	    !take_names(word(w), &kb_roster_flags, &flags))
		return KB_MALFORMED;
	int to = find_destination(r, word(w));
	if (to < 0 || !(classes | categories | flags))
		return KB_MALFORMED;
	r->route[r->routes++] = (struct kb_route){
	    .classes = (uint32_t)classes, .flags = (uint32_t)flags, .categories = categories, .destination = (uint8_t)to};
	return KB_OK;
}

static enum kb_status take_end(struct kb_roster *r, struct words *w)
{
	(void)r;
	(void)w;
	return KB_OK;
}

/* clang-format off */
static const struct row {
	const char *keyword;
	bool many; /* may be absent, or repeated up to the handler's limit; else exactly once */
	take_fn *take;
} rows[] = {
	{ "kitebox-roster", false, take_format },
	{ "store",          false, take_store },
	{ "version",        false, take_version },
	{ "previous",       false, take_previous },
	{ "created",        false, take_created },
	{ "epoch",          false, take_epoch },
	{ "referral-key",   false, take_referral_key },
	{ "recovery",       false, take_recovery },
	{ "person",         true,  take_person },
	{ "custodian",      true,  take_custodian },
	{ "destination",    true,  take_destination },
	{ "route",          true,  take_route },
	{ "end",            false, take_end },
};
/* clang-format on */

/* The row that a line with this first word belongs to, from *row on; past the end when none may follow here. */
static size_t seek(size_t row, struct kb_span keyword)
{
	while (row < KB_LEN(rows) && !kb_span_eq(kb_span_str(rows[row].keyword), keyword)) {
		if (!rows[row].many)
			return KB_LEN(rows);
		row++;
	}
	return row;
}

static enum kb_status parse(struct kb_diag *d, struct kb_span text, struct kb_roster *r)
{
	size_t row = 0, lf;
	for (size_t line = 1; text.len; line++) {
		if ((lf = kb_span_find(text, KB_LIT("\n"))) == SIZE_MAX)
			return KB_FAIL(d, KB_MALFORMED, line, "the roster's last line has no end");
		struct words w = {.rest = KB_SPAN(text.p, lf), .more = true};
		row = seek(row, word(&w));
		if (row == KB_LEN(rows))
			return KB_FAIL(d, KB_MALFORMED, line, "the roster has an unknown or misplaced line");
		enum kb_status st = rows[row].take(r, &w);
		if (st != KB_OK)
			return KB_FAIL(d, st, line, "a line of the roster does not read");
		if (w.more)
			return KB_FAIL(d, KB_MALFORMED, line, "a line of the roster is too long");
		row += !rows[row].many;
		text = kb_span_from(text, lf + 1);
	}
	return row == KB_LEN(rows) ? KB_OK : KB_FAIL(d, KB_MALFORMED, 0, "the roster has no end");
}

enum kb_status kb_roster_parse(struct kb_diag *d, struct kb_span text, struct kb_roster *ret_r)
{
	if (text.len > KB_ROSTER_TEXT_MOST)
		return KB_FAIL(d, KB_LIMIT, 0, "the roster is too long");
	struct kb_roster *r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	enum kb_status st = parse(d, text, r);
	if (st == KB_OK) {
		(void)crypto_generichash(r->hash, sizeof(r->hash), text.p, text.len, NULL, 0);
		*ret_r = *r;
	}
	free(r);
	return st;
}
