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
 * What sessions do share (data, descriptors) is spent once for each place, by number: who keeps
 * what came of it need not go there again.
 */
#ifndef CIM_BUDGET_H
#define CIM_BUDGET_H

#include "hashtable.h"
#include "image.h"

#define CIM_BUDGET_FREE (UINT64_C(8) << 20)

struct cim_budget {
	struct cim_image *image;
	void *lock;
	uint8_t *regions; /* a bit for each whose size is in it */
	uint64_t left;	  /* bytes */
	bool over;	  /* more was asked for: that is how it ends */
	struct cim_hash_table map;
	struct cim_place *places; /* those spent once */
	size_t count, room;
};

#endif
