/*
 * wire: every message that one room may send another.
 *
 * Rooms talk over SOCK_SEQPACKET pairs made by the supervisor. A datagram is a struct kb_wire_head and one struct of
 * exactly the size in the receiver's table, with exactly the number of descriptors that the table names. Anything else
 * drops that sibling (the supervisor starts it again) and never aborts the receiver. All fields are little-endian, which
 * the build requires; structs are plain memory without holes (asserted), zeroed before they are filled.
 *
 * A descriptor that carries octets is a memfd sealed against writing, growing and shrinking: the receiver checks the
 * seals before it maps one (memfd.h).
 *
 * Errors:    a body is believed only after its handler has checked every enum, index and length.
 * Not here:  how datagrams move (channel.h), who is whose peer (supervisor.c).
 */
#ifndef KITEBOX_DAEMON_WIRE_H
#define KITEBOX_DAEMON_WIRE_H

#include <kitebox/age.h>
#include <kitebox/id.h>
#include <kitebox/roster.h>
#include <kitebox/settings.h>
#include <kitebox/summary.h>
#include <kitebox/verdict.h>

enum kb_room { KB_ROOM_SUPERVISOR = 0, KB_ROOM_DOOR, KB_ROOM_SORTER, KB_ROOM_SEALER, KB_ROOM_VAULT, KB_ROOM_DESK, KB_ROOM_COURIER, KB_ROOM_RUNNER, KB_ROOM_COUNT };
/* "door"; "unknown" when out of range. */
const char *kb_room_name(unsigned room);

struct kb_wire_head {
	uint16_t type; /* enum kb_wire */
	uint16_t fds;
	uint32_t size; /* of the body */
};

enum kb_wire {
	/* supervisor -> any room, before GO (CONFIG, FILE, PEER, OUTBOX_KEY, HEALTH_ALL, STOP also later) */
	KB_WIRE_CONFIG = 1, /* kb_wire_none + memfd of struct kb_settings */
	KB_WIRE_FILE,       /* kb_wire_file + descriptor: a secret, a key, rules, a listening socket, a folder */
	KB_WIRE_PEER,       /* kb_wire_peer + socket */
	KB_WIRE_OUTBOX_KEY, /* kb_wire_outbox_key: to sealers (public half), courier (both halves), vault (number) */
	KB_WIRE_HEALTH_ALL, /* kb_wire_health_all: to the desk */
	KB_WIRE_GO,         /* kb_wire_peer: who the room is; everything has been handed over */
	KB_WIRE_STOP,       /* kb_wire_none: take nothing new, finish, exit 0 */
	/* any room -> supervisor */
	KB_WIRE_READY,      /* kb_wire_none: sandbox closed, at work */
	KB_WIRE_HEALTH,     /* kb_wire_health */
	KB_WIRE_ALIVE,      /* kb_wire_none: sent every few seconds; the supervisor kills a room that falls silent */
	KB_WIRE_HUNG,       /* kb_wire_peer (no descriptor): names a sibling that hangs or broke the rules, and must be killed */
	KB_WIRE_LOST,       /* kb_wire_peer (no descriptor): the channel of this number to a sibling has ended, nobody's fault */
	KB_WIRE_RUN,        /* kb_wire_run + [connected socket, channel end for the runner, memfd of the message]: courier */
	/* door <-> sealer */
	KB_WIRE_SUBMIT,     /* kb_wire_submit + memfd of the message */
	KB_WIRE_RESULT,     /* kb_wire_result */
	/* sealer <-> sorter; also kite <-> sorter (its sandboxed child) */
	KB_WIRE_STAFF,      /* kb_wire_none + memfd: names of the desk's persons, a line each, in roster order */
	KB_WIRE_SORT,       /* kb_wire_sort + memfd of the message */
	KB_WIRE_VERDICT,    /* kb_wire_verdict */
	KB_WIRE_VIEW,       /* kb_wire_sort + memfd of the message: asks for a rendering */
	KB_WIRE_VIEWED,     /* kb_wire_viewed + memfd of a text a person may read (harmless UTF-8) */
	/* sealer <-> vault */
	KB_WIRE_ROSTER,     /* kb_wire_none + memfd: the whole signed chain as a bundle (roster.h) */
	KB_WIRE_STORE,      /* kb_wire_store + memfd: the sealed message, then a sealed referral for each destination bit, low bit first */
	KB_WIRE_STORED,     /* kb_wire_result */
	/* desk <-> vault */
	KB_WIRE_ASK,        /* kb_wire_ask */
	KB_WIRE_ANSWER,     /* kb_wire_answer, body_in_fd 0 */
	KB_WIRE_ANSWER_FD,  /* kb_wire_answer + memfd */
	KB_WIRE_GONE,       /* kb_wire_gone: the desk's connection ended; its session ends with it */
	/* courier <-> vault */
	KB_WIRE_CREDIT,     /* kb_wire_credit: the courier can take so many more works */
	KB_WIRE_WORK,       /* kb_wire_work + [sealed referral, its minisig] */
	KB_WIRE_ACK_WORK,   /* kb_wire_work + [sealed outbox item] */
	KB_WIRE_DONE,       /* kb_wire_done */
	/* runner -> courier */
	KB_WIRE_RUN_JOB,    /* courier -> runner: kb_wire_job */
	KB_WIRE_RUN_DONE,   /* kb_wire_done */
	KB_WIRE_COUNT
};

