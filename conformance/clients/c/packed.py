#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hold pack.exe's images against the tree they were made from.

    packed.py MANIFEST SOURCE-DIR IMAGE-DIR|CONTAINER IMAGE-NAME

pack.exe wrote down, in a manifest, what it read of each item and what it then did to the
image. This program, without Wine, compares what "cimtool dump" tells of the two images with

  - the source tree as Linux has it: names, bytes (by their SHA-256), sizes, hard links, write times,
    change times (and so on, as far as Wine shows them through), and that nothing of it was left out;
  - the manifest: attributes, the four times, security descriptors, and what was added by pack.exe;
  - arithmetic: the renamed copy may have cost no data, the fork lacks just what was deleted, and
    neither image holds anything that nobody put there.

What the source itself has become since pack.exe began to read it, as its change times tell, is told but
no difference: the image is then held against the manifest alone.

Every difference is a line on standard output. At the end comes a table. Exit status: 0 equal,
1 something differs, 2 trouble.
"""
import base64
import collections
import datetime
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import time

SHOWN = 50  # differences told one by one; the rest is counted
EPOCH = 116444736000000000  # 1970 in units of 100 ns since 1601
FLAGS = {0x1: 1, 0x2: 2, 0x4: 4, 0x20: 8, 0x200: 0x10}  # an attribute: the stored flag
TIMES = {"creation": "created", "last write": "written", "change": "changed", "last access": "accessed"}
# What is stored where a caller gave no security descriptor: revision 1, "DACL present" and
# "self-relative", no owner, no group, no ACL.
DEFAULT_SECURITY = bytes([1, 0, 4, 0x80]) + bytes(16)
CIMTOOL = os.environ.get("BUILD", "build") + "/cimtool"
ARGUMENTS = 5


class Item:
    """What must be in an image, or is."""

    def __init__(self, directory, size, times, security):
        self.directory, self.size, self.security = directory, size, security
        self.times = dict(zip(TIMES, times))
        self.flags = 0
        self.ea = self.reparse = b""
        self.streams = {}  # by name: bytes or their hash
        self.source = None  # the path of its bytes in the source tree
        self.is_copy = False
        self.digest = hashlib.sha256().hexdigest()  # of its bytes


def die(text):
    print("packed.py: " + text, file=sys.stderr)
    sys.exit(2)


class Lines:
    """Told one by one, up to a limit, and counted."""

    def __init__(self, word):
        self.word, self.count = word, 0

    def tell(self, text):
        self.count += 1
        if self.count <= SHOWN:
            print(self.word + " " + os.fsencode(text).decode(errors="replace"))


def digest_of(path):
    """The hash of a file's bytes, whose reading isn't to be seen by its last access where that may be."""
    digest = hashlib.sha256()
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOATIME)
    except PermissionError:
        handle = os.open(path, os.O_RDONLY)
    with open(handle, "rb", buffering=0) as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


class Manifest:
    """pack.exe's, as expectations."""

    def __init__(self, path, differences):
        self.items = {}  # by path: an Item; hard links have the same
        self.phase = {}  # by path
        self.deleted = self.end = None
        self.now = None  # the phase
        self.began = sys.maxsize  # when pack.exe began to read
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for line in file:
                word, *fields = line.rstrip("\n").split("\t")
                try:
                    added = self.read(word, fields)
                except (KeyError, ValueError, TypeError, AttributeError):
                    die("the manifest has a line that begins with %s and has %d fields" % (word, len(fields) + 1))
                if added is None:
                    continue
                if added in self.phase:
                    differences.tell("manifest: %s stands there twice" % added)
                self.phase[added] = self.now
        if not self.end:
            die("%s has no last line: pack.exe did not finish" % path)
        if self.deleted not in self.items:
            die("the manifest tells of no deleted directory")

    def read(self, word, fields):
        """Take one line; the path that it adds."""
        path = fields[0].replace("\\", "/")
        if word == "phase":
            self.now = path
            if fields[1:]:
                self.began = int(fields[1])
            return None
        if word in ("dir", "file"):
            _, attributes, size, *times, security = fields
            item = Item(word == "dir", int(size), [int(time) for time in times],
                        unhex(security) or DEFAULT_SECURITY)
            item.flags = sum(flag for bit, flag in FLAGS.items() if int(attributes, 16) & bit)
            if len(times) != 4:
                raise ValueError
            item.source = path if word == "file" and self.now == "pack" else None
            self.items[path] = item
            return path
        if word == "link":
            self.items[path] = self.items[fields[1].replace("\\", "/")]
            return path
        if word == "copy":
            self.items[path].source, self.items[path].is_copy = fields[1].replace("\\", "/"), True
        elif word == "text":
            self.items[path].source = None
            self.items[path].digest = hashlib.sha256(unhex(fields[1])).hexdigest()
        elif word in ("ea", "reparse"):
            setattr(self.items[path], word, unhex(fields[1]))
            if word == "reparse":
                self.items[path].source = None
        elif word == "stream":
            self.items[path].streams[fields[1]] = hashlib.sha256(unhex(fields[2])).hexdigest()
        elif word == "delete":
            self.deleted = path
        elif word == "seal":
            pass  # the container's root hash, for who mounts it
        elif word == "end":
            self.end = [int(field) for field in fields[:5]]
        else:
            raise ValueError
        return None

    def is_below_deleted(self, path):
        return path == self.deleted or path.startswith(self.deleted + "/")


