/*
 * id: the random names of messages, cases and referrals, and their written forms.
 *
 * Errors:    KB_MALFORMED for anything that is not exactly the canonical form.
 * Standard:  Crockford's base 32 alphabet (0-9 A-Z without I L O U); parsing
 *            accepts lower case and reads I, L as 1 and O as 0, as Crockford does.
 */
#ifndef KITEBOX_ID_H
#define KITEBOX_ID_H

#include <kitebox/bytes.h>

enum { KB_ID_LEN = 16, KB_ID_TEXT = 2 * KB_ID_LEN + 1 };
enum { KB_CASE_TEXT = 12 }; /* "K-7Q2M-9XTD" and its NUL */

/* A message's or referral's id: 128 random bits; written as 32 lower-case hexadecimal digits. */
struct kb_id {
	uint8_t b[KB_ID_LEN];
};

/* A case's id: 40 random bits; written K-XXXX-XXXX. */
struct kb_case_id {
	uint8_t b[5];
};

void kb_id_random(struct kb_id *ret_id);
bool kb_id_eq(const struct kb_id *a, const struct kb_id *b);
void kb_id_format(const struct kb_id *id, char ret_text[static KB_ID_TEXT]);
KB_MUST_USE enum kb_status kb_id_parse(struct kb_span text, struct kb_id *ret_id);

/* A referral's id follows from its message and the index of its destination in the roster: made twice, it is the same. */
void kb_referral_id(const struct kb_id *message, uint8_t destination, struct kb_id *ret_id);

void kb_case_id_random(struct kb_case_id *ret_id);
void kb_case_id_format(const struct kb_case_id *id, char ret_text[static KB_CASE_TEXT]);
KB_MUST_USE enum kb_status kb_case_id_parse(struct kb_span text, struct kb_case_id *ret_id);

/* RFC 3339 in UTC, seconds: "2026-11-24T14:21:11Z". */
enum { KB_TIME_TEXT = 21 };
void kb_time_format(uint64_t unix_s, char ret_text[static KB_TIME_TEXT]);
KB_MUST_USE enum kb_status kb_time_parse(struct kb_span text, uint64_t *ret_unix_s);

#endif
