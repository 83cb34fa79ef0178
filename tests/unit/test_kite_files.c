/* kite_writer, kite_spool, kite_keys: what seal and open read and write. */
#include "kbtest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "keys.h"
#include "kitesay.h"
#include "passphrase.h"
#include "spool.h"
#include "writer.h"

struct place {
	char dir[64], path[96];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/kite-files-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->path, sizeof(p->path), "%s/file", p->dir);
	said_clear();
	*state = p;
	return 0;
}

static size_t count(const char *folder)
{
	size_t n = 0;
	DIR *d = opendir(folder);
	struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	(void)closedir(d);
	return n;
}

static int teardown(void **state)
{
	struct place *p = *state;
	(void)unlink(p->path);
	assert_int_equal(rmdir(p->dir), 0); /* nothing else was left */
	free(p);
	return 0;
}

/* ---- writer ---- */

static void a_file_has_its_name_only_when_it_is_whole(void **state)
{
	const struct place *p = *state;
	struct kite_writer w;
	struct stat s;
	assert_ok(kite_writer_open(NULL, p->path, &w));
	assert_ok(kite_writer_add(&w, KB_LIT("one")));
	assert_ok(kite_writer_add(&w, KB_LIT("two")));
	assert_int_not_equal(access(p->path, F_OK), 0);
	assert_ok(kite_writer_commit(NULL, &w));
	kite_writer_abandon(&w);
	assert_int_equal(stat(p->path, &s), 0);
	assert_int_equal(s.st_size, 6);
	assert_int_equal(s.st_mode & 07777, 0600);
	assert_int_equal(count(p->dir), 1);
}

static void a_file_that_is_abandoned_leaves_nothing(void **state)
{
	const struct place *p = *state;
	struct kite_writer w;
	assert_ok(kite_writer_open(NULL, p->path, &w));
	assert_ok(kite_writer_add(&w, KB_LIT("one")));
	kite_writer_abandon(&w);
	kite_writer_abandon(&w);
	assert_int_equal(count(p->dir), 0);
}

static void what_has_the_name_already_is_left_alone(void **state)
{
	const struct place *p = *state;
	struct kite_writer w, late;
	assert_ok(kite_writer_open(NULL, p->path, &late));
	close(open(p->path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(kite_writer_open(NULL, p->path, &w), KB_SEQUENCE);
	assert_int_equal(kite_writer_commit(NULL, &late), KB_SEQUENCE); /* it came in between */
	kite_writer_abandon(&late);
	assert_int_equal(count(p->dir), 1);
}

static void what_is_no_file_is_refused(void **state)
{
	const struct place *p = *state;
	struct kite_writer w;
	char path[600];
	assert_int_equal(kite_writer_open(NULL, "", &w), KB_MALFORMED);
	assert_int_equal(kite_writer_open(NULL, "/tmp/", &w), KB_MALFORMED);
	assert_int_equal(kite_writer_open(NULL, "..", &w), KB_MALFORMED);
	(void)snprintf(path, sizeof(path), "%s/%0300d", p->dir, 7);
	assert_int_equal(kite_writer_open(NULL, path, &w), KB_LIMIT);
	(void)snprintf(path, sizeof(path), "%s/not/there", p->dir);
	assert_int_equal(kite_writer_open(NULL, path, &w), KB_IO);
}

/* ---- spool ---- */

static void pattern(const char *path, size_t n)
{
	uint8_t *octets = malloc(n + 1);
	assert_non_null(octets);
	for (size_t i = 0; i < n; i++)
		octets[i] = (uint8_t)(i * 2654435761u >> 13);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_int_equal(write(fd, octets, n), n);
	close(fd);
	free(octets);
}

/* Reads to the end in steps of odd sizes, and compares. */
static void reads_as_the_pattern(struct kite_spool *s, size_t n)
{
	uint8_t *step = malloc(70001);
	size_t at = 0, got = 1;
	assert_non_null(step);
	while (got) {
		assert_ok(kite_spool_source(s, step, 70001, &got));
		for (size_t i = 0; i < got; i++, at++)
			if (step[i] != (uint8_t)(at * 2654435761u >> 13))
				fail_msg("octet %zu differs", at);
	}
	assert_int_equal(at, n);
	free(step);
}

static void a_file_reads_twice_whatever_its_length(void **state)
{
	static const size_t lengths[] = {
	    0, 1, KITE_SPOOL_MEMORY - 1, KITE_SPOOL_MEMORY, KITE_SPOOL_MEMORY + 1, 3 * KITE_SPOOL_MEMORY + 17};
	const struct place *p = *state;
	for (size_t i = 0; i < KB_LEN(lengths); i++) {
		struct kite_spool s;
		pattern(p->path, lengths[i]);
		assert_ok(kite_spool_open(NULL, p->path, &s));
		assert_int_equal(s.whole, lengths[i] < KITE_SPOOL_MEMORY);
		assert_ok(kite_spool_keep(NULL, &s));
		reads_as_the_pattern(&s, lengths[i]);
		assert_ok(kite_spool_rewind(NULL, &s));
		reads_as_the_pattern(&s, lengths[i]);
		kite_spool_close(&s);
	}
}

/* What comes through a pipe lies meanwhile in a file that has no name. */
static void a_pipe_reads_twice_too_and_leaves_no_file(void **state)
{
	const struct place *p = *state;
	struct kite_spool s;
	char cat[128];
	size_t n = 2 * KITE_SPOOL_MEMORY + 5;
	int before = dup(STDIN_FILENO), ends[2];
	(void)setenv("TMPDIR", p->dir, 1);
	pattern(p->path, n);
	assert_int_equal(pipe(ends), 0);
	(void)snprintf(cat, sizeof(cat), "/proc/self/fd/%d", ends[1]);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/cat", "cat", p->path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
	close(ends[0]);
	assert_ok(kite_spool_open(NULL, "-", &s));
	assert_ok(kite_spool_keep(NULL, &s));
	assert_int_equal(count(p->dir), 1);
	reads_as_the_pattern(&s, n);
	assert_ok(kite_spool_rewind(NULL, &s));
	reads_as_the_pattern(&s, n);
	kite_spool_close(&s);
	assert_true(dup2(before, STDIN_FILENO) >= 0);
	close(before);
	(void)unsetenv("TMPDIR");
}

static void a_file_is_gathered_as_a_whole(void **state)
{
	const struct place *p = *state;
	struct kite_spool s;
	size_t n = KITE_SPOOL_MEMORY + 100;
	pattern(p->path, n);
	assert_ok(kite_spool_open(NULL, p->path, &s));
	assert_false(s.whole);
	assert_ok(kite_spool_gather(NULL, &s));
	assert_true(s.whole);
	assert_int_equal(s.head.len, n);
	reads_as_the_pattern(&s, n);
	kite_spool_close(&s);
	assert_int_equal(kite_spool_open(NULL, "/nonexistent", &s), KB_NOTFOUND);
}

/* ---- keys and passphrases ---- */

static void an_identity_file_is_comments_and_keys(void **state)
{
	static struct kite_keys keys;
	char text[2 * KB_IDENTITY_TEXT + 64], secret[2][KB_IDENTITY_TEXT];
	size_t line = 0;
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct kb_identity *id = kb_identity_generate();
		kb_identity_format(id, secret[i]);
		kb_identity_free(&id);
	}
	keys.n = 0;
	(void)snprintf(text, sizeof(text), "# a comment\r\n\n  %s\n#\n%s", secret[0], secret[1]);
	assert_ok(kite_keys_parse(kb_span_str(text), &keys, &line));
	assert_int_equal(keys.n, 2);
	kite_keys_release(&keys);
	(void)snprintf(text, sizeof(text), "%s\nage1notasecret\n", secret[0]);
	assert_int_equal(kite_keys_parse(kb_span_str(text), &keys, &line), KB_MALFORMED);
	assert_int_equal(line, 2);
	kite_keys_release(&keys);
	assert_int_equal(keys.n, 0);
}

static void put(const char *path, struct kb_span s)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_int_equal(write(fd, s.p, s.len), s.len);
	close(fd);
}

