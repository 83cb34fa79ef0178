/*
 * desk_frame: see desk_frame.h.
 *
 *     frame = type (u16) zero (u16) length (u32) length*OCTET          little-endian
 */
#include "desk_frame.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

struct kb_desk_in_room kb_desk_in_room(struct kb_desk_in *in)
{
	return (struct kb_desk_in_room){in->octets + in->fill, sizeof(in->octets) - in->fill};
}

void kb_desk_in_filled(struct kb_desk_in *in, size_t n)
{
	if (n > sizeof(in->octets) - in->fill)
		abort();
	in->fill += n;
}

enum kb_status kb_desk_in_next(const struct kb_desk_in *in, const struct kb_desk_row **ret_row, const uint8_t **ret_body)
{
	if (in->fill < KB_DESK_HEAD)
		return KB_AGAIN;
	const struct kb_desk_row *row = kb_desk_request(kb_get_u16(in->octets));
	if (!row || kb_get_u16(in->octets + 2) != 0 || kb_get_u32(in->octets + 4) != row->size || row->size > KB_ASK_BODY)
		return KB_MALFORMED;
	if (in->fill - KB_DESK_HEAD < row->size)
		return KB_AGAIN;
	*ret_row = row;
	*ret_body = in->octets + KB_DESK_HEAD;
	return KB_OK;
}

/* clang-format off */
static const struct {
	uint16_t type, at, len;
} spare[] = {
	{ KB_DESK_HELLO,  offsetof(struct kb_desk_hello, zero), sizeof(uint32_t) },
	{ KB_DESK_ROSTER, offsetof(struct kb_desk_none, zero),  sizeof(uint64_t) },
	{ KB_DESK_GRANT,  offsetof(struct kb_desk_epoch, zero), sizeof(uint32_t) },
	{ KB_DESK_OPEN,   offsetof(struct kb_desk_open, zero),  sizeof(uint32_t) },
	{ KB_DESK_STATUS, offsetof(struct kb_desk_none, zero),  sizeof(uint64_t) },
};
/* clang-format on */

bool kb_desk_spare_is_zero(const struct kb_desk_row *row, const uint8_t *body)
{
	for (size_t i = 0; i < KB_LEN(spare); i++)
		if (spare[i].type == row->type && !sodium_is_zero(body + spare[i].at, spare[i].len))
			return false;
	if (row->type != KB_DESK_OPEN)
		return true;
	size_t n = kb_get_u32(body + offsetof(struct kb_desk_open, n)), at = offsetof(struct kb_desk_open, id);
	return n > KB_DESK_OPEN_MOST || sodium_is_zero(body + at + n * KB_ID_LEN, (KB_DESK_OPEN_MOST - n) * KB_ID_LEN);
}

void kb_desk_in_drop(struct kb_desk_in *in)
{
	const struct kb_desk_row *row;
	const uint8_t *body;
	if (kb_desk_in_next(in, &row, &body) != KB_OK)
		return;
	size_t whole = KB_DESK_HEAD + (size_t)row->size;
	memmove(in->octets, in->octets + whole, in->fill - whole);
	sodium_memzero(in->octets + in->fill - whole, whole);
	in->fill -= whole;
}

/* An answer's frames, in this order. */
enum { STAGE_IDLE = 0, STAGE_DATA, STAGE_SELF, STAGE_END };

void kb_desk_answer_release(struct kb_desk_answer *a)
{
	kb_map_release(&a->map);
	free(a->memory);
	a->memory = NULL;
}

enum kb_status kb_desk_out_add(struct kb_desk_out *out, struct kb_desk_answer *a)
{
	if (out->n == KB_DESK_OUT_MOST || a->len > sizeof(a->body))
		return KB_LIMIT;
	struct kb_desk_answer *own = malloc(sizeof(*own));
	if (!own)
		abort();
	*own = *a;
	a->map = (struct kb_map){0};
	a->memory = NULL;
	out->answer[(out->first + out->n++) % KB_DESK_OUT_MOST] = own;
	return KB_OK;
}

bool kb_desk_out_empty(const struct kb_desk_out *out)
{
	return out->n == 0;
}

static void pop(struct kb_desk_out *out)
{
	kb_desk_answer_release(out->answer[out->first]);
	free(out->answer[out->first]);
	out->answer[out->first] = NULL;
	out->first = (out->first + 1) % KB_DESK_OUT_MOST;
	out->n--;
	out->stage = STAGE_IDLE;
	out->at = 0;
}

static void frame(struct kb_desk_out *out, unsigned stage, uint16_t type, struct kb_span payload)
{
	kb_put_u16(out->head, type);
	kb_put_u16(out->head + 2, 0);
	kb_put_u32(out->head + 4, (uint32_t)payload.len);
	out->payload = payload;
	out->sent = 0;
	out->stage = stage;
}

/* The frame after the one that is out; takes the answer away when it was the last. */
static void advance(struct kb_desk_out *out)
{
	const struct kb_desk_answer *a = out->answer[out->first];
	struct kb_span body = a->memory ? KB_SPAN(a->memory, a->memory_len) : a->map.s;
	if (out->stage <= STAGE_DATA && out->at < body.len) {
		struct kb_span data = kb_span_from(body, (size_t)out->at);
		if (data.len > KB_DESK_DATA_MOST)
			data.len = KB_DESK_DATA_MOST;
		out->at += data.len;
		frame(out, STAGE_DATA, KB_DESK_DATA, data);
	} else if (out->stage <= STAGE_DATA) {
		frame(out, STAGE_SELF, a->type, KB_SPAN(a->body, a->len));
	} else if (out->stage == STAGE_SELF && a->end) {
		frame(out, STAGE_END, KB_DESK_END, KB_SPAN(NULL, 0));
	} else {
		pop(out);
	}
}

void kb_desk_out_next(struct kb_desk_out *out, struct kb_span ret_s[static 2])
{
	if (out->n && out->stage == STAGE_IDLE)
		advance(out);
	if (!out->n) {
		ret_s[0] = ret_s[1] = KB_SPAN(NULL, 0);
		return;
	}
	ret_s[0] = kb_span_from(KB_SPAN(out->head, KB_DESK_HEAD), out->sent);
	ret_s[1] = out->sent > KB_DESK_HEAD ? kb_span_from(out->payload, out->sent - KB_DESK_HEAD) : out->payload;
}

void kb_desk_out_sent(struct kb_desk_out *out, size_t n)
{
	if (!out->n || out->stage == STAGE_IDLE || n > KB_DESK_HEAD + out->payload.len - out->sent)
		abort();
	out->sent += n;
	if (out->sent == KB_DESK_HEAD + out->payload.len)
		advance(out);
}

void kb_desk_out_release(struct kb_desk_out *out)
{
	while (out->n)
		pop(out);
}
