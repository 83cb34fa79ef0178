/*
 * replay: feeds a fuzz target its corpus and, for each file of it, some deterministic mutations: what any compiler can run in
 * every test run. Real fuzzing is -Dfuzz=true.
 *
 *     fuzz_NAME PATH...     a path is a file, or a folder whose files are fed in the order of their names
 *
 * Each input lies in an allocation of exactly its length, so that a sanitizer sees the first octet read past it. The same
 * files give the same inputs, on every machine. When a target fails, the file and the number of the mutation are said.
 *
 * Errors:    a path that is missing, unreadable, or a folder without files: exit status 1. A corpus that was mislaid must
 *            not look like one that passed.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
/* Only there in a build with a sanitizer, whose reports end the program without a signal. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum {
	MUTATIONS_MOST = 200,  /* of one file */
	MUTATIONS_LEAST = 10,
	OCTETS_A_FILE = 8 << 20, /* a large file gets fewer mutations rather than a slow test */
	GROWTH = 4096,
	STACKED_MOST = 4,
};

struct input {
	uint8_t *p;
	size_t len, cap;
};

/* What is being fed, for the report of a failure: the one thing that a signal handler can reach. */
static struct {
	char path[4096];
	size_t path_len;
	volatile unsigned mutation;
} current;

static void say(const char *s, size_t n)
{
	if (write(STDERR_FILENO, s, n) < 0)
		return;
}

static void report(void)
{
	char digits[12];
	size_t n = sizeof(digits);
	unsigned v = current.mutation;
	do
		digits[--n] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	say("replay: failed at ", 18);
	say(current.path, current.path_len);
	say(", mutation ", 11);
	say(digits + n, sizeof(digits) - n);
	say(" (0: the file itself)\n", 22);
}

static void on_signal(int sig)
{
	report();
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

/* splitmix64: small, and the same everywhere. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
	return n ? (size_t)(draw(state) % n) : 0;
}

static void flip_bit(struct input *in, uint64_t *state)
{
	size_t at = below(state, in->len);
	if (in->len)
		in->p[at] ^= (uint8_t)(1u << below(state, 8));
}

static void set_octet(struct input *in, uint64_t *state)
{
	static const uint8_t telling[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, '\r', '\n', ' ', '"', ':', ';', '-', '=', '<', '0'};
	size_t at = below(state, in->len);
	if (in->len)
		in->p[at] = telling[below(state, sizeof(telling))];
}

static void cut_end(struct input *in, uint64_t *state)
{
	in->len = below(state, in->len);
}

static void cut_range(struct input *in, uint64_t *state)
{
	size_t at = below(state, in->len), n = 1 + below(state, (in->len - at) / 2 + 1);
	if (n > in->len - at)
		return;
	memmove(in->p + at, in->p + at + n, in->len - at - n);
	in->len -= n;
}

static void repeat_range(struct input *in, uint64_t *state)
{
	size_t at = below(state, in->len), n = 1 + below(state, in->len - at);
	if (n > in->len - at || n > in->cap - in->len)
		return;
	memmove(in->p + at + n, in->p + at, in->len - at);
	in->len += n;
}

static void add_octet(struct input *in, uint64_t *state)
{
	size_t at = below(state, in->len + 1);
	if (in->len == in->cap)
		return;
	memmove(in->p + at + 1, in->p + at, in->len - at);
	in->p[at] = (uint8_t)draw(state);
	in->len++;
}

static void (*const mutators[])(struct input *in, uint64_t *state) = {
	flip_bit, flip_bit, set_octet, cut_end, cut_range, repeat_range, add_octet,
};

static void *allocate(size_t n)
{
	void *p = malloc(n); /* of 0 octets too: then any read is one too many */
	if (!p)
		abort();
	return p;
}

static void feed(const uint8_t *p, size_t n)
{
	uint8_t *exact = allocate(n);
	if (n)
		memcpy(exact, p, n);
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

/* The file itself, then its mutations; says how many inputs that were. */
static size_t feed_all(const uint8_t *p, size_t len)
{
	size_t most = len ? OCTETS_A_FILE / len : MUTATIONS_MOST;
	most = most > MUTATIONS_MOST ? MUTATIONS_MOST : most < MUTATIONS_LEAST ? MUTATIONS_LEAST : most;
	struct input in = {.p = allocate(len + GROWTH), .cap = len + GROWTH};
	uint64_t state = UINT64_C(0x6B697465626F7831) ^ len;
	current.mutation = 0;
	feed(p, len);
	for (size_t i = 1; i <= most; i++) {
		current.mutation = (unsigned)i;
		if (len)
			memcpy(in.p, p, len);
		in.len = len;
		for (size_t n = 1 + below(&state, STACKED_MOST); n; n--)
			mutators[below(&state, sizeof(mutators) / sizeof(mutators[0]))](&in, &state);
		feed(in.p, in.len);
	}
	free(in.p);
	return 1 + most;
}

static bool replay_file(const char *path, size_t *count)
{
	struct stat sb;
	FILE *f = fopen(path, "rb");
	if (!f || fstat(fileno(f), &sb) < 0 || !S_ISREG(sb.st_mode)) {
		(void)fprintf(stderr, "replay: %s cannot be read as a file\n", path);
		if (f)
			(void)fclose(f);
		return false;
	}
	size_t len = (size_t)sb.st_size;
	uint8_t *p = allocate(len);
	bool whole = fread(p, 1, len, f) == len;
	(void)fclose(f);
	if (whole) {
		current.path_len = (size_t)snprintf(current.path, sizeof(current.path), "%s", path);
		if (current.path_len >= sizeof(current.path))
			current.path_len = sizeof(current.path) - 1;
		*count += feed_all(p, len);
	} else {
		(void)fprintf(stderr, "replay: %s ended early\n", path);
	}
	free(p);
	return whole;
}

static int is_entry(const struct dirent *e)
{
	return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

/* By octets, so that the locale does not decide about the order. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool replay_folder(const char *path, size_t *count)
{
	struct dirent **entry = NULL;
	int n = scandir(path, &entry, is_entry, by_name);
	bool fine = n > 0;
	if (!fine)
		(void)fprintf(stderr, "replay: %s holds no corpus: %s\n", path, n < 0 ? strerror(errno) : "it is empty");
	for (int i = 0; i < n; i++) {
		char *file = NULL;
		if (asprintf(&file, "%s/%s", path, entry[i]->d_name) < 0)
			abort();
		fine = replay_file(file, count) && fine;
		free(file);
		free(entry[i]);
	}
	free(entry);
	return fine;
}

int main(int argc, char **argv)
{
	size_t count = 0;
	bool fine = argc > 1;
	if (!fine)
		(void)fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(report);
	(void)signal(SIGABRT, on_signal);
	(void)signal(SIGSEGV, on_signal);
	for (int i = 1; i < argc; i++) {
		struct stat sb;
		bool folder = stat(argv[i], &sb) == 0 && S_ISDIR(sb.st_mode);
		fine = (folder ? replay_folder(argv[i], &count) : replay_file(argv[i], &count)) && fine;
	}
	(void)printf("%zu inputs\n", count);
	return fine ? 0 : 1;
}
