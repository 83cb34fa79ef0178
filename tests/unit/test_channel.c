/* channel: what arrives is exactly what the table names, and no descriptor stays behind whatever arrives. */
#include "kbtest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "channel.h"

enum { TYPE_PLAIN = 1, TYPE_FD, TYPE_MANY };

struct body {
	uint64_t number, zero;
};

struct end {
	sd_event *loop;
	struct kb_channel *ch;
	int peer;
	unsigned calls, closed;
	uint64_t last;
	enum kb_status answer, why;
	bool free_in_handler, take_first;
	int taken;
};

static enum kb_status on_message(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct end *e = ctx;
	const struct body *b = body;

	assert_ptr_equal(ch, e->ch);
	e->calls++;
	e->last = b->number;
	if (e->take_first && n) {
		e->taken = fds[0];
		fds[0] = -1;
	}
	if (e->free_in_handler)
		kb_channel_free(&e->ch);
	return e->answer;
}

static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct end *e = ctx;

	assert_ptr_equal(ch, e->ch);
	e->closed++;
	e->why = why;
	kb_channel_free(&e->ch);
}

static const struct kb_channel_row rows[] = {
    {TYPE_PLAIN, 0, 0, sizeof(struct body), on_message},
    {TYPE_FD, 1, 1, sizeof(struct body), on_message},
    {TYPE_MANY, 1, KB_CHANNEL_FDS_MOST, sizeof(struct body), on_message},
};

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static unsigned files_before;

static void begin(struct end *e)
{
	int fds[2];

	files_before = open_files();
	*e = (struct end){.taken = -1};
	assert_true(sd_event_new(&e->loop) >= 0);
	assert_ok(kb_channel_pair(NULL, fds));
	assert_ok(kb_channel_new(NULL, e->loop, fds[0], rows, KB_LEN(rows), on_closed, e, &e->ch));
	e->peer = fds[1];
}

/* Runs the loop until it has nothing to do. */
static void settle(struct end *e)
{
	while (sd_event_run(e->loop, 0) > 0)
		;
}

static void finish(struct end *e)
{
	kb_channel_free(&e->ch);
	kb_fd_close(&e->peer);
	kb_fd_close(&e->taken);
	e->loop = sd_event_unref(e->loop);
	assert_int_equal(open_files(), files_before);
}

