/*
 * command: one line of the dialogue, by one table.
 *
 *	command = verb [ SP argument ]
 *
 * A handler runs on a copy that is put in place only when it succeeds: a refused command changes nothing, by construction.
 */
#include <string.h>

#include "internal.h"

enum { FAULTS_MOST = 20, IDLE_WORDS_MOST = 100 };

/* Said to which, and what else is to be known of a command. */
enum { SMTP = 1, LMTP = 2, BOTH = SMTP | LMTP, LONE = 4, LAST = 8, IDLE = 16 };

#define IN(state) (1u << KB_SMTP_##state)
#define ANY (IN(STRANGER) | IN(READY) | IN(MAIL) | IN(RCPT))
enum { STAYS = KB_SMTP_STATES };
#define SILENT { 0, NULL, NULL }

struct command {
	const char *verb;
	unsigned in;       /* states in which it is allowed */
	uint8_t then;      /* state it leads to */
	uint8_t traits;
	enum kb_smtp_why (*run)(struct kb_smtp *s, struct kb_span arg); /* NULL: nothing to do */
	struct kb_smtp_line reply; /* code 0: none, or by say */
	void (*say)(const struct kb_smtp *s, struct kb_smtp_out *out);
};

static enum kb_smtp_why on_hello(struct kb_smtp *s, struct kb_span arg)
{
	if (!arg.len || arg.len >= sizeof(s->helo))
		return KB_SMTP_ARGUMENT;
	for (size_t i = 0; i < arg.len; i++)
		if (arg.p[i] <= ' ' || arg.p[i] >= 0x7F)
			return KB_SMTP_ARGUMENT;
	kb_field_set(s->helo, sizeof(s->helo), arg);
	s->mail = (struct kb_smtp_mail){0};
	return KB_SMTP_FINE;
}

/* "FROM:" or "TO:", then the path; *rest is moved behind it. */
static bool take_path(struct kb_span *rest, struct kb_span word, struct kb_smtp_path *ret_p)
{
	if (!kb_span_casestarts(*rest, word))
		return false;
	*rest = kb_span_from(*rest, word.len);
	while (rest->len && rest->p[0] == ' ')
		*rest = kb_span_from(*rest, 1);
	return kb_smtp_path(rest, ret_p);
}

static enum kb_smtp_why on_mail(struct kb_smtp *s, struct kb_span arg)
{
	struct kb_smtp_path p;
	if (s->messages >= s->settings->limit.messages_a_session)
		return KB_SMTP_ENOUGH;
	if (!take_path(&arg, KB_LIT("FROM:"), &p) || (p.mailbox.len && !p.domain.len))
		return KB_SMTP_SENDER;
	enum kb_smtp_why why = kb_smtp_mail_parameters(s, arg);
	if (why == KB_SMTP_FINE && p.utf8 && !s->mail.smtputf8)
		why = KB_SMTP_NEEDS_UTF8;
	kb_field_set(s->mail.sender, sizeof(s->mail.sender), p.mailbox);
	return why;
}

static enum kb_smtp_why on_rcpt(struct kb_smtp *s, struct kb_span arg)
{
	struct kb_smtp_path p;
	if (!take_path(&arg, KB_LIT("TO:"), &p) || !p.mailbox.len)
		return KB_SMTP_RECIPIENT;
	if (arg.len)
		return arg.p[0] == ' ' ? KB_SMTP_PARAMETER : KB_SMTP_RECIPIENT;
	if (p.utf8 && !s->mail.smtputf8)
		return KB_SMTP_NEEDS_UTF8;
	if (s->mail.stale)
		return KB_SMTP_CHANGED;
	uint32_t mailbox = kb_smtp_mailbox(s->settings, &p);
	if (!mailbox)
		return KB_SMTP_NOBODY;
	if (s->mail.recipients >= s->settings->limit.recipients)
		return KB_SMTP_TOO_MANY;
	s->mail.recipients++;
	s->mail.mailboxes |= mailbox;
	return KB_SMTP_FINE;
}

static enum kb_smtp_why on_data(struct kb_smtp *s, struct kb_span arg)
{
	(void)arg;
	return s->mail.stale ? KB_SMTP_CHANGED : KB_SMTP_FINE;
}

static enum kb_smtp_why on_rset(struct kb_smtp *s, struct kb_span arg)
{
	(void)arg;
	s->mail = (struct kb_smtp_mail){0};
	s->state = s->helo[0] ? KB_SMTP_READY : KB_SMTP_STRANGER;
	return KB_SMTP_FINE;
}

static enum kb_smtp_why on_starttls(struct kb_smtp *s, struct kb_span arg)
{
	(void)arg;
	return s->secure ? KB_SMTP_TLS_TWICE : s->offer_tls ? KB_SMTP_FINE : KB_SMTP_NO_TLS;
}

static enum kb_smtp_why not_offered(struct kb_smtp *s, struct kb_span arg)
{
	(void)s, (void)arg;
	return KB_SMTP_NOT_OFFERED;
}

/* Octets that follow are a message's, and must not be read as commands. */
static enum kb_smtp_why chunks(struct kb_smtp *s, struct kb_span arg)
{
	(void)s, (void)arg;
	return KB_SMTP_CHUNKS;
}

static enum kb_smtp_why foreign(struct kb_smtp *s, struct kb_span arg)
{
	(void)s, (void)arg;
	return KB_SMTP_FOREIGN;
}

