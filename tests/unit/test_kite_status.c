/* kite_health, kite_referral: records of the desk, checked and shown. */
#include "kbtest.h"

#include <stdlib.h>
#include <string.h>

#include "desk_health.h"
#include "referral.h"

static void condition(struct kb_buf *body, const char *code, uint32_t level, uint32_t on, uint64_t number)
{
	struct kb_desk_health h = {.level = level, .on = on, .count = number, .since_s = number ? 1764000000 : 0};
	kb_field_set(h.room, sizeof(h.room), KB_LIT("vault"));
	kb_field_set(h.code, sizeof(h.code), kb_span_str(code));
	kb_field_set(h.sentence, sizeof(h.sentence), KB_LIT("Something is so. \033[31mDo that."));
	assert_ok(kb_buf_add(body, KB_SPAN(&h, sizeof(h))));
}

struct report {
	struct kb_desk_status s;
	struct kb_buf body, text;
	struct kite_health_sum sum;
};

static void report_init(struct report *r)
{
	memset(r, 0, sizeof(*r));
	kb_buf_init(&r->body, 1 << 20);
	kb_buf_init(&r->text, 1 << 20);
	r->s = (struct kb_desk_status){.now_s = 1764000060,
	    .started_s = 1764000000,
	    .messages = 12,
	    .held = 2,
	    .queued = 1,
	    .delivered = 5,
	    .map_used = 1 << 20,
	    .map_size = UINT64_C(4) << 30,
	    .roster_version = 7,
	    .epoch = 3,
	    .journal_seq = 412};
	memset(r->s.journal_head, 0xAB, sizeof(r->s.journal_head));
}

static void report_release(struct report *r)
{
	kb_buf_release(&r->body);
	kb_buf_release(&r->text);
}

static void show(struct report *r)
{
	r->s.body_len = r->body.len;
	assert_ok(kite_health_sum(&r->s, kb_buf_span(&r->body), &r->sum));
	assert_ok(kite_health_text(&r->s, kb_buf_span(&r->body), &r->sum, &r->text));
}

static bool shows(const struct report *r, const char *text)
{
	return kb_span_find(kb_buf_span(&r->text), kb_span_str(text)) != SIZE_MAX;
}

TEST(what_is_on_is_counted_by_level)
{
	struct report r;
	report_init(&r);
	condition(&r.body, "roster-refused", 2, 1, 0);
	condition(&r.body, "store-full", 2, 0, 0);
	condition(&r.body, "sorter-died", 1, 1, 3);
	condition(&r.body, "messages", 0, 1, 12);
	show(&r);
	assert_int_equal(r.sum.on[2], 1);
	assert_int_equal(r.sum.on[1], 1);
	assert_true(shows(&r, "1 fault, 1 warning.\n"));
	assert_true(shows(&r, "FAULT   roster-refused, vault\n"));
	assert_true(shows(&r, "warning sorter-died, vault, 3 times, since 2025-11-24T16:00:00Z\n"));
	assert_false(shows(&r, "store-full")); /* what is over is not shown */
	assert_false(shows(&r, "\033"));
	report_release(&r);
}

TEST(where_nothing_is_wrong_all_is_well)
{
	struct report r;
	report_init(&r);
	condition(&r.body, "messages", 0, 1, 12);
	show(&r);
	assert_true(shows(&r, "All is well.\n"));
	assert_true(shows(&r, "journal head                 abababab"));
	assert_true(shows(&r, "1.0 of 4096.0 MiB"));
	report_release(&r);
}

TEST(a_report_that_is_not_what_it_says_is_refused)
{
	struct kite_health_sum sum;
	struct report r;
	report_init(&r);
	condition(&r.body, "messages", 0, 1, 12);
	for (size_t n = 0; n < r.body.len; n++) {
		r.s.body_len = n;
		assert_int_equal(kite_health_sum(&r.s, KB_SPAN(r.body.p, n), &sum), n ? KB_MALFORMED : KB_OK);
	}
	r.s.body_len = r.body.len + 1;
	assert_int_equal(kite_health_sum(&r.s, kb_buf_span(&r.body), &sum), KB_MALFORMED);
	struct kb_desk_health *h = (struct kb_desk_health *)(void *)r.body.p;
	r.s.body_len = r.body.len;
	h->level = 3;
	assert_int_equal(kite_health_sum(&r.s, kb_buf_span(&r.body), &sum), KB_MALFORMED);
	h->level = 0;
	h->on = 2;
	assert_int_equal(kite_health_sum(&r.s, kb_buf_span(&r.body), &sum), KB_MALFORMED);
	h->on = 1;
	memset(h->sentence, 'x', sizeof(h->sentence));
	assert_int_equal(kite_health_sum(&r.s, kb_buf_span(&r.body), &sum), KB_MALFORMED);
	report_release(&r);
}

