#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool verify --manifest: an image that is what its manifest says, then each thing that a manifest
can say wrongly of it, and each line that is none. The manifest is written here, by what conformance/
cases/manifest.h says of it; that the suite writes the same is for tests/demo."""

import json
import os

from tooltest import TMP, check, done, need_tool, same, tool, write
from imagebuilder import HIDDEN, READONLY, RECORD_STREAM, SPARSE_FLAG, Dir, File, Image, Link, Sparse, make_ea, make_sd, make_symlink

need_tool()
HEAD = "cimfs-manifest 1"
TIMES = (125_000_000_000_000_001, 125_000_000_000_000_002, 125_000_000_000_000_003, 4)
SD, EA, LINK = make_sd(), make_ea((b"NAME", b"value")), make_symlink("file")
LONG = bytes(range(256)) * 700


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return "%016x" % value


image = Image(Dir({
    "file": File(b"content", flags=HIDDEN, times=TIMES, sd=SD, ea=EA, streams={"s": b"stream"}),
    "long": File(LONG, times=TIMES), "empty": File(times=TIMES),
    "zeros": File(Sparse(1 << 40), flags=SPARSE_FLAG, times=TIMES), "nearly": File(bytes(99999) + b"x", times=TIMES),
    "caf\u00e9 %": File(b"x", flags=READONLY, times=TIMES),
    "link": File(times=TIMES, reparse=LINK),
    "dir": Dir({"name": Link("file")}, times=TIMES)}, times=TIMES)).write(os.path.join(TMP, "set"))
DIRECTORY = os.path.dirname(image)


def item(kind, path, **fields):
    """A line that says of it what is so, but for the fields; None takes one out."""
    known = dict(attributes="0", created=TIMES[0], written=TIMES[1], changed=TIMES[2],
                 accessed=TIMES[3]) if kind in ("file", "directory") else {}
    known.update(fields)
    return "\t".join([kind, path] + ["%s=%s" % pair for pair in known.items() if pair[1] is not None])


def contents(data, **more):
    return dict(more, size=len(data), data=fnv(data))


FILE = contents(b"content", attributes="2", security=SD.hex(), ea=EA.hex().upper())
LINES = [
    "image\timage.cim", item("directory", "/"), item("file", "/file", **FILE),
    item("stream", "/file", **contents(b"stream", name="s")), item("file", "/long", **contents(LONG)),
    item("file", "/empty", **contents(b"")),
    item("file", "/zeros", attributes="200", size=1 << 40, data="zeros"),
    item("file", "/nearly", **contents(bytes(99999) + b"x")),
    item("file", "/caf%00E9%0020%0025", **contents(b"x", attributes="1")),
    item("file", "/link", **contents(b"", reparse=LINK.hex())),
    item("directory", "/dir"), item("link", "/dir/name", to="/file")]


def verify(lines, *options, head=HEAD):
    path = os.path.join(DIRECTORY, "manifest.txt")
    write(path, "".join(line + "\n" for line in [head, *lines]).encode())
    return tool("verify", *options, "--manifest=" + path)


def with_line(index, line):
    return LINES[:index] + ([line] if line else []) + LINES[index + 1:]


result = verify(LINES)
same((result.code, result.text.split(": ", 1)[-1], result.errors),
     (0, "1 image, 11 items, 0 differences\n", ""), "an image that is what its manifest says")
result = verify(LINES, "--json")
known = json.loads(result.out)
same((result.code, known["images"], known["items"], known["differences"]), (0, 1, 11, 0), "in JSON")
same(verify(LINES, "-q").out, b"", "and said by the exit status alone")
result = verify(LINES + LINES)
same((result.code, result.text.split(": ", 1)[-1]), (0, "2 images, 22 items, 0 differences\n"),
     "an image twice")
same(verify(["image\timage.cim"] + LINES[2:]).code, 0, "of the root nothing needs to be said")
same(verify(with_line(2, item("file", "/file", **dict(FILE, security=None)))).code, 0,
     "nor of a descriptor")

# ---- what is said wrongly, and what is told ----

WRONG = [
    (2, item("file", "/file", **dict(FILE, attributes="3")), "attributes: 0x2, the manifest says 0x3"),
    (2, item("file", "/file", **dict(FILE, created=TIMES[0] + 1)), "creation time: %d, " % TIMES[0]),
    (2, item("file", "/file", **dict(FILE, written=0)), "last write time: %d, " % TIMES[1]),
    (2, item("file", "/file", **dict(FILE, changed=-1)), "change time: %d, " % TIMES[2]),
    (2, item("file", "/file", **dict(FILE, accessed=-4)), "last access time: 4, the manifest says -4"),
    (2, item("file", "/file", **dict(FILE, size=8)), "size: 7, the manifest says 8"),
    (2, item("file", "/file", **dict(FILE, data=fnv(b"c0ntent"))), "hash of the data: 0x"),
    (2, item("file", "/file", **dict(FILE, data="zeros")), "data: not all zero"),
    (2, item("file", "/file", **dict(FILE, ea=None)), "extended attributes: %d bytes, the" % len(EA)),
    (2, item("file", "/file", **dict(FILE, ea=EA.hex()[:-2] + "00")),
     "extended attributes: another byte at %d" % (len(EA) - 1)),
    (2, item("file", "/file", **dict(FILE, security="00")), "security descriptor: %d bytes" % len(SD)),
    (2, item("file", "/file", **dict(FILE, security="02" + SD.hex()[2:])),
     "security descriptor: another byte at 0"),
    (2, item("file", "/file", **dict(FILE, reparse=LINK.hex())),
     "reparse data: 0 bytes, the manifest says %d" % len(LINK)),
    (9, item("file", "/link", **contents(b"")), "reparse data: %d bytes, the" % len(LINK)),
    (2, item("directory", "/file"), "a file"),
    (10, item("file", "/dir", **contents(b"")), "a directory"),
    (3, item("stream", "/file", **contents(b"streaM", name="s")), "hash of the data: 0x"),
    (3, item("stream", "/file", **contents(b"stream", name="t")), "missing"),
    (3, item("stream", "/gone", **contents(b"stream", name="s")), "missing"),
    (4, item("file", "/long", **contents(LONG[:-1] + b"\xfe")), "hash of the data: 0x"),
    (7, item("file", "/nearly", size=100000, data="zeros"), "data: not all zero"),
    (5, item("file", "/no/such", **contents(b"")), "missing"),
    (5, None, "9 names, the manifest has 8"),
    (11, item("link", "/dir/name", to="/long"), "is another file than the one"),
    (11, item("link", "/dir/name", to="/gone"), "missing"),
]
for index, line, words in WRONG:
    result = verify(with_line(index, line))
    path = line.split("\t")[1] if line else "/"
    check(result.code == 4 and result.text.startswith("image.cim: %s: %s" % (path, words)) and
          result.text.endswith(": 1 image, %d items, %d difference%s\n"
                               % (10 + bool(line), result.text.count("\n") - 1,
                                  "s" * (result.text.count("\n") > 2))),
          "told: " + words, result)
result = verify(with_line(*WRONG[0][:2]), "--json")
same((result.code, [json.loads(row).get("difference") for row in result.out.splitlines()]),
     (4, [WRONG[0][2], None]), "a difference in JSON")

# ---- containers, marks, merged and sealed images ----


def made(*command):
    """What must succeed; what it prints."""
    result = tool(*command)
    check(result.code == 0, "cimtool %s of a set" % command[0], result)
    return result.text.strip()


def make(name, dump):
    path = os.path.join(TMP, "dump")
    write(path, ("cim-dump 1\n" + dump).encode())
    made("create", "-q", "--container", "--sealable", "--from-dump=" + path, os.path.join(DIRECTORY, name))


TIMED = " ".join("%s=1601-01-01T00:00:00.0000000Z" % name for name in ("created", "written", "changed", "accessed"))
DUMPED = TIMED + " flags=0x0 security="
make("base.bcim/base.cim", "file /a %s size=1 data=base64:eA==\ndirectory /d %s\nfile /d/old %s size=0 data=base64:\n" % ((DUMPED,) * 3))
make("upper.bcim/upper.cim", "tombstone /d\ndirectory /d %s\ntombstone /gone\nmerge-link /l to=/a\n" % DUMPED)
ROOTS = {}
for seal in ("base", "upper"):
    ROOTS[seal] = made("seal", "-q", os.path.join(DIRECTORY, seal + ".bcim"))
made("merge", "-q", "--container", "--sealable", "--verified", os.path.join(DIRECTORY, "m.bcim/m.cim"),
       os.path.join(DIRECTORY, "upper.bcim/upper.cim"), os.path.join(DIRECTORY, "base.bcim/base.cim"))
ROOTS["m"] = made("seal", "-q", os.path.join(DIRECTORY, "m.bcim"))
ZERO = dict.fromkeys(("created", "written", "changed", "accessed"), 0)
DIR = item("directory", "/d", mark="opaque", **ZERO)
UPPER = ["image\tupper.cim\tcontainer=upper.bcim\troot=%s\tsealed=x\tagain=y" % ROOTS["upper"], DIR, "tombstone\t/gone", "merge-link\t/l\tto=/a"]
MERGED = ["image\tm.cim\tcontainer=m.bcim\troot=" + ROOTS["m"], "source\tbase.cim\tcontainer=base.bcim",
          "source\tupper.cim\tcontainer=upper.bcim", item("file", "/a", **contents(b"x", **ZERO)), DIR,
          item("link", "/l", to="/a")]
result = verify(MERGED + UPPER + LINES)
same((result.code, result.text.split(": ", 1)[-1], result.errors), (0, "3 images, 17 items, 0 differences\n", ""),
     "a merged image with its sources, both sealed, one with marks, and one in the directory")
for index, line, words in [
        (1, DIR.replace("\tmark=opaque", ""), "upper.cim: /d: is opaque"),
        (2, "tombstone\t/d", "upper.cim: /d: is shown, not a mark"),
        (2, "tombstone\t/l", "upper.cim: /l: is no tombstone"),
        (2, "merge-link\t/gone\tto=/a", "upper.cim: /gone: is no merge link"),
        (2, "tombstone\t/other", "upper.cim: /other: missing"),
        (3, "merge-link\t/l\tto=/b", "upper.cim: /l: is a merge link to something else"),
        (3, "merge-link\t/l\tto=/aa", "upper.cim: /l: is a merge link to something else"),
        (3, "merge-link\t/l\tto=/", "upper.cim: /l: is a merge link to something else")]:
    result = verify(UPPER[:index] + [line] + UPPER[index + 1:])
    check(result.code == 4 and result.text.startswith(words + "\n") and "3 items, 1 difference\n" in result.text,
          "told: " + words, result)
same(verify(["image\tbase.cim\tcontainer=base.bcim", item("file", "/a", **contents(b"x", **ZERO)),
             item("directory", "/d", mark="opaque", **ZERO), item("file", "/d/old", **contents(b"", **ZERO))]).text.split("\n")[0],
     "base.cim: /d: is not opaque", "told: is not opaque")
# A 0 behind the target doesn't end it, whatever lies in memory behind the manifest's own.
write(os.path.join(TMP, "dump"), b"cim-dump 1\nmerge-link /long to=/%s\n" % (b"q" * 60))
made("create", "-q", "--from-dump=" + os.path.join(TMP, "dump"), os.path.join(DIRECTORY, "zero.cim"))
TARGET = b"q\0" * 60
for name in os.listdir(DIRECTORY):
    data = open(os.path.join(DIRECTORY, name), "rb").read()
    if TARGET in data:
        write(os.path.join(DIRECTORY, name), data.replace(TARGET, TARGET[:40] + bytes(80)))
for units in (20, 60):
    same(verify(["image\tzero.cim", "merge-link\t/long\tto=/" + "q" * units]).text.count("is a merge link to something else"),
         1, "zeros behind a merge link's target, of which the manifest has %d" % units)
for what, lines, words in [
        ("a source of what isn't merged", ["image\timage.cim", "source\tbase.cim\tcontainer=base.bcim"], "it is no merged image"),
        ("another root hash", [UPPER[0].replace(ROOTS["upper"], ROOTS["m"])] + UPPER[1:], "root hash"),
        ("a source that isn't named", MERGED[:1] + MERGED[2:], "none of the images given is the source"),
        ("a source that isn't there", MERGED[:1] + ["source\tno.cim"], "no.cim")]:
    result = verify(lines)
    check(result.code not in (0, 2) and words in result.errors, "no answer: " + what, result)

# ---- what is no manifest ----

MALFORMED = [
    ("item", ["file\t/file"], "line 2: neither an image nor an item of one"),
    ("kind", [LINES[0], "device\t/file"], "line 3: neither an image nor an item of one"),
    ("path", [LINES[0], "file"], "line 3: no path"),
    ("path", [LINES[0], ""], "line 3: no path"),
    ("path", [LINES[0], item("file", "file")], "line 3: no path"),
    ("path", [LINES[0], item("file", "/caf\u00e9")], "line 3: no path"),
    ("path", [LINES[0], item("file", "/a b")], "line 3: no path"),
    ("path", [LINES[0], item("file", "/%00")], "line 3: no path"),
    ("path", [LINES[0], item("file", "/%00e")], "line 3: no path"),
    ("path", [LINES[0], item("file", "/%00g0")], "line 3: no path"),
    ("path", [LINES[0], item("file", "/%0000")], "line 3: no path"),
    ("image", ["image\tdir/image.cim"], "line 2: no image's name"),
    ("image", ["image\t%005cimage.cim"], "line 2: no image's name"),
    ("image", ["image\t"], "line 2: no image's name"),
    ("image", ["image\t%"], "line 2: no image's name"),
    ("image", ["image\t.."], "line 2: no image's name"),
    ("image", ["image\tx", "source\t/"], "line 3: no image's name"),
    ("source", ["source\timage.cim"], "line 2: a source without its image"),
    ("source", LINES[:2] + ["source\timage.cim"], "line 4: a source without its image"),
    ("source", [LINES[0], "source\timage.cim\troot=" + 64 * "0"], "line 3: a field that isn't understood"),
    ("link", [LINES[0], "link\t/dir/name"], "line 3: a link without a target"),
    ("merge link", [LINES[0], "merge-link\t/dir/name"], "line 3: a link without a target"),
    ("stream", [LINES[0], "stream\t/file\tsize=0"], "line 3: a stream without a name"),
] + [("field", [LINES[0], "file\t/file\t" + field], "line 3: a field that isn't understood") for field in (
    "size", "size=", "size=x", "size=-1", "size=%d" % (1 << 64), "attributes=g", "attributes=100000000",
    "created=", "created=--1", "written=1.5", "changed=0x1", "accessed=%d" % (1 << 63), "data=",
    "mark=opaque", "data=zero", "ea=0", "ea=0g", "security=xx", "reparse=1", "owner=root", "to=file", "name=%", "to=/%", "")
] + [("field", [LINES[0] + "\t" + field], "line 2: a field that isn't understood") for field in (
    "container", "container=", "container=a/b", "container=.", "container=..", "root=0", "root=" + 63 * "0", "size=1", "container=a\tcontainer=b", "")
] + [("field", [LINES[0], "directory\t/\tmark=bare"], "line 3: a field that isn't understood")]
for kind, lines, words in MALFORMED:
    result = verify(lines)
    check(result.code == 1 and not result.out and result.errors.endswith(": %s\n" % words),
          "no %s: %r: %s" % (kind, lines[-1], words), result)
for head in ("", "cimfs-manifest 2", "#!/bin/sh"):
    result = verify(LINES, head=head)
    check(result.code == 1 and "no manifest of this version" in result.errors,
          "the first line %r" % head, result)

# ---- what can't be read ----

for name, path, code, words in (
        ("none", "nothere", 1, "read manifest nothere: No such file or directory"),
        ("a directory", ".", 1, "read manifest .: "),
        ("an empty one", "/dev/null", 1, "no manifest of this version")):
    result = tool("verify", "--manifest", path)
    check(result.code == code and words in result.errors, "a manifest that can't be read: " + name, result)
result = verify(["image\tgone.cim"])
check(result.code == 1 and "gone.cim: No such file" in result.errors, "an image that isn't there", result)
for more in (image, "--source=" + image, "--root-hash=" + 64 * "0"):
    result = tool("verify", "--manifest=manifest.txt", more)
    check(result.code == 2 and "--manifest names the images itself" in result.errors,
          "images are named by the manifest: " + more[:8], result)
broken = Image(Dir({"file": File(b"content")}))
broken.poke("record:file", RECORD_STREAM, "Q", (1 << 48) + 8)
broken.write(os.path.join(TMP, "set"))
result = verify([LINES[0], item("file", "/file", **FILE)])
check(result.code == 4 and "/file" in result.errors, "a corrupt image", result)
done()
