/* client: see client.h. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <kitebox/memfd.h>

enum kb_status kite_client_open(struct kb_diag *d, const char *path, struct kite_client *ret_c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(a.sun_path))
		return KB_FAIL(d, KB_LIMIT, 0, "the path is too long for a socket");
	kb_field_set(a.sun_path, sizeof(a.sun_path), kb_span_str(path));
	KB_AUTO(kb_fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return KB_FAIL_SYS(d, "nobody can be reached there");
	memset(ret_c, 0, sizeof(*ret_c));
	ret_c->wait_ms = KITE_CLIENT_WAIT_MS;
	ret_c->fd = fd;
	fd = -1;
	return KB_OK;
}

void kite_client_close(struct kite_client *c)
{
	if (c->wait_ms)
		kb_fd_close(&c->fd);
	c->wait_ms = 0;
}

bool kite_client_is_far(const struct kite_client *c)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);
	char path[64], name[32] = "";
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.pid <= 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)peer.pid);
	FILE *f = fopen(path, "re");
	bool far = f && fgets(name, sizeof(name), f) && strcmp(name, "ssh\n") == 0;
	if (f)
		(void)fclose(f);
	return far;
}

/* ---- octets ---- */

static enum kb_status wait_for(struct kite_client *c, struct kb_diag *d, short events)
{
	struct pollfd p = {.fd = c->fd, .events = events};
	for (;;) {
		int n = poll(&p, 1, c->wait_ms);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "the desk cannot be waited for");
		return n ? KB_OK : KB_FAIL(d, KB_AGAIN, 0, "the desk is silent");
	}
}

static enum kb_status send_all(struct kite_client *c, struct kb_diag *d, struct kb_span s)
{
	while (s.len) {
		enum kb_status st = wait_for(c, d, POLLOUT);
		if (st != KB_OK)
			return st;
		ssize_t n = send(c->fd, s.p, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "the desk went away");
		s = kb_span_from(s, (size_t)n);
	}
	return KB_OK;
}

