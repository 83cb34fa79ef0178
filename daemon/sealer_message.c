/*
 * sealer_message: see sealer_message.h.
 *
 * Two files may leave here for one message: the message itself, sealed to the desk (or, where it names somebody of the desk,
 * to each other person by name and to recovery), and a referral for each destination, sealed to that destination alone.
 */
#include "sealer_message.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/eml.h>
#include <kitebox/mail.h>
#include <kitebox/memfd.h>

/* One memfd for all files that are made of a message. What is small is gathered here first: a call to the kernel costs more than
 * the copy. It is ciphertext. */
struct sink {
	struct kb_diag *d;
	int fd;
	size_t fill;
	uint64_t len; /* in all */
	uint8_t gathered[32768];
};

static enum kb_status flush(struct sink *s)
{
	enum kb_status st = kb_memfd_write(s->d, s->fd, KB_SPAN(s->gathered, s->fill));
	s->fill = 0;
	return st;
}

static enum kb_status to_memfd(void *ctx, struct kb_span octets)
{
	struct sink *s = ctx;
	enum kb_status st = octets.len > sizeof(s->gathered) - s->fill ? flush(s) : KB_OK;
	if (st != KB_OK)
		return st;
	s->len += octets.len;
	if (octets.len > sizeof(s->gathered))
		return kb_memfd_write(s->d, s->fd, octets);
	memcpy(s->gathered + s->fill, octets.p, octets.len);
	s->fill += octets.len;
	return KB_OK;
}

uint8_t kb_submit_channel(const struct kb_settings *s, uint32_t mailboxes, bool *ret_trusted)
{
	uint8_t channel = KB_CHANNEL_EMAIL;
	bool trusted = false;
	for (uint32_t i = 0; i < s->mailboxes && i < KB_MAILBOXES_MOST; i++) {
		if (!(mailboxes & (UINT32_C(1) << i)))
			continue;
		trusted = trusted || s->mailbox[i].trusted;
		if (s->mailbox[i].channel == KB_CHANNEL_INMATE_RELAY)
			channel = KB_CHANNEL_INMATE_RELAY;
	}
	*ret_trusted = trusted;
	return channel;
}

void kb_submit_fingerprint(const struct kb_wire_submit *m, struct kb_span original, uint8_t ret_hash[static 32])
{
	struct kb_field f;
	size_t at = 0, start = 0;
	while (kb_field_next(original, &at, &f) &&
	    (kb_span_caseeq(f.name, KB_LIT("Received")) || kb_span_caseeq(f.name, KB_LIT("Return-Path"))))
		start = at;
	uint8_t envelope[KB_ADDRESS_FIELD + 4];
	memcpy(envelope, m->sender, KB_ADDRESS_FIELD);
	kb_put_u32(envelope + KB_ADDRESS_FIELD, m->mailboxes);
	struct kb_span rest = kb_span_from(original, start);
	crypto_generichash_state h;
	crypto_generichash_init(&h, NULL, 0, 32);
	crypto_generichash_update(&h, envelope, sizeof(envelope));
	crypto_generichash_update(&h, rest.p, rest.len);
	crypto_generichash_final(&h, ret_hash, 32);
	sodium_memzero(&h, sizeof(h));
	sodium_memzero(envelope, sizeof(envelope));
}

enum kb_status kb_roster_names(const struct kb_roster *r, struct kb_buf *ret_lines)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < r->persons; i++)
		st = kb_buf_printf(ret_lines, "%s\n", r->person[i].name);
	return st;
}

static bool at_desk(const struct kb_person *p)
{
	return p->role == KB_ROLE_COORDINATOR || p->role == KB_ROLE_SUPERVISOR;
}

uint64_t kb_roster_entitled(const struct kb_roster *r, uint64_t named)
{
	uint64_t entitled = 0, desk = 0;
	for (size_t i = 0; i < r->persons; i++)
		if (at_desk(&r->person[i]))
			desk |= UINT64_C(1) << i;
	if (!(named & desk))
		return 0;
	entitled = desk & ~named;
	return entitled ? entitled : KB_ENTITLED_NOBODY;
}

