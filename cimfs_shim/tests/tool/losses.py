#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool create and extract: what has no equal on the other side is told, not lost in silence."""

import json
import os
import tempfile

from tooltest import CIMTOOL, TMP, check, done, expect, need_tool, run, same, skip, tool, write
from imagebuilder import HIDDEN, Dir, File, Image, make_reparse, make_symlink

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


def times(src, img):
    unknown = {"1336": -20_000_000_000, "1600": -11644473601, "first": -11644473600, "late": 910_692_730_086}
    known = {"second": -11644473599, "latest": 910_692_730_084}
    kept = []
    for name, seconds in {**unknown, **known}.items():
        path = os.path.join(src, name)
        write(path, b"t")
        try:
            os.utime(path, (seconds, seconds))
        except OverflowError:
            continue
        if int(os.stat(path).st_mtime) == seconds:
            kept.append(name)
    for name in (*unknown, *known):
        if name not in kept:
            skip("a file of the time " + name, "no such time on this file system")
            os.unlink(os.path.join(src, name))
    result = tool("create", "-v", img, src)
    for name in kept:
        time = stat(img, name)[0]["last_write"]
        told = name + ": the nearest time was stored" in result.errors
        if name in known:
            check(not told, "%s is a time that Windows knows" % name, result)
            check(time.startswith({"second": "1601-01-01T00:00:01.0000000Z", "latest": "30828-"}[name]) or
                  time.startswith("92233720368"), "and is stored", time)
        else:
            check(told, "%s: that Windows has no such time is told" % name, result)
            check(time != "1601-01-01T00:00:00.0000000Z" and time != "0",
                  "%s: and it doesn't become none at all" % name, time)
    if set(kept) - set(known):
        same(result.code, 3, "with the exit status of a loss")
        expect(1, "and --strict fails", "create", "--strict", image("times-strict.cim"), src)
        expect(0, "--mtime makes it no loss", "create", "--strict", "--mtime=2020-01-01",
               image("times-mtime.cim"), src)
    for option, env in ((["--mtime=@-11644473600"], {}), (["--mtime=1601-01-01"], {}),
                        (["--mtime=@910692730086"], {}), ([], {"SOURCE_DATE_EPOCH": "-11644473600"})):
        result = expect(2, "no time to be set: %s%s" % (option, env), "create", *option,
                        image("no.cim"), src, env=env)
        check("Windows" in result.errors, "which is told", result)


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

# ---- times that Windows doesn't know ----

# Of what a plain user can write, only tmpfs holds times so far away.
where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else TMP
with tempfile.TemporaryDirectory(dir=where) as src:
    times(src, image("times.cim"))

# ---- files that say they are empty ----


def contents(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


for name in ("version", "filesystems", "kallsyms"):
    path = "/proc/" + name
    data = contents(path)
    if not data or os.stat(path).st_size:
        skip(path + " says that it is empty", "not here")
        continue
    for threads in (1, 4):
        img = image("%s%d.cim" % (name, threads))
        expect(0, "%s is read to its end, with %d threads" % (path, threads), "create", "--strict",
               "--threads=%d" % threads, "--verify", img, path)
        check(tool("cat", img, name).out == data, "and all its %d bytes are stored" % len(data),
              stat(img, name))
    with_name = image(name + "-fork.cim")
    expect(0, "fork --add does so too", "fork", "--strict", "--add", path + ":/added", img,
           name + "-fork.cim")
    check(tool("cat", with_name, "added").out == data, "with all bytes", stat(with_name, "added"))
img = image("lies.cim")
path = "/sys/kernel/mm/transparent_hugepage/enabled"
if len(contents(path)) not in (0, 4096) and os.stat(path).st_size == 4096:
    result = expect(3, "a file shorter than it says", "create", img, path)
    check("became shorter" in result.errors, "is told", result)
src, img = tree("empty"), image("empty.cim")
write(os.path.join(src, "a"))
os.link(os.path.join(src, "a"), os.path.join(src, "b"))
write(os.path.join(src, "c"))
expect(0, "files that are empty are so", "create", "--strict", img, src)
same([item["size"] for item in stat(img, "a", "b", "c")], [0, 0, 0], "in the image too")

# ---- an image's own mount shows all there is (D56) ----

img = Image(Dir({"tag": File(b"", reparse=make_reparse(0x80000099, b"x")),
                 "full": File(b"full", reparse=make_reparse(0x80000099, b"x")),
                 "hollow": Dir({}, reparse=make_reparse(0x9000301A, b"x")),
                 "with": Dir({"x": File(b"x")}, reparse=make_reparse(0x9000301A, b"x"))}))
img, mount = img.write(os.path.join(TMP, "tags")), os.path.join(TMP, "mount")
os.mkdir(mount)
mounted = tool("mount", img, mount)
if mounted.code:
    skip("a capture of a mounted image", mounted.errors.strip()[-100:])
else:
    again = image("tags.cim")
    result = expect(0, "a capture of a mounted image with a tag", "create", "--strict", again, mount)
    # Where nothing tells whose mount it is, a file that has no content may be one that isn't shown.
    foreign = image("foreign.cim")
    hide = "mount --bind /dev/null /proc/$$/mountinfo"
    if run(["unshare", "-m", "sh", "-c", hide]).code:
        skip("a driver that shows a reparse point as an empty file", "a mount can't be hidden")
    else:
        result = run(["unshare", "-m", "sh", "-c", hide + " && exec \"$0\" \"$@\"", CIMTOOL, "create",
                      "-v", foreign, mount])
        check(result.code == 3 and "/tag: not stored: a reparse point (tag 0x80000099)" in result.errors,
              "of another driver the empty file isn't stored (D56)", result)
        check("/hollow: not stored" in result.errors, "nor the empty directory", result)
        same(tool("ls", "-R", foreign).text.split(), ["full", "with", "with/x"],
             "but what has content is")
    expect(0, "is unmounted", "umount", mount)
    same([(item["size"], item["reparse"]) for item in stat(again, "tag", "full")],
         [(item["size"], item["reparse"]) for item in stat(img, "tag", "full")],
         "keeps it with what the files have")
    same(tool("ls", "-R", again).text.split(), ["full", "hollow", "tag", "with", "with/x"],
         "and directories, empty or not")

# ---- extended attributes of symlinks ----

img = Image(Dir({"link": File(b"", reparse=make_symlink("nowhere"), streams={"s": b"stream"}),
                 "plain": File(b"", reparse=make_symlink("nowhere"), flags=HIDDEN)}))
img = img.write(os.path.join(TMP, "linkstreams"))
mounted = tool("mount", img, mount)
if mounted.code:
    skip("streams of symlinks", mounted.errors.strip()[-100:])
else:
    result = expect(3, "a capture of a symlink that has a stream", "create", "-v",
                    image("linkstreams.cim"), mount)
    check("/link: extended attribute not stored: user.s" in result.errors and
          "plain" not in result.errors, "tells that it is not stored", result)
    expect(0, "is unmounted", "umount", mount)

done()
