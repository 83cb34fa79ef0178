/*
 * triage: what the subcommands of `kite triage` share: rules and model, and files of messages as JSON lines.
 *
 * Errors:    said, with the file and the line.
 * Formula:   docs/JSON.md ("Messages for triage").
 */
#ifndef KITE_TRIAGE_H
#define KITE_TRIAGE_H

#include <kitebox/triage.h>

#include "json.h"
#include "kite.h"

struct kite_mind {
	struct kb_buf rules, model;
	struct kb_triage *triage;
};
/* The rules alone, of --rules, else as below. */
KB_MUST_USE enum kb_status kite_rules_open(const char *rules, struct kite_mind *ret_m);
/* From --rules and --model, else from where they lie beside this program or were installed. */
KB_MUST_USE enum kb_status kite_mind_open(const char *rules, const char *model, struct kite_mind *ret_m);
void kite_mind_close(struct kite_mind *m);

/* Hands each line's object to one, which does not keep it; "-" is standard input. */
typedef enum kb_status kite_line_fn(void *ctx, const char *path, size_t line, json_t *object);
KB_MUST_USE enum kb_status kite_lines_read(const char *path, kite_line_fn *one, void *ctx);
/* A text of the object; empty when it is not there or null. KB_MALFORMED, said, for another kind of value. */
KB_MUST_USE enum kb_status kite_line_text(const char *path, size_t line, json_t *object, const char *key, struct kb_span *ret);
/* The verdict on one object: `raw`, a whole message, or `subject` and `text`. */
KB_MUST_USE enum kb_status kite_line_judge(const struct kite *k, const struct kite_mind *m, const char *path, size_t line, json_t *object,
    struct kb_verdict *ret_v);

enum kb_status kite_triage_eval(struct kite *k);
enum kb_status kite_triage_train(struct kite *k);
enum kb_status kite_triage_test(struct kite *k);

#endif
