/*
 * case: lists and messages as kite has them from the desk, opened on this side.
 *
 * A row is a record of the desk's list: what the store knows in clear, and the sealed summary beside it. An opened message has
 * been compared with the hash that the journal names, has verified to its last octet, says of itself which message it is, and
 * under which epoch.
 *
 * Ownership:  rows borrow from the page they stand in. kite_targets and kite_message own; release wipes.
 * Errors:     those of client.h; KB_FORGED where what opened is not what was asked for.
 */
#ifndef KITE_CASE_H
#define KITE_CASE_H

#include <kitebox/eml.h>
#include <kitebox/summary.h>

#include "session.h"

enum { KITE_PAGE_MOST = 8 << 20, KITE_BLOB_MOST = 160 << 20 };

struct kite_row {
	struct kb_desk_message m;
	struct kb_span header;  /* of age, with the nonce */
	struct kb_span summary; /* KB_SUMMARY_LEN octets */
};
/* The next record of a page; KB_NOTFOUND at its end. Every enum and length of it is in range. */
KB_MUST_USE enum kb_status kite_row_next(struct kb_span *page, struct kite_row *ret_r);
KB_MUST_USE enum kb_status kite_row_open(
    struct kite_session *s, struct kb_diag *d, const struct kite_row *r, struct kb_summary *ret_s);
/* Is the message sealed to persons by name instead of to the desk? */
bool kite_row_restricted(const struct kb_desk_message *m);

/* Pages of a list, newest first, one request each. */
struct kite_list {
	struct kb_desk_list ask;
	struct kb_buf page;
	bool more;
};
void kite_list_init(struct kite_list *l, const struct kb_case_id *one_case, bool all, uint16_t page_most);
/* Fetches the next page; KB_NOTFOUND (nothing said) when there is none. Any failure has been said. */
KB_MUST_USE enum kb_status kite_list_page(struct kite_session *s, struct kite_list *l);
void kite_list_release(struct kite_list *l);

/* A case as a person writes it. The one of zeros is none: it would ask the desk for all. */
KB_MUST_USE enum kb_status kite_case_parse(const char *word, struct kb_case_id *ret_id);

/* Messages that words of the command line name: cases and messages' ids; no word at all: everything open, or all. */
struct kite_targets {
	struct kb_desk_message *m;
	size_t n, cap;
};
/* Oldest first. Said when a word names nothing, or is neither. */
KB_MUST_USE enum kb_status kite_targets_find(
    struct kite_session *s, const struct kite_args *a, bool all, struct kite_targets *ret_t);
void kite_targets_release(struct kite_targets *t);

struct kite_message {
	const struct kb_desk_message *row;
	struct kb_span sealed; /* the age file; borrowed, good within the callback */
	struct kb_buf plain;
	struct kb_eml eml;
};
/* What to do with each message; d says why it is not KB_OK, and then nothing of it is there. A failure of the callback's own
 * ends the fetching. */
typedef enum kb_status kite_message_fn(void *ctx, enum kb_status st, const struct kb_diag *d, struct kite_message *m);
/* Fetches n messages, in batches that fit a desk's answer, and opens each (sealed_only: leaves it closed). */
KB_MUST_USE enum kb_status kite_fetch(struct kite_session *s, const struct kb_desk_message *rows, size_t n, bool sealed_only,
    kite_message_fn *each, void *ctx);
/* Opens one sealed file and holds it against its row. */
KB_MUST_USE enum kb_status kite_message_open(struct kite_session *s, struct kb_diag *d,
    const struct kb_desk_message *row, struct kb_span sealed, struct kite_message *ret_m);
void kite_message_release(struct kite_message *m);

#endif
