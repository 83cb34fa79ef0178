/*
 * x25519_share: the public half of an ephemeral X25519 secret, at half the price.
 *
 * The ladder of X25519 walks to the base point as to any other point. The same point on the Edwards form of the curve comes out of
 * a table, and the map between the two forms is one division: u = (1 + y) / (1 - y). libsodium has the table and, for a point that
 * is known to be of the right order, no way over the map that does not check it at the price of another multiplication; GMP divides.
 * The scalar stays with libsodium; what is divided is the point that is about to be published.
 *
 * Standard:  RFC 7748, section 4.1 (the map), section 5 (clamping).
 */
#include <stdlib.h>
#include <string.h>

#include <gmp.h>
#include <sodium.h>

#include "age_internal.h"

static void get(mpz_t to, const uint8_t from[static 32])
{
	mpz_import(to, 32, -1, 1, 0, 0, from);
}

/* p = 2^255 - 19 */
static void prime(mpz_t to)
{
	mpz_set_ui(to, 1);
	mpz_mul_2exp(to, to, 255);
	mpz_sub_ui(to, to, 19);
}

void kb_x25519_share(const uint8_t secret[static 32], uint8_t ret_share[static KB_AGE_SHARE])
{
	uint8_t point[crypto_scalarmult_ed25519_BYTES], scalar[crypto_scalarmult_ed25519_SCALARBYTES];
	size_t n;
	mpz_t p, y, over, under;
	/* No clamped scalar is a multiple of the order, so there is always a point, and its y is not 1. */
	memcpy(scalar, secret, sizeof(scalar));
	scalar[0] &= 248;
	scalar[31] = (uint8_t)((scalar[31] & 127) | 64);
	if (crypto_scalarmult_ed25519_base_noclamp(point, scalar) != 0)
		abort();
	sodium_memzero(scalar, sizeof(scalar));
	point[sizeof(point) - 1] &= 0x7f; /* the sign of x */
	mpz_inits(p, y, over, under, NULL);
	prime(p);
	get(y, point);
	mpz_add_ui(over, y, 1);
	mpz_ui_sub(under, 1, y);
	mpz_mod(under, under, p);
	if (!mpz_invert(under, under, p))
		abort();
	mpz_mul(over, over, under);
	mpz_mod(over, over, p);
	memset(ret_share, 0, KB_AGE_SHARE);
	mpz_export(ret_share, &n, -1, 1, 0, 0, over);
	mpz_clears(p, y, over, under, NULL);
}
