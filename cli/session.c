/* session: the steps of a session, without a disk. See session.h; what is remembered on disk is in session_begin.c. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum { GRANT_MOST = 65536 };

static enum kb_status greet(struct kite_session *s, struct kb_diag *d)
{
	struct kb_desk_hello hello = {.protocol = KB_DESK_PROTOCOL};
	randombytes_buf(s->nonce, sizeof(s->nonce));
	memcpy(hello.nonce, s->nonce, sizeof(hello.nonce));
	return kite_client_get(&s->client, d, KB_DESK_HELLO, &hello, sizeof(hello), &s->challenge, sizeof(s->challenge), 0, NULL);
}

/* Takes office.pub off the front of the bundle and verifies the rest under the key that is believed. */
static enum kb_status verify(
    struct kite_session *s, struct kb_diag *d, struct kb_span bundle, const struct kb_minisign_public *pinned)
{
	struct kb_bundle_item item;
	struct kb_minisign_public office;
	if (kb_bundle_next(&bundle, &item) != KB_OK || !kb_span_eq(item.name, KB_LIT("office.pub")) ||
	    kb_minisign_public_parse(d, item.body, &office) != KB_OK)
		return KB_FAIL(d, KB_MALFORMED, 0, "the desk gives no office key");
	if (pinned && (sodium_memcmp(pinned->id, office.id, sizeof(office.id)) != 0 ||
			  sodium_memcmp(pinned->key, office.key, sizeof(office.key)) != 0))
		return KB_FAIL(d, KB_FORGED, 0, "the desk shows another office key than the one that is pinned");
	enum kb_status st = kb_roster_chain_verify(d, bundle, &office, s->roster);
	if (st == KB_OK)
		st = kb_buf_add(&s->chain, bundle);
	if (st == KB_OK)
		s->office = office;
	return st;
}

static enum kb_status compare(const struct kite_session *s, struct kb_diag *d, const struct kite_memory *before)
{
	if (!kb_id_eq(&s->challenge.store, &s->roster->store))
		return KB_FAIL(d, KB_FORGED, 0, "the desk greets as another store than its roster names");
	if (s->roster->version < s->challenge.roster_version)
		return KB_FAIL(d, KB_SEQUENCE, 0, "the desk shows an older roster than it says it has");
	if (before->roster && !kb_id_eq(&before->store, &s->roster->store))
		return KB_FAIL(d, KB_FORGED, 0, "this is another store than the one of last time");
	if (s->roster->version < before->roster)
		return KB_FAIL(d, KB_SEQUENCE, 0, "the roster is older than the one of last time");
	return KB_OK;
}

enum kb_status kite_session_meet(struct kite_session *s, struct kb_diag *d, const struct kb_minisign_public *pinned,
    const struct kite_memory *before)
{
	static const struct kb_desk_none none = {0};
	struct kb_desk_body body;
	struct kb_buf bundle;
	s->roster = calloc(1, sizeof(*s->roster));
	if (!s->roster)
		abort();
	kb_buf_init(&bundle, KITE_CHAIN_MOST);
	kb_buf_init(&s->chain, KITE_CHAIN_MOST);
	enum kb_status st = greet(s, d);
	if (st == KB_OK)
		st = kite_client_get(
		    &s->client, d, KB_DESK_ROSTER, &none, sizeof(none), &body, sizeof(body), KITE_CHAIN_MOST, &bundle);
	if (st == KB_OK)
		st = verify(s, d, kb_buf_span(&bundle), pinned);
	if (st == KB_OK)
		st = compare(s, d, before);
	kb_buf_release(&bundle);
	return st;
}

/* A person is who has both keys: the name in the file decides nothing. */
static int find_me(const struct kite_session *s)
{
	struct kb_recipient r;
	kb_identity_recipient(s->me->age, &r);
	for (size_t i = 0; i < s->roster->persons; i++) {
		const struct kb_person *p = &s->roster->person[i];
		if (memcmp(p->sign_public, s->me->sign_public, sizeof(p->sign_public)) == 0 &&
		    memcmp(&p->recipient, &r, sizeof(r)) == 0)
			return (int)i;
	}
	return -1;
}

enum kb_status kite_session_login(struct kite_session *s, struct kb_diag *d, const char *purpose)
{
	static const char label[] = "kitebox login v1"; /* its NUL is signed too */
	uint8_t text[sizeof(label) + KB_ID_LEN + 32 + 32 + 16], *at = text;
	struct kb_desk_login login;
	struct kb_desk_welcome welcome;
	if (!s->me->can_sign)
		return KB_FAIL(d, KB_NOKEY, 0, "the identity is not a person's: it has no signing key");
	s->person = find_me(s);
	if (s->person < 0)
		return KB_FAIL(d, KB_DENIED, 0, "the office's roster does not have this identity; ask your supervisor");
	memset(&login, 0, sizeof(login));
	memcpy(login.person, s->roster->person[s->person].id, sizeof(login.person));
	kb_field_set(login.purpose, sizeof(login.purpose), kb_span_str(purpose));
	memcpy(at, label, sizeof(label));
	at += sizeof(label);
	memcpy(at, s->roster->store.b, KB_ID_LEN);
	memcpy(at + KB_ID_LEN, s->nonce, 32);
	memcpy(at + KB_ID_LEN + 32, s->challenge.nonce, 32);
	memcpy(at + KB_ID_LEN + 64, login.purpose, 16);
	if (crypto_sign_detached(login.signature, NULL, text, sizeof(text), s->me->sign_secret) != 0)
		return KB_FAIL(d, KB_NOKEY, 0, "the log-in could not be signed");
	return kite_client_get(&s->client, d, KB_DESK_LOGIN, &login, sizeof(login), &welcome, sizeof(welcome), 0, NULL);
}

