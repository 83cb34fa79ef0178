/*
 * door_tls: the server's side of TLS, over a socket that never blocks. See door.h.
 *
 * TLS 1.2 and 1.3; no tickets, no early data, no renegotiation, no question for a client's certificate.
 *
 * Secrets:    GnuTLS decrypts into records of its own on the heap, which this process wipes as it frees (room_memory.h).
 *
 * Not here:   the client's side, which believes nobody by default (kitebox/tlsstream.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include <gnutls/gnutls.h>

#include "door.h"

enum { PEM_MOST = 1 << 20 };

static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

struct kb_door_pair {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority; /* parsed once */
	unsigned holds;
};

struct kb_door_tls {
	struct kb_door_pair *pair;
	gnutls_session_t session;
	bool sending; /* a record is under way: GnuTLS has its octets */
};

static int use(gnutls_certificate_credentials_t credentials, struct kb_span certificate, struct kb_span key)
{
	/* GnuTLS writes nothing there; its type forgot to say so. */
	gnutls_datum_t c = {(unsigned char *)(uintptr_t)certificate.p, (unsigned)certificate.len};
	gnutls_datum_t k = {(unsigned char *)(uintptr_t)key.p, (unsigned)key.len};
	return gnutls_certificate_set_x509_key_mem(credentials, &c, &k, GNUTLS_X509_FMT_PEM);
}

enum kb_status kb_door_pair_new(struct kb_diag *d, int certificate, int key, struct kb_door_pair **ret_p)
{
	KB_AUTO(kb_map_release) struct kb_map c = {0}, k = {0};
	enum kb_status st = kb_map_open(d, certificate, PEM_MOST, &c);
	if (st == KB_OK)
		st = kb_map_open(d, key, PEM_MOST, &k);
	if (st != KB_OK)
		return st;
	struct kb_door_pair *p = calloc(1, sizeof(*p));
	if (!p || gnutls_certificate_allocate_credentials(&p->credentials) < 0 || gnutls_priority_init(&p->priority, priority, NULL) < 0)
		abort();
	p->holds = 1;
	if (use(p->credentials, c.s, k.s) < 0) {
		kb_door_pair_free(&p);
		return KB_FAIL(d, KB_MALFORMED, 0, "certificate and key are not PEM, or do not belong together");
	}
	*ret_p = p;
	return KB_OK;
}

void kb_door_pair_free(struct kb_door_pair **pp)
{
	struct kb_door_pair *p = KB_TAKE(*pp);
	if (!p || --p->holds)
		return;
	gnutls_certificate_free_credentials(p->credentials);
	gnutls_priority_deinit(p->priority);
	free(p);
}

enum kb_status kb_door_tls_new(struct kb_door_pair *p, int fd, struct kb_door_tls **ret_t)
{
	struct kb_door_tls *t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->pair = p;
	p->holds++;
	if (gnutls_init(&t->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
	    gnutls_priority_set(t->session, p->priority) < 0 ||
	    gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, p->credentials) < 0) {
		kb_door_tls_free(&t);
		return KB_IO;
	}
	gnutls_certificate_server_set_request(t->session, GNUTLS_CERT_IGNORE);
	gnutls_transport_set_int(t->session, fd);
	*ret_t = t;
	return KB_OK;
}

void kb_door_tls_free(struct kb_door_tls **tp)
{
	struct kb_door_tls *t = KB_TAKE(*tp);
	if (!t)
		return;
	if (t->session)
		gnutls_deinit(t->session);
	kb_door_pair_free(&t->pair);
	free(t);
}

enum kb_status kb_door_tls_shake(struct kb_door_tls *t, uint32_t *ret_events)
{
	int e;
	do
		e = gnutls_handshake(t->session);
	while (e == GNUTLS_E_INTERRUPTED || e == GNUTLS_E_WARNING_ALERT_RECEIVED || e == GNUTLS_E_GOT_APPLICATION_DATA);
	if (e == GNUTLS_E_SUCCESS)
		return KB_OK;
	if (e == GNUTLS_E_AGAIN) {
		*ret_events = gnutls_record_get_direction(t->session) ? EPOLLOUT : EPOLLIN;
		return KB_AGAIN;
	}
	(void)gnutls_alert_send_appropriate(t->session, e);
	return KB_IO;
}

void kb_door_tls_facts(const struct kb_door_tls *t, char *ret_text, size_t size)
{
	const char *protocol = gnutls_protocol_get_name(gnutls_protocol_get_version(t->session));
	const char *suite = gnutls_ciphersuite_get(t->session);
	(void)snprintf(ret_text, size, "%s %s", protocol ? protocol : "TLS", suite ? suite : "unknown");
}

/* All that a record holds is taken: the loop does not see what GnuTLS keeps. */
enum kb_status kb_door_tls_read(struct kb_door_tls *t, uint8_t *to, size_t room, size_t *ret_n)
{
	size_t n = 0;
	do {
		ssize_t got = gnutls_record_recv(t->session, to + n, room - n);
		if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_WARNING_ALERT_RECEIVED)
			break;
		if (got <= 0 && n == 0)
			return KB_IO; /* also a wish to negotiate again */
		if (got <= 0)
			break; /* what came before counts; the next read ends here again */
		n += (size_t)got;
	} while (n < room && gnutls_record_check_pending(t->session) > 0);
	*ret_n = n;
	return n ? KB_OK : KB_AGAIN;
}

enum kb_status kb_door_tls_write(struct kb_door_tls *t, struct kb_span s, size_t *ret_n)
{
	ssize_t n = t->sending ? gnutls_record_send(t->session, NULL, 0) : gnutls_record_send(t->session, s.p, s.len);
	t->sending = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
	if (t->sending)
		return KB_AGAIN;
	if (n <= 0)
		return KB_IO;
	*ret_n = (size_t)n;
	return KB_OK;
}

void kb_door_tls_bye(struct kb_door_tls *t)
{
	(void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
}
