/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - the detail record of a failure
 *
 * Failures: a function that fails calls cim_fail(), which fills in the caller's struct cim_error
 * (if any) and returns the status, so that the cause is recorded where it is known. The public
 * function at the top adds what it knows, the operation, the image and the path, with
 * cim_error_where(). Functions of core that take a `struct cim_error *err` all accept NULL.
 */
#ifndef CIM_ERROR_H
#define CIM_ERROR_H

#include "../../include/libcim_advanced.h"
#include "../../include/libcim_env.h"

#if defined(__GNUC__)
#define CIM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CIM_PRINTF(fmt, args)
#endif

/* Record a failure and return @status. The cause is a phrase without a full stop. */
enum cim_status cim_fail(struct cim_error *err, enum cim_status status, const char *cause, ...)
	CIM_PRINTF(3, 4);

/* The same for a call of @vfs that failed: appends what the system says of @os_error, and keeps
 * it. */
enum cim_status cim_fail_os(struct cim_error *err, enum cim_status status,
			    const struct cim_vfs *vfs, long os_error, const char *what, ...)
	CIM_PRINTF(5, 6);

/* The end of a call that had its failures recorded in @why: @err is filled in only if it has
 * failed. */
enum cim_status cim_fail_as(struct cim_error *err, enum cim_status status,
			    const struct cim_error *why);

/* The rule of libcim.h about NULL: is one of these pointers (up to 8) NULL? Then that is recorded
 * as a failure of @op (NULL: who annotates it says which), and CIM_E_POINTER is to be returned. */
#define CIM_ANY_NULL(err, op, ...) \
	cim_any_null(err, op, #__VA_ARGS__, (const void *const[8]){__VA_ARGS__})
/* @names: as they stand in the source, "a, b". */
bool cim_any_null(struct cim_error *err, const char *op, const char *names,
		  const void *const *pointers);

/* Add the operation, the image and the path (each may be NULL: left as it is) and return @status.
 * Does nothing for CIM_OK. */
enum cim_status cim_error_where(struct cim_error *err, enum cim_status status, const char *op,
				const char *image);
void cim_error_path(struct cim_error *err, const uint16_t *path, size_t units);
void cim_error_str(struct cim_error *err, struct cim_str path);

#endif
