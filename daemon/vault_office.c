/*
 * vault_office: whose store this is, and whether mail may be taken.
 *
 * Mail is taken when everything holds: the store opens, both keys of the host are there, the configured office key is
 * the store's, the chain of rosters verifies under it and is no older than the newest that was ever in force, and the
 * referral key is the one that the roster names. Whatever does not hold is one row of health, and every STORE is
 * answered so.
 */
#include "vault.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <kitebox/memfd.h>

enum { BUNDLE_MOST = 8 << 20, KEY_FILE_MOST = 4096, VAULT_KEY = 32, CHAIN_MOST = 64 * KB_ROSTER_TEXT_MOST };

/* What was found wrong; the first thing that is stands. */
static const enum kb_health conditions[] = {
    KB_HEALTH_STORE_REFUSED,
    KB_HEALTH_KEY_MISSING,
    KB_HEALTH_ROSTER_MISSING,
    KB_HEALTH_OFFICE_KEY_DIFFERS,
    KB_HEALTH_ROSTER_REFUSED,
    KB_HEALTH_REFERRAL_KEY_DIFFERS,
};

static enum kb_status refuse(
    struct kb_vault *v, const struct kb_diag *d, enum kb_health code, enum kb_status st, const char *literal)
{
	v->intake = st;
	for (size_t i = 0; i < KB_LEN(conditions); i++)
		kb_room_health(v->host, conditions[i], conditions[i] == code, 0);
	kb_room_log(v->host, LOG_ERR, d, literal);
	return st;
}

static enum kb_status map_file(
    struct kb_vault *v, struct kb_diag *d, enum kb_file kind, size_t most, struct kb_map *ret_m)
{
	const struct kb_room_file *f = kb_room_file(v->host, kind, 0);
	if (!f || f->fd < 0)
		return KB_FAIL(d, KB_NOTFOUND, 0, "a file was not handed over");
	return kb_map_open(d, f->fd, most, ret_m);
}

static enum kb_status open_store(struct kb_vault *v, struct kb_diag *d)
{
	if (v->store)
		return KB_OK;
	struct kb_store_facts f;
	enum kb_status st = kb_store_open(d, ".", kb_room_settings(v->host)->map_octets, &v->store);
	if (st != KB_OK)
		return st;
	kb_store_facts(v->store, &f);
	v->unsent_before = f.counts.unsent;
	return KB_OK;
}

static enum kb_status unlock(struct kb_vault *v, struct kb_diag *d)
{
	struct kb_map m = {0};
	enum kb_status st = map_file(v, d, KB_FILE_VAULT_KEY, KEY_FILE_MOST, &m);
	if (st == KB_OK && m.s.len != VAULT_KEY)
		st = KB_FAIL(d, KB_MALFORMED, m.s.len, "vault.key does not have its length");
	if (st == KB_OK)
		st = kb_store_unlock(d, v->store, m.s.p, kb_room_now_s(v->host));
	kb_map_release(&m);
	return st;
}

static enum kb_status load_referral_key(struct kb_vault *v, struct kb_diag *d, struct kb_minisign_public *ret_pub)
{
	struct kb_map m = {0};
	struct kb_minisign_key key;
	kb_store_referral_key(v->store, NULL);
	enum kb_status st = map_file(v, d, KB_FILE_REFERRAL_KEY, KEY_FILE_MOST, &m);
	if (st == KB_OK)
		st = kb_minisign_key_parse(d, m.s, KB_SPAN(NULL, 0), &key);
	if (st == KB_OK) {
		kb_store_referral_key(v->store, &key);
		*ret_pub = key.pub;
		kb_minisign_release(&key);
	}
	kb_map_release(&m);
	return st;
}

static enum kb_status load_office_key(struct kb_vault *v, struct kb_diag *d, struct kb_minisign_public *ret_key)
{
	struct kb_map m = {0};
	enum kb_status st = map_file(v, d, KB_FILE_OFFICE_PUBLIC, KEY_FILE_MOST, &m);
	if (st == KB_OK)
		st = kb_minisign_public_parse(d, m.s, ret_key);
	kb_map_release(&m);
	return st;
}

/* Once, into an empty store. Afterwards the file is not looked at any more. */
static enum kb_status import(struct kb_vault *v, struct kb_diag *d, const struct kb_minisign_public *key)
{
	struct kb_map m = {0};
	enum kb_status st = map_file(v, d, KB_FILE_OFFICE_BUNDLE, BUNDLE_MOST, &m);
	if (st == KB_OK)
		st = kb_store_begin(d, v->store, kb_room_now_s(v->host));
	if (st == KB_OK) {
		st = kb_store_import(d, v->store, m.s, key);
		if (st == KB_OK)
			st = kb_store_commit(d, v->store);
		else
			kb_store_abort(v->store);
	}
	kb_map_release(&m);
	if (st == KB_OK)
		kb_room_log(v->host, LOG_NOTICE, NULL, "an office was set up in a new store");
	return st;
}

/* The chain as a sealed memfd, and the roster it ends in. */
static enum kb_status load_chain(struct kb_vault *v, struct kb_diag *d, const struct kb_office *o)
{
	struct kb_buf bundle;
	struct kb_store_facts f;
	int fd = -1;
	kb_buf_init(&bundle, CHAIN_MOST);
	enum kb_status st = kb_store_chain(d, v->store, false, &bundle);
	if (st == KB_OK)
		st = kb_roster_chain_verify(d, kb_buf_span(&bundle), &o->key, v->roster);
	kb_store_facts(v->store, &f);
	if (st == KB_OK && (!kb_id_eq(&v->roster->store, &o->store) || v->roster->version < f.roster_version))
		st = KB_FAIL(d, KB_SEQUENCE, v->roster->version,
		    "the roster is of another store, or older than one that was in force");
	if (st == KB_OK)
		st = kb_memfd_from(d, "roster", kb_buf_span(&bundle), &fd);
	kb_buf_release(&bundle);
	kb_store_rest(v->store);
	if (st != KB_OK)
		return st;
	kb_fd_close(&v->chain);
	v->chain = fd;
	v->have_roster = true;
	return KB_OK;
}

