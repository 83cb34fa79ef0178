/*
 * store: everything an office holds, in one LMDB environment that one process opens.
 *
 * What is stored is sealed before it comes here. Every act (a message taken, a case opened, a referral sent) changes rows
 * and appends its entry to the journal in the same transaction, so that neither is ever there without the other. What has
 * been committed is on the disk: data first, then the page that names it.
 *
 * A call that changes something stands between kb_store_begin and kb_store_commit. When one of them fails with anything but
 * the statuses that its comment calls an answer, the transaction is abandoned (kb_store_abort) and nothing of it remains.
 *
 * Ownership:  the caller's memory throughout, but for struct kb_store, which kb_store_close takes by its address. A span
 *             borrows from the map: it is good until kb_store_rest, or the next kb_store_begin, commit or abort.
 * Errors:     KB_CORRUPT a row whose checksum or meaning does not hold; KB_BUSY no room in map or disk; KB_NOKEY a key that
 *             was not given; KB_FORGED a journal that was not kept with this key; KB_NOTFOUND; KB_IO.
 * Secrets:    the journal's and the referral key, and the daily keys of `recent`, lie in guarded memory. Times in rows are
 *             whole minutes: a moment to the second could be matched with what a sender or a provider knows.
 * Standard:   LMDB 0.9, minisign; docs/FORMATS.md for tables, rows and journal.
 * Not here:   who may ask for what (daemon/vault_desk.c), clocks (time is a parameter), sealing (age.h).
 */
#ifndef KITEBOX_STORE_H
#define KITEBOX_STORE_H

#include <kitebox/desk.h>
#include <kitebox/roster.h>

struct kb_store;

/* path is a folder; "." after fchdir. The map has this size from the start (more when what is stored needs it). Sets no key:
 * everything can be read, nothing changed. */
KB_MUST_USE enum kb_status kb_store_open(struct kb_diag *d, const char *path, uint64_t map_octets, struct kb_store **ret_s);
void kb_store_close(struct kb_store **s);
/* Gives the key that the journal's head is kept under, and brings the folder's daily keys up to date. KB_FORGED when the
 * head that is stored was kept under another key, or put there by other hands: the store then stays as it is. */
KB_MUST_USE enum kb_status kb_store_unlock(struct kb_diag *d, struct kb_store *s, const uint8_t vault_key[static 32], uint64_t now_s);
/* What signs referrals; NULL takes it back. */
void kb_store_referral_key(struct kb_store *s, const struct kb_minisign_key *key);

struct kb_store_clocks {
	uint32_t held_s;                     /* a held referral is released by the clock */
	uint32_t retry_first_s, retry_most_s; /* back-off of deliveries */
	uint32_t tick_s;                     /* acknowledgements leave at multiples of this */
};
void kb_store_clocks(struct kb_store *s, const struct kb_store_clocks *c);

/* ---- transactions ---- */

/* KB_BUSY when the map or the disk has no room for so many octets more and a reserve: asked before a transaction. */
KB_MUST_USE enum kb_status kb_store_room(struct kb_diag *d, struct kb_store *s, uint64_t octets);
/* The same with half a reserve more: asked before it is said that there is room again, lest that be said at the very edge. */
KB_MUST_USE enum kb_status kb_store_room_again(struct kb_diag *d, struct kb_store *s, uint64_t octets);
KB_MUST_USE enum kb_status kb_store_begin(struct kb_diag *d, struct kb_store *s, uint64_t now_s);
/* On KB_OK everything since begin is on the disk. Otherwise nothing of it is there. */
KB_MUST_USE enum kb_status kb_store_commit(struct kb_diag *d, struct kb_store *s);
/* Harmless when no transaction is open. */
void kb_store_abort(struct kb_store *s);
/* Ends reading: spans are void, and pages that writers freed can be used again. */
void kb_store_rest(struct kb_store *s);
/* Gives back the memory that what was read takes; it is read again from the file. */
void kb_store_trim(struct kb_store *s);
/* True after an error that only opening the store anew can clear. */
bool kb_store_broken(const struct kb_store *s);
/* Clears away, in a transaction of its own and a bounded step at a time, what outlived its use: chunks of messages that
 * never became whole, rows under daily keys that are gone. KB_AGAIN: there is more. Not while an upload is under way. */
KB_MUST_USE enum kb_status kb_store_tidy(struct kb_diag *d, struct kb_store *s, uint64_t now_s);

