/* roster: its words, its signature, and where a verdict is referred to. See roster.h. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "plain.h"
#include "roster_internal.h"

/* clang-format off */
static const char *const roles[KB_ROLE_COUNT] = {
	[KB_ROLE_NONE] = NULL, /* no roster says it */
	[KB_ROLE_COORDINATOR] = "coordinator", [KB_ROLE_SUPERVISOR] = "supervisor", [KB_ROLE_CUSTODIAN] = "custodian",
	[KB_ROLE_CLERK] = "clerk", [KB_ROLE_AUDITOR] = "auditor", [KB_ROLE_ANALYST] = "analyst",
};
/* clang-format on */

const char *kb_role_name(unsigned role)
{
	return role < KB_LEN(roles) ? roles[role] : NULL;
}

int kb_role_find(struct kb_span name)
{
	for (size_t i = 0; i < KB_LEN(roles); i++)
		if (roles[i] && kb_span_eq(kb_span_str(roles[i]), name))
			return (int)i;
	return -1;
}

static const char *flag_name(unsigned i)
{
	return kb_flag_name(1u << i);
}

enum { FLAGS = 7 };
_Static_assert((1u << FLAGS) - 1 == KB_FLAG_ALL, "every flag has a bit here");
_Static_assert(KB_CLASS_COUNT <= 32 && KB_CAT_COUNT <= 64, "a route's bit sets hold every class and category");

const struct kb_roster_names kb_roster_classes = {kb_class_name, KB_CLASS_COUNT};
const struct kb_roster_names kb_roster_categories = {kb_category_name, KB_CAT_COUNT};
const struct kb_roster_names kb_roster_flags = {flag_name, FLAGS};

bool kb_roster_id_fine(struct kb_span id)
{
	if (!id.len || id.len > 15 || id.p[0] < 'a' || id.p[0] > 'z')
		return false;
	for (size_t i = 1; i < id.len; i++) {
		uint8_t c = id.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

bool kb_roster_name_fine(struct kb_span name)
{
	return name.len && name.len < sizeof(((struct kb_person *)0)->name) && kb_plain_words(name);
}

bool kb_roster_address_fine(struct kb_span a)
{
	size_t at = kb_span_find(a, KB_LIT("@"));
	if (a.len > 254 || at == SIZE_MAX || at == 0 || at + 1 == a.len || !kb_plain_text(a))
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (i != at && strchr(" ()<>[]:;@\\,\"", a.p[i]))
			return false;
	return true;
}

int kb_roster_person(const struct kb_roster *r, struct kb_span id)
{
	for (size_t i = 0; i < r->persons; i++)
		if (kb_span_eq(kb_span_str(r->person[i].id), id))
			return (int)i;
	return -1;
}

/* Who is in doubt is referred as if accused; what could not be read is in doubt, whatever else it seems to be. */
static uint32_t classes_of(const struct kb_verdict *v)
{
	static const uint32_t doubt = 1u << KB_CLASS_REVIEW | 1u << KB_CLASS_ALLEGATION;
	uint32_t own = v->class_ < KB_CLASS_COUNT ? 1u << v->class_ : 0;
	if (v->class_ == KB_CLASS_REVIEW || ((v->flags & KB_FLAG_UNREADABLE) && v->class_ != KB_CLASS_ALLEGATION))
		own |= doubt;
	return own;
}

static bool fires(const struct kb_route *route, const struct kb_verdict *v, uint32_t classes)
{
	if (route->classes && !(route->classes & classes))
		return false;
	if (route->flags && !(route->flags & v->flags))
		return false;
	return !route->categories || (v->category < KB_CAT_COUNT && (route->categories >> v->category & 1));
}

uint32_t kb_roster_routes(const struct kb_roster *r, const struct kb_verdict *v)
{
	uint32_t to = 0, classes = classes_of(v);
	for (size_t i = 0; i < r->routes; i++)
		if (r->route[i].destination < r->destinations && fires(&r->route[i], v, classes))
			to |= UINT32_C(1) << r->route[i].destination;
	if (!to && r->destinations && (classes & 1u << KB_CLASS_ALLEGATION))
		to = 1;
	return to;
}

static enum kb_status follows(struct kb_diag *d, const struct kb_roster *before, const struct kb_roster *r)
{
	if (!before)
		return r->version == 1 ? KB_OK : KB_FAIL(d, KB_SEQUENCE, 0, "a chain of rosters begins with version 1");
	if (r->version - 1 != before->version || memcmp(r->previous, before->hash, sizeof(r->previous)) != 0)
		return KB_FAIL(d, KB_SEQUENCE, 0, "the roster does not follow the one before it");
	if (!kb_id_eq(&r->store, &before->store))
		return KB_FAIL(d, KB_SEQUENCE, 0, "the roster is of another store");
	if (r->epoch < before->epoch || r->created_s < before->created_s)
		return KB_FAIL(d, KB_SEQUENCE, 0, "the roster's epoch or date lies before that of the one before it");
	return KB_OK;
}

enum kb_status kb_roster_verify(struct kb_diag *d, struct kb_span text, struct kb_span sig,
    const struct kb_minisign_public *office, const struct kb_roster *before, struct kb_roster *ret_r)
{
	uint8_t prehash[64];
	struct kb_span trusted;
	/* The limit comes before the hash: what nobody signed costs little. */
	if (text.len > KB_ROSTER_TEXT_MOST)
		return KB_FAIL(d, KB_LIMIT, 0, "the roster is too long");
	kb_minisign_prehash(text, prehash);
	enum kb_status st = kb_minisign_verify(d, office, prehash, sig, &trusted);
	if (st != KB_OK)
		return st;
	struct kb_roster *r = malloc(sizeof(*r));
	if (!r)
		abort();
	st = kb_roster_parse(d, text, r);
	if (st == KB_OK)
		st = follows(d, before, r);
	if (st == KB_OK)
		*ret_r = *r;
	free(r);
	return st;
}
