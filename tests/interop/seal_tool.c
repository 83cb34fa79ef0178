/*
 * seal-tool: lib/seal as a filter, so that a script can set it against the stock programs: standard input to standard output.
 * The exit status is that of the status that came back. It is a test's: passphrases lie in files without protection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <kitebox/identity.h>
#include <kitebox/minisign.h>

enum { MOST = 1 << 22, ARGS_MOST = 24 };

struct tool {
	int argc;
	char **argv; /* after the command's name */
	struct kb_buf in, out;
	struct kb_diag d;
};

static enum kb_status read_from(FILE *f, struct kb_buf *ret)
{
	kb_buf_init(ret, MOST);
	if (!f || kb_buf_reserve(ret, MOST) != KB_OK)
		return KB_IO;
	ret->len = fread(ret->p, 1, MOST, f);
	return ferror(f) || !feof(f) ? KB_IO : KB_OK;
}

/* "-" is an empty file: no passphrase. */
static enum kb_status read_file(const char *path, struct kb_buf *ret)
{
	if (strcmp(path, "-") == 0) {
		kb_buf_init(ret, MOST);
		return KB_OK;
	}
	FILE *f = fopen(path, "rbe");
	enum kb_status st = read_from(f, ret);
	if (f)
		(void)fclose(f);
	return st;
}

static enum kb_status seal(struct tool *t)
{
	struct kb_recipient r[ARGS_MOST];
	for (int i = 0; i < t->argc; i++)
		if (kb_recipient_parse(kb_span_str(t->argv[i]), &r[i]) != KB_OK)
			return KB_MALFORMED;
	return kb_age_seal(r, (size_t)t->argc, kb_buf_span(&t->in), &t->out);
}

static enum kb_status open_with(struct tool *t, struct kb_span key_file, struct kb_span passphrase)
{
	struct kb_person_key *k = NULL;
	enum kb_status st = kb_person_key_open(&t->d, key_file, passphrase, &k);
	if (st == KB_OK) {
		const struct kb_identity *const ids[] = {k->age};
		const struct kb_age_keys keys = {.identities = ids, .n = 1};
		st = kb_age_open(&t->d, kb_buf_span(&t->in), &keys, &t->out);
	}
	kb_person_key_free(&k);
	return st;
}

static enum kb_status open_sealed(struct tool *t)
{
	KB_AUTO(kb_buf_release) struct kb_buf key, passphrase;
	enum kb_status st = read_file(t->argv[0], &key);
	if (st == KB_OK)
		st = read_file(t->argv[1], &passphrase);
	else
		kb_buf_init(&passphrase, 0);
	return st == KB_OK ? open_with(t, kb_buf_span(&key), kb_buf_span(&passphrase)) : st;
}

static enum kb_status seal_passphrase(struct tool *t)
{
	KB_AUTO(kb_buf_release) struct kb_buf passphrase;
	enum kb_status st = read_file(t->argv[0], &passphrase);
	unsigned factor = (unsigned)strtoul(t->argv[1], NULL, 10);
	return st == KB_OK ? kb_age_seal_passphrase(kb_buf_span(&passphrase), factor, kb_buf_span(&t->in), &t->out) : st;
}

static enum kb_status open_passphrase(struct tool *t)
{
	KB_AUTO(kb_buf_release) struct kb_buf passphrase;
	enum kb_status st = read_file(t->argv[0], &passphrase);
	const struct kb_age_keys keys = {.passphrase = kb_buf_span(&passphrase)};
	return st == KB_OK ? kb_age_open(&t->d, kb_buf_span(&t->in), &keys, &t->out) : st;
}

static enum kb_status armor(struct tool *t)
{
	return kb_age_armor(kb_buf_span(&t->in), &t->out);
}

/* A new key file; its recipient goes to standard error. */
static enum kb_status person(struct tool *t)
{
	KB_AUTO(kb_buf_release) struct kb_buf passphrase;
	enum kb_status st = read_file(t->argv[1], &passphrase);
	struct kb_person_key *k = kb_person_key_generate(kb_span_str(t->argv[0]));
	char text[KB_RECIPIENT_TEXT];
	struct kb_recipient r;
	kb_identity_recipient(k->age, &r);
	kb_recipient_format(&r, text);
	(void)fprintf(stderr, "%s\n", text);
	if (st == KB_OK)
		st = kb_person_key_seal(k, kb_buf_span(&passphrase), (unsigned)strtoul(t->argv[2], NULL, 10), &t->out);
	kb_person_key_free(&k);
	return st;
}

static enum kb_status key(struct tool *t)
{
	KB_AUTO(kb_buf_release) struct kb_buf passphrase;
	struct kb_minisign_key k;
	enum kb_status st = read_file(t->argv[0], &passphrase);
	kb_minisign_generate(&k);
	if (st == KB_OK)
		st = kb_minisign_key_format(&k, kb_buf_span(&passphrase), &t->out);
	kb_minisign_release(&k);
	return st;
}

