/*
 * fault_early: two faults for tests: a vault and a sealer that promise before the commit.
 *
 * What proves that 250 is said only when a message is on the disk (trace.py, kills.py) must find these out. The rooms' own
 * sources know nothing of it: the linker puts these functions in front of theirs (--wrap), in programs that only tests start.
 * KB_FAULT_VAULT is one that answers what it takes in; without it, it is a sealer that answers what the door gives it.
 */
#include <string.h>

#include "channel.h"
#include "sealer_job.h"

enum kb_status __real_kb_channel_send(struct kb_channel *ch, uint16_t type, const void *body, size_t size, const int *fds, size_t n);
enum kb_status __wrap_kb_channel_send(struct kb_channel *ch, uint16_t type, const void *body, size_t size, const int *fds, size_t n);

static void promise(struct kb_channel *ch, uint16_t type, const struct kb_id *id)
{
	struct kb_wire_result w;
	memset(&w, 0, sizeof w);
	w.id = *id;
	w.status = KB_OK;
	if (__real_kb_channel_send(ch, type, &w, sizeof w, NULL, 0) != KB_OK)
		return; /* whoever was promised it is gone */
}

#ifdef KB_FAULT_VAULT
enum { ANSWER = KB_WIRE_STORED };

enum kb_status __real_kb_vault_on_store(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);
enum kb_status __wrap_kb_vault_on_store(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n);

enum kb_status __wrap_kb_vault_on_store(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	const struct kb_wire_store *w = body;
	promise(ch, ANSWER, &w->id);
	return __real_kb_vault_on_store(ctx, ch, body, fds, n);
}
#else
enum { ANSWER = KB_WIRE_RESULT };

struct kb_job *__real_kb_job_new(
    struct kb_jobs *jobs, const struct kb_wire_submit *m, struct kb_channel *door, int fd, struct kb_map map);
struct kb_job *__wrap_kb_job_new(
    struct kb_jobs *jobs, const struct kb_wire_submit *m, struct kb_channel *door, int fd, struct kb_map map);

struct kb_job *__wrap_kb_job_new(
    struct kb_jobs *jobs, const struct kb_wire_submit *m, struct kb_channel *door, int fd, struct kb_map map)
{
	promise(door, ANSWER, &m->id);
	return __real_kb_job_new(jobs, m, door, fd, map);
}
#endif

/* The true answer, which would come second, is kept back. */
enum kb_status __wrap_kb_channel_send(struct kb_channel *ch, uint16_t type, const void *body, size_t size, const int *fds, size_t n)
{
	return type == ANSWER ? KB_OK : __real_kb_channel_send(ch, type, body, size, fds, n);
}