/* clang-format off */
/* RFC 5321 4.1.4: the whole dialogue at a glance. */
static const struct command commands[] = {
	/* verb        allowed in            then              traits              run           reply */
	{ "EHLO",      ANY,                  KB_SMTP_READY,    SMTP | IDLE,        on_hello,     SILENT, kb_smtp_say_features },
	{ "HELO",      ANY,                  KB_SMTP_READY,    SMTP | IDLE,        on_hello,     SILENT, kb_smtp_say_hello },
	{ "LHLO",      ANY,                  KB_SMTP_READY,    LMTP | IDLE,        on_hello,     SILENT, kb_smtp_say_features },
	{ "STARTTLS",  IN(READY),            KB_SMTP_SECURING, SMTP | LONE | LAST, on_starttls,  { 220, "2.0.0", "go ahead" }, NULL },
	{ "MAIL",      IN(READY),            KB_SMTP_MAIL,     BOTH,               on_mail,      { 250, "2.1.0", "sender ok" }, NULL },
	{ "RCPT",      IN(MAIL) | IN(RCPT),  KB_SMTP_RCPT,     BOTH,               on_rcpt,      { 250, "2.1.5", "recipient ok" }, NULL },
	{ "DATA",      IN(RCPT),             KB_SMTP_OPENING,  BOTH | LONE | LAST, on_data,      SILENT, NULL },
	{ "RSET",      ANY,                  STAYS,            BOTH | LONE | IDLE, on_rset,      { 250, "2.0.0", "forgotten" }, NULL },
	{ "NOOP",      ANY,                  STAYS,            BOTH | IDLE,        NULL,         { 250, "2.0.0", "yes" }, NULL },
	{ "VRFY",      ANY,                  STAYS,            BOTH | IDLE,        NULL,         { 252, "2.5.0", "send and see" }, NULL },
	{ "HELP",      ANY,                  STAYS,            BOTH | IDLE,        NULL,         { 214, "2.0.0", "see RFC 5321" }, NULL },
	{ "QUIT",      ANY,                  KB_SMTP_ENDED,    BOTH | LONE,        NULL,         { 221, "2.0.0", "good bye" }, NULL },
	{ "EXPN",      ANY,                  STAYS,            BOTH,               not_offered,  SILENT, NULL },
	{ "AUTH",      ANY,                  STAYS,            BOTH,               not_offered,  SILENT, NULL },
	{ "ETRN",      ANY,                  STAYS,            BOTH,               not_offered,  SILENT, NULL },
	{ "BDAT",      ANY,                  STAYS,            BOTH,               chunks,       SILENT, NULL },
	{ "GET",       ANY,                  STAYS,            BOTH,               foreign,      SILENT, NULL },
	{ "POST",      ANY,                  STAYS,            BOTH,               foreign,      SILENT, NULL },
	{ "CONNECT",   ANY,                  STAYS,            BOTH,               foreign,      SILENT, NULL },
};
/* clang-format on */

static const struct command *find(struct kb_span verb)
{
	for (size_t i = 0; i < KB_LEN(commands); i++)
		if (kb_span_caseeq(verb, kb_span_str(commands[i].verb)))
			return &commands[i];
	return NULL;
}

void kb_smtp_fault(struct kb_smtp *s, enum kb_smtp_why why, struct kb_smtp_out *out)
{
	const struct kb_smtp_refusal *r = kb_smtp_refusal(why);
	kb_smtp_say(out, &r->line);
	s->ends = r->ends;
	if (!r->ends && r->line.code >= 500 && ++s->faults >= FAULTS_MOST) {
		kb_smtp_say(out, &kb_smtp_refusal(KB_SMTP_FAULTS)->line);
		s->ends = true;
	}
	if (s->ends)
		s->state = KB_SMTP_ENDED;
}

/* Takes the words of one row as far as they are right; *next is the copy. */
static enum kb_smtp_why run(const struct command *c, struct kb_smtp *next, struct kb_span arg, bool more)
{
	if ((c->traits & LAST) && more)
		return KB_SMTP_PIPELINED;
	if (!(c->traits & (next->lmtp ? LMTP : SMTP)))
		return KB_SMTP_NOT_SPOKEN;
	if (!(c->in & 1u << next->state))
		return KB_SMTP_SEQUENCE;
	if ((c->traits & LONE) && arg.len)
		return KB_SMTP_ARGUMENT;
	if ((c->traits & IDLE) && ++next->idle_words > IDLE_WORDS_MOST)
		return KB_SMTP_FAULTS;
	if (c->then != STAYS)
		next->state = c->then;
	return c->run ? c->run(next, arg) : KB_SMTP_FINE;
}

void kb_smtp_command(struct kb_smtp *s, struct kb_span line, bool more, struct kb_smtp_out *out)
{
	if (line.len && memchr(line.p, 0, line.len)) {
		kb_smtp_fault(s, KB_SMTP_NUL, out);
		return;
	}
	while (line.len && (line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\t'))
		line.len--;
	size_t n = kb_span_find(line, KB_LIT(" "));
	struct kb_span verb = KB_SPAN(line.p, n == SIZE_MAX ? line.len : n), arg = kb_span_trim(kb_span_from(line, verb.len));
	const struct command *c = find(verb);
	struct kb_smtp next = *s;
	enum kb_smtp_why why = c ? run(c, &next, arg, more) : KB_SMTP_UNKNOWN;
	if (why != KB_SMTP_FINE) {
		kb_smtp_fault(s, why, out);
		return;
	}
	*s = next;
	if (c->say)
		c->say(s, out);
	else if (c->reply.code)
		kb_smtp_say(out, &c->reply);
}