/* A datagram exactly as told, honest or not. */
static void throw(int fd, const void *octets, size_t len, size_t fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)octets, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fds) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		*c = (struct cmsghdr){
		    .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(fds * sizeof(int))};
		for (size_t i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

static void say(int fd, uint16_t type, uint16_t claimed_fds, size_t fds, uint64_t number)
{
	struct {
		struct kb_wire_head head;
		struct body body;
	} dg = {{type, claimed_fds, sizeof(struct body)}, {number, 0}};

	throw(fd, &dg, sizeof dg, fds);
}

TEST(a_message_of_the_table_is_handled_and_its_descriptors_are_closed)
{
	struct end e;

	begin(&e);
	settle(&e);
	unsigned idle = open_files();
	say(e.peer, TYPE_PLAIN, 0, 0, 7);
	say(e.peer, TYPE_FD, 1, 1, 8);
	say(e.peer, TYPE_MANY, KB_CHANNEL_FDS_MOST, KB_CHANNEL_FDS_MOST, 9);
	settle(&e);
	assert_int_equal(e.calls, 3);
	assert_int_equal(e.last, 9);
	assert_int_equal(e.closed, 0);
	assert_int_equal(open_files(), idle);
	finish(&e);
}

TEST(a_handler_may_keep_a_descriptor)
{
	struct end e;

	begin(&e);
	e.take_first = true;
	say(e.peer, TYPE_MANY, 2, 2, 1);
	settle(&e);
	assert_true(e.taken >= 0);
	assert_true(fcntl(e.taken, F_GETFD) & FD_CLOEXEC);
	finish(&e);
}

struct bad {
	const char *what;
	uint16_t type, claimed_fds;
	size_t fds;
	uint32_t claimed_size;
	size_t len;
};

static const struct bad bad[] = {
    {"a type that the table does not name", 99, 0, 0, 16, 24},
    {"type zero", 0, 0, 0, 16, 24},
    {"a body shorter than the row", TYPE_PLAIN, 0, 0, 15, 23},
    {"a body longer than the row", TYPE_PLAIN, 0, 0, 17, 25},
    {"a head that lies about its body", TYPE_PLAIN, 0, 0, 16, 32},
    {"a body that lies about its head", TYPE_PLAIN, 0, 0, 24, 24},
    {"half a head", TYPE_PLAIN, 0, 0, 16, 7},
    {"a head alone", TYPE_PLAIN, 0, 0, 16, 8},
    {"a descriptor where none belongs", TYPE_PLAIN, 1, 1, 16, 24},
    {"a descriptor that the head hides", TYPE_PLAIN, 0, 1, 16, 24},
    {"no descriptor where one belongs", TYPE_FD, 0, 0, 16, 24},
    {"a descriptor that the head invents", TYPE_FD, 1, 0, 16, 24},
    {"two descriptors where one belongs", TYPE_FD, 2, 2, 16, 24},
    {"ten descriptors where nine fit", TYPE_MANY, 9, 10, 16, 24},
    {"ten descriptors, said so", TYPE_MANY, 10, 10, 16, 24},
    {"as many descriptors as the kernel takes", TYPE_MANY, 9, 253, 16, 24},
    {"a datagram beyond the longest body", TYPE_PLAIN, 0, 0, 16, KB_CHANNEL_BODY_MOST + 9},
    {"a truncated datagram with descriptors", TYPE_MANY, 3, 3, 16, KB_CHANNEL_BODY_MOST + 100},
    {"half a head with descriptors", TYPE_MANY, 3, 3, 16, 3},
};

TEST(anything_else_ends_the_channel_and_leaks_nothing)
{
	static uint8_t octets[KB_CHANNEL_BODY_MOST + 128];

	for (size_t i = 0; i < KB_LEN(bad); i++) {
		const struct kb_wire_head head = {bad[i].type, bad[i].claimed_fds, bad[i].claimed_size};
		struct end e;

		begin(&e);
		memset(octets, 0, sizeof octets);
		memcpy(octets, &head, sizeof head);
		throw(e.peer, octets, bad[i].len, bad[i].fds);
		say(e.peer, TYPE_PLAIN, 0, 0, 5); /* never heard: the channel is over */
		settle(&e);
		if (e.closed != 1 || e.calls != 0 || e.why != KB_MALFORMED)
			fail_msg("%s: closed %u, calls %u", bad[i].what, e.closed, e.calls);
		finish(&e);
	}
}

/* As many descriptors may be opened as there are, and so many more. */
static void allow_files(unsigned more, struct rlimit *ret_before)
{
	struct rlimit now;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
	now = *ret_before;
	for (now.rlim_cur = 0; more || fcntl((int)now.rlim_cur, F_GETFD) >= 0; now.rlim_cur++)
		more -= fcntl((int)now.rlim_cur, F_GETFD) < 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

static void run_short(uint16_t type, uint16_t claimed, size_t fds, unsigned more, enum kb_status why)
{
	struct rlimit before;
	struct end e;

	begin(&e);
	settle(&e);
	say(e.peer, type, claimed, fds, 1);
	allow_files(more, &before);
	settle(&e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(e.calls, 0);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, why);
	finish(&e);
}

TEST(a_descriptor_that_this_process_has_no_room_for_is_not_the_sibling_s_fault)
{
	run_short(TYPE_FD, 1, 1, 0, KB_IO);
	run_short(TYPE_MANY, KB_CHANNEL_FDS_MOST, KB_CHANNEL_FDS_MOST, 0, KB_IO);
	run_short(TYPE_MANY, KB_CHANNEL_FDS_MOST, KB_CHANNEL_FDS_MOST, 4, KB_IO);
	/* Its faults are faults all the same. */
	run_short(TYPE_FD, 2, 2, 0, KB_MALFORMED);
	run_short(TYPE_PLAIN, 1, 1, 0, KB_MALFORMED);
	run_short(99, 1, 1, 0, KB_MALFORMED);
}

TEST(an_empty_datagram_ends_the_channel_even_with_a_descriptor)
{
	struct end e;

	begin(&e);
	throw(e.peer, "", 0, 1);
	settle(&e);
	assert_int_equal(e.closed, 1);
	finish(&e);
}

TEST(a_handler_that_refuses_ends_the_channel_with_its_reason)
{
	struct end e;

	begin(&e);
	e.answer = KB_AGAIN; /* which must not look like an empty socket */
	say(e.peer, TYPE_FD, 1, 1, 1);
	say(e.peer, TYPE_FD, 1, 1, 2);
	settle(&e);
	assert_int_equal(e.calls, 1);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, KB_AGAIN);
	finish(&e);
}

TEST(a_handler_may_free_its_own_channel)
{
	struct end e;

	begin(&e);
	e.free_in_handler = true;
	say(e.peer, TYPE_FD, 1, 1, 1);
	say(e.peer, TYPE_FD, 1, 1, 2);
	settle(&e);
	assert_int_equal(e.calls, 1);
	assert_int_equal(e.closed, 0);
	assert_null(e.ch);
	finish(&e);
}

TEST(what_the_socket_does_not_take_is_queued_and_arrives_in_order)
{
	enum { MANY = 3000 };
	struct end from, to;
	int fds[2];

	begin(&from);
	unsigned before = files_before;
	begin(&to);
	assert_ok(kb_channel_pair(NULL, fds));
	kb_channel_free(&from.ch);
	kb_channel_free(&to.ch);
	assert_ok(kb_channel_new(NULL, from.loop, fds[0], rows, KB_LEN(rows), on_closed, &from, &from.ch));
	assert_ok(kb_channel_new(NULL, to.loop, fds[1], rows, KB_LEN(rows), on_closed, &to, &to.ch));
	for (uint64_t i = 1; i <= MANY; i++) {
		KB_AUTO(kb_fd_close) int fd = i % 16 == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
		const struct body b = {i, 0};

		/* The caller closes its own at once: what is queued is a copy. */
		assert_ok(kb_channel_send(from.ch, fd >= 0 ? TYPE_FD : TYPE_PLAIN, &b, sizeof b, &fd, fd >= 0));
	}
	assert_true(kb_channel_queued(from.ch) > 0);
	while (to.calls < MANY) {
		uint64_t seen = to.last;

		settle(&to);
		assert_true(to.last > seen);
		settle(&from);
	}
	assert_int_equal(to.last, MANY);
	assert_int_equal(kb_channel_queued(from.ch), 0);
	assert_int_equal(from.closed + to.closed, 0);
	finish(&to);
	files_before = before;
	finish(&from);
}

TEST(a_peer_that_does_not_read_ends_the_channel_at_the_queue_s_limit)
{
	const struct body b = {1, 0};
	enum kb_status st = KB_OK;
	struct end e;
	unsigned sent = 0;

	begin(&e);
	while (st == KB_OK && sent < 1000000) {
		st = kb_channel_send(e.ch, TYPE_FD, &b, sizeof b, &e.peer, 1);
		sent++;
	}
	assert_int_equal(st, KB_BUSY);
	assert_true(sent > KB_CHANNEL_QUEUE_MOST);
	assert_int_equal(e.closed, 0); /* never from within a send */
	assert_int_equal(kb_channel_send(e.ch, TYPE_PLAIN, &b, sizeof b, NULL, 0), KB_IO);
	settle(&e);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.why, KB_BUSY);
	finish(&e);
}

