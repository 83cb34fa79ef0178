/* net_send: see net_send.h. */
#include "net_send.h"

#include <signal.h>

struct net_ca ca;
gnutls_certificate_credentials_t good;
struct server server;
struct kb_send_job job;
struct kb_tls_limits limits;
struct kb_diag diag;

int net_open(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	net_ca_init(&ca);
	good = net_certificate(&ca, HOST, false);
	return 0;
}

int net_close(void **state)
{
	(void)state;
	gnutls_certificate_free_credentials(good);
	net_ca_release(&ca);
	return 0;
}

int set_up(void **state)
{
	(void)state;
	memset(&server, 0, sizeof server);
	memset(&diag, 0, sizeof diag);
	limits = kb_send_limits(1000);
	limits.wait_ms = 10000;
	job = (struct kb_send_job){.host = HOST,
	    .helo = "kitebox.example",
	    .from = "desk@kitebox.example",
	    .to = "intake@oia.example",
	    .user = "",
	    .message = KB_LIT(BODY)};
	return 0;
}

struct kb_send_result send_trusting(const struct turn *script, gnutls_certificate_credentials_t credentials, const struct net_ca *trusted)
{
	struct kb_send_result r = {.code = 999};
	struct kb_trust *trust = NULL;

	assert_ok(kb_trust_new(NULL, KB_SPAN(trusted->pem.data, trusted->pem.size), &trust));
	int fd = server_start(&server, script, credentials);

	kb_send(&diag, fd, trust, &limits, &job, &r);
	server_join(&server);
	kb_trust_free(&trust);
	return r;
}

struct kb_send_result send_to(const struct turn *script)
{
	return send_trusting(script, good, &ca);
}

bool was_heard(const char *text)
{
	return memmem(server.heard, server.heard_len, text, strlen(text)) != NULL;
}
