/* office: who the store belongs to: the office's key, the chain of rosters, the grants. See store.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const struct kb_span office_key = {(const uint8_t *)"office", 6};

enum { GRANT_MOST = 65536 };

static struct kb_key roster_key(uint32_t version)
{
	return kb_key_u64(version);
}

static struct kb_key grant_key(uint32_t epoch, struct kb_span person)
{
	struct kb_key k = kb_key_u64(epoch);
	memcpy(k.b + k.len, person.p, person.len);
	k.len += person.len;
	return k;
}

enum kb_status kb_store_office(struct kb_diag *d, struct kb_store *s, struct kb_office *ret_o)
{
	return kb_table_get(d, s, KB_ROW_OFFICE, office_key, ret_o, NULL);
}

static enum kb_status put_roster(
    struct kb_diag *d, struct kb_store *s, uint32_t version, struct kb_span text, struct kb_span sig)
{
	struct kb_number len = {text.len};
	struct kb_key key = roster_key(version);
	struct kb_buf both;
	kb_buf_init(&both, KB_ROSTER_TEXT_MOST + KB_MINISIGN_SIG_MOST);
	enum kb_status st = kb_buf_add(&both, text);
	if (st == KB_OK)
		st = kb_buf_add(&both, sig);
	if (st == KB_OK)
		st = kb_table_put(d, s, KB_ROW_ROSTER, KB_KEY(key), &len, kb_buf_span(&both), MDB_NOOVERWRITE);
	else
		(void)KB_FAIL(d, st, version, "a roster is too long");
	kb_buf_release(&both);
	return st;
}

static enum kb_status get_roster(
    struct kb_diag *d, struct kb_store *s, uint32_t version, struct kb_span *ret_text, struct kb_span *ret_sig)
{
	struct kb_number len;
	struct kb_span both = {0};
	struct kb_key key = roster_key(version);
	enum kb_status st = kb_table_get(d, s, KB_ROW_ROSTER, KB_KEY(key), &len, &both);
	if (st != KB_OK)
		return st;
	if (len.v > both.len)
		return KB_FAIL(d, KB_CORRUPT, version, "a roster's row names a length beyond its end");
	*ret_text = KB_SPAN(both.p, (size_t)len.v);
	*ret_sig = kb_span_from(both, (size_t)len.v);
	return KB_OK;
}

enum kb_status kb_store_roster(struct kb_diag *d, struct kb_store *s, uint32_t version, struct kb_span *ret_text)
{
	struct kb_span sig;
	return get_roster(d, s, version, ret_text, &sig);
}

static enum kb_status add_office(struct kb_diag *d, struct kb_store *s, struct kb_buf *b)
{
	struct kb_office o;
	char text[KB_MINISIGN_PUBLIC_TEXT];
	enum kb_status st = kb_store_office(d, s, &o);
	if (st != KB_OK)
		return st;
	kb_minisign_public_format(&o.key, text);
	return kb_bundle_add(b, "office.pub", kb_span_str(text));
}

enum kb_status kb_store_chain(struct kb_diag *d, struct kb_store *s, bool office, struct kb_buf *ret_bundle)
{
	char name[40];
	struct kb_span text, sig;
	enum kb_status st = office ? add_office(d, s, ret_bundle) : KB_OK;
	for (uint32_t v = 1; st == KB_OK; v++) {
		st = get_roster(d, s, v, &text, &sig);
		if (st == KB_NOTFOUND)
			return v == 1 ? st : KB_OK;
		(void)snprintf(name, sizeof name, "roster.%u", (unsigned)v);
		if (st == KB_OK)
			st = kb_bundle_add(ret_bundle, name, text);
		(void)snprintf(name, sizeof name, "roster.%u.minisig", (unsigned)v);
		if (st == KB_OK)
			st = kb_bundle_add(ret_bundle, name, sig);
	}
	return st;
}

enum kb_status kb_store_grant(
    struct kb_diag *d, struct kb_store *s, uint32_t epoch, const char *person, struct kb_span *ret_file)
{
	struct kb_key key = grant_key(epoch, kb_span_str(person));
	return kb_table_get(d, s, KB_ROW_GRANT, KB_KEY(key), NULL, ret_file);
}

/* "grant.EPOCH.PERSON" of this roster's epoch and persons. */
static enum kb_status put_grant(
    struct kb_diag *d, struct kb_store *s, const struct kb_roster *r, const struct kb_bundle_item *item)
{
	static const struct kb_span prefix = {(const uint8_t *)"grant.", 6};
	struct kb_span rest = kb_span_from(item->name, prefix.len);
	size_t dot = kb_span_find(rest, KB_LIT("."));
	uint64_t epoch;
	if (!kb_span_starts(item->name, prefix) || dot == SIZE_MAX ||
	    kb_span_u64(KB_SPAN(rest.p, dot), UINT32_MAX, &epoch) != KB_OK)
		return KB_FAIL(d, KB_MALFORMED, 0, "the office's bundle holds something that is no grant");
	struct kb_span person = kb_span_from(rest, dot + 1);
	if (epoch != r->epoch || kb_roster_person(r, person) < 0)
		return KB_FAIL(d, KB_MALFORMED, 0,
		    "the office's bundle grants an epoch, or a person, that the roster does not know");
	if (!item->body.len || item->body.len > GRANT_MOST)
		return KB_FAIL(d, KB_MALFORMED, 0, "a grant in the office's bundle is empty or too long");
	struct kb_key key = grant_key((uint32_t)epoch, person);
	return kb_table_put(d, s, KB_ROW_GRANT, KB_KEY(key), NULL, item->body, MDB_NOOVERWRITE);
}

