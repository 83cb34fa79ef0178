/*
 * desk: the room that speaks with kite, and knows nothing.
 *
 *   talks to   people's kite on a Unix socket; the vault (ASK, ANSWER, ANSWER_FD, GONE)
 *   holds      nothing secret: what passes through is sealed
 *   may        accept connections
 *
 * Each request of the table in desk.h goes to the vault as it is, with the connection's number; its answers go back in order.
 * Who may see what is the vault's to decide; the desk refuses only what nobody may ask. STATUS is the exception: the desk adds
 * what the rooms have reported, and answers it also when the vault is not there.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "desk_room.h"

enum { BODY_MOST = 256 << 20 };

/* ---- requests ---- */

static enum kb_status ask_vault(struct kb_desk_conn *c, const struct kb_desk_row *row, const uint8_t *body)
{
	struct kb_wire_ask ask;
	if (!c->room->vault)
		return KB_IO;
	memset(&ask, 0, sizeof(ask));
	ask.conn = c->number;
	ask.type = row->type;
	ask.len = (uint16_t)row->size;
	memcpy(ask.body, body, row->size);
	c->asked = true;
	return kb_channel_send(c->room->vault, KB_WIRE_ASK, &ask, sizeof(ask), NULL, 0);
}

static void answer_status(struct kb_desk_conn *c, const struct kb_desk_status *vault)
{
	struct kb_desk_answer a;
	kb_desk_status_answer(&c->room->health, vault, kb_room_now_s(c->room->host), &a);
	kb_desk_conn_queue(c, &a, true);
}

void kb_desk_ask(struct kb_desk_conn *c, const struct kb_desk_row *row, const uint8_t *body)
{
	if (c->room->stopping)
		kb_desk_conn_error(c, KB_AGAIN, "the desk is about to stop");
	else if (!kb_desk_spare_is_zero(row, body))
		kb_desk_conn_error(c, KB_MALFORMED, "what must be zero in that request is not");
	else if (row->needs_login && !c->logged_in)
		kb_desk_conn_error(c, KB_DENIED, "log in first");
	else if (ask_vault(c, row, body) == KB_OK)
		return;
	else if (row->type == KB_DESK_STATUS)
		answer_status(c, NULL);
	else
		kb_desk_conn_error(c, KB_AGAIN, "the store is not open at this moment");
}

void kb_desk_late(struct kb_desk_conn *c)
{
	if (c->pending->type == KB_DESK_STATUS)
		answer_status(c, NULL);
	else
		kb_desk_conn_error(c, KB_AGAIN, "the store does not answer");
	kb_desk_conn_go_on(c);
}

/* ---- answers ---- */

static enum kb_status check_answer(const struct kb_wire_answer *w, const struct kb_desk_row *pending, bool with_fd)
{
	if (w->len > sizeof(w->body) || w->last > 1 || w->body_in_fd != (with_fd ? 1 : 0))
		return KB_MALFORMED;
	if (w->type == KB_DESK_ERROR)
		return w->len == sizeof(struct kb_desk_error) && w->last && !with_fd ? KB_OK : KB_MALFORMED;
	if (w->type != pending->type)
		return KB_SEQUENCE;
	if (w->type == KB_DESK_STATUS)
		return w->len == sizeof(struct kb_desk_status) && w->last && !with_fd ? KB_OK : KB_MALFORMED;
	return KB_OK;
}

static enum kb_status on_answer(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_desk_room *r = ctx;
	const struct kb_wire_answer *w = body;
	struct kb_desk_conn *c = kb_desk_conn_find(r, w->conn);
	struct kb_desk_answer a;
	(void)ch;
	if (!c || !c->pending)
		return KB_OK; /* it ended meanwhile, or was told that the answer is late: the vault cannot know either */
	enum kb_status st = check_answer(w, c->pending, n == 1);
	if (st != KB_OK)
		return st;
	if (c->pending->type == KB_DESK_STATUS) { /* an error, too, is one of the store's: the rooms' reports are worth having */
		struct kb_desk_status s;
		memcpy(&s, w->body, sizeof(s));
		answer_status(c, w->type == KB_DESK_STATUS ? &s : NULL);
		kb_desk_conn_go_on(c);
		return KB_OK;
	}
	memset(&a, 0, sizeof(a));
	if (n == 1 && (st = kb_map_open(NULL, fds[0], BODY_MOST, &a.map)) != KB_OK)
		return st;
	a.type = w->type;
	a.len = w->len;
	a.end = w->last && w->type != KB_DESK_ERROR;
	memcpy(a.body, w->body, w->len);
	if (w->type == KB_DESK_LOGIN)
		kb_desk_conn_login(c);
	kb_desk_conn_queue(c, &a, w->last);
	kb_desk_conn_go_on(c);
	return KB_OK;
}

/* clang-format off */
static const struct kb_channel_row table[] = {
	/* type              fds  size                           handler */
	{KB_WIRE_ANSWER,    0, 0, sizeof(struct kb_wire_answer), on_answer},
	{KB_WIRE_ANSWER_FD, 1, 1, sizeof(struct kb_wire_answer), on_answer},
};
/* clang-format on */

