/*
 * eml: what is inside a sealed message or referral: header fields of ours, the original exactly as received, padding.
 *
 *     Kitebox-Message: <id>            CRLF
 *     Kitebox-Purpose: message|referral|...
 *     Kitebox-Epoch: / -Received: / -Channel: / -Envelope: / -Authentication: / -Triage: / -Reasons: / -From: ...
 *     Kitebox-End: <length of the original in octets> <BLAKE2b-256 of it, hex>   CRLF CRLF
 *     ...original, cut out by that length...
 *     ...spaces and line ends up to a Padme class of the whole...
 *
 * Fields after Kitebox-End are never ours: a sender's Kitebox-* is content. Everything before it is at
 * most KB_EML_HEAD_MOST octets. Values are one line each (longer ones are folded on writing and unfolded on parsing): plain words
 * with one space between them, so a run of spaces becomes one, and a word of more than 900 octets gets a space. A name may stand
 * more than once; the first counts.
 *
 * Errors:    KB_MALFORMED grammar (also a value that is not UTF-8, or has control characters), KB_LIMIT too many fields or no
 *            room in the buffer, KB_TOOBIG head or length, KB_FORGED when the original's hash does not match.
 * Secrets:   release wipes the values; the original is the caller's.
 * Standard:  RFC 5322 section 2.2 for the shape of fields; Padme (Nikitin et al., PURBs, 2019) for padding.
 */
#ifndef KITEBOX_EML_H
#define KITEBOX_EML_H

#include <kitebox/bytes.h>

enum { KB_EML_HEAD_MOST = 8192, KB_EML_FIELDS_MOST = 32 };

struct kb_eml_field {
	struct kb_span name;  /* without "Kitebox-" */
	struct kb_span value; /* unfolded, trimmed */
};

struct kb_eml {
	struct kb_eml_field field[KB_EML_FIELDS_MOST];
	size_t n;
	struct kb_span original; /* borrows from the file */
	size_t head_len;         /* octets up to the original */
	struct kb_arena arena;   /* unfolded values */
};

/* Builds the head (all fields and Kitebox-End with its empty line) into *b, which holds nothing else. Add fields first, end
 * last: it reads the head again, so that nothing is sealed that could not be parsed. On failure *b is as it was. */
KB_MUST_USE enum kb_status kb_eml_add(struct kb_buf *b, const char *name, struct kb_span value);
KB_MUST_USE enum kb_status kb_eml_end(struct kb_buf *b, uint64_t original_len, const uint8_t original_hash[static 32]);

/* Whole length after padding for a head and original of n octets together; and the next padding octets:
 * fills out[0..len) with the padding from its position pos on (lines of 76 spaces ended by CRLF; the last may be cut). */
uint64_t kb_padme(uint64_t n);
void kb_eml_padding(uint64_t pos, uint8_t *out, size_t len);

/* Takes apart and verifies (hash and padding) a whole opened file. Release wipes. */
KB_MUST_USE enum kb_status kb_eml_parse(struct kb_diag *d, struct kb_span file, struct kb_eml *ret_e);
/* Value of the first field so named (ASCII case-insensitive); empty span when absent. */
struct kb_span kb_eml_get(const struct kb_eml *e, const char *name);
void kb_eml_release(struct kb_eml *e);

#endif
