/*
 * setup_make: all keys of a new office, its first roster, and the files that hold them. See setup.h.
 *
 * Office key, recovery, custodian, investigators and persons are protected by the passphrase. The host gets three things:
 * public keys (the bundle), the key that signs referrals, and 32 random octets for the journal.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/identity.h>

#include "home.h"
#include "setup.h"

enum { FILE_MOST = 1 << 20, VAULT_KEY = 32, GRANT_MOST = 4096 };

struct kb_buf *kite_files_add(struct kite_files *f, const char *fmt, ...)
{
	va_list ap;
	if (f->n == KITE_FILES_MOST)
		abort();
	struct kite_file *one = &f->file[f->n++];
	va_start(ap, fmt);
	int n = vsnprintf(one->path, sizeof(one->path), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(one->path))
		abort();
	kb_buf_init(&one->body, FILE_MOST);
	return &one->body;
}

void kite_files_release(struct kite_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		kb_buf_release(&f->file[i].body);
	f->n = 0;
}

/* What is under way. */
struct making {
	const struct kite_plan *plan;
	struct kb_span passphrase;
	struct kite_files *files;
	struct kb_roster *r;
	struct kb_minisign_key office, referral;
	struct kb_identity *desk;
};

/* A key file of an office or a person, and its public halves. */
static enum kb_status make_identity(
    struct making *m, struct kb_span name, struct kb_buf *file, struct kb_recipient *ret_r, uint8_t *ret_sign)
{
	struct kb_person_key *key = kb_person_key_generate(name);
	enum kb_status st = kb_person_key_seal(key, m->passphrase, m->plan->work_factor, file);
	kb_identity_recipient(key->age, ret_r);
	if (ret_sign)
		memcpy(ret_sign, key->sign_public, sizeof(key->sign_public));
	kb_person_key_free(&key);
	return st;
}

static enum kb_status add_public(struct kb_buf *b, const struct kb_minisign_public *p)
{
	char line[KB_MINISIGN_PUBLIC_TEXT];
	kb_minisign_public_format(p, line);
	return kb_buf_printf(b, "untrusted comment: kitebox office key\n%s\n", line);
}

static enum kb_status make_office_keys(struct making *m)
{
	kb_minisign_generate(&m->office);
	kb_minisign_generate(&m->referral);
	m->r->referral = m->referral.pub;
	enum kb_status st = kb_minisign_key_format(
	    &m->office, m->passphrase, kite_files_add(m->files, "people/%s/office.key", m->plan->person[0].id));
	if (st == KB_OK)
		st = kb_minisign_key_format(
		    &m->referral, KB_SPAN(NULL, 0), kite_files_add(m->files, "host/credentials/referral.key"));
	if (st == KB_OK)
		st = add_public(kite_files_add(m->files, "host/office.pub"), &m->office.pub);
	if (st == KB_OK)
		st = make_identity(m, KB_SPAN(NULL, 0), kite_files_add(m->files, "safe/recovery.key"), &m->r->recovery, NULL);
	if (st == KB_OK)
		st = make_identity(m, KB_SPAN(NULL, 0), kite_files_add(m->files, "custodian/identity"), &m->r->custodian[0], NULL);
	m->r->custodians = 1;
	struct kb_buf *vault = kite_files_add(m->files, "host/credentials/vault.key");
	if (st == KB_OK)
		st = kb_buf_reserve(vault, VAULT_KEY);
	if (st == KB_OK) {
		randombytes_buf(vault->p, VAULT_KEY);
		vault->len = VAULT_KEY;
	}
	return st;
}

static enum kb_status make_people(struct making *m)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < m->plan->persons; i++) {
		struct kb_person *p = &m->r->person[m->r->persons++];
		memcpy(p->id, m->plan->person[i].id, sizeof(p->id));
		memcpy(p->name, m->plan->person[i].name, sizeof(p->name));
		p->role = m->plan->person[i].role;
		st = make_identity(m, kb_span_str(p->name), kite_files_add(m->files, "people/%s/identity", p->id),
		    &p->recipient, p->sign_public);
		if (st == KB_OK)
			st = add_public(kite_files_add(m->files, "people/%s/office.pub", p->id), &m->office.pub);
		if (st == KB_OK && m->plan->desk)
			st = kb_buf_printf(kite_files_add(m->files, "people/%s/settings", p->id), "desk %s\n", m->plan->desk);
	}
	return st;
}

static void add_route(struct kb_roster *r, size_t destination, uint32_t classes, uint32_t flags)
{
	struct kb_route *route = &r->route[r->routes++];
	route->destination = (uint8_t)destination;
	route->classes = classes;
	route->flags = flags;
}

/* The first destination takes what accuses staff, and what is in doubt. One with flags takes whatever a person wrote that
 * has one of them, also where no staff is accused. */
