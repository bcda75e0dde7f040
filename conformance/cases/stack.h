/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stack.h - two layers in containers and what they are merged into, for the cases about merging
 */
#ifndef CIM_CASES_STACK_H
#define CIM_CASES_STACK_H

#include "containers.h"

/* A merged image, an upper one that is still to be made, and one with put_test_image()'s items. */
struct stack
{
    CimFsImagePath images[3];
};

static inline struct stack make_stack(void)
{
    struct stack stack = {{{place(L"m.bcim"), L"merged.cim"},
                           {place(L"upper.bcim"), L"upper.cim"},
                           {place(L"base.bcim"), L"base.cim"}}};

    make_in(stack.images[2].ImageDir, IN_FILE, stack.images[2].ImageName);
    return stack;
}

static inline CIMFS_IMAGE_HANDLE open_upper(const struct stack *stack)
{
    return open_in(stack->images[1].ImageDir, IN_FILE, NULL, stack->images[1].ImageName);
}

/* Merged and mounted. */
static inline const WCHAR *mount_stack(const struct stack *stack)
{
    GUID guid;

    make_merged(&in_files, 0, stack->images, 3);
    need_hr("CimMergeMountImage", mount_merged(&in_files, stack->images, 3, &guid));
    return _wcsdup(volume_root(&guid));
}

#endif
