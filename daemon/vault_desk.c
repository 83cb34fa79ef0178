/*
 * vault_desk: the desk's questions, a row each, and who is logged in on which connection.
 *
 * The desk forwards what kite said and is believed in nothing but which connection it came on: a person is who signed
 * our nonce, as the roster in force knows them, looked up again for every request.
 */
#include "vault.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <kitebox/memfd.h>

static kb_vault_ask_fn ask_hello, ask_login;

/* clang-format off */
static const struct {
	uint16_t type;
	kb_vault_ask_fn *answer;
} handlers[] = {
	{ KB_DESK_HELLO,     ask_hello },
	{ KB_DESK_LOGIN,     ask_login },
	{ KB_DESK_ROSTER,    kb_vault_ask_roster },
	{ KB_DESK_GRANT,     kb_vault_ask_grant },
	{ KB_DESK_LIST,      kb_vault_ask_list },
	{ KB_DESK_OPEN,      kb_vault_ask_open },
	{ KB_DESK_REFERRALS, kb_vault_ask_referrals },
	{ KB_DESK_STATUS,    kb_vault_ask_status },
};
/* clang-format on */

void kb_vault_answer(struct kb_vault *v, uint32_t conn, uint16_t type, const void *body, size_t size, int fd, bool last)
{
	struct kb_wire_answer w;
	memset(&w, 0, sizeof w);
	w.conn = conn;
	w.type = type;
	w.len = (uint16_t)size;
	w.last = last;
	w.body_in_fd = fd >= 0;
	memcpy(w.body, body, size);
	enum kb_status st = KB_IO;
	if (v->desk)
		st = fd >= 0 ? kb_channel_send(v->desk, KB_WIRE_ANSWER_FD, &w, sizeof w, &fd, 1)
			     : kb_channel_send(v->desk, KB_WIRE_ANSWER, &w, sizeof w, NULL, 0);
	if (st != KB_OK)
		kb_room_log(v->host, LOG_WARNING, NULL, "an answer could not be handed to the desk");
}

void kb_vault_refuse(struct kb_vault *v, uint32_t conn, enum kb_status st, const char *literal)
{
	struct kb_desk_error e;
	memset(&e, 0, sizeof e);
	e.status = st;
	kb_field_set(e.what, sizeof e.what, kb_span_str(literal));
	kb_vault_answer(v, conn, KB_DESK_ERROR, &e, sizeof e, -1, true);
}

static struct kb_vault_session *find(struct kb_vault *v, uint32_t conn)
{
	struct kb_vault_session *s = v->session;
	while (s && s->conn != conn)
		s = s->next;
	return s;
}

static struct kb_vault_session *find_or_new(struct kb_vault *v, uint32_t conn)
{
	size_t n = 0;
	struct kb_vault_session *s = find(v, conn);
	if (s)
		return s;
	for (s = v->session; s; s = s->next)
		n++;
	if (n >= KB_VAULT_SESSIONS_MOST)
		return NULL;
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->conn = conn;
	s->next = v->session;
	v->session = s;
	return s;
}

static void drop(struct kb_vault *v, uint32_t conn)
{
	struct kb_vault_session **at = &v->session;
	while (*at && (*at)->conn != conn)
		at = &(*at)->next;
	if (*at) {
		struct kb_vault_session *s = *at;
		*at = s->next;
		sodium_memzero(s, sizeof *s);
		free(s);
	}
}

void kb_vault_desk_forget(struct kb_vault *v)
{
	while (v->session)
		drop(v, v->session->conn);
}

enum kb_status kb_vault_on_gone(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	const struct kb_wire_gone *w = body;
	(void)ch, (void)fds, (void)n;
	drop(ctx, w->conn);
	return KB_OK;
}

const struct kb_person *kb_vault_person(struct kb_vault *v, const struct kb_vault_session *s)
{
	int i = v->have_roster && s->in ? kb_roster_person(v->roster, kb_span_str(s->person)) : -1;
	return i < 0 ? NULL : &v->roster->person[i];
}

/* A malformed question ends the desk's channel: it is to have checked the size against the same table. */
enum kb_status kb_vault_on_ask(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct kb_vault *v = ctx;
	const struct kb_wire_ask *w = body;
	const struct kb_desk_row *row = kb_desk_request(w->type);
	(void)ch, (void)fds, (void)n;
	if (!row || w->len != row->size)
		return KB_MALFORMED;
	struct kb_vault_session *s = find_or_new(v, w->conn);
	if (!s) {
		kb_vault_refuse(v, w->conn, KB_BUSY, "too many people are at the desk; try again later");
		return KB_OK;
	}
	if (!v->store && w->type != KB_DESK_STATUS) {
		kb_vault_refuse(v, w->conn, KB_AGAIN, "the store is not open; the daemon's log says why");
		return KB_OK;
	}
	if (row->needs_login && !kb_vault_person(v, s)) {
		kb_vault_refuse(v, w->conn, KB_DENIED, "nobody is logged in on this connection");
		return KB_OK;
	}
	kb_vault_used(v);
	for (size_t i = 0; i < KB_LEN(handlers); i++)
		if (handlers[i].type == w->type)
			handlers[i].answer(v, s, w->body);
	if (v->store)
		kb_store_rest(v->store);
	return KB_OK;
}

