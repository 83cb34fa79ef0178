/* vault: the room itself, sandboxed and driven over its channels. */
#include "vaultfix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *program;

static struct house *started(void)
{
	struct house *h = house_new(program);
	house_start(h);
	return h;
}

static struct kb_desk_status status_of(struct house *h)
{
	const struct kb_desk_none none = {0};
	struct kb_desk_status s;
	ask(h, 99, KB_DESK_STATUS, &none, sizeof none);
	assert_ok(answer(h, KB_DESK_STATUS, &s, sizeof s, NULL));
	return s;
}

static enum kb_status put_status(struct house *h, unsigned number)
{
	const struct letter l = {.number = number, .class_ = KB_CLASS_INQUIRY};
	return (enum kb_status)house_put(h, &l).status;
}

TEST(a_new_store_takes_the_bundle_and_a_sealer_gets_the_verified_roster)
{
	struct house *h = started();
	struct kb_roster *r = calloc(1, sizeof *r);
	struct message m;
	struct kb_map map;
	assert_true(hear(h->sealer, &m));
	assert_int_equal(m.type, KB_WIRE_ROSTER);
	assert_ok(kb_map_open(NULL, m.fd[0], SIZE_MAX, &map));
	assert_ok(kb_roster_chain_verify(NULL, map.s, &h->f->office.pub, r));
	assert_true(kb_id_eq(&r->store, &h->f->roster.store));
	kb_map_release(&map);
	message_close(&m);
	assert_int_equal(put_status(h, 1), KB_OK);
	house_stop(h);
	h->bundle = false; /* it is looked at once */
	house_start(h);
	assert_int_equal(put_status(h, 2), KB_OK);
	assert_int_equal(status_of(h).messages, 2);
	free(r);
	house_free(h);
}

TEST(what_was_answered_is_there_after_a_kill_and_comes_again_as_a_duplicate)
{
	struct house *h = started();
	struct kb_wire_result first[32], again;
	for (unsigned i = 0; i < 32; i++) {
		const struct letter l = {.number = i + 1, .class_ = KB_CLASS_INQUIRY};
		store_letter(h, &l);
	}
	for (unsigned i = 0; i < 32; i++) {
		first[i] = stored(h);
		assert_int_equal(first[i].status, KB_OK);
	}
	house_kill(h);
	house_start(h);
	for (unsigned i = 0; i < 32; i++) {
		const struct letter l = {.number = i + 1, .class_ = KB_CLASS_INQUIRY, .resent = i % 2};
		again = house_put(h, &l);
		assert_int_equal(again.status, KB_OK);
		assert_int_equal(again.duplicate, i % 2);
		assert_memory_equal(&again.case_id, &first[i].case_id, sizeof again.case_id);
		assert_true(kb_id_eq(&first[i].stored, &first[i].id));
		assert_true(kb_id_eq(&again.stored, &first[i].id)); /* not its own, which nobody has */
	}
	assert_int_equal(status_of(h).messages, 32);
	house_stop(h);
	fix_reopen(h->f);
	fix_check(h->f);
	house_free(h);
}

TEST(a_large_message_goes_in_beside_small_ones)
{
	struct house *h = started();
	const struct letter large = {.number = 1, .class_ = KB_CLASS_ALLEGATION, .destinations = 1, .len = 20 << 20};
	store_letter(h, &large);
	for (unsigned i = 2; i < 20; i++)
		assert_int_not_equal(put_status(h, i), KB_CORRUPT);
	/* 19 answers in all; the small ones did not wait for the large one's. */
	struct kb_wire_result last = stored(h);
	assert_int_equal(last.status, KB_OK);
	assert_int_equal(status_of(h).messages, 19);
	house_stop(h);
	fix_reopen(h->f);
	fix_check(h->f);
	house_free(h);
}

