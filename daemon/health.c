/*
 * health: the table of conditions. Sentences are literals: what it means, then the way out.
 */
#include "health.h"

#include <stddef.h>

/* clang-format off */
static const struct kb_health_row rows[KB_HEALTH_COUNT] = {
	[KB_HEALTH_NONE] = {"none", 0,
		"Nothing to report."},
	[KB_HEALTH_ROSTER_REFUSED] = {"roster-refused", 2,
		"The roster does not verify under the office key, so mail is answered 451 and stays with its senders. "
		"Compare the fingerprint of office.pub with the setup sheet; if it differs, somebody replaced a key."},
	[KB_HEALTH_ROSTER_MISSING] = {"roster-missing", 2,
		"No office is set up, so mail is answered 451. Run kite setup and put its host folder where kitebox.conf expects it."},
	[KB_HEALTH_OFFICE_KEY_DIFFERS] = {"office-key-differs", 2,
		"The office key of kitebox.conf is not the one this store was set up with, so mail is answered 451. "
		"Put the right office.pub back, or point state_dir at the right store."},
	[KB_HEALTH_STORE_REFUSED] = {"store-refused", 2,
		"The store does not open, so mail is answered 451. Look at the log for the reason; check the owner and mode of state_dir and its disk."},
	[KB_HEALTH_STORE_FULL] = {"store-full", 2,
		"The store or its disk is nearly full, so mail is answered 452 and stays with its senders. "
		"Make room on the disk, or raise store.map_octets and restart."},
	[KB_HEALTH_STORE_CORRUPT] = {"store-corrupt", 2,
		"A row of the store is not what was written. Stop, check the disk, and restore from a backup that verifies."},
	[KB_HEALTH_SORTER_DIED] = {"sorter-died", 1,
		"A sorter died on a message; the message is sealed as unreadable and in review. Nothing is lost; report it if it goes on."},
	[KB_HEALTH_SORTER_HUNG] = {"sorter-hung", 1,
		"A sorter took longer than limits.sort_s over a message; the message is sealed as unreadable and in review. "
		"Nothing is lost; report it if it goes on."},
	[KB_HEALTH_UNREADABLE] = {"unreadable", 1,
		"Messages were sealed without a verdict. A coordinator reads them in review."},
	[KB_HEALTH_ROOM_RESTARTED] = {"room-restarted", 1,
		"This room ended unasked and was started again. Nothing accepted is lost; look at the log if it goes on."},
	[KB_HEALTH_ROOM_DOWN] = {"room-down", 2,
		"This room does not stay up; it is tried again every few seconds. Look at the log for the reason."},
	[KB_HEALTH_SANDBOX_PARTIAL] = {"sandbox-partial", 1,
		"The kernel lacks Landlock or a part of it, so this room's sandbox rests on seccomp alone. Use a kernel of 6.12 or later with Landlock on."},
	[KB_HEALTH_SWAP_ON] = {"swap-on", 1,
		"Memory may be swapped to disk, and with it a message in the clear. Run under the systemd unit (MemorySwapMax=0) or turn swap off."},
	[KB_HEALTH_TLS_REFUSED] = {"tls-refused", 2,
		"The certificate or its key does not load, so STARTTLS is not offered. Check tls.certificate and tls.key, then reload."},
	[KB_HEALTH_FLIGHT_FULL] = {"flight-full", 1,
		"Messages were answered 452 because too much mail was under way; their senders try again. Raise limits.flight_octets if memory allows."},
	[KB_HEALTH_DELIVERY_FAILING] = {"delivery-failing", 2,
		"Referrals are waiting because the relay does not take them; they are tried again. Check relays in kitebox.conf and the relay's log."},
	[KB_HEALTH_RELAY_TLS] = {"relay-tls", 2,
		"The relay's certificate does not verify, so nothing is sent to it. Check the relay's host name and ca_file; do not turn verification off."},
	[KB_HEALTH_ACKS_UNSENT] = {"acks-unsent", 1,
		"Acknowledgements will never leave: the daemon stopped, and what they are sealed to lives in memory alone, or the sender's address is none that we write to. The messages themselves are safe."},
	[KB_HEALTH_REFERRAL_DEAD] = {"referral-dead", 2,
		"Referrals were refused for good by the investigators' server. A person must see to them: kite referrals."},
	[KB_HEALTH_MESSAGES] = {"messages", 0,
		"Messages taken since the start."},
	[KB_HEALTH_REFUSED] = {"refused", 0,
		"Messages answered with a failure after DATA since the start; temporary failures stay with their senders."},
	[KB_HEALTH_KEY_MISSING] = {"key-missing", 2,
		"referral.key or vault.key is missing, malformed, or not the one that this store was kept with, so mail is answered 451. "
		"Put the credentials folder that kite setup made where kitebox.conf expects it, then restart."},
	[KB_HEALTH_REFERRAL_KEY_DIFFERS] = {"referral-key-differs", 2,
		"referral.key is not the key that the signed roster names, so investigators would refuse what it signs and mail is answered 451. "
		"Put the right key back; if nobody changed it, somebody else did."},
	[KB_HEALTH_CONFIG_REFUSED] = {"config-refused", 2,
		"kitebox.conf has a fault, so a reload changed nothing, and a restart would fail. The log names file and line; put it right, then reload."},
	[KB_HEALTH_TEMPLATE_REFUSED] = {"template-refused", 2,
		"ack.en.txt or ack.es.txt is missing or malformed, so acknowledgements wait; after two days they are given up. "
		"The log names the line; put it right, then reload."},
	[KB_HEALTH_TRIAGE_REFUSED] = {"triage-refused", 2,
		"triage.rules or triage.model is missing or malformed: a sorter that starts puts every message in review, held for the investigators, "
		"and one that ran goes on with what it had. The log says what is wrong; put it right, then reload."},
};
/* clang-format on */

static const struct kb_health_row unknown = {
    "unknown", 2, "A room reported a condition that this version does not know."};

const struct kb_health_row *kb_health_row(uint32_t code)
{
	return code < KB_HEALTH_COUNT && rows[code].name ? &rows[code] : &unknown;
}
