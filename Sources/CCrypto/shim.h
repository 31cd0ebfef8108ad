#ifndef WAYBILL_CCRYPTO_H
#define WAYBILL_CCRYPTO_H

#include <openssl/evp.h>

#endif