def unhex(text):
    return b"" if text == "-" else bytes.fromhex(text)


# ---- against the source tree ----

def births(source):
    """By path, the birth times of all that is below: Python doesn't have them."""
    said = subprocess.run(["find", source, "-printf", "%B@ %P\\0"], stdout=subprocess.PIPE, check=True).stdout
    found = {}
    for entry in os.fsdecode(said).split("\0"):
        seconds, _, path = entry.partition(" ")
        whole, _, fraction = seconds.partition(".")
        if whole.isdigit():
            found[path] = EPOCH + int(whole) * 10000000 + int(fraction[:7] or 0)
    return found


def compare_with_linux(tell, path, item, status, born):
    """What Linux knows of an item without asking pack.exe: kind, size, read-only, and the times."""
    written, changed, accessed = (EPOCH + ns // 100 for ns in
                                  (status.st_mtime_ns, status.st_ctime_ns, status.st_atime_ns))
    times = item.times
    if stat.S_ISDIR(status.st_mode) != item.directory:
        tell("%s: kind: a %s in the source" % (path, "file" if item.directory else "directory"))
    if not item.directory and status.st_size != item.size:
        tell("%s: size: %d was packed, the source has %d" % (path, item.size, status.st_size))
    if bool(item.flags & 1) != (not status.st_mode & 0o222):
        tell("%s: read-only: %d was packed, the source has mode %o" % (path, item.flags & 1, status.st_mode & 0o7777))
    if times["last write"] != written:
        tell("%s: last write: %d was packed, the source has %d" % (path, times["last write"], written))
    if times["change"] != changed:
        tell("%s: change: %d was packed, the source has %d" % (path, times["change"], changed))
    # Wine 8 has no birth time and shows the last write; later ones have it.
    if times["creation"] not in (written, born):
        tell("%s: creation: %d was packed, the source has %d" % (path, times["creation"], written))
    # Reading moves it, forwards; or backwards, from a time that is yet to come.
    if accessed < times["last access"] < EPOCH + time.time_ns() // 100:
        tell("%s: last access: %d was packed, later than the source's %d" % (path, times["last access"], accessed))


