/*
 * supervisor: what kiteboxd itself does: it starts the rooms, hands each what is its own, starts one that dies again, and
 * stops them in order. Internal to supervisor_*.c and kiteboxd.c.
 *
 * It parses nothing that comes from outside but its own configuration, and messages of rooms, which the channel's table and
 * each handler check: a room that says anything else is killed and started again.
 *
 * Ownership:  everything hangs on struct kb_super, which lives as long as the process.
 * Errors:     before the rooms run, an error ends kiteboxd with a sentence; afterwards it is logged, and the room it concerns
 *             is tried again.
 * Secrets:    the secret halves of outbox keys, in guarded memory; credentials, in sealed memfds that no room but their own gets.
 * Not here:   the rooms' work.
 */
#ifndef KITEBOX_DAEMON_SUPERVISOR_H
#define KITEBOX_DAEMON_SUPERVISOR_H

#include <sys/types.h>

#include "channel.h"
#include "health.h"

enum {
	KB_SUPER_PAIRS_MOST = 8,                         /* sealers, and as many sorters */
	KB_SUPER_ROOMS_MOST = 4 + 2 * KB_SUPER_PAIRS_MOST,
	KB_SUPER_RUNNERS_MOST = 16,
	KB_SUPER_FILES_MOST = 40,
	KB_SUPER_KEYS_MOST = 64,
};

struct kb_super;

/* One room's place: the process in it comes and goes. */
struct kb_slot {
	struct kb_super *super;
	enum kb_room room;
	uint32_t index;
	pid_t pid;                    /* 0: nobody there */
	struct kb_channel *control;   /* NULL: not handed over yet, or ended */
	sd_event_source *child, *again;
	bool ready, silent, killed;   /* silent: was not heard of at the last look */
	uint64_t started_ms, heard_ms;
	unsigned failures;            /* in a row */
	uint64_t restarts;
	/* of a runner alone, until they are handed over */
	uint32_t relay;
	int work[3];                  /* connected socket, channel end, message */
};

struct kb_super_file {
	enum kb_file kind;
	uint32_t index;
	int fd;
};

struct kb_super_key {
	uint32_t number;
	uint64_t made_ms;
	uint8_t pub[32], secret[32];
};

/* The newest channel between two rooms. */
struct kb_super_link {
	uint64_t number;              /* 0: there was none yet */
	bool lost;                    /* a room says that it has ended */
};

struct kb_super_condition {
	uint8_t room, index;
	uint32_t code;
	uint64_t count, since_s;
	bool on;
};

enum kb_super_phase { KB_PHASE_RUN = 0, KB_PHASE_DOOR, KB_PHASE_SEALER, KB_PHASE_REST, KB_PHASE_VAULT, KB_PHASE_GONE };

struct kb_super {
	const char *config_path, *libexec;
	struct kb_settings settings;   /* as in force: with the listeners that systemd gave */
	sd_event *loop;
	int settings_fd;               /* the same, in a sealed memfd */
	int program[KB_ROOM_COUNT];
	struct kb_super_file file[KB_SUPER_FILES_MOST];
	size_t files;
	struct kb_slot slot[KB_SUPER_ROOMS_MOST];
	size_t slots;
	struct kb_super_link link[KB_SUPER_ROOMS_MOST][KB_SUPER_ROOMS_MOST]; /* the lesser slot first */
	uint64_t links;                /* that were ever made */
	struct kb_slot runner[KB_SUPER_RUNNERS_MOST];
	struct kb_super_key *key;      /* KB_SUPER_KEYS_MOST, in guarded memory */
	size_t keys;
	struct kb_super_condition condition[KB_HEALTH_ROWS];
	size_t conditions;
	uint64_t started_s;
	enum kb_super_phase phase;
	bool announced;                /* READY=1 was said */
	sd_event_source *look, *health, *outbox, *deadline, *relink;
	int lock, run_dir;             /* held open: what leads there may be closed to the user that is become */
};

/* supervisor.c: the loop, from the first room to the last. Returns the exit status. */
int kb_super_run(struct kb_super *s);
/* Says READY when every room is, and goes on with a stop whose phase is over. */
void kb_super_progress(struct kb_super *s);
uint64_t kb_super_now_ms(const struct kb_super *s);