struct kb_store_counts {
	uint64_t messages, review; /* review: of that class, and nobody has opened it yet */
	uint64_t cases[KB_CASE_STATUS_COUNT];
	uint64_t referrals[KB_REFERRAL_STATE_COUNT];
	uint64_t failing; /* referrals that wait after an attempt failed */
	uint64_t acks, unsent;
};
struct kb_store_facts {
	struct kb_store_counts counts;
	uint64_t map_used, map_size;
	uint64_t journal_seq;
	uint8_t journal_head[32];
	uint32_t roster_version; /* the newest that was ever in force: a chain that ends earlier is refused */
};
void kb_store_facts(const struct kb_store *s, struct kb_store_facts *ret_f);

/* ---- the office ---- */

struct kb_office {
	struct kb_id store;
	struct kb_minisign_public key;
	uint64_t created_s;
};
/* KB_NOTFOUND for a store that has no office yet. */
KB_MUST_USE enum kb_status kb_store_office(struct kb_diag *d, struct kb_store *s, struct kb_office *ret_o);
/* Takes `kite setup`'s bundle into an empty store, once verified under this key. KB_SEQUENCE when there is an office. */
KB_MUST_USE enum kb_status kb_store_import(struct kb_diag *d, struct kb_store *s, struct kb_span bundle, const struct kb_minisign_public *key);
/* The chain of rosters as a bundle, as stored: whoever gets it verifies it. office: the public key as first item. */
KB_MUST_USE enum kb_status kb_store_chain(struct kb_diag *d, struct kb_store *s, bool office, struct kb_buf *ret_bundle);
KB_MUST_USE enum kb_status kb_store_roster(struct kb_diag *d, struct kb_store *s, uint32_t version, struct kb_span *ret_text);
/* The identity of that epoch, sealed to that person. */
KB_MUST_USE enum kb_status kb_store_grant(struct kb_diag *d, struct kb_store *s, uint32_t epoch, const char *person, struct kb_span *ret_file);

/* ---- messages and cases ---- */

struct kb_msg {
	uint64_t seq; /* the key; grows with each message */
	struct kb_id id;
	struct kb_case_id case_id;
	uint8_t class_, channel, urgent, unreadable, opened;
	uint64_t received_s, size_class, entitled;
	uint64_t blob, blob_len; /* the sealed message */
	uint32_t epoch, roster_version, header_len, referrals;
	uint8_t sealed_hash[32], summary_hash[32];
};

struct kb_case {
	struct kb_case_id id;
	uint8_t status; /* enum kb_case_status */
	uint8_t alert;  /* 1: urgent, and no person has opened it yet */
	uint64_t created_s, opened_s;
	uint32_t messages;
};

/* A sealed file on its way in: len octets, from at on, of a memfd that nobody can change any more. */
struct kb_sealed_file {
	int fd;
	uint64_t at, len;
};

struct kb_put {
	struct kb_id id;
	uint64_t received_s, entitled, size_class;
	const uint8_t *fingerprint; /* 32 octets */
	uint32_t roster_version, epoch, header_len;
	uint8_t class_, channel;
	bool urgent, unreadable;
	uint32_t outbox_key;   /* 0: no acknowledgement */
	struct kb_span ack;
	struct kb_span summary; /* KB_SUMMARY_LEN octets */
	struct kb_sealed_file message;
	struct {
		uint8_t index; /* in the roster */
		const struct kb_destination *to;
		struct kb_sealed_file file;
	} referral[KB_DESTINATIONS_MOST];
	size_t referrals;
};

struct kb_put_result {
	bool duplicate; /* these octets and this envelope came before: nothing was stored */
	bool known;     /* this very submission was stored before */
	struct kb_id id; /* of the message that is stored */
	struct kb_case_id case_id;
};

enum { KB_BLOB_CHUNK = 262080, KB_BLOB_WHOLE = 262144, KB_UPLOAD_STEP = 4 << 20 };

/* What of a large put is on the disk already; zero before the first step. Aligned to 64 octets (aligned_alloc). */
struct kb_upload {
	size_t done, n; /* files written whole, files in all; n is 0 before the first step */
	struct kb_upload_file {
		uint64_t blob, at;
		uint8_t hash[64]; /* of the whole, once written: 32 octets of the message's, 64 of a referral's */
		crypto_generichash_state state;
	} file[1 + KB_DESTINATIONS_MOST];
};
/* Is any file of it over KB_BLOB_WHOLE octets? Such a put goes in steps, each a transaction of its own, and becomes real
 * with kb_store_put. */
bool kb_put_is_large(const struct kb_put *p);
/* KB_AGAIN: there is more to write. */
KB_MUST_USE enum kb_status kb_store_upload(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, struct kb_upload *u, uint64_t now_s);

/* Stores a message with everything that belongs to it: case, summary, referrals (queued, or held with their clock), what
 * is to be answered, journal. u is NULL for one that is not large. Answers that are not failures of the transaction stand in
 * *ret_r. A duplicate's upload is taken away again. */
