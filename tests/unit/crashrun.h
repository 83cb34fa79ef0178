/* crashrun: an office that takes mail until it dies at a chosen step, and what is left of it then. */
#ifndef CRASHRUN_H
#define CRASHRUN_H

#include "crashio.h"
#include "storefix.h"

struct crash_left {
	unsigned promised; /* letters whose commit returned before the end */
	unsigned lost;     /* of those, not there afterwards */
	bool finished;     /* it came to its end without dying */
	bool opened;       /* the store opened again */
};

/* Runs the scenario in a child that dies at this step; afterwards looks at what is there. When nothing was lost, everything
 * that must hold between rows is checked too. */
void crash_run(enum crash how, uint64_t step, uint32_t seed, struct crash_left *ret_left);

#endif
