/* sealer: the room itself, with the test as its supervisor, door, sorter and vault. KB_SEALER is its path. */
#include "roomfix.h"
#include "storefix.h"

#include <stdlib.h>
#include <string.h>

struct house {
	struct fix *f;
	struct room room;
	int door, sorter, vault;
};

static void house_start(struct house *h)
{
	struct kb_settings s;
	char pub[KB_MINISIGN_PUBLIC_TEXT];
	const struct kb_wire_none none = {0};
	struct kb_buf b;
	memset(&s, 0, sizeof s);
	s.limit.message_octets = 50 << 20;
	s.limit.sort_s = 30;
	s.mailboxes = 1;
	kb_field_set(s.mailbox[0].address, sizeof s.mailbox[0].address, KB_LIT("desk@kitebox.example"));
	h->f = fix_new();
	room_start(&h->room, getenv("KB_SEALER"), &s);
	kb_minisign_public_format(&h->f->office.pub, pub);
	room_text(&h->room, KB_FILE_OFFICE_PUBLIC, 0, kb_span_str(pub));
	h->door = room_peer(&h->room, KB_ROOM_DOOR);
	h->sorter = room_peer(&h->room, KB_ROOM_SORTER);
	h->vault = room_peer(&h->room, KB_ROOM_VAULT);
	room_go(&h->room, KB_ROOM_SEALER, true);
	kb_buf_init(&b, 1 << 20);
	assert_ok(kb_store_chain(NULL, h->f->s, false, &b));
	kb_store_rest(h->f->s);
	int fd = memfd_of(kb_buf_span(&b));
	say(h->vault, KB_WIRE_ROSTER, &none, sizeof none, &fd, 1);
	kb_fd_close(&fd);
	kb_buf_release(&b);
}

static void house_stop(struct house *h)
{
	room_ask_to_stop(&h->room);
	assert_int_equal(room_end(&h->room), 0);
	kb_fd_close(&h->door);
	kb_fd_close(&h->sorter);
	kb_fd_close(&h->vault);
	fix_free(h->f);
}

static void hear_one(int fd, uint16_t type, struct message *ret_m)
{
	do {
		assert_true(hear(fd, ret_m));
		message_close(ret_m);
	} while (ret_m->type != type);
}

/* As the door. */
static void submit(struct house *h)
{
	struct kb_wire_submit m;
	struct kb_span letter = KB_LIT("Subject: x\r\n\r\nHe was pushed down the stairs.\r\n");
	memset(&m, 0, sizeof m);
	kb_id_random(&m.id);
	m.size = letter.len;
	m.mailboxes = 1;
	int fd = memfd_of(letter);
	say(h->door, KB_WIRE_SUBMIT, &m, sizeof m, &fd, 1);
	kb_fd_close(&fd);
}

/* One message from sorter to door. */
static void serve(struct house *h)
{
	struct message m;
	struct kb_wire_verdict v;
	struct kb_wire_result r;
	hear_one(h->sorter, KB_WIRE_SORT, &m);
	memset(&v, 0, sizeof v);
	memcpy(&v.id, m.body, sizeof v.id); /* each of these begins with it */
	say(h->sorter, KB_WIRE_VERDICT, &v, sizeof v, NULL, 0);
	hear_one(h->vault, KB_WIRE_STORE, &m);
	memset(&r, 0, sizeof r);
	memcpy(&r.id, m.body, sizeof r.id);
	r.duplicate = 1;
	kb_id_random(&r.stored);
	const struct kb_id before = r.stored;
	say(h->vault, KB_WIRE_STORED, &r, sizeof r, NULL, 0);
	hear_one(h->door, KB_WIRE_RESULT, &m);
	memcpy(&r, m.body, sizeof r);
	assert_int_equal(r.status, KB_OK);
	assert_true(r.duplicate == 1 && kb_id_eq(&r.stored, &before)); /* as the vault said */
}

/* Messages wait; the channel of a new sorter lies behind them in the heap, and stays. */
TEST(what_a_rush_took_of_memory_is_given_back_a_moment_later)
{
	enum { RUSH = 600, GREW = 1 << 20 };
	struct house h;
	house_start(&h);
	submit(&h);
	serve(&h);
	const size_t before = room_resident(&h.room, "[heap]");
	if (!before) {
		house_stop(&h);
		skip();
	}
	for (unsigned i = 0; i < RUSH; i++)
		submit(&h);
	kb_fd_close(&h.sorter);
	h.sorter = room_peer(&h.room, KB_ROOM_SORTER);
	for (unsigned i = 0; i < RUSH; i++)
		serve(&h);
	assert_true(room_resident(&h.room, "[heap]") > before + GREW);
	wait_until(room_resident(&h.room, "[heap]") < before + GREW / 4);
	house_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(what_a_rush_took_of_memory_is_given_back_a_moment_later),
	};
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
