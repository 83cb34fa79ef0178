/* tlsstream: see kitebox/tlsstream.h. */
#include <kitebox/tlsstream.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <libetpan/mailstream.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <kitebox/memfd.h>

enum { BUFFER = 8192, HOST_MOST = 255 };

/* Keys and signatures of 112 bits of security or more, certificates included. */
static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%PROFILE_MEDIUM";

struct kb_trust {
	gnutls_certificate_credentials_t credentials;
};

struct kb_tls {
	int fd;
	char host[HOST_MOST + 1];
	gnutls_session_t session;
	bool secure;
	mailstream *stream; /* NULL: closed by its user */
	struct kb_tls_limits limit;
	uint64_t end_ms, octets;
	size_t line;
	struct kb_diag trouble;
};

/* ---- trust ---- */

enum kb_status kb_trust_new(struct kb_diag *d, struct kb_span pem, struct kb_trust **ret_t)
{
	struct kb_trust *t = calloc(1, sizeof *t);
	/* GnuTLS wants to write nothing there; its type forgot to say so. */
	gnutls_datum_t bundle = {(unsigned char *)(uintptr_t)pem.p, (unsigned)pem.len};

	if (!t || gnutls_certificate_allocate_credentials(&t->credentials) < 0)
		abort();
	int n = pem.len ? gnutls_certificate_set_x509_trust_mem(t->credentials, &bundle, GNUTLS_X509_FMT_PEM)
			: gnutls_certificate_set_x509_system_trust(t->credentials);

	if (n <= 0) {
		kb_trust_free(&t);
		return KB_FAIL(d, KB_MALFORMED, 0, "there is no certificate to trust");
	}
	*ret_t = t;
	return KB_OK;
}

void kb_trust_free(struct kb_trust **tp)
{
	struct kb_trust *t = KB_TAKE(*tp);

	if (!t)
		return;
	if (t->credentials)
		gnutls_certificate_free_credentials(t->credentials);
	free(t);
}

/* ---- waiting, with an end ---- */

static uint64_t now_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		abort();
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The first trouble stands. */
static enum kb_status trouble(struct kb_tls *t, enum kb_status st, size_t offset, int sys_errno, const char *literal)
{
	if (t->trouble.status == KB_OK)
		(void)kb_fail(&t->trouble, st, offset, sys_errno, literal);
	return t->trouble.status;
}

static enum kb_status in_time(struct kb_tls *t)
{
	return now_ms() < t->end_ms ? KB_OK : trouble(t, KB_AGAIN, 0, 0, "the server took too long over everything");
}

static enum kb_status wait_for(struct kb_tls *t, short events)
{
	uint64_t now = now_ms();

	if (in_time(t) != KB_OK)
		return t->trouble.status;
	uint64_t left = t->end_ms > now ? t->end_ms - now : 0;
	int wait = (int)(left < t->limit.wait_ms ? left : t->limit.wait_ms);
	struct pollfd p = {.fd = t->fd, .events = events};
	int n = poll(&p, 1, wait);

	if (n == 0)
		return trouble(t, KB_AGAIN, 0, 0, "the server fell silent");
	if (n < 0 && errno != EINTR)
		return trouble(t, KB_IO, 0, errno, "waiting for the server failed");
	return KB_OK;
}

/* After a GnuTLS call that wants to go on: KB_OK when it should be called again. */
static enum kb_status wait_for_tls(struct kb_tls *t, int e)
{
	if (e == GNUTLS_E_AGAIN)
		return wait_for(t, gnutls_record_get_direction(t->session) ? POLLOUT : POLLIN);
	return in_time(t);
}

