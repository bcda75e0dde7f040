/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * header.c - the filesystem file: which region sets an image is made of, and where its root is
 *
 * The file is small: it names the region sets, its parents' first, says where the filesystem object
 * is, and, in a merged image, which of the sets are whose. It is read whole, and checked before any
 * region file is looked at.
 *
 * The header's length field is not used, but for a merged image's sources: no published source says
 * what Windows writes there, and the number of parents says the same. Reserved fields and bytes
 * behind the last parent are ignored. verify reports them.
 */
#include "header.h"
#include "bytes.h"
#include "error.h"
#include "io.h"
#include "mem.h"
#include "record.h"

#include <string.h>

static uint32_t get_set(const uint8_t *bytes, uint32_t first, struct cim_region_set *set)
{
	memcpy(set->guid.bytes, bytes + CIM_OFF(region_set, guid), sizeof(set->guid.bytes));
	set->count = cim_get16(bytes + CIM_OFF(region_set, count));
	set->first = first;
	return first + set->count;
}

/* Is it a filesystem file of a version that we know, and as long as its parent sets need? */
static enum cim_status check_header(struct cim_header *header, struct cim_error *err)
{
	const uint8_t *bytes = header->bytes;
	const unsigned long long size = header->size;
	uint32_t parents;
	enum cim_status status;

	if (size < CIM_SIZE(common_header))
		return cim_fail(err, CIM_E_CORRUPT, "%llu bytes are too few for an image", size);
	status = cim_common_header_check(bytes, CIM_FILE_FILESYSTEM, "the filesystem file", err);
	if (status)
		return status;
	if (size < CIM_SIZE(filesystem_header))
		return cim_fail(err, CIM_E_CORRUPT, "the filesystem file is cut short: %llu bytes",
				size);
	parents = cim_get16(bytes + CIM_OFF(filesystem_header, parent_count));
	if (parents > (size - CIM_SIZE(filesystem_header)) / CIM_SIZE(region_set))
		return cim_fail(err, CIM_E_CORRUPT,
				"the filesystem file is cut short: %u parent sets in %llu bytes",
				(unsigned)parents, size);
	header->set_count = parents + 1;
	return CIM_OK;
}

static enum cim_status decode_header(const struct cim_env *env, struct cim_header *header,
				     struct cim_error *err)
{
	const uint32_t parents = header->set_count - 1;
	const uint8_t *bytes = header->bytes;
	uint32_t regions = 0;

	header->sets = cim_alloc(env, header->set_count * sizeof(*header->sets));
	if (!header->sets)
		return cim_no_memory(err);
	/* At most 65,536 sets of at most 65,535 regions: the sum fits. */
	for (uint32_t i = 0; i < parents; i++)
		regions = get_set(bytes + CIM_SIZE(filesystem_header) + i * CIM_SIZE(region_set),
				  regions, &header->sets[i]);
	regions = get_set(bytes + CIM_OFF(filesystem_header, set), regions, &header->sets[parents]);
	if (!header->sets[parents].count)
		return cim_fail(err, CIM_E_CORRUPT, "the image's own set has no regions");
	if (regions > CIM_MAX_REGIONS)
		return cim_fail(err, CIM_E_CORRUPT, "%u regions are more than the %u there can be",
				(unsigned)regions, CIM_MAX_REGIONS);
	header->major = cim_get32(bytes + CIM_OFF(common_header, version_major));
	header->minor = cim_get32(bytes + CIM_OFF(common_header, version_minor));
	header->region_count = regions;
	header->marked = cim_get32(bytes + CIM_OFF(filesystem_header, flags)) & CIM_IMAGE_MARKED;
	header->filesystem = cim_get64(bytes + CIM_OFF(filesystem_header, filesystem));
	return CIM_OK;
}

static void decode_source(struct cim_merged_source *source, const uint8_t *bytes)
{
	source->set_count = cim_get32(bytes + CIM_OFF(source, set_count));
	memcpy(source->guid.bytes, bytes + CIM_OFF(source, guid), sizeof(source->guid.bytes));
	memcpy(source->root_hash, bytes + CIM_OFF(source, root_hash), sizeof(source->root_hash));
	source->verified = !cim_is_zero(source->root_hash, sizeof(source->root_hash));
}

/* Each has its own set as the last of its sets, and together they have all parents. */
static enum cim_status check_sources(const struct cim_header *header, struct cim_error *err)
{
	uint32_t left = header->set_count - 1;

	for (uint32_t i = 0; i < header->source_count; i++) {
		const struct cim_merged_source *source = &header->sources[i];
		const uint32_t last = header->set_count - 2 - left + source->set_count;

		if (!source->set_count || source->set_count > left)
			return cim_fail(err, CIM_E_CORRUPT, "source %u can't have %u region sets",
					(unsigned)i, (unsigned)source->set_count);
		if (memcmp(&header->sets[last].guid, &source->guid, sizeof(source->guid)) != 0)
			return cim_fail(err, CIM_E_CORRUPT,
					"source %u hasn't its own region set as its last",
					(unsigned)i);
		left -= source->set_count;
	}
	if (left)
		return cim_fail(err, CIM_E_CORRUPT, "%u region sets belong to no source",
				(unsigned)left);
	return CIM_OK;
}

/* The sources behind the sets. */
static enum cim_status read_sources(const struct cim_env *env, struct cim_header *header,
				    struct cim_error *err)
{
	const uint32_t flags = cim_get32(header->bytes + CIM_OFF(filesystem_header, flags));
	const uint64_t begin = cim_header_sets_end(header->set_count);
	const uint64_t end = cim_get32(header->bytes + CIM_OFF(common_header, header_length));

	if (!(flags & CIM_IMAGE_MARKED) || !(flags & CIM_IMAGE_MERGED))
		return CIM_OK;
	if (end <= begin || end > header->size || (end - begin) % CIM_SIZE(source))
		return cim_fail(err, CIM_E_CORRUPT,
				"a merged image's header of %llu bytes can't tell its sources",
				(unsigned long long)end);
	header->source_count = (uint32_t)((end - begin) / CIM_SIZE(source));
	header->sources = cim_alloc(env, header->source_count * sizeof(*header->sources));
	if (!header->sources)
		return cim_no_memory(err);
	for (uint32_t i = 0; i < header->source_count; i++)
		decode_source(&header->sources[i], header->bytes + begin + i * CIM_SIZE(source));
	return check_sources(header, err);
}

enum cim_status cim_header_read(const struct cim_env *env, cim_vfs_dir *dir, const char *name,
				struct cim_header *header, struct cim_error *err)
{
	enum cim_status status;

	*header = (struct cim_header){0};
	status = cim_read_whole(env, dir, name, CIM_MAX_FILESYSTEM_FILE, &header->bytes,
				&header->size, err);
	if (!status)
		status = check_header(header, err);
	if (!status)
		status = decode_header(env, header, err);
	if (!status)
		status = read_sources(env, header, err);
	if (status)
		cim_header_free(env, header);
	return status;
}

void cim_header_free(const struct cim_env *env, struct cim_header *header)
{
	cim_free(env, header->bytes);
	cim_free(env, header->sets);
	cim_free(env, header->sources);
	*header = (struct cim_header){0};
}
