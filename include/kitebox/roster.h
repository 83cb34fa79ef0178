/*
 * roster: who may read what: an append-only chain of texts, each signed by the office key.
 *
 * One version is a text of lines (grammar in docs/FORMATS.md) and a detached minisign signature over it. Version n+1 names
 * the BLAKE2b-256 of version n's text. Parsing is strict: what is not known is refused, so that a newer roster is never
 * half understood.
 *
 * Errors:    KB_MALFORMED with the line number as offset; KB_FORGED bad signature; KB_SEQUENCE wrong version or chain;
 *            KB_LIMIT too many rows; KB_UNSUPPORTED another version of the format; those of minisign.h and age.h for keys.
 * Not here:  where the chain is stored (store.h), who may append (the vault).
 */
#ifndef KITEBOX_ROSTER_H
#define KITEBOX_ROSTER_H

#include <kitebox/age.h>
#include <kitebox/id.h>
#include <kitebox/minisign.h>
#include <kitebox/verdict.h>

enum {
	KB_PERSONS_MOST = 63, /* bit i of kb_verdict.named and of `entitled` is person i; see KB_ENTITLED_NOBODY */
	KB_CUSTODIANS_MOST = 8,
	KB_DESTINATIONS_MOST = 8,
	KB_DESTINATION_KEYS_MOST = 4,
	KB_ROUTES_MOST = 64,
	KB_ROSTER_TEXT_MOST = 65536,
};

/* Bit 63 of `entitled`: the case names everybody at the desk, and only investigators and recovery can open it. */
#define KB_ENTITLED_NOBODY (UINT64_C(1) << 63)

enum kb_role { KB_ROLE_NONE = 0, KB_ROLE_COORDINATOR, KB_ROLE_SUPERVISOR, KB_ROLE_CUSTODIAN, KB_ROLE_CLERK, KB_ROLE_AUDITOR, KB_ROLE_ANALYST, KB_ROLE_COUNT };
const char *kb_role_name(unsigned role);
int kb_role_find(struct kb_span name);

struct kb_person {
	char id[16];   /* [a-z][a-z0-9-]{0,14} */
	char name[64]; /* display name, UTF-8 */
	uint8_t role;
	struct kb_recipient recipient;
	uint8_t sign_public[32];
};

struct kb_destination {
	char id[16];
	char address[256]; /* where referrals are sent */
	struct kb_recipient recipient[KB_DESTINATION_KEYS_MOST];
	size_t n;
};

/* A message goes to `destination` when, if `classes` is not 0, its class is in it and, if `flags` is not 0, one of those flags is
 * set and, if `categories` is not 0, its category is in it (bit = 1 << enum). All matching routes fire. A route with none of the
 * three would send everything: it is refused. */
struct kb_route {
	uint32_t classes, flags;
	uint64_t categories;
	uint8_t destination; /* index */
};

struct kb_roster {
	uint32_t version;
	struct kb_id store;
	uint8_t previous[32]; /* BLAKE2b-256 of the version before; zero for version 1 */
	uint8_t hash[32];     /* BLAKE2b-256 of this text */
	uint64_t created_s;
	uint32_t epoch;
	struct kb_recipient desk; /* public half of that epoch */
	struct kb_minisign_public referral;
	struct kb_recipient recovery;
	struct kb_person person[KB_PERSONS_MOST];
	size_t persons;
	struct kb_recipient custodian[KB_CUSTODIANS_MOST];
	size_t custodians;
	struct kb_destination destination[KB_DESTINATIONS_MOST];
	size_t destinations;
	struct kb_route route[KB_ROUTES_MOST];
	size_t routes;
};

/* Appends the canonical text; parse(format(r)) gives r back, and format(parse(t)) gives t. */
KB_MUST_USE enum kb_status kb_roster_format(const struct kb_roster *r, struct kb_buf *ret_text);
KB_MUST_USE enum kb_status kb_roster_parse(struct kb_diag *d, struct kb_span text, struct kb_roster *ret_r);
/* Parses and verifies text under the office key. before is the version just before; NULL when this must be version 1. */
KB_MUST_USE enum kb_status kb_roster_verify(struct kb_diag *d, struct kb_span text, struct kb_span sig,
    const struct kb_minisign_public *office, const struct kb_roster *before, struct kb_roster *ret_r);

/* Verifies a whole chain from version 1: a bundle whose items are roster.1, roster.1.minisig, roster.2, ... and nothing else.
 * *ret_r is the newest. KB_NOTFOUND for an empty chain. */
KB_MUST_USE enum kb_status kb_roster_chain_verify(struct kb_diag *d, struct kb_span bundle, const struct kb_minisign_public *office,
    struct kb_roster *ret_r);

/* Bit set of destinations that a verdict is referred to. Review, and an unreadable message of any class, also count as
 * allegation (held). An allegation, review or unreadable message that no route takes goes to destination 0: it is never left
 * out. 0 when the roster has no destination: the caller must take no message then. */
uint32_t kb_roster_routes(const struct kb_roster *r, const struct kb_verdict *v);
/* Index of the person with this id, or -1. */
int kb_roster_person(const struct kb_roster *r, struct kb_span id);

/* The office bundle that `kite setup` writes and the vault imports once: see docs/FORMATS.md.
 * lines "kitebox-office-bundle 1", then sections "--- NAME LENGTH\n" + that many octets + "\n", in this order:
 * office.pub, roster.1, roster.1.minisig, then any number of grant.<epoch>.<person-id>  (age files). */
struct kb_bundle_item {
	struct kb_span name, body;
};
/* Into an empty buffer the first line goes too. name is 1 to 64 of [A-Za-z0-9.-]; on failure *b is as it was. */
KB_MUST_USE enum kb_status kb_bundle_add(struct kb_buf *b, const char *name, struct kb_span body);
/* Iterates: *rest starts as the whole file; KB_NOTFOUND at the end. A file without any item is an end too. */
KB_MUST_USE enum kb_status kb_bundle_next(struct kb_span *rest, struct kb_bundle_item *ret_item);

#endif
