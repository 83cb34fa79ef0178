/*
 * age_internal: what the files of the age format share, and nobody else includes.
 *
 * A header is never turned into a list: kb_age_header_parse checks every line of it once, and kb_age_stanza_next walks
 * the stanzas of a header that was checked. So a header of any shape costs no memory.
 *
 * Standard:  age-encryption.org/v1.
 */
#ifndef KITEBOX_SEAL_AGE_INTERNAL_H
#define KITEBOX_SEAL_AGE_INTERNAL_H

#include <kitebox/age.h>

enum {
	KB_AGE_NONCE = 16,
	KB_AGE_MAC = 32,
	KB_AGE_SHARE = 32,
	KB_AGE_SALT = 16,
	KB_AGE_WRAPPED = KB_AGE_FILE_KEY + KB_AGE_TAG,
	KB_AGE_KEY = 32,
	KB_AGE_WORK_FACTOR_MOST = 22, /* what age itself refuses to pass: 4 GiB */
	KB_AGE_COLUMNS = 64,          /* of a stanza's body and of armor */
};

struct kb_identity {
	uint8_t secret[32];
	struct kb_recipient recipient;
};

enum kb_stanza_kind { KB_STANZA_OTHER = 0, KB_STANZA_X25519, KB_STANZA_SCRYPT };

struct kb_stanza {
	enum kb_stanza_kind kind;
	uint8_t share[KB_AGE_SHARE];    /* X25519 */
	uint8_t salt[KB_AGE_SALT];      /* scrypt */
	unsigned work_factor;           /* scrypt; a number past three digits reads as 1000 */
	uint8_t wrapped[KB_AGE_WRAPPED]; /* of the two kinds we know */
};

struct kb_age_header {
	struct kb_span stanza_lines; /* all stanzas */
	struct kb_span mac_input;    /* from the first octet up to and with "---" */
	uint8_t mac[KB_AGE_MAC];
	size_t len; /* up to and with the line end of the MAC line */
	size_t stanzas;
};

/* age_parse.c. KB_LIMIT when no end stands in the first KB_AGE_HEADER_MOST octets. */
KB_MUST_USE enum kb_status kb_age_header_parse(struct kb_diag *d, struct kb_span file, struct kb_age_header *ret_h);
/* Takes one stanza off *lines; KB_NOTFOUND where the stanzas end, KB_AGAIN where the octets do. */
KB_MUST_USE enum kb_status kb_age_stanza_next(struct kb_diag *d, struct kb_span *lines, struct kb_stanza *ret_s);

/* stanza_x25519.c, stanza_scrypt.c. A wrap writes one stanza as text and moves *out behind it. */
enum {
	KB_STANZA_X25519_TEXT = 10 + 43 + 1 + 43 + 1,
	KB_STANZA_SCRYPT_TEXT = 10 + 22 + 3 + 1 + 43 + 1,
};
KB_MUST_USE enum kb_status kb_x25519_wrap(const struct kb_recipient *r, const uint8_t file_key[static KB_AGE_FILE_KEY],
    uint8_t **out);
/* KB_NOKEY when the stanza is for someone else. */
KB_MUST_USE enum kb_status kb_x25519_unwrap(struct kb_diag *d, const struct kb_stanza *s, const struct kb_identity *id,
    uint8_t ret_file_key[static KB_AGE_FILE_KEY]);
/* x25519_share.c: what crypto_scalarmult_base gives. */
void kb_x25519_share(const uint8_t secret[static 32], uint8_t ret_share[static KB_AGE_SHARE]);
KB_MUST_USE enum kb_status kb_scrypt_wrap(struct kb_span passphrase, unsigned work_factor,
    const uint8_t file_key[static KB_AGE_FILE_KEY], uint8_t **out);
KB_MUST_USE enum kb_status kb_scrypt_unwrap(struct kb_diag *d, const struct kb_stanza *s, struct kb_span passphrase,
    unsigned work_factor_most, uint8_t ret_file_key[static KB_AGE_FILE_KEY]);
/* Both kinds hide the file key in the same way: ChaCha20-Poly1305 under a key used once, nonce zero. */
void kb_age_wrap(const uint8_t wrap_key[static KB_AGE_KEY], const uint8_t file_key[static KB_AGE_FILE_KEY],
    uint8_t ret_wrapped[static KB_AGE_WRAPPED]);
bool kb_age_unwrap(const uint8_t wrap_key[static KB_AGE_KEY], const uint8_t wrapped[static KB_AGE_WRAPPED],
    uint8_t ret_file_key[static KB_AGE_FILE_KEY]);

/* age_header.c: text of a header. */
uint8_t *kb_age_put(uint8_t *out, struct kb_span s);
uint8_t *kb_age_put_base64(uint8_t *out, const uint8_t *p, size_t n);
void kb_age_header_mac(const uint8_t file_key[static KB_AGE_FILE_KEY], struct kb_span mac_input,
    uint8_t ret_mac[static KB_AGE_MAC]);
void kb_age_payload_key(const uint8_t file_key[static KB_AGE_FILE_KEY], const uint8_t nonce[static KB_AGE_NONCE],
    uint8_t ret_key[static KB_AGE_KEY]);

/* Who a new file is for: recipients, or a passphrase when there is one. */
struct kb_age_audience {
	const struct kb_recipient *recipients;
	size_t n;
	struct kb_span passphrase;
	unsigned work_factor;
};
/* Room that a header and its nonce need at most, or 0 when the audience is not one we seal to. */
size_t kb_age_begin_room(const struct kb_age_audience *a);
/* Fresh file key and nonce; writes header and nonce to out. */
KB_MUST_USE enum kb_status kb_age_begin(const struct kb_age_audience *a, uint8_t *out, size_t *ret_len,
    uint8_t ret_file_key[static KB_AGE_FILE_KEY], uint8_t ret_payload_key[static KB_AGE_KEY]);

/* age_stream.c: chunk number `counter` of a payload. out may be in. */
void kb_age_chunk_seal(const uint8_t key[static KB_AGE_KEY], uint64_t counter, bool last, struct kb_span plain, uint8_t *out);
/* False, with out wiped, when the tag does not match; in.len is at least KB_AGE_TAG. */
bool kb_age_chunk_open(const uint8_t key[static KB_AGE_KEY], uint64_t counter, bool last, struct kb_span in, uint8_t *out);
/* Octets that a payload of n octets (behind the nonce) opens to; SIZE_MAX when no payload has that length. */
size_t kb_age_plain_len(size_t n);

/* age_open.c: opens a whole binary file into memory of the caller's, of kb_age_plain_len octets at least;
 * what lies in out after a failure is wiped. */
KB_MUST_USE enum kb_status kb_age_open_into(struct kb_diag *d, struct kb_span file, const struct kb_age_keys *keys, uint8_t *out,
    size_t cap, size_t *ret_n);
/* True when a file begins as armor does, of whatever kind, after white space. */
bool kb_age_is_armored(struct kb_span file);

#endif
