/*
 * quote: the writer's own text: what was quoted from earlier mail and the signature cut off. See mail_internal.h.
 *
 * Only what is surely history is cut, since a cut that is wrong hides what somebody wrote to say: an attribution in front of
 * quoted lines goes with them; all that follows goes only when the line carries an address, or is one of the forms that mail
 * programs write themselves, and something of the writer's own stands above it. What is forwarded is why the writer writes,
 * and stays. The wrapper of an inmate messaging system is never history: what stands below its marker is the inmate's own.
 *
 * Standard:  RFC 3676 sections 4.3, 4.5 (signature, quote marks); the rest is what mail programs do.
 */
#include <string.h>

#include "mail_internal.h"

enum { SIGNATURE_LINES = 15, ATTRIBUTION_LINES = 3, ATTRIBUTION_MOST = 400 };

#define MARKER "***Inmate Message Below***"

/* clang-format off */
/* An attribution begins and ends so; the second word may also stand before the name ("schrieb X:"). */
static const struct { const char *begin, *verb; } attributions[] = {
	{"On ", "wrote"}, {"El ", "escribi\xC3\xB3"}, {"El ", "escribio"}, {"Le ", "\xC3\xA9" "crit"}, {"Am ", "schrieb"}, {"Il ", "ha scritto"},
	{"Em ", "escreveu"}, {"Op ", "schreef"}, {"At ", "wrote"},
};

/* Between dashes. */
static const char *const originals[] = {
	"Original Message", "Original message", "Mensaje original", "Mensaje Original", "Message d'origine", "Urspr\xC3\xBCngliche Nachricht",
	"Urspr\xC3\xBCngliche Mail", "Messaggio originale", "Mensagem original", "Oorspronkelijk bericht", "Original Appointment",
};
static const char *const forwards[] = {
	"Forwarded message", "Forwarded Message", "Mensaje reenviado", "Mensaje Reenviado", "Message transf\xC3\xA9r\xC3\xA9", "Weitergeleitete Nachricht",
	"Messaggio inoltrato", "Mensagem encaminhada", "Doorgestuurd bericht",
};
static const char *const forward_lines[] = {"Begin forwarded message:", "Inicio del mensaje reenviado:", "D\xC3\xA9" "but du message r\xC3\xA9" "exp\xC3\xA9" "di\xC3\xA9"};
static const char *const forward_subjects[] = {"Fwd:", "Fw:", "RV:", "Rv:", "Reenv:", "TR:", "WG:", "ENC:", "Doorst:", "[Fwd:"};

/* The block that Outlook writes above history: these words in lines one and two, any of the rest in line three. */
static const char *const block_from[] = {"From:", "De:", "De :", "Von:", "Da:", "Van:"};
static const char *const block_sent[] = {
	"Sent:", "Date:", "Enviado:", "Enviado el:", "Fecha:", "Gesendet:", "Datum:", "Envoy\xC3\xA9 :", "Envoy\xC3\xA9:", "Date :", "Inviato:", "Data:", "Verzonden:",
};
static const char *const block_rest[] = {
	"To:", "Cc:", "Subject:", "Para:", "CC:", "Asunto:", "An:", "Betreff:", "\xC3\x80 :", "\xC3\x80:", "Objet :", "Objet:", "A:", "Oggetto:", "Aan:",
	"Onderwerp:", "Assunto:",
};
/* clang-format on */

static bool begins(struct kb_span line, const char *const *words, size_t n)
{
	/* Mail programs mark these words *bold* in plain text. */
	while (line.len && (line.p[0] == '*' || line.p[0] == ' '))
		line = kb_span_from(line, 1);
	for (size_t i = 0; i < n; i++)
		if (kb_span_starts(line, kb_span_str(words[i])))
			return true;
	return false;
}

/* The next line that is not blank; false at the end. */
static bool next_full(struct kb_span *rest, struct kb_span *ret_line)
{
	while (kb_span_line(rest, ret_line)) {
		*ret_line = kb_span_trim(*ret_line);
		if (ret_line->len)
			return true;
	}
	return false;
}

