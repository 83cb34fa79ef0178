/*
 * entry: the octets of a journal entry. See rows.h, and docs/FORMATS.md ("Journal").
 *
 *     salt[16] time u64 act u8 by_person u8 actor[16] note[16] case[5] number u32 subjects u8 commitments u8
 *     subject[16] ... commitment[32] ...
 *
 * The chain holds a keyed hash of the body, with the salt as key: who is shown head and commitments alone can follow
 * the chain and cannot guess a body.
 */
#include <string.h>

#include "rows.h"

enum { FIXED = 16 + 8 + 1 + 1 + 16 + 16 + 5 + 4 + 1 + 1 };
_Static_assert(FIXED + KB_ENTRY_SUBJECTS * KB_ID_LEN + KB_ENTRY_COMMITMENTS * 32 <= KB_ENTRY_MOST, "a body fits");

static const char *const names[KB_ACT_COUNT] = {
    [KB_ACT_IMPORTED] = "imported",
    [KB_ACT_SEALED] = "sealed",
    [KB_ACT_DUPLICATE] = "duplicate",
    [KB_ACT_HELD] = "held",
    [KB_ACT_REFERRED] = "referred",
    [KB_ACT_RELEASED] = "released",
    [KB_ACT_SENT] = "sent",
    [KB_ACT_DEFERRED] = "deferred",
    [KB_ACT_DELIVERED] = "delivered",
    [KB_ACT_DEAD] = "dead",
    [KB_ACT_LOST] = "lost",
    [KB_ACT_LOGIN] = "login",
    [KB_ACT_OPENED] = "opened",
    [KB_ACT_ACKNOWLEDGED] = "acknowledged",
    [KB_ACT_UNSENT] = "unsent",
};

const char *kb_act_name(unsigned act)
{
	return act < KB_ACT_COUNT ? names[act] : NULL;
}

static uint8_t *put(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

size_t kb_entry_body_write(const struct kb_entry *e, uint8_t out[static KB_ENTRY_MOST])
{
	uint8_t *p = put(out, e->salt, sizeof e->salt);
	kb_put_u64(p, e->time_s);
	p += 8;
	*p++ = e->act;
	*p++ = e->by_person;
	p = put(p, e->actor, sizeof e->actor);
	p = put(p, e->note, sizeof e->note);
	p = put(p, e->case_id.b, sizeof e->case_id.b);
	kb_put_u32(p, e->number);
	p += 4;
	*p++ = (uint8_t)e->subjects;
	*p++ = (uint8_t)e->commitments;
	p = put(p, e->subject, e->subjects * KB_ID_LEN);
	p = put(p, e->commitment, e->commitments * sizeof e->commitment[0]);
	return (size_t)(p - out);
}

static const uint8_t *get(const uint8_t *p, void *to, size_t n)
{
	memcpy(to, p, n);
	return p + n;
}

static bool text_holds(const char *field, size_t n)
{
	struct kb_span s;
	return kb_field_get(field, n, &s) == KB_OK && sodium_is_zero((const uint8_t *)field + s.len, n - s.len);
}

enum kb_status kb_entry_body_parse(struct kb_diag *d, struct kb_span body, struct kb_entry *ret_e)
{
	struct kb_entry e;
	memset(&e, 0, sizeof e);
	if (body.len < FIXED)
		return KB_FAIL(d, KB_CORRUPT, body.len, "a journal entry is too short");
	const uint8_t *p = get(body.p, e.salt, sizeof e.salt);
	e.time_s = kb_get_u64(p);
	p += 8;
	e.act = *p++;
	e.by_person = *p++;
	p = get(p, e.actor, sizeof e.actor);
	p = get(p, e.note, sizeof e.note);
	p = get(p, e.case_id.b, sizeof e.case_id.b);
	e.number = kb_get_u32(p);
	p += 4;
	e.subjects = *p++;
	e.commitments = *p++;
	if (e.act == 0 || e.act >= KB_ACT_COUNT || e.by_person > 1 || !text_holds(e.actor, sizeof e.actor) ||
	    !text_holds(e.note, sizeof e.note))
		return KB_FAIL(d, KB_CORRUPT, 0, "a field of a journal entry is out of its range");
	if (e.subjects > KB_ENTRY_SUBJECTS || e.commitments > KB_ENTRY_COMMITMENTS ||
	    body.len != FIXED + e.subjects * KB_ID_LEN + e.commitments * sizeof e.commitment[0])
		return KB_FAIL(d, KB_CORRUPT, body.len, "a journal entry has the wrong length");
	p = get(p, e.subject, e.subjects * KB_ID_LEN);
	(void)get(p, e.commitment, e.commitments * sizeof e.commitment[0]);
	*ret_e = e;
	return KB_OK;
}

void kb_entry_hash(uint64_t seq, const uint8_t previous[static 32], struct kb_span body, uint8_t ret_hash[static 32])
{
	static const char label[] = "kitebox journal v1"; /* its NUL is hashed too */
	uint8_t in[sizeof label + 8 + 32 + 32], *p = put(in, label, sizeof label);
	kb_put_be64(p, seq);
	p = put(p + 8, previous, 32);
	/* The salt is the key, and stands at the body's start, so that one octet string is the whole entry. */
	crypto_generichash(p, 32, body.p + 16, body.len - 16, body.p, 16);
	crypto_generichash(ret_hash, 32, in, sizeof in, NULL, 0);
}
