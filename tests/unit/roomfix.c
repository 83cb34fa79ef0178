/* roomfix: see roomfix.h. */
#include "roomfix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct kb_wire_none none;

union rights {
	struct cmsghdr align;
	char room[CMSG_SPACE(RIGHTS_MOST * sizeof(int))];
};

void say(int to, uint16_t type, const void *body, size_t size, const int *fds, size_t n)
{
	struct kb_wire_head head = {.type = type, .fds = (uint16_t)n, .size = (uint32_t)size};
	uint8_t copy[BODY_MOST];
	union rights u;
	struct iovec iov[2] = {{&head, sizeof head}, {copy, size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	assert_true(size <= sizeof copy);
	memcpy(copy, body, size);
	if (n) {
		memset(&u, 0, sizeof u);
		msg.msg_control = u.room;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	struct pollfd p = {.fd = to, .events = POLLOUT};
	ssize_t put;

	while ((put = sendmsg(to, &msg, MSG_NOSIGNAL)) < 0 && errno == EAGAIN)
		if (poll(&p, 1, PATIENCE_MS) == 0)
			fail_msg("nobody listens");
	assert_int_equal(put, sizeof head + size);
}

bool silent(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 0;
}

bool hear(int fd, struct message *m)
{
	struct kb_wire_head head;
	union rights u;
	struct iovec iov[2] = {{&head, sizeof head}, {m->body, sizeof m->body}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = u.room, .msg_controllen = sizeof u.room};

	if (silent(fd, PATIENCE_MS))
		fail_msg("nothing came");
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return false;
	assert_true(n >= (ssize_t)sizeof head);
	m->type = head.type;
	m->size = (size_t)n - sizeof head;
	m->fds = 0;
	memset(m->fd, -1, sizeof m->fd);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		m->fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fd, CMSG_DATA(c), m->fds * sizeof(int));
	}
	assert_int_equal(m->fds, head.fds);
	assert_int_equal(m->size, head.size);
	return true;
}

void message_close(struct message *m)
{
	for (size_t i = 0; i < RIGHTS_MOST; i++)
		kb_fd_close(&m->fd[i]);
}

int memfd_of(struct kb_span s)
{
	int fd;

	assert_ok(kb_memfd_from(NULL, "test", s, &fd));
	return fd;
}

static void pair(int ret_fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds), 0);
	/* As wide as the supervisor makes them (channel.c). */
	for (int i = 0, width = 1 << 20; i < 2; i++)
		(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &width, sizeof width);
}

static _Noreturn void become(const char *program, int control)
{
	char name[64];
	char *argv[] = {name, NULL}, *env[] = {NULL};
	const char *slash = strrchr(program, '/');

	kb_field_set(name, sizeof name, kb_span_str(slash ? slash + 1 : program));
	if (control == 3 ? fcntl(control, F_SETFD, 0) < 0 : dup2(control, 3) < 0)
		_exit(126);
	execve(program, argv, env);
	_exit(127);
}

void room_start(struct room *r, const char *program, const struct kb_settings *s)
{
	int ends[2];

	*r = (struct room){.control = -1};
	pair(ends);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0)
		become(program, ends[1]);
	kb_fd_close(&ends[1]);
	r->control = ends[0];
	room_settings(r, s);
}

void room_settings(struct room *r, const struct kb_settings *s)
{
	int fd = memfd_of(KB_SPAN(s, sizeof *s));

	say(r->control, KB_WIRE_CONFIG, &none, sizeof none, &fd, 1);
	kb_fd_close(&fd);
}

void room_file(struct room *r, enum kb_file kind, uint32_t index, int fd)
{
	const struct kb_wire_file w = {.kind = kind, .index = index};

	say(r->control, KB_WIRE_FILE, &w, sizeof w, &fd, 1);
	kb_fd_close(&fd);
}

void room_text(struct room *r, enum kb_file kind, uint32_t index, struct kb_span text)
{
	room_file(r, kind, index, memfd_of(text));
}

int room_peer(struct room *r, enum kb_room room)
{
	const struct kb_wire_peer w = {.room = room};
	int ends[2];

	pair(ends);
	say(r->control, KB_WIRE_PEER, &w, sizeof w, &ends[1], 1);
	kb_fd_close(&ends[1]);
	return ends[0];
}

