/* courierfix: the courier, with the test as its supervisor, vault and runners, and relays on loopback. */
#ifndef COURIERFIX_H
#define COURIERFIX_H

#include "roomfix.h"
#include "sealer_outbox.h"

/* What the courier is started with, unless a test says otherwise: two languages, one key (number 7). */
#define TEMPLATE_EN "Subject: We received your message\n\nOn {date} we received it.\nYour number is {num}.\n"
#define TEMPLATE_ES "Subject: Recibimos su mensaje\n\nLlego el {date}.\nSu numero es {num}.\n"
/* 2026-11-24, around noon in London: the same day nearly everywhere */
enum { RECEIVED_S = 1795521600, KEY = 7, REFERRALS = 4, ACKS = 6 };

struct key {
	uint32_t number;
	uint8_t pub[32], secret[32];
};

struct office {
	struct room room;
	struct kb_settings settings;
	struct key key;
	const char *text[KB_LANG_COUNT]; /* NULL: not handed over */
	int vault;
	uint32_t credit[2];  /* referrals, acknowledgements: given and not used */
	int relay[KB_RELAYS_MOST];  /* listening; -1 */
};

/* A relay on 127.0.0.1 for each listener; the courier is not started yet. */
struct office *office_new(size_t relays);
void office_start(struct office *o);
/* STOP, a clean end, and free. */
void office_stop(struct office *o);
void office_free(struct office *o);
void office_key(struct office *o, uint32_t number);
void office_reload(struct office *o);
/* Everything that the supervisor has said is heard: it says two things that show in health. */
void office_settle(struct office *o);
/* A new vault: the one before is gone. */
void office_vault(struct office *o);
/* A listener on 127.0.0.1; closed: a port that refuses. */
int listen_on(uint16_t *ret_port);
void relay_close(struct office *o, uint32_t relay);

/* Long enough for a runner to be asked for, were it asked for. */
enum { A_WHILE_MS = 150 };

/* Sealed and so long; no memory is used for it before it is read. */
int large(size_t octets);

/* As the vault. The number makes the id. */
struct kb_id id_of(uint8_t number);
void give_referral(struct office *o, uint8_t number, struct kb_span sealed);
/* As a sealer seals it. */
void seal_item(const struct key *k, const struct kb_ack_item *item, uint8_t ret_sealed[static KB_ACK_SEALED]);
void give_ack(struct office *o, uint8_t number, const struct kb_ack_item *item);
void give_ack_octets(struct office *o, uint8_t number, uint32_t key, struct kb_span sealed);
struct kb_ack_item item_to(const char *address, enum kb_language language);
/* The next DONE; credit is noted on the way. */
struct kb_wire_done done(struct office *o);
void await_credit(struct office *o, uint32_t referrals, uint32_t acks);

/* As the supervisor, which is asked for a runner; and as that runner. */
struct run {
	uint32_t relay;
	int connection, channel;
	struct kb_map mail;
	int mail_fd;
	struct kb_wire_job job;
};
struct run next_run(struct office *o);
/* No runner is asked for within that time. */
bool no_run(struct office *o, int ms);
bool mail_has(const struct run *r, const char *text);
void run_says(struct run *r, enum kb_outcome outcome, uint32_t code, enum kb_status reason);
/* Its process ends. */
void run_end(struct run *r);
/* Delivered; then its end. */
void deliver(struct run *r);

#define assert_done(d, number, ack_, outcome_, code_, reason_)         \
	do {                                                           \
		struct kb_wire_done d_ = (d);                          \
		struct kb_id i_ = id_of(number);                       \
		assert_true(kb_id_eq(&d_.id, &i_));                    \
		assert_int_equal(d_.ack, ack_);                        \
		assert_int_equal(d_.reason, reason_);                  \
		assert_int_equal(d_.code, code_);                      \
		assert_int_equal(d_.outcome, outcome_);                \
	} while (0)

#endif
