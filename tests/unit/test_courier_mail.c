/* What acknowledgements and referrals look like when they leave, and what never leaves. The runners are played by the test. */
#include "courierfix.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- mails ---- */

TEST(a_referral_goes_to_a_runner_on_a_connection_to_the_relay)
{
	struct office *o = office_new(1);
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	office_start(o);
	give_referral(o, 1, KB_LIT("age-encryption.org/v1 sealed"));
	struct run r = next_run(o);

	assert_int_equal(r.relay, 0);
	assert_int_equal(getpeername(r.connection, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(ntohs(a.sin_port), o->settings.relay[0].port);
	assert_string_equal(r.job.host, "127.0.0.1");
	assert_string_equal(r.job.helo, "kitebox.example");
	assert_string_equal(r.job.from, "desk@kitebox.example");
	assert_string_equal(r.job.to, "intake@oia.example");
	assert_string_equal(r.job.user, "");
	assert_true(mail_has(&r, "YWdlLWVuY3J5cHRpb24ub3JnL3YxIHNlYWxlZA==\r\n"));
	assert_true(mail_has(&r, "\r\nTo: intake@oia.example\r\n"));
	assert_true(mail_has(&r, "\r\nMessage-ID: <referral.01010101010101010101010101010101@kitebox.example>\r\n"));
	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	await_credit(o, REFERRALS, ACKS);
	office_stop(o);
}

TEST(the_same_referral_has_the_same_message_id_each_time)
{
	static const char id[] = "Message-ID: <referral.09090909090909090909090909090909@kitebox.example>\r\n";
	struct office *o = office_new(1);

	office_start(o);
	for (int i = 0; i < 2; i++) {
		give_referral(o, 9, KB_LIT("sealed"));
		struct run r = next_run(o);

		assert_true(mail_has(&r, id));
		run_says(&r, KB_OUTCOME_TEMPORARY, 451, KB_AGAIN);
		run_end(&r);
		assert_done(done(o), 9, 0, KB_OUTCOME_TEMPORARY, 451, KB_AGAIN);
	}
	give_referral(o, 10, KB_LIT("sealed"));
	struct run other = next_run(o);

	assert_false(mail_has(&other, id));
	deliver(&other);
	office_stop(o);
}

TEST(an_acknowledgement_is_a_template_with_the_null_sender)
{
	static const struct {
		enum kb_language language;
		const char *subject, *text, *tag;
	} rows[] = {
	    {KB_LANG_EN, "\r\nSubject: We received your message\r\n", "\r\nOn 2026-11-24 we received it.\r\nYour number is K-", "en"},
	    {KB_LANG_ES, "\r\nSubject: Recibimos su mensaje\r\n", "\r\nLlego el 2026-11-24.\r\nSu numero es K-", "es"},
	    {KB_LANG_OTHER, "\r\nSubject: We received your message\r\n", "\r\nOn 2026-11-24 we received it.\r\n", "en"},
	};
	struct office *o = office_new(1);

	office_start(o);
	for (uint8_t i = 0; i < KB_LEN(rows); i++) {
		struct kb_ack_item item = item_to("mother@family.example", rows[i].language);
		char language[64];

		(void)snprintf(language, sizeof language, "\r\nContent-Language: %s\r\n", rows[i].tag);
		give_ack(o, i + 1, &item);
		struct run r = next_run(o);

		assert_string_equal(r.job.from, "");
		assert_string_equal(r.job.to, "mother@family.example");
		assert_true(mail_has(&r, "\r\nAuto-Submitted: auto-replied\r\n"));
		assert_true(mail_has(&r, "\r\nFrom: desk@kitebox.example\r\nTo: mother@family.example\r\n"));
		assert_true(mail_has(&r, rows[i].subject));
		assert_true(mail_has(&r, rows[i].text));
		assert_true(mail_has(&r, language));
		deliver(&r);
		assert_done(done(o), i + 1, 1, KB_OUTCOME_DELIVERED, 250, KB_OK);
	}
	office_stop(o);
}

TEST(a_message_indicator_is_the_whole_subject)
{
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("relay@inmatemessage.example", KB_LANG_EN);

	office_start(o);
	kb_field_set(item.indicator, sizeof item.indicator, KB_LIT("UX-0042-a"));
	give_ack(o, 1, &item);
	struct run r = next_run(o);

	assert_true(mail_has(&r, "\r\nSubject: UX-0042-a\r\n"));
	deliver(&r);
	office_stop(o);
}

TEST(acknowledgements_leave_in_the_order_in_which_they_came)
{
	struct office *o = office_new(1);

	office_start(o);
	for (uint8_t i = 1; i <= ACKS; i++) {
		char address[64];

		(void)snprintf(address, sizeof address, "number%u@family.example", i);
		struct kb_ack_item item = item_to(address, KB_LANG_EN);

		give_ack(o, i, &item);
	}
	for (uint8_t i = 1; i <= ACKS; i++) {
		struct run r = next_run(o);
		struct kb_id id = id_of(i);

		assert_true(kb_id_eq(&r.job.id, &id));
		deliver(&r);
	}
	office_stop(o);
}

/* ---- what can never be sent ---- */

TEST(an_acknowledgement_that_does_not_open_is_unsent)
{
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("mother@family.example", KB_LANG_EN);
	uint8_t sealed[KB_ACK_SEALED];

	office_start(o);
	seal_item(&o->key, &item, sealed);
	give_ack_octets(o, 1, KEY - 1, KB_SPAN(sealed, sizeof sealed));
	assert_done(done(o), 1, 1, KB_OUTCOME_UNSENT, 0, KB_NOKEY);
	give_ack_octets(o, 2, KEY, KB_SPAN(sealed, sizeof sealed - 1));
	assert_done(done(o), 2, 1, KB_OUTCOME_UNSENT, 0, KB_MALFORMED);
	sealed[sizeof sealed - 1] ^= 1;
	give_ack_octets(o, 3, KEY, KB_SPAN(sealed, sizeof sealed));
	assert_done(done(o), 3, 1, KB_OUTCOME_UNSENT, 0, KB_FORGED);
	sealed[sizeof sealed - 1] ^= 1;
	give_ack_octets(o, 4, KEY, KB_SPAN(sealed, sizeof sealed));
	struct run r = next_run(o);

	deliver(&r);
	assert_done(done(o), 4, 1, KB_OUTCOME_DELIVERED, 250, KB_OK);
	office_stop(o);
}

TEST(an_acknowledgement_that_says_more_than_it_may_is_unsent)
{
	static const char *const addresses[] = {
	    "", "a", "a@b.example\r\nBcc: c@d.example", "a@b.example>, <c@d.example", "a\xc3\xa9@b.example"};
	struct office *o = office_new(1);
	struct kb_ack_item item;

	office_start(o);
	for (uint8_t i = 0; i < KB_LEN(addresses); i++) {
		item = item_to(addresses[i], KB_LANG_EN);
		give_ack(o, i + 1, &item);
		assert_done(done(o), i + 1, 1, KB_OUTCOME_UNSENT, 0, KB_MALFORMED);
	}
	item = item_to("mother@family.example", KB_LANG_COUNT);
	give_ack(o, 20, &item);
	assert_done(done(o), 20, 1, KB_OUTCOME_UNSENT, 0, KB_MALFORMED);
	item = item_to("mother@family.example", KB_LANG_EN);
	kb_field_set(item.indicator, sizeof item.indicator, KB_LIT("x\r\nBcc: c@d.example"));
	give_ack(o, 21, &item);
	assert_done(done(o), 21, 1, KB_OUTCOME_UNSENT, 0, KB_MALFORMED);
	memset(item.address, 'a', sizeof item.address);
	give_ack(o, 22, &item);
	assert_done(done(o), 22, 1, KB_OUTCOME_UNSENT, 0, KB_MALFORMED);
	assert_true(no_run(o, 0));
	office_stop(o);
}

TEST(a_destroyed_key_opens_nothing_any_more_and_others_still_do)
{
	const struct kb_wire_outbox_key destroy = {.number = KEY, .destroy = 1};
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("mother@family.example", KB_LANG_EN);
	struct key old = o->key;
	uint8_t sealed[KB_ACK_SEALED];

	office_start(o);
	for (uint32_t i = KEY + 1; i < KEY + 200; i++) /* more than are kept */
		office_key(o, i);
	for (uint32_t i = KEY + 1; i < KEY + 199; i++) {
		const struct kb_wire_outbox_key gone = {.number = i, .destroy = 1};

		say(o->room.control, KB_WIRE_OUTBOX_KEY, &gone, sizeof gone, NULL, 0);
	}
	say(o->room.control, KB_WIRE_OUTBOX_KEY, &destroy, sizeof destroy, NULL, 0);
	office_settle(o);
	seal_item(&old, &item, sealed);
	give_ack_octets(o, 1, KEY, KB_SPAN(sealed, sizeof sealed));
	assert_done(done(o), 1, 1, KB_OUTCOME_UNSENT, 0, KB_NOKEY);
	give_ack(o, 2, &item);
	struct run r = next_run(o);

	deliver(&r);
	assert_done(done(o), 2, 1, KB_OUTCOME_DELIVERED, 250, KB_OK);
	office_stop(o);
}

TEST(an_acknowledgement_whose_key_has_not_come_yet_is_tried_again)
{
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("mother@family.example", KB_LANG_EN);
	uint8_t sealed[KB_ACK_SEALED];

	office_start(o);
	give_ack_octets(o, 1, KEY + 1, KB_SPAN(sealed, sizeof sealed));
	assert_done(done(o), 1, 1, KB_OUTCOME_TEMPORARY, 0, KB_AGAIN);
	office_key(o, KEY + 1);
	office_settle(o);
	give_ack(o, 1, &item);
	struct run r = next_run(o);

	deliver(&r);
	assert_done(done(o), 1, 1, KB_OUTCOME_DELIVERED, 250, KB_OK);
	office_stop(o);
}

/* ---- templates ---- */

TEST(without_good_words_acknowledgements_wait_and_referrals_leave)
{
	static const char *const bad[] = {NULL, "", "No subject\n\ntext\n", "Subject: x\n\n{name}\n"};

	for (size_t i = 0; i < KB_LEN(bad); i++) {
		struct office *o = office_new(1);

		o->text[KB_LANG_ES] = bad[i];
		room_start(&o->room, getenv("KB_COURIER"), &o->settings);
		room_text(&o->room, KB_FILE_TEMPLATE, KB_LANG_EN, KB_LIT(TEMPLATE_EN));
		if (bad[i])
			room_text(&o->room, KB_FILE_TEMPLATE, KB_LANG_ES, kb_span_str(bad[i]));
		o->vault = room_peer(&o->room, KB_ROOM_VAULT);
		room_go(&o->room, KB_ROOM_COURIER, true);
		room_await(&o->room, KB_HEALTH_TEMPLATE_REFUSED, true);
		await_credit(o, REFERRALS, 0);
		give_referral(o, 1, KB_LIT("sealed"));
		struct run r = next_run(o);

		deliver(&r);
		assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
		o->text[KB_LANG_ES] = TEMPLATE_ES;
		office_reload(o);
		room_await(&o->room, KB_HEALTH_TEMPLATE_REFUSED, false);
		await_credit(o, REFERRALS, ACKS);
		office_stop(o);
	}
}

TEST(words_that_went_bad_are_not_used_and_the_next_ones_are)
{
	struct office *o = office_new(1);
	struct kb_ack_item item = item_to("mother@family.example", KB_LANG_EN);

	office_start(o);
	office_key(o, KEY);
	o->text[KB_LANG_ES] = "Subject: x\n\n{\n";
	office_reload(o);
	room_await(&o->room, KB_HEALTH_TEMPLATE_REFUSED, true);
	give_ack(o, 1, &item); /* with credit from before */
	assert_done(done(o), 1, 1, KB_OUTCOME_TEMPORARY, 0, KB_AGAIN);
	o->text[KB_LANG_ES] = TEMPLATE_ES;
	o->text[KB_LANG_EN] = "Subject: Other words\n\nThese.\n";
	office_reload(o);
	room_await(&o->room, KB_HEALTH_TEMPLATE_REFUSED, false);
	give_ack(o, 2, &item);
	struct run r = next_run(o);

	assert_true(mail_has(&r, "\r\nSubject: Other words\r\n"));
	deliver(&r);
	office_stop(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_referral_goes_to_a_runner_on_a_connection_to_the_relay),
	    RUN(the_same_referral_has_the_same_message_id_each_time),
	    RUN(an_acknowledgement_is_a_template_with_the_null_sender),
	    RUN(a_message_indicator_is_the_whole_subject),
	    RUN(acknowledgements_leave_in_the_order_in_which_they_came),
	    RUN(an_acknowledgement_that_does_not_open_is_unsent),
	    RUN(an_acknowledgement_that_says_more_than_it_may_is_unsent),
	    RUN(a_destroyed_key_opens_nothing_any_more_and_others_still_do),
	    RUN(an_acknowledgement_whose_key_has_not_come_yet_is_tried_again),
	    RUN(without_good_words_acknowledgements_wait_and_referrals_leave),
	    RUN(words_that_went_bad_are_not_used_and_the_next_ones_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
