/* smtp: the machine. See kitebox/smtp.h; commands are command.c, messages data.c, words reply.c. */
#include <string.h>

#include "internal.h"

enum { SWALLOW_MORE = 1 << 20 }; /* of a message that is refused: twice the limit and this are heard out */

void kb_smtp_init(struct kb_smtp *s, const struct kb_settings *settings, bool lmtp)
{
	*s = (struct kb_smtp){.settings = settings, .lmtp = lmtp};
}

void kb_smtp_greet(struct kb_smtp *s, bool early, struct kb_smtp_out *out)
{
	if (s->state != KB_SMTP_NEW)
		return;
	s->state = KB_SMTP_STRANGER;
	if (early)
		kb_smtp_fault(s, KB_SMTP_EARLY, out);
	else
		kb_smtp_say_greeting(s, out);
}

/* ---- one line ---- */

static enum kb_smtp_act acts_for(const struct kb_smtp *s)
{
	return s->state == KB_SMTP_OPENING ? KB_SMTP_OPEN : s->state == KB_SMTP_SECURING ? KB_SMTP_SECURE : KB_SMTP_NOTHING;
}

/* The rest of a line that is too long, which may come in pieces. */
static enum kb_smtp_act skip(struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out)
{
	const uint8_t *lf = memchr(in->p, '\n', in->len);
	size_t n = lf ? (size_t)(lf - in->p) : in->len;
	uint8_t last = n ? in->p[n - 1] : s->skipped;
	if (n)
		s->skipped = last;
	*in = kb_span_from(*in, lf ? n + 1 : n);
	if (!lf)
		return KB_SMTP_MORE;
	s->skipping = false;
	kb_smtp_fault(s, last == '\r' ? KB_SMTP_TOO_LONG : KB_SMTP_BARE, out);
	return KB_SMTP_NOTHING;
}

static enum kb_smtp_act command(struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets)
{
	(void)ret_octets;
	if (!in->len)
		return KB_SMTP_MORE;
	if (s->skipping)
		return skip(s, in, out);
	size_t most = s->settings->limit.command_octets;
	const uint8_t *lf = memchr(in->p, '\n', in->len < most ? in->len : most);
	if (!lf && in->len < most)
		return KB_SMTP_MORE;
	if (!lf) {
		s->skipping = true;
		s->skipped = 0;
		return KB_SMTP_NOTHING;
	}
	struct kb_span line = KB_SPAN(in->p, (size_t)(lf - in->p));
	*in = kb_span_from(*in, line.len + 1);
	const uint8_t *cr = line.len ? memchr(line.p, '\r', line.len) : NULL;
	if (!cr || cr + 1 != lf) {
		kb_smtp_fault(s, KB_SMTP_BARE, out);
		return KB_SMTP_NOTHING;
	}
	line.len--;
	kb_smtp_command(s, line, in->len > 0, out);
	return acts_for(s);
}

/* ---- one message ---- */

void kb_smtp_open(struct kb_smtp *s, enum kb_status st, struct kb_smtp_out *out)
{
	static const struct kb_smtp_line go_ahead = {354, NULL, "go ahead; end with a dot on a line of its own"};
	if (s->state != KB_SMTP_OPENING)
		return;
	if (st != KB_OK) {
		struct kb_smtp_line refusal = kb_smtp_status_line(st);
		kb_smtp_say(out, &refusal);
		s->mail = (struct kb_smtp_mail){0};
		s->state = KB_SMTP_READY;
		return;
	}
	kb_smtp_say(out, &go_ahead);
	kb_smtp_data_begin(&s->data);
	s->state = KB_SMTP_DATA;
}

void kb_smtp_refuse(struct kb_smtp *s, enum kb_status st)
{
	if (s->state == KB_SMTP_DATA && !s->data.refusal.code)
		s->data.refusal = kb_smtp_status_line(st);
}

static void begin_answers(struct kb_smtp *s, struct kb_smtp_line line, bool ends)
{
	s->answers = s->lmtp ? s->mail.recipients : 1; /* RFC 2033 4.2 */
	s->answer = line;
	s->answer_id[0] = '\0';
	s->ends = ends;
	s->mail = (struct kb_smtp_mail){0};
	s->idle_words = 0;
	s->state = KB_SMTP_ANSWERING;
}

