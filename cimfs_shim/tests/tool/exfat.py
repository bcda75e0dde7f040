#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""exFAT by FUSE, which says yes to much that it doesn't do: extraction to it, images on it."""

import os
import shutil

from tooltest import TMP, check, done, expect, need_tool, run, same, skip, tool
from imagebuilder import HIDDEN, READONLY, Dir, File, Image, Link

need_tool()
mount = os.path.join(TMP, "exfat")
volume = os.path.join(TMP, "volume")
TIMES = [(11644473600 + 1_600_000_000) * 10_000_000 + 1234567] * 4


def extract(name, entries, *options):
    image = Image(Dir(entries, times=TIMES)).write(os.path.join(TMP, name))
    out = os.path.join(mount, name)
    return out, tool("extract", "-v", *options, "-C", out, image)


def main():
    plain, readonly = File(b"p", times=TIMES), File(b"r", flags=READONLY, times=TIMES)
    locked = Dir({"in": File(b"i", times=TIMES)}, flags=READONLY, times=TIMES)

    out, result = extract("plain", {"plain": plain})
    check(result.code == 0, "what exFAT can hold is restored without a word", result)
    same(int(os.stat(os.path.join(out, "plain")).st_mtime), 1_600_000_000, "with its time")

    out, result = extract("readonly", {"plain": plain, "readonly": readonly, "locked": locked})
    same(result.code, 3, "read-only, which chmod only seems to set, is a loss")
    for name in ("readonly", "locked"):
        check(name + ": attributes not restored: read-only" in result.errors,
              "%s: that is told" % name, result)
    check("plain:" not in result.errors and "/in:" not in result.errors, "of these only", result)
    out, result = extract("strict", {"readonly": readonly}, "--strict")
    same(result.code, 1, "with --strict it fails")

    out, result = extract("others", {"hidden": File(b"h", flags=HIDDEN, times=TIMES),
                                     "one": plain, "two": Link("one")})
    same(result.code, 3, "other things it can't hold are losses too")
    check("hidden: attributes not restored" in result.errors, "hidden", result)
    check("two: hard link not restored" in result.errors, "a further name", result)
    with open(os.path.join(out, "two"), "rb") as f:
        same(f.read(), b"p", "which is a copy")

    # Neither a rename that doesn't replace nor hard links (D55).
    here = os.path.join(mount, "images")
    base, fork = os.path.join(here, "base.cim"), os.path.join(here, "fork.cim")
    os.mkdir(here)
    expect(0, "create on exFAT", "create", "--strict", base, os.path.join(mount, "plain"))
    result = tool("create", base, os.path.join(mount, "plain"))
    check(result.code == 1 and "the name is taken" in result.errors, "the name is taken then", result)
    expect(0, "append there", "append", "--strict", base, os.path.join(mount, "readonly"))
    expect(0, "fork there", "fork", "--delete", "/plain", base, "fork.cim")
    same(tool("cat", base, "plain").out, b"p", "both have")
    same(tool("ls", fork).text, "locked\nreadonly\n", "what they should")
    expect(0, "create --consistent there", "create", "--strict", "--consistent",
           os.path.join(here, "same.cim"), os.path.join(mount, "plain"))
    for one in (fork, base, os.path.join(here, "same.cim")):
        expect(0, "%s is whole" % os.path.basename(one), "verify", "--deep", one)
        expect(0, "and can be removed", "rm", one)
    same(os.listdir(here), [], "nothing is left there")

    back = os.path.join(TMP, "back.cim")
    expect(0, "create from exFAT", "create", back, os.path.join(mount, "plain"))
    same(tool("cat", back, "plain").out, b"p", "has what was there")


if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.exfat", "mount.exfat-fuse", "losetup"))):
    skip("extraction to exFAT", "needs root, exfatprogs and exfat-fuse")
    done()
os.mkdir(mount)
with open(volume, "wb") as f:
    f.truncate(20 << 20)
run(["mkfs.exfat", volume])
loop = run(["losetup", "-f", "--show", volume])
device = loop.text.strip()
mounted = run(["mount.exfat-fuse", device, mount]) if not loop.code else loop
try:
    if mounted.code or not os.path.ismount(mount):
        skip("extraction to exFAT", "no volume: " + mounted.errors.strip()[-100:])
    else:
        main()
finally:
    run(["umount", mount])
    if not loop.code:
        run(["losetup", "-d", device])
done()
