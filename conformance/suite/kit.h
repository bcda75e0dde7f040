/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kit.h - what the parts of the kit (kit.c, listing.c, stored.c, mount.c, device.c, peer.c) need of
 * each other
 */
#ifndef CIM_SUITE_KIT_H
#define CIM_SUITE_KIT_H

#include "suite.h"

void remove_tree(const WCHAR *dir);
void listing_begin(void); /* listing.c: forgets the GUIDs of the case before */
void mounts_end(void);    /* mount.c: dismounts what the case left */
void devices_end(void);   /* device.c: takes them away */
void peers_end(void);     /* peer.c: ends the processes that the case left */

#endif
