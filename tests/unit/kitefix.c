/* kitefix: see kitefix.h. */
#include "kitefix.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

enum { NOW = 1764000000, BUNDLE_MOST = 1 << 20 };

struct kb_span kitefix_passphrase(void)
{
	return KB_LIT("correct horse battery staple");
}

static void person(struct kite_plan *p, const char *id, uint8_t role)
{
	kb_field_set(p->person[p->persons].id, sizeof(p->person[0].id), kb_span_str(id));
	(void)snprintf(p->person[p->persons].name, sizeof(p->person[0].name), "Person %s", id);
	p->person[p->persons++].role = role;
}

static void destination(struct kite_plan *p, const char *id, uint32_t flags)
{
	kb_field_set(p->destination[p->destinations].id, sizeof(p->destination[0].id), kb_span_str(id));
	(void)snprintf(p->destination[p->destinations].address, sizeof(p->destination[0].address), "%s@oia.example", id);
	p->destination[p->destinations++].flags = flags;
}

struct kitefix *kitefix_new(void)
{
	struct kitefix *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	assert_true(sodium_init() >= 0);
	f->desk = -1;
	f->plan.work_factor = 1;
	person(&f->plan, "sue", KB_ROLE_SUPERVISOR);
	person(&f->plan, "anna", KB_ROLE_COORDINATOR);
	person(&f->plan, "ben", KB_ROLE_COORDINATOR);
	destination(&f->plan, "oia", 0);
	destination(&f->plan, "prea", KB_FLAG_SEXUAL_ABUSE);
	assert_ok(kite_office_make(&f->plan, kitefix_passphrase(), NOW, &f->files, &f->office));
	return f;
}

void kitefix_free(struct kitefix *f)
{
	kite_session_end(&f->s);
	if (f->desk >= 0)
		close(f->desk);
	kite_files_release(&f->files);
	free(f);
}

struct kb_span kitefix_file(const struct kitefix *f, const char *path)
{
	for (size_t i = 0; i < f->files.n; i++)
		if (strcmp(f->files.file[i].path, path) == 0)
			return kb_buf_span(&f->files.file[i].body);
	fail_msg("setup made no %s", path);
	return KB_SPAN(NULL, 0);
}

struct kb_span kitefix_item(const struct kitefix *f, const char *name)
{
	struct kb_span rest = kitefix_file(f, "host/office.bundle");
	struct kb_bundle_item item;
	while (kb_bundle_next(&rest, &item) == KB_OK)
		if (kb_span_eq(item.name, kb_span_str(name)))
			return item.body;
	fail_msg("the bundle has no %s", name);
	return KB_SPAN(NULL, 0);
}