static bool goes_on(int e)
{
	return e == GNUTLS_E_AGAIN || e == GNUTLS_E_INTERRUPTED || e == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

/* ---- reading and writing ---- */

static ssize_t read_clear(struct kb_tls *t, void *to, size_t n)
{
	for (;;) {
		ssize_t got = recv(t->fd, to, n, MSG_DONTWAIT);

		if (got >= 0)
			return got;
		if (errno != EAGAIN && errno != EINTR) {
			(void)trouble(t, KB_IO, 0, errno, "the connection was lost");
			return -1;
		}
		if (wait_for(t, POLLIN) != KB_OK)
			return -1;
	}
}

static ssize_t read_tls(struct kb_tls *t, void *to, size_t n)
{
	for (;;) {
		ssize_t got = gnutls_record_recv(t->session, to, n);

		if (got >= 0)
			return got;
		if (!goes_on((int)got)) {
			(void)trouble(t, KB_IO, (size_t)-got, 0, "the connection was lost under TLS");
			return -1;
		}
		if (wait_for_tls(t, (int)got) != KB_OK)
			return -1;
	}
}

static bool within_limits(struct kb_tls *t, const uint8_t *p, size_t n)
{
	t->octets += n;
	if (t->octets > t->limit.read_octets) {
		(void)trouble(t, KB_LIMIT, 0, 0, "the server does not stop talking");
		return false;
	}
	for (size_t i = 0; t->limit.line_octets && i < n; i++) {
		t->line++;
		if (t->line > t->limit.line_octets) {
			(void)trouble(t, KB_LIMIT, 0, 0, "the server's line does not end");
			return false;
		}
		if (p[i] == '\n')
			t->line = 0;
	}
	return true;
}

static ssize_t driver_read(mailstream_low *low, void *to, size_t n)
{
	struct kb_tls *t = low->data;

	if (t->trouble.status != KB_OK || in_time(t) != KB_OK)
		return -1;
	ssize_t got = t->secure ? read_tls(t, to, n) : read_clear(t, to, n);

	/* libetpan takes the end of a connection for the end of a line, or reads on for ever: it is told of an error. */
	if (got == 0)
		(void)trouble(t, KB_IO, 0, 0, "the server ended the connection");
	return got > 0 && within_limits(t, to, (size_t)got) ? got : -1;
}

static ssize_t write_clear(struct kb_tls *t, const void *from, size_t n)
{
	for (;;) {
		ssize_t put = send(t->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put >= 0)
			return put;
		if (errno != EAGAIN && errno != EINTR) {
			(void)trouble(t, KB_IO, 0, errno, "the connection was lost");
			return -1;
		}
		if (wait_for(t, POLLOUT) != KB_OK)
			return -1;
	}
}

static ssize_t write_tls(struct kb_tls *t, const void *from, size_t n)
{
	for (;;) {
		ssize_t put = gnutls_record_send(t->session, from, n);

		if (put >= 0)
			return put;
		if (!goes_on((int)put)) {
			(void)trouble(t, KB_IO, (size_t)-put, 0, "the connection was lost under TLS");
			return -1;
		}
		if (wait_for_tls(t, (int)put) != KB_OK)
			return -1;
	}
}

static ssize_t driver_write(mailstream_low *low, const void *from, size_t n)
{
	struct kb_tls *t = low->data;

	if (t->trouble.status != KB_OK || in_time(t) != KB_OK)
		return -1;
	return t->secure ? write_tls(t, from, n) : write_clear(t, from, n);
}

/* ---- what else libetpan asks of a driver ---- */

static int driver_close(mailstream_low *low)
{
	struct kb_tls *t = low->data;

	if (t->secure && t->trouble.status == KB_OK)
		(void)gnutls_bye(t->session, GNUTLS_SHUT_WR); /* a courtesy: nobody waits for it */
	return 0;
}

static int driver_get_fd(mailstream_low *low)
{
	const struct kb_tls *t = low->data;

	return t->fd;
}

static void driver_free(mailstream_low *low)
{
	struct kb_tls *t = low->data;

	if (t->stream && t->stream->write_buffer)
		sodium_memzero(t->stream->write_buffer, t->stream->buffer_max_size); /* a password may have passed */
	t->stream = NULL;
	free(low);
}

static void driver_cancel(mailstream_low *low)
{
	(void)low;
}

static struct mailstream_cancel *driver_get_cancel(mailstream_low *low)
{
	(void)low;
	return NULL;
}

static mailstream_low_driver driver = {
    .mailstream_read = driver_read,
    .mailstream_write = driver_write,
    .mailstream_close = driver_close,
    .mailstream_get_fd = driver_get_fd,
    .mailstream_free = driver_free,
    .mailstream_cancel = driver_cancel,
    .mailstream_get_cancel = driver_get_cancel,
};

/* ---- life ---- */

static bool is_numeric(const char *host)
{
	uint8_t binary[16];

	return inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1;
}

/* Chain, dates and name are checked within the handshake, before anything that is sent after it. */
static enum kb_status new_session(struct kb_tls *t, const struct kb_trust *trust)
{
	if (gnutls_init(&t->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) < 0)
		abort();
	if (gnutls_priority_set_direct(t->session, priority, NULL) < 0 ||
	    gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, trust->credentials) < 0)
		return KB_UNSUPPORTED;
	/* RFC 6066 3: no address in SNI */
	if (!is_numeric(t->host) && gnutls_server_name_set(t->session, GNUTLS_NAME_DNS, t->host, strlen(t->host)) < 0)
		return KB_MALFORMED;
	gnutls_session_set_verify_cert(t->session, t->host, 0);
	gnutls_transport_set_int(t->session, t->fd);
	gnutls_handshake_set_timeout(t->session, GNUTLS_INDEFINITE_TIMEOUT); /* the deadline is ours */
	return KB_OK;
}

