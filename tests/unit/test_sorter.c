/*
 * The sorter, started as the supervisor starts it: a real process behind its sandbox, spoken to over its channels. KB_SORTER is
 * its path, KB_RULES and KB_MODEL are the sample files. test_sorter_mind.c is about those.
 */
#include "kbtest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "wire.h"

enum { WAIT_MS = 60000 };

struct house {
	pid_t pid;
	int control, sealer;
	uint8_t next;
};

static void put(int to, uint16_t type, const void *body, size_t size, int fd)
{
	struct kb_wire_head h = {.type = type, .fds = fd >= 0, .size = (uint32_t)size};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} rights;
	uint8_t copy[8192];
	memcpy(copy, body, size);
	struct iovec iov[2] = {{&h, sizeof(h)}, {copy, size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	if (fd >= 0) {
		memset(&rights, 0, sizeof(rights));
		msg.msg_control = rights.room;
		msg.msg_controllen = sizeof(rights.room);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(to, &msg, MSG_NOSIGNAL), (ssize_t)(sizeof(h) + size));
}

/* The next message of that type; false when the other end is gone. */
static bool take(int from, uint16_t type, void *body, size_t size, int *ret_fd)
{
	for (;;) {
		struct kb_wire_head h;
		uint8_t b[8192];
		union {
			struct cmsghdr align;
			char room[CMSG_SPACE(sizeof(int))];
		} rights;
		struct iovec iov[2] = {{&h, sizeof(h)}, {b, sizeof(b)}};
		struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = rights.room, .msg_controllen = sizeof(rights.room)};
		struct pollfd p = {.fd = from, .events = POLLIN};
		if (poll(&p, 1, WAIT_MS) <= 0)
			fail_msg("nothing came");
		ssize_t n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
		if (n <= 0)
			return false;
		int fd = -1;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		if (h.type == type) {
			assert_int_equal(h.size, size);
			memcpy(body, b, size);
			if (ret_fd)
				*ret_fd = fd;
			else
				kb_fd_close(&fd);
			return true;
		}
		kb_fd_close(&fd);
	}
}

static int memfd_of_file(const char *path)
{
	struct kb_buf b;
	int fd;
	assert_non_null(path);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("%s is missing", path);
	kb_buf_init(&b, 4 << 20);
	assert_ok(kb_buf_reserve(&b, 4 << 20));
	b.len = fread(b.p, 1, 4 << 20, f);
	(void)fclose(f);
	assert_ok(kb_memfd_from(NULL, "test", kb_buf_span(&b), &fd));
	kb_buf_release(&b);
	return fd;
}

static void new_sealer(struct house *h)
{
	const struct kb_wire_peer peer = {.room = KB_ROOM_SEALER};
	int ends[2];
	kb_fd_close(&h->sealer);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	put(h->control, KB_WIRE_PEER, &peer, sizeof(peer), ends[1]);
	kb_fd_close(&ends[1]);
	h->sealer = ends[0];
}

static struct house start(uint32_t sort_s, uint32_t messages)
{
	static const struct kb_wire_none none;
	const struct kb_wire_file rules = {.kind = KB_FILE_RULES}, model = {.kind = KB_FILE_MODEL};
	const struct kb_wire_peer self = {.room = KB_ROOM_SORTER};
	struct house h = {.sealer = -1};
	struct kb_settings *s = calloc(1, sizeof(*s));
	int ends[2], fd;
	assert_non_null(s);
	s->limit = (struct kb_limits){.message_octets = 50 << 20, .header_octets = 100 << 10, .header_fields = 1000, .mime_depth = 50,
		.mime_parts = 1000, .sort_s = sort_s};
	s->sorter_messages = messages;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	h.control = ends[0];
	h.pid = fork();
	if (h.pid == 0) {
		if (ends[1] != 3)
			(void)dup2(ends[1], 3);
		else
			(void)fcntl(3, F_SETFD, 0);
		(void)fcntl(3, F_SETFL, O_NONBLOCK);
		execl(getenv("KB_SORTER"), "kiteboxd-sorter", (char *)NULL);
		_exit(127);
	}
	kb_fd_close(&ends[1]);
	assert_ok(kb_memfd_from(NULL, "test", KB_SPAN(s, sizeof(*s)), &fd));
	put(h.control, KB_WIRE_CONFIG, &none, sizeof(none), fd);
	kb_fd_close(&fd);
	free(s);
	fd = memfd_of_file(getenv("KB_RULES"));
	put(h.control, KB_WIRE_FILE, &rules, sizeof(rules), fd);
	kb_fd_close(&fd);
	fd = memfd_of_file(getenv("KB_MODEL"));
	put(h.control, KB_WIRE_FILE, &model, sizeof(model), fd);
	kb_fd_close(&fd);
	new_sealer(&h);
	put(h.control, KB_WIRE_GO, &self, sizeof(self), -1);
	assert_true(take(h.control, KB_WIRE_READY, &(struct kb_wire_none){0}, sizeof(none), NULL));
	return h;
}

