/*
 * open: `kite open`: an age file read, with age's habits; but nothing of it is given out before all of it has verified.
 *
 * What is small is opened in memory. What is not is gone through twice, in the memory of a few chunks: the first time nothing is
 * kept. So a file that was cut, altered or added to never shows its beginning.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "keys.h"
#include "passphrase.h"
#include "spool.h"
#include "writer.h"

struct opening {
	const struct kite *k;
	const char *path, *name; /* name: for a person */
	struct kite_spool in;
	struct kite_writer out;
	struct kite_keys keys;
	const struct kb_identity *identity[KITE_KEYS_MOST];
	struct kite_passphrase *pass;
	struct kb_age_keys use;
	bool terminal, stream;
};

/* A header that is well-formed but asks for what we do not do is a header that is not taken: one kind of failure, as in age. */
static enum kb_status kind(enum kb_status st)
{
	return st == KB_LIMIT || st == KB_UNSUPPORTED ? KB_MALFORMED : st;
}

static enum kb_status fail(const struct opening *o, enum kb_status st, const struct kb_diag *d)
{
	if (o->out.d.status != KB_OK)
		return kite_fail(st, &o->out.d, "%s", o->out.is_file ? o->out.name : "standard output");
	if (st == KB_NOKEY && o->pass)
		return kite_fail(st, NULL, "%s: the passphrase does not open it; type it again", o->name);
	if (st == KB_NOKEY)
		return kite_fail(st, NULL,
		    "%s: it is sealed to others than the identities tried; name another one with -i FILE", o->name);
	return kite_fail(st, d, "%s", o->name);
}

/* ---- what comes in ---- */

/* Armor begins with a line of dashes. Where other text stands before it, it is armor all the same, and malformed. */
static bool is_text(struct kb_span head)
{
	if (kb_span_starts(head, KB_LIT("age-encryption.org/")))
		return false;
	return kb_span_starts(kb_span_trim(head), KB_LIT("-----")) || kb_span_find(head, KB_LIT("\n-----BEGIN AGE ")) != SIZE_MAX;
}

static enum kb_status take_armor_off(struct kb_diag *d, struct kite_spool *in)
{
	struct kb_buf binary;
	enum kb_status st = kite_spool_gather(d, in);
	if (st != KB_OK)
		return st;
	kb_buf_init(&binary, in->head.len + 64);
	st = kb_age_dearmor(d, kb_buf_span(&in->head), &binary);
	if (st != KB_OK) {
		kb_buf_release(&binary);
		return st;
	}
	kb_buf_release(&in->head);
	in->head = binary;
	return KB_OK;
}

/* The header is looked at before a passphrase is asked for. */
static enum kb_status take(struct opening *o)
{
	size_t len, stanzas;
	struct kb_diag d = {0};
	enum kb_status st = kite_spool_open(&d, o->path, &o->in);
	if (st == KB_OK && is_text(kb_buf_span(&o->in.head)))
		st = take_armor_off(&d, &o->in);
	if (st == KB_OK)
		st = kind(kb_age_header_len(&d, kb_buf_span(&o->in.head), &len, &stanzas));
	return st == KB_OK ? KB_OK : fail(o, st, &d);
}

/* A scrypt stanza stands alone, so it is the first; kb_age_header_len has seen to that. */
static enum kb_status find_keys(struct opening *o)
{
	enum kb_status st;
	if (kb_span_starts(kb_buf_span(&o->in.head), KB_LIT("age-encryption.org/v1\n-> scrypt "))) {
		if (kite_args_has(&o->k->args, "identity"))
			return kite_fail(KB_NOKEY, NULL,
			    "%s: it is sealed with a passphrase, which no identity opens; leave out -i", o->name);
		st = kite_passphrase_get(o->k, "Passphrase of the file", false, &o->pass);
		o->use.passphrase = kite_passphrase_span(o->pass);
		return st;
	}
	st = kite_keys_load(o->k, &o->keys);
	for (size_t i = 0; st == KB_OK && i < o->keys.n; i++)
		o->identity[i] = o->keys.identity[i];
	o->use.identities = o->identity;
	o->use.n = o->keys.n;
	return st;
}

