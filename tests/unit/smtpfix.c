/* smtpfix: see smtpfix.h. */
#include "smtpfix.h"

#include <stdio.h>
#include <string.h>

enum { OUT_MOST = 4096 };

struct talk t;
struct kb_settings settings;
static const struct kb_id id = {{0x0A, 0xB1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

void begin_as(bool lmtp)
{
	struct kb_smtp_out out = {t.said, 0, sizeof(t.said)};
	memset(&t, 0, sizeof(t));
	kb_smtp_init(&t.s, &settings, lmtp);
	kb_smtp_greet(&t.s, false, &out);
	t.said_len = 0;
}

static bool act(enum kb_smtp_act a, struct kb_span octets, struct kb_smtp_out *out)
{
	switch (a) {
	case KB_SMTP_OPEN:
		t.message_len = 0;
		kb_smtp_open(&t.s, t.open, out);
		return true;
	case KB_SMTP_OCTETS:
		memcpy(t.message + t.message_len, octets.p, octets.len);
		t.message_len += octets.len;
		if (t.refuse != KB_OK)
			kb_smtp_refuse(&t.s, t.refuse);
		return true;
	case KB_SMTP_DROP:
		t.dropped++;
		return true;
	case KB_SMTP_REFUSED:
		t.refused++;
		return true;
	case KB_SMTP_WHOLE:
		t.whole++;
		kb_smtp_answer(&t.s, t.answer, &id);
		return true;
	case KB_SMTP_SECURE:
		kb_smtp_secured(&t.s);
		return true;
	case KB_SMTP_CLOSE:
		t.closed = true;
		return false;
	default:
		return false;
	}
}

void feed(const char *octets, size_t n)
{
	char room[OUT_MOST];
	struct kb_span in, octet;
	enum kb_smtp_act a = KB_SMTP_MORE;
	memcpy(t.rest + t.rest_len, octets, n);
	t.rest_len += n;
	in = KB_SPAN(t.rest, t.rest_len);
	do {
		struct kb_smtp_out out = {room, 0, sizeof(room)};
		do
			a = kb_smtp_next(&t.s, &in, &out, &octet);
		while (act(a, octet, &out));
		memcpy(t.said + t.said_len, room, out.len);
		t.said_len += out.len;
	} while (a == KB_SMTP_FLUSH);
	memmove(t.rest, in.p, in.len);
	t.rest_len = in.len;
}

void say(const char *text)
{
	while (*text && !t.closed) {
		const char *end = strstr(text, "\r\n");
		size_t n = end ? (size_t)(end - text) + 2 : strlen(text);
		feed(text, n);
		text += n;
	}
}

void burst(const char *text)
{
	feed(text, strlen(text));
}

const char *heard(void)
{
	static char codes[1 << 14];
	size_t n = 0;
	codes[0] = '\0';
	for (char *line = t.said, *end = t.said + t.said_len; line < end;) {
		char *lf = memchr(line, '\n', (size_t)(end - line));
		assert_non_null(lf);
		if (line[3] == ' ') {
			size_t words = strspn(line + 4, "0123456789.");
			bool enhanced = words >= 5 && line[4 + words] == ' ';
			n += (size_t)snprintf(codes + n, sizeof(codes) - n, "%s%.*s", n ? "|" : "", enhanced ? (int)words + 4 : 3, line);
		}
		assert_true(n < sizeof(codes));
		line = lf + 1;
	}
	t.said_len = 0;
	return codes;
}

bool said(const char *text)
{
	return kb_span_find(KB_SPAN(t.said, t.said_len), kb_span_str(text)) != SIZE_MAX;
}

int set_up(void **state)
{
	(void)state;
	memset(&settings, 0, sizeof(settings));
	kb_field_set(settings.hostname, sizeof(settings.hostname), KB_LIT("mx.kitebox.example"));
	static const char *const mailboxes[] = {"desk@kitebox.example", "Relay@Kitebox.Example", "o'neil+x@other.example"};
	for (uint32_t i = 0; i < KB_LEN(mailboxes); i++)
		kb_field_set(settings.mailbox[settings.mailboxes++].address, KB_ADDRESS_FIELD, kb_span_str(mailboxes[i]));
	settings.limit = (struct kb_limits){
	    .message_octets = 4096, .command_octets = 512, .recipients = 3, .hops = 5, .messages_a_session = 100};
	begin_as(false);
	return 0;
}

void to_data(void)
{
	say(TO_DATA);
	assert_string_equal(heard(), "250|250 2.1.0|250 2.1.5|354");
}
