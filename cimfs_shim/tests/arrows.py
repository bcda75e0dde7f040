#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Arrows run one way (architecture.md 1): between rooms, and between the files of a room.

A file that includes another's header points to that file's room. A file that calls a function of
another file, as the linker sees it, points to that file; who follows such arrows must never come
back to where he was.
"""

import os
import re
import subprocess
import sys

TOP = os.environ.get("TOP", os.getcwd())
sys.path.insert(0, os.path.join(TOP, "scripts/lib"))
sys.dont_write_bytecode = True
from tap import check, done, same  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
# A room, and those whose headers it may include besides its own and the public ones.
ROOMS = {"core": (), "os": (), "host": (), "dll": (), "mount": ("host",), "tool": ("host",)}
# Where a room's object files are.
OBJECTS = {room: os.path.join(BUILD, "native/cimfs_shim", room) for room in ROOMS}
OBJECTS["dll"] = "build/win64/cimfs_shim/dll"


def sources(room):
    directory = os.path.join(TOP, "cimfs_shim", room)
    return [os.path.join(directory, n) for n in sorted(os.listdir(directory)) if n.endswith((".c", ".h"))]


def included(path, text):
    """The headers that a source names by their path, from the top."""
    for header in re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', text, re.M):
        yield os.path.relpath(os.path.normpath(os.path.join(os.path.dirname(path), header)), TOP)


def strays(room, path, text):
    """Includes that lead where this room has nothing to look for."""
    own = ["cimfs_shim/" + r for r in (room,) + ROOMS[room]]
    return ["%s includes %s" % (os.path.relpath(path, TOP), header) for header in included(path, text)
            if os.path.dirname(header) not in own + ["include"]]


def symbols(path):
    """Two sets, of an object file: what it defines for others, and what it takes from others."""
    lines = subprocess.run(["nm", "-g", path], check=True, capture_output=True, text=True).stdout.splitlines()
    kinds = [(line.split()[-2], line.split()[-1]) for line in lines if line]
    return ({name for kind, name in kinds if kind not in "Uwv"}, {name for kind, name in kinds if kind in "Uw"})


def arrows(objects):
    """{file: {file that it points to: [names]}}, of {file: (defined, taken)}."""
    owner = {name: file for file, (defined, _) in objects.items() for name in defined}
    result = {file: {} for file in objects}
    for file, (_, taken) in objects.items():
        for name in sorted(taken):
            if owner.get(name, file) != file:
                result[file].setdefault(owner[name], []).append(name)
    return result


def circle(graph):
    """The files of a circle, or none: what is left when nothing can be taken away any more."""
    left = set(graph)
    while True:
        ends = {f for f in left if not left & set(graph[f])} | \
            {f for f in left if not any(f in graph[other] for other in left)}
        if not ends:
            return sorted(left)
        left -= ends


def told(graph, files):
    return "\n".join("%s takes from %s: %s" % (a, b, ", ".join(graph[a][b]))
                     for a in files for b in sorted(graph[a]) if b in files)


def check_itself():
    """What looks for circles and strays finds them."""
    objects = {"low": ({"l"}, set()), "mid": ({"m"}, {"l", "n"}), "near": ({"n"}, {"m"}), "top": ({"t"}, {"m", "memcpy"})}
    same(circle(arrows(objects)), ["mid", "near"], "a circle of two files is found, and they alone")
    objects["near"] = ({"n"}, {"l"})
    same(circle(arrows(objects)), [], "files without a circle have none")
    path = os.path.join(TOP, "cimfs_shim/mount/x.c")
    text = '#include "mount.h"\n#include "../host/run.h"\n#include "../../include/libcim.h"\n#  include "../core/io.h"\n'
    same(strays("mount", path, text), ["cimfs_shim/mount/x.c includes cimfs_shim/core/io.h"],
         "a room's includes: another's private header is found")


def main():
    check_itself()
    for room in ROOMS:
        files = sources(room)
        found = []
        for path in files:
            with open(path, encoding="utf-8") as file:
                found += strays(room, path, file.read())
        check(files and not found, "%s includes the headers that it may" % room, "\n".join(found))
        objects = {}
        for path in files:
            made = os.path.join(OBJECTS[room], os.path.basename(path)[:-2] + ".o")
            if path.endswith(".c") and os.path.exists(made):
                objects[os.path.basename(path)] = symbols(made)
        graph = arrows(objects)
        files = circle(graph)
        check(objects and not files, "%s: no file takes from one that takes from it, by whatever way" % room,
              told(graph, files))
    done()


main()
