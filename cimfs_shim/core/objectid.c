/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * objectid.c - the session's own objects, and the object ID files written from them: objectid.h
 */
#include "objectid.h"
#include "io.h"
#include "sort.h"

#include <string.h>

void cim_object_index_init(struct cim_object_index *index, const struct cim_env *env)
{
	memset(index, 0, sizeof(*index));
	index->env = env;
}

void cim_object_index_free(struct cim_object_index *index)
{
	cim_free(index->env, index->ids);
	cim_free(index->env, index->slots);
	cim_free(index->env, index->lengths);
}

/* The digest is as good as random, so its bytes serve as the hash. */
static size_t slot_of(const struct cim_object_index *index, uint64_t length,
		      const struct cim_digest *digest)
{
	return (size_t)(cim_get64(digest->bytes) ^ length) & (index->slot_count - 1);
}

static void slot_insert(struct cim_object_index *index, uint32_t number)
{
	const struct cim_object_id *id = &index->ids[number];
	size_t slot = slot_of(index, id->length, &id->digest);

	while (index->slots[slot])
		slot = (slot + 1) & (index->slot_count - 1);
	index->slots[slot] = number + 1;
}

static bool grow_slots(struct cim_object_index *index)
{
	size_t count = index->slot_count ? index->slot_count * 2 : 256;
	uint32_t *slots, i;

	if (index->count < index->slot_count / 4 * 3)
		return true;
	if (index->count >= UINT32_MAX - 1 || count > SIZE_MAX / sizeof(*slots))
		return false;
	slots = cim_zalloc(index->env, count * sizeof(*slots));
	if (!slots)
		return false;
	cim_free(index->env, index->slots);
	index->slots = slots;
	index->slot_count = count;
	for (i = 0; i < index->count; i++)
		slot_insert(index, i);
	return true;
}

static size_t length_slot(const uint64_t *lengths, size_t slots, uint64_t length)
{
	size_t slot = (size_t)cim_hash64(&length, sizeof(length), 0) & (slots - 1);

	while (lengths[slot] && lengths[slot] != length)
		slot = (slot + 1) & (slots - 1);
	return slot;
}

static bool add_length(struct cim_object_index *index, uint64_t length)
{
	size_t slot, i;

	if (length < CIM_LARGE_OBJECT)
		return true;
	if (index->length_count >= index->length_slots / 2) {
		size_t slots = index->length_slots ? index->length_slots * 2 : 64;
		uint64_t *lengths = cim_zalloc(index->env, slots * sizeof(*lengths));

		if (!lengths)
			return false;
		for (i = 0; i < index->length_slots; i++)
			if (index->lengths[i])
				lengths[length_slot(lengths, slots, index->lengths[i])] =
					index->lengths[i];
		cim_free(index->env, index->lengths);
		index->lengths = lengths;
		index->length_slots = slots;
	}
	slot = length_slot(index->lengths, index->length_slots, length);
	if (!index->lengths[slot]) {
		index->lengths[slot] = length;
		index->length_count++;
	}
	return true;
}

bool cim_object_index_add(struct cim_object_index *index, const struct cim_object_id *id)
{
	if (!cim_grow(index->env, (void **)&index->ids, &index->room, index->count,
		      sizeof(*index->ids)) ||
	    !grow_slots(index) || !add_length(index, id->length))
		return false;
	index->ids[index->count] = *id;
	slot_insert(index, (uint32_t)index->count);
	index->count++;
	return true;
}

const struct cim_object_id *cim_object_index_find(const struct cim_object_index *index,
						  uint64_t length, const struct cim_digest *digest,
						  size_t *cursor)
{
	size_t slot;

	if (!index->slot_count)
		return NULL;
	slot = (slot_of(index, length, digest) + *cursor) & (index->slot_count - 1);
	for (; index->slots[slot]; slot = (slot + 1) & (index->slot_count - 1)) {
		const struct cim_object_id *id = &index->ids[index->slots[slot] - 1];

		++*cursor;
		if (id->length == length && !memcmp(&id->digest, digest, sizeof(*digest)))
			return id;
	}
	return NULL;
}

bool cim_object_index_has_length(const struct cim_object_index *index, uint64_t length)
{
	if (!index->length_slots)
		return false;
	return index->lengths[length_slot(index->lengths, index->length_slots, length)] != 0;
}

static int compare_ids(const void *a, const void *b, const void *ctx)
{
	const struct cim_object_id *x = *(const struct cim_object_id *const *)a;
	const struct cim_object_id *y = *(const struct cim_object_id *const *)b;
	int digest;

	(void)ctx;
	if (x->length != y->length)
		return x->length < y->length ? -1 : 1;
	digest = memcmp(&x->digest, &y->digest, sizeof(x->digest));
	if (digest)
		return digest;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The objects of one region, sorted as the file wants them; *sorted is allocated. */
static enum cim_status sorted_ids(const struct cim_object_index *index, uint32_t region,
				  const struct cim_object_id ***sorted, size_t *count,
				  struct cim_error *err)
{
	size_t i;

	*count = 0;
	*sorted = cim_alloc(index->env, (index->count + 1) * sizeof(**sorted));
	if (!*sorted)
		return cim_no_memory(err);
	for (i = 0; i < index->count; i++)
		if (cim_region_index(index->ids[i].offset) == region)
			(*sorted)[(*count)++] = &index->ids[i];
	if (!cim_sort(index->env, (void *)*sorted, *count, sizeof(**sorted), compare_ids, NULL)) {
		cim_free(index->env, (void *)*sorted);
		return cim_no_memory(err);
	}
	return CIM_OK;
}

enum cim_status cim_object_index_write(const struct cim_object_index *index, uint32_t region,
				       const uint8_t *header, cim_vfs_file *file,
				       struct cim_error *err)
{
	enum { PER_WRITE = 1024 };
	static const char name[] = "the object ID file";
	const struct cim_object_id **sorted;
	enum cim_status status;
	uint8_t *buf = NULL;
	uint64_t offset = CIM_SIZE(objectid_header);
	size_t count, i, used = 0;

	status = sorted_ids(index, region, &sorted, &count, err);
	if (status)
		return status;
	buf = cim_alloc(index->env, PER_WRITE * CIM_SIZE(objectid));
	if (!buf) {
		status = cim_no_memory(err);
		goto free_sorted;
	}
	memcpy(buf, header, CIM_SIZE(objectid_header));
	cim_put32(buf + CIM_OFF(objectid_header, table_offset), (uint32_t)offset);
	cim_put32(buf + CIM_OFF(objectid_header, count), (uint32_t)count);
	status = cim_io_write(index->env, file, name, 0, buf, CIM_SIZE(objectid_header), err);
	for (i = 0; i < count && !status; i++) {
		uint8_t *p = buf + used * CIM_SIZE(objectid);

		cim_put64(p, sorted[i]->length);
		memcpy(p + CIM_OFF(objectid, digest), &sorted[i]->digest, CIM_DIGEST_SIZE);
		cim_put64(p + CIM_OFF(objectid, offset), cim_region_byte(sorted[i]->offset));
		if (++used < PER_WRITE && i + 1 < count)
			continue;
		status = cim_io_write(index->env, file, name, offset, buf,
				      used * CIM_SIZE(objectid), err);
		offset += used * CIM_SIZE(objectid);
		used = 0;
	}
	cim_free(index->env, buf);
free_sorted:
	cim_free(index->env, (void *)sorted);
	return status;
}
