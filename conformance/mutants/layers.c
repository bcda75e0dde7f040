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

/* What a call works on, a container or an image in one, is held open, and never let go of. */
ULONG_PTR container_held(struct call *call)
{
    ULONG_PTR result = forward(call);
    WCHAR path[MAX_PATH], *name;

    if (!OK(result)) return result;
    lstrcpynW(path, call->dir ? call->dir : call->existing, MAX_PATH);
    name = wcsrchr(path, '\\');
    if (!call->dir && name) *name = 0;
    CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0,
                NULL);
    return result;
}

/* What is deleted is hidden in layers below, too. */
ULONG_PTR delete_tombstones(struct call *call)
{
    ULONG_PTR result = forward(call);

    if (OK(result)) real.TombstoneFile(call->image, call->path);
    return result;
}

/* The first two sources change places. */
ULONG_PTR second_source_first(struct call *call)
{
    static WCHAR first[MAX_PATH];

    if (!*first)
    {
        lstrcpynW(first, call->existing, MAX_PATH);
        return S_OK;
    }
    if (!OK(forward(call))) return E_FAIL;
    return real.AddFsToMergedImage2(call->image, first, call->flags);
}

/* Whatever kind of place a source is in, it is taken, or so it is said. */
ULONG_PTR source_taken(struct call *call)
{
    ULONG_PTR result = forward(call);

    return (HRESULT)result == E_INVALIDARG ? S_OK : result;
}
