/* kitesay: see kitesay.h. */
#include "kitesay.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kite.h"

static char text[65536];

const char *said(void)
{
	return text;
}

void said_clear(void)
{
	text[0] = '\0';
}

static void add(const char *fmt, va_list ap, const char *why)
{
	size_t at = strlen(text);
	(void)vsnprintf(text + at, sizeof(text) - at, fmt, ap);
	at = strlen(text);
	(void)snprintf(text + at, sizeof(text) - at, "%s%s\n", why ? ": " : "", why ? why : "");
}

enum kb_status kite_fail(enum kb_status st, const struct kb_diag *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(fmt, ap, d ? d->what : NULL);
	va_end(ap);
	return st;
}

void kite_note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(fmt, ap, NULL);
	va_end(ap);
}
