#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool create and extract: what has no equal on the other side is told, not lost in silence."""

import json
import os

from tooltest import TMP, check, done, expect, need_tool, same, tool, write

need_tool()
images = os.path.join(TMP, "images")
os.mkdir(images)


def image(name):
    return os.path.join(images, name)


def stat(path, *items):
    result = tool("stat", "--json", path, *items)
    return [json.loads(line) for line in result.text.splitlines()]


def tree(name):
    path = os.path.join(TMP, name)
    os.mkdir(path)
    return path


# ---- hard links of symlinks ----

src, img = tree("symlinks"), image("symlinks.cim")
write(os.path.join(src, "file"), b"f")
write(os.path.join(src, "sub", "below"), b"b")
for name, target in (("one", "file"), ("lost", "nowhere")):
    os.symlink(target, os.path.join(src, name))
    for other in ("other " + name, "sub/third " + name):
        os.link(os.path.join(src, name), os.path.join(src, other), follow_symlinks=False)
expect(0, "hard links of symlinks are kept", "create", "--strict", "--verify", img, src)
for name in ("one", "lost"):
    items = stat(img, name, "other " + name, "sub/third " + name)
    same([item["file_id"] for item in items], [items[0]["file_id"]] * 3, "%s: one file" % name)
    same([item["reparse_tag_name"] for item in items], ["SYMLINK"] * 3, "%s: a symlink" % name)
out = os.path.join(TMP, "symlinks-out")
expect(0, "they are extracted", "extract", "--strict", "-C", out, img)
same([os.lstat(os.path.join(out, name)).st_nlink for name in ("one", "lost")], [3, 3],
     "each with three names")
same(os.readlink(os.path.join(out, "sub", "third one")), "file", "and its target")

src, img = tree("directory-links"), image("directory-links.cim")
os.mkdir(os.path.join(src, "dir"))
os.symlink("dir", os.path.join(src, "a"))
for name in ("b", "dir/c"):
    os.link(os.path.join(src, "a"), os.path.join(src, name), follow_symlinks=False)
result = expect(3, "a symlink to a directory can have one name only", "create", "-v", img, src)
check("b: hard link not stored" in result.errors and "dir/c: hard link not stored" in result.errors,
      "which is told of each further one", result)
items = stat(img, "a", "b", "dir/c")
same([(item["type"], item["target"]) for item in items],
     [("directory", "dir")] * 2 + [("file", "dir")], "all are stored, as what each is where it lies")
expect(1, "with --strict that is a failure", "create", "--strict", image("strict.cim"), src)

done()
