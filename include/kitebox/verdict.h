/*
 * verdict: what triage says of one message, in a fixed layout that may cross
 * from the sorter's room, and may therefore hold anything: whoever receives
 * one calls kb_verdict_check before believing a field.
 *
 * Errors:    KB_MALFORMED for a value outside its enum, a field without NUL, text that is not UTF-8.
 * Not here:  how a verdict is reached (triage.h), the rows it ends up in (store.h).
 */
#ifndef KITEBOX_VERDICT_H
#define KITEBOX_VERDICT_H

#include <kitebox/bytes.h>

enum kb_class {
	KB_CLASS_REVIEW = 0, /* in doubt: the zero value is the safe one */
	KB_CLASS_ALLEGATION,
	KB_CLASS_INQUIRY,
	KB_CLASS_MACHINE,
	KB_CLASS_COUNT
};

enum kb_category {
	KB_CAT_GENERAL = 0,
	/* of allegations */
	KB_CAT_EXCESSIVE_FORCE,
	KB_CAT_SEXUAL_MISCONDUCT,
	KB_CAT_HARASSMENT_THREATS,
	KB_CAT_RETALIATION,
	KB_CAT_MEDICAL_DENIAL,
	KB_CAT_DISCRIMINATION,
	KB_CAT_CONTRABAND_BRIBERY,
	KB_CAT_PROPERTY_THEFT_BY_STAFF,
	KB_CAT_MAIL_TAMPERING,
	KB_CAT_RECORDS_FALSIFICATION,
	KB_CAT_CONDITIONS,
	KB_CAT_FAILURE_TO_PROTECT,
	KB_CAT_OTHER_MISCONDUCT,
	/* of inquiries */
	KB_CAT_VISITING,
	KB_CAT_MEDICAL_CARE,
	KB_CAT_DESIGNATION_TRANSFER,
	KB_CAT_RELEASE_REENTRY,
	KB_CAT_SENTENCE_COMPUTATION,
	KB_CAT_MAIL_PHONE_MESSAGING,
	KB_CAT_PROPERTY,
	KB_CAT_TRUST_FUND,
	KB_CAT_RECORDS,
	KB_CAT_PROGRAMS,
	KB_CAT_FAMILY_EMERGENCY,
	KB_CAT_ADMINISTRATIVE_REMEDY,
	KB_CAT_COMPLAINT_INMATE_ON_INMATE,
	KB_CAT_PRAISE,
	KB_CAT_COUNT
};

enum kb_flag {
	KB_FLAG_URGENT_SAFETY = 1u << 0,
	KB_FLAG_SEXUAL_ABUSE = 1u << 1,
	KB_FLAG_RETALIATION = 1u << 2,
	KB_FLAG_ANONYMOUS = 1u << 3,
	KB_FLAG_LEGAL_MAIL = 1u << 4,
	KB_FLAG_NAMES_COORDINATOR = 1u << 5,
	KB_FLAG_UNREADABLE = 1u << 6,
	KB_FLAG_ALL = (1u << 7) - 1
};

enum kb_language { KB_LANG_OTHER = 0, KB_LANG_EN, KB_LANG_ES, KB_LANG_COUNT };

/* "allegation", "excessive-force", "urgent-safety", "en"; NULL when out of range. */
const char *kb_class_name(unsigned class_);
const char *kb_category_name(unsigned category);
const char *kb_flag_name(unsigned bit); /* one bit of enum kb_flag */
const char *kb_language_name(unsigned language);
/* The value whose name this is, or -1 (flags: 0). */
int kb_class_find(struct kb_span name);
int kb_category_find(struct kb_span name);
unsigned kb_flag_find(struct kb_span name);
int kb_language_find(struct kb_span name);
/* Names of all set flags, comma-separated, appended; nothing for 0. */
KB_MUST_USE enum kb_status kb_flags_format(struct kb_buf *b, unsigned flags);

enum { KB_STAFF_MOST = 63 }; /* a bit of kb_verdict.named each */

struct kb_verdict {
	uint8_t class_, category, language;
	uint8_t ack; /* 1: a person wrote this and an acknowledgement may be sent; 0: machine mail */
	uint32_t flags;     /* enum kb_flag */
	uint32_t score_e4;  /* probability of an allegation, 0..10000 */
	uint32_t rules_version, model_version, zero;
	uint64_t named;     /* bit i: entry i of the staff list is named in the writer's own text */
	char from[256];     /* decoded From field, UTF-8, harmless */
	char subject[256];
	char date[64];
	char indicator[41]; /* message indicator of an inmate relay: [0-9A-Za-z-]{1,40}, or empty */
	char institution[16];
	char register_number[16];
	char reasons[1024]; /* sentences a person can check, LF between them */
	char pad[7];
};

KB_MUST_USE enum kb_status kb_verdict_check(const struct kb_verdict *v);

#endif
