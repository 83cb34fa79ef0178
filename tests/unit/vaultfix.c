/* vaultfix: see vaultfix.h. */
#include "vaultfix.h"

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

struct house *house_new(const char *program)
{
	struct house *h = calloc(1, sizeof *h);
	assert_non_null(h);
	h->f = fix_bare();
	fix_close(h->f);
	h->program = program;
	h->pid = -1;
	h->control = h->sealer = h->desk = h->courier = -1;
	h->settings.map_octets = FIX_MAP;
	h->settings.held_s = 86400;
	h->settings.retry_first_s = 1;
	h->settings.retry_most_s = 4;
	h->settings.tick_s = 1;
	h->settings.limit.message_octets = 50 << 20;
	h->bundle = h->vault_key = h->referral_key = h->office_key = true;
	h->office = h->f->office.pub;
	h->outbox_key = 7;
	return h;
}

void say(int fd, uint16_t type, const void *body, size_t size, const int *fds, size_t n)
{
	struct kb_wire_head head = {.type = type, .fds = (uint16_t)n, .size = (uint32_t)size};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(FDS_MOST * sizeof(int))];
	} u;
	void *b = NULL;
	memcpy(&b, &body, sizeof b);
	struct iovec iov[2] = {{&head, sizeof head}, {b, size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
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
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), sizeof head + size);
}

bool silent(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, ms) == 0;
}

void hear(int fd, struct message *m)
{
	struct kb_wire_head head;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(FDS_MOST * sizeof(int))];
	} u;
	struct iovec iov[2] = {{&head, sizeof head}, {m->body, sizeof m->body}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = u.room, .msg_controllen = sizeof u.room};
	assert_false(silent(fd, PATIENCE_MS));
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
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
}

void message_close(struct message *m)
{
	for (size_t i = 0; i < FDS_MOST; i++)
		kb_fd_close(&m->fd[i]);
}

static void note_health(struct house *h, const struct message *m)
{
	const struct kb_wire_health *w = (const void *)m->body;
	if (m->type != KB_WIRE_HEALTH)
		return;
	assert_in_range(w->code, 1, KB_HEALTH_COUNT - 1);
	h->on[w->code] = w->on ? 1 + (uint32_t)w->count : 0;
}

void await_health(struct house *h, enum kb_health code, bool on)
{
	struct message m;
	while ((h->on[code] > 0) != on) {
		hear(h->control, &m);
		note_health(h, &m);
	}
}

/* ---- as a supervisor ---- */

static void give_file(struct house *h, enum kb_file kind, int fd)
{
	const struct kb_wire_file w = {.kind = kind};
	say(h->control, KB_WIRE_FILE, &w, sizeof w, &fd, 1);
	kb_fd_close(&fd);
}

static void give_octets(struct house *h, enum kb_file kind, struct kb_span octets)
{
	int fd;
	assert_ok(kb_memfd_from(NULL, "file", octets, &fd));
	give_file(h, kind, fd);
}

