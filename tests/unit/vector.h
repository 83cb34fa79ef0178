/* vector: the files of tests/data/formats, and whether docs/FORMATS.md shows them. */
#ifndef VECTOR_H
#define VECTOR_H

#include <kitebox/bytes.h>

enum { VECTOR_MOST = 1 << 20 };

/* The whole file; the test fails when there is none. */
void vector_read(const char *name, struct kb_buf *ret_file);
/* The octets that a file of hexadecimal digits names; white space between them is passed over. */
void vector_read_hex(const char *name, struct kb_buf *ret_octets);
/* The test fails unless the document holds this text, line for line (CRLF counts as LF). */
void vector_shown(struct kb_span text);
void vector_shown_file(const char *name);
/* The same for octets, shown as lower-case hexadecimal digits of a hash or key. */
void vector_shown_hex(struct kb_span octets);

#endif
