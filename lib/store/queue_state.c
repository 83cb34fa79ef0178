/*
 * queue_state: the states of a referral as a table, and its clock. No I/O. See store.h.
 *
 *     held --clock--> queued --courier asks--> sent --250--> delivered
 *                        ^------4xx, 5xx, lost--'---5xx for a day--> dead
 */
#include <kitebox/store.h>

/* clang-format off */
static const struct {
	uint8_t from;
	uint8_t event;
	uint8_t to;
} steps[] = {
	/* from                  event              to                       who */
	{ KB_REFERRAL_HELD,   KB_EVENT_RELEASE, KB_REFERRAL_QUEUED },    /* the clock */
	{ KB_REFERRAL_QUEUED, KB_EVENT_TAKE,    KB_REFERRAL_SENT },      /* the courier, with its credit */
	{ KB_REFERRAL_SENT,   KB_EVENT_DELIVER, KB_REFERRAL_DELIVERED }, /* the courier */
	{ KB_REFERRAL_SENT,   KB_EVENT_DEFER,   KB_REFERRAL_QUEUED },    /* the courier */
	{ KB_REFERRAL_SENT,   KB_EVENT_GIVE_UP, KB_REFERRAL_DEAD },      /* the courier and the clock */
	{ KB_REFERRAL_SENT,   KB_EVENT_LOSE,    KB_REFERRAL_QUEUED },    /* the vault, when the courier's channel ends */
};
/* clang-format on */

uint8_t kb_referral_first(uint8_t class_, bool unreadable)
{
	return class_ == KB_CLASS_REVIEW || unreadable ? KB_REFERRAL_HELD : KB_REFERRAL_QUEUED;
}

enum kb_status kb_referral_step(uint8_t from, enum kb_referral_event event, uint8_t *ret_to)
{
	for (size_t i = 0; i < KB_LEN(steps); i++) {
		if (steps[i].from == from && steps[i].event == event) {
			*ret_to = steps[i].to;
			return KB_OK;
		}
	}
	return KB_SEQUENCE;
}

uint64_t kb_backoff_s(uint32_t attempts, uint32_t first_s, uint32_t most_s, uint32_t chance)
{
	uint64_t delay = first_s;
	for (uint32_t i = 1; i < attempts && delay < most_s; i++)
		delay *= 2;
	if (delay > most_s)
		delay = most_s;
	/* Less by chance, so that what failed together does not come back together. */
	return delay - (delay >= 4 ? chance % (delay / 4 + 1) : 0);
}