static void pair(int ret_fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds), 0);
	for (int i = 0, room = 1 << 20; i < 2; i++)
		(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

int house_peer(struct house *h, enum kb_room room, uint32_t index)
{
	const struct kb_wire_peer w = {.room = room, .index = index};
	int ends[2];
	pair(ends);
	say(h->control, KB_WIRE_PEER, &w, sizeof w, &ends[1], 1);
	kb_fd_close(&ends[1]);
	return ends[0];
}

static void give_files(struct house *h)
{
	struct kb_buf b;
	char pub[KB_MINISIGN_PUBLIC_TEXT];
	int dir = open(h->f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	give_file(h, KB_FILE_STATE_DIR, dir);
	kb_buf_init(&b, 1 << 20);
	kb_minisign_public_format(&h->office, pub);
	if (h->office_key)
		give_octets(h, KB_FILE_OFFICE_PUBLIC, kb_span_str(pub));
	if (h->vault_key)
		give_octets(h, KB_FILE_VAULT_KEY, KB_SPAN(h->f->vault_key, 32));
	assert_ok(kb_minisign_key_format(&h->f->referral, KB_SPAN(NULL, 0), &b));
	if (h->referral_key)
		give_octets(h, KB_FILE_REFERRAL_KEY, kb_buf_span(&b));
	kb_buf_clear(&b);
	fix_bundle(h->f, &b);
	if (h->bundle)
		give_octets(h, KB_FILE_OFFICE_BUNDLE, kb_buf_span(&b));
	kb_buf_release(&b);
}

static _Noreturn void become(const struct house *h, int control)
{
	char name[] = "kiteboxd-vault";
	char *argv[] = {name, NULL}, *env[] = {NULL};
	if (control == 3 ? fcntl(control, F_SETFD, 0) < 0 : dup2(control, 3) < 0)
		_exit(126);
	execve(h->program, argv, env);
	_exit(127);
}

void house_start(struct house *h)
{
	const struct kb_wire_none none = {0};
	const struct kb_wire_peer self = {.room = KB_ROOM_VAULT};
	const struct kb_wire_outbox_key key = {.number = h->outbox_key};
	struct message m;
	int ends[2], fd;
	pair(ends);
	memset(h->on, 0, sizeof h->on);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (h->pid == 0)
		become(h, ends[1]);
	kb_fd_close(&ends[1]);
	h->control = ends[0];
	assert_ok(kb_memfd_from(NULL, "settings", KB_SPAN(&h->settings, sizeof h->settings), &fd));
	say(h->control, KB_WIRE_CONFIG, &none, sizeof none, &fd, 1);
	kb_fd_close(&fd);
	give_files(h);
	if (h->outbox_key)
		say(h->control, KB_WIRE_OUTBOX_KEY, &key, sizeof key, NULL, 0);
	h->sealer = house_peer(h, KB_ROOM_SEALER, 0);
	h->desk = house_peer(h, KB_ROOM_DESK, 0);
	h->courier = house_peer(h, KB_ROOM_COURIER, 0);
	say(h->control, KB_WIRE_GO, &self, sizeof self, NULL, 0);
	do {
		hear(h->control, &m);
		note_health(h, &m);
	} while (m.type != KB_WIRE_READY);
}

static int gone(struct house *h)
{
	int status;
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	h->pid = -1;
	kb_fd_close(&h->control);
	kb_fd_close(&h->sealer);
	kb_fd_close(&h->desk);
	kb_fd_close(&h->courier);
	return status;
}

void house_kill(struct house *h)
{
	assert_int_equal(kill(h->pid, SIGKILL), 0);
	(void)gone(h);
}

void house_stop(struct house *h)
{
	const struct kb_wire_none none = {0};
	say(h->control, KB_WIRE_STOP, &none, sizeof none, NULL, 0);
	int status = gone(h);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

void house_free(struct house *h)
{
	if (h->pid > 0)
		house_stop(h);
	fix_free(h->f);
	free(h);
}

/* ---- as a sealer ---- */

void store_letter(struct house *h, const struct letter *l)
{
	struct parcel p;
	struct kb_wire_store w;
	int fds[FDS_MOST];
	struct letter now = *l;
	if (!now.received_s)
		now.received_s = (uint64_t)time(NULL);
	parcel_new(h->f, &now, &p);
	memset(&w, 0, sizeof w);
	w.id = p.put.id;
	w.received_s = now.received_s;
	w.entitled = p.put.entitled;
	w.size_class = p.put.size_class;
	memcpy(w.fingerprint, p.fingerprint, sizeof w.fingerprint);
	w.roster_version = w.epoch = 1;
	w.header_len = p.put.header_len;
	w.destinations = now.destinations;
	w.class_ = now.class_;
	w.urgent = now.urgent;
	w.unreadable = now.unreadable;
	w.outbox_key = now.outbox_key;
	memset(w.summary, (int)now.number, sizeof w.summary);
	fds[0] = p.put.message.fd;
	for (size_t i = 0; i < p.put.referrals; i++)
		fds[1 + i] = p.put.referral[i].file.fd;
	say(h->sealer, KB_WIRE_STORE, &w, sizeof w, fds, 1 + p.put.referrals);
	parcel_release(&p);
}

struct kb_wire_result stored(struct house *h)
{
	struct message m;
	struct kb_wire_result r;
	do {
		hear(h->sealer, &m);
		message_close(&m);
	} while (m.type == KB_WIRE_ROSTER);
	assert_int_equal(m.type, KB_WIRE_STORED);
	assert_int_equal(m.size, sizeof r);
	memcpy(&r, m.body, sizeof r);
	return r;
}

struct kb_wire_result house_put(struct house *h, const struct letter *l)
{
	store_letter(h, l);
	return stored(h);
}

/* ---- as the desk ---- */

void ask(struct house *h, uint32_t conn, uint16_t type, const void *body, size_t size)
{
	struct kb_wire_ask w;
	memset(&w, 0, sizeof w);
	w.conn = conn;
	w.type = type;
	w.len = (uint16_t)size;
	assert_true(size <= sizeof w.body);
	memcpy(w.body, body, size);
	say(h->desk, KB_WIRE_ASK, &w, sizeof w, NULL, 0);
}

enum kb_status answer(struct house *h, uint16_t type, void *ret, size_t size, struct kb_map *ret_map)
{
	struct message m;
	struct kb_wire_answer w;
	hear(h->desk, &m);
	assert_int_equal(m.size, sizeof w);
	memcpy(&w, m.body, sizeof w);
	assert_int_equal(m.type, w.body_in_fd ? KB_WIRE_ANSWER_FD : KB_WIRE_ANSWER);
	if (w.type == KB_DESK_ERROR) {
		struct kb_desk_error e;
		assert_int_equal(w.last, 1);
		memcpy(&e, w.body, sizeof e);
		return (enum kb_status)e.status;
	}
	assert_int_equal(w.type, type);
	assert_int_equal(w.len, size);
	memcpy(ret, w.body, size);
	if (ret_map) {
		*ret_map = (struct kb_map){0};
		if (w.body_in_fd)
			assert_ok(kb_map_open(NULL, m.fd[0], SIZE_MAX, ret_map));
	}
	message_close(&m);
	return KB_OK;
}

enum kb_status log_in(struct house *h, uint32_t conn, unsigned person)
{
	static const char label[] = "kitebox login v1";
	struct kb_desk_hello hello = {.protocol = KB_DESK_PROTOCOL};
	struct kb_desk_challenge c;
	struct kb_desk_login l = {.purpose = "list"};
	struct kb_desk_welcome w;
	uint8_t text[sizeof label + 16 + 32 + 32 + 16];
	randombytes_buf(hello.nonce, sizeof hello.nonce);
	ask(h, conn, KB_DESK_HELLO, &hello, sizeof hello);
	enum kb_status st = answer(h, KB_DESK_HELLO, &c, sizeof c, NULL);
	if (st != KB_OK)
		return st;
	memcpy(text, label, sizeof label);
	memcpy(text + sizeof label, c.store.b, 16);
	memcpy(text + sizeof label + 16, hello.nonce, 32);
	memcpy(text + sizeof label + 48, c.nonce, 32);
	memcpy(text + sizeof label + 80, l.purpose, 16);
	memcpy(l.person, h->f->roster.person[person].id, sizeof l.person);
	crypto_sign_detached(l.signature, NULL, text, sizeof text, h->f->person_secret[person]);
	ask(h, conn, KB_DESK_LOGIN, &l, sizeof l);
	st = answer(h, KB_DESK_LOGIN, &w, sizeof w, NULL);
	if (st == KB_OK)
		assert_int_equal(w.person, person);
	return st;
}
