/*
 * fault_open: a fault for tests: a room whose sandbox stays open.
 *
 * What shows that each room is refused what is not its own (sandbox.py) must find every single call of its table allowed here. The
 * rooms' own sources know nothing of it: the linker puts this in front of the sandbox (--wrap), in programs that only that test
 * starts.
 */
#include "sandbox.h"

enum kb_status __wrap_kb_sandbox_close(struct kb_diag *d, enum kb_room room, const struct kb_sandbox_paths *paths);

enum kb_status __wrap_kb_sandbox_close(struct kb_diag *d, enum kb_room room, const struct kb_sandbox_paths *paths)
{
	(void)d, (void)room, (void)paths;
	return KB_OK;
}
