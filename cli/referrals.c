/* referrals: `kite referrals`: the desk sees states, not files. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "json.h"
#include "list.h"
#include "referral.h"
#include "session.h"

struct listing {
	struct kite_session session;
	struct kb_desk_list ask;
	struct kb_buf page, text;
	struct kite_out out;
	json_t *json; /* or NULL */
	uint64_t left; /* of --limit */
	bool more, cut, quit;
};

/* Where the next page goes on; a page that is not what it says is refused as a whole. */
static bool page_holds(struct listing *l, uint32_t records)
{
	struct kb_span rest = kb_buf_span(&l->page);
	struct kb_desk_referral r;
	uint32_t n = 0;
	enum kb_status st;
	while ((st = kite_referral_next(&rest, &r)) == KB_OK) {
		n++;
		l->ask.before_s = r.received_s;
		l->ask.before = r.id;
	}
	return st == KB_NOTFOUND && n == records && n <= l->ask.most;
}

static enum kb_status fetch(struct listing *l)
{
	struct kb_desk_body body;
	struct kb_diag d = {0};
	struct kite_client *c = &l->session.client;
	kb_buf_clear(&l->page);
	enum kb_status st = kite_client_get(
	    c, &d, KB_DESK_REFERRALS, &l->ask, sizeof(l->ask), &body, sizeof(body), KITE_PAGE_MOST, &l->page);
	if (st != KB_OK)
		return kite_client_fail(c, st, &d, "the referrals could not be had");
	if (!page_holds(l, body.records) || (body.more && !body.records))
		return kite_fail(KB_MALFORMED, NULL, "the desk's list of referrals is malformed; nothing of it was believed");
	l->more = body.more != 0;
	return KB_OK;
}

static enum kb_status one_page(struct listing *l)
{
	struct kb_span rest = kb_buf_span(&l->page);
	struct kb_desk_referral r;
	enum kb_status st = KB_OK;
	while (st == KB_OK && kite_referral_next(&rest, &r) == KB_OK) {
		if (!l->left) {
			l->cut = true;
			break;
		}
		l->left--;
		if (!l->json)
			st = kite_referral_line(&r, &l->text);
		else if (json_array_append_new(l->json, kite_referral_json(&r)) < 0)
			abort();
	}
	if (st != KB_OK)
		return kite_fail(st, NULL, "a line could not be made");
	return l->json ? KB_OK : kite_out_write(&l->out, &l->text, &l->quit);
}

static enum kb_status all_pages(struct listing *l)
{
	enum kb_status st = KB_OK;
	for (l->more = true; st == KB_OK && l->more && !l->cut && !l->quit;) {
		st = fetch(l);
		if (st == KB_OK)
			st = one_page(l);
	}
	return st;
}

static enum kb_status as_text(struct listing *l)
{
	enum kb_status st = kite_out_begin(&l->out);
	if (st != KB_OK)
		return st;
	st = kite_referral_heading(&l->text);
	if (st == KB_OK)
		st = all_pages(l);
	kite_out_end(&l->out);
	return st;
}

static enum kb_status as_json(struct listing *l)
{
	kite_json_begin();
	l->json = json_array();
	enum kb_status st = all_pages(l);
	if (st != KB_OK) {
		json_decref(l->json);
		return st;
	}
	return kite_json_list("referrals", l->json, l->cut);
}

enum kb_status kite_run_referrals(struct kite *k)
{
	struct kb_case_id room;
	const struct kb_case_id *one_case;
	uint64_t limit;
	enum kb_status st = kite_limit(k, &limit);
	if (st == KB_OK)
		st = kite_case_word(k, &room, &one_case);
	if (st != KB_OK)
		return st;
	struct listing *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	kb_buf_init(&l->page, KITE_PAGE_MOST);
	kb_buf_init(&l->text, KITE_OUT_MOST);
	if (one_case)
		l->ask.case_id = *one_case;
	l->ask.all = one_case || kite_args_has(&k->args, "all");
	kite_limit_pages(limit, &l->ask.most, &l->left);
	st = kite_session_begin(k, "referrals", &l->session);
	if (st == KB_OK)
		st = k->json ? as_json(l) : as_text(l);
	kite_session_end(&l->session);
	kb_buf_release(&l->page);
	kb_buf_release(&l->text);
	free(l);
	return st;
}
