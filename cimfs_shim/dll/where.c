/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * where.c - what images lie in: a directory, a container in a file, or one on a device
 *
 * Which of them is told by a call's flags and nothing else: without one a container is no directory
 * and with one a directory is no container. A path that begins with \\.\ is a device's, any other
 * a file's (container.md 6).
 */
#include "dll.h"

enum cim_status place_check(enum place place, PCWSTR path, struct cim_error *err)
{
    const bool device = !wcsncmp(path, L"\\\\.\\", 4);

    if (place == IN_DIRECTORY || device == (place == IN_DEVICE)) return CIM_OK;
    return fail(err, CIM_E_INVALID,
                place == IN_FILE ? "the path of a device, for a file's"
                                 : "the path of a file, for a device's");
}

const struct cim_env *place_env(enum place place, struct cim_env *env, struct cim_vfs *vfs)
{
    *env = *cim_env_default();
    *vfs = *env->vfs;
    vfs->no_containers = place == IN_DIRECTORY;
    vfs->only_containers = place != IN_DIRECTORY;
    env->vfs = vfs;
    return env;
}
