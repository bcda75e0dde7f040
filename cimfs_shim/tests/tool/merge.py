#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool append and fork --add: what is put over what an image has, and what stays of that."""

import json
import os
import shutil

from tooltest import TMP, check, done, expect, files_of, need_tool, same, skip, tool, write
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

# ---- where a symlink leads is decided in what all make together ----


def source(name, *items):
    """A tree: "dir/" directories, "link -> target" symlinks, other names files."""
    path = fresh(name)
    for item in items:
        name, arrow, target = item.partition(" -> ")
        full = os.path.join(path, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if arrow:
            os.symlink(target, full)
        elif not name.endswith("/"):
            write(full, b"")
    return path


def kinds_of(image, *names):
    return [(stat(image, name)["type"], stat(image, name).get("reparse_tag_name")) for name in names]


DIRECTORY, FILE = ("directory", "SYMLINK"), ("file", "SYMLINK")
CREATES = {
    "the target is in a later source": ([["link -> target"], ["target/"]], {"link": DIRECTORY}),
    "in an earlier one": ([["target/"], ["link -> target"]], {"link": DIRECTORY}),
    "a later source makes it a file": ([["link -> target", "target/"], ["target"]], {"link": FILE}),
    "or another link": ([["link -> target", "target/"], ["target -> other", "other"]], {"link": FILE}),
    "in letters of another case": ([["link -> TARGET"], ["Target/"]], {"link": DIRECTORY}),
    "through links of other sources": (
        [["link -> b/sub", "up -> b/../c"], ["b -> ./c/"], ["c/sub/"]],
        {"link": DIRECTORY, "up": DIRECTORY, "b": DIRECTORY}),
    "through directories of two": ([["link -> Dir/sub", "dir/a"], ["DIR/sub/"]], {"link": DIRECTORY}),
    "up and down": ([["x/y/link -> ../../z/w", "x/y/out -> ../../../z"], ["z/w/"]],
                    {"x/y/link": DIRECTORY, "x/y/out": DIRECTORY}),
    "from the top": ([["x/link -> /z/w", "x/top -> /"], ["z/w/"]],
                     {"x/link": DIRECTORY, "x/top": DIRECTORY}),
    "in a circle, to nothing, below a file": (
        [["a -> b", "b -> a", "lost -> x", "below -> file/x", "file"]],
        {"a": FILE, "b": FILE, "lost": FILE, "below": FILE}),
}
for name, (sources, want) in CREATES.items():
    image = os.path.join(fresh("links"), "a.cim")
    paths = [source("p%d" % i, *items) for i, items in enumerate(sources)]
    for options in ([], ["--all-times"]):
        image = os.path.join(fresh("links"), "a.cim")
        expect(0, "create: " + name, "create", "--strict", "--verify", "--consistent", *options,
               image, *paths)
        same(kinds_of(image, *want), list(want.values()), "%s: kinds %s" % (name, options))
    made = files_of(os.path.dirname(image))
    again = os.path.join(fresh("again"), "a.cim")
    dump = tool("dump", image).out
    expect(0, "its dump", "create", "--consistent", "--from-dump=-", again, data=dump)
    check(files_of(os.path.dirname(again)) == made, name + ": gives the same bytes")

image = os.path.join(fresh("links"), "a.cim")
expect(0, "create", "create", "--exclude=target", image, source("p0", "link -> target", "target/"))
same(kinds_of(image, "link"), [FILE], "what is excluded is no directory")


def target_base():
    return base({"target": Dir({"sub": Dir({})}), "file": File(b""), "deep": Dir({"in": Dir({})}),
                 "mid": Dir({}, reparse=make_symlink("target")),
                 "far": Dir({}, reparse=make_symlink("\\??\\C:\\x", 0)),
                 "filelink": File(b"", reparse=make_symlink("target"))})


APPENDS = {
    "the target is in the image": (["link -> target", "sub -> TARGET/Sub"], [DIRECTORY, DIRECTORY]),
    "the image's is a link": (["link -> mid", "sub -> mid/sub", "lost -> mid/x"],
                              [DIRECTORY, DIRECTORY, FILE]),
    "a link to elsewhere": (["link -> far", "sub -> far/sub"], [DIRECTORY, FILE]),
    "the image's is no directory": (["link -> file", "other -> filelink", "x -> filelink/sub"],
                                    [FILE, FILE, FILE]),
    "the source has another": (["link -> target", "target"], [FILE]),
    "a directory that both have": (["link -> deep/in", "new -> deep/new", "deep/new/"],
                                   [DIRECTORY, DIRECTORY]),
    "what a link's place takes": (["link -> mid/sub", "mid/"], [FILE]),
}
for name, (items, want) in APPENDS.items():
    image = target_base()
    names = [item.split(" -> ")[0] for item in items if " -> " in item]
    for way, after in each_way(image, source("p0", *items)):
        same(kinds_of(after, *names), want, "%s: %s" % (way, name))

image = target_base()
src = source("p0", "link -> in", "root -> /target", "own/", "up -> ../target", "lost -> /own")
expect(0, "fork --add into a directory", "fork", "--add", src + ":/deep", image, "fork.cim")
forked = os.path.join(os.path.dirname(image), "fork.cim")
same(kinds_of(forked, "deep/link", "deep/root", "deep/up", "deep/lost"),
     [DIRECTORY, DIRECTORY, DIRECTORY, FILE], "beside, and from the image's root")
expect(0, "fork --delete", "fork", "--delete", "target", "--add",
       source("p0", "link -> target", "new -> added") + ":/", image, "less.cim")
less = os.path.join(os.path.dirname(image), "less.cim")
same(kinds_of(less, "link", "new"), [FILE, FILE], "what was deleted before is no target")
expect(0, "fork with two --add", "fork", "--add", source("p0", "added/") + ":/", "--add",
       source("p1", "new -> added") + ":/", image, "more.cim")
same(kinds_of(os.path.join(os.path.dirname(image), "more.cim"), "new"), [DIRECTORY],
     "what was added before is one")
expect(0, "fork with --add of links, one after another", "fork",
       "--add", source("p0", "mid -> own", "own/in/", "up -> mid") + ":/",
       "--add", source("p1", "old -> mid/sub", "new -> mid/in", "two -> UP/in") + ":/",
       "--add", source("p2", "mid -> target") + ":/",
       "--add", source("p3", "third -> up/sub") + ":/", image, "links.cim")
same(kinds_of(os.path.join(os.path.dirname(image), "links.cim"), "old", "new", "two", "third"),
     [FILE, DIRECTORY, DIRECTORY, DIRECTORY], "a link leads through those added before, not the image's own")
for path in ("mid/new", "mid/", "mid/sub/new", "far/new"):
    result = expect(1, "--add to %s, through a link" % path, "fork", "--add",
                    os.path.join(TMP, "kinds", "tag goes") + ":" + path, target_base(),
                    "through.cim")
    check("is a link" in result.errors, "is refused", result)
image = target_base()
late = source("p0", "link -> later")
expect(0, "a link to what isn't there", "append", image, late)
expect(0, "and then what it leads to", "append", image, source("p1", "later/", "again -> later"))
same(kinds_of(image, "link", "again"), [FILE, DIRECTORY], "a link that the image has keeps its kind (D58)")
expect(0, "the link once more", "append", image, late)
same(kinds_of(image, "link"), [DIRECTORY], "is decided anew")
one = source("p0", "file")
two = source("p1")
os.link(os.path.join(one, "file"), os.path.join(two, "name"))
result = expect(0, "one file in two --add", "fork", "--strict", "--add", one + ":/", "--add", two + ":/", image,
                "two.cim")
forked = os.path.join(os.path.dirname(image), "two.cim")
check(stat(forked, "file")["file_id"] != stat(forked, "name")["file_id"] and not result.errors,
      "is two files of the image (D57)", result)
image = target_base()
src = source("p0", "link -> target")
os.mkfifo(os.path.join(src, "target"))
expect(3, "a FIFO of a directory's name", "append", image, src)
same(kinds_of(image, "link", "target"), [DIRECTORY, ("directory", None)],
     "is not stored, so the directory stays, and the target of the link")
done()
