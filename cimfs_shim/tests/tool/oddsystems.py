#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool where the system says no to a call: faults.so answers in its place."""

import os

from tooltest import TMP, check, done, expect, faulty, need_tool, same, tool, write

need_tool()
src = os.path.join(TMP, "src")
images = os.path.join(TMP, "images")
write(os.path.join(src, "dir", "file"), b"content")
os.mkdir(images)
base, fork = os.path.join(images, "base.cim"), os.path.join(images, "fork.cim")
ORPHAN = os.path.join(images, "region_00112233-4455-4677-8899-aabbccddeeff_0")


def locks():
    """Sessions and upkeep go on, with a warning."""
    def without(name, *args):
        result = faulty("locks", *args)
        check(result.code == 0, "%s without locks" % name, result)
        same(result.errors.count("the file system has no locks"), 1, "which is told once")
        with_locks = tool("ls", base)
        check("no locks" not in with_locks.errors, "who only reads isn't told", with_locks)

    without("create", "create", "--strict", base, src)
    without("append", "append", "--strict", base, os.path.join(src, "dir"))
    without("fork", "fork", "--strict", "--delete=/dir", base, "fork.cim")
    without("a consistent fork", "fork", "--consistent", "--delete=/dir", base, "same.cim")
    write(ORPHAN, b"")
    without("files", "files", images)
    without("files --orphans --delete", "files", "--orphans", "--delete", images)
    check(not os.path.exists(ORPHAN), "the orphan is gone")
    same(tool("cat", base, "dir/file").out, b"content", "the image is right")
    same(tool("ls", fork).text, "file\n", "its fork too")
    for one in (fork, os.path.join(images, "same.cim"), base):
        expect(0, "and whole", "verify", "--deep", one)
        if one != base:
            without("rm", "rm", one)
    result = faulty("locks", "rm", base)
    check(result.code == 0 and "no locks" in result.errors, "rm of the last", result)
    same(os.listdir(images), [], "nothing is left")
    result = tool("create", base, src)
    check(result.code == 0 and not result.errors, "with locks nothing is told", result)
    result = tool("files", "--orphans", "--delete", images)
    check(result.code == 0 and not result.errors, "not by files either", result)


def no_symlinks():
    """As on FAT: what can't be made is told, the rest is there."""
    tree = os.path.join(TMP, "symlinks")
    write(os.path.join(tree, "dir", "file"), b"content")
    os.symlink("file", os.path.join(tree, "dir", "a link"))
    os.symlink("dir", os.path.join(tree, "dirlink"))
    image, out = os.path.join(TMP, "symlinks.cim"), os.path.join(TMP, "symlinks out")
    expect(0, "create an image with symlinks", "create", image, tree)
    result = faulty("symlink", "extract", "-v", "-C", out, image)
    same(result.code, 3, "extract where there are no symlinks")
    for name in ("dir/a link", "dirlink"):
        check("/" + name + ": not restored: Operation not supported" in result.errors,
              "%s: that is told" % name, result)
    same(sorted(os.listdir(out) + os.listdir(os.path.join(out, "dir"))), ["dir", "file"],
         "the rest is there")
    result = faulty("symlink", "extract", "--strict", "-C", out + "2", image)
    same(result.code, 1, "with --strict it fails")


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


locks()
no_symlinks()
many_links()
done()
