/* rows: see rows.h. The fields of each kind, and the two functions that walk them. */
#include "rows.h"

#include <string.h>

enum kind { U8, U32, U64, RAW, TEXT };

struct field {
	enum kind kind;
	unsigned n;    /* RAW, TEXT: octets; U64: how many in a row */
	unsigned most; /* U8: largest value */
	size_t at;
};

/* clang-format off */
#define F8(type, member, most)   {U8, 1, (most), offsetof(struct type, member)}
#define F32(type, member)        {U32, 1, 0, offsetof(struct type, member)}
#define F64(type, member)        {U64, sizeof(((struct type *)0)->member) / 8, 0, offsetof(struct type, member)}
#define FRAW(type, member)       {RAW, sizeof(((struct type *)0)->member), 0, offsetof(struct type, member)}
#define FTEXT(type, member)      {TEXT, sizeof(((struct type *)0)->member), 0, offsetof(struct type, member)}

static const struct field office[] = {
	FRAW(kb_office, store), FRAW(kb_office, key.id), FRAW(kb_office, key.key), F64(kb_office, created_s),
};
static const struct field state[] = {
	F64(kb_state, next_msg), F64(kb_state, next_blob), F64(kb_state, next_referral), F64(kb_state, next_ack),
	F64(kb_state, journal_seq), FRAW(kb_state, journal_head), F32(kb_state, roster_version),
	F64(kb_state, counts.messages), F64(kb_state, counts.review), F64(kb_state, counts.cases), F64(kb_state, counts.referrals),
	F64(kb_state, counts.failing), F64(kb_state, counts.acks), F64(kb_state, counts.unsent),
	FRAW(kb_state, mac),
};
static const struct field number[] = { F64(kb_number, v) };
static const struct field msg[] = {
	FRAW(kb_msg, id), FRAW(kb_msg, case_id), F8(kb_msg, class_, KB_CLASS_COUNT - 1), F8(kb_msg, channel, UINT8_MAX),
	F8(kb_msg, urgent, 1), F8(kb_msg, unreadable, 1), F8(kb_msg, opened, 1),
	F64(kb_msg, received_s), F64(kb_msg, size_class), F64(kb_msg, entitled), F64(kb_msg, blob), F64(kb_msg, blob_len),
	F32(kb_msg, epoch), F32(kb_msg, roster_version), F32(kb_msg, header_len), F32(kb_msg, referrals),
	FRAW(kb_msg, sealed_hash), FRAW(kb_msg, summary_hash),
};
static const struct field kase[] = {
	F8(kb_case, status, KB_CASE_STATUS_COUNT - 1), F8(kb_case, alert, 1), F64(kb_case, created_s), F64(kb_case, opened_s),
	F32(kb_case, messages),
};
static const struct field referral[] = {
	FRAW(kb_referral, id), FRAW(kb_referral, message), F64(kb_referral, message_seq), FRAW(kb_referral, case_id),
	F8(kb_referral, state, KB_REFERRAL_STATE_COUNT - 1), F8(kb_referral, index, KB_DESTINATIONS_MOST - 1),
	FTEXT(kb_referral, destination), F64(kb_referral, received_s), F64(kb_referral, queued_s), F64(kb_referral, first_s),
	F64(kb_referral, delivered_s), F64(kb_referral, next_s), F32(kb_referral, attempts), F32(kb_referral, last_code),
	F64(kb_referral, blob), F64(kb_referral, blob_len), FRAW(kb_referral, prehash),
};
static const struct field ack[] = {
	FRAW(kb_ack, id), FRAW(kb_ack, message), FRAW(kb_ack, case_id), F64(kb_ack, received_s), F32(kb_ack, outbox_key), F32(kb_ack, attempts),
};
static const struct field entry[] = { FRAW(kb_entry, previous) };

