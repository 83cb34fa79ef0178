/*
 * charset: text in the character sets that mail is written in, as UTF-8. See mail_internal.h.
 *
 * The list is fixed, and all of it is opened before a sandbox closes, since iconv loads a module for each. Whatever is not in
 * the list, or not what its label says, is still read: octet by octet as UTF-8 where they are that, else as windows-1252,
 * and flagged.
 *
 * Standard:  names as registered with IANA and as written by real senders; supersets as in the WHATWG Encoding Standard
 *            (iso-8859-1 is read as windows-1252, gb2312 as gb18030, shift_jis as cp932, euc-kr as its Windows superset).
 */
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include <kitebox/mail.h>

#include "mail_internal.h"

/* clang-format off */
enum set {
	SET_UTF8, SET_ASCII, SET_1252, /* our own code */
	SET_8859_2, SET_8859_3, SET_8859_4, SET_8859_5, SET_8859_6, SET_8859_7, SET_8859_8, SET_8859_9, SET_8859_10, SET_8859_11,
	SET_8859_13, SET_8859_14, SET_8859_15, SET_8859_16, SET_1250, SET_1251, SET_1253, SET_1254, SET_1255, SET_1256, SET_1257,
	SET_1258, SET_KOI8R, SET_KOI8U, SET_MAC, SET_437, SET_850, SET_GB18030, SET_BIG5, SET_EUCJP, SET_2022JP, SET_CP932,
	SET_UHC, SET_2022KR, SET_UTF7, SET_UTF16, SET_UTF16BE, SET_UTF16LE, SET_UTF32, SET_UTF32BE, SET_UTF32LE, SET_COUNT,
	SET_UNKNOWN = SET_COUNT
};

/* As iconv calls them; NULL: not by iconv, or by another row. */
static const char *const iconv_name[SET_COUNT] = {
	[SET_8859_2] = "ISO-8859-2", [SET_8859_3] = "ISO-8859-3", [SET_8859_4] = "ISO-8859-4", [SET_8859_5] = "ISO-8859-5",
	[SET_8859_6] = "ISO-8859-6", [SET_8859_7] = "ISO-8859-7", [SET_8859_8] = "ISO-8859-8", [SET_8859_9] = "ISO-8859-9",
	[SET_8859_10] = "ISO-8859-10", [SET_8859_11] = "ISO-8859-11", [SET_8859_13] = "ISO-8859-13", [SET_8859_14] = "ISO-8859-14",
	[SET_8859_15] = "ISO-8859-15", [SET_8859_16] = "ISO-8859-16", [SET_1250] = "CP1250", [SET_1251] = "CP1251",
	[SET_1253] = "CP1253", [SET_1254] = "CP1254", [SET_1255] = "CP1255", [SET_1256] = "CP1256", [SET_1257] = "CP1257",
	[SET_1258] = "CP1258", [SET_KOI8R] = "KOI8-R", [SET_KOI8U] = "KOI8-U", [SET_MAC] = "MACINTOSH", [SET_437] = "CP437",
	[SET_850] = "CP850", [SET_GB18030] = "GB18030", [SET_BIG5] = "BIG5", [SET_EUCJP] = "EUC-JP", [SET_2022JP] = "ISO-2022-JP-2",
	[SET_CP932] = "CP932", [SET_UHC] = "UHC", [SET_2022KR] = "ISO-2022-KR", [SET_UTF7] = "UTF-7", [SET_UTF16BE] = "UTF-16BE",
	[SET_UTF16LE] = "UTF-16LE", [SET_UTF32BE] = "UTF-32BE", [SET_UTF32LE] = "UTF-32LE",
};

