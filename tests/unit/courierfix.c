/* courierfix: see courierfix.h. */
#include "courierfix.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int listen_on(uint16_t *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

void relay_close(struct office *o, uint32_t relay)
{
	kb_fd_close(&o->relay[relay]);
}

static void new_key(struct office *o, uint32_t number)
{
	o->key.number = number;
	crypto_box_keypair(o->key.pub, o->key.secret);
}

struct office *office_new(size_t relays)
{
	struct office *o = calloc(1, sizeof *o);

	assert_non_null(o);
	assert_true(sodium_init() >= 0);
	o->vault = -1;
	kb_field_set(o->settings.hostname, sizeof o->settings.hostname, KB_LIT("kitebox.example"));
	kb_field_set(o->settings.mail_from, sizeof o->settings.mail_from, KB_LIT("desk@kitebox.example"));
	o->settings.relays = (uint32_t)relays;
	for (size_t i = 0; i < KB_RELAYS_MOST; i++)
		o->relay[i] = -1;
	for (size_t i = 0; i < relays; i++) {
		struct kb_relay *r = &o->settings.relay[i];

		kb_field_set(r->host, sizeof r->host, KB_LIT("127.0.0.1"));
		o->relay[i] = listen_on(&r->port);
	}
	o->text[KB_LANG_EN] = TEMPLATE_EN;
	o->text[KB_LANG_ES] = TEMPLATE_ES;
	new_key(o, KEY);
	return o;
}

static void give_key(struct office *o)
{
	struct kb_wire_outbox_key w = {.number = o->key.number};

	memcpy(w.pub, o->key.pub, sizeof w.pub);
	memcpy(w.secret, o->key.secret, sizeof w.secret);
	say(o->room.control, KB_WIRE_OUTBOX_KEY, &w, sizeof w, NULL, 0);
}

void office_key(struct office *o, uint32_t number)
{
	new_key(o, number);
	give_key(o);
}

static void give_templates(struct office *o)
{
	for (uint32_t i = 0; i < KB_LANG_COUNT; i++)
		if (o->text[i])
			room_text(&o->room, KB_FILE_TEMPLATE, i, kb_span_str(o->text[i]));
}

void office_start(struct office *o)
{
	room_start(&o->room, getenv("KB_COURIER"), &o->settings);
	give_templates(o);
	give_key(o);
	o->vault = room_peer(&o->room, KB_ROOM_VAULT);
	room_go(&o->room, KB_ROOM_COURIER, true);
	await_credit(o, REFERRALS, o->text[KB_LANG_ES] && o->settings.relays ? ACKS : 0);
}

void office_reload(struct office *o)
{
	give_templates(o);
	room_settings(&o->room, &o->settings);
}

void office_settle(struct office *o)
{
	const char *text = o->text[KB_LANG_ES];

	o->text[KB_LANG_ES] = "";
	office_reload(o);
	room_await(&o->room, KB_HEALTH_TEMPLATE_REFUSED, true);
	o->text[KB_LANG_ES] = text;
	office_reload(o);
	room_await(&o->room, KB_HEALTH_TEMPLATE_REFUSED, false);
}

void office_vault(struct office *o)
{
	kb_fd_close(&o->vault);
	o->vault = room_peer(&o->room, KB_ROOM_VAULT);
	o->credit[0] = o->credit[1] = 0;
}

void office_free(struct office *o)
{
	kb_fd_close(&o->vault);
	for (size_t i = 0; i < KB_RELAYS_MOST; i++)
		kb_fd_close(&o->relay[i]);
	free(o);
}

void office_stop(struct office *o)
{
	room_ask_to_stop(&o->room);
	int status = room_end(&o->room);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	office_free(o);
}

int large(size_t octets)
{
	int fd;

	assert_ok(kb_memfd_new(NULL, "test", &fd));
	assert_int_equal(ftruncate(fd, (off_t)octets), 0);
	assert_ok(kb_memfd_seal(NULL, fd));
	return fd;
}

/* ---- the vault ---- */

struct kb_id id_of(uint8_t number)
{
	struct kb_id id;

	memset(id.b, number, sizeof id.b);
	return id;
}

static struct kb_wire_work work(uint8_t number)
{
	struct kb_wire_work w;

	memset(&w, 0, sizeof w);
	w.id = id_of(number);
	w.received_s = RECEIVED_S;
	w.attempt = 1;
	memset(w.case_id.b, number, sizeof w.case_id.b);
	return w;
}

static void use_credit(struct office *o, int kind)
{
	struct message m;

	while (!o->credit[kind]) {
		assert_true(hear(o->vault, &m));
		assert_int_equal(m.type, KB_WIRE_CREDIT);
		o->credit[0] += ((const struct kb_wire_credit *)(const void *)m.body)->referrals;
		o->credit[1] += ((const struct kb_wire_credit *)(const void *)m.body)->acks;
	}
	o->credit[kind]--;
}

