/* net_certs: certificates made when a test runs, in memory. */
#ifndef NET_CERTS_H
#define NET_CERTS_H

#include <stdbool.h>

#include <gnutls/gnutls.h>
#include <kitebox/bytes.h>

struct net_ca {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem; /* what a client trusts */
};

void net_ca_init(struct net_ca *ca);
void net_ca_release(struct net_ca *ca);

/* A server's credentials: for a name (or numeric address), signed by ca or, when ca is NULL, by itself. */
gnutls_certificate_credentials_t net_certificate(const struct net_ca *ca, const char *host, bool expired);

#endif
