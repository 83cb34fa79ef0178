/* supervisor_log: kiteboxd's own lines, in journald's "<N>" form. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static void put(int priority, const struct kb_slot *slot, const char *literal, const char *tail)
{
	char line[512], who[48] = "";

	if (slot && (slot->room == KB_ROOM_SEALER || slot->room == KB_ROOM_SORTER || slot->room == KB_ROOM_RUNNER))
		snprintf(who, sizeof who, "%s %u: ", kb_room_name(slot->room), slot->index);
	else if (slot)
		snprintf(who, sizeof who, "%s: ", kb_room_name(slot->room));
	int n = snprintf(line, sizeof line, "<%d>kiteboxd: %s%.200s%.200s\n", priority, who, literal, tail);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* a log that takes nothing must not stop the mail */
}

void kb_super_log(int priority, const struct kb_slot *slot, const struct kb_diag *d, const char *literal)
{
	char tail[256] = "";

	if (d && d->what)
		snprintf(tail, sizeof tail, ": %.160s%s%s%s", d->what, d->sys_errno ? " (" : "",
		    d->sys_errno ? strerrorname_np(d->sys_errno) : "", d->sys_errno ? ")" : "");
	put(priority, slot, literal, tail);
}

void kb_super_log_number(int priority, const struct kb_slot *slot, const char *literal, long long number)
{
	char tail[32];

	snprintf(tail, sizeof tail, " %lld", number);
	put(priority, slot, literal, tail);
}
