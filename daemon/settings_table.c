/* settings_table: every setting, in the order in which kitebox.conf(5) shows them. */
#include "settings_file.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const char *const listener_words[] = {
    [KB_LISTEN_SMTP] = "smtp", [KB_LISTEN_SMTPS] = "smtps", [KB_LISTEN_LMTP] = "lmtp", [KB_LISTEN_DESK] = "desk", NULL};
static const char *const channel_words[] = {
    [KB_CHANNEL_EMAIL] = "email", [KB_CHANNEL_INMATE_RELAY] = "inmate-relay", NULL};
static const char *const language_words[] = {[KB_LANG_OTHER] = "other", [KB_LANG_EN] = "en", [KB_LANG_ES] = "es", NULL};
static const char *const tls_words[] = {[KB_RELAY_STARTTLS] = "starttls", [KB_RELAY_TLS] = "tls", NULL};

#define FIELD(type, member) .offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)

/* clang-format off */
#define TEXT(kind_, type, key_, member, default_, help_) \
	{.key = key_, .kind = kind_, FIELD(type, member), .text = default_, .most = sizeof(((struct type *)0)->member) - 1, .help = help_}
#define MUST(kind_, type, key_, member, help_) \
	{.key = key_, .kind = kind_, .required = true, FIELD(type, member), .least = 1, .most = sizeof(((struct type *)0)->member) - 1, .help = help_}
#define NUMBER(type, key_, member, default_, least_, most_, help_) \
	{.key = key_, .kind = KB_SETTING_NUMBER, FIELD(type, member), .number = default_, .least = least_, .most = most_, .help = help_}
#define WORD(type, key_, member, default_, words_, help_) \
	{.key = key_, .kind = KB_SETTING_WORD, FIELD(type, member), .number = default_, .words = words_, .help = help_}
#define BOOL(type, key_, member, help_) \
	{.key = key_, .kind = KB_SETTING_BOOL, FIELD(type, member), .help = help_}

static const struct kb_setting rows[] = {
	MUST(KB_SETTING_HOST, kb_settings, "hostname", hostname,
		"The host's name in greetings and Message-IDs"),
	TEXT(KB_SETTING_TEXT, kb_settings, "user", user, "kitebox",
		"The user that everything runs as when kiteboxd is started as root"),
	TEXT(KB_SETTING_PATH, kb_settings, "state_dir", state_dir, "/var/lib/kitebox",
		"The store's folder"),
	TEXT(KB_SETTING_PATH, kb_settings, "run_dir", run_dir, "/run/kitebox",
		"Where kiteboxd writes the list of its listeners"),
	TEXT(KB_SETTING_PATH, kb_settings, "office.public_key", office_public_key, "/etc/kitebox/office.pub",
		"The office's public key, which every roster is verified under"),
	TEXT(KB_SETTING_PATH, kb_settings, "office.bundle", office_bundle, "/etc/kitebox/office.bundle",
		"What kite setup wrote for the host; imported once, into an empty store"),
	TEXT(KB_SETTING_PATH, kb_settings, "credentials_dir", credentials_dir, NULL,
		"The folder of referral.key and vault.key; empty: $CREDENTIALS_DIRECTORY, else /etc/kitebox/credentials"),
	TEXT(KB_SETTING_PATH, kb_settings, "rules", rules_file, "/etc/kitebox/triage.rules",
		"The rules of triage"),
	TEXT(KB_SETTING_PATH, kb_settings, "model", model_file, "/etc/kitebox/triage.model",
		"The model of triage"),
	TEXT(KB_SETTING_PATH, kb_settings, "templates", template_dir, "/etc/kitebox/templates",
		"The folder of ack.en.txt and ack.es.txt"),
	TEXT(KB_SETTING_PATH, kb_settings, "tls.certificate", tls_certificate, NULL,
		"The host's certificate chain in PEM; empty: STARTTLS is not offered"),
	TEXT(KB_SETTING_PATH, kb_settings, "tls.key", tls_key, NULL,
		"The certificate's key in PEM"),
	MUST(KB_SETTING_ADDRESS, kb_settings, "mail_from", mail_from,
		"The sender of acknowledgements and referrals"),
	NUMBER(kb_settings, "limits.message_octets", limit.message_octets, 50 * MIB, 65536, 1024 * MIB,
		"The longest message that is taken"),
	NUMBER(kb_settings, "limits.header_octets", limit.header_octets, 102400, 4096, 4 * MIB,
		"The longest header block that is parsed"),
	NUMBER(kb_settings, "limits.header_fields", limit.header_fields, 1000, 10, 10000,
		"The most header fields that are parsed"),
	NUMBER(kb_settings, "limits.mime_depth", limit.mime_depth, 50, 1, 200,
		"How deep parts may be nested"),
	NUMBER(kb_settings, "limits.mime_parts", limit.mime_parts, 1000, 1, 10000,
		"The most parts of a message"),
	NUMBER(kb_settings, "limits.command_octets", limit.command_octets, 2048, 512, 65536,
		"The longest SMTP command line, its end included"),
	NUMBER(kb_settings, "limits.recipients", limit.recipients, 100, 1, 10000,
		"The most recipients of a message"),
	NUMBER(kb_settings, "limits.hops", limit.hops, 50, 5, 1000,
		"The most Received fields before mail counts as a loop"),
	NUMBER(kb_settings, "limits.idle_s", limit.idle_s, 300, 5, 86400,
		"Seconds of silence after which a client is let go"),
	NUMBER(kb_settings, "limits.connections", limit.connections, 1000, 1, 10000,
		"The most clients at once"),
	NUMBER(kb_settings, "limits.flight_octets", limit.flight_octets, 256 * MIB, 65536, 64 * GIB,
		"The most octets of mail in memory at once; beyond it the answer is 452"),
	NUMBER(kb_settings, "limits.sort_s", limit.sort_s, 10, 1, 120,
		"Seconds that a sorter may take over one message"),
	NUMBER(kb_settings, "limits.messages_a_session", limit.messages_a_session, 1000, 1, 1000000,
		"The most messages of one connection"),
	NUMBER(kb_settings, "store.map_octets", map_octets, 64 * GIB, 16 * MIB, UINT64_C(1) << 46,
		"The most that the store may ever hold; it takes addresses, not disk, until it is filled"),
	NUMBER(kb_settings, "rooms.sorters", sorters, 0, 0, 8,
		"How many sorters; 0: as many as sealers"),
	NUMBER(kb_settings, "rooms.sealers", sealers, 0, 0, 8,
		"How many sealers; 0: as many as processors, at most 8"),
	NUMBER(kb_settings, "rooms.sorter_messages", sorter_messages, 1000, 1, 1000000,
		"A sorter is replaced by a fresh one after so many messages"),
	NUMBER(kb_settings, "referral.held_s", held_s, 86400, 1, 30 * 86400,
		"Seconds after which a held referral leaves though nobody released it"),
	NUMBER(kb_settings, "referral.retry_first_s", retry_first_s, 60, 1, 86400,
		"Seconds until a failed delivery is tried again, doubled each time"),
	NUMBER(kb_settings, "referral.retry_most_s", retry_most_s, 14400, 1, 86400,
		"The longest such wait"),
	NUMBER(kb_settings, "acknowledgement.tick_s", tick_s, 60, 1, 86400,
		"Acknowledgements leave together at multiples of so many seconds"),
};

