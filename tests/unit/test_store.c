/* store: a message goes in whole or not at all, once, and is found again as it was. */
#include "storefix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "internal.h"

static struct kb_store_facts facts(struct fix *f)
{
	struct kb_store_facts n;
	kb_store_facts(f->s, &n);
	return n;
}

static struct kb_msg message(struct fix *f, const struct letter *l)
{
	struct kb_msg m;
	struct kb_id id;
	letter_id(l, &id);
	assert_ok(kb_store_message(NULL, f->s, &id, &m));
	return m;
}

static void assert_blob(struct fix *f, const struct letter *l, uint64_t blob, uint64_t len, int destination)
{
	size_t n;
	int fd;
	struct kb_map m;
	uint8_t *want = letter_octets(l, destination, &n);
	assert_int_equal(n, len);
	assert_ok(kb_store_blob(NULL, f->s, blob, len, &fd));
	assert_ok(kb_map_open(NULL, fd, SIZE_MAX, &m));
	assert_int_equal(m.s.len, n);
	assert_memory_equal(m.s.p, want, n);
	kb_map_release(&m);
	kb_fd_close(&fd);
	free(want);
}

TEST(an_office_is_imported_once_and_verified_first)
{
	struct fix *f = fix_bare();
	struct kb_buf bundle, chain;
	struct kb_minisign_key other;
	struct kb_office o;
	struct kb_roster *r = calloc(1, sizeof *r);
	kb_buf_init(&bundle, 1 << 20);
	kb_buf_init(&chain, 1 << 20);
	fix_bundle(f, &bundle);
	assert_int_equal(kb_store_office(NULL, f->s, &o), KB_NOTFOUND);
	assert_ok(kb_store_unlock(NULL, f->s, f->vault_key, f->now_s));
	kb_minisign_generate(&other);
	fix_begin(f);
	assert_int_equal(kb_store_import(NULL, f->s, kb_buf_span(&bundle), &other.pub), KB_FORGED);
	bundle.p[bundle.len / 2] ^= 1;
	assert_int_not_equal(kb_store_import(NULL, f->s, kb_buf_span(&bundle), &f->office.pub), KB_OK);
	bundle.p[bundle.len / 2] ^= 1;
	kb_store_abort(f->s);
	assert_int_equal(kb_store_office(NULL, f->s, &o), KB_NOTFOUND);
	fix_begin(f);
	assert_ok(kb_store_import(NULL, f->s, kb_buf_span(&bundle), &f->office.pub));
	fix_commit(f);
	assert_ok(kb_store_office(NULL, f->s, &o));
	assert_true(kb_id_eq(&o.store, &f->roster.store));
	assert_ok(kb_store_chain(NULL, f->s, false, &chain));
	assert_ok(kb_roster_chain_verify(NULL, kb_buf_span(&chain), &f->office.pub, r));
	assert_int_equal(r->persons, 3);
	fix_begin(f);
	assert_int_equal(kb_store_import(NULL, f->s, kb_buf_span(&bundle), &f->office.pub), KB_SEQUENCE);
	kb_store_abort(f->s);
	kb_buf_release(&bundle);
	kb_buf_release(&chain);
	free(r);
	fix_free(f);
}

TEST(a_grant_is_given_to_the_person_it_was_made_for)
{
	struct fix *f = fix_new();
	struct kb_span file;
	assert_ok(kb_store_grant(NULL, f->s, 1, "ben", &file));
	assert_span(file, "sealed to ben");
	assert_int_equal(kb_store_grant(NULL, f->s, 1, "eve", &file), KB_NOTFOUND);
	assert_int_equal(kb_store_grant(NULL, f->s, 2, "ben", &file), KB_NOTFOUND);
	fix_free(f);
}

