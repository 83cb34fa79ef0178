/* net_server: a mail server that does what a script says, right or wrong, in a thread. */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <gnutls/gnutls.h>

enum act {
	END = 0,     /* reads what still comes, until the client is gone */
	SAY,         /* text */
	HEAR,        /* a line that begins so */
	TLS,         /* the handshake */
	TAKE,        /* a message, to the final dot */
	TAKE_SOME,   /* the first kilobyte of one */
	CUT,         /* the connection ends */
	FLOOD,       /* text, again and again, until the client has had enough */
};

struct turn {
	enum act act;
	const char *text;
};

struct server {
	const struct turn *script;
	gnutls_certificate_credentials_t credentials;
	const char *priority; /* NULL: NORMAL */
	int fd, listener;
	gnutls_session_t session;
	pthread_t thread;
	/* what happened */
	size_t turn;          /* that was under way at the end */
	bool kept;            /* every turn before END or CUT came to pass */
	char heard[65536];    /* all that was heard in the clear and under TLS, less the message */
	size_t heard_len;
	char message[65536];  /* dots as sent, to the final one */
	size_t message_len;
};

/* Returns the client's end of the connection. */
int server_start(struct server *s, const struct turn *script, gnutls_certificate_credentials_t credentials);
/* Plays it to the first that connects; takes listener. */
void server_accept(struct server *s, int listener, const struct turn *script, gnutls_certificate_credentials_t credentials);
/* The client is done: waits for the server. */
void server_join(struct server *s);

#endif
