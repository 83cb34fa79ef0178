/*
 * age: turn octets into an age v1 file that only its recipients can open, and back.
 *
 * Whoever seals needs no secret. Writing streams in constant memory; opening
 * hands out nothing before the header's HMAC has verified, and each chunk only
 * after its own tag has; a caller that must show nothing before the last chunk
 * collects first (kb_age_open does).
 *
 * Ownership:  kb_age_writer is the caller's memory; release wipes. A kb_identity is freed by taking its address.
 * Errors:     KB_MALFORMED header grammar (also anything non-canonical, also a share of low order), KB_ARMOR that of armor,
 *             KB_NOKEY no identity matched, or a recipient nobody can seal to; KB_FORGED the header's HMAC, KB_PAYLOAD a tag,
 *             KB_LIMIT work factor, header, or number of recipients that we do not take, KB_UNSUPPORTED other versions,
 *             KB_BUSY not enough memory for a passphrase's work factor.
 * Secrets:    file and payload keys live in the context and are wiped at finish or release. The program has called
 *             sodium_init before anything here.
 * Standard:   age-encryption.org/v1 (X25519 and scrypt stanzas, ChaCha20-Poly1305 STREAM, 64 KiB).
 * Not here:   who the recipients are (roster.h), what is inside (eml.h), identity files (identity.h).
 */
#ifndef KITEBOX_AGE_H
#define KITEBOX_AGE_H

#include <kitebox/bytes.h>

enum {
	KB_AGE_CHUNK = 65536,
	KB_AGE_TAG = 16,
	KB_AGE_FILE_KEY = 16,
	KB_AGE_RECIPIENTS_MOST = 80,
	KB_AGE_HEADER_MOST = 16384,
};

struct kb_recipient {
	uint8_t x25519[32];
};

/* "age1..." Bech32, 62 characters and a NUL; parsing refuses mixed case and non-canonical forms. */
enum { KB_RECIPIENT_TEXT = 63, KB_IDENTITY_TEXT = 75 };
void kb_recipient_format(const struct kb_recipient *r, char ret_text[static KB_RECIPIENT_TEXT]);
KB_MUST_USE enum kb_status kb_recipient_parse(struct kb_span text, struct kb_recipient *ret_r);

/* An age identity (X25519 scalar) and its recipient. Lives in guarded memory: kb_identity_new. */
struct kb_identity;
struct kb_identity *kb_identity_generate(void);
/* "AGE-SECRET-KEY-1..." */
KB_MUST_USE enum kb_status kb_identity_parse(struct kb_span text, struct kb_identity **ret_id);
void kb_identity_format(const struct kb_identity *id, char ret_text[static KB_IDENTITY_TEXT]);
void kb_identity_recipient(const struct kb_identity *id, struct kb_recipient *ret_r);
void kb_identity_free(struct kb_identity **id);

/* What a writer hands its output to; anything but KB_OK stops the writer with that status. */
typedef enum kb_status kb_sink_fn(void *ctx, struct kb_span octets);

struct kb_age_writer {
	uint8_t file_key[KB_AGE_FILE_KEY];
	uint8_t payload_key[32];
	uint64_t counter;
	size_t fill;
	size_t header_len; /* octets of header and nonce: what precedes the first chunk */
	kb_sink_fn *sink;
	void *sink_ctx;
	uint8_t chunk[KB_AGE_CHUNK + KB_AGE_TAG];
};

/* Makes the header for n recipients (1..KB_AGE_RECIPIENTS_MOST) with a fresh file key, and sinks it. */
KB_MUST_USE enum kb_status kb_age_writer_init(struct kb_age_writer *w, const struct kb_recipient *r, size_t n,
    kb_sink_fn *sink, void *sink_ctx);
/* The same with one scrypt stanza; work_factor is log2(N), 1..22; age writes 18. */
KB_MUST_USE enum kb_status kb_age_writer_init_passphrase(struct kb_age_writer *w, struct kb_span passphrase,
    unsigned work_factor, kb_sink_fn *sink, void *sink_ctx);
KB_MUST_USE enum kb_status kb_age_writer_add(struct kb_age_writer *w, struct kb_span plain);
/* Seals the last chunk (also of an empty payload). Keys are wiped; w->file_key is wiped too unless
 * ret_file_key is given, which then receives it for summary.h. */
KB_MUST_USE enum kb_status kb_age_writer_finish(struct kb_age_writer *w, uint8_t *ret_file_key);
void kb_age_writer_release(struct kb_age_writer *w);

/* Sealed length of a payload of n octets behind a header (with nonce) of header_len octets. */
uint64_t kb_age_sealed_len(uint64_t n, size_t header_len);

/* Seals a whole span into *ret (appended). */
KB_MUST_USE enum kb_status kb_age_seal(const struct kb_recipient *r, size_t n, struct kb_span plain, struct kb_buf *ret);
KB_MUST_USE enum kb_status kb_age_seal_passphrase(struct kb_span passphrase, unsigned work_factor, struct kb_span plain,
    struct kb_buf *ret);

/* A source of octets for a reader: fills up to cap, sets *ret_n to 0 at the end. */
typedef enum kb_status kb_source_fn(void *ctx, uint8_t *out, size_t cap, size_t *ret_n);

struct kb_age_keys {
	const struct kb_identity *const *identities; /* tried in order */
	size_t n;
	struct kb_span passphrase; /* for a scrypt stanza; empty: none */
	unsigned work_factor_most; /* refuse more: KB_LIMIT; 0 means 22 */
};

/* Parses the header at the start of file, verifies its HMAC, and gives the file key. *ret_header_len
 * counts the header up to and with the line end of its MAC line; the 16-octet nonce follows it. */
KB_MUST_USE enum kb_status kb_age_header_open(struct kb_diag *d, struct kb_span file, const struct kb_age_keys *keys,
    uint8_t ret_file_key[static KB_AGE_FILE_KEY], size_t *ret_header_len);
/* Length of the header without any key (for splitting a blob); grammar is checked, the HMAC is not. */
KB_MUST_USE enum kb_status kb_age_header_len(struct kb_diag *d, struct kb_span file, size_t *ret_header_len, size_t *ret_stanzas);

/* Opens a whole file, armored or not. Nothing is appended to *ret unless everything verified. */
KB_MUST_USE enum kb_status kb_age_open(struct kb_diag *d, struct kb_span file, const struct kb_age_keys *keys, struct kb_buf *ret);
/* Streams a binary file from source to sink, each chunk after its tag verified, with one chunk of either in memory.
 * What was sunk before a failure is genuine but not all: a caller that shows it shows half a message. */
KB_MUST_USE enum kb_status kb_age_open_stream(struct kb_diag *d, kb_source_fn *source, void *source_ctx,
    const struct kb_age_keys *keys, kb_sink_fn *sink, void *sink_ctx);

/* An age file as text (RFC 7468), and back: strict, but for white space around it and CRLF. On failure nothing is appended. */
KB_MUST_USE enum kb_status kb_age_armor(struct kb_span file, struct kb_buf *ret_text);
KB_MUST_USE enum kb_status kb_age_dearmor(struct kb_diag *d, struct kb_span text, struct kb_buf *ret_file);

/* HKDF-SHA256 (RFC 5869) over crypto_auth_hmacsha256; out_len at most 255 * 32. */
void kb_hkdf_sha256(uint8_t *out, size_t out_len, struct kb_span ikm, struct kb_span salt, struct kb_span info);

#endif