TEST(a_message_comes_back_as_it_was_put_also_after_a_restart)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1, .class_ = KB_CLASS_ALLEGATION, .urgent = true, .entitled = 6, .destinations = 3, .outbox_key = 9};
	struct kb_put_result r;
	struct kb_case c;
	struct kb_span header, summary;
	assert_ok(fix_put(f, &l, &r));
	assert_false(r.duplicate);
	for (int i = 0; i < 2; i++, fix_reopen(f)) {
		struct kb_msg m = message(f, &l);
		assert_int_equal(m.entitled, 6);
		assert_int_equal(m.class_, KB_CLASS_ALLEGATION);
		assert_int_equal(m.referrals, 2);
		assert_int_equal(m.opened, 0);
		assert_memory_equal(&m.case_id, &r.case_id, sizeof r.case_id);
		assert_int_equal(m.received_s, FIX_NOW - FIX_NOW % 60);
		assert_blob(f, &l, m.blob, m.blob_len, -1);
		assert_ok(kb_store_summary(NULL, f->s, m.seq, &header, &summary));
		assert_int_equal(header.len, 200);
		assert_int_equal(summary.len, KB_SUMMARY_LEN);
		assert_int_equal(summary.p[77], 1);
		assert_ok(kb_store_case(NULL, f->s, &r.case_id, &c));
		assert_int_equal(c.status, KB_CASE_NEW);
		assert_int_equal(c.alert, 1);
		fix_check(f);
	}
	fix_free(f);
}

TEST(the_same_submission_again_is_acknowledged_and_changes_nothing)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1};
	struct kb_put_result a, b;
	assert_ok(fix_put(f, &l, &a));
	uint64_t seq = facts(f).journal_seq;
	assert_ok(fix_put(f, &l, &b));
	assert_true(b.known);
	assert_false(b.duplicate);
	assert_memory_equal(&a.case_id, &b.case_id, sizeof a.case_id);
	assert_int_equal(facts(f).counts.messages, 1);
	assert_int_equal(facts(f).journal_seq, seq);
	fix_check(f);
	fix_free(f);
}

TEST(the_same_octets_and_envelope_are_one_case_and_other_octets_another)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1}, again = {.number = 1, .resent = 1}, other = {.number = 2};
	struct kb_put_result a, b, c;
	struct kb_entry e;
	assert_ok(fix_put(f, &l, &a));
	assert_ok(fix_put(f, &again, &b));
	assert_true(b.duplicate);
	assert_memory_equal(&a.case_id, &b.case_id, sizeof a.case_id);
	struct kb_id id;
	letter_id(&l, &id);
	assert_true(kb_id_eq(&a.id, &id) && kb_id_eq(&b.id, &id));
	assert_int_equal(facts(f).counts.messages, 1);
	assert_ok(kb_store_journal(NULL, f->s, facts(f).journal_seq, &e));
	assert_int_equal(e.act, KB_ACT_DUPLICATE);
	assert_ok(fix_put(f, &other, &c));
	assert_false(c.duplicate);
	assert_memory_not_equal(&a.case_id, &c.case_id, sizeof a.case_id);
	fix_check(f);
	fix_free(f);
}

TEST(two_of_the_same_in_one_group_are_one_case)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1}, again = {.number = 1, .resent = 1};
	struct parcel p, q;
	struct kb_put_result a, b;
	parcel_new(f, &l, &p);
	parcel_new(f, &again, &q);
	fix_begin(f);
	assert_ok(kb_store_put(NULL, f->s, &p.put, NULL, &a));
	assert_ok(kb_store_put(NULL, f->s, &q.put, NULL, &b));
	fix_commit(f);
	assert_true(b.duplicate);
	fix_check(f);
	parcel_release(&p);
	parcel_release(&q);
	fix_free(f);
}

TEST(a_duplicate_is_known_for_four_midnights_and_its_row_goes_with_the_key)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1};
	struct letter again = {.number = 1};
	struct kb_put_result r;
	assert_ok(fix_put(f, &l, &r));
	for (unsigned day = 1; day <= 5; day++) {
		again.resent = day;
		f->now_s += 86400;
		assert_ok(fix_put(f, &again, &r));
		assert_int_equal(r.duplicate, day < 5);
		while (kb_store_tidy(NULL, f->s, f->now_s) == KB_AGAIN)
			continue;
	}
	assert_int_equal(facts(f).counts.messages, 2);
	fix_check(f);
	f->now_s += 30 * 86400;
	assert_ok(kb_store_tidy(NULL, f->s, f->now_s));
	struct kb_key from = {.len = 1};
	struct kb_span key;
	assert_int_equal(kb_table_seek(NULL, f->s, KB_TABLE_RECENT, KB_KEY(from), KB_AT_OR_AFTER, &key, NULL), KB_NOTFOUND);
	fix_free(f);
}