static const struct kb_setting listener_rows[] = {
	{.key = "kind", .kind = KB_SETTING_WORD, .required = true, FIELD(kb_listener, kind), .words = listener_words,
		.help = "What is spoken there"},
	MUST(KB_SETTING_LISTEN, kb_listener, "address", address,
		"A numeric address and port (\"127.0.0.1:25\", \"[::1]:25\"; port 0: any), or the path of a Unix socket"),
};
static const struct kb_setting mailbox_rows[] = {
	MUST(KB_SETTING_ADDRESS, kb_mailbox, "address", address,
		"The address, compared without case"),
	WORD(kb_mailbox, "channel", channel, KB_CHANNEL_EMAIL, channel_words,
		"How what arrives there is filed"),
	WORD(kb_mailbox, "language", language, KB_LANG_EN, language_words,
		"The language of the acknowledgement when the message's own is unknown"),
	BOOL(kb_mailbox, "trusted", trusted,
		"Mail to it comes from an inmate relay and is never taken for machine mail"),
};
static const struct kb_setting relay_rows[] = {
	MUST(KB_SETTING_HOST, kb_relay, "host", host,
		"The relay's name, which its certificate must show"),
	NUMBER(kb_relay, "port", port, 25, 1, 65535,
		"Its port"),
	WORD(kb_relay, "tls", tls, KB_RELAY_STARTTLS, tls_words,
		"When TLS begins; there is no delivery without it"),
	TEXT(KB_SETTING_TEXT, kb_relay, "user", user, NULL,
		"The name to log in with; empty: no log-in"),
	TEXT(KB_SETTING_PATH, kb_relay, "password_file", password_file, NULL,
		"A file that holds the password"),
	TEXT(KB_SETTING_PATH, kb_relay, "ca_file", ca_file, NULL,
		"The certificates to trust, in PEM; empty: the system's"),
};

#define LIST(key_, member, count, least_, rows_, help_) \
	{.key = key_, .least = least_, .most = KB_LEN(((struct kb_settings *)0)->member), .offset = offsetof(struct kb_settings, member), \
	 .stride = sizeof(((struct kb_settings *)0)->member[0]), .count_offset = offsetof(struct kb_settings, count), .rows = rows_, .n = KB_LEN(rows_), .help = help_}

static const struct kb_setting_list lists[] = {
	LIST("listen", listener, listeners, 1, listener_rows,
		"Where clients connect"),
	LIST("mailboxes", mailbox, mailboxes, 1, mailbox_rows,
		"The addresses that mail is taken for"),
	LIST("relays", relay, relays, 0, relay_rows,
		"The servers that referrals and acknowledgements are given to, tried in order"),
};
/* clang-format on */

const struct kb_setting *kb_settings_rows(size_t *ret_n)
{
	*ret_n = KB_LEN(rows);
	return rows;
}

const struct kb_setting_list *kb_settings_lists(size_t *ret_n)
{
	*ret_n = KB_LEN(lists);
	return lists;
}
