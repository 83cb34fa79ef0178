/* kite_folder, kite_file: files that are whole, named by ids and times, readable by their owner alone, and never there twice. */
#include "kbtest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "folder.h"
#include "kitesay.h"

struct place {
	char dir[64], path[96];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/kite-folder-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->path, sizeof(p->path), "%s/out", p->dir);
	said_clear();
	*state = p;
	return 0;
}

static void empty(const char *path)
{
	char sub[512];
	DIR *d = opendir(path);
	struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		if (unlink(sub) < 0)
			empty(sub);
	}
	(void)closedir(d);
	assert_int_equal(rmdir(path), 0);
}

static int teardown(void **state)
{
	struct place *p = *state;
	empty(p->dir);
	free(p);
	return 0;
}

static struct kb_desk_message message(uint8_t n)
{
	struct kb_desk_message m = {.received_s = 1764000000 + n};
	memset(m.id.b, n, sizeof(m.id.b));
	return m;
}

static void holds(const char *folder, const char *name, const char *expected)
{
	char path[256], octets[256];
	struct stat s;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	assert_int_equal(read(fd, octets, sizeof(octets)), strlen(expected));
	assert_memory_equal(octets, expected, strlen(expected));
	close(fd);
}

static size_t count(const char *folder)
{
	size_t n = 0;
	DIR *d = opendir(folder);
	struct dirent *e;
	assert_non_null(d);
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(d);
	return n;
}

