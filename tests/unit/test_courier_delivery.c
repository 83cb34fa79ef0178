/* The courier and its runner, each behind its sandbox, against mail servers that do right, wrong, or nothing. */
#include "courierfix.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "net_certs.h"
#include "net_server.h"

#define HOST "localhost"
#define SEALED "age-encryption.org/v1\n-> X25519 and the rest\n"

static struct net_ca ca, other_ca;
static gnutls_certificate_credentials_t good;

static int open_all(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	net_ca_init(&ca);
	net_ca_init(&other_ca);
	good = net_certificate(&ca, HOST, false);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	gnutls_certificate_free_credentials(good);
	net_ca_release(&ca);
	net_ca_release(&other_ca);
	return 0;
}

/* clang-format off */
#define HELLO \
	{SAY, "220 mail.oia.example ESMTP\r\n"}, {HEAR, "EHLO kitebox.example\r\n"}, {SAY, "250-mail.oia.example\r\n250 STARTTLS\r\n"}
#define SECURE HELLO, {HEAR, "STARTTLS\r\n"}, {SAY, "220 go\r\n"}, {TLS, NULL}, {HEAR, "EHLO kitebox.example\r\n"}, \
	{SAY, "250-mail.oia.example\r\n250-AUTH PLAIN\r\n250 SIZE 100000000\r\n"}
#define FROM "MAIL FROM:<desk@kitebox.example> SIZE="
#define RCPTED SECURE, {HEAR, FROM}, {SAY, "250 ok\r\n"}, {HEAR, "RCPT TO:<intake@oia.example>\r\n"}
#define TAKING RCPTED, {SAY, "250 ok\r\n"}, {HEAR, "DATA\r\n"}, {SAY, "354 go on\r\n"}
#define TAKEN TAKING, {TAKE, NULL}
/* clang-format on */

static const struct turn taken[] = {TAKEN, {SAY, "250 2.0.0 taken\r\n"}, {HEAR, "QUIT\r\n"}, {END, NULL}};

/* One office, one delivery: what differs is the server, and whom it is believed by. */
struct delivery {
	struct office *o;
	struct server server;
	struct room runner;
	const struct turn *script;
	gnutls_certificate_credentials_t credentials;
	const struct net_ca *trusted; /* NULL: none is handed over */
	const char *password;         /* NULL: none */
	bool ack;
};

static void delivery_init(struct delivery *d, const struct turn *script)
{
	*d = (struct delivery){.o = office_new(1), .script = script, .credentials = good, .trusted = &ca};
	kb_field_set(d->o->settings.relay[0].host, sizeof d->o->settings.relay[0].host, KB_LIT(HOST));
}

/* As the supervisor starts it. */
static void start_runner(struct delivery *d, const struct run *r)
{
	const struct kb_wire_peer courier = {.room = KB_ROOM_COURIER};

	room_start(&d->runner, getenv("KB_RUNNER"), &d->o->settings);
	if (d->trusted)
		room_text(&d->runner, KB_FILE_RELAY_CA, r->relay, KB_SPAN(d->trusted->pem.data, d->trusted->pem.size));
	if (d->password)
		room_text(&d->runner, KB_FILE_RELAY_PASSWORD, r->relay, kb_span_str(d->password));
	room_file(&d->runner, KB_FILE_RELAY_SOCKET, 0, dup(r->connection));
	room_file(&d->runner, KB_FILE_RELAY_MESSAGE, 0, dup(r->mail_fd));
	say(d->runner.control, KB_WIRE_PEER, &courier, sizeof courier, &r->channel, 1);
	room_go(&d->runner, KB_ROOM_RUNNER, false);
}

/* The job stays in the channel, for the runner to read. */
static struct run run_of(struct delivery *d)
{
	struct message m;
	struct run r = {.relay = 0};

	room_hear(&d->o->room, KB_WIRE_RUN, &m);
	memcpy(&r.relay, m.body, sizeof r.relay);
	r.connection = m.fd[0];
	r.channel = m.fd[1];
	r.mail_fd = m.fd[2];
	return r;
}