def changed_since(path, began):
    """Linux sets the change time itself, whatever a program gives as the others."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return EPOCH + os.lstat(path).st_ctime_ns // 100 > began


def compare_packed(tell, manifest, source, changed):
    """What the manifest has of the source, with that as it is now."""
    inodes = {}  # by Item: those of its names
    born = births(source)
    for path in [path for path, phase in manifest.phase.items() if phase == "pack"]:
        item = manifest.items[path]
        full = os.path.join(source, path)
        try:
            status = os.lstat(full)
        except OSError as error:
            (changed if changed_since(full, manifest.began) else tell)("source: %s is gone (%s)" % (full, error.strerror))
            item.digest = None
            continue
        if changed_since(full, manifest.began):
            changed("source: %s has changed since it was packed" % full)
            item.digest = None
            continue
        if item not in inodes:
            compare_with_linux(tell, path or "/", item, status, born.get(path))
        elif status.st_ino not in inodes[item]:
            tell("%s: a hard link, but not in the source" % path)
        inodes.setdefault(item, set()).add(status.st_ino)


def compare_source(tell, manifest, source, changed):
    compare_packed(tell, manifest, source, changed)
    for path in [""] + [os.path.relpath(os.path.join(at, name), source)
                        for at, dirs, files in os.walk(source) for name in dirs + files]:
        # Wine has a stream NAME:STREAM as a file of that name.
        file, _, stream = path.rpartition(":")
        if manifest.phase.get(path) == "pack" or (
                file in manifest.items and stream in manifest.items[file].streams):
            continue
        full = os.path.join(source, path)
        (changed if changed_since(full, manifest.began) else tell)("%s: in the source, but was not packed" % full)


# ---- an image against the expectations ----

def ticks(text):
    if not text.endswith("Z"):
        return int(text)
    day = datetime.datetime.fromisoformat(text[:19]) - datetime.datetime(1601, 1, 1)
    return (day.days * 86400 + day.seconds) * 10000000 + int(text[20:27])


def plain(text):
    """A path or name of a dump without its escapes."""
    return os.fsdecode(re.sub(rb"\\(?:\\|x(..))", lambda found: bytes([int(found[1], 16)]) if found[1] else b"\\",
                              os.fsencode(text)))


def digest_told(data, size):
    kind, _, value = data.partition(":")
    return value if kind == "sha256" else hashlib.sha256(
        bytes(size) if kind == "sparse" else base64.b64decode(value)).hexdigest()


def blob(text):
    return b"" if text == "none" else base64.b64decode(text)


def read_image(image):
    """By path, the Items of an image."""
    items = {}
    dump = subprocess.Popen([CIMTOOL, "dump", image], stdout=subprocess.PIPE, encoding="utf-8",
                            errors="surrogateescape")
    next(dump.stdout, None)
    for line in dump.stdout:
        kind, path, *rest = line.rstrip("\n").split(" ")
        field = collections.defaultdict(str, (part.split("=", 1) for part in rest))
        path = plain(path)[1:]
        if kind == "link":
            items[path] = items[plain(field["to"])[1:]]
            continue
        size = int(field["size"] or 0)
        if kind == "stream":
            items[path].streams[plain(field["name"])] = digest_told(field["data"], size)
            continue
        items[path] = item = Item(kind == "directory", size, [ticks(field[name]) for name in TIMES.values()],
                                  blob(field["security"]))
        item.flags = int(field["flags"], 16)
        item.ea, item.reparse = (blob(field[name] or "none") for name in ("ea", "reparse"))
        if kind == "file":
            item.digest = digest_told(field["data"], size)
    return items, dump.wait()


def compare_item(tell, path, got, want):
    if got.flags != want.flags:
        tell("%s: attributes: flags 0x%x, expected 0x%x" % (path, got.flags, want.flags))
    if got.directory != want.directory:
        tell("%s: kind" % path)
    elif not got.directory and got.size != want.size:
        tell("%s: size: %d, expected %d" % (path, got.size, want.size))
    for name, value in want.times.items():
        if got.times[name] != value:
            tell("%s: %s time: %d, expected %d" % (path, name, got.times[name], value))
    for name, text in (("security", "security"), ("ea", "EA"), ("reparse", "reparse data")):
        if getattr(got, name) != getattr(want, name):
            tell("%s: %s: %d bytes, expected %d, or others" % (path, text, len(getattr(got, name)),
                                                               len(getattr(want, name))))
    if not got.directory and want.digest not in (None, got.digest):
        tell("%s: data: other bytes" % path)
    for name in got.streams.keys() - want.streams.keys():
        tell("%s: stream %s: nobody put it there" % (path, name))
    for name, digest in want.streams.items():
        if name not in got.streams:
            tell("%s: stream %s: missing" % (path, name))
        elif got.streams[name] != digest:
            tell("%s: alternate stream: other bytes" % path)


def compare_image(tell, image, expected):
    """Each item, and that two names are one file if and only if the manifest says so."""
    name = os.path.basename(image)
    items, status = read_image(image)
    if status:
        tell("%s: cimtool dump ended with status %d" % (name, status))
    pairs = {}
    for path, got in items.items():
        if path not in expected:
            tell("%s: %s: nobody put it there" % (name, path))
            continue
        compare_item(tell, path or "/", got, expected[path])
        for one, other in ((got, expected[path]), (expected[path], got)):
            if pairs.setdefault(one, other) is not other:
                tell("%s: %s: one file with other names than it should be" % (name, path))
    for path in expected.keys() - items.keys():
        tell("%s: %s: missing" % (name, path))
    return len(items), sum(item.size for item in set(items.values()))


# ---- what it cost ----

def ask(*args):
    said = subprocess.run([CIMTOOL, *args, "--json"], stdout=subprocess.PIPE, encoding="utf-8")
    if said.returncode:
        die("cimtool %s: status %d" % (args[0], said.returncode))
    return [json.loads(line) for line in said.stdout.splitlines()]


def compare_cost(tell, manifest, images, name):
    """The regions that the extending session added may not hold the copy's data: the data region, where
    that would be, must be empty. Returns the bytes of all the image's files."""
    files = ask("files", images)
    sets = [entry["guid"] for entry in ask("info", os.path.join(images, name))[0]["region_sets"]]
    copied = sum(item.size for item in set(manifest.items.values()) if item.is_copy)
    if len(sets) != 2 or not copied:
        tell("%s: %d region sets, expected the first and the extension's" % (name, len(sets)))
    else:
        data = sum(file["size"] for file in files if file["name"] == "region_%s_1" % sets[1])
        if copied >= 4096 < data:
            tell("%s: the renamed copy of %d bytes cost data: the extension's data region has %d bytes"
                 % (name, copied, data))
    return sum(file["size"] for file in files
               if file["name"] == name or file["kind"] != "image" and file.get("set") in sets)


