#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool when a call of the system's fails: each that a command makes, one at a time (nthcall.so).

Whatever it is, the command ends in order; if it says that all is well, it is; if not, it says why, what was there
before is as it was or as it was to become, and nothing is left besides: no private file, no orphan, no descriptor
more than without the fault. The same where memory ends, and where a signal comes with a call.
"""

import errno
import json
import os
import re
import shutil
import signal
import sys

from tooltest import BUILD, CIMTOOL, TMP, check, done, files_of, need_tool, run, same, write
from imagebuilder import HIDDEN, Dir, File, Image, Link, Sparse, make_ea, make_sd, make_symlink

need_tool()
NTHCALL = os.path.join(BUILD, "tests", "nthcall.so")
SOURCE, MORE, OUT = (os.path.join(TMP, name) for name in ("source", "more", "out"))
IMAGES, KEPT, NOTE = (os.path.join(TMP, name) for name in ("images", "kept", "note"))
BASE, NEW, OTHER = (os.path.join(IMAGES, name) for name in ("base.cim", "new.cim", "other.cim"))
# A container, an image in it, and one that is to be
BOX = os.path.join(IMAGES, "box.bcim")
INSIDE, ADDED = (os.path.join(BOX, name) for name in ("base.cim", "new.cim"))
# An image of all that there is, and what is made from it
ALL, CHANGED = (os.path.join(TMP, name, "image.cim") for name in ("all", "changed"))
DUMP, DATA = os.path.join(TMP, "dump"), os.path.join(TMP, "data")
WHEN = 1_600_000_000
MOST = 500  # calls of a command
# What is said in place of the system's words; the last ones as what isn't known is taken for the worst.
INSTEAD = ("out of memory", "no SHA-256", "SHA-256 fails", "the system gives no random numbers",
           "changed while it was read",
           "a session is writing in its directory", "the image can't be read (until now)")


def failing(n, code, *args, **env):
    """Run cimtool with its @n-th call failing, with ENOMEM its @n-th request for memory: (Result, the call, open
    descriptors at its end)."""
    if os.path.exists(NOTE):
        os.unlink(NOTE)
    result = run([CIMTOOL, *args], env={
        "NTH": str(n), "NTH_CODE": str(code), "NTH_NOTE": NOTE, "LD_PRELOAD": NTHCALL,
        "NTH_MEMORY": str(int(code == errno.ENOMEM)), **env,
        "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")})
    if not os.path.exists(NOTE):  # it died
        return result, "a call", 0
    with open(NOTE, encoding="ascii") as note:
        call, descriptors = note.read().split()
    return result, call, int(descriptors)


def dumped(image):
    """What is in an image, or a container; None if there is none."""
    boxed = image.startswith(BOX)
    if not os.path.exists(BOX if boxed else image):
        return None
    result = run([CIMTOOL, *(("info", "--json") if image == BOX else ("dump",)), image])
    if boxed and result.code == 1:
        return None
    if result.code:
        return "unreadable: " + result.errors
    if image != BOX:
        return result.text
    # What lies behind the end, or the seal, of one that isn't written again doesn't matter.
    return {key: value for key, value in json.loads(result.text).items() if key != "file_size"}


def tree(top):
    """path -> what is there, below a directory."""
    found = {}
    for where, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            content = os.readlink(path) if os.path.islink(path) else ""
            if os.path.isfile(path) and not content:
                with open(path, "rb") as f:
                    content = f.read()
            found[os.path.relpath(path, top)] = (st.st_mode, content, st.st_mtime == WHEN)
    return found


def state(images):
    """All that a command can change: @images, and a directory."""
    return *map(dumped, images), tree(OUT)


def names():
    return set(os.listdir(IMAGES))


def restore():
    shutil.rmtree(IMAGES, ignore_errors=True)
    shutil.rmtree(OUT, ignore_errors=True)
    shutil.copytree(KEPT, IMAGES)


def orphans():
    result = run([CIMTOOL, "files", "--orphans", IMAGES])
    return result.text + result.errors


class Sweep:
    """One command, with every call of it."""
    def __init__(self, name, *args):
        self.name, self.args = name, args
        self.images = (INSIDE, ADDED) if any(BOX in arg for arg in args) else (BASE, NEW)
        if args[0] in ("seal", "append-vhd-footer"):
            self.images = (INSIDE, BOX)
        self.failed = 2 if args[0] == "diff" else 1
        restore()
        self.files = files_of(IMAGES)
        self.before = state(self.images), names()
        self.result, _, self.descriptors = failing(0, 0, *args)
        self.after = state(self.images)
        restore()

    def problems(self, code, result, call, descriptors):
        """What is wrong after a fault with that code."""
        if result.code not in (0, 3, 4, self.failed) and result.code != self.result.code:
            yield "exit code %s" % result.code
        if descriptors > self.descriptors:
            yield "%d descriptors are open, not %d" % (descriptors, self.descriptors)
        well = result.code == self.result.code != 3
        if not well and result.errors == self.result.errors and (result.code != 3 or state(self.images) != self.after):
            yield "it says nothing"
        said = result.errors + result.text
        if not well and result.code != 3 and not any(why in said for why in (os.strerror(code), *INSTEAD)):
            yield "it doesn't say why"
        now = self.before[0] if self.is_untouched() else state(self.images)
        if well and now != self.after:
            yield "it says that all is well"
        if well and self.said(result) != self.said(self.result):
            yield "it prints something else: " + result.text
        yield from self.left_behind(result, call, now)

    @staticmethod
    def said(result):
        """A lock that can't be asked for counts as held; a size that can't be had is told to be left out. How long it
        took doesn't matter."""
        sizes = re.compile(r", [0-9.]+ .iB( \(without 1 that can't be read\))?$", re.M)
        return re.sub("[0-9.]+ seconds", "", sizes.sub("", result.text)).replace(" (in use)", "")

    def is_untouched(self):
        return not os.path.exists(OUT) and files_of(IMAGES) == self.files

    def left_behind(self, result, call, now):
        for image, was, becomes in zip(now[:2], self.before[0], self.after):
            if image not in (was, becomes):
                yield "an image is neither as it was nor as it was to become: %s" % image
        if call in ("unlinkat", "unlink"):  # nobody can take it away then
            return
        if now[:2] == self.before[0][:2] and names() != self.before[1] and not self.name.startswith("rm"):
            yield "files are left: %s" % sorted(names() ^ self.before[1])
        private = [name for name in list(names()) + [os.path.basename(path) for path in now[2]]
                   if name.startswith(("cimtmp_", ".cim"))]
        if private:
            yield "private files are left: %s" % private
        if names() != self.before[1] and not self.name.startswith("rm") and orphans():
            yield "orphans: " + orphans()

    def interrupt(self, number):
        """A signal comes with each call."""
        found, ended, told_of = [], 0, 0
        for n in range(1, MOST):
            result, call, _ = failing(n, 0, *self.args, NTH_SIGNAL=str(int(number)))
            if call == "none":
                break
            now = self.before[0] if self.is_untouched() else state(self.images)
            wrong = list(self.left_behind(result, call, now))
            ended += result.code == -number
            told_of += result.code == -number and result.errors != ""
            if result.code not in (self.result.code, -number):
                wrong.append("exit code %s" % result.code)
            if result.code == self.result.code and now != self.after:
                wrong.append("it says that all is well")
            told = "cimtool %s: interrupted by %s" % (self.args[0], number.name)
            there = now == self.after and result.errors.endswith(" all the same\n")
            if result.code == -number and result.errors not in ("", told + "\n") and not (result.errors.startswith(told) and there):
                wrong.append("it says something else")
            if wrong:
                found.append("call %d, %s: %s\n%s" % (n, call, "; ".join(wrong), result))
            if not self.is_untouched():
                restore()
        check(not found, "%s: %s at any of %d calls does no harm" % (self.name, number.name, n - 1), "\n".join(found[:5]))
        check(9 < n < MOST - 1 and ended, "%s: it ends the command" % self.name, "at %d of %d calls" % (ended, n - 1))
        if self.args[0] != "append-vhd-footer":  # soon done, whatever comes
            check(told_of, "%s: which says so" % self.name, "at none of %d calls" % (n - 1))

    def run(self, code=errno.EIO):
        n, found, calls = 1, [], {}
        while n < MOST:
            result, call, descriptors = failing(n, code, *self.args)
            if call == "none":
                break
            calls[call] = calls.get(call, 0) + 1
            wrong = list(self.problems(code, result, call, descriptors))
            if wrong:
                found.append("call %d, %s: %s\n%s" % (n, call, "; ".join(wrong), result))
            if not self.is_untouched():
                restore()
            # Each call, but memory is asked for often.
            n += n // 8 if code == errno.ENOMEM and n > 8 else 1
        done = sum(calls.values())
        check(not found, "%s: none of %d %s does harm"
              % (self.name, done, "requests for memory" if code == errno.ENOMEM else "calls"), "\n".join(found))
        check(done >= 9, "%s: it makes calls" % self.name, calls)