static const char *const tables[KB_TABLE_COUNT] = {
	[KB_TABLE_OFFICE] = "office", [KB_TABLE_STATE] = "state", [KB_TABLE_ROSTER] = "roster", [KB_TABLE_GRANT] = "grant",
	[KB_TABLE_NAME] = "name", [KB_TABLE_MSG] = "msg", [KB_TABLE_SUMMARY] = "summary", [KB_TABLE_CASE] = "case",
	[KB_TABLE_BYTIME] = "bytime", [KB_TABLE_BLOB] = "blob", [KB_TABLE_PARTIAL] = "partial", [KB_TABLE_REFERRAL] = "referral",
	[KB_TABLE_REFNAME] = "refname", [KB_TABLE_REFSIG] = "refsig", [KB_TABLE_HELD] = "held", [KB_TABLE_DUE] = "due", [KB_TABLE_OUTBOX] = "outbox",
	[KB_TABLE_RECENT] = "recent", [KB_TABLE_JOURNAL] = "journal",
};

#define NONE            NULL, 0
#define FIELDS(f)       (f), KB_LEN(f)
enum { WHOLE = 0, TAIL = 1 };
static const struct row {
	enum kb_table table;
	const struct field *field;
	size_t n;
	int tail;
} rows[KB_ROW_COUNT] = {
	[KB_ROW_OFFICE]   = {KB_TABLE_OFFICE,   FIELDS(office),   WHOLE},
	[KB_ROW_STATE]    = {KB_TABLE_STATE,    FIELDS(state),    WHOLE},
	[KB_ROW_ROSTER]   = {KB_TABLE_ROSTER,   FIELDS(number),   TAIL},
	[KB_ROW_GRANT]    = {KB_TABLE_GRANT,    NONE,             TAIL},
	[KB_ROW_NAME]     = {KB_TABLE_NAME,     FIELDS(number),   WHOLE},
	[KB_ROW_MSG]      = {KB_TABLE_MSG,      FIELDS(msg),      WHOLE},
	[KB_ROW_SUMMARY]  = {KB_TABLE_SUMMARY,  FIELDS(number),   TAIL},
	[KB_ROW_CASE]     = {KB_TABLE_CASE,     FIELDS(kase),     WHOLE},
	[KB_ROW_MEMBER]   = {KB_TABLE_CASE,     NONE,             WHOLE},
	[KB_ROW_BYTIME]   = {KB_TABLE_BYTIME,   NONE,             WHOLE},
	[KB_ROW_BLOB]     = {KB_TABLE_BLOB,     NONE,             TAIL},
	[KB_ROW_PARTIAL]  = {KB_TABLE_PARTIAL,  NONE,             WHOLE},
	[KB_ROW_REFERRAL] = {KB_TABLE_REFERRAL, FIELDS(referral), WHOLE},
	[KB_ROW_REFNAME]  = {KB_TABLE_REFNAME,  FIELDS(number),   WHOLE},
	[KB_ROW_REFSIG]   = {KB_TABLE_REFSIG,   NONE,             TAIL},
	[KB_ROW_HELD]     = {KB_TABLE_HELD,     NONE,             WHOLE},
	[KB_ROW_DUE]      = {KB_TABLE_DUE,      NONE,             WHOLE},
	[KB_ROW_ACK]      = {KB_TABLE_OUTBOX,   FIELDS(ack),      TAIL},
	[KB_ROW_RECENT]   = {KB_TABLE_RECENT,   FIELDS(number),   WHOLE},
	[KB_ROW_ENTRY]    = {KB_TABLE_JOURNAL,  FIELDS(entry),    TAIL},
};
/* clang-format on */

enum { VERSION = 1 };

const char *kb_table_name(enum kb_table table)
{
	return tables[table];
}

enum kb_table kb_row_table(enum kb_row row)
{
	return rows[row].table;
}

static size_t width(const struct field *f)
{
	static const size_t one[] = {[U8] = 1, [U32] = 4, [U64] = 8, [RAW] = 1, [TEXT] = 1};
	return one[f->kind] * f->n;
}

static size_t fixed(const struct row *r)
{
	size_t n = 1;
	for (size_t i = 0; i < r->n; i++)
		n += width(&r->field[i]);
	return n;
}

