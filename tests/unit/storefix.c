/* storefix: see storefix.h. */
#include "storefix.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kitebox/memfd.h>

static void add_person(struct fix *f, const char *id, uint8_t role)
{
	struct kb_person *p = &f->roster.person[f->roster.persons];
	kb_field_set(p->id, sizeof p->id, kb_span_str(id));
	kb_field_set(p->name, sizeof p->name, kb_span_str(id));
	p->role = role;
	randombytes_buf(p->recipient.x25519, 32);
	p->recipient.x25519[31] &= 0x7f;
	crypto_sign_keypair(p->sign_public, f->person_secret[f->roster.persons++]);
}

static void add_destination(struct kb_roster *r, const char *id, const char *address)
{
	struct kb_destination *d = &r->destination[r->destinations++];
	kb_field_set(d->id, sizeof d->id, kb_span_str(id));
	kb_field_set(d->address, sizeof d->address, kb_span_str(address));
	d->n = 1;
	randombytes_buf(d->recipient[0].x25519, 32);
	d->recipient[0].x25519[31] &= 0x7f;
}

static void make_roster(struct fix *f)
{
	struct kb_roster *r = &f->roster;
	r->version = 1;
	kb_id_random(&r->store);
	r->created_s = FIX_NOW;
	r->epoch = 1;
	r->referral = f->referral.pub;
	randombytes_buf(r->desk.x25519, 32);
	r->desk.x25519[31] &= 0x7f;
	randombytes_buf(r->recovery.x25519, 32);
	r->recovery.x25519[31] &= 0x7f;
	add_person(f, "ada", KB_ROLE_SUPERVISOR);
	add_person(f, "ben", KB_ROLE_COORDINATOR);
	add_person(f, "eve", KB_ROLE_COORDINATOR);
	add_destination(r, "oia", "intake@oia.example");
	add_destination(r, "prea", "prea@oia.example");
}

void fix_bundle(struct fix *f, struct kb_buf *ret)
{
	struct kb_buf text, sig;
	uint8_t hash[64];
	char pub[KB_MINISIGN_PUBLIC_TEXT];
	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	assert_ok(kb_roster_format(&f->roster, &text));
	kb_minisign_prehash(kb_buf_span(&text), hash);
	assert_ok(kb_minisign_sign(&f->office, hash, KB_LIT("roster 1"), &sig));
	kb_minisign_public_format(&f->office.pub, pub);
	assert_ok(kb_bundle_add(ret, "office.pub", kb_span_str(pub)));
	assert_ok(kb_bundle_add(ret, "roster.1", kb_buf_span(&text)));
	assert_ok(kb_bundle_add(ret, "roster.1.minisig", kb_buf_span(&sig)));
	assert_ok(kb_bundle_add(ret, "grant.1.ada", KB_LIT("sealed to ada")));
	assert_ok(kb_bundle_add(ret, "grant.1.ben", KB_LIT("sealed to ben")));
	kb_buf_release(&text);
	kb_buf_release(&sig);
}

static void set_up(struct fix *f)
{
	static const struct kb_store_clocks clocks = {.held_s = 86400, .retry_first_s = 60, .retry_most_s = 14400, .tick_s = 60};
	kb_store_referral_key(f->s, &f->referral);
	kb_store_clocks(f->s, &clocks);
}

