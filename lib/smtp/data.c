/*
 * data: the octets of a message between DATA and CRLF.CRLF.
 *
 * RFC 5321 4.5.2: a line that is a dot alone ends the message; of any other line that begins with a dot, the dot is taken
 * away. 2.3.8 and 4.1.1.4: lines end in CRLF, and CR and LF stand nowhere else. One table says so. A bare CR or LF spoils
 * the message, and nothing behind it is taken for a line's end, so that no reading of the octets ends it earlier.
 */
#include "internal.h"

enum at { LINE, TEXT, CR, DOT, DOT_CR, STATES, END = STATES };
enum { BARE = 8 }; /* flag: this CR or LF stands alone */
enum class { IS_CR, IS_LF, IS_DOT, IS_OTHER, CLASSES };

/* clang-format off */
static const uint8_t next_at[STATES][CLASSES] = {
	/*            CR           LF           "."          other */
	[LINE]   = { CR,          TEXT | BARE, DOT,         TEXT },
	[TEXT]   = { CR,          TEXT | BARE, TEXT,        TEXT },
	[CR]     = { CR | BARE,   LINE,        TEXT | BARE, TEXT | BARE },
	[DOT]    = { DOT_CR,      TEXT | BARE, TEXT,        TEXT },
	[DOT_CR] = { CR | BARE,   END,         TEXT | BARE, TEXT | BARE },
};
/* clang-format on */

static enum class class_of(uint8_t c)
{
	return c == '\r' ? IS_CR : c == '\n' ? IS_LF : c == '.' ? IS_DOT : IS_OTHER;
}

void kb_smtp_data_begin(struct kb_smtp_data *d)
{
	*d = (struct kb_smtp_data){.at = LINE, .header = true, .empty = true};
}

bool kb_smtp_data_spoiled(const struct kb_smtp_data *d)
{
	return d->broken || d->refusal.code;
}

/* Within the header: counts lines that begin with "Received:" (RFC 5321 6.3), and sees the empty line that ends it. c has just
 * led to d->at. */
static void watch(struct kb_smtp_data *d, uint8_t c)
{
	static const char name[] = "received";
	enum { WHOLE = sizeof(name) - 1, NOT = 255 };
	if (d->at == LINE) {
		d->header = !d->empty;
		d->empty = true;
		d->matched = 0;
	}
	if (d->at == DOT || d->at == TEXT)
		d->empty = false;
	if (d->at != TEXT)
		return;
	if (d->matched < WHOLE) {
		d->matched = (c | 0x20) == name[d->matched] ? (uint8_t)(d->matched + 1) : NOT;
	} else if (d->matched == WHOLE && c != ' ' && c != '\t') {
		d->hops += c == ':';
		d->matched = NOT;
	}
}

static enum kb_smtp_part part(
    struct kb_smtp_data *d, const struct kb_limits *limit, struct kb_span octets, struct kb_span *ret_octets)
{
	d->kept += octets.len;
	if (d->kept > limit->message_octets)
		d->refusal = kb_smtp_refusal(KB_SMTP_TOO_BIG)->line;
	else if (d->hops > limit->hops)
		d->refusal = kb_smtp_refusal(KB_SMTP_LOOP)->line;
	if (kb_smtp_data_spoiled(d))
		return KB_SMTP_PART_SPOILED;
	*ret_octets = octets;
	return octets.len ? KB_SMTP_PART_OCTETS : KB_SMTP_PART_MORE;
}

/* Octets of a body line up to the next CR or LF need no look at the table. */
static size_t skip_text(struct kb_span in, size_t i)
{
	while (i < in.len && in.p[i] != '\r' && in.p[i] != '\n')
		i++;
	return i;
}

/* Goes on until a line begins with a dot, the message ends, a CR or LF stands bare, or *in is used up. Sets *ret_text to
 * the octets that belong to the message: a CR at the end of *in waits for its LF. */
static unsigned scan(struct kb_smtp_data *d, struct kb_span *in, struct kb_span *ret_text)
{
	size_t i = 0, held = 0;
	unsigned to = d->at;
	bool stop = false;
	while (i < in->len && !stop) {
		unsigned from = d->at;
		if (from == TEXT && !d->header && (i = skip_text(*in, i)) == in->len)
			break;
		uint8_t c = in->p[i++];
		to = next_at[from][class_of(c)];
		d->at = (uint8_t)(to & ~(unsigned)BARE);
		if (d->header)
			watch(d, c);
		stop = to == DOT || to == END || to & BARE;
	}
	if (to == DOT)
		held = 1; /* the dot itself */
	else if (i && (d->at == CR || d->at == DOT_CR))
		held = 1;
	*ret_text = KB_SPAN(in->p, i - held);
	*in = kb_span_from(*in, i);
	return to;
}

enum kb_smtp_part kb_smtp_data_next(
    struct kb_smtp_data *d, const struct kb_limits *limit, struct kb_span *in, struct kb_span *ret_octets)
{
	while (in->len) {
		struct kb_span text;
		size_t before = in->len;
		if (d->at == CR && in->p[0] == '\n') { /* whose CR was not given on yet */
			d->at = LINE;
			if (d->header)
				watch(d, '\n');
			*in = kb_span_from(*in, 1);
			text = KB_LIT("\r\n");
		} else {
			unsigned to = scan(d, in, &text);
			d->broken = d->broken || to & BARE;
			if (to == END) {
				d->octets += before - in->len;
				return KB_SMTP_PART_END;
			}
		}
		d->octets += before - in->len;
		if (kb_smtp_data_spoiled(d)) {
			if (!d->dropped)
				return KB_SMTP_PART_SPOILED;
			continue;
		}
		enum kb_smtp_part got = part(d, limit, text, ret_octets);
		if (got != KB_SMTP_PART_MORE)
			return got;
	}
	return KB_SMTP_PART_MORE;
}
