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
	cim_hash_table_init(&index->by_digest, env);
	cim_hash_table_init(&index->by_length, env);
}

void cim_object_index_free(struct cim_object_index *index)
{
	cim_free(index->env, index->ids);
	cim_hash_table_free(&index->by_digest);
	cim_hash_table_free(&index->by_length);
}

static uint32_t digest_key(const struct cim_object_index *index, uint64_t length,
			   const struct cim_digest *digest)
{
	uint8_t bytes[8 + sizeof(*digest)];

	cim_put64(bytes, length);
	memcpy(bytes + 8, digest, sizeof(*digest));
	return cim_hash_table_key(&index->by_digest, bytes, sizeof(bytes));
}

static uint32_t length_key(const struct cim_object_index *index, uint64_t length)
{
	return cim_hash_table_key(&index->by_length, &length, sizeof(length));
}

bool cim_object_index_has_length(const struct cim_object_index *index, uint64_t length)
{
	const uint32_t key = length_key(index, length);
	size_t cursor = 0;
	uint32_t number;

	while (cim_hash_table_next(&index->by_length, key, &cursor, &number))
		if (index->ids[number].length == length)
			return true;
	return false;
}

bool cim_object_index_add(struct cim_object_index *index, const struct cim_object_id *id)
{
	if (!cim_grow(index->env, (void **)&index->ids, &index->room, index->count,
		      sizeof(*index->ids)) ||
	    !cim_hash_table_reserve(&index->by_digest) ||
	    !cim_hash_table_reserve(&index->by_length))
		return false;
	if (id->length >= CIM_LARGE_OBJECT && !cim_object_index_has_length(index, id->length))
		cim_hash_table_add(&index->by_length, length_key(index, id->length),
				   (uint32_t)index->count);
	cim_hash_table_add(&index->by_digest, digest_key(index, id->length, &id->digest),
			   (uint32_t)index->count);
	index->ids[index->count++] = *id;
	return true;
}

const struct cim_object_id *cim_object_index_find(const struct cim_object_index *index,
						  uint64_t length, const struct cim_digest *digest,
						  size_t *cursor)
{
	const uint32_t key = digest_key(index, length, digest);
	uint32_t number;

	while (cim_hash_table_next(&index->by_digest, key, cursor, &number)) {
		const struct cim_object_id *id = &index->ids[number];

		if (id->length == length && !memcmp(&id->digest, digest, sizeof(*digest)))
			return id;
	}
	return NULL;
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
	*count = 0;
	*sorted = cim_alloc(index->env, (index->count + 1) * sizeof(**sorted));
	if (!*sorted)
		return cim_no_memory(err);
	for (size_t i = 0; i < index->count; i++)
		if (cim_region_index(index->ids[i].offset) == region)
			(*sorted)[(*count)++] = &index->ids[i];
	if (!cim_sort(index->env, (void *)*sorted, *count, sizeof(**sorted), compare_ids, NULL)) {
		cim_free(index->env, (void *)*sorted);
		return cim_no_memory(err);
	}
	return CIM_OK;
}

enum cim_status cim_object_index_write(const struct cim_object_index *index, uint32_t region,
				       const uint8_t *header, cim_vfs_file *file, const char *name,
				       struct cim_error *err)
{
	enum { PER_WRITE = 1024 };
	const struct cim_object_id **sorted;
	uint8_t *buf = NULL;
	uint64_t offset = CIM_SIZE(objectid_header);
	size_t count, used = 0;
	enum cim_status status;

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
	for (size_t i = 0; i < count && !status; i++) {
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