/* Names in lower case, letters and digits alone. */
static const struct { const char *name; uint8_t set; } names[] = {
	{"utf8", SET_UTF8}, {"usascii", SET_ASCII}, {"iso88591", SET_1252}, {"windows1252", SET_1252}, {"ascii", SET_ASCII},
	{"unicode11utf8", SET_UTF8}, {"ansix341968", SET_ASCII}, {"iso646us", SET_ASCII}, {"us", SET_ASCII}, {"646", SET_ASCII},
	{"latin1", SET_1252}, {"l1", SET_1252}, {"iso885911987", SET_1252}, {"cp1252", SET_1252}, {"xcp1252", SET_1252}, {"8859", SET_1252},
	{"iso88592", SET_8859_2}, {"latin2", SET_8859_2}, {"iso88593", SET_8859_3}, {"latin3", SET_8859_3}, {"iso88594", SET_8859_4},
	{"latin4", SET_8859_4}, {"iso88595", SET_8859_5}, {"cyrillic", SET_8859_5}, {"iso88596", SET_8859_6}, {"arabic", SET_8859_6},
	{"iso88597", SET_8859_7}, {"greek", SET_8859_7}, {"iso88598", SET_8859_8}, {"iso88598i", SET_8859_8}, {"iso88598e", SET_8859_8},
	{"hebrew", SET_8859_8}, {"iso88599", SET_1254}, {"latin5", SET_1254}, {"iso885910", SET_8859_10}, {"latin6", SET_8859_10},
	{"iso885911", SET_8859_11}, {"tis620", SET_8859_11}, {"windows874", SET_8859_11}, {"iso885913", SET_8859_13},
	{"iso885914", SET_8859_14}, {"iso885915", SET_8859_15}, {"latin9", SET_8859_15}, {"l9", SET_8859_15}, {"iso885916", SET_8859_16},
	{"latin10", SET_8859_16}, {"windows1250", SET_1250}, {"cp1250", SET_1250}, {"windows1251", SET_1251}, {"cp1251", SET_1251},
	{"windows1253", SET_1253}, {"cp1253", SET_1253}, {"windows1254", SET_1254}, {"cp1254", SET_1254}, {"windows1255", SET_1255},
	{"cp1255", SET_1255}, {"windows1256", SET_1256}, {"cp1256", SET_1256}, {"windows1257", SET_1257}, {"cp1257", SET_1257},
	{"windows1258", SET_1258}, {"cp1258", SET_1258}, {"koi8r", SET_KOI8R}, {"koi8", SET_KOI8R}, {"koi8u", SET_KOI8U},
	{"koi8ru", SET_KOI8U}, {"macintosh", SET_MAC}, {"macroman", SET_MAC}, {"xmacroman", SET_MAC}, {"mac", SET_MAC},
	{"ibm437", SET_437}, {"cp437", SET_437}, {"437", SET_437}, {"ibm850", SET_850}, {"cp850", SET_850}, {"850", SET_850},
	{"gb2312", SET_GB18030}, {"gb231280", SET_GB18030}, {"gbk", SET_GB18030}, {"xgbk", SET_GB18030}, {"cp936", SET_GB18030},
	{"windows936", SET_GB18030}, {"euccn", SET_GB18030}, {"gb18030", SET_GB18030}, {"big5", SET_BIG5}, {"cnbig5", SET_BIG5},
	{"big5hkscs", SET_BIG5}, {"xxbig5", SET_BIG5}, {"cp950", SET_BIG5}, {"eucjp", SET_EUCJP}, {"xeucjp", SET_EUCJP}, {"xeuc", SET_EUCJP},
	{"iso2022jp", SET_2022JP}, {"iso2022jp1", SET_2022JP}, {"iso2022jp2", SET_2022JP}, {"csiso2022jp", SET_2022JP},
	{"shiftjis", SET_CP932}, {"xsjis", SET_CP932}, {"sjis", SET_CP932}, {"mskanji", SET_CP932}, {"windows31j", SET_CP932},
	{"cp932", SET_CP932}, {"euckr", SET_UHC}, {"ksc56011987", SET_UHC}, {"ksc5601", SET_UHC}, {"ksc56011992", SET_UHC},
	{"windows949", SET_UHC}, {"cp949", SET_UHC}, {"uhc", SET_UHC}, {"korean", SET_UHC}, {"iso2022kr", SET_2022KR},
	{"utf7", SET_UTF7}, {"unicode11utf7", SET_UTF7}, {"utf16", SET_UTF16}, {"unicode", SET_UTF16}, {"ucs2", SET_UTF16},
	{"utf16be", SET_UTF16BE}, {"utf16le", SET_UTF16LE}, {"utf32", SET_UTF32}, {"ucs4", SET_UTF32}, {"utf32be", SET_UTF32BE},
	{"utf32le", SET_UTF32LE},
};