static void set_out(struct delivery *d)
{
	struct kb_ack_item item = item_to("intake@oia.example", KB_LANG_EN);

	server_accept(&d->server, d->o->relay[0], d->script, d->credentials);
	d->o->relay[0] = -1;
	office_start(d->o);
	if (d->ack)
		give_ack(d->o, 1, &item);
	else
		give_referral(d->o, 1, KB_LIT(SEALED));
	struct run r = run_of(d);

	start_runner(d, &r);
	run_end(&r);
}

static void delivery_release(struct delivery *d)
{
	(void)room_end(&d->runner);
	server_join(&d->server);
	office_stop(d->o);
}

static bool heard(const struct delivery *d, const char *text)
{
	return memmem(d->server.heard, d->server.heard_len, text, strlen(text)) != NULL;
}

/* The whole, to its end; the outcome is looked at, and then what the server saw. */
#define assert_delivery(d, outcome_, code_, reason_)                               \
	do {                                                                       \
		set_out(d);                                                        \
		assert_done(done((d)->o), 1, (d)->ack, outcome_, code_, reason_);  \
	} while (0)

TEST(a_referral_is_delivered_when_the_server_says_250_after_the_dot)
{
	struct delivery d;
	char base64[256];

	delivery_init(&d, taken);
	assert_delivery(&d, KB_OUTCOME_DELIVERED, 250, KB_OK);
	delivery_release(&d);
	assert_true(d.server.kept);
	sodium_bin2base64(base64, sizeof base64, (const unsigned char *)SEALED, strlen(SEALED), sodium_base64_VARIANT_ORIGINAL);
	assert_non_null(memmem(d.server.message, d.server.message_len, base64, strlen(base64)));
	assert_non_null(strstr(d.server.message, "\r\nMessage-ID: <referral.01010101010101010101010101010101@kitebox.example>\r\n"));
}

TEST(an_acknowledgement_is_delivered_from_the_null_sender)
{
	static const struct turn script[] = {SECURE, {HEAR, "MAIL FROM:<> SIZE="}, {SAY, "250 ok\r\n"},
	    {HEAR, "RCPT TO:<intake@oia.example>\r\n"}, {SAY, "250 ok\r\n"}, {HEAR, "DATA\r\n"}, {SAY, "354 go\r\n"}, {TAKE, NULL},
	    {SAY, "250 ok\r\n"}, {END, NULL}};
	struct delivery d;

	delivery_init(&d, script);
	d.ack = true;
	assert_delivery(&d, KB_OUTCOME_DELIVERED, 250, KB_OK);
	delivery_release(&d);
	assert_true(d.server.kept);
	assert_non_null(strstr(d.server.message, "\r\n\r\nOn 2026-11-24 we received it.\r\n"));
}

