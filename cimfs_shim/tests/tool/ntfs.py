#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool and a real NTFS volume, by ntfs-3g: there everything an image holds has a place."""

import json
import os
import shutil
import stat as stat_module
import struct
import sys

from tooltest import TMP, check, done, expect, faulty, need_tool, run, same, skip, tool, write
from imagebuilder import (ARCHIVE, HIDDEN, READONLY, SYSTEM, Dir, File, Image, Link, Sparse,
                          make_ea, make_reparse, make_sd, make_symlink)

need_tool()
EPOCH = 11644473600
mount = os.path.join(TMP, "ntfs")
volume = os.path.join(TMP, "volume")


def stat(image, path):
    return json.loads(tool("stat", "--json", image, path).text)


def remount(driver="ntfs-3g", options="streams_interface=xattr"):
    run(["umount", mount])
    check(run([driver, "-o", options, volume, mount]).code == 0, "remount with " + driver)


def permissions():
    """Where ntfs-3g makes descriptors of modes, none is made of read-only."""
    remount(options="permissions")
    sd = make_sd()
    image = Image(Dir({"f": File(b"", flags=READONLY, sd=sd), "d": Dir({}, flags=READONLY, sd=sd)},
                      sd=sd)).write(os.path.join(TMP, "readonly"))
    out = os.path.join(mount, "readonly")
    result = tool("extract", "-q", "-C", out, image)
    check("attributes" not in result.errors and "security" not in result.errors,
          "read-only files with a descriptor are extracted", result)
    for name in ("f", "d"):
        path = os.path.join(out, name)
        same(os.getxattr(path, "system.ntfs_acl"), sd, name + ": the descriptor is the image's")
        same(os.getxattr(path, "system.ntfs_attrib")[0] & 1, 1, name + ": and it is read-only")
    remount()


def linked(driver):
    """What becomes a link with its reparse data can be looked at at once, and has all its names."""
    remount(driver)
    reparse, junction = make_symlink("plain"), make_symlink("\\??\\C:\\Windows", 0)
    image = Image(Dir({
        "one": File(b"", reparse=reparse), "dir": Dir({"two": Link("one"), "three": Link("one")}),
        "alone": File(b"", reparse=reparse), "last": Link("one"), "plain": File(b"plain"),
        "to dir": Dir({}, reparse=junction)})).write(os.path.join(TMP, "linked-" + driver))
    out = os.path.join(mount, "linked-" + driver)
    names = ["one", "dir/two", "dir/three", "last"]
    result = tool("extract", "-v", "-C", out, image)
    check(result.code in (0, 3) and "hard link" not in result.errors and "reparse" not in result.errors,
          driver + ": extract a link with four names", result)
    for name in names + ["alone", "to dir"]:
        try:
            kind = stat_module.S_IFMT(os.lstat(os.path.join(out, name)).st_mode)
        except OSError as e:
            kind = e
        same(kind, stat_module.S_IFLNK, "%s: %s can be looked at" % (driver, name))
    few = os.path.join(mount, "few-" + driver)
    result = faulty("links", "extract", "-v", "-C", few, image)
    same((result.code, result.errors.count("a copy instead: Too many links")), (3, 1),
         driver + ": where a file can have three names")
    remount(driver)
    seen = [os.lstat(os.path.join(out, name)) for name in names]
    same({(st.st_ino, st.st_nlink) for st in seen}, {(seen[0].st_ino, 4)}, driver + ": they are one file")
    for name in names + ["alone"]:
        for where in (out, few):
            same(os.getxattr(os.path.join(where, name), "system.ntfs_reparse_data", follow_symlinks=False),
                 reparse, "%s: %s has its reparse data" % (driver, name))
    remount()


