#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""create.py DIRECTORY NAME FILE...: make the image DIRECTORY/NAME, with these files in it"""

import os
import sys
from ctypes import c_void_p

import libcim


def filetime(nanoseconds):
    """Nanoseconds since 1970 as 100 ns units since 1601."""
    return nanoseconds // 100 + 116444736000000000


def add(writer, path, file):
    status = os.fstat(file.fileno())
    time = filetime(status.st_mtime_ns)
    metadata = libcim.Metadata(attributes=libcim.ATTR_ARCHIVE, size=status.st_size,
                               creation_time=time, last_write_time=time, change_time=time,
                               last_access_time=time)
    stream = c_void_p()
    libcim.writer_add(writer, libcim.Str(os.fsencode(os.path.basename(path))), metadata, stream)
    try:
        for part in iter(lambda: file.read(65536), b""):
            libcim.stream_write(stream, part, len(part), None)
    finally:
        libcim.stream_close(stream)


def main(directory, name, *paths):
    writer = c_void_p()
    libcim.writer_open(None, os.fsencode(directory), None, os.fsencode(name), 0, writer)
    try:
        for path in paths:
            with open(path, "rb") as file:
                add(writer, path, file)
        libcim.writer_commit(writer)
    finally:
        libcim.writer_close(writer)  # without a commit nothing stays behind


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("Usage: create.py DIRECTORY NAME FILE...")
    try:
        main(*sys.argv[1:])
    except (libcim.Error, OSError) as error:
        sys.exit(str(error))
