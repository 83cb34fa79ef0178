/*
 * seal: `kite seal`: an age file written, with age's habits, in the memory of a few chunks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include <kitebox/age.h>

#include "file.h"
#include "passphrase.h"
#include "spool.h"
#include "writer.h"

enum { WORK_FACTOR = 18, WORK_FACTOR_MOST = 22, FILE_MOST = 1 << 20, LINE = 48, LINES = 1024 };

struct sealing {
	const struct kite *k;
	const char *path, *name; /* name: for a person */
	struct kite_spool in;
	struct kite_writer out;
	struct kb_recipient to[KB_AGE_RECIPIENTS_MOST];
	size_t recipients;
	struct kite_passphrase *pass;
	struct kb_age_writer *age;
	bool armor;
	size_t fill; /* of what armor has not written */
	uint8_t wait[LINE * LINES];
};

/* ---- for whom ---- */

static enum kb_status add_recipient(struct sealing *s, struct kb_span text, const char *where, size_t line)
{
	char at[32] = "";
	if (line)
		(void)snprintf(at, sizeof(at), ", line %zu", line);
	if (s->recipients == KB_AGE_RECIPIENTS_MOST)
		return kite_fail(KB_LIMIT, NULL, "%s%s: %d recipients are the most", where, at, KB_AGE_RECIPIENTS_MOST);
	if (kb_recipient_parse(text, &s->to[s->recipients]) != KB_OK)
		return kite_fail(KB_MALFORMED, NULL,
		    "%s%s is not a recipient; one begins with age1, as age-keygen -y prints it", where, at);
	s->recipients++;
	return KB_OK;
}

static enum kb_status recipients_file(struct sealing *s, const char *path)
{
	struct kb_span rest, line;
	struct kb_buf b;
	struct kb_diag d = {0};
	if (strcmp(path, "-") == 0 && strcmp(s->path, "-") == 0)
		return kite_fail(KB_MALFORMED, NULL, "standard input cannot be both the recipients and the file; name one of them");
	kb_buf_init(&b, 2 * FILE_MOST);
	enum kb_status st = kite_file_read(&d, path, FILE_MOST, &b);
	if (st != KB_OK)
		(void)kite_fail(st, &d, "the recipients' file %s", path);
	rest = kb_buf_span(&b);
	for (size_t n = 1; st == KB_OK && kb_span_line(&rest, &line); n++) {
		line = kb_span_trim(line);
		if (line.len && line.p[0] != '#')
			st = add_recipient(s, line, path, n);
	}
	kb_buf_release(&b);
	return st;
}

static enum kb_status find_recipients(struct sealing *s)
{
	const char *word;
	size_t at = 0;
	enum kb_status st = KB_OK;
	while (st == KB_OK && (word = kite_args_next(&s->k->args, "recipient", &at)))
		st = add_recipient(s, kb_span_str(word), word, 0);
	for (at = 0; st == KB_OK && (word = kite_args_next(&s->k->args, "recipients-file", &at));)
		st = recipients_file(s, word);
	if (st == KB_OK && kite_args_has(&s->k->args, "passphrase")) {
		if (s->recipients)
			return kite_fail(KB_MALFORMED, NULL,
			    "a file is sealed either with a passphrase or for recipients; leave out -p, or -r and -R");
	} else if (st == KB_OK && !s->recipients) {
		return kite_fail(KB_MALFORMED, NULL, "say who can open it: -r RECIPIENT, -R FILE of them, or -p for a passphrase");
	}
	return st;
}

static enum kb_status work_factor(const struct kite *k, unsigned *ret_n)
{
	const char *text = kite_args_value(&k->args, "work-factor");
	uint64_t n = WORK_FACTOR;
	if (text && (kb_span_u64(kb_span_str(text), WORK_FACTOR_MOST, &n) != KB_OK || n == 0))
		return kite_fail(KB_MALFORMED, NULL, "--work-factor %s is not a number from 1 to %d", text, WORK_FACTOR_MOST);
	*ret_n = (unsigned)n;
	return KB_OK;
}

/* ---- what goes out ---- */

/* Whole lines of what waits; all of it at the end. As kb_age_armor has it, but without the whole in memory. */
static enum kb_status armor_lines(struct sealing *s, size_t n)
{
	char text[LINE / 3 * 4 + 1];
	struct kb_buf b;
	enum kb_status st = KB_OK;
	kb_buf_init(&b, 2 * sizeof(s->wait));
	for (size_t i = 0; st == KB_OK && i < n; i += LINE) {
		(void)sodium_bin2base64(
		    text, sizeof(text), s->wait + i, n - i < LINE ? n - i : LINE, sodium_base64_VARIANT_ORIGINAL);
		st = kb_buf_printf(&b, "%s\n", text);
	}
	if (st == KB_OK)
		st = kite_writer_add(&s->out, kb_buf_span(&b));
	kb_buf_release(&b);
	s->fill = 0;
	return st;
}

