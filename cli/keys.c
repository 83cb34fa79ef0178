/* keys: see keys.h. */
#include "keys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "passphrase.h"

enum { FILE_MOST = 1 << 20 };

enum kb_status kite_keys_parse(struct kb_span text, struct kite_keys *keys, size_t *ret_line)
{
	struct kb_span line;
	for (*ret_line = 1; kb_span_line(&text, &line); ++*ret_line) {
		line = kb_span_trim(line);
		if (!line.len || line.p[0] == '#')
			continue;
		if (keys->n == KITE_KEYS_MOST)
			return KB_LIMIT;
		enum kb_status st = kb_identity_parse(line, &keys->identity[keys->n]);
		if (st != KB_OK)
			return st;
		keys->n++;
	}
	return KB_OK;
}

static bool is_sealed(struct kb_span file)
{
	return kb_span_starts(file, KB_LIT("age-encryption.org/")) || kb_span_starts(kb_span_trim(file), KB_LIT("-----BEGIN AGE "));
}

static enum kb_status unprotect(const struct kite *k, const char *path, struct kb_span file, struct kb_buf *text)
{
	struct kite_passphrase *pass = NULL;
	struct kb_diag d = {0};
	char what[KITE_PATH + 32];
	(void)snprintf(what, sizeof(what), "Passphrase of %s", path);
	enum kb_status st = kite_passphrase_get(k, what, false, &pass);
	if (st != KB_OK)
		return st;
	st = kb_age_open(&d, file, &(struct kb_age_keys){.passphrase = kite_passphrase_span(pass)}, text);
	kite_passphrase_free(&pass);
	if (st == KB_NOKEY)
		return kite_fail(st, NULL, "the passphrase does not open the identity file %s; type it again", path);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "the identity file %s", path);
}

static enum kb_status load_one(const struct kite *k, const char *path, struct kite_keys *keys)
{
	struct kb_buf file, text;
	struct kb_diag d = {0};
	size_t line = 0, before = keys->n;
	kb_buf_init(&file, 2 * FILE_MOST);
	kb_buf_init(&text, FILE_MOST);
	enum kb_status st = kite_file_read(&d, path, FILE_MOST, &file);
	if (st != KB_OK)
		(void)kite_fail(st, &d, "the identity file %s", path);
	struct kb_span lines = kb_buf_span(&file);
	if (st == KB_OK && is_sealed(lines)) {
		st = unprotect(k, path, lines, &text);
		lines = kb_buf_span(&text);
	}
	if (st == KB_OK && (st = kite_keys_parse(lines, keys, &line)) != KB_OK)
		(void)kite_fail(st, NULL, "line %zu of %s is %s", line, path,
		    st == KB_LIMIT ? "one identity too many"
				   : "not an identity; a line is empty, a comment with #, or AGE-SECRET-KEY-1...");
	if (st == KB_OK && keys->n == before)
		st = kite_fail(KB_MALFORMED, NULL, "there is no identity in %s", path);
	kb_buf_release(&file);
	kb_buf_release(&text);
	return st;
}

enum kb_status kite_keys_load(const struct kite *k, struct kite_keys *ret_keys)
{
	char path[KITE_PATH + 16];
	const char *word;
	size_t at = 0;
	enum kb_status st = KB_OK;
	ret_keys->n = 0;
	if (!kite_args_has(&k->args, "identity")) {
		(void)snprintf(path, sizeof(path), "%s/identity", k->home);
		if (access(path, F_OK) < 0)
			return kite_fail(KB_NOKEY, NULL,
			    "it is sealed to somebody's key, and there is no %s; name an identity with -i FILE", path);
		st = load_one(k, path, ret_keys);
	}
	while (st == KB_OK && (word = kite_args_next(&k->args, "identity", &at))) {
		bool twice = strcmp(word, "-") == 0 && (!k->args.words || strcmp(k->args.word[0], "-") == 0);
		st = twice ? kite_fail(KB_MALFORMED, NULL, "standard input cannot be both the identity and the file; name one of them") :
			     load_one(k, word, ret_keys);
	}
	if (st != KB_OK)
		kite_keys_release(ret_keys);
	return st;
}

void kite_keys_release(struct kite_keys *keys)
{
	while (keys->n)
		kb_identity_free(&keys->identity[--keys->n]);
}
