/*
 * address: which mail addresses we write to.
 *
 * An address that passes here may stand in an SMTP command and in a header field as it is: a Dot-string of atext at a domain
 * or an address literal, in ASCII. Whatever could end a line, open a bracket, begin a comment or separate two addresses is
 * not in that grammar.
 *
 * Errors:    false, and the caller says what becomes of the mail.
 * Standard:  RFC 5321 section 4.1.2 (Mailbox, but for Quoted-string), 4.5.3.1 for lengths.
 * Not here:  what our own configuration may hold (daemon/settings_check.c); SMTPUTF8 (RFC 6531), which we do not send.
 */
#ifndef KITEBOX_ADDRESS_H
#define KITEBOX_ADDRESS_H

#include <kitebox/bytes.h>

bool kb_address_ok(struct kb_span address);
/* A host name or address literal, as EHLO takes one. */
bool kb_helo_ok(struct kb_span name);

#endif