/* Who gets a stanza in the sealed message. */
static size_t recipients(const struct kb_roster *r, uint64_t entitled, struct kb_recipient ret_r[static KB_AGE_RECIPIENTS_MOST])
{
	size_t n = 0;
	if (entitled == 0) {
		ret_r[n++] = r->desk;
		return n;
	}
	for (size_t i = 0; i < r->persons; i++)
		if (entitled & (UINT64_C(1) << i))
			ret_r[n++] = r->person[i].recipient;
	if (entitled == KB_ENTITLED_NOBODY && r->destinations)
		for (size_t i = 0; i < r->destination[0].n; i++)
			ret_r[n++] = r->destination[0].recipient[i];
	ret_r[n++] = r->recovery;
	return n;
}

/* What a client said of itself may be any octets: harmless before it stands in a field. */
static enum kb_status add_text(struct kb_buf *b, const char *name, const char *field, size_t n)
{
	struct kb_span s;
	if (kb_field_get(field, n, &s) != KB_OK || !s.len)
		return KB_OK;
	struct kb_buf clean;
	kb_buf_init(&clean, 4 * n);
	enum kb_status st = kb_text_harmless(&clean, s, false);
	if (st == KB_OK)
		st = kb_eml_add(b, name, kb_buf_span(&clean));
	kb_buf_release(&clean);
	return st;
}

static enum kb_status add_verdict(struct kb_buf *b, const struct kb_verdict *v)
{
	struct kb_buf line;
	kb_buf_init(&line, 2048);
	enum kb_status st = kb_buf_printf(&line, "class=%s; category=%s; language=%s; score=%u.%04u; rules=%u; model=%u; flags=",
	    kb_class_name(v->class_), kb_category_name(v->category), kb_language_name(v->language), v->score_e4 / 10000,
	    v->score_e4 % 10000, v->rules_version, v->model_version);
	if (st == KB_OK)
		st = v->flags ? kb_flags_format(&line, v->flags) : kb_buf_str(&line, "-");
	if (st == KB_OK)
		st = kb_eml_add(b, "Triage", kb_buf_span(&line));
	kb_buf_clear(&line);
	struct kb_span reasons, one;
	if (st == KB_OK && kb_field_get(v->reasons, sizeof(v->reasons), &reasons) == KB_OK && reasons.len) {
		while (st == KB_OK && kb_span_line(&reasons, &one)) {
			if (line.len)
				st = kb_buf_str(&line, "; ");
			if (st == KB_OK)
				st = kb_buf_add(&line, one);
		}
		if (st == KB_OK)
			st = kb_eml_add(b, "Reasons", kb_buf_span(&line));
	}
	kb_buf_release(&line);
	return st;
}

/* The envelope is evidence: whoever opens the case sees how it came, and only they. */
static enum kb_status add_envelope(struct kb_buf *b, const struct kb_seal_job *j)
{
	const struct kb_wire_submit *m = j->submit;
	struct kb_buf to;
	kb_buf_init(&to, KB_MAILBOXES_MOST * (KB_ADDRESS_FIELD + 2));
	enum kb_status st = KB_OK;
	for (uint32_t i = 0; st == KB_OK && i < j->settings->mailboxes; i++) {
		if (!(m->mailboxes & (UINT32_C(1) << i)))
			continue;
		/* Many mailboxes at once are rare; the head has a limit, and the first few say which they were. */
		if (to.len > 1024)
			break;
		st = kb_buf_printf(&to, "%s%s", to.len ? ", " : "", j->settings->mailbox[i].address);
	}
	if (st == KB_OK)
		st = kb_eml_add(b, "Envelope-To", kb_buf_span(&to));
	kb_buf_release(&to);
	if (st == KB_OK)
		st = m->sender[0] ? add_text(b, "Envelope-From", m->sender, sizeof(m->sender)) : kb_eml_add(b, "Envelope-From", KB_LIT("<>"));
	if (st == KB_OK)
		st = add_text(b, "Helo", m->helo, sizeof(m->helo));
	if (st == KB_OK)
		st = add_text(b, "Peer", m->peer, sizeof(m->peer));
	return st == KB_OK ? add_text(b, "TLS", m->tls_facts, sizeof(m->tls_facts)) : st;
}

