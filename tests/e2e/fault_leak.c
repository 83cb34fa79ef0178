/*
 * fault_leak: a fault for tests: a sealer that lets out what it should seal. The sender goes to the log, in base64; the summary goes
 * to the store as it is.
 *
 * What shows that nothing is written in the clear (secrecy.py) must find both. The sealer's own sources know nothing of it: the
 * linker puts this in front of the sealing of summaries (--wrap), in a program that only that test starts.
 */
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include <kitebox/summary.h>

enum kb_status __wrap_kb_summary_seal(const uint8_t file_key[static KB_AGE_FILE_KEY], const struct kb_id *message,
    const struct kb_summary *s, uint8_t ret_row[static KB_SUMMARY_LEN]);

enum kb_status __wrap_kb_summary_seal(const uint8_t file_key[static KB_AGE_FILE_KEY], const struct kb_id *message,
    const struct kb_summary *s, uint8_t ret_row[static KB_SUMMARY_LEN])
{
	char line[2 * sizeof s->from];
	(void)file_key, (void)message;
	(void)sodium_bin2base64(
	    line, sizeof line, (const uint8_t *)s->from, strlen(s->from), sodium_base64_VARIANT_ORIGINAL);
	if (write(STDERR_FILENO, line, strlen(line)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
		return KB_IO;
	memset(ret_row, 0, KB_SUMMARY_LEN);
	memcpy(ret_row, s->subject, sizeof s->subject);
	return KB_OK;
}
