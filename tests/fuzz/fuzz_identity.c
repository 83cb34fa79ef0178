/*
 * fuzz identity: any text as a plain identity file, and each line of it as a recipient. Properties: what reads is sealed, opened
 * and the same again; the signing key signs for its public half; a recipient that reads is written octet for octet as it was.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/identity.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const struct kb_person_key *k)
{
	struct kb_person_key *again = NULL;
	struct kb_recipient a, b;
	struct kb_buf file;
	uint8_t sig[crypto_sign_BYTES];
	kb_buf_init(&file, 16384);
	assert(kb_person_key_seal(k, KB_LIT("p"), 1, &file) == KB_OK);
	assert(kb_person_key_open(NULL, kb_buf_span(&file), KB_LIT("p"), &again) == KB_OK);
	kb_identity_recipient(k->age, &a);
	kb_identity_recipient(again->age, &b);
	assert(memcmp(&a, &b, sizeof(a)) == 0 && strcmp(k->name, again->name) == 0 && k->can_sign == again->can_sign);
	assert(k->can_sign == (k->name[0] != '\0'));
	if (k->can_sign) {
		assert(crypto_sign_detached(sig, NULL, sig, 0, k->sign_secret) == 0);
		assert(crypto_sign_verify_detached(sig, sig, 0, again->sign_public) == 0);
	}
	kb_person_key_free(&again);
	kb_buf_release(&file);
}

static void check_recipient(struct kb_span line)
{
	char text[KB_RECIPIENT_TEXT];
	struct kb_recipient r;
	if (kb_recipient_parse(line, &r) != KB_OK)
		return;
	kb_recipient_format(&r, text);
	assert(kb_span_eq(line, kb_span_str(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_span rest = KB_SPAN(data, size), line;
	struct kb_person_key *k = NULL;
	struct kb_diag d = {0};
	if (sodium_init() < 0)
		abort();
	enum kb_status st = kb_person_key_open(&d, rest, KB_SPAN(NULL, 0), &k);
	assert((st == KB_OK) == (k != NULL) && (st == KB_OK) == (d.what == NULL));
	if (k)
		check_key(k);
	kb_person_key_free(&k);
	while (kb_span_line(&rest, &line))
		check_recipient(line);
	return 0;
}
