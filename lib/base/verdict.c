/* verdict: names of its values, and the check of one that came from another room. See verdict.h. */
#include <string.h>

#include <kitebox/verdict.h>

/* clang-format off */
static const char *const classes[KB_CLASS_COUNT] = {
	[KB_CLASS_REVIEW] = "review", [KB_CLASS_ALLEGATION] = "allegation", [KB_CLASS_INQUIRY] = "inquiry", [KB_CLASS_MACHINE] = "machine",
};

static const char *const categories[KB_CAT_COUNT] = {
	[KB_CAT_GENERAL] = "general",
	[KB_CAT_EXCESSIVE_FORCE] = "excessive-force",
	[KB_CAT_SEXUAL_MISCONDUCT] = "sexual-misconduct",
	[KB_CAT_HARASSMENT_THREATS] = "harassment-threats",
	[KB_CAT_RETALIATION] = "retaliation",
	[KB_CAT_MEDICAL_DENIAL] = "medical-denial",
	[KB_CAT_DISCRIMINATION] = "discrimination",
	[KB_CAT_CONTRABAND_BRIBERY] = "contraband-bribery",
	[KB_CAT_PROPERTY_THEFT_BY_STAFF] = "property-theft-by-staff",
	[KB_CAT_MAIL_TAMPERING] = "mail-tampering",
	[KB_CAT_RECORDS_FALSIFICATION] = "records-falsification",
	[KB_CAT_CONDITIONS] = "conditions",
	[KB_CAT_FAILURE_TO_PROTECT] = "failure-to-protect",
	[KB_CAT_OTHER_MISCONDUCT] = "other-misconduct",
	[KB_CAT_VISITING] = "visiting",
	[KB_CAT_MEDICAL_CARE] = "medical-care",
	[KB_CAT_DESIGNATION_TRANSFER] = "designation-transfer",
	[KB_CAT_RELEASE_REENTRY] = "release-reentry",
	[KB_CAT_SENTENCE_COMPUTATION] = "sentence-computation",
	[KB_CAT_MAIL_PHONE_MESSAGING] = "mail-phone-messaging",
	[KB_CAT_PROPERTY] = "property",
	[KB_CAT_TRUST_FUND] = "trust-fund",
	[KB_CAT_RECORDS] = "records",
	[KB_CAT_PROGRAMS] = "programs",
	[KB_CAT_FAMILY_EMERGENCY] = "family-emergency",
	[KB_CAT_ADMINISTRATIVE_REMEDY] = "administrative-remedy",
	[KB_CAT_COMPLAINT_INMATE_ON_INMATE] = "complaint-inmate-on-inmate",
	[KB_CAT_PRAISE] = "praise",
};

static const char *const flags[] = {
	"urgent-safety", "sexual-abuse", "retaliation", "anonymous", "legal-mail", "names-coordinator", "unreadable",
};

static const char *const languages[KB_LANG_COUNT] = {[KB_LANG_OTHER] = "other", [KB_LANG_EN] = "en", [KB_LANG_ES] = "es"};
/* clang-format on */
_Static_assert((1u << KB_LEN(flags)) - 1 == KB_FLAG_ALL, "every flag has its name");

static const char *name(const char *const *names, size_t n, unsigned i)
{
	return i < n ? names[i] : NULL;
}

static int find(const char *const *names, size_t n, struct kb_span text)
{
	for (size_t i = 0; i < n; i++)
		if (kb_span_eq(kb_span_str(names[i]), text))
			return (int)i;
	return -1;
}

const char *kb_class_name(unsigned class_)
{
	return name(classes, KB_LEN(classes), class_);
}

const char *kb_category_name(unsigned category)
{
	return name(categories, KB_LEN(categories), category);
}

const char *kb_flag_name(unsigned bit)
{
	for (unsigned i = 0; i < KB_LEN(flags); i++)
		if (bit == 1u << i)
			return flags[i];
	return NULL;
}

const char *kb_language_name(unsigned language)
{
	return name(languages, KB_LEN(languages), language);
}

int kb_class_find(struct kb_span text)
{
	return find(classes, KB_LEN(classes), text);
}

int kb_category_find(struct kb_span text)
{
	return find(categories, KB_LEN(categories), text);
}

unsigned kb_flag_find(struct kb_span text)
{
	int i = find(flags, KB_LEN(flags), text);
	return i < 0 ? 0 : 1u << i;
}

int kb_language_find(struct kb_span text)
{
	return find(languages, KB_LEN(languages), text);
}

enum kb_status kb_flags_format(struct kb_buf *b, unsigned set)
{
	enum kb_status st = KB_OK;
	bool first = true;
	for (unsigned i = 0; st == KB_OK && i < KB_LEN(flags); i++) {
		if (!(set >> i & 1))
			continue;
		if (!first)
			st = kb_buf_byte(b, ',');
		if (st == KB_OK)
			st = kb_buf_str(b, flags[i]);
		first = false;
	}
	return st;
}

/* One line (reasons: several) of UTF-8 without anything that kb_text_harmless would change. */
static bool text_fine(const char *field, size_t n, bool lines)
{
	struct kb_span s;
	struct kb_buf clean;
	if (kb_field_get(field, n, &s) != KB_OK || !kb_utf8_valid(s))
		return false;
	if (!s.len)
		return true;
	if (lines && kb_span_find(s, KB_LIT("\t")) != SIZE_MAX)
		return false;
	kb_buf_init(&clean, 4 * n);
	bool fine = kb_text_harmless(&clean, s, lines) == KB_OK && kb_span_eq(kb_buf_span(&clean), s);
	kb_buf_release(&clean);
	return fine;
}

static bool indicator_fine(const struct kb_verdict *v)
{
	struct kb_span s;
	if (kb_field_get(v->indicator, sizeof(v->indicator), &s) != KB_OK)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') || s.p[i] == '-'))
			return false;
	return true;
}

enum kb_status kb_verdict_check(const struct kb_verdict *v)
{
	if (v->class_ >= KB_CLASS_COUNT || v->category >= KB_CAT_COUNT || v->language >= KB_LANG_COUNT || v->ack > 1)
		return KB_MALFORMED;
	if ((v->flags & ~(uint32_t)KB_FLAG_ALL) || v->score_e4 > 10000 || v->named >> KB_STAFF_MOST)
		return KB_MALFORMED;
	if (!text_fine(v->from, sizeof(v->from), false) || !text_fine(v->subject, sizeof(v->subject), false) ||
	    !text_fine(v->date, sizeof(v->date), false) || !text_fine(v->institution, sizeof(v->institution), false) ||
	    !text_fine(v->register_number, sizeof(v->register_number), false) || !text_fine(v->reasons, sizeof(v->reasons), true))
		return KB_MALFORMED;
	return indicator_fine(v) ? KB_OK : KB_MALFORMED;
}
