/*
 * smtp: the server's half of an SMTP or LMTP dialogue, without input or output.
 *
 * Octets go in, replies and acts come out. Whoever moves them (a room, a unit test, a fuzzer) drives the same machine:
 *
 *	kb_smtp_greet, then kb_smtp_next again and again:
 *	    OPEN    ─▶ kb_smtp_open     may a message begin?
 *	    OCTETS  ─▶ (keep them)      DROP: forget them, what comes of this message is refused
 *	    WHOLE   ─▶ kb_smtp_answer   once it is stored, or not
 *	    SECURE  ─▶ kb_smtp_secured  after the handshake
 *
 * A message ends at CRLF.CRLF and nowhere else, and a line ends at CRLF and nowhere else. A session that breaks this framing (a
 * bare CR or LF; octets behind DATA or STARTTLS that had no right to be there yet; BDAT, which nobody offered) is answered and
 * ends: what one program takes for content is never another's command. However the octets are cut into pieces, the same
 * acts and replies come of them.
 *
 * Ownership:  struct kb_smtp is the caller's memory, plain, without pointers but to the settings; nothing is allocated.
 * Errors:     replies. A refused command changes nothing.
 * Limits:     of struct kb_limits: command_octets, message_octets, recipients, hops, messages_a_session; so many faults and
 *             idle words a session.
 * Secrets:    holds the envelope: wipe it when the session ends.
 * Standard:   RFC 5321; 1870 SIZE, 2034 ENHANCEDSTATUSCODES, 2920 PIPELINING, 3207 STARTTLS, 6152 8BITMIME, 6531 SMTPUTF8;
 *             RFC 2033 for LMTP; codes of RFC 3463.
 * Deviations: more is taken than the grammar has: white space behind "FROM:" and "TO:" and at a line's end, "_" in a domain, a
 *             local part longer than 64 octets (those of bounce addresses are), any printable word after EHLO, 8-bit octets
 *             that were not declared, NUL in a message. Less is done: source routes are checked and forgotten, VRFY, EXPN and
 *             HELP tell nothing. Octets behind DATA that did not wait for its 354 end the session (RFC 2920 3.1).
 * Not here:   sockets, TLS, deadlines, memory (daemon/door.h); what is said to servers (smtpsend.h).
 */
#ifndef KITEBOX_SMTP_H
#define KITEBOX_SMTP_H

#include <kitebox/id.h>
#include <kitebox/settings.h>

enum { KB_SMTP_REPLY_MOST = 1024, KB_SMTP_HELO = 256 };

enum kb_smtp_act {
	KB_SMTP_NOTHING = 0, /* never returned: the machine goes on by itself */
	KB_SMTP_MORE,     /* needs more octets: what is left of *in must be given again, with more behind it */
	KB_SMTP_FLUSH,    /* send what is in out, then call again */
	KB_SMTP_OPEN,     /* DATA was said: kb_smtp_open is owed */
	KB_SMTP_OCTETS,   /* *ret_octets is the message's next part, borrowed from *in or constant */
	KB_SMTP_DROP,     /* what was kept of this message is to be forgotten: it will be refused */
	KB_SMTP_REFUSED,  /* the message has ended, and was refused */
	KB_SMTP_WHOLE,    /* the message has ended, and is to be stored: kb_smtp_answer is owed */
	KB_SMTP_SECURE,   /* send what is in out, then begin TLS; kb_smtp_secured is owed */
	KB_SMTP_WAIT,     /* something is still owed */
	KB_SMTP_CLOSE,    /* send what is in out, then close */
};

enum kb_smtp_state {
	KB_SMTP_NEW = 0,   /* kb_smtp_greet is owed */
	KB_SMTP_STRANGER,  /* no HELO, EHLO or LHLO yet */
	KB_SMTP_READY,     /* no transaction */
	KB_SMTP_MAIL,      /* a sender, no recipient */
	KB_SMTP_RCPT,      /* a sender and recipients */
	KB_SMTP_OPENING,   /* kb_smtp_open is owed */
	KB_SMTP_DATA,
	KB_SMTP_STORING,   /* kb_smtp_answer is owed */
	KB_SMTP_ANSWERING, /* replies to a message are being written */
	KB_SMTP_SECURING,  /* kb_smtp_secured is owed */
	KB_SMTP_ENDED,
	KB_SMTP_STATES
};