TEST(a_message_sealed_under_another_roster_is_sent_back_and_nonsense_is_refused)
{
	struct house *h = started();
	struct kb_wire_store w;
	int fd;
	static const struct {
		uint32_t version, epoch, destinations, header_len;
		uint64_t entitled;
		uint8_t class_;
		enum kb_status want;
	} cases[] = {
	    {1, 1, 0, 200, 0, KB_CLASS_INQUIRY, KB_OK},
	    {2, 1, 0, 200, 0, KB_CLASS_INQUIRY, KB_SEQUENCE},
	    {0, 1, 0, 200, 0, KB_CLASS_INQUIRY, KB_SEQUENCE},
	    {1, 2, 0, 200, 0, KB_CLASS_INQUIRY, KB_SEQUENCE},
	    {1, 1, 4, 200, 0, KB_CLASS_INQUIRY, KB_MALFORMED},         /* no such destination */
	    {1, 1, 0, 200, 8, KB_CLASS_INQUIRY, KB_MALFORMED},         /* no such person */
	    {1, 1, 0, 200, KB_ENTITLED_NOBODY, KB_CLASS_INQUIRY, KB_OK},
	    {1, 1, 0, 200, 0, KB_CLASS_COUNT, KB_MALFORMED},
	    {1, 1, 0, 0, 0, KB_CLASS_INQUIRY, KB_MALFORMED},
	    {1, 1, 0, 5000, 0, KB_CLASS_INQUIRY, KB_MALFORMED},        /* a header longer than the file */
	    {1, 1, 0, 200, 0, KB_CLASS_ALLEGATION, KB_MALFORMED},      /* an allegation without its referral */
	    {1, 1, 0, 200, 0, KB_CLASS_REVIEW, KB_MALFORMED},
	};
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		uint8_t octets[3000] = {(uint8_t)i};
		memset(&w, 0, sizeof w);
		w.id.b[0] = (uint8_t)(i + 1);
		w.fingerprint[0] = (uint8_t)(i + 1);
		w.roster_version = cases[i].version;
		w.epoch = cases[i].epoch;
		w.destinations = cases[i].destinations;
		w.header_len = cases[i].header_len;
		w.entitled = cases[i].entitled;
		w.class_ = cases[i].class_;
		w.len[0] = sizeof octets;
		assert_ok(kb_memfd_from(NULL, "letter", KB_SPAN(octets, sizeof octets), &fd));
		say(h->sealer, KB_WIRE_STORE, &w, sizeof w, &fd, 1);
		kb_fd_close(&fd);
		assert_int_equal(stored(h).status, cases[i].want);
	}
	/* A descriptor that could still be changed. */
	w.id.b[0] = w.fingerprint[0] = 200;
	w.class_ = KB_CLASS_INQUIRY;
	w.len[0] = sizeof w;
	assert_ok(kb_memfd_new(NULL, "open", &fd));
	assert_ok(kb_memfd_write(NULL, fd, KB_SPAN(&w, sizeof w)));
	say(h->sealer, KB_WIRE_STORE, &w, sizeof w, &fd, 1);
	assert_int_equal(stored(h).status, KB_FORGED);
	kb_fd_close(&fd);
	house_free(h);
}

/* Where one file ends and the next begins is what the sealer says; that it says nothing else is checked. */
TEST(files_that_do_not_make_up_the_memfd_are_refused)
{
	struct house *h = started();
	static const struct {
		uint32_t destinations;
		uint64_t len[4];
		enum kb_status want;
	} cases[] = {
	    {1, {1000, 2000}, KB_OK},
	    {3, {1000, 1000, 1000}, KB_OK},
	    {1, {1000, 1999}, KB_MALFORMED},
	    {1, {1000, 2001}, KB_MALFORMED},
	    {1, {3000}, KB_MALFORMED},                /* an allegation without its referral */
	    {1, {0, 3000}, KB_MALFORMED},
	    {1, {1000, 1000, 1000}, KB_MALFORMED},    /* one more than there are destinations */
	    {1, {1000, 1000, 0, 1000}, KB_MALFORMED},
	    {1, {UINT64_MAX, 3001}, KB_TOOBIG},       /* 3000 when the sum wraps around */
	    {1, {3001, UINT64_MAX}, KB_TOOBIG},
	};
	for (size_t i = 0; i < KB_LEN(cases); i++) {
		uint8_t octets[3000] = {(uint8_t)i};
		struct kb_wire_store w;
		int fd;
		memset(&w, 0, sizeof w);
		w.id.b[0] = w.fingerprint[0] = (uint8_t)(i + 1);
		w.roster_version = w.epoch = 1;
		w.header_len = 200;
		w.class_ = KB_CLASS_ALLEGATION;
		w.destinations = cases[i].destinations;
		memcpy(w.len, cases[i].len, sizeof cases[i].len);
		assert_ok(kb_memfd_from(NULL, "letter", KB_SPAN(octets, sizeof octets), &fd));
		say(h->sealer, KB_WIRE_STORE, &w, sizeof w, &fd, 1);
		kb_fd_close(&fd);
		assert_int_equal(stored(h).status, cases[i].want);
	}
	house_free(h);
}

TEST(another_office_key_in_the_configuration_stops_intake_and_is_said)
{
	struct house *h = started();
	struct kb_minisign_key other;
	assert_int_equal(put_status(h, 1), KB_OK);
	house_stop(h);
	kb_minisign_generate(&other);
	h->office = other.pub;
	house_start(h);
	room_await(&h->room, KB_HEALTH_OFFICE_KEY_DIFFERS, true);
	assert_int_equal(put_status(h, 2), KB_FORGED);
	assert_int_equal(status_of(h).messages, 1);
	assert_int_equal(log_in(h, 1, 1), KB_FORGED);
	house_stop(h);
	h->office = h->f->office.pub;
	house_start(h);
	assert_int_equal(put_status(h, 2), KB_OK);
	house_free(h);
}

