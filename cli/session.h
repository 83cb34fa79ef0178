/*
 * session: from a socket to a desk that is believed as far as its signed roster goes, and a person who is logged in.
 *
 * In this order, and nothing is typed or signed before: greet; fetch the whole chain of rosters and verify it from version 1
 * under the pinned office key; compare store and version with what is remembered; open the person's identity; log in by
 * signature. Epochs' identities are fetched when a message needs one, opened with the person's identity, held in memory only.
 *
 * Ownership:  kite_session_end wipes and closes everything, also of a session that did not begin.
 * Errors:     KB_FORGED another office or store, or a roster that does not verify; KB_SEQUENCE an older roster than was seen
 *             before; KB_DENIED no such person. begin says what failed; meet, login and epoch only return it.
 * Secrets:    identities lie in guarded memory. Nothing decrypted, nor whether something opened, goes back to the desk.
 * Not here:   frames (client.h), lists and messages (case.h).
 */
#ifndef KITE_SESSION_H
#define KITE_SESSION_H

#include <kitebox/identity.h>
#include <kitebox/roster.h>

#include "client.h"
#include "home.h"

enum { KITE_CHAIN_MOST = 64 << 20, KITE_EPOCHS_MOST = 1024 };

struct kite_epoch {
	uint32_t number;
	enum kb_status status; /* why there is no identity */
	struct kb_identity *identity;
};

struct kite_session {
	struct kite_client client;
	uint8_t nonce[32];
	struct kb_desk_challenge challenge;
	struct kb_minisign_public office;
	struct kb_buf chain;      /* verified: roster.1, roster.1.minisig, ... */
	struct kb_roster *roster; /* the newest of it */
	struct kb_person_key *me;
	int person; /* index in the roster */
	struct kite_epoch *epoch;
	size_t epochs;
};

/* Connects to the desk that options and settings name. Said when nobody is there. */
KB_MUST_USE enum kb_status kite_client_reach(const struct kite *k, struct kite_client *ret_c);
/* Everything up to and with the log-in; purpose is the command's name, which stands in the journal. */
KB_MUST_USE enum kb_status kite_session_begin(const struct kite *k, const char *purpose, struct kite_session *ret_s);
void kite_session_end(struct kite_session *s);

/* The steps, without a disk. pinned NULL: first contact, and s->office is then what the desk gave. before->roster 0: nothing
 * is remembered. */
KB_MUST_USE enum kb_status kite_session_meet(struct kite_session *s, struct kb_diag *d, const struct kb_minisign_public *pinned,
    const struct kite_memory *before);
/* s->me is set. KB_DENIED (d says which) when the roster does not know it. */
KB_MUST_USE enum kb_status kite_session_login(struct kite_session *s, struct kb_diag *d, const char *purpose);

/* The desk's identity of that epoch; lives as long as the session. */
KB_MUST_USE enum kb_status kite_session_epoch(
    struct kite_session *s, struct kb_diag *d, uint32_t number, const struct kb_identity **ret_id);
/* The public half of an epoch, as the signed chain has it. */
KB_MUST_USE enum kb_status kite_session_epoch_public(const struct kite_session *s, uint32_t number, struct kb_recipient *ret_r);
/* The grant as the desk has it: an age file, sealed to the person logged in. */
KB_MUST_USE enum kb_status kite_session_grant(struct kite_session *s, struct kb_diag *d, uint32_t number, struct kb_buf *ret_file);

#endif
