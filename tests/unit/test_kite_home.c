/* kite_home: where things are, and what is remembered. */
#include "kbtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "home.h"
#include "kitesay.h"

static const struct kite_option home = {"home", 0, "DIR", ""}, desk = {"desk", 0, "SOCKET", ""},
				libexec = {"libexec", 0, "DIR", ""};

struct place {
	char dir[64];
	struct kite k;
	char path[KITE_PATH];
};

static int setup(void **state)
{
	static const char *const names[] = {"KITE_HOME", "XDG_CONFIG_HOME", "KITE_LIBEXEC", "HOME"};
	struct place *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	for (size_t i = 0; i < KB_LEN(names); i++)
		(void)unsetenv(names[i]);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/kite-home-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	said_clear();
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"settings", "store", "a/b/store", "a/b", "a", ""};
	struct place *p = *state;
	char path[256];
	for (size_t i = 0; i < KB_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		(void)remove(path);
	}
	assert_int_not_equal(access(p->dir, F_OK), 0);
	free(p);
	return 0;
}

static void give(struct kite *k, const struct kite_option *o, const char *value)
{
	k->args.given[k->args.n].option = o;
	k->args.given[k->args.n++].value = value;
}

static void settings(struct place *p, const char *text)
{
	give(&p->k, &home, p->dir);
	assert_ok(kite_find_home(&p->k));
	assert_ok(kite_home_write(&p->k, "settings", kb_span_str(text)));
}

static void the_folder_is_the_options_then_the_environments(void **state)
{
	struct place *p = *state;
	assert_ok(kite_find_home(&p->k));
	assert_string_equal(p->k.home, "/.config/kite");
	(void)setenv("HOME", "/home/anna", 1);
	assert_ok(kite_find_home(&p->k));
	assert_string_equal(p->k.home, "/home/anna/.config/kite");
	(void)setenv("XDG_CONFIG_HOME", "/config", 1);
	assert_ok(kite_find_home(&p->k));
	assert_string_equal(p->k.home, "/config/kite");
	(void)setenv("KITE_HOME", "/kite", 1);
	assert_ok(kite_find_home(&p->k));
	assert_string_equal(p->k.home, "/kite");
	give(&p->k, &home, "/option");
	assert_ok(kite_find_home(&p->k));
	assert_string_equal(p->k.home, "/option");
}

static void desk_and_programs_come_from_option_or_settings(void **state)
{
	struct place *p = *state;
	settings(p, "# mine\n  desk   /run/mine.sock  \nlibexec /opt/kite\ndesktop no\n");
	assert_ok(kite_find_desk(&p->k, p->path));
	assert_string_equal(p->path, "/run/mine.sock");
	assert_ok(kite_find_libexec(&p->k, p->path));
	assert_string_equal(p->path, "/opt/kite");
	(void)setenv("KITE_LIBEXEC", "/env", 1);
	assert_ok(kite_find_libexec(&p->k, p->path));
	assert_string_equal(p->path, "/env");
	give(&p->k, &desk, "/option.sock");
	give(&p->k, &libexec, "/option");
	assert_ok(kite_find_desk(&p->k, p->path));
	assert_string_equal(p->path, "/option.sock");
	assert_ok(kite_find_libexec(&p->k, p->path));
	assert_string_equal(p->path, "/option");
}

static void without_settings_there_are_defaults(void **state)
{
	struct place *p = *state;
	give(&p->k, &home, p->dir);
	assert_ok(kite_find_home(&p->k));
	assert_ok(kite_find_desk(&p->k, p->path));
	assert_string_equal(p->path, "/run/kitebox/desk.sock");
	assert_ok(kite_find_libexec(&p->k, p->path));
	assert_string_equal(p->path, KB_LIBEXECDIR);
	assert_false(kite_home_on_host(&p->k));
	assert_string_equal(said(), "");
}

static void a_setting_is_a_whole_word(void **state)
{
	struct place *p = *state;
	settings(p, "#desk /no\ndesks /no\non-host yes\n");
	assert_ok(kite_find_desk(&p->k, p->path));
	assert_string_equal(p->path, "/run/kitebox/desk.sock");
	assert_true(kite_home_on_host(&p->k));
	assert_ok(kite_home_write(&p->k, "settings", KB_LIT("on-host yess\n")));
	assert_false(kite_home_on_host(&p->k));
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	struct place *p = *state;
	static char path[KITE_PATH + 1];
	memset(path, 'x', sizeof(path) - 1);
	give(&p->k, &desk, path);
	assert_int_equal(kite_find_desk(&p->k, p->path), KB_LIMIT);
	give(&p->k, &home, path);
	assert_int_equal(kite_find_home(&p->k), KB_LIMIT);
}

