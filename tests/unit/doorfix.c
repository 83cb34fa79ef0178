/* doorfix: see doorfix.h. */
#include "doorfix.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char line[1024];

/* ---- the room ---- */

static int listener(unsigned which)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	bool is_unix = which == L_UNIX;
	int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	/* Of a Unix socket no more than the family: the kernel finds a name. */
	assert_int_equal(is_unix ? bind(fd, (void *)&un, sizeof(sa_family_t)) : bind(fd, (void *)&v4, sizeof(v4)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

void door_init(struct door *d, bool tls)
{
	static const char *const mailboxes[] = {"desk@kitebox.example", "familia@kitebox.example", "relay@kitebox.example"};
	static const uint8_t kinds[LISTENERS] = {KB_LISTEN_SMTP, KB_LISTEN_LMTP, KB_LISTEN_LMTP, KB_LISTEN_SMTPS};
	struct kb_settings *s = &d->settings;
	memset(d, 0, sizeof(*d));
	for (unsigned i = 0; i < (tls ? LISTENERS : L_SMTPS); i++)
		s->listener[s->listeners++].kind = kinds[i];
	kb_field_set(s->hostname, sizeof(s->hostname), KB_LIT("kitebox.example"));
	for (uint32_t i = 0; i < KB_LEN(mailboxes); i++)
		kb_field_set(s->mailbox[s->mailboxes++].address, KB_ADDRESS_FIELD, kb_span_str(mailboxes[i]));
	s->limit = (struct kb_limits){.message_octets = 8 << 20, .command_octets = 2048, .recipients = 10000, .hops = 50, .idle_s = 60,
	    .connections = 100, .flight_octets = 32 << 20, .messages_a_session = 1000};
	for (unsigned i = 0; i < SEALERS; i++)
		d->sealer[i] = -1;
	for (unsigned i = 0; i < LISTENERS; i++)
		d->listener[i] = -1;
}

void door_begin(struct door *d)
{
	const char *program = getenv("KB_DOOR");
	assert_non_null(program);
	room_start(&d->room, program, &d->settings);
}

void door_start(struct door *d, unsigned sealers)
{
	if (d->room.pid == 0)
		door_begin(d);
	for (unsigned i = 0; i < d->settings.listeners; i++) {
		d->listener[i] = listener(i);
		room_file(&d->room, KB_FILE_LISTEN, i, fcntl(d->listener[i], F_DUPFD_CLOEXEC, 0));
	}
	for (unsigned i = 0; i < sealers; i++)
		door_sealer(d, i);
	room_go(&d->room, KB_ROOM_DOOR, true);
}

void door_sealer(struct door *d, unsigned index)
{
	const struct kb_wire_peer w = {.room = KB_ROOM_SEALER, .index = index, .link = ++d->links};
	int ends[2];
	kb_fd_close(&d->sealer[index]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	say(d->room.control, KB_WIRE_PEER, &w, sizeof(w), &ends[1], 1);
	kb_fd_close(&ends[1]);
	d->sealer[index] = ends[0];
}

void door_stop(struct door *d)
{
	room_ask_to_stop(&d->room);
	door_end(d);
}

void door_end(struct door *d)
{
	assert_int_equal(room_end(&d->room), 0);
	for (unsigned i = 0; i < SEALERS; i++)
		kb_fd_close(&d->sealer[i]);
	for (unsigned i = 0; i < LISTENERS; i++)
		kb_fd_close(&d->listener[i]);
}

/* ---- a client ---- */

int client_from(struct door *d, unsigned which, const char *address)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	assert_int_equal(getsockname(d->listener[which], (void *)&a, &len), 0);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (address) {
		struct sockaddr_in from = {.sin_family = AF_INET};
		assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
		assert_int_equal(bind(fd, (void *)&from, sizeof(from)), 0);
	}
	assert_int_equal(connect(fd, (void *)&a, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

int client(struct door *d, unsigned which)
{
	return client_from(d, which, NULL);
}

void put(int fd, const void *octets, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = send(fd, (const char *)octets + done, n - done, MSG_NOSIGNAL);
		assert_true(k > 0);
		done += (size_t)k;
	}
}

/* One line, taken from the socket with nothing behind it. */
static void get_line(int fd)
{
	size_t n = 0;
	do {
		ssize_t there = recv(fd, line + n, sizeof(line) - 1 - n, MSG_PEEK);
		if (there <= 0)
			fail_msg("no reply came");
		char *lf = memchr(line + n, '\n', (size_t)there);
		size_t take = lf ? (size_t)(lf - line) + 1 - n : (size_t)there;
		assert_int_equal(recv(fd, line + n, take, 0), (ssize_t)take);
		n += take;
	} while (line[n - 1] != '\n');
	assert_true(n > 5 && line[n - 2] == '\r');
	line[n - 2] = '\0';
}

static void reply(int fd)
{
	do
		get_line(fd);
	while (line[3] == '-');
}

const char *last_line(void)
{
	return line;
}

void talk(int fd, const char *text, const char *codes)
{
	if (text)
		put(fd, text, strlen(text));
	while (*codes) {
		size_t n = strcspn(codes, "|");
		reply(fd);
		if (strncmp(line, codes, n) != 0 || line[n] != ' ')
			fail_msg("heard \"%s\", not \"%.*s\"", line, (int)n, codes);
		codes += n + (codes[n] == '|');
	}
}

int greeted_from(struct door *d, unsigned which, const char *address)
{
	int fd = client_from(d, which, address);
	talk(fd, NULL, "220");
	return fd;
}

int greeted(struct door *d, unsigned which)
{
	return greeted_from(d, which, NULL);
}

void gone(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);
	if (n == 1)
		fail_msg("something more was said");
	kb_fd_close(&fd);
}

int to_data(struct door *d, unsigned which)
{
	bool lmtp = which == L_LMTP || which == L_UNIX;
	int fd = greeted(d, which);
	talk(fd, lmtp ? "LHLO client.example\r\n" : HELLO, "250");
	talk(fd, ENVELOPE "DATA\r\n", "250 2.1.0|250 2.1.5|354");
	return fd;
}

/* ---- a sealer ---- */

struct kb_wire_submit submitted(struct door *d, unsigned i, struct kb_buf *ret_octets)
{
	struct message m;
	struct kb_wire_submit w;
	struct kb_map map;
	assert_true(hear(d->sealer[i], &m));
	assert_int_equal(m.type, KB_WIRE_SUBMIT);
	assert_int_equal(m.size, sizeof(w));
	assert_int_equal(m.fds, 1);
	memcpy(&w, m.body, sizeof(w));
	assert_ok(kb_map_open(NULL, m.fd[0], 1 << 30, &map)); /* which looks at the seals */
	assert_int_equal(map.s.len, w.size);
	kb_buf_init(ret_octets, map.s.len + 1);
	assert_ok(kb_buf_add(ret_octets, map.s));
	kb_map_release(&map);
	message_close(&m);
	return w;
}

void result(struct door *d, unsigned i, const struct kb_id *id, uint32_t status)
{
	struct kb_wire_result w;
	memset(&w, 0, sizeof(w));
	w.id = *id;
	w.status = status;
	say(d->sealer[i], KB_WIRE_RESULT, &w, sizeof(w), NULL, 0);
}

void store(struct door *d, unsigned i)
{
	struct kb_buf octets;
	struct kb_wire_submit w = submitted(d, i, &octets);
	kb_buf_release(&octets);
	result(d, i, &w.id, KB_OK);
}