struct kb_wire_none {
	uint64_t zero;
};

enum kb_file {
	KB_FILE_LISTEN = 1,     /* index: listener of the settings */
	KB_FILE_STATE_DIR,      /* vault: O_DIRECTORY */
	KB_FILE_OFFICE_PUBLIC,  /* vault, sealer */
	KB_FILE_OFFICE_BUNDLE,  /* vault: absent once imported */
	KB_FILE_REFERRAL_KEY,   /* vault: minisign secret key without passphrase */
	KB_FILE_VAULT_KEY,      /* vault: 32 random octets, journal and thread keys are derived from it */
	KB_FILE_TLS_CERTIFICATE, /* door: PEM, as memfd */
	KB_FILE_TLS_KEY,        /* door: PEM, as memfd */
	KB_FILE_RULES,          /* sorter: conf/triage.rules, as memfd */
	KB_FILE_TEMPLATE,       /* courier: index is enum kb_language; as memfd */
	KB_FILE_RELAY_CA,       /* runner: PEM bundle, as memfd */
	KB_FILE_RELAY_PASSWORD, /* runner, as memfd */
	KB_FILE_RELAY_SOCKET,   /* runner: connected */
	KB_FILE_RELAY_MESSAGE,  /* runner: what to deliver, as memfd */
	KB_FILE_MODEL,          /* sorter: conf/triage.model, as memfd */
	KB_FILE_COUNT
};

struct kb_wire_file {
	uint32_t kind, index;
};

struct kb_wire_peer {
	uint32_t room, index;
	uint64_t link; /* number of the channel: of PEER and LOST, between rooms that are not runners */
};

struct kb_wire_outbox_key {
	uint32_t number; /* grows; newest is used for sealing */
	uint32_t destroy; /* 1: forget this number */
	uint8_t pub[32], secret[32]; /* secret is zero but for the courier */
};

/* Conditions a room may raise and take back; daemon/health.h has the table of names and sentences. */
struct kb_wire_health {
	uint32_t code;  /* enum kb_health */
	uint32_t on;    /* 1 raised, 0 over */
	uint64_t count; /* since start, or a gauge */
};

enum { KB_HEALTH_ROWS = 64 };
struct kb_wire_health_all {
	uint64_t started_s;
	uint32_t n, zero;
	struct {
		uint8_t room, index, on, pad;
		uint32_t code;
		uint64_t count, since_s;
	} row[KB_HEALTH_ROWS];
};

struct kb_wire_run {
	uint32_t relay; /* index in the settings: decides CA and password */
	uint32_t zero;
};

struct kb_wire_submit {
	struct kb_id id;       /* submission id: the message's id for ever */
	uint64_t received_s;
	uint64_t size;         /* octets in the memfd */
	uint32_t mailboxes;    /* bit i: mailbox i of the settings is a recipient */
	uint8_t lmtp, tls, smtputf8, authenticated;
	char sender[KB_ADDRESS_FIELD]; /* reverse-path without brackets; empty: null sender */
	char helo[256];
	char peer[64];         /* numeric address, or "unix" */
	char tls_facts[95];    /* "TLS1.3 TLS_AES_256_GCM_SHA384", or empty */
};

struct kb_wire_result {
	struct kb_id id;       /* of the submission */
	uint32_t status;       /* enum kb_status: what the door answers is in the status table */
	uint32_t duplicate;    /* 1: these octets and this envelope were already stored */
	struct kb_case_id case_id;
	uint8_t pad[3];
	struct kb_id stored;   /* the message's; of a duplicate that of the one that came before */
};