static void a_message_is_a_file_of_its_owners_alone(void **state)
{
	const struct place *p = *state;
	struct kite_folder f;
	struct stat s;
	struct kb_desk_message m = message(0xAB);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	assert_false(kite_folder_has(&f, &m));
	assert_ok(kite_folder_put(&f, &m, KB_LIT("octets")));
	assert_ok(kite_folder_sync(&f));
	kite_folder_close(&f);
	holds(p->path, "K-0000-0000.abababababababababababababababab.eml", "octets");
	assert_int_equal(count(p->path), 1);
	assert_int_equal(stat(p->path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0700);
}

static void what_is_there_already_is_known_by_its_id(void **state)
{
	const struct place *p = *state;
	struct kite_folder f;
	struct kb_desk_message one = message(1), two = message(2);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	assert_ok(kite_folder_put(&f, &one, KB_LIT("1")));
	kite_folder_close(&f);
	one.case_id.b[0] = 9; /* it went into another case meanwhile */
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	assert_true(kite_folder_has(&f, &one));
	assert_false(kite_folder_has(&f, &two));
	kite_folder_close(&f);
}

static void a_file_of_another_kind_does_not_count(void **state)
{
	const struct place *p = *state;
	struct kite_folder f;
	struct kb_desk_message one = message(1);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	assert_ok(kite_folder_put(&f, &one, KB_LIT("1")));
	kite_folder_close(&f);
	assert_ok(kite_folder_open(p->path, ".age", false, &f));
	assert_false(kite_folder_has(&f, &one));
	kite_folder_close(&f);
}

static void a_file_is_never_written_over(void **state)
{
	const struct place *p = *state;
	struct kite_folder f;
	struct kb_desk_message one = message(1);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	assert_ok(kite_folder_put(&f, &one, KB_LIT("first")));
	assert_int_equal(kite_folder_put(&f, &one, KB_LIT("second")), KB_SEQUENCE);
	kite_folder_close(&f);
	holds(p->path, "K-0000-0000.01010101010101010101010101010101.eml", "first");
	assert_int_equal(count(p->path), 1);
}

static void a_maildir_has_its_three_folders_and_new_mail_in_new(void **state)
{
	const struct place *p = *state;
	char new[128], cur[128], from[256], to[256];
	struct kite_folder f;
	struct kb_desk_message one = message(1), two = message(2);
	(void)snprintf(new, sizeof(new), "%s/new", p->path);
	(void)snprintf(cur, sizeof(cur), "%s/cur", p->path);
	assert_ok(kite_folder_open(p->path, "", true, &f));
	assert_ok(kite_folder_put(&f, &one, KB_LIT("1")));
	assert_ok(kite_folder_put(&f, &two, KB_LIT("2")));
	kite_folder_close(&f);
	assert_int_equal(count(p->path), 3);
	holds(new, "1764000001.01010101010101010101010101010101.K-0000-0000", "1");
	/* a mail program has read it */
	(void)snprintf(from, sizeof(from), "%s/1764000001.01010101010101010101010101010101.K-0000-0000", new);
	(void)snprintf(to, sizeof(to), "%s/1764000001.01010101010101010101010101010101.K-0000-0000:2,S", cur);
	assert_int_equal(rename(from, to), 0);
	assert_ok(kite_folder_open(p->path, "", true, &f));
	assert_true(kite_folder_has(&f, &one));
	assert_true(kite_folder_has(&f, &two));
	kite_folder_close(&f);
}

static void what_an_interrupted_run_left_is_replaced(void **state)
{
	const struct place *p = *state;
	char part[256];
	struct kite_folder f;
	struct kb_desk_message one = message(1);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	(void)snprintf(part, sizeof(part), "%s/.K-0000-0000.01010101010101010101010101010101.eml.part", p->path);
	close(open(part, O_CREAT | O_WRONLY, 0644));
	kite_folder_close(&f);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	assert_false(kite_folder_has(&f, &one)); /* half a file is no message */
	assert_ok(kite_folder_put(&f, &one, KB_LIT("whole")));
	kite_folder_close(&f);
	holds(p->path, "K-0000-0000.01010101010101010101010101010101.eml", "whole");
	assert_int_equal(count(p->path), 1);
}

static void a_link_in_a_files_place_is_not_followed(void **state)
{
	const struct place *p = *state;
	char link[256], target[128];
	struct kite_folder f;
	struct kb_desk_message one = message(1);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	(void)snprintf(target, sizeof(target), "%s/elsewhere", p->dir);
	(void)snprintf(link, sizeof(link), "%s/K-0000-0000.01010101010101010101010101010101.eml", p->path);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(kite_folder_put(&f, &one, KB_LIT("x")), KB_SEQUENCE);
	assert_int_not_equal(access(target, F_OK), 0);
	kite_folder_close(&f);
}

static void a_folder_that_cannot_be_made_is_said(void **state)
{
	const struct place *p = *state;
	char path[128];
	struct kite_folder f;
	(void)snprintf(path, sizeof(path), "%s/not/there", p->dir);
	assert_int_equal(kite_folder_open(path, ".eml", false, &f), KB_IO);
	assert_non_null(strstr(said(), path));
}

static void a_folder_that_others_may_look_into_is_said(void **state)
{
	const struct place *p = *state;
	struct kite_folder f;
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	kite_folder_close(&f);
	assert_string_equal(said(), "");
	assert_int_equal(chmod(p->path, 0750), 0);
	assert_ok(kite_folder_open(p->path, ".eml", false, &f));
	kite_folder_close(&f);
	assert_non_null(strstr(said(), p->path));
	assert_int_equal(chmod(p->path, 0700), 0);
}

static void a_folder_that_must_be_empty_is_not_taken_otherwise(void **state)
{
	const struct place *p = *state;
	int fd = -1;
	assert_ok(kite_dir_open(NULL, AT_FDCWD, p->path, true, &fd));
	assert_ok(kite_file_new(NULL, fd, "x", KB_LIT("x")));
	close(fd);
	assert_int_equal(kite_dir_open(NULL, AT_FDCWD, p->path, true, &fd), KB_SEQUENCE);
	assert_ok(kite_dir_open(NULL, AT_FDCWD, p->path, false, &fd));
	assert_ok(kite_file_replace(NULL, fd, "x", KB_LIT("y")));
	close(fd);
	holds(p->path, "x", "y");
}

static void a_file_past_its_limit_is_not_read(void **state)
{
	const struct place *p = *state;
	char path[128];
	int fd = -1;
	struct kb_buf b;
	struct kb_diag d = {0};
	assert_ok(kite_dir_open(NULL, AT_FDCWD, p->path, true, &fd));
	assert_ok(kite_file_new(NULL, fd, "x", KB_LIT("0123456789")));
	close(fd);
	(void)snprintf(path, sizeof(path), "%s/x", p->path);
	kb_buf_init(&b, 1 << 20);
	assert_ok(kite_file_read(&d, path, 10, &b));
	assert_span(kb_buf_span(&b), "0123456789");
	assert_int_equal(kite_file_read(&d, path, 9, &b), KB_TOOBIG);
	(void)snprintf(path, sizeof(path), "%s/y", p->path);
	assert_int_equal(kite_file_read(&d, path, 9, &b), KB_NOTFOUND);
	kb_buf_release(&b);
}

#define PLACE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	(void)umask(077);
	const struct CMUnitTest tests[] = {
		PLACE(a_message_is_a_file_of_its_owners_alone),
		PLACE(what_is_there_already_is_known_by_its_id),
		PLACE(a_file_of_another_kind_does_not_count),
		PLACE(a_file_is_never_written_over),
		PLACE(a_maildir_has_its_three_folders_and_new_mail_in_new),
		PLACE(what_an_interrupted_run_left_is_replaced),
		PLACE(a_link_in_a_files_place_is_not_followed),
		PLACE(a_folder_that_cannot_be_made_is_said),
		PLACE(a_folder_that_others_may_look_into_is_said),
		PLACE(a_folder_that_must_be_empty_is_not_taken_otherwise),
		PLACE(a_file_past_its_limit_is_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