static bool quoted(struct kb_span line)
{
	struct kb_span t = kb_span_trim(line);
	return t.len && t.p[0] == '>' && !kb_span_starts(t, KB_LIT(">From "));
}

static bool has(struct kb_span s, uint8_t c)
{
	return s.len && memchr(s.p, c, s.len) != NULL;
}

/* ">>> Name M/D/YYYY H:MM AM >>>": GroupWise. */
static bool groupwise(struct kb_span line)
{
	struct kb_span t = kb_span_trim(line);
	return t.len > 8 && kb_span_starts(t, KB_LIT(">>> ")) && !memcmp(t.p + t.len - 3, ">>>", 3) && has(t, '/') && has(t, ':');
}

static bool between_dashes(struct kb_span line, const char *const *words, size_t n)
{
	struct kb_span t = kb_span_trim(line);
	size_t dashes = 0;
	while (t.len && (t.p[0] == '-' || t.p[0] == '_')) {
		dashes++;
		t = kb_span_from(t, 1);
	}
	t = kb_span_trim(t);
	return dashes >= 3 && begins(t, words, n);
}

static bool outlook(struct kb_span line, struct kb_span rest)
{
	struct kb_span second, third;
	return begins(line, block_from, KB_LEN(block_from)) && next_full(&rest, &second) && begins(second, block_sent, KB_LEN(block_sent)) &&
	    next_full(&rest, &third) && begins(third, block_rest, KB_LEN(block_rest));
}

/* Is it "On ... wrote:", on up to three lines? *rest is then moved past it, and *ret_all is the whole of it. */
static bool attribution(struct kb_span line, struct kb_span *rest, struct kb_span *ret_all)
{
	struct kb_span ahead = *rest, t = kb_span_trim(line), more;
	for (size_t i = 0; i < KB_LEN(attributions); i++) {
		if (!kb_span_starts(t, kb_span_str(attributions[i].begin)))
			continue;
		for (size_t lines = 1;; lines++) {
			if (t.len > ATTRIBUTION_MOST || !t.len)
				return false;
			if (t.p[t.len - 1] == ':') {
				bool found = kb_span_find(t, kb_span_str(attributions[i].verb)) != SIZE_MAX;
				if (found) {
					*rest = ahead;
					*ret_all = t;
					return true;
				}
				break;
			}
			if (lines == ATTRIBUTION_LINES || !kb_span_line(&ahead, &more))
				break;
			t = kb_span_trim(KB_SPAN(t.p, (size_t)(more.p + more.len - t.p)));
		}
		ahead = *rest;
		t = kb_span_trim(line);
	}
	return false;
}

/* How many lines stand behind the signature's mark, up to the first that is quoted. */
static bool short_signature(struct kb_span rest)
{
	struct kb_span line;
	for (size_t n = 0; n <= SIGNATURE_LINES; n++)
		if (!kb_span_line(&rest, &line) || quoted(line))
			return true;
	return false;
}

struct cutter {
	struct kb_buf *out;
	size_t start;
	bool words; /* something of the writer's own was kept */
	bool signature;
};

static enum kb_status keep(struct cutter *c, struct kb_span line)
{
	if (c->signature)
		return KB_OK;
	enum kb_status st = kb_buf_add(c->out, line);
	c->words = c->words || kb_span_trim(line).len > 0;
	return st == KB_OK ? kb_buf_byte(c->out, '\n') : st;
}

enum step { STEP_KEEP, STEP_DROP, STEP_CUT, STEP_FORWARD };

static enum step judge(const struct cutter *c, struct kb_span line, struct kb_span *rest)
{
	struct kb_span all, ahead, next;
	if (between_dashes(line, forwards, KB_LEN(forwards)) || begins(line, forward_lines, KB_LEN(forward_lines)))
		return STEP_FORWARD;
	if (groupwise(line) || between_dashes(line, originals, KB_LEN(originals)) || outlook(line, *rest))
		return c->words ? STEP_CUT : STEP_KEEP;
	if (quoted(line))
		return STEP_DROP;
	ahead = *rest;
	if (!attribution(line, &ahead, &all))
		return STEP_KEEP;
	struct kb_span behind = ahead;
	if (next_full(&behind, &next) && quoted(next)) {
		*rest = ahead;
		return STEP_DROP;
	}
	return c->words && has(all, '@') ? STEP_CUT : STEP_KEEP;
}

