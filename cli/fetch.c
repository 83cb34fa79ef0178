/*
 * fetch: sealed messages from the desk, believed only once they have verified. See case.h.
 */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "case.h"

/* A batch is one entry of the journal. What of it does not fit the desk's memory comes back as KB_AGAIN, and is asked for again. */
enum { BATCH_MOST = 32 };
#define BATCH_OCTETS (UINT64_C(64) << 20)

static bool field_is(const struct kb_eml *e, const char *name, const char *value)
{
	return kb_span_eq(kb_eml_get(e, name), kb_span_str(value));
}

static enum kb_status check_head(struct kb_diag *d, const struct kb_desk_message *row, const struct kb_eml *e)
{
	char id[KB_ID_TEXT], epoch[11];
	kb_id_format(&row->id, id);
	(void)snprintf(epoch, sizeof(epoch), "%u", (unsigned)row->epoch);
	if (!field_is(e, "Message", id))
		return KB_FAIL(d, KB_FORGED, 0, "what opened is another message than the one asked for");
	if (!field_is(e, "Purpose", "message"))
		return KB_FAIL(d, KB_FORGED, 0, "what opened was not sealed as a message to the desk");
	if (!field_is(e, "Epoch", epoch))
		return KB_FAIL(d, KB_FORGED, 0, "what opened was sealed in another epoch than the store says");
	return KB_OK;
}

enum kb_status kite_message_open(struct kite_session *s, struct kb_diag *d, const struct kb_desk_message *row,
    struct kb_span sealed, struct kite_message *ret_m)
{
	const struct kb_identity *id = NULL;
	enum kb_status st = KB_OK;
	struct kite_message m = {.row = row, .sealed = sealed};
	kb_buf_init(&m.plain, sealed.len);
	if (kite_row_restricted(row))
		id = s->me->age;
	else
		st = kite_session_epoch(s, d, row->epoch, &id);
	const struct kb_age_keys keys = {.identities = &id, .n = 1};
	if (st == KB_OK)
		st = kb_age_open(d, sealed, &keys, &m.plain);
	if (st == KB_OK)
		st = kb_eml_parse(d, kb_buf_span(&m.plain), &m.eml);
	if (st == KB_OK && (st = check_head(d, row, &m.eml)) != KB_OK)
		kb_eml_release(&m.eml);
	if (st != KB_OK) {
		kb_buf_release(&m.plain);
		return st;
	}
	*ret_m = m;
	return KB_OK;
}

void kite_message_release(struct kite_message *m)
{
	if (m->plain.p)
		kb_eml_release(&m->eml);
	kb_buf_release(&m->plain);
	memset(m, 0, sizeof(*m));
}

static enum kb_status check_blob(
    struct kb_diag *d, const struct kb_desk_blob *b, const struct kb_desk_message *row, struct kb_span sealed)
{
	uint8_t hash[32];
	if (!kb_id_eq(&b->id, &row->id))
		return KB_FAIL(d, KB_FORGED, 0, "the desk answers with another message than the one asked for");
	if (b->status != KB_OK)
		return kb_fail(d, b->status < KB_STATUS_COUNT ? (enum kb_status)b->status : KB_CORRUPT, 0, 0,
		    "the store does not give it");
	crypto_generichash(hash, sizeof(hash), sealed.p, sealed.len, NULL, 0);
	if (sodium_memcmp(hash, b->sealed_hash, sizeof(hash)) != 0)
		return KB_FAIL(d, KB_FORGED, 0, "it is not what the journal says was stored");
	return KB_OK;
}

/* Opens and hands over one answer. *ret_again: it is to be asked for again. */
static enum kb_status hand_over(struct kite_session *s, const struct kb_desk_blob *b, const struct kb_desk_message *row,
    struct kb_span sealed, bool sealed_only, kite_message_fn *each, void *ctx, bool *ret_again)
{
	struct kite_message m = {.row = row, .sealed = sealed};
	struct kb_diag d = {0};
	enum kb_status st = check_blob(&d, b, row, sealed);
	*ret_again = st == KB_AGAIN;
	if (*ret_again)
		return KB_OK;
	if (st == KB_OK && !sealed_only)
		st = kite_message_open(s, &d, row, sealed, &m);
	st = each(ctx, st, &d, &m);
	kite_message_release(&m);
	return st;
}

/* One request. *ret_done: how many of the rows, from the first on, need not be asked for again. */
static enum kb_status batch(struct kite_session *s, const struct kb_desk_message *rows, size_t n, bool sealed_only,
    kite_message_fn *each, void *ctx, size_t *ret_done)
{
	struct kb_desk_open ask = {.n = (uint32_t)n};
	struct kb_desk_blob b;
	struct kb_diag d = {0};
	struct kb_buf sealed;
	bool again = false;
	size_t done = 0;
	for (size_t i = 0; i < n; i++)
		ask.id[i] = rows[i].id;
	kb_buf_init(&sealed, KITE_BLOB_MOST);
	enum kb_status st = kite_client_ask(&s->client, &d, KB_DESK_OPEN, &ask, sizeof(ask)), own = KB_OK;
	for (size_t i = 0; st == KB_OK && i < n; i++) {
		kb_buf_clear(&sealed);
		st = kite_client_next(&s->client, &d, KB_DESK_OPEN, &b, sizeof(b), KITE_BLOB_MOST, &sealed);
		if (st == KB_OK && own == KB_OK && !again)
			own = hand_over(s, &b, &rows[i], kb_buf_span(&sealed), sealed_only, each, ctx, &again);
		done += st == KB_OK && !again;
	}
	kb_buf_release(&sealed);
	if (st == KB_OK)
		st = kite_client_end(&s->client, &d, KB_DESK_OPEN);
	if (st != KB_OK)
		return kite_client_fail(&s->client, st == KB_NOTFOUND && !s->client.failed ? KB_MALFORMED : st, &d,
		    "the messages could not be had");
	*ret_done = done;
	return own;
}

/* The keys of all epochs first: between the answers to one question, another cannot be asked. */
static void fetch_epochs(struct kite_session *s, const struct kb_desk_message *rows, size_t n)
{
	const struct kb_identity *id;
	for (size_t i = 0; i < n; i++)
		if (!kite_row_restricted(&rows[i]) && kite_session_epoch(s, NULL, rows[i].epoch, &id) != KB_OK)
			continue; /* said of each message that needs it */
}

enum kb_status kite_fetch(struct kite_session *s, const struct kb_desk_message *rows, size_t n, bool sealed_only,
    kite_message_fn *each, void *ctx)
{
	enum kb_status st = KB_OK;
	if (!sealed_only)
		fetch_epochs(s, rows, n);
	while (st == KB_OK && n) {
		uint64_t octets = rows[0].blob_len;
		size_t k = 1, done = 0;
		while (k < n && k < BATCH_MOST && octets + rows[k].blob_len <= BATCH_OCTETS)
			octets += rows[k++].blob_len;
		st = batch(s, rows, k, sealed_only, each, ctx, &done);
		if (st == KB_OK && !done)
			st = kite_fail(KB_AGAIN, NULL, "the desk puts off handing out a message; try again later");
		rows += done;
		n -= done;
	}
	return st;
}
