/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkmark.c - checking the marks of one record, in an image that may have some (container.md 2)
 */
#include "check.h"
#include "path.h"

static void check_target(struct cim_check *c, const struct cim_record *record)
{
	static const char what[] = "merge link";
	const uint64_t faults = c->faults, offset = record->stream_offset;
	struct cim_path target = {0};
	uint32_t number;

	if (!cim_check_first(c, CIM_CHECK_MERGE_LINK, what, offset, record->stream_desc,
			     record->base_region, &number))
		return;
	if (cim_check_spend(c, what, offset, cim_stream_length(record->stream_desc))) {
		cim_check_try(c, cim_image_merge_target(c->image, record, &target, &c->why), what,
			      offset, "where it leads to isn't told");
		cim_path_free(&target);
	}
	cim_check_judge(c, number, faults);
}

static void check_directory(struct cim_check *c, uint64_t offset, uint32_t file_id,
			    const struct cim_record *record)
{
	static const char what[] = "directory's marks";

	if (record->flags & CIM_FLAG_MERGE_LINK)
		cim_check_report(c, CIM_ERROR, what, offset, "a directory can't be a merge link");
	if (record->flags & CIM_FLAG_BARE && file_id == c->image->info.root_id)
		cim_check_report(c, CIM_ERROR, what, offset, "the root can't be bare");
}

static void check_tombstone(struct cim_check *c, uint64_t offset, const struct cim_record *record)
{
	static const char what[] = "tombstone";

	if (record->flags & CIM_FLAG_MERGE_LINK)
		cim_check_report(c, CIM_ERROR, what, offset, "it is a merge link at once");
	else if (cim_stream_length(record->stream_desc) || record->streams)
		cim_check_report(c, CIM_ERROR, what, offset, "a tombstone has data");
}

void cim_check_marks(struct cim_check *c, uint64_t offset, uint32_t file_id, bool readable,
		     const struct cim_record *record)
{
	if (!c->image->marked)
		return;
	if (cim_record_is_dir(record)) {
		check_directory(c, offset, file_id, record);
		return;
	}
	if (record->flags & CIM_FLAG_BARE)
		cim_check_report(c, CIM_ERROR, "file's marks", offset, "a file can't be bare");
	if (record->flags & CIM_FLAG_TOMBSTONE)
		check_tombstone(c, offset, record);
	else if (record->flags & CIM_FLAG_MERGE_LINK && readable)
		check_target(c, record);
}
