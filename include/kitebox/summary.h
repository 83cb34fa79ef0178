/*
 * summary: the small sealed copy of a message's headline, so that a list needs neither the blob nor a second wrap.
 *
 * The plaintext is always KB_SUMMARY_PLAIN octets. The key is HKDF-SHA256 of the blob's file key with the
 * label "kitebox summary v1" and the nonce as salt; the message id is the associated data. A summary is a derived copy,
 * whose loss is harmless; its hash stands in the journal's `sealed` entry.
 *
 * Errors:    KB_FORGED when it does not open; KB_MALFORMED when what opened is not a summary.
 * Standard:  ChaCha20-Poly1305-IETF (RFC 8439), HKDF (RFC 5869).
 */
#ifndef KITEBOX_SUMMARY_H
#define KITEBOX_SUMMARY_H

#include <kitebox/age.h>
#include <kitebox/id.h>
#include <kitebox/verdict.h>

enum { KB_SUMMARY_PLAIN = 1024, KB_SUMMARY_NONCE = 32, KB_SUMMARY_LEN = KB_SUMMARY_NONCE + KB_SUMMARY_PLAIN + 16 };

struct kb_summary {
	uint8_t class_, category, language;
	uint32_t flags, score_e4;
	uint32_t size; /* octets of the original */
	char from[224], subject[320], date[64];
	char institution[16], register_number[16];
	char reasons[256];
};

KB_MUST_USE enum kb_status kb_summary_seal(const uint8_t file_key[static KB_AGE_FILE_KEY], const struct kb_id *message,
    const struct kb_summary *s, uint8_t ret_row[static KB_SUMMARY_LEN]);
KB_MUST_USE enum kb_status kb_summary_open(struct kb_diag *d, const uint8_t file_key[static KB_AGE_FILE_KEY],
    const struct kb_id *message, struct kb_span row, struct kb_summary *ret_s);

#endif
