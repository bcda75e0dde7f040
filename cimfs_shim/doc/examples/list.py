#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""list.py IMAGE: size and path of all that is in an image"""

import os
import re
import sys
from ctypes import POINTER, c_void_p

import libcim


def walk(image):
    """Each item; valid until the next."""
    handle = c_void_p()
    item = POINTER(libcim.WalkItem)()
    libcim.walk_open(image, libcim.image_get_info(image).contents.root_id, handle)
    try:
        libcim.walk_next(handle, item)
        while item:
            yield item.contents
            libcim.walk_next(handle, item)
    finally:
        libcim.walk_close(handle)


def shown(path):
    """A path as it does no harm on a terminal."""
    return re.sub(rb"[\x00-\x1f\x7f]|\xc2[\x80-\x9f]", lambda m: b"".join(b"\\x%02X" % c for c in m[0]), path)


def main(name):
    image = c_void_p()
    libcim.image_open(None, os.fsencode(name), image)
    try:
        for item in walk(image):
            print("%12d /%s" % (item.info.contents.size, os.fsdecode(shown(item.path))))
    finally:
        libcim.image_close(image)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: list.py IMAGE")
    try:
        main(sys.argv[1])
    except libcim.Error as error:
        sys.exit(str(error))
