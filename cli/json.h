/*
 * json: what --json prints, and its memory.
 *
 * Everything decrypted that becomes JSON is freed wiped. A value that cannot be made aborts, as every failed allocation.
 *
 * Standard:  RFC 8259; shapes in docs/JSON.md.
 */
#ifndef KITE_JSON_H
#define KITE_JSON_H

#include <jansson.h>

#include <kitebox/id.h>

#include "kite.h"

/* Before the first json_t: allocations that wipe what they free. */
void kite_json_begin(void);
/* Takes the reference to value (also when it fails). */
void kite_json_set(json_t *object, const char *key, json_t *value);
/* Strings; a span is made harmless on the way. */
json_t *kite_json_text(struct kb_span s);
/* "2026-11-24T14:21:11Z", or null for 0. */
json_t *kite_json_time(uint64_t unix_s);
json_t *kite_json_id(const struct kb_id *id);
json_t *kite_json_case(const struct kb_case_id *id);
/* Prints {NAME: records, "more": more}; drops records. */
KB_MUST_USE enum kb_status kite_json_list(const char *name, json_t *records, bool more);
/* Writes value and a line end to standard output, and drops it. */
KB_MUST_USE enum kb_status kite_json_print(json_t *value);
/* The same on one line: JSON lines. */
KB_MUST_USE enum kb_status kite_json_line(json_t *value);

#endif
