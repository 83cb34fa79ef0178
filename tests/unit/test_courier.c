/* Which relay the courier gives a mail to, and what it makes of what a runner says. The runners are played by the test. */
#include "courierfix.h"

#include <stdlib.h>
#include <string.h>

/* ---- relays ---- */

TEST(without_a_relay_referrals_are_tried_again_and_acknowledgements_wait)
{
	struct office *o = office_new(1);
	struct kb_relay relay = o->settings.relay[0];

	o->settings.relays = 0;
	memset(&o->settings.relay[0], 0, sizeof relay);
	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	assert_done(done(o), 1, 0, KB_OUTCOME_TEMPORARY, 0, KB_NOTFOUND);
	room_await(&o->room, KB_HEALTH_DELIVERY_FAILING, true);
	await_credit(o, REFERRALS, 0);
	o->settings.relays = 1;
	o->settings.relay[0] = relay;
	office_reload(o);
	await_credit(o, REFERRALS, ACKS);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	room_await(&o->room, KB_HEALTH_DELIVERY_FAILING, false);
	office_stop(o);
}

TEST(a_relay_that_refuses_connections_is_passed_over)
{
	struct office *o = office_new(2);

	relay_close(o, 0);
	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	assert_int_equal(r.relay, 1);
	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	relay_close(o, 1);
	give_referral(o, 2, KB_LIT("sealed"));
	assert_done(done(o), 2, 0, KB_OUTCOME_TEMPORARY, 0, KB_IO);
	room_await(&o->room, KB_HEALTH_DELIVERY_FAILING, true);
	office_stop(o);
}

