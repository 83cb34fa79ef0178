/*
 * minisign_internal: what minisign's three kinds of file have in common: lines, comments, base64. LF alone ends a line.
 *
 *     public    = [untrusted LF] base64("Ed" id key) [LF]
 *     secret    = untrusted LF base64("Ed" kdf "B2" salt opslimit memlimit id secret checksum) LF
 *     signature = untrusted LF base64("ED" id signature) LF trusted LF base64(global signature) LF
 *     untrusted = "untrusted comment: " text
 *     trusted   = "trusted comment: " text
 *     text      = *512OCTET       UTF-8 without control characters other than HT
 *
 * Base64 is canonical, with padding (RFC 4648 section 3.5). Nothing may follow. Errors name the line.
 */
#ifndef KB_SEAL_MINISIGN_INTERNAL_H
#define KB_SEAL_MINISIGN_INTERNAL_H

#include <kitebox/minisign.h>

/* Takes a line off *rest; false when no LF ends it. */
bool kb_minisign_line(struct kb_span *rest, struct kb_span *ret_line);
bool kb_minisign_text_fine(struct kb_span text);
/* "untrusted comment: " and a text. */
bool kb_minisign_untrusted(struct kb_span line);
/* A line of base64 that holds exactly n octets. */
bool kb_minisign_octets(struct kb_span line, uint8_t *ret, size_t n);
/* Appends n octets as a line. No copy of them stays anywhere else. */
KB_MUST_USE enum kb_status kb_minisign_put(struct kb_buf *b, const uint8_t *p, size_t n);

#endif
