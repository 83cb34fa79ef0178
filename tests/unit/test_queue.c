/* queue: what happens to a referral, by table and by clock; what waits to be answered, by tick. */
#include "storefix.h"

#include <stdio.h>
#include <string.h>

enum { MINUTE = FIX_NOW - FIX_NOW % 60 };

static struct kb_referral newest(struct fix *f)
{
	struct kb_referral r;
	assert_ok(kb_referral_before(NULL, f->s, 0, &r));
	kb_store_rest(f->s);
	return r;
}

static struct kb_referral put(struct fix *f, struct letter l)
{
	struct kb_put_result r;
	l.destinations = l.destinations ? l.destinations : 1;
	assert_ok(fix_put(f, &l, &r));
	return newest(f);
}

static enum kb_status due(struct fix *f, uint64_t until_s, struct kb_referral *ret_r)
{
	struct kb_place at = {0};
	enum kb_status st = kb_due_next(NULL, f->s, until_s, &at, ret_r);
	kb_store_rest(f->s);
	return st;
}

TEST(an_allegation_is_queued_at_once_and_doubt_is_held)
{
	assert_int_equal(kb_referral_first(KB_CLASS_ALLEGATION, false), KB_REFERRAL_QUEUED);
	assert_int_equal(kb_referral_first(KB_CLASS_INQUIRY, false), KB_REFERRAL_QUEUED);
	assert_int_equal(kb_referral_first(KB_CLASS_REVIEW, false), KB_REFERRAL_HELD);
	for (uint8_t c = 0; c < KB_CLASS_COUNT; c++)
		assert_int_equal(kb_referral_first(c, true), KB_REFERRAL_HELD);
}

TEST(nothing_happens_to_a_referral_that_the_table_does_not_name)
{
	unsigned allowed = 0;
	uint8_t to;
	for (uint8_t from = 0; from < KB_REFERRAL_STATE_COUNT; from++)
		for (unsigned e = 0; e < KB_EVENT_COUNT; e++)
			allowed += kb_referral_step(from, (enum kb_referral_event)e, &to) == KB_OK;
	assert_int_equal(allowed, 6);
	assert_int_equal(kb_referral_step(KB_REFERRAL_DELIVERED, KB_EVENT_TAKE, &to), KB_SEQUENCE);
	assert_int_equal(kb_referral_step(KB_REFERRAL_HELD, KB_EVENT_TAKE, &to), KB_SEQUENCE);
	assert_ok(kb_referral_step(KB_REFERRAL_SENT, KB_EVENT_LOSE, &to));
	assert_int_equal(to, KB_REFERRAL_QUEUED);
}

TEST(back_off_doubles_up_to_its_most_less_up_to_a_quarter)
{
	assert_int_equal(kb_backoff_s(1, 60, 14400, 0), 60);
	assert_int_equal(kb_backoff_s(2, 60, 14400, 0), 120);
	assert_int_equal(kb_backoff_s(8, 60, 14400, 0), 7680);
	for (uint32_t n = 9; n < 2000; n = n * 3)
		assert_int_equal(kb_backoff_s(n, 60, 14400, 0), 14400);
	assert_int_equal(kb_backoff_s(UINT32_MAX, 60, 14400, 0), 14400);
	for (uint32_t chance = 0; chance < 100000; chance += 97)
		assert_in_range(kb_backoff_s(3, 60, 14400, chance), 180, 240);
	assert_int_not_equal(kb_backoff_s(3, 60, 14400, 1), kb_backoff_s(3, 60, 14400, 30));
	assert_int_equal(kb_backoff_s(1, 1, 2, 7), 1);
}

TEST(a_queued_referral_is_due_now_and_signed)
{
	struct fix *f = fix_new();
	struct kb_referral r = put(f, (struct letter){.number = 1, .class_ = KB_CLASS_ALLEGATION}), next;
	struct kb_span sig, trusted;
	struct kb_store_facts facts;
	char want[160], id[KB_ID_TEXT], when[KB_TIME_TEXT], head[65];
	assert_int_equal(r.state, KB_REFERRAL_QUEUED);
	assert_string_equal(r.destination, "oia");
	assert_ok(due(f, f->now_s, &next));
	assert_int_equal(next.seq, r.seq);
	assert_ok(kb_store_signature(NULL, f->s, r.seq, &sig));
	assert_ok(kb_minisign_verify(NULL, &f->referral.pub, r.prehash, sig, &trusted));
	kb_store_facts(f->s, &facts);
	kb_id_format(&r.id, id);
	kb_time_format(MINUTE, when);
	sodium_bin2hex(head, sizeof head, facts.journal_head, 32);
	snprintf(want, sizeof want, "kitebox referral %s %s journal %s", id, when, head);
	assert_true(kb_span_eq(trusted, kb_span_str(want)));
	fix_check(f);
	fix_free(f);
}

