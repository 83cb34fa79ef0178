/* list: `kite list`. */
#include "list.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "out.h"

enum kb_status kite_limit(const struct kite *k, uint64_t *ret_n)
{
	const char *text = kite_args_value(&k->args, "limit");
	*ret_n = 0;
	if (text && (kb_span_u64(kb_span_str(text), UINT32_MAX, ret_n) != KB_OK || *ret_n == 0))
		return kite_fail(KB_MALFORMED, NULL, "--limit %s is not a number from 1 on", text);
	return KB_OK;
}

void kite_limit_pages(uint64_t limit, uint16_t *ret_page, uint64_t *ret_left)
{
	*ret_page = limit && limit < KB_DESK_LIST_MOST ? (uint16_t)(limit + 1) : KB_DESK_LIST_MOST;
	*ret_left = limit ? limit : UINT64_MAX;
}

enum kb_status kite_case_word(const struct kite *k, struct kb_case_id *room, const struct kb_case_id **ret_case)
{
	*ret_case = NULL;
	if (!k->args.words)
		return KB_OK;
	if (kite_case_parse(k->args.word[0], room) != KB_OK)
		return kite_fail(KB_MALFORMED, NULL, "%s is not a case, as in K-7Q2M-9XTD", k->args.word[0]);
	*ret_case = room;
	return KB_OK;
}

struct listing {
	struct kite_session session;
	struct kite_list list;
	struct kite_columns columns;
	struct kite_out out;
	struct kb_buf text;
	json_t *json; /* or NULL */
	uint64_t left; /* of --limit */
	bool cut, quit;
};

static enum kb_status one_row(struct listing *l, const struct kite_row *r)
{
	struct kb_summary s;
	struct kb_diag d = {0};
	enum kb_status st = kite_row_open(&l->session, &d, r, &s), made = KB_OK;
	const struct kb_summary *summary = st == KB_OK ? &s : NULL;
	if (!l->json)
		made = kite_list_line(&l->columns, &r->m, summary, st, &l->text);
	else if (json_array_append_new(l->json, kite_list_json(&r->m, summary, st)) < 0)
		abort();
	sodium_memzero(&s, sizeof(s));
	return made == KB_OK ? KB_OK : kite_fail(made, NULL, "a line could not be made");
}

static enum kb_status one_page(struct listing *l)
{
	struct kb_span rest = kb_buf_span(&l->list.page);
	struct kite_row r;
	enum kb_status st = KB_OK;
	while (st == KB_OK && kite_row_next(&rest, &r) == KB_OK) {
		if (!l->left) {
			l->cut = true;
			return KB_OK;
		}
		l->left--;
		st = one_row(l, &r);
	}
	if (st == KB_OK && !l->json)
		st = kite_out_write(&l->out, &l->text, &l->quit);
	return st;
}

static enum kb_status all_pages(struct listing *l)
{
	enum kb_status st = KB_OK;
	while (st == KB_OK && !l->cut && !l->quit && (st = kite_list_page(&l->session, &l->list)) == KB_OK)
		st = one_page(l);
	return st == KB_NOTFOUND ? KB_OK : st;
}

static enum kb_status as_text(struct listing *l)
{
	bool terminal;
	size_t width = kite_width(&terminal);
	l->columns = kite_list_columns(width, terminal);
	enum kb_status st = kite_out_begin(&l->out);
	if (st != KB_OK)
		return st;
	st = kite_list_heading(&l->columns, &l->text);
	if (st == KB_OK)
		st = all_pages(l);
	if (st == KB_OK && l->text.len)
		st = kite_out_write(&l->out, &l->text, &l->quit); /* the heading alone: there is nothing */
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
	return kite_json_list("cases", l->json, l->cut);
}

enum kb_status kite_run_list(struct kite *k)
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
	kb_buf_init(&l->text, KITE_OUT_MOST);
	uint16_t page;
	kite_limit_pages(limit, &page, &l->left);
	kite_list_init(&l->list, one_case, one_case || kite_args_has(&k->args, "all"), page);
	st = kite_session_begin(k, "list", &l->session);
	if (st == KB_OK)
		st = k->json ? as_json(l) : as_text(l);
	kite_session_end(&l->session);
	kite_list_release(&l->list);
	kb_buf_release(&l->text);
	free(l);
	return st;
}