/* ---- epochs ---- */

enum kb_status kite_session_epoch_public(const struct kite_session *s, uint32_t number, struct kb_recipient *ret_r)
{
	struct kb_span rest = kb_buf_span(&s->chain);
	struct kb_bundle_item item;
	enum kb_status st = KB_NOTFOUND;
	if (s->roster->epoch == number) {
		*ret_r = s->roster->desk;
		return KB_OK;
	}
	struct kb_roster *r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	while (st == KB_NOTFOUND && kb_bundle_next(&rest, &item) == KB_OK) {
		if (kb_span_find(item.name, KB_LIT(".minisig")) != SIZE_MAX ||
		    kb_roster_parse(NULL, item.body, r) != KB_OK || r->epoch != number)
			continue;
		*ret_r = r->desk;
		st = KB_OK;
	}
	free(r);
	return st;
}

enum kb_status kite_session_grant(struct kite_session *s, struct kb_diag *d, uint32_t number, struct kb_buf *ret_file)
{
	const struct kb_desk_epoch ask = {.epoch = number};
	struct kb_desk_body body;
	return kite_client_get(&s->client, d, KB_DESK_GRANT, &ask, sizeof(ask), &body, sizeof(body), GRANT_MOST, ret_file);
}

/* What the grant holds must be the key that the signed roster names: a host cannot have us read under a key of its own. */
static enum kb_status open_grant(struct kite_session *s, struct kb_diag *d, struct kb_span file,
    const struct kb_recipient *expected, struct kb_identity **ret_id)
{
	const struct kb_identity *const mine[] = {s->me->age};
	const struct kb_age_keys keys = {.identities = mine, .n = 1};
	struct kb_recipient r;
	struct kb_person_key *key = NULL;
	struct kb_buf text;
	kb_buf_init(&text, GRANT_MOST);
	enum kb_status st = kb_age_open(d, file, &keys, &text);
	if (st == KB_OK)
		st = kb_person_key_open(d, kb_buf_span(&text), KB_SPAN(NULL, 0), &key);
	kb_buf_release(&text);
	if (st != KB_OK)
		return st;
	kb_identity_recipient(key->age, &r);
	if (memcmp(&r, expected, sizeof(r)) == 0)
		*ret_id = KB_TAKE(key->age);
	else
		st = KB_FAIL(d, KB_FORGED, 0, "the granted key is not the one that the signed roster names for that epoch");
	kb_person_key_free(&key);
	return st;
}

static enum kb_status fetch_epoch(struct kite_session *s, struct kb_diag *d, struct kite_epoch *e)
{
	struct kb_recipient expected;
	struct kb_buf file;
	if (kite_session_epoch_public(s, e->number, &expected) != KB_OK)
		return KB_FAIL(d, KB_FORGED, 0, "no signed roster has that epoch");
	kb_buf_init(&file, GRANT_MOST);
	enum kb_status st = kite_session_grant(s, d, e->number, &file);
	if (st == KB_OK)
		st = open_grant(s, d, kb_buf_span(&file), &expected, &e->identity);
	kb_buf_release(&file);
	return st;
}

enum kb_status kite_session_epoch(struct kite_session *s, struct kb_diag *d, uint32_t number, const struct kb_identity **ret_id)
{
	struct kite_epoch *e = NULL;
	for (size_t i = 0; i < s->epochs && !e; i++)
		if (s->epoch[i].number == number)
			e = &s->epoch[i];
	if (!e && s->epochs == KITE_EPOCHS_MOST)
		return KB_FAIL(d, KB_LIMIT, 0, "the desk names more epochs than an office has");
	if (!e) {
		s->epoch = s->epoch ? s->epoch : calloc(KITE_EPOCHS_MOST, sizeof(*s->epoch));
		if (!s->epoch)
			abort();
		e = &s->epoch[s->epochs++];
		e->number = number;
		e->status = fetch_epoch(s, d, e);
	}
	if (e->status != KB_OK)
		return kb_fail(d, e->status, 0, 0, "the key of this message's epoch could not be had");
	*ret_id = e->identity;
	return KB_OK;
}

void kite_session_end(struct kite_session *s)
{
	for (size_t i = 0; i < s->epochs; i++)
		kb_identity_free(&s->epoch[i].identity);
	free(s->epoch);
	free(s->roster);
	kb_person_key_free(&s->me);
	kb_buf_release(&s->chain);
	kite_client_close(&s->client);
	sodium_memzero(s, sizeof(*s));
}
