/* The door under TLS: who is offered it, what it forgets and what it says of it, and a certificate that changes while it runs. */
#include "doorfix.h"
#include "room_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static struct door d;

#define MUST(call) assert_true((call) >= 0)

/* ---- certificates ---- */

struct pem {
	gnutls_datum_t certificate, key;
};

static struct pem old, new;

static struct pem make_pem(const char *name)
{
	struct pem p;
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	MUST(gnutls_x509_privkey_init(&key));
	MUST(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	MUST(gnutls_x509_crt_init(&crt));
	MUST(gnutls_x509_crt_set_version(crt, 3));
	MUST(gnutls_x509_crt_set_serial(crt, "\1", 1));
	MUST(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)));
	MUST(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600));
	MUST(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600));
	MUST(gnutls_x509_crt_set_key(crt, key));
	MUST(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0));
	MUST(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &p.certificate));
	MUST(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &p.key));
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return p;
}

static int make_pems(void **state)
{
	(void)state;
	old = make_pem("old.example");
	new = make_pem("new.example");
	return 0;
}

static int free_pems(void **state)
{
	(void)state;
	struct pem *all[] = {&old, &new};
	for (size_t i = 0; i < KB_LEN(all); i++) {
		gnutls_free(all[i]->certificate.data);
		gnutls_free(all[i]->key.data);
	}
	return 0;
}

static void give(const gnutls_datum_t *certificate, const gnutls_datum_t *key)
{
	room_text(&d.room, KB_FILE_TLS_CERTIFICATE, 0, KB_SPAN(certificate->data, certificate->size));
	room_text(&d.room, KB_FILE_TLS_KEY, 0, KB_SPAN(key->data, key->size));
}

static int set_up(void **state)
{
	(void)state;
	door_init(&d, true);
	kb_field_set(d.settings.tls_certificate, sizeof(d.settings.tls_certificate), KB_LIT("/certificate"));
	kb_field_set(d.settings.tls_key, sizeof(d.settings.tls_key), KB_LIT("/key"));
	return 0;
}

static void start_with(const struct pem *p, unsigned sealers)
{
	door_begin(&d);
	give(&p->certificate, &p->key);
	door_start(&d, sealers);
}

/* ---- a client ---- */

struct tls {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
};

/* GnuTLS's word on the handshake. */
static int shake(struct tls *t, int fd, const char *priority)
{
	int e;
	*t = (struct tls){.fd = fd};
	MUST(gnutls_certificate_allocate_credentials(&t->credentials));
	MUST(gnutls_init(&t->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL));
	MUST(gnutls_priority_set_direct(t->session, priority, NULL));
	MUST(gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, t->credentials));
	gnutls_transport_set_int(t->session, fd);
	do
		e = gnutls_handshake(t->session);
	while (e < 0 && !gnutls_error_is_fatal(e));
	return e;
}

static void tls_close(struct tls *t)
{
	gnutls_deinit(t->session);
	gnutls_certificate_free_credentials(t->credentials);
	kb_fd_close(&t->fd);
}

static void tls_put(struct tls *t, const void *octets, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = gnutls_record_send(t->session, (const char *)octets + done, n - done);
		assert_true(k > 0);
		done += (size_t)k;
	}
}

static char tls_line[1024];

static void tls_get_line(struct tls *t)
{
	size_t n = 0;
	do {
		struct pollfd p = {.fd = t->fd, .events = POLLIN};
		ssize_t k = gnutls_record_recv(t->session, &tls_line[n], 1);
		if (k == GNUTLS_E_AGAIN && poll(&p, 1, PATIENCE_MS) == 1)
			continue;
		if (k != 1 || n == sizeof(tls_line) - 1)
			fail_msg("no reply came");
		n++;
	} while (n == 0 || tls_line[n - 1] != '\n');
	assert_true(n > 5);
	tls_line[n - 2] = '\0';
}

/* As talk(). */
static void tls_talk(struct tls *t, const char *text, const char *codes)
{
	if (text)
		tls_put(t, text, strlen(text));
	while (*codes) {
		size_t n = strcspn(codes, "|");
		do
			tls_get_line(t);
		while (tls_line[3] == '-');
		if (strncmp(tls_line, codes, n) != 0)
			fail_msg("heard \"%s\", not \"%.*s\"", tls_line, (int)n, codes);
		codes += n + (codes[n] == '|');
	}
}