TEST(a_relay_that_speaks_tls_at_once_and_wants_a_login_gets_both)
{
	/* RFC 4616 section 4, the first example */
	static const struct turn script[] = {{TLS, NULL}, {SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "250-hi\r\n250 AUTH PLAIN\r\n"},
	    {HEAR, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"}, {SAY, "235 in\r\n"}, {HEAR, "MAIL"}, {SAY, "250 ok\r\n"},
	    {HEAR, "RCPT"}, {SAY, "250 ok\r\n"}, {HEAR, "DATA"}, {SAY, "354 go\r\n"}, {TAKE, NULL}, {SAY, "250 ok\r\n"}, {END, NULL}};
	struct delivery d;

	delivery_init(&d, script);
	d.o->settings.relay[0].tls = KB_RELAY_TLS;
	kb_field_set(d.o->settings.relay[0].user, sizeof d.o->settings.relay[0].user, KB_LIT("tim"));
	d.password = "tanstaaftanstaaf\n";
	assert_delivery(&d, KB_OUTCOME_DELIVERED, 250, KB_OK);
	delivery_release(&d);
	assert_true(d.server.kept);
}

/* ---- whom nothing is given to ---- */

static void assert_not_trusted(struct delivery *d)
{
	assert_delivery(d, KB_OUTCOME_TEMPORARY, 0, KB_FORGED);
	room_await(&d->o->room, KB_HEALTH_RELAY_TLS, true);
	room_await(&d->o->room, KB_HEALTH_DELIVERY_FAILING, true);
	delivery_release(d);
	assert_false(heard(d, "MAIL"));
	assert_false(heard(d, "AUTH"));
	assert_int_equal(d->server.message_len, 0);
}

TEST(a_certificate_of_another_name_is_given_nothing)
{
	struct delivery d;
	gnutls_certificate_credentials_t wrong = net_certificate(&ca, "localhost.oia.example", false);

	delivery_init(&d, taken);
	d.credentials = wrong;
	assert_not_trusted(&d);
	gnutls_certificate_free_credentials(wrong);
}

TEST(a_certificate_of_an_unknown_ca_is_given_nothing)
{
	struct delivery d;

	delivery_init(&d, taken);
	d.trusted = &other_ca;
	assert_not_trusted(&d);
}

TEST(an_expired_certificate_is_given_nothing)
{
	struct delivery d;
	gnutls_certificate_credentials_t expired = net_certificate(&ca, HOST, true);

	delivery_init(&d, taken);
	d.credentials = expired;
	assert_not_trusted(&d);
	gnutls_certificate_free_credentials(expired);
}

TEST(without_certificates_to_trust_nothing_is_given)
{
	struct delivery d;

	delivery_init(&d, taken);
	d.trusted = NULL;
	assert_not_trusted(&d);
	assert_int_equal(d.server.heard_len, 0);
}

TEST(a_server_without_starttls_is_given_nothing)
{
	static const struct turn script[] = {{SAY, "220 hi\r\n"}, {HEAR, "EHLO"}, {SAY, "250-hi\r\n250 SIZE\r\n"}, {END, NULL}};
	struct delivery d;

	delivery_init(&d, script);
	assert_delivery(&d, KB_OUTCOME_TEMPORARY, 0, KB_UNSUPPORTED);
	delivery_release(&d);
	assert_false(heard(&d, "MAIL"));
}

/* ---- what servers answer ---- */

#define AT(name, ...) static const struct turn name[] = {__VA_ARGS__, {END, NULL}}
#define CUT_AT(name, ...) static const struct turn name[] = {__VA_ARGS__, {CUT, NULL}}

AT(greeting_421, {SAY, "421 busy\r\n"});
AT(rcpt_450, RCPTED, {SAY, "450 greylisted\r\n"});
AT(rcpt_550, RCPTED, {SAY, "550 unknown\r\n"});
AT(taken_452, TAKEN, {SAY, "452 no room\r\n"});
AT(taken_554, TAKEN, {SAY, "554 refused\r\n"});
AT(taken_odd, TAKEN, {SAY, "all right\r\n"});
CUT_AT(cut_secure, SECURE);
CUT_AT(cut_message, TAKING, {TAKE_SOME, NULL});
CUT_AT(cut_dot, TAKEN);

TEST(what_a_server_answers_is_what_the_vault_hears)
{
	static const struct {
		const struct turn *script;
		enum kb_outcome outcome;
		unsigned code;
		enum kb_status reason;
	} rows[] = {
	    {greeting_421, KB_OUTCOME_TEMPORARY, 421, KB_AGAIN},
	    {rcpt_450, KB_OUTCOME_TEMPORARY, 450, KB_AGAIN},
	    {rcpt_550, KB_OUTCOME_PERMANENT, 550, KB_DENIED},
	    {taken_452, KB_OUTCOME_TEMPORARY, 452, KB_AGAIN},
	    {taken_554, KB_OUTCOME_PERMANENT, 554, KB_DENIED},
	    {taken_odd, KB_OUTCOME_TEMPORARY, 0, KB_MALFORMED},
	    {cut_secure, KB_OUTCOME_TEMPORARY, 0, KB_IO},
	    {cut_message, KB_OUTCOME_TEMPORARY, 0, KB_IO},
	    {cut_dot, KB_OUTCOME_TEMPORARY, 0, KB_IO},
	};

	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct delivery d;

		delivery_init(&d, rows[i].script);
		assert_delivery(&d, rows[i].outcome, rows[i].code, rows[i].reason);
		delivery_release(&d);
		assert_true(d.server.kept);
	}
}