/* What stands in the head of each file that is made of one message, down to its end. */
static enum kb_status make_common(struct kb_buf *b, const struct kb_seal_job *j, const uint8_t hash[static 32])
{
	const struct kb_verdict *v = j->verdict;
	char when[KB_TIME_TEXT];
	bool trusted;
	uint8_t channel = kb_submit_channel(j->settings, j->submit->mailboxes, &trusted);
	kb_time_format(j->submit->received_s, when);
	enum kb_status st = kb_eml_add(b, "Received", kb_span_str(when));
	if (st == KB_OK)
		st = kb_eml_add(b, "Channel", kb_span_str(kb_channel_kind_name(channel)));
	if (st == KB_OK)
		st = add_envelope(b, j);
	if (st == KB_OK)
		st = add_verdict(b, v);
	if (st == KB_OK)
		st = add_text(b, "From", v->from, sizeof(v->from));
	if (st == KB_OK)
		st = add_text(b, "Subject", v->subject, sizeof(v->subject));
	if (st == KB_OK)
		st = add_text(b, "Date", v->date, sizeof(v->date));
	if (st == KB_OK)
		st = add_text(b, "Institution", v->institution, sizeof(v->institution));
	if (st == KB_OK)
		st = add_text(b, "Register-Number", v->register_number, sizeof(v->register_number));
	return st == KB_OK ? kb_eml_end(b, j->original.len, hash) : st;
}

/* destination is NULL for the message itself. */
static enum kb_status make_head(struct kb_buf *b, const struct kb_seal_job *j, const struct kb_destination *destination,
    const struct kb_id *id, struct kb_span common)
{
	char text[KB_ID_TEXT], number[16];
	kb_id_format(&j->submit->id, text);
	enum kb_status st = kb_eml_add(b, "Message", kb_span_str(text));
	if (st == KB_OK)
		st = kb_eml_add(b, "Purpose", destination ? KB_LIT("referral") : KB_LIT("message"));
	if (st == KB_OK && destination) {
		kb_id_format(id, text);
		st = kb_eml_add(b, "Referral", kb_span_str(text));
		if (st == KB_OK)
			st = kb_eml_add(b, "Destination", kb_span_str(destination->id));
	}
	if (st == KB_OK && !destination) {
		(void)snprintf(number, sizeof(number), "%u", (unsigned)j->roster->epoch);
		st = kb_eml_add(b, "Epoch", kb_span_str(number));
	}
	return st == KB_OK ? kb_buf_add(b, common) : st;
}

/* Seals head, original and padding. */
static enum kb_status seal_file(struct sink *to, struct kb_span head, struct kb_span original, const struct kb_recipient *r, size_t n,
    uint32_t *ret_header_len, uint8_t *ret_file_key)
{
	static _Thread_local struct kb_age_writer w; /* 64 KiB: too large for a stack frame, wiped by finish and release */
	enum kb_status st = kb_age_writer_init(&w, r, n, to_memfd, to);
	uint32_t header_len = (uint32_t)w.header_len;
	if (st == KB_OK)
		st = kb_age_writer_add(&w, head);
	if (st == KB_OK)
		st = kb_age_writer_add(&w, original);
	uint64_t pos = (uint64_t)head.len + original.len, whole = kb_padme(pos);
	while (st == KB_OK && pos < whole) {
		uint8_t pad[4096];
		size_t step = whole - pos < sizeof(pad) ? (size_t)(whole - pos) : sizeof(pad);
		kb_eml_padding(pos - head.len - original.len, pad, step);
		st = kb_age_writer_add(&w, KB_SPAN(pad, step));
		pos += step;
	}
	if (st == KB_OK)
		st = kb_age_writer_finish(&w, ret_file_key);
	kb_age_writer_release(&w);
	*ret_header_len = header_len;
	return st;
}