static enum kb_status load_key(struct tool *t, struct kb_minisign_key *ret_k)
{
	KB_AUTO(kb_buf_release) struct kb_buf file, passphrase;
	enum kb_status st = read_file(t->argv[0], &file);
	if (st == KB_OK)
		st = read_file(t->argv[1], &passphrase);
	else
		kb_buf_init(&passphrase, 0);
	return st == KB_OK ? kb_minisign_key_parse(&t->d, kb_buf_span(&file), kb_buf_span(&passphrase), ret_k) : st;
}

static enum kb_status public_of(struct tool *t)
{
	struct kb_minisign_key k;
	char text[KB_MINISIGN_PUBLIC_TEXT];
	enum kb_status st = load_key(t, &k);
	if (st != KB_OK)
		return st;
	kb_minisign_public_format(&k.pub, text);
	kb_minisign_release(&k);
	return kb_buf_printf(&t->out, "untrusted comment: a key\n%s\n", text);
}

static enum kb_status sign(struct tool *t)
{
	struct kb_minisign_key k;
	uint8_t prehash[64];
	enum kb_status st = load_key(t, &k);
	if (st != KB_OK)
		return st;
	kb_minisign_prehash(kb_buf_span(&t->in), prehash);
	st = kb_minisign_sign(&k, prehash, kb_span_str(t->argv[2]), &t->out);
	kb_minisign_release(&k);
	return st;
}

static enum kb_status verify(struct tool *t)
{
	KB_AUTO(kb_buf_release) struct kb_buf file, sig;
	struct kb_minisign_public p;
	struct kb_span trusted;
	uint8_t prehash[64];
	enum kb_status st = read_file(t->argv[0], &file);
	if (st == KB_OK)
		st = read_file(t->argv[1], &sig);
	else
		kb_buf_init(&sig, 0);
	if (st == KB_OK)
		st = kb_minisign_public_parse(&t->d, kb_buf_span(&file), &p);
	kb_minisign_prehash(kb_buf_span(&t->in), prehash);
	if (st == KB_OK)
		st = kb_minisign_verify(&t->d, &p, prehash, kb_buf_span(&sig), &trusted);
	return st == KB_OK ? kb_buf_add(&t->out, trusted) : st;
}

/* clang-format off */
static const struct command {
	const char *name, *args;
	int least, most;
	enum kb_status (*run)(struct tool *t);
} commands[] = {
	{ "seal",            "RECIPIENT...",                  1, ARGS_MOST, seal },
	{ "open",            "IDENTITY PASSPHRASE",           2, 2,         open_sealed },
	{ "seal-passphrase", "PASSPHRASE WORK-FACTOR",        2, 2,         seal_passphrase },
	{ "open-passphrase", "PASSPHRASE",                    1, 1,         open_passphrase },
	{ "armor",           "",                              0, 0,         armor },
	{ "person",          "NAME PASSPHRASE WORK-FACTOR",   3, 3,         person },
	{ "key",             "PASSPHRASE",                    1, 1,         key },
	{ "public",          "SECRET-KEY PASSPHRASE",         2, 2,         public_of },
	{ "sign",            "SECRET-KEY PASSPHRASE COMMENT", 3, 3,         sign },
	{ "verify",          "PUBLIC-KEY SIGNATURE",          2, 2,         verify },
};
/* clang-format on */

static int run(const struct command *c, struct tool *t)
{
	kb_buf_init(&t->out, MOST);
	enum kb_status st = read_from(stdin, &t->in);
	if (st == KB_OK)
		st = c->run(t);
	if (st == KB_OK && t->out.len && fwrite(t->out.p, 1, t->out.len, stdout) != t->out.len)
		st = KB_IO;
	if (st != KB_OK)
		(void)fprintf(stderr, "%s: %s\n", kb_status_row(st)->name, t->d.what ? t->d.what : kb_status_row(st)->sentence);
	kb_buf_release(&t->in);
	kb_buf_release(&t->out);
	return fflush(stdout) == 0 ? kb_status_row(st)->exit_status : 1;
}

int main(int argc, char **argv)
{
	struct tool t = {.argc = argc - 2, .argv = argv + 2};
	for (size_t i = 0; sodium_init() >= 0 && argc >= 2 && i < KB_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && t.argc >= commands[i].least && t.argc <= commands[i].most)
			return run(&commands[i], &t);
	for (size_t i = 0; i < KB_LEN(commands); i++)
		(void)fprintf(stderr, "usage: %s %s %s\n", argv[0], commands[i].name, commands[i].args);
	return 64;
}
