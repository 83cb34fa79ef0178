/* deskfix: see deskfix.h. */
#include "deskfix.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void desk_start(struct desk *d)
{
	const char *program = getenv("KB_DESK");
	const struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct kb_settings s;
	assert_non_null(program);
	memset(&s, 0, sizeof(s));
	s.listener[s.listeners++].kind = KB_LISTEN_DESK;
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(d->listener >= 0);
	/* No more than the family: the kernel finds a name. */
	assert_int_equal(bind(d->listener, (const void *)&un, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(d->listener, 128), 0);
	room_start(&d->room, program, &s);
	room_file(&d->room, KB_FILE_LISTEN, 0, fcntl(d->listener, F_DUPFD_CLOEXEC, 0));
	d->vault = room_peer(&d->room, KB_ROOM_VAULT);
	room_go(&d->room, KB_ROOM_DESK, true);
}

void desk_stop(struct desk *d)
{
	room_ask_to_stop(&d->room);
	assert_int_equal(room_end(&d->room), 0);
	kb_fd_close(&d->vault);
	kb_fd_close(&d->listener);
}

/* ---- a client ---- */

int visitor(struct desk *d)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	assert_int_equal(getsockname(d->listener, (void *)&a, &len), 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (void *)&a, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

int visitor_as(struct desk *d, uid_t uid)
{
	uid_t self = geteuid();
	assert_int_equal(seteuid(uid), 0);
	int fd = visitor(d);
	assert_int_equal(seteuid(self), 0);
	return fd;
}

/* One that has hung up hears nothing, which is no fault of the test. */
void request_body(int fd, enum kb_desk type, const void *body)
{
	const struct kb_desk_row *row = kb_desk_request(type);
	uint8_t octets[sizeof(struct kb_desk_frame) + KB_ASK_BODY];
	const struct kb_desk_frame head = {.type = type, .len = row->size};
	memcpy(octets, &head, sizeof(head));
	memcpy(octets + sizeof(head), body, row->size);
	ssize_t n = send(fd, octets, sizeof(head) + row->size, MSG_NOSIGNAL);
	assert_true(n < 0 || n == (ssize_t)(sizeof(head) + row->size));
}

void request(int fd, enum kb_desk type)
{
	static const uint8_t zero[KB_ASK_BODY];
	request_body(fd, type, zero);
}

static bool take(int fd, void *to, size_t n)
{
	return n == 0 || recv(fd, to, n, MSG_WAITALL) == (ssize_t)n;
}

unsigned answer(int fd)
{
	struct kb_desk_frame head;
	uint8_t body[KB_DESK_DATA_MOST];
	unsigned last = 0;
	while (take(fd, &head, sizeof(head)) && head.len <= sizeof(body) && take(fd, body, head.len)) {
		if (head.type == KB_DESK_END)
			return last;
		last = head.type;
		if (last == KB_DESK_ERROR)
			return last;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool hung_up(int fd, int ms)
{
	char octets[4096];
	int64_t until = now_ms() + ms, left;
	while ((left = until - now_ms()) >= 0 && !silent(fd, (int)left))
		if (recv(fd, octets, sizeof(octets), 0) <= 0)
			return true;
	return false;
}

int person(struct desk *d)
{
	int fd = visitor(d);
	request(fd, KB_DESK_LOGIN);
	struct kb_wire_ask q = asked(d);
	assert_int_equal(q.type, KB_DESK_LOGIN);
	tell(d, &q);
	assert_int_equal(answer(fd), KB_DESK_LOGIN);
	return fd;
}

/* ---- the vault ---- */

struct kb_wire_ask asked(struct desk *d)
{
	struct message m;
	struct kb_wire_ask q;
	do
		if (!hear(d->vault, &m))
			fail_msg("the desk has ended its channel to the vault");
	while (m.type == KB_WIRE_GONE);
	assert_int_equal(m.type, KB_WIRE_ASK);
	assert_int_equal(m.size, sizeof(q));
	memcpy(&q, m.body, sizeof(q));
	return q;
}

void tell(struct desk *d, const struct kb_wire_ask *q)
{
	struct kb_wire_answer a;
	memset(&a, 0, sizeof(a));
	a.conn = q->conn;
	a.type = q->type;
	a.len = q->type == KB_DESK_STATUS ? sizeof(struct kb_desk_status) : sizeof(struct kb_desk_body);
	a.last = 1;
	say(d->vault, KB_WIRE_ANSWER, &a, sizeof(a), NULL, 0);
}
