/*
 * fuzz html: the first octet chooses how much room there is, the rest is a page. Properties: what comes out fits, and is UTF-8
 * without NUL.
 */
#include <assert.h>
#include <string.h>

#include "mail_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_buf page, text;
	bool doubt = false, cut = false;
	if (!size)
		return 0;
	size_t most = data[0] & 1 ? (size_t)data[0] : 1 << 20;
	kb_buf_init(&page, 1 << 20);
	kb_buf_init(&text, most);
	/* as entity.c does it: the page is UTF-8 without NUL before it is parsed */
	if (kb_charset_decode(&page, KB_SPAN(data + 1, size - 1), KB_LIT("utf-8"), &doubt) == KB_OK) {
		struct kb_span html = kb_buf_span(&page), charset = kb_html_charset(html);
		assert(charset.len <= html.len);
		assert(kb_html_weight(html) <= html.len);
		enum kb_status st = kb_html_text(&text, html, &cut);
		assert(st == KB_OK || st == KB_LIMIT);
		assert(text.len <= most);
		assert(most < 1 << 20 || kb_utf8_valid(kb_buf_span(&text)));
		assert(!text.len || !memchr(text.p, 0, text.len));
	}
	kb_buf_release(&page);
	kb_buf_release(&text);
	return 0;
}
