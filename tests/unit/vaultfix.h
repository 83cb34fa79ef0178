/* vaultfix: the vault as a process of its own, with this program as its supervisor, sealer, desk and courier. */
#ifndef VAULTFIX_H
#define VAULTFIX_H

#include "roomfix.h"
#include "storefix.h"

struct house {
	struct fix *f;
	const char *program;
	struct kb_settings settings;
	struct room room;
	int sealer, desk, courier;
	uint32_t outbox_key;          /* told to the vault at its start; 0: none */
	/* What is handed over: each may be left out or changed before house_start. */
	bool bundle, vault_key, referral_key, office_key;
	struct kb_minisign_public office; /* as configured */
};

struct house *house_new(const char *program);
void house_free(struct house *h);
/* Until READY; with fresh channels to a sealer, the desk and a courier. */
void house_start(struct house *h);
void house_kill(struct house *h);
/* STOP, and a clean end. */
void house_stop(struct house *h);

/* A letter as a sealer would hand it over, and the answer. */
void store_letter(struct house *h, const struct letter *l);
struct kb_wire_result stored(struct house *h);
struct kb_wire_result house_put(struct house *h, const struct letter *l);

/* The desk: a question on a connection. */
void ask(struct house *h, uint32_t conn, uint16_t type, const void *body, size_t size);
/* The answer's body in ret (of size octets); its descriptor's octets in *ret_map when it has one. KB_DESK_ERROR gives its status. */
enum kb_status answer(struct house *h, uint16_t type, void *ret, size_t size, struct kb_map *ret_map);
enum kb_status log_in(struct house *h, uint32_t conn, unsigned person);

#endif
