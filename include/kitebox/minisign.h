/*
 * minisign: Ed25519 keys and detached signatures in minisign's format, so that stock minisign verifies them.
 *
 * Errors:    KB_MALFORMED for the grammar, with the line as offset; KB_NOKEY when the key id differs, or a passphrase is wrong,
 *            missing or not asked for; KB_FORGED when a signature (of the file, or the global one over the trusted comment) does
 *            not verify; KB_UNSUPPORTED for other algorithms ("Ed", minisign's older signatures, among them); KB_LIMIT for a
 *            trusted comment, or a passphrase's work, that we do not take; KB_BUSY when that work finds no memory.
 * Secrets:   kb_minisign_key is wiped by its release.
 * Standard:  minisign's format: algorithm "ED" (prehashed with BLAKE2b-512), key id of 8 octets.
 *            A secret key file is minisign's own (scrypt), or without passphrase ("kdf none").
 */
#ifndef KITEBOX_MINISIGN_H
#define KITEBOX_MINISIGN_H

#include <sodium.h>

#include <kitebox/bytes.h>

struct kb_minisign_public {
	uint8_t id[8];
	uint8_t key[32];
};

struct kb_minisign_key {
	struct kb_minisign_public pub;
	uint8_t secret[64];
};

enum { KB_MINISIGN_PUBLIC_TEXT = 57, KB_MINISIGN_COMMENT_MOST = 512, KB_MINISIGN_SIG_MOST = 1024 };

void kb_minisign_generate(struct kb_minisign_key *ret_k);
void kb_minisign_release(struct kb_minisign_key *k);

/* The one-line base64 form ("RW..."), and the two-line .pub file. */
void kb_minisign_public_format(const struct kb_minisign_public *p, char ret_text[static KB_MINISIGN_PUBLIC_TEXT]);
/* Takes either form. */
KB_MUST_USE enum kb_status kb_minisign_public_parse(struct kb_diag *d, struct kb_span text, struct kb_minisign_public *ret_p);

/* Secret key file; an empty passphrase writes or expects the form without encryption. */
KB_MUST_USE enum kb_status kb_minisign_key_format(const struct kb_minisign_key *k, struct kb_span passphrase, struct kb_buf *ret);
KB_MUST_USE enum kb_status kb_minisign_key_parse(struct kb_diag *d, struct kb_span text, struct kb_span passphrase,
    struct kb_minisign_key *ret_k);

/* Signs a BLAKE2b-512 prehash of the file. trusted must be one line. Appends the whole .minisig file. */
KB_MUST_USE enum kb_status kb_minisign_sign(const struct kb_minisign_key *k, const uint8_t prehash[static 64],
    struct kb_span trusted, struct kb_buf *ret_sig);
/* Verifies; *ret_trusted borrows from sig. */
KB_MUST_USE enum kb_status kb_minisign_verify(struct kb_diag *d, const struct kb_minisign_public *p,
    const uint8_t prehash[static 64], struct kb_span sig, struct kb_span *ret_trusted);
void kb_minisign_prehash(struct kb_span file, uint8_t ret_prehash[static 64]);

#endif