size_t kb_row_len(enum kb_row row, size_t tail)
{
	return fixed(&rows[row]) + tail + KB_ROW_CHECK;
}

uint8_t *kb_row_write(enum kb_row row, const void *src, uint8_t *out)
{
	const struct row *r = &rows[row];
	*out++ = VERSION;
	for (size_t i = 0; i < r->n; i++) {
		const struct field *f = &r->field[i];
		/* Little-endian hosts alone (wire.h says so too): numbers lie in memory as they do in a row. */
		memcpy(out, (const uint8_t *)src + f->at, width(f));
		out += width(f);
	}
	return out;
}

static void checksum(
    enum kb_row row, struct kb_span key, const uint8_t *p, size_t len, uint8_t ret_check[static KB_ROW_CHECK])
{
	const char *table = tables[rows[row].table];
	uint8_t head[16 + 2 + 64];
	size_t n = strlen(table) + 1;
	crypto_generichash_state h;
	memcpy(head, table, n);
	kb_put_u16(head + n, (uint16_t)key.len);
	memcpy(head + n + 2, key.p, key.len);
	crypto_generichash_init(&h, NULL, 0, KB_ROW_CHECK);
	crypto_generichash_update(&h, head, n + 2 + key.len);
	crypto_generichash_update(&h, p, len);
	crypto_generichash_final(&h, ret_check, KB_ROW_CHECK);
}

void kb_row_check(enum kb_row row, struct kb_span key, uint8_t *out, size_t len)
{
	checksum(row, key, out, len - KB_ROW_CHECK, out + len - KB_ROW_CHECK);
}

/* Values that a struct may not hold; a text is ended by a NUL, with nothing but NULs after it. */
static bool holds(const struct field *f, const uint8_t *p)
{
	if (f->kind == U8)
		return *p <= f->most;
	if (f->kind != TEXT)
		return true;
	const uint8_t *nul = memchr(p, 0, f->n);
	return nul && sodium_is_zero(nul, (size_t)(p + f->n - nul));
}

enum kb_status kb_row_parse(
    struct kb_diag *d, enum kb_row row, struct kb_span value, void *ret, struct kb_span *ret_tail)
{
	const struct row *r = &rows[row];
	size_t least = fixed(r) + KB_ROW_CHECK;
	if (value.len < least || (!r->tail && value.len != least))
		return KB_FAIL(d, KB_CORRUPT, value.len, "a row has the wrong length");
	if (value.p[0] != VERSION)
		return KB_FAIL(d, KB_UNSUPPORTED, value.p[0], "a row is of another version");
	const uint8_t *p = value.p + 1;
	for (size_t i = 0; i < r->n; i++) {
		if (!holds(&r->field[i], p))
			return KB_FAIL(d, KB_CORRUPT, (size_t)(p - value.p), "a field of a row is out of its range");
		p += width(&r->field[i]);
	}
	p = value.p + 1;
	for (size_t i = 0; i < r->n; i++) {
		memcpy((uint8_t *)ret + r->field[i].at, p, width(&r->field[i]));
		p += width(&r->field[i]);
	}
	if (r->tail)
		*ret_tail = KB_SPAN(p, value.len - least);
	return KB_OK;
}

enum kb_status kb_row_read(
    struct kb_diag *d, enum kb_row row, struct kb_span key, struct kb_span value, void *ret, struct kb_span *ret_tail)
{
	uint8_t check[KB_ROW_CHECK];
	if (value.len < 1 + KB_ROW_CHECK || key.len > 64)
		return KB_FAIL(d, KB_CORRUPT, value.len, "a row has the wrong length");
	checksum(row, key, value.p, value.len - KB_ROW_CHECK, check);
	if (memcmp(check, value.p + value.len - KB_ROW_CHECK, KB_ROW_CHECK) != 0)
		return KB_FAIL(d, KB_CORRUPT, 0, "a row is not what was written");
	return kb_row_parse(d, row, value, ret, ret_tail);
}