TEST(a_large_message_is_nothing_until_it_is_whole)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1, .class_ = KB_CLASS_ALLEGATION, .destinations = 1, .len = 9 << 20};
	struct parcel p;
	struct kb_upload u;
	struct kb_id id;
	struct kb_msg m;
	memset(&u, 0, sizeof u);
	letter_id(&l, &id);
	parcel_new(f, &l, &p);
	assert_true(kb_put_is_large(&p.put));
	assert_int_equal(kb_store_upload(NULL, f->s, &p.put, &u, f->now_s), KB_AGAIN);
	assert_int_equal(kb_store_message(NULL, f->s, &id, &m), KB_NOTFOUND);
	assert_int_equal(facts(f).counts.messages, 0);
	fix_reopen(f); /* the vault dies here: what was written is nobody's */
	while (kb_store_tidy(NULL, f->s, f->now_s) == KB_AGAIN)
		continue;
	fix_check(f);
	struct kb_put_result r;
	assert_ok(fix_put(f, &l, &r));
	fix_check(f);
	m = message(f, &l);
	assert_blob(f, &l, m.blob, m.blob_len, -1);
	parcel_release(&p);
	fix_free(f);
}

TEST(files_of_every_length_around_a_chunk_come_back)
{
	static const size_t lens[] = {200, 201, 4096, KB_BLOB_CHUNK - 1, KB_BLOB_CHUNK, KB_BLOB_CHUNK + 1, KB_BLOB_WHOLE,
	    KB_BLOB_WHOLE + 1, 2 * KB_BLOB_CHUNK, 2 * KB_BLOB_CHUNK + 1, KB_UPLOAD_STEP + KB_BLOB_CHUNK};
	struct fix *f = fix_new();
	struct kb_put_result r;
	for (unsigned i = 0; i < KB_LEN(lens); i++) {
		struct letter l = {.number = i + 1, .len = lens[i], .class_ = KB_CLASS_REVIEW, .destinations = 2};
		assert_ok(fix_put(f, &l, &r));
		struct kb_msg m = message(f, &l);
		assert_blob(f, &l, m.blob, m.blob_len, -1);
	}
	fix_check(f);
	fix_free(f);
}

TEST(a_large_duplicate_leaves_no_chunk_behind)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1, .len = 2 << 20}, again = {.number = 1, .resent = 1, .len = 2 << 20};
	struct kb_put_result r;
	assert_ok(fix_put(f, &l, &r));
	assert_ok(fix_put(f, &again, &r));
	assert_true(r.duplicate);
	fix_check(f);
	fix_free(f);
}

TEST(a_put_that_fails_leaves_nothing_of_its_group)
{
	struct fix *f = fix_new();
	const struct letter good = {.number = 1}, bad = {.number = 2, .class_ = KB_CLASS_ALLEGATION, .destinations = 1};
	struct parcel p, q;
	struct kb_put_result r;
	parcel_new(f, &good, &p);
	parcel_new(f, &bad, &q);
	kb_store_referral_key(f->s, NULL);
	fix_begin(f);
	assert_ok(kb_store_put(NULL, f->s, &p.put, NULL, &r));
	assert_int_equal(kb_store_put(NULL, f->s, &q.put, NULL, &r), KB_NOKEY);
	kb_store_abort(f->s);
	assert_int_equal(facts(f).counts.messages, 0);
	fix_check(f);
	q.put.message.len++; /* a memfd that is shorter than was said */
	fix_begin(f);
	assert_int_equal(kb_store_put(NULL, f->s, &q.put, NULL, &r), KB_MALFORMED);
	kb_store_abort(f->s);
	fix_check(f);
	parcel_release(&p);
	parcel_release(&q);
	fix_free(f);
}

