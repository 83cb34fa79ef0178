/* sealer_outbox: what acknowledgements are sealed with, and when that is forgotten. */
#include "kbtest.h"

#include <string.h>

#include <sodium.h>

#include "sealer_outbox.h"

enum { SHARE = 32, NONCE = crypto_box_NONCEBYTES };

struct pair {
	struct kb_wire_outbox_key key;
	uint8_t secret[32];
};

static struct pair pair_new(uint32_t number)
{
	struct pair p = {.key = {.number = number}};
	crypto_box_keypair(p.key.pub, p.secret);
	return p;
}

static struct kb_ack_item item_of(const char *address)
{
	struct kb_ack_item item;
	memset(&item, 0, sizeof item);
	kb_field_set(item.address, sizeof item.address, kb_span_str(address));
	return item;
}

/* As docs/FORMATS.md says it, with libsodium alone. */
static bool opens(const struct pair *p, const uint8_t sealed[static KB_ACK_SEALED], const char *address)
{
	struct kb_ack_item item;
	const uint8_t *nonce = sealed + SHARE, *box = nonce + NONCE;
	return crypto_box_open_easy((uint8_t *)&item, box, sizeof item + crypto_box_MACBYTES, nonce, sealed, p->secret) == 0 &&
	    strcmp(item.address, address) == 0;
}

TEST(each_item_opens_with_the_outbox_key_and_with_no_other)
{
	struct kb_outbox o = {0};
	struct pair p = pair_new(1), other = pair_new(2);
	struct kb_ack_item a = item_of("mother@family.example"), b = item_of("uncle@family.example");
	uint8_t sealed[2][KB_ACK_SEALED];
	kb_outbox_key_message(&o, &p.key);
	assert_true(kb_outbox_seal(&o, &a, sealed[0]));
	assert_true(kb_outbox_seal(&o, &b, sealed[1]));
	assert_true(opens(&p, sealed[0], "mother@family.example"));
	assert_true(opens(&p, sealed[1], "uncle@family.example"));
	assert_false(opens(&other, sealed[0], "mother@family.example"));
	sealed[1][KB_ACK_SEALED - 1] ^= 1;
	assert_false(opens(&p, sealed[1], "uncle@family.example"));
}

TEST(a_share_serves_so_many_items_each_under_its_own_nonce)
{
	struct kb_outbox o = {0};
	struct pair p = pair_new(1);
	struct kb_ack_item item = item_of("mother@family.example");
	static uint8_t sealed[KB_OUTBOX_ITEMS_A_SHARE + 1][KB_ACK_SEALED];
	kb_outbox_key_message(&o, &p.key);
	for (size_t i = 0; i < KB_LEN(sealed); i++) {
		assert_true(kb_outbox_seal(&o, &item, sealed[i]));
		assert_true(opens(&p, sealed[i], "mother@family.example"));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(sealed[i] + SHARE, sealed[j] + SHARE, NONCE);
		bool same = memcmp(sealed[i], sealed[0], SHARE) == 0;
		assert_int_equal(same, i < KB_OUTBOX_ITEMS_A_SHARE);
	}
}

TEST(what_is_forgotten_seals_nothing_more_and_leaves_no_key)
{
	struct kb_outbox o = {0};
	struct pair p = pair_new(1);
	struct kb_ack_item item = item_of("mother@family.example");
	uint8_t sealed[2][KB_ACK_SEALED];
	kb_outbox_key_message(&o, &p.key);
	assert_true(kb_outbox_seal(&o, &item, sealed[0]));
	assert_false(sodium_is_zero(o.key, sizeof o.key));
	kb_outbox_forget(&o);
	assert_true(sodium_is_zero(o.key, sizeof o.key));
	assert_true(kb_outbox_seal(&o, &item, sealed[1]));
	assert_memory_not_equal(sealed[0], sealed[1], SHARE);
	assert_true(opens(&p, sealed[1], "mother@family.example"));
}

TEST(without_a_key_or_after_its_end_nothing_is_sealed)
{
	struct kb_outbox o = {0};
	struct pair p = pair_new(3);
	const struct kb_wire_outbox_key end = {.number = 3, .destroy = 1}, another = {.number = 2, .destroy = 1};
	struct kb_ack_item item = item_of("mother@family.example");
	uint8_t sealed[KB_ACK_SEALED];
	assert_false(kb_outbox_seal(&o, &item, sealed));
	kb_outbox_key_message(&o, &p.key);
	kb_outbox_key_message(&o, &another); /* the control: the end of another key is not the end of this one */
	assert_true(kb_outbox_seal(&o, &item, sealed));
	kb_outbox_key_message(&o, &end);
	assert_true(sodium_is_zero(o.key, sizeof o.key));
	assert_false(kb_outbox_seal(&o, &item, sealed));
}

TEST(only_a_newer_key_takes_the_place_of_one_and_nothing_more_is_sealed_to_the_old)
{
	struct kb_outbox o = {0};
	struct pair old = pair_new(4), now = pair_new(5);
	struct kb_ack_item item = item_of("mother@family.example");
	uint8_t sealed[KB_ACK_SEALED];
	kb_outbox_key_message(&o, &old.key);
	assert_true(kb_outbox_seal(&o, &item, sealed));
	kb_outbox_key_message(&o, &now.key);
	assert_true(kb_outbox_seal(&o, &item, sealed));
	assert_true(opens(&now, sealed, "mother@family.example"));
	kb_outbox_key_message(&o, &old.key);
	assert_int_equal(o.number, 5);
	assert_true(kb_outbox_seal(&o, &item, sealed));
	assert_false(opens(&old, sealed, "mother@family.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(each_item_opens_with_the_outbox_key_and_with_no_other),
	    RUN(a_share_serves_so_many_items_each_under_its_own_nonce),
	    RUN(what_is_forgotten_seals_nothing_more_and_leaves_no_key),
	    RUN(without_a_key_or_after_its_end_nothing_is_sealed),
	    RUN(only_a_newer_key_takes_the_place_of_one_and_nothing_more_is_sealed_to_the_old),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
