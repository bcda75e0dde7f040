/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layers.c - mutants of containers, of images that lie over each other, and of seals
 */
#include "mutant.h"

/* A tombstone is a deletion. */
ULONG_PTR tombstone_deletes(struct call *call)
{
    return real.DeletePath(call->image, call->path);
}

/* A merge link is an ordinary one. */
ULONG_PTR merge_link_links(struct call *call)
{
    return real.CreateHardLink(call->image, call->path, call->target);
}

/* number: the byte of the root hash that is another one; 32 and more: the hash's size is 0 */
ULONG_PTR seal_changed(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (!OK(result)) return result;
    if (active->number < 32)
        ((BYTE *)call->buffer)[active->number] ^= 1;
    else
        *call->got = 0;
    return result;
}

/* Whatever the root hash is, it is the right one. */
ULONG_PTR verified_unverified(struct call *call)
{
    return real.MountImage(call->dir, call->name, (CIM_MOUNT_IMAGE_FLAGS)call->flags, call->guid);
}
