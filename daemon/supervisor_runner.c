/*
 * supervisor_runner: a process for one delivery. The courier connects and asks; the runner gets that connection, the
 * message, the relay's password and certificates, and a channel to the courier. What becomes of it, the courier learns
 * there: a channel that ends without a word is a failure that may be tried again. How the process ends is only logged.
 *
 * A runner has as long as its mail needs over a slow line, ends itself after that, and is ended here should it not.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>

#include <kitebox/memfd.h>
#include <kitebox/smtpsend.h>

#include "supervisor.h"

enum { GRACE_S = 60 };

static int on_deadline(sd_event_source *e, uint64_t usec, void *ctx)
{
	struct kb_slot *slot = ctx;

	(void)e, (void)usec;
	kb_super_log(LOG_WARNING, slot, NULL, "took too long and is ended");
	kb_slot_kill(slot);
	return 0;
}

static uint32_t deadline_s(int mail)
{
	struct stat st;

	return kb_send_deadline_s(fstat(mail, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0) + GRACE_S;
}

static struct kb_slot *free_slot(struct kb_super *s)
{
	for (size_t i = 0; i < KB_SUPER_RUNNERS_MOST; i++)
		if (!s->runner[i].pid)
			return &s->runner[i];
	return NULL;
}

void kb_super_runner(struct kb_super *s, uint32_t relay, int *fds)
{
	struct kb_slot *slot = free_slot(s);

	if (!slot) {
		kb_super_log(LOG_WARNING, NULL, NULL, "too many deliveries at once; one is put off");
		return;
	}
	uint64_t most_us = deadline_s(fds[2]) * UINT64_C(1000000);

	slot->super = s;
	slot->room = KB_ROOM_RUNNER;
	slot->index = (uint32_t)(slot - s->runner);
	slot->relay = relay;
	for (size_t i = 0; i < KB_LEN(slot->work); i++) {
		slot->work[i] = fds[i];
		fds[i] = -1;
	}
	kb_slot_start(slot);
	for (size_t i = 0; i < KB_LEN(slot->work); i++)
		kb_fd_close(&slot->work[i]);
	if (slot->pid &&
	    sd_event_add_time_relative(s->loop, &slot->again, CLOCK_MONOTONIC, most_us, 0, on_deadline, slot) < 0)
		abort();
}

void kb_super_runners_end(struct kb_super *s)
{
	for (size_t i = 0; i < KB_SUPER_RUNNERS_MOST; i++)
		kb_slot_kill(&s->runner[i]);
}
