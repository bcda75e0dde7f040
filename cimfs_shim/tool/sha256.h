/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sha256.h - the hash that dumps name contents by
 */
#ifndef TOOL_SHA256_H
#define TOOL_SHA256_H

#include <stdbool.h>
#include <stddef.h>

#define SHA256_BYTES 32

struct sha256;

/* NULL: the library has none, or no memory. */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *hash);

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *p, size_t len);
/* False: something failed since it began, and the digest is none. */
bool sha256_end(struct sha256 *hash, unsigned char digest[SHA256_BYTES]);

#endif
