/*
 * fuzz charset: a name, a NUL or line end, an octet that chooses the room and the transfer encoding, then text. Properties: what
 * comes out fits, is UTF-8 without NUL; a size that is foretold is the size that is decoded.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mail_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = 0;
	while (n < size && data[n] && data[n] != '\n')
		n++;
	if (n + 2 > size)
		return 0;
	uint8_t how = data[n + 1];
	struct kb_span name = KB_SPAN(data, n), in = KB_SPAN(data + n + 2, size - n - 2);
	struct kb_buf octets, text;
	bool doubt = false;
	size_t most = how & 1 ? how : 4 << 20;
	enum kb_encoding e = (enum kb_encoding)((how >> 1) % (KB_ENCODING_UNKNOWN + 1));
	if (kb_charset_open(NULL) != KB_OK)
		abort();
	kb_buf_init(&octets, 4 << 20);
	kb_buf_init(&text, most);
	enum kb_status st = kb_decode(&octets, e, in, &doubt);
	assert(st == KB_OK);
	assert(octets.len == kb_decoded_size(e, in));
	st = kb_charset_decode(&text, kb_buf_span(&octets), name, &doubt);
	assert(st == KB_OK || st == KB_LIMIT);
	assert(text.len <= most);
	assert(kb_utf8_valid(kb_buf_span(&text)));
	assert(!text.len || !memchr(text.p, 0, text.len));
	kb_buf_release(&octets);
	kb_buf_release(&text);
	return 0;
}
