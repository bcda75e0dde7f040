/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkcont.c - checking the container that an image lies in
 *
 * What a container must be is checked when it is opened (contread.c, conttable.c): digests, places,
 * overlaps, names. One that breaks a rule isn't opened, so here is what a reader passes over: a
 * commit record that doesn't hold, bytes that mean nothing, and room that nothing refers to, which
 * is lost until the container is copied.
 */
#include "bytes.h"
#include "check.h"
#include "container.h"

#include <string.h>

static const char what[] = "container";

static void check_header(struct cim_check *c, const struct cim_container *container)
{
	const uint32_t known = CIM_CONT_TO_BE_SEALED | CIM_CONT_SEALED;
	uint8_t bytes[CIM_SIZE(cont_header)];
	size_t got;
	long ignored;

	if (container->below.pread(container->below.ctx, container->file, 0, bytes, sizeof(bytes),
				   &got, &ignored) ||
	    got != sizeof(bytes))
		return; /* it was there when it was opened: reading the image will tell */
	if (!cim_is_zero(bytes + CIM_OFF(cont_header, reserved), 4) ||
	    !cim_is_zero(bytes + CIM_OFF(cont_header, reserved2),
			 CIM_OFF(cont_header, digest) - CIM_OFF(cont_header, reserved2)))
		cim_check_report(c, CIM_NOTE, what, 0, "header: reserved field is not zero");
	if (container->flags & ~known)
		cim_check_report(c, CIM_NOTE, what, CIM_OFF(cont_header, flags),
				 "header: unknown flags 0x%x", (unsigned)container->flags);
}

/* The one that doesn't count. */
static void check_other_record(struct cim_check *c, const struct cim_container *container)
{
	const unsigned other = !container->slot;
	const uint8_t *bytes = container->records[other];
	uint8_t digest[CIM_CONT_DIGEST];

	cim_cont_digest(bytes, CIM_OFF(cont_record, digest), digest);
	if (!cim_get64(bytes + CIM_OFF(cont_record, sequence)) ||
	    !memcmp(digest, bytes + CIM_OFF(cont_record, digest), sizeof(digest)))
		return;
	cim_check_report(c, CIM_NOTE, what, (1 + other) * (uint64_t)CIM_CONT_BLOCK,
			 "commit record %c doesn't hold: its write was cut off, or it is damaged",
			 "AB"[other]);
}

static void check_room(struct cim_check *c, const struct cim_container *container)
{
	const uint64_t table = cim_cont_whole(container->now.length);
	const uint64_t used = CIM_CONT_FIRST + table + cim_cont_extent_bytes(container);

	if (used < container->now.end)
		cim_check_report(c, CIM_NOTE, what, 0, "nothing refers to %llu of its %llu bytes",
				 (unsigned long long)(container->now.end - used),
				 (unsigned long long)container->now.end);
}

static void check_end(struct cim_check *c, const struct cim_container *container)
{
	uint64_t size;
	long ignored;

	if (container->device ||
	    container->below.size(container->below.ctx, container->file, &size, &ignored) ||
	    size <= container->now.end)
		return;
	cim_check_report(c, CIM_NOTE, what, container->now.end, "%llu bytes follow its end",
			 (unsigned long long)(size - container->now.end));
}

void cim_check_container(struct cim_check *c)
{
	const struct cim_container *container = cim_cont_of(c->image->env.vfs, c->image->dir);

	if (!container)
		return;
	check_header(c, container);
	check_other_record(c, container);
	check_room(c, container);
	check_end(c, container);
}
