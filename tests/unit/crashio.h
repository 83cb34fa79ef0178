/*
 * crashio: a disk that forgets. Writes to data.mdb are remembered until a sync; at step N the process dies, and with a power
 * cut what was written since the last sync is there, gone, or half there.
 *
 * It stands between LMDB and the C library by name: a program that links it has its own pwrite, writev, pwritev, fdatasync,
 * fsync. Only in a child process that armed it does it do anything.
 */
#ifndef CRASHIO_H
#define CRASHIO_H

#include <stdint.h>

enum crash {
	CRASH_NONE,
	CRASH_KILL,     /* the process dies; the kernel keeps what was written */
	CRASH_LOSE,     /* the power fails: nothing since the last sync is there */
	CRASH_SOME      /* the power fails: some of it is, decided by the seed */
};

/* Dies at the step'th call, counted from 1; 0: never. */
void crash_arm(enum crash how, uint64_t step, uint32_t seed);
uint64_t crash_steps(void);
unsigned crash_syncs(void);

#endif
