/*
 * fuzz smtp: any octets as a client's half of a session.
 *
 * Input: an octet of switches, then what the client sends. Properties:
 *   - a message ends at CRLF.CRLF and nowhere else, as a reference that searches for those five octets says; what was kept of
 *     it is what the reference keeps; none with a bare CR or LF in it is kept;
 *   - however the octets are cut into pieces, the same acts and replies come of them;
 *   - octets behind DATA or STARTTLS in the same piece end the session, and no message comes of them;
 *   - every reply is well-formed, and comes at the end of a line.
 */
#include <assert.h>
#include <string.h>

#include <kitebox/smtp.h>

enum { LMTP = 1, TLS = 2, SMALL = 4, FULL = 8, NEVER_OPEN = 16, OUT = 2048, SYNCS_MOST = 256 };

struct session {
	struct kb_smtp s;
	struct kb_buf trace;   /* acts and replies, in order */
	struct kb_buf message;
	struct kb_span all;    /* what the client sends */
	size_t from, fed;      /* of it: not taken yet, and given */
	uint8_t switches;
	bool closed, whole;
	bool checks;           /* octet by octet: offsets mean something */
	size_t data_at;        /* where the message began */
	size_t line_at;        /* where the command line began */
	size_t sync[SYNCS_MOST]; /* where the client must wait: behind DATA and STARTTLS, whatever comes of them */
	size_t syncs, first_ok;  /* first_ok: behind the first that was not refused; 0: none */
	unsigned replies;      /* since the last piece */
};

static struct kb_settings settings;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void trace(struct session *x, struct kb_span s)
{
	assert(kb_buf_add(&x->trace, s) == KB_OK);
}

/* ---- the reference ---- */

/* How many octets from at on are a message with its end, or 0. */
static size_t message_len(struct kb_span all, size_t at)
{
	struct kb_span rest = kb_span_from(all, at);
	if (kb_span_starts(rest, KB_LIT(".\r\n")))
		return 3;
	size_t end = kb_span_find(rest, KB_LIT("\r\n.\r\n"));
	return end == SIZE_MAX ? 0 : end + 5;
}

/* The message's lines, less the dots before them. */
static void check_message(struct session *x)
{
	size_t n = message_len(x->all, x->data_at), at = 0;
	struct kb_span raw = KB_SPAN(x->all.p + x->data_at, n - 3), kept = kb_buf_span(&x->message);
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.p[i] == '\r')
			assert(raw.p[i + 1] == '\n'); /* there is at least the end behind it */
		if (raw.p[i] == '\n')
			assert(i && raw.p[i - 1] == '\r');
		if (raw.p[i] == '.' && (i == 0 || raw.p[i - 1] == '\n'))
			continue;
		assert(at < kept.len && kept.p[at] == raw.p[i]);
		at++;
	}
	assert(at == kept.len);
}

static void check_replies(struct session *x, struct kb_span out)
{
	struct kb_span line;
	assert(!out.len || (out.len >= 2 && out.p[out.len - 1] == '\n'));
	while (out.len) {
		const uint8_t *start = out.p;
		assert(kb_span_line(&out, &line));
		assert(out.p == start + line.len + 2); /* CRLF */
		assert(line.len >= 5 && line.len <= 510 && line.p[0] >= '2' && line.p[0] <= '5');
		assert(line.p[3] == ' ' || line.p[3] == '-');
		for (size_t i = 0; i < line.len; i++)
			assert((i < 3 ? line.p[i] >= '0' && line.p[i] <= '9' : line.p[i] >= ' ' && line.p[i] < 0x7F));
		x->replies += line.p[3] == ' ';
	}
}

/* ---- a caller ---- */

static void send_replies(struct session *x, struct kb_smtp_out *out)
{
	check_replies(x, KB_SPAN(out->p, out->len));
	trace(x, KB_SPAN(out->p, out->len));
	out->len = 0;
}

static bool act(struct session *x, enum kb_smtp_act a, struct kb_span octets, struct kb_smtp_out *out)
{
	static const struct kb_id id;
	send_replies(x, out);
	switch (a) {
	case KB_SMTP_OPEN:
	case KB_SMTP_SECURE:
		trace(x, a == KB_SMTP_OPEN ? KB_LIT("(open)") : KB_LIT("(secure)"));
		x->first_ok = x->first_ok ? x->first_ok : x->fed;
		if (a == KB_SMTP_OPEN)
			kb_smtp_open(&x->s, x->switches & NEVER_OPEN ? KB_BUSY : KB_OK, out);
		else
			kb_smtp_secured(&x->s);
		x->data_at = x->fed;
		kb_buf_clear(&x->message);
		return true;
	case KB_SMTP_OCTETS:
		assert(octets.len && x->s.data.kept <= settings.limit.message_octets);
		assert(kb_buf_add(&x->message, octets) == KB_OK);
		return true;
	case KB_SMTP_DROP:
		kb_buf_clear(&x->message);
		return true;
	case KB_SMTP_REFUSED:
		trace(x, KB_LIT("(refused)"));
		assert(!x->message.len);
		return true;
	case KB_SMTP_WHOLE:
		trace(x, KB_LIT("(whole)"));
		trace(x, kb_buf_span(&x->message));
		x->whole = true;
		if (x->checks)
			check_message(x);
		kb_smtp_answer(&x->s, x->switches & FULL ? KB_BUSY : KB_OK, &id);
		return true;
	default:
		assert(a == KB_SMTP_MORE || a == KB_SMTP_FLUSH || a == KB_SMTP_CLOSE);
		return false;
	}
}

