/*
 * The sorter and its mind: rules and model that are missing or damaged put everything before people, and are reported; what is good
 * is used from then on. KB_SORTER is its path, KB_RULES the sample rules; models are made here.
 */
#include "roomfix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modelfix.h"

static const struct kb_wire_none none;
static struct kb_settings settings;
static struct kb_buf rules, model, newer; /* of the model's version 1, and of 2 */

static int read_files(void **state)
{
	struct modelfix *fx = modelfix_of_tests();
	FILE *f = fopen(getenv("KB_RULES"), "rb");
	(void)state;
	assert_non_null(f);
	kb_buf_init(&rules, 1 << 20);
	assert_ok(kb_buf_reserve(&rules, 1 << 20));
	rules.len = fread(rules.p, 1, 1 << 20, f);
	(void)fclose(f);
	model = modelfix_file(fx);
	fx->m.head.version = 2;
	newer = modelfix_file(fx);
	modelfix_free(&fx);
	settings.limit = (struct kb_limits){.message_octets = 50 << 20, .header_octets = 100 << 10, .header_fields = 1000, .mime_depth = 50,
	    .mime_parts = 1000, .sort_s = 10};
	return 0;
}

static int drop_files(void **state)
{
	(void)state;
	kb_buf_release(&rules);
	kb_buf_release(&model);
	kb_buf_release(&newer);
	return 0;
}

/* ---- a sorter ---- */

struct sorter {
	struct room room;
	int sealer;
	uint8_t asked;
};

static void give(struct sorter *s, enum kb_file kind, struct kb_span text)
{
	if (text.p)
		room_text(&s->room, kind, 0, text);
}

/* Without rules or model where the span has no octets at all. */
static struct sorter start(struct kb_span with_rules, struct kb_span with_model)
{
	struct sorter s;
	memset(&s, 0, sizeof(s));
	room_start(&s.room, getenv("KB_SORTER"), &settings);
	give(&s, KB_FILE_RULES, with_rules);
	give(&s, KB_FILE_MODEL, with_model);
	s.sealer = room_peer(&s.room, KB_ROOM_SEALER);
	room_go(&s.room, KB_ROOM_SORTER, true);
	return s;
}

/* As the supervisor does it on SIGHUP: files first, then the settings. */
static void reload(struct sorter *s, struct kb_span with_rules, struct kb_span with_model)
{
	give(s, KB_FILE_RULES, with_rules);
	give(s, KB_FILE_MODEL, with_model);
	room_settings(&s->room, &settings);
}

static void stop(struct sorter *s)
{
	room_ask_to_stop(&s->room);
	assert_int_equal(room_end(&s->room), 0);
	kb_fd_close(&s->sealer);
}

static struct kb_verdict ask(struct sorter *s, struct kb_span raw)
{
	struct kb_wire_sort m;
	struct message got;
	struct kb_wire_verdict v;
	int fd = memfd_of(raw);
	memset(&m, 0, sizeof(m));
	memset(m.id.b, ++s->asked, sizeof(m.id.b));
	m.size = raw.len;
	say(s->sealer, KB_WIRE_SORT, &m, sizeof(m), &fd, 1);
	kb_fd_close(&fd);
	assert_true(hear(s->sealer, &got));
	assert_int_equal(got.type, KB_WIRE_VERDICT);
	assert_int_equal(got.size, sizeof(v));
	memcpy(&v, got.body, sizeof(v));
	assert_true(kb_id_eq(&v.id, &m.id));
	assert_ok(kb_verdict_check(&v.verdict));
	return v.verdict;
}

static void staff(struct sorter *s)
{
	int fd = memfd_of(KB_LIT("Ann Quillfeather\nBen Xiomara\n"));
	say(s->sealer, KB_WIRE_STAFF, &none, sizeof(none), &fd, 1);
	kb_fd_close(&fd);
}

