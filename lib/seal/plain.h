/*
 * plain: what a line of text inside a sealed thing or a roster may hold, and the one way to write its numbers.
 *
 * Formats that are kept for years must not depend on a list of harmful characters that grows: they ask for UTF-8 without
 * control characters, and whoever shows a text makes it harmless (kb_text_harmless) when it is shown.
 */
#ifndef KB_SEAL_PLAIN_H
#define KB_SEAL_PLAIN_H

#include <kitebox/bytes.h>

/* Well-formed UTF-8 without C0, DEL and C1. */
bool kb_plain_text(struct kb_span s);
/* Plain words with one space between two, and none before or after; true of nothing at all. */
bool kb_plain_words(struct kb_span s);
/* A fixed field that ends in zeros, and plain text before them (or lines of it). Nothing can hide behind the first NUL. */
bool kb_plain_field(const char *field, size_t n, bool lines);
/* Exactly n octets as lower-case hexadecimal digits, and back: the text of 2n digits is appended. */
bool kb_plain_hex(struct kb_span text, uint8_t *ret, size_t n);
KB_MUST_USE enum kb_status kb_plain_hex_add(struct kb_buf *b, const uint8_t *p, size_t n);
/* Canonical base64 (RFC 4648 sections 3.3 and 3.5), with or without its padding; *ret_n octets, at most cap. What lies in ret after
 * a failure is for the caller to wipe. */
bool kb_plain_base64(struct kb_span text, bool padded, uint8_t *ret, size_t cap, size_t *ret_n);
/* A decimal number at most `most`, without leading zeros. */
bool kb_plain_number(struct kb_span text, uint64_t most, uint64_t *ret);
/* Takes back, and wipes, what was appended to b since it had `len` octets: nothing half-written stays behind. */
void kb_plain_cut(struct kb_buf *b, size_t len);

#endif
