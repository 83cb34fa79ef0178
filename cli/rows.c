/* rows: pages of the desk's list, and their summaries. See case.h. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "case.h"

enum kb_status kite_row_next(struct kb_span *page, struct kite_row *ret_r)
{
	struct kite_row r;
	if (!page->len)
		return KB_NOTFOUND;
	if (page->len < sizeof(r.m))
		return KB_MALFORMED;
	memcpy(&r.m, page->p, sizeof(r.m));
	struct kb_span rest = kb_span_from(*page, sizeof(r.m));
	/* The lengths first: a sum of the desk's numbers must not wrap. */
	if (!r.m.header_len || r.m.header_len > KB_AGE_HEADER_MOST + 16 || rest.len < (size_t)r.m.header_len + KB_SUMMARY_LEN)
		return KB_MALFORMED;
	if (r.m.class_ >= KB_CLASS_COUNT || !kb_case_status_name(r.m.status) || r.m.blob_len > KITE_BLOB_MOST)
		return KB_MALFORMED;
	r.header = KB_SPAN(rest.p, r.m.header_len);
	r.summary = KB_SPAN(rest.p + r.m.header_len, KB_SUMMARY_LEN);
	*page = kb_span_from(rest, (size_t)r.m.header_len + KB_SUMMARY_LEN);
	*ret_r = r;
	return KB_OK;
}

bool kite_row_restricted(const struct kb_desk_message *m)
{
	return m->entitled != 0;
}

/* Whose identity opens it: mine for what is sealed by name, the desk's else. */
static enum kb_status identity_of(
    struct kite_session *s, struct kb_diag *d, const struct kb_desk_message *m, const struct kb_identity **ret_id)
{
	if (!kite_row_restricted(m))
		return kite_session_epoch(s, d, m->epoch, ret_id);
	*ret_id = s->me->age;
	return KB_OK;
}

enum kb_status kite_row_open(struct kite_session *s, struct kb_diag *d, const struct kite_row *r, struct kb_summary *ret_s)
{
	const struct kb_identity *id = NULL;
	uint8_t file_key[KB_AGE_FILE_KEY];
	size_t header_len;
	enum kb_status st = identity_of(s, d, &r->m, &id);
	if (st != KB_OK)
		return st;
	const struct kb_age_keys keys = {.identities = &id, .n = 1};
	st = kb_age_header_open(d, r->header, &keys, file_key, &header_len);
	if (st == KB_OK)
		st = kb_summary_open(d, file_key, &r->m.id, r->summary, ret_s);
	sodium_memzero(file_key, sizeof(file_key));
	return st;
}

void kite_list_init(struct kite_list *l, const struct kb_case_id *one_case, bool all, uint16_t page_most)
{
	memset(l, 0, sizeof(*l));
	kb_buf_init(&l->page, KITE_PAGE_MOST);
	if (one_case)
		l->ask.case_id = *one_case;
	l->ask.all = all;
	l->ask.most = page_most;
	l->more = true;
}

/* Where the next page goes on; a page that is not what it says is refused as a whole. */
static bool page_holds(struct kite_list *l, uint32_t records)
{
	struct kb_span rest = kb_buf_span(&l->page);
	struct kite_row r;
	uint32_t n = 0;
	enum kb_status st;
	while ((st = kite_row_next(&rest, &r)) == KB_OK) {
		n++;
		l->ask.before_s = r.m.received_s;
		l->ask.before = r.m.id;
	}
	return st == KB_NOTFOUND && n == records && n <= l->ask.most;
}

enum kb_status kite_list_page(struct kite_session *s, struct kite_list *l)
{
	struct kb_desk_body body;
	struct kb_diag d = {0};
	if (!l->more)
		return KB_NOTFOUND;
	kb_buf_clear(&l->page);
	enum kb_status st = kite_client_get(
	    &s->client, &d, KB_DESK_LIST, &l->ask, sizeof(l->ask), &body, sizeof(body), KITE_PAGE_MOST, &l->page);
	if (st == KB_NOTFOUND && s->client.failed)
		return st; /* the desk knows of no such case */
	if (st != KB_OK)
		return kite_client_fail(&s->client, st, &d, "the list could not be had");
	if (!page_holds(l, body.records) || (body.more && !body.records))
		return kite_fail(KB_MALFORMED, NULL, "the desk's list is malformed; nothing of it was believed");
	l->more = body.more != 0;
	return body.records ? KB_OK : KB_NOTFOUND;
}

