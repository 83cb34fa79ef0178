/* kite_fetch, kite_row: what of the desk's lists and messages is believed. */
#include "kbtest.h"

#include <stdlib.h>
#include <string.h>

#include "kitefix.h"
#include "kitesay.h"

enum { SEEN_MOST = 8 };

struct seen {
	size_t n;
	enum kb_status st[SEEN_MOST];
	struct kb_id id[SEEN_MOST];
	char text[SEEN_MOST][256];
};

/* One office for all: its passphrases are dear, as they should be. */
static int start(void **state)
{
	*state = kitefix_new();
	return 0;
}

static int log_in(void **state)
{
	kitefix_begin(*state, FIX_ANNA);
	said_clear();
	return 0;
}

static int teardown(void **state)
{
	kitefix_free(*state);
	return 0;
}

static enum kb_status see(void *ctx, enum kb_status st, const struct kb_diag *d, struct kite_message *m)
{
	struct seen *s = ctx;
	(void)d;
	assert_true(s->n < SEEN_MOST);
	s->st[s->n] = st;
	s->id[s->n] = m->row->id;
	if (st == KB_OK)
		kb_field_set(s->text[s->n], sizeof(s->text[0]), m->eml.original.p ? m->eml.original : m->sealed);
	else
		assert_null(m->plain.p); /* nothing of what failed is within reach */
	s->n++;
	return KB_OK;
}

static void done(struct kitefix *f)
{
	desk_frame(f, KB_DESK_END, NULL, 0);
}

static enum kb_status fetch(struct kitefix *f, struct letter *l, size_t n, struct seen *s)
{
	struct kb_desk_message rows[SEEN_MOST];
	for (size_t i = 0; i < n; i++)
		rows[i] = l[i].row;
	memset(s, 0, sizeof(*s));
	return kite_fetch(&f->s, rows, n, false, see, s);
}

/* One letter, handed out as it is, and how it reads. */
static enum kb_status fetch_one(struct kitefix *f, struct letter *l)
{
	struct seen s;
	desk_blob(f, l, KB_OK);
	done(f);
	assert_ok(fetch(f, l, 1, &s));
	assert_int_equal(s.n, 1);
	return s.st[0];
}

static void messages_come_in_the_order_they_were_asked_for(void **state)
{
	struct kitefix *f = *state;
	struct letter l[3];
	struct kb_desk_open ask;
	struct seen s;
	letter_make(f, "Subject: one\r\n\r\none\r\n", NULL, NULL, true, &l[0]);
	letter_make(f, "", NULL, NULL, true, &l[1]);
	letter_make(f, "Kitebox-End: 7\r\n\r\n", NULL, NULL, true, &l[2]);
	for (size_t i = 0; i < 3; i++)
		desk_blob(f, &l[i], KB_OK);
	done(f);
	assert_ok(fetch(f, l, 3, &s));
	assert_int_equal(s.n, 3);
	assert_string_equal(s.text[0], "Subject: one\r\n\r\none\r\n");
	assert_string_equal(s.text[1], "");
	assert_string_equal(s.text[2], "Kitebox-End: 7\r\n\r\n");
	assert_int_equal(desk_heard(f, &ask, sizeof(ask)), KB_DESK_OPEN);
	assert_int_equal(ask.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_ok(s.st[i]);
		assert_true(kb_id_eq(&ask.id[i], &l[i].row.id));
		letter_release(&l[i]);
	}
	assert_int_equal(desk_heard(f, NULL, 0), 0); /* and nothing was said of what opened */
}

/* Between the answers to one question no other can be asked: the grant comes first. */
static void what_is_sealed_to_the_desk_opens_with_the_granted_key(void **state)
{
	struct kitefix *f = *state;
	struct letter l[2];
	struct seen s;
	letter_make(f, "Subject: one\r\n\r\n", NULL, NULL, false, &l[0]);
	letter_make(f, "Subject: two\r\n\r\n", NULL, NULL, false, &l[1]);
	desk_grant(f, "anna");
	desk_blob(f, &l[0], KB_OK);
	desk_blob(f, &l[1], KB_OK);
	done(f);
	assert_ok(fetch(f, l, 2, &s));
	assert_int_equal(s.n, 2);
	assert_string_equal(s.text[0], "Subject: one\r\n\r\n");
	assert_string_equal(s.text[1], "Subject: two\r\n\r\n");
	assert_int_equal(desk_heard(f, NULL, 0), KB_DESK_GRANT);
	assert_int_equal(desk_heard(f, NULL, 0), KB_DESK_OPEN);
	assert_int_equal(desk_heard(f, NULL, 0), 0);
	letter_release(&l[0]);
	letter_release(&l[1]);
}