KB_MUST_USE enum kb_status kb_store_put(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, const struct kb_upload *u, struct kb_put_result *ret_r);
/* Would put find it stored already? KB_NOTFOUND if not. Outside of a transaction, for what is large. */
KB_MUST_USE enum kb_status kb_store_seen(struct kb_diag *d, struct kb_store *s, const struct kb_put *p, struct kb_put_result *ret_r);

KB_MUST_USE enum kb_status kb_store_message(struct kb_diag *d, struct kb_store *s, const struct kb_id *id, struct kb_msg *ret_m);
KB_MUST_USE enum kb_status kb_store_message_at(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_msg *ret_m);
/* The age header (and nonce), and the KB_SUMMARY_LEN octets of summary. */
KB_MUST_USE enum kb_status kb_store_summary(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_span *ret_header, struct kb_span *ret_summary);
KB_MUST_USE enum kb_status kb_store_case(struct kb_diag *d, struct kb_store *s, const struct kb_case_id *id, struct kb_case *ret_c);
/* A sealed file as a sealed memfd. */
KB_MUST_USE enum kb_status kb_store_blob(struct kb_diag *d, struct kb_store *s, uint64_t blob, uint64_t len, int *ret_fd);

/* Messages, newest first. */
struct kb_list {
	struct kb_store *store;
	uint64_t time_s, seq; /* the last one given */
	uint64_t below_s;
	struct kb_case_id case_id;
	bool one_case;
};
/* Starts before (time, id); zeros: at the newest. A case of zeros: all cases. */
KB_MUST_USE enum kb_status kb_list_init(struct kb_diag *d, struct kb_store *s, const struct kb_desk_list *q, struct kb_list *ret_l);
/* KB_NOTFOUND at the end. */
KB_MUST_USE enum kb_status kb_list_next(struct kb_diag *d, struct kb_list *l, struct kb_msg *ret_m);

/* A person logged in; purpose is the command's name. */
KB_MUST_USE enum kb_status kb_store_login(struct kb_diag *d, struct kb_store *s, const char *person, const char *purpose);
/* A person opens these messages: one entry names them all, each is marked, their cases are open, alerts end. */
KB_MUST_USE enum kb_status kb_store_opened(struct kb_diag *d, struct kb_store *s, const char *person, const struct kb_id *id, size_t n);

/* ---- referrals ---- */

struct kb_referral {
	uint64_t seq; /* the key */
	struct kb_id id, message;
	uint64_t message_seq;
	struct kb_case_id case_id;
	uint8_t state; /* enum kb_referral_state */
	uint8_t index; /* of the destination in the roster that it was sealed under */
	char destination[16];
	uint64_t received_s, queued_s, first_s, delivered_s; /* first_s: of the first attempt since it was queued */
	uint64_t next_s; /* when the clock comes to it; KB_NEVER while it is under way, or for good */
	uint32_t attempts, last_code;
	uint64_t blob, blob_len;
	uint8_t prehash[64]; /* BLAKE2b-512 of the sealed file: what is signed */
};
#define KB_NEVER UINT64_MAX

enum kb_referral_event {
	KB_EVENT_RELEASE = 0, /* the clock lets a held one go */
	KB_EVENT_TAKE,        /* handed to the courier */
	KB_EVENT_DELIVER,     /* the investigators' server took it */
	KB_EVENT_DEFER,       /* it did not, and is asked again */
	KB_EVENT_GIVE_UP,     /* it refused for a day */
	KB_EVENT_LOSE,        /* the courier ended with it: nobody knows */
	KB_EVENT_COUNT
};
/* The state that a referral of such a message begins in. */
uint8_t kb_referral_first(uint8_t class_, bool unreadable);
/* KB_SEQUENCE when the event does not belong to the state. No I/O. */
KB_MUST_USE enum kb_status kb_referral_step(uint8_t from, enum kb_referral_event event, uint8_t *ret_to);
/* Seconds until attempt number `attempts` + 1: doubling from first to most, less up to a quarter by chance. */
uint64_t kb_backoff_s(uint32_t attempts, uint32_t first_s, uint32_t most_s, uint32_t chance);
/* A server's 5xx may be a fault of the relay: it counts as final only after this. */
enum { KB_GIVE_UP_S = 86400 };

struct kb_referral_outcome {
	uint32_t code;   /* SMTP reply code, or 0 */
	uint32_t chance; /* random, for the back-off */
};
/* Takes r through the event; r then is as stored. o is NULL where nothing was attempted. */
KB_MUST_USE enum kb_status kb_store_referral_event(struct kb_diag *d, struct kb_store *s, struct kb_referral *r, enum kb_referral_event event, const struct kb_referral_outcome *o);
KB_MUST_USE enum kb_status kb_store_referral(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_referral *ret_r);
KB_MUST_USE enum kb_status kb_store_referral_find(struct kb_diag *d, struct kb_store *s, const struct kb_id *id, struct kb_referral *ret_r);
/* The .minisig that was made when it was queued. */
KB_MUST_USE enum kb_status kb_store_signature(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_span *ret_minisig);