/* windows-1252, 80 to 9F; 0: not assigned. */
static const uint16_t cp1252[32] = {
	0x20AC,0,0x201A,0x0192,0x201E,0x2026,0x2020,0x2021,0x02C6,0x2030,0x0160,0x2039,0x0152,0,0x017D,0,
	0,0x2018,0x2019,0x201C,0x201D,0x2022,0x2013,0x2014,0x02DC,0x2122,0x0161,0x203A,0x0153,0,0x017E,0x0178,
};
/* clang-format on */

/* The one thing of this module that is not a constant: what iconv needs opened before the sandbox closes. */
static struct {
	iconv_t cd[SET_COUNT];
	bool open;
} sets;

enum kb_status kb_charset_open(struct kb_diag *d)
{
	if (sets.open)
		return KB_OK;
	for (size_t i = 0; i < SET_COUNT; i++)
		sets.cd[i] = (iconv_t)-1;
	sets.open = true;
	for (size_t i = 0; i < SET_COUNT; i++) {
		if (!iconv_name[i])
			continue;
		sets.cd[i] = iconv_open("UTF-8", iconv_name[i]);
		if (sets.cd[i] == (iconv_t)-1) {
			enum kb_status st = KB_FAIL_SYS(d, "a character set is missing from this system's iconv");
			kb_charset_close();
			return st;
		}
	}
	return KB_OK;
}

void kb_charset_close(void)
{
	for (size_t i = 0; sets.open && i < SET_COUNT; i++)
		if (sets.cd[i] != (iconv_t)-1)
			(void)iconv_close(sets.cd[i]);
	sets.open = false;
}

static enum set find(struct kb_span charset)
{
	char name[24];
	size_t n = 0;
	for (size_t i = 0; i < charset.len; i++) {
		uint8_t c = charset.p[i];
		if (c >= 'A' && c <= 'Z')
			c += 32;
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			continue;
		if (n == sizeof(name) - 1)
			return SET_UNKNOWN;
		name[n++] = (char)c;
	}
	name[n] = '\0';
	for (size_t i = 0; i < KB_LEN(names); i++)
		if (names[i].name[0] == name[0] && !strcmp(names[i].name, name))
			return (enum set)names[i].set;
	return SET_UNKNOWN;
}

bool kb_charset_known(struct kb_span charset)
{
	return find(charset) != SET_UNKNOWN;
}

static size_t ascii_run(struct kb_span s)
{
	size_t n = 0;
	while (n + 8 <= s.len) {
		uint64_t w;
		memcpy(&w, s.p + n, 8);
		/* any octet with its high bit, or zero */
		if ((w & UINT64_C(0x8080808080808080)) || ((w - UINT64_C(0x0101010101010101)) & ~w & UINT64_C(0x8080808080808080)))
			break;
		n += 8;
	}
	while (n < s.len && s.p[n] && s.p[n] < 0x80)
		n++;
	return n;
}

/* Octet by octet: UTF-8 where it is that (unless `plain`), else windows-1252. A NUL is no text. *ret_foreign: 1252 was used. */
static enum kb_status decode_octets(struct kb_buf *b, struct kb_span in, bool plain, bool *ret_foreign, bool *doubt)
{
	enum kb_status st = KB_OK;
	while (st == KB_OK && in.len) {
		size_t n = ascii_run(in);
		if (n) {
			st = kb_add_some(b, KB_SPAN(in.p, n));
			in = kb_span_from(in, n);
			continue;
		}
		uint32_t cp = 0;
		n = plain || !in.p[0] ? 0 : kb_utf8_next(in, &cp);
		if (n) {
			st = kb_buf_add(b, KB_SPAN(in.p, n));
		} else if (in.p[0]) {
			cp = in.p[0] < 0xA0 ? cp1252[in.p[0] - 0x80] : in.p[0];
			*doubt = *doubt || !cp;
			*ret_foreign = true;
			st = kb_utf8_put(b, cp ? cp : 0xFFFD);
		} else {
			*doubt = true;
		}
		in = kb_span_from(in, n ? n : 1);
	}
	return st;
}

/* What iconv wrote may hold NULs (of octets, or of a wrong label): they are taken out. */
static void without_nul(struct kb_buf *b, size_t from, bool *doubt)
{
	if (from == b->len || !memchr(b->p + from, '\0', b->len - from))
		return;
	size_t n = from;
	for (size_t i = from; i < b->len; i++)
		if (b->p[i])
			b->p[n++] = b->p[i];
	memset(b->p + n, 0, b->len - n);
	b->len = n;
	*doubt = true;
}

