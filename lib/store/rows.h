/*
 * rows: the octets of each kind of row: a version, fixed fields, perhaps a tail of any length, and a checksum.
 *
 *     version u8 (1) | fields, little-endian, without holes | tail | BLAKE2b-128 over table NUL, key length u16, key, all before
 *
 * One table of fields a kind is the encoder, the decoder and the list that docs/FORMATS.md shows. Reading is strict: a row
 * that reads is exactly the row that would be written.
 *
 * Errors:    KB_CORRUPT for a checksum, a length, a value or a text that does not hold; KB_UNSUPPORTED for another version.
 * Not here:  where rows lie (table.h), what they mean (store.h).
 */
#ifndef KITEBOX_LIB_STORE_ROWS_H
#define KITEBOX_LIB_STORE_ROWS_H

#include <kitebox/store.h>

enum kb_table {
	KB_TABLE_OFFICE = 0, KB_TABLE_STATE, KB_TABLE_ROSTER, KB_TABLE_GRANT,
	KB_TABLE_NAME, KB_TABLE_MSG, KB_TABLE_SUMMARY, KB_TABLE_CASE, KB_TABLE_BYTIME, KB_TABLE_BLOB, KB_TABLE_PARTIAL,
	KB_TABLE_REFERRAL, KB_TABLE_REFNAME, KB_TABLE_REFSIG, KB_TABLE_HELD, KB_TABLE_DUE,
	KB_TABLE_OUTBOX, KB_TABLE_RECENT, KB_TABLE_JOURNAL, KB_TABLE_COUNT
};
const char *kb_table_name(enum kb_table table);

enum kb_row {
	KB_ROW_OFFICE = 0, /* kb_office */
	KB_ROW_STATE,      /* kb_state */
	KB_ROW_ROSTER,     /* kb_number (length of the text) + text, minisig */
	KB_ROW_GRANT,      /* + age file */
	KB_ROW_NAME,       /* kb_number: a message's seq */
	KB_ROW_MSG,        /* kb_msg */
	KB_ROW_SUMMARY,    /* kb_number (length of the header) + header, summary */
	KB_ROW_CASE,       /* kb_case */
	KB_ROW_MEMBER,     /* of a case: the key says it all */
	KB_ROW_BYTIME,
	KB_ROW_BLOB,       /* + octets */
	KB_ROW_PARTIAL,
	KB_ROW_REFERRAL,   /* kb_referral */
	KB_ROW_REFNAME,    /* kb_number: a referral's seq */
	KB_ROW_REFSIG,     /* + minisig */
	KB_ROW_HELD,
	KB_ROW_DUE,
	KB_ROW_ACK,        /* kb_ack + sealed item */
	KB_ROW_RECENT,     /* kb_number: a message's seq */
	KB_ROW_ENTRY,      /* kb_entry.previous + body */
	KB_ROW_COUNT
};
enum kb_table kb_row_table(enum kb_row row);

struct kb_number {
	uint64_t v;
};

/* What the store counts and where it stands; the mac binds it to the host's vault key. */
struct kb_state {
	uint64_t next_msg, next_blob, next_referral, next_ack;
	uint64_t journal_seq;
	uint8_t journal_head[32];
	uint32_t roster_version;
	struct kb_store_counts counts;
	uint8_t mac[32];
};

enum { KB_ROW_CHECK = 16, KB_ROW_FIXED_MOST = 512 };

/* Length of the whole row with a tail of so many octets. */
size_t kb_row_len(enum kb_row row, size_t tail);
/* Writes version and fields of src (NULL for a kind without) to out; returns where the tail goes. */
uint8_t *kb_row_write(enum kb_row row, const void *src, uint8_t *out);
/* Fills in the checksum at the end of the len octets. */
void kb_row_check(enum kb_row row, struct kb_span key, uint8_t *out, size_t len);
/* Fields to ret (NULL for a kind without); ret_tail, which may be NULL only for a kind without tail, borrows from value. */
KB_MUST_USE enum kb_status kb_row_read(struct kb_diag *d, enum kb_row row, struct kb_span key, struct kb_span value, void *ret, struct kb_span *ret_tail);
/* The same for a row whose checksum is believed. */
KB_MUST_USE enum kb_status kb_row_parse(struct kb_diag *d, enum kb_row row, struct kb_span value, void *ret, struct kb_span *ret_tail);

/* The journal's body, and what stands for it in the chain. */
size_t kb_entry_body_write(const struct kb_entry *e, uint8_t out[static KB_ENTRY_MOST]);
KB_MUST_USE enum kb_status kb_entry_body_parse(struct kb_diag *d, struct kb_span body, struct kb_entry *ret_e);
/* BLAKE2b-256 over label, number, previous hash and the salted commitment to the body. */
void kb_entry_hash(uint64_t seq, const uint8_t previous[static 32], struct kb_span body, uint8_t ret_hash[static 32]);

#endif
