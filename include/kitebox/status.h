/*
 * status: the one vocabulary of failure, and what each word means outside.
 *
 * Every fallible function returns an enum kb_status and, where a caller may
 * want to say more, fills a struct kb_diag. A diagnosis is a string literal,
 * an offset and an errno: by construction no octet of a message, an address
 * or a key can reach a log through an error.
 *
 * Errors:    KB_OK is zero; every other value is a failure.
 * Standard:  reply codes RFC 5321 section 4.2, enhanced codes RFC 3463,
 *            exit statuses sysexits(3).
 * Not here:  logging (daemon/log.h), wording for people (cli/).
 */
#ifndef KITEBOX_STATUS_H
#define KITEBOX_STATUS_H

#include <stdbool.h>
#include <stddef.h>

enum kb_status {
	KB_OK = 0,
	KB_AGAIN,     /* not now: more input, or a later try, will do */
	KB_NOTFOUND,  /* the named thing does not exist */
	KB_MALFORMED, /* input breaks its grammar */
	KB_SEQUENCE,  /* right words at the wrong time */
	KB_LIMIT,     /* a count or length limit of ours was passed */
	KB_TOOBIG,    /* a message or file is larger than we take */
	KB_FORGED,    /* a signature, MAC or hash does not match */
	KB_DENIED,    /* the one who asks may not */
	KB_BUSY,      /* a resource is used up for the moment */
	KB_CORRUPT,   /* stored data is not what was stored */
	KB_IO,        /* the operating system refused; see sys_errno */
	KB_NOKEY,     /* no key here opens or seals this */
	KB_UNSUPPORTED, /* well-formed, but not something we do */
	KB_PAYLOAD,   /* of an age file: the header holds, a chunk behind it does not */
	KB_ARMOR,     /* of an age file as text: the armor around it is malformed */
	KB_STATUS_COUNT
};

struct kb_diag {
	enum kb_status status;
	const char *what; /* a string literal; never content */
	size_t offset;    /* octet or line number where it went wrong, or 0 */
	int sys_errno;    /* or 0 */
};

#define KB_MUST_USE __attribute__((warn_unused_result))

/* Fills *d (when not NULL) and returns st, so that a failing line reads: return KB_FAIL(...). */
enum kb_status kb_fail(struct kb_diag *d, enum kb_status st, size_t offset, int sys_errno, const char *what);
#define KB_FAIL(d, st, offset, lit) kb_fail((d), (st), (offset), 0, "" lit "")
#define KB_FAIL_SYS(d, lit) kb_fail((d), KB_IO, 0, errno, "" lit "")

struct kb_status_row {
	const char *name;     /* "KB_MALFORMED" */
	int smtp;             /* three digits, RFC 5321 4.2 */
	const char *enhanced; /* RFC 3463 */
	int exit_status;      /* of kite and kiteboxd */
	bool retry;           /* may the same request succeed later? */
	const char *sentence; /* for a person */
};

/* Never NULL; a value out of range gets the row of KB_CORRUPT. */
const struct kb_status_row *kb_status_row(enum kb_status st);

#endif
