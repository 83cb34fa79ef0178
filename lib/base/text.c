/*
 * text: hostile text made harmless for a terminal and for an eye. See bytes.h.
 *
 * A control or an invisible character is never silently dropped where it could have hidden something: what could drive a
 * terminal, or turns the direction of what follows, becomes U+FFFD; what is merely invisible is taken out. The table follows
 * Unicode's Default_Ignorable_Code_Point, less the variation selectors FE00 to FE0F, which choose a glyph and hide nothing.
 */
#include <kitebox/bytes.h>

struct range {
	uint32_t first, last;
	uint8_t what; /* 1: shown as U+FFFD; 2: taken out; 3: becomes a line end (or a space) */
};

/* clang-format off */
static const struct range ranges[] = {
	{0x000000, 0x00001F, 1}, {0x00007F, 0x00009F, 1}, {0x0000AD, 0x0000AD, 2}, {0x00034F, 0x00034F, 2},
	{0x00061C, 0x00061C, 1}, {0x00115F, 0x001160, 2}, {0x0017B4, 0x0017B5, 2}, {0x00180E, 0x00180E, 2},
	{0x00200B, 0x00200D, 2}, {0x00200E, 0x00200F, 1}, {0x002028, 0x002029, 3}, {0x00202A, 0x00202E, 1},
	{0x002060, 0x002064, 2}, {0x002065, 0x002069, 1}, {0x00206A, 0x00206F, 2}, {0x003164, 0x003164, 2},
	{0x00E000, 0x00F8FF, 1}, {0x00FDD0, 0x00FDEF, 1}, {0x00FEFF, 0x00FEFF, 2}, {0x00FFA0, 0x00FFA0, 2},
	{0x00FFF0, 0x00FFFB, 1}, {0x01BCA0, 0x01BCA3, 2}, {0x01D173, 0x01D17A, 2}, {0x0E0000, 0x0E0FFF, 2},
	{0x0F0000, 0x10FFFF, 1},
};
/* clang-format on */

static uint8_t judge(uint32_t cp)
{
	if ((cp & 0xFFFE) == 0xFFFE)
		return 1; /* noncharacters at the end of each plane */
	for (size_t i = 0; i < KB_LEN(ranges); i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return ranges[i].what;
	return 0;
}

static enum kb_status put(struct kb_buf *b, uint32_t cp, bool multiline)
{
	if (cp == '\n' || cp == '\t')
		return kb_buf_byte(b, multiline ? (uint8_t)cp : ' ');
	if (cp == '\r')
		return KB_OK; /* line ends are LF here; a lone CR moves a cursor and shows nothing */
	switch (judge(cp)) {
	case 0:
		return kb_utf8_put(b, cp);
	case 2:
		return KB_OK;
	case 3:
		return kb_buf_byte(b, multiline ? '\n' : ' ');
	default:
		return kb_utf8_put(b, 0xFFFD);
	}
}

enum kb_status kb_text_harmless(struct kb_buf *b, struct kb_span s, bool multiline)
{
	enum kb_status st = KB_OK;
	while (st == KB_OK && s.len) {
		size_t plain = 0;
		while (plain < s.len && s.p[plain] >= 0x20 && s.p[plain] < 0x7F)
			plain++;
		if (plain) {
			st = kb_buf_add(b, KB_SPAN(s.p, plain));
			s = kb_span_from(s, plain);
			continue;
		}
		uint32_t cp = 0xFFFD;
		size_t n = kb_utf8_next(s, &cp);
		st = n ? put(b, cp, multiline) : kb_utf8_put(b, 0xFFFD);
		s = kb_span_from(s, n ? n : 1);
	}
	return st;
}
