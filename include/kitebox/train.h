/*
 * train: make a triage model out of messages that people have judged.
 *
 * A message is seen as the model sees one: folded, as hashed words, pairs and pieces. Each question is a logistic regression of
 * liblinear's over features weighed by how much more often they stand in one class than in the other. Probabilities are calibrated
 * and thresholds set on answers for messages that the answering model had not seen: the material is dealt out in parts, all that
 * shares an author or a pair in one part, and each part is judged by a model of the others.
 *
 * Ownership:  kb_train_new allocates, kb_train_free takes its address. Texts are copied, folded.
 * Errors:     KB_LIMIT for more items than are taken; KB_MALFORMED where a class is missing, too few share no author, or
 *             nothing was learnt that tells the classes apart.
 * Not here:   files of messages (cli/triage_*.c); the model's file (docs/FORMATS.md, "triage.model").
 */
#ifndef KITEBOX_TRAIN_H
#define KITEBOX_TRAIN_H

#include <kitebox/triage.h>

enum { KB_TRAIN_ITEMS_MOST = 100000, KB_TRAIN_PARTS = 5, KB_TRAIN_UNSORTED = 255 };

struct kb_train;
struct kb_train *kb_train_new(void);
void kb_train_free(struct kb_train **t);

struct kb_train_item {
	struct kb_span subject, text;
	struct kb_span author, pair; /* what shares either is never on both sides; empty: nobody else's */
	bool allegation, unmeasured; /* unmeasured: learnt from, but not like the mail of an office, so that no threshold is set by it */
	uint32_t flags;              /* enum kb_flag */
	float rules;                 /* what kb_triage_weigh says of it */
	uint8_t category, language; /* KB_TRAIN_UNSORTED: of its category nothing is known */
};
KB_MUST_USE enum kb_status kb_train_add(struct kb_train *t, const struct kb_train_item *item);

struct kb_train_wish {
	uint32_t version;
	double recall;      /* of allegations at the lower threshold, in the parts that a model had not seen */
	double outright;    /* of other messages at the upper threshold, at most */
	void (*said)(void *ctx, const char *what); /* progress, or NULL */
	void *ctx;
};
/* What a model of the other parts said of item i, calibrated: ten-thousandths. */
struct kb_train_answer {
	uint32_t allegation_e4, urgent_e4, sexual_e4, retaliation_e4;
	uint8_t category; /* the likeliest of its class */
	uint8_t part;
};
/* Trains; the model's file is appended to *ret_model. ret_answers has room for each item added, in their order; NULL: none. */
KB_MUST_USE enum kb_status kb_train_run(struct kb_diag *d, struct kb_train *t, const struct kb_train_wish *w, struct kb_buf *ret_model,
    struct kb_train_answer *ret_answers);

#endif