def unseen():
    """Reparse points whose content ntfs-3g can't show: system compression, cloud, dedup, and our own."""
    tree = os.path.join(mount, "unseen")
    tags = {"compressed": (0x80000017, bytes.fromhex("01000000020000000100000000000000")),
            "large": (0x80000017, bytes.fromhex("01000000020000000100000000000000")),
            "dedup": (0x80000013, b""), "cloud": (0x9000301a, b"1234"), "own": (0x80000099, b"x"),
            "empty": (0x9000301a, b""), "dir": (0x9000301a, b""), "sub/dir": (0x9000701a, b"")}
    write(os.path.join(tree, "plain"), b"plain")
    for name in tags:
        path = os.path.join(tree, name)
        if name.endswith("dir"):
            write(os.path.join(path, "below"), b"below")
        else:
            write(path, bytes(range(256)) * 400 if name == "large" else name.encode())
    open(os.path.join(tree, "empty"), "wb").close()
    os.link(os.path.join(tree, "cloud"), os.path.join(tree, "cloud again"))
    for name, (tag, data) in tags.items():
        os.setxattr(os.path.join(tree, name), "system.ntfs_reparse_data", make_reparse(tag, data))
    for name, target in (("link", "plain"), ("dirlink", "sub")):
        os.symlink(target, os.path.join(tree, name))
    for driver in ("lowntfs-3g", "ntfs-3g"):
        remount(driver)
        told_of_unseen(tree, tags, os.path.join(TMP, driver + ".cim"))

    # Where all that NTFS knows is hidden, the link that ntfs-3g shows tells.
    fake = os.path.join(TMP, "fake")
    os.mkdir(fake)
    os.symlink("unsupported reparse tag 0x80000017", os.path.join(fake, "f"))
    result = expect(3, "a copy of such a link", "create", os.path.join(TMP, "fake.cim"), fake)
    check("/f: not stored" in result.errors, "is no link to be stored either", result)


def told_of_unseen(tree, tags, image):
    result = tool("create", "-v", "--verify", image, tree)
    same(result.code, 3, "what ntfs-3g can't show is a loss")
    for name, (tag, _) in tags.items():
        check("/%s: not stored: a reparse point (tag 0x%08X)" % (name, tag) in result.errors,
              "%s: is told, with its tag" % name, result)
    check("/cloud again: not stored" in result.errors, "by each of its names", result)
    check("/dir: not stored: a reparse point (tag 0x9000301A) that the file system can't show, "
          "and what lies below" in result.errors, "a directory is one", result)
    same(tool("ls", "-R", image).text.split(), ["dirlink", "link", "plain", "sub"],
         "none of it is in the image, and the rest is")
    expect(1, "--strict", "create", "--strict", image + ".strict", tree)
    result = tool("create", "--quiet", image + ".quiet", tree)
    check(result.code == 3 and "and 8 more" in result.errors, "it is one line otherwise", result)