static enum kb_status sink(void *ctx, struct kb_span octets)
{
	struct sealing *s = ctx;
	enum kb_status st = KB_OK;
	if (!s->armor)
		return kite_writer_add(&s->out, octets);
	while (st == KB_OK && octets.len) {
		size_t n = sizeof(s->wait) - s->fill < octets.len ? sizeof(s->wait) - s->fill : octets.len;
		memcpy(s->wait + s->fill, octets.p, n);
		s->fill += n;
		octets = kb_span_from(octets, n);
		if (s->fill == sizeof(s->wait))
			st = armor_lines(s, s->fill);
	}
	return st;
}

static enum kb_status fail(const struct sealing *s, enum kb_status st, const struct kb_diag *d)
{
	if (s->out.d.status != KB_OK)
		return kite_fail(st, &s->out.d, "%s", s->out.is_file ? s->out.name : "standard output");
	if (st == KB_NOKEY)
		return kite_fail(st, NULL,
		    "one of the recipients is a key that everybody can open for; it was not made by a person");
	if (st == KB_BUSY)
		return kite_fail(st, NULL, "there is not enough memory for this work factor; take a lower --work-factor");
	return kite_fail(st, d, "%s", s->name);
}

static enum kb_status seal_all(struct sealing *s, unsigned factor)
{
	uint8_t *step = sodium_malloc(KITE_SPOOL_MEMORY);
	struct kb_diag d = {0};
	size_t n = 1;
	if (!step)
		abort();
	enum kb_status st = s->armor ? kite_writer_add(&s->out, KB_LIT("-----BEGIN AGE ENCRYPTED FILE-----\n")) : KB_OK;
	if (st == KB_OK)
		st = s->pass ? kb_age_writer_init_passphrase(s->age, kite_passphrase_span(s->pass), factor, sink, s) :
			       kb_age_writer_init(s->age, s->to, s->recipients, sink, s);
	while (st == KB_OK && n) {
		if ((st = kite_spool_source(&s->in, step, KITE_SPOOL_MEMORY, &n)) != KB_OK)
			(void)KB_FAIL(&d, st, 0, "it cannot be read");
		if (st == KB_OK && n)
			st = kb_age_writer_add(s->age, KB_SPAN(step, n));
	}
	if (st == KB_OK)
		st = kb_age_writer_finish(s->age, NULL);
	kb_age_writer_release(s->age);
	sodium_free(step);
	if (st == KB_OK && s->armor && (st = armor_lines(s, s->fill)) == KB_OK)
		st = kite_writer_add(&s->out, KB_LIT("-----END AGE ENCRYPTED FILE-----\n"));
	return st == KB_OK ? KB_OK : fail(s, st, &d);
}

/* The first octets are waited for before a passphrase is asked, so that two kite in one pipe do not ask at once. */
static enum kb_status run(struct sealing *s, const char *to)
{
	unsigned factor = 0;
	struct kb_diag d = {0};
	enum kb_status st = work_factor(s->k, &factor);
	if (st == KB_OK)
		st = find_recipients(s);
	if (st == KB_OK && (st = kite_writer_open(&d, to, &s->out)) != KB_OK)
		(void)kite_fail(st, &d, "%s", to);
	if (st == KB_OK && (st = kite_spool_open(&d, s->path, &s->in)) != KB_OK)
		(void)kite_fail(st, &d, "%s", s->name);
	if (st == KB_OK && !s->recipients)
		st = kite_passphrase_get(s->k, "Passphrase for the file", true, &s->pass);
	if (st == KB_OK)
		st = seal_all(s, factor);
	if (st == KB_OK && (st = kite_writer_commit(&d, &s->out)) != KB_OK)
		(void)kite_fail(st, &d, "%s", to);
	return st;
}

enum kb_status kite_run_seal(struct kite *k)
{
	const char *to = kite_args_value(&k->args, "output");
	struct sealing *s = calloc(1, sizeof(*s));
	if (!s || !(s->age = sodium_malloc(sizeof(*s->age))))
		abort();
	memset(s->age, 0, sizeof(*s->age));
	s->k = k;
	s->path = k->args.words ? k->args.word[0] : "-";
	s->name = strcmp(s->path, "-") == 0 ? "standard input" : s->path;
	s->armor = kite_args_has(&k->args, "armor");
	enum kb_status st = !s->armor && !to && isatty(STDOUT_FILENO) == 1 ?
		kite_fail(KB_MALFORMED, NULL, "a sealed file is no text for a terminal; name a file with -o, or use -a") :
		run(s, to);
	kite_writer_abandon(&s->out);
	kite_spool_close(&s->in);
	kite_passphrase_free(&s->pass);
	sodium_free(s->age);
	free(s);
	return st;
}