static enum kb_status receive_all(struct kite_client *c, struct kb_diag *d, uint8_t *p, size_t n)
{
	while (n) {
		enum kb_status st = wait_for(c, d, POLLIN);
		if (st != KB_OK)
			return st;
		ssize_t k = recv(c->fd, p, n, MSG_DONTWAIT);
		if (k < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (k < 0)
			return KB_FAIL_SYS(d, "the desk went away");
		if (k == 0)
			return KB_FAIL(d, KB_IO, 0, "the desk ended the connection");
		p += k;
		n -= (size_t)k;
	}
	return KB_OK;
}

/* ---- frames ---- */

/* Where in an answer's struct the length of its body stands; SIZE_MAX: it has none. */
static size_t body_len_at(uint16_t type)
{
	switch (type) {
	case KB_DESK_ROSTER:
	case KB_DESK_GRANT:
	case KB_DESK_LIST:
	case KB_DESK_REFERRALS:
		return offsetof(struct kb_desk_body, body_len);
	case KB_DESK_OPEN:
		return offsetof(struct kb_desk_blob, body_len);
	case KB_DESK_STATUS:
		return offsetof(struct kb_desk_status, body_len);
	default:
		return SIZE_MAX;
	}
}

enum kb_status kite_client_ask(struct kite_client *c, struct kb_diag *d, uint16_t type, const void *body, size_t size)
{
	uint8_t head[sizeof(struct kb_desk_frame)];
	kb_put_u16(head, type);
	kb_put_u16(head + 2, 0);
	kb_put_u32(head + 4, (uint32_t)size);
	c->failed = false;
	enum kb_status st = send_all(c, d, KB_SPAN(head, sizeof(head)));
	return st == KB_OK ? send_all(c, d, KB_SPAN(body, size)) : st;
}

static enum kb_status breach(struct kb_diag *d)
{
	return KB_FAIL(d, KB_MALFORMED, 0, "what answers there does not speak the desk's protocol");
}

static enum kb_status desk_error(struct kite_client *c, struct kb_diag *d, uint32_t len)
{
	struct kb_desk_error e;
	struct kb_span what;
	struct kb_buf clean;
	if (len != sizeof(e))
		return breach(d);
	enum kb_status st = receive_all(c, d, (uint8_t *)&e, sizeof(e));
	if (st != KB_OK)
		return st;
	if (e.status == KB_OK || e.status >= KB_STATUS_COUNT || kb_field_get(e.what, sizeof(e.what), &what) != KB_OK)
		return breach(d);
	kb_buf_init(&clean, 4096);
	if (kb_text_harmless(&clean, what, false) == KB_OK)
		kb_field_set(c->said, sizeof(c->said), kb_buf_span(&clean));
	kb_buf_release(&clean);
	c->failed = true;
	return kb_fail(d, (enum kb_status)e.status, 0, 0, NULL);
}

static enum kb_status data(struct kite_client *c, struct kb_diag *d, uint32_t len, size_t most, size_t *got, struct kb_buf *body)
{
	if (!len || len > KB_DESK_DATA_MOST || !body)
		return breach(d);
	if (len > most - *got || kb_buf_reserve(body, len) != KB_OK)
		return KB_FAIL(d, KB_LIMIT, 0, "the desk sends more than belongs to what was asked");
	enum kb_status st = receive_all(c, d, body->p + body->len, len);
	if (st == KB_OK) {
		body->len += len;
		*got += len;
	}
	return st;
}

static enum kb_status head(struct kite_client *c, struct kb_diag *d, uint16_t *ret_type, uint32_t *ret_len)
{
	uint8_t octets[sizeof(struct kb_desk_frame)];
	enum kb_status st = receive_all(c, d, octets, sizeof(octets));
	if (st != KB_OK)
		return st;
	if (kb_get_u16(octets + 2) != 0)
		return breach(d);
	*ret_type = kb_get_u16(octets);
	*ret_len = kb_get_u32(octets + 4);
	return KB_OK;
}

enum kb_status kite_client_next(struct kite_client *c, struct kb_diag *d, uint16_t type, void *ret_answer, size_t size, size_t most,
    struct kb_buf *ret_body)
{
	size_t got = 0, at = body_len_at(type);
	uint16_t t = 0;
	uint32_t len = 0;
	enum kb_status st;
	while ((st = head(c, d, &t, &len)) == KB_OK && t == KB_DESK_DATA)
		if ((st = data(c, d, len, most, &got, ret_body)) != KB_OK)
			return st;
	if (st != KB_OK)
		return st;
	if (t == KB_DESK_ERROR && !got)
		return desk_error(c, d, len);
	if (t == KB_DESK_END && !len && !got)
		return KB_FAIL(d, KB_NOTFOUND, 0, "the desk has no more to say");
	if (t != type || len != size)
		return breach(d);
	st = receive_all(c, d, ret_answer, size);
	if (st != KB_OK)
		return st;
	if (at != SIZE_MAX && kb_get_u64((const uint8_t *)ret_answer + at) != got)
		return breach(d);
	return KB_OK;
}

enum kb_status kite_client_end(struct kite_client *c, struct kb_diag *d, uint16_t type)
{
	uint8_t none[1];
	enum kb_status st = kite_client_next(c, d, type, none, SIZE_MAX, 0, NULL);
	return st == KB_NOTFOUND && !c->failed ? KB_OK : st == KB_OK ? breach(d) : st;
}

enum kb_status kite_client_get(struct kite_client *c, struct kb_diag *d, uint16_t type, const void *request, size_t request_size,
    void *ret_answer, size_t size, size_t most, struct kb_buf *ret_body)
{
	enum kb_status st = kite_client_ask(c, d, type, request, request_size);
	if (st == KB_OK)
		st = kite_client_next(c, d, type, ret_answer, size, most, ret_body);
	if (st == KB_NOTFOUND && !c->failed)
		st = breach(d);
	return st == KB_OK ? kite_client_end(c, d, type) : st;
}

enum kb_status kite_client_fail(const struct kite_client *c, enum kb_status st, const struct kb_diag *d, const char *sentence)
{
	if (c->failed)
		return kite_fail(st, NULL, "%s: the desk says: %s", sentence, c->said);
	return kite_fail(st, d, "%s", sentence);
}
