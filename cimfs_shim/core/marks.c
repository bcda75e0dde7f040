/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.c - items that say something to whoever merges images, and are hidden from all others
 *
 * Tombstones, merge links, and the bare directories that were made for them (container.md 2). The
 * layers that find items by name ask here whether one is to be seen. Only an image whose header
 * says so has any: in others nothing is read for it.
 */
#include "path.h"
#include "reader.h"
#include "sized.h"

void cim_image_show_marked(struct cim_image *image, bool show)
{
	if (image)
		image->show_marked = show;
}

enum cim_status cim_image_hides_id(struct cim_image *image, uint32_t file_id, bool *hidden,
				   struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status;

	*hidden = false;
	if (!image->marked || image->show_marked)
		return CIM_OK;
	status = cim_image_record(image, file_id, &record, err);
	if (!status)
		*hidden = cim_image_hides(image, &record);
	return status;
}

/* Bytes of a stream that should be code units. */
static enum cim_status read_units(struct cim_image *image, const struct cim_data *data,
				  uint16_t *units, struct cim_error *err)
{
	size_t got;
	enum cim_status status;

	status = cim_image_read(image, data, 0, units, (size_t)data->size, &got, err);
	for (size_t i = 0; !status && i < got / 2; i++)
		units[i] = cim_get16((const uint8_t *)&units[i]);
	return status;
}

enum cim_status cim_image_merge_target(struct cim_image *image, const struct cim_record *record,
				       struct cim_path *target, struct cim_error *err)
{
	struct cim_data data = {CIM_SIZED(data)};
	uint16_t *units;
	enum cim_status status;

	status = cim_data_from_stream(image, record->stream_offset, record->stream_desc,
				      record->base_region, &data, err);
	if (status)
		return status;
	if (!data.size || data.size % 2 || data.size / 2 > CIM_MAX_PATH)
		return cim_fail(err, CIM_E_CORRUPT, "a merge link's target has %llu bytes",
				(unsigned long long)data.size);
	units = cim_alloc(&image->env, (size_t)data.size);
	if (!units)
		return cim_no_memory(err);
	status = read_units(image, &data, units, err);
	if (!status) {
		const struct cim_str text = {.utf16 = units, .units = (size_t)data.size / 2};

		status = cim_path_parse(&image->env, text, CIM_PATH_NO_STREAM, target, err);
		if (!status && !target->components)
			status = cim_fail(err, CIM_E_CORRUPT, "a merge link leads to the root");
		if (status == CIM_E_INVALID)
			status = cim_fail(err, CIM_E_CORRUPT, "a merge link's target is no path");
		if (status)
			cim_path_free(target);
	}
	cim_free(&image->env, units);
	return status;
}
