/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bundle.c - several files in one input, and what else the targets share
 *
 * An input is a list of records, each a letter and what it takes; numbers are little-endian.
 * corpus.py writes them.
 *
 *   F  u8 length, name          the following belongs to this file
 *   B  u16 length, bytes        bytes
 *   Z  u24 length               zeros
 *   U                           the upcase table of our images
 *   L  u24 length, u64 word     bytes that look random (hand-made images' file contents)
 *   P  u16 length, bytes        what the target is to do; the last one counts
 *
 * A record that is none is passed over by a byte, one that is cut short ends with the input.
 */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/collate.h"

void fuzz_broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fflush(stdout);
	dprintf(2, "fuzz: ");
	vdprintf(2, fmt, args);
	dprintf(2, "\n");
	va_end(args);
	abort();
}

uint64_t fuzz_number(struct fuzz_steps *steps, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && steps->left; i++, steps->left--)
		value |= (uint64_t)*steps->at++ << 8 * i;
	return value;
}

uint8_t fuzz_byte(struct fuzz_steps *steps)
{
	return (uint8_t)fuzz_number(steps, 1);
}

static struct fuzz_steps take(struct fuzz_steps *from, size_t len)
{
	struct fuzz_steps part = {from->at, len < from->left ? len : from->left};

	from->at += part.left;
	from->left -= part.left;
	return part;
}

void fuzz_text(struct fuzz_steps *steps, char *text, size_t room)
{
	const size_t len = fuzz_byte(steps);
	struct fuzz_steps part = take(steps, len < room ? len : room - 1);

	if (part.left)
		memcpy(text, part.at, part.left);
	text[part.left] = '\0';
}

/* ---- files ---- */

struct file {
	char name[256];
	uint8_t *bytes; /* room for FUZZ_FILE */
	size_t size;
};

static void append(struct file *file, const void *bytes, size_t len)
{
	if (len > FUZZ_FILE - file->size)
		len = FUZZ_FILE - file->size;
	if (!len)
		return;
	if (bytes)
		memcpy(file->bytes + file->size, bytes, len);
	else
		memset(file->bytes + file->size, 0, len);
	file->size += len;
}

static void append_random(struct file *file, size_t len, uint64_t word)
{
	for (uint8_t bytes[8]; len; len -= len < 8 ? len : 8) {
		for (unsigned i = 0; i < 8; i++)
			bytes[i] = (uint8_t)(word >> 8 * i);
		append(file, bytes, len < 8 ? len : 8);
		word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	}
}

static void append_upcase(struct file *file)
{
	uint8_t bytes[2 * CIM_UPCASE_ENTRIES];

	for (size_t i = 0; i < CIM_UPCASE_ENTRIES; i++) {
		bytes[2 * i] = (uint8_t)cim_upcase_default[i];
		bytes[2 * i + 1] = (uint8_t)(cim_upcase_default[i] >> 8);
	}
	append(file, bytes, sizeof(bytes));
}

static void end_file(struct memfs *fs, struct file *file, size_t *total)
{
	if (*file->name && !strchr(file->name, '/') && *total + file->size <= FUZZ_FILES) {
		memfs_put(fs, file->name, file->bytes, file->size);
		*total += file->size;
	}
	file->size = 0;
}

struct fuzz_steps fuzz_unpack(struct memfs *fs, const uint8_t *data, size_t size)
{
	struct fuzz_steps rest = {data, size}, part, steps = {NULL, 0};
	struct file file = {.bytes = malloc(FUZZ_FILE)};
	size_t len, total = 0;

	if (!file.bytes)
		fuzz_broken("out of memory");
	while (rest.left) {
		switch (fuzz_byte(&rest)) {
		case 'F':
			end_file(fs, &file, &total);
			fuzz_text(&rest, file.name, sizeof(file.name));
			break;
		case 'B':
			part = take(&rest, (size_t)fuzz_number(&rest, 2));
			append(&file, part.at, part.left);
			break;
		case 'Z':
			append(&file, NULL, (size_t)fuzz_number(&rest, 3));
			break;
		case 'U':
			append_upcase(&file);
			break;
		case 'L':
			len = (size_t)fuzz_number(&rest, 3);
			append_random(&file, len < FUZZ_FILE ? len : FUZZ_FILE,
				      fuzz_number(&rest, 8));
			break;
		case 'P':
			steps = take(&rest, (size_t)fuzz_number(&rest, 2));
			break;
		}
	}
	end_file(fs, &file, &total);
	free(file.bytes);
	return steps;
}

/* ---- what must hold ---- */

struct cim_image *fuzz_open(const struct cim_env *env)
{
	struct cim_image *image;

	if (cim_image_open(env, "mem/" FUZZ_IMAGE, &image, NULL) ||
	    cim_image_get_info(image)->region_count <= FUZZ_REGIONS)
		return image;
	cim_image_close(image);
	return NULL;
}

uint64_t fuzz_verify(struct cim_image *image)
{
	struct cim_verify_result result = {CIM_SIZED(result)};

	if (cim_image_verify(image, CIM_VERIFY_DEEP, NULL, NULL, &result, NULL))
		return UINT64_MAX;
	return result.errors;
}

void fuzz_clean(struct memfs *fs)
{
	const char *why;

	if (!memfs_is_clean(fs, &why))
		fuzz_broken("%s", why);
	if (fs->peak_bytes > FUZZ_MEMORY)
		fuzz_broken("%ld bytes of memory at once", (long)fs->peak_bytes);
}
