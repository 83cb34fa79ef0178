/* time: RFC 3339 in UTC, whole seconds, without the C library's time zones. See id.h. */
#include <stdio.h>

#include <kitebox/id.h>

/* Days since 1970-01-01 of a civil date, and back, over the proleptic Gregorian calendar; a year begins in March here. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = y / 400, yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, unsigned *ret_y, unsigned *ret_m, unsigned *ret_d)
{
	int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t m = mp < 10 ? mp + 3 : mp - 9;
	*ret_y = (unsigned)(yoe + era * 400 + (m <= 2));
	*ret_m = (unsigned)m;
	*ret_d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
}

enum { YEAR_MOST = 9999 };

void kb_time_format(uint64_t unix_s, char ret_text[static KB_TIME_TEXT])
{
	unsigned y, m, d;
	const uint64_t last = UINT64_C(253402300799); /* 9999-12-31T23:59:59Z */
	if (unix_s > last)
		unix_s = last;
	date_of((int64_t)(unix_s / 86400), &y, &m, &d);
	unsigned s = (unsigned)(unix_s % 86400);
	(void)snprintf(ret_text, KB_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02uZ", y % (YEAR_MOST + 1), m % 100, d % 100, s / 3600, s / 60 % 60,
	    s % 60);
}

static bool number(struct kb_span text, size_t at, size_t n, uint64_t least, uint64_t most, uint64_t *ret_v)
{
	return kb_span_u64(KB_SPAN(text.p + at, n), most, ret_v) == KB_OK && *ret_v >= least;
}

enum kb_status kb_time_parse(struct kb_span text, uint64_t *ret_unix_s)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
	uint64_t y, m, d, h, min, s;
	if (text.len != sizeof(shape) - 1)
		return KB_MALFORMED;
	for (size_t i = 0; i < text.len; i++)
		if (shape[i] != 'd' && text.p[i] != (uint8_t)shape[i])
			return KB_MALFORMED;
	if (!number(text, 0, 4, 1970, YEAR_MOST, &y) || !number(text, 5, 2, 1, 12, &m) || !number(text, 8, 2, 1, 31, &d) ||
	    !number(text, 11, 2, 0, 23, &h) || !number(text, 14, 2, 0, 59, &min) || !number(text, 17, 2, 0, 59, &s))
		return KB_MALFORMED;
	int64_t days = days_of((int64_t)y, (int64_t)m, (int64_t)d);
	unsigned yy, mm, dd;
	date_of(days, &yy, &mm, &dd);
	if (yy != y || mm != m || dd != d)
		return KB_MALFORMED; /* a day that its month does not have */
	*ret_unix_s = (uint64_t)days * 86400 + h * 3600 + min * 60 + s;
	return KB_OK;
}