/* What the supervisor does at its deadline. */
TEST(a_delivery_that_is_ended_from_outside_is_tried_again)
{
	static const struct turn script[] = {{SAY, ""}, {END, NULL}};
	struct delivery d;

	delivery_init(&d, script);
	set_out(&d);
	assert_true(silent(d.o->vault, A_WHILE_MS));
	assert_int_equal(kill(d.runner.pid, SIGKILL), 0);
	assert_done(done(d.o), 1, 0, KB_OUTCOME_TEMPORARY, 0, KB_IO);
	delivery_release(&d);
}

/* ---- the runner alone ---- */

/* A runner without a courier: its ends of channel and connection. */
static void lone_runner(struct delivery *d, int *ret_channel, int *ret_server)
{
	struct run r = {.mail_fd = memfd_of(KB_LIT("a: b\r\n\r\n"))};
	int ends[2], line[2];

	delivery_init(d, taken);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
	r.connection = line[1];
	r.channel = ends[1];
	start_runner(d, &r);
	run_end(&r);
	*ret_channel = ends[0];
	*ret_server = line[0];
}

/* Which field of the job is wrong. */
static struct kb_wire_job job_of(size_t wrong)
{
	struct kb_wire_job job;

	memset(&job, 0, sizeof job);
	job.size = wrong == 1 ? 7 : 8;
	kb_field_set(job.host, sizeof job.host, KB_LIT(HOST));
	kb_field_set(job.helo, sizeof job.helo, KB_LIT("kitebox.example"));
	kb_field_set(job.to, sizeof job.to, KB_LIT("intake@oia.example"));
	if (wrong == 2)
		memset(job.to, 'a', sizeof job.to);
	if (wrong == 3)
		job.tls = KB_RELAY_TLS + 1;
	return job;
}

TEST(a_runner_that_is_told_nonsense_says_nothing_to_anybody)
{
	for (size_t wrong = 0; wrong < 5; wrong++) {
		const struct kb_wire_job job = job_of(wrong);
		struct delivery d;
		struct message m;
		char said[64];
		int channel, server;

		lone_runner(&d, &channel, &server);
		say(channel, wrong == 4 ? KB_WIRE_RUN_DONE : KB_WIRE_RUN_JOB, &job, sizeof job, NULL, 0);
		if (wrong == 0) { /* which is right: it waits for the greeting, and says so when there is none */
			assert_int_equal(shutdown(server, SHUT_WR), 0);
			assert_true(hear(channel, &m));
			assert_int_equal(m.type, KB_WIRE_RUN_DONE);
		}
		assert_false(hear(channel, &m));
		assert_true(WIFEXITED(room_end(&d.runner)));
		assert_int_equal(recv(server, said, sizeof said, MSG_DONTWAIT), 0);
		kb_fd_close(&channel);
		kb_fd_close(&server);
		office_free(d.o);
	}
}

TEST(a_runner_that_nobody_waits_for_ends)
{
	struct delivery d;
	int channel, server;

	lone_runner(&d, &channel, &server);
	kb_fd_close(&channel);
	assert_int_equal(room_end(&d.runner), 0);
	kb_fd_close(&server);
	office_free(d.o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_referral_is_delivered_when_the_server_says_250_after_the_dot),
	    RUN(an_acknowledgement_is_delivered_from_the_null_sender),
	    RUN(a_relay_that_speaks_tls_at_once_and_wants_a_login_gets_both),
	    RUN(a_certificate_of_another_name_is_given_nothing),
	    RUN(a_certificate_of_an_unknown_ca_is_given_nothing),
	    RUN(an_expired_certificate_is_given_nothing),
	    RUN(without_certificates_to_trust_nothing_is_given),
	    RUN(a_server_without_starttls_is_given_nothing),
	    RUN(what_a_server_answers_is_what_the_vault_hears),
	    RUN(a_delivery_that_is_ended_from_outside_is_tried_again),
	    RUN(a_runner_that_is_told_nonsense_says_nothing_to_anybody),
	    RUN(a_runner_that_nobody_waits_for_ends),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