TEST(without_its_key_a_store_can_be_read_and_not_changed)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1};
	struct kb_put_result r;
	uint8_t wrong[32] = {1};
	assert_ok(fix_put(f, &l, &r));
	fix_close(f);
	assert_ok(kb_store_open(NULL, f->dir, f->map_octets, &f->s));
	assert_int_equal(kb_store_begin(NULL, f->s, f->now_s), KB_NOKEY);
	(void)message(f, &l);
	assert_int_equal(kb_store_unlock(NULL, f->s, wrong, f->now_s), KB_FORGED);
	assert_int_equal(kb_store_begin(NULL, f->s, f->now_s), KB_NOKEY);
	assert_ok(kb_store_unlock(NULL, f->s, f->vault_key, f->now_s));
	fix_check(f);
	fix_free(f);
}

/* Octets of a row changed in the file of a store that is closed, as a bad disk or a bad operator would. */
static bool damage(struct fix *f, const uint8_t *needle, size_t n)
{
	char path[100];
	static uint8_t all[8 << 20];
	bool hit = false;
	snprintf(path, sizeof path, "%s/data.mdb", f->dir);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	size_t len = fread(all, 1, sizeof all, file);
	struct kb_span rest = KB_SPAN(all, len);
	for (size_t at; (at = kb_span_find(rest, KB_SPAN(needle, n))) != SIZE_MAX; rest = kb_span_from(rest, at + 1)) {
		assert_int_equal(fseek(file, (long)((size_t)(rest.p - all) + at), SEEK_SET), 0);
		assert_int_not_equal(fputc(needle[0] ^ 1, file), EOF);
		hit = true;
	}
	fclose(file);
	return hit;
}

TEST(damage_to_a_row_on_the_disk_is_found_when_it_is_read)
{
	struct fix *f = fix_new();
	const struct letter l = {.number = 1};
	struct kb_put_result r;
	struct kb_span header, summary;
	size_t n;
	int fd;
	assert_ok(fix_put(f, &l, &r));
	struct kb_msg m = message(f, &l);
	uint8_t *octets = letter_octets(&l, -1, &n), sum[64];
	memset(sum, 1, sizeof sum);
	fix_close(f);
	assert_true(damage(f, octets + 1000, 64));
	assert_true(damage(f, sum, sizeof sum));
	fix_reopen(f);
	assert_int_equal(kb_store_blob(NULL, f->s, m.blob, m.blob_len, &fd), KB_CORRUPT);
	assert_int_equal(kb_store_summary(NULL, f->s, m.seq, &header, &summary), KB_CORRUPT);
	fix_close(f);
	assert_true(damage(f, m.sealed_hash, 32)); /* in the message's row and in the journal */
	assert_ok(kb_store_open(NULL, f->dir, f->map_octets, &f->s));
	assert_int_equal(kb_store_message_at(NULL, f->s, m.seq, &m), KB_CORRUPT);
	free(octets);
	fix_free(f);
}

TEST(a_list_goes_from_the_newest_back_and_pages_do_not_overlap)
{
	struct fix *f = fix_new();
	struct kb_put_result r;
	struct kb_desk_list q = {.all = 1};
	struct kb_list l;
	struct kb_msg m;
	unsigned seen = 0;
	for (unsigned i = 1; i <= 20; i++) { /* five in each minute, stored out of order */
		struct letter a = {.number = i, .received_s = FIX_NOW + (uint64_t)(i % 4) * 60};
		assert_ok(fix_put(f, &a, &r));
	}
	for (uint64_t before = UINT64_MAX; seen < 20;) {
		assert_ok(kb_list_init(NULL, f->s, &q, &l));
		for (int i = 0; i < 7 && kb_list_next(NULL, &l, &m) == KB_OK; i++, seen++) {
			assert_true(m.received_s <= before);
			before = m.received_s;
		}
		q.before_s = m.received_s;
		q.before = m.id;
	}
	assert_int_equal(seen, 20);
	assert_int_equal(kb_list_next(NULL, &l, &m), KB_NOTFOUND);
	q = (struct kb_desk_list){.before_s = FIX_NOW - FIX_NOW % 60 + 60};
	assert_ok(kb_list_init(NULL, f->s, &q, &l));
	for (seen = 0; kb_list_next(NULL, &l, &m) == KB_OK; seen++)
		assert_true(m.received_s < q.before_s);
	assert_int_equal(seen, 5);
	fix_free(f);
}

