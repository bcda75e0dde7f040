/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * faults.h - each call of a piece of work fails in turn, on a directory in memory (kit.h)
 *
 * A test has a function that does the work once with one fault, and judges what is left. It is
 * called with a fault at the first place, at the second, and so on, until the work ends before it
 * gets to the place.
 */
#ifndef CIM_TESTS_FAULTS_H
#define CIM_TESTS_FAULTS_H

#include "kit.h"

struct fault {
	unsigned kind;	  /* of the work: the test's own number for it, and what else it needs */
	bool large;	  /* the work is that with much data */
	bool uncached;	  /* what was read of the base is read again each time */
	unsigned long at; /* call of the file system, or allocation */
	uint64_t room;	  /* full: the disk has so much */
	bool memory, on, spare, full;
	enum cim_status status;
};

/* From here on the fault is in force. */
static inline void fault_begin(const struct fault *f, struct memfs *m)
{
	if (f->full) {
		m->space = f->room;
	} else if (f->memory) {
		m->fail_alloc = f->at;
		m->fail_alloc_on = f->on;
	} else {
		m->fail_at = f->at;
		m->fail_on = f->on;
		m->spare_remove = f->spare;
		m->fail_status = f->status;
	}
}

/* It is over. Did it come to pass, where the work answered so? */
static inline bool fault_end(const struct fault *f, struct memfs *m, enum cim_status got)
{
	m->fail_at = m->fail_alloc = 0;
	m->space = UINT64_MAX;
	return m->failed || m->failed_allocs || (f->full && got);
}

/* The first lines of a complaint: what failed, and what is wrong then. */
static inline void fault_complain(const struct fault *f, const struct memfs *m, const char *work,
				  const char *what)
{
	ok(false, "%s, %s %lu fails%s with %s: %s", work,
	   f->full     ? "room"
	   : f->memory ? "allocation"
		       : "call",
	   f->at, f->on ? " and all that follow" : "", STATUS(f->status), what);
	if (m->failed)
		diag("  that was %s of %s", mem_op_names[m->first_failed], m->first_failed_name);
}

/* How a test tries a piece of work. *more: the fault came to pass. */
struct trial {
	bool (*try)(const struct fault *f, bool *more);
	const char *work;
	unsigned long least; /* places that it has for sure */
};

static inline void all_faults(const struct trial *t, struct fault f, const char *what)
{
	bool more = true, good = true;

	for (f.at = 1; more && good; f.at++, f.room += 50001)
		good = t->try(&f, &more);
	if (good)
		ok(f.at > t->least, "%s: %s: %lu places", t->work, what, f.at - 2);
}

/* All that can happen to work of this kind; @fills: it takes room on the disk. */
static inline void all_sorts_of_faults(const struct trial *t, unsigned kind, bool fills)
{
	struct fault f = {.kind = kind, .status = CIM_E_IO};

	all_faults(t, f, "a call fails once");
	f.status = CIM_E_SHARING;
	all_faults(t, f, "a call fails once because of others");
	f.status = CIM_E_DISK_FULL;
	f.on = f.spare = true;
	all_faults(t, f, "the disk is full from a call on");
	f.status = CIM_E_ACCESS;
	f.spare = false;
	all_faults(t, f, "no call is allowed any more");
	f = (struct fault){.kind = kind, .status = CIM_E_NO_MEMORY, .memory = true};
	all_faults(t, f, "an allocation fails");
	f.on = true;
	all_faults(t, f, "all allocations fail from one on");
	f = (struct fault){.kind = kind, .status = CIM_E_DISK_FULL, .full = true};
	if (fills)
		all_faults(t, f, "a disk with room for so much");
}

#endif
