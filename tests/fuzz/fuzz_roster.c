/*
 * fuzz roster: any text as a roster. Properties: what reads is written again octet for octet; every index in it is within its
 * table; a verdict goes only to destinations that there are, and an allegation to one at least.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/roster.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_routes(const struct kb_roster *r)
{
	struct kb_verdict v;
	memset(&v, 0, sizeof(v));
	for (unsigned class_ = 0; class_ <= KB_CLASS_COUNT; class_++) {
		for (unsigned category = 0; category <= KB_CAT_COUNT; category++) {
			v.class_ = (uint8_t)class_;
			v.category = (uint8_t)category;
			v.flags = category & KB_FLAG_ALL;
			uint32_t to = kb_roster_routes(r, &v);
			assert(r->destinations == 32 || to >> r->destinations == 0);
			if (class_ == KB_CLASS_ALLEGATION || class_ == KB_CLASS_REVIEW)
				assert(to || !r->destinations);
		}
	}
}

static void check(const struct kb_roster *r, struct kb_span text)
{
	struct kb_buf again;
	kb_buf_init(&again, KB_ROSTER_TEXT_MOST);
	assert(kb_roster_format(r, &again) == KB_OK);
	assert(kb_span_eq(kb_buf_span(&again), text));
	kb_buf_release(&again);
	assert(r->version && r->epoch && r->persons <= KB_PERSONS_MOST && r->custodians <= KB_CUSTODIANS_MOST);
	assert(r->destinations <= KB_DESTINATIONS_MOST && r->routes <= KB_ROUTES_MOST);
	for (size_t i = 0; i < r->persons; i++) {
		assert(kb_roster_person(r, kb_span_str(r->person[i].id)) == (int)i);
		assert(kb_role_name(r->person[i].role) && kb_utf8_valid(kb_span_str(r->person[i].name)));
	}
	for (size_t i = 0; i < r->destinations; i++)
		assert(r->destination[i].n >= 1 && r->destination[i].n <= KB_DESTINATION_KEYS_MOST);
	for (size_t i = 0; i < r->routes; i++)
		assert(r->route[i].destination < r->destinations);
	check_routes(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kb_roster r;
	struct kb_diag d = {0};
	if (sodium_init() < 0)
		abort();
	enum kb_status st = kb_roster_parse(&d, KB_SPAN(data, size), &r);
	assert(st == KB_OK || st == KB_MALFORMED || st == KB_LIMIT || st == KB_UNSUPPORTED);
	assert((st == KB_OK) == (d.what == NULL) && d.offset <= size + 1);
	if (st == KB_OK)
		check(&r, KB_SPAN(data, size));
	return 0;
}