TEST(a_list_of_one_case_holds_its_messages_alone)
{
	struct fix *f = fix_new();
	const struct letter a = {.number = 1}, b = {.number = 2};
	struct kb_put_result r;
	struct kb_list l;
	struct kb_msg m;
	assert_ok(fix_put(f, &a, &r));
	struct kb_desk_list q = {.case_id = r.case_id};
	assert_ok(fix_put(f, &b, &r));
	assert_ok(kb_list_init(NULL, f->s, &q, &l));
	assert_ok(kb_list_next(NULL, &l, &m));
	assert_memory_equal(&m.case_id, &q.case_id, sizeof q.case_id);
	assert_int_equal(kb_list_next(NULL, &l, &m), KB_NOTFOUND);
	q.before_s = m.received_s; /* strictly before the only one */
	assert_ok(kb_list_init(NULL, f->s, &q, &l));
	assert_int_equal(kb_list_next(NULL, &l, &m), KB_NOTFOUND);
	fix_free(f);
}

TEST(opening_is_one_entry_that_names_all_and_ends_the_alert)
{
	struct fix *f = fix_new();
	const struct letter a = {.number = 1, .urgent = true, .class_ = KB_CLASS_REVIEW, .destinations = 1}, b = {.number = 2};
	struct kb_put_result r;
	struct kb_case c;
	struct kb_entry e;
	struct kb_id id[2];
	assert_ok(fix_put(f, &a, &r));
	struct kb_case_id first = r.case_id;
	assert_ok(fix_put(f, &b, &r));
	letter_id(&a, &id[0]);
	letter_id(&b, &id[1]);
	uint64_t seq = facts(f).journal_seq;
	fix_begin(f);
	assert_ok(kb_store_opened(NULL, f->s, "ben", id, 2));
	fix_commit(f);
	assert_int_equal(facts(f).journal_seq, seq + 1);
	assert_ok(kb_store_journal(NULL, f->s, seq + 1, &e));
	assert_int_equal(e.act, KB_ACT_OPENED);
	assert_int_equal(e.by_person, 1);
	assert_string_equal(e.actor, "ben");
	assert_int_equal(e.subjects, 2);
	assert_ok(kb_store_case(NULL, f->s, &first, &c));
	assert_int_equal(c.status, KB_CASE_OPEN);
	assert_int_equal(c.alert, 0);
	assert_int_equal(facts(f).counts.review, 0);
	fix_check(f);
	fix_free(f);
}

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(an_office_is_imported_once_and_verified_first),
	    RUN(a_grant_is_given_to_the_person_it_was_made_for),
	    RUN(a_message_comes_back_as_it_was_put_also_after_a_restart),
	    RUN(the_same_submission_again_is_acknowledged_and_changes_nothing),
	    RUN(the_same_octets_and_envelope_are_one_case_and_other_octets_another),
	    RUN(two_of_the_same_in_one_group_are_one_case),
	    RUN(a_duplicate_is_known_for_four_midnights_and_its_row_goes_with_the_key),
	    RUN(a_large_message_is_nothing_until_it_is_whole),
	    RUN(files_of_every_length_around_a_chunk_come_back),
	    RUN(a_large_duplicate_leaves_no_chunk_behind),
	    RUN(a_put_that_fails_leaves_nothing_of_its_group),
	    RUN(without_its_key_a_store_can_be_read_and_not_changed),
	    RUN(damage_to_a_row_on_the_disk_is_found_when_it_is_read),
	    RUN(a_list_goes_from_the_newest_back_and_pages_do_not_overlap),
	    RUN(a_list_of_one_case_holds_its_messages_alone),
	    RUN(opening_is_one_entry_that_names_all_and_ends_the_alert),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
