/*
 * status: `kite status`: is everything well? For monitoring, too: it needs no log-in, no folder and no passphrase.
 */
#include <stdlib.h>

#include <unistd.h>

#include "client.h"
#include "file.h"
#include "desk_health.h"
#include "session.h"

enum { BODY_MOST = 1 << 20 };

static enum kb_status ask(const struct kite *k, struct kb_desk_status *ret_s, struct kb_buf *body)
{
	static const struct kb_desk_none none = {0};
	struct kite_client c = {0};
	struct kb_diag d = {0};
	enum kb_status st = kite_client_reach(k, &c);
	if (st != KB_OK)
		return st;
	st = kite_client_get(&c, &d, KB_DESK_STATUS, &none, sizeof(none), ret_s, sizeof(*ret_s), BODY_MOST, body);
	if (st != KB_OK)
		(void)kite_client_fail(&c, st, &d, "the desk does not say how it is");
	kite_client_close(&c);
	return st;
}

static enum kb_status print(const struct kb_desk_status *s, struct kb_span body, const struct kite_health_sum *sum)
{
	struct kb_buf b;
	struct kb_diag d = {0};
	kb_buf_init(&b, BODY_MOST);
	enum kb_status st = kite_health_text(s, body, sum, &b);
	if (st == KB_OK)
		st = kite_fd_write(&d, STDOUT_FILENO, kb_buf_span(&b));
	kb_buf_release(&b);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "standard output");
}

enum kb_status kite_run_status(struct kite *k)
{
	struct kb_desk_status s;
	struct kite_health_sum sum;
	struct kb_buf body;
	kb_buf_init(&body, BODY_MOST);
	enum kb_status st = ask(k, &s, &body);
	if (st == KB_OK && (st = kite_health_sum(&s, kb_buf_span(&body), &sum)) != KB_OK)
		(void)kite_fail(st, NULL, "what the desk says of its health is malformed; nothing of it was believed");
	if (st == KB_OK && k->json) {
		kite_json_begin();
		st = kite_json_print(kite_health_json(&s, kb_buf_span(&body), &sum));
	} else if (st == KB_OK) {
		st = print(&s, kb_buf_span(&body), &sum);
	}
	if (st == KB_OK && sum.on[2])
		k->exit_status = KITE_EXIT_FAULT;
	kb_buf_release(&body);
	return st;
}
