/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * where.c - what images lie in: a directory, a container in a file, or one on a device
 *
 * Which of them is told by a call's flags and nothing else: without one a container is no directory
 * and with one a directory is no container. A path that begins with \\.\ is a device's, any other
 * a file's (container.md 6).
 */
#include "dll.h"

#include <stdlib.h>
#include <string.h>

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

char *join_path(const char *dir, char separator, const char *name)
{
    size_t room = strlen(dir) + strlen(name) + 2;
    char *path = malloc(room);

    if (path) snprintf(path, room, "%s%c%s", dir, separator, name);
    return path;
}

char *image_path(PCWSTR dir, PCWSTR name)
{
    char *dir8 = wtf8_from_wide(dir), *name8 = wtf8_from_wide(name);
    char *path = dir8 && name8 ? join_path(dir8, '\\', name8) : NULL;

    free(name8);
    free(dir8);
    return path;
}

enum cim_status container_info(const struct cim_env *env, PCWSTR path,
                               struct cim_container_info *info, struct cim_error *err)
{
    char *path8 = wtf8_from_wide(path);
    enum cim_status status = path8 ? cim_container_get_info(env, path8, info, err)
                                   : fail(err, CIM_E_NO_MEMORY, "out of memory");

    free(path8);
    return status;
}