void kitefix_session(struct kitefix *f, unsigned who)
{
	int ends[2], room = 1 << 20;
	char path[64];
	kite_session_end(&f->s);
	if (f->desk >= 0)
		close(f->desk);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	(void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	f->s.client = (struct kite_client){.fd = ends[0], .wait_ms = 2000};
	f->desk = ends[1];
	(void)snprintf(path, sizeof(path), "people/%s/identity", f->plan.person[who].id);
	assert_ok(kb_person_key_open(NULL, kitefix_file(f, path), kitefix_passphrase(), &f->s.me));
}

/* ---- what the desk says ---- */

static void put(struct kitefix *f, const void *p, size_t n)
{
	assert_int_equal(send(f->desk, p, n, MSG_DONTWAIT | MSG_NOSIGNAL), n);
}

void desk_frame(struct kitefix *f, uint16_t type, const void *body, size_t size)
{
	const struct kb_desk_frame head = {.type = type, .len = (uint32_t)size};
	put(f, &head, sizeof(head));
	if (size)
		put(f, body, size);
}

void desk_answer(struct kitefix *f, uint16_t type, const void *answer, size_t size, struct kb_span body, bool with_end)
{
	while (body.len) {
		size_t n = body.len < KB_DESK_DATA_MOST ? body.len : KB_DESK_DATA_MOST;
		desk_frame(f, KB_DESK_DATA, body.p, n);
		body = kb_span_from(body, n);
	}
	desk_frame(f, type, answer, size);
	if (with_end)
		desk_frame(f, KB_DESK_END, NULL, 0);
}

void desk_body(struct kitefix *f, uint16_t type, struct kb_span body, uint32_t records, bool more)
{
	const struct kb_desk_body b = {.body_len = body.len, .records = records, .more = more};
	desk_answer(f, type, &b, sizeof(b), body, true);
}

void desk_error(struct kitefix *f, enum kb_status st, const char *what)
{
	struct kb_desk_error e = {.status = st};
	kb_field_set(e.what, sizeof(e.what), kb_span_str(what));
	desk_frame(f, KB_DESK_ERROR, &e, sizeof(e));
}

void desk_challenge(struct kitefix *f, const struct kb_id *store, uint32_t roster_version)
{
	struct kb_desk_challenge c = {.store = *store, .roster_version = roster_version};
	memset(c.nonce, 7, sizeof(c.nonce));
	desk_answer(f, KB_DESK_HELLO, &c, sizeof(c), KB_SPAN(NULL, 0), true);
}

void desk_chain(struct kitefix *f, struct kb_span chain)
{
	desk_body(f, KB_DESK_ROSTER, chain, 0, false);
}

void kitefix_chain(const struct kitefix *f, struct kb_buf *ret)
{
	static const char *const names[] = {"office.pub", "roster.1", "roster.1.minisig"};
	kb_buf_init(ret, BUNDLE_MOST);
	for (size_t i = 0; i < KB_LEN(names); i++)
		assert_ok(kb_bundle_add(ret, names[i], kitefix_item(f, names[i])));
}

void desk_meets(struct kitefix *f)
{
	struct kb_buf chain;
	kitefix_chain(f, &chain);
	desk_challenge(f, &f->office.roster.store, 1);
	desk_chain(f, kb_buf_span(&chain));
	kb_buf_release(&chain);
}

void kitefix_begin(struct kitefix *f, unsigned who)
{
	static const struct kite_memory nothing = {0};
	const struct kb_desk_welcome welcome = {.role = f->plan.person[who].role, .person = who};
	kitefix_session(f, who);
	desk_meets(f);
	desk_answer(f, KB_DESK_LOGIN, &welcome, sizeof(welcome), KB_SPAN(NULL, 0), true);
	assert_ok(kite_session_meet(&f->s, NULL, &f->office.office, &nothing));
	assert_ok(kite_session_login(&f->s, NULL, "test"));
	while (desk_heard(f, NULL, 0))
		;
}

void desk_grant(struct kitefix *f, const char *who)
{
	char name[32];
	(void)snprintf(name, sizeof(name), "grant.1.%s", who);
	desk_body(f, KB_DESK_GRANT, kitefix_item(f, name), 0, false);
}

uint16_t desk_heard(struct kitefix *f, void *ret, size_t size)
{
	struct kb_desk_frame head;
	uint8_t body[8192];
	ssize_t n = recv(f->desk, &head, sizeof(head), MSG_DONTWAIT | MSG_WAITALL);
	if (n < (ssize_t)sizeof(head))
		return 0;
	assert_true(head.len <= sizeof(body));
	assert_int_equal(recv(f->desk, body, head.len, MSG_WAITALL), head.len);
	assert_non_null(kb_desk_request(head.type));
	assert_int_equal(head.len, kb_desk_request(head.type)->size);
	if (ret) {
		assert_int_equal(head.len, size);
		memcpy(ret, body, size);
	}
	return head.type;
}

/* ---- messages ---- */

static enum kb_status gather(void *ctx, struct kb_span octets)
{
	return kb_buf_add(ctx, octets);
}

/* As the sealer does: the summary's key comes from the file key. */
static void seal(const struct kb_recipient *to, struct kb_span plain, size_t original, struct letter *l)
{
	struct kb_summary s = {.class_ = KB_CLASS_INQUIRY, .category = KB_CAT_VISITING, .language = KB_LANG_EN, .score_e4 = 1200};
	uint8_t file_key[KB_AGE_FILE_KEY];
	struct kb_age_writer *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	kb_buf_init(&l->sealed, 1 << 20);
	assert_ok(kb_age_writer_init(w, to, 1, gather, &l->sealed));
	l->row.header_len = (uint32_t)w->header_len;
	assert_ok(kb_age_writer_add(w, plain));
	assert_ok(kb_age_writer_finish(w, file_key));
	free(w);
	crypto_generichash(l->hash, sizeof(l->hash), l->sealed.p, l->sealed.len, NULL, 0);
	l->row.blob_len = l->sealed.len;
	s.size = (uint32_t)original;
	kb_field_set(s.from, sizeof(s.from), KB_LIT("Mother <mother@family.example>"));
	kb_field_set(s.subject, sizeof(s.subject), KB_LIT("Visiting hours"));
	assert_ok(kb_summary_seal(file_key, &l->row.id, &s, l->summary));
}

void letter_make(const struct kitefix *f, const char *original, const char *id_said, const char *purpose, bool by_name,
    struct letter *ret_l)
{
	struct kb_buf plain;
	char id[KB_ID_TEXT];
	uint8_t hash[32], pad[4096];
	memset(ret_l, 0, sizeof(*ret_l));
	kb_id_random(&ret_l->row.id);
	kb_case_id_random(&ret_l->row.case_id);
	kb_id_format(&ret_l->row.id, id);
	ret_l->row.class_ = KB_CLASS_INQUIRY;
	ret_l->row.received_s = NOW;
	ret_l->row.epoch = 1;
	ret_l->row.entitled = by_name ? 1u << FIX_ANNA : 0;
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)original, strlen(original), NULL, 0);
	kb_buf_init(&plain, 1 << 20);
	assert_ok(kb_eml_add(&plain, "Message", kb_span_str(id_said ? id_said : id)));
	assert_ok(kb_eml_add(&plain, "Purpose", kb_span_str(purpose ? purpose : "message")));
	assert_ok(kb_eml_add(&plain, "Epoch", KB_LIT("1")));
	assert_ok(kb_eml_end(&plain, strlen(original), hash));
	assert_ok(kb_buf_str(&plain, original));
	size_t padding = (size_t)(kb_padme(plain.len) - plain.len);
	assert_true(padding <= sizeof(pad));
	kb_eml_padding(0, pad, padding);
	assert_ok(kb_buf_add(&plain, KB_SPAN(pad, padding)));
	seal(by_name ? &f->office.roster.person[FIX_ANNA].recipient : &f->office.roster.desk, kb_buf_span(&plain),
	    strlen(original), ret_l);
	kb_buf_release(&plain);
}

void letter_release(struct letter *l)
{
	kb_buf_release(&l->sealed);
}

void letter_record(const struct letter *l, struct kb_buf *page)
{
	assert_ok(kb_buf_add(page, KB_SPAN(&l->row, sizeof(l->row))));
	assert_ok(kb_buf_add(page, KB_SPAN(l->sealed.p, l->row.header_len)));
	assert_ok(kb_buf_add(page, KB_SPAN(l->summary, sizeof(l->summary))));
}

void desk_blob(struct kitefix *f, const struct letter *l, enum kb_status st)
{
	struct kb_desk_blob b = {.id = l->row.id, .status = st};
	memcpy(b.sealed_hash, l->hash, sizeof(b.sealed_hash));
	b.body_len = st == KB_OK ? l->sealed.len : 0;
	desk_answer(f, KB_DESK_OPEN, &b, sizeof(b), st == KB_OK ? kb_buf_span(&l->sealed) : KB_SPAN(NULL, 0), false);
}
