/*
 * fuzz scan: any octets. Properties: what passes is within the limits; the header ends inside the message; the facts agree with
 * the field iterator; the same octets give the same answer.
 */
#include <assert.h>
#include <string.h>

#include <kitebox/mail.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_span raw = KB_SPAN(data, size);
	struct kb_scan s, again;
	struct kb_field f;
	struct kb_diag d = {0};
	size_t last = 0;
	for (size_t at = 0; kb_field_next(raw, &at, &f);) {
		assert(at > last && at <= size);
		assert(f.name.len && f.name.p >= data && f.name.p + f.name.len < data + size);
		assert(!f.value.len || (f.value.p > f.name.p && f.value.p + f.value.len <= data + size));
		last = at;
	}
	enum kb_status st = kb_scan(&d, raw, &kb_mail_limits, &s);
	if (st != KB_OK) {
		assert(st == KB_LIMIT || st == KB_MALFORMED || st == KB_TOOBIG);
		assert(d.what && d.offset <= size);
		return 0;
	}
	assert(s.header_len <= size && s.received <= s.fields && s.fields <= kb_mail_limits.header_fields);
	assert(s.depth <= kb_mail_limits.mime_depth && s.parts >= 1 && s.parts <= kb_mail_limits.mime_parts);
	assert(s.nul == (size && memchr(data, 0, size)));
	memset(&again, 0, sizeof(again));
	assert(kb_scan(NULL, raw, &kb_mail_limits, &again) == KB_OK);
	assert(again.depth == s.depth && again.parts == s.parts && again.header_len == s.header_len && again.parens == s.parens);
	return 0;
}
