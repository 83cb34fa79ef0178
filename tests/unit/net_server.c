/* net_server: see net_server.h. */
#include "net_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_S = 20 };

static ssize_t get(struct server *s, char *p, size_t n)
{
	return s->session ? gnutls_record_recv(s->session, p, n) : recv(s->fd, p, n, 0);
}

static bool put(struct server *s, const char *p, size_t n)
{
	while (n) {
		ssize_t put = s->session ? gnutls_record_send(s->session, p, n) : send(s->fd, p, n, MSG_NOSIGNAL);

		if (put <= 0)
			return false;
		p += put;
		n -= (size_t)put;
	}
	return true;
}

static bool hear(struct server *s, const char *text)
{
	size_t start = s->heard_len;

	while (s->heard_len + 1 < sizeof s->heard && get(s, s->heard + s->heard_len, 1) == 1)
		if (s->heard[s->heard_len++] == '\n')
			return strncmp(s->heard + start, text, strlen(text)) == 0;
	return false;
}

static bool take(struct server *s, size_t most)
{
	while (s->message_len + 1 < sizeof s->message && s->message_len < most &&
	       get(s, s->message + s->message_len, 1) == 1) {
		s->message_len++;
		if (s->message_len >= 5 && memcmp(s->message + s->message_len - 5, "\r\n.\r\n", 5) == 0)
			return true;
	}
	return s->message_len == most;
}

static bool begin_tls(struct server *s)
{
	gnutls_session_t session;
	int e;

	if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL) < 0 ||
	    gnutls_priority_set_direct(session, s->priority ? s->priority : "NORMAL", NULL) < 0 ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, s->credentials) < 0)
		abort();
	gnutls_transport_set_int(session, s->fd);
	do {
		e = gnutls_handshake(session);
	} while (e < 0 && !gnutls_error_is_fatal(e));
	s->session = session;
	return e >= 0;
}

static bool play(struct server *s, const struct turn *t)
{
	switch (t->act) {
	case SAY:
		return put(s, t->text, strlen(t->text));
	case HEAR:
		return hear(s, t->text);
	case TLS:
		return begin_tls(s);
	case TAKE:
		return take(s, sizeof s->message);
	case TAKE_SOME:
		return take(s, 1024);
	case FLOOD:
		while (put(s, t->text, strlen(t->text)))
			;
		return true;
	default:
		return false;
	}
}

/* Nobody comes: the script is not played. */
static bool welcome(struct server *s)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	if (s->listener < 0)
		return true;
	s->fd = accept(s->listener, NULL, NULL);
	close(s->listener);
	return s->fd >= 0 && setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	char rest[512];
	ssize_t n;

	if (!welcome(s))
		return NULL;
	while (s->script[s->turn].act != END && s->script[s->turn].act != CUT && play(s, &s->script[s->turn]))
		s->turn++;
	s->kept = s->script[s->turn].act == END || s->script[s->turn].act == CUT;
	while (s->kept && s->script[s->turn].act == END && (n = get(s, rest, sizeof rest)) > 0) {
		size_t room = sizeof s->heard - 1 - s->heard_len;

		memcpy(s->heard + s->heard_len, rest, (size_t)n < room ? (size_t)n : room);
		s->heard_len += (size_t)n < room ? (size_t)n : room;
	}
	if (s->session)
		gnutls_deinit(s->session);
	close(s->fd);
	return NULL;
}

int server_start(struct server *s, const struct turn *script, gnutls_certificate_credentials_t credentials)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fds[2];

	s->script = script;
	s->credentials = credentials;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ||
	    setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
		abort();
	s->fd = fds[1];
	s->listener = -1;
	if (pthread_create(&s->thread, NULL, serve, s) != 0)
		abort();
	return fds[0];
}

void server_accept(struct server *s, int listener, const struct turn *script, gnutls_certificate_credentials_t credentials)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	s->script = script;
	s->credentials = credentials;
	s->listener = listener;
	if (setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
	    pthread_create(&s->thread, NULL, serve, s) != 0)
		abort();
}

void server_join(struct server *s)
{
	if (pthread_join(s->thread, NULL) != 0)
		abort();
}
