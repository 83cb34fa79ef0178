/*
 * bech32: 32 octets as text with a checksum that catches a mistyped character.
 *
 * Only what age keys need: exactly 32 octets, no limit of 90 characters. The form is taken in the one case that age
 * writes (lower for recipients, upper for identities), with zero padding bits, or not at all.
 *
 * Errors:    KB_MALFORMED, whatever the cause.
 * Standard:  BIP 173.
 * Not here:  Bech32m; keys themselves (age.h).
 */
#ifndef KITEBOX_SEAL_BECH32_H
#define KITEBOX_SEAL_BECH32_H

#include <kitebox/bytes.h>

enum {
	KB_BECH32_DATA = 32,
	KB_BECH32_SYMBOLS = 52, /* 256 bits in fives, the last padded with four zero bits */
	KB_BECH32_CHECK = 6,
};

/* Octets of text for a prefix of n characters: prefix, separator, data, checksum and a NUL. */
#define KB_BECH32_TEXT(n) ((n) + 1 + KB_BECH32_SYMBOLS + KB_BECH32_CHECK + 1)

/* hrp is all of one case, which the text takes; ret_text holds KB_BECH32_TEXT(hrp.len). */
void kb_bech32_format(struct kb_span hrp, const uint8_t data[static KB_BECH32_DATA], char *ret_text);
KB_MUST_USE enum kb_status kb_bech32_parse(struct kb_span hrp, struct kb_span text, uint8_t ret_data[static KB_BECH32_DATA]);

#endif
