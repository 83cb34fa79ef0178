/*
 * fuzz rules: any text as triage.rules, beside a model that knows a few words. Properties: it is taken whole or refused with a line
 * of it; rules that are taken give a text a verdict that whoever receives it would believe, and the same one again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "modelfix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One for the life of the process. */
static struct kb_span model(void)
{
	static struct kb_buf file;
	if (!file.len) {
		struct modelfix *fx = modelfix_of_tests();
		file = modelfix_file(fx);
		modelfix_free(&fx);
	}
	return kb_buf_span(&file);
}

static void check(const struct kb_triage *t)
{
	const struct kb_span texts[] = {
	    KB_LIT(""),
	    KB_LIT("Subject: help\r\n\r\nThe officer hit me and then hit me again in the shower.\r\n"),
	    KB_LIT("From: a@familia.example\r\n\r\nEl oficial me golpe\xC3\xB3; a a a a a b a b b a a a\r\n"),
	};
	static struct kb_verdict v, again;
	struct kb_triage_context c = {0};
	struct kb_mail m = {.from = "", .to = "", .subject = "", .date = "", .message_id = ""};
	for (size_t i = 0; i < KB_LEN(texts); i++) {
		kb_triage_raw(t, texts[i], &c, &v);
		assert(kb_verdict_check(&v) == KB_OK);
		assert(v.class_ == KB_CLASS_REVIEW || v.class_ == KB_CLASS_ALLEGATION);
		assert(v.flags & KB_FLAG_UNREADABLE);
		kb_triage_raw(t, texts[i], &c, &again);
		assert(memcmp(&v, &again, sizeof(v)) == 0);
		m.text = m.human = texts[i];
		kb_triage_mail(t, &m, &c, &again);
		assert(kb_verdict_check(&again) == KB_OK);
		assert(again.rules_version == v.rules_version && again.model_version == 1 && again.category < KB_CAT_COUNT);
	}
}

static size_t lines_of(const uint8_t *data, size_t size)
{
	size_t n = 1;
	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kb_triage *t = NULL;
	struct kb_diag d = {0};
	if (sodium_init() < 0)
		abort();
	enum kb_status st = kb_triage_open(&d, KB_SPAN(data, size), model(), &t);
	assert(st == KB_OK || st == KB_MALFORMED || st == KB_LIMIT || st == KB_TOOBIG);
	assert((st == KB_OK) == (t != NULL));
	if (st == KB_OK)
		check(t);
	else
		assert(d.what && d.status == st && d.offset <= lines_of(data, size) + 1);
	kb_triage_free(&t);
	return 0;
}