/* A session lives in the vault that it was begun with: when that is gone, whoever had one begins again. */
static void end_sessions(struct kb_desk_room *r)
{
	for (struct kb_desk_conn *c = r->first, *next; c; c = next) {
		next = c->next;
		if (c->pending) {
			c->ending = true;
			kb_desk_late(c);
		} else {
			kb_desk_conn_end(c);
		}
	}
}

static void on_vault_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct kb_desk_room *r = ctx;
	if (r->vault == ch)
		r->vault = NULL;
	kb_channel_free(&ch);
	end_sessions(r);
	kb_room_peer_closed(r->host, KB_ROOM_VAULT, 0, why);
}

static enum kb_status peer(void *self, enum kb_room room, uint32_t index, int fd)
{
	struct kb_desk_room *r = self;
	(void)index;
	if (room != KB_ROOM_VAULT) {
		kb_fd_close(&fd);
		return KB_MALFORMED;
	}
	if (r->vault) {
		kb_channel_free(&r->vault);
		end_sessions(r);
	}
	return kb_channel_new(NULL, kb_room_loop(r->host), fd, table, KB_LEN(table), on_vault_closed, r, &r->vault);
}

/* ---- connections ---- */

static void listen_on(struct kb_desk_room *r, bool on)
{
	for (size_t i = 0; i < r->listeners; i++)
		if (sd_event_source_set_enabled(r->listener[i], on ? SD_EVENT_ON : SD_EVENT_OFF) < 0)
			kb_room_log(r->host, LOG_ERR, NULL, "a listener could not be switched");
}

void kb_desk_room_changed(struct kb_desk_room *r)
{
	if (r->closing)
		return;
	if (r->stopping && !r->first)
		kb_room_done(r->host, 0);
	else if (!r->stopping)
		listen_on(r, kb_desk_places_free(r)); /* the rest wait in the socket's queue */
}

static int on_connect(sd_event_source *s, int listener, uint32_t events, void *ctx)
{
	struct kb_desk_room *r = ctx;
	(void)s, (void)events;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return 0; /* whoever it was has gone again */
	if (kb_desk_conn_new(r, fd) != KB_OK)
		kb_room_log(r->host, LOG_ERR, NULL, "a connection could not be watched");
	struct kb_desk_conn *over = kb_desk_places_over(r);
	if (over)
		kb_desk_conn_end(over);
	kb_desk_room_changed(r);
	return 0;
}

static enum kb_status add_listeners(struct kb_desk_room *r, struct kb_diag *d)
{
	const struct kb_settings *s = kb_room_settings(r->host);
	for (uint32_t i = 0; i < s->listeners && i < KB_LISTENERS_MOST; i++) {
		struct kb_room_file *f = s->listener[i].kind == KB_LISTEN_DESK ? kb_room_file(r->host, KB_FILE_LISTEN, i) : NULL;
		if (!f)
			continue;
		if (sd_event_add_io(kb_room_loop(r->host), &r->listener[r->listeners], f->fd, EPOLLIN, on_connect, r) < 0)
			return KB_FAIL(d, KB_IO, i, "a listener could not be watched");
		r->listeners++;
	}
	return KB_OK;
}

/* ---- the room's life ---- */

static enum kb_status control(void *self, uint16_t type, const void *body, size_t size)
{
	struct kb_desk_room *r = self;
	if (type != KB_WIRE_HEALTH_ALL || size != sizeof(r->health))
		return KB_OK;
	memcpy(&r->health, body, sizeof(r->health));
	return KB_OK;
}

static void stop(void *self)
{
	struct kb_desk_room *r = self;
	r->stopping = true;
	listen_on(r, false);
	for (struct kb_desk_conn *c = r->first, *next; c; c = next) {
		next = c->next;
		c->ending = true;
		if (!c->pending && kb_desk_out_empty(&c->out))
			kb_desk_conn_end(c);
	}
	if (!r->first)
		kb_room_done(r->host, 0);
}

static enum kb_status open_room(struct kb_room_host *h, struct kb_diag *d, void **ret_self)
{
	static struct kb_desk_room room;
	room.host = h;
	*ret_self = &room;
	return add_listeners(&room, d);
}

static void close_room(void **self)
{
	struct kb_desk_room *r = *self;
	r->closing = true;
	while (r->first)
		kb_desk_conn_end(r->first);
	for (size_t i = 0; i < r->listeners; i++)
		r->listener[i] = sd_event_source_disable_unref(r->listener[i]);
	kb_channel_free(&r->vault);
	*self = NULL;
}

int main(void)
{
	static const struct kb_room_spec spec = {
	    .room = KB_ROOM_DESK,
	    .open = open_room,
	    .peer = peer,
	    .stop = stop,
	    .close = close_room,
	    .control = control,
	};
	return kb_room_main(&spec);
}