enum kb_status kb_tls_new(struct kb_diag *d, int fd, const struct kb_trust *trust, const char *host,
    const struct kb_tls_limits *limits, struct kb_tls **ret_t)
{
	struct kb_tls *t = calloc(1, sizeof *t);
	size_t len = strlen(host);

	if (!t)
		abort();
	*t = (struct kb_tls){.fd = fd, .limit = *limits, .end_ms = now_ms() + limits->deadline_ms};
	kb_field_set(t->host, sizeof t->host, kb_span_str(host));
	mailstream_low *low = mailstream_low_new(t, &driver);

	t->stream = low ? mailstream_new(low, BUFFER) : NULL;
	if (!t->stream)
		abort();
	t->stream->logger = NULL;
	if (len == 0 || len > HOST_MOST || new_session(t, trust) != KB_OK) {
		kb_tls_free(&t);
		return KB_FAIL(d, KB_MALFORMED, 0, "this is no host to speak TLS with");
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		kb_tls_free(&t);
		return KB_FAIL_SYS(d, "the connection could not be set up");
	}
	*ret_t = t;
	return KB_OK;
}

void kb_tls_free(struct kb_tls **tp)
{
	struct kb_tls *t = KB_TAKE(*tp);

	if (!t)
		return;
	if (t->stream)
		mailstream_close(t->stream);
	if (t->session)
		gnutls_deinit(t->session);
	kb_fd_close(&t->fd);
	free(t);
}

struct _mailstream *kb_tls_stream(struct kb_tls *t)
{
	return t->stream;
}

const struct kb_diag *kb_tls_trouble(const struct kb_tls *t)
{
	return &t->trouble;
}

void kb_tls_patience(struct kb_tls *t, uint32_t wait_ms)
{
	t->limit.wait_ms = wait_ms;
}

/* ---- the handshake ---- */

/* A server speaks after our first TLS record, not before: what is here already was in the clear. */
static bool was_injected(const struct kb_tls *t)
{
	uint8_t octet;

	return (t->stream && t->stream->read_buffer_len) || recv(t->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static enum kb_status refused(struct kb_tls *t, int e)
{
	switch (e) {
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
		return trouble(t, KB_FORGED, gnutls_session_get_verify_cert_status(t->session), 0, "the server's certificate does not verify");
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		return trouble(t, KB_IO, (size_t)-e, 0, "the connection was lost as TLS began");
	default:
		return trouble(t, KB_UNSUPPORTED, (size_t)-e, 0, "no TLS of version 1.2 or later could be agreed on");
	}
}

static enum kb_status shake_hands(struct kb_tls *t)
{
	int e;

	while ((e = gnutls_handshake(t->session)) < 0) {
		if (!goes_on(e) && gnutls_error_is_fatal(e))
			return refused(t, e);
		if (wait_for_tls(t, e) != KB_OK)
			return t->trouble.status;
	}
	/* The handshake would have failed; that it was asked at all is checked here. */
	if (gnutls_auth_get_type(t->session) != GNUTLS_CRD_CERTIFICATE || gnutls_session_get_verify_cert_status(t->session) != 0)
		return trouble(t, KB_FORGED, 0, 0, "the server's certificate does not verify");
	return KB_OK;
}

enum kb_status kb_tls_begin(struct kb_diag *d, struct kb_tls *t)
{
	if (t->secure)
		return KB_FAIL(d, KB_SEQUENCE, 0, "TLS has begun already");
	if (t->trouble.status == KB_OK && was_injected(t))
		(void)trouble(t, KB_SEQUENCE, 0, 0, "octets in the clear came before TLS");
	if (t->trouble.status == KB_OK && shake_hands(t) == KB_OK) {
		t->secure = true;
		t->line = 0;
	}
	if (t->trouble.status != KB_OK && d)
		*d = t->trouble;
	return t->trouble.status;
}
