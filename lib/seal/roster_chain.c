/*
 * roster_chain: a chain of rosters is believed from its first version on or not at all. See roster.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include <kitebox/roster.h>

static bool named(const struct kb_bundle_item *item, uint32_t version, const char *suffix)
{
	char name[48];
	(void)snprintf(name, sizeof(name), "roster.%u%s", (unsigned)version, suffix);
	return kb_span_eq(item->name, kb_span_str(name));
}

static enum kb_status walk(struct kb_diag *d, struct kb_span bundle, const struct kb_minisign_public *office,
    struct kb_roster turn[static 2], uint32_t *ret_n)
{
	struct kb_bundle_item text, sig;
	uint32_t n = 0;
	enum kb_status st;
	while ((st = kb_bundle_next(&bundle, &text)) == KB_OK) {
		if (!named(&text, n + 1, "") || kb_bundle_next(&bundle, &sig) != KB_OK || !named(&sig, n + 1, ".minisig"))
			return KB_FAIL(d, KB_SEQUENCE, n + 1, "a version of the roster, or its signature, is missing from the chain");
		st = kb_roster_verify(d, text.body, sig.body, office, n ? &turn[n % 2] : NULL, &turn[(n + 1) % 2]);
		if (st != KB_OK)
			return st;
		n++;
	}
	if (st != KB_NOTFOUND)
		return KB_FAIL(d, st, n, "the chain of rosters is malformed");
	if (!n)
		return KB_FAIL(d, KB_NOTFOUND, 0, "there is no roster");
	*ret_n = n;
	return KB_OK;
}

enum kb_status kb_roster_chain_verify(struct kb_diag *d, struct kb_span bundle, const struct kb_minisign_public *office,
    struct kb_roster *ret_r)
{
	uint32_t n = 0;
	struct kb_roster *turn = calloc(2, sizeof(*turn));
	if (!turn)
		abort();
	enum kb_status st = walk(d, bundle, office, turn, &n);
	if (st == KB_OK)
		*ret_r = turn[n % 2];
	free(turn);
	return st;
}
