/* say: what goes to standard error. Whatever is named there may come from a server or a file: it is made harmless. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kite.h"

enum { LINE_MOST = 8192 };

static void put(const char *text)
{
	struct kb_buf line;
	kb_buf_init(&line, 4 * LINE_MOST);
	if (kb_buf_str(&line, "kite: ") == KB_OK && kb_text_harmless(&line, kb_span_str(text), false) == KB_OK &&
	    kb_buf_byte(&line, '\n') == KB_OK && write(STDERR_FILENO, line.p, line.len) < 0)
		(void)0; /* nobody is left to tell */
	kb_buf_release(&line);
}

enum kb_status kite_fail(enum kb_status st, const struct kb_diag *d, const char *fmt, ...)
{
	char text[LINE_MOST];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	size_t at = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	if (d && d->what && at < sizeof(text) - 1)
		at += (size_t)snprintf(text + at, sizeof(text) - at, ": %s", d->what);
	if (d && d->sys_errno && at < sizeof(text) - 1)
		(void)snprintf(text + at, sizeof(text) - at, ": %s", strerror(d->sys_errno));
	put(text);
	return st;
}

void kite_note(const char *fmt, ...)
{
	char text[LINE_MOST];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(text);
}
