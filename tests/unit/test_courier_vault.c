/* What becomes of deliveries when the vault ends or lies, when relays change, and when the courier stops. */
#include "courierfix.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

TEST(what_is_with_a_runner_is_not_sent_twice_when_the_vault_starts_again)
{
	struct office *o = office_new(1);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	give_referral(o, 2, KB_LIT("sealed"));
	struct run a = next_run(o), b = next_run(o);

	office_vault(o);
	deliver(&b); /* while nobody waits for it */
	await_credit(o, REFERRALS - 1, ACKS);
	give_referral(o, 1, KB_LIT("sealed"));
	give_referral(o, 2, KB_LIT("sealed"));
	assert_done(done(o), 2, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	deliver(&a);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	assert_true(no_run(o, 0));
	await_credit(o, REFERRALS, ACKS);
	office_stop(o);
}

/* A vault that heard of a delivery may end before that is on the disk. */
TEST(what_was_delivered_and_said_is_not_sent_again_however_many_vaults_ask)
{
	struct office *o = office_new(1);
	const struct kb_ack_item item = item_to("w@family.example", KB_LANG_EN);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	give_ack(o, 1, &item); /* of the same id, and another thing all the same */
	r = next_run(o);
	deliver(&r);
	assert_done(done(o), 1, 1, KB_OUTCOME_DELIVERED, 250, KB_OK);
	for (size_t i = 0; i < 3; i++) {
		office_vault(o);
		await_credit(o, REFERRALS, ACKS);
		give_referral(o, 1, KB_LIT("sealed"));
		give_ack(o, 1, &item);
		assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
		assert_done(done(o), 1, 1, KB_OUTCOME_DELIVERED, 250, KB_OK);
		assert_true(no_run(o, 0));
		await_credit(o, REFERRALS, ACKS);
	}
	give_referral(o, 2, KB_LIT("sealed"));
	r = next_run(o);
	deliver(&r);
	assert_done(done(o), 2, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	office_stop(o);
}

/* The next vault asks only when the delay of an attempt is over, and other things in the meantime. */
TEST(what_was_delivered_is_remembered_until_the_vault_has_written_it_down)
{
	enum { MEANWHILE = 10, NUMBERS = 6 }; /* a listener that accepts nobody takes sixteen */
	struct office *o = office_new(1);

	office_start(o);
	for (uint8_t i = 1; i <= 2; i++) {
		give_referral(o, i, KB_LIT("sealed"));
		struct run r = next_run(o);

		deliver(&r);
		assert_done(done(o), i, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	}
	office_vault(o);
	await_credit(o, REFERRALS, ACKS);
	for (unsigned i = 0; i < MEANWHILE; i++) {
		const uint8_t number = (uint8_t)(10 + i % NUMBERS);

		give_referral(o, number, KB_LIT("sealed"));
		struct run r = next_run(o); /* also those of the second time: the vault that goes on had written them down */

		deliver(&r);
		assert_done(done(o), number, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	}
	for (uint8_t i = 1; i <= 2; i++) {
		give_referral(o, i, KB_LIT("sealed"));
		assert_done(done(o), i, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	}
	assert_true(no_run(o, 0));
	office_stop(o);
}

TEST(what_failed_while_no_vault_was_there_is_tried_when_one_asks)
{
	struct office *o = office_new(2);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	office_vault(o);
	await_credit(o, REFERRALS - 1, ACKS);
	run_says(&r, KB_OUTCOME_TEMPORARY, 451, KB_AGAIN);
	run_end(&r);
	await_credit(o, REFERRALS, ACKS);
	assert_true(no_run(o, 0)); /* not at the other relay either: a person may have withdrawn it */
	give_referral(o, 1, KB_LIT("sealed"));
	r = next_run(o);
	assert_int_equal(r.relay, 0);
	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	office_stop(o);
}

static void lie_as_vault(struct office *o, size_t which)
{
	struct kb_wire_work w;
	int fds[2] = {memfd_of(KB_LIT("sealed")), memfd_of(KB_LIT("signature"))};

	memset(&w, 0, sizeof w);
	w.id = id_of(1);
	kb_field_set(w.address, sizeof w.address, KB_LIT("intake@oia.example"));
	switch (which) {
	case 0:
		memset(w.address, 'a', sizeof w.address);
		break;
	case 1:
		memset(w.destination, 'a', sizeof w.destination);
		break;
	case 2: /* a file that could change still */
		kb_fd_close(&fds[0]);
		assert_ok(kb_memfd_new(NULL, "test", &fds[0]));
		break;
	case 3:
		kb_fd_close(&fds[1]);
		fds[1] = large(1 << 20);
		break;
	case 4: /* the same twice */
		say(o->vault, KB_WIRE_WORK, &w, sizeof w, fds, 2);
		break;
	default: /* more than there was credit for */
		for (uint8_t i = 0; i < REFERRALS; i++) {
			w.id = id_of(10 + i);
			say(o->vault, KB_WIRE_WORK, &w, sizeof w, fds, 2);
		}
		w.id = id_of(1);
		break;
	}
	say(o->vault, KB_WIRE_WORK, &w, sizeof w, fds, 2);
	kb_fd_close(&fds[0]);
	kb_fd_close(&fds[1]);
}

TEST(a_vault_that_breaks_the_rules_is_named_and_the_next_one_is_served)
{
	for (size_t i = 0; i < 6; i++) {
		struct office *o = office_new(1);
		struct message m;
		struct kb_wire_peer who;

		office_start(o);
		lie_as_vault(o, i);
		room_hear(&o->room, KB_WIRE_HUNG, &m);
		memcpy(&who, m.body, sizeof who);
		assert_int_equal(who.room, KB_ROOM_VAULT);
		office_vault(o);
		while (!no_run(o, 50))
			; /* what had set out already ends without a word */
		await_credit(o, REFERRALS, ACKS);
		give_referral(o, 99, KB_LIT("sealed"));
		struct run r = next_run(o);

		deliver(&r);
		assert_done(done(o), 99, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
		office_stop(o);
	}
}

/* ---- the end ---- */

TEST(asked_to_stop_it_waits_for_what_is_with_a_runner)
{
	struct office *o = office_new(1);

	office_start(o);
	give_referral(o, 1, KB_LIT("sealed"));
	struct run r = next_run(o);

	room_ask_to_stop(&o->room);
	assert_true(silent(o->vault, A_WHILE_MS));
	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	assert_int_equal(room_end(&o->room), 0);
	office_free(o);
}

/* Its queue full, Linux answers no further connection: what connects to it waits. */
static void make_deaf(struct office *o, uint32_t relay, int ret_clients[static 3])
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(o->settings.relay[relay].port)};

	assert_int_equal(listen(o->relay[relay], 0), 0);
	for (size_t i = 0; i < 3; i++) {
		ret_clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(ret_clients[i], (struct sockaddr *)&a, sizeof a);
	}
}

TEST(asked_to_stop_it_does_not_wait_for_a_connection)
{
	struct office *o = office_new(1);
	int clients[3];

	office_start(o);
	make_deaf(o, 0, clients);
	give_referral(o, 1, KB_LIT("sealed"));
	assert_true(no_run(o, A_WHILE_MS));
	room_ask_to_stop(&o->room);
	assert_int_equal(room_end(&o->room), 0);
	struct message m;

	assert_false(hear(o->vault, &m)); /* no outcome: the vault queues it again */
	for (size_t i = 0; i < 3; i++)
		kb_fd_close(&clients[i]);
	office_free(o);
}

TEST(new_relays_are_tried_at_once)
{
	struct office *o = office_new(2);
	int clients[3];

	o->settings.relays = 1;
	office_start(o);
	make_deaf(o, 0, clients);
	give_referral(o, 1, KB_LIT("sealed"));
	assert_true(no_run(o, A_WHILE_MS));
	o->settings.relay[0] = o->settings.relay[1];
	office_reload(o);
	struct run r = next_run(o);

	assert_int_equal(r.relay, 0);
	deliver(&r);
	assert_done(done(o), 1, 0, KB_OUTCOME_DELIVERED, 250, KB_OK);
	for (size_t i = 0; i < 3; i++)
		kb_fd_close(&clients[i]);
	office_stop(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(what_is_with_a_runner_is_not_sent_twice_when_the_vault_starts_again),
	    RUN(what_was_delivered_and_said_is_not_sent_again_however_many_vaults_ask),
	    RUN(what_was_delivered_is_remembered_until_the_vault_has_written_it_down),
	    RUN(what_failed_while_no_vault_was_there_is_tried_when_one_asks),
	    RUN(a_vault_that_breaks_the_rules_is_named_and_the_next_one_is_served),
	    RUN(asked_to_stop_it_waits_for_what_is_with_a_runner),
	    RUN(asked_to_stop_it_does_not_wait_for_a_connection),
	    RUN(new_relays_are_tried_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
