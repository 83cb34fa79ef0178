/*
 * desk_status: whether everything is well: the vault's numbers, and a record for each condition that a room has reported.
 *
 * Monitoring asks this, so it is answered also when the vault is not there: then its numbers are zero and a record of level 2
 * says why.
 */
#include <stdlib.h>
#include <string.h>

#include "desk_room.h"

static void fill(struct kb_desk_health *h, unsigned room, unsigned index, unsigned code)
{
	const struct kb_health_row *row = kb_health_row(code);
	memset(h, 0, sizeof(*h));
	kb_field_set(h->room, sizeof(h->room), kb_span_str(kb_room_name(room)));
	kb_field_set(h->code, sizeof(h->code), kb_span_str(row->name));
	kb_field_set(h->sentence, sizeof(h->sentence), kb_span_str(row->sentence));
	h->index = index;
	h->level = (uint32_t)row->level;
}

/* Does a condition that is on already say why the vault's numbers are missing? */
static bool vault_fault_said(const struct kb_wire_health_all *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (all->row[i].room == KB_ROOM_VAULT && all->row[i].on && kb_health_row(all->row[i].code)->level == 2)
			return true;
	return false;
}

void kb_desk_status_answer(const struct kb_wire_health_all *health, const struct kb_desk_status *vault, uint64_t now_s,
    struct kb_desk_answer *ret_a)
{
	size_t n = health->n <= KB_HEALTH_ROWS ? health->n : KB_HEALTH_ROWS, records = 0;
	struct kb_desk_health *h = calloc(n + 1, sizeof(*h));
	struct kb_desk_status s;
	if (!h)
		abort();
	for (; records < n; records++) {
		fill(&h[records], health->row[records].room, health->row[records].index, health->row[records].code);
		h[records].on = health->row[records].on;
		h[records].count = health->row[records].count;
		h[records].since_s = health->row[records].since_s;
	}
	if (!vault && !vault_fault_said(health, n)) {
		fill(&h[records], KB_ROOM_VAULT, 0, KB_HEALTH_ROOM_DOWN);
		h[records++].on = 1;
	}
	memset(&s, 0, sizeof(s));
	if (vault)
		s = *vault;
	s.now_s = now_s;
	if (health->started_s)
		s.started_s = health->started_s; /* of the house; the vault tells of its own until the supervisor has spoken */
	s.body_len = records * sizeof(*h);
	memset(ret_a, 0, sizeof(*ret_a));
	ret_a->type = KB_DESK_STATUS;
	ret_a->len = sizeof(s);
	ret_a->end = true;
	memcpy(ret_a->body, &s, sizeof(s));
	ret_a->memory = (uint8_t *)h;
	ret_a->memory_len = (size_t)s.body_len;
}

_Static_assert(sizeof(struct kb_desk_status) <= KB_ANSWER_BODY, "an answer holds it");