def main():
    t = [(EPOCH + 1_600_000_000 + i * 1000) * 10_000_000 + i for i in range(4)]
    entries = {
        "plain": File(b"plain", times=t),
        "flags": File(b"f", flags=READONLY | HIDDEN | SYSTEM | ARCHIVE, times=t),
        "secured": File(b"s", sd=make_sd(), times=t),
        "ea": File(b"e", ea=make_ea((b"ONE", b"1"), (b"TWO", b"22"), (b"THREE", b"", 0x80)), times=t),
        "dir": Dir({"hard": Link("plain"), "in": File(b"in")}, flags=HIDDEN, sd=make_sd(), times=t),
        "link": File(b"", reparse=make_symlink("plain"), times=t),
        "drive": File(b"", reparse=make_symlink("\\??\\C:\\Windows", 0), times=t),
        "tag": File(b"", reparse=make_reparse(0x80000099, b"reparse data"), times=t),
        "streams": File(b"main", streams={"one": b"1", "two": b"22"}, times=t),
        "hole": File(Sparse(1 << 20), flags=16, times=t),
    }
    image = Image(Dir(entries, times=t, sd=make_sd())).write(os.path.join(TMP, "made"))
    out = os.path.join(mount, "out")
    result = tool("extract", "-v", "-C", out, image)
    lost = [line for line in result.errors.splitlines()
            if "restored" in line and "change time" not in line]
    check(result.code in (0, 3), "extract to NTFS", result)
    check(not lost, "loses nothing but the change time, which ntfs-3g sets itself", "\n".join(lost))

    path = os.path.join(out, "flags")
    attributes, = struct.unpack("<I", os.getxattr(path, "system.ntfs_attrib"))
    same(attributes & 0x27, 0x27, "attributes are NTFS attributes")
    same(list(struct.unpack("<4Q", os.getxattr(os.path.join(out, "secured"), "system.ntfs_times")[:32]))[:3],
         [t[0], t[1], t[3]], "the times are NTFS times")
    check(b"THREE" in os.getxattr(os.path.join(out, "ea"), "system.ntfs_ea"), "EAs are NTFS EAs")
    same(os.getxattr(os.path.join(out, "streams"), "user.two"), b"22", "streams are NTFS streams")

    remount()
    back = os.path.join(TMP, "back.cim")
    result = tool("create", "--streams-interface=xattr", back, out)
    check(result.code == 3 and "tag: not stored" in result.errors and "more" not in result.errors,
          "create from NTFS: ntfs-3g shows all but the content of an unknown tag", result)
    check("tag" not in tool("ls", back).text.splitlines(), "which is not stored as empty")
    for name, item in entries.items():
        if name == "tag":
            continue
        a, b = stat(image, name), stat(back, name)
        # ntfs-3g gives every file a descriptor, and sets archive on what it writes.
        keys = ["type", "size", "creation", "last_write", "last_access", "reparse", "streams", "eas"]
        for key in keys:
            if key == "streams":
                a[key] = [(s["name"], s["size"]) for s in a.get(key, [])]
                b[key] = [(s["name"], s["size"]) for s in b.get(key, [])]
            if a.get(key) != b.get(key):
                check(False, "%s: %s is kept" % (name, key), "%s\n%s" % (a.get(key), b.get(key)))
                break
        else:
            check(True, "%s comes back with all that is Windows' of it" % name)
    same(stat(back, "secured")["sddl"], stat(image, "secured")["sddl"], "a security descriptor does")
    without = os.path.join(TMP, "no-acls.cim")
    result = tool("create", "--no-acls", without, os.path.join(out, "secured"))
    check(result.code == 0 and stat(without, "secured")["sddl"] == "D:NO_ACCESS_CONTROL",
          "but not with --no-acls", str(result) + str(stat(without, "secured")))
    result = tool("extract", "--strict-acls", "-C", os.path.join(mount, "strict"), image)
    check(result.code in (0, 3) and "security" not in result.errors, "--strict-acls is content here", result)
    same(stat(back, "flags")["attribute_bits"] & 0x27, 0x27, "attributes do")
    same(stat(back, "ea")["ea"], stat(image, "ea")["ea"], "and EAs, byte for byte")

    for key in ("creation", "last_write", "last_access"):
        same(stat(back, "/")[key], stat(image, "/")[key], "the root's %s time does" % key)
    reparse = Image(Dir({"in": File(b"in")}, reparse=make_reparse(0x80000099, b"data"), times=t)).write(os.path.join(TMP, "top"))
    result = tool("extract", "-C", os.path.join(mount, "top"), reparse)
    check(result.code == 3 and "reparse data not restored: it is the target directory" in result.errors,
          "the root's reparse data are not restored, and that is told", result)

    unseen()
    permissions()
    linked("ntfs-3g")
    if shutil.which("lowntfs-3g"):
        linked("lowntfs-3g")

    # ntfs-3g moves the last access of what is read and listed, at once and whoever asks: it has to
    # be known before, also if a file is come upon by several names while others are being stored.
    many = os.path.join(mount, "many")
    when = 1_600_000_000 * 10 ** 9
    names = ["d%02d" % i for i in range(50)] + ["f%02d" % i for i in range(50)]
    for name in names:
        if name[0] == "d":
            write(os.path.join(many, name, "in"), b"in")
        else:
            write(os.path.join(many, name), b"f" * 5000)
            os.link(os.path.join(many, name), os.path.join(many, name + "-again"))
    for n in (1, 4):
        for name in names:
            os.utime(os.path.join(many, name), ns=(when, when))
        run(["umount", mount])
        check(run(["ntfs-3g", volume, mount]).code == 0, "remount")
        back = os.path.join(TMP, "many%d.cim" % n)
        expect(0, "create with %d threads" % n, "create", "--threads=%d" % n, back, many)
        moved = [name for name in names
                 if stat(back, name)["last_access"] != "2020-09-13T12:26:40.0000000Z"]
        same(moved, [], "no last access but that of before, with %d threads" % n)


if os.geteuid() != 0 or not shutil.which("mkntfs") or not shutil.which("ntfs-3g"):
    skip("a round trip through NTFS", "needs root and ntfs-3g")
    done()
os.mkdir(mount)
with open(volume, "wb") as f:
    f.truncate(20 << 20)
made = run(["mkntfs", "-F", "-q", volume])
mounted = run(["ntfs-3g", "-o", "streams_interface=xattr", volume, mount]) if not made.code else made
if mounted.code:
    skip("a round trip through NTFS", "no volume: " + mounted.errors.strip()[-100:])
    done()
try:
    main()
finally:
    run(["umount", mount])
    run(["umount", "-l", mount])
done()
