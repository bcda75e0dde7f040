#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Reparse points as Wine 10.19 and later keeps them: "NAME?" with its data in user.WINEREPARSE, by
cimfs-mount -o reparse=wine and by --wine-mount --reparse wine, mounted and as an unpacked copy."""

import os
import shutil
import stat
import uuid

from mounttest import (SERVER, TMP, check, done, error_of, junction, mount, need_server, no_fuse, read, run,
                       same, skip, umount)
from imagebuilder import Dir, File, Image, Link, Stream, make_reparse, make_symlink

need_server()
ATTRIBUTE = "user.WINEREPARSE"
FORM = "wine"
HIDDEN = 2
MNT = os.path.join(TMP, "mnt")
PREFIX = os.path.join(TMP, "prefix")
DOS = os.path.join(PREFIX, "dosdevices")
# Of this run alone: cimtool finds volumes of all prefixes.
GUID = str(uuid.uuid4())
print("# GUID " + GUID)
VOLUME = os.path.join(DOS, "volume{%s}" % GUID)
os.makedirs(DOS)


LINK = make_symlink("file.txt")
ROOTED = make_symlink("\\dir\\in.txt")
DRIVE = make_symlink("\\??\\C:\\windows", flags=0)
JUNCTION = junction("\\??\\Volume{%s}\\dir" % GUID)
APPEXEC = make_reparse(0x8000001B, b"three strings")
FOREIGN = make_reparse(0x00001234, b"not Microsoft's", guid=b"\1" * 16)
LARGE = make_reparse(0x8000001B, bytes(range(250)) * 64)
LONG = "n" * 255

# Stored name -> its reparse data, of what is a reparse point.
POINTS = {
    "link": LINK,
    "dirlink": DRIVE,
    "junction": JUNCTION,
    "appexec": APPEXEC,
    "foreign": FOREIGN,
    "dir/rooted": ROOTED,
    LONG: LINK,
    "again": LINK,
    "with data": APPEXEC,
    "two\uf03f": LINK,  # stored as "two?"
}
tree = Dir({
    "file.txt": File(b"content"),
    "link": File(reparse=LINK, streams={"own": Stream(b"a stream of the link")}),
    "again": Link("link"),
    "dirlink": Dir(reparse=DRIVE),
    "junction": Dir({"below": File(b"below a junction")}, reparse=JUNCTION),
    "appexec": File(reparse=APPEXEC),
    "foreign": File(reparse=FOREIGN),
    "with data": File(b"data of its own", reparse=APPEXEC),
    "dir": Dir({"in.txt": File(b"in"), "rooted": File(reparse=ROOTED)}),
    "odd?": File(b"a name no Windows program makes"),
    "two?": File(reparse=LINK),
    "?": File(b"nothing else"),
    LONG: File(reparse=LINK),
})
UNLISTED = ["link:own", "again:own"]  # the streams, which a copy can't hide
image = Image(tree, name="points.cim").write(os.path.join(TMP, "points"))
plain = Image(Dir({"file.txt": File(b"f"), "dir": Dir({"x": File(b"x")})}), name="plain.cim").write(
    os.path.join(TMP, "plain"))


def at(name):
    return os.path.join(MNT, name)


def kind(path):
    st = os.lstat(path)
    return "dir" if stat.S_ISDIR(st.st_mode) else "file" if stat.S_ISREG(st.st_mode) else oct(st.st_mode)


def shows_points(root, what, left_out=(), streams=()):
    """Everything that an image shows in Wine's form. @left_out: what this place has no room for."""
    points = {n: data for n, data in POINTS.items() if n not in left_out}
    top = [n + "?" for n in points if "/" not in n]
    same(sorted(os.listdir(root)), sorted(top + ["dir", "file.txt", "odd\uf03f", "\uf03f"] + list(streams)),
         what + "reparse points are listed as NAME?, a stored '?' at the end of a name as U+F03F")
    same(sorted(os.listdir(root + "/dir")), ["in.txt", "rooted?"], what + "in a directory too")
    same({n: os.getxattr("%s/%s?" % (root, n), ATTRIBUTE, follow_symlinks=False) for n in points}, points,
         what + "their data are in " + ATTRIBUTE)
    same({n: kind("%s/%s?" % (root, n)) for n in points},
         {n: "dir" if n in ("dirlink", "junction") else "file" for n in points},
         what + "files are files, directories are directories, nothing is a symbolic link")
    same({n: error_of(os.lstat, "%s/%s" % (root, n)) for n in points}, {n: "ENOENT" for n in points},
         what + "there is no NAME beside NAME?")
    same({n: error_of(os.lstat, "%s/%s?" % (root, n)) for n in ("file.txt", "dir", "dir/in.txt", "none", "odd", "")},
         dict.fromkeys(("file.txt", "dir", "dir/in.txt", "none", "odd", ""), "ENOENT"),
         what + "nor NAME? where NAME is missing or no reparse point")
    same((read(root + "/odd\uf03f"), read(root + "/\uf03f")), (b"a name no Windows program makes", b"nothing else"),
         what + "names that end in '?' open as they are listed")
    same((error_of(os.lstat, root + "/odd?"), error_of(os.lstat, root + "/two??")), ("ENOENT", "ENOENT"),
         what + "and by that alone")
    same([error_of(os.getxattr, root + n, ATTRIBUTE) for n in ("/file.txt", "/dir")], ["ENODATA"] * 2,
         what + "what is no reparse point has no data of one")
    if "link" not in left_out:
        same((os.lstat(root + "/link?").st_size, os.lstat(root + "/link?").st_nlink,
              os.lstat(root + "/again?").st_ino), (0, 2, os.lstat(root + "/link?").st_ino),
             what + "a link is an empty file, with all its names")
        same([read(root + n) for n in ("/link:own", "/again:own")], [b"a stream of the link"] * 2,
             what + "and its streams open by NAME:STREAM")
        same(read(root + "/with data?"), b"data of its own", what + "data of its own that one has are kept")
        same(read(root + "/junction?/below"), b"below a junction", what + "so is what lies below one")