static void assert_shows(struct tls *t, const struct pem *p)
{
	unsigned n;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(t->session, &n);
	assert_non_null(der);
	MUST(gnutls_x509_crt_init(&crt));
	MUST(gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER));
	MUST(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem));
	assert_true(kb_span_eq(KB_SPAN(pem.data, pem.size), KB_SPAN(p->certificate.data, p->certificate.size)));
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
}

static struct tls starttls(void)
{
	struct tls t;
	int fd = greeted(&d, L_SMTP);
	talk(fd, HELLO "STARTTLS\r\n", "250|220 2.0.0");
	assert_int_equal(shake(&t, fd, "NORMAL"), GNUTLS_E_SUCCESS);
	return t;
}

/* ---- */

TEST(starttls_begins_a_session_of_its_own_and_its_facts_go_with_the_message)
{
	struct kb_buf octets;
	start_with(&old, 1);
	struct tls t = starttls();
	tls_talk(&t, "MAIL FROM:<>\r\n", "503 5.5.1");
	tls_talk(&t, HELLO ENVELOPE "DATA\r\n", "250|250 2.1.0|250 2.1.5|354");
	tls_talk(&t, "text\r\n.\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &octets);
	assert_span(kb_buf_span(&octets), "text\r\n");
	kb_buf_release(&octets);
	assert_int_equal(w.tls, 1);
	assert_string_equal(w.helo, "client.example");
	assert_non_null(strstr(w.tls_facts, "TLS1.3 "));
	assert_non_null(strstr(w.tls_facts, "AES"));
	result(&d, 0, &w.id, KB_OK);
	tls_talk(&t, NULL, "250 2.0.0");
	tls_talk(&t, "STARTTLS\r\n", "503 5.5.1");
	tls_talk(&t, "QUIT\r\n", "221 2.0.0");
	tls_close(&t);
	door_stop(&d);
}

TEST(octets_behind_starttls_are_never_taken)
{
	start_with(&old, 1);
	int fd = greeted(&d, L_SMTP);
	talk(fd, HELLO "STARTTLS\r\nMAIL FROM:<evil@family.example>\r\n", "250|503 5.5.0");
	gone(fd);
	door_stop(&d);
}

TEST(tls_is_offered_to_smtp_alone_and_once)
{
	start_with(&old, 1);
	int fd = greeted(&d, L_LMTP);
	talk(fd, "LHLO c\r\nSTARTTLS\r\n", "250|500 5.5.1");
	kb_fd_close(&fd);
	struct tls t;
	fd = client(&d, L_SMTPS);
	assert_int_equal(shake(&t, fd, "NORMAL:-VERS-ALL:+VERS-TLS1.2"), GNUTLS_E_SUCCESS);
	tls_talk(&t, NULL, "220");
	tls_talk(&t, HELLO "STARTTLS\r\n", "250|503 5.5.1");
	tls_close(&t);
	door_stop(&d);
}

TEST(tls_1_1_is_no_tls)
{
	start_with(&old, 1);
	struct tls t;
	int fd = client(&d, L_SMTPS);
	assert_int_not_equal(shake(&t, fd, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0"), GNUTLS_E_SUCCESS);
	tls_close(&t);
	door_stop(&d);
}

TEST(what_is_no_handshake_ends_the_connection)
{
	start_with(&old, 1);
	int fd = client(&d, L_SMTPS);
	put(fd, HELLO, strlen(HELLO));
	char rest[256];
	while (recv(fd, rest, sizeof(rest), 0) > 0)
		; /* an alert, at most */
	kb_fd_close(&fd);
	fd = greeted(&d, L_SMTP);
	talk(fd, HELLO "STARTTLS\r\n", "250|220 2.0.0");
	put(fd, HELLO, strlen(HELLO));
	while (recv(fd, rest, sizeof(rest), 0) > 0)
		;
	kb_fd_close(&fd);
	struct tls t = starttls();
	tls_close(&t);
	door_stop(&d);
}

TEST(a_large_message_arrives_octet_for_octet_under_tls)
{
	enum { LINES = 30000 };
	struct kb_buf sent, got;
	start_with(&old, 1);
	kb_buf_init(&sent, 8 << 20);
	for (unsigned i = 0; i < LINES; i++)
		assert_ok(kb_buf_printf(&sent, "%*u\r\n", (int)(i % 100), i));
	struct tls t = starttls();
	tls_talk(&t, HELLO ENVELOPE "DATA\r\n", "250|250 2.1.0|250 2.1.5|354");
	tls_put(&t, sent.p, sent.len);
	tls_talk(&t, ".\r\n" ENVELOPE "DATA\r\n", "");
	struct kb_wire_submit w = submitted(&d, 0, &got);
	assert_true(kb_span_eq(kb_buf_span(&got), kb_buf_span(&sent)));
	result(&d, 0, &w.id, KB_OK);
	tls_talk(&t, NULL, "250 2.0.0|250 2.1.0|250 2.1.5|354");
	kb_buf_release(&sent);
	kb_buf_release(&got);
	tls_close(&t);
	door_stop(&d);
}

/* Sends what the socket takes; true when all is sent. GnuTLS has the octets that it put off. */
static bool push(struct tls *t, const struct kb_buf *b, size_t *sent, bool *put_off)
{
	while (*sent < b->len) {
		size_t n = b->len - *sent < 4000 ? b->len - *sent : 4000;
		ssize_t k = *put_off ? gnutls_record_send(t->session, NULL, 0) : gnutls_record_send(t->session, b->p + *sent, n);
		*put_off = k == GNUTLS_E_AGAIN;
		if (*put_off)
			return false;
		assert_true(k > 0);
		*sent += (size_t)k;
	}
	return true;
}

/* A client asks for more replies than sockets hold, and reads late: the door stops reading, and what GnuTLS was given once it
 * is not given again. */
TEST(replies_wait_for_a_slow_reader_under_tls)
{
	enum { RCPTS = 20000 };
	const int small = 32768;
	struct kb_buf lines;
	struct tls t;
	size_t sent = 0;
	bool put_off = false;
	d.settings.limit.recipients = RCPTS;
	start_with(&old, 1);
	kb_buf_init(&lines, 4 << 20);
	for (unsigned i = 0; i < RCPTS; i++)
		assert_ok(kb_buf_str(&lines, "RCPT TO:<desk@kitebox.example>\r\n"));
	/* Whom it lets in inherits it. */
	assert_int_equal(setsockopt(d.listener[L_SMTP], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	/* Left alone, the kernel may take in everything for a door that reads nothing more. */
	assert_int_equal(setsockopt(d.listener[L_SMTP], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	int fd = greeted(&d, L_SMTP);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	talk(fd, HELLO "STARTTLS\r\n", "250|220 2.0.0");
	assert_int_equal(shake(&t, fd, "NORMAL"), GNUTLS_E_SUCCESS);
	tls_talk(&t, HELLO "MAIL FROM:<>\r\n", "250|250 2.1.0");
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (!push(&t, &lines, &sent, &put_off)) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		if (poll(&p, 1, 100) == 0)
			break;
	}
	assert_true(sent < lines.len);
	for (unsigned i = 0; i < RCPTS; i++) {
		(void)push(&t, &lines, &sent, &put_off);
		tls_talk(&t, NULL, "250 2.1.5");
	}
	tls_talk(&t, "DATA\r\n", "354");
	kb_buf_release(&lines);
	tls_close(&t);
	door_stop(&d);
}

TEST(without_a_pair_that_loads_tls_is_not_offered_and_health_says_so)
{
	struct pem mixed = {old.certificate, new.key};
	start_with(&mixed, 1);
	room_await(&d.room, KB_HEALTH_TLS_REFUSED, true);
	int fd = greeted(&d, L_SMTP);
	talk(fd, HELLO, "250");
	assert_string_equal(last_line(), "250 SMTPUTF8");
	talk(fd, "STARTTLS\r\n", "454 4.7.0");
	gone(client(&d, L_SMTPS));
	give(&old.certificate, &old.key);
	room_settings(&d.room, &d.settings);
	room_await(&d.room, KB_HEALTH_TLS_REFUSED, false);
	struct tls t = starttls();
	assert_shows(&t, &old);
	tls_close(&t);
	talk(fd, "STARTTLS\r\n", "220 2.0.0"); /* also to those who were there already */
	kb_fd_close(&fd);
	door_stop(&d);
}

TEST(a_new_pair_is_shown_to_new_clients_and_a_bad_one_changes_nothing)
{
	struct pem mixed = {old.certificate, new.key};
	start_with(&old, 1);
	struct tls before = starttls(), after;
	assert_shows(&before, &old);
	give(&new.certificate, &new.key);
	room_settings(&d.room, &d.settings);
	tls_talk(&before, HELLO, "250"); /* which goes on with what it began with */
	after = starttls();
	assert_shows(&after, &new);
	tls_close(&after);
	give(&mixed.certificate, &mixed.key);
	room_settings(&d.room, &d.settings);
	room_await(&d.room, KB_HEALTH_TLS_REFUSED, true);
	after = starttls();
	assert_shows(&after, &new);
	tls_close(&after);
	tls_talk(&before, "NOOP\r\n", "250 2.0.0");
	tls_close(&before);
	door_stop(&d);
}

TEST(settings_without_a_certificate_end_the_offer)
{
	start_with(&old, 1);
	d.settings.tls_certificate[0] = d.settings.tls_key[0] = '\0';
	int fd = greeted(&d, L_SMTP);
	room_settings(&d.room, &d.settings);
	room_await(&d.room, KB_HEALTH_TLS_REFUSED, true); /* there is a listener that is nothing without it */
	talk(fd, HELLO "STARTTLS\r\n", "250|454 4.7.0");
	kb_fd_close(&fd);
	door_stop(&d);
}

/* ---- what stays ---- */

#define MARK "Xq7vLmR2"

enum { LETTERS = 8, LINES = 200 };

/* As many letters at once, in records as long as there are; each is stored, and its client has gone. */
static void send_marked(void)
{
	static const char line[] = MARK " pushed down the stairs by the night shift, and nobody came\r\n";
	static char letter[LINES * (sizeof(line) - 1)];
	struct tls t[LETTERS];
	for (size_t i = 0; i < sizeof(letter); i++)
		letter[i] = line[i % (sizeof(line) - 1)];
	for (unsigned i = 0; i < LETTERS; i++) {
		t[i] = starttls();
		tls_talk(&t[i], HELLO ENVELOPE "DATA\r\n", "250|250 2.1.0|250 2.1.5|354");
	}
	for (unsigned i = 0; i < LETTERS; i++)
		tls_put(&t[i], letter, sizeof(letter));
	for (unsigned i = 0; i < LETTERS; i++) {
		tls_talk(&t[i], ".\r\n", "");
		store(&d, 0);
		tls_talk(&t[i], NULL, "250 2.0.0");
	}
	for (unsigned i = 0; i < LETTERS; i++) {
		tls_talk(&t[i], "QUIT\r\n", "221 2.0.0");
		tls_close(&t[i]);
	}
}

/* The marks in the door's memory when letters have come and gone; SIZE_MAX: nobody may look. */
static size_t marks_left(const char *program)
{
	const char *usual = getenv("KB_DOOR");
	KB_AUTO(kb_buf_release) struct kb_buf keep;
	kb_buf_init(&keep, 4096);
	assert_ok(kb_buf_str(&keep, usual));
	assert_ok(kb_buf_add(&keep, KB_SPAN("", 1)));
	assert_int_equal(setenv("KB_DOOR", program, 1), 0);
	start_with(&old, 1);
	send_marked();
	for (unsigned i = 0; i < 2; i++) { /* those have ended when these are served */
		int fd = greeted(&d, L_SMTP);
		talk(fd, "QUIT\r\n", "221 2.0.0");
		kb_fd_close(&fd);
	}
	size_t n = room_has(&d.room, KB_LIT(MARK));
	door_stop(&d);
	assert_int_equal(setenv("KB_DOOR", (const char *)keep.p, 1), 0);
	return n;
}

TEST(nothing_of_a_letter_stays_in_memory_when_its_connection_has_ended)
{
	if (KB_SANITIZER)
		skip();
	size_t n = marks_left(getenv("KB_DOOR"));
	if (n == SIZE_MAX)
		skip(); /* only root looks into another process */
	assert_int_equal(n, 0);
}

/* The one above can find: in a heap that does not wipe it does. */
TEST(a_heap_that_does_not_wipe_keeps_a_letter)
{
	if (KB_SANITIZER)
		skip();
	assert_true(marks_left(getenv("KB_DOOR_UNWIPED")) > 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(starttls_begins_a_session_of_its_own_and_its_facts_go_with_the_message),
		T(octets_behind_starttls_are_never_taken),
		T(tls_is_offered_to_smtp_alone_and_once),
		T(tls_1_1_is_no_tls),
		T(what_is_no_handshake_ends_the_connection),
		T(a_large_message_arrives_octet_for_octet_under_tls),
		T(replies_wait_for_a_slow_reader_under_tls),
		T(without_a_pair_that_loads_tls_is_not_offered_and_health_says_so),
		T(a_new_pair_is_shown_to_new_clients_and_a_bad_one_changes_nothing),
		T(settings_without_a_certificate_end_the_offer),
		T(nothing_of_a_letter_stays_in_memory_when_its_connection_has_ended),
		T(a_heap_that_does_not_wipe_keeps_a_letter),
	};
	return cmocka_run_group_tests(tests, make_pems, free_pems);
}
