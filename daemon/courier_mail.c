/*
 * courier_mail: the words of acknowledgements, the keys that open what waits to be sent, and the mails of both.
 *
 * Secrets:   an opened item lies on the stack and is wiped; of it, the job keeps the address.
 * Not here:  the form of a mail (kitebox/compose.h).
 */
#include <sodium.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include <kitebox/address.h>

#include "courier.h"

enum { DATE_TEXT = 16 };

/* ---- templates ---- */

void kb_courier_templates_release(struct kb_courier *c)
{
	for (size_t i = 0; i < KB_LANG_COUNT; i++)
		kb_map_release(&c->text[i]);
	c->templates = false;
}

static enum kb_status read_template(struct kb_courier *c, struct kb_diag *d, uint32_t language)
{
	struct kb_room_file *f = kb_room_file(c->host, KB_FILE_TEMPLATE, language);

	if (!f)
		return KB_FAIL(d, KB_NOTFOUND, 0, "there is none");
	enum kb_status st = kb_map_open(d, f->fd, KB_TEMPLATE_MOST, &c->text[language]);

	return st == KB_OK ? kb_template_parse(d, c->text[language].s, &c->template[language]) : st;
}

/* All or none: nobody gets other words than those meant for them because a file is broken. */
void kb_courier_templates(struct kb_courier *c)
{
	bool good = true;

	kb_courier_templates_release(c);
	for (uint32_t i = KB_LANG_OTHER + 1; i < KB_LANG_COUNT; i++) {
		struct kb_diag d = {0};

		if (read_template(c, &d, i) == KB_OK)
			continue;
		kb_room_log(c->host, LOG_ERR, &d,
		    i == KB_LANG_ES ? "ack.es.txt cannot be used: acknowledgements wait"
				    : "ack.en.txt cannot be used: acknowledgements wait");
		good = false;
	}
	c->templates = good;
	kb_room_health(c->host, KB_HEALTH_TEMPLATE_REFUSED, !good, 0);
}

/* ---- keys ---- */

static struct kb_courier_key *find(struct kb_courier *c, uint32_t number)
{
	for (size_t i = 0; i < c->keys; i++)
		if (c->key[i].number == number)
			return &c->key[i];
	return NULL;
}

/* Numbers grow. The supervisor tells everybody of a new key, and the vault may be the first to listen. */
static bool is_newer(const struct kb_courier *c, uint32_t number)
{
	return c->keys == 0 || number > c->key[c->keys - 1].number;
}

static void destroy(struct kb_courier *c, struct kb_courier_key *k)
{
	size_t at = (size_t)(k - c->key);

	c->keys--;
	memmove(k, k + 1, (c->keys - at) * sizeof *k);
	sodium_memzero(&c->key[c->keys], sizeof *k);
}

void kb_courier_key_message(struct kb_courier *c, const struct kb_wire_outbox_key *w)
{
	struct kb_courier_key *k = find(c, w->number);

	if (w->destroy) {
		if (k)
			destroy(c, k);
		return;
	}
	if (!k) {
		if (c->keys == KB_COURIER_KEYS)
			destroy(c, &c->key[0]);
		k = &c->key[c->keys++];
	}
	k->number = w->number;
	memcpy(k->pub, w->pub, sizeof k->pub);
	memcpy(k->secret, w->secret, sizeof k->secret);
}

/* ---- mails ---- */

static struct kb_letter letter(const struct kb_courier_job *j)
{
	const struct kb_settings *s = kb_room_settings(j->courier->host);

	return (struct kb_letter){.hostname = s->hostname,
	    .from = s->mail_from,
	    .to = j->to,
	    .now_s = kb_room_now_s(j->courier->host),
	    .id = j->work.id};
}

uint64_t kb_courier_octets(const struct kb_courier_job *j)
{
	return j->mail.fd >= 0 ? j->mail.size : j->sealed.s.len / 57 * 78; /* lines of base64 */
}

enum kb_status kb_courier_referral(struct kb_diag *d, struct kb_courier_job *j)
{
	kb_field_set(j->to, sizeof j->to, kb_span_str(j->work.address));
	const struct kb_letter l = letter(j);
	enum kb_status st = kb_compose_referral(d, &l, j->sealed.s, j->minisig.s, &j->mail);

	kb_map_release(&j->sealed);
	kb_map_release(&j->minisig);
	return st;
}

static enum kb_status open_item(struct kb_diag *d, struct kb_courier_job *j, struct kb_span sealed, struct kb_ack_item *item)
{
	const struct kb_courier_key *k = find(j->courier, j->work.outbox_key);
	struct kb_span text;

	if (!k && is_newer(j->courier, j->work.outbox_key))
		return KB_FAIL(d, KB_AGAIN, 0, "the key of an acknowledgement has not come yet");
	if (!k)
		return KB_FAIL(d, KB_NOKEY, 0, "the key of an acknowledgement is gone");
	if (sealed.len != KB_ACK_SEALED)
		return KB_FAIL(d, KB_MALFORMED, sealed.len, "an acknowledgement has not its length");
	const uint8_t *share = sealed.p, *nonce = share + sizeof k->pub, *box = nonce + crypto_box_NONCEBYTES;
	if (crypto_box_open_easy((uint8_t *)item, box, sizeof *item + crypto_box_MACBYTES, nonce, share, k->secret) != 0)
		return KB_FAIL(d, KB_FORGED, 0, "an acknowledgement does not open");
	if (kb_field_get(item->address, sizeof item->address, &text) != KB_OK || !kb_address_ok(text) ||
	    kb_field_get(item->indicator, sizeof item->indicator, &text) != KB_OK || item->language >= KB_LANG_COUNT)
		return KB_FAIL(d, KB_MALFORMED, 0, "an acknowledgement has an address or indicator that cannot be");
	return KB_OK;
}

/* The day on which the office received it, as its people count days: local time (read before the sandbox closed). */
static enum kb_status format_date(struct kb_diag *d, uint64_t received_s, char ret_date[static DATE_TEXT])
{
	time_t t = (time_t)received_s;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(ret_date, DATE_TEXT, "%Y-%m-%d", &tm) == 0)
		return KB_FAIL(d, KB_MALFORMED, 0, "an acknowledgement has no day");
	return KB_OK;
}

static enum kb_status compose(struct kb_diag *d, struct kb_courier_job *j, const struct kb_ack_item *item)
{
	uint8_t language = item->language == KB_LANG_OTHER ? KB_LANG_EN : item->language;
	char number[KB_CASE_TEXT], date[DATE_TEXT];
	const struct kb_letter l = letter(j);
	const struct kb_ack_facts f = {
	    .indicator = item->indicator, .language = kb_language_name(language), .date = date, .number = number};
	enum kb_status st = format_date(d, j->work.received_s, date);

	kb_case_id_format(&j->work.case_id, number);
	return st == KB_OK ? kb_compose_ack(d, &l, &j->courier->template[language], &f, &j->mail) : st;
}

enum kb_status kb_courier_ack(struct kb_diag *d, struct kb_courier_job *j, struct kb_span sealed)
{
	struct kb_ack_item item;
	enum kb_status st = open_item(d, j, sealed, &item);

	if (st == KB_OK && !j->courier->templates)
		st = KB_FAIL(d, KB_AGAIN, 0, "there are no words for an acknowledgement");
	if (st == KB_OK) {
		kb_field_set(j->to, sizeof j->to, kb_span_str(item.address));
		st = compose(d, j, &item);
	}
	sodium_memzero(&item, sizeof item);
	return st;
}
