/* out: standard output, with a pager before it on a terminal. See out.h. */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "file.h"

enum { PAGER_WORDS = 16, WIDTH_LEAST = 40 };
extern char **environ;

size_t kite_width(bool *ret_terminal)
{
	struct winsize w = {0};
	*ret_terminal = isatty(STDOUT_FILENO) == 1;
	if (!*ret_terminal)
		return KITE_WIDTH_PLAIN;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return 80;
	return w.ws_col < WIDTH_LEAST ? WIDTH_LEAST : w.ws_col;
}

/* $PAGER's words, split at spaces; no shell looks at them. False: there is to be none. */
static bool pager_words(char *text, size_t size, char *words[static PAGER_WORDS + 1])
{
	const char *pager = getenv("PAGER");
	char *save = NULL;
	size_t n = 0;
	kb_field_set(text, size, kb_span_str(pager ? pager : "less"));
	for (char *w = strtok_r(text, " \t", &save); w && n < PAGER_WORDS; w = strtok_r(NULL, " \t", &save))
		words[n++] = w;
	words[n] = NULL;
	return n > 0 && strcmp(words[0], "cat") != 0;
}

/* less is told to quit when one screen holds it all, and to have neither commands that write files nor a history. */
static enum kb_status start_pager(char *const *words, int read_end, int *ret_pid)
{
	posix_spawn_file_actions_t a;
	pid_t pid;
	(void)setenv("LESS", "FX", 0);
	(void)setenv("LESSSECURE", "1", 1);
	(void)setenv("LESSHISTFILE", "-", 1);
	(void)setenv("LESSCHARSET", "utf-8", 1);
	if (posix_spawn_file_actions_init(&a) != 0)
		return KB_IO;
	int e = posix_spawn_file_actions_adddup2(&a, read_end, STDIN_FILENO);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(&a, STDERR_FILENO + 1);
	if (e == 0)
		e = posix_spawnp(&pid, words[0], &a, NULL, words, environ);
	(void)posix_spawn_file_actions_destroy(&a);
	if (e != 0)
		return KB_NOTFOUND;
	*ret_pid = pid;
	return KB_OK;
}

enum kb_status kite_out_begin(struct kite_out *o)
{
	char text[1024], *words[PAGER_WORDS + 1];
	int fds[2];
	bool terminal;
	(void)kite_width(&terminal);
	*o = (struct kite_out){.fd = STDOUT_FILENO};
	if (!terminal || !pager_words(text, sizeof(text), words))
		return KB_OK;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return kite_fail(KB_IO, NULL, "no pipe to a pager: %s", strerror(errno));
	enum kb_status st = start_pager(words, fds[0], &o->pager);
	kb_fd_close(&fds[0]);
	if (st != KB_OK) {
		kb_fd_close(&fds[1]); /* without a pager the terminal itself will do */
		return KB_OK;
	}
	o->fd = fds[1];
	(void)signal(SIGINT, SIG_IGN); /* ^C is the pager's now */
	return KB_OK;
}

enum kb_status kite_out_write(struct kite_out *o, struct kb_buf *b, bool *ret_quit)
{
	struct kb_diag d = {0};
	enum kb_status st = kite_fd_write(&d, o->fd, kb_buf_span(b));
	kb_buf_clear(b);
	*ret_quit = st != KB_OK && d.sys_errno == EPIPE && o->pager;
	if (st == KB_OK || *ret_quit)
		return KB_OK;
	return kite_fail(st, &d, "standard output");
}

void kite_out_end(struct kite_out *o)
{
	int status;
	if (!o->pager)
		return;
	kb_fd_close(&o->fd);
	while (waitpid(o->pager, &status, 0) < 0 && errno == EINTR)
		;
	o->pager = 0;
}
