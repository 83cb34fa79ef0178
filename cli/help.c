/* help: everything it says stands in the table of commands. */
#include <unistd.h>

#include "file.h"
#include "kite.h"

enum { HELP_MOST = 65536, MARGIN = 79 };

/* Text from column `at` on, broken at spaces before MARGIN, later lines indented to the same column. */
static enum kb_status wrap(struct kb_buf *b, size_t at, const char *text)
{
	struct kb_span rest = kb_span_str(text);
	size_t column = at;
	enum kb_status st = KB_OK;
	while (st == KB_OK && rest.len) {
		size_t n = kb_span_find(rest, KB_LIT(" "));
		if (n == SIZE_MAX)
			n = rest.len;
		if (column > at && column + 1 + n > MARGIN) {
			st = kb_buf_printf(b, "\n%*s", (int)at, "");
			column = at;
		} else if (column > at) {
			st = kb_buf_byte(b, ' ');
			column++;
		}
		if (st == KB_OK)
			st = kb_buf_add(b, KB_SPAN(rest.p, n));
		column += n;
		rest = kb_span_from(rest, n + 1);
	}
	return st == KB_OK ? kb_buf_byte(b, '\n') : st;
}

static enum kb_status options(struct kb_buf *b, const struct kite_options *o)
{
	enum kb_status st = KB_OK;
	for (size_t i = 0; st == KB_OK && i < o->n; i++) {
		const struct kite_option *r = &o->row[i];
		size_t start = b->len;
		st = r->letter ? kb_buf_printf(b, "  -%c, --%s", r->letter, r->name) : kb_buf_printf(b, "      --%s", r->name);
		if (st == KB_OK && r->value)
			st = kb_buf_printf(b, " %s", r->value);
		if (st == KB_OK)
			st = b->len - start < 27 ? kb_buf_printf(b, "%*s", (int)(28 - (b->len - start)), "")
						 : kb_buf_printf(b, "\n%*s", 28, "");
		if (st == KB_OK)
			st = wrap(b, 28, r->help);
	}
	return st;
}

static enum kb_status of_command(struct kb_buf *b, const struct kite_command *c)
{
	enum kb_status st = kb_buf_printf(
	    b, "usage: kite %s [OPTION...]%s%s\n\n%s\n\n", c->name, c->words[0] ? " " : "", c->words, c->summary);
	if (st == KB_OK && c->options.n)
		st = options(b, &c->options);
	if (st == KB_OK && c->options.n)
		st = kb_buf_byte(b, '\n');
	if (st == KB_OK)
		st = kb_buf_str(b, "Options of every command:\n");
	return st == KB_OK ? options(b, &kite_common_options) : st;
}

static enum kb_status of_all(struct kb_buf *b)
{
	enum kb_status st = kb_buf_str(b, "usage: kite COMMAND [OPTION...] [WORD...]\n\n"
					  "Reads what a kitebox has sealed, on the coordinator's side.\n\nCommands:\n");
	for (const struct kite_command *c = kite_commands; st == KB_OK && c->name; c++)
		st = kb_buf_printf(b, "  %-10s %s\n", c->name, c->summary);
	if (st == KB_OK)
		st = kb_buf_str(b, "\nOptions of every command:\n");
	if (st == KB_OK)
		st = options(b, &kite_common_options);
	return st == KB_OK ? kb_buf_str(b, "      --version             say which version this is\n\nkite help COMMAND "
					   "says more; so does kite(1).\n")
			   : st;
}

enum kb_status kite_run_help(struct kite *k)
{
	const struct kite_command *c = k->command;
	struct kb_diag d = {0};
	struct kb_buf b;
	if (k->args.words)
		c = kite_command_find(kb_span_str(k->args.word[0]));
	if (!c)
		return kite_fail(KB_NOTFOUND, NULL, "%s is not a command; kite help lists them", k->args.word[0]);
	kb_buf_init(&b, HELP_MOST);
	enum kb_status st = c->run == kite_run_help && !k->args.words ? of_all(&b) : of_command(&b, c);
	if (st == KB_OK)
		st = kite_fd_write(&d, STDOUT_FILENO, kb_buf_span(&b));
	kb_buf_release(&b);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "standard output");
}
