/* memory_file: what kite remembers of a store, and how a key is shown to be compared. See home.h. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "home.h"

/* "store HEX" LF "roster N" LF, exactly: a memory that was tampered with is not half believed. */
enum kb_status kite_memory_parse(struct kb_span text, struct kite_memory *ret_m)
{
	struct kb_span store, roster;
	struct kite_memory m;
	uint64_t version;
	if (!kb_span_line(&text, &store) || !kb_span_line(&text, &roster) || text.len || !kb_span_starts(store, KB_LIT("store ")) ||
	    !kb_span_starts(roster, KB_LIT("roster ")))
		return KB_MALFORMED;
	if (kb_id_parse(kb_span_from(store, 6), &m.store) != KB_OK ||
	    kb_span_u64(kb_span_from(roster, 7), UINT32_MAX, &version) != KB_OK || version == 0)
		return KB_MALFORMED;
	m.roster = (uint32_t)version;
	*ret_m = m;
	return KB_OK;
}

enum kb_status kite_memory_format(const struct kite_memory *m, struct kb_buf *ret_text)
{
	char store[KB_ID_TEXT];
	kb_id_format(&m->store, store);
	return kb_buf_printf(ret_text, "store %s\nroster %u\n", store, (unsigned)m->roster);
}

void kite_fingerprint(const struct kb_minisign_public *p, char ret_text[static KITE_FINGERPRINT_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	char line[KB_MINISIGN_PUBLIC_TEXT + 1];
	uint8_t hash[crypto_hash_sha256_BYTES];
	kb_minisign_public_format(p, line);
	size_t n = strlen(line), at = 0;
	line[n++] = '\n'; /* as the file has it */
	crypto_hash_sha256(hash, (const uint8_t *)line, n);
	for (size_t i = 0; i < sizeof(hash); i++) {
		if (i && i % 2 == 0)
			ret_text[at++] = ' ';
		ret_text[at++] = hex[hash[i] >> 4];
		ret_text[at++] = hex[hash[i] & 15];
	}
	ret_text[at] = '\0';
}
