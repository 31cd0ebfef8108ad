#ifndef WAYBILL_CCRYPTO_H
#define WAYBILL_CCRYPTO_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#endif
