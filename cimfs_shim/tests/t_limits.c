/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The size of a link table, planned for more rows than any test could write (decision D48). */
#include "../core/session.h"
#include "tap.h"

static struct cim_error err;

/* A table of 8 bytes, a row of @value + 4, a name of 2 bytes and 2 for each unit. */
static void fits(uint64_t count, uint32_t value, uint64_t units, uint64_t want, const char *name)
{
	uint64_t size = 0;

	is_str(cim_status_name(cim_link_table_size(count, value, units, &size, &err)), "CIM_OK",
	       "%s: fits", name);
	is_int((int64_t)size, (int64_t)want, "%s: its bytes", name);
}

static void is_too_large(uint64_t count, uint32_t value, uint64_t units, const char *name)
{
	uint64_t size = 0;

	memset(&err, 0, sizeof(err));
	is_str(cim_status_name(cim_link_table_size(count, value, units, &size, &err)),
	       "CIM_E_LIMIT", "%s: too large", name);
	ok(strstr(err.cause, "4 GiB") != NULL, "%s: the cause: %s", name, err.cause);
}

int main(void)
{
	const uint64_t max = UINT32_MAX;

	fits(0, CIM_LINK_FILE_SIZE, 0, 8, "an empty directory");
	fits(3, CIM_LINK_FILE_SIZE, 12, 8 + 3 * (4 + 4 + 2) + 24, "three entries");
	fits(1, CIM_LINK_STREAM_SIZE, 255, 8 + 16 + 4 + 2 + 510, "a stream");
	if (sizeof(size_t) > 4) {
		/* 429,496,727 rows of ten bytes and their names, up to 2^32 - 2 bytes. */
		fits(1, CIM_LINK_FILE_SIZE, (max - 19) / 2, 4294967294, "the longest table");
		fits(429496728, CIM_LINK_FILE_SIZE, 3, 4294967294, "the most rows");
		fits(8259552, CIM_LINK_FILE_SIZE, 8259552 * UINT64_C(255), 4294967048,
		     "the most of the longest names");
	}
	is_too_large(1, CIM_LINK_FILE_SIZE, (max - 19) / 2 + 1, "two bytes more");
	is_too_large(429496728, CIM_LINK_FILE_SIZE, 4, "a unit more");
	is_too_large(429496729, CIM_LINK_FILE_SIZE, 0, "a row more");
	is_too_large(8259553, CIM_LINK_FILE_SIZE, 8259553 * UINT64_C(255), "a long name more");
	is_too_large(195225787, CIM_LINK_STREAM_SIZE, 0, "streams");
	is_too_large(max, CIM_LINK_STREAM_SIZE, max * 255, "every FileID");
	/* Sums that would be small again if they wrapped. */
	is_too_large(UINT64_MAX / 8 + 1, CIM_LINK_FILE_SIZE, 0, "rows past 64 bits");
	is_too_large(1, CIM_LINK_FILE_SIZE, UINT64_MAX, "names past 64 bits");
	is_too_large(1, CIM_LINK_FILE_SIZE, UINT64_MAX / 2, "twice the names past 64 bits");
	is_too_large((UINT64_C(1) << 60), CIM_LINK_STREAM_SIZE, UINT64_C(3) << 61, "all of it");
	return tap_done();
}
