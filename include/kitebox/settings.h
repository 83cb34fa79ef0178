/*
 * settings: everything an office may configure, as one plain struct that the supervisor fills from kitebox.conf
 * (libconfig) by one table, and hands to each room in a sealed memfd.
 *
 * The struct is plain memory without pointers; both sides are one build, so its size is its version.
 *
 * Errors:    kb_settings_load reports every fault, each with file and line, not only the first.
 * Not here:  secrets (each room gets its own as a descriptor), who may read what (roster.h).
 */
#ifndef KITEBOX_SETTINGS_H
#define KITEBOX_SETTINGS_H

#include <kitebox/verdict.h>

enum { KB_PATH_FIELD = 512, KB_ADDRESS_FIELD = 321, KB_MAILBOXES_MOST = 32, KB_LISTENERS_MOST = 8, KB_RELAYS_MOST = 4 };

enum kb_channel_kind { KB_CHANNEL_EMAIL = 0, KB_CHANNEL_INMATE_RELAY, KB_CHANNEL_LETTER, KB_CHANNEL_PHONE, KB_CHANNEL_VISIT, KB_CHANNEL_KIND_COUNT };
const char *kb_channel_kind_name(unsigned kind);

struct kb_mailbox {
	char address[KB_ADDRESS_FIELD]; /* compared without case; local part and domain */
	uint8_t channel;                /* enum kb_channel_kind */
	uint8_t language;               /* of the acknowledgement when the message's is unknown */
	uint8_t trusted;                /* mail to it is never machine mail (an inmate relay) */
};

enum kb_listener_kind { KB_LISTEN_SMTP = 0, KB_LISTEN_SMTPS, KB_LISTEN_LMTP, KB_LISTEN_DESK };

struct kb_listener {
	uint8_t kind;
	char address[KB_PATH_FIELD]; /* "127.0.0.1:2525", "[::1]:25", or an absolute path of a Unix socket; port 0: any */
};

enum kb_relay_tls { KB_RELAY_STARTTLS = 0, KB_RELAY_TLS };

struct kb_relay {
	char host[256]; /* verified against the certificate */
	uint16_t port;
	uint8_t tls;
	char user[128];                  /* empty: no AUTH */
	char password_file[KB_PATH_FIELD]; /* read by the supervisor, handed to the runner alone */
	char ca_file[KB_PATH_FIELD];     /* empty: the system's trust store */
};

struct kb_limits {
	uint64_t message_octets;    /* 50 MiB */
	uint64_t header_octets;     /* 100 KiB */
	uint32_t header_fields;     /* 1000 */
	uint32_t mime_depth;        /* 50 */
	uint32_t mime_parts;        /* 1000 */
	uint32_t command_octets;    /* 2048, CRLF included */
	uint32_t recipients;        /* 100 */
	uint32_t hops;              /* 50 Received fields */
	uint32_t idle_s;            /* 300 */
	uint32_t connections;       /* at once, 1000 */
	uint64_t flight_octets;     /* bytes in flight, 256 MiB */
	uint32_t sort_s;            /* wall clock of one sorting, 10 */
	uint32_t messages_a_session; /* 1000 */
};

struct kb_settings {
	char hostname[256]; /* in greetings and Message-IDs */
	char user[64];      /* rooms and supervisor run as this user when started as root */
	char state_dir[KB_PATH_FIELD];
	char run_dir[KB_PATH_FIELD];
	char office_public_key[KB_PATH_FIELD]; /* office.pub */
	char office_bundle[KB_PATH_FIELD];     /* imported once, into an empty store */
	char credentials_dir[KB_PATH_FIELD];   /* referral.key, vault.key; default $CREDENTIALS_DIRECTORY */
	char rules_file[KB_PATH_FIELD];
	char model_file[KB_PATH_FIELD];
	char template_dir[KB_PATH_FIELD];
	char tls_certificate[KB_PATH_FIELD], tls_key[KB_PATH_FIELD];
	char mail_from[KB_ADDRESS_FIELD]; /* sender of acknowledgements and referrals */
	struct kb_listener listener[KB_LISTENERS_MOST];
	uint32_t listeners;
	struct kb_mailbox mailbox[KB_MAILBOXES_MOST];
	uint32_t mailboxes;
	struct kb_relay relay[KB_RELAYS_MOST]; /* tried in order */
	uint32_t relays;
	struct kb_limits limit;
	uint64_t map_octets;  /* size of the LMDB map, fixed from the start */
	uint32_t sorters, sealers; /* rooms of each kind; 0: as many as processors, at most 8 */
	uint32_t sorter_messages; /* a sorter is recycled after so many */
	uint32_t held_s;      /* a held referral is released by the clock: 24 h */
	uint32_t tick_s;      /* acknowledgements leave at multiples of this: 60 */
	uint32_t retry_first_s, retry_most_s; /* back-off of deliveries */
};

#endif
