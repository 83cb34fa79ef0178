/*
 * settings_named: the files that kitebox.conf names, looked at before a start needs them. See settings_file.h.
 *
 * Rules and model of triage are also read, since what is wrong with them would be found a message at a time.
 *
 * Not here:  reading them (supervisor_files.c); whether what the others hold is right (the rooms say so, in health).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kitebox/triage.h>

#include "settings_file.h"

const char *kb_settings_credentials(const struct kb_settings *s)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (s->credentials_dir[0])
		return s->credentials_dir;
	return dir && dir[0] == '/' ? dir : "/etc/kitebox/credentials";
}

static size_t look(FILE *out, const char *config, const char *key, const char *dir, const char *name)
{
	char path[4096];

	if (!dir[0])
		return 0;
	(void)snprintf(path, sizeof path, "%s%s%s", dir, name ? "/" : "", name ? name : "");
	if (access(path, R_OK) == 0)
		return 0;
	fprintf(out, "%s: %s: %s: %s\n", config, key, path, strerror(errno));
	return 1;
}

/* Empty where it cannot be read, which has been said. */
static void read_file(const char *path, size_t most, struct kb_buf *ret)
{
	FILE *f = fopen(path, "re");

	kb_buf_init(ret, most + 1);
	if (f && kb_buf_reserve(ret, most + 1) == KB_OK)
		ret->len = fread(ret->p, 1, most + 1, f);
	if (f)
		(void)fclose(f);
}

static size_t look_at_triage(FILE *out, const struct kb_settings *s)
{
	enum { RULES_MOST = 1 << 20, MODEL_MOST = 8 << 20 };
	struct kb_buf rules, model;
	struct kb_triage *t = NULL;
	struct kb_diag d = {0};

	if (access(s->rules_file, R_OK) < 0 || access(s->model_file, R_OK) < 0)
		return 0;
	read_file(s->rules_file, RULES_MOST, &rules);
	read_file(s->model_file, MODEL_MOST, &model);
	enum kb_status st = kb_triage_open(&d, kb_buf_span(&rules), kb_buf_span(&model), &t);

	if (st != KB_OK && d.offset)
		fprintf(out, "%s:%zu: %s\n", s->rules_file, d.offset, d.what);
	else if (st != KB_OK)
		fprintf(out, "%s: %s\n", s->model_file, d.what);
	kb_triage_free(&t);
	kb_buf_release(&rules);
	kb_buf_release(&model);
	return st != KB_OK;
}

size_t kb_settings_named(FILE *out, const char *config, const struct kb_settings *s)
{
	const char *credentials = kb_settings_credentials(s);
	const struct {
		const char *key, *dir, *name;
	} named[] = {
	    {"office.public_key", s->office_public_key, NULL},
	    {"credentials_dir", credentials, "referral.key"},
	    {"credentials_dir", credentials, "vault.key"},
	    {"rules", s->rules_file, NULL},
	    {"model", s->model_file, NULL},
	    {"templates", s->template_dir, "ack.en.txt"},
	    {"templates", s->template_dir, "ack.es.txt"},
	    {"tls.certificate", s->tls_certificate, NULL},
	    {"tls.key", s->tls_key, NULL},
	};
	size_t n = 0;

	for (size_t i = 0; i < KB_LEN(named); i++)
		n += look(out, config, named[i].key, named[i].dir, named[i].name);
	for (uint32_t i = 0; i < s->relays; i++) {
		n += look(out, config, "relays.ca_file", s->relay[i].ca_file, NULL);
		n += look(out, config, "relays.password_file", s->relay[i].password_file, NULL);
	}
	n += look_at_triage(out, s);
	if (!s->relays) {
		fprintf(out, "%s: relays: none is named, so referrals and acknowledgements would wait\n", config);
		n++;
	}
	return n;
}
