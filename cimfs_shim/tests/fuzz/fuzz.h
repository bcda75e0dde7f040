/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is a program with libFuzzer's entry point, LLVMFuzzerTestOneInput(): "make fuzz" has
 * libFuzzer make up inputs for it, "make check" runs it over its corpus by a main() of its own
 * (main.c). Whatever must not be ends the program, so that the input is kept: what a sanitizer
 * sees, fuzz_broken(), more time or memory than an input may take.
 */
#ifndef CIM_TESTS_FUZZ_H
#define CIM_TESTS_FUZZ_H

#include "libcim_advanced.h"

#include "../memfs.h"

/* An input of several files takes no more than that, however little of it is told. */
#define FUZZ_FILE  (512u << 10)
#define FUZZ_FILES (1u << 20)

#define FUZZ_IMAGE   "i.cim"
#define FUZZ_REGIONS 64

/* What libcim may take at once for such an input; caches and the upcase table are most of it. */
#define FUZZ_MEMORY (64L << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

_Noreturn void fuzz_broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The rest of an input that says what to do; 0 from its end on. */
struct fuzz_steps {
	const uint8_t *at;
	size_t left;
};

/* Put the files of an input into @fs; see bundle.c. */
struct fuzz_steps fuzz_unpack(struct memfs *fs, const uint8_t *data, size_t size);

/* The next pieces of what to do. */
uint8_t fuzz_byte(struct fuzz_steps *steps);
uint64_t fuzz_number(struct fuzz_steps *steps, unsigned bytes);
/* A name of up to @room - 1 bytes, NUL-terminated. */
void fuzz_text(struct fuzz_steps *steps, char *text, size_t room);

/*
 * Open the input's image. NULL: it can't be, or names so many regions that asking for all of them,
 * in vain, is what the time would go into.
 */
struct cim_image *fuzz_open(const struct cim_env *env);
/* Errors that a deep check finds; UINT64_MAX: it failed. */
uint64_t fuzz_verify(struct cim_image *image);
/* Nothing is left open or allocated, and there was never too much of it. */
void fuzz_clean(struct memfs *fs);

#endif
