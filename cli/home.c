/* home: see home.h. */
#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "file.h"

enum { SETTINGS_MOST = 65536 };
static const char default_desk[] = "/run/kitebox/desk.sock";

static bool set(char *field, size_t n, const char *a, const char *b)
{
	return snprintf(field, n, "%s%s", a, b) < (int)n;
}

/* The value of the line "KEY VALUE", or an empty span. */
static struct kb_span setting(struct kb_span text, const char *key)
{
	struct kb_span line, k = kb_span_str(key);
	while (kb_span_line(&text, &line)) {
		line = kb_span_trim(line);
		if (kb_span_starts(line, k) && line.len > k.len && (line.p[k.len] == ' ' || line.p[k.len] == '\t'))
			return kb_span_trim(kb_span_from(line, k.len));
	}
	return KB_SPAN(NULL, 0);
}

static enum kb_status too_long(const char *what)
{
	return kite_fail(KB_LIMIT, NULL, "the path of %s is too long", what);
}

enum kb_status kite_find_home(struct kite *k)
{
	const char *option = kite_args_value(&k->args, "home"), *env = getenv("KITE_HOME"), *config = getenv("XDG_CONFIG_HOME"),
		   *home = getenv("HOME");
	bool fits;
	if (option)
		fits = set(k->home, sizeof(k->home), option, "");
	else if (env && env[0])
		fits = set(k->home, sizeof(k->home), env, "");
	else if (config && config[0] == '/')
		fits = set(k->home, sizeof(k->home), config, "/kite");
	else
		fits = set(k->home, sizeof(k->home), home ? home : "", "/.config/kite");
	return fits ? KB_OK : too_long("your folder");
}

/* given, if it is; else the setting of that name; else the default. */
static enum kb_status find(
    const struct kite *k, const char *given, const char *key, const char *otherwise, char ret_path[static KITE_PATH])
{
	struct kb_span from = kb_span_str(given ? given : "");
	struct kb_buf b;
	kb_buf_init(&b, SETTINGS_MOST);
	enum kb_status st = from.len ? KB_OK : kite_home_read(k, "settings", SETTINGS_MOST / 2, &b);
	if (st == KB_NOTFOUND)
		st = KB_OK;
	if (!from.len)
		from = setting(kb_buf_span(&b), key);
	if (!from.len)
		from = kb_span_str(otherwise);
	if (st == KB_OK && from.len >= KITE_PATH)
		st = too_long(key);
	if (st == KB_OK)
		kb_field_set(ret_path, KITE_PATH, from);
	kb_buf_release(&b);
	return st;
}

enum kb_status kite_find_desk(const struct kite *k, char ret_path[static KITE_PATH])
{
	return find(k, kite_args_value(&k->args, "desk"), "desk", default_desk, ret_path);
}

enum kb_status kite_find_libexec(const struct kite *k, char ret_path[static KITE_PATH])
{
	const char *option = kite_args_value(&k->args, "libexec");
	return find(k, option ? option : getenv("KITE_LIBEXEC"), "libexec", KB_LIBEXECDIR, ret_path);
}

bool kite_home_on_host(const struct kite *k)
{
	struct kb_buf b;
	kb_buf_init(&b, SETTINGS_MOST);
	bool yes = kite_home_read(k, "settings", SETTINGS_MOST / 2, &b) == KB_OK &&
	    kb_span_eq(setting(kb_buf_span(&b), "on-host"), KB_LIT("yes"));
	kb_buf_release(&b);
	return yes;
}

enum kb_status kite_home_read(const struct kite *k, const char *name, size_t most, struct kb_buf *ret)
{
	char path[sizeof(k->home) + 64];
	struct kb_diag d = {0};
	(void)snprintf(path, sizeof(path), "%s/%s", k->home, name);
	enum kb_status st = kite_file_read(&d, path, most, ret);
	if (st == KB_OK || st == KB_NOTFOUND)
		return st;
	return kite_fail(st, &d, "%s", path);
}

/* As mkdir -p: the folders above are whatever the person's umask makes of them, and that is 0700 here. */
static enum kb_status make_home(struct kb_diag *d, const char *path, int *ret_fd)
{
	char part[KITE_PATH];
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return KB_FAIL_SYS(d, "a folder above it cannot be made");
	}
	return kite_dir_open(d, AT_FDCWD, path, false, ret_fd);
}

enum kb_status kite_home_write(const struct kite *k, const char *name, struct kb_span s)
{
	KB_AUTO(kb_fd_close) int dir = -1;
	struct kb_diag d = {0};
	enum kb_status st = make_home(&d, k->home, &dir);
	if (st == KB_OK)
		st = kite_file_replace(&d, dir, name, s);
	return st == KB_OK ? KB_OK : kite_fail(st, &d, "%s/%s", k->home, name);
}