/* destination is NULL for the message itself; *ret_len is the file's. */
static enum kb_status seal_one(const struct kb_seal_job *j, const struct kb_destination *destination, const struct kb_id *id,
    struct kb_span common, struct sink *to, struct kb_wire_store *row, uint64_t *ret_len, uint8_t *ret_file_key)
{
	struct kb_recipient r[KB_AGE_RECIPIENTS_MOST];
	size_t n = destination ? destination->n : recipients(j->roster, row->entitled, r);
	if (!n)
		return KB_FAIL(to->d, KB_NOKEY, 0, "the roster names nobody to seal this to");
	struct kb_buf head;
	kb_buf_init(&head, KB_EML_HEAD_MOST);
	enum kb_status st = make_head(&head, j, destination, id, common);
	uint32_t header_len = 0;
	uint64_t before = to->len;
	if (st == KB_OK)
		st = seal_file(to, kb_buf_span(&head), j->original, destination ? destination->recipient : r, n, &header_len, ret_file_key);
	else
		(void)KB_FAIL(to->d, st, 0, "the head of the sealed message does not fit");
	*ret_len = to->len - before;
	if (st == KB_OK && !destination) {
		row->header_len = header_len;
		row->size_class = kb_padme((uint64_t)head.len + j->original.len);
	}
	kb_buf_release(&head);
	return st;
}

static void copy_field(char *to, size_t to_n, const char *from, size_t from_n)
{
	struct kb_span s;
	if (kb_field_get(from, from_n, &s) == KB_OK)
		kb_field_set(to, to_n, s);
}

static enum kb_status add_summary(const struct kb_seal_job *j, const uint8_t *file_key, struct kb_wire_store *row)
{
	const struct kb_verdict *v = j->verdict;
	struct kb_summary s;
	memset(&s, 0, sizeof(s));
	s.class_ = v->class_;
	s.category = v->category;
	s.language = v->language;
	s.flags = v->flags;
	s.score_e4 = v->score_e4;
	s.size = j->original.len > UINT32_MAX ? UINT32_MAX : (uint32_t)j->original.len;
	copy_field(s.from, sizeof(s.from), v->from, sizeof(v->from));
	copy_field(s.subject, sizeof(s.subject), v->subject, sizeof(v->subject));
	copy_field(s.date, sizeof(s.date), v->date, sizeof(v->date));
	copy_field(s.institution, sizeof(s.institution), v->institution, sizeof(v->institution));
	copy_field(s.register_number, sizeof(s.register_number), v->register_number, sizeof(v->register_number));
	copy_field(s.reasons, sizeof(s.reasons), v->reasons, sizeof(v->reasons));
	enum kb_status st = kb_summary_seal(file_key, &j->submit->id, &s, row->summary);
	sodium_memzero(&s, sizeof(s));
	return st;
}

/* The return address is the door's; from the verdict come a language and an indicator of a fixed alphabet, nothing else. */
static void add_ack(const struct kb_seal_job *j, struct kb_wire_store *row)
{
	const struct kb_verdict *v = j->verdict;
	if (!v->ack || v->class_ == KB_CLASS_MACHINE || !j->submit->sender[0])
		return;
	struct kb_ack_item item;
	memset(&item, 0, sizeof(item));
	copy_field(item.address, sizeof(item.address), j->submit->sender, sizeof(j->submit->sender));
	copy_field(item.indicator, sizeof(item.indicator), v->indicator, sizeof(v->indicator));
	item.language = v->language;
	for (uint32_t i = 0; item.language == KB_LANG_OTHER && i < j->settings->mailboxes; i++)
		if (j->submit->mailboxes & (UINT32_C(1) << i))
			item.language = j->settings->mailbox[i].language;
	if (kb_outbox_seal(j->outbox, &item, row->ack))
		row->outbox_key = j->outbox->number;
	sodium_memzero(&item, sizeof(item));
}

