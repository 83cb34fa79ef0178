/*
 * vault_intake: what sealers hand over, into the store, many messages in one transaction.
 *
 * large (a step of it at a time) -> ready -> in a group -> committed -> answered. A group that fails is tried again one
 * by one, so that one bad message costs nobody else theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include <kitebox/memfd.h>

#include "vault.h"

enum stage { LARGE, READY, DECIDED };

struct kb_vault_entry {
	struct kb_vault_entry *next;
	enum stage stage;
	struct kb_channel *sealer; /* NULL: nobody waits for the answer any more */
	struct kb_wire_store row;
	int fd;
	struct kb_put put;
	struct kb_upload *upload; /* of what is large */
	uint64_t octets;
	enum kb_status status;
	struct kb_put_result result;
};

static void answer(const struct kb_vault *v, struct kb_channel *sealer, const struct kb_id *id, enum kb_status st,
    const struct kb_put_result *r)
{
	struct kb_wire_result w;
	memset(&w, 0, sizeof w);
	w.id = *id;
	w.status = st;
	if (st == KB_OK) {
		w.stored = r->id;
		w.duplicate = r->duplicate;
		w.case_id = r->case_id;
	}
	if (sealer && kb_channel_send(sealer, KB_WIRE_STORED, &w, sizeof w, NULL, 0) != KB_OK)
		kb_room_log(v->host, LOG_WARNING, NULL, "a sealer could not be told that its message is stored");
}

static void entry_free(struct kb_vault_entry *e)
{
	kb_fd_close(&e->fd);
	free(e->upload);
	sodium_memzero(&e->row, sizeof e->row);
	free(e);
}

/* ---- what a sealer says is checked against the roster that is in force ---- */

static enum kb_status check_row(const struct kb_vault *v, const struct kb_wire_store *w)
{
	const struct kb_roster *r = v->roster;
	if (v->intake != KB_OK)
		return v->intake;
	if (v->stopping)
		return KB_AGAIN;
	if (w->roster_version != r->version || w->epoch != r->epoch)
		return KB_SEQUENCE;
	if (w->class_ >= KB_CLASS_COUNT || w->channel >= KB_CHANNEL_KIND_COUNT || w->urgent > 1 || w->unreadable > 1 ||
	    w->received_s > UINT64_MAX / 2)
		return KB_MALFORMED;
	if (w->destinations >> r->destinations)
		return KB_MALFORMED;
	if (w->entitled != KB_ENTITLED_NOBODY && r->persons < 64 && w->entitled >> r->persons)
		return KB_MALFORMED;
	/* An allegation, and what might be one, is never stored without its referral. */
	if (!w->destinations && (w->class_ == KB_CLASS_ALLEGATION || w->class_ == KB_CLASS_REVIEW || w->unreadable))
		return KB_MALFORMED;
	return KB_OK;
}

