#ifndef WAYBILL_CTLS_H
#define WAYBILL_CTLS_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Macros are not imported. */
static inline long waybill_set_server_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, name); }

/* The n-th DNS name of a certificate, NULL past the last; the certificate keeps it. */
static inline const unsigned char *waybill_dns_name(const GENERAL_NAMES *names, int n)
{
	const GENERAL_NAME *name = n < sk_GENERAL_NAME_num(names) ? sk_GENERAL_NAME_value(names, n) : NULL;
	if (name == NULL) return NULL;
	return name->type == GEN_DNS ? ASN1_STRING_get0_data(name->d.dNSName) : (const unsigned char *)"";
}

static inline int waybill_chain_length(const SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	return chain == NULL ? 0 : sk_X509_num(chain);
}

#endif