TEST(what_a_peer_said_before_it_died_is_still_heard)
{
	const struct body b = {1, 0};
	struct end e;

	begin(&e);
	say(e.peer, TYPE_PLAIN, 0, 0, 41);
	say(e.peer, TYPE_PLAIN, 0, 0, 42);
	kb_fd_close(&e.peer);
	assert_int_equal(kb_channel_send(e.ch, TYPE_PLAIN, &b, sizeof b, NULL, 0), KB_IO);
	settle(&e);
	assert_int_equal(e.last, 42);
	assert_int_equal(e.closed, 1);
	finish(&e);
}

TEST(what_a_peer_said_is_heard_though_it_died_with_our_words_unread)
{
	const struct body b = {1, 0};
	struct end e;

	begin(&e);
	assert_ok(kb_channel_send(e.ch, TYPE_PLAIN, &b, sizeof b, NULL, 0)); /* unread: our end sees ECONNRESET */
	say(e.peer, TYPE_PLAIN, 0, 0, 43);
	kb_fd_close(&e.peer);
	settle(&e);
	assert_int_equal(e.last, 43);
	assert_int_equal(e.closed, 1);
	finish(&e);
}

TEST(a_peer_that_only_stops_listening_ends_the_channel)
{
	const struct body b = {1, 0};
	struct end e;

	begin(&e);
	assert_int_equal(shutdown(e.peer, SHUT_RD), 0);
	assert_int_equal(kb_channel_send(e.ch, TYPE_PLAIN, &b, sizeof b, NULL, 0), KB_IO);
	settle(&e);
	assert_int_equal(e.closed, 1);
	finish(&e);
}

TEST(a_message_that_no_channel_carries_is_not_sent)
{
	static const uint8_t body[KB_CHANNEL_BODY_MOST + 1];
	struct end e;

	begin(&e);
	assert_int_equal(kb_channel_send(e.ch, TYPE_PLAIN, body, sizeof body, NULL, 0), KB_LIMIT);
	assert_int_equal(kb_channel_send(e.ch, TYPE_PLAIN, body, 8, &e.peer, KB_CHANNEL_FDS_MOST + 1), KB_LIMIT);
	settle(&e);
	assert_int_equal(e.closed, 0);
	kb_channel_set_tag(e.ch, 17);
	assert_int_equal(kb_channel_tag(e.ch), 17);
	assert_true(kb_channel_fd(e.ch) >= 0);
	finish(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_message_of_the_table_is_handled_and_its_descriptors_are_closed),
	    RUN(a_handler_may_keep_a_descriptor),
	    RUN(anything_else_ends_the_channel_and_leaks_nothing),
	    RUN(a_descriptor_that_this_process_has_no_room_for_is_not_the_sibling_s_fault),
	    RUN(an_empty_datagram_ends_the_channel_even_with_a_descriptor),
	    RUN(a_handler_that_refuses_ends_the_channel_with_its_reason),
	    RUN(a_handler_may_free_its_own_channel),
	    RUN(what_the_socket_does_not_take_is_queued_and_arrives_in_order),
	    RUN(a_peer_that_does_not_read_ends_the_channel_at_the_queue_s_limit),
	    RUN(what_a_peer_said_before_it_died_is_still_heard),
	    RUN(what_a_peer_said_is_heard_though_it_died_with_our_words_unread),
	    RUN(a_peer_that_only_stops_listening_ends_the_channel),
	    RUN(a_message_that_no_channel_carries_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
