/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkcont.c - checking the container that an image lies in
 *
 * What a container must be is checked when it is opened (contread.c, conttable.c): digests, places,
 * overlaps, names. One that breaks a rule isn't opened, so here is what a reader passes over: a
 * commit record that doesn't hold, bytes that mean nothing, and room that nothing refers to, which
 * is lost until the container is copied. A deep check of a sealed one reads all blocks of it, those
 * too that this image doesn't need; of a merged image those of its sources' containers as well.
 */
#include "bytes.h"
#include "check.h"
#include "container.h"

#include <string.h>

static const char what[] = "container";

static void check_header(struct cim_check *c, struct cim_container *container)
{
	const uint32_t known = CIM_CONT_TO_BE_SEALED | CIM_CONT_SEALED;
	uint8_t bytes[CIM_SIZE(cont_header)];
	size_t got;

	if (cim_cont_read(container, 0, bytes, sizeof(bytes), &got, NULL) || got != sizeof(bytes))
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
	const uint64_t used = cim_cont_used(container);

	if (used < container->now.end)
		cim_check_report(c, CIM_NOTE, what, 0, "nothing refers to %llu of its %llu bytes",
				 (unsigned long long)(container->now.end - used),
				 (unsigned long long)container->now.end);
}

static void check_end(struct cim_check *c, const struct cim_container *container)
{
	struct cim_verity_shape shape;
	uint64_t size, end = container->now.end;
	long ignored;

	if (container->verity && cim_verity_shape(&shape, container->sealed_blocks))
		end = shape.end * CIM_CONT_BLOCK;
	if (container->device ||
	    container->below.size(container->below.ctx, container->file, &size, &ignored) ||
	    size <= end)
		return;
	cim_check_report(c, CIM_NOTE, what, end, "%llu bytes follow its %s",
			 (unsigned long long)(size - end), container->verity ? "seal" : "end");
}

/* One that was made to harm has as many as it says, and needn't have a byte for each. */
#define MOST_BROKEN 1000u

/* A container whose seal is checked. */
struct sealed {
	struct cim_container *container;
	const char *what; /* for the report */
	unsigned broken;
};

/* What one block of the tree says of many is reported once. */
static void check_block(struct cim_check *c, struct sealed *s, uint64_t block)
{
	char last[sizeof(c->why.cause)];
	size_t got;
	enum cim_status status;

	memcpy(last, c->why.cause, sizeof(last));
	status = cim_cont_read(s->container, block * CIM_CONT_BLOCK, c->buf, CIM_CONT_BLOCK, &got,
			       &c->why);
	if (status == CIM_E_CORRUPT && !strcmp(last, c->why.cause))
		return;
	cim_check_try(c, status, s->what, block * CIM_CONT_BLOCK, "the seal is broken");
	s->broken += status == CIM_E_CORRUPT;
}

/* All together, and if they aren't as they were, one by one. */
static void check_blocks(struct cim_check *c, struct sealed *s, uint64_t first, size_t count)
{
	size_t got;

	if (!cim_cont_read(s->container, first * CIM_CONT_BLOCK, c->buf, count * CIM_CONT_BLOCK,
			   &got, &c->why))
		return;
	c->why.cause[0] = 0;
	for (size_t i = 0; i < count && !c->status && s->broken < MOST_BROKEN; i++)
		check_block(c, s, first + i);
}

static void check_seal(struct cim_check *c, struct cim_container *container, const char *name)
{
	const uint64_t most = CIM_CHECK_BUFFER / CIM_CONT_BLOCK;
	struct sealed s = {container, name, 0};
	uint64_t block = 0;

	if ((container->flags & CIM_CONT_SEALED) && !container->verity)
		cim_check_report(c, CIM_NOTE, name, 0, "it is sealed, but the seal isn't here");
	if (!container->verity || !(c->flags & CIM_VERIFY_DEEP))
		return;
	while (block < container->sealed_blocks && !c->status && s.broken < MOST_BROKEN) {
		const uint64_t left = container->sealed_blocks - block;
		const size_t count = (size_t)(left < most ? left : most);

		check_blocks(c, &s, block, count);
		block += count;
		cim_check_tick(c);
	}
	if (s.broken == MOST_BROKEN)
		cim_check_report(c, CIM_ERROR, name, 0,
				 "the seal is broken %u times: the rest of it isn't looked at",
				 s.broken);
}

/* Was one with the same root hash checked for a place before this one? Several sources may be in
 * one container. */
static bool is_checked(const struct cim_image *image, const struct cim_container *container,
		       uint32_t place)
{
	bool more;

	while (container->verity && place-- > 0) {
		const struct cim_container *other = cim_image_container(image, place, &more);

		if (other && other->verity &&
		    !memcmp(cim_verity_root(other->verity), cim_verity_root(container->verity),
			    CIM_VERITY_DIGEST))
			return true;
	}
	return false;
}

/* Of those that a merged image's sources lie in the seal alone: the rest is their own images'. */
static void check_sources(struct cim_check *c)
{
	bool more = true;

	for (uint32_t place = 1; more && !c->status; place++) {
		struct cim_container *container = cim_image_container(c->image, place, &more);

		if (container && !is_checked(c->image, container, place))
			check_seal(c, container, container->name);
	}
}

void cim_check_container(struct cim_check *c)
{
	bool ignored;
	struct cim_container *container = cim_image_container(c->image, 0, &ignored);

	if (container && !(c->flags & CIM_VERIFY_NO_CONTAINER)) {
		check_header(c, container);
		check_other_record(c, container);
		check_room(c, container);
		check_end(c, container);
		check_seal(c, container, what);
	}
	if (!(c->flags & CIM_VERIFY_CONTAINER))
		check_sources(c);
}