TEST(a_held_referral_is_released_by_the_clock_and_not_before)
{
	struct fix *f = fix_new();
	struct kb_referral r = put(f, (struct letter){.number = 1, .class_ = KB_CLASS_REVIEW}), next;
	struct kb_place at = {0};
	uint64_t when;
	assert_int_equal(r.state, KB_REFERRAL_HELD);
	assert_int_equal(due(f, FIX_NOW + 10 * 86400, &next), KB_NOTFOUND); /* it is not the courier's */
	assert_int_equal(kb_held_next(NULL, f->s, FIX_NOW + 86399, &at, &next), KB_NOTFOUND);
	assert_ok(kb_store_next_due(NULL, f->s, FIX_NOW, &when));
	assert_in_range(when, FIX_NOW + 86400, FIX_NOW + 86460);
	assert_ok(kb_held_next(NULL, f->s, when, &at, &next));
	f->now_s = when;
	fix_event(f, &next, KB_EVENT_RELEASE, 0);
	assert_int_equal(next.state, KB_REFERRAL_QUEUED);
	assert_ok(due(f, when, &next));
	fix_check(f);
	fix_free(f);
}

TEST(a_referral_that_is_deferred_comes_back_later_and_later)
{
	struct fix *f = fix_new();
	struct kb_referral r = put(f, (struct letter){.number = 1, .class_ = KB_CLASS_ALLEGATION}), next;
	static const uint64_t waits[] = {60, 120, 240, 480};
	for (size_t i = 0; i < KB_LEN(waits); i++) {
		fix_event(f, &r, KB_EVENT_TAKE, 0);
		assert_int_equal(r.state, KB_REFERRAL_SENT);
		assert_int_equal(due(f, KB_NEVER, &next), KB_NOTFOUND);
		fix_event(f, &r, KB_EVENT_DEFER, 451);
		assert_int_equal(r.attempts, i + 1);
		assert_int_equal(r.last_code, 451);
		assert_int_equal(r.next_s, f->now_s + waits[i]);
		assert_int_equal(due(f, r.next_s - 1, &next), KB_NOTFOUND);
		fix_check(f);
		f->now_s = r.next_s;
	}
	assert_ok(due(f, f->now_s, &next));
	fix_event(f, &r, KB_EVENT_TAKE, 0);
	fix_event(f, &r, KB_EVENT_DELIVER, 250);
	assert_int_equal(r.state, KB_REFERRAL_DELIVERED);
	assert_true(r.delivered_s >= r.queued_s);
	assert_int_equal(due(f, KB_NEVER, &next), KB_NOTFOUND);
	fix_check(f);
	fix_free(f);
}

TEST(what_was_with_a_courier_when_the_vault_died_is_found_again)
{
	struct fix *f = fix_new();
	struct kb_referral r = put(f, (struct letter){.number = 1, .class_ = KB_CLASS_ALLEGATION, .destinations = 3}), next;
	struct kb_place at = {0};
	fix_event(f, &r, KB_EVENT_TAKE, 0);
	fix_reopen(f);
	assert_ok(kb_sent_next(NULL, f->s, &at, &next));
	assert_int_equal(next.seq, r.seq);
	fix_event(f, &next, KB_EVENT_LOSE, 0);
	assert_int_equal(next.state, KB_REFERRAL_QUEUED);
	assert_int_equal(next.next_s, f->now_s);
	assert_int_equal(next.attempts, 0);
	assert_int_equal(kb_sent_next(NULL, f->s, &at, &next), KB_NOTFOUND);
	struct kb_store_facts facts;
	kb_store_facts(f->s, &facts);
	assert_int_equal(facts.counts.failing, 0);
	fix_check(f);
	fix_free(f);
}

TEST(an_event_that_does_not_fit_changes_nothing)
{
	struct fix *f = fix_new();
	struct kb_referral r = put(f, (struct letter){.number = 1, .class_ = KB_CLASS_ALLEGATION});
	fix_begin(f);
	assert_int_equal(kb_store_referral_event(NULL, f->s, &r, KB_EVENT_DELIVER, NULL), KB_SEQUENCE);
	kb_store_abort(f->s);
	assert_int_equal(r.state, KB_REFERRAL_QUEUED);
	fix_check(f);
	fix_free(f);
}

TEST(each_destination_has_a_referral_whose_id_follows_from_the_message)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1, .class_ = KB_CLASS_ALLEGATION, .destinations = 3};
	struct kb_referral b = put(f, l), a;
	struct kb_id id;
	uint8_t in[20 + 15 + 2], out[32];
	letter_id(&l, &id);
	assert_ok(kb_referral_before(NULL, f->s, b.seq, &a));
	assert_string_equal(a.destination, "oia");
	assert_string_equal(b.destination, "prea");
	/* BLAKE2b-256 over the label, its NUL, the message's id and the destination's number. */
	memcpy(in, "kitebox referral v1", 20);
	memcpy(in + 20, id.b, 16);
	in[36] = 1;
	crypto_generichash(out, 32, in, 37, NULL, 0);
	assert_memory_equal(out, b.id.b, 16);
	fix_free(f);
}