def call(what, *more, form=FORM, name=image):
    words = ["--image", name, "--reparse", form, *more] if what == "mount" else []
    return run([SERVER, "--wine-" + what, "--dosdevices", DOS, "--guid", GUID, *words])


def test_volume(backend):
    result = call("mount", "--backend", backend)
    check(result.code == 0, backend + ": a volume in Wine's form", result)
    if backend == "extract":
        # (A directory has names of up to 255 bytes, a mount longer ones.)
        shows_points(VOLUME, "extract: ", left_out=[LONG],
                     streams=UNLISTED + [".windows-label", ".windows-serial"])
    else:
        shows_points(VOLUME, "fuse: ")
        same(error_of(os.getxattr, VOLUME + "/file.txt", "user.nothing"), "ENODATA",
             "fuse: attributes are asked for where an image has reparse points")
    call("dismount")


def keeps_attributes():
    probe = os.path.join(TMP, "probe")
    with open(probe, "wb"):
        pass
    return not error_of(os.setxattr, probe, ATTRIBUTE, b"x" * 1000)


for words in (["-o", "reparse=windows"], ["-o", "reparse="]):
    result = run([SERVER, image, TMP, *words])
    check(result.code == 2 and "links or wine" in result.errors, "%s: a usage error" % words[1], result)
result = call("mount", form="windows")
same(result.code, 65, "--reparse windows: CIM_E_INVALID")

if keeps_attributes():
    test_volume("extract")
else:
    skip("extract: a volume in Wine's form", "this file system has no attributes user.*")


def test_small(small):
    name = Image(Dir({"large": File(reparse=LARGE), "one": File(reparse=LARGE), "other": Link("one"),
                      "dir": Dir({"x": File(b"x")}, reparse=LARGE),
                      "link": File(reparse=LINK), "file.txt": File(b"f")}),
                 name="large.cim").write(os.path.join(TMP, "large"))
    os.makedirs(small + "/dosdevices")
    volume = "%s/dosdevices/volume{%s}" % (small, GUID)
    command = [SERVER, "--dosdevices", small + "/dosdevices", "--guid", GUID]
    result = run(command + ["--wine-mount", "--image", name, "--reparse=wine", "--backend=extract"])
    log = read("%s/cimfs/volumes/%s/log" % (small, GUID)).decode()
    same((result.code, sorted(n for n in os.listdir(volume) if not n.startswith("."))), (0, ["file.txt", "link?"]),
         "extract: what the file system has no room for isn't half there")
    same(sum("is left out: its reparse data as " + ATTRIBUTE in line for line in log.splitlines()), 4,
         "extract: and the log says so, once for each name")
    run(command + ["--wine-dismount"])
    same(sorted(os.listdir(small)), ["dosdevices", "lost+found"], "extract: nothing is left of that")


