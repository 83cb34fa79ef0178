/*
 * supervisor_health: the conditions of all rooms in one table, which the desk gets whenever it changes, at most once a
 * second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "supervisor.h"

enum { SEND_US = 1000000 };

static uint64_t now_s(const struct kb_super *s)
{
	uint64_t us;

	if (sd_event_now(s->loop, CLOCK_REALTIME, &us) < 0)
		abort();
	return us / 1000000;
}

static struct kb_super_condition *find(struct kb_super *s, enum kb_room room, uint32_t index, uint32_t code)
{
	for (size_t i = 0; i < s->conditions; i++)
		if (s->condition[i].room == room && s->condition[i].index == index && s->condition[i].code == code)
			return &s->condition[i];
	return NULL;
}

static void removed(struct kb_super *s, struct kb_super_condition *c)
{
	*c = s->condition[--s->conditions];
}

static void send_soon(struct kb_super *s)
{
	int armed;

	if (sd_event_source_get_enabled(s->health, &armed) < 0)
		abort();
	if (armed == SD_EVENT_OFF && (sd_event_source_set_time_relative(s->health, SEND_US) < 0 ||
					 sd_event_source_set_enabled(s->health, SD_EVENT_ONESHOT) < 0))
		abort();
}

void kb_super_health(struct kb_super *s, enum kb_room room, uint32_t index, uint32_t code, bool on, uint64_t count)
{
	struct kb_super_condition *c = find(s, room, index, code);
	bool was = c && c->on;

	if (!on && count == 0) {
		if (!c)
			return;
		removed(s, c);
	} else {
		if (!c && s->conditions == KB_HEALTH_ROWS)
			return; /* what is there already is reason enough to look */
		if (!c) {
			c = &s->condition[s->conditions++];
			*c = (struct kb_super_condition){.room = (uint8_t)room, .index = (uint8_t)index, .code = code};
		}
		if (on && !was)
			c->since_s = now_s(s);
		c->on = on;
		c->count = count;
	}
	if (on != was && kb_health_row(code)->level == 2) {
		const struct kb_diag d = {.what = kb_health_row(code)->name};
		const struct kb_slot *slot = kb_super_slot(s, room, index);

		kb_super_log(on ? LOG_ERR : LOG_NOTICE, slot, &d, on ? "a fault" : "a fault is over");
	}
	send_soon(s);
}

void kb_super_health_forget(struct kb_super *s, const struct kb_slot *slot)
{
	for (size_t i = s->conditions; i > 0; i--) {
		struct kb_super_condition *c = &s->condition[i - 1];

		if (c->room == slot->room && c->index == slot->index && c->code != KB_HEALTH_ROOM_RESTARTED &&
		    c->code != KB_HEALTH_ROOM_DOWN)
			removed(s, c);
	}
	send_soon(s);
}

static void notify(const struct kb_super *s)
{
	unsigned faults = 0;

	for (size_t i = 0; i < s->conditions; i++)
		faults += s->condition[i].on && kb_health_row(s->condition[i].code)->level == 2;
	if (s->phase == KB_PHASE_RUN)
		(void)sd_notifyf(0, faults ? "STATUS=%u faults; kite status shows them" : "STATUS=At work", faults);
}

void kb_super_health_send(struct kb_super *s)
{
	struct kb_slot *desk = kb_super_slot(s, KB_ROOM_DESK, 0);
	struct kb_wire_health_all all;

	memset(&all, 0, sizeof all);
	all.started_s = s->started_s;
	all.n = (uint32_t)s->conditions;
	for (size_t i = 0; i < s->conditions; i++) {
		const struct kb_super_condition *c = &s->condition[i];

		all.row[i].room = c->room;
		all.row[i].index = c->index;
		all.row[i].on = c->on;
		all.row[i].code = c->code;
		all.row[i].count = c->count;
		all.row[i].since_s = c->since_s;
	}
	if (desk)
		(void)kb_slot_send(desk, KB_WIRE_HEALTH_ALL, &all, sizeof all, -1);
}

static int on_send(sd_event_source *e, uint64_t usec, void *ctx)
{
	struct kb_super *s = ctx;

	(void)e, (void)usec;
	kb_super_health_send(s);
	notify(s);
	return 0;
}

enum kb_status kb_super_health_init(struct kb_diag *d, struct kb_super *s)
{
	s->started_s = now_s(s);
	if (sd_event_add_time_relative(s->loop, &s->health, CLOCK_MONOTONIC, SEND_US, 0, on_send, s) < 0)
		return KB_FAIL(d, KB_IO, 0, "no timer for health");
	if (kb_super_may_swap())
		kb_super_health(s, KB_ROOM_SUPERVISOR, 0, KB_HEALTH_SWAP_ON, true, 0);
	return KB_OK;
}

/* ---- swap ---- */

static bool first_line(const char *path, char *ret_line, int size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(ret_line, size, f) != NULL;

	if (f)
		fclose(f);
	return ok;
}

/* /proc/swaps has a heading, and a line for each area in use. */
static bool host_has_swap(void)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[512];
	bool any = f && fgets(line, sizeof line, f) && fgets(line, sizeof line, f);

	if (f)
		fclose(f);
	return any;
}

/* The unified hierarchy's line of /proc/self/cgroup is "0::PATH" (cgroups(7)). */
static bool group_forbids_swap(void)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1024], path[1200] = "", most[32];

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "0::", 3) == 0)
			snprintf(path, sizeof path, "/sys/fs/cgroup%.*s/memory.swap.max", (int)strcspn(line + 3, "\n"),
			    line + 3);
	if (f)
		fclose(f);
	return path[0] && first_line(path, most, sizeof most) && strcmp(most, "0\n") == 0;
}

bool kb_super_may_swap(void)
{
	return host_has_swap() && !group_forbids_swap();
}
