/*
 * supervisor_sockets: listening sockets, bound here while that may need root, or taken from systemd (sd_listen_fds(3),
 * by the names smtp, smtps, lmtp and desk). What systemd gives takes the place of the configured listeners of that
 * kind.
 *
 * RUN_DIR/listeners has a line "KIND ADDRESS" for each, and RUN_DIR/rooms a line "ROOM INDEX PID" for each process;
 * both are replaced in one step.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "supervisor.h"

enum { BACKLOG = 1024 };

static const char *const kinds[] = {
    [KB_LISTEN_SMTP] = "smtp", [KB_LISTEN_SMTPS] = "smtps", [KB_LISTEN_LMTP] = "lmtp", [KB_LISTEN_DESK] = "desk"};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

/* What settings_check.c let pass: a path, "1.2.3.4:25", "[::1]:25". */
static socklen_t parse(const char *text, union address *ret_a)
{
	char host[KB_PATH_FIELD];

	memset(ret_a, 0, sizeof *ret_a);
	if (text[0] == '/') {
		ret_a->un.sun_family = AF_UNIX;
		kb_field_set(ret_a->un.sun_path, sizeof ret_a->un.sun_path, kb_span_str(text));
		return sizeof ret_a->un;
	}
	const char *colon = strrchr(text, ':');

	if (!colon)
		return 0;
	in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));

	if (text[0] == '[') {
		kb_field_set(host, sizeof host, KB_SPAN(text + 1, (size_t)(colon - text) - 2));
		ret_a->v6.sin6_family = AF_INET6;
		ret_a->v6.sin6_port = port;
		return inet_pton(AF_INET6, host, &ret_a->v6.sin6_addr) == 1 ? sizeof ret_a->v6 : 0;
	}
	kb_field_set(host, sizeof host, KB_SPAN(text, (size_t)(colon - text)));
	ret_a->v4.sin_family = AF_INET;
	ret_a->v4.sin_port = port;
	return inet_pton(AF_INET, host, &ret_a->v4.sin_addr) == 1 ? sizeof ret_a->v4 : 0;
}

/* The reverse, of a bound socket. False for a family that is none of ours. */
static bool describe(int fd, char *ret_text, size_t size)
{
	union address a;
	socklen_t len = sizeof a;
	char host[INET6_ADDRSTRLEN];

	memset(&a, 0, sizeof a);
	if (getsockname(fd, &a.any, &len) < 0)
		return false;
	switch (a.any.sa_family) {
	case AF_UNIX:
		snprintf(ret_text, size, "%.*s", (int)sizeof a.un.sun_path, a.un.sun_path);
		return ret_text[0] == '/';
	case AF_INET:
		snprintf(ret_text, size, "%s:%u", inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof host),
		    ntohs(a.v4.sin_port));
		return true;
	case AF_INET6:
		snprintf(ret_text, size, "[%s]:%u", inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof host),
		    ntohs(a.v6.sin6_port));
		return true;
	default:
		return false;
	}
}

/* A socket that a dead kiteboxd left is in the way; anything else that stands there is not ours to remove. */
static enum kb_status make_way(struct kb_diag *d, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? KB_OK : KB_FAIL_SYS(d, "the path of a Unix socket cannot be looked at");
	if (!S_ISSOCK(st.st_mode))
		return KB_FAIL(
		    d, KB_DENIED, 0, "something that is no socket stands where a Unix socket should be bound");
	return unlink(path) == 0 ? KB_OK : KB_FAIL_SYS(d, "an old Unix socket cannot be removed");
}

/* The group of run_dir: the people who may connect are its members. */
static enum kb_status open_to_group(struct kb_diag *d, const struct kb_super *s, const char *path)
{
	struct stat st;

	if (fstat(s->run_dir, &st) < 0 || (geteuid() == 0 && lchown(path, st.st_uid, st.st_gid) < 0) ||
	    chmod(path, 0660) < 0)
		return KB_FAIL_SYS(d, "a Unix socket cannot be given to the user");
	return KB_OK;
}

static enum kb_status bind_one(struct kb_diag *d, const struct kb_super *s, const char *address, int *ret_fd)
{
	static const int on = 1;
	union address a;
	socklen_t len = parse(address, &a);
	enum kb_status st = KB_OK;

	if (len == 0)
		return KB_FAIL(d, KB_MALFORMED, 0, "a listener's address is not one");
	bool is_unix = a.any.sa_family == AF_UNIX;
	KB_AUTO(kb_fd_close) int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return KB_FAIL_SYS(d, "a listener cannot be made");
	if (is_unix)
		st = make_way(d, address);
	else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
		 (a.any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0))
		return KB_FAIL_SYS(d, "a listener cannot be set up");
	if (st != KB_OK)
		return st;
	if (bind(fd, &a.any, len) < 0)
		return KB_FAIL_SYS(d, "a listener cannot be bound; is its address this host's, and free?");
	if (is_unix)
		st = open_to_group(d, s, address);
	if (st == KB_OK && listen(fd, BACKLOG) < 0)
		return KB_FAIL_SYS(d, "a listener cannot listen");
	if (st != KB_OK)
		return st;
	*ret_fd = fd;
	fd = -1;
	return KB_OK;
}

