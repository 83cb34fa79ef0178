/*
 * fuzz model: any octets as triage.model, as they are and as its head with a hash that is right.
 *
 *     'f' octets of a file
 *     'h' octets of a head | what its tables are filled with, from the end of a head on
 *
 * Properties: it is taken or refused with one of three statuses; every number of what is taken is in its range, and a text judged with
 * it gets a verdict that whoever receives it would believe, and the same one again.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "modelfix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULES "kitebox-triage-rules 1\nversion 1\nset common-en = the and me\nrule a any 1000 - hit = Hit.\n"

static void check_head(const struct kb_model_head *h)
{
	assert(h->version && h->topic_least_e4 <= 10000);
	for (size_t i = 0; i < KB_HEAD_COUNT; i++)
		assert(isfinite(h->line[i].scale) && isfinite(h->line[i].bias));
	for (size_t l = 0; l < KB_LANG_COUNT; l++)
		for (size_t i = 0; i < KB_HEAD_COUNT; i++)
			assert(h->cut[l][i].low_e4 <= h->cut[l][i].high_e4 && h->cut[l][i].high_e4 <= 10001);
}

static void check_verdicts(const struct kb_triage *t)
{
	static const char *const texts[] = {"", "The officer hit me and then hit me again in the shower.",
	    "El oficial me golpe\xC3\xB3; a a a a a b a b b a a a", "Can you tell me how I make a deposit to the account of my brother?"};
	static struct kb_verdict v, again;
	const struct kb_triage_context c = {0};
	struct kb_mail m = {.from = "", .to = "", .subject = "help", .date = "", .message_id = ""};
	for (size_t i = 0; i < KB_LEN(texts); i++) {
		m.text = m.human = kb_span_str(texts[i]);
		kb_triage_mail(t, &m, &c, &v);
		assert(kb_verdict_check(&v) == KB_OK);
		kb_triage_mail(t, &m, &c, &again);
		assert(memcmp(&v, &again, sizeof(v)) == 0);
		kb_triage_raw(t, m.text, &c, &v);
		assert(kb_verdict_check(&v) == KB_OK && v.class_ != KB_CLASS_INQUIRY && v.class_ != KB_CLASS_MACHINE);
	}
}

static void check(struct kb_span file)
{
	struct kb_triage *t = NULL;
	struct kb_diag d = {0};
	enum kb_status st = kb_triage_open(&d, KB_LIT(RULES), file, &t);
	assert(st == KB_OK || st == KB_MALFORMED || st == KB_UNSUPPORTED || st == KB_FORGED);
	if (st != KB_OK) {
		assert(!t && d.what && d.status == st && d.offset == 0);
		return;
	}
	assert(file.len == KB_MODEL_LEN && memcmp(&t->model->head, file.p, sizeof(t->model->head)) == 0);
	check_head(&t->model->head);
	check_verdicts(t);
	kb_triage_free(&t);
}

/* With it again and again. */
static void fill(uint8_t *to, size_t n, struct kb_span with)
{
	size_t have = with.len < n ? with.len : n;
	memcpy(to, with.p, have);
	for (size_t more; have < n; have += more) {
		more = n - have < have ? n - have : have;
		memcpy(to + have, to, more);
	}
}

/* A file whose hash is right. */
static void check_made(struct kb_span s)
{
	static uint8_t file[KB_MODEL_LEN];
	static struct kb_buf good;
	const size_t head = sizeof(struct kb_model_head), body = KB_MODEL_LEN - KB_MODEL_HASH;
	if (!good.len) {
		struct modelfix *fx = modelfix_of_tests();
		good = modelfix_file(fx);
		modelfix_free(&fx);
	}
	memcpy(file, good.p, sizeof(file));
	memcpy(file, s.p, s.len < head ? s.len : head);
	if (s.len > head)
		fill(file + head, body - head, kb_span_from(s, head));
	crypto_generichash(file + body, KB_MODEL_HASH, file, body, NULL, 0);
	check(KB_SPAN(file, sizeof(file)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (sodium_init() < 0)
		abort();
	if (size && data[0] == 'f')
		check(KB_SPAN(data + 1, size - 1));
	else if (size && data[0] == 'h')
		check_made(KB_SPAN(data + 1, size - 1));
	return 0;
}