/* The wait status; the process is asked to stop when it is still there. */
static int stop(struct house *h)
{
	static const struct kb_wire_none none;
	int status;
	if (waitpid(h->pid, &status, WNOHANG) == 0) {
		put(h->control, KB_WIRE_STOP, &none, sizeof(none), -1);
		assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	}
	kb_fd_close(&h->control);
	kb_fd_close(&h->sealer);
	return status;
}

static int data_fd(const char *name)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/mail/%s.eml", getenv("KB_TEST_DATA"), name);
	return memfd_of_file(path);
}

static struct kb_wire_sort ask(struct house *h, uint16_t type, int fd)
{
	struct kb_wire_sort m;
	memset(&m, 0, sizeof(m));
	memset(m.id.b, ++h->next, sizeof(m.id.b));
	m.size = (uint64_t)lseek(fd, 0, SEEK_END);
	put(h->sealer, type, &m, sizeof(m), fd);
	kb_fd_close(&fd);
	return m;
}

static struct kb_verdict sorted(struct house *h, const char *name)
{
	struct kb_wire_verdict v;
	struct kb_wire_sort m = ask(h, KB_WIRE_SORT, data_fd(name));
	assert_true(take(h->sealer, KB_WIRE_VERDICT, &v, sizeof(v), NULL));
	assert_true(kb_id_eq(&v.id, &m.id));
	assert_ok(kb_verdict_check(&v.verdict));
	return v.verdict;
}

TEST(a_message_is_answered_with_its_verdict)
{
	struct house h = start(10, 1000);
	struct kb_verdict v = sorted(&h, "plain-en");
	assert_string_equal(v.from, "Maria Example <maria@example.org>");
	assert_string_equal(v.subject, "Visiting hours");
	assert_false(v.flags & KB_FLAG_UNREADABLE);
	assert_int_equal(v.ack, 1);
	v = sorted(&h, "auto-reply");
	assert_int_equal(v.ack, 0);
	v = sorted(&h, "charset-big5");
	assert_int_equal(v.class_, KB_CLASS_REVIEW);
	assert_int_equal(stop(&h), 0);
}

TEST(what_must_not_be_parsed_is_unreadable_and_for_review)
{
	struct house h = start(10, 1000);
	static const char *const files[] = {"hostile-boundary-quote", "hostile-depth", "hostile-comments"};
	for (size_t i = 0; i < KB_LEN(files); i++) {
		struct kb_verdict v = sorted(&h, files[i]);
		assert_true(v.flags & KB_FLAG_UNREADABLE);
		assert_true(v.class_ == KB_CLASS_REVIEW || v.class_ == KB_CLASS_ALLEGATION);
	}
	assert_int_equal(stop(&h), 0);
}

TEST(a_name_of_the_desk_in_the_text_is_seen)
{
	static const struct kb_wire_none none;
	struct house h = start(10, 1000);
	int fd;
	assert_int_equal(sorted(&h, "attribution-like").named, 0);
	assert_ok(kb_memfd_from(NULL, "test", KB_LIT("Ann Quill\nBob Officer\n"), &fd));
	put(h.sealer, KB_WIRE_STAFF, &none, sizeof(none), fd);
	kb_fd_close(&fd);
	assert_int_equal(sorted(&h, "attribution-like").named, 2);
	assert_int_equal(stop(&h), 0);
}

TEST(a_view_is_harmless_text)
{
	struct house h = start(10, 1000);
	struct kb_wire_viewed v;
	struct kb_map map;
	int fd = -1;
	struct kb_wire_sort m = ask(&h, KB_WIRE_VIEW, data_fd("mixed-pdf"));
	assert_true(take(h.sealer, KB_WIRE_VIEWED, &v, sizeof(v), &fd));
	assert_true(kb_id_eq(&v.id, &m.id));
	assert_int_equal(v.status, KB_OK);
	assert_ok(kb_map_open(NULL, fd, 1 << 20, &map));
	assert_true(kb_span_find(map.s, KB_LIT("Attachment 1: form.pdf")) != SIZE_MAX);
	kb_map_release(&map);
	kb_fd_close(&fd);
	assert_int_equal(stop(&h), 0);
}

