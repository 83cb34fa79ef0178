/*
 * fault_forget: a fault for tests: a vault that does not recognise what it has stored before.
 *
 * What shows that a message stands once, also where its sender sent again (kills.py), must find it out. The linker puts this in
 * front of the store's own function (--wrap), in a program that only that test starts.
 */
#include <sodium.h>

#include "recent.h"

void __real_kb_recent_hash(const struct kb_recent *r, size_t i, const uint8_t fingerprint[static 32], uint8_t ret_key[static KB_RECENT_KEY]);
void __wrap_kb_recent_hash(const struct kb_recent *r, size_t i, const uint8_t fingerprint[static 32], uint8_t ret_key[static KB_RECENT_KEY]);

void __wrap_kb_recent_hash(const struct kb_recent *r, size_t i, const uint8_t fingerprint[static 32], uint8_t ret_key[static KB_RECENT_KEY])
{
	__real_kb_recent_hash(r, i, fingerprint, ret_key);
	randombytes_buf(ret_key, KB_RECENT_KEY);
}
