/* wire: the rooms' names, as logs, health and pids show them. */
#include "wire.h"

static const char *const names[KB_ROOM_COUNT] = {
    [KB_ROOM_SUPERVISOR] = "kiteboxd",
    [KB_ROOM_DOOR] = "door",
    [KB_ROOM_SORTER] = "sorter",
    [KB_ROOM_SEALER] = "sealer",
    [KB_ROOM_VAULT] = "vault",
    [KB_ROOM_DESK] = "desk",
    [KB_ROOM_COURIER] = "courier",
    [KB_ROOM_RUNNER] = "runner",
};

const char *kb_room_name(unsigned room)
{
	return room < KB_ROOM_COUNT ? names[room] : "unknown";
}
