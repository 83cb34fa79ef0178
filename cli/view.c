/* view: see view.h. */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "home.h"

struct child {
	pid_t pid;
	int in, out; /* our ends: what it reads, what it writes */
};

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int spawn(const char *path, char *option, int in, int out, pid_t *ret_pid)
{
	char name[] = "kiteboxd-sorter";
	char *const argv[] = {name, option, NULL}, *const envp[] = {NULL};
	posix_spawn_file_actions_t a;
	if (posix_spawn_file_actions_init(&a) != 0)
		return ENOMEM;
	int e = posix_spawn_file_actions_adddup2(&a, in, STDIN_FILENO);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(&a, out, STDOUT_FILENO);
	if (e == 0)
		e = posix_spawn_file_actions_addopen(&a, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(&a, STDERR_FILENO + 1);
	if (e == 0)
		e = posix_spawn(ret_pid, path, &a, NULL, argv, envp);
	(void)posix_spawn_file_actions_destroy(&a);
	return e;
}

static enum kb_status start(const struct kite *k, char *option, struct child *ret_c)
{
	char folder[KITE_PATH], path[KITE_PATH + 32];
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	enum kb_status st = kite_find_libexec(k, folder);
	if (st != KB_OK)
		return st;
	(void)snprintf(path, sizeof(path), "%s/kiteboxd-sorter", folder);
	int e = pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ? errno : spawn(path, option, in[0], out[1], &ret_c->pid);
	kb_fd_close(&in[0]);
	kb_fd_close(&out[1]);
	if (e != 0) {
		kb_fd_close(&in[1]);
		kb_fd_close(&out[0]);
		return kite_fail(KB_NOTFOUND, NULL,
		    "%s, which takes messages apart, does not start: %s; name its folder with --libexec, or use show "
		    "--raw",
		    path, strerror(e));
	}
	ret_c->in = in[1];
	ret_c->out = out[0];
	(void)fcntl(ret_c->in, F_SETFL, O_NONBLOCK);
	return KB_OK;
}

/* Feeds what is left of the message; closes the pipe at its end, or when the child wants no more. */
static void feed(struct child *c, struct kb_span *message)
{
	ssize_t n = write(c->in, message->p, message->len);
	if (n > 0)
		*message = kb_span_from(*message, (size_t)n);
	if (!message->len || (n < 0 && errno != EAGAIN && errno != EINTR))
		kb_fd_close(&c->in);
}

/* KB_OK: there may be more; KB_NOTFOUND: that was all. */
static enum kb_status take(struct child *c, struct kb_buf *text)
{
	enum kb_status st = kb_buf_reserve(text, 65536);
	if (st != KB_OK)
		return KB_UNSUPPORTED;
	ssize_t n = read(c->out, text->p + text->len, 65536);
	if (n < 0)
		return errno == EINTR ? KB_OK : KB_UNSUPPORTED;
	text->len += (size_t)n;
	return n ? KB_OK : KB_NOTFOUND;
}

static enum kb_status converse(struct child *c, struct kb_span message, struct kb_buf *text)
{
	int64_t end = now_ms() + KITE_VIEW_MS;
	enum kb_status st = KB_OK;
	if (!message.len)
		kb_fd_close(&c->in);
	while (st == KB_OK) {
		struct pollfd p[2] = {{.fd = c->out, .events = POLLIN}, {.fd = c->in, .events = POLLOUT}};
		int64_t left = end - now_ms();
		int n = left > 0 ? poll(p, 2, (int)left) : 0;
		if (n == 0)
			return KB_AGAIN;
		if (n < 0 && errno != EINTR)
			return KB_UNSUPPORTED;
		if (n > 0 && p[1].revents)
			feed(c, &message);
		if (n > 0 && p[0].revents)
			st = take(c, text);
	}
	return st == KB_NOTFOUND ? KB_OK : st;
}

static enum kb_status finish(struct child *c, enum kb_status st)
{
	int status = 0;
	kb_fd_close(&c->in);
	kb_fd_close(&c->out);
	if (st != KB_OK)
		(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return st == KB_OK && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) ? KB_UNSUPPORTED : st;
}

enum kb_status kite_view(const struct kite *k, struct kb_span message, struct kb_buf *ret_text)
{
	struct child c = {.in = -1, .out = -1};
	char option[] = "--view";
	struct kb_buf text;
	enum kb_status st = start(k, option, &c);
	if (st != KB_OK)
		return st;
	kb_buf_init(&text, KITE_VIEW_MOST + 65536);
	st = finish(&c, converse(&c, message, &text));
	if (st == KB_OK)
		st = kb_text_harmless(ret_text, kb_buf_span(&text), true);
	kb_buf_release(&text);
	return st;
}

enum kb_status kite_take_apart(const struct kite *k, struct kb_span message, struct kb_buf *ret_flat)
{
	struct child c = {.in = -1, .out = -1};
	char option[] = "--text";
	enum kb_status st = start(k, option, &c);
	return st == KB_OK ? finish(&c, converse(&c, message, ret_flat)) : st;
}