struct kb_wire_sort {
	struct kb_id id;
	uint64_t size;
	uint32_t channel;      /* enum kb_channel_kind */
	uint32_t trusted;      /* mailbox of an inmate relay: never machine mail */
	uint32_t null_sender, zero;
};

struct kb_wire_verdict {
	struct kb_id id;
	struct kb_verdict verdict;
};

struct kb_wire_viewed {
	struct kb_id id;
	uint32_t status, zero;
};

/*
 * What an acknowledgement needs, sealed by the sealer to the outbox key: share[32] nonce[24] crypto_box(item). The share is
 * the public half of a key that a sealer makes for a number of items and forgets.
 */
struct kb_ack_item {
	char address[KB_ADDRESS_FIELD]; /* the door's return address */
	char indicator[41];             /* message indicator, or empty */
	uint8_t language;
	uint8_t pad[5];
};
enum { KB_ACK_SEALED = sizeof(struct kb_ack_item) + 32 + 24 + 16 };

struct kb_wire_store {
	struct kb_id id;
	uint64_t received_s;
	uint64_t entitled;     /* 0: sealed to the desk key; else bit i: person i of the roster has a stanza */
	uint64_t size_class;   /* Padme length of the sealed plaintext */
	uint8_t fingerprint[32]; /* BLAKE2b-256 over envelope and octets less leading Return-Path and Received; never stored as such */
	uint32_t roster_version, epoch;
	uint32_t header_len;   /* of the sealed message: its age header (and nonce) is copied beside the summary */
	uint32_t destinations; /* bit i: a referral to destination i of the roster follows the message */
	uint8_t class_;        /* enum kb_class: decides state and clocks */
	uint8_t urgent, unreadable, channel;
	uint32_t outbox_key;   /* number of the key that ack is sealed to; 0: no acknowledgement */
	uint8_t ack[KB_ACK_SEALED];
	uint8_t summary[KB_SUMMARY_LEN];
	uint64_t len[1 + KB_DESTINATIONS_MOST]; /* octets of each file in the memfd, which holds nothing else; 0 behind the last */
};

enum { KB_ASK_BODY = 2048, KB_ANSWER_BODY = 512 };
struct kb_wire_ask {
	uint32_t conn;
	uint16_t type; /* enum kb_desk of include/kitebox/desk.h */
	uint16_t len;
	uint8_t body[KB_ASK_BODY];
};
struct kb_wire_answer {
	uint32_t conn;
	uint16_t type;
	uint16_t len;
	uint32_t last; /* 1: nothing more follows for this request */
	uint32_t body_in_fd;
	uint8_t body[KB_ANSWER_BODY];
};
struct kb_wire_gone {
	uint32_t conn, zero;
};

struct kb_wire_credit {
	uint32_t referrals, acks;
};

struct kb_wire_work {
	struct kb_id id;       /* referral id or outbox id: decides the Message-ID */
	uint64_t received_s;
	uint32_t attempt, outbox_key;
	struct kb_case_id case_id;
	uint8_t pad[3];
	char address[256];     /* of the destination; empty for an acknowledgement */
	char destination[16];
};

enum kb_outcome { KB_OUTCOME_DELIVERED = 0, KB_OUTCOME_TEMPORARY, KB_OUTCOME_PERMANENT, KB_OUTCOME_UNSENT, KB_OUTCOME_COUNT };
struct kb_wire_done {
	struct kb_id id;
	uint32_t ack;     /* 1: an outbox item, 0: a referral */
	uint32_t outcome; /* enum kb_outcome */
	uint32_t code;    /* SMTP reply code, or 0 */
	uint32_t reason;  /* enum kb_status: KB_IO no connection, KB_FORGED certificate, ... */
};

struct kb_wire_job {
	struct kb_id id;
	uint64_t size;
	char host[256];   /* for SNI and verification */
	char helo[256];
	char from[KB_ADDRESS_FIELD];
	char to[KB_ADDRESS_FIELD];
	char user[128];
	uint8_t tls;      /* enum kb_relay_tls */
	uint8_t pad[5];
};


_Static_assert(sizeof(struct kb_verdict) == 1712, "no holes: what crosses between rooms is exactly its fields");
_Static_assert(sizeof(struct kb_wire_result) == 48, "no holes");
_Static_assert(sizeof(struct kb_wire_submit) == 776, "no holes");
_Static_assert(sizeof(struct kb_wire_store) == 1680, "no holes");

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "kitebox rows and messages are little-endian; big-endian hosts are not supported"
#endif

#endif
