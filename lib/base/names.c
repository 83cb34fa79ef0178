/* names: the words for channels and states, and the desk's requests as one table. See settings.h and desk.h. */
#include <kitebox/desk.h>
#include <kitebox/settings.h>

/* clang-format off */
static const char *const channels[] = {
	[KB_CHANNEL_EMAIL] = "email", [KB_CHANNEL_INMATE_RELAY] = "inmate-relay", [KB_CHANNEL_LETTER] = "letter",
	[KB_CHANNEL_PHONE] = "phone", [KB_CHANNEL_VISIT] = "visit",
};
static const char *const case_states[] = {[KB_CASE_NEW] = "new", [KB_CASE_OPEN] = "open", [KB_CASE_CLOSED] = "closed"};
static const char *const referral_states[] = {
	[KB_REFERRAL_HELD] = "held", [KB_REFERRAL_QUEUED] = "queued", [KB_REFERRAL_SENT] = "sent", [KB_REFERRAL_DELIVERED] = "delivered",
	[KB_REFERRAL_ACKNOWLEDGED] = "acknowledged", [KB_REFERRAL_CLOSED] = "closed", [KB_REFERRAL_RETURNED] = "returned",
	[KB_REFERRAL_WITHDRAWN] = "withdrawn", [KB_REFERRAL_DEAD] = "dead",
};
static const struct kb_desk_row requests[] = {
	/* type                size                           name         needs a log-in */
	{ KB_DESK_HELLO,     sizeof(struct kb_desk_hello),  "hello",     0 },
	{ KB_DESK_LOGIN,     sizeof(struct kb_desk_login),  "login",     0 },
	{ KB_DESK_ROSTER,    sizeof(struct kb_desk_none),   "roster",    0 },
	{ KB_DESK_GRANT,     sizeof(struct kb_desk_epoch),  "grant",     1 },
	{ KB_DESK_LIST,      sizeof(struct kb_desk_list),   "list",      1 },
	{ KB_DESK_OPEN,      sizeof(struct kb_desk_open),   "open",      1 },
	{ KB_DESK_REFERRALS, sizeof(struct kb_desk_list),   "referrals", 1 },
	{ KB_DESK_STATUS,    sizeof(struct kb_desk_none),   "status",    0 },
};
/* clang-format on */
_Static_assert(KB_LEN(channels) == KB_CHANNEL_KIND_COUNT, "every channel has its name");
_Static_assert(KB_LEN(case_states) == KB_CASE_STATUS_COUNT, "every case status has its name");
_Static_assert(KB_LEN(referral_states) == KB_REFERRAL_STATE_COUNT, "every referral state has its name");
_Static_assert(KB_LEN(requests) == KB_DESK_DATA - KB_DESK_HELLO, "every request has its row");
_Static_assert(sizeof(struct kb_desk_frame) == 8 && sizeof(struct kb_desk_hello) == 40 && sizeof(struct kb_desk_login) == 96 &&
	sizeof(struct kb_desk_list) == 32 && sizeof(struct kb_desk_open) == 1032,
    "what kite sends has no holes");
_Static_assert(sizeof(struct kb_desk_challenge) == 56 && sizeof(struct kb_desk_welcome) == 8 && sizeof(struct kb_desk_blob) == 64 &&
	sizeof(struct kb_desk_body) == 16 && sizeof(struct kb_desk_message) == 72 && sizeof(struct kb_desk_referral) == 88 &&
	sizeof(struct kb_desk_status) == 144 && sizeof(struct kb_desk_health) == 336 && sizeof(struct kb_desk_error) == 128,
    "what the desk answers has no holes");

const char *kb_channel_kind_name(unsigned kind)
{
	return kind < KB_LEN(channels) ? channels[kind] : NULL;
}

const char *kb_case_status_name(unsigned status)
{
	return status < KB_LEN(case_states) ? case_states[status] : NULL;
}

const char *kb_referral_state_name(unsigned state)
{
	return state < KB_LEN(referral_states) ? referral_states[state] : NULL;
}

const struct kb_desk_row *kb_desk_request(unsigned type)
{
	for (size_t i = 0; i < KB_LEN(requests); i++)
		if (requests[i].type == type)
			return &requests[i];
	return NULL;
}
