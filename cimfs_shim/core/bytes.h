/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bytes.h - little-endian integers in byte buffers, and checked arithmetic
 *
 * The format is read and written field by field through these, never by casting a buffer to a
 * structure: alignment, byte order and aliasing then can't go wrong on any machine. Every size
 * or offset that comes from a file is added and multiplied through cim_ckd_*() or compared in
 * the form `size > limit - offset`.
 */
#ifndef CIM_BYTES_H
#define CIM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t cim_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t cim_get32(const uint8_t *p)
{
	return (uint32_t)cim_get16(p) | (uint32_t)cim_get16(p + 2) << 16;
}

static inline uint64_t cim_get64(const uint8_t *p)
{
	return (uint64_t)cim_get32(p) | (uint64_t)cim_get32(p + 4) << 32;
}

static inline void cim_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void cim_put32(uint8_t *p, uint32_t v)
{
	cim_put16(p, (uint16_t)v);
	cim_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void cim_put64(uint8_t *p, uint64_t v)
{
	cim_put32(p, (uint32_t)v);
	cim_put32(p + 4, (uint32_t)(v >> 32));
}

static inline bool cim_is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* Each returns false, leaving *r alone, if the result doesn't fit. */
static inline bool cim_ckd_add64(uint64_t *r, uint64_t a, uint64_t b)
{
	if (b > UINT64_MAX - a)
		return false;
	*r = a + b;
	return true;
}

static inline bool cim_ckd_mul64(uint64_t *r, uint64_t a, uint64_t b)
{
	if (a && b > UINT64_MAX / a)
		return false;
	*r = a * b;
	return true;
}

static inline bool cim_ckd_add_size(size_t *r, size_t a, size_t b)
{
	if (b > SIZE_MAX - a)
		return false;
	*r = a + b;
	return true;
}

static inline bool cim_ckd_mul_size(size_t *r, size_t a, size_t b)
{
	if (a && b > SIZE_MAX / a)
		return false;
	*r = a * b;
	return true;
}

/* Two hexadecimal digits for each byte; returns the end, where no NUL is put. */
static inline char *cim_put_hex(char *text, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	return text;
}

/* Does [offset, offset + size) lie within [0, limit)? */
static inline bool cim_in_range(uint64_t offset, uint64_t size, uint64_t limit)
{
	return offset <= limit && size <= limit - offset;
}

/* Round up to a multiple of @align, a power of two; false if that doesn't fit. */
static inline bool cim_ckd_align64(uint64_t *r, uint64_t v, uint64_t align)
{
	if (!cim_ckd_add64(&v, v, align - 1))
		return false;
	*r = v & ~(align - 1);
	return true;
}

#endif