static enum kb_status cut(struct cutter *c, struct kb_span text)
{
	struct kb_span rest = text, line;
	enum kb_status st = KB_OK;
	while (st == KB_OK && kb_span_line(&rest, &line)) {
		switch (judge(c, line, &rest)) {
		case STEP_FORWARD:
			c->signature = false;
			st = keep(c, line);
			return st == KB_OK ? keep(c, rest) : st;
		case STEP_CUT:
			return KB_OK;
		case STEP_DROP:
			c->signature = false; /* what stands behind a quotation is an answer to it */
			break;
		case STEP_KEEP:
			if (kb_span_eq(line, KB_LIT("-- ")) && c->words && short_signature(rest))
				c->signature = true;
			st = keep(c, line);
			break;
		}
	}
	return st;
}

/* Past the line of the wrapper's marker, or NULL span when there is no wrapper (or only a quoted one). *ret_above: before it. */
static bool wrapped(struct kb_span text, struct kb_span *ret_above, struct kb_span *ret_below)
{
	size_t at = kb_span_find(text, KB_LIT(MARKER));
	if (at == SIZE_MAX)
		return false;
	size_t line = at;
	while (line && text.p[line - 1] != '\n')
		line--;
	if (kb_span_trim(KB_SPAN(text.p + line, at - line)).len)
		return false;
	*ret_above = KB_SPAN(text.p, line);
	*ret_below = kb_span_from(text, at + sizeof(MARKER) - 1);
	return true;
}

/* Where the wrapper itself begins: staff who forward one sometimes write a line above it. */
static struct kb_span remark(struct kb_span above)
{
	/* clang-format off */
	static const char *const begin[] = {"To:", "Inmate Work Assignment", "***ATTENTION***", "***Request to Staff***"};
	/* clang-format on */
	struct kb_span rest = above, line;
	while (kb_span_line(&rest, &line)) {
		struct kb_span ahead = rest;
		if (groupwise(line) || outlook(line, ahead) || between_dashes(line, originals, KB_LEN(originals)) ||
		    between_dashes(line, forwards, KB_LEN(forwards)) || kb_span_starts(kb_span_trim(line), KB_LIT("***")))
			return KB_SPAN(above.p, (size_t)(line.p - above.p));
		for (size_t i = 0; i < KB_LEN(begin); i++)
			if (kb_span_starts(kb_span_trim(line), kb_span_str(begin[i])))
				return KB_SPAN(above.p, (size_t)(line.p - above.p));
	}
	return above;
}

static enum kb_status add_trimmed(struct kb_buf *b, struct kb_span s)
{
	s = kb_span_trim(s);
	enum kb_status st = kb_buf_add(b, s);
	return st == KB_OK && s.len ? kb_buf_byte(b, '\n') : st;
}

enum kb_status kb_own_text(struct kb_buf *b, struct kb_span text, struct kb_span subject)
{
	struct cutter c = {.out = b, .start = b->len};
	struct kb_span above, below;
	if (wrapped(text, &above, &below)) {
		enum kb_status st = add_trimmed(b, remark(above));
		return st == KB_OK ? add_trimmed(b, below) : st;
	}
	struct kb_span s = kb_span_trim(subject);
	for (size_t i = 0; i < KB_LEN(forward_subjects); i++)
		if (kb_span_casestarts(s, kb_span_str(forward_subjects[i])))
			return add_trimmed(b, text);
	enum kb_status st = cut(&c, text);
	if (st == KB_OK && !c.words) { /* nothing but quotation: then that is the message */
		b->len = c.start;
		st = add_trimmed(b, text);
	}
	return st;
}
