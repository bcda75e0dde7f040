/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.c - what items say to whoever merges images: tombstones, merge links and the like
 */
#include "tool.h"

const char *mark_name(uint32_t marks)
{
	return (marks & CIM_MARK_TOMBSTONE)    ? "tombstone"
	       : (marks & CIM_MARK_MERGE_LINK) ? "merge link"
	       : (marks & CIM_MARK_BARE)       ? "bare"
	       : (marks & CIM_MARK_OPAQUE)     ? "opaque"
					       : "";
}

const char *mark_letter(uint32_t marks)
{
	return (marks & CIM_MARK_TOMBSTONE)    ? "T"
	       : (marks & CIM_MARK_MERGE_LINK) ? "M"
	       : (marks & CIM_MARK_BARE)       ? "B"
	       : (marks & CIM_MARK_OPAQUE)     ? "O"
					       : "";
}

static bool fail_target(struct cim_error *err, const char *why)
{
	err->status = CIM_E_CORRUPT;
	snprintf(err->cause, sizeof(err->cause), "%s", why);
	return false;
}

/* The code units of a path, as bytes. */
static bool read_target(struct cim_image *image, const struct cim_file_info *file, uint8_t *bytes,
			size_t room, size_t *size, struct cim_error *err)
{
	static const char no_path[] = "a merge link's target is no path";
	struct cim_data data = {CIM_SIZED(data)};
	size_t got = 0;

	*size = 0;
	if (cim_image_get_file_data(image, file, (struct cim_str){0}, &data, err))
		return false;
	if (data.size % 2 || data.size > room)
		return fail_target(err, no_path);
	for (; *size < data.size; *size += got) {
		if (cim_image_read(image, &data, *size, bytes + *size, (size_t)data.size - *size,
				   &got, err))
			return false;
		if (!got)
			return fail_target(err, "a merge link's target is cut short");
	}
	/* It would end there as a string. */
	for (size_t i = 0; i < *size; i += 2)
		if (!bytes[i] && !bytes[i + 1])
			return fail_target(err, no_path);
	return true;
}

/* Thousands of links may lead to one target of 64 KiB. */
static bool spend(struct cim_image *image, struct cim_budget *budget,
		  const struct cim_file_info *file, struct cim_error *err)
{
	struct cim_place place;

	return !budget || (!cim_file_place(image, file, CIM_PART_DATA, &place, err) &&
			   !cim_budget_spend(budget, &place, err));
}

char *merge_link_target(struct cim_image *image, struct cim_budget *budget,
			const struct cim_file_info *file, struct cim_error *err)
{
	uint8_t *bytes = xmalloc(2 * CIM_MAX_PATH);
	uint16_t *units = xmalloc(2 * CIM_MAX_PATH);
	char *target = NULL;
	size_t size;

	if (spend(image, budget, file, err) &&
	    read_target(image, file, bytes, 2 * CIM_MAX_PATH, &size, err)) {
		for (size_t i = 0; i < size / 2; i++)
			units[i] = (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
		target = xmalloc(3 * (size / 2) + 1);
		cim_utf8_from_utf16(units, size / 2, target, 3 * (size / 2) + 1);
	}
	free(units);
	free(bytes);
	return target;
}
