#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Every golden and every valid hand-made image: as it is, forked, and extended.

A fork and an extension get a file more in each directory. Then "verify --deep" has nothing to say that it
didn't say before, the dump has all that it had, and a mount shows what the dump tells, to the last byte.
"""

import base64
import os
import pathlib
import re
import shutil
import stat
import struct
import sys
from datetime import datetime, timedelta

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "../golden")]
from mounttest import TMP, check, done, in_containers, mount, need_server, no_fuse, run, same, servers, skip, \
    to_container, tool, umount, wait_until  # noqa: E402
import golden  # noqa: E402
from imagecases import all_cases  # noqa: E402

need_server()
ADDED = "added by us"
TIMES = ("created", "written", "accessed", "changed")  # the order of system.ntfs_times
ENDS = 65536  # of what is large (a hole) so much is read, at both ends


# ---- what the dump tells ----


def on_linux(name):
    """What Linux has no name for is shown as cimfs-mount's help says."""
    if name in (".", ".."):
        return "\uf02e" + name[1:]
    return name.replace("\0", "\uf000").replace("/", "\uf02f")


def unescape(text):
    """A name of a dump; half a surrogate pair stays half."""
    raw = re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode("utf-8", "surrogateescape")
                 .replace(b"\\\\", b"\\x5C"))
    return raw.decode("utf-8", "surrogateescape")


def path_on_linux(path):
    return "/".join(on_linux(unescape(name)) for name in path.split("/"))


def filetime(text):
    moment = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S") - datetime(1601, 1, 1)
    return moment // timedelta(seconds=1) * 10_000_000 + int(text[20:27])


def stream_of(fields, data):
    """(size, its bytes), None for those of a hole."""
    kind, _, value = fields["data"].partition(":")
    content = {"sparse": lambda: None, "base64": lambda: base64.b64decode(value),
               "sha256": lambda: (data / value).read_bytes()}[kind]()
    return int(fields["size"]), content


class Item:
    def __init__(self, kind, fields):
        self.kind = kind
        flags = int(fields["flags"], 16)
        self.bits = sum(bit for flag, bit in ((1, 1), (2, 2), (4, 4), (8, 0x20), (16, 0x200)) if flags & flag)
        self.times = [filetime(fields[name]) for name in TIMES]
        self.blobs = [b"" if fields.get(name, "none") == "none" else base64.b64decode(fields[name])
                      for name in ("security", "reparse")]
        self.streams = {}
        self.data = None


def parse(text, data):
    """path -> Item of what a dump names, links being the same one."""
    items = {}
    for line in text.splitlines()[1:]:
        kind, path, *rest = line.split(" ")
        fields = dict(word.split("=", 1) for word in rest)
        path = path_on_linux(path)
        if kind == "link":
            items[path] = items[path_on_linux(fields["to"])]
        elif kind == "stream":
            items[path].streams[unescape(fields["name"])] = stream_of(fields, data)
        else:
            items[path] = Item(kind, fields)
            if kind == "file":
                items[path].data = stream_of(fields, data)
    return items


# ---- what the mount shows ----


def attribute(path, name):
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return b""


def bytes_differ(path, size, content):
    """Why a file isn't what it should be; None if it is."""
    with open(path, "rb") as f:
        if f.seek(0, os.SEEK_END) != size:
            return "it has %d bytes of %d" % (f.tell(), size)
        f.seek(0)
        if content is not None:
            return None if f.read() == content else "other bytes"
        for at in (0, max(0, size - ENDS)):
            f.seek(at)
            if f.read(ENDS) != bytes(min(ENDS, size)):
                return "no hole"
    return None