TEST(a_sealer_that_lies_is_dropped_and_the_next_one_is_served)
{
	struct house h = start(10, 1000);
	struct kb_wire_sort m = {.size = 5};
	struct kb_wire_verdict v;
	int fd = data_fd("plain-en");
	put(h.sealer, KB_WIRE_SORT, &m, sizeof(m), fd);
	kb_fd_close(&fd);
	assert_false(take(h.sealer, KB_WIRE_VERDICT, &v, sizeof(v), NULL));
	new_sealer(&h);
	assert_string_equal(sorted(&h, "plain-en").subject, "Visiting hours");
	assert_int_equal(stop(&h), 0);
}

TEST(after_its_number_of_messages_it_ends_with_status_zero)
{
	struct house h = start(10, 2);
	struct kb_wire_verdict v;
	(void)sorted(&h, "plain-en");
	(void)sorted(&h, "plain-en");
	assert_false(take(h.sealer, KB_WIRE_VERDICT, &v, sizeof(v), NULL));
	int status;
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
	assert_int_equal(status, 0);
	kb_fd_close(&h.control);
	kb_fd_close(&h.sealer);
}

/* Ten multiparts within each other around lines that each look like a delimiter: a second or so of work. */
static int slow_message(void)
{
	struct kb_buf b;
	int fd;
	kb_buf_init(&b, 50 << 20);
	for (unsigned i = 0; i < 10; i++)
		assert_ok(kb_buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i));
	assert_ok(kb_buf_str(&b, "\r\n"));
	while (b.len < 48 << 20)
		assert_ok(kb_buf_str(&b, "--b\r\n--b\r\n--b\r\n--b\r\n--b\r\n--b\r\n--b\r\n--b\r\n"));
	assert_ok(kb_memfd_from(NULL, "test", kb_buf_span(&b), &fd));
	kb_buf_release(&b);
	return fd;
}

/* Time that the process has spent computing, in the kernel's ticks. */
static unsigned long ticks(pid_t pid)
{
	char path[64], line[1024] = "";
	unsigned long t = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	(void)fclose(f);
	const char *rest = strrchr(line, ')');
	assert_non_null(rest);
	assert_int_equal(sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu", &t), 1);
	return t;
}

/* Held up in the middle of a message, on however fast a machine. */
TEST(a_message_that_takes_too_long_ends_it_by_alarm)
{
	struct house h = start(1, 1000);
	struct kb_wire_verdict v;
	struct pollfd p = {.fd = h.sealer, .events = POLLIN};
	int status, fd = slow_message();
	unsigned long before = ticks(h.pid);
	(void)ask(&h, KB_WIRE_SORT, fd);
	while (ticks(h.pid) < before + 4)
		assert_int_equal(poll(&p, 1, 1), 0);
	assert_int_equal(kill(h.pid, SIGSTOP), 0);
	assert_int_equal(poll(&p, 1, 1100), 0);
	assert_int_equal(kill(h.pid, SIGCONT), 0);
	assert_false(take(h.sealer, KB_WIRE_VERDICT, &v, sizeof(v), NULL));
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
	kb_fd_close(&h.control);
	kb_fd_close(&h.sealer);
}

TEST(the_alarm_is_taken_back_after_each_message)
{
	struct house h = start(1, 1000);
	struct pollfd p = {.fd = h.sealer, .events = POLLIN};
	(void)sorted(&h, "plain-en");
	assert_int_equal(poll(&p, 1, 1300), 0); /* longer than the alarm would have taken: still there */
	(void)sorted(&h, "plain-en");
	assert_int_equal(stop(&h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(a_message_is_answered_with_its_verdict),
		RUN(what_must_not_be_parsed_is_unreadable_and_for_review),
		RUN(a_name_of_the_desk_in_the_text_is_seen),
		RUN(a_view_is_harmless_text),
		RUN(a_sealer_that_lies_is_dropped_and_the_next_one_is_served),
		RUN(after_its_number_of_messages_it_ends_with_status_zero),
		RUN(a_message_that_takes_too_long_ends_it_by_alarm),
		RUN(the_alarm_is_taken_back_after_each_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