static enum kb_status passphrase(const char *path, bool fresh, struct kite_passphrase **ret_p)
{
	static const struct kite_option file = {"passphrase-file", 0, "FILE", ""};
	static struct kite k;
	k.args.given[0].option = &file;
	k.args.given[0].value = path;
	k.args.n = 1;
	said_clear();
	return kite_passphrase_get(&k, "Passphrase", fresh, ret_p);
}

static void a_passphrase_is_the_first_line_of_its_file(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {{"secret words\n", "secret words"}, {"secret words", "secret words"},
	    {"secret words\r\nmore\n", "secret words"}, {" with spaces \n\n", " with spaces "},
	    {"ungewöhnlich\n", "ungewöhnlich"}};
	const struct place *p = *state;
	for (size_t i = 0; i < KB_LEN(rows); i++) {
		struct kite_passphrase *pass = NULL;
		put(p->path, kb_span_str(rows[i].text));
		assert_ok(passphrase(p->path, true, &pass));
		assert_true(kb_span_eq(kite_passphrase_span(pass), kb_span_str(rows[i].expected)));
		kite_passphrase_free(&pass);
		assert_null(pass);
	}
}

static void a_passphrase_that_protects_nothing_is_refused(void **state)
{
	const struct place *p = *state;
	struct kite_passphrase *pass = NULL;
	char much[1100];
	put(p->path, KB_LIT("\nsecond line\n"));
	assert_int_equal(passphrase(p->path, false, &pass), KB_MALFORMED);
	put(p->path, KB_LIT("short\n"));
	assert_int_equal(passphrase(p->path, true, &pass), KB_LIMIT);
	assert_non_null(strstr(said(), "too short"));
	assert_null(strstr(said(), "short\n\n"));
	assert_ok(passphrase(p->path, false, &pass)); /* what has been set is taken as it is */
	kite_passphrase_free(&pass);
	memset(much, 'x', sizeof(much));
	put(p->path, KB_SPAN(much, sizeof(much)));
	assert_int_equal(passphrase(p->path, false, &pass), KB_LIMIT);
	assert_int_equal(passphrase("/nonexistent", false, &pass), KB_IO);
	assert_non_null(strstr(said(), "/nonexistent"));
	assert_null(pass);
}

#define PLACE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	(void)umask(077);
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		PLACE(a_file_has_its_name_only_when_it_is_whole),
		PLACE(a_file_that_is_abandoned_leaves_nothing),
		PLACE(what_has_the_name_already_is_left_alone),
		PLACE(what_is_no_file_is_refused),
		PLACE(a_file_reads_twice_whatever_its_length),
		PLACE(a_pipe_reads_twice_too_and_leaves_no_file),
		PLACE(a_file_is_gathered_as_a_whole),
		PLACE(an_identity_file_is_comments_and_keys),
		PLACE(a_passphrase_is_the_first_line_of_its_file),
		PLACE(a_passphrase_that_protects_nothing_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
