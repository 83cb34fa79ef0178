/* status: see status.h. The table is what the door answers, what kite exits with, and what a person reads. */
#include <kitebox/status.h>

/* clang-format off */
static const struct kb_status_row rows[KB_STATUS_COUNT] = {
	/*                    name              smtp enhanced  exit retry  sentence */
	[KB_OK]          = { "KB_OK",           250, "2.0.0",   0, false, "done" },
	[KB_AGAIN]       = { "KB_AGAIN",        451, "4.3.0",  75, true,  "not possible at this moment; try again later" },
	[KB_NOTFOUND]    = { "KB_NOTFOUND",     550, "5.1.1",  66, false, "there is no such thing" },
	[KB_MALFORMED]   = { "KB_MALFORMED",    501, "5.5.4",  65, false, "the input is not well-formed" },
	[KB_SEQUENCE]    = { "KB_SEQUENCE",     503, "5.5.1",  76, false, "out of sequence" },
	[KB_LIMIT]       = { "KB_LIMIT",        452, "4.5.3",  74, true,  "a limit was passed" },
	[KB_TOOBIG]      = { "KB_TOOBIG",       552, "5.3.4",  74, false, "larger than is taken here" },
	[KB_FORGED]      = { "KB_FORGED",       451, "4.7.5",  77, false, "a signature or checksum does not match" },
	[KB_DENIED]      = { "KB_DENIED",       550, "5.7.1",  77, false, "not allowed" },
	[KB_BUSY]        = { "KB_BUSY",         452, "4.3.1",  75, true,  "no room for it at this moment; try again later" },
	[KB_CORRUPT]     = { "KB_CORRUPT",      451, "4.3.0",  70, false, "stored data is damaged" },
	[KB_IO]          = { "KB_IO",           451, "4.3.0",  71, true,  "the operating system refused" },
	[KB_NOKEY]       = { "KB_NOKEY",        451, "4.7.0",  78, false, "no key at hand fits" },
	[KB_UNSUPPORTED] = { "KB_UNSUPPORTED",  502, "5.5.1",  69, false, "well-formed, but not supported" },
	[KB_PAYLOAD]     = { "KB_PAYLOAD",      451, "4.7.5",  79, false, "a sealed payload was altered, cut or added to" },
	[KB_ARMOR]       = { "KB_ARMOR",        501, "5.5.4",  80, false, "the armor around a sealed file is not well-formed" },
};
/* clang-format on */

enum kb_status kb_fail(struct kb_diag *d, enum kb_status st, size_t offset, int sys_errno, const char *what)
{
	if (d)
		*d = (struct kb_diag){.status = st, .what = what, .offset = offset, .sys_errno = sys_errno};
	return st;
}

const struct kb_status_row *kb_status_row(enum kb_status st)
{
	return (unsigned)st < KB_STATUS_COUNT ? &rows[st] : &rows[KB_CORRUPT];
}

_Static_assert(sizeof(rows) / sizeof(rows[0]) == KB_STATUS_COUNT, "every status has its row");