static enum kb_status convert(struct kb_buf *b, iconv_t cd, struct kb_span in, bool *doubt)
{
	size_t from = b->len;
	enum kb_status st = KB_OK;
	(void)iconv(cd, NULL, NULL, NULL, NULL);
	while (st == KB_OK && in.len) {
		size_t want = in.len < 4096 ? in.len + 32 : 4096, room = b->most - b->len;
		if (room < 8) {
			st = KB_LIMIT;
			break;
		}
		st = kb_buf_reserve(b, want < room ? want : room);
		if (st != KB_OK)
			break;
		char *ip, *op = (char *)b->p + b->len;
		memcpy(&ip, &in.p, sizeof(ip)); /* iconv's prototype lacks a const */
		size_t ileft = in.len, top = b->cap < b->most ? b->cap : b->most, oleft = top - b->len;
		size_t r = iconv(cd, &ip, &ileft, &op, &oleft);
		int why = r == (size_t)-1 ? errno : 0;
		if (why == E2BIG && ileft == in.len) {
			st = KB_LIMIT; /* no room for even one more character */
			break;
		}
		b->len = top - oleft;
		in = kb_span_from(in, in.len - ileft);
		if (why == EILSEQ || why == EINVAL) {
			*doubt = true;
			st = kb_utf8_put(b, 0xFFFD);
			in = why == EINVAL ? kb_span_from(in, in.len) : kb_span_from(in, 1);
		}
	}
	if (st == KB_OK && b->most - b->len >= 8 && (st = kb_buf_reserve(b, 8)) == KB_OK) {
		/* some converters hold the last character back, in case an accent follows */
		char *op = (char *)b->p + b->len;
		size_t top = b->cap < b->most ? b->cap : b->most, oleft = top - b->len;
		(void)iconv(cd, NULL, NULL, &op, &oleft);
		b->len = top - oleft;
	}
	without_nul(b, from, doubt);
	return st;
}

/* Without a byte order mark the order is the one in which more high octets are zero (RFC 2781 says big-endian; senders do not). */
static enum set byte_order(struct kb_span *in, bool wide)
{
	size_t unit = wide ? 4 : 2, zero_first = 0, zero_last = 0;
	if (in->len >= unit && in->p[0] == 0xFF && in->p[1] == 0xFE) {
		*in = kb_span_from(*in, unit);
		return wide ? SET_UTF32LE : SET_UTF16LE;
	}
	if (in->len >= unit && in->p[unit - 2] == 0xFE && in->p[unit - 1] == 0xFF) {
		*in = kb_span_from(*in, unit);
		return wide ? SET_UTF32BE : SET_UTF16BE;
	}
	for (size_t i = 0; i + unit <= in->len && i < 4096; i += unit) {
		zero_first += in->p[i] == 0;
		zero_last += in->p[i + unit - 1] == 0;
	}
	bool little = zero_last > zero_first;
	return wide ? (little ? SET_UTF32LE : SET_UTF32BE) : (little ? SET_UTF16LE : SET_UTF16BE);
}

enum kb_status kb_charset_decode(struct kb_buf *b, struct kb_span in, struct kb_span charset, bool *doubt)
{
	bool foreign = false;
	enum set set = charset.len ? find(charset) : SET_UTF8;
	if (set == SET_UTF16 || set == SET_UTF32)
		set = byte_order(&in, set == SET_UTF32);
	if (set == SET_1252) /* whole texts of UTF-8 under this label are common, and Latin text that is UTF-8 by chance is not */
		return decode_octets(b, in, !kb_utf8_valid(in), &foreign, doubt);
	if (set > SET_1252 && set != SET_UNKNOWN && sets.open)
		return convert(b, sets.cd[set], in, doubt);
	if (set == SET_UTF8 && in.len >= 3 && !memcmp(in.p, "\xEF\xBB\xBF", 3))
		in = kb_span_from(in, 3);
	enum kb_status st = decode_octets(b, in, false, &foreign, doubt);
	*doubt = *doubt || foreign || (set > SET_1252);
	return st;
}