static int kind_of(const char *name)
{
	for (size_t i = 0; i < KB_LEN(kinds); i++)
		if (strcmp(kinds[i], name) == 0)
			return (int)i;
	return -1;
}

struct given {
	int fd;
	uint8_t kind;
};

/* What systemd bound for us; the rest of its table is closed. */
static size_t take_given(struct given given[static KB_LISTENERS_MOST])
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	size_t taken = 0;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i, kind = names ? kind_of(names[i]) : -1;

		if (kind >= 0 && taken < KB_LISTENERS_MOST && sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0) {
			given[taken++] = (struct given){fd, (uint8_t)kind};
		} else {
			kb_super_log_number(LOG_WARNING, NULL,
			    "systemd gave a descriptor that is not a listener named smtp, smtps, lmtp or desk:", fd);
			kb_fd_close(&fd);
		}
	}
	for (int i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
	/* Rooms are given descriptor 3, so that ours may not stay there; and a room's descriptors close on exec. */
	for (size_t i = 0; i < taken; i++) {
		int moved = fcntl(given[i].fd, F_DUPFD_CLOEXEC, 10);

		if (moved < 0)
			abort();
		kb_fd_close(&given[i].fd);
		given[i].fd = moved;
		if (fcntl(moved, F_SETFL, O_NONBLOCK) < 0)
			abort();
	}
	return taken;
}

enum kb_status kb_super_sockets(struct kb_diag *d, struct kb_super *s)
{
	struct given given[KB_LISTENERS_MOST];
	struct kb_settings *c = &s->settings;
	size_t n = take_given(given), kept = 0;
	unsigned kinds_given = 0;

	for (size_t i = 0; i < n; i++)
		kinds_given |= 1u << given[i].kind;
	for (uint32_t i = 0; i < c->listeners; i++)
		if (!(kinds_given & 1u << c->listener[i].kind))
			c->listener[kept++] = c->listener[i];
	if (kept + n > KB_LISTENERS_MOST)
		return KB_FAIL(d, KB_LIMIT, 0, "more listeners than kiteboxd takes");
	for (size_t i = 0; i < n; i++)
		c->listener[kept + i] = (struct kb_listener){.kind = given[i].kind};
	c->listeners = (uint32_t)(kept + n);
	for (uint32_t i = 0; i < c->listeners; i++) {
		int fd = i < kept ? -1 : given[i - kept].fd;
		enum kb_status st = fd < 0 ? bind_one(d, s, c->listener[i].address, &fd) : KB_OK;

		if (st != KB_OK)
			return st;
		kb_super_file_put(s, KB_FILE_LISTEN, i, fd);
		/* With the port that the kernel chose, if it did. */
		if (!describe(fd, c->listener[i].address, sizeof c->listener[i].address))
			return KB_FAIL(d, KB_UNSUPPORTED, 0, "a listener is of a kind that kiteboxd does not serve");
	}
	return KB_OK;
}

static void replace(const struct kb_super *s, const char *name, struct kb_span text)
{
	char next[32];
	struct kb_diag d = {0};

	snprintf(next, sizeof next, "%s.new", name);
	KB_AUTO(kb_fd_close)
	int fd = openat(s->run_dir, next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0 || write(fd, text.p, text.len) != (ssize_t)text.len ||
	    renameat(s->run_dir, next, s->run_dir, name) < 0) {
		(void)KB_FAIL_SYS(&d, "run_dir");
		kb_super_log(LOG_WARNING, NULL, &d, "cannot be written");
	}
}

void kb_super_write_listeners(struct kb_super *s)
{
	char text[KB_LISTENERS_MOST * (KB_PATH_FIELD + 8)];
	size_t n = 0;

	for (uint32_t i = 0; i < s->settings.listeners; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s %s\n", kinds[s->settings.listener[i].kind],
		    s->settings.listener[i].address);
	replace(s, "listeners", KB_SPAN(text, n));
}

void kb_super_write_rooms(struct kb_super *s)
{
	char text[(KB_SUPER_ROOMS_MOST + 1) * 40];
	size_t n = (size_t)snprintf(text, sizeof text, "kiteboxd 0 %d\n", getpid());

	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i].pid)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s %u %d\n", kb_room_name(s->slot[i].room),
			    s->slot[i].index, s->slot[i].pid);
	replace(s, "rooms", KB_SPAN(text, n));
}

void kb_super_forget(struct kb_super *s)
{
	static const char *const names[] = {"listeners", "rooms"};

	for (size_t i = 0; i < KB_LEN(names); i++)
		if (unlinkat(s->run_dir, names[i], 0) < 0 && errno != ENOENT)
			kb_super_log(LOG_WARNING, NULL, NULL, "a file of run_dir cannot be removed");
}
