/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reach.c - how far what lies in a source of a merged image may lead
 *
 * A merged image takes the stream tables and PE descriptors of its sources as they are, and in its
 * list of regions those of the next source follow. An image that was made to harm would lead into
 * them, where read alone it leads nowhere. But what was written into an image leads to regions that
 * image has, and in the list there are none of them behind its own set, which is its source's last.
 * So what lies in a source leads to no region behind that source. It may lead to one before: of a
 * source that was merged itself those that it was merged of lie there.
 */
#include "image.h"

enum cim_status cim_image_find_reaches(struct cim_image *image, struct cim_error *err)
{
	const struct cim_region_set *last = image->sets;
	const uint32_t count = image->info.source_count;

	if (!count)
		return CIM_OK;
	image->reaches = cim_alloc(&image->env, count * sizeof(*image->reaches));
	if (!image->reaches)
		return cim_no_memory(err);
	for (uint32_t i = 0; i < count; i++) {
		last += image->sources[i].set_count;
		image->reaches[i] = last[-1].first + last[-1].count;
	}
	return CIM_OK;
}

/* The first region behind those of the source that has @region; UINT32_MAX: no source has it. */
static uint32_t reach_of(const struct cim_image *image, uint32_t region)
{
	uint32_t low = 0, high = image->info.source_count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (region < image->reaches[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return low < image->info.source_count ? image->reaches[low] : UINT32_MAX;
}

static enum cim_status check_reach(const struct cim_image *image, uint64_t from, uint64_t desc,
				   uint64_t to, struct cim_error *err)
{
	const uint32_t reach = reach_of(image, cim_region_index(from));

	if (cim_region_index(to) < reach || !cim_stream_length(desc) || desc & CIM_STREAM_SPARSE)
		return CIM_OK;
	return cim_fail(err, CIM_E_CORRUPT,
			"what lies in a source leads to region %u, behind the source's last, %u",
			(unsigned)cim_region_index(to), (unsigned)reach - 1);
}

enum cim_status cim_image_reach_stream(const struct cim_image *image, uint64_t from, uint64_t desc,
				       uint16_t base, uint64_t *offset, struct cim_error *err)
{
	enum cim_status status = cim_stream_add_base(offset, desc, base, err);

	return status ? status : check_reach(image, from, desc, *offset, err);
}

enum cim_status cim_image_reach_pe_data(const struct cim_image *image, uint64_t from,
					const uint8_t *descriptor, uint16_t base, uint64_t *offset,
					struct cim_error *err)
{
	const uint64_t length = cim_get64(descriptor + CIM_OFF(pe_image, data_length));
	enum cim_status status = cim_pe_data(descriptor, base, offset, err);

	return status ? status
		      : check_reach(image, from, length & CIM_STREAM_LENGTH_MASK, *offset, err);
}
