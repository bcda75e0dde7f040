#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""extract.py IMAGE PATH FILE: copy a file, or PATH:STREAM, out of an image to a new FILE"""

import os
import sys
from ctypes import c_size_t, c_uint32, c_void_p, create_string_buffer

import libcim


def copy(image, data, file):
    buf = create_string_buffer(65536)
    got = c_size_t()
    offset = 0
    libcim.image_read(image, data, offset, buf, len(buf), got)
    while got.value:
        file.write(buf.raw[:got.value])
        offset += got.value
        libcim.image_read(image, data, offset, buf, len(buf), got)


def main(name, path, target):
    image = c_void_p()
    file_id = c_uint32()
    stream = libcim.Str()
    data = libcim.Data()
    libcim.image_open(None, os.fsencode(name), image)
    try:
        path = libcim.Str(os.fsencode(path))  # stream is a part of it
        libcim.image_lookup_stream(image, path, file_id, stream)
        libcim.image_get_data(image, file_id, stream, data)
        with open(target, "xb") as file:
            try:
                copy(image, data, file)
            except BaseException:
                os.unlink(target)
                raise
    finally:
        libcim.image_close(image)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("Usage: extract.py IMAGE PATH FILE")
    try:
        main(*sys.argv[1:])
    except (libcim.Error, OSError) as error:
        sys.exit(str(error))
