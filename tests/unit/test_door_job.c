/* door_job: a message that is given up counts on for as long as a sealer has it. The room and its clock are the test's. */
#include "kbtest.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"

enum { OCTETS = 1000, BEYOND_MS = 301000 };

static struct kb_door r;
static struct kb_door_conn c;
static struct kb_settings settings;
static sd_event *loop;
static uint64_t now_ms;
static int sealer = -1;
static unsigned answers;
static enum kb_status answer;

sd_event *kb_room_loop(struct kb_room_host *h)
{
	(void)h;
	return loop;
}

const struct kb_settings *kb_room_settings(const struct kb_room_host *h)
{
	(void)h;
	return &settings;
}

uint64_t kb_room_now_s(const struct kb_room_host *h)
{
	(void)h;
	return now_ms / 1000;
}

uint64_t kb_room_now_ms(const struct kb_room_host *h)
{
	(void)h;
	return now_ms;
}

void kb_room_health(struct kb_room_host *h, enum kb_health code, bool on, uint64_t count)
{
	(void)h, (void)code, (void)on, (void)count;
}

void kb_room_peer_closed(struct kb_room_host *h, enum kb_room room, uint32_t index, enum kb_status why)
{
	(void)h, (void)room, (void)index, (void)why;
}

void kb_door_wake(struct kb_door *door)
{
	(void)door;
}

void kb_door_less(struct kb_door *door)
{
	(void)door;
}

void kb_door_tls_facts(const struct kb_door_tls *t, char *ret_text, size_t size)
{
	(void)t, (void)ret_text, (void)size;
}

void kb_door_conn_answered(struct kb_door_conn *conn, enum kb_status st, const struct kb_id *id)
{
	(void)conn, (void)id;
	answers++;
	answer = st;
}

static void settle(void)
{
	while (sd_event_run(loop, 0) > 0)
		;
}

static void link_sealer(void)
{
	int ends[2];
	kb_fd_close(&sealer);
	assert_ok(kb_channel_pair(NULL, ends));
	sealer = ends[0];
	assert_ok(kb_door_sealer(&r, 0, ends[1]));
}

/* A message with the sealer, whose client has heard that it is given up. */
static struct kb_id give_up_one(void)
{
	struct {
		struct kb_wire_head head;
		struct kb_wire_submit submit;
	} dg;
	static const uint8_t text[OCTETS];
	now_ms = 1000;
	assert_ok(kb_memfd_new(NULL, "test", &c.message));
	assert_int_equal(write(c.message, text, OCTETS), OCTETS);
	c.octets = OCTETS;
	kb_door_flight_more(&r, c.source, OCTETS);
	assert_ok(kb_door_submit(&c));
	assert_int_equal(recv(sealer, &dg, sizeof(dg), 0), sizeof(dg));
	now_ms += BEYOND_MS;
	kb_door_jobs_tick(&r, now_ms);
	assert_int_equal(answers, 1);
	assert_int_equal(answer, KB_AGAIN);
	assert_null(c.job);
	assert_int_equal(r.flight, OCTETS);
	assert_int_equal(r.sealer[0].jobs, 1);
	kb_door_jobs_tick(&r, now_ms + 1000);
	assert_int_equal(answers, 1);
	return dg.submit.id;
}

static void nothing_is_left(void)
{
	assert_int_equal(r.flight, 0);
	assert_int_equal(r.sealer[0].jobs, 0);
	assert_null(r.jobs);
	assert_int_equal(answers, 1);
	assert_int_equal(r.refused, 1);
	assert_int_equal(r.messages, 0);
}

static int set_up(void **state)
{
	static const struct kb_door_origin own = {.own = true};
	(void)state;
	memset(&r, 0, sizeof(r));
	r.last_job = &r.jobs;
	answers = 0;
	settings.limit = (struct kb_limits){.flight_octets = 1 << 20, .message_octets = 1 << 20, .connections = 10};
	c = (struct kb_door_conn){.room = &r, .message = -1, .fd = -1};
	kb_door_source_enter(&c, &own);
	assert_true(sd_event_new(&loop) >= 0);
	link_sealer();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kb_door_source_leave(&c);
	kb_door_jobs_free(&r);
	kb_fd_close(&sealer);
	loop = sd_event_unref(loop);
	return 0;
}

TEST(a_message_that_was_given_up_counts_until_its_result_comes)
{
	struct {
		struct kb_wire_head head;
		struct kb_wire_result result;
	} dg = {.head = {KB_WIRE_RESULT, 0, sizeof(dg.result)}};
	dg.result.id = give_up_one();
	assert_int_equal(send(sealer, &dg, sizeof(dg), 0), sizeof(dg));
	settle();
	nothing_is_left();
}

TEST(a_message_that_was_given_up_counts_until_its_sealer_ends_and_goes_to_no_other)
{
	char octet;
	give_up_one();
	kb_fd_close(&sealer);
	settle();
	nothing_is_left();
	link_sealer();
	settle();
	assert_int_equal(recv(sealer, &octet, 1, MSG_DONTWAIT), -1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_message_that_was_given_up_counts_until_its_result_comes),
		T(a_message_that_was_given_up_counts_until_its_sealer_ends_and_goes_to_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
