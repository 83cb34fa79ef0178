/*
 * train_parts: the material of a training, and how it is dealt out so that nobody is judged by what they wrote themselves.
 */
#ifndef KITEBOX_TRIAGE_TRAIN_PARTS_H
#define KITEBOX_TRIAGE_TRAIN_PARTS_H

#include <kitebox/train.h>

#include "model.h"

struct kb_item_feature {
	uint32_t hash;
	uint32_t view;
};

struct kb_item {
	struct kb_token *token;
	size_t tokens;
	struct kb_item_feature *feature; /* each row once, as the model meets them */
	size_t features;
	uint32_t n[KB_VIEW_COUNT];
	bool allegation, unmeasured;
	uint32_t flags;
	uint8_t category, language;
	float rules;
	unsigned part;
	size_t kin;           /* an item of its kind: who shares an author or a pair */
	uint64_t author, pair; /* hashes; 0: none */
};

struct kb_train {
	struct kb_item *item;
	size_t n, room;
};

/* Gives each item its part. KB_MALFORMED where there are too few who share nothing, or not both classes. */
KB_MUST_USE enum kb_status kb_train_deal(struct kb_diag *d, struct kb_train *t);

#endif
