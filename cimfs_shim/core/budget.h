/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * budget.h - how much of an image a traversal may go through
 *
 * In what our sessions write, link tables, stream tables and file tables never overlap, so going
 * through all of them once comes to no more bytes than the region files hold. An image made to harm
 * has thousands of items lead to one table. So each traversal adds up what it goes through, and
 * where that comes to more than the size of the region files it lies in, plus CIM_BUDGET_FREE, it
 * ends with CIM_E_CORRUPT: its time is in proportion to the image's size. Other writers may store
 * equal tables once: what else lies in a region file leaves them room.
 *
 * Holes cost who makes an image nothing, in a container as in a sparse file. So they are room for
 * data, which may be zeros, but for structures no more than as much as is really there: there are
 * some of zeros, tables whose files were all deleted.
 *
 * What sessions do share (data, descriptors) is spent once for each place, by number: who keeps
 * what came of it need not go there again.
 */
#ifndef CIM_BUDGET_H
#define CIM_BUDGET_H

#include "hashtable.h"
#include "image.h"

#define CIM_BUDGET_FREE (UINT64_C(8) << 20)
/* How finely holes are looked for, and how often in one region file: where the file system can't
 * tell, all is data. */
#define CIM_BUDGET_STRIDE (UINT64_C(64) << 10)
#define CIM_BUDGET_STEPS  16384u

struct cim_budget {
	struct cim_image *image;
	void *lock;
	uint8_t *regions; /* a bit for each whose size is in it */
	uint64_t left;	  /* bytes */
	uint64_t holes;	  /* bytes that only data may lie in */
	bool over;	  /* more was asked for: that is how it ends */
	struct cim_hash_table map;
	struct cim_place *places; /* those that were found */
	size_t count, room;
};

/* In a sound image no structure takes less than this: all begin at multiples of 8, and the smallest
 * has 10 bytes. */
#define CIM_SMALLEST 16u

/* Without the lock, for who has the budget alone: */

/* Spend @bytes, and no less than the smallest structure has, of what lies at @offset, also where no
 * region file is that could be. False: that is more than is left. */
bool cim_budget_take(struct cim_budget *budget, uint64_t offset, uint64_t bytes);
/* The number of a place of any size, as one of several kinds; nothing is spent. */
enum cim_status cim_budget_find(struct cim_budget *budget, const struct cim_place *place,
				uint32_t *number, bool *again, struct cim_error *err);

/* What is found at a place, as one of several kinds (from 1 on). */
static inline struct cim_place cim_find(unsigned kind, uint64_t offset, uint64_t bytes,
					uint16_t base)
{
	return (struct cim_place){
		.offset = offset, .bytes = bytes, .base = base | (uint64_t)kind << 16};
}
/* CIM_E_CORRUPT, and that it is out of proportion. */
enum cim_status cim_budget_over(struct cim_error *err);

#endif
