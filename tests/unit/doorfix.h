/* doorfix: the door as a process of its own, with the test as its supervisor, its sealers and its clients. KB_DOOR is its path. */
#ifndef DOORFIX_H
#define DOORFIX_H

#include "roomfix.h"

#include <kitebox/settings.h>

/* L_SMTPS comes last, for it is there only in a door that has TLS. */
enum { SEALERS = 2, L_SMTP = 0, L_LMTP, L_UNIX, L_SMTPS, LISTENERS };

struct door {
	struct room room;
	struct kb_settings settings; /* as last handed over */
	int listener[LISTENERS];
	int sealer[SEALERS]; /* -1: none */
	uint64_t links; /* channels that it was given */
};

/* Settings that a test may change, then a running door with so many sealers. Mailboxes: desk@, familia@, relay@kitebox.example */
void door_init(struct door *d, bool tls);
/* The process alone, for those who have files to hand over first. */
void door_begin(struct door *d);
void door_start(struct door *d, unsigned sealers);
/* Asked to stop; it ends with status 0. */
void door_stop(struct door *d);
/* The same, of one that was asked already. */
void door_end(struct door *d);
void door_sealer(struct door *d, unsigned index);

/* ---- a client ---- */

int client(struct door *d, unsigned listener); /* connected, not greeted yet */
/* The same, from an address of 127.0.0.0/8. */
int client_from(struct door *d, unsigned listener, const char *address);
int greeted(struct door *d, unsigned listener);
int greeted_from(struct door *d, unsigned listener, const char *address);
void put(int fd, const void *octets, size_t n);
/* Says text (NULL: nothing) and hears as many replies as codes names: "250|250 2.1.0|354". */
void talk(int fd, const char *text, const char *codes);
/* The last reply's line, without its end. */
const char *last_line(void);
/* Nothing is heard any more, and the other end is closed. */
void gone(int fd);

#define HELLO "EHLO client.example\r\n"
#define ENVELOPE "MAIL FROM:<mother@family.example>\r\nRCPT TO:<desk@kitebox.example>\r\n"
/* Greets and comes to 354. */
int to_data(struct door *d, unsigned listener);

/* ---- a sealer ---- */

/* The next message it is given; *ret_octets is the message, to be freed. */
struct kb_wire_submit submitted(struct door *d, unsigned sealer, struct kb_buf *ret_octets);
void result(struct door *d, unsigned sealer, const struct kb_id *id, uint32_t status);
/* Takes the next message and stores it. */
void store(struct door *d, unsigned sealer);

#endif
