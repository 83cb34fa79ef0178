/* journal: the chain of entries. See store.h; the octets of an entry are entry.c's. */
#include <string.h>

#include "internal.h"

struct kb_entry kb_entry_by(enum kb_act act, const char *room)
{
	struct kb_entry e;
	memset(&e, 0, sizeof e);
	e.act = (uint8_t)act;
	kb_field_set(e.actor, sizeof e.actor, kb_span_str(room));
	return e;
}

enum kb_status kb_journal_add(struct kb_diag *d, struct kb_store *s, struct kb_entry *e)
{
	uint8_t body[KB_ENTRY_MOST];
	e->seq = s->state.journal_seq + 1;
	e->time_s = kb_minute(s->now_s);
	randombytes_buf(e->salt, sizeof e->salt);
	memcpy(e->previous, s->state.journal_head, sizeof e->previous);
	struct kb_span whole = KB_SPAN(body, kb_entry_body_write(e, body));
	kb_entry_hash(e->seq, e->previous, whole, e->hash);
	struct kb_key key = kb_key_u64(e->seq);
	enum kb_status st = kb_table_put(d, s, KB_ROW_ENTRY, KB_KEY(key), e, whole, MDB_APPEND);
	if (st != KB_OK)
		return st;
	s->state.journal_seq = e->seq;
	memcpy(s->state.journal_head, e->hash, sizeof e->hash);
	return KB_OK;
}

enum kb_status kb_store_journal(struct kb_diag *d, struct kb_store *s, uint64_t seq, struct kb_entry *ret_e)
{
	struct kb_span body;
	struct kb_entry head, e;
	struct kb_key key = kb_key_u64(seq);
	enum kb_status st = kb_table_get(d, s, KB_ROW_ENTRY, KB_KEY(key), &head, &body);
	if (st == KB_OK)
		st = kb_entry_body_parse(d, body, &e);
	if (st != KB_OK)
		return st;
	e.seq = seq;
	memcpy(e.previous, head.previous, sizeof e.previous);
	kb_entry_hash(seq, e.previous, body, e.hash);
	*ret_e = e;
	return KB_OK;
}

enum kb_status kb_store_journal_verify(struct kb_diag *d, struct kb_store *s)
{
	uint8_t head[32] = {0};
	struct kb_entry e;
	struct kb_span key;
	for (uint64_t seq = 1; seq <= s->committed.journal_seq; seq++) {
		enum kb_status st = kb_store_journal(d, s, seq, &e);
		if (st != KB_OK)
			return kb_fail(d, st == KB_IO ? st : KB_CORRUPT, (size_t)seq, 0,
			    "an entry of the journal is missing or damaged");
		if (memcmp(e.previous, head, sizeof head) != 0)
			return KB_FAIL(
			    d, KB_CORRUPT, (size_t)seq, "an entry of the journal does not follow from the one before");
		memcpy(head, e.hash, sizeof head);
	}
	if (memcmp(head, s->committed.journal_head, sizeof head) != 0)
		return KB_FAIL(d, KB_CORRUPT, (size_t)s->committed.journal_seq, "the journal does not end in its head");
	struct kb_key after = kb_key_u64(s->committed.journal_seq + 1);
	if (kb_table_seek(d, s, KB_TABLE_JOURNAL, KB_KEY(after), KB_AT_OR_AFTER, &key, NULL) != KB_NOTFOUND)
		return KB_FAIL(
		    d, KB_CORRUPT, (size_t)s->committed.journal_seq + 1, "there are entries beyond the journal's head");
	return KB_OK;
}
