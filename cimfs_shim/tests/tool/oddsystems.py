#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool where the system says no to a call: faults.so answers in its place."""

import os

from tooltest import BUILD, TMP, check, done, expect, need_tool, same, tool, write

need_tool()
src = os.path.join(TMP, "src")
images = os.path.join(TMP, "images")
write(os.path.join(src, "dir", "file"), b"content")
os.mkdir(images)
base, fork = os.path.join(images, "base.cim"), os.path.join(images, "fork.cim")
ORPHAN = os.path.join(images, "region_00112233-4455-4677-8899-aabbccddeeff_0")


def faulty(fault, *args, **names):
    """cimtool where that is so."""
    asan = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
    return tool(*args, env=dict(names, FAULT=fault, ASAN_OPTIONS=asan,
                                LD_PRELOAD=os.path.join(BUILD, "tests", "faults.so")))


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


locks()
done()
