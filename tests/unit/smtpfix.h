/* smtpfix: a session of the SMTP machine with a caller that does all that is owed; and what the client heard, as codes. */
#ifndef SMTPFIX_H
#define SMTPFIX_H

#include "kbtest.h"

#include <kitebox/smtp.h>

enum { TALK_MOST = 1 << 16 };

struct talk {
	struct kb_smtp s;
	char said[TALK_MOST]; /* replies since they were last looked at */
	size_t said_len;
	char rest[TALK_MOST]; /* octets that were not taken yet */
	size_t rest_len;
	char message[TALK_MOST]; /* the last one */
	size_t message_len;
	unsigned whole, dropped, refused;
	bool closed;
	enum kb_status open, answer, refuse; /* what the caller says to OPEN, to WHOLE, and in between */
};
extern struct talk t;
extern struct kb_settings settings; /* three mailboxes, small limits */

#define ID "0ab102030405060708090a0b0c0d0e0f" /* of every message */

/* Before each test: fresh settings, an SMTP session that was greeted. */
int set_up(void **state);
void begin_as(bool lmtp);
void feed(const char *octets, size_t n);
/* A client that waits after each CRLF. */
void say(const char *text);
/* A client that sends all at once. */
void burst(const char *text);
/* What was said since the last time: "250 2.1.0|354"; of a reply of several lines, the last. */
const char *heard(void);
bool said(const char *text);

#define HELLO "EHLO c.example\r\n"
#define ENVELOPE HELLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<desk@kitebox.example>\r\n"
#define TO_DATA ENVELOPE "DATA\r\n"
/* Up to 354, which was heard. */
void to_data(void);

#endif