def prepare():
    write(os.path.join(SOURCE, "dir", "file"), b"content" * 1000)
    write(os.path.join(SOURCE, "readonly"), b"r", mode=0o444)
    os.link(os.path.join(SOURCE, "dir", "file"), os.path.join(SOURCE, "again"))
    os.symlink("dir/file", os.path.join(SOURCE, "link"))
    write(os.path.join(MORE, "dir", "new"), b"new")
    for top in (SOURCE, MORE):
        for where, dirs, files in os.walk(top, topdown=False):
            for name in files + dirs:
                os.utime(os.path.join(where, name), (WHEN, WHEN), follow_symlinks=False)
        os.utime(top, (WHEN, WHEN))
    os.mkdir(KEPT)
    same(run([CIMTOOL, "create", "-q", os.path.join(KEPT, "base.cim"), SOURCE]).code, 0, "an image to begin with")
    same(run([CIMTOOL, "create", "-q", "--container", "--sealable", os.path.join(KEPT, "box.bcim/base.cim"), SOURCE]).code, 0,
         "a container to begin with")
    for path, content in ((ALL, b"content"), (CHANGED, b"c0ntent")):
        Image(Dir({
            "file": File(content, flags=HIDDEN, sd=make_sd(), ea=make_ea((b"A", b"1")), streams={"s": b"stream"}),
            "dir": Dir({"name": Link("file"), "long": File(bytes(range(256)) * 1200)}, sd=make_sd()),
            "zeros": File(Sparse(1 << 20)), "link": File(reparse=make_symlink("dir\\long")),
            "other": File(content * 5)})).write(os.path.dirname(path))
    result = run([CIMTOOL, "dump", "--data", DATA, ALL])
    same(result.code, 0, "a dump to begin with")
    write(DUMP, result.out)