static void what_is_written_makes_the_folders_above_it_private(void **state)
{
	struct place *p = *state;
	char path[128];
	struct stat s;
	struct kb_buf b;
	(void)snprintf(path, sizeof(path), "%s/a/b", p->dir);
	give(&p->k, &home, path);
	assert_ok(kite_find_home(&p->k));
	kb_buf_init(&b, 1 << 17);
	assert_int_equal(kite_home_read(&p->k, "store", 100, &b), KB_NOTFOUND);
	assert_string_equal(said(), "");
	assert_ok(kite_home_write(&p->k, "store", KB_LIT("x")));
	assert_ok(kite_home_read(&p->k, "store", 100, &b));
	assert_span(kb_buf_span(&b), "x");
	kb_buf_release(&b);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0700);
	(void)snprintf(path, sizeof(path), "%s/a/b/store", p->dir);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
}

static void a_memory_reads_as_it_was_written(void **state)
{
	struct kite_memory m = {.roster = 4294967295}, again;
	struct kb_buf b;
	(void)state;
	kb_id_random(&m.store);
	kb_buf_init(&b, 1024);
	assert_ok(kite_memory_format(&m, &b));
	assert_ok(kite_memory_parse(kb_buf_span(&b), &again));
	assert_memory_equal(&m, &again, sizeof(m));
	kb_buf_release(&b);
}

static void a_memory_that_was_tampered_with_is_not_half_believed(void **state)
{
#define STORE "store 4f0c3d6a9b1e4c7f8a2d5e6b7c8d9e0f\n"
	static const char *const bad[] = {"", STORE, "roster 1\n", (STORE "roster 0\n"), (STORE "roster 4294967296\n"),
	    (STORE "roster -1\n"), (STORE "roster 1\nmore\n"), "store 4f0c\nroster 1\n", (STORE "roster 1 \n"),
	    ("roster 1\n" STORE)};
	struct kite_memory m;
	(void)state;
	assert_ok(kite_memory_parse(KB_LIT(STORE "roster 7\n"), &m));
	assert_int_equal(m.roster, 7);
	for (size_t i = 0; i < KB_LEN(bad); i++)
		assert_int_equal(kite_memory_parse(kb_span_str(bad[i]), &m), KB_MALFORMED);
}

/* What `tail -n 1 office.pub | sha256sum` prints, so that nobody has to believe kite. */
static void a_fingerprint_is_the_hash_of_the_keys_line(void **state)
{
	struct kb_minisign_key k;
	char line[KB_MINISIGN_PUBLIC_TEXT + 1], print[KITE_FINGERPRINT_TEXT], hex[65], joined[65];
	uint8_t hash[32];
	size_t n = 0;
	(void)state;
	kb_minisign_generate(&k);
	kb_minisign_public_format(&k.pub, line);
	kite_fingerprint(&k.pub, print);
	line[strlen(line) + 1] = '\0';
	line[strlen(line)] = '\n';
	crypto_hash_sha256(hash, (const uint8_t *)line, strlen(line));
	(void)sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	for (const char *c = print; *c; c++)
		if (*c != ' ')
			joined[n++] = *c;
	joined[n] = '\0';
	assert_string_equal(joined, hex);
	kb_minisign_release(&k);
}

#define PLACE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	(void)umask(077);
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		PLACE(the_folder_is_the_options_then_the_environments),
		PLACE(desk_and_programs_come_from_option_or_settings),
		PLACE(without_settings_there_are_defaults),
		PLACE(a_setting_is_a_whole_word),
		PLACE(a_path_that_is_too_long_is_refused),
		PLACE(what_is_written_makes_the_folders_above_it_private),
		PLACE(a_memory_reads_as_it_was_written),
		PLACE(a_memory_that_was_tampered_with_is_not_half_believed),
		PLACE(a_fingerprint_is_the_hash_of_the_keys_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
