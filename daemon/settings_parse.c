/*
 * settings_parse: walks what libconfig read, and fills the struct by the table. See settings_file.h.
 *
 * Not here:  what a text of a kind must look like, and what belongs together (settings_check.c).
 */
#include "settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kitebox/memfd.h>

enum { ROWS_MOST = 64 };

/* One struct being filled: the settings themselves, or an entry of a list. */
struct target {
	struct kb_settings_report *report;
	const struct kb_setting *rows;
	size_t n;
	const struct kb_setting_list *lists;
	size_t lists_n;
	uint8_t *base;
	const char *within; /* "listen." in an entry of that list; else empty */
	bool seen[ROWS_MOST], list_seen[ROWS_MOST];
};

static void fault_range(
    const struct target *t, unsigned line, const char *key, const char *what, uint64_t least, uint64_t most)
{
	char full[128];

	snprintf(full, sizeof full, "%s%s", t->within, key);
	kb_settings_fault_add(t->report, line, full, what, least, most);
}

static void fault(const struct target *t, const config_setting_t *s, const char *key, const char *what)
{
	fault_range(t, config_setting_source_line(s), key, what, 0, 0);
}

static void put_number(uint8_t *field, size_t size, uint64_t v)
{
	memcpy(field, &v, size); /* little-endian is required (wire.h) */
}

static void put_default(uint8_t *base, const struct kb_setting *r)
{
	switch (r->kind) {
	case KB_SETTING_NUMBER:
	case KB_SETTING_BOOL:
	case KB_SETTING_WORD:
		put_number(base + r->offset, r->size, r->number);
		break;
	default:
		kb_field_set((char *)base + r->offset, r->size, kb_span_str(r->text ? r->text : ""));
	}
}

static void take_text(const struct target *t, const struct kb_setting *r, const config_setting_t *s, const char *key)
{
	const char *text = config_setting_get_string(s);

	if (!text) {
		fault(t, s, key, "must be a text in quotation marks");
		return;
	}
	struct kb_span span = kb_span_str(text);

	if (span.len < r->least || span.len > r->most) {
		fault_range(
		    t, config_setting_source_line(s), key, "is too short or too long; octets", r->least, r->most);
		return;
	}
	const char *why = kb_settings_text_fault(r->kind, span);

	if (why && (span.len || r->required))
		fault(t, s, key, why);
	else
		kb_field_set((char *)t->base + r->offset, r->size, span);
}

static void take_number(const struct target *t, const struct kb_setting *r, const config_setting_t *s, const char *key)
{
	int type = config_setting_type(s);

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
		fault(t, s, key, "must be a whole number");
		return;
	}
	long long v = type == CONFIG_TYPE_INT ? config_setting_get_int(s) : config_setting_get_int64(s);

	if (v < 0 || (uint64_t)v < r->least || (uint64_t)v > r->most)
		fault_range(t, config_setting_source_line(s), key, "is out of range", r->least, r->most);
	else
		put_number(t->base + r->offset, r->size, (uint64_t)v);
}

static void take_word(const struct target *t, const struct kb_setting *r, const config_setting_t *s, const char *key)
{
	const char *text = config_setting_get_string(s);

	for (size_t i = 0; text && r->words[i]; i++) {
		if (strcmp(text, r->words[i]) == 0) {
			put_number(t->base + r->offset, r->size, i);
			return;
		}
	}
	fault(t, s, key, "is none of the words that may stand here; see kitebox.conf(5)");
}

static void take(struct target *t, size_t row, const config_setting_t *s, const char *key)
{
	const struct kb_setting *r = &t->rows[row];

	t->seen[row] = true;
	switch (r->kind) {
	case KB_SETTING_NUMBER:
		take_number(t, r, s, key);
		break;
	case KB_SETTING_WORD:
		take_word(t, r, s, key);
		break;
	case KB_SETTING_BOOL:
		if (config_setting_type(s) == CONFIG_TYPE_BOOL)
			put_number(t->base + r->offset, r->size, config_setting_get_bool(s) != 0);
		else
			fault(t, s, key, "must be true or false");
		break;
	default:
		take_text(t, r, s, key);
	}
}

static void start(struct target *t)
{
	for (size_t i = 0; i < t->n; i++)
		put_default(t->base, &t->rows[i]);
}

static void demand(const struct target *t, unsigned line)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i].required && !t->seen[i])
			fault_range(t, line, t->rows[i].key, "is missing", 0, 0);
	for (size_t i = 0; i < t->lists_n; i++)
		if (t->lists[i].least && !t->list_seen[i])
			fault_range(t, line, t->lists[i].key, "is missing", 0, 0);
}

static void walk(struct target *t, const config_setting_t *group, const char *prefix);

static void take_list(struct target *t, const struct kb_setting_list *l, const config_setting_t *s)
{
	size_t n = config_setting_is_list(s) ? (size_t)config_setting_length(s) : 0;

	if (!config_setting_is_list(s)) {
		fault(t, s, l->key, "must be a list: ( { ... }, { ... } )");
		return;
	}
	if (n > l->most || n < l->least) {
		fault_range(
		    t, config_setting_source_line(s), l->key, "has too few or too many entries", l->least, l->most);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		char within[64];
		struct target entry = {.report = t->report,
		    .rows = l->rows,
		    .n = l->n,
		    .base = t->base + l->offset + i * l->stride,
		    .within = within};

		if (!config_setting_is_group(e)) {
			fault(t, e, l->key, "must have entries of the form { key = value; ... }");
			continue;
		}
		snprintf(within, sizeof within, "%s.", l->key);
		start(&entry);
		walk(&entry, e, "");
		demand(&entry, config_setting_source_line(e));
	}
	put_number(t->base + l->count_offset, sizeof(uint32_t), n);
}

