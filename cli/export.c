/*
 * export: `kite export --sealed`: messages as they are stored, with what stock tools need to open them: the grants of the
 * epochs they were sealed in, and a page that says how. If kitebox vanished, this would do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "take.h"

enum { GRANT_MOST = 1 << 17 };

struct exporting {
	struct kite_take take;
	uint32_t epoch[KITE_EPOCHS_MOST];
	size_t epochs;
	json_t *grants; /* or NULL */
};

/* Lines of a shell, since that is what is left when nothing else is. */
static const char readme[] =
    "What is here, and how to open it without kitebox\n"
    "\n"
    "CASE.MESSAGE.age is a message as kitebox stores it: an age file (age-encryption.org/v1).\n"
    "epoch-N.grant.age is the desk's key of epoch N, sealed to you; most messages are sealed to a desk key.\n"
    "Your identity file, protected by your passphrase, is the file `identity` of your kite folder.\n"
    "\n"
    "1. The desk's key, once for each epoch (the file made is a secret: remove it when you are done):\n"
    "       age -d -i identity -o epoch-1.key epoch-1.grant.age\n"
    "2. A message:\n"
    "       age -d -i epoch-1.key -o message.opened CASE.MESSAGE.age\n"
    "   A message that may name somebody of the desk is sealed to persons instead, and your identity alone opens it:\n"
    "       age -d -i identity -o message.opened CASE.MESSAGE.age\n"
    "3. The original, exactly as it was received. Before it stand fields of kitebox's own, up to the first empty line; the last\n"
    "   of them, Kitebox-End, says how many octets the original has; behind it is padding:\n"
    "       n=$(sed -n '/^Kitebox-End: /{s/^Kitebox-End: \\([0-9]*\\).*/\\1/p;q}' message.opened)\n"
    "       head=$(LC_ALL=C awk '{ n += length($0) + 1 } /^\\r?$/ { print n; exit }' message.opened)\n"
    "       tail -c +$((head + 1)) message.opened | head -c \"$n\" >message.eml\n"
    "   The second number of Kitebox-End is the original's hash: b2sum -l 256 message.eml\n";

/* A file that is there already is the same one, and stays. */
static enum kb_status put(const struct exporting *e, const char *name, struct kb_span body)
{
	struct kb_diag d = {0};
	enum kb_status st = kite_file_new(&d, e->take.folder.dir, name, body);
	if (st == KB_OK || st == KB_SEQUENCE)
		return KB_OK;
	return kite_fail(st, &d, "%s/%s", e->take.out, name);
}

/* The grant is opened first, so that what is written is known to hold the key that the signed roster names. */
static enum kb_status one_grant(struct exporting *e, uint32_t epoch)
{
	const struct kb_identity *id;
	char name[40];
	struct kb_diag d = {0};
	struct kb_buf file;
	struct kite_session *s = &e->take.session;
	(void)snprintf(name, sizeof(name), "epoch-%u.grant.age", (unsigned)epoch);
	kb_buf_init(&file, GRANT_MOST);
	enum kb_status st = kite_session_epoch(s, &d, epoch, &id);
	if (st == KB_OK)
		st = kite_session_grant(s, &d, epoch, &file);
	if (st != KB_OK) {
		if (e->take.first_failure == KB_OK)
			e->take.first_failure = st;
		(void)kite_client_fail(
		    &s->client, st, &d, "the key of an epoch is not exported, so age will not open its messages");
		st = KB_OK;
	} else {
		st = put(e, name, kb_buf_span(&file));
		if (e->grants && json_array_append_new(e->grants, json_string(name)) < 0)
			abort();
	}
	kb_buf_release(&file);
	return st;
}

static enum kb_status all_grants(struct exporting *e)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < e->take.targets.n; i++) {
		const struct kb_desk_message *m = &e->take.targets.m[i];
		bool known = kite_row_restricted(m) || e->epochs == KITE_EPOCHS_MOST;
		for (size_t k = 0; !known && k < e->epochs; k++)
			known = e->epoch[k] == m->epoch;
		if (known)
			continue;
		e->epoch[e->epochs++] = m->epoch;
		st = one_grant(e, m->epoch);
	}
	return st;
}

static void add_grants(void *ctx, json_t *whole)
{
	struct exporting *e = ctx;
	kite_json_set(whole, "grants", KB_TAKE(e->grants));
}

static enum kb_status export(const struct kite *k, struct exporting *e)
{
	enum kb_status st = kite_take_begin(k, "export", false, true, &e->take);
	if (st != KB_OK)
		return st;
	e->grants = k->json ? json_array() : NULL;
	st = kite_take_all(&e->take);
	enum kb_status rest = all_grants(e);
	if (rest == KB_OK)
		rest = put(e, "README.txt", KB_SPAN(readme, sizeof(readme) - 1));
	if (rest == KB_OK)
		rest = kite_folder_sync(&e->take.folder);
	enum kb_status said = kite_take_say(&e->take, add_grants, e);
	if (st == KB_OK)
		st = rest == KB_OK ? said : rest;
	return st == KB_OK ? e->take.first_failure : st;
}

enum kb_status kite_run_export(struct kite *k)
{
	if (!kite_args_has(&k->args, "sealed"))
		return kite_fail(KB_MALFORMED, NULL,
		    "say --sealed: messages are exported as they are stored; kite pull decrypts them");
	struct exporting *e = calloc(1, sizeof(*e));
	if (!e)
		abort();
	enum kb_status st = export(k, e);
	json_decref(e->grants);
	kite_take_end(&e->take);
	free(e);
	return st;
}
