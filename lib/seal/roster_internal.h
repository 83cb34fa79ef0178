/*
 * roster_internal: the grammar that roster_parse.c and roster_format.c share. All of it, line by line, LF alone between them:
 *
 *     kitebox-roster 1
 *     store <32 hex>
 *     version <number>                    1 and up
 *     previous <64 hex>                   zero in version 1, and only there
 *     created <RFC 3339, UTC, seconds>
 *     epoch <number> <recipient>          1 and up; age1...
 *     referral-key <RW...>                minisign's one line
 *     recovery <recipient>
 *     person <id> <role> <recipient> <64 hex> <name>                       0 to 63; ids differ
 *     custodian <recipient>                                                0 to 8
 *     destination <id> <address> <recipient> [<recipient>...]              0 to 8; ids differ; 1 to 4 recipients
 *     route <classes> <categories> <flags> <id of a destination>           0 to 64
 *     end
 *
 * One space between two words; numbers without leading zeros; hexadecimal digits in lower case; classes, categories and flags
 * are names with commas between them, in the order of their enums, or "-" for none; not all three are "-". An id is
 * [a-z][a-z0-9-]{0,14}. A name is words, UTF-8, at most 63 octets.
 */
#ifndef KB_SEAL_ROSTER_INTERNAL_H
#define KB_SEAL_ROSTER_INTERNAL_H

#include <kitebox/roster.h>

/* A set of named bits: what a route's three columns have in common. */
struct kb_roster_names {
	const char *(*name)(unsigned i);
	unsigned n;
};
extern const struct kb_roster_names kb_roster_classes, kb_roster_categories, kb_roster_flags;

bool kb_roster_id_fine(struct kb_span id);
bool kb_roster_name_fine(struct kb_span name);
/* local-part@domain, at most 254 octets, neither quoted nor with anything that ends a word or a path of SMTP. */
bool kb_roster_address_fine(struct kb_span address);

#endif
