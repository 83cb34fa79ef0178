/* crashrun: see crashrun.h. */
#include "crashrun.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LETTERS = 12 };

/* Single letters, groups, one that is large, and a duplicate. */
static struct letter letter(unsigned i)
{
	struct letter l = {.number = i + 1, .class_ = (uint8_t)(i % KB_CLASS_COUNT), .destinations = i % 3, .outbox_key = i % 2, .len = 400 + 700 * i};
	if (i == 5)
		l.len = KB_BLOB_WHOLE + 5000;
	if (i == 9)
		l = (struct letter){.number = 4, .resent = 1, .class_ = 3, .len = 400 + 700 * 3};
	return l;
}

static void promise(int to, unsigned i)
{
	uint8_t octet = (uint8_t)i;
	if (write(to, &octet, 1) != 1)
		_exit(3);
}

static bool put_group(struct fix *f, unsigned from, unsigned n)
{
	struct parcel p[LETTERS];
	struct kb_put_result r;
	enum kb_status st = kb_store_begin(NULL, f->s, f->now_s);
	for (unsigned i = 0; st == KB_OK && i < n; i++) {
		struct letter l = letter(from + i);
		parcel_new(f, &l, &p[i]);
		st = kb_store_put(NULL, f->s, &p[i].put, NULL, &r);
		parcel_release(&p[i]);
	}
	return st == KB_OK && kb_store_commit(NULL, f->s) == KB_OK;
}

static void send_one(struct fix *f)
{
	struct kb_place at = {0};
	struct kb_referral r;
	if (kb_due_next(NULL, f->s, f->now_s, &at, &r) != KB_OK)
		_exit(4);
	fix_event(f, &r, KB_EVENT_TAKE, 0);
	fix_event(f, &r, KB_EVENT_DELIVER, 250);
}

/* The child: takes mail, and says of each letter that it is stored once it is. */
static void work(struct fix *f, int to)
{
	struct kb_put_result r;
	fix_reopen(f);
	while (kb_store_tidy(NULL, f->s, f->now_s) == KB_AGAIN)
		continue;
	for (unsigned i = 0; i < 8; i++) {
		struct letter l = letter(i);
		if (fix_put(f, &l, &r) != KB_OK)
			_exit(1);
		promise(to, i);
	}
	send_one(f);
	if (!put_group(f, 8, 4))
		_exit(2);
	for (unsigned i = 8; i < LETTERS; i++)
		promise(to, i);
	_exit(0);
}

/* A store whose head names pages that never reached the disk is one that cannot even be read: LMDB's map ends before them. */
static sigjmp_buf beyond_the_end;

static void on_bus(int signal_)
{
	(void)signal_;
	siglongjmp(beyond_the_end, 1);
}

static void count_lost(struct fix *f, const bool *promised, struct crash_left *left)
{
	struct kb_diag d = {0};
	static const struct kb_store_clocks clocks = {.held_s = 86400, .retry_first_s = 60, .retry_most_s = 14400, .tick_s = 60};
	enum kb_status st = kb_store_open(&d, f->dir, f->map_octets, &f->s);
	if (st == KB_OK)
		st = kb_store_unlock(&d, f->s, f->vault_key, f->now_s);
	left->opened = st == KB_OK;
	if (!left->opened)
		return;
	kb_store_referral_key(f->s, &f->referral);
	kb_store_clocks(f->s, &clocks);
	for (unsigned i = 0; i < LETTERS; i++) {
		struct kb_put_result r;
		struct letter l = letter(i);
		struct parcel p;
		parcel_new(f, &l, &p);
		left->lost += promised[i] && kb_store_seen(NULL, f->s, &p.put, &r) != KB_OK;
		parcel_release(&p);
	}
}

static void look(struct fix *f, const bool *promised, struct crash_left *left)
{
	void (*before)(int) = signal(SIGBUS, on_bus);
	for (unsigned i = 0; i < LETTERS; i++)
		left->promised += promised[i];
	if (sigsetjmp(beyond_the_end, 1) == 0)
		count_lost(f, promised, left);
	else
		left->opened = false;
	(void)signal(SIGBUS, before);
	if (!left->opened)
		left->lost = left->promised;
	if (left->lost || !left->opened)
		return;
	while (kb_store_tidy(NULL, f->s, f->now_s) == KB_AGAIN)
		continue;
	fix_check(f);
}

void crash_run(enum crash how, uint64_t step, uint32_t seed, struct crash_left *ret_left)
{
	struct crash_left left = {0};
	bool promised[LETTERS] = {false};
	struct fix *f = fix_new();
	int ends[2], status;
	uint8_t octet;
	fix_close(f); /* no process forks with the store open */
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		crash_arm(how, step, seed);
		work(f, ends[1]);
	}
	close(ends[1]);
	while (read(ends[0], &octet, 1) == 1)
		promised[octet] = true;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	left.finished = WIFEXITED(status);
	look(f, promised, &left);
	*ret_left = left;
	fix_free(f);
}