/* A label of 64 octets stands in no zone (RFC 1035 2.3.4): no server is asked. */
TEST(a_relay_whose_name_is_not_known_is_passed_over)
{
	struct office *o = office_new(2);

	kb_field_set(o->settings.relay[0].host, sizeof o->settings.relay[0].host,
	    KB_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"));
	kb_field_set(o->settings.relay[1].host, sizeof o->settings.relay[1].host, KB_LIT("localhost"));
	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	assert_int_equal(r.relay, 1);
	assert_string_equal(r.job.host, "localhost");
	run_says(&r, KB_OUTCOME_TEMPORARY, 0, KB_IO);
	run_end(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_TEMPORARY, 0, KB_IO);
	o->settings.relays = 1;
	office_reload(o);
	give_referral(o, 2, KB_LIT("sealed"));
	struct kb_wire_done d = done(o);

	assert_int_equal(d.outcome, KB_OUTCOME_TEMPORARY);
	assert_true(d.reason == KB_NOTFOUND || d.reason == KB_AGAIN);
	office_stop(o);
}

TEST(what_one_relay_puts_off_the_next_is_given_and_the_reply_is_what_the_vault_hears)
{
	struct office *o = office_new(3);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	for (uint32_t i = 0; i < 3; i++) {
		struct run r = next_run(o);

		assert_int_equal(r.relay, i);
		run_says(&r, KB_OUTCOME_TEMPORARY, i == 1 ? 451 : 0, i == 1 ? KB_AGAIN : KB_IO);
		run_end(&r);
	}
	assert_done(done(o), 1, 0, KB_OUTCOME_TEMPORARY, 451, KB_AGAIN);
	office_stop(o);
}

TEST(what_a_relay_refuses_for_good_no_other_is_given)
{
	struct office *o = office_new(2);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	run_says(&r, KB_OUTCOME_PERMANENT, 550, KB_DENIED);
	run_end(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_PERMANENT, 550, KB_DENIED);
	assert_true(no_run(o, A_WHILE_MS));
	office_stop(o);
}

TEST(an_address_that_cannot_be_written_to_is_refused_without_a_relay)
{
	struct office *o = office_new(1);
	struct kb_wire_work w;
	int fds[2] = {memfd_of(KB_LIT("sealed")), memfd_of(KB_LIT("signature"))};

	memset(&w, 0, sizeof w);
	w.id = id_of(1);
	kb_field_set(w.address, sizeof w.address, KB_LIT("intake@oia.example\r\nRCPT TO:<x@y.example>"));
	office_start(o);
	say(o->vault, KB_WIRE_WORK, &w, sizeof w, fds, 2);
	assert_done(done(o), 1, 0, KB_OUTCOME_PERMANENT, 0, KB_MALFORMED);
	kb_fd_close(&fds[0]);
	kb_fd_close(&fds[1]);
	assert_true(no_run(o, 0));
	office_stop(o);
}

TEST(a_certificate_that_does_not_verify_is_in_health_until_that_relay_has_taken_a_mail)
{
	struct office *o = office_new(2);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	run_says(&r, KB_OUTCOME_TEMPORARY, 0, KB_FORGED);
	run_end(&r);
	room_await(&o->room, KB_HEALTH_RELAY_TLS, true);
	r = next_run(o);
	assert_int_equal(r.relay, 1);
	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	assert_true(no_run(o, 0));
	assert_true(o->room.on[KB_HEALTH_RELAY_TLS]); /* the other relay is no excuse */
	assert_false(o->room.on[KB_HEALTH_DELIVERY_FAILING]);
	give_referral(o, 2, KB_LIT("sealed"));
	r = next_run(o);
	assert_int_equal(r.relay, 0);
	deliver(&r);
	room_await(&o->room, KB_HEALTH_RELAY_TLS, false);
	office_stop(o);
}

TEST(an_acknowledgement_that_its_receiver_puts_off_is_no_fault_of_the_relay)
{
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("mother@family.example", KB_LANG_EN);

	office_start(o);
	give_ack(o, 1, &item);
	struct run r = next_run(o);

	run_says(&r, KB_OUTCOME_TEMPORARY, 450, KB_AGAIN);
	run_end(&r);
	assert_done(done(o), 1, 1, KB_OUTCOME_TEMPORARY, 450, KB_AGAIN);
	assert_true(no_run(o, 0));
	assert_false(o->room.on[KB_HEALTH_DELIVERY_FAILING]);
	give_ack(o, 2, &item);
	r = next_run(o);
	run_says(&r, KB_OUTCOME_TEMPORARY, 0, KB_AGAIN);
	run_end(&r);
	room_await(&o->room, KB_HEALTH_DELIVERY_FAILING, true);
	office_stop(o);
}

/* ---- runners ---- */

TEST(a_runner_that_ends_without_a_word_has_delivered_nothing)
{
	struct office *o = office_new(1);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	run_end(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_TEMPORARY, 0, KB_IO);
	office_stop(o);
}

static void lie(const struct run *r, size_t which)
{
	struct kb_wire_done d = {.id = r->job.id, .outcome = KB_OUTCOME_DELIVERED, .code = 250};

	switch (which) {
	case 0:
		d.id.b[3] ^= 1;
		break;
	case 1:
		d.outcome = KB_OUTCOME_UNSENT;
		break;
	case 2:
		d.reason = KB_STATUS_COUNT;
		break;
	case 3:
		d.code = 1000;
		break;
	case 4: /* twice */
		say(r->channel, KB_WIRE_RUN_DONE, &d, sizeof d, NULL, 0);
		break;
	default:
		say(r->channel, KB_WIRE_DONE, &d, sizeof d, NULL, 0);
		return;
	}
	say(r->channel, KB_WIRE_RUN_DONE, &d, sizeof d, NULL, 0);
}

TEST(a_runner_that_breaks_the_rules_is_not_believed)
{
	struct office *o = office_new(1);

	office_start(o);
	for (uint8_t i = 0; i < 6; i++) {
		give_referral(o, i + 1, KB_LIT("sealed"));
		struct run r = next_run(o);

		lie(&r, i);
		struct kb_wire_done d = done(o);

		assert_int_equal(d.outcome, KB_OUTCOME_TEMPORARY);
		assert_int_equal(d.code, 0);
		run_end(&r);
	}
	give_referral(o, 7, KB_LIT("sealed"));
	struct run r = next_run(o);

	deliver(&r);
	assert_done(done(o), 7, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	office_stop(o);
}

TEST(an_outcome_counts_when_the_runner_has_ended)
{
	struct office *o = office_new(1);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	run_says(&r, KB_OUTCOME_DELIVERED, 250, KB_OK);
	assert_true(silent(o->vault, A_WHILE_MS));
	run_end(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	office_stop(o);
}

TEST(there_are_never_more_runners_than_places)
{
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("mother@family.example", KB_LANG_EN);
	struct run r[REFERRALS + ACKS];

	office_start(o);
	for (uint8_t i = 0; i < REFERRALS; i++)
		give_referral(o, i + 1, KB_LIT("sealed"));
	for (uint8_t i = 0; i < ACKS; i++)
		give_ack(o, i + 1, &item);
	for (size_t i = 0; i < KB_LEN(r); i++)
		r[i] = next_run(o);
	assert_true(silent(o->vault, 0)); /* no credit for more */
	for (size_t i = 0; i < KB_LEN(r); i++) {
		deliver(&r[i]);
		assert_int_equal(done(o).outcome, KB_OUTCOME_DELIVERED);
	}
	await_credit(o, REFERRALS, ACKS);
	office_stop(o);
}

static void give_large(struct office *o, uint8_t number, size_t octets)
{
	struct kb_wire_work w;
	int fds[2] = {large(octets), memfd_of(KB_LIT("signature"))};

	memset(&w, 0, sizeof w);
	w.id = id_of(number);
	kb_field_set(w.address, sizeof w.address, KB_LIT("intake@oia.example"));
	o->credit[0]--;
	say(o->vault, KB_WIRE_WORK, &w, sizeof w, fds, 2);
	kb_fd_close(&fds[0]);
	kb_fd_close(&fds[1]);
}

TEST(large_referrals_take_turns_and_are_not_overtaken_for_ever)
{
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("mother@family.example", KB_LANG_EN);

	office_start(o);
	give_large(o, 1, (size_t)80 << 20);
	give_large(o, 2, (size_t)80 << 20);
	give_referral(o, 3, KB_LIT("sealed"));
	struct run first = next_run(o);

	assert_true(first.mail.s.len > (size_t)108 << 20);
	give_ack(o, 4, &item); /* small, and from another queue */
	struct run ack = next_run(o);

	assert_string_equal(ack.job.from, "");
	assert_true(no_run(o, A_WHILE_MS));
	deliver(&ack);
	deliver(&first);
	struct run second = next_run(o), third = next_run(o);
	const struct kb_id ids[] = {id_of(2), id_of(3)};

	assert_true(kb_id_eq(&second.job.id, &ids[0]) && kb_id_eq(&third.job.id, &ids[1]));
	deliver(&second);
	deliver(&third);
	office_stop(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(without_a_relay_referrals_are_tried_again_and_acknowledgements_wait),
	    RUN(a_relay_that_refuses_connections_is_passed_over),
	    RUN(a_relay_whose_name_is_not_known_is_passed_over),
	    RUN(what_one_relay_puts_off_the_next_is_given_and_the_reply_is_what_the_vault_hears),
	    RUN(what_a_relay_refuses_for_good_no_other_is_given),
	    RUN(an_address_that_cannot_be_written_to_is_refused_without_a_relay),
	    RUN(a_certificate_that_does_not_verify_is_in_health_until_that_relay_has_taken_a_mail),
	    RUN(an_acknowledgement_that_its_receiver_puts_off_is_no_fault_of_the_relay),
	    RUN(a_runner_that_ends_without_a_word_has_delivered_nothing),
	    RUN(a_runner_that_breaks_the_rules_is_not_believed),
	    RUN(an_outcome_counts_when_the_runner_has_ended),
	    RUN(there_are_never_more_runners_than_places),
	    RUN(large_referrals_take_turns_and_are_not_overtaken_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
