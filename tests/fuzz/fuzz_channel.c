/*
 * fuzz channel: datagrams of any shape, with descriptors that may or may not fit, into a channel of three types.
 *
 * Input: records of 6 octets (type, claimed descriptors, descriptors, claimed size, length, what the handler does),
 * then nothing: bodies repeat the record. Properties: a handler sees only what its row names; the channel ends at most
 * once and hears nothing afterwards; no descriptor is left behind.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kitebox/memfd.h>

#include "channel.h"

enum { RECORD = 6, RECORDS_MOST = 64 };

struct state {
	struct kb_channel *ch;
	unsigned ended;
	uint8_t act;
	int kept;
};

static enum kb_status handle(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	struct state *s = ctx;

	assert(!s->ended && ch == s->ch && body);
	for (size_t i = 0; i < n; i++)
		assert(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
	if (s->act & 1 && n && s->kept < 0) {
		s->kept = fds[0];
		fds[0] = -1;
	}
	if (s->act & 2)
		return KB_DENIED;
	if (s->act & 4)
		kb_channel_free(&s->ch);
	return KB_OK;
}

static enum kb_status handle_none(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	assert(n == 0);
	return handle(ctx, ch, body, fds, n);
}

static enum kb_status handle_some(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	assert(n >= 2 && n <= 4);
	return handle(ctx, ch, body, fds, n);
}

static enum kb_status handle_most(void *ctx, struct kb_channel *ch, const void *body, int *fds, size_t n)
{
	assert(n <= KB_CHANNEL_FDS_MOST);
	return handle(ctx, ch, body, fds, n);
}

static const struct kb_channel_row rows[] = {
    {1, 0, 0, 8, handle_none},
    {2, 2, 4, 24, handle_some},
    {3, 0, KB_CHANNEL_FDS_MOST, KB_CHANNEL_BODY_MOST, handle_most},
};

static void on_closed(void *ctx, struct kb_channel *ch, enum kb_status why)
{
	struct state *s = ctx;

	assert(!s->ended && ch == s->ch && why != KB_OK);
	s->ended++;
	kb_channel_free(&s->ch);
}

static void throw(int fd, const uint8_t r[static RECORD])
{
	static uint8_t octets[KB_CHANNEL_BODY_MOST + 64];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = {0};
	const struct kb_wire_head head = {
	    .type = r[0], .fds = r[1], .size = r[3] == 255 ? (uint32_t)KB_CHANNEL_BODY_MOST : r[3]};
	size_t fds = r[2] % 17, len = r[4] == 255   ? sizeof head + KB_CHANNEL_BODY_MOST
				      : r[4] == 254 ? sizeof octets
						    : r[4];
	struct iovec iov = {octets, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = r[i % RECORD];
	memcpy(octets, &head, sizeof head);
	if (fds) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		*c = (struct cmsghdr){
		    .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(fds * sizeof(int))};
		for (size_t i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	}
	(void)!sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state s = {.kept = -1};
	sd_event *loop = NULL;
	unsigned before = open_files();
	int fds[2];

	assert(sd_event_new(&loop) >= 0);
	assert(kb_channel_pair(NULL, fds) == KB_OK);
	assert(kb_channel_new(NULL, loop, fds[0], rows, KB_LEN(rows), on_closed, &s, &s.ch) == KB_OK);
	for (size_t i = 0; i + RECORD <= size && i < RECORD * RECORDS_MOST && s.ch; i += RECORD) {
		s.act = data[i + 5];
		throw(fds[1], data + i);
		while (sd_event_run(loop, 0) > 0)
			;
	}
	kb_fd_close(&s.kept); /* which may be a copy of the peer's end */
	kb_fd_close(&fds[1]);
	while (sd_event_run(loop, 0) > 0)
		;
	assert(!s.ch); /* a peer that is gone always ends it */
	sd_event_unref(loop);
	assert(open_files() == before);
	return 0;
}
