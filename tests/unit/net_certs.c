/* net_certs: see net_certs.h. */
#include "net_certs.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

#define MUST(call)                       \
	do {                             \
		if ((call) < 0)          \
			abort();         \
	} while (0)

static gnutls_x509_privkey_t new_key(void)
{
	gnutls_x509_privkey_t key;

	MUST(gnutls_x509_privkey_init(&key));
	MUST(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static gnutls_x509_crt_t new_crt(gnutls_x509_privkey_t key, const char *name, time_t from, time_t until)
{
	static unsigned char serial = 1;
	gnutls_x509_crt_t crt;

	MUST(gnutls_x509_crt_init(&crt));
	MUST(gnutls_x509_crt_set_version(crt, 3));
	MUST(gnutls_x509_crt_set_serial(crt, &serial, 1));
	serial++;
	MUST(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)));
	MUST(gnutls_x509_crt_set_activation_time(crt, from));
	MUST(gnutls_x509_crt_set_expiration_time(crt, until));
	MUST(gnutls_x509_crt_set_key(crt, key));
	return crt;
}

void net_ca_init(struct net_ca *ca)
{
	time_t now = time(NULL);

	ca->key = new_key();
	ca->crt = new_crt(ca->key, "a CA of the tests", now - 30 * DAY_S, now + 30 * DAY_S);
	MUST(gnutls_x509_crt_set_ca_status(ca->crt, 1));
	MUST(gnutls_x509_crt_set_key_usage(ca->crt, GNUTLS_KEY_KEY_CERT_SIGN));
	MUST(gnutls_x509_crt_sign2(ca->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0));
	MUST(gnutls_x509_crt_export2(ca->crt, GNUTLS_X509_FMT_PEM, &ca->pem));
}

void net_ca_release(struct net_ca *ca)
{
	gnutls_free(ca->pem.data);
	gnutls_x509_crt_deinit(ca->crt);
	gnutls_x509_privkey_deinit(ca->key);
}

static void set_name(gnutls_x509_crt_t crt, const char *host)
{
	uint8_t binary[4];

	if (inet_pton(AF_INET, host, binary) == 1)
		MUST(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, binary, sizeof binary, GNUTLS_FSAN_SET));
	else
		MUST(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), GNUTLS_FSAN_SET));
}

gnutls_certificate_credentials_t net_certificate(const struct net_ca *ca, const char *host, bool expired)
{
	gnutls_certificate_credentials_t credentials;
	time_t now = time(NULL);
	gnutls_x509_privkey_t key = new_key();
	gnutls_x509_crt_t crt = new_crt(key, host, now - 20 * DAY_S, expired ? now - DAY_S : now + 20 * DAY_S);

	set_name(crt, host);
	MUST(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	MUST(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	MUST(gnutls_x509_crt_sign2(crt, ca ? ca->crt : crt, ca ? ca->key : key, GNUTLS_DIG_SHA256, 0));
	MUST(gnutls_certificate_allocate_credentials(&credentials));
	MUST(gnutls_certificate_set_x509_key(credentials, &crt, 1, key));
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return credentials;
}
