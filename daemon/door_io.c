/* door_io: what goes out to a client and comes in from it, in the clear or under TLS, without waiting. See door.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <sodium.h>

#include "door.h"

enum { STRANGER_S = 60 /* of silence, before the first EHLO */ };

void kb_door_let_go(struct kb_door_held *h)
{
	if (h->p)
		sodium_memzero(h->p, h->len);
	free(h->p);
	*h = (struct kb_door_held){0};
}

void kb_door_hold(struct kb_door_held *h, struct kb_span s)
{
	if (!s.len)
		return;
	uint8_t *p = malloc(h->len + s.len);
	if (!p)
		abort();
	if (h->len)
		memcpy(p, h->p, h->len);
	memcpy(p + h->len, s.p, s.len);
	size_t len = h->len + s.len;
	kb_door_let_go(h);
	*h = (struct kb_door_held){p, len};
}

static void drop(struct kb_door_held *h, size_t n)
{
	struct kb_door_held rest = {0};
	kb_door_hold(&rest, kb_span_from(KB_SPAN(h->p, h->len), n));
	kb_door_let_go(h);
	*h = rest;
}

enum kb_status kb_door_read(struct kb_door_conn *c, uint8_t *to, size_t room, size_t *ret_n)
{
	if (c->tls)
		return kb_door_tls_read(c->tls, to, room, ret_n);
	ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KB_AGAIN : KB_IO;
	*ret_n = (size_t)n;
	return n ? KB_OK : KB_IO;
}

static enum kb_status write_some(struct kb_door_conn *c, struct kb_span s, size_t *ret_n)
{
	if (c->tls)
		return kb_door_tls_write(c->tls, s, ret_n);
	ssize_t n = send(c->fd, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KB_AGAIN : KB_IO;
	*ret_n = (size_t)n;
	return KB_OK;
}

void kb_door_still_there(struct kb_door_conn *c)
{
	uint64_t idle_s = kb_room_settings(c->room->host)->limit.idle_s;
	if (c->smtp.state <= KB_SMTP_STRANGER && idle_s > STRANGER_S)
		idle_s = STRANGER_S;
	if (c->stage == KB_DOOR_TALKS)
		c->until_ms = kb_room_now_ms(c->room->host) + idle_s * 1000;
}

/* As much as the socket takes now. */
static enum kb_status send_now(struct kb_door_conn *c, struct kb_span s, size_t *ret_sent)
{
	enum kb_status st = KB_OK;
	size_t n = 0;
	*ret_sent = 0;
	while (st == KB_OK && *ret_sent < s.len) {
		st = write_some(c, kb_span_from(s, *ret_sent), &n);
		*ret_sent += st == KB_OK ? n : 0;
	}
	if (*ret_sent)
		kb_door_still_there(c);
	return st == KB_AGAIN ? KB_OK : st;
}

enum kb_status kb_door_send_held(struct kb_door_conn *c)
{
	size_t sent = 0;
	if (!c->out.len)
		return KB_OK;
	enum kb_status st = send_now(c, KB_SPAN(c->out.p, c->out.len), &sent);
	drop(&c->out, sent);
	return st;
}

enum kb_status kb_door_say(struct kb_door_conn *c, struct kb_smtp_out *out)
{
	struct kb_span s = KB_SPAN(out->p, out->len);
	size_t sent = 0;
	enum kb_status st = c->out.len ? KB_OK : send_now(c, s, &sent);
	kb_door_hold(&c->out, kb_span_from(s, sent));
	out->len = 0;
	return st;
}
