/*
 * identity: a person's key file: an age identity to read with and an Ed25519 key to sign with.
 *
 * The file is an age file with a scrypt stanza, so that `age -d` opens it; inside stand
 *     # kitebox person: NAME
 *     # public key: age1...
 *     # kitebox signing key: <base64 of the 32-octet seed>
 *     AGE-SECRET-KEY-1...
 * age passes over comment lines, so the stock tool can use what it decrypts as an identity file.
 * An investigators' or recovery file has no person line and no signing key.
 *
 * Ownership:  kb_person_key_free takes its address, wipes, nulls.
 * Errors:     those of age.h; KB_MALFORMED when what is inside is not such a file.
 * Secrets:    guarded memory (sodium_malloc); wiped on free.
 */
#ifndef KITEBOX_IDENTITY_H
#define KITEBOX_IDENTITY_H

#include <kitebox/age.h>

struct kb_person_key {
	char name[64];
	struct kb_identity *age;
	bool can_sign;
	uint8_t sign_public[32];
	uint8_t sign_secret[64];
};

/* name may be empty for a key file that belongs to an office rather than a person (no signing key). */
struct kb_person_key *kb_person_key_generate(struct kb_span name);
/* file: the encrypted file, armored or not, or a plain identity file (passphrase empty). */
KB_MUST_USE enum kb_status kb_person_key_open(struct kb_diag *d, struct kb_span file, struct kb_span passphrase,
    struct kb_person_key **ret_k);
KB_MUST_USE enum kb_status kb_person_key_seal(const struct kb_person_key *k, struct kb_span passphrase,
    unsigned work_factor, struct kb_buf *ret_file);
void kb_person_key_free(struct kb_person_key **k);

#endif
