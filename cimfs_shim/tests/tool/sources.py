#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool create and fork: what a SOURCE on the command line may be."""

import os
import subprocess

from tooltest import CIMTOOL, TMP, check, done, expect, need_tool, same, tool, write

need_tool()
src = os.path.join(TMP, "src")
write(os.path.join(src, "file"), b"content")
write(os.path.join(src, "dir", "inside"), b"inside")
os.symlink("file", os.path.join(src, "link"))
os.symlink("dir", os.path.join(src, "dirlink"))
os.symlink("link", os.path.join(src, "a link to a link"))
os.symlink("file", os.path.join(src, "colon:"))
os.symlink("nowhere", os.path.join(src, "dangling"))
os.mkfifo(os.path.join(src, "pipe"))
images = os.path.join(TMP, "images")
os.mkdir(images)


def image(name):
    return os.path.join(images, name)


def names(path):
    return sorted(tool("ls", path).text.split("\n")[:-1])


for n, (name, wanted, path) in enumerate((
        ("file", ["file"], "file"), ("link", ["link"], "link"),
        ("a link to a link", ["a link to a link"], "a link to a link"),
        ("dirlink", ["inside"], "inside"))):
    img = image("%d.cim" % n)
    expect(0, "SOURCE is %s" % name, "create", "--strict", img, os.path.join(src, name))
    same(names(img), wanted, "%s: stored under the name that was typed" % name)
    want = b"inside" if path == "inside" else b"content"
    same(tool("cat", img, path).out, want, "%s: with what it leads to" % name)
    check('"reparse_tag"' not in tool("stat", "--json", img, path).text, "%s: which is no link" % name)

img = image("excluded.cim")
expect(0, "--exclude is about the name that was typed", "create", "--exclude=file", img,
       os.path.join(src, "link"))
same(names(img), ["link"], "so the link's file is there")
expect(0, "a link given to fork --add", "fork", "--add", os.path.join(src, "link") + ":/new",
       "--add", os.path.join(src, "dirlink") + ":/", "--add", os.path.join(src, "link") + ":/below/",
       img, "fork.cim")
same(names(image("fork.cim")), ["below", "inside", "link", "new"], "is followed too")
same(tool("cat", image("fork.cim"), "new", "below/link").out, b"contentcontent", "to its file")

before = sorted(os.listdir(images))
for name, why in (("pipe", "pipe"), ("dangling", "No such file"), ("missing", "No such file"),
                  ("file/", "Not a directory"), ("colon:", "Windows")):
    result = expect(1, "SOURCE %s is refused" % name, "create", image("no.cim"),
                    os.path.join(src, name))
    check(why in result.errors, "%s: with the reason" % name, result)
result = expect(1, "so is a device", "create", image("no.cim"), "/dev/null")
check("device" in result.errors, "as such", result)
result = expect(1, "and a pipe for fork --add", "fork", "--add", os.path.join(src, "pipe") + ":/p",
                img, "no.cim")
check("pipe" in result.errors, "as such", result)
for name in ("/dev/stdin", "/proc/self/fd/0"):
    result = tool("create", image("no.cim"), name, data=b"archive")
    check(result.code == 1 and "pipe" in result.errors and "--from-dump=-" in result.errors,
          "%s that is a pipe is refused, with a hint" % name, result)
same(sorted(os.listdir(images)), before, "nothing is left of these")

with open(os.path.join(src, "file"), "rb") as f:
    end = subprocess.run([CIMTOOL, "create", image("stdin.cim"), "/dev/stdin"], stdin=f,
                         capture_output=True)
same((end.returncode, names(image("stdin.cim"))), (0, ["stdin"]), "/dev/stdin that is a file is one")
same(tool("cat", image("stdin.cim"), "stdin").out, b"content", "with its content")
done()
