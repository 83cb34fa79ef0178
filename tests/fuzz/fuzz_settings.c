/*
 * fuzz settings: any text as kitebox.conf. Properties: a text either has a fault or fills every row within its bounds;
 * a fault leaves the struct untouched; parsing the same text again says the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "settings_file.h"

/* libconfig 1.5 forgets the text it was reading when the grammar breaks after it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static void check_row(const uint8_t *base, const struct kb_setting *r)
{
	struct kb_span text;
	uint64_t v = 0;

	switch (r->kind) {
	case KB_SETTING_NUMBER:
		memcpy(&v, base + r->offset, r->size);
		assert(v >= r->least && v <= r->most);
		break;
	case KB_SETTING_BOOL:
		assert(base[r->offset] <= 1);
		break;
	case KB_SETTING_WORD:
		for (size_t i = 0; i <= base[r->offset]; i++)
			assert(r->words[i]);
		break;
	default:
		assert(kb_field_get((const char *)base + r->offset, r->size, &text) == KB_OK);
		assert(text.len >= r->least && text.len <= r->most);
		assert(text.len == 0 || !kb_settings_text_fault(r->kind, text));
	}
}

static void check(const struct kb_settings *s)
{
	size_t n, lists_n;
	const struct kb_setting *rows = kb_settings_rows(&n);
	const struct kb_setting_list *lists = kb_settings_lists(&lists_n);

	for (size_t i = 0; i < n; i++)
		check_row((const uint8_t *)s, &rows[i]);
	for (size_t i = 0; i < lists_n; i++) {
		const uint8_t *base = (const uint8_t *)s;
		uint32_t count;

		memcpy(&count, base + lists[i].count_offset, sizeof count);
		assert(count >= lists[i].least && count <= lists[i].most);
		for (size_t j = 0; j < count; j++)
			for (size_t k = 0; k < lists[i].n; k++)
				check_row(base + lists[i].offset + j * lists[i].stride, &lists[i].rows[k]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kb_settings s, again;
	static struct kb_settings_report report, report_again;

	if (size > 16384)
		return 0;
	memset(&s, 0x5a, sizeof s);
	memset(&again, 0x5a, sizeof again);
	enum kb_status st = kb_settings_parse(KB_SPAN(data, size), &s, &report);

	assert(st == (report.faults ? KB_MALFORMED : KB_OK));
	assert(kb_settings_parse(KB_SPAN(data, size), &again, &report_again) == st);
	assert(memcmp(&s, &again, sizeof s) == 0);
	assert(report.faults == report_again.faults);
	if (st == KB_OK) {
		check(&s);
	} else {
		for (size_t i = 0; i < sizeof s; i++)
			assert(((const uint8_t *)&s)[i] == 0x5a);
		for (size_t i = 0; i < report.faults && i < KB_SETTINGS_FAULTS_MOST; i++) {
			char line[512];

			kb_settings_fault_format("f", &report.fault[i], line, sizeof line);
			assert(strlen(line) > 3);
		}
	}
	return 0;
}
