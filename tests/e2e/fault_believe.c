/*
 * fault_believe: a fault for tests: rooms that take every signature for good.
 *
 * What shows that a swapped public key is refused (swapped.py) must find out a vault and a sealer that both believe it; where only
 * the vault does, the sealer still refuses. The rooms' own sources know nothing of it: the linker puts this in front of the verifying
 * (--wrap), in programs that only that test starts.
 */
#include <kitebox/minisign.h>

enum kb_status __wrap_kb_minisign_verify(struct kb_diag *d, const struct kb_minisign_public *p, const uint8_t prehash[static 64],
    struct kb_span sig, struct kb_span *ret_trusted);

enum kb_status __wrap_kb_minisign_verify(struct kb_diag *d, const struct kb_minisign_public *p, const uint8_t prehash[static 64],
    struct kb_span sig, struct kb_span *ret_trusted)
{
	(void)d, (void)p, (void)prehash, (void)sig;
	*ret_trusted = KB_SPAN(NULL, 0);
	return KB_OK;
}