void give_referral(struct office *o, uint8_t number, struct kb_span sealed)
{
	struct kb_wire_work w = work(number);
	int fds[2] = {memfd_of(sealed), memfd_of(KB_LIT("untrusted comment: a test\nRUQ=\n"))};

	kb_field_set(w.address, sizeof w.address, KB_LIT("intake@oia.example"));
	kb_field_set(w.destination, sizeof w.destination, KB_LIT("oia"));
	use_credit(o, 0);
	say(o->vault, KB_WIRE_WORK, &w, sizeof w, fds, 2);
	kb_fd_close(&fds[0]);
	kb_fd_close(&fds[1]);
}

struct kb_ack_item item_to(const char *address, enum kb_language language)
{
	struct kb_ack_item item;

	memset(&item, 0, sizeof item);
	kb_field_set(item.address, sizeof item.address, kb_span_str(address));
	item.language = (uint8_t)language;
	return item;
}

void give_ack_octets(struct office *o, uint8_t number, uint32_t key, struct kb_span sealed)
{
	struct kb_wire_work w = work(number);
	int fd = memfd_of(sealed);

	w.outbox_key = key;
	use_credit(o, 1);
	say(o->vault, KB_WIRE_ACK_WORK, &w, sizeof w, &fd, 1);
	kb_fd_close(&fd);
}

void seal_item(const struct key *k, const struct kb_ack_item *item, uint8_t ret_sealed[static KB_ACK_SEALED])
{
	struct kb_outbox box = {.number = k->number};

	memcpy(box.pub, k->pub, sizeof box.pub);
	assert_true(kb_outbox_seal(&box, item, ret_sealed));
	kb_outbox_forget(&box);
}

void give_ack(struct office *o, uint8_t number, const struct kb_ack_item *item)
{
	uint8_t sealed[KB_ACK_SEALED];

	seal_item(&o->key, item, sealed);
	give_ack_octets(o, number, o->key.number, KB_SPAN(sealed, sizeof sealed));
}

struct kb_wire_done done(struct office *o)
{
	for (;;) {
		struct message m;
		struct kb_wire_credit c;
		struct kb_wire_done d;

		assert_true(hear(o->vault, &m));
		if (m.type == KB_WIRE_DONE) {
			assert_int_equal(m.size, sizeof d);
			memcpy(&d, m.body, sizeof d);
			return d;
		}
		assert_int_equal(m.type, KB_WIRE_CREDIT);
		memcpy(&c, m.body, sizeof c);
		o->credit[0] += c.referrals;
		o->credit[1] += c.acks;
	}
}

void await_credit(struct office *o, uint32_t referrals, uint32_t acks)
{
	while (o->credit[0] != referrals || o->credit[1] != acks) {
		struct message m;
		struct kb_wire_credit c;

		assert_true(hear(o->vault, &m));
		assert_int_equal(m.type, KB_WIRE_CREDIT);
		memcpy(&c, m.body, sizeof c);
		o->credit[0] += c.referrals;
		o->credit[1] += c.acks;
		assert_true(o->credit[0] <= REFERRALS && o->credit[1] <= ACKS);
	}
}

/* ---- the supervisor, and runners ---- */

struct run next_run(struct office *o)
{
	struct message m, job;
	struct run r;

	room_hear(&o->room, KB_WIRE_RUN, &m);
	assert_int_equal(m.fds, 3);
	r.relay = ((const struct kb_wire_run *)(const void *)m.body)->relay;
	r.connection = m.fd[0];
	r.channel = m.fd[1];
	r.mail_fd = m.fd[2];
	assert_ok(kb_map_open(NULL, r.mail_fd, SIZE_MAX, &r.mail));
	assert_true(hear(r.channel, &job));
	assert_int_equal(job.type, KB_WIRE_RUN_JOB);
	memcpy(&r.job, job.body, sizeof r.job);
	assert_int_equal(r.job.size, r.mail.s.len);
	return r;
}

bool no_run(struct office *o, int ms)
{
	while (!silent(o->room.control, ms)) {
		struct message m;

		assert_true(hear(o->room.control, &m));
		room_note(&o->room, &m);
		message_close(&m);
		if (m.type == KB_WIRE_RUN)
			return false;
	}
	return true;
}

bool mail_has(const struct run *r, const char *text)
{
	return kb_span_find(r->mail.s, kb_span_str(text)) != SIZE_MAX;
}

void run_says(struct run *r, enum kb_outcome outcome, uint32_t code, enum kb_status reason)
{
	const struct kb_wire_done d = {.id = r->job.id, .outcome = outcome, .code = code, .reason = reason};

	say(r->channel, KB_WIRE_RUN_DONE, &d, sizeof d, NULL, 0);
}

void run_end(struct run *r)
{
	kb_map_release(&r->mail);
	kb_fd_close(&r->mail_fd);
	kb_fd_close(&r->connection);
	kb_fd_close(&r->channel);
}

void deliver(struct run *r)
{
	run_says(r, KB_OUTCOME_DELIVERED, 250, KB_OK);
	run_end(r);
}
