/*
 * list: a message's headline as a line for a person, and as JSON.
 *
 * What cannot be opened is shown as such, never left out: its class is then the store's word, and the reason stands where the
 * sender would.
 */
#ifndef KITE_LIST_H
#define KITE_LIST_H

#include "case.h"
#include "json.h"

struct kite_columns {
	size_t flags, category, from, subject; /* columns of each; subject 0: uncut */
};
/* Shares a width out. */
struct kite_columns kite_list_columns(size_t width, bool terminal);
KB_MUST_USE enum kb_status kite_list_heading(const struct kite_columns *c, struct kb_buf *b);

/* summary NULL: it did not open, for the reason st. */
KB_MUST_USE enum kb_status kite_list_line(const struct kite_columns *c, const struct kb_desk_message *m,
    const struct kb_summary *summary, enum kb_status st, struct kb_buf *b);
json_t *kite_list_json(const struct kb_desk_message *m, const struct kb_summary *summary, enum kb_status st);
/* Why something of a message does not open, for a person. */
const char *kite_closed_reason(enum kb_status st);

/* --limit: 0 when it is not given. Said when it is not a number. */
KB_MUST_USE enum kb_status kite_limit(const struct kite *k, uint64_t *ret_n);
/* How many records a page is asked for so that a limit (0: none) is kept, and how many to show. One more than the limit is asked
 * for, to know whether there are more. */
void kite_limit_pages(uint64_t limit, uint16_t *ret_page, uint64_t *ret_left);
/* The case that the command's one optional word names; NULL in *ret_case when there is none. Said when it is no case. */
KB_MUST_USE enum kb_status kite_case_word(const struct kite *k, struct kb_case_id *room, const struct kb_case_id **ret_case);

#endif
