#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool where the system says no to a call: faults.so answers in its place. (What a file system can't do is
a row of matrix.py; here is the rest.)"""

import os

from tooltest import TMP, check, done, expect, faulty, need_tool, same, tool, write
from imagebuilder import RECORD_DESC, RECORD_STREAM, SPARSE_FLAG, Dir, File, Image
from imagebuilder import RECORD_DESC, RECORD_STREAM, SPARSE_FLAG, Dir, File, Image

need_tool()
src = os.path.join(TMP, "src")
images = os.path.join(TMP, "images")
write(os.path.join(src, "dir", "file"), b"content")
os.mkdir(images)
base = os.path.join(images, "base.cim")
TIMES = [126256107060000000] * 4
ORPHAN = os.path.join(images, "region_00112233-4455-4677-8899-aabbccddeeff_0")


def locks():
    """Upkeep goes on, with a warning."""
    def without(name, *args):
        result = faulty("locks", *args)
        check(result.code == 0, "%s without locks" % name, result)
        same(result.errors.count("the file system has no locks"), 1, "which is told once")
        with_locks = tool("ls", base)
        check("no locks" not in with_locks.errors, "who only reads isn't told", with_locks)

    without("create", "create", "--strict", base, src)
    container, other = os.path.join(TMP, "c.bcim"), os.path.join(TMP, "other")
    os.mkdir(other)
    without("a container", "create", "--container", "--sealable", container + "/a.cim", src)
    without("convert", "convert", base, container + "/b.cim")
    without("convert of all", "convert", container, other)
    without("append-vhd-footer", "append-vhd-footer", container)
    without("seal", "seal", container)
    without("append-vhd-footer to a sealed one", "append-vhd-footer", container)
    write(ORPHAN, b"")
    without("files", "files", images)
    without("files --orphans --delete", "files", "--orphans", "--delete", images)
    check(not os.path.exists(ORPHAN), "the orphan is gone")
    result = tool("append", base, src)
    check(result.code == 0 and not result.errors, "with locks nothing is told", result)
    result = tool("files", "--orphans", "--delete", images)
    check(result.code == 0 and not result.errors, "not by files either", result)


def many_links():
    """More names than a file can have (65,000 on ext4; three here): groups of links."""
    tree = os.path.join(TMP, "links")
    names = ["%02d" % n for n in range(10)]
    write(os.path.join(tree, names[0]), b"content")
    for name in names[1:]:
        os.link(os.path.join(tree, names[0]), os.path.join(tree, name))
    image, out = os.path.join(TMP, "links.cim"), os.path.join(TMP, "links out")
    expect(0, "create a file with ten names", "create", image, tree)
    result = faulty("links", "extract", "-v", "-C", out, image)
    same(result.code, 3, "extract where it can have three")
    groups = {}
    for name in names:
        groups.setdefault(os.stat(os.path.join(out, name)).st_ino, []).append(name)
        with open(os.path.join(out, name), "rb") as f:
            same(f.read(), b"content", name + " has the content")
    same(sorted(groups.values()), [names[:3], names[3:6], names[6:9], names[9:]],
         "each copy begins a group of links")
    same(result.errors.count("a copy instead: Too many links"), 3, "and is told")


def no_size():
    """A file system that tells no size is no full one: many files of the same data fit."""
    data, names = bytes(4 << 20), ["%02d" % n for n in range(24)]
    image = Image(Dir({name: File(data if name == "00" else b"", flags=SPARSE_FLAG, times=TIMES)
                       for name in names}, times=TIMES))
    for name in names[1:]:
        for field in (RECORD_STREAM, RECORD_DESC):
            image.poke("record:" + name, field, "Q", image.peek("record:00", field, "Q"))
    path, out = image.write(os.path.join(TMP, "same data")), os.path.join(TMP, "same data out")
    result = faulty("no-size", "extract", "-q", "-C", out, path)
    same((result.code, result.errors), (0, ""), "extract where nobody knows what fits")
    same(sorted(os.listdir(out)) if os.path.isdir(out) else [], names, "all of it is there")


locks()
many_links()
no_size()
done()
