/*
 * sealer_job: the messages that are with a sealer, oldest first, each at one stage of its way.
 *
 * Ownership:  a job owns its descriptor and its map of the door's octets; kb_job_free wipes, unmaps and closes.
 */
#ifndef KITEBOX_DAEMON_SEALER_JOB_H
#define KITEBOX_DAEMON_SEALER_JOB_H

#include <kitebox/memfd.h>

#include "channel.h"

enum kb_job_stage { KB_JOB_WAITING, KB_JOB_SORTING, KB_JOB_STORING };

struct kb_job {
	struct kb_job *next;
	struct kb_channel *door; /* NULL once the door has gone */
	struct kb_wire_submit submit;
	int fd; /* the door's octets, sealed against change; lent to the sorter */
	struct kb_map map;
	enum kb_job_stage stage;
	unsigned tries;
	uint64_t since_ms; /* when it began to wait or to be sorted */
	bool resealed;
	struct kb_verdict verdict;
};

struct kb_jobs {
	struct kb_job *first, *last;
	bool small; /* whose turn it is */
	bool used;  /* there was one since memory was given back */
	uint64_t empty_ms; /* since when there is none; 0: not seen yet */
};

/* Appends a job at stage KB_JOB_WAITING; takes fd and map. */
struct kb_job *kb_job_new(struct kb_jobs *jobs, const struct kb_wire_submit *m, struct kb_channel *door, int fd, struct kb_map map);
void kb_job_free(struct kb_jobs *jobs, struct kb_job *job);
/* Now and then: gives back what a rush took of memory, a second after it is over; the C library keeps it for the next one. */
void kb_jobs_rest(struct kb_jobs *jobs, uint64_t now_ms);
/* The job of that id at that stage, or the oldest at that stage; NULL when there is none. */
struct kb_job *kb_job_find(const struct kb_jobs *jobs, const struct kb_id *id, enum kb_job_stage stage);
struct kb_job *kb_job_at(const struct kb_jobs *jobs, enum kb_job_stage stage);
/* The one that is sorted next: the oldest that waits and the smallest take turns, so that a row of messages which cost their
 * sorter all its time delays an ordinary one by one of them, and none waits for ever. */
struct kb_job *kb_job_next(struct kb_jobs *jobs);

#endif
