/*
 * fault_sorter: a fault for tests: a parser with flaws. A word in a message makes it die or hang in the sorter.
 *
 * What shows that such a message becomes an unreadable case (unreadable.py) needs a sorter that does die of one. The sorter's
 * own sources know nothing of it: the linker puts this in front of the parser (--wrap), in a program that only that test starts.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <kitebox/mail.h>

enum kb_status __real_kb_mail_parse(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_mail *ret_m);
enum kb_status __wrap_kb_mail_parse(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_mail *ret_m);

/* A wild write: SIGSEGV. */
static void stray(void)
{
	int *volatile nowhere = NULL;
	*nowhere = 1;
}

static void hang(void)
{
	for (volatile int i = 0;; i = !i)
		;
}

/* Hangs where its own deadline cannot reach it. */
static void hang_deaf(void)
{
	const struct itimerval never = {0};
	if (setitimer(ITIMER_REAL, &never, NULL) == 0)
		hang();
}

static const struct flaw {
	const char *word;
	void (*happens)(void);
} flaws[] = {
    {"kitebox-flaw-abort", abort},
    {"kitebox-flaw-stray", stray},
    {"kitebox-flaw-hang", hang},
    {"kitebox-flaw-deaf", hang_deaf},
};

enum kb_status __wrap_kb_mail_parse(struct kb_diag *d, struct kb_span raw, const struct kb_limits *limit, struct kb_mail *ret_m)
{
	for (size_t i = 0; i < KB_LEN(flaws); i++)
		if (memmem(raw.p, raw.len, flaws[i].word, strlen(flaws[i].word)))
			flaws[i].happens();
	return __real_kb_mail_parse(d, raw, limit, ret_m);
}