struct fix *fix_bare(void)
{
	struct fix *f = calloc(1, sizeof *f);
	assert_non_null(f);
	f->now_s = FIX_NOW;
	f->map_octets = FIX_MAP;
	strcpy(f->dir, "/tmp/kb-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	kb_minisign_generate(&f->office);
	kb_minisign_generate(&f->referral);
	randombytes_buf(f->vault_key, sizeof f->vault_key);
	make_roster(f);
	assert_ok(kb_store_open(NULL, f->dir, f->map_octets, &f->s));
	return f;
}

struct fix *fix_new(void)
{
	struct fix *f = fix_bare();
	struct kb_buf bundle;
	struct kb_diag d = {0};
	kb_buf_init(&bundle, 1 << 20);
	fix_bundle(f, &bundle);
	assert_ok(kb_store_unlock(&d, f->s, f->vault_key, f->now_s));
	set_up(f);
	fix_begin(f);
	assert_ok(kb_store_import(&d, f->s, kb_buf_span(&bundle), &f->office.pub));
	fix_commit(f);
	kb_buf_release(&bundle);
	return f;
}

void fix_close(struct fix *f)
{
	kb_store_close(&f->s);
}

void fix_reopen(struct fix *f)
{
	struct kb_diag d = {0};
	fix_close(f);
	assert_ok(kb_store_open(&d, f->dir, f->map_octets, &f->s));
	assert_ok(kb_store_unlock(&d, f->s, f->vault_key, f->now_s));
	set_up(f);
}

void fix_free(struct fix *f)
{
	char name[400];
	struct dirent *e;
	fix_close(f);
	DIR *d = opendir(f->dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		snprintf(name, sizeof name, "%s/%s", f->dir, e->d_name);
		(void)unlink(name);
	}
	closedir(d);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
}

void fix_begin(struct fix *f)
{
	assert_ok(kb_store_begin(NULL, f->s, f->now_s));
}

void fix_commit(struct fix *f)
{
	assert_ok(kb_store_commit(NULL, f->s));
}

/* ---- letters ---- */

uint8_t *letter_octets(const struct letter *l, int destination, size_t *ret_len)
{
	uint8_t seed[randombytes_SEEDBYTES] = {0};
	size_t len = (l->len ? l->len : 3000) + (destination < 0 ? 0 : 7);
	uint8_t *p = malloc(len);
	assert_non_null(p);
	kb_put_u32(seed, l->number);
	kb_put_u32(seed + 4, (uint32_t)(destination + 1));
	randombytes_buf_deterministic(p, len, seed);
	*ret_len = len;
	return p;
}

void letter_id(const struct letter *l, struct kb_id *ret_id)
{
	memset(ret_id, 0, sizeof *ret_id);
	kb_put_u32(ret_id->b, l->number);
	kb_put_u32(ret_id->b + 4, l->resent);
	ret_id->b[15] = 1;
}

static struct kb_sealed_file file_of(const struct letter *l, int destination)
{
	struct kb_sealed_file f;
	size_t len;
	uint8_t *p = letter_octets(l, destination, &len);
	f.len = len;
	assert_ok(kb_memfd_from(NULL, "letter", KB_SPAN(p, len), &f.fd));
	free(p);
	return f;
}

void parcel_new(struct fix *f, const struct letter *l, struct parcel *p)
{
	memset(p, 0, sizeof *p);
	kb_put_u32(p->fingerprint, l->number);
	memset(p->ack, (int)l->number, sizeof p->ack);
	memset(p->summary, (int)l->number, sizeof p->summary);
	p->put = (struct kb_put){
	    .received_s = l->received_s ? l->received_s : f->now_s,
	    .entitled = l->entitled,
	    .size_class = 4096,
	    .fingerprint = p->fingerprint,
	    .roster_version = 1,
	    .epoch = 1,
	    .header_len = 200,
	    .class_ = l->class_,
	    .urgent = l->urgent,
	    .unreadable = l->unreadable,
	    .outbox_key = l->outbox_key,
	    .ack = KB_SPAN(p->ack, sizeof p->ack),
	    .summary = KB_SPAN(p->summary, sizeof p->summary),
	    .message = file_of(l, -1),
	};
	letter_id(l, &p->put.id);
	for (uint8_t i = 0; i < f->roster.destinations; i++) {
		if (!(l->destinations & (1u << i)))
			continue;
		p->put.referral[p->put.referrals].index = i;
		p->put.referral[p->put.referrals].to = &f->roster.destination[i];
		p->put.referral[p->put.referrals++].file = file_of(l, i);
	}
}

void parcel_release(struct parcel *p)
{
	kb_fd_close(&p->put.message.fd);
	for (size_t i = 0; i < p->put.referrals; i++)
		kb_fd_close(&p->put.referral[i].file.fd);
}

enum kb_status fix_put(struct fix *f, const struct letter *l, struct kb_put_result *ret_r)
{
	struct parcel p;
	struct kb_upload u;
	struct kb_diag d = {0};
	enum kb_status st = KB_OK;
	parcel_new(f, l, &p);
	bool large = kb_put_is_large(&p.put);
	memset(&u, 0, sizeof u);
	if (large)
		while ((st = kb_store_upload(&d, f->s, &p.put, &u, f->now_s)) == KB_AGAIN)
			continue;
	if (st == KB_OK)
		st = kb_store_begin(&d, f->s, f->now_s);
	if (st == KB_OK) {
		st = kb_store_put(&d, f->s, &p.put, large ? &u : NULL, ret_r);
		if (st == KB_OK)
			st = kb_store_commit(&d, f->s);
		else
			kb_store_abort(f->s);
	}
	parcel_release(&p);
	return st;
}

void fix_event(struct fix *f, struct kb_referral *r, enum kb_referral_event event, uint32_t code)
{
	const struct kb_referral_outcome o = {.code = code};
	fix_begin(f);
	assert_ok(kb_store_referral_event(NULL, f->s, r, event, code ? &o : NULL));
	fix_commit(f);
}