static enum kb_status check_keys(struct kb_vault *v, struct kb_diag *d, struct kb_minisign_public *ret_referral)
{
	enum kb_status st = unlock(v, d);
	if (st == KB_CORRUPT)
		return refuse(v, d, KB_HEALTH_STORE_REFUSED, st, "the journal is damaged: intake answers 451");
	if (st == KB_IO)
		return refuse(
		    v, d, KB_HEALTH_STORE_REFUSED, st, "the store's folder does not take a file: intake answers 451");
	if (st != KB_OK)
		return refuse(
		    v, d, KB_HEALTH_KEY_MISSING, KB_NOKEY, "vault.key does not unlock the store: intake answers 451");
	st = load_referral_key(v, d, ret_referral);
	if (st != KB_OK)
		return refuse(v, d, KB_HEALTH_KEY_MISSING, KB_NOKEY, "referral.key does not load: intake answers 451");
	return KB_OK;
}

static enum kb_status check_office(struct kb_vault *v, struct kb_diag *d, struct kb_office *ret_o)
{
	struct kb_minisign_public key;
	enum kb_status st = load_office_key(v, d, &key);
	if (st != KB_OK)
		return refuse(v, d, KB_HEALTH_ROSTER_MISSING, KB_NOKEY,
		    "the office's public key does not load: intake answers 451");
	st = kb_store_office(d, v->store, ret_o);
	kb_store_rest(v->store);
	if (st == KB_NOTFOUND) {
		st = import(v, d, &key);
		if (st != KB_OK)
			return refuse(v, d, st == KB_NOTFOUND ? KB_HEALTH_ROSTER_MISSING : KB_HEALTH_ROSTER_REFUSED,
			    st == KB_NOTFOUND ? KB_NOKEY : KB_FORGED, "no office is set up: intake answers 451");
		st = kb_store_office(d, v->store, ret_o);
		kb_store_rest(v->store);
	}
	if (st != KB_OK)
		return refuse(v, d, KB_HEALTH_STORE_REFUSED, st, "the office's row does not read: intake answers 451");
	if (memcmp(&key, &ret_o->key, sizeof key) != 0)
		return refuse(v, NULL, KB_HEALTH_OFFICE_KEY_DIFFERS, KB_FORGED,
		    "the configured office key is not the store's: intake answers 451");
	return KB_OK;
}

void kb_vault_office(struct kb_vault *v)
{
	struct kb_diag d = {0};
	struct kb_minisign_public referral;
	struct kb_office o;
	const struct kb_settings *set = kb_room_settings(v->host);
	const struct kb_store_clocks clocks = {
	    .held_s = set->held_s,
	    .retry_first_s = set->retry_first_s,
	    .retry_most_s = set->retry_most_s,
	    .tick_s = set->tick_s,
	};
	v->have_roster = false;
	if (open_store(v, &d) != KB_OK) {
		(void)refuse(v, &d, KB_HEALTH_STORE_REFUSED, KB_AGAIN, "the store does not open: intake answers 451");
		return;
	}
	kb_store_clocks(v->store, &clocks);
	v->tidy = true;
	if (check_keys(v, &d, &referral) != KB_OK || check_office(v, &d, &o) != KB_OK)
		return;
	enum kb_status st = load_chain(v, &d, &o);
	if (st != KB_OK) {
		(void)refuse(v, &d, KB_HEALTH_ROSTER_REFUSED, KB_FORGED, "the roster is refused: intake answers 451");
		return;
	}
	if (memcmp(&referral, &v->roster->referral, sizeof referral) != 0) {
		(void)refuse(v, NULL, KB_HEALTH_REFERRAL_KEY_DIFFERS, KB_FORGED,
		    "referral.key is not the roster's: intake answers 451");
		kb_store_referral_key(v->store, NULL);
		return;
	}
	v->intake = KB_OK;
	for (size_t i = 0; i < KB_LEN(conditions); i++)
		kb_room_health(v->host, conditions[i], false, 0);
}

void kb_vault_office_release(struct kb_vault *v)
{
	kb_store_close(&v->store);
	kb_fd_close(&v->chain);
}

void kb_vault_send_chain(struct kb_vault *v, struct kb_channel *sealer)
{
	static const struct kb_wire_none none = {0};
	if (v->have_roster && kb_channel_send(sealer, KB_WIRE_ROSTER, &none, sizeof none, &v->chain, 1) != KB_OK)
		kb_room_log(v->host, LOG_ERR, NULL, "a sealer could not be given the roster");
}

uint64_t kb_vault_person_bit(struct kb_vault *v, const struct kb_msg *m, const char *person)
{
	const struct kb_roster *r = v->roster;
	struct kb_diag d = {0};
	if (!v->have_roster)
		return 0;
	if (m->roster_version != r->version) {
		struct kb_span text;
		/* Bits count the persons of the roster that it was sealed under. That text was verified with the chain.
		 */
		if (v->older->version != m->roster_version &&
		    (kb_store_roster(&d, v->store, m->roster_version, &text) != KB_OK ||
			kb_roster_parse(&d, text, v->older) != KB_OK)) {
			v->older->version = 0;
			return 0;
		}
		r = v->older;
	}
	int i = kb_roster_person(r, kb_span_str(person));
	return i < 0 ? 0 : UINT64_C(1) << i;
}
