/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sha256.c - the hash that dumps name contents by, from OpenSSL's libcrypto
 *
 * Each of its calls can fail, for want of memory if for nothing else, and one that fails must not
 * leave a digest of something else in a dump.
 */
#include "sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "../host/alloc.h"

struct sha256 {
	EVP_MD *type;
	EVP_MD_CTX *context;
	bool failed;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *hash = xcalloc(1, sizeof(*hash));

	/* What has not been set up, it takes for there. */
	if (OPENSSL_init_crypto(0, NULL)) {
		hash->type = EVP_MD_fetch(NULL, "SHA256", NULL);
		hash->context = EVP_MD_CTX_new();
	}
	if (hash->type && hash->context)
		return hash;
	sha256_free(hash);
	return NULL;
}

void sha256_free(struct sha256 *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	EVP_MD_free(hash->type);
	free(hash);
}

void sha256_begin(struct sha256 *hash)
{
	hash->failed = !EVP_DigestInit_ex(hash->context, hash->type, NULL);
}

void sha256_add(struct sha256 *hash, const void *p, size_t len)
{
	hash->failed = hash->failed || !EVP_DigestUpdate(hash->context, p, len);
}

bool sha256_end(struct sha256 *hash, unsigned char digest[SHA256_BYTES])
{
	return !hash->failed && EVP_DigestFinal_ex(hash->context, digest, NULL);
}
