/*
 * kite: what a desk that is not honest may say: the first octet chooses what reads the rest.
 *
 * Frames are believed only when their body has the length that the answer names; a record of a page lies within the page, and
 * every enum of it has a name; what is remembered reads as it would be written.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "case.h"
#include "desk_health.h"
#include "home.h"
#include "keys.h"
#include "list.h"
#include "referral.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMES_MOST = 65536, BODY_MOST = 1 << 20 };

static const struct {
	uint16_t type;
	size_t size, body_len_at;
} answers[] = {
    {KB_DESK_HELLO, sizeof(struct kb_desk_challenge), SIZE_MAX},
    {KB_DESK_LOGIN, sizeof(struct kb_desk_welcome), SIZE_MAX},
    {KB_DESK_LIST, sizeof(struct kb_desk_body), offsetof(struct kb_desk_body, body_len)},
    {KB_DESK_OPEN, sizeof(struct kb_desk_blob), offsetof(struct kb_desk_blob, body_len)},
    {KB_DESK_STATUS, sizeof(struct kb_desk_status), offsetof(struct kb_desk_status, body_len)},
};

static void frames(size_t which, struct kb_span said)
{
	int ends[2];
	uint8_t answer[256];
	struct kite_client c = {.wait_ms = 1000};
	struct kb_buf body;
	static const struct kb_desk_none none = {0};
	if (said.len > FRAMES_MOST || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return;
	c.fd = ends[0];
	ssize_t sent = said.len ? send(ends[1], said.p, said.len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	(void)shutdown(ends[1], SHUT_WR);
	kb_buf_init(&body, BODY_MOST);
	bool has_body = answers[which].body_len_at != SIZE_MAX;
	enum kb_status st = kite_client_get(&c, NULL, answers[which].type, &none, sizeof(none), answer,
	    answers[which].size, BODY_MOST / 2, has_body ? &body : NULL);
	assert(body.len <= BODY_MOST / 2);
	assert(st != KB_NOTFOUND || c.failed);
	if (st == KB_OK && has_body)
		assert(kb_get_u64(answer + answers[which].body_len_at) == body.len);
	if (c.failed)
		assert(kb_utf8_valid(kb_span_str(c.said)) && !strchr(c.said, '\033') && !strchr(c.said, '\n'));
	assert(sent == (ssize_t)said.len);
	kb_buf_release(&body);
	kite_client_close(&c);
	(void)close(ends[1]);
}

static void rows(struct kb_span page)
{
	struct kb_span rest = page;
	struct kite_row r;
	while (kite_row_next(&rest, &r) == KB_OK) {
		assert(r.header.p > page.p && r.header.p + r.header.len == r.summary.p);
		assert(r.summary.len == KB_SUMMARY_LEN && r.summary.p + r.summary.len == page.p + (page.len - rest.len));
		assert(kb_class_name(r.m.class_) && kb_case_status_name(r.m.status) && r.m.blob_len <= KITE_BLOB_MOST);
		json_decref(kite_list_json(&r.m, NULL, KB_NOKEY));
	}
}

static void referrals(struct kb_span page)
{
	struct kb_desk_referral r;
	struct kb_buf line;
	while (kite_referral_next(&page, &r) == KB_OK) {
		kb_buf_init(&line, 4096);
		assert(kite_referral_line(&r, &line) == KB_OK);
		assert(kb_utf8_valid(kb_buf_span(&line)) && memchr(line.p, '\n', line.len) == line.p + line.len - 1);
		kb_buf_release(&line);
		json_decref(kite_referral_json(&r));
	}
}

static void health(struct kb_span body)
{
	struct kb_desk_status s = {.body_len = body.len};
	struct kite_health_sum sum;
	struct kb_buf text;
	if (kite_health_sum(&s, body, &sum) != KB_OK)
		return;
	kb_buf_init(&text, 1 << 22);
	assert(kite_health_text(&s, body, &sum, &text) == KB_OK);
	assert(kb_utf8_valid(kb_buf_span(&text)) && !memchr(text.p, '\033', text.len));
	kb_buf_release(&text);
	json_decref(kite_health_json(&s, body, &sum));
}

static void memory(struct kb_span text)
{
	struct kite_memory m, again;
	struct kb_buf b;
	if (kite_memory_parse(text, &m) != KB_OK)
		return;
	kb_buf_init(&b, 1024);
	assert(kite_memory_format(&m, &b) == KB_OK);
	assert(kite_memory_parse(kb_buf_span(&b), &again) == KB_OK && memcmp(&m, &again, sizeof(m)) == 0);
	kb_buf_release(&b);
}

static void keys(struct kb_span text)
{
	static struct kite_keys k;
	size_t line;
	k.n = 0;
	if (kite_keys_parse(text, &k, &line) != KB_OK)
		assert(line >= 1);
	kite_keys_release(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(struct kb_span) = {rows, referrals, health, memory, keys};
	if (sodium_init() < 0)
		abort();
	if (size < 1)
		return 0;
	struct kb_span rest = KB_SPAN(data + 1, size - 1);
	size_t which = data[0] % (KB_LEN(answers) + KB_LEN(readers));
	if (which < KB_LEN(answers))
		frames(which, rest);
	else
		readers[which - KB_LEN(answers)](rest);
	return 0;
}
