/*
 * supervisor_files: reads what rooms need, once, and keeps it in sealed memfds, so that a room that starts again needs
 * no file and no right to one.
 *
 * Secrets:   the buffer a file passes through is wiped (kb_buf_release).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "settings_file.h"
#include "supervisor.h"

#define SYSTEM_TRUST "/etc/ssl/certs/ca-certificates.crt"

enum { FILE_MOST = 8 << 20 };

#define R(room) (1u << KB_ROOM_##room)

/* clang-format off */
static const unsigned rooms_of[KB_FILE_COUNT] = {
	[KB_FILE_LISTEN]          = R(DOOR) | R(DESK), /* by the listener's kind */
	[KB_FILE_STATE_DIR]       = R(VAULT),
	[KB_FILE_OFFICE_PUBLIC]   = R(VAULT) | R(SEALER),
	[KB_FILE_OFFICE_BUNDLE]   = R(VAULT),
	[KB_FILE_REFERRAL_KEY]    = R(VAULT),
	[KB_FILE_VAULT_KEY]       = R(VAULT),
	[KB_FILE_TLS_CERTIFICATE] = R(DOOR),
	[KB_FILE_TLS_KEY]         = R(DOOR),
	[KB_FILE_RULES]           = R(SORTER),
	[KB_FILE_MODEL]           = R(SORTER),
	[KB_FILE_TEMPLATE]        = R(COURIER),
	[KB_FILE_RELAY_CA]        = R(RUNNER), /* of its relay alone, as the password */
	[KB_FILE_RELAY_PASSWORD]  = R(RUNNER),
};
/* clang-format on */

bool kb_super_file_is_for(const struct kb_super *s, const struct kb_super_file *f, enum kb_room room)
{
	if (!(rooms_of[f->kind] & 1u << room))
		return false;
	return f->kind != KB_FILE_LISTEN ||
	       (s->settings.listener[f->index].kind == KB_LISTEN_DESK) == (room == KB_ROOM_DESK);
}

void kb_super_file_put(struct kb_super *s, enum kb_file kind, uint32_t index, int fd)
{
	for (size_t i = 0; i < s->files; i++) {
		if (s->file[i].kind == kind && s->file[i].index == index) {
			kb_fd_close(&s->file[i].fd);
			s->file[i].fd = fd;
			return;
		}
	}
	if (s->files == KB_SUPER_FILES_MOST)
		abort(); /* the table above and the settings' limits say how many there can be */
	s->file[s->files++] = (struct kb_super_file){kind, index, fd};
}

static void drop(struct kb_super *s, enum kb_file kind, uint32_t index)
{
	for (size_t i = 0; i < s->files; i++) {
		if (s->file[i].kind == kind && s->file[i].index == index) {
			kb_fd_close(&s->file[i].fd);
			s->file[i] = s->file[--s->files];
			return;
		}
	}
}

static enum kb_status read_all(struct kb_diag *d, const char *path, struct kb_buf *ret)
{
	KB_AUTO(kb_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return KB_FAIL_SYS(d, "a file cannot be opened");
	if (!S_ISREG(st.st_mode))
		return KB_FAIL(d, KB_MALFORMED, 0, "not a regular file");
	do {
		if (kb_buf_reserve(ret, 16384) != KB_OK)
			return KB_FAIL(d, KB_TOOBIG, 0, "a file is too long");
		got = read(fd, ret->p + ret->len, 16384);
		if (got < 0)
			return KB_FAIL_SYS(d, "a file cannot be read");
		ret->len += (size_t)got;
	} while (got > 0);
	return KB_OK;
}

/* A sealed memfd of the file, or -1. label names the file in the log; NULL: it may well be missing. */
static int fetch(const char *path, const char *label)
{
	KB_AUTO(kb_buf_release) struct kb_buf b;
	struct kb_diag d = {0};
	int fd = -1;

	kb_buf_init(&b, FILE_MOST);
	enum kb_status st = read_all(&d, path, &b);

	if (st == KB_OK)
		st = kb_memfd_from(&d, "kitebox", kb_buf_span(&b), &fd);
	if (st != KB_OK && label)
		kb_super_log(LOG_WARNING, NULL, &d, label);
	return st == KB_OK ? fd : -1;
}

static void take(struct kb_super *s, enum kb_file kind, uint32_t index, const char *path, const char *label)
{
	if (!path[0]) {
		drop(s, kind, index); /* a reload took it away */
		return;
	}
	int fd = fetch(path, label);

	if (fd >= 0)
		kb_super_file_put(s, kind, index, fd);
}

/* Both or neither: a new certificate with the old key would be no TLS at all. */
static void take_tls(struct kb_super *s)
{
	const struct kb_settings *c = &s->settings;

	if (!c->tls_certificate[0]) {
		drop(s, KB_FILE_TLS_CERTIFICATE, 0);
		drop(s, KB_FILE_TLS_KEY, 0);
		return;
	}
	int certificate = fetch(c->tls_certificate, "tls.certificate"), key = fetch(c->tls_key, "tls.key");

	if (certificate >= 0 && key >= 0) {
		kb_super_file_put(s, KB_FILE_TLS_CERTIFICATE, 0, certificate);
		kb_super_file_put(s, KB_FILE_TLS_KEY, 0, key);
		return;
	}
	kb_fd_close(&certificate);
	kb_fd_close(&key);
}

static void take_in(
    struct kb_super *s, enum kb_file kind, uint32_t index, const char *dir, const char *name, const char *label)
{
	char path[KB_PATH_FIELD + 32];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	take(s, kind, index, path, label);
}

enum kb_status kb_super_files_read(struct kb_diag *d, struct kb_super *s)
{
	const struct kb_settings *c = &s->settings;
	const char *dir = kb_settings_credentials(c);

	if (strlen(dir) >= KB_PATH_FIELD)
		return KB_FAIL(d, KB_TOOBIG, 0, "the path of the credentials is too long");
	take(s, KB_FILE_OFFICE_PUBLIC, 0, c->office_public_key, "office.public_key");
	take(s, KB_FILE_OFFICE_BUNDLE, 0, c->office_bundle, NULL); /* only a new store needs it */
	take_in(s, KB_FILE_REFERRAL_KEY, 0, dir, "referral.key", "referral.key");
	take_in(s, KB_FILE_VAULT_KEY, 0, dir, "vault.key", "vault.key");
	take_tls(s);
	take(s, KB_FILE_RULES, 0, c->rules_file, "rules");
	take(s, KB_FILE_MODEL, 0, c->model_file, "model");
	take_in(s, KB_FILE_TEMPLATE, KB_LANG_EN, c->template_dir, "ack.en.txt", "ack.en.txt");
	take_in(s, KB_FILE_TEMPLATE, KB_LANG_ES, c->template_dir, "ack.es.txt", "ack.es.txt");
	for (uint32_t i = 0; i < c->relays; i++) {
		take(s, KB_FILE_RELAY_CA, i, c->relay[i].ca_file[0] ? c->relay[i].ca_file : SYSTEM_TRUST,
		    "relays.ca_file");
		take(s, KB_FILE_RELAY_PASSWORD, i, c->relay[i].password_file, "relays.password_file");
	}
	return KB_OK;
}

enum kb_status kb_super_settings_share(struct kb_diag *d, struct kb_super *s)
{
	int fd;
	enum kb_status st = kb_memfd_from(d, "kitebox-settings", KB_SPAN(&s->settings, sizeof s->settings), &fd);

	if (st != KB_OK)
		return st;
	kb_fd_close(&s->settings_fd);
	s->settings_fd = fd;
	return KB_OK;
}
