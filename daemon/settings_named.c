/*
 * settings_named: the files that kitebox.conf names, looked at before a start needs them. See settings_file.h.
 *
 * Not here:  reading them (supervisor_files.c); whether what they hold is right (the rooms say so, in health).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	if (!s->relays) {
		fprintf(out, "%s: relays: none is named, so referrals and acknowledgements would wait\n", config);
		n++;
	}
	return n;
}
