/* roomfix: a room as a process of its own, with the test as its supervisor and its siblings. */
#ifndef ROOMFIX_H
#define ROOMFIX_H

#include "kbtest.h"

#include <poll.h>
#include <sys/types.h>

#include <kitebox/memfd.h>

#include "health.h"
#include "wire.h"

enum { BODY_MOST = 8192, RIGHTS_MOST = 9, PATIENCE_MS = 30000, QUICK_MS = 5000 };

struct message {
	uint16_t type;
	size_t size, fds;
	_Alignas(8) uint8_t body[BODY_MOST];
	int fd[RIGHTS_MOST];
};

struct room {
	pid_t pid;
	int control;
	uint32_t on[KB_HEALTH_COUNT]; /* conditions as last reported: 0, or 1 + count */
};

/* Starts it and hands it the settings. */
void room_start(struct room *r, const char *program, const struct kb_settings *s);
void room_settings(struct room *r, const struct kb_settings *s);
/* Closes fd. */
void room_file(struct room *r, enum kb_file kind, uint32_t index, int fd);
void room_text(struct room *r, enum kb_file kind, uint32_t index, struct kb_span text);
/* A channel to it; it hears that its end belongs to that room. */
int room_peer(struct room *r, enum kb_room room);
/* GO; until READY when wait. */
void room_go(struct room *r, enum kb_room self, bool wait);
void room_ask_to_stop(struct room *r);
/* Waits for its end: the wait status. */
int room_end(struct room *r);
/* What it says on its control channel, up to a message of this type. */
void room_hear(struct room *r, uint16_t type, struct message *ret_m);
void room_note(struct room *r, const struct message *m);
void room_await(struct room *r, enum kb_health code, bool on);
/* Resident octets of its mappings whose line in smaps (proc(5)) ends so; 0 also where only root may look. */
size_t room_resident(const struct room *r, const char *end);
/* How often these octets stand in its memory; SIZE_MAX where only root may look. */
size_t room_has(const struct room *r, struct kb_span octets);
/* Looks again and again until it holds; fails the test after QUICK_MS. */
#define wait_until(holds)                                              \
	do {                                                           \
		unsigned ms_ = 0;                                      \
		while (!(holds)) {                                     \
			if ((ms_ += 20) > QUICK_MS)                    \
				fail_msg("waited in vain: " #holds);   \
			(void)poll(NULL, 0, 20);                       \
		}                                                      \
	} while (0)
/* It reports this condition, be it begun or over, within that time. */
bool room_says(struct room *r, enum kb_health code, int ms);

void say(int fd, uint16_t type, const void *body, size_t size, const int *fds, size_t n);
/* False: the other end is gone. Fails the test after PATIENCE_MS. */
bool hear(int fd, struct message *ret_m);
/* Nothing comes within that time. */
bool silent(int fd, int ms);
void message_close(struct message *m);

int memfd_of(struct kb_span s);

#endif