static enum kb_smtp_act refused(struct kb_smtp *s, bool ends)
{
	const struct kb_smtp_refusal *framing = kb_smtp_refusal(KB_SMTP_FRAMING);
	if (s->data.broken)
		begin_answers(s, framing->line, framing->ends);
	else
		begin_answers(s, s->data.refusal, ends);
	return KB_SMTP_REFUSED;
}

static enum kb_smtp_act data(struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets)
{
	const struct kb_limits *limit = &s->settings->limit;
	(void)out;
	if (kb_smtp_data_spoiled(&s->data) && !s->data.dropped) {
		s->data.dropped = true;
		return KB_SMTP_DROP;
	}
	enum kb_smtp_part part = kb_smtp_data_next(&s->data, limit, in, ret_octets);
	if (part == KB_SMTP_PART_OCTETS)
		return KB_SMTP_OCTETS;
	if (part == KB_SMTP_PART_SPOILED)
		return KB_SMTP_NOTHING;
	if (part == KB_SMTP_PART_MORE) {
		bool enough = s->data.dropped && s->data.octets > 2 * limit->message_octets + SWALLOW_MORE;
		return enough ? refused(s, true) : KB_SMTP_MORE;
	}
	s->messages++;
	if (kb_smtp_data_spoiled(&s->data))
		return refused(s, false);
	s->state = KB_SMTP_STORING;
	return KB_SMTP_WHOLE;
}

void kb_smtp_answer(struct kb_smtp *s, enum kb_status st, const struct kb_id *id)
{
	struct kb_smtp_line line = kb_smtp_status_line(st);
	if (s->state != KB_SMTP_STORING)
		return;
	/* The octets were whole: what went wrong with them here is not the sender's fault, and may pass. */
	if (st != KB_OK && line.code / 100 != 4)
		line = kb_smtp_status_line(KB_AGAIN);
	begin_answers(s, line, false);
	if (st == KB_OK) {
		kb_id_format(id, s->answer_id);
		s->faults = 0;
	}
}

static enum kb_smtp_act answer(struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets)
{
	(void)in, (void)ret_octets;
	if (s->answers) {
		s->answers--;
		if (s->answer_id[0])
			kb_smtp_say_stored(out, s->answer_id);
		else
			kb_smtp_say(out, &s->answer);
		return KB_SMTP_NOTHING;
	}
	s->state = s->ends ? KB_SMTP_ENDED : KB_SMTP_READY;
	return KB_SMTP_NOTHING;
}

/* ---- the whole ---- */

void kb_smtp_secured(struct kb_smtp *s)
{
	if (s->state == KB_SMTP_SECURING)
		s->state = KB_SMTP_STRANGER;
	s->secure = true;
	s->helo[0] = '\0';
	s->mail = (struct kb_smtp_mail){0};
}

void kb_smtp_stale(struct kb_smtp *s)
{
	s->mail.stale = s->state == KB_SMTP_MAIL || s->state == KB_SMTP_RCPT;
	kb_smtp_refuse(s, KB_AGAIN);
}

static enum kb_smtp_act owed(struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets)
{
	(void)s, (void)in, (void)out, (void)ret_octets;
	return KB_SMTP_WAIT;
}

static enum kb_smtp_act ended(struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets)
{
	(void)s, (void)out, (void)ret_octets;
	*in = kb_span_from(*in, in->len);
	return KB_SMTP_CLOSE;
}

static enum kb_smtp_act (*const steps[KB_SMTP_STATES])(
    struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets) = {
    [KB_SMTP_NEW] = owed,
    [KB_SMTP_STRANGER] = command,
    [KB_SMTP_READY] = command,
    [KB_SMTP_MAIL] = command,
    [KB_SMTP_RCPT] = command,
    [KB_SMTP_OPENING] = owed,
    [KB_SMTP_DATA] = data,
    [KB_SMTP_STORING] = owed,
    [KB_SMTP_ANSWERING] = answer,
    [KB_SMTP_SECURING] = owed,
    [KB_SMTP_ENDED] = ended,
};

enum kb_smtp_act kb_smtp_next(struct kb_smtp *s, struct kb_span *in, struct kb_smtp_out *out, struct kb_span *ret_octets)
{
	enum kb_smtp_act act = KB_SMTP_NOTHING;
	while (act == KB_SMTP_NOTHING)
		act = out->cap - out->len < KB_SMTP_REPLY_MOST ? KB_SMTP_FLUSH : steps[s->state](s, in, out, ret_octets);
	return act;
}
