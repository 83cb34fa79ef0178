/* vaultfix: see vaultfix.h. */
#include "vaultfix.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct house *house_new(const char *program)
{
	struct house *h = calloc(1, sizeof *h);
	assert_non_null(h);
	h->f = fix_bare();
	fix_close(h->f);
	h->program = program;
	h->room = (struct room){.pid = -1, .control = -1};
	h->sealer = h->desk = h->courier = -1;
	h->settings.map_octets = FIX_MAP;
	h->settings.held_s = 86400;
	h->settings.retry_first_s = 1;
	h->settings.retry_most_s = 4;
	h->settings.tick_s = 1;
	h->settings.limit.message_octets = 50 << 20;
	h->bundle = h->vault_key = h->referral_key = h->office_key = true;
	h->office = h->f->office.pub;
	h->outbox_key = 7;
	return h;
}

/* ---- as a supervisor ---- */

static void give_files(struct house *h)
{
	struct kb_buf b;
	char pub[KB_MINISIGN_PUBLIC_TEXT];
	int dir = open(h->f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	room_file(&h->room, KB_FILE_STATE_DIR, 0, dir);
	kb_buf_init(&b, 1 << 20);
	kb_minisign_public_format(&h->office, pub);
	if (h->office_key)
		room_text(&h->room, KB_FILE_OFFICE_PUBLIC, 0, kb_span_str(pub));
	if (h->vault_key)
		room_text(&h->room, KB_FILE_VAULT_KEY, 0, KB_SPAN(h->f->vault_key, 32));
	assert_ok(kb_minisign_key_format(&h->f->referral, KB_SPAN(NULL, 0), &b));
	if (h->referral_key)
		room_text(&h->room, KB_FILE_REFERRAL_KEY, 0, kb_buf_span(&b));
	kb_buf_clear(&b);
	fix_bundle(h->f, &b);
	if (h->bundle)
		room_text(&h->room, KB_FILE_OFFICE_BUNDLE, 0, kb_buf_span(&b));
	kb_buf_release(&b);
}

void house_start(struct house *h)
{
	const struct kb_wire_outbox_key key = {.number = h->outbox_key};
	room_start(&h->room, h->program, &h->settings);
	give_files(h);
	if (h->outbox_key)
		say(h->room.control, KB_WIRE_OUTBOX_KEY, &key, sizeof key, NULL, 0);
	h->sealer = room_peer(&h->room, KB_ROOM_SEALER);
	h->desk = room_peer(&h->room, KB_ROOM_DESK);
	h->courier = room_peer(&h->room, KB_ROOM_COURIER);
	room_go(&h->room, KB_ROOM_VAULT, true);
}

static int gone(struct house *h)
{
	int status = room_end(&h->room);
	h->room.pid = -1;
	kb_fd_close(&h->sealer);
	kb_fd_close(&h->desk);
	kb_fd_close(&h->courier);
	return status;
}

void house_kill(struct house *h)
{
	assert_int_equal(kill(h->room.pid, SIGKILL), 0);
	(void)gone(h);
}

void house_stop(struct house *h)
{
	room_ask_to_stop(&h->room);
	int status = gone(h);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

void house_free(struct house *h)
{
	if (h->room.pid > 0)
		house_stop(h);
	fix_free(h->f);
	free(h);
}

/* ---- as a sealer ---- */

static void add_file(int fd, const struct kb_sealed_file *f, uint64_t *ret_len)
{
	struct kb_map map;
	assert_ok(kb_map_open(NULL, f->fd, SIZE_MAX, &map));
	assert_ok(kb_memfd_write(NULL, fd, map.s));
	*ret_len = map.s.len;
	kb_map_release(&map);
}

void store_letter(struct house *h, const struct letter *l)
{
	struct parcel p;
	struct kb_wire_store w;
	KB_AUTO(kb_fd_close) int fd = -1;
	struct letter now = *l;
	if (!now.received_s)
		now.received_s = (uint64_t)time(NULL);
	parcel_new(h->f, &now, &p);
	memset(&w, 0, sizeof w);
	w.id = p.put.id;
	w.received_s = now.received_s;
	w.entitled = p.put.entitled;
	w.size_class = p.put.size_class;
	memcpy(w.fingerprint, p.fingerprint, sizeof w.fingerprint);
	w.roster_version = w.epoch = 1;
	w.header_len = p.put.header_len;
	w.destinations = now.destinations;
	w.class_ = now.class_;
	w.urgent = now.urgent;
	w.unreadable = now.unreadable;
	w.outbox_key = now.outbox_key;
	memset(w.summary, (int)now.number, sizeof w.summary);
	assert_ok(kb_memfd_new(NULL, "letter", &fd));
	add_file(fd, &p.put.message, &w.len[0]);
	for (size_t i = 0; i < p.put.referrals; i++)
		add_file(fd, &p.put.referral[i].file, &w.len[1 + i]);
	assert_ok(kb_memfd_seal(NULL, fd));
	say(h->sealer, KB_WIRE_STORE, &w, sizeof w, &fd, 1);
	parcel_release(&p);
}

struct kb_wire_result stored(struct house *h)
{
	struct message m;
	struct kb_wire_result r;
	do {
		assert_true(hear(h->sealer, &m));
		message_close(&m);
	} while (m.type == KB_WIRE_ROSTER);
	assert_int_equal(m.type, KB_WIRE_STORED);
	assert_int_equal(m.size, sizeof r);
	memcpy(&r, m.body, sizeof r);
	return r;
}

struct kb_wire_result house_put(struct house *h, const struct letter *l)
{
	store_letter(h, l);
	return stored(h);
}

/* ---- as the desk ---- */

void ask(struct house *h, uint32_t conn, uint16_t type, const void *body, size_t size)
{
	struct kb_wire_ask w;
	memset(&w, 0, sizeof w);
	w.conn = conn;
	w.type = type;
	w.len = (uint16_t)size;
	assert_true(size <= sizeof w.body);
	memcpy(w.body, body, size);
	say(h->desk, KB_WIRE_ASK, &w, sizeof w, NULL, 0);
}

enum kb_status answer(struct house *h, uint16_t type, void *ret, size_t size, struct kb_map *ret_map)
{
	struct message m;
	struct kb_wire_answer w;
	assert_true(hear(h->desk, &m));
	assert_int_equal(m.size, sizeof w);
	memcpy(&w, m.body, sizeof w);
	assert_int_equal(m.type, w.body_in_fd ? KB_WIRE_ANSWER_FD : KB_WIRE_ANSWER);
	if (w.type == KB_DESK_ERROR) {
		struct kb_desk_error e;
		assert_int_equal(w.last, 1);
		memcpy(&e, w.body, sizeof e);
		return (enum kb_status)e.status;
	}
	assert_int_equal(w.type, type);
	assert_int_equal(w.len, size);
	memcpy(ret, w.body, size);
	if (ret_map) {
		*ret_map = (struct kb_map){0};
		if (w.body_in_fd)
			assert_ok(kb_map_open(NULL, m.fd[0], SIZE_MAX, ret_map));
	}
	message_close(&m);
	return KB_OK;
}

enum kb_status log_in(struct house *h, uint32_t conn, unsigned person)
{
	static const char label[] = "kitebox login v1";
	struct kb_desk_hello hello = {.protocol = KB_DESK_PROTOCOL};
	struct kb_desk_challenge c;
	struct kb_desk_login l = {.purpose = "list"};
	struct kb_desk_welcome w;
	uint8_t text[sizeof label + 16 + 32 + 32 + 16];
	randombytes_buf(hello.nonce, sizeof hello.nonce);
	ask(h, conn, KB_DESK_HELLO, &hello, sizeof hello);
	enum kb_status st = answer(h, KB_DESK_HELLO, &c, sizeof c, NULL);
	if (st != KB_OK)
		return st;
	memcpy(text, label, sizeof label);
	memcpy(text + sizeof label, c.store.b, 16);
	memcpy(text + sizeof label + 16, hello.nonce, 32);
	memcpy(text + sizeof label + 48, c.nonce, 32);
	memcpy(text + sizeof label + 80, l.purpose, 16);
	memcpy(l.person, h->f->roster.person[person].id, sizeof l.person);
	crypto_sign_detached(l.signature, NULL, text, sizeof text, h->f->person_secret[person]);
	ask(h, conn, KB_DESK_LOGIN, &l, sizeof l);
	st = answer(h, KB_DESK_LOGIN, &w, sizeof w, NULL);
	if (st == KB_OK)
		assert_int_equal(w.person, person);
	return st;
}