/* What the clock has come to: place is zero at first, and moves on. KB_NOTFOUND when nothing (more) is. Held ones to be
 * released; queued ones to be sent; and those that were with a courier when the store was last closed, or the vault died. */
struct kb_place {
	uint64_t time_s, seq;
};
KB_MUST_USE enum kb_status kb_held_next(struct kb_diag *d, struct kb_store *s, uint64_t until_s, struct kb_place *place, struct kb_referral *ret_r);
KB_MUST_USE enum kb_status kb_due_next(struct kb_diag *d, struct kb_store *s, uint64_t until_s, struct kb_place *place, struct kb_referral *ret_r);
KB_MUST_USE enum kb_status kb_sent_next(struct kb_diag *d, struct kb_store *s, struct kb_place *place, struct kb_referral *ret_r);
/* When, after that moment, the clock has to look again; KB_NEVER. */
KB_MUST_USE enum kb_status kb_store_next_due(struct kb_diag *d, struct kb_store *s, uint64_t after_s, uint64_t *ret_time_s);
/* Newest first: seq is 0 at first, else of the last one given. KB_NOTFOUND at the end. */
KB_MUST_USE enum kb_status kb_referral_before(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_referral *ret_r);

/* ---- acknowledgements that wait ---- */

struct kb_ack {
	struct kb_place place; /* the key: the tick it leaves at, and a number */
	struct kb_id id, message;
	struct kb_case_id case_id;
	uint64_t received_s;
	uint32_t outbox_key, attempts;
};
KB_MUST_USE enum kb_status kb_ack_next(struct kb_diag *d, struct kb_store *s, uint64_t until_s, struct kb_place *place, struct kb_ack *ret_a, struct kb_span *ret_sealed);
/* It left, or nobody will ever send it; either way its row goes. */
KB_MUST_USE enum kb_status kb_store_ack_sent(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a, uint32_t code);
KB_MUST_USE enum kb_status kb_store_ack_unsent(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a, uint32_t code);
/* It waits for a later tick. */
KB_MUST_USE enum kb_status kb_store_ack_later(struct kb_diag *d, struct kb_store *s, const struct kb_ack *a);
KB_MUST_USE enum kb_status kb_store_next_ack(struct kb_diag *d, struct kb_store *s, uint64_t after_s, uint64_t *ret_time_s);

/* ---- the journal ---- */

enum kb_act {
	KB_ACT_IMPORTED = 1, /* an office was set up */
	KB_ACT_SEALED,       /* a message was received, sealed and stored */
	KB_ACT_DUPLICATE,    /* one came again and was not */
	KB_ACT_HELD,         /* a referral waits for a person, or the clock */
	KB_ACT_REFERRED,     /* a referral was queued */
	KB_ACT_RELEASED,     /* the clock queued a held one */
	KB_ACT_SENT, KB_ACT_DEFERRED, KB_ACT_DELIVERED, KB_ACT_DEAD, KB_ACT_LOST,
	KB_ACT_LOGIN, KB_ACT_OPENED,
	KB_ACT_ACKNOWLEDGED, KB_ACT_UNSENT,
	KB_ACT_COUNT
};
/* "sealed"; NULL out of range. */
const char *kb_act_name(unsigned act);

enum { KB_ENTRY_SUBJECTS = KB_DESK_OPEN_MOST, KB_ENTRY_COMMITMENTS = 4, KB_ENTRY_MOST = 2048 };
struct kb_entry {
	uint64_t seq, time_s;
	uint8_t salt[16]; /* so that who may not see the body cannot guess it */
	uint8_t act;
	uint8_t by_person;
	char actor[16], note[16]; /* a person's id, or a room; a purpose or destination */
	struct kb_case_id case_id;
	uint32_t number; /* a reply code, an attempt, a roster's version */
	size_t subjects, commitments;
	struct kb_id subject[KB_ENTRY_SUBJECTS];
	uint8_t commitment[KB_ENTRY_COMMITMENTS][32];
	uint8_t previous[32], hash[32];
};
KB_MUST_USE enum kb_status kb_store_journal(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_entry *ret_e);
/* Walks the chain from the first entry to the head, in the store as committed. The number of the entry where it does not
 * hold is d->offset. */
KB_MUST_USE enum kb_status kb_store_journal_verify(struct kb_diag *d, struct kb_store *s);

#endif