static bool must_wait(struct kb_span line)
{
	return kb_span_casestarts(line, KB_LIT("DATA")) || kb_span_casestarts(line, KB_LIT("STARTTLS"));
}

/* After one octet. data: it was given while a message was under way. */
static void check_octet(struct session *x, bool data)
{
	bool lf = x->all.p[x->fed - 1] == '\n';
	struct kb_span line = KB_SPAN(x->all.p + x->line_at, x->fed - x->line_at);
	assert(!x->replies || lf);
	if (data) {
		size_t len = message_len(x->all, x->data_at);
		bool over = x->s.state != KB_SMTP_DATA;
		assert(over == (len && x->data_at + len == x->fed));
	} else if (lf && x->syncs < SYNCS_MOST && must_wait(line)) {
		x->sync[x->syncs++] = x->fed;
	}
	if (lf)
		x->line_at = x->fed;
}

/* Gives the machine n more octets. */
static void feed(struct session *x, size_t n)
{
	char room[OUT];
	bool data = x->s.state == KB_SMTP_DATA;
	enum kb_smtp_act a;
	x->fed += n;
	x->replies = 0;
	do {
		struct kb_smtp_out out = {room, 0, sizeof(room)};
		struct kb_span in = KB_SPAN(x->all.p + x->from, x->fed - x->from), octets = {0};
		do
			a = kb_smtp_next(&x->s, &in, &out, &octets);
		while (act(x, a, octets, &out));
		assert(in.p + in.len == x->all.p + x->fed);
		x->from = x->fed - in.len;
		send_replies(x, &out);
	} while (a == KB_SMTP_FLUSH);
	x->closed = a == KB_SMTP_CLOSE;
	if (x->checks)
		check_octet(x, data);
}

static void begin(struct session *x, struct kb_span all, uint8_t switches)
{
	char room[OUT];
	struct kb_smtp_out out = {room, 0, sizeof(room)};
	memset(x, 0, sizeof(*x));
	x->all = all;
	x->switches = switches;
	kb_buf_init(&x->trace, 64 << 20);
	kb_buf_init(&x->message, 1 << 20);
	kb_smtp_init(&x->s, &settings, switches & LMTP);
	x->s.offer_tls = switches & TLS;
	kb_smtp_greet(&x->s, false, &out);
}

static void end(struct session *x)
{
	kb_buf_release(&x->trace);
	kb_buf_release(&x->message);
}

/* Cuts at random, and always where the client must wait. */
static void in_pieces(const struct session *base, uint64_t seed, size_t most)
{
	static struct session x;
	size_t sync = 0;
	begin(&x, base->all, base->switches);
	while (x.fed < x.all.len && !x.closed) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		size_t n = 1 + (size_t)(seed >> 33) % most;
		while (sync < base->syncs && base->sync[sync] <= x.fed)
			sync++;
		if (sync < base->syncs && n > base->sync[sync] - x.fed)
			n = base->sync[sync] - x.fed;
		if (n > x.all.len - x.fed)
			n = x.all.len - x.fed;
		feed(&x, n);
	}
	assert(x.closed == base->closed);
	assert(kb_span_eq(kb_buf_span(&x.trace), kb_buf_span(&base->trace)));
	end(&x);
}

/* A client that waits for nothing. */
static void at_once(const struct session *base)
{
	static struct session x;
	if (!base->first_ok || base->first_ok == base->all.len)
		return;
	begin(&x, base->all, base->switches);
	feed(&x, x.all.len);
	assert(x.closed && !x.whole && !x.first_ok);
	end(&x);
}

static void settle(uint8_t switches)
{
	static const char *const mailboxes[] = {"desk@kitebox.example", "o'neil@other.example"};
	memset(&settings, 0, sizeof(settings));
	kb_field_set(settings.hostname, sizeof(settings.hostname), KB_LIT("kitebox.example"));
	for (uint32_t i = 0; i < KB_LEN(mailboxes); i++)
		kb_field_set(settings.mailbox[settings.mailboxes++].address, KB_ADDRESS_FIELD, kb_span_str(mailboxes[i]));
	bool small = switches & SMALL;
	settings.limit = (struct kb_limits){.message_octets = small ? 100 : 1 << 19, .command_octets = small ? 64 : 512,
	    .recipients = 4, .hops = 3, .messages_a_session = 5};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session base;
	if (size < 1 || size > 1 << 16)
		return 0;
	settle(data[0]);
	begin(&base, KB_SPAN(data + 1, size - 1), data[0]);
	base.checks = true;
	while (base.fed < base.all.len && !base.closed)
		feed(&base, 1);
	if (base.syncs < SYNCS_MOST) {
		in_pieces(&base, size, 3);
		in_pieces(&base, size ^ 0x5A5A, 40);
		in_pieces(&base, size, 1 << 20);
		at_once(&base);
	}
	end(&base);
	return 0;
}