static void an_epoch_that_is_not_granted_is_said_of_each_of_its_messages(void **state)
{
	struct kitefix *f = *state;
	struct letter l[2];
	struct seen s;
	letter_make(f, "sealed to the desk", NULL, NULL, false, &l[0]);
	letter_make(f, "sealed to anna", NULL, NULL, true, &l[1]);
	desk_error(f, KB_NOTFOUND, "that epoch was not granted to you");
	desk_blob(f, &l[0], KB_OK);
	desk_blob(f, &l[1], KB_OK);
	done(f);
	assert_ok(fetch(f, l, 2, &s));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.st[0], KB_NOTFOUND);
	assert_ok(s.st[1]);
	letter_release(&l[0]);
	letter_release(&l[1]);
}

static void what_is_not_what_the_journal_names_is_forged(void **state)
{
	struct letter l;
	letter_make(*state, "x", NULL, NULL, true, &l);
	l.hash[0] ^= 1;
	assert_int_equal(fetch_one(*state, &l), KB_FORGED);
	letter_release(&l);
}

static void a_payload_that_was_changed_does_not_open_whatever_its_hash(void **state)
{
	struct letter l;
	letter_make(*state, "x", NULL, NULL, true, &l);
	l.sealed.p[l.sealed.len - 1] ^= 1;
	crypto_generichash(l.hash, sizeof(l.hash), l.sealed.p, l.sealed.len, NULL, 0);
	assert_int_equal(fetch_one(*state, &l), KB_PAYLOAD);
	letter_release(&l);
}

static void what_says_that_it_is_another_message_is_forged(void **state)
{
	struct letter l;
	letter_make(*state, "x", "00000000000000000000000000000000", NULL, true, &l);
	assert_int_equal(fetch_one(*state, &l), KB_FORGED);
	letter_release(&l);
}

static void what_was_sealed_for_another_purpose_is_forged(void **state)
{
	struct letter l;
	letter_make(*state, "x", NULL, "referral", true, &l);
	assert_int_equal(fetch_one(*state, &l), KB_FORGED);
	letter_release(&l);
}

static void what_was_sealed_in_another_epoch_is_forged(void **state)
{
	struct letter l;
	letter_make(*state, "x", NULL, NULL, true, &l);
	l.row.epoch = 2;
	assert_int_equal(fetch_one(*state, &l), KB_FORGED);
	letter_release(&l);
}

static void what_is_sealed_to_others_says_that_no_key_fits(void **state)
{
	struct letter l;
	letter_make(*state, "x", NULL, NULL, false, &l);
	l.row.entitled = 1u << FIX_BEN;
	assert_int_equal(fetch_one(*state, &l), KB_NOKEY);
	letter_release(&l);
}

static void one_that_fails_does_not_keep_the_others_back(void **state)
{
	struct kitefix *f = *state;
	struct letter l[3];
	struct seen s;
	for (size_t i = 0; i < 3; i++)
		letter_make(f, i ? "later" : "first", NULL, NULL, true, &l[i]);
	l[1].hash[5] ^= 4;
	desk_blob(f, &l[0], KB_CORRUPT);
	desk_blob(f, &l[1], KB_OK);
	desk_blob(f, &l[2], KB_OK);
	done(f);
	assert_ok(fetch(f, l, 3, &s));
	assert_int_equal(s.n, 3);
	assert_int_equal(s.st[0], KB_CORRUPT);
	assert_int_equal(s.st[1], KB_FORGED);
	assert_ok(s.st[2]);
	assert_string_equal(s.text[2], "later");
	for (size_t i = 0; i < 3; i++)
		letter_release(&l[i]);
}

static void another_message_than_the_one_asked_for_is_forged(void **state)
{
	struct kitefix *f = *state;
	struct letter l[2];
	struct seen s;
	letter_make(f, "asked for", NULL, NULL, true, &l[0]);
	letter_make(f, "given", NULL, NULL, true, &l[1]);
	desk_blob(f, &l[1], KB_OK);
	done(f);
	assert_ok(fetch(f, l, 1, &s));
	assert_int_equal(s.st[0], KB_FORGED);
	letter_release(&l[0]);
	letter_release(&l[1]);
}

static void what_the_desk_puts_off_is_asked_for_again(void **state)
{
	struct kitefix *f = *state;
	struct letter l[2];
	struct kb_desk_open ask;
	struct seen s;
	letter_make(f, "one", NULL, NULL, true, &l[0]);
	letter_make(f, "two", NULL, NULL, true, &l[1]);
	desk_blob(f, &l[0], KB_OK);
	desk_blob(f, &l[1], KB_AGAIN);
	done(f);
	desk_blob(f, &l[1], KB_OK);
	done(f);
	assert_ok(fetch(f, l, 2, &s));
	assert_int_equal(s.n, 2);
	assert_string_equal(s.text[1], "two");
	assert_int_equal(desk_heard(f, &ask, sizeof(ask)), KB_DESK_OPEN);
	assert_int_equal(desk_heard(f, &ask, sizeof(ask)), KB_DESK_OPEN);
	assert_int_equal(ask.n, 1);
	assert_true(kb_id_eq(&ask.id[0], &l[1].row.id));
	letter_release(&l[0]);
	letter_release(&l[1]);
}

