/*
 * referral: one record of the desk's list of referrals, checked, and as a line or as JSON.
 *
 * Errors:    KB_MALFORMED where a record is not one; KB_NOTFOUND at the end of a page.
 */
#ifndef KITE_REFERRAL_H
#define KITE_REFERRAL_H

#include <kitebox/desk.h>

#include "case.h"
#include "json.h"
#include "out.h"

/* Takes the next record off a page. */
KB_MUST_USE enum kb_status kite_referral_next(struct kb_span *page, struct kb_desk_referral *ret_r);

KB_MUST_USE enum kb_status kite_referral_heading(struct kb_buf *b);
KB_MUST_USE enum kb_status kite_referral_line(const struct kb_desk_referral *r, struct kb_buf *b);
json_t *kite_referral_json(const struct kb_desk_referral *r);

#endif
