/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.c - the list of Wine's limits of the suite's own test, in place of suite/wine_limits.c
 */
#include "../suite/internal.h"

const char *wine_limit(const char *id)
{
    return strncmp(id, "Self/Limit", 10) ? NULL : "a \"limit\" of the test";
}

const char *check_limits(void)
{
    return NULL;
}
