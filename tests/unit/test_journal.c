/* journal: a chain that nobody can cut, change or continue unseen. */
#include "storefix.h"

#include <string.h>

#include "internal.h"

static void write_some(struct fix *f)
{
	struct kb_put_result r;
	for (unsigned i = 1; i <= 10; i++) {
		struct letter l = {.number = i, .class_ = i % KB_CLASS_COUNT, .destinations = 1, .outbox_key = i % 2};
		assert_ok(fix_put(f, &l, &r));
	}
	fix_begin(f);
	assert_ok(kb_store_login(NULL, f->s, "ben", "list"));
	fix_commit(f);
}

/* What an attacker with the disk, but without vault.key, writes: rows with checksums of their own. */
static void forge(struct fix *f, uint64_t seq, void (*how)(struct kb_entry *e))
{
	struct kb_entry e;
	uint8_t body[KB_ENTRY_MOST];
	struct kb_key key = kb_key_u64(seq);
	assert_ok(kb_store_journal(NULL, f->s, seq, &e));
	how(&e);
	fix_begin(f);
	assert_ok(kb_table_put(NULL, f->s, KB_ROW_ENTRY, KB_KEY(key), &e, KB_SPAN(body, kb_entry_body_write(&e, body)), 0));
	fix_commit(f);
}

static void other_actor(struct kb_entry *e)
{
	e->actor[0] = 'x';
}

static void other_salt(struct kb_entry *e)
{
	e->salt[0] ^= 1;
}

static void other_previous(struct kb_entry *e)
{
	e->previous[0] ^= 1;
}

TEST(a_chain_as_it_was_written_verifies_and_begins_with_the_office)
{
	struct fix *f = fix_new();
	struct kb_entry e;
	write_some(f);
	assert_ok(kb_store_journal_verify(NULL, f->s));
	assert_ok(kb_store_journal(NULL, f->s, 1, &e));
	assert_int_equal(e.act, KB_ACT_IMPORTED);
	assert_memory_equal(&e.subject[0], &f->roster.store, KB_ID_LEN);
	assert_true(sodium_is_zero(e.previous, sizeof e.previous));
	fix_check(f);
	fix_free(f);
}

TEST(an_entry_that_was_changed_breaks_the_chain_after_it)
{
	static void (*const ways[])(struct kb_entry *) = {other_actor, other_salt, other_previous};
	for (size_t i = 0; i < KB_LEN(ways); i++) {
		struct fix *f = fix_new();
		struct kb_diag d = {0};
		write_some(f);
		forge(f, 5, ways[i]);
		assert_int_equal(kb_store_journal_verify(&d, f->s), KB_CORRUPT);
		assert_in_range(d.offset, 5, 6);
		kb_store_rest(f->s);
		fix_free(f);
	}
}

TEST(an_entry_that_is_gone_or_added_is_seen)
{
	struct fix *f = fix_new();
	struct kb_diag d = {0};
	struct kb_store_facts facts;
	struct kb_entry e;
	uint8_t body[KB_ENTRY_MOST];
	write_some(f);
	kb_store_facts(f->s, &facts);
	assert_ok(kb_store_journal(NULL, f->s, facts.journal_seq, &e));
	struct kb_key key = kb_key_u64(facts.journal_seq + 1), gone = kb_key_u64(3);
	fix_begin(f);
	assert_ok(kb_table_put(NULL, f->s, KB_ROW_ENTRY, KB_KEY(key), &e, KB_SPAN(body, kb_entry_body_write(&e, body)), 0));
	fix_commit(f);
	assert_int_equal(kb_store_journal_verify(&d, f->s), KB_CORRUPT);
	assert_int_equal(d.offset, facts.journal_seq + 1);
	fix_begin(f);
	assert_ok(kb_table_del(NULL, f->s, KB_TABLE_JOURNAL, KB_KEY(key)));
	assert_ok(kb_table_del(NULL, f->s, KB_TABLE_JOURNAL, KB_KEY(gone)));
	fix_commit(f);
	assert_int_equal(kb_store_journal_verify(&d, f->s), KB_CORRUPT);
	assert_int_equal(d.offset, 3);
	kb_store_rest(f->s);
	fix_free(f);
}

TEST(a_journal_cut_back_with_its_head_is_refused_by_whoever_has_the_key)
{
	struct fix *f = fix_new();
	struct kb_state forged;
	struct kb_entry e;
	write_some(f);
	assert_ok(kb_table_get(NULL, f->s, KB_ROW_STATE, KB_LIT("state"), &forged, NULL));
	struct kb_key last = kb_key_u64(forged.journal_seq);
	assert_ok(kb_store_journal(NULL, f->s, forged.journal_seq - 1, &e));
	fix_begin(f);
	forged.journal_seq--;
	memcpy(forged.journal_head, e.hash, 32);
	assert_ok(kb_table_del(NULL, f->s, KB_TABLE_JOURNAL, KB_KEY(last)));
	assert_ok(kb_table_put(NULL, f->s, KB_ROW_STATE, KB_LIT("state"), &forged, KB_SPAN(NULL, 0), 0));
	fix_commit(f); /* nothing of its own changed, so the store does not write its state over the forged one */
	fix_close(f);
	assert_ok(kb_store_open(NULL, f->dir, f->map_octets, &f->s));
	assert_ok(kb_store_journal_verify(NULL, f->s)); /* the chain by itself says nothing of what is missing at its end */
	assert_int_equal(kb_store_unlock(NULL, f->s, f->vault_key, f->now_s), KB_FORGED);
	fix_free(f);
}

TEST(the_same_act_twice_is_committed_to_under_two_salts)
{
	struct fix *f = fix_new();
	struct kb_entry a, b;
	struct kb_store_facts facts;
	for (int i = 0; i < 2; i++) {
		fix_begin(f);
		assert_ok(kb_store_login(NULL, f->s, "ben", "list"));
		fix_commit(f);
	}
	kb_store_facts(f->s, &facts);
	assert_ok(kb_store_journal(NULL, f->s, facts.journal_seq - 1, &a));
	assert_ok(kb_store_journal(NULL, f->s, facts.journal_seq, &b));
	assert_string_equal(a.note, "list");
	assert_memory_not_equal(a.salt, b.salt, sizeof a.salt);
	assert_memory_not_equal(a.hash, b.hash, sizeof a.hash);
	assert_int_equal(a.time_s % 60, 0);
	kb_store_rest(f->s);
	fix_free(f);
}

TEST(an_act_that_was_abandoned_leaves_no_entry)
{
	struct fix *f = fix_new();
	struct kb_store_facts before, after;
	kb_store_facts(f->s, &before);
	fix_begin(f);
	assert_ok(kb_store_login(NULL, f->s, "ben", "list"));
	kb_store_abort(f->s);
	kb_store_facts(f->s, &after);
	assert_int_equal(before.journal_seq, after.journal_seq);
	assert_memory_equal(before.journal_head, after.journal_head, 32);
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
	    RUN(a_chain_as_it_was_written_verifies_and_begins_with_the_office),
	    RUN(an_entry_that_was_changed_breaks_the_chain_after_it),
	    RUN(an_entry_that_is_gone_or_added_is_seen),
	    RUN(a_journal_cut_back_with_its_head_is_refused_by_whoever_has_the_key),
	    RUN(the_same_act_twice_is_committed_to_under_two_salts),
	    RUN(an_act_that_was_abandoned_leaves_no_entry),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