#define BEGIN "From: Maria <maria@family.example>\r\nSubject: my brother\r\n"
#define TEXT BEGIN "Content-Type: text/plain; charset=utf-8\r\n\r\n"

/* clang-format off */
static const struct { struct kb_span raw; uint8_t class_; bool named, machine, unreadable; } mails[] = {
	{{(const uint8_t *)TEXT "Can you tell me how I make a deposit to the commissary account of my brother? I have the form here. Thanks.\r\n",
		sizeof(TEXT "Can you tell me how I make a deposit to the commissary account of my brother? I have the form here. Thanks.\r\n") - 1},
		KB_CLASS_INQUIRY, false, false, false},
	{{(const uint8_t *)TEXT "Xiomara kicked my brother in the ribs and punched him while he was handcuffed.\r\n",
		sizeof(TEXT "Xiomara kicked my brother in the ribs and punched him while he was handcuffed.\r\n") - 1},
		KB_CLASS_ALLEGATION, true, false, false},
	{{(const uint8_t *)BEGIN "Auto-Submitted: auto-replied\r\n\r\nI am out of the office until the 9th, thank you for your message.\r\n",
		sizeof(BEGIN "Auto-Submitted: auto-replied\r\n\r\nI am out of the office until the 9th, thank you for your message.\r\n") - 1},
		KB_CLASS_MACHINE, false, true, false},
	{{(const uint8_t *)BEGIN "Content-Type: multipart/mixed; boundary=\"\\\"\"\r\n\r\nXiomara took the form of my brother.\r\n",
		sizeof(BEGIN "Content-Type: multipart/mixed; boundary=\"\\\"\"\r\n\r\nXiomara took the form of my brother.\r\n") - 1},
		KB_CLASS_REVIEW, true, false, true},
};
/* clang-format on */

/* With a mind each has its class; without one, all wait for a person, and what needs no mind is still found. */
static void assert_judged(struct sorter *s, bool mind)
{
	for (size_t i = 0; i < KB_LEN(mails); i++) {
		struct kb_verdict v = ask(s, mails[i].raw);
		if (v.class_ != (mind ? mails[i].class_ : KB_CLASS_REVIEW))
			fail_msg("message %zu: %s", i, kb_class_name(v.class_));
		assert_int_equal(v.named, mails[i].named ? 2 : 0);
		assert_int_equal((v.flags & KB_FLAG_NAMES_COORDINATOR) != 0, mails[i].named);
		assert_int_equal((v.flags & KB_FLAG_UNREADABLE) != 0, mails[i].unreadable);
		assert_int_equal(v.ack, !mails[i].machine);
		assert_int_equal(v.model_version != 0, mind);
		assert_int_equal(v.rules_version != 0, mind);
		assert_true(strlen(v.reasons) > 0);
		assert_non_null(strstr(v.from, "maria@family.example"));
	}
}

static bool refused(const struct sorter *s)
{
	return s->room.on[KB_HEALTH_TRIAGE_REFUSED] > 0;
}

TEST(good_rules_and_a_good_model_are_used_and_nothing_is_raised)
{
	struct sorter s = start(kb_buf_span(&rules), kb_buf_span(&model));
	assert_false(refused(&s));
	staff(&s);
	assert_judged(&s, true);
	assert_false(refused(&s));
	stop(&s);
}

/* clang-format off */
enum part { RULES, MODEL };
enum harm { MISSING, EMPTY, CUT, TURNED, GARBAGE, TOO_LARGE, HARMS };
/* clang-format on */