/* supervisor_log.c: one line: literals and numbers, never content. slot may be NULL. */
void kb_super_log(int priority, const struct kb_slot *slot, const struct kb_diag *d, const char *literal);
void kb_super_log_number(int priority, const struct kb_slot *slot, const char *literal, long long number);

/* supervisor_privilege.c: limits; then folders, lock and user. Afterwards nothing runs as root. */
KB_MUST_USE enum kb_status kb_super_limits(struct kb_diag *d);
KB_MUST_USE enum kb_status kb_super_folders(struct kb_diag *d, struct kb_super *s);
KB_MUST_USE enum kb_status kb_super_drop(struct kb_diag *d, const struct kb_super *s);

/* supervisor_files.c: everything that rooms get as a sealed memfd. A file that is missing is logged and not handed over; the
 * room it belongs to says in health what that means. On a reload what cannot be read keeps its old content. */
KB_MUST_USE enum kb_status kb_super_files_read(struct kb_diag *d, struct kb_super *s);
KB_MUST_USE enum kb_status kb_super_settings_share(struct kb_diag *d, struct kb_super *s);
/* Takes fd. */
void kb_super_file_put(struct kb_super *s, enum kb_file kind, uint32_t index, int fd);
/* Does a file of this kind (and listener) belong to this room? */
bool kb_super_file_is_for(const struct kb_super *s, const struct kb_super_file *f, enum kb_room room);

/* supervisor_sockets.c: binds, or takes what systemd bound. Writes RUN_DIR/listeners and RUN_DIR/rooms. */
KB_MUST_USE enum kb_status kb_super_sockets(struct kb_diag *d, struct kb_super *s);
void kb_super_write_listeners(struct kb_super *s);
void kb_super_write_rooms(struct kb_super *s);
void kb_super_forget(struct kb_super *s);

/* supervisor_start.c: one process into one slot. */
KB_MUST_USE enum kb_status kb_super_programs(struct kb_diag *d, struct kb_super *s);
void kb_slot_start(struct kb_slot *slot);
void kb_slot_kill(struct kb_slot *slot);
/* Files, settings, again to a room that runs. */
void kb_slot_reload(struct kb_slot *slot);
/* False when the message could not be given; the control channel then ends by itself. */
bool kb_slot_send(struct kb_slot *slot, uint16_t type, const void *body, size_t size, int fd);
/* Is there a channel between the two? */
bool kb_slot_linked(const struct kb_slot *a, const struct kb_slot *b);
struct kb_slot *kb_super_slot(struct kb_super *s, enum kb_room room, uint32_t index);

/* supervisor_links.c: the channels between siblings. */
/* Fresh ones between this room and all of its siblings that are there. */
void kb_slot_link_all(struct kb_slot *slot);
/* One of the two says that their channel of this number has ended: a second later they get another, if both live still. */
void kb_slot_link_lost(struct kb_slot *a, struct kb_slot *b, uint64_t number);
/* Closes *fd. */
void kb_slot_give_peer(struct kb_slot *slot, const struct kb_wire_peer *w, int *fd);

/* supervisor_control.c: what rooms say. */
extern const struct kb_channel_row kb_super_rows[];
extern const size_t kb_super_rows_n;
void kb_super_on_closed(void *ctx, struct kb_channel *ch, enum kb_status why);

/* supervisor_health.c */
void kb_super_health(struct kb_super *s, enum kb_room room, uint32_t index, uint32_t code, bool on, uint64_t count);
/* What a room said is void once it is gone. */
void kb_super_health_forget(struct kb_super *s, const struct kb_slot *slot);
KB_MUST_USE enum kb_status kb_super_health_init(struct kb_diag *d, struct kb_super *s);
void kb_super_health_send(struct kb_super *s);
/* May this process be swapped out? */
bool kb_super_may_swap(void);

/* supervisor_outbox.c */
KB_MUST_USE enum kb_status kb_super_outbox_init(struct kb_diag *d, struct kb_super *s);
void kb_super_outbox_give(struct kb_slot *slot);
void kb_super_outbox_release(struct kb_super *s);

/* supervisor_runner.c: takes the descriptors (sets them to -1), or leaves them to be closed: the courier sees its channel end. */
void kb_super_runner(struct kb_super *s, uint32_t relay, int *fds);
/* The courier is gone: nobody hears of them, and the next one is given the same mails again. */
void kb_super_runners_end(struct kb_super *s);

#endif
