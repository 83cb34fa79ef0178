/*
 * supervisor_outbox: the keys that what waits to be sent is sealed to. They live in memory alone: here, so that a
 * courier that starts again gets them, and in the courier. A new one is made every hour; one is destroyed after two
 * days, when what is sealed to it has long left or been given up. Numbers grow, also across restarts, since they count
 * from the clock.
 *
 * Secrets:   guarded memory; a message that carries a secret half is wiped after it was sent.
 */
#include <sodium.h>
#include <string.h>
#include <syslog.h>

#include "supervisor.h"

enum { TURN_S = 3600, KEEP_S = 48 * 3600 };

static void give(struct kb_slot *slot, const struct kb_super_key *k)
{
	struct kb_wire_outbox_key w;

	memset(&w, 0, sizeof w);
	w.number = k->number;
	switch (slot->room) {
	case KB_ROOM_COURIER:
		memcpy(w.secret, k->secret, sizeof w.secret);
		/* fall through */
	case KB_ROOM_SEALER:
		memcpy(w.pub, k->pub, sizeof w.pub);
		/* fall through */
	case KB_ROOM_VAULT:
		(void)kb_slot_send(slot, KB_WIRE_OUTBOX_KEY, &w, sizeof w, -1);
		break;
	default:
		break;
	}
	sodium_memzero(&w, sizeof w);
}

static bool holds_outbox_keys(const struct kb_slot *slot)
{
	return slot->room == KB_ROOM_COURIER || slot->room == KB_ROOM_SEALER || slot->room == KB_ROOM_VAULT;
}

/* The oldest goes. */
static void destroy_first(struct kb_super *s)
{
	const struct kb_wire_outbox_key w = {.number = s->key[0].number, .destroy = 1};

	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i].control && holds_outbox_keys(&s->slot[i]))
			(void)kb_slot_send(&s->slot[i], KB_WIRE_OUTBOX_KEY, &w, sizeof w, -1);
	s->keys--;
	memmove(&s->key[0], &s->key[1], s->keys * sizeof s->key[0]);
	sodium_memzero(&s->key[s->keys], sizeof s->key[0]);
}

static uint32_t next_number(const struct kb_super *s)
{
	uint64_t us;

	if (sd_event_now(s->loop, CLOCK_REALTIME, &us) < 0)
		us = 0;
	uint32_t number = (uint32_t)(us / 1000000);

	return s->keys && number <= s->key[s->keys - 1].number ? s->key[s->keys - 1].number + 1 : number;
}

static void turn(struct kb_super *s)
{
	uint64_t now = kb_super_now_ms(s);

	while (s->keys && (s->keys == KB_SUPER_KEYS_MOST || now - s->key[0].made_ms >= KEEP_S * UINT64_C(1000)))
		destroy_first(s);
	struct kb_super_key *k = &s->key[s->keys];

	k->number = next_number(s);
	k->made_ms = now;
	crypto_box_keypair(k->pub, k->secret);
	s->keys++;
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i].control)
			give(&s->slot[i], k);
}

static int on_turn(sd_event_source *e, uint64_t usec, void *ctx)
{
	(void)usec;
	turn(ctx);
	if (sd_event_source_set_time_relative(e, TURN_S * UINT64_C(1000000)) < 0 ||
	    sd_event_source_set_enabled(e, SD_EVENT_ONESHOT) < 0)
		kb_super_log(LOG_ERR, NULL, NULL, "outbox keys do not turn any more");
	return 0;
}

enum kb_status kb_super_outbox_init(struct kb_diag *d, struct kb_super *s)
{
	s->key = sodium_allocarray(KB_SUPER_KEYS_MOST, sizeof *s->key);
	if (!s->key)
		return KB_FAIL(d, KB_IO, 0, "no guarded memory for outbox keys");
	memset(s->key, 0, KB_SUPER_KEYS_MOST * sizeof *s->key);
	turn(s);
	if (sd_event_add_time_relative(
		s->loop, &s->outbox, CLOCK_MONOTONIC, TURN_S * UINT64_C(1000000), 0, on_turn, s) < 0)
		return KB_FAIL(d, KB_IO, 0, "no timer for outbox keys");
	return KB_OK;
}

/* To a room that has just started: a courier opens what older keys sealed; others seal to the newest. */
void kb_super_outbox_give(struct kb_slot *slot)
{
	struct kb_super *s = slot->super;

	for (size_t i = slot->room == KB_ROOM_SEALER && s->keys ? s->keys - 1 : 0; i < s->keys; i++)
		give(slot, &s->key[i]);
}

void kb_super_outbox_release(struct kb_super *s)
{
	sodium_free(s->key); /* wipes; harmless on NULL */
	s->key = NULL;
	s->keys = 0;
}