static struct kb_ack first_ack(struct fix *f, uint64_t until_s)
{
	struct kb_place at = {0};
	struct kb_ack a;
	struct kb_span sealed;
	assert_ok(kb_ack_next(NULL, f->s, until_s, &at, &a, &sealed));
	assert_int_equal(sealed.len, 64);
	kb_store_rest(f->s);
	return a;
}

TEST(every_class_is_answered_at_the_same_tick)
{
	struct fix *f = fix_new();
	struct kb_put_result r;
	struct kb_place at = {0};
	struct kb_ack a;
	struct kb_span sealed;
	for (unsigned i = 0; i < KB_CLASS_COUNT; i++) {
		struct letter l = {.number = i + 1, .class_ = (uint8_t)i, .destinations = 1, .outbox_key = 5};
		f->now_s = MINUTE + 10 + i;
		assert_ok(fix_put(f, &l, &r));
	}
	assert_int_equal(kb_ack_next(NULL, f->s, MINUTE + 59, &at, &a, &sealed), KB_NOTFOUND);
	for (unsigned i = 0; i < KB_CLASS_COUNT; i++) {
		assert_ok(kb_ack_next(NULL, f->s, MINUTE + 60, &at, &a, &sealed));
		assert_int_equal(a.place.time_s, MINUTE + 60);
		assert_int_equal(sealed.p[0], i + 1);
		assert_memory_not_equal(&a.id, &a.message, sizeof a.id);
	}
	assert_int_equal(kb_ack_next(NULL, f->s, KB_NEVER, &at, &a, &sealed), KB_NOTFOUND);
	kb_store_rest(f->s);
	fix_free(f);
}

TEST(an_acknowledgement_goes_once_it_was_sent_and_is_written_down)
{
	struct fix *f = fix_new();
	struct kb_put_result r;
	struct kb_entry e;
	struct kb_store_facts facts;
	const struct letter l = {.number = 1, .class_ = KB_CLASS_INQUIRY, .outbox_key = 5}, m = {.number = 2, .outbox_key = 5};
	assert_ok(fix_put(f, &l, &r));
	assert_ok(fix_put(f, &m, &r));
	struct kb_ack a = first_ack(f, KB_NEVER);
	fix_begin(f);
	assert_ok(kb_store_ack_sent(NULL, f->s, &a, 250));
	fix_commit(f);
	a = first_ack(f, KB_NEVER);
	fix_begin(f);
	assert_ok(kb_store_ack_unsent(NULL, f->s, &a, 0));
	fix_commit(f);
	kb_store_facts(f->s, &facts);
	assert_int_equal(facts.counts.acks, 0);
	assert_int_equal(facts.counts.unsent, 1);
	assert_ok(kb_store_journal(NULL, f->s, facts.journal_seq, &e));
	assert_int_equal(e.act, KB_ACT_UNSENT);
	assert_string_equal(e.actor, "vault");
	assert_ok(kb_store_journal(NULL, f->s, facts.journal_seq - 1, &e));
	assert_int_equal(e.act, KB_ACT_ACKNOWLEDGED);
	fix_check(f);
	fix_free(f);
}

TEST(an_acknowledgement_that_waits_longer_waits_for_a_tick)
{
	struct fix *f = fix_new();
	struct kb_put_result r;
	const struct letter l = {.number = 1, .class_ = KB_CLASS_INQUIRY, .outbox_key = 5};
	assert_ok(fix_put(f, &l, &r));
	struct kb_ack a = first_ack(f, KB_NEVER), b;
	f->now_s = MINUTE + 61;
	fix_begin(f);
	assert_ok(kb_store_ack_later(NULL, f->s, &a));
	fix_commit(f);
	b = first_ack(f, KB_NEVER);
	assert_int_equal(b.place.time_s, MINUTE + 180);
	assert_int_equal(b.attempts, 1);
	assert_true(kb_id_eq(&a.id, &b.id));
	fix_check(f);
	fix_free(f);
}

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(an_allegation_is_queued_at_once_and_doubt_is_held),
	    RUN(nothing_happens_to_a_referral_that_the_table_does_not_name),
	    RUN(back_off_doubles_up_to_its_most_less_up_to_a_quarter),
	    RUN(a_queued_referral_is_due_now_and_signed),
	    RUN(a_held_referral_is_released_by_the_clock_and_not_before),
	    RUN(a_referral_that_is_deferred_comes_back_later_and_later),
	    RUN(what_was_with_a_courier_when_the_vault_died_is_found_again),
	    RUN(an_event_that_does_not_fit_changes_nothing),
	    RUN(each_destination_has_a_referral_whose_id_follows_from_the_message),
	    RUN(every_class_is_answered_at_the_same_tick),
	    RUN(an_acknowledgement_goes_once_it_was_sent_and_is_written_down),
	    RUN(an_acknowledgement_that_waits_longer_waits_for_a_tick),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
