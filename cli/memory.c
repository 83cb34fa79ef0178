/* memory: what the process does to itself before it holds a secret. See kite.h. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "kite.h"

/* Opening a passphrase maps 256 MiB and a large case some hundred more: with MCL_FUTURE a lower limit would turn that into
 * a failure. Keys themselves lie in guarded pages, which are locked one by one whatever the limit. */
enum { LOCK_LEAST = 1 << 30 };

void kite_memory_guard(void)
{
	static const struct rlimit none = {0, 0};
	struct rlimit lock;
	(void)setrlimit(RLIMIT_CORE, &none);
	if (!KB_SANITIZED) /* the leak checker traces its own program */
		(void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	if (getrlimit(RLIMIT_MEMLOCK, &lock) < 0)
		return;
	if (lock.rlim_cur < lock.rlim_max) {
		lock.rlim_cur = lock.rlim_max;
		(void)setrlimit(RLIMIT_MEMLOCK, &lock);
	}
	if (lock.rlim_cur == RLIM_INFINITY || lock.rlim_cur >= LOCK_LEAST)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}
