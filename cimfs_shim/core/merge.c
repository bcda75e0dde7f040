/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.c - how the regions of all sources of a merged image are counted and named: see merge.h,
 * and container.md 3
 */
#include "merge.h"

#include <string.h>

void cim_merge_free(const struct cim_env *env, struct cim_merge *merge)
{
	if (!merge)
		return;
	for (size_t i = 0; i < merge->given_count; i++)
		cim_free(env, merge->given[i].path);
	cim_free(env, merge->given);
	cim_free(env, merge->rests);
	cim_hash_table_free(&merge->rest_map);
	cim_free(env, merge->sets);
	cim_free(env, merge->sources);
	cim_free(env, merge);
}

uint64_t cim_merge_offset(const struct cim_merge *merge, uint16_t base, uint64_t offset)
{
	uint32_t region = cim_region_index(offset);

	if (!merge || !offset)
		return offset;
	region = region < CIM_MERGE_OWN ? region + merge->regions : region - CIM_MERGE_OWN;
	return cim_region_offset(region - base, cim_region_byte(offset));
}

void cim_merge_record(const struct cim_merge *merge, struct cim_record *record)
{
	uint64_t *const offsets[] = {&record->stream_offset, &record->security, &record->ea,
				     &record->reparse, &record->streams};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		*offsets[i] = cim_merge_offset(merge, record->base_region, *offsets[i]);
}

size_t cim_merge_tail_size(const struct cim_merge *merge)
{
	return merge->set_count * CIM_SIZE(region_set) + merge->source_count * CIM_SIZE(source);
}

void cim_merge_put_tail(const struct cim_merge *merge, uint8_t *bytes)
{
	for (size_t i = 0; i < merge->set_count; i++, bytes += CIM_SIZE(region_set))
		cim_region_set_encode(bytes, &merge->sets[i].guid, merge->sets[i].count);
	for (size_t i = 0; i < merge->source_count; i++, bytes += CIM_SIZE(source)) {
		const struct cim_merged_source *source = &merge->sources[i];

		cim_put32(bytes + CIM_OFF(source, set_count), source->set_count);
		memcpy(bytes + CIM_OFF(source, guid), source->guid.bytes,
		       sizeof(source->guid.bytes));
		memcpy(bytes + CIM_OFF(source, root_hash), source->root_hash,
		       sizeof(source->root_hash));
	}
}
