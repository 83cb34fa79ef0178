/* net_send: one delivery to a scripted server, as the tests of lib/net make it. */
#ifndef NET_SEND_H
#define NET_SEND_H

#include "kbtest.h"

#include <string.h>

#include <kitebox/smtpsend.h>

#include "net_certs.h"
#include "net_server.h"

#define HOST "mail.oia.example"
#define BODY "Subject: Sealed referral\r\n\r\n.leading\r\n..two\r\n.\r\nlast\r\n"
/* RFC 5321 4.5.2: a dot before each leading dot. */
#define SENT "Subject: Sealed referral\r\n\r\n..leading\r\n...two\r\n..\r\nlast\r\n.\r\n"

extern struct net_ca ca;
extern gnutls_certificate_credentials_t good; /* of HOST, signed by ca */
/* Fresh for each test. */
extern struct server server;
extern struct kb_send_job job;
extern struct kb_tls_limits limits;
extern struct kb_diag diag;

int net_open(void **state);
int net_close(void **state);
int set_up(void **state);

struct kb_send_result send_trusting(const struct turn *script, gnutls_certificate_credentials_t credentials, const struct net_ca *trusted);
struct kb_send_result send_to(const struct turn *script);
bool was_heard(const char *text);

#define assert_result(r, outcome_, code_, reason_)      \
	do {                                            \
		struct kb_send_result r_ = (r);         \
		assert_int_equal(r_.reason, reason_);   \
		assert_int_equal(r_.code, code_);       \
		assert_int_equal(r_.outcome, outcome_); \
	} while (0)

/* clang-format off */
/* The dialogue as it should be, up to a step. */
#define HELLO \
	{SAY, "220 mail.oia.example ESMTP\r\n"}, {HEAR, "EHLO kitebox.example\r\n"}, \
	{SAY, "250-mail.oia.example\r\n250-SIZE 10000000\r\n250 STARTTLS\r\n"}
#define SECURE HELLO, {HEAR, "STARTTLS\r\n"}, {SAY, "220 go\r\n"}, {TLS, NULL}, {HEAR, "EHLO kitebox.example\r\n"}
#define READY SECURE, {SAY, "250-mail.oia.example\r\n250-AUTH LOGIN PLAIN\r\n250 SIZE 10000000\r\n"}
#define MAILED READY, {HEAR, "MAIL FROM:<desk@kitebox.example> SIZE="}
#define RCPTED MAILED, {SAY, "250 ok\r\n"}, {HEAR, "RCPT TO:<intake@oia.example>\r\n"}
#define DATAED RCPTED, {SAY, "250 ok\r\n"}, {HEAR, "DATA\r\n"}
#define TAKING DATAED, {SAY, "354 go on\r\n"}
#define TAKEN TAKING, {TAKE, NULL}
/* clang-format on */

#endif
