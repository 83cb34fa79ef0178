/*
 * desk_health: what the desk says of the whole daemon, checked, and as text or as JSON.
 *
 * Errors:    KB_MALFORMED where a record is not one; KB_NOTFOUND at the end of the records.
 */
#ifndef KITE_DESK_HEALTH_H
#define KITE_DESK_HEALTH_H

#include <kitebox/desk.h>

#include "json.h"

/* Takes the next record off the body. */
KB_MUST_USE enum kb_status kite_health_next(struct kb_span *body, struct kb_desk_health *ret_h);

/* How many conditions of each level are on; the index is the level. */
struct kite_health_sum {
	size_t on[3];
};
/* KB_MALFORMED also when the body has another length than s says. */
KB_MUST_USE enum kb_status kite_health_sum(const struct kb_desk_status *s, struct kb_span body, struct kite_health_sum *ret_sum);

/* The body has been through kite_health_sum. */
KB_MUST_USE enum kb_status kite_health_text(
    const struct kb_desk_status *s, struct kb_span body, const struct kite_health_sum *sum, struct kb_buf *b);
json_t *kite_health_json(const struct kb_desk_status *s, struct kb_span body, const struct kite_health_sum *sum);

#endif
