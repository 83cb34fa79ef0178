/*
 * agefix: age files put together by hand, so that a test can break one rule at a time and nothing else.
 *
 * Written from the format's text over libsodium, without the writer that is under test: the file key, the ephemeral secret
 * and the salt are fixed, so each file comes out the same each time.
 *
 * Standard:  age-encryption.org/v1.
 */
#ifndef AGEFIX_H
#define AGEFIX_H

#include <kitebox/age.h>

enum { AGEFIX_MOST = 1 << 20, AGEFIX_FACTOR = 2 };
#define AGEFIX_VERSION "age-encryption.org/v1\n"
#define AGEFIX_PASSPHRASE "correct horse"

extern const uint8_t agefix_file_key[KB_AGE_FILE_KEY];

/* Identity number i; always the same one. */
struct kb_identity *agefix_identity(uint8_t i);

/*
 * Text of a header, with these in it written out:
 *     %S   the ephemeral share         %B   the file key, wrapped under that share for identity 1
 *     %T   a salt                      %W   the file key, wrapped under that salt, AGEFIX_PASSPHRASE and AGEFIX_FACTOR
 * and between % and the letter, to break it: - an octet less, + an octet more, ~ bits set past the end, = with padding,
 * ! another octet at the end.
 */
void agefix_text(struct kb_buf *b, const char *text);
/* "--- ", the MAC of what is in b so far, LF, and the payload's nonce. */
void agefix_mac(struct kb_buf *b);
/* Version line, text, MAC: a header that is whole but for what the text breaks. */
void agefix_header(struct kb_buf *b, const char *text);
/* One chunk of n octets of plain text (octet i of the payload is (uint8_t)(i * 7)), where `at` of the payload precede it. */
void agefix_chunk(struct kb_buf *b, uint64_t counter, bool last, size_t at, size_t n);

/* Opens with identity 1, and with AGEFIX_PASSPHRASE too. */
enum kb_status agefix_open(struct kb_diag *d, struct kb_span file, struct kb_buf *ret);

#endif