TEST(health_as_json_says_the_same)
{
	struct report r;
	report_init(&r);
	condition(&r.body, "roster-refused", 2, 1, 0);
	condition(&r.body, "sorter-died", 1, 1, 3);
	show(&r);
	json_t *j = kite_health_json(&r.s, kb_buf_span(&r.body), &r.sum);
	assert_true(json_is_false(json_object_get(j, "well")));
	assert_int_equal(json_integer_value(json_object_get(j, "faults")), 1);
	assert_int_equal(json_integer_value(json_object_get(j, "warnings")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "referrals"), "held")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "journal"), "seq")), 412);
	assert_int_equal(strlen(json_string_value(json_object_get(json_object_get(j, "journal"), "head"))), 64);
	const json_t *first = json_array_get(json_object_get(j, "health"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "level")), "fault");
	assert_true(json_is_null(json_object_get(first, "since")));
	assert_null(strchr(json_string_value(json_object_get(first, "sentence")), '\033'));
	json_decref(j);
	report_release(&r);
}

static struct kb_desk_referral referral(void)
{
	struct kb_desk_referral r = {.state = KB_REFERRAL_DELIVERED,
	    .received_s = 1764000000,
	    .queued_s = 1764000000,
	    .delivered_s = 1764000060,
	    .attempts = 2,
	    .last_code = 250,
	    .blob_len = 8192};
	kb_field_set(r.destination, sizeof(r.destination), KB_LIT("oia"));
	return r;
}

TEST(a_referral_is_a_line_in_the_headings_columns)
{
	struct kb_desk_referral r = referral();
	struct kb_buf head, line;
	kb_buf_init(&head, 4096);
	kb_buf_init(&line, 4096);
	assert_ok(kite_referral_heading(&head));
	assert_ok(kite_referral_line(&r, &line));
	assert_int_equal(kb_span_find(kb_buf_span(&head), KB_LIT("STATE")), kb_span_find(kb_buf_span(&line), KB_LIT("delivered")));
	assert_int_equal(kb_span_find(kb_buf_span(&head), KB_LIT("DELIVERED")),
	    kb_span_find(kb_buf_span(&line), KB_LIT("2025-11-24 16:01")));
	assert_int_equal(kb_span_find(kb_buf_span(&head), KB_LIT("SAID")), kb_span_find(kb_buf_span(&line), KB_LIT("250")));
	kb_buf_release(&head);
	kb_buf_release(&line);
}

TEST(a_referral_with_a_value_that_cannot_be_is_refused)
{
	struct kb_desk_referral r = referral(), got;
	for (int i = 0; i < 5; i++) {
		struct kb_desk_referral bad = r;
		size_t len = sizeof(bad);
		if (i == 0)
			bad.state = KB_REFERRAL_STATE_COUNT;
		else if (i == 1)
			memset(bad.destination, 'x', sizeof(bad.destination));
		else if (i == 2)
			bad.last_code = 1000;
		else if (i == 3)
			len--;
		struct kb_span page = KB_SPAN(&bad, len);
		assert_int_equal(kite_referral_next(&page, &got), i == 4 ? KB_OK : KB_MALFORMED);
		assert_int_equal(page.len, i == 4 ? 0 : len);
	}
	struct kb_span none = KB_SPAN(NULL, 0);
	assert_int_equal(kite_referral_next(&none, &got), KB_NOTFOUND);
}

TEST(a_referral_as_json_has_null_for_what_has_not_been)
{
	struct kb_desk_referral r = referral();
	r.delivered_s = 0;
	r.last_code = 0;
	json_t *j = kite_referral_json(&r);
	assert_string_equal(json_string_value(json_object_get(j, "state")), "delivered");
	assert_string_equal(json_string_value(json_object_get(j, "destination")), "oia");
	assert_true(json_is_null(json_object_get(j, "delivered")));
	assert_true(json_is_null(json_object_get(j, "code")));
	assert_int_equal(json_integer_value(json_object_get(j, "octets")), 8192);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(what_is_on_is_counted_by_level),
		RUN(where_nothing_is_wrong_all_is_well),
		RUN(a_report_that_is_not_what_it_says_is_refused),
		RUN(health_as_json_says_the_same),
		RUN(a_referral_is_a_line_in_the_headings_columns),
		RUN(a_referral_with_a_value_that_cannot_be_is_refused),
		RUN(a_referral_as_json_has_null_for_what_has_not_been),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
