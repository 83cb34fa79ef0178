/*
 * fault_blind: a fault for tests: a sealer that calls what no sorter could read a plain inquiry.
 *
 * What shows that such a message becomes an unreadable case (unreadable.py) must find it out. The linker puts this in front of
 * the library's own function (--wrap), in a program that only that test starts.
 */
#include <kitebox/triage.h>

void __real_kb_triage_raw(
    const struct kb_triage *t, struct kb_span raw, const struct kb_triage_context *c, struct kb_verdict *ret_v);
void __wrap_kb_triage_raw(
    const struct kb_triage *t, struct kb_span raw, const struct kb_triage_context *c, struct kb_verdict *ret_v);

void __wrap_kb_triage_raw(
    const struct kb_triage *t, struct kb_span raw, const struct kb_triage_context *c, struct kb_verdict *ret_v)
{
	__real_kb_triage_raw(t, raw, c, ret_v);
	ret_v->class_ = KB_CLASS_INQUIRY;
	ret_v->flags = 0;
}