static enum kb_status seal_referrals(const struct kb_seal_job *j, struct kb_span common, struct sink *to, struct kb_wire_store *row)
{
	uint32_t wanted = kb_roster_routes(j->roster, j->verdict);
	size_t n = 0;
	for (uint8_t i = 0; i < KB_DESTINATIONS_MOST; i++) {
		if (!(wanted & (UINT32_C(1) << i)))
			continue;
		if (i >= j->roster->destinations)
			return KB_FAIL(to->d, KB_CORRUPT, 0, "a route names a destination that the roster does not have");
		struct kb_id id;
		kb_referral_id(&j->submit->id, i, &id);
		enum kb_status st = seal_one(j, &j->roster->destination[i], &id, common, to, row, &row->len[1 + n++], NULL);
		if (st != KB_OK)
			return st;
	}
	row->destinations = wanted;
	return KB_OK;
}

/* The message and its referrals into *to, and what of them stands in the row. */
static enum kb_status seal_all(const struct kb_seal_job *j, struct sink *to, struct kb_wire_store *row)
{
	uint8_t hash[32], file_key[KB_AGE_FILE_KEY];
	struct kb_buf common;
	kb_buf_init(&common, KB_EML_HEAD_MOST);
	crypto_generichash(hash, sizeof(hash), j->original.p, j->original.len, NULL, 0);
	enum kb_status st = make_common(&common, j, hash);
	if (st == KB_OK)
		st = seal_one(j, NULL, NULL, kb_buf_span(&common), to, row, &row->len[0], file_key);
	else
		(void)KB_FAIL(to->d, st, 0, "the head of the sealed message does not fit");
	if (st == KB_OK)
		st = add_summary(j, file_key, row);
	sodium_memzero(file_key, sizeof(file_key));
	if (st == KB_OK)
		st = seal_referrals(j, kb_buf_span(&common), to, row);
	kb_buf_release(&common);
	return st == KB_OK ? flush(to) : st;
}

static void fill_row(const struct kb_seal_job *j, struct kb_wire_store *row)
{
	bool trusted;
	row->id = j->submit->id;
	row->received_s = j->submit->received_s;
	row->entitled = kb_roster_entitled(j->roster, j->verdict->named);
	row->roster_version = j->roster->version;
	row->epoch = j->roster->epoch;
	row->class_ = j->verdict->class_;
	row->urgent = (j->verdict->flags & KB_FLAG_URGENT_SAFETY) != 0;
	row->unreadable = (j->verdict->flags & KB_FLAG_UNREADABLE) != 0;
	row->channel = kb_submit_channel(j->settings, j->submit->mailboxes, &trusted);
	kb_submit_fingerprint(j->submit, j->original, row->fingerprint);
}

enum kb_status kb_seal_message(struct kb_diag *d, const struct kb_seal_job *j, struct kb_sealed *ret_sealed)
{
	static _Thread_local struct sink to;
	struct kb_sealed s;
	memset(&s, 0, sizeof(s));
	to.d = d;
	to.fill = to.len = 0;
	fill_row(j, &s.row);
	enum kb_status st = kb_memfd_new(d, "sealed", &s.fd);
	if (st != KB_OK)
		return st;
	to.fd = s.fd;
	st = seal_all(j, &to, &s.row);
	if (st == KB_OK)
		st = kb_memfd_seal(d, s.fd);
	if (st == KB_OK)
		add_ack(j, &s.row);
	else
		kb_sealed_release(&s);
	if (st == KB_OK)
		*ret_sealed = s;
	return st;
}

void kb_sealed_release(struct kb_sealed *s)
{
	kb_fd_close(&s->fd);
	sodium_memzero(&s->row, sizeof(s->row));
}
