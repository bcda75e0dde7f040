#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool extract: what comes back, what is told, and that nothing gets outside the target.

The images are made by hand (imagebuilder.py), so that they can hold what no writer of ours writes.
"""

import os
import shutil
import stat

from tooltest import (CIMTOOL, TMP, check, done, expect, need_tool, plain_user, run, same, skip, tool,
                      write)
from imagebuilder import (ARCHIVE, HIDDEN, READONLY, RECORD_STREAM, SYSTEM, UPCASE, Dir, File, Image, Link, Sparse,
                          Stream, make_ea, make_reparse, make_sd, make_symlink)

need_tool()
EPOCH = 11644473600
NOW = (EPOCH + 1_700_000_000) * 10_000_000
count = 0


def same_times(t=NOW):
    return (t, t, t, t)


def build(root, **more):
    """Write an image of its own directory; its path and an empty target."""
    global count
    count += 1
    directory = os.path.join(TMP, "case%d" % count)
    path = Image(root, **more).write(os.path.join(directory, "image"))
    return path, os.path.join(directory, "target")


def plain(entries, **more):
    """Items whose four times agree, so that a host can hold them."""
    def fix(item):
        if not isinstance(item, Link) and item.times is None:
            item.times = same_times()
        for child in getattr(item, "entries", {}).values():
            fix(child)
        return item
    return fix(Dir(entries, **more))


def tree(directory):
    """path -> kind and content of all below a directory."""
    found = {}
    for top, names, files in os.walk(directory):
        for name in names + files:
            path = os.path.join(top, name)
            key = os.path.relpath(path, directory)
            if os.path.islink(path):
                found[key] = "-> " + os.readlink(path)
            elif os.path.isdir(path):
                found[key] = "directory"
            else:
                with open(path, "rb") as f:
                    found[key] = f.read()
    return found


# ---- names that must not be used ----

outside = os.path.join(TMP, "outside")
os.mkdir(outside)
for number, name in enumerate(("..", ".", "../escaped", "/absolute", "a/b", "nul\0here",
                               "../../../../../../../../tmp/escaped", "")):
    if name == "":
        continue
    image, target = build(plain({name: File(b"evil", parent=1), "good": File(b"good")}))
    result = tool("extract", "-C", target, image)
    check(result.code in (3, 4) and "not restored" in result.errors or result.code == 4,
          "the name %r is refused and reported" % name, result)
    same(tree(target), {"good": b"good"}, "the rest of that image is restored")
    image, target = build(plain({name: Dir({"below": File(b"evil")}, parent=1), "good": File(b"good")}))
    result = tool("extract", "-C", target, image)
    check(result.code in (3, 4), "a directory %r too" % name, result)
    same(tree(target), {"good": b"good"}, "with all that is in it")
    case = os.path.dirname(target)
    same(sorted(os.listdir(case)), ["image", "target"], "and nothing is beside the target")
check(not os.path.exists("/absolute") and not os.path.exists("/tmp/escaped"),
      "nothing anywhere else either")

# ---- links that lead out ----

image, target = build(plain({
    "a": Dir({"file": File(b"evil")}, reparse=make_symlink(outside.replace("/", "\\"))),
    "b": File(b"", reparse=make_symlink("..\\..\\..\\outside\\made")),
    "c": Dir({}, reparse=make_symlink("..")),
    "good": File(b"good"),
}))
result = tool("extract", "-C", target, image)
check(result.code == 3 and "lies below" in result.errors,
      "what lies below a symlink is not restored, and told", result)
same(os.listdir(outside), [], "nothing went through the link")
same(sorted(tree(target)), ["a", "b", "c", "good"], "the links themselves are restored")

builder = Image(plain({"a": Dir({"file": File(b"evil")}, reparse=make_symlink("good")),
                       "good": File(b"good")}))
builder.poke("record:a", RECORD_STREAM, "Q", 99 << 48 | 4096)
image = builder.write(os.path.join(TMP, "below-a-link"))
target = os.path.join(TMP, "below-a-link-target")
result = tool("extract", "-C", target, image)
check(result.code == 4 and "/a" in result.errors,
      "that what lies below a symlink can't be read is told, too", result)
same(sorted(tree(target)), ["a", "good"], "and the rest is restored")

# Two entries of one name: a link, then a file or a directory.
for second in (File(b"evil"), Dir({"below": File(b"evil")})):
    image, target = build(plain({
        "x": File(b"", reparse=make_symlink(outside.replace("/", "\\"))), "y": second,
        "z": File(b"last")}))
    builder = Image(plain({"x": File(b"", reparse=make_symlink(outside.replace("/", "\\"))),
                           "y": second}))
    builder.poke("name:y", 2, "H", ord("x"))
    path = builder.write(os.path.join(TMP, "twice%d" % count))
    for options in ((), ("--overwrite",)):
        shutil.rmtree(target, ignore_errors=True)
        result = tool("extract", "-C", target, *options, path)
        check(result.code is not None and 0 <= result.code < 6,
              "a name that is there twice ends in order %s" % " ".join(options), result)
        same(os.listdir(outside), [], "and nothing goes through the first")

# What was in the target before.
image, target = build(plain({"d": Dir({"f": File(b"new")}), "g": File(b"new")}))
os.mkdir(target)
os.symlink(outside, os.path.join(target, "d"))
result = tool("extract", "-C", target, image)
check(result.code == 1 and "--overwrite" in result.errors,
      "a link in the target is not followed", result)
same(os.listdir(outside), [], "nothing is behind it")
expect(0, "--overwrite replaces it", "extract", "--overwrite", "-q", "-C", target, image)
same((tree(target), os.listdir(outside)), ({"d": "directory", "d/f": b"new", "g": b"new"}, []),
     "by a directory")

image, target = build(plain({"f": File(b"new contents")}))
os.mkdir(target)
write(os.path.join(outside, "precious"), b"precious")
os.link(os.path.join(outside, "precious"), os.path.join(target, "f"))
expect(1, "a file that exists is an error", "extract", "-C", target, image)
same(tree(target), {"f": b"precious"}, "and stays")
expect(0, "--overwrite replaces it too", "extract", "--overwrite", "-C", target, image)
same((tree(target), tree(outside)), ({"f": b"new contents"}, {"precious": b"precious"}),
     "without writing into its other names")
os.unlink(os.path.join(outside, "precious"))
os.unlink(os.path.join(target, "f"))
os.symlink(os.path.join(outside, "through"), os.path.join(target, "f"))
expect(0, "--overwrite replaces a dangling link", "extract", "--overwrite", "-C", target, image)
same((tree(target), os.listdir(outside)), ({"f": b"new contents"}, []), "by the file")

# A directory that contains itself.
builder = Image(plain({"a": Dir({"b": Dir({"c": File(b"x")})})}))
builder.poke("links:a", 8, "I", builder.ids["a"])
path = builder.write(os.path.join(TMP, "cycle"))
result = tool("extract", "-C", os.path.join(TMP, "cycle-out"), path)
check(result.code == 4, "a directory cycle is corrupt, and ends", result)
result = tool("dump", path)
check(result.code == 4, "for dump too", result)
result = tool("diff", path, path)
check(result.code == 2, "and for diff", result)

# ---- what comes back ----

image, target = build(plain({
    "Both.txt": File(b"two names", flags=READONLY),
    "sub": Dir({"again": Link("Both.txt"), "locked": Dir({"in": File(b"in it")}, flags=READONLY)}),
    "hole": File(Sparse(1 << 33), flags=16),
    "tiny-hole": File(Sparse(5)),
    "old": File(b"o", times=same_times(10_000_000)),
    "never": File(b"n", times=(0, 0, 0, 0)),
    "ns": File(b"t", times=same_times(NOW + 1234567)),
    "abs": File(b"", reparse=make_symlink("\\rooted\\path")),
    "rel": File(b"", reparse=make_symlink("..\\up\\x y")),
    "drive": File(b"", reparse=make_symlink("\\??\\C:\\Windows\\System32", 0)),
    "unc": File(b"", reparse=make_symlink("\\??\\UNC\\server\\share\\x", 0)),
    "empty-target": File(b"", reparse=make_symlink("")),
}))
result = tool("extract", "-C", target, image)
check(result.code == 3, "an image of many things", result)
check("symlink translated" in result.errors, "says which symlinks were translated", result)
same([os.readlink(os.path.join(target, n)) for n in ("abs", "rel", "drive", "unc")],
     ["/rooted/path", "../up/x y", "/Windows/System32", "//server/share/x"], "how they are now")
check("/empty-target: reparse data not restored" in result.errors,
      "a symlink without a target is a file whose reparse data are lost", result)
first, second = (os.stat(os.path.join(target, n)) for n in ("Both.txt", "sub/again"))
same((first.st_ino, first.st_nlink), (second.st_ino, 2), "two names of one file")
same([stat.S_IMODE(os.stat(os.path.join(target, n)).st_mode) & 0o222
      for n in ("Both.txt", "sub/locked", "ns")], [0, 0, 0o200], "read-only is in the mode")
same((os.stat(os.path.join(target, "hole")).st_size, os.stat(os.path.join(target, "hole")).st_blocks),
     (1 << 33, 0), "8 GiB of nothing take no room")
same(open(os.path.join(target, "tiny-hole"), "rb").read(), bytes(5), "a small one reads as zeros")
same(os.stat(os.path.join(target, "ns")).st_mtime_ns, 1_700_000_000_123_456_700,
     "times are exact to 100 ns")
check("/old: times not restored" in result.errors or
      os.stat(os.path.join(target, "old")).st_mtime < -11e9,
      "a time that the target can't hold is told", result)
check(os.stat(os.path.join(target, "never")).st_mtime > 1.6e9, "a time of 0 is none")
same(int(os.stat(os.path.join(target, "sub")).st_mtime), 1_700_000_000,
     "a directory's time survives what is put into it")

image, target = build(plain({
    "hidden": File(b"h", flags=HIDDEN | SYSTEM | ARCHIVE),
    "secured": File(b"s", sd=make_sd()),
    "ea": File(b"e", ea=make_ea((b"NAME", b"value"))),
    "tag": File(b"", reparse=make_reparse(0x80000099, b"data")),
    "junction": Dir(reparse=make_reparse(0xA0000003, bytes(12))),
    "streams": File(b"main", streams={"one": b"1", "large": Stream(bytes(70000)), "a:b": b"x"}),
    "times": File(b"t", times=(NOW, NOW + 10, NOW + 20, NOW + 30)),
    "root-ok": File(b"fine"),
}))
result = tool("extract", "-C", target, image)
check(result.code == 3, "what Linux has no place for is a warning", result)
for what in ("security descriptor not restored", "extended attributes not restored",
             "reparse data not restored", "times not restored", "stream not restored"):
    check(what in result.errors, "it says: " + what, result)
same(tree(target)["root-ok"], b"fine", "all the rest is restored")
try:
    value = os.getxattr(os.path.join(target, "hidden"), "user.DOSATTRIB")
    same(value, b"0x26", "attributes are in user.DOSATTRIB")
    same(os.getxattr(os.path.join(target, "streams"), "user.one"), b"1",
         "a small stream is an extended attribute")
except OSError as error:
    skip("user.DOSATTRIB and user.one", str(error))
result = tool("extract", "-v", "-C", target + "-v", image)
check(sum("reparse data not restored" in line for line in result.errors.splitlines()) == 2,
      "--verbose tells each", result)
result = tool("extract", "--strict", "-C", target + "-s", image)
same(result.code, 1, "--strict makes it a failure")
result = tool("extract", "--no-acls", "--no-attributes", "-C", target + "-n", image)
check(not [w for w in ("security", "extended attr", "times") if w + "" in
           result.errors.replace("reparse", "")], "--no-acls and --no-attributes are silent on it",
      result)
image, target = build(plain({"a": File(b"a"), "secured": File(b"s", sd=make_sd()), "z": File(b"z", sd=make_sd())}))
result = tool("extract", "--strict-acls", "-C", target, image)
check(result.code == 1 and len(result.errors.splitlines()) == 1 and
      "/secured: security descriptor not restored" in result.errors,
      "--strict-acls: a security descriptor that is lost is an error, told once", result)
same((tree(target).get("a"), "z" in tree(target)), (b"a", False), "which ends the command there")
result = tool("extract", "-C", target + "-w", image)
check(result.code == 3 and "and 1 more" in result.errors, "without it, it is a warning", result)
result = tool("extract", "--strict-acls", "--no-acls", "-C", target + "-2", image)
same(result.code, 2, "--no-acls as well is a usage error")
image, target = build(plain({"a": File(b"a"), "link": File(b"", sd=make_sd(), reparse=make_symlink("a"),
                                                           ea=make_ea((b"NAME", b"value")))}))
result = tool("extract", "-C", target, image)
check(result.code == 3 and "/link: security descriptor not restored" in result.errors and
      "/link: extended attributes not restored" in result.errors, "what a symlink loses is told", result)
same(tool("extract", "--strict-acls", "-C", target + "-s", image).code, 1, "and counts for --strict-acls")

image, target = build(plain({
    "streams": File(b"main", streams={"one": b"1", "large": Stream(bytes(70000)), "a:b": b"x"}),
}))
expect(3, "--streams-interface=windows", "extract", "--streams-interface=windows", "-C",
       target + "-w", image)
found = tree(target + "-w")
same((found.get("streams:one"), found.get("streams:large")), (b"1", bytes(70000)),
     "makes files NAME:STREAM")
check("streams:a:b" not in found, "but not of a name with a ':'", sorted(found))
result = tool("extract", "--streams-interface=none", "-C", target + "-0", image)
check("/streams: stream not restored" in result.errors, "none restores none, and says so", result)

image, target = build(plain({"one": File(b"1", streams={"s": b"of both"}), "two": Link("one")}))
expect(0, "--streams-interface=windows with a hard link", "extract", "--streams-interface=windows", "-C",
       target, image)
found = tree(target)
same((found.get("one:s"), found.get("two:s")), (b"of both", b"of both"), "makes NAME:STREAM of each name")
expect(0, "and once more, with --overwrite", "extract", "--streams-interface=windows", "--overwrite", "-C",
       target, image)
same(tree(target), found, "leaves it so")

image, target = build(plain({"a": File(b"a"), "link": File(b"", flags=HIDDEN, streams={"s": b"x"},
                                                           reparse=make_symlink("a"))}))
result = tool("extract", "-C", target, image)
check(result.code == 3 and "/link: attributes not restored" in result.errors and
      "/link: stream not restored" in result.errors, "attributes and streams of a symlink are told too", result)

# ---- something is in the way ----

image, target = build(plain({"one": File(b"1"), "two": Link("one")}))
os.makedirs(os.path.join(target, "one"))
result = tool("extract", "--overwrite", "-C", target, image)
check(result.code == 1 and "/one: Is a directory" in result.errors, "no file replaces a directory", result)
os.rmdir(os.path.join(target, "one"))
with open(os.path.join(target, "two"), "wb") as f:
    f.write(b"mine")
result = tool("extract", "-C", target, image)
check(result.code == 1 and "/two: the target has it already" in result.errors,
      "a hard link's name that is taken is an error", result)
same(tree(target), {"one": b"1", "two": b"mine"}, "which changes nothing")
os.unlink(os.path.join(target, "one"))
expect(0, "--overwrite", "extract", "--overwrite", "-C", target, image)
same((tree(target), os.stat(os.path.join(target, "one")).st_nlink), ({"one": b"1", "two": b"1"}, 2),
     "replaces it by the link")

DEPTH, NAMES = 300, 1000
top = Dir({"first": File(b"deep")})
for _ in range(DEPTH):
    top = Dir({"d": top})
image, target = build(plain({"d": top, "names": Dir({
    "%04d" % n: Link("d/" * (DEPTH + 1) + "first") for n in range(NAMES)})}))
result = tool("extract", "-C", target, image)
links = os.stat(os.path.join(target, "d/" * (DEPTH + 1) + "first")).st_nlink
check(result.code == 3 and "/names/" in result.errors and "hard link not restored" in result.errors,
      "hard links that take too long to find are told", result)
check(1 < links <= NAMES, "those before are links", links)
found = list(tree(os.path.join(target, "names")).values())
same((len(found), set(found)), (NAMES, {b"deep"}), "and the others are copies")

# ---- parts of an image ----

image, target = build(plain({
    "Dir": Dir({"Sub": Dir({"File": File(b"f"), "other": File(b"o")}), "x": File(b"x")}),
    "y": File(b"y")}))
expect(0, "one file by its path in any case", "extract", "-C", target, image, "dir/SUB/file")
same(tree(target), {"Dir": "directory", "Dir/Sub": "directory", "Dir/Sub/File": b"f"},
     "is restored as the image spells it")
expect(0, "several, with a directory on the way that is there", "extract", "-C", target, image,
       "/Dir/x", "y")
same(sorted(tree(target)), ["Dir", "Dir/Sub", "Dir/Sub/File", "Dir/x", "y"], "are all restored")
shutil.rmtree(target)
# The spelling is looked for in the whole directory, and one of its seven names can't be read.
upcase = list(UPCASE)
upcase[ord("1")] = ord("G")
builder = Image(plain({name: File(b"") for name in "abcdefg"}), upcase=upcase)
damaged = builder.poke("links:", 8 + 7 * 4, "I", 1 << 31).write(os.path.join(TMP, "damaged-name"))
expect(0, "a file beside a name that can't be read", "extract", "-C", target, damaged, "G")
same(tree(target), {"g": b""}, "is restored as the image spells it")
result = expect(4, "what may have that name", "extract", "-C", target, damaged, "1")
check("/1: " in result.errors or " 1: " in result.errors, "is reported", result)
same(tree(target), {"g": b""}, "and not restored under another")
shutil.rmtree(target)
expect(0, "a directory", "extract", "-C", target, image, "Dir\\Sub")
same(sorted(tree(target)), ["Dir", "Dir/Sub", "Dir/Sub/File", "Dir/Sub/other"], "with what is in it")
shutil.rmtree(target)
expect(0, "--exclude, in any case", "extract", "-C", target, image, "--exclude=SUB")
same(sorted(tree(target)), ["Dir", "Dir/x", "y"], "leaves it out")
expect(1, "a path through a file is an error", "extract", "-C", target, image, "y/z")
expect(0, "the current directory is the default", "extract", image, cwd=outside)
same(sorted(os.listdir(outside)), ["Dir", "y"], "target")
shutil.rmtree(outside)

# ---- a damaged image: what can be read is restored ----

builder = Image(plain({"a": File(b"first"), "b": File(bytes(range(256)) * 40), "c": File(b"last")}))
path = builder.write(os.path.join(TMP, "damaged"))
region = builder.places["data:b"][0]
os.truncate(os.path.join(TMP, "damaged", region), 5000)
result = tool("extract", "-C", os.path.join(TMP, "damaged-out"), path)
check(result.code == 4 and "b" in result.errors, "a file whose data are gone is told", result)
same(tree(os.path.join(TMP, "damaged-out")), {"a": b"first", "c": b"last"},
     "the others are restored, and no half of it stays")

builder = Image(plain({"f": File(b"f", streams={"cut": Stream(bytes(range(256)) * 40), "whole": b"w"})}))
path = builder.write(os.path.join(TMP, "damaged-data"))
os.truncate(os.path.join(TMP, "damaged-data", builder.places["data:f:cut"][0]), 5000)
for mode in ("windows", "xattr"):
    target = os.path.join(TMP, "damaged-data-" + mode)
    result = tool("extract", "--streams-interface=" + mode, "-C", target, path)
    check(result.code == 4 and "/f: " in result.errors, mode + ": a stream whose data are gone is told", result)
    same({n: v for n, v in tree(target).items() if n != "f:whole"}, {"f": b"f"}, mode + ": no half of it stays")

# Values of 16 bytes from offset 8 on: an unknown type for the second.
builder = Image(plain({"f": File(b"f", streams={"a": b"1", "b": b"2", "c": b"3"})}))
path = builder.poke("streams:f", 8 + 16 + 8, "Q", 200 << 48 | 3).write(os.path.join(TMP, "damaged-stream"))
result = tool("extract", "--streams-interface=windows", "-C", os.path.join(TMP, "damaged-stream-out"), path)
check(result.code == 4 and "/f: " in result.errors, "a stream that can't be read is told", result)
same(tree(os.path.join(TMP, "damaged-stream-out")), {"f": b"f", "f:a": b"1", "f:c": b"3"},
     "the file's other streams are restored")

# ---- several paths in one directory ----

locked = plain({"Lock": Dir({"a": File(b"1"), "b": File(b"2"), "sub": Dir({"c": File(b"3")})},
                            flags=READONLY),
                "Lock-2": File(b"5"), "open": Dir({"d": File(b"4")})})
image, target = build(locked)
want = {"Lock": "directory", "Lock/a": b"1", "Lock/b": b"2", "Lock/sub": "directory",
        "Lock/sub/c": b"3", "Lock-2": b"5", "open": "directory", "open/d": b"4"}
command, why = plain_user()
command.append(CIMTOOL)
if why:
    skip("a read-only directory with several paths", why)
else:
    for threads in ("1", "4"):
        for paths in (["lock/*", "o*", "lock-2"], ["lock/b", "open/d", "Lock-2", "LOCK/a", "lock/SUB/c"]):
            os.mkdir(target)
            os.chmod(target, 0o777)
            result = run(command + ["extract", "--threads=" + threads, "-C", target, image] + paths)
            check(result.code == 0, "paths in a read-only directory, by a user whom that binds", result)
            same(tree(target), want, "all of them are there")
            same(stat.S_IMODE(os.stat(os.path.join(target, "Lock")).st_mode) & 0o222, 0,
                 "and it is read-only in the end")
            same(os.stat(os.path.join(target, "Lock")).st_mtime, 1_700_000_000.0, "with its time")
            run(["chmod", "-R", "u+w", target])
            shutil.rmtree(target)
done()
