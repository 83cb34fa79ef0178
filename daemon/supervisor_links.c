/*
 * supervisor_links: the channels between siblings, each with a number.
 *
 * A room that starts is linked with all of its siblings. A channel may also end while both rooms live (one of them had no
 * memory or no descriptor left): then a room says LOST with the channel's number, and both get a fresh one. What is said of
 * a number that is not the newest was overtaken, by a restart as a rule, and is nothing.
 *
 * Each LOST waits for a second: mostly a sibling is ending, and its restart links it; and what fails at once fails slowly.
 */
#include <stdlib.h>
#include <syslog.h>

#include <kitebox/memfd.h>

#include "supervisor.h"

enum { RELINK_US = 1000000 };

static struct kb_super_link *link_of(const struct kb_slot *a, const struct kb_slot *b)
{
	struct kb_super *s = a->super;
	size_t i = (size_t)(a - s->slot), k = (size_t)(b - s->slot);

	return i < k ? &s->link[i][k] : &s->link[k][i];
}

void kb_slot_give_peer(struct kb_slot *slot, const struct kb_wire_peer *w, int *fd)
{
	(void)kb_slot_send(slot, KB_WIRE_PEER, w, sizeof *w, *fd);
	kb_fd_close(fd);
}

static bool make_link(struct kb_slot *a, struct kb_slot *b)
{
	struct kb_super_link *l = link_of(a, b);
	struct kb_diag d = {0};
	int ends[2];

	if (kb_channel_pair(&d, ends) != KB_OK) {
		kb_super_log(LOG_ERR, a, &d, "has no channel to a sibling");
		return false;
	}
	*l = (struct kb_super_link){.number = ++a->super->links};
	const struct kb_wire_peer to_a = {.room = b->room, .index = b->index, .link = l->number};
	const struct kb_wire_peer to_b = {.room = a->room, .index = a->index, .link = l->number};

	kb_slot_give_peer(b, &to_b, &ends[0]);
	kb_slot_give_peer(a, &to_a, &ends[1]);
	return true;
}

void kb_slot_link_all(struct kb_slot *slot)
{
	struct kb_super *s = slot->super;

	for (size_t i = 0; i < s->slots; i++) {
		struct kb_slot *other = &s->slot[i];

		if (!other->control || !kb_slot_linked(slot, other))
			continue;
		if (!make_link(slot, other)) {
			kb_slot_kill(slot); /* tried again as a whole */
			return;
		}
	}
}

static bool is_up(const struct kb_slot *slot)
{
	return slot->pid && slot->control && !slot->killed;
}

static int on_relink(sd_event_source *e, uint64_t usec, void *ctx)
{
	struct kb_super *s = ctx;

	(void)e, (void)usec;
	for (size_t i = 0; i < s->slots; i++)
		for (size_t k = i + 1; k < s->slots; k++) {
			struct kb_slot *a = &s->slot[i], *b = &s->slot[k];

			if (!s->link[i][k].lost)
				continue;
			s->link[i][k].lost = false;
			if (s->phase != KB_PHASE_RUN || !is_up(a) || !is_up(b))
				continue; /* whoever is not there is linked when it starts */
			kb_super_log(LOG_WARNING, a, NULL, "has lost its channel to a sibling, and is given another");
			if (!make_link(a, b))
				kb_slot_kill(a);
		}
	return 0;
}

void kb_slot_link_lost(struct kb_slot *a, struct kb_slot *b, uint64_t number)
{
	struct kb_super *s = a->super;
	struct kb_super_link *l = link_of(a, b);
	int armed = SD_EVENT_OFF;

	if (l->number != number || l->lost)
		return;
	l->lost = true;
	if (!s->relink) {
		if (sd_event_add_time_relative(s->loop, &s->relink, CLOCK_MONOTONIC, RELINK_US, 0, on_relink, s) < 0)
			abort();
		return;
	}
	if (sd_event_source_get_enabled(s->relink, &armed) < 0)
		abort();
	if (armed == SD_EVENT_OFF && (sd_event_source_set_time_relative(s->relink, RELINK_US) < 0 ||
					 sd_event_source_set_enabled(s->relink, SD_EVENT_ONESHOT) < 0))
		abort();
}