static void a_desk_that_puts_off_everything_is_not_asked_for_ever(void **state)
{
	struct kitefix *f = *state;
	struct letter l;
	struct seen s;
	letter_make(f, "one", NULL, NULL, true, &l);
	desk_blob(f, &l, KB_AGAIN);
	done(f);
	assert_int_equal(fetch(f, &l, 1, &s), KB_AGAIN);
	assert_int_equal(s.n, 0);
	letter_release(&l);
}

/* ---- lists ---- */

static void record(struct kitefix *f, bool by_name, struct letter *l, struct kb_buf *page)
{
	letter_make(f, "x", NULL, NULL, by_name, l);
	letter_record(l, page);
}

static void a_row_opens_to_the_summary_that_was_sealed_with_it(void **state)
{
	struct kitefix *f = *state;
	struct letter l;
	struct kite_row r;
	struct kb_summary s;
	struct kb_buf page;
	kb_buf_init(&page, 1 << 16);
	record(f, true, &l, &page);
	struct kb_span rest = kb_buf_span(&page);
	assert_ok(kite_row_next(&rest, &r));
	assert_int_equal(rest.len, 0);
	assert_ok(kite_row_open(&f->s, NULL, &r, &s));
	assert_string_equal(s.subject, "Visiting hours");
	r.m.id.b[0] ^= 1; /* a summary under another message's row */
	assert_int_equal(kite_row_open(&f->s, NULL, &r, &s), KB_FORGED);
	kb_buf_release(&page);
	letter_release(&l);
}

static void a_record_that_is_cut_anywhere_is_no_record(void **state)
{
	struct kitefix *f = *state;
	struct letter l;
	struct kite_row r;
	struct kb_buf page;
	kb_buf_init(&page, 1 << 16);
	record(f, true, &l, &page);
	for (size_t n = 1; n < page.len; n++) {
		struct kb_span cut = KB_SPAN(page.p, n);
		assert_int_equal(kite_row_next(&cut, &r), KB_MALFORMED);
	}
	kb_buf_release(&page);
	letter_release(&l);
}

static void a_record_with_a_value_that_cannot_be_is_refused(void **state)
{
	struct kitefix *f = *state;
	struct letter good, l;
	struct kite_row r;
	struct kb_buf page;
	letter_make(f, "x", NULL, NULL, true, &good);
	for (int i = 0; i < 5; i++) {
		l = good;
		kb_buf_init(&page, 1 << 16);
		if (i == 0)
			l.row.class_ = KB_CLASS_COUNT;
		else if (i == 1)
			l.row.status = KB_CASE_STATUS_COUNT;
		else if (i == 2)
			l.row.blob_len = KITE_BLOB_MOST + UINT64_C(1);
		letter_record(&l, &page);
		if (i == 3)
			((struct kb_desk_message *)(void *)page.p)->header_len = UINT32_MAX;
		struct kb_span rest = kb_buf_span(&page);
		assert_int_equal(kite_row_next(&rest, &r), i == 4 ? KB_OK : KB_MALFORMED);
		kb_buf_release(&page);
	}
	letter_release(&good);
}

static void a_list_goes_on_where_the_last_page_ended(void **state)
{
	struct kitefix *f = *state;
	struct letter l[2];
	struct kb_desk_list ask;
	struct kite_list list;
	for (size_t i = 0; i < 2; i++) {
		struct kb_buf page;
		kb_buf_init(&page, 1 << 16);
		record(f, true, &l[i], &page);
		desk_body(f, KB_DESK_LIST, kb_buf_span(&page), 1, i == 0);
		kb_buf_release(&page);
	}
	kite_list_init(&list, NULL, true, 1);
	assert_ok(kite_list_page(&f->s, &list));
	assert_ok(kite_list_page(&f->s, &list));
	assert_int_equal(kite_list_page(&f->s, &list), KB_NOTFOUND);
	assert_int_equal(desk_heard(f, &ask, sizeof(ask)), KB_DESK_LIST);
	assert_int_equal(ask.before_s, 0);
	assert_int_equal(ask.all, 1);
	assert_int_equal(desk_heard(f, &ask, sizeof(ask)), KB_DESK_LIST);
	assert_int_equal(ask.before_s, l[0].row.received_s);
	assert_true(kb_id_eq(&ask.before, &l[0].row.id));
	kite_list_release(&list);
	letter_release(&l[0]);
	letter_release(&l[1]);
}

