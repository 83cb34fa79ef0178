/* referral_format: see referral.h. */
#include <stdio.h>
#include <string.h>

#include "referral.h"

enum kb_status kite_referral_next(struct kb_span *page, struct kb_desk_referral *ret_r)
{
	struct kb_desk_referral r;
	struct kb_span destination;
	if (!page->len)
		return KB_NOTFOUND;
	if (page->len < sizeof(r))
		return KB_MALFORMED;
	memcpy(&r, page->p, sizeof(r));
	if (!kb_referral_state_name(r.state) ||
	    kb_field_get(r.destination, sizeof(r.destination), &destination) != KB_OK || r.last_code > 999)
		return KB_MALFORMED;
	*page = kb_span_from(*page, sizeof(r));
	*ret_r = r;
	return KB_OK;
}

enum { COLUMNS = 9 };

static enum kb_status columns(struct kb_buf *b, const char *const cell[static COLUMNS])
{
	static const size_t width[COLUMNS] = {11, 15, 12, 16, 16, 16, 16, 5, 4};
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < COLUMNS; i++) {
		if (i)
			st = kb_buf_byte(b, ' ');
		if (st == KB_OK)
			st = kite_cell(b, kb_span_str(cell[i]), width[i]);
	}
	while (b->len && b->p[b->len - 1] == ' ')
		b->len--;
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

enum kb_status kite_referral_heading(struct kb_buf *b)
{
	static const char *const cell[COLUMNS] = {
	    "CASE", "TO", "STATE", "RECEIVED (UTC)", "QUEUED", "DELIVERED", "NEXT", "TRIES", "SAID"};
	return columns(b, cell);
}

/* "2026-11-24 14:21", or a dash for what has not been. */
static void minute(uint64_t unix_s, char ret_text[static KB_TIME_TEXT])
{
	if (!unix_s) {
		kb_field_set(ret_text, KB_TIME_TEXT, KB_LIT("-"));
		return;
	}
	kb_time_format(unix_s, ret_text);
	ret_text[10] = ' ';
	ret_text[16] = '\0';
}

enum kb_status kite_referral_line(const struct kb_desk_referral *r, struct kb_buf *b)
{
	char case_id[KB_CASE_TEXT], when[4][KB_TIME_TEXT], tries[12], code[12] = "-";
	kb_case_id_format(&r->case_id, case_id);
	minute(r->received_s, when[0]);
	minute(r->queued_s, when[1]);
	minute(r->delivered_s, when[2]);
	minute(r->next_s, when[3]);
	(void)snprintf(tries, sizeof(tries), "%u", (unsigned)r->attempts);
	if (r->last_code)
		(void)snprintf(code, sizeof(code), "%u", (unsigned)r->last_code);
	const char *const cell[COLUMNS] = {
	    case_id, r->destination, kb_referral_state_name(r->state), when[0], when[1], when[2], when[3], tries, code};
	return columns(b, cell);
}

json_t *kite_referral_json(const struct kb_desk_referral *r)
{
	json_t *j = json_object();
	kite_json_set(j, "case", kite_json_case(&r->case_id));
	kite_json_set(j, "referral", kite_json_id(&r->id));
	kite_json_set(j, "destination", kite_json_text(kb_span_str(r->destination)));
	kite_json_set(j, "state", json_string(kb_referral_state_name(r->state)));
	kite_json_set(j, "received", kite_json_time(r->received_s));
	kite_json_set(j, "queued", kite_json_time(r->queued_s));
	kite_json_set(j, "delivered", kite_json_time(r->delivered_s));
	kite_json_set(j, "next", kite_json_time(r->next_s));
	kite_json_set(j, "attempts", json_integer(r->attempts));
	kite_json_set(j, "code", r->last_code ? json_integer(r->last_code) : json_null());
	kite_json_set(j, "octets", json_integer((json_int_t)r->blob_len));
	return j;
}