void room_go(struct room *r, enum kb_room self, bool wait)
{
	const struct kb_wire_peer w = {.room = self};
	struct message m;

	say(r->control, KB_WIRE_GO, &w, sizeof w, NULL, 0);
	if (wait)
		room_hear(r, KB_WIRE_READY, &m);
}

void room_ask_to_stop(struct room *r)
{
	say(r->control, KB_WIRE_STOP, &none, sizeof none, NULL, 0);
}

int room_end(struct room *r)
{
	int status;

	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	kb_fd_close(&r->control);
	return status;
}

void room_note(struct room *r, const struct message *m)
{
	const struct kb_wire_health *w = (const void *)m->body;

	if (m->type != KB_WIRE_HEALTH)
		return;
	assert_in_range(w->code, 1, KB_HEALTH_COUNT - 1);
	r->on[w->code] = w->on ? 1 + (uint32_t)w->count : 0;
}

void room_hear(struct room *r, uint16_t type, struct message *m)
{
	for (;;) {
		if (!hear(r->control, m))
			fail_msg("the room has ended");
		room_note(r, m);
		if (m->type == type)
			return;
		message_close(m);
	}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A room says that it lives, so silence alone does not end this. */
void room_await(struct room *r, enum kb_health code, bool on)
{
	const uint64_t until = now_ms() + PATIENCE_MS;
	struct message m;

	while ((r->on[code] > 0) != on) {
		if (now_ms() > until)
			fail_msg("a condition did not come, or did not go");
		if (!hear(r->control, &m))
			fail_msg("the room has ended");
		room_note(r, &m);
		message_close(&m);
	}
}

bool room_says(struct room *r, enum kb_health code, int ms)
{
	const uint64_t until = now_ms() + (uint64_t)ms;
	bool said = false;
	struct message m;

	for (uint64_t now = now_ms(); !said && now < until; now = now_ms()) {
		if (silent(r->control, (int)(until - now)))
			break;
		if (!hear(r->control, &m))
			fail_msg("the room has ended");
		said = m.type == KB_WIRE_HEALTH && ((const struct kb_wire_health *)(const void *)m.body)->code == code;
		room_note(r, &m);
		message_close(&m);
	}
	return said;
}

size_t room_resident(const struct room *r, const char *end)
{
	char line[512];
	size_t kib = 0, all = 0;
	bool ours = false;

	(void)snprintf(line, sizeof line, "/proc/%d/smaps", (int)r->pid);
	FILE *f = fopen(line, "re");

	while (f && fgets(line, sizeof line, f)) {
		unsigned long from, to;
		size_t len = strcspn(line, "\n"), want = strlen(end);

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = len >= want && memcmp(line + len - want, end, want) == 0;
		else if (ours && sscanf(line, "Rss: %zu kB", &kib) == 1)
			all += kib << 10;
	}
	if (f)
		(void)fclose(f);
	return all;
}

static size_t count(int mem, unsigned long from, unsigned long to, struct kb_span octets)
{
	size_t n = 0, len = to - from;
	uint8_t *copy = malloc(len), *at = copy;

	assert_non_null(copy);
	/* What is reserved and not there, or not this process's to read, has nothing of it. */
	ssize_t got = pread(mem, copy, len, (off_t)from);

	while (got > 0 && (at = memmem(at, (size_t)(copy + got - at), octets.p, octets.len))) {
		at += octets.len;
		n++;
	}
	free(copy);
	return n;
}

size_t room_has(const struct room *r, struct kb_span octets)
{
	char line[512];
	size_t n = 0;

	(void)snprintf(line, sizeof line, "/proc/%d/mem", (int)r->pid);
	KB_AUTO(kb_fd_close) int mem = open(line, O_RDONLY | O_CLOEXEC);
	(void)snprintf(line, sizeof line, "/proc/%d/maps", (int)r->pid);
	FILE *maps = fopen(line, "re");

	if (mem < 0 || !maps)
		n = SIZE_MAX;
	while (n != SIZE_MAX && fgets(line, sizeof line, maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx rw", &from, &to) == 2 && strstr(line, " rw") && to - from < (UINT64_C(1) << 30))
			n += count(mem, from, to, octets);
	}
	if (maps)
		(void)fclose(maps);
	return n;
}
