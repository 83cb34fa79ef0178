/* sealer_job: see sealer_job.h. */
#include "sealer_job.h"

#include <malloc.h>
#include <stdlib.h>

#include <sodium.h>

enum { QUIET_MS = 1000 };

struct kb_job *kb_job_new(struct kb_jobs *jobs, const struct kb_wire_submit *m, struct kb_channel *door, int fd, struct kb_map map)
{
	struct kb_job *job = calloc(1, sizeof(*job));
	if (!job)
		abort();
	job->submit = *m;
	job->door = door;
	job->fd = fd;
	job->map = map;
	job->stage = KB_JOB_WAITING;
	jobs->used = true;
	if (jobs->last)
		jobs->last->next = job;
	else
		jobs->first = job;
	jobs->last = job;
	return job;
}

void kb_job_free(struct kb_jobs *jobs, struct kb_job *job)
{
	struct kb_job *before = NULL;
	for (struct kb_job *j = jobs->first; j && j != job; j = j->next)
		before = j;
	if (before)
		before->next = job->next;
	else
		jobs->first = job->next;
	if (jobs->last == job)
		jobs->last = before;
	kb_map_release(&job->map);
	kb_fd_close(&job->fd);
	sodium_memzero(job, sizeof(*job));
	free(job);
}

void kb_jobs_rest(struct kb_jobs *jobs, uint64_t now_ms)
{
	if (jobs->first)
		jobs->empty_ms = 0;
	else if (!jobs->empty_ms)
		jobs->empty_ms = now_ms;
	if (jobs->first || !jobs->used || now_ms < jobs->empty_ms + QUIET_MS)
		return;
	jobs->used = false;
	(void)malloc_trim(0);
}

struct kb_job *kb_job_find(const struct kb_jobs *jobs, const struct kb_id *id, enum kb_job_stage stage)
{
	for (struct kb_job *j = jobs->first; j; j = j->next)
		if (j->stage == stage && kb_id_eq(&j->submit.id, id))
			return j;
	return NULL;
}

struct kb_job *kb_job_at(const struct kb_jobs *jobs, enum kb_job_stage stage)
{
	for (struct kb_job *j = jobs->first; j; j = j->next)
		if (j->stage == stage)
			return j;
	return NULL;
}

struct kb_job *kb_job_next(struct kb_jobs *jobs)
{
	struct kb_job *job = kb_job_at(jobs, KB_JOB_WAITING);
	for (struct kb_job *j = job; jobs->small && j; j = j->next)
		if (j->stage == KB_JOB_WAITING && j->map.s.len < job->map.s.len)
			job = j;
	jobs->small = !jobs->small;
	return job;
}
