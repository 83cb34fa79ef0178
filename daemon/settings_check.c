/* settings_check: what a text of each kind must look like, and what belongs together. See settings_file.h. */
#include "settings_file.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

void kb_settings_fault_add(
    struct kb_settings_report *r, unsigned line, const char *key, const char *what, uint64_t least, uint64_t most)
{
	size_t i = r->faults++;

	if (i >= KB_SETTINGS_FAULTS_MOST)
		return;
	r->fault[i] = (struct kb_settings_fault){.line = line, .what = what, .least = least, .most = most};
	kb_field_set(r->fault[i].key, sizeof r->fault[i].key, kb_span_str(key));
}

void kb_settings_fault_format(const char *file, const struct kb_settings_fault *f, char *ret_line, size_t size)
{
	char line[16] = "", range[64] = "";

	if (f->line)
		snprintf(line, sizeof line, "%u:", f->line);
	if (f->most)
		snprintf(range, sizeof range, " (%" PRIu64 " to %" PRIu64 ")", f->least, f->most);
	snprintf(ret_line, size, "%s:%s %s%s%s%s", file, line, f->key, f->key[0] ? ": " : "", f->what, range);
}

static bool all_of(struct kb_span s, const char *set)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.p[i] || !strchr(set, s.p[i]))
			return false;
	return true;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* RFC 1123 2.1: labels of letters, digits and hyphens, which neither begin nor end one. */
static bool is_host(struct kb_span s)
{
	if (!all_of(s, LETTERS DIGITS "-.") || s.len == 0)
		return false;
	while (s.len) {
		size_t dot = kb_span_find(s, KB_LIT("."));
		size_t len = dot == SIZE_MAX ? s.len : dot;

		if (len == 0 || len > 63 || s.p[0] == '-' || s.p[len - 1] == '-')
			return false;
		if (dot != SIZE_MAX && dot + 1 == s.len)
			return false;
		s = kb_span_from(s, dot == SIZE_MAX ? s.len : dot + 1);
	}
	return true;
}

/* An unquoted local part (RFC 5321 4.1.2, Dot-string) at a host. */
static bool is_address(struct kb_span s)
{
	size_t at = kb_span_find(s, KB_LIT("@"));

	if (at == SIZE_MAX || at == 0 || at > 64)
		return false;
	struct kb_span local = KB_SPAN(s.p, at);

	return all_of(local, LETTERS DIGITS "!#$%&'*+-/=?^_`{|}~.") && local.p[0] != '.' && local.p[at - 1] != '.' &&
	       kb_span_find(local, KB_LIT("..")) == SIZE_MAX && is_host(kb_span_from(s, at + 1));
}

static bool is_text(struct kb_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return kb_utf8_valid(s);
}

static bool is_path(struct kb_span s)
{
	return s.len && s.p[0] == '/' && is_text(s);
}

/* "127.0.0.1:25" or "[::1]:25". */
static bool is_numeric_listener(struct kb_span s)
{
	char host[INET6_ADDRSTRLEN];
	uint8_t binary[16];
	uint64_t port;
	size_t colon = s.len;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || kb_span_u64(kb_span_from(s, colon), 65535, &port) != KB_OK)
		return false;
	struct kb_span h = KB_SPAN(s.p, colon - 1);
	bool six = h.len > 2 && h.p[0] == '[' && h.p[h.len - 1] == ']';

	if (six)
		h = KB_SPAN(h.p + 1, h.len - 2);
	if (h.len >= sizeof host)
		return false;
	kb_field_set(host, sizeof host, h);
	return inet_pton(six ? AF_INET6 : AF_INET, host, binary) == 1;
}

const char *kb_settings_text_fault(enum kb_setting_kind kind, struct kb_span text)
{
	switch (kind) {
	case KB_SETTING_HOST:
		return is_host(text) ? NULL : "must be a host name";
	case KB_SETTING_ADDRESS:
		return is_address(text) ? NULL : "must be a mail address";
	case KB_SETTING_PATH:
		return is_path(text) ? NULL : "must be an absolute path";
	case KB_SETTING_LISTEN:
		if (is_path(text))
			return text.len < sizeof(((struct sockaddr_un *)0)->sun_path)
				   ? NULL
				   : "is too long for a Unix socket (107 octets)";
		return is_numeric_listener(text) ? NULL : "must be a numeric address and port, or an absolute path";
	default:
		return is_text(text) ? NULL : "must be UTF-8 without control characters";
	}
}

static void complain(struct kb_settings_report *r, const char *key, const char *what)
{
	kb_settings_fault_add(r, 0, key, what, 0, 0);
}

static void complain_of(struct kb_settings_report *r, uint32_t index, const char *key, const char *what)
{
	complain(r, key, what);
	if (r->faults <= KB_SETTINGS_FAULTS_MOST)
		r->fault[r->faults - 1].entry = index + 1;
}

static void check_listeners(const struct kb_settings *s, struct kb_settings_report *r)
{
	for (uint32_t i = 0; i < s->listeners; i++) {
		const struct kb_listener *l = &s->listener[i];
		size_t len = strlen(l->address);

		if (l->kind == KB_LISTEN_DESK && l->address[0] != '/')
			complain_of(r, i, "listen.address", "the desk is reached by a Unix socket only");
		if (l->kind == KB_LISTEN_SMTPS && !s->tls_certificate[0])
			complain_of(r, i, "listen.kind", "smtps needs tls.certificate and tls.key");
		bool any_port = len > 2 && strcmp(l->address + len - 2, ":0") == 0;

		for (uint32_t j = 0; j < i && !any_port; j++)
			if (strcmp(l->address, s->listener[j].address) == 0)
				complain_of(r, i, "listen.address", "stands twice");
	}
}

static void check_mailboxes(const struct kb_settings *s, struct kb_settings_report *r)
{
	for (uint32_t i = 0; i < s->mailboxes; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcasecmp(s->mailbox[i].address, s->mailbox[j].address) == 0)
				complain_of(r, i, "mailboxes.address", "stands twice");
}

void kb_settings_check(const struct kb_settings *s, struct kb_settings_report *r)
{
	if (!s->tls_certificate[0] != !s->tls_key[0])
		complain(r, "tls", "certificate and key belong together: give both, or neither");
	if (s->limit.flight_octets < s->limit.message_octets)
		complain(r, "limits.flight_octets", "must hold at least one message of limits.message_octets");
	if (s->limit.header_octets > s->limit.message_octets)
		complain(r, "limits.header_octets", "cannot be more than limits.message_octets");
	if (s->retry_first_s > s->retry_most_s)
		complain(r, "referral.retry_first_s", "cannot be more than referral.retry_most_s");
	if (s->sorters && s->sealers && s->sorters != s->sealers)
		complain(r, "rooms.sorters", "each sealer has one sorter: give the same number as rooms.sealers, or 0");
	for (uint32_t i = 0; i < s->relays; i++)
		if (s->relay[i].user[0] && !s->relay[i].password_file[0])
			complain_of(r, i, "relays.password_file", "a user needs a password file");
	check_listeners(s, r);
	check_mailboxes(s, r);
}
