/* number: fixed-width numbers and fixed fields. See bytes.h. */
#include <string.h>

#include <kitebox/bytes.h>

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

void kb_put_u16(uint8_t *p, uint16_t v)
{
	put(p, v, 2);
}

void kb_put_u32(uint8_t *p, uint32_t v)
{
	put(p, v, 4);
}

void kb_put_u64(uint8_t *p, uint64_t v)
{
	put(p, v, 8);
}

uint16_t kb_get_u16(const uint8_t *p)
{
	return (uint16_t)get(p, 2);
}

uint32_t kb_get_u32(const uint8_t *p)
{
	return (uint32_t)get(p, 4);
}

uint64_t kb_get_u64(const uint8_t *p)
{
	return get(p, 8);
}

void kb_put_be64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

uint64_t kb_get_be64(const uint8_t *p)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

void kb_field_set(char *field, size_t n, struct kb_span src)
{
	size_t len = src.len < n - 1 ? src.len : n - 1;
	/* A cut within a UTF-8 sequence goes back to its first octet. */
	if (len < src.len)
		while (len && (src.p[len] & 0xC0) == 0x80)
			len--;
	if (len)
		memcpy(field, src.p, len);
	memset(field + len, 0, n - len);
}

enum kb_status kb_field_get(const char *field, size_t n, struct kb_span *ret_s)
{
	const char *nul = memchr(field, 0, n);
	if (!nul)
		return KB_MALFORMED;
	*ret_s = KB_SPAN(field, (size_t)(nul - field));
	return KB_OK;
}
