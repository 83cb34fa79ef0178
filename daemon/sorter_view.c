/* sorter_view: see sorter_view.h. */
#include "sorter_view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox.h"
#include "room_memory.h"

enum { DEADLINE_S = 30, RENDER_MOST = 8 << 20, READ_STEP = 1 << 16, ADDRESS_MOST_MIB = 2048 };

enum kb_status kb_sorter_render(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_buf *ret_text)
{
	struct kb_mail m;
	enum kb_status st = kb_mail_parse(d, raw, limit, &m);
	if (st == KB_LIMIT || st == KB_MALFORMED)
		return kb_mail_render_raw(raw, ret_text);
	if (st != KB_OK)
		return st;
	st = kb_mail_render(&m, ret_text);
	kb_mail_release(&m);
	return st;
}

static enum kb_status flatten(struct kb_diag *d, struct kb_span raw, struct kb_buf *ret)
{
	struct kb_mail m;
	enum kb_status st = kb_mail_parse(d, raw, &kb_mail_limits, &m);
	if (st != KB_OK)
		return st;
	st = kb_mail_flatten(&m, ret);
	kb_mail_release(&m);
	return st;
}

static enum kb_status limit(struct kb_diag *d, int which, rlim_t most)
{
	const struct rlimit r = {most, most};
	if (setrlimit((__rlimit_resource_t)which, &r) < 0)
		return KB_FAIL_SYS(d, "a limit could not be set");
	return KB_OK;
}

/* What kb_harden does for a room, for a process that kite starts. */
static enum kb_status harden(struct kb_diag *d)
{
	umask(077);
	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) < 0)
		return KB_FAIL_SYS(d, "the process could not be hardened");
	if (close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		return KB_FAIL_SYS(d, "inherited descriptors could not be closed");
	enum kb_status st = limit(d, RLIMIT_CORE, 0);
	if (st == KB_OK && !KB_SANITIZER)
		st = limit(d, RLIMIT_AS, (rlim_t)ADDRESS_MOST_MIB << 20);
	if (st == KB_OK && sodium_init() < 0)
		st = KB_FAIL(d, KB_IO, 0, "libsodium did not start");
	return st;
}

/* Everything that needs the system, before the system is taken away. */
static enum kb_status enter(struct kb_diag *d)
{
	const struct kb_sandbox_paths none = {.write_dir = -1};
	enum kb_status st = harden(d);
	if (st == KB_OK)
		st = kb_charset_open(d);
	if (st != KB_OK)
		return st;
	(void)alarm(DEADLINE_S);
	st = kb_sandbox_close(d, KB_ROOM_SORTER, &none);
	return st == KB_UNSUPPORTED ? KB_OK : st; /* without Landlock the system calls are still taken away */
}

static enum kb_status read_all(struct kb_diag *d, struct kb_buf *b)
{
	for (;;) {
		if (kb_buf_reserve(b, READ_STEP) != KB_OK)
			return KB_FAIL(d, KB_TOOBIG, 0, "the message is larger than is taken");
		ssize_t n = read(STDIN_FILENO, b->p + b->len, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "standard input could not be read");
		if (n == 0)
			return KB_OK;
		b->len += (size_t)n;
	}
}

static enum kb_status write_all(struct kb_diag *d, struct kb_span s)
{
	while (s.len) {
		ssize_t n = write(STDOUT_FILENO, s.p, s.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KB_FAIL_SYS(d, "standard output could not be written");
		s = kb_span_from(s, (size_t)n);
	}
	return KB_OK;
}

enum what { RENDERING, TEXT, PART };

static enum kb_status show(struct kb_diag *d, enum what what, uint64_t part)
{
	KB_AUTO(kb_buf_release) struct kb_buf raw, out;
	kb_buf_init(&raw, kb_mail_limits.message_octets + READ_STEP);
	kb_buf_init(&out, what == PART ? kb_mail_limits.message_octets : RENDER_MOST);
	enum kb_status st = read_all(d, &raw);
	if (st == KB_OK && what == PART)
		st = kb_mail_part(d, kb_buf_span(&raw), &kb_mail_limits, part, &out);
	else if (st == KB_OK && what == TEXT)
		st = flatten(d, kb_buf_span(&raw), &out);
	else if (st == KB_OK)
		st = kb_sorter_render(d, kb_buf_span(&raw), &kb_mail_limits, &out);
	return st == KB_OK ? write_all(d, kb_buf_span(&out)) : st;
}

static enum kb_status arguments(struct kb_diag *d, int argc, char **argv, enum what *ret_what, uint64_t *ret_part)
{
	*ret_part = 0;
	*ret_what = argc == 2 && !strcmp(argv[1], "--text") ? TEXT : argc == 3 ? PART : RENDERING;
	if (argc == 2 && (*ret_what == TEXT || !strcmp(argv[1], "--view")))
		return KB_OK;
	if (argc == 3 && !strcmp(argv[1], "--part") && kb_span_u64(kb_span_str(argv[2]), UINT32_MAX, ret_part) == KB_OK && *ret_part)
		return KB_OK;
	return KB_FAIL(d, KB_MALFORMED, 0, "usage: kiteboxd-sorter --view | --text | --part N");
}

static void say(const struct kb_diag *d, enum kb_status st)
{
	struct kb_span what = kb_span_str(d->what ? d->what : kb_status_row(st)->sentence);
	if (write(STDERR_FILENO, "kiteboxd-sorter: ", 17) < 0 || write(STDERR_FILENO, what.p, what.len) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
		return; /* nobody listens; the exit status says it too */
}

int kb_sorter_view(int argc, char **argv)
{
	struct kb_diag d = {0};
	enum what what;
	uint64_t part;
	enum kb_status st = arguments(&d, argc, argv, &what, &part);
	if (st == KB_OK)
		st = enter(&d);
	if (st == KB_OK)
		st = show(&d, what, part);
	if (st != KB_OK)
		say(&d, st);
	return kb_status_row(st)->exit_status;
}