/* Why a session is ended from outside. */
enum kb_smtp_end { KB_SMTP_IDLE = 0, KB_SMTP_STOPPING, KB_SMTP_CROWDED, KB_SMTP_GREEDY, KB_SMTP_ENDS };

/* Where replies go: the caller's memory. */
struct kb_smtp_out {
	char *p;
	size_t len, cap;
};

/* A reply's first line: 250, "2.0.0", "done". Enhanced may be NULL. Literals. */
struct kb_smtp_line {
	int code;
	const char *enhanced, *text;
};

/* What RSET forgets. */
struct kb_smtp_mail {
	char sender[KB_ADDRESS_FIELD]; /* without brackets and route; empty: the null sender */
	bool smtputf8;
	bool stale;          /* the mailboxes are not what they were when this began */
	uint32_t recipients; /* that were accepted */
	uint32_t mailboxes;  /* bit i: mailbox i of the settings */
	uint64_t declared;   /* SIZE=, or 0 */
};

/* A message on its way. */
struct kb_smtp_data {
	uint8_t at;       /* data.c */
	uint8_t matched;  /* octets of this line that agree with "Received:" */
	bool header;      /* the empty line has not come yet */
	bool empty;       /* nothing of this line has come yet */
	bool broken;      /* the framing was: the session ends with the message */
	bool dropped;     /* the caller was told to forget it */
	uint32_t hops;
	uint64_t octets;  /* as they came */
	uint64_t kept;    /* as they are given on */
	struct kb_smtp_line refusal; /* code 0: none */
};

struct kb_smtp {
	const struct kb_settings *settings;
	uint8_t state; /* enum kb_smtp_state */
	bool lmtp;
	bool secure;   /* TLS is on */
	bool offer_tls; /* may be changed at any time */
	bool skipping; /* the rest of a line that is too long */
	uint8_t skipped; /* its last octet */
	char helo[KB_SMTP_HELO]; /* as the client says it is called */
	uint32_t messages, faults, idle_words;
	struct kb_smtp_mail mail;
	struct kb_smtp_data data;
	/* what is answered to a message: once, or for each recipient by LMTP */
	uint32_t answers;
	bool ends; /* this side ends the session, now or behind them; false when the client said QUIT */
	struct kb_smtp_line answer;
	char answer_id[KB_ID_TEXT]; /* or empty */
};

/* settings must outlive s; hostname, mailboxes and limits are read whenever they are needed. */
void kb_smtp_init(struct kb_smtp *s, const struct kb_settings *settings, bool lmtp);
/* The first words. early: the client has spoken before it was greeted, and is refused (554). */
void kb_smtp_greet(struct kb_smtp *s, bool early, struct kb_smtp_out *out);

/* Advances *in as far as it can. out must hold KB_SMTP_REPLY_MOST more octets, or KB_SMTP_FLUSH comes back. */
KB_MUST_USE enum kb_smtp_act kb_smtp_next(
    struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets);

/* Settles OPEN. KB_OK: 354. Else the refusal that the status table has; the transaction is over. */
void kb_smtp_open(struct kb_smtp *s, enum kb_status st, struct kb_smtp_out *out);
/* During OCTETS: the caller cannot keep the message. It is told so with DROP as well. */
void kb_smtp_refuse(struct kb_smtp *s, enum kb_status st);
/* Settles WHOLE. KB_OK: 250 with the id. Any other status is answered as a temporary failure. */
void kb_smtp_answer(struct kb_smtp *s, enum kb_status st, const struct kb_id *id);
/* Settles SECURE: as after the greeting (RFC 3207 4.2). Also for TLS that begins with the connection, before kb_smtp_greet. */
void kb_smtp_secured(struct kb_smtp *s);
/* 421 at whatever moment; the session is over. */
void kb_smtp_end(struct kb_smtp *s, enum kb_smtp_end why, struct kb_smtp_out *out);
/* The settings' mailboxes have changed: a transaction that is open is answered with a temporary failure. */
void kb_smtp_stale(struct kb_smtp *s);

#endif