/* Nobody can change it any more, and it is as long as its files are said to be. */
static enum kb_status look_at_files(const struct kb_vault *v, const struct kb_vault_entry *e)
{
	enum { SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK };
	/* What sealing adds: our head, padding (an eighth at most), a tag a chunk, an age header. */
	uint64_t most = kb_room_settings(v->host)->limit.message_octets / 4 * 5 + (1 << 20), whole = 0;
	size_t files = 1 + (size_t)__builtin_popcount(e->row.destinations);
	struct stat st;
	int seals = fcntl(e->fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return KB_FORGED;
	for (size_t i = 0; i < KB_LEN(e->row.len); i++) {
		if ((e->row.len[i] != 0) != (i < files))
			return KB_MALFORMED;
		if (e->row.len[i] > most)
			return KB_TOOBIG;
		whole += e->row.len[i];
	}
	return fstat(e->fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size != whole ? KB_MALFORMED : KB_OK;
}

static struct kb_sealed_file next_file(struct kb_vault_entry *e, uint64_t len)
{
	struct kb_sealed_file f = {e->fd, e->octets, len};
	e->octets += len;
	return f;
}

static enum kb_status fill(const struct kb_vault *v, struct kb_vault_entry *e)
{
	const struct kb_wire_store *w = &e->row;
	struct kb_put *p = &e->put;
	*p = (struct kb_put){
	    .id = w->id,
	    .received_s = w->received_s,
	    .entitled = w->entitled,
	    .size_class = w->size_class,
	    .fingerprint = w->fingerprint,
	    .roster_version = w->roster_version,
	    .epoch = w->epoch,
	    .header_len = w->header_len,
	    .class_ = w->class_,
	    .channel = w->channel,
	    .urgent = w->urgent,
	    .unreadable = w->unreadable,
	    .outbox_key = w->outbox_key,
	    .ack = KB_SPAN(w->ack, sizeof w->ack),
	    .summary = KB_SPAN(w->summary, sizeof w->summary),
	};
	enum kb_status st = look_at_files(v, e);
	if (st != KB_OK)
		return st;
	p->message = next_file(e, w->len[0]);
	for (uint8_t i = 0; i < v->roster->destinations; i++) {
		if (!(w->destinations & (UINT32_C(1) << i)))
			continue;
		p->referral[p->referrals].index = i;
		p->referral[p->referrals].to = &v->roster->destination[i];
		p->referral[p->referrals].file = next_file(e, w->len[1 + p->referrals]);
		p->referrals++;
	}
	bool fits = w->header_len && w->header_len <= p->message.len && w->header_len <= KB_AGE_HEADER_MOST;
	return fits ? KB_OK : KB_MALFORMED;
}

enum kb_status kb_vault_on_store(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_vault *v = ctx;
	const struct kb_wire_store *w = body;
	(void)n;
	enum kb_status st = check_row(v, w);
	struct kb_vault_entry *e = calloc(1, sizeof *e);
	if (!e)
		abort();
	e->sealer = ch;
	e->row = *w;
	e->fd = fds[0];
	fds[0] = -1;
	if (st == KB_OK)
		st = fill(v, e);
	if (st != KB_OK) {
		answer(v, ch, &w->id, st, NULL);
		entry_free(e);
		return KB_OK;
	}
	*v->last = e;
	v->last = &e->next;
	v->waiting++;
	v->waiting_octets += e->octets;
	e->stage = kb_put_is_large(&e->put) ? LARGE : READY;
	if (v->waiting >= KB_VAULT_GROUP_MOST || v->waiting_octets >= KB_VAULT_GROUP_OCTETS)
		kb_vault_commit_group(v);
	if (v->first)
		kb_vault_soon(v);
	return KB_OK;
}

/* ---- groups ---- */

/* Answers and frees every entry that is decided. */
static void settle(struct kb_vault *v)
{
	struct kb_vault_entry **at = &v->first;
	while (*at) {
		struct kb_vault_entry *e = *at;
		if (e->stage != DECIDED) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		v->waiting--;
		v->waiting_octets -= e->octets;
		answer(v, e->sealer, &e->row.id, e->status, &e->result);
		entry_free(e);
	}
	v->last = at;
}

/* What a sender is told when it was not stored: to come back. */
static enum kb_status told(enum kb_status st)
{
	return st == KB_BUSY || st == KB_OK ? st : KB_AGAIN;
}

static void decide(struct kb_vault *v, struct kb_vault_entry *e, enum kb_status st)
{
	if (st == KB_BUSY && e->octets > v->refused_octets)
		v->refused_octets = e->octets;
	e->status = told(st);
	e->stage = DECIDED;
}

static enum kb_status put_group(struct kb_vault *v, struct kb_diag *d)
{
	enum kb_status st = kb_store_begin(d, v->store, kb_room_now_s(v->host));
	if (st != KB_OK)
		return st;
	for (struct kb_vault_entry *e = v->first; st == KB_OK && e; e = e->next)
		if (e->stage == READY)
			st = kb_store_put(d, v->store, &e->put, e->upload, &e->result);
	if (st == KB_OK)
		return kb_store_commit(d, v->store);
	kb_store_abort(v->store);
	return st;
}

static void put_one(struct kb_vault *v, struct kb_vault_entry *e)
{
	struct kb_diag d = {0};
	enum kb_status st = kb_store_begin(&d, v->store, kb_room_now_s(v->host));
	if (st == KB_OK) {
		st = kb_store_put(&d, v->store, &e->put, e->upload, &e->result);
		if (st == KB_OK)
			st = kb_store_commit(&d, v->store);
		else
			kb_store_abort(v->store);
	}
	decide(v, e, st);
	if (st != KB_OK)
		kb_vault_trouble(v, &d, "a message was not stored, and its sender keeps it");
}

/* One step of the first large one: the others wait for no more than that. */
static void upload_step(struct kb_vault *v)
{
	struct kb_diag d = {0};
	struct kb_vault_entry *e = v->first;
	while (e && e->stage != LARGE)
		e = e->next;
	if (!e)
		return;
	if (!e->upload) {
		enum kb_status seen = kb_store_seen(&d, v->store, &e->put, &e->result);
		kb_store_rest(v->store);
		if (seen == KB_OK) {
			e->stage = READY; /* nothing to write: put acknowledges it */
			return;
		}
		e->upload = aligned_alloc(_Alignof(struct kb_upload), sizeof *e->upload);
		if (!e->upload)
			abort();
		memset(e->upload, 0, sizeof *e->upload);
	}
	enum kb_status st = kb_store_upload(&d, v->store, &e->put, e->upload, kb_room_now_s(v->host));
	if (st == KB_OK)
		e->stage = READY;
	if (st == KB_OK || st == KB_AGAIN)
		return;
	kb_vault_trouble(v, &d, "a large message was not stored, and its sender keeps it");
	decide(v, e, st);
	v->tidy = true; /* what was written so far is nobody's */
}

static void decide_all(struct kb_vault *v, enum kb_status st)
{
	for (struct kb_vault_entry *e = v->first; e; e = e->next)
		decide(v, e, st);
	v->tidy = true;
}

/* The group as one transaction; where that fails, each alone. */
static void store_ready(struct kb_vault *v)
{
	struct kb_diag d = {0};
	enum kb_status st = put_group(v, &d);
	if (st != KB_OK && !(st == KB_BUSY && v->full))
		kb_room_log(v->host, LOG_WARNING, &d, "a group of messages was not stored, and each is tried alone");
	for (struct kb_vault_entry *e = v->first; e; e = e->next) {
		if (e->stage != READY)
			continue;
		if (st == KB_OK)
			decide(v, e, KB_OK);
		else
			put_one(v, e);
	}
}

void kb_vault_commit_group(struct kb_vault *v)
{
	struct kb_diag d = {0};
	if (!v->first)
		return;
	kb_vault_used(v);
	enum kb_status st = kb_store_room(&d, v->store, v->waiting_octets);
	if (st == KB_OK) {
		upload_step(v);
		store_ready(v);
	} else {
		kb_vault_trouble(v, &d, "there is no room: intake answers 452");
		decide_all(v, st);
	}
	settle(v);
	if (v->first)
		kb_vault_soon(v);
}

void kb_vault_intake_forget(struct kb_vault *v, const struct kb_channel *sealer)
{
	for (struct kb_vault_entry *e = v->first; e; e = e->next)
		if (e->sealer == sealer)
			e->sealer = NULL;
}

void kb_vault_intake_release(struct kb_vault *v)
{
	while (v->first) {
		struct kb_vault_entry *e = v->first;
		v->first = e->next;
		entry_free(e);
	}
	v->last = &v->first;
}