static bool is_group(const struct target *t, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < t->n; i++)
		if (strncmp(t->rows[i].key, key, len) == 0 && t->rows[i].key[len] == '.')
			return true;
	return false;
}

static void take_one(struct target *t, const config_setting_t *s, const char *key)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->rows[i].key, key) == 0) {
			take(t, i, s, key);
			return;
		}
	}
	for (size_t i = 0; i < t->lists_n; i++) {
		if (strcmp(t->lists[i].key, key) == 0) {
			t->list_seen[i] = true;
			take_list(t, &t->lists[i], s);
			return;
		}
	}
	char prefix[72];

	snprintf(prefix, sizeof prefix, "%s.", key);
	if (!is_group(t, key))
		fault(t, s, key, "is not a setting");
	else if (!config_setting_is_group(s))
		fault(t, s, key, "must be a group: { key = value; ... }");
	else
		walk(t, s, prefix);
}

static void walk(struct target *t, const config_setting_t *group, const char *prefix)
{
	int n = config_setting_length(group);

	for (int i = 0; i < n; i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		char key[64];
		int len = snprintf(key, sizeof key, "%s%s", prefix, config_setting_name(s));

		if (len >= (int)sizeof key)
			fault(t, s, key,
			    "is not a setting"); /* no key is that long, and a cut one must not look like one */
		else
			take_one(t, s, key);
	}
}

/* Where the setting stands that a fault names; where it does not stand there, the entry or group that lacks it. */
static unsigned line_of(const config_t *c, const struct kb_settings_fault *f)
{
	const char *dot = strchr(f->key, '.');
	int list = dot ? (int)(dot - f->key) : (int)strlen(f->key);
	char path[128];

	if (f->entry)
		snprintf(path, sizeof path, "%.*s.[%u]%s", list, f->key, f->entry - 1, dot ? dot : "");
	else
		snprintf(path, sizeof path, "%s", f->key);
	const config_setting_t *s = config_lookup(c, path);

	for (char *last; !s && (last = strrchr(path, '.'));) {
		*last = '\0';
		s = config_lookup(c, path);
	}
	return s ? config_setting_source_line(s) : 0;
}

static void fill(const config_t *c, struct kb_settings *s, struct kb_settings_report *report)
{
	struct target t = {.report = report, .base = (uint8_t *)s, .within = ""};

	t.rows = kb_settings_rows(&t.n);
	t.lists = kb_settings_lists(&t.lists_n);
	start(&t);
	walk(&t, config_root_setting(c), "");
	demand(&t, 0);
	if (report->faults)
		return;
	kb_settings_check(s, report);
	for (size_t i = 0; i < report->faults && i < KB_SETTINGS_FAULTS_MOST; i++)
		report->fault[i].line = line_of(c, &report->fault[i]);
}

/* libconfig would open any file that an `@include` names. */
static void refuse_includes(struct kb_span text, struct kb_settings_report *report)
{
	struct kb_span line;

	for (unsigned n = 1; kb_span_line(&text, &line); n++)
		if (kb_span_starts(kb_span_trim(line), KB_LIT("@include")))
			kb_settings_fault_add(
			    report, n, "", "@include is not allowed: the settings stand in one file", 0, 0);
}

enum kb_status kb_settings_parse(struct kb_span text, struct kb_settings *ret_s, struct kb_settings_report *ret_report)
{
	struct kb_settings s;
	config_t c;

	*ret_report = (struct kb_settings_report){0};
	if (text.len > KB_SETTINGS_FILE_MOST || (text.len && memchr(text.p, 0, text.len))) {
		kb_settings_fault_add(ret_report, 0, "", "the file is too long, or not text", 0, 0);
		return KB_MALFORMED;
	}
	refuse_includes(text, ret_report);
	if (ret_report->faults)
		return KB_MALFORMED;
	char *copy = strndup(text.len ? (const char *)text.p : "", text.len);

	if (!copy)
		abort();
	memset(&s, 0, sizeof s);
	config_init(&c);
	if (config_read_string(&c, copy) == CONFIG_TRUE)
		fill(&c, &s, ret_report);
	else
		kb_settings_fault_add(ret_report, (unsigned)config_error_line(&c), "",
		    strcmp(config_error_text(&c), "duplicate setting name") == 0 ? "a setting stands twice"
										 : "this is not libconfig's grammar",
		    0, 0);
	config_destroy(&c);
	free(copy);
	if (ret_report->faults)
		return KB_MALFORMED;
	*ret_s = s;
	return KB_OK;
}

enum kb_status kb_settings_load(
    struct kb_diag *d, const char *path, struct kb_settings *ret_s, struct kb_settings_report *ret_report)
{
	KB_AUTO(kb_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	KB_AUTO(kb_buf_release) struct kb_buf b;
	ssize_t got;

	*ret_report = (struct kb_settings_report){0};
	kb_buf_init(&b, KB_SETTINGS_FILE_MOST);
	if (fd < 0)
		return KB_FAIL_SYS(d, "the configuration file cannot be opened");
	do {
		enum kb_status st = kb_buf_reserve(&b, 4096);

		if (st != KB_OK)
			return KB_FAIL(d, KB_TOOBIG, 0, "the configuration file is too long");
		got = read(fd, b.p + b.len, 4096);
		if (got < 0)
			return KB_FAIL_SYS(d, "the configuration file cannot be read");
		b.len += (size_t)got;
	} while (got > 0);
	enum kb_status st = kb_settings_parse(kb_buf_span(&b), ret_s, ret_report);

	return st == KB_OK ? st : KB_FAIL(d, KB_MALFORMED, 0, "the configuration is not right");
}
