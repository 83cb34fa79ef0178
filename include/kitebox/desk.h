/*
 * desk: what kite and the desk say to each other over a Unix socket (or ssh HOST kite relay).
 *
 * A frame is 8 octets (type u16, zero u16, length u32, little-endian) and a body. kite sends requests, each a struct of
 * exactly the size in kb_desk_table; the desk forwards well-formed ones to the vault and answers in order: frames of the
 * request's own type, then KB_DESK_END, or KB_DESK_ERROR. A large body comes as KB_DESK_DATA frames of at most 64 KiB
 * that precede the frame they belong to, whose body_len counts them.
 *
 * A person logs in by signing  "kitebox login v1" NUL store[16] client_nonce[32] server_nonce[32] purpose[16] ; the vault
 * verifies. kite never returns decrypted octets, nor whether something opened.
 *
 * Errors:    a frame of unknown type, wrong size or over the limit ends the connection.
 * Standard:  none; docs/FORMATS.md.
 * Not here:  the vault's side (daemon/vault_desk.c), kite's (cli/session.h).
 */
#ifndef KITEBOX_DESK_H
#define KITEBOX_DESK_H

#include <kitebox/id.h>
#include <kitebox/summary.h>

enum { KB_DESK_PROTOCOL = 1, KB_DESK_DATA_MOST = 65536, KB_DESK_OPEN_MOST = 64, KB_DESK_LIST_MOST = 256, KB_DESK_SESSIONS_MOST = 8 /* of one person at once */ };

enum kb_desk {
	KB_DESK_HELLO = 1, /* kb_desk_hello     -> kb_desk_challenge */
	KB_DESK_LOGIN,     /* kb_desk_login     -> kb_desk_welcome */
	KB_DESK_ROSTER,    /* kb_desk_none      -> body: bundle of the whole chain, office.pub first */
	KB_DESK_GRANT,     /* kb_desk_epoch     -> body: age file with that epoch's identity, sealed to the person logged in */
	KB_DESK_LIST,      /* kb_desk_list      -> body: kb_desk_message records */
	KB_DESK_OPEN,      /* kb_desk_open      -> for each id: kb_desk_blob with body (the sealed message); journaled first */
	KB_DESK_REFERRALS, /* kb_desk_list      -> body: kb_desk_referral records */
	KB_DESK_STATUS,    /* kb_desk_none      -> kb_desk_status, with body kb_desk_health records; needs no log-in */
	KB_DESK_DATA,
	KB_DESK_END,
	KB_DESK_ERROR,     /* kb_desk_error */
	KB_DESK_COUNT
};

struct kb_desk_frame {
	uint16_t type, zero;
	uint32_t len;
};

struct kb_desk_none {
	uint64_t zero;
};
struct kb_desk_hello {
	uint32_t protocol, zero;
	uint8_t nonce[32];
};
struct kb_desk_challenge {
	struct kb_id store;
	uint8_t nonce[32];
	uint32_t roster_version, zero;
};
struct kb_desk_login {
	char person[16];
	char purpose[16]; /* the command, e.g. "list"; stands in the journal */
	uint8_t signature[64];
};
struct kb_desk_welcome {
	uint32_t role; /* enum kb_role */
	uint32_t person; /* index in the roster */
};
struct kb_desk_epoch {
	uint32_t epoch, zero;
};
struct kb_desk_list {
	uint64_t before_s;         /* received before this; 0: newest */
	struct kb_id before;       /* and, at equal time, before this id; zero: none */
	struct kb_case_id case_id; /* only this case; zero: all */
	uint8_t all;               /* 0: open cases; 1: closed too */
	uint16_t most;             /* 1..KB_DESK_LIST_MOST */
};
struct kb_desk_open {
	uint32_t n, zero;
	struct kb_id id[KB_DESK_OPEN_MOST];
};
struct kb_desk_blob {
	struct kb_id id;
	uint32_t status; /* enum kb_status: KB_NOTFOUND, KB_DENIED, KB_CORRUPT leave the body empty */
	uint32_t zero;
	uint64_t body_len;
	uint8_t sealed_hash[32]; /* BLAKE2b-256 of the ciphertext as the journal has it: kite compares */
};
struct kb_desk_body { /* ends LIST, ROSTER, GRANT, REFERRALS bodies */
	uint64_t body_len;
	uint32_t records, more; /* more: 1 when a further page exists */
};

enum kb_case_status { KB_CASE_NEW = 0, KB_CASE_OPEN, KB_CASE_CLOSED, KB_CASE_STATUS_COUNT };
const char *kb_case_status_name(unsigned status);

/* In a LIST body; header_len octets of age header follow, then KB_SUMMARY_LEN octets of summary row. */
struct kb_desk_message {
	struct kb_id id;
	struct kb_case_id case_id;
	uint8_t class_, channel, status;
	uint64_t received_s, size_class, blob_len;
	uint64_t entitled;
	uint32_t epoch, header_len;
	uint8_t urgent, unreadable, opened, referrals;
	uint32_t zero;
};

enum kb_referral_state {
	KB_REFERRAL_HELD = 0, KB_REFERRAL_QUEUED, KB_REFERRAL_SENT, KB_REFERRAL_DELIVERED, KB_REFERRAL_ACKNOWLEDGED,
	KB_REFERRAL_CLOSED, KB_REFERRAL_RETURNED, KB_REFERRAL_WITHDRAWN, KB_REFERRAL_DEAD, KB_REFERRAL_STATE_COUNT
};
const char *kb_referral_state_name(unsigned state);

struct kb_desk_referral {
	struct kb_id id;
	struct kb_case_id case_id;
	uint8_t state, pad[2];
	char destination[16];
	uint64_t received_s, queued_s, delivered_s, next_s; /* 0: not yet */
	uint32_t attempts, last_code;
	uint64_t blob_len;
};

struct kb_desk_status {
	uint64_t now_s, started_s;
	uint64_t messages, cases_open, held, queued, delivered, acks_waiting, review;
	uint64_t map_used, map_size;
	uint32_t roster_version, epoch;
	uint64_t journal_seq;
	uint8_t journal_head[32];
	uint64_t body_len;
};
struct kb_desk_health {
	char room[12];
	char code[32];
	char sentence[260];
	uint32_t index, on, level, zero; /* level: 0 fact, 1 warning, 2 fault */
	uint64_t count, since_s;
};
struct kb_desk_error {
	uint32_t status; /* enum kb_status */
	char what[124];
};

struct kb_desk_row {
	uint16_t type;
	uint32_t size;
	const char *name;
	uint8_t needs_login;
};
/* NULL for a type that is not a request. */
const struct kb_desk_row *kb_desk_request(unsigned type);

#endif