static void ask_hello(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	const struct kb_desk_hello *m = body;
	struct kb_desk_challenge c;
	struct kb_office o;
	struct kb_diag d = {0};
	memset(&c, 0, sizeof c);
	s->in = s->greeted = false;
	if (m->protocol != KB_DESK_PROTOCOL) {
		kb_vault_refuse(
		    v, s->conn, KB_UNSUPPORTED, "this kite and this daemon speak different versions of their protocol");
		return;
	}
	if (kb_store_office(&d, v->store, &o) != KB_OK) {
		kb_vault_refuse(v, s->conn, KB_NOTFOUND, "no office is set up in this store");
		return;
	}
	memcpy(s->client, m->nonce, sizeof s->client);
	randombytes_buf(s->server, sizeof s->server);
	s->greeted = true;
	c.store = o.store;
	memcpy(c.nonce, s->server, sizeof c.nonce);
	c.roster_version = v->have_roster ? v->roster->version : 0;
	kb_vault_answer(v, s->conn, KB_DESK_HELLO, &c, sizeof c, -1, true);
}

/* What is signed: see desk.h. A nonce serves one attempt. */
static bool signature_holds(
    const struct kb_vault *v, struct kb_vault_session *s, const struct kb_desk_login *m, const struct kb_person *p)
{
	static const char label[] = "kitebox login v1"; /* its NUL is signed too */
	uint8_t text[sizeof label + KB_ID_LEN + 32 + 32 + 16], *at = text;
	bool greeted = s->greeted;
	s->greeted = false;
	memcpy(at, label, sizeof label);
	at += sizeof label;
	memcpy(at, v->roster->store.b, KB_ID_LEN);
	at += KB_ID_LEN;
	memcpy(at, s->client, 32);
	memcpy(at + 32, s->server, 32);
	memcpy(at + 64, m->purpose, 16);
	return greeted && p && crypto_sign_verify_detached(m->signature, text, sizeof text, p->sign_public) == 0;
}

/* Of this person, the one on another connection each. */
static size_t sessions_of(const struct kb_vault *v, const char *person)
{
	size_t n = 0;
	for (const struct kb_vault_session *s = v->session; s; s = s->next)
		n += s->in && strncmp(s->person, person, sizeof s->person) == 0;
	return n;
}

static enum kb_status journal_login(struct kb_vault *v, struct kb_diag *d, const char *person, const char *purpose)
{
	enum kb_status st = kb_store_begin(d, v->store, kb_room_now_s(v->host));
	if (st != KB_OK)
		return st;
	st = kb_store_login(d, v->store, person, purpose);
	if (st == KB_OK)
		return kb_store_commit(d, v->store);
	kb_store_abort(v->store);
	return st;
}

/* Purposes stand in the journal: a command's name, nothing that could fool a reader of it. */
static bool is_purpose(const char *field, size_t n)
{
	struct kb_span s;
	if (kb_field_get(field, n, &s) != KB_OK || !s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
			return false;
	return sodium_is_zero((const uint8_t *)field + s.len, n - s.len);
}

static void ask_login(struct kb_vault *v, struct kb_vault_session *s, const void *body)
{
	const struct kb_desk_login *m = body;
	struct kb_desk_welcome w;
	struct kb_diag d = {0};
	struct kb_span id;
	memset(&w, 0, sizeof w);
	s->in = false;
	if (!v->have_roster) {
		kb_vault_refuse(
		    v, s->conn, KB_FORGED, "the roster is refused, so nobody can be known; kite status says more");
		return;
	}
	int i = kb_field_get(m->person, sizeof m->person, &id) == KB_OK ? kb_roster_person(v->roster, id) : -1;
	const struct kb_person *p = i < 0 ? NULL : &v->roster->person[i];
	/* One answer for an unknown person and for a wrong signature. */
	if (!signature_holds(v, s, m, p) || !is_purpose(m->purpose, sizeof m->purpose)) {
		kb_vault_refuse(v, s->conn, KB_DENIED, "the signature is not that of a person in the roster");
		return;
	}
	/* Places are for everybody: none of the others is kept out by one who has many. */
	if (sessions_of(v, p->id) >= KB_DESK_SESSIONS_MOST) {
		kb_vault_refuse(v, s->conn, KB_LIMIT, "you are logged in too many times at once; end another kite of yours first");
		return;
	}
	if (journal_login(v, &d, p->id, m->purpose) != KB_OK) {
		kb_vault_trouble(v, &d, "a log-in could not be written to the journal");
		kb_vault_refuse(v, s->conn, KB_AGAIN, "the journal cannot be written, so nobody can be let in");
		return;
	}
	memcpy(s->person, p->id, sizeof s->person);
	s->in = true;
	w.role = p->role;
	w.person = (uint32_t)i;
	kb_vault_answer(v, s->conn, KB_DESK_LOGIN, &w, sizeof w, -1, true);
}