def table(manifest, images, names, image_bytes):
    files, directories, links, size, milliseconds = manifest.end
    packed = {item for path, item in manifest.items.items() if manifest.phase[path] == "pack" and item.source}
    unique = sum(dict((item.digest, item.size) for item in packed).values())
    seconds = (milliseconds or 1) / 1000
    print("files          %15d   (and %d directories, %d further hard links)" % (files, directories, links))
    print("bytes          %15d" % size)
    print("unique bytes   %15d" % unique)
    print("image size     %15d   (its files together, with the extension)" % image_bytes)
    print("seconds        %15.2f   (create to commit, under Wine)" % seconds)
    print("files a second %15.0f   (%.0f MB a second)" % (files / seconds, size / seconds / 1e6))
    print("images         %s/%s" % (images, ", ".join(names)))


def main():
    if len(sys.argv) != ARGUMENTS:
        print("Usage:" + __doc__.split("\n\n")[1].replace("    ", " "), file=sys.stderr)
        return 2
    _, manifest, source, images, name = sys.argv
    differences, changes = Lines("DIFFERENT"), Lines("CHANGED")
    tell = differences.tell
    manifest = Manifest(manifest, differences)
    compare_source(tell, manifest, source, changes.tell)
    for item in set(manifest.items.values()):
        if item.source is None:
            continue
        if manifest.items[item.source].digest is None:
            item.digest = None  # what was packed isn't there any more
            continue
        try:
            item.digest = digest_of(os.path.join(source, item.source))
        except OSError as error:
            tell("source: %s: %s" % (item.source, error.strerror))
    fork = "_fork".join(os.path.splitext(name))
    kept = {path: item for path, item in manifest.items.items() if not manifest.is_below_deleted(path)}
    counts = [compare_image(tell, os.path.join(images, fork), kept),
              compare_image(tell, os.path.join(images, name), manifest.items)]
    image_bytes = compare_cost(tell, manifest, images, name)
    if changes.count:
        print("%d changes in the source since it was packed" % changes.count)
    print("compared %d items, %d bytes of two images: %d differences\n"
          % (*map(sum, zip(*counts)), differences.count))
    table(manifest, images, (name, fork), image_bytes)
    return 1 if differences.count else 0


sys.exit(main())