static enum kb_status expect(struct kb_diag *d, struct kb_span *rest, struct kb_span name, struct kb_span *ret_body)
{
	struct kb_bundle_item item;
	enum kb_status st = kb_bundle_next(rest, &item);
	if (st != KB_OK || !kb_span_eq(item.name, name))
		return KB_FAIL(d, KB_MALFORMED, 0, "the office's bundle is not one that kite setup wrote");
	*ret_body = item.body;
	return KB_OK;
}

/* Everything that is checked before anything is written; *rest is then at the grants. */
static enum kb_status verify(struct kb_diag *d, struct kb_span *rest, const struct kb_minisign_public *key,
    struct kb_roster *r, struct kb_span *ret_text, struct kb_span *ret_sig)
{
	struct kb_span pub;
	struct kb_minisign_public own;
	enum kb_status st = expect(d, rest, KB_LIT("office.pub"), &pub);
	if (st == KB_OK)
		st = expect(d, rest, KB_LIT("roster.1"), ret_text);
	if (st == KB_OK)
		st = expect(d, rest, KB_LIT("roster.1.minisig"), ret_sig);
	if (st == KB_OK)
		st = kb_minisign_public_parse(d, pub, &own);
	if (st == KB_OK &&
	    (memcmp(own.id, key->id, sizeof own.id) != 0 || memcmp(own.key, key->key, sizeof own.key) != 0))
		st = KB_FAIL(
		    d, KB_FORGED, 0, "the office's bundle was made with another office key than the configured one");
	return st == KB_OK ? kb_roster_verify(d, *ret_text, *ret_sig, key, NULL, r) : st;
}

static enum kb_status journal_import(
    struct kb_diag *d, struct kb_store *s, const struct kb_roster *r, const struct kb_minisign_public *key)
{
	struct kb_entry e = kb_entry_by(KB_ACT_IMPORTED, "vault");
	e.number = r->version;
	e.subjects = 1;
	e.subject[0] = r->store;
	e.commitments = 2;
	memcpy(e.commitment[0], r->hash, 32);
	memcpy(e.commitment[1], key->key, 32);
	return kb_journal_add(d, s, &e);
}

enum kb_status kb_store_import(
    struct kb_diag *d, struct kb_store *s, struct kb_span bundle, const struct kb_minisign_public *key)
{
	struct kb_office o = {.key = *key, .created_s = kb_minute(s->now_s)};
	struct kb_span text, sig;
	struct kb_bundle_item item;
	if (kb_store_office(d, s, &o) != KB_NOTFOUND)
		return KB_FAIL(d, KB_SEQUENCE, 0, "this store belongs to an office already");
	struct kb_roster *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	enum kb_status st = verify(d, &bundle, key, r, &text, &sig);
	o.store = r->store;
	if (st == KB_OK)
		st = kb_table_put(d, s, KB_ROW_OFFICE, office_key, &o, KB_SPAN(NULL, 0), MDB_NOOVERWRITE);
	if (st == KB_OK)
		st = put_roster(d, s, 1, text, sig);
	while (st == KB_OK && (st = kb_bundle_next(&bundle, &item)) == KB_OK)
		st = put_grant(d, s, r, &item);
	if (st == KB_NOTFOUND) {
		s->state.roster_version = r->version;
		st = journal_import(d, s, r, key);
	}
	free(r);
	return st;
}
