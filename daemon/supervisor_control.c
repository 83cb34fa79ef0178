/*
 * supervisor_control: what rooms may say to the supervisor, as a table; each handler believes nothing that it has not
 * checked.
 */
#include <syslog.h>

#include "supervisor.h"

static void heard(struct kb_slot *slot)
{
	slot->heard_ms = kb_super_now_ms(slot->super);
	slot->silent = false;
}

static enum kb_status on_ready(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_slot *slot = ctx;

	(void)ch, (void)body, (void)fds, (void)n;
	if (slot->ready)
		return KB_SEQUENCE;
	heard(slot);
	slot->ready = true;
	if (slot->room != KB_ROOM_RUNNER)
		kb_super_health(slot->super, slot->room, slot->index, KB_HEALTH_ROOM_DOWN, false, 0);
	kb_super_progress(slot->super);
	return KB_OK;
}

static enum kb_status on_alive(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	(void)ch, (void)body, (void)fds, (void)n;
	heard(ctx);
	return KB_OK;
}

static enum kb_status on_health(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_slot *slot = ctx;
	const struct kb_wire_health *w = body;

	(void)ch, (void)fds, (void)n;
	if (w->code == KB_HEALTH_NONE || w->code >= KB_HEALTH_COUNT || w->on > 1)
		return KB_MALFORMED;
	heard(slot);
	if (slot->room != KB_ROOM_RUNNER) /* which is gone before anybody could read of it */
		kb_super_health(slot->super, slot->room, slot->index, w->code, w->on == 1, w->count);
	return KB_OK;
}

/* The sibling that a room names, if the two have a channel. */
static struct kb_slot *named_by(const struct kb_slot *slot, const struct kb_wire_peer *w)
{
	struct kb_slot *named =
	    w->room < KB_ROOM_COUNT ? kb_super_slot(slot->super, (enum kb_room)w->room, w->index) : NULL;

	return named && kb_slot_linked(slot, named) ? named : NULL;
}

/* A room may name a sibling that it has a channel with: a sealer its sorter, because it hangs over a message; any,
 * because it broke the rules. Who takes hostile messages apart is not believed: it could have others ended. */
static enum kb_status on_hung(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_slot *slot = ctx, *named = named_by(slot, body);

	(void)ch, (void)fds, (void)n;
	if (!named || slot->room == KB_ROOM_SORTER)
		return KB_DENIED;
	heard(slot);
	if (named->pid) {
		kb_super_log(LOG_WARNING, named, NULL, "hangs or broke the rules, as a sibling says, and is ended");
		kb_slot_kill(named);
	}
	return KB_OK;
}

/* Of any room: the most that comes of it is a fresh channel a second. */
static enum kb_status on_lost(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_slot *slot = ctx, *named = named_by(slot, body);
	const struct kb_wire_peer *w = body;

	(void)ch, (void)fds, (void)n;
	if (!named)
		return KB_DENIED;
	heard(slot);
	kb_slot_link_lost(slot, named, w->link);
	return KB_OK;
}

static enum kb_status on_run(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_slot *slot = ctx;
	const struct kb_wire_run *w = body;

	(void)ch, (void)n;
	if (slot->room != KB_ROOM_COURIER)
		return KB_DENIED;
	heard(slot);
	if (w->relay >= slot->super->settings.relays)
		return KB_OK; /* a reload took that relay away; the courier sees its channel end and tries another */
	kb_super_runner(slot->super, w->relay, fds);
	return KB_OK;
}

/* clang-format off */
const struct kb_channel_row kb_super_rows[] = {
	/* type           fds  size                            handler */
	{KB_WIRE_READY,  0, 0, sizeof(struct kb_wire_none),   on_ready},
	{KB_WIRE_ALIVE,  0, 0, sizeof(struct kb_wire_none),   on_alive},
	{KB_WIRE_HEALTH, 0, 0, sizeof(struct kb_wire_health), on_health},
	{KB_WIRE_HUNG,   0, 0, sizeof(struct kb_wire_peer),   on_hung},
	{KB_WIRE_LOST,   0, 0, sizeof(struct kb_wire_peer),   on_lost},
	{KB_WIRE_RUN,    3, 3, sizeof(struct kb_wire_run),    on_run},
};
/* clang-format on */
const size_t kb_super_rows_n = KB_LEN(kb_super_rows);

/* The process that was behind it is ending, or must: without a control channel it can be neither fed nor stopped. */
void kb_super_on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_slot *slot = ctx;
	const struct kb_diag d = {.status = why, .what = kb_status_row(why)->name};

	(void)ch;
	kb_channel_free(&slot->control);
	if (why != KB_IO) {
		kb_super_log(LOG_ERR, slot, &d,
		    why == KB_BUSY ? "does not listen, and is ended"
				   : "said something that it may not say, and is ended");
		kb_slot_kill(slot);
	}
}
