#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool on images in a container: CONTAINER/NAME where an image is meant, CONTAINER where a directory.

The container begins as the bytes of an empty one, which stand here as container.md says they are.
"""

import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
from tooltest import TMP, check, done, expect, same, skip, tool  # noqa: E402

BLOCK = 4096


def empty():
    header = struct.pack("<8s6I", b"cimcont0", BLOCK, BLOCK, 1, 0, 0, 0).ljust(496, b"\0")
    header += bytes.fromhex("cdf923a7fe3e1d30c1a7dbf267502472")
    record = struct.pack("<4Q", 1, 3 * BLOCK, 8, 4 * BLOCK)
    record += bytes.fromhex("2c0a8a99dc147d5445c3b49d035665b2" "5cac23b2fe829e2eafd316abd44ad776")
    return header.ljust(BLOCK, b"\0") + record.ljust(3 * BLOCK, b"\0")


def put(name, data):
    path = os.path.join(TMP, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    return path


def get(name):
    with open(os.path.join(TMP, name), "rb") as file:
        return file.read()


BIG = b"".join(b"%d\n" % i for i in range(60000))
put("src/big", BIG)
put("src/dir/small", b"text\n")
put("more/added", b"another\n")
put("c.bcim", empty())

# Making, reading
expect(0, "files of an empty container", "files", "c.bcim")
expect(0, "create in a container", "create", "c.bcim/base.cim", "src")
same(sorted(os.listdir(TMP)), ["c.bcim", "more", "src"], "all of it is in the one file")
same(len(get("c.bcim")) % BLOCK, 0, "which has whole blocks")
same(expect(0, "ls", "ls", "-R", "c.bcim/base.cim").text.split(),
     ["big", "dir", "dir/small"], "what it lists")
same(expect(0, "cat", "cat", "c.bcim/BASE.CIM", "big").out, BIG, "the data, by its name in any case")
expect(0, "verify", "verify", "--deep", "c.bcim/base.cim")
check("Region set:" in expect(0, "info", "info", "c.bcim/base.cim").text, "info tells of its set")
check("image header" in expect(0, "dump --struct", "dump", "--struct", "c.bcim/base.cim").text,
      "dump shows its structures")
os.symlink("c.bcim", os.path.join(TMP, "link"))
expect(0, "by a link to the container", "verify", "link/base.cim")
expect(0, "by its absolute path", "stat", os.path.join(TMP, "c.bcim/base.cim"), "big")

# Extending, forking
expect(0, "append", "append", "c.bcim/base.cim", "more")
expect(0, "fork", "fork", "c.bcim/base.cim", "child.cim", "--delete", "dir/small")
result = tool("fork", "c.bcim/base.cim", "BASE.cim")
check(result.code == 1 and "taken" in result.errors, "a fork of the same name in another case", result)
result = tool("fork", "c.bcim/base.cim", os.path.join(TMP, "out.cim"))
check(result.code and "lies in the directory of its parent" in result.errors,
      "a fork lies where its parent is", result)
same(expect(1, "diff", "diff", "c.bcim/base.cim", "c.bcim/child.cim").text,
     "- /dir/small (5 bytes)\n", "what the fork lacks")
text = expect(0, "files of an image", "files", "c.bcim/child.cim").text
same(sum(line.startswith("region") for line in text.split("\n")), 9, "it needs three sets")
result = tool("create", "c.bcim/child.cim", "src")
check(result.code == 1 and "taken" in result.errors, "a name that is taken", result)

# The same as in a directory
expect(0, "create in a directory", "create", "plain.cim", "src")
expect(0, "fork there", "fork", "c.bcim/base.cim", "same.cim", "--delete", "added")
same(expect(0, "diff with a directory's", "diff", "plain.cim", "c.bcim/same.cim").text, "",
     "no difference")
expect(0, "rm of that one", "rm", "c.bcim/same.cim")

# Removing
result = tool("rm", "c.bcim/base.cim")
check(result.code and "fork of it" in result.errors, "a fork keeps its parent", result)
expect(0, "rm of the fork", "rm", "c.bcim/child.cim")
expect(0, "rm", "rm", "c.bcim/base.cim")
same(expect(0, "files", "files", "c.bcim").text, "", "nothing is left in the container")
result = tool("rm", "c.bcim/base.cim")
check(result.code and "no such image" in result.errors, "rm of what isn't there", result)
size = len(get("c.bcim"))
expect(0, "orphans", "files", "--orphans", "--delete", "c.bcim")
same(len(get("c.bcim")), size, "looking for orphans changes nothing")

# What goes wrong
for name, content, code, words in [
        ("other", b"no container at all", 1, "Not a directory"),
        ("cut", get("c.bcim")[:BLOCK + 100], 4, "cut short"),
        ("broken", get("c.bcim")[:BLOCK] + bytes(2 * BLOCK) + get("c.bcim")[3 * BLOCK:], 4,
         "neither of the container's two commit records holds")]:
    put(name, content)
    for args in [["info", name + "/x.cim"], ["verify", name + "/x.cim"],
                 ["create", name + "/x.cim", "src"]]:
        result = tool(*args)
        check(result.code == code and words in result.errors,
              "%s in %s: exit status %d" % (args[0], name, code), result)
    same(get(name), content, "%s stays as it is" % name)
result = tool("info", "c.bcim/none.cim")
check(result.code == 1 and "o such file" in result.errors, "no such image", result)
result = tool("info", "none.bcim/x.cim")
check(result.code == 1 and "No such file" in result.errors, "no such container", result)
os.rename(os.path.join(TMP, "c.bcim"), os.path.join(TMP, "src/c.bcim"))
result = tool("create", "src/c.bcim/x.cim", "src")
check(result.code == 1 and "container is part of the source" in result.errors,
      "a container that is part of the source", result)
expect(0, "or excluded", "create", "--exclude", "c.bcim", "src/c.bcim/x.cim", "src")


def with_device(size):
    """A block device of that size, its path; None if there can't be one."""
    path = put("device.img", b"")
    os.truncate(path, size)
    made = tooltest.run(["losetup", "--find", "--show", path]) if shutil.which("losetup") else None
    return made.text.strip() if made and made.code == 0 else None


def on_device(device):
    with open(device, "wb") as file:
        file.write(empty())
    expect(0, "create on a device", "create", device + "/base.cim", "more")
    expect(0, "append there", "append", device + "/base.cim", "src", "--exclude", "c.bcim")
    same(tool("cat", device + "/base.cim", "big").out, BIG, "the data on a device")
    expect(0, "verify there", "verify", "--deep", device + "/base.cim")
    same(expect(0, "files there", "files", device).text.count("base.cim\n"), 13, "of one image")
    put("random/data", os.urandom(5 << 20))
    result = tool("create", device + "/full.cim", "random")
    check(result.code == 1 and "disk is full" in result.errors, "a device that is too small", result)
    expect(0, "and holds what it held", "verify", "--deep", device + "/base.cim")
    used = os.open(device, os.O_RDWR | os.O_EXCL)  # as who mounts it does
    result = tool("append", device + "/base.cim", "more")
    check(result.code == 1 and "another session" in result.errors, "a device that is in use is not written", result)
    expect(0, "but read", "ls", device + "/base.cim")
    os.close(used)
    expect(0, "rm there", "rm", device + "/base.cim")


device = with_device(4 << 20)
if device:
    try:
        on_device(device)
    finally:
        tooltest.run(["losetup", "--detach", device])
else:
    skip("on a block device", "there is no loop device to be had")
done()
