/*
 * sealer_message: one message from the door's octets to what the vault stores. No I/O but memfds.
 *
 * Ownership:  kb_sealed owns its descriptor; kb_sealed_release closes it.
 * Errors:     KB_NOKEY when the roster names nobody to seal to; KB_IO for memfds. Nothing is half-made: on failure *ret is
 *             released.
 * Secrets:    file keys live on the stack of one function and are wiped.
 * Not here:   who talks to whom and when (sealer.c); the format inside (eml.h) and around (age.h).
 */
#ifndef KITEBOX_DAEMON_SEALER_MESSAGE_H
#define KITEBOX_DAEMON_SEALER_MESSAGE_H

#include "sealer_outbox.h"

struct kb_sealed {
	struct kb_wire_store row;
	int fd; /* the message, then its referrals, in the order of row.destinations; row.len says where each ends */
};

struct kb_seal_job {
	const struct kb_wire_submit *submit;
	const struct kb_settings *settings;
	const struct kb_roster *roster;
	const struct kb_verdict *verdict;
	struct kb_span original;
	struct kb_outbox *outbox;
};

KB_MUST_USE enum kb_status kb_seal_message(struct kb_diag *d, const struct kb_seal_job *job, struct kb_sealed *ret_sealed);
void kb_sealed_release(struct kb_sealed *s);

/* Strictest channel of the mailboxes that were written to, and whether one is a trusted relay. */
uint8_t kb_submit_channel(const struct kb_settings *s, uint32_t mailboxes, bool *ret_trusted);
/* BLAKE2b-256 over envelope and octets, less Return-Path and Received fields that lead them. */
void kb_submit_fingerprint(const struct kb_wire_submit *m, struct kb_span original, uint8_t ret_hash[static 32]);
/* Display names, a line each, in roster order. */
KB_MUST_USE enum kb_status kb_roster_names(const struct kb_roster *r, struct kb_buf *ret_lines);
/* Bits of persons that may open a case naming `named`; 0 when nobody of the desk is named. */
uint64_t kb_roster_entitled(const struct kb_roster *r, uint64_t named);

#endif
