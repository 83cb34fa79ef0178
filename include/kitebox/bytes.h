/*
 * bytes: borrowed octets, growable buffers, arenas, and fixed-width numbers.
 *
 * Buffers and arenas have a limit given at birth, wipe what they held when
 * they are released, and refuse (KB_LIMIT) rather than grow past it.
 *
 * Ownership:  a span borrows; a buf and an arena own, and release takes them back to empty.
 * Errors:     KB_LIMIT past the limit; a failed allocation aborts (a half-parsed
 *             message must never look like a whole one).
 * Secrets:    everything is wiped with sodium_memzero before it is freed.
 * Not here:   guarded memory for keys (seal.h).
 */
#ifndef KITEBOX_BYTES_H
#define KITEBOX_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kitebox/status.h>

#define KB_AUTO(fn) __attribute__((cleanup(fn)))
#define KB_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* Marks the one line where ownership leaves: yields p and sets it to NULL. */
#define KB_TAKE(p)                       \
	(__extension__({                 \
		__typeof__(p) kb_t_ = (p); \
		(p) = NULL;              \
		kb_t_;                   \
	}))

struct kb_span {
	const uint8_t *p;
	size_t len;
};

#define KB_SPAN(p, n) ((struct kb_span){(const uint8_t *)(p), (n)})
#define KB_LIT(s) ((struct kb_span){(const uint8_t *)("" s ""), sizeof(s) - 1})

struct kb_span kb_span_str(const char *s);
bool kb_span_eq(struct kb_span a, struct kb_span b);
/* ASCII case-insensitive comparison, independent of locale. */
bool kb_span_caseeq(struct kb_span a, struct kb_span b);
bool kb_span_starts(struct kb_span s, struct kb_span prefix);
bool kb_span_casestarts(struct kb_span s, struct kb_span prefix);
/* Offset of the first occurrence, or SIZE_MAX. */
size_t kb_span_find(struct kb_span s, struct kb_span needle);
size_t kb_span_casefind(struct kb_span s, struct kb_span needle);
/* Without leading and trailing SP, HT, CR, LF. */
struct kb_span kb_span_trim(struct kb_span s);
/* s from octet off on (empty when off is past the end). */
struct kb_span kb_span_from(struct kb_span s, size_t off);
/* The next line without its LF or CRLF; advances *rest; false at the end. */
bool kb_span_line(struct kb_span *rest, struct kb_span *ret_line);
/* Parses decimal digits only, whole span, no sign; KB_MALFORMED or KB_LIMIT (> most). */
KB_MUST_USE enum kb_status kb_span_u64(struct kb_span s, uint64_t most, uint64_t *ret_v);

struct kb_buf {
	uint8_t *p;
	size_t len, cap, most;
};

void kb_buf_init(struct kb_buf *b, size_t most);
void kb_buf_release(struct kb_buf *b); /* wipes, frees, empties; harmless twice */
/* Ensures room for n more octets beyond len. */
KB_MUST_USE enum kb_status kb_buf_reserve(struct kb_buf *b, size_t n);
KB_MUST_USE enum kb_status kb_buf_add(struct kb_buf *b, struct kb_span s);
KB_MUST_USE enum kb_status kb_buf_str(struct kb_buf *b, const char *s);
KB_MUST_USE enum kb_status kb_buf_byte(struct kb_buf *b, uint8_t c);
KB_MUST_USE enum kb_status kb_buf_printf(struct kb_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drops the first n octets (wiping the tail that is freed up). */
void kb_buf_drop(struct kb_buf *b, size_t n);
void kb_buf_clear(struct kb_buf *b); /* wipes, keeps the memory */
struct kb_span kb_buf_span(const struct kb_buf *b);

struct kb_arena {
	struct kb_arena_chunk *first;
	size_t used, most;
};

void kb_arena_init(struct kb_arena *a, size_t most);
void kb_arena_release(struct kb_arena *a); /* wipes and frees all */
/* n octets, zeroed, aligned for any type; NULL only past the limit. */
void *kb_arena_alloc(struct kb_arena *a, size_t n);
/* A NUL-terminated copy; NULL only past the limit. */
char *kb_arena_copy(struct kb_arena *a, struct kb_span s);

/* Little-endian numbers at any alignment. */
void kb_put_u16(uint8_t *p, uint16_t v);
void kb_put_u32(uint8_t *p, uint32_t v);
void kb_put_u64(uint8_t *p, uint64_t v);
uint16_t kb_get_u16(const uint8_t *p);
uint32_t kb_get_u32(const uint8_t *p);
uint64_t kb_get_u64(const uint8_t *p);
/* Big-endian, for LMDB keys whose order matters. */
void kb_put_be64(uint8_t *p, uint64_t v);
uint64_t kb_get_be64(const uint8_t *p);

/* Copies src into a fixed field of n octets: always NUL-terminated, tail zeroed, cut at n-1
 * and never within a UTF-8 sequence. */
void kb_field_set(char *field, size_t n, struct kb_span src);
/* The field as a span up to its NUL, or KB_MALFORMED when it holds none. */
KB_MUST_USE enum kb_status kb_field_get(const char *field, size_t n, struct kb_span *ret_s);

/* True for well-formed UTF-8 (RFC 3629: no surrogates, no overlongs). */
bool kb_utf8_valid(struct kb_span s);
/* Decodes one code point; returns its length in octets, 0 when ill-formed. */
size_t kb_utf8_next(struct kb_span s, uint32_t *ret_cp);
/* Appends cp; KB_MALFORMED for a surrogate or a value past 10FFFF. */
KB_MUST_USE enum kb_status kb_utf8_put(struct kb_buf *b, uint32_t cp);
/* Appends s with everything that could drive a terminal or fool a reader made harmless: control
 * characters, bidirectional controls, ill-formed octets, invisible formatting. LF and HT stay only
 * when multiline is true. */
KB_MUST_USE enum kb_status kb_text_harmless(struct kb_buf *b, struct kb_span s, bool multiline);

#endif