/* ---- what goes out ---- */

/* A terminal obeys what is written to it: it gets a file's text, not its octets. */
static enum kb_status to_terminal(struct opening *o, struct kb_span plain)
{
	struct kb_buf text;
	kb_buf_init(&text, 4 * plain.len + 64);
	enum kb_status st = kb_text_harmless(&text, plain, true);
	if (st == KB_OK)
		st = kite_writer_add(&o->out, kb_buf_span(&text));
	kb_buf_release(&text);
	return st;
}

static enum kb_status in_memory(struct opening *o)
{
	struct kb_buf plain;
	struct kb_diag d = {0};
	kb_buf_init(&plain, o->in.head.len + 1);
	enum kb_status st = kind(kb_age_open(&d, kb_buf_span(&o->in.head), &o->use, &plain));
	if (st == KB_OK)
		st = o->terminal ? to_terminal(o, kb_buf_span(&plain)) : kite_writer_add(&o->out, kb_buf_span(&plain));
	kb_buf_release(&plain);
	return st == KB_OK ? KB_OK : fail(o, st, &d);
}

static enum kb_status nowhere(void *ctx, struct kb_span octets)
{
	(void)ctx, (void)octets;
	return KB_OK;
}

static enum kb_status piece_by_piece(struct opening *o)
{
	struct kb_diag d = {0};
	enum kb_status st = KB_OK;
	if (!o->stream) {
		st = kite_spool_keep(&d, &o->in);
		if (st == KB_OK)
			st = kind(kb_age_open_stream(&d, kite_spool_source, &o->in, &o->use, nowhere, NULL));
		if (st == KB_OK)
			st = kite_spool_rewind(&d, &o->in);
	}
	if (st == KB_OK)
		st = kind(kb_age_open_stream(&d, kite_spool_source, &o->in, &o->use, kite_writer_add, &o->out));
	return st == KB_OK ? KB_OK : fail(o, st, &d);
}

static enum kb_status run(struct opening *o, const char *to)
{
	struct kb_diag d = {0};
	enum kb_status st = kite_writer_open(&d, to, &o->out);
	if (st != KB_OK)
		return kite_fail(st, &d, "%s", to);
	st = take(o);
	if (st == KB_OK && o->terminal && !o->in.whole)
		st = kite_fail(KB_TOOBIG, NULL, "%s: it is too large for a terminal; name a file with -o", o->name);
	if (st == KB_OK)
		st = find_keys(o);
	if (st == KB_OK)
		st = o->in.whole && !o->stream ? in_memory(o) : piece_by_piece(o);
	if (st == KB_OK && (st = kite_writer_commit(&d, &o->out)) != KB_OK)
		(void)kite_fail(st, &d, "%s", to);
	return st;
}

enum kb_status kite_run_open(struct kite *k)
{
	const char *to = kite_args_value(&k->args, "output");
	struct opening *o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	o->k = k;
	o->path = k->args.words ? k->args.word[0] : "-";
	o->name = strcmp(o->path, "-") == 0 ? "standard input" : o->path;
	o->stream = kite_args_has(&k->args, "stream");
	o->terminal = !to && isatty(STDOUT_FILENO) == 1;
	enum kb_status st =
	    o->terminal && o->stream
		? kite_fail(KB_MALFORMED, NULL,
		      "--stream is for files and pipes; name a file with -o, or leave it out on a terminal")
		: run(o, to);
	kite_writer_abandon(&o->out);
	kite_spool_close(&o->in);
	kite_keys_release(&o->keys);
	kite_passphrase_free(&o->pass);
	free(o);
	return st;
}
