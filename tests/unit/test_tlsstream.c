/* Whom a stream believes: the server that shows a certificate for its name, under TLS 1.2 or later, and nobody else. */
#include "net_send.h"

#include <sys/socket.h>
#include <unistd.h>

static const struct turn to_tls[] = {HELLO, {HEAR, "STARTTLS"}, {SAY, "220 go\r\n"}, {TLS, NULL}, {END, NULL}};

static void assert_refused(gnutls_certificate_credentials_t credentials, const struct net_ca *trusted, enum kb_status reason)
{
	assert_result(send_trusting(to_tls, credentials, trusted), KB_SEND_TEMPORARY, 0, reason);
	assert_false(was_heard("MAIL"));
}

TEST(a_certificate_of_another_host_is_refused)
{
	gnutls_certificate_credentials_t other = net_certificate(&ca, "mail.elsewhere.example", false);

	assert_refused(other, &ca, KB_FORGED);
	gnutls_certificate_free_credentials(other);
}

TEST(a_certificate_of_an_unknown_ca_is_refused)
{
	struct net_ca stranger;

	net_ca_init(&stranger);
	assert_refused(good, &stranger, KB_FORGED);
	net_ca_release(&stranger);
}

TEST(a_certificate_that_signed_itself_is_refused)
{
	gnutls_certificate_credentials_t self = net_certificate(NULL, HOST, false);

	assert_refused(self, &ca, KB_FORGED);
	gnutls_certificate_free_credentials(self);
}

TEST(an_expired_certificate_is_refused)
{
	gnutls_certificate_credentials_t old = net_certificate(&ca, HOST, true);

	assert_refused(old, &ca, KB_FORGED);
	gnutls_certificate_free_credentials(old);
}

TEST(a_numeric_host_needs_a_certificate_for_its_address)
{
	static const struct turn script[] = {TAKEN, {SAY, "250 ok\r\n"}, {END, NULL}};
	gnutls_certificate_credentials_t numeric = net_certificate(&ca, "127.0.0.1", false);

	job.host = "127.0.0.1";
	assert_result(send_trusting(script, numeric, &ca), KB_SEND_DELIVERED, 250, KB_OK);
	assert_true(server.kept);
	(void)set_up(NULL);
	job.host = "127.0.0.2";
	assert_refused(numeric, &ca, KB_FORGED);
	gnutls_certificate_free_credentials(numeric);
}

TEST(tls_1_0_and_1_1_are_no_tls)
{
	static const char *const old[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.0", "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0"};

	for (size_t i = 0; i < KB_LEN(old); i++) {
		(void)set_up(NULL);
		server.priority = old[i];
		assert_refused(good, &ca, KB_UNSUPPORTED);
	}
}

TEST(tls_1_2_will_do)
{
	static const struct turn script[] = {TAKEN, {SAY, "250 ok\r\n"}, {END, NULL}};

	server.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
	assert_result(send_to(script), KB_SEND_DELIVERED, 250, KB_OK);
}

TEST(something_else_than_tls_is_no_tls)
{
	static const struct turn script[] = {{SAY, "220 I am a server in the clear\r\n"}, {END, NULL}};

	job.tls_at_once = true;
	struct kb_send_result r = send_to(script);

	/* Either it spoke before us, or it spoke no TLS: which of the two is a race. */
	assert_int_equal(r.outcome, KB_SEND_TEMPORARY);
	assert_true(r.reason == KB_SEQUENCE || r.reason == KB_UNSUPPORTED);
}

TEST(an_empty_bundle_trusts_nobody)
{
	struct kb_trust *trust = NULL;

	assert_int_equal(kb_trust_new(&diag, KB_LIT("no certificate\n"), &trust), KB_MALFORMED);
	assert_null(trust);
}

TEST(octets_that_lie_ready_before_tls_end_the_stream)
{
	struct kb_trust *trust = NULL;
	struct kb_tls *t = NULL;
	int fds[2];

	assert_ok(kb_trust_new(NULL, KB_SPAN(ca.pem.data, ca.pem.size), &trust));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(send(fds[1], "x", 1, 0), 1);
	assert_ok(kb_tls_new(&diag, fds[0], trust, HOST, &limits, &t));
	assert_int_equal(kb_tls_begin(&diag, t), KB_SEQUENCE);
	assert_int_equal(kb_tls_trouble(t)->status, KB_SEQUENCE);
	kb_tls_free(&t);
	kb_trust_free(&trust);
	close(fds[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
	    T(octets_that_lie_ready_before_tls_end_the_stream),
	    T(a_certificate_of_another_host_is_refused),
	    T(a_certificate_of_an_unknown_ca_is_refused),
	    T(a_certificate_that_signed_itself_is_refused),
	    T(an_expired_certificate_is_refused),
	    T(a_numeric_host_needs_a_certificate_for_its_address),
	    T(tls_1_0_and_1_1_are_no_tls),
	    T(tls_1_2_will_do),
	    T(something_else_than_tls_is_no_tls),
	    T(an_empty_bundle_trusts_nobody),
	};

	return cmocka_run_group_tests(tests, net_open, net_close);
}
