/* rosterfix: see rosterfix.h. */
#include "kbtest.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "rosterfix.h"

static void fill(struct kb_recipient *r, uint8_t octet)
{
	memset(r->x25519, octet, sizeof(r->x25519));
}

static void add_person(struct kb_roster *r, const char *id, uint8_t role, uint8_t octet, const char *name)
{
	struct kb_person *p = &r->person[r->persons++];

	kb_field_set(p->id, sizeof(p->id), kb_span_str(id));
	kb_field_set(p->name, sizeof(p->name), kb_span_str(name));
	p->role = role;
	fill(&p->recipient, octet);
	memset(p->sign_public, octet + 0x80, sizeof(p->sign_public));
}

static void add_destination(struct kb_roster *r, const char *id, const char *address, size_t keys, uint8_t octet)
{
	struct kb_destination *to = &r->destination[r->destinations++];

	kb_field_set(to->id, sizeof(to->id), kb_span_str(id));
	kb_field_set(to->address, sizeof(to->address), kb_span_str(address));
	for (to->n = 0; to->n < keys; to->n++)
		fill(&to->recipient[to->n], (uint8_t)(octet + to->n));
}

void rosterfix_sample(struct kb_roster *ret_r)
{
	struct kb_roster *r = ret_r;

	memset(r, 0, sizeof(*r));
	r->version = 1;
	assert_ok(kb_id_parse(KB_LIT("00017f80ffabcdef1032547698badcfe"), &r->store));
	assert_ok(kb_time_parse(KB_LIT("2026-11-24T14:21:11Z"), &r->created_s));
	r->epoch = 1;
	fill(&r->desk, 0x11);
	memset(r->referral.id, 0x21, sizeof(r->referral.id));
	memset(r->referral.key, 0x22, sizeof(r->referral.key));
	fill(&r->recovery, 0x12);
	add_person(r, "ada", KB_ROLE_SUPERVISOR, 0x31, "Ada Supervisor");
	add_person(r, "ben", KB_ROLE_COORDINATOR, 0x32, "Benito Mu\xC3\xB1oz");
	add_person(r, "c-3", KB_ROLE_CUSTODIAN, 0x33, "Custodian");
	fill(&r->custodian[r->custodians++], 0x41);
	add_destination(r, "oia", "intake@oia.example", 2, 0x51);
	add_destination(r, "prea", "prea@oia.example", 1, 0x61);
	r->route[r->routes++] = (struct kb_route){.classes = 1u << KB_CLASS_REVIEW | 1u << KB_CLASS_ALLEGATION};
	r->route[r->routes++] = (struct kb_route){.flags = KB_FLAG_SEXUAL_ABUSE, .destination = 1};
	r->route[r->routes++] = (struct kb_route){.classes = 1u << KB_CLASS_ALLEGATION,
	    .categories = UINT64_C(1) << KB_CAT_SEXUAL_MISCONDUCT | UINT64_C(1) << KB_CAT_FAILURE_TO_PROTECT, .destination = 1};
}

void rosterfix_office(struct kb_minisign_key *ret_k)
{
	uint8_t seed[crypto_sign_SEEDBYTES];

	memset(seed, 0x0F, sizeof(seed));
	memset(ret_k->pub.id, 0xAB, sizeof(ret_k->pub.id));
	assert_int_equal(crypto_sign_seed_keypair(ret_k->pub.key, ret_k->secret, seed), 0);
}

void rosterfix_sign(const struct kb_minisign_key *k, struct kb_span text, struct kb_buf *ret_sig)
{
	uint8_t prehash[64];

	kb_minisign_prehash(text, prehash);
	assert_ok(kb_minisign_sign(k, prehash, KB_LIT("a roster"), ret_sig));
}

void rosterfix_next(const struct kb_roster *before, struct kb_roster *ret_r)
{
	*ret_r = *before;
	ret_r->version++;
	memcpy(ret_r->previous, before->hash, sizeof(ret_r->previous));
}

void rosterfix_add(struct kb_buf *bundle, const struct kb_minisign_key *office, const struct kb_roster *r)
{
	struct kb_buf text, sig;
	char name[48];

	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	assert_ok(kb_roster_format(r, &text));
	rosterfix_sign(office, kb_buf_span(&text), &sig);
	(void)snprintf(name, sizeof(name), "roster.%u", (unsigned)r->version);
	assert_ok(kb_bundle_add(bundle, name, kb_buf_span(&text)));
	(void)snprintf(name, sizeof(name), "roster.%u.minisig", (unsigned)r->version);
	assert_ok(kb_bundle_add(bundle, name, kb_buf_span(&sig)));
	kb_buf_release(&sig);
	kb_buf_release(&text);
}
