/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xattr.h - the extended attributes by which Linux programs know what only Windows has
 *
 * ntfs-3g's, Samba's and Wine's names: what is written by these is read by those.
 */
#ifndef HOST_XATTR_H
#define HOST_XATTR_H

#include <stdint.h>
#include <stdio.h>

#include "libcim.h"

#define XATTR_NTFS	   "system.ntfs_"
#define XATTR_NTFS_ATTRIB  XATTR_NTFS "attrib"
#define XATTR_NTFS_TIMES   XATTR_NTFS "times"
#define XATTR_NTFS_ACL	   XATTR_NTFS "acl"
#define XATTR_NTFS_EA	   XATTR_NTFS "ea"
#define XATTR_NTFS_REPARSE XATTR_NTFS "reparse_data"
#define XATTR_NTFS_STREAMS "ntfs.streams.list" /* names of streams, a NUL between them */
#define XATTR_DOSATTRIB	   "user.DOSATTRIB"
#define XATTR_WINEREPARSE  "user.WINEREPARSE" /* since Wine 10.19 */

#define DOS_ATTRIBUTES (CIM_ATTR_READONLY | CIM_ATTR_HIDDEN | CIM_ATTR_SYSTEM | CIM_ATTR_ARCHIVE)

/* The value of user.DOSATTRIB as Samba and Wine write it: "0x22". Its length. */
static inline size_t dosattrib_text(uint32_t attributes, char text[16])
{
	return (size_t)snprintf(text, 16, "0x%x", (unsigned)(attributes & DOS_ATTRIBUTES));
}

#endif
