/*
 * kitefix: an office made in memory by kite's own setup, a person of it, and a desk at the other end of a socketpair that says
 * what a test wants it to say.
 *
 * The desk's answers are queued before kite asks; what kite asked is read afterwards.
 */
#ifndef KITEFIX_H
#define KITEFIX_H

#include "kbtest.h"

#include "case.h"
#include "setup.h"

enum { FIX_SUE, FIX_ANNA, FIX_BEN };

struct kitefix {
	struct kite_plan plan;
	struct kite_files files;
	struct kite_office office;
	struct kite_session s; /* kite's; its client speaks with: */
	int desk;
};

/* sue supervises, anna and ben coordinate; oia and prea are the destinations. */
struct kitefix *kitefix_new(void);
void kitefix_free(struct kitefix *f);
/* A new session of that person, who has typed the passphrase. */
void kitefix_session(struct kitefix *f, unsigned person);
/* The file of that path that setup made; the test fails when there is none. */
struct kb_span kitefix_file(const struct kitefix *f, const char *path);
/* The item of that name in the office's bundle. */
struct kb_span kitefix_item(const struct kitefix *f, const char *name);
struct kb_span kitefix_passphrase(void);

/* ---- what the desk says ---- */

void desk_frame(struct kitefix *f, uint16_t type, const void *body, size_t size);
/* Data frames of `body`, and the answer that they belong to; with_end: and that this was all. */
void desk_answer(struct kitefix *f, uint16_t type, const void *answer, size_t size, struct kb_span body, bool with_end);
/* As the body of a list, a roster or a grant. */
void desk_body(struct kitefix *f, uint16_t type, struct kb_span body, uint32_t records, bool more);
void desk_error(struct kitefix *f, enum kb_status st, const char *what);
/* Greeting and roster, as an honest desk gives them. */
void desk_challenge(struct kitefix *f, const struct kb_id *store, uint32_t roster_version);
void desk_chain(struct kitefix *f, struct kb_span chain);
/* office.pub, roster.1, roster.1.minisig: as the office's bundle has them. */
void kitefix_chain(const struct kitefix *f, struct kb_buf *ret);
void desk_meets(struct kitefix *f);
/* Everything said and believed up to and with the log-in. */
void kitefix_begin(struct kitefix *f, unsigned person);
/* The grant that setup made for that person. */
void desk_grant(struct kitefix *f, const char *person);

/* The next request that kite sent, into ret (of exactly `size` octets); its type. 0 when there is none. */
uint16_t desk_heard(struct kitefix *f, void *ret, size_t size);

/* ---- messages ---- */

struct letter {
	struct kb_desk_message row;
	struct kb_buf sealed;
	uint8_t hash[32], summary[KB_SUMMARY_LEN];
};
/* What the sealer would make of it: sealed to the desk of epoch 1; named: to anna by name instead. Field values NULL: as they
 * should be. */
void letter_make(const struct kitefix *f, const char *original, const char *id_said, const char *purpose, bool by_name,
    struct letter *ret_l);
void letter_release(struct letter *l);
/* Its record in a list. */
void letter_record(const struct letter *l, struct kb_buf *page);
/* The desk hands it out. */
void desk_blob(struct kitefix *f, const struct letter *l, enum kb_status st);

#endif
