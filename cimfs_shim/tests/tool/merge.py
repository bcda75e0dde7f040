#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool append and fork --add: what is put over what an image has, and what stays of that."""

import json
import os
import shutil

from tooltest import TMP, check, done, expect, need_tool, same, skip, tool, write
from imagebuilder import (ARCHIVE, HIDDEN, READONLY, SYSTEM, Dir, File, Image, make_ea, make_reparse,
                          make_sd, make_symlink)

need_tool()
EPOCH = 11644473600
TIMES = [(EPOCH + 1_500_000_000 + i * 1000) * 10_000_000 + i for i in range(4)]
MTIME = 1_600_000_000
ALL = ["creation", "last_write", "change", "last_access"]
number = 0


def fresh(name):
    path = os.path.join(TMP, name)
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    return path


def stat(image, path):
    result = tool("stat", "--json", image, path)
    return json.loads(result.text) if result.code == 0 else None


def rich(**more):
    return dict(flags=HIDDEN | SYSTEM | ARCHIVE, sd=make_sd(), ea=make_ea((b"ONE", b"1")),
                times=TIMES, **more)


def base(entries):
    """An image, in a directory of its own."""
    global number
    number += 1
    return Image(Dir(entries, **rich())).write(os.path.join(TMP, "base%d" % number))


def each_way(image, src, *options):
    """The image after an append, and a fork of what it was with the same added."""
    base_dir = os.path.dirname(image)
    copy = base_dir + "-fork"
    shutil.copytree(base_dir, copy)
    forked = os.path.join(copy, "fork.cim")
    expect(0, "append", "append", "--strict", "--verify", *options, image, src)
    expect(0, "fork --add", "fork", "--strict", "--verify", *options, "--add", src + ":/",
           os.path.join(copy, os.path.basename(image)), "fork.cim")
    return (("append", image), ("fork", forked))


# ---- metadata: what the source has no notion of stays, what it has replaces ----

src = fresh("src")
for name in ("dir/inside", "file", "dir/sub/file", "readonly", "new/file"):
    write(os.path.join(src, name), b"new content")
os.chmod(os.path.join(src, "readonly"), 0o444)
for where, dirs, files in os.walk(src, topdown=False):
    for name in dirs + files:
        os.utime(os.path.join(where, name), (MTIME, MTIME))
os.utime(src, (MTIME, MTIME))


def tree():
    return {"dir": Dir({"sub": Dir({"file": File(b"old", **rich())}, **rich()),
                        "kept": File(b"kept", **rich())}, **rich(streams={"s": b"stream"})),
            "file": File(b"old", **rich(streams={"s": b"gone"})),
            "readonly": File(b"old", times=TIMES),
            "was readonly": File(b"", times=TIMES)}


for options in ([], ["--no-acls"], ["--all-times"], ["--mtime=2021-02-03"]):
    image = base(tree())
    before = {name: stat(image, name) for name in ("/", "dir", "dir/sub", "file", "dir/sub/file")}
    for way, after in each_way(image, src, *options):
        for name, old in before.items():
            new = stat(after, name)
            what = "%s %s: %s: " % (way, " ".join(options), name)
            same(new["sddl"], old["sddl"], what + "the security descriptor stays")
            same(new["attribute_bits"], old["attribute_bits"], what + "hidden, system and archive do")
            same(new["ea"], old["ea"], what + "so do extended attributes")
            if "--mtime=2021-02-03" in options:
                same({new[k] for k in ALL}, {"2021-02-03T00:00:00.0000000Z"}, what + "times as given")
            elif name == "/":
                same([new[k] for k in ALL], [old[k] for k in ALL], what + "and all times of the top")
            else:
                same(new["last_write"], "2020-09-13T12:26:40.0000000Z", what + "the last write is new")
            if not options and name in ("dir", "dir/sub"):
                same([new[k] for k in ALL if k != "last_write"],
                     [old[k] for k in ALL if k != "last_write"], what + "other times stay")
        same(stat(after, "readonly")["attribute_bits"] & 1, 1, way + ": read-only is the source's")
        same(stat(after, "new")["sddl"], "D:NO_ACCESS_CONTROL", way + ": what is new has nothing")
        same(tool("cat", after, "file", "dir/sub/file", "dir/kept", "dir:s").out,
             b"new content" * 2 + b"keptstream", way + ": contents, and a directory's streams")
        check(not stat(after, "file").get("streams"), way + ": a file's streams go with its content",
              stat(after, "file"))