def shown_differs(path, st, item):
    """What of an item is shown in another way than the dump tells."""
    found = []
    bits, = struct.unpack("<I", attribute(path, "system.ntfs_attrib") or bytes(4))
    if bits & 0x227 != item.bits:
        found.append("attributes %#x, not %#x" % (bits, item.bits))
    times = list(struct.unpack("<4Q", attribute(path, "system.ntfs_times") or bytes(32)))
    if times != item.times:
        found.append("times %s, not %s" % (times, item.times))
    if (st.st_mtime_ns // 100) != item.times[1] - 116444736000000000:
        found.append("last write %d" % st.st_mtime_ns)
    for name, want in zip(("system.ntfs_acl", "system.ntfs_reparse_data"), item.blobs):
        if attribute(path, name) != want:
            found.append("%s is %s, not %s" % (name, attribute(path, name).hex(), want.hex()))
    return found


def streams_differ(path, item):
    """Those too large for an attribute are opened."""
    names = set(attribute(path, "ntfs.streams.list").decode("utf-8", "surrogateescape").split("\0")) - {""}
    if names != set(item.streams):
        return ["streams %s, not %s" % (sorted(names), sorted(item.streams))]
    found = []
    for name, (size, content) in item.streams.items():
        if size > 65536:
            found.append(bytes_differ(path + ":" + name, size, content))
        elif attribute(path, b"user." + os.fsencode(name)) != (bytes(size) if content is None else content):
            found.append("stream " + name)
    return found


def item_differs(path, item):
    """What is shown of one, and all names below it."""
    st = os.lstat(path)
    found = shown_differs(path, st, item)
    if stat.S_ISLNK(st.st_mode):
        return found if item.blobs[1] else found + ["a symlink"]
    if stat.S_ISDIR(st.st_mode) != (item.kind == "directory"):
        return found + ["another kind"]
    if item.kind == "file":
        found.append(bytes_differ(path, *item.data))
    return [one for one in found + streams_differ(path, item) if one]


def walk(top):
    """path in the image -> inode number, of all that can be reached."""
    found = {"/": os.lstat(top).st_ino}
    for where, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(where, name)
            found[path[len(top):]] = os.lstat(path).st_ino
    return found


def reachable(items):
    """Without what Linux has no name for, and what lies below that or below a link."""
    gone = [path for path, item in items.items() if path != "/" and item.kind == "directory" and item.link]
    return {path: item for path, item in items.items()
            if not any(path.startswith(one + "/") for one in gone)}


def check_mounted(name, image, items, seen):
    """A mount shows what the dump tells."""
    result = mount(image, seen)
    if not check(result.code == 0, name + ": is mounted", result):
        return
    try:
        found = walk(seen)
        for path, item in items.items():
            item.link = path in found and os.path.islink(seen + path)
        want = reachable(items)
        problems = ["%r: %s" % (path, "isn't shown" if path in want else "is in no dump")
                    for path in sorted(set(found) ^ set(want))]
        inodes = {}
        for path in set(found) & set(want):
            if inodes.setdefault(found[path], want[path]) is not want[path]:
                problems.append("%r: the inode number of another" % path)
            problems += ["%r: %s" % (path, one) for one in item_differs(seen + path, want[path])]
        if len(inodes) != len({id(want[path]) for path in set(found) & set(want)}):
            problems.append("names of one file have several inode numbers")
        check(not problems, "%s: a mount shows all of %d items" % (name, len(want)), "\n".join(problems))
    finally:
        umount(seen)
        wait_until(lambda: not servers(image))


# ---- every image ----


def kept(line):
    """Of a dump's line what a merge keeps; of a directory not its times, nor flags that nobody knows."""
    if not line.startswith("directory"):
        return line
    line = re.sub(" (created|written|changed|accessed)=[^ ]*", "", line)
    return re.sub("(?<= flags=)[^ ]*", lambda m: "%#x" % (int(m[0], 16) & 0x1f), line)


def check_image(name, image, before, want):
    """Sound, with all that was there before; its dump."""
    result = tool("verify", "--deep", image)
    check(result.code in (0, want), name + ": verify --deep", result)
    data = pathlib.Path(TMP, "data")
    result = tool("dump", "--data", str(data), image)
    check(result.code == 0, name + ": dump", result)
    lost = set(map(kept, (before or result.text).splitlines())) - set(map(kept, result.text.splitlines()))
    check(not lost, name + ": has all that it had", "\n".join(sorted(lost)))
    if not NO_MOUNT:
        check_mounted(name, image, parse(result.text, data), os.path.join(TMP, "seen"))
    shutil.rmtree(data, ignore_errors=True)
    return result.text


def additions(text, source):
    """A directory with a file for each directory of the image that Linux can name, and read-only as that."""
    readonly = []
    for path, item in parse(re.sub(r" data=sha256:\S*", " data=sparse", text), None).items():
        if item.kind == "directory" and not item.blobs[1] and len(path) < 200 and path.isascii():
            os.makedirs(source + path, exist_ok=True)
            with open(os.path.join(source + path, ADDED), "wb") as f:
                f.write(b"added")
            if item.bits & 1:
                readonly.append(source + path)
    for path in readonly:
        os.chmod(path, 0o555)


def try_image(name, image):
    want = tool("verify", "--deep", image).code
    check(want in (0, 3), name + ": is valid", want)
    before = check_image(name, image, None, want)
    source = os.path.join(TMP, "source")
    additions(before, source)
    fork = image + ".fork"
    for what, made, args in (("forked", fork, ("fork", "--add", source + ":", image, fork)),
                             ("extended", image, ("append", image, source))):
        result = tool(*args)
        check(result.code == 0, "%s is %s" % (name, what), result)
        check_image("%s, %s" % (name, what), made, before, want)
    run(["chmod", "-R", "u+w", source])
    shutil.rmtree(source)


def main():
    cases = [case for kind, case in all_cases()
             if kind == "good" or all(what in ("warning", "note") for what, _ in case.expect)]
    for case in cases[::3 if in_containers() else 1]:
        directory = os.path.join(TMP, case.name)
        try_image(case.name, case.build().write(directory))
        shutil.rmtree(directory)
    made = pathlib.Path(TMP, "golden")
    made.mkdir()
    golden.steps(made)
    shutil.copytree(golden.HERE / golden.KEPT, made / "kept")
    for image in sorted(made.glob("*/*.cim")):
        path = str(image)
        if in_containers():
            path = to_container(path, [file.name for file in image.parent.iterdir() if file.is_file()])
        try_image("golden %s/%s" % (image.parent.name, image.stem), path)
    done()


NO_MOUNT = no_fuse()
if NO_MOUNT:
    skip("mounts of all images", NO_MOUNT)
main()
