/* passphrase: see passphrase.h. */
#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include <kitebox/memfd.h>

enum { GIVE_UP = 3 }; /* ^C */

static struct kite_passphrase *new_passphrase(void)
{
	struct kite_passphrase *p = sodium_malloc(sizeof(*p));
	if (!p)
		abort();
	p->len = 0;
	return p;
}

void kite_passphrase_free(struct kite_passphrase **p)
{
	if (!p || !*p)
		return;
	sodium_free(*p);
	*p = NULL;
}

struct kb_span kite_passphrase_span(const struct kite_passphrase *p)
{
	return p ? KB_SPAN(p->octets, p->len) : KB_SPAN(NULL, 0);
}

/* One line, octet by octet: nothing is buffered beyond it. Its end is LF, CRLF or the end. */
static enum kb_status read_line(int fd, struct kite_passphrase *p)
{
	for (;;) {
		uint8_t c;
		ssize_t n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_IO;
		if (n == 0 || c == '\n')
			break;
		if (p->len == sizeof(p->octets))
			return KB_LIMIT;
		p->octets[p->len++] = c;
		if (c == GIVE_UP && isatty(fd))
			break;
	}
	if (p->len && p->octets[p->len - 1] == '\r')
		p->len--;
	return p->len > KITE_PASSPHRASE_MOST ? KB_LIMIT : KB_OK;
}

static enum kb_status from_file(const char *path, struct kite_passphrase *p)
{
	KB_AUTO(kb_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum kb_status st = fd < 0 ? KB_IO : read_line(fd, p);
	if (st == KB_IO)
		return kite_fail(st, NULL, "the passphrase file %s cannot be read: %s", path, strerror(errno));
	if (st == KB_LIMIT)
		return kite_fail(st, NULL, "the first line of %s is too long for a passphrase; %d octets are the most",
		    path, KITE_PASSPHRASE_MOST);
	return KB_OK;
}

static void prompt(int tty, const char *what, const char *tail)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%.300s%s: ", what, tail);
	if (write(tty, line, (size_t)n) < 0)
		(void)0; /* reading will fail too, and says so */
}

static enum kb_status ask(int tty, const char *what, const char *tail, struct kite_passphrase *p)
{
	struct termios before, quiet;
	if (tcgetattr(tty, &before) < 0)
		return kite_fail(KB_IO, NULL, "no terminal to ask for a passphrase on; use --passphrase-file");
	quiet = before;
	/* A person who gives up with ^C must not be left with a terminal that shows nothing: it arrives as an octet. */
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	quiet.c_lflag |= ECHONL | ICANON;
	quiet.c_cc[VEOL] = GIVE_UP;
	(void)tcsetattr(tty, TCSAFLUSH, &quiet);
	prompt(tty, what, tail);
	enum kb_status st = read_line(tty, p);
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	if (p->len && p->octets[p->len - 1] == GIVE_UP)
		return kite_fail(KB_AGAIN, NULL, "given up; nothing was done");
	return st == KB_OK ? KB_OK : kite_fail(st, NULL, "no passphrase could be read from the terminal; use --passphrase-file");
}

static enum kb_status from_terminal(const char *what, bool fresh, struct kite_passphrase *p)
{
	KB_AUTO(kb_fd_close) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0)
		return kite_fail(KB_IO, NULL, "no terminal to ask for %s on; use --passphrase-file", what);
	enum kb_status st = ask(tty, what, "", p);
	if (st != KB_OK || !fresh)
		return st;
	struct kite_passphrase *again = new_passphrase();
	st = ask(tty, what, ", once more", again);
	if (st == KB_OK && (again->len != p->len || sodium_memcmp(again->octets, p->octets, p->len) != 0))
		st = kite_fail(KB_MALFORMED, NULL, "the two passphrases differ; nothing was done, try again");
	kite_passphrase_free(&again);
	return st;
}

enum kb_status kite_passphrase_get(const struct kite *k, const char *what, bool fresh, struct kite_passphrase **ret_p)
{
	const char *path = kite_args_value(&k->args, "passphrase-file");
	struct kite_passphrase *p = new_passphrase();
	enum kb_status st = path ? from_file(path, p) : from_terminal(what, fresh, p);
	if (st == KB_OK && !p->len)
		st = kite_fail(KB_MALFORMED, NULL, "an empty passphrase protects nothing");
	if (st == KB_OK && fresh && p->len < KITE_PASSPHRASE_LEAST)
		st = kite_fail(KB_LIMIT, NULL,
		    "the passphrase is too short; take %d characters at least, better five random words",
		    KITE_PASSPHRASE_LEAST);
	if (st == KB_OK)
		*ret_p = KB_TAKE(p);
	kite_passphrase_free(&p);
	return st;
}