static void a_page_that_is_not_what_it_says_is_refused_as_a_whole(void **state)
{
	struct kitefix *f = *state;
	struct letter l;
	struct kite_list list;
	struct kb_buf page;
	kb_buf_init(&page, 1 << 16);
	record(f, true, &l, &page);
	desk_body(f, KB_DESK_LIST, kb_buf_span(&page), 2, false); /* says two */
	desk_body(f, KB_DESK_LIST, KB_SPAN(NULL, 0), 0, true);	  /* says more, and gives nothing */
	kite_list_init(&list, NULL, true, 10);
	assert_int_equal(kite_list_page(&f->s, &list), KB_MALFORMED);
	assert_int_equal(kite_list_page(&f->s, &list), KB_MALFORMED);
	kite_list_release(&list);
	kb_buf_release(&page);
	letter_release(&l);
}

static void words_name_messages_and_the_oldest_comes_first(void **state)
{
	struct kitefix *f = *state;
	struct letter l[2];
	struct kite_targets t;
	struct kb_buf page;
	char id[KB_ID_TEXT], case_id[KB_CASE_TEXT];
	static struct kite_args a;
	kb_buf_init(&page, 1 << 16);
	record(f, true, &l[0], &page);
	record(f, true, &l[1], &page);
	kb_id_format(&l[1].row.id, id);
	kb_case_id_format(&l[0].row.case_id, case_id);
	a = (struct kite_args){.word = {id}, .words = 1};
	desk_body(f, KB_DESK_LIST, kb_buf_span(&page), 2, false);
	assert_ok(kite_targets_find(&f->s, &a, false, &t));
	assert_int_equal(t.n, 1);
	assert_true(kb_id_eq(&t.m[0].id, &l[1].row.id));
	kite_targets_release(&t);
	a.words = 0;
	desk_body(f, KB_DESK_LIST, kb_buf_span(&page), 2, false);
	assert_ok(kite_targets_find(&f->s, &a, false, &t));
	assert_int_equal(t.n, 2);
	assert_true(kb_id_eq(&t.m[0].id, &l[1].row.id)); /* the list is newest first */
	kite_targets_release(&t);
	a = (struct kite_args){.word = {"K-0000-0000"}, .words = 1}; /* to the desk, zeros are all cases */
	assert_int_equal(kite_targets_find(&f->s, &a, false, &t), KB_MALFORMED);
	a = (struct kite_args){.word = {"K-nonsense"}, .words = 1};
	assert_int_equal(kite_targets_find(&f->s, &a, false, &t), KB_MALFORMED);
	assert_non_null(strstr(said(), "K-nonsense"));
	a = (struct kite_args){.word = {case_id}, .words = 1};
	desk_body(f, KB_DESK_LIST, KB_SPAN(NULL, 0), 0, false);
	assert_int_equal(kite_targets_find(&f->s, &a, false, &t), KB_NOTFOUND);
	kb_buf_release(&page);
	letter_release(&l[0]);
	letter_release(&l[1]);
}

#define HOUSE(name) cmocka_unit_test_setup(name, log_in)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOUSE(messages_come_in_the_order_they_were_asked_for),
		HOUSE(what_is_sealed_to_the_desk_opens_with_the_granted_key),
		HOUSE(an_epoch_that_is_not_granted_is_said_of_each_of_its_messages),
		HOUSE(what_is_not_what_the_journal_names_is_forged),
		HOUSE(a_payload_that_was_changed_does_not_open_whatever_its_hash),
		HOUSE(what_says_that_it_is_another_message_is_forged),
		HOUSE(what_was_sealed_for_another_purpose_is_forged),
		HOUSE(what_was_sealed_in_another_epoch_is_forged),
		HOUSE(what_is_sealed_to_others_says_that_no_key_fits),
		HOUSE(one_that_fails_does_not_keep_the_others_back),
		HOUSE(another_message_than_the_one_asked_for_is_forged),
		HOUSE(what_the_desk_puts_off_is_asked_for_again),
		HOUSE(a_desk_that_puts_off_everything_is_not_asked_for_ever),
		HOUSE(a_row_opens_to_the_summary_that_was_sealed_with_it),
		HOUSE(a_record_that_is_cut_anywhere_is_no_record),
		HOUSE(a_record_with_a_value_that_cannot_be_is_refused),
		HOUSE(a_list_goes_on_where_the_last_page_ended),
		HOUSE(a_page_that_is_not_what_it_says_is_refused_as_a_whole),
		HOUSE(words_name_messages_and_the_oldest_comes_first),
	};
	return cmocka_run_group_tests(tests, start, teardown);
}