if not os.path.exists(NTHCALL):
    print("Bail out! no " + NTHCALL)
    sys.exit(1)
prepare()
QUICK = "-q", "--threads=1"
SWEEPS = [(args[0] if "-" not in args[-1] else args[0] + " " + args[-1].split("=")[0], args) for args in (
    ("create", *QUICK, NEW, SOURCE),
    ("create", NEW, SOURCE, MORE, "--all-times", "--consistent"),
    ("create", *QUICK, NEW, "--data", DATA, "--from-dump=" + DUMP),
    ("append", *QUICK, BASE, MORE),
    ("fork", *QUICK, BASE, "new.cim", "--add", MORE + ":/dir/place", "--delete=/link"),
    ("merge", "--verify", NEW, BASE),
    ("convert", ALL, NEW),
    ("convert", ALL, ADDED),
    ("tombstone", BASE, "/dir", "/gone/before"),
    ("create", "-q", ADDED, SOURCE),
    ("seal", BOX),
    ("append-vhd-footer", BOX),
    ("rm", INSIDE),
    ("convert", "--flatten", ALL, NEW),
    ("extract", *QUICK, "-C", OUT, BASE),
    ("extract", "-q", "-C", OUT, ALL, "/dir", "/f*", "--streams-interface=windows"),
    ("rm", *QUICK, BASE),
    ("verify", *QUICK, "--deep", BASE),
    ("dump", *QUICK, "--data", OUT, BASE),
    ("dump", ALL, "--struct"),
    ("diff", ALL, CHANGED),
    ("ls", ALL, "-lR", "--streams"),
    ("info", ALL),
    ("stat", ALL, "/file", "/dir"),
    ("cat", ALL, "/dir/long", "/file:s"),
    ("files", IMAGES))]
for name, command in SWEEPS:
    Sweep(name, *command).run()
    if not os.environ.get("SANITIZE"):
        Sweep(name, *command).run(errno.ENOMEM)
for name, command in SWEEPS:
    if command[0] in ("convert", "merge", "tombstone", "seal", "append-vhd-footer", "diff") or ADDED in command:
        Sweep(name, *command).interrupt(signal.SIGINT)
Sweep("extract, calls that the target doesn't know", "extract", *QUICK, "-C", OUT, BASE).run(errno.EINVAL)
done()
