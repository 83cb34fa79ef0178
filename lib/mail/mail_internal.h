/*
 * mail_internal: what the files of lib/mail share with each other, and with their tests.
 *
 * Everything here appends to a caller's buffer, never past its limit, and says through *doubt when the octets were not what
 * they claimed to be: text is then still the best reading, since what a person wrote must not get lost over a wrong label.
 *
 * Ownership:  spans borrow from the message.
 * Errors:     KB_LIMIT when a buffer is full; what was appended until then stays.
 * Not here:   the public side (mail.h).
 */
#ifndef KITEBOX_MAIL_INTERNAL_H
#define KITEBOX_MAIL_INTERNAL_H

#include <kitebox/mail.h>

/* ---- decode.c: content transfer encodings (RFC 2045 section 6) ---- */

enum kb_encoding { KB_ENCODING_NONE = 0, KB_ENCODING_BASE64, KB_ENCODING_QP, KB_ENCODING_UU, KB_ENCODING_UNKNOWN };
/* Of the value of a Content-Transfer-Encoding field. */
enum kb_encoding kb_encoding_find(struct kb_span value);
KB_MUST_USE enum kb_status kb_decode(struct kb_buf *b, enum kb_encoding e, struct kb_span in, bool *doubt);
/* As much of s as there is room for; KB_LIMIT when that is not all. */
KB_MUST_USE enum kb_status kb_add_some(struct kb_buf *b, struct kb_span s);
/* How many octets kb_decode would append, without doing it. */
size_t kb_decoded_size(enum kb_encoding e, struct kb_span in);
/* The Q encoding of RFC 2047 section 4.2. */
KB_MUST_USE enum kb_status kb_decode_q(struct kb_buf *b, struct kb_span in, bool *doubt);

/* ---- charset.c ---- */

/* Appends in, which is written in the named charset, as well-formed UTF-8 without NUL. An empty name: not said. */
KB_MUST_USE enum kb_status kb_charset_decode(struct kb_buf *b, struct kb_span in, struct kb_span charset, bool *doubt);
/* One of the list, or another name of one. */
bool kb_charset_known(struct kb_span charset);

/* ---- word.c: unstructured text with encoded words (RFC 2047), on one line ---- */

KB_MUST_USE enum kb_status kb_words_decode(struct kb_buf *b, struct kb_span value, bool *doubt);

/* ---- param.c: Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231) ---- */

enum { KB_TYPE_MOST = 128, KB_PARAMS_MOST = 256, KB_SEGMENTS_MOST = 32 };
struct kb_param {
	struct kb_span name, value; /* without the quotes; `escaped` says whether backslashes or folds are still in it */
	bool quoted, escaped;
};
/* "text/plain" in lower case, without comments and spaces; "" when there is none. *ret_at is where parameters begin. */
void kb_type_parse(struct kb_span value, char ret_type[static KB_TYPE_MOST], size_t *ret_at);
bool kb_param_next(struct kb_span value, size_t *at, struct kb_param *ret_p);
/* The first parameter of that name as it stands; continuations and charsets are not looked at. */
bool kb_param_find(struct kb_span value, const char *name, struct kb_param *ret_p);
/* Appends the parameter as UTF-8: RFC 2231 continuations and charset, and encoded words where they do not belong. False when
 * there is none. */
bool kb_param_decode(struct kb_buf *b, struct kb_span value, const char *name, bool *doubt);

/* ---- html.c ---- */

/* Appends what a reader of the page would see. html is UTF-8. *cut when not everything could be walked. */
KB_MUST_USE enum kb_status kb_html_text(struct kb_buf *b, struct kb_span html, bool *cut);
/* The charset that the page itself names, or an empty span. */
struct kb_span kb_html_charset(struct kb_span html);
/* Letters and digits outside of tags: a measure that needs no parser. */
size_t kb_html_weight(struct kb_span html);
/* Appends html without its tags: no more than that, for what the parser gave up on. */
KB_MUST_USE enum kb_status kb_html_strip(struct kb_buf *b, struct kb_span html);

/* ---- quote.c ---- */

/* Appends the writer's own lines. A subject that says "forwarded" keeps what is forwarded: it is why somebody writes. */
KB_MUST_USE enum kb_status kb_own_text(struct kb_buf *b, struct kb_span text, struct kb_span subject);

/* ---- machine.c ---- */

/* Looks at one field of the message's header. */
void kb_machine_field(struct kb_mail *m, const struct kb_field *f);

#endif
