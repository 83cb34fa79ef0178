/*
 * session_begin: a session with the person's folder: what is pinned and remembered there, and the identity. See session.h.
 */
#include <stdio.h>
#include <string.h>

#include "passphrase.h"
#include "session.h"

enum { SMALL_FILE = 65536 };

static enum kb_status read_pin(const struct kite *k, struct kb_minisign_public *ret_p, bool *ret_pinned)
{
	struct kb_buf b;
	struct kb_diag d = {0};
	kb_buf_init(&b, 2 * SMALL_FILE);
	enum kb_status st = kite_home_read(k, "office.pub", SMALL_FILE, &b);
	*ret_pinned = st == KB_OK;
	if (st == KB_OK && (st = kb_minisign_public_parse(&d, kb_buf_span(&b), ret_p)) != KB_OK)
		(void)kite_fail(st, &d, "%s/office.pub is not an office key; put the one from your supervisor there", k->home);
	kb_buf_release(&b);
	return st == KB_NOTFOUND ? KB_OK : st;
}

static enum kb_status read_memory(const struct kite *k, struct kite_memory *ret_m)
{
	struct kb_buf b;
	kb_buf_init(&b, 2 * SMALL_FILE);
	memset(ret_m, 0, sizeof(*ret_m));
	enum kb_status st = kite_home_read(k, "store", SMALL_FILE, &b);
	if (st == KB_OK && (st = kite_memory_parse(kb_buf_span(&b), ret_m)) != KB_OK)
		(void)kite_fail(st, NULL,
		    "%s/store is not what kite wrote there; remove it only if you know why it changed", k->home);
	kb_buf_release(&b);
	return st == KB_NOTFOUND ? KB_OK : st;
}

static enum kb_status remember(const struct kite *k, const struct kite_session *s, const struct kite_memory *before)
{
	const struct kite_memory now = {.store = s->roster->store, .roster = s->roster->version};
	struct kb_buf b;
	if (before->roster == now.roster)
		return KB_OK;
	kb_buf_init(&b, SMALL_FILE);
	enum kb_status st = kite_memory_format(&now, &b);
	if (st == KB_OK)
		st = kite_home_write(k, "store", kb_buf_span(&b));
	kb_buf_release(&b);
	return st;
}

/* From now on this office key and no other; whoever has the setup sheet compares. */
static enum kb_status pin(const struct kite *k, const struct kite_session *s)
{
	char line[KB_MINISIGN_PUBLIC_TEXT], print[KITE_FINGERPRINT_TEXT];
	struct kb_buf b;
	kb_minisign_public_format(&s->office, line);
	kite_fingerprint(&s->office, print);
	kb_buf_init(&b, 1024);
	enum kb_status st = kb_buf_printf(&b, "untrusted comment: kitebox office key\n%s\n", line);
	if (st == KB_OK)
		st = kite_home_write(k, "office.pub", kb_buf_span(&b));
	kb_buf_release(&b);
	if (st == KB_OK)
		kite_note(
		    "first contact: the office key %s is pinned; compare its fingerprint with the setup sheet: %s",
		    line, print);
	return st;
}

static enum kb_status meet(const struct kite *k, struct kite_session *s)
{
	struct kb_minisign_public pinned;
	struct kite_memory before;
	struct kb_diag d = {0};
	bool have_pin = false;
	enum kb_status st = read_pin(k, &pinned, &have_pin);
	if (st == KB_OK)
		st = read_memory(k, &before);
	if (st != KB_OK)
		return st;
	st = kite_session_meet(s, &d, have_pin ? &pinned : NULL, &before);
	if (st == KB_FORGED || st == KB_SEQUENCE)
		return kite_fail(st, &d, "the store is not to be trusted, so nothing was said to it; tell your supervisor");
	if (st != KB_OK)
		return kite_client_fail(&s->client, st, &d, "the desk's roster could not be had");
	if (!have_pin)
		st = pin(k, s);
	return st == KB_OK ? remember(k, s, &before) : st;
}

/* Before anybody is met: who has no identity here has most likely named the wrong folder. */
static enum kb_status read_identity(const struct kite *k, struct kb_buf *ret_file)
{
	enum kb_status st = kite_home_read(k, "identity", SMALL_FILE, ret_file);
	if (st == KB_NOTFOUND)
		(void)kite_fail(st, NULL, "there is no identity in %s; put yours there, or name your folder with --home", k->home);
	return st;
}

static enum kb_status open_identity(const struct kite *k, struct kb_span file, struct kite_session *s)
{
	struct kb_diag d = {0};
	struct kite_passphrase *pass = NULL;
	enum kb_status st = kite_passphrase_get(k, "Passphrase of your identity", false, &pass);
	if (st == KB_OK) {
		st = kb_person_key_open(&d, file, kite_passphrase_span(pass), &s->me);
		if (st == KB_NOKEY || st == KB_FORGED)
			(void)kite_fail(st, NULL, "the passphrase does not open %s/identity; type it again", k->home);
		else if (st != KB_OK)
			(void)kite_fail(st, &d, "%s/identity", k->home);
	}
	kite_passphrase_free(&pass);
	return st;
}

static void warn_on_host(const struct kite *k, const struct kite_session *s)
{
	if (!kite_client_is_far(&s->client) && !kite_home_on_host(k))
		kite_note("warning: the store is on this machine, so whoever rules it can take your identity and what "
			  "you open; use a machine of your own");
}

enum kb_status kite_client_reach(const struct kite *k, struct kite_client *ret_c)
{
	char path[KITE_PATH];
	struct kb_diag d = {0};
	enum kb_status st = kite_find_desk(k, path);
	if (st != KB_OK)
		return st;
	st = kite_client_open(&d, path, ret_c);
	return st == KB_OK
		   ? KB_OK
		   : kite_fail(st, &d, "the desk's socket %s; is kiteboxd running, and are you in its group?", path);
}

enum kb_status kite_session_begin(const struct kite *k, const char *purpose, struct kite_session *ret_s)
{
	KB_AUTO(kb_buf_release) struct kb_buf identity;
	struct kb_diag d = {0};
	memset(ret_s, 0, sizeof(*ret_s));
	kb_buf_init(&identity, 2 * SMALL_FILE);
	enum kb_status st = read_identity(k, &identity);
	if (st == KB_OK)
		st = kite_client_reach(k, &ret_s->client);
	if (st == KB_OK)
		st = meet(k, ret_s);
	if (st == KB_OK)
		warn_on_host(k, ret_s);
	if (st == KB_OK)
		st = open_identity(k, kb_buf_span(&identity), ret_s);
	if (st != KB_OK)
		return st;
	st = kite_session_login(ret_s, &d, purpose);
	return st == KB_OK ? KB_OK : kite_client_fail(&ret_s->client, st, &d, "the log-in failed");
}