void kite_list_release(struct kite_list *l)
{
	kb_buf_release(&l->page);
}

/* ---- what words name ---- */

/* Within one list nothing stands twice; two words may name the same message. */
static void add(struct kite_targets *t, size_t before, const struct kb_desk_message *m)
{
	for (size_t i = 0; i < before; i++)
		if (kb_id_eq(&t->m[i].id, &m->id))
			return;
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->m = reallocarray(t->m, t->cap, sizeof(*t->m));
		if (!t->m)
			abort();
	}
	t->m[t->n++] = *m;
}

/* Those of a page that are asked for. True when nothing more is to be looked for. */
static bool gather_page(struct kite_targets *t, size_t before, struct kb_span page, const struct kb_id *id)
{
	struct kite_row r;
	bool found = false;
	while (kite_row_next(&page, &r) == KB_OK) {
		if (id && !kb_id_eq(&r.m.id, id))
			continue;
		add(t, before, &r.m);
		found = true;
	}
	return id && found;
}

/* Every message, of one case, or that one with this id. */
static enum kb_status gather(
    struct kite_session *s, struct kite_targets *t, const struct kb_case_id *one_case, const struct kb_id *id, bool all)
{
	struct kite_list l;
	size_t before = t->n;
	enum kb_status st;
	kite_list_init(&l, one_case, all, KB_DESK_LIST_MOST);
	while ((st = kite_list_page(s, &l)) == KB_OK)
		if (gather_page(t, before, kb_buf_span(&l.page), id))
			break;
	kite_list_release(&l);
	return st == KB_NOTFOUND ? KB_OK : st;
}

enum kb_status kite_case_parse(const char *word, struct kb_case_id *ret_id)
{
	struct kb_case_id id;
	enum kb_status st = kb_case_id_parse(kb_span_str(word), &id);
	if (st == KB_OK && sodium_is_zero(id.b, sizeof(id.b)))
		return KB_MALFORMED;
	if (st == KB_OK)
		*ret_id = id;
	return st;
}

static enum kb_status one_word(struct kite_session *s, struct kite_targets *t, const char *word)
{
	struct kb_case_id case_id;
	struct kb_id id;
	size_t before = t->n;
	bool is_case = kite_case_parse(word, &case_id) == KB_OK;
	if (!is_case && kb_id_parse(kb_span_str(word), &id) != KB_OK)
		return kite_fail(KB_MALFORMED, NULL,
		    "%s is neither a case, as in K-7Q2M-9XTD, nor a message's id of 32 digits", word);
	enum kb_status st = gather(s, t, is_case ? &case_id : NULL, is_case ? NULL : &id, true);
	if (st == KB_OK && t->n == before)
		st = kite_fail(KB_NOTFOUND, NULL, "there is no %s that is yours to read; kite list --all shows what is", word);
	return st;
}

enum kb_status kite_targets_find(struct kite_session *s, const struct kite_args *a, bool all, struct kite_targets *ret_t)
{
	struct kite_targets t = {0};
	enum kb_status st = a->words ? KB_OK : gather(s, &t, NULL, NULL, all);
	for (size_t i = 0; st == KB_OK && i < a->words; i++)
		st = one_word(s, &t, a->word[i]);
	if (st != KB_OK) {
		kite_targets_release(&t);
		return st;
	}
	for (size_t i = 0; i < t.n / 2; i++) { /* lists are newest first; a case is read from its beginning */
		struct kb_desk_message m = t.m[i];
		t.m[i] = t.m[t.n - 1 - i];
		t.m[t.n - 1 - i] = m;
	}
	*ret_t = t;
	return KB_OK;
}

void kite_targets_release(struct kite_targets *t)
{
	free(t->m);
	memset(t, 0, sizeof(*t));
}