TEST(a_key_swapped_in_the_stored_roster_is_refused_and_said)
{
	struct house *h = started();
	house_stop(h);
	/* Whoever has the disk writes another investigators' key into the roster, with a checksum that holds. */
	fix_swap_roster(h->f);
	house_start(h);
	room_await(&h->room, KB_HEALTH_ROSTER_REFUSED, true);
	assert_int_equal(put_status(h, 1), KB_FORGED);
	house_free(h);
}

TEST(missing_or_wrong_keys_stop_intake_and_are_said)
{
	struct house *h = house_new(program);
	struct kb_minisign_key right;
	h->bundle = false;
	house_start(h);
	room_await(&h->room, KB_HEALTH_ROSTER_MISSING, true);
	assert_int_equal(put_status(h, 1), KB_NOKEY);
	house_stop(h);
	h->bundle = true;
	h->vault_key = false;
	house_start(h);
	room_await(&h->room, KB_HEALTH_KEY_MISSING, true);
	assert_int_equal(put_status(h, 1), KB_NOKEY);
	house_stop(h);
	h->vault_key = true;
	h->referral_key = false;
	house_start(h);
	room_await(&h->room, KB_HEALTH_KEY_MISSING, true);
	assert_int_equal(put_status(h, 1), KB_NOKEY);
	house_stop(h);
	h->referral_key = true;
	house_start(h);
	assert_int_equal(put_status(h, 1), KB_OK);
	house_stop(h);
	right = h->f->referral;
	kb_minisign_generate(&h->f->referral);
	house_start(h);
	room_await(&h->room, KB_HEALTH_REFERRAL_KEY_DIFFERS, true);
	assert_int_equal(put_status(h, 2), KB_FORGED);
	house_stop(h);
	h->f->referral = right;
	h->f->vault_key[0] ^= 1;
	house_start(h);
	room_await(&h->room, KB_HEALTH_KEY_MISSING, true);
	assert_int_equal(put_status(h, 2), KB_NOKEY);
	h->f->vault_key[0] ^= 1;
	house_free(h);
}

TEST(one_person_is_let_in_so_many_times_and_the_others_all_the_same)
{
	struct house *h = started();
	const struct kb_wire_gone gone = {.conn = 3};
	uint32_t conn = 0;
	while (conn < KB_DESK_SESSIONS_MOST)
		assert_ok(log_in(h, ++conn, 1));
	assert_ok(log_in(h, conn, 1)); /* again on the same one */
	assert_int_equal(log_in(h, ++conn, 1), KB_LIMIT);
	const uint64_t journal = status_of(h).journal_seq;
	assert_int_equal(log_in(h, conn, 1), KB_LIMIT);
	assert_int_equal(status_of(h).journal_seq, journal);
	assert_ok(log_in(h, conn + 1, 2));
	say(h->desk, KB_WIRE_GONE, &gone, sizeof gone, NULL, 0);
	assert_ok(log_in(h, conn, 1));
	house_free(h);
}

TEST(a_sibling_that_talks_nonsense_loses_its_channel_and_nobody_else)
{
	struct house *h = started();
	uint8_t junk[100] = {9};
	struct message m;
	assert_int_equal(put_status(h, 1), KB_OK);
	assert_int_equal(send(h->sealer, junk, sizeof junk, 0), sizeof junk);
	assert_false(silent(h->sealer, PATIENCE_MS));
	assert_int_equal(recv(h->sealer, m.body, sizeof m.body, 0), 0);
	kb_fd_close(&h->sealer);
	h->sealer = room_peer(&h->room, KB_ROOM_SEALER);
	assert_int_equal(put_status(h, 2), KB_OK);
	assert_int_equal(status_of(h).messages, 2);
	house_free(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_new_store_takes_the_bundle_and_a_sealer_gets_the_verified_roster),
	    RUN(what_was_answered_is_there_after_a_kill_and_comes_again_as_a_duplicate),
	    RUN(a_large_message_goes_in_beside_small_ones),
	    RUN(a_message_sealed_under_another_roster_is_sent_back_and_nonsense_is_refused),
	    RUN(files_that_do_not_make_up_the_memfd_are_refused),
	    RUN(another_office_key_in_the_configuration_stops_intake_and_is_said),
	    RUN(a_key_swapped_in_the_stored_roster_is_refused_and_said),
	    RUN(missing_or_wrong_keys_stop_intake_and_are_said),
	    RUN(one_person_is_let_in_so_many_times_and_the_others_all_the_same),
	    RUN(a_sibling_that_talks_nonsense_loses_its_channel_and_nobody_else),
	};
	program = argc > 1 ? argv[1] : "";
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