image = base({"sub": Dir({}, **rich()), "top": Dir({}, **rich())})
old = stat(image, "sub")
expect(0, "fork --add into a directory", "fork", "--add", src + ":/sub", "--add",
       os.path.join(src, "file") + ":/top/new", image, "fork.cim")
forked = os.path.join(os.path.dirname(image), "fork.cim")
same(stat(forked, "sub"), dict(old, **{k: stat(forked, "sub")[k] for k in ("file_id", "entries")
                                       if k in old}), "leaves all of that as it was")
same([stat(forked, "top")[k] for k in ALL], [old[k] for k in ALL], "so does a file for another")

dos = fresh("dos")
os.mkdir(os.path.join(dos, "dir"))
write(os.path.join(dos, "file"), b"f")
try:
    for name in ("dir", "file"):
        os.setxattr(os.path.join(dos, name), "user.DOSATTRIB", b"0x20")
except OSError as error:
    skip("attributes that the source has", str(error))
else:
    image = base({"dir": Dir({}, **rich()), "file": File(b"", **rich())})
    for way, after in each_way(image, dos):
        same([stat(after, name)["attribute_bits"] & 0x27 for name in ("dir", "file")], [0x20] * 2,
             way + ": attributes that the source has replace")

# ---- what is no directory on one of the sides is replaced, not merged ----

kinds = fresh("kinds")
os.symlink("elsewhere", os.path.join(kinds, "dir becomes link"))
os.mkdir(os.path.join(kinds, "elsewhere"))
os.symlink("elsewhere", os.path.join(kinds, "dir becomes dir link"))
write(os.path.join(kinds, "link becomes dir", "in"), b"in")
write(os.path.join(kinds, "junction becomes dir", "in"), b"in")
write(os.path.join(kinds, "link becomes file"), b"file")
write(os.path.join(kinds, "tag stays", "in"), b"in")
write(os.path.join(kinds, "tag goes"), b"content")
os.link(os.path.join(kinds, "link becomes file"), os.path.join(kinds, "z dir becomes hard link"))
image = base({"dir becomes link": Dir({"below": File(b"b")}, **rich()),
              "dir becomes dir link": Dir({"below": File(b"b")}, **rich()),
              "link becomes dir": Dir({}, reparse=make_symlink("elsewhere"), **rich()),
              "junction becomes dir": Dir({}, reparse=make_symlink("\\??\\C:\\x", 0), **rich()),
              "link becomes file": File(b"", reparse=make_symlink("elsewhere"), **rich()),
              "tag stays": Dir({}, reparse=make_reparse(0x80000099, b"x"), **rich()),
              "tag goes": File(b"old", reparse=make_reparse(0x80000099, b"x"), **rich()),
              "z dir becomes hard link": Dir({"below": File(b"b")}, **rich())})
tag = stat(image, "tag stays")["reparse_tag"]
for way, after in each_way(image, kinds):
    for name, want in (("dir becomes link", "SYMLINK"), ("dir becomes dir link", "SYMLINK"),
                       ("link becomes dir", None), ("junction becomes dir", None),
                       ("link becomes file", None), ("z dir becomes hard link", None)):
        item = stat(after, name)
        same(item.get("reparse_tag_name"), want, "%s: %s" % (way, name))
        same(item["attribute_bits"] & 0x26, 0, "%s: %s: nothing is taken over" % (way, name))
        check(not stat(after, name + "/below"), "%s: %s: what lay below is gone" % (way, name))
    same(stat(after, "z dir becomes hard link")["file_id"],
         stat(after, "link becomes file")["file_id"], way + ": the hard link is one")
    same([stat(after, "tag stays").get("reparse_tag"), stat(after, "tag goes").get("reparse_tag")],
         [tag, None],
         way + ": a tag that is no link's stays on a directory, and goes with a file's content")
done()