def test_no_room():
    """A file system that has no such attributes, or none so large: what is left out is logged."""
    small = os.path.join(TMP, "small")
    disk = os.path.join(TMP, "disk")
    os.makedirs(small)
    with open(disk, "wb") as f:
        f.truncate(8 << 20)
    if os.geteuid() or run(["mkfs.ext4", "-q", disk]).code or run(["mount", "-o", "loop", disk, small]).code:
        skip("extract: a file system without room for the data", "no right to mount one")
        return
    try:
        test_small(small)
    finally:
        run(["umount", small])


test_no_room()

why = no_fuse()
if why:
    skip("everything that is mounted", why)
    done()

test_volume("fuse")
call("mount", "--backend", "fuse", name=plain)
same(error_of(os.getxattr, VOLUME + "/file.txt", ATTRIBUTE), "ENOTSUP",
     "fuse: nobody need ask for attributes of an image without a reparse point or a hidden file")
call("dismount")
call("mount", "--backend", "fuse", form="links")
same((os.readlink(VOLUME + "/link"), error_of(os.lstat, VOLUME + "/link?"), kind(VOLUME + "/appexec"),
      read(VOLUME + "/odd?")), ("file.txt", "ENOENT", "file", b"a name no Windows program makes"),
     "fuse: --reparse links: symbolic links, and names as they are")
call("dismount")

result = mount(image, MNT, "-o", "reparse=wine")
check(result.code == 0, "-o reparse=wine mounts", result)
shows_points(MNT, "by hand: ")
same({n: ATTRIBUTE in os.listxattr("%s/%s?" % (MNT, n)) for n in POINTS}, dict.fromkeys(POINTS, True),
     "by hand: the attribute is listed, so that a copy has it")
if keeps_attributes():
    shutil.copytree(MNT, os.path.join(TMP, "copy"), ignore=lambda _, names: [n for n in names if len(n) > 255])
    shows = {n: os.getxattr("%s/copy/%s?" % (TMP, n), ATTRIBUTE) for n in POINTS if n != LONG}
    same(shows, {n: data for n, data in POINTS.items() if n != LONG}, "by hand: and a copy of the tree is one in Wine's form")
else:
    skip("by hand: a copy of the tree", "this file system has no attributes user.*")
umount(MNT)
# Names that differ only by what '?' shows as, and one with more than that to undo.
odd = Image(Dir({
    "B?": File(reparse=LINK), "B\uf03f": File(b"plain B"),
    "C?": File(b"plain C"), "C\uf03f": File(reparse=APPEXEC),
    "\uf02fG?": File(b"plain G"), "s": File(reparse=LINK),
    "file": File(b"f", streams={"s?": Stream(b"no name under Wine"), "s": Stream(b"a stream")}),
}), name="odd.cim").write(os.path.join(TMP, "odd"))
ODD = {"B\uf03f?": LINK, "B\uf03f": b"plain B", "C\uf03f": b"plain C", "C\uf03f?": APPEXEC, "\uf02fG\uf03f": b"plain G",
       "file": b"f", "s?": LINK}
mount(odd, MNT, "-o", "reparse=wine")
# (Before anything was listed: what is listed the kernel knows.)
same({n: os.getxattr(at(n), ATTRIBUTE) if n.endswith("?") else read(at(n)) for n in ODD}, ODD,
     "names that end in '?' or in what it shows as: each is found as what it is")
same(sorted(os.listdir(MNT)), sorted(ODD), "and listed so")
same((read(at("file:s")), error_of(os.stat, at("file:s?"))), (b"a stream", "ENOENT"),
     "no stream is taken for a reparse point")
umount(MNT)
call("mount", "--backend", "extract", name=odd)
same(sorted(n for n in os.listdir(VOLUME) if ":" in n), ["file:s"], "extract: nor is one there")
call("dismount")

result = mount(image, MNT, "-o", "reparse=wine,ignore_case")
same((kind(MNT + "/LINK?"), error_of(os.lstat, MNT + "/LINK"), kind(MNT + "/DIR/Rooted?")),
     ("file", "ENOENT", "file"), "by hand: with ignore_case in any case")
umount(MNT)
names = os.statvfs(MNT).f_namemax if mount(image, MNT, "-o", "reparse=wine").code == 0 else 0
umount(MNT)
result = mount(image, MNT)
same(names, os.statvfs(MNT).f_namemax + 1, "by hand: names may be as much longer as the mark is")
same((os.readlink(MNT + "/link"), ATTRIBUTE in os.listxattr(MNT + "/appexec")), ("file.txt", False),
     "by hand: links are the default")
same(os.getxattr(MNT + "/appexec", ATTRIBUTE), APPEXEC, "by hand: where the data can be read all the same")
umount(MNT)
done()