static enum kb_status make_destinations(struct making *m)
{
	static const uint32_t accused = 1u << KB_CLASS_ALLEGATION | 1u << KB_CLASS_REVIEW,
			      written = accused | 1u << KB_CLASS_INQUIRY;
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < m->plan->destinations; i++) {
		struct kb_destination *to = &m->r->destination[m->r->destinations++];
		memcpy(to->id, m->plan->destination[i].id, sizeof(to->id));
		memcpy(to->address, m->plan->destination[i].address, sizeof(to->address));
		to->n = 1;
		to->recipient[0] = m->plan->destination[i].recipient;
		if (!m->plan->destination[i].own_key)
			st = make_identity(m, KB_SPAN(NULL, 0),
			    kite_files_add(m->files, "investigators/%s.key", to->id), &to->recipient[0], NULL);
		if (i == 0 || !m->plan->destination[i].flags)
			add_route(m->r, i, accused, 0);
		if (m->plan->destination[i].flags)
			add_route(m->r, i, written, m->plan->destination[i].flags);
	}
	return st;
}

/* The desk's secret half as an identity file that age itself could use, sealed to one person and to recovery. */
static enum kb_status make_grant(struct making *m, const struct kb_person *p, struct kb_buf *bundle)
{
	char secret[KB_IDENTITY_TEXT], public_text[KB_RECIPIENT_TEXT], name[48];
	const struct kb_recipient to[] = {p->recipient, m->r->recovery};
	struct kb_buf text, sealed;
	kb_buf_init(&text, GRANT_MOST);
	kb_buf_init(&sealed, 2 * GRANT_MOST);
	kb_recipient_format(&m->r->desk, public_text);
	kb_identity_format(m->desk, secret);
	enum kb_status st = kb_buf_printf(
	    &text, "# kitebox desk epoch %u\n# public key: %s\n%s\n", (unsigned)m->r->epoch, public_text, secret);
	sodium_memzero(secret, sizeof(secret));
	if (st == KB_OK)
		st = kb_age_seal(to, KB_LEN(to), kb_buf_span(&text), &sealed);
	(void)snprintf(name, sizeof(name), "grant.%u.%s", (unsigned)m->r->epoch, p->id);
	if (st == KB_OK)
		st = kb_bundle_add(bundle, name, kb_buf_span(&sealed));
	kb_buf_release(&text);
	kb_buf_release(&sealed);
	return st;
}

/* Signs the roster, believes it only as everybody else will, and packs what the vault imports. */
static enum kb_status make_bundle(struct making *m, struct kb_buf *bundle)
{
	uint8_t prehash[64];
	char trusted[128], store[KB_ID_TEXT];
	struct kb_buf text, sig;
	struct kb_diag d = {0};
	kb_buf_init(&text, KB_ROSTER_TEXT_MOST);
	kb_buf_init(&sig, KB_MINISIGN_SIG_MOST);
	kb_id_format(&m->r->store, store);
	(void)snprintf(trusted, sizeof(trusted), "kitebox roster %u of store %s", (unsigned)m->r->version, store);
	enum kb_status st = kb_roster_format(m->r, &text);
	if (st == KB_OK) {
		kb_minisign_prehash(kb_buf_span(&text), prehash);
		st = kb_minisign_sign(&m->office, prehash, kb_span_str(trusted), &sig);
	}
	if (st == KB_OK)
		st = kb_roster_verify(&d, kb_buf_span(&text), kb_buf_span(&sig), &m->office.pub, NULL, m->r);
	struct kb_buf pub;
	kb_buf_init(&pub, 1024);
	if (st == KB_OK)
		st = add_public(&pub, &m->office.pub);
	if (st == KB_OK)
		st = kb_bundle_add(bundle, "office.pub", kb_buf_span(&pub));
	if (st == KB_OK)
		st = kb_bundle_add(bundle, "roster.1", kb_buf_span(&text));
	if (st == KB_OK)
		st = kb_bundle_add(bundle, "roster.1.minisig", kb_buf_span(&sig));
	for (size_t i = 0; st == KB_OK && i < m->r->persons; i++)
		st = make_grant(m, &m->r->person[i], bundle);
	kb_buf_release(&pub);
	kb_buf_release(&text);
	kb_buf_release(&sig);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "the first roster could not be made");
}

enum kb_status kite_office_make(const struct kite_plan *p, struct kb_span passphrase, uint64_t now_s,
    struct kite_files *ret_files, struct kite_office *ret_office)
{
	struct making m = {.plan = p, .passphrase = passphrase, .files = ret_files, .r = &ret_office->roster};
	memset(m.r, 0, sizeof(*m.r));
	m.r->version = 1;
	m.r->epoch = 1;
	m.r->created_s = now_s;
	kb_id_random(&m.r->store);
	m.desk = kb_identity_generate();
	kb_identity_recipient(m.desk, &m.r->desk);
	enum kb_status st = make_office_keys(&m);
	if (st == KB_OK)
		st = make_people(&m);
	if (st == KB_OK)
		st = make_destinations(&m);
	if (st != KB_OK)
		(void)kite_fail(st, NULL, "the keys could not be made: %s", kb_status_row(st)->sentence);
	else
		st = make_bundle(&m, kite_files_add(ret_files, "host/office.bundle"));
	ret_office->office = m.office.pub;
	kb_identity_free(&m.desk);
	kb_minisign_release(&m.office);
	kb_minisign_release(&m.referral);
	return st;
}
