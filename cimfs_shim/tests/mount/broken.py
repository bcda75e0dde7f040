#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Images that are broken, or break while they are mounted: EIO for what is hit, a line in the log,
and a server that goes on. What is random is repeated by CIM_SEED=N."""

import mmap
import os
import random
import threading
import uuid

from mounttest import (SERVER, TMP, check, done, error_of, faults, file_of, in_containers, mount, mounts, need_server,
                       no_fuse, read, run, same, servers, skip, tool, umount, wait_until)
from imagebuilder import Dir, File, Image, Link, Stream, make_symlink

need_server()
why = no_fuse()
if why:
    skip("broken images", why)
    done()
seed = int(os.environ.get("CIM_SEED") or random.randrange(1 << 32))
print("# CIM_SEED=%d" % seed)
rng = random.Random(seed)
MNT = os.path.join(TMP, "mnt")
LOG = os.path.join(TMP, "log")
DATA, OTHER = rng.randbytes(300000), rng.randbytes(200000)


def build():
    return Image(Dir({
        "good": File(b"good data"),
        "other": File(OTHER),
        "large": File(DATA),
        "stream": File(b"x", streams={"s": Stream(rng.randbytes(9000))}),
        "link": File(reparse=make_symlink("good")),
        "dir": Dir({"in": File(b"in"), "more": Dir({"x": File(b"x")})}),
    }), name="i.cim")


def at(*parts):
    return os.path.join(MNT, *parts)


def log():
    return open(LOG, encoding="utf-8", errors="replace").read() if os.path.exists(LOG) else ""


def start(image, name, *options, **more):
    if os.path.exists(LOG):
        os.unlink(LOG)
    where = os.path.join(TMP, name.replace(" ", "-"))
    path = image.write(where)
    result = mount(path, MNT, "-o", ",".join(("log=" + LOG,) + options), **more)
    return path if check(result.code == 0, name + ": mounts", result) else None


def more_files(*paths):
    where = os.path.join(TMP, "more")
    for path in paths:
        os.makedirs(os.path.dirname(os.path.join(where, path)), exist_ok=True)
        open(os.path.join(where, path), "wb").close()
    return where


def end(path, name):
    alive = len(servers(path)) == 1
    ended = umount(MNT).code == 0 and wait_until(lambda: not servers(path))
    check(alive and ended and not mounts(), name + ": the server lives, and ends by umount",
          (alive, ended, log()))


# ---- broken before ----

# A fork's file tables are in part its parent's, where a region file may be cut short.
where = os.path.join(TMP, "fork")
os.makedirs(where)
names = ["f/%d" % n for n in range(2100)]
same(tool("create", "-q", os.path.join(where, "a.cim"), more_files(*names)).code, 0, "an image of three file tables")
parent = set(os.listdir(where))
same(tool("fork", "-q", "--delete", "f/2099", os.path.join(where, "a.cim"), "b.cim").code, 0, "and a fork")
for name in sorted(n for n in parent if n.startswith("region_")):
    whole = os.path.getsize(os.path.join(where, name))
    if whole < 100000:
        continue
    saved = read(os.path.join(where, name))
    os.truncate(os.path.join(where, name), whole // 2)
    result = mount(os.path.join(where, "b.cim"), MNT)
    check(result.code == 4 and name in result.errors and not mounts(),
          "a parent's region file is cut short of its tables: isn't mounted", result)
    with open(os.path.join(where, name), "wb") as f:
        f.write(saved)
same(mount(os.path.join(where, "b.cim"), MNT).code, 0, "whole again it is")
end(os.path.join(where, "b.cim"), "a fork")

image = build()
image.truncate("data:large", 1000)
path = start(image, "data cut off")
same((read(at("good")), error_of(read, at("large"))), (b"good data", "EIO"),
     "data cut off: EIO for that file, the rest is there")
lines = log().splitlines()
check(len(lines) == 1 and "i.cim" in lines[0], "data cut off: one line in the log", log())
for _ in range(200):
    error_of(read, at("large"))
same(len(log().splitlines()), 1, "data cut off: 200 more tries don't fill the log")
end(path, "data cut off")

image = build()
image.poke("links:", image.value_of("", "dir"), "I", 0x7fffffff)
path = start(image, "bad FileID")
same(sorted(os.listdir(MNT)), ["dir", "good", "large", "link", "other", "stream"],
     "bad FileID: the name is listed")
same((error_of(os.lstat, at("dir")), read(at("good"))), ("EIO", b"good data"),
     "bad FileID: EIO for it, the rest is there")
end(path, "bad FileID")

# The table's last records are gone: of three names of one file two are in a directory whose own
# record is among them.
image = Image(Dir({"file": File(b"x"), "sub": Dir({"two": Link("file"), "three": Link("file")}, id=5),
                   "other": Dir({"four": Link("file")}, id=2)}), name="i.cim")
image.poke("directory", 8, "H", 4)
path = start(image, "a lost directory")
same((os.stat(at("file")).st_nlink, os.stat(at("")).st_nlink), (2, 3),
     "a lost directory: link counts are those of the rest")
lines = log().splitlines()
check(len(lines) == 2 and ": file 1: " in lines[0] and "link counts may be too low: 1 " in lines[1],
      "a lost directory: the log tells, and first of what", lines)
same(error_of(os.lstat, at("sub")), "EIO", "a lost directory: EIO for it")
end(path, "a lost directory")

image = build()
image.poke("links:dir", 0, "I", 0xffffffff)
path = start(image, "bad link table")
same((error_of(os.listdir, at("dir")), error_of(os.stat, at("dir", "in"))), ("EIO", "EIO"),
     "bad link table: EIO for the directory")
same(read(at("good")), b"good data", "bad link table: the rest is there")
end(path, "bad link table")

image = build()
image.poke("reparse:link", 0, "H", 65000)
path = start(image, "bad reparse data")
check(error_of(os.readlink, at("link")) in ("EIO", "EINVAL"), "bad reparse data: no link",
      error_of(os.readlink, at("link")))
end(path, "bad reparse data")

# Two names for one directory, one of them inside itself.
image = build()
image.poke("links:dir", image.value_of("dir", "more"), "I", image.items["dir"].id)
path = start(image, "cycle")
deep = at(*["dir"] + ["more"] * 40)
first = error_of(os.listdir, deep)
check(first in ("", "ELOOP", "EIO", "ENOENT", "ESTALE"), "cycle: going round ends", first)
same(read(at("good")), b"good data", "cycle: the rest is there")
end(path, "cycle")

# A directory whose parent doesn't lead to the root: links in it have no place.
image = Image(Dir({"a": Dir({"b": Dir({"l": File(reparse=make_symlink("\\x"))}, parent=3, id=3)}),
                   "good": File(b"good data")}), name="i.cim")
path = start(image, "parents in a circle")
same((error_of(os.readlink, at("a", "b", "l")), read(at("good"))), ("EIO", b"good data"),
     "parents in a circle: EIO for the link")
end(path, "parents in a circle")

# ---- odd, not broken ----

# Entries that end before the parent's FileID: of the directories on the way to a link, of some of
# them, and with it again once we have written them.
for name, short in (("no parents", {0: 88, 1: 88}), ("a half of them", {1: 91})):
    image = Image(Dir({"a": Dir({"b": Dir({
        "c": Dir({"l": File(reparse=make_symlink("\\good"))}, id=1030)}, id=3)}, id=1025),
        "good": File(b"good data")}), entry_sizes=short, name="i.cim")
    for turn in ("as it is", "extended"):
        path = start(image, name) if turn == "as it is" else path
        if turn == "extended":
            tool("append", path, more_files("a/b/c/x"))
            mount(path, MNT, "-o", "log=" + LOG)
        same((os.readlink(at("a", "b", "c", "l")), read(at("a", "b", "c", "l"))),
             ("../../../good", b"good data"), name + ": a link leads where it should, " + turn)
        end(path, name + " " + turn)

# ---- breaking it under the server ----

image = build()
path = start(image, "truncated while mounted", "nlink=1")
same(read(at("good")), b"good data", "truncated while mounted: reads before")
for name in image.files:
    if name.startswith("region_"):
        os.truncate(file_of(path, name)[0], 100)
        if in_containers():  # which has them all
            break
same(error_of(read, at("large")), "EIO", "truncated while mounted: EIO for what is read then")
check(log(), "truncated while mounted: the log tells")
end(path, "truncated while mounted")


def change_region_files():
    """Cut, removed, replaced one by one, as they can be in a directory alone."""
    # The server has looked how long the file is, and now takes the pages.
    cut = os.path.join(TMP, "cut")
    image = build()
    path = start(image, "cut short while read", "nlink=1", env=faults(CUTSHORT=cut))
    same(error_of(read, at("large")), "EIO", "cut short while read: EIO, no end of the file")
    same(os.stat(at("large")).st_size, len(DATA), "cut short while read: the size is what it was")
    check("region_" in read(cut).decode() if os.path.exists(cut) else False,
          "cut short while read: it was", cut)
    lines = log().splitlines()
    check(0 < len(lines) < 9 and all("region_" in n for n in lines),
          "cut short while read: the log tells", lines)
    same(read(at("good")), b"good data", "cut short while read: the rest is there")
    wrong = []

    def read_other():
        """Past the cache: whichever thread of the server answers, with whatever is in its pipe."""
        fd, buffer = os.open(at("other"), os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 1 << 18)
        for _ in range(50):
            got = os.preadv(fd, [buffer], 0)
            if buffer[:got] != OTHER:
                wrong.append(got)
        os.close(fd)

    threads = [threading.Thread(target=read_other) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same(wrong, [], "cut short while read: a large read of another file has that file's bytes")
    end(path, "cut short while read")

    image = build()
    path = start(image, "removed while mounted", "nlink=1")
    same(os.path.exists(at("good")), True, "removed while mounted: is there before")
    for name in image.files:
        os.unlink(os.path.join(os.path.dirname(path), name))
    check(error_of(read, at("large")) in ("EIO", ""), "removed while mounted: EIO or the data",
          error_of(read, at("large")))
    end(path, "removed while mounted")

    image = build()
    path = start(image, "replaced while mounted", "nlink=1")
    for name in image.files:
        if name.startswith("region_"):
            whole = os.path.join(os.path.dirname(path), name)
            with open(whole + ".new", "wb") as f:
                f.write(rng.randbytes(len(image.files[name])))
            os.rename(whole + ".new", whole)
    result = error_of(read, at("other"))
    check(result in ("EIO", "", "ENOENT"), "replaced while mounted: EIO or what was open", result)
    end(path, "replaced while mounted")


if not in_containers():
    change_region_files()

image = build()
path = start(image, "rewritten while mounted", "nlink=1")
good = {n: bytes(c) for n, c in image.files.items()}
for turn in range(40):
    for name in image.files:
        if name.startswith("region_"):
            file, at_byte = file_of(path, name)
            with open(file, "r+b") as f:
                f.seek(at_byte)
                content = bytearray(good[name])
                for _ in range(20 if len(content) > 100 else 0):
                    content[rng.randrange(100, len(content))] = rng.randrange(256)
                f.write(content)
    os.system("find '%s' -ls >/dev/null 2>&1; cat '%s'/* >/dev/null 2>&1" % (MNT, MNT))
check(len(log().splitlines()) <= 60, "rewritten while mounted: the log has a bound",
      len(log().splitlines()))
end(path, "rewritten while mounted")

# ---- random damage ----

died = []
for turn in range(25):
    image = build()
    for name, content in image.files.items():
        for _ in range(rng.randrange(1, 12) if len(content) > 80 else 0):
            content[rng.randrange(80, len(content))] = rng.randrange(256)
    where = os.path.join(TMP, "random")
    path = image.write(where)
    if mount(path, MNT, "-o", "log=" + LOG).code:
        continue
    os.system("timeout 20 find '%s' -ls >/dev/null 2>&1; timeout 20 cat '%s'/* '%s'/*/* "
              ">/dev/null 2>&1; getfattr -Rhd -m - '%s' >/dev/null 2>&1" % ((MNT,) * 4))
    alive = len(servers(path))
    ended = umount(MNT)
    if alive != 1 or ended.code or not wait_until(lambda: not servers(path)):
        died.append((turn, alive, str(ended), servers(path), log()[-500:]))
        umount(MNT)
same(died, [], "25 images with random bytes: the server survives each")

# ---- the unpacked copy of such images ----

PREFIX = os.path.join(TMP, "prefix")
DOS = os.path.join(PREFIX, "dosdevices")
# Of this run alone: cimtool finds volumes of all prefixes.
GUID = str(uuid.uuid4())
print("# GUID " + GUID)
OUTSIDE = os.path.join(PREFIX, "drive_c", "x")
os.makedirs(DOS)
os.makedirs(OUTSIDE)
os.symlink("../drive_c", os.path.join(DOS, "c:"))
BEFORE = sorted(os.listdir(PREFIX))


def extract(path):
    return run([SERVER, "--wine-mount", "--dosdevices", DOS, "--guid", GUID, "--backend", "extract",
                "--image", path])


def dismount():
    return run([SERVER, "--wine-dismount", "--dosdevices", DOS, "--guid", GUID])


# One name twice: first a link that leads out, then a directory with a file in it.
image = Image(Dir({"evia": File(reparse=make_symlink("\\??\\C:\\x", flags=0)),
                   "evib": Dir({"escaped": File(b"!")}), "good": File(b"good data")}), name="i.cim")
for content in image.files.values():
    where = content.find("evib".encode("utf-16-le"))
    if where >= 0:
        content[where:where + 8] = "evia".encode("utf-16-le")
result = extract(image.write(os.path.join(TMP, "twice")))
root = os.path.join(DOS, "volume{%s}" % GUID)
check(result.code == 0 and read(root + "/good") == b"good data", "copy: a name twice: unpacks", result)
same(os.readlink(root + "/evia"), DOS + "/c:/x", "copy: a name twice: the first is a link out")
same(os.listdir(OUTSIDE), [], "copy: a name twice: nothing is written through it")
dismount()
wrong = []
for turn in range(25):
    image = build()
    for content in image.files.values():
        for _ in range(rng.randrange(1, 12) if len(content) > 80 else 0):
            content[rng.randrange(80, len(content))] = rng.randrange(256)
    result = extract(image.write(os.path.join(TMP, "random")))
    if result.code == 0:
        result = dismount()
        if result.code:
            wrong.append((turn, str(result)))
    elif not 64 < result.code < 84:
        wrong.append((turn, str(result)))
    if sorted(os.listdir(PREFIX)) != BEFORE or os.listdir(OUTSIDE) or os.listdir(DOS) != ["c:"]:
        wrong.append((turn, "left something behind"))
same(wrong, [], "copy: 25 images with random bytes: unpacked or refused, nothing is left")
done()