/* The part so harmed; in room, which is the caller's to release. */
static struct kb_span harmed(enum part part, enum harm harm, struct kb_buf *room)
{
	struct kb_span whole = kb_buf_span(part == RULES ? &rules : &model);
	kb_buf_init(room, 8 << 20);
	if (harm == MISSING)
		return (struct kb_span){NULL, 0};
	if (harm == EMPTY)
		return KB_SPAN("", 0);
	assert_ok(kb_buf_add(room, whole));
	if (harm == CUT)
		room->len -= 20;
	else if (harm == TURNED)
		room->p[whole.len / 2] ^= 0x80;
	else if (harm == GARBAGE)
		memset(room->p, 0xa5, whole.len);
	else
		while (room->len <= 4 << 20)
			assert_ok(kb_buf_add(room, whole));
	return kb_buf_span(room);
}

static void start_with(enum part part, enum harm harm)
{
	struct kb_buf room;
	struct kb_span bad = harmed(part, harm, &room);
	struct sorter s = start(part == RULES ? bad : kb_buf_span(&rules), part == MODEL ? bad : kb_buf_span(&model));
	assert_true(refused(&s)); /* before it is ready */
	staff(&s);
	assert_judged(&s, false);
	reload(&s, kb_buf_span(&rules), kb_buf_span(&model));
	room_await(&s.room, KB_HEALTH_TRIAGE_REFUSED, false);
	assert_judged(&s, true); /* the names, given before, are still known */
	stop(&s);
	kb_buf_release(&room);
}

TEST(without_good_rules_every_message_waits_for_a_person_until_there_are_some)
{
	for (enum harm harm = MISSING; harm < HARMS; harm++)
		start_with(RULES, harm);
}

TEST(without_a_good_model_every_message_waits_for_a_person_until_there_is_one)
{
	for (enum harm harm = MISSING; harm < HARMS; harm++)
		start_with(MODEL, harm);
}

TEST(without_both_a_sorter_that_is_given_them_later_uses_them)
{
	struct sorter s = start((struct kb_span){NULL, 0}, (struct kb_span){NULL, 0});
	assert_true(refused(&s));
	staff(&s);
	assert_judged(&s, false);
	reload(&s, kb_buf_span(&rules), (struct kb_span){NULL, 0}); /* half of it is not enough */
	assert_judged(&s, false);
	assert_true(refused(&s));
	reload(&s, (struct kb_span){NULL, 0}, kb_buf_span(&model));
	room_await(&s.room, KB_HEALTH_TRIAGE_REFUSED, false);
	assert_judged(&s, true);
	stop(&s);
}

TEST(a_reload_with_a_bad_file_keeps_the_mind_that_was_in_force)
{
	struct sorter s = start(kb_buf_span(&rules), kb_buf_span(&model));
	staff(&s);
	for (enum part part = RULES; part <= MODEL; part++)
		for (enum harm harm = EMPTY; harm < HARMS; harm++) {
			struct kb_buf room;
			struct kb_span bad = harmed(part, harm, &room);
			reload(&s, part == RULES ? bad : kb_buf_span(&rules), part == MODEL ? bad : kb_buf_span(&newer));
			room_await(&s.room, KB_HEALTH_TRIAGE_REFUSED, true);
			assert_judged(&s, true);
			assert_int_equal(ask(&s, mails[0].raw).model_version, 1);
			reload(&s, kb_buf_span(&rules), kb_buf_span(&model));
			room_await(&s.room, KB_HEALTH_TRIAGE_REFUSED, false);
			kb_buf_release(&room);
		}
	reload(&s, kb_buf_span(&rules), kb_buf_span(&newer)); /* and a good one would have been taken */
	while (ask(&s, mails[0].raw).model_version != 2)
		;
	assert_judged(&s, true);
	stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(good_rules_and_a_good_model_are_used_and_nothing_is_raised),
		RUN(without_good_rules_every_message_waits_for_a_person_until_there_are_some),
		RUN(without_a_good_model_every_message_waits_for_a_person_until_there_is_one),
		RUN(without_both_a_sorter_that_is_given_them_later_uses_them),
		RUN(a_reload_with_a_bad_file_keeps_the_mind_that_was_in_force),
	};
	return cmocka_run_group_tests(tests, read_files, drop_files);
}
