#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""What cimfs-mount answers the kernel, asked without one (ask.c): sizes to the byte, answers that are cut
short, memory that ends, nodes that are none, what links lead to."""

import errno
import os
import random
import re
import struct
import subprocess

from mounttest import BUILD, TMP, check, done, junction, same
from imagebuilder import (Dir, File, Image, Link, Sparse, Stream, make_ea, make_reparse, make_sd,
                          make_symlink)

HIDDEN, SYSTEM, POINT = 2, 4, 0x400
EPOCH = 116444736000000000
NS = 10 ** 9
ITEM, STREAM = 1 << 63, 1 << 62
ROOT, LABEL, SERIAL, CIOPFS = 1, 2, 3, 4
GUID = "01234567-89ab-cdef-0123-456789abcdef"
DOS = "/prefix/dosdevices"
LOG = os.path.join(TMP, "log")
PAGE = os.sysconf("SC_PAGESIZE")
DATA, HOLE = os.SEEK_DATA, os.SEEK_HOLE


class Server:
    def __init__(self, image, options="", volume=None):
        if not isinstance(image, str):
            image = image.write(os.path.join(TMP, "i"))
        if os.path.exists(LOG):
            os.unlink(LOG)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests", "ask"), image, options, LOG, *([volume, DOS] if volume else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()
        return self.answer(self.process.stdout.readline().rstrip(b"\n"))

    @staticmethod
    def answer(line):
        """An error's name, bytes as bytes, all else as text."""
        kind, _, rest = line.partition(b" ")
        if kind == b"error" and rest.isdigit():
            return errno.errorcode.get(int(rest), rest.decode())
        if kind in (b"bytes", b"spliced"):
            try:
                return bytes.fromhex(rest.decode())
            except ValueError:
                pass
        return line.decode("utf-8", "replace")

    def failing(self, *words):
        """Answers with one allocation after the other failing, and the one without."""
        line = self.ask("failing", *words)
        if isinstance(line, bytes):
            return [line]
        return [self.answer(part.encode()) for part in line.split(" | ")]

    def lookup(self, node, name):
        """The node of a name, or an error's name; 0: there is none."""
        found = self.ask("lookup", node, hexed(name))
        return int(found.split()[1]) if found.startswith("node ") else found

    def facts(self, node):
        """The attributes of a node, as text."""
        found = self.ask("getattr", node)
        return dict(word.split("=") for word in found.split()[2:]) if found.startswith("attr") else found

    def get(self, node, name, size):
        return self.ask("getxattr", node, hexed(name), size)

    def list(self, node, size, offset=0, how="readdir"):
        """(name, node, inode, mode, next) of what a listing's answer has, or an error's name."""
        found = self.ask(how, node, size, offset)
        return entries(found) if isinstance(found, bytes) else found

    def end(self):
        """The log."""
        self.process.stdin.close()
        self.process.stdout.close()
        same(self.process.wait(60), 0, "the server's end")
        return log()


def hexed(name):
    return (name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")).hex()


def entries(listing):
    return [tuple(line.split("\t")) for line in listing.decode("utf-8", "surrogatepass").splitlines()]


def log():
    """The lines of the log without their times."""
    if not os.path.exists(LOG):
        return []
    with open(LOG, encoding="utf-8", errors="replace") as f:
        return [re.sub(r"^\S+Z cimfs-mount: ", "", line.rstrip("\n")) for line in f]


def item(image, path):
    return ITEM | image.items[path].id


def without_memory(name, answers):
    *failed, last = answers
    check(all(a in ("ENOMEM", last) for a in failed) and last != "ENOMEM", name + ": without memory ENOMEM",
          (failed, last))
    return "ENOMEM" in failed


# ---- extended attributes: every size ----

SD = make_sd()
EA = make_ea((b"NAME", b"value"), (b"B", b"12345"))
first = struct.unpack_from("<I", EA)[0]
NTFS_EA = EA.ljust((len(EA) + 3) & ~3, b"\0")
NTFS_EA = NTFS_EA[:first] + struct.pack("<I", len(NTFS_EA) - first) + NTFS_EA[first + 4:]
OTHER = make_reparse(0x80000017, b"some data")
TIMES = (EPOCH + 1, EPOCH + 2, EPOCH + 3, EPOCH + 4)
ORDER = [TIMES[n] for n in (0, 1, 3, 2)]
# As many bytes as a value can have; and as a list of attributes can.
MANY = ["%0255d" % n for n in range(255)] + ["ü" * 128]
NAMES = ["%0250d" % n for n in range(257)]


def empty(names):
    return {n: Stream(b"") for n in names}


STREAMS = dict({"s": Stream(b"stream"), "most": Stream(b"M" * 65536), "more": Stream(b"m" * 65537),
                "hole": Sparse(1 << 40),
                "DOSATTRIB": Stream(b"x"), "WINEREPARSE": Stream(b"x")}, **empty(["empty", "ü" * 125, "ü" * 126]))
image = Image(Dir({
    "f": File(b"f", flags=HIDDEN, times=TIMES, sd=SD, ea=EA, reparse=OTHER, streams=STREAMS),
    "plain": File(b"p"),
    "bad ea": File(b"b", ea=EA[:-1]),
    "dir": Dir({}, streams={"d": Stream(b"of dir")}),
    "names": File(b"n", streams=empty(NAMES[:-1])),
    "more names": File(b"n", streams=empty(NAMES)),
    "streams": File(b"s", streams=empty(MANY)),
    "more streams": File(b"s", streams=empty(MANY[:-1] + [MANY[-1] + "x"])),
}))
s = Server(image)
f = item(image, "f")
for name, want in {
        "system.ntfs_attrib": struct.pack("=I", HIDDEN | POINT),
        "system.ntfs_attrib_be": struct.pack(">I", HIDDEN | POINT),
        "system.ntfs_times": struct.pack("=4Q", *ORDER), "system.ntfs_times_be": struct.pack(">4Q", *ORDER),
        "system.ntfs_crtime": struct.pack("=Q", TIMES[0]), "system.ntfs_crtime_be": struct.pack(">Q", TIMES[0]),
        "system.ntfs_acl": SD, "system.ntfs_ea": NTFS_EA, "system.ntfs_reparse_data": OTHER,
        "user.DOSATTRIB": b"0x2", "user.WINEREPARSE": OTHER, "user.s": b"stream", "user.S": b"stream",
        "user.most": b"M" * 65536, "ntfs.streams.list": "\0".join(sorted(STREAMS, key=str.upper)).encode()}.items():
    n = len(want)
    same([s.get(f, name, size) for size in (0, n, n + 1, n - 1, 1)],
         ["size %d" % n, want, want, "ERANGE", "ERANGE"],
         "%s: its size, all of it in %d bytes and more, ERANGE for less" % (name, n))
same([s.get(f, "user.empty", size) for size in (0, 1)], ["size 0", b""], "an empty stream: an empty value")
for name in ("more", "hole"):
    same([s.get(f, "user." + name, size) for size in (0, 65536)], ["size 65537", "ERANGE"],
         "a stream of more than an attribute can hold (%s) is one byte more" % name)
want = "\0".join(MANY).encode()
same([s.get(item(image, "streams"), "ntfs.streams.list", size) for size in (0, 65536)], ["size 65536", want],
     "a list of streams' names that just fits")
same([s.get(item(image, "more streams"), "ntfs.streams.list", size) for size in (0, 65536)], ["size 65537", "ERANGE"],
     "and one that doesn't")
want = b"".join(b"user.%s\0" % n.encode() for n in NAMES[:-1])
same([s.ask("listxattr", item(image, n), 65536) == want for n in ("names", "more names")], [True] * 2,
     "as many names as a list can hold")
LISTED = b"user.DOSATTRIB\0" + b"".join(b"user.%s\0" % n.encode()
                                        for n in sorted(["s", "empty", "most", "ü" * 125], key=str.upper))
n = len(LISTED)
same([s.ask("listxattr", f, size) for size in (0, n, n + 1, n - 1, 1)], ["size %d" % n, LISTED, LISTED, "ERANGE",
    "ERANGE"],
     "a list of names: of what can be read, by names of 255 bytes at most; its size, all of it, ERANGE")
same([s.ask("listxattr", item(image, "plain"), size) for size in (0, 1, 100)], ["size 0", b"", b""], "an empty list")
same([s.get(item(image, "plain"), n, 100) for n in (
    "system.ntfs_ea", "system.ntfs_reparse_data", "system.ntfs_x", "system.ntfs_attrib_", "system.ntfs_",
    "ntfs.streams.list", "user.WINEREPARSE", "user.none", "user.", "user." + "x" * 256, "user.\udc80",
    "security.selinux", "system.posix_acl_access")], ["ENODATA"] * 11 + ["ENOTSUP"] * 2,
    "no such attribute, and no attributes of such a kind")
same(s.get(item(image, "bad ea"), "system.ntfs_ea", 100), EA[:-1], "malformed EAs as they are")
same((s.get(item(image, "dir"), "user.d", 100), s.ask("listxattr", item(image, "dir"), 100)),
     (b"of dir", b"user.d\0"),
     "a directory's stream")
stream = f | STREAM | sorted(STREAMS, key=str.upper).index("s") << 32
same([s.get(n, "user.s", 100) for n in (stream, LABEL, CIOPFS, 9)], ["ENODATA"] * 4,
     "a stream and what isn't in the image have none")
same([s.ask("listxattr", n, 100) for n in (stream, LABEL)], [b"", b""], "nor a list")
same(s.ask("listxattr", ITEM | 999, 100), "EIO", "a FileID that there isn't: EIO")
for name in ("system.ntfs_attrib", "system.ntfs_acl", "system.ntfs_ea", "user.s", "ntfs.streams.list"):
    check(without_memory(name, s.failing("getxattr", f, hexed(name), 65536)), name + ": is told")
check(without_memory("a list", s.failing("listxattr", f, 65536)), "a list: is told")
s.end()
for option, names, value in (("streams_interface=none", b"user.DOSATTRIB\0", "ENODATA"),
                             ("streams_interface=windows", b"user.DOSATTRIB\0", "ENODATA"),
                             ("streams_interface=xattr", LISTED, b"stream"),
                             ("reparse=wine,streams_interface=windows", b"user.DOSATTRIB\0user.WINEREPARSE\0",
                              "ENODATA")):
    s = Server(image, option)
    same((s.ask("listxattr", f, 65536), s.get(f, "user.s", 100)), (names, value), "attributes with " + option)
    s.end()

# Streams that lie where nobody looks for them: what is listed has a value, or an error that isn't "none".
image = Image(Dir({"f": File(b"f", streams={n: Stream(n.encode()) for n in "abcdefgh"})}))
for content in image.files.values():
    at = content.find(b"\1\0a\0\1\0b\0")
    if at >= 0:
        content[at:at + 4], content[at + 28:at + 32] = b"\1\0h\0", b"\1\0a\0"
s = Server(image)
f = item(image, "f")
listed = s.ask("listxattr", f, 1000).decode().split("\0")[:-1]
values = {n: s.get(f, n, 100) for n in listed}
check(len(listed) == 8 and "EIO" in values.values() and "ENODATA" not in values.values(),
      "streams out of order: what is listed is EIO where it isn't found", values)
same(s.get(f, "user.none", 100), "ENODATA", "streams out of order: what isn't there isn't there")
check(any("out of order" in line for line in s.end()), "streams out of order: the log tells", log())
short = [chr(n) for n in range(0x4e00, 0x4e00 + 10001)]
image = Image(Dir({"f": File(b"f", streams=empty(short + ["z"]))}))
for content in image.files.values():
    at = content.find(struct.pack("<HH", 1, 0x4e00 + 10000))
    if at >= 0:
        content[at + 2:at + 4] = struct.pack("<H", 0x4000)
s = Server(image)
f = item(image, "f")
names = s.ask("listxattr", f, 65536)
values = {n: s.get(f, "user." + n, 10) for n in ("z", short[0], short[9998], short[10000], "\u4000", "none")}
same((len(names) // 65400, values),
     (1, dict(dict.fromkeys(values, b""), **{short[10000]: "ENODATA", "\u4000": "ENODATA", "none": "ENODATA"})),
     "of very many streams those behind the first 10,000 aren't listed, and nobody goes through them")
s.end()
image = Image(Dir({"f": File(b"f", streams={"s": Stream(b"s")})}))
image.poke("streams:f", 0, "I", 0xffffffff)
s = Server(image)
f = item(image, "f")
same([s.ask("listxattr", f, 1000), s.get(f, "user.s", 100), s.get(f, "ntfs.streams.list", 100), s.lookup(ROOT, "f:s"),
      s.ask("getattr", f | STREAM), s.ask("read", f | STREAM, 10, 0)], ["EIO"] * 6,
     "a bad table of streams: EIO for all of them")
s.end()

# ---- reading: by reference, copied, cut short ----

SPLICED = 16 * 1024
MAX_READ = 256 * 1024


def pattern(seed, size):
    return random.Random(seed).randbytes(size)


BIG, SECOND, PE = pattern(1, 700000), pattern(2, 300000), pattern(3, 200000)
image = Image(Dir({
    "big": File(BIG), "second": File(SECOND), "short": File(BIG[:SPLICED]), "shorter": File(BIG[:SPLICED - 1]),
    "pe": File(Stream(PE, pe=[(20480, 4096), (60000, 8192)])), "sparse": File(Sparse(1 << 20)), "empty": File(b""),
    "f": File(b"default", streams={"long": Stream(SECOND)}), "dir": Dir({}),
}))
s = Server(image)
big, second, pe = (item(image, n) for n in ("big", "second", "pe"))


def reads(server, node, content, *pieces):
    """The pieces (size, offset) that aren't what is in the file."""
    wrong = []
    for size, offset in pieces:
        got = server.ask("read", node, size, offset)
        if got != content[offset:offset + size]:
            wrong.append((size, offset, got if isinstance(got, str) else len(got)))
    return wrong


EDGES = [(size, offset) for size in (1, SPLICED - 1, SPLICED, SPLICED + 1, 65536, MAX_READ - 1, MAX_READ)
         for offset in (0, 1, PAGE - 1, PAGE, 123457, 699999 - SPLICED, 700000 - SPLICED, 699999, 700000, 700001)]
SEAMS = [(size, offset) for size in (100, SPLICED, 3 * SPLICED, MAX_READ)
         for offset in (0, 4096, 20480 - SPLICED, 20480, 20479, 59999, 60000 - SPLICED, 60000, 199999)]
OWN = [(SPLICED, 0), (MAX_READ, 1), (65536, 9)]
for splices in (0, 1):
    s.ask("init", 0xffffffff if splices else 0xffffffff & ~(1 << 7))
    same(reads(s, big, BIG, *EDGES), [], "reads any piece, " + ("by reference" if splices else "copied"))
    same(reads(s, pe, PE, *SEAMS), [],
         "an expanded PE image in pieces of 16 KiB and more over the seams of its sections")
    same(reads(s, item(image, "sparse"), bytes(1 << 20), (MAX_READ, 0), (SPLICED, (1 << 20) - 5), (1, 1 << 20)), [],
         "a hole")
    same(reads(s, item(image, "short"), BIG[:SPLICED], (SPLICED, 0), (MAX_READ, 0), (SPLICED, 1)), [],
         "a file of 16 KiB")
    same(reads(s, item(image, "shorter"), BIG[:SPLICED - 1], (SPLICED, 0), (MAX_READ, 0)), [], "one of a byte less")
    same([s.ask("read", n, size, at) for n, size, at in (
        (big, MAX_READ + 1, 0), (big, 10, -1), (item(image, "dir"), 10, 0), (ITEM | 999, 10, 0), (9, 10, 0),
        (item(image, "empty"), 10, 0))], ["EINVAL", "EINVAL", "EISDIR", "EIO", "EISDIR", b""],
        "what can't be read, and what is empty")
    stream = item(image, "f") | STREAM
    same(reads(s, stream, SECOND, (MAX_READ, 0), (SPLICED, 299999 - SPLICED), (100, 299990), (100, 300000)), [],
         "a stream")
    same([s.ask("read", n, 10, 0) for n in (stream | 1 << 32, big | STREAM)], ["EIO"] * 2,
         "a stream that there isn't")
    line = "spliced " if splices else "bytes "
    s.process.stdin.write(b"read %d %d 5\n" % (big, SPLICED))
    s.process.stdin.flush()
    same(s.process.stdout.readline()[:len(line)].decode(), line, "16 KiB are an answer " + line)
    s.process.stdin.write(b"read %d %d 5\n" % (big, SPLICED - 1))
    s.process.stdin.flush()
    same(s.process.stdout.readline()[:6].decode(), "bytes ", "less is copied")

for name, fault, n in (("no pipe", "pipe", errno.EMFILE), ("a pipe of 64 KiB", "pipesize", 65536),
                       ("a pipe of one page", "pipesize", PAGE), ("a user's pipes", "user", 1),
                       ("no place for a thread's buffer", "key", errno.ENOMEM)):
    t = Server(image)
    t.ask("init", 0xffffffff)
    t.ask("set", fault, n)
    if fault == "key":
        same([t.ask("read", big, 10, 0) for _ in range(3)], ["ENOMEM"] * 3, name + ": ENOMEM")
        t.ask("set", fault, 0)
    same(reads(t, big, BIG, *EDGES), [], name + ": reads all the same")
    t.end()
# What is cut, or left in the pipe, must not become the beginning of the next answer.
for turn in (0, 1, PAGE, SPLICED, 65536 - 1):
    s.ask("set", "splice", turn)
    got = s.ask("read", big, 65536, 4096)
    s.ask("set", "splice", -1)
    same((got == BIG[4096:4096 + 65536], reads(s, second, SECOND, *OWN)), (True, []),
         "a file's pages end after %d bytes: read instead; the next file has its own bytes" % turn)
for leave in (1, PAGE, 65536):
    s.ask("set", "data", leave)
    s.ask("read", big, 65536, 4096)
    s.ask("set", "data", 0)
    same(reads(s, second, SECOND, *OWN), [], "%d bytes of an answer were not taken: the next one has its own" % leave)
    s.ask("set", "data", leave)
    s.ask("set", "unsent", errno.EIO)
    same(s.ask("read", big, 65536, 4096), "EIO", "an answer that fails is answered once")
    s.ask("set", "data", 0)
    s.ask("set", "unsent", 0)
    same(reads(s, second, SECOND, *OWN), [], "and what it left of %d bytes is no part of the next" % leave)
s.ask("set", "ioctl", errno.ENOTTY)
same(reads(s, second, SECOND, *OWN), [], "nobody can tell what is left: reads all the same")
s.ask("set", "ioctl", 0)
check(without_memory("reading", s.failing("read", big, 65536, 0)), "reading: is told")

# ---- where data and holes are ----

for n, size in (("big", 700000), ("pe", 200000), ("sparse", 1 << 20)):
    node, hole = item(image, n), n == "sparse"
    same([s.ask("lseek", node, o, w) for w in (DATA, HOLE) for o in (5, size - 1, size, size + 1, -1)],
         (["ENXIO"] * 2 if hole else ["at 5", "at %d" % (size - 1)]) + ["ENXIO"] * 3 +
         (["at 5", "at %d" % (size - 1)] if hole else ["at %d" % size] * 2) + ["ENXIO"] * 3, "data and holes of " + n)
same([s.ask("lseek", item(image, "empty"), 0, w) for w in (DATA, HOLE)], ["ENXIO"] * 2, "an empty file has none")
for error, at in ((errno.EINVAL, "at 5"), (errno.ENXIO, "ENXIO")):
    s.ask("set", "seek", error)
    same([s.ask("lseek", big, 5, w) for w in (DATA, HOLE)], [at, "at 700000"],
         "a region file answers %s: data %s, and the end is a hole" % (errno.errorcode[error], at))
s.ask("set", "seek", 0)
same([s.ask("lseek", n, 0, DATA) for n in (item(image, "dir"), ITEM | 999, LABEL, CIOPFS, 9)],
     ["EISDIR", "EIO", "ENXIO", "ENXIO", "ENXIO"], "nothing to seek in")
s.end()

# ---- opening ----

s = Server(image)
for capable, answers in ((0, ["open keep_cache=1 cache_readdir=0", "open keep_cache=1 cache_readdir=1"]),
                         (1 << 17, ["ENOSYS", "open keep_cache=1 cache_readdir=1"]),
                         (1 << 24, ["open keep_cache=1 cache_readdir=0", "ENOSYS"])):
    s.ask("init", capable)
    same([s.ask("open", big, os.O_RDONLY), s.ask("opendir", ROOT)], answers,
         "the kernel can do %#x: open and opendir" % capable)
    same([s.ask("open", big, f) for f in (os.O_WRONLY, os.O_RDWR)], ["EROFS"] * 2, "and nothing is written")
WANTED = sum(1 << n for n in (0, 4, 7, 13, 17, 18, 23, 24))
same([s.ask("init", c) for c in (0xffffffff, 1 << 7)],
     ["init want=%#x splices=1 no_open=1 no_opendir=1 max_read=0 max_write=262144 gran=100" % WANTED,
      "init want=0x80 splices=1 no_open=0 no_opendir=0 max_read=0 max_write=262144 gran=100"],
     "what is agreed with the kernel")
s.end()
s = Server(image, "max_read=65536")
check(" max_read=65536 " in s.ask("init", 0), "max_read is agreed as it was mounted with")
s.end()

# ---- nodes, names and listings ----

LONG = "x" * 250
image = Image(Dir({
    "a": Dir({"b": Dir({"c": Dir({"deep": File(b"deep")})}), "f": File(b"f")}),
    "f": File(b"content", streams={"s": Stream(b"stream"), "t": Stream(b"T")}),
    "hard": Link("f"), "link": File(reparse=make_symlink("f")), "dir link": Dir({}, reparse=make_symlink("a")),
    "dir link 2": Dir({"below": Dir({})}, reparse=junction("\\??\\C:\\a")), "again": Link("link"),
    LONG: File(b"long", streams={"y" * 250: Stream(b"longer")}),
    "\uf02ea\uf02fb": File(b"as stored"), "\uf02e": File(b"a dot"), "s\uf02fq": File(b"q"),
    "two:three": File(b"colon"),
}, streams={"r": Stream(b"root's")}))
for content in image.files.values():  # the builder itself knows '/' as separator only
    for old, new in (("\uf02ea\uf02fb", "\uf02ea/b"), ("s\uf02fq", "s/q")):
        where = content.find(old.encode("utf-16-le"))
        if where >= 0:
            content[where:where + 2 * len(new)] = new.encode("utf-16-le")
s = Server(image)
f, a, b, c, top = (item(image, n) for n in ("f", "a", "a/b", "a/b/c", ""))
same([s.ask(q, n) for n in (0, LABEL, SERIAL, CIOPFS, 5, 9, 1 << 62) for q in ("getattr", "readlink")],
     ["ENOENT", "EINVAL"] * 7, "numbers that stand for nothing here, though some do in other mounts")
same([s.ask("read", n, 10, 0) for n in (LABEL, SERIAL, CIOPFS)], [b""] * 3, "and have no text")
same([s.ask("getattr", n) for n in (ITEM, ITEM | 999)], ["ENOENT", "EIO"], "FileIDs that there aren't")
found = s.facts(f)
same([found[k] for k in ("ino", "nlink", "size", "mode", "blocks")], [str(f & ~ITEM), "2", "7", "100644", "1"],
     "a file with two names")
same([(s.facts(item(image, n))["nlink"], s.facts(item(image, n))["mode"])
      for n in ("link", "dir link", "dir link 2", "a", "a/b/c")],
     [("2", "120777"), ("1", "120777"), ("1", "120777"), ("3", "40755"), ("2", "40755")],
     "link counts and modes: of a link with two names, of links of directories, of directories")
found = s.facts(f | STREAM | 1 << 32)
same([found[k] for k in ("ino", "size", "mode", "nlink")], [str((f | STREAM | 1 << 32) & ~ITEM), "1", "100644", "1"],
     "a stream")
same([s.ask("getattr", n | STREAM | 7 << 32) for n in (f, a)], ["ENOENT"] * 2, "no such stream")
OF = dict({n: n for n in image.root.entries}, hard="f", again="link")
ref = {n: s.lookup(ROOT, n) for n in ("a", "f", "hard", "link")}
same(ref, {n: item(image, OF[n]) for n in ref}, "names lead to their items")
same(s.lookup(b, "c"), c, "at any depth")
same([s.lookup(*q) for q in (
    (ROOT, "none"), (ROOT, "A"), (ROOT, ".ciopfs"), (ROOT, ".windows-label"), (ROOT, "root"), (f, "x"),
    (f | STREAM, "x"), (LABEL, "x"), (ITEM | 999, "x"), (ROOT, "z" * 256), (ROOT, b"\xff"), (ROOT, "f:none"),
    (ROOT, ":r:$X"), (ROOT, "f:"), (ROOT, "a::$DATA"))],
    [0] * 5 + ["ENOTDIR"] * 2 + [0, "EIO", "ENAMETOOLONG"] + [0] * 5, "what there isn't")
same([s.lookup(ROOT, n) for n in ("f:s", "F:s", "f:T:$data", ":r", ":r:$DATA", "f::$DATA", "two:three")],
     [f | STREAM] * 2 + [f | STREAM | 1 << 32] + [top | STREAM] * 2 + [f, item(image, "two:three")],
     "streams by name, and an item with such a name")
same([s.lookup(ROOT, LONG + ":" + n) for n in ("Y" * 250, "y" * 249, "y" * 256)], [item(image, LONG) | STREAM, 0, 0],
     "by names longer than one may be")
same([s.lookup(ROOT, n) for n in ("\uf02ea\uf02fb", "s\uf02fq", "\uf02e", "\uf02ea", "s/q")],
     [item(image, n) for n in ("\uf02ea\uf02fb", "s\uf02fq", "\uf02e")] + [0, item(image, "s\uf02fq")],
     "names with characters that stand for others")
same([s.lookup(n, ".") for n in (ROOT, b, f, f | STREAM, 9)], [ROOT, b, f, f | STREAM, 0], "by number alone")
same([s.lookup(n, "..") for n in (c, a, top, ROOT, f, f | STREAM, LABEL, ITEM | 999)],
     [b, ROOT, ROOT, ROOT, "EIO", "ENOTDIR", "ENOTDIR", "EIO"], "what a directory is in")
same([s.ask("depth", image.items[n].id) for n in ("", "a", "a/b", "a/b/c", "a/b", "a/b/c")],
     ["depth %d" % n for n in (0, 1, 2, 3, 2, 3)], "how deep a directory lies")
same([s.ask("readlink", n) for n in (f, a, f | STREAM, LABEL, ITEM | 999)], ["EINVAL"] * 4 + ["EIO"],
     "what is no link")
names = s.list(ROOT, 65536)
same(sorted(n[0] for n in names), sorted([".", ".."] + list(image.root.entries)), "a listing has all names")
same([n[4] for n in names], [str(i + 1) for i in range(len(names))], "each with the place of the next")
same({n[0]: int(n[2]) for n in names[2:]}, {n: image.items[OF[n]].id for n in image.root.entries},
     "and its item's number")
same([n[2] for n in names[:2]], [str(image.items[""].id)] * 2, "its own for . and, for want of better, for ..")
for how in ("readdir", "readdirplus"):
    whole = s.list(ROOT, 65536, how=how)
    sizes = [len("\t".join(n).encode()) + 1 for n in whole]
    same([s.list(ROOT, n, how=how) for n in (sum(sizes), sum(sizes) - 1, sizes[0], sizes[0] - 1)],
         [whole, whole[:-1], whole[:1], []], how + ": as much as the buffer has room for")
    same([s.list(ROOT, 65536, o, how) for o in range(len(whole) + 2)], [whole[o:] for o in range(len(whole) + 2)],
         how + ": from any place on")
    same([s.list(n, 65536, 2, how) for n in (f, f | STREAM, LABEL, 9)] + [s.list(ROOT, 65536, -1, how)],
         ["ENOTDIR"] * 5, how + ": what is no directory, and no place in one")
same({n[0]: int(n[1]) for n in s.list(ROOT, 65536, how="readdirplus")},
     dict({n: item(image, OF[n]) for n in image.root.entries}, **{".": 0, "..": 0}),
     "readdirplus: each with its node")
for question in (("lookup", ROOT, hexed("f:s")), ("lookup", ROOT, hexed("link")), ("getattr", item(image, "link")),
                 ("readlink", item(image, "link")), ("getattr", f)):
    without_memory("%s %s" % question[:2], s.failing(*question))
for question in (("readdir", ROOT, 65536, 0), ("readdirplus", a, 65536, 0)):
    # (What has no attributes at the moment shows by its name alone.)
    answers = [n if isinstance(n, str) else [e[0] for e in entries(n)] for n in s.failing(*question)]
    check(without_memory(question[0], answers), question[0] + ": is told")
s.end()
s = Server(image, "nlink=1")
same([s.facts(n)["nlink"] for n in (f, a, item(image, "link"), top)], ["1"] * 4, "nlink=1")
s.end()
s = Server(image)
s.ask("set", "alloc", 1)
same([s.facts(n)["nlink"] for n in (f, a, top)], ["1"] * 3, "no memory to count links: all are 1")
same(sum("links can't be counted" in line for line in s.end()), 1, "and the log tells")
s = Server(image, "ignore_case,streams_interface=windows")
spelt = [s.lookup(ROOT, n) for n in ("a", "A", "F", "LINK", "HARD")]
same([n & 0xffffffff for n in spelt], [image.items[n].id for n in ("a", "a", "f", "link", "f")],
     "ignore_case finds other spellings")
same((spelt[0] == a, spelt[1] == a, spelt[2] == f), (True, False, True),
     "the other spelling of a directory is a node of its own, of a file it isn't")
nested = [s.lookup(a, n) for n in ("b", "B", "B")]
same((nested[0], nested[1] == b, nested[1] == nested[2]), (b, False, True), "of any directory, and always the same")
same([s.facts(n)["ino"] for n in spelt[:2]], [str(image.items["a"].id)] * 2, "with one inode number")
same((s.lookup(spelt[1], "F"), s.lookup(spelt[1], "..")), (item(image, "a/f"), ROOT), "it is that directory")
same([s.lookup(n, ".ciopfs") for n in (ROOT, spelt[1])], [CIOPFS] * 2, "where Wine is told that case doesn't matter")
same([s.ask("read", CIOPFS, 10, o) for o in (0, 1)], [b""] * 2, "by an empty file")
found = s.facts(CIOPFS)
same([found[k] for k in ("mode", "size", "nlink")], ["100444", "0", "1"], "that nobody can write")
s.end()
s = Server(Image(Dir({"abcdefgh": Dir({})})), "ignore_case")
spellings = ["".join(c.upper() if n >> i & 1 else c for i, c in enumerate("abcdefgh")) for n in range(256)]
same(len({s.lookup(ROOT, n) for n in spellings}), 256, "256 spellings of a directory are as many nodes")
s.end()

# ---- what is broken ----

image = Image(Dir({"dir": Dir({"in": File(b"in")}), "lost": File(b"l"), "good": File(b"g"),
                   "link": File(reparse=make_symlink("good")), "data": File(pattern(4, 20000)),
                   "sd": File(b"s", sd=SD), "empty": File(b"", reparse=OTHER),
                   "stream": File(b"", streams={"s": Stream(b"s")})}))
image.poke("links:dir", 0, "I", 0xffffffff)
image.poke("links:", image.value_of("", "lost"), "I", 0x7fffffff)
image.poke("reparse:empty", 0, "H", 0)
image.poke("streams:stream", 16, "Q", 7 << 48 | 1)  # of no type
for record, field in (("link", 72), ("sd", 56)):
    image.poke("record:" + record, field, "Q", 99 << 48)
image.truncate("data:data", 30)
s = Server(image)
directory = item(image, "dir")
same(([n[0] for n in s.list(directory, 65536)], s.list(directory, 65536, 2)), ([".", ".."], "EIO"),
     "a bad link table: an error behind the first entries waits for the next question")
same([n[:3] for n in s.list(ROOT, 65536, how="readdirplus") if n[0] == "lost"], [("lost", "0", str(0x7fffffff))],
     "a bad FileID is listed by its name and number alone")
same([s.lookup(ROOT, "lost"), s.lookup(ROOT, "link"), s.ask("readlink", item(image, "link")),
      s.lookup(directory, "in"),
      s.get(item(image, "sd"), "system.ntfs_acl", 65536), s.ask("read", item(image, "data"), 20000, 0),
      s.get(item(image, "stream"), "user.s", 10)],
     ["EIO"] * 7, "EIO for what can't be read")
same(s.ask("read", item(image, "good"), 10, 0), b"g", "the rest is there")
s.end()

s = Server(image, "reparse=wine")
same(s.get(item(image, "empty"), "user.WINEREPARSE", 65536), "EIO", "nor are no reparse data what an item says to have")
s.end()

# Directories whose records don't tell what they are in, in an image that can't be walked.
for broken, want in ((False, "depth 2"), (True, "EIO")):
    image = Image(Dir({"a": Dir({"b": Dir({"l": File(reparse=make_symlink("\\x"))}, id=3)}, id=1025)}),
                  entry_sizes={0: 88, 1: 88})
    if broken:
        image.poke("links:", 0, "I", 0xffffffff)
    s = Server(image, "nlink=1")
    same([s.ask("depth", 3) for _ in range(2)], [want] * 2,
         "parents that no record tells, where the root's table is %s" % ("bad" if broken else "good"))
    above = s.lookup(ITEM | 3, "..")
    lines = [line for line in s.end() if line == "file 3: its parents don't lead to the root"]
    same((above, len(lines)), ("EIO", 1) if broken else (ITEM | 1025, 0), "and so it is above it, which the log tells")
    if not broken:
        s = Server(image, "nlink=1")
        check(without_memory("parents", s.failing("depth", 3)), "parents: is told")
        s.end()
image = Image(Dir({"a": Dir({"b": Dir({}, parent=3, id=3)}), "orphan": Dir({}, parent=77)}))
s = Server(image)
orphan = image.items["orphan"].id
same([s.ask("depth", n) for n in (3, 3, orphan)], ["EIO"] * 3, "parents that don't lead to the root")
lines = s.end()
check(any("file 3: its parents" in line for line in lines) and len(lines) > 1, "which the log tells of each", lines)
image = Image(Dir({"a": Dir({"b": Dir({}, id=3)}, id=1025), "bad": Dir({"x": File(b"x")})}),
              entry_sizes={0: 88, 1: 88})
image.poke("links:bad", 0, "I", 0xffffffff)
s = Server(image, "nlink=1")
same(s.ask("depth", 3), "depth 2", "parents that no record tells, beside what can't be read")
check(len(s.end()) == 1, "which the log tells", log())

# ---- times ----

for t in (-1, -9999999, -10000000, -10000001, 0, 1, 9999999, 10000000, EPOCH - 1, EPOCH, EPOCH + 1, -EPOCH, 1 << 62):
    image = Image(Dir({"f": File(b"", times=(0, t % (1 << 64), 0, 0))}))
    s = Server(image)
    seconds, nanos = s.facts(item(image, "f"))["mtime"].split(".")
    same(int(seconds) * NS + int(nanos), (t - EPOCH) * 100, "the file time %d, in seconds and parts of one" % t)
    s.end()

# ---- what links lead to ----

VOLUME = "Volume{%s}" % GUID
ELSEWHERE = "Volume{11111111-2222-3333-4444-5555555555AA}"
LONGEST = "/".join(["d" * 95] + ["d" * 99] * 40)  # as Linux knows
NONE = [None] * 3
LINKS = [  # target, relative; by hand in the root and two levels down, as a volume of Wine's two levels down
    ("f", 1, "f", "f", "f"),
    (".\\f", 1, "f", "f", "f"),
    ("a\\\\b\\.\\c", 1, "a/b/c", "a/b/c", "a/b/c"),
    ("..\\f", 1, "f", "../f", "../f"),
    ("..\\..\\..\\f", 1, "f", "../../f", "../../f"),
    ("a\\..\\..\\..\\..\\f", 1, "a/../f", "a/../../../f", "a/../../../f"),
    (".", 1, ".", ".", "."),
    ("..", 1, ".", "..", ".."),
    ("\\", 1, ".", "../..", "../.."),
    ("\\f", 1, "f", "../../f", "../../f"),
    ("\\..\\f", 1, "f", "../../f", "../../f"),
    ("\\a\\..\\..\\f", 1, "a/../f", "../../a/../f", "../../a/../f"),
    ("...\\f", 1, ".../f", ".../f", ".../f"),
    (".x\\..y", 1, ".x/..y", ".x/..y", ".x/..y"),
    ("x.\\y.", 1, "x./y.", "x./y.", "x./y."),
    ("a/b", 1, "a\uf02fb", "a\uf02fb", "a\uf02fb"),
    ("\\??\\C:\\a\\f", 0, "a/f", "../../a/f", DOS + "/c:/a/f"),
    ("\\??\\c:\\a\\f", 0, "a/f", "../../a/f", DOS + "/c:/a/f"),
    ("\\\\?\\Z:\\a", 0, "a", "../../a", DOS + "/z:/a"),
    ("C:\\a", 0, "a", "../../a", DOS + "/c:/a"),
    ("\\??\\C:\\", 0, ".", "../..", DOS + "/c:"),
    ("\\??\\C:", 0, ".", "../..", DOS + "/c:"),
    ("\\??\\C:\\..\\x", 0, "x", "../../x", DOS + "/c:/../x"),
    ("\\??\\C:a", 0, *NONE),
    ("\\??\\C;\\a", 0, *NONE),
    ("\\??\\1:\\a", 0, *NONE),
    ("\\??\\\u0130:\\a", 0, *NONE),
    ("\\??\\" + VOLUME + "\\a\\f", 0, "a/f", "../../a/f", "../../a/f"),
    ("\\??\\" + VOLUME.upper() + "\\f", 0, "f", "../../f", "../../f"),
    ("\\\\?\\" + VOLUME.lower() + "\\f", 0, "f", "../../f", "../../f"),
    (VOLUME + "\\f", 0, "f", "../../f", "../../f"),
    ("\\??\\" + VOLUME + "\\", 0, ".", "../..", "../.."),
    ("\\??\\" + VOLUME, 0, ".", "../..", "../.."),
    ("\\??\\" + VOLUME + "x", 0, *NONE),
    ("\\??\\" + VOLUME[:-1], 0, *NONE),
    ("\\??\\" + VOLUME[:-2] + "}\\f", 0, *NONE),
    ("\\??\\" + VOLUME[:-2] + "x}\\f", 0, *NONE),
    ("\\??\\" + VOLUME[:-2] + "\u0130}\\f", 0, *NONE),
    ("\\??\\" + VOLUME[:-1] + "]\\f", 0, *NONE),
    ("\\??\\" + ELSEWHERE + "\\f", 0, "f", "../../f", DOS + "/" + ELSEWHERE.lower() + "/f"),
    ("\\??\\UNC\\srv\\share\\f", 0, "//srv/share/f", "//srv/share/f", DOS + "/unc/srv/share/f"),
    ("\\??\\unc\\srv\\share", 0, "//srv/share", "//srv/share", DOS + "/unc/srv/share"),
    ("\\\\?\\UNC\\srv\\share\\d\\..\\f", 0, "//srv/share/d/../f", "//srv/share/d/../f",
     DOS + "/unc/srv/share/d/../f"),
    ("\\??\\UNC", 0, *NONE),
    ("\\Device\\Null", 0, *NONE),
    ("\\??", 0, *NONE),
    ("\\??\\", 0, *NONE),
    ("\\??\\GLOBALROOT\\x", 0, *NONE),
    ("a\0b", 1, *NONE),
    ("\0b", 1, *NONE),
    ("\\??\\C:\\a\0", 0, *NONE),
    ("x" * 255, 1, *["x" * 255] * 3),
    ("x" * 256, 1, *NONE),
    (LONGEST.replace("/", "\\"), 1, *[LONGEST] * 3),
    ("d" + LONGEST.replace("/", "\\"), 1, *NONE),
    ("\u6f22\\\ud800", 1, *["\u6f22/\ud800"] * 3),
]


def symlink(target, relative):
    raw = target.encode("utf-16-le", "surrogatepass")
    return make_reparse(0xA000000C, struct.pack("<HHHHI", 0, len(raw), len(raw), 0, relative) + raw)


def linked():
    return {"l%d" % n: File(reparse=symlink(*link[:2])) for n, link in enumerate(LINKS)}


def leads_to(server, directory, name, target, want):
    node = server.lookup(directory, name)
    want = want and want.encode("utf-8", "surrogatepass")
    same((server.ask("readlink", node), server.facts(node)["size"]),
         ("link " + want.decode("utf-8", "replace"), str(len(want))) if want else ("EINVAL", "0"),
         "%s: %a" % (name, target[:70]))


image = Image(Dir(dict(linked(), a=Dir({"b": Dir(linked())}))))
for volume in (None, GUID):
    s = Server(image, volume=volume)
    for n, (target, _, in_root, below, in_volume) in enumerate(LINKS):
        # (In a volume's root as by hand, but for what leads to other drives.)
        apart = in_volume and in_volume.startswith(DOS)
        leads_to(s, item(image, "") if volume else ROOT, "l%d" % n, target,
                 in_volume if volume and apart else in_root)
        leads_to(s, item(image, "a/b"), "l%d" % n, target, in_volume if volume else below)
    s.end()


def names_at(offset, length, raw):
    return make_reparse(0xA000000C, struct.pack("<HHHHI", offset, length, 0, 0, 1) + raw)


image = Image(Dir({"a": Dir({
    "junction": Dir({}, reparse=junction("\\??\\C:\\f")), "plain": Dir({}, reparse=junction("\\f")),
    "none": File(reparse=symlink("", 1)), "odd": File(reparse=names_at(0, 3, b"abc")),
    "beyond": File(reparse=names_at(2, 2, b"a\0")), "last": File(reparse=names_at(2, 2, b"a\0f\0")),
    "tag": File(reparse=symlink("f", 1), tag=0x80000017), "no tag": File(b"", reparse=OTHER, tag=0xA000000C)})}))
s = Server(image)
same({n: s.ask("readlink", s.lookup(item(image, "a"), n)) for n in image.items["a"].entries},
     dict(dict.fromkeys(image.items["a"].entries, "EINVAL"), junction="link ../f", last="link f"),
     "junctions lead somewhere by a full path alone; reparse data that are no link")
s.end()

# ---- a volume of Wine's ----

for name, label in (("layer.cim", "layer.cim"), ("x" * 32, "x" * 32), ("x" * 33, "x" * 32),
                    ("x" * 31 + "ü", "x" * 31),
                    ("x" * 30 + "ü", "x" * 30 + "ü"), ("ü" * 16 + "x", "ü" * 16), ("漢" * 11, "漢" * 10),
                    ("x" + "😀" * 8, "x" + "😀" * 7)):
    s = Server(Image(Dir({"f": File(b"f")}), name=name), volume=GUID)
    text = label.encode() + b"\n"
    same((s.lookup(ROOT, ".windows-label"), s.ask("read", LABEL, 1000, 0), s.facts(LABEL)["size"]),
         (LABEL, text, str(len(text))), "the label of %a: 32 bytes, and no half of a character" % name)
    s.end()
image = Image(Dir({"f": File(b"f"), "dir": Dir({})}), name="layer.cim")
s = Server(image, volume=GUID)
top, directory = item(image, ""), item(image, "dir")
same([s.ask("read", LABEL, 4, o) for o in (0, 6, 7, 9, 10, 11)], [b"laye", b"cim\n", b"im\n", b"\n", b"", b""],
     "the label piece by piece")
same([s.ask("read", SERIAL, 100, 0)] +
     [s.lookup(n, ".windows-" + w) for w in ("serial", "label") for n in (ROOT, top, directory)] + [s.lookup(top,
         ".ciopfs")],
     [b"01234567\n", SERIAL, SERIAL, 0, LABEL, LABEL, 0, 0],
     "label and serial number in the root, above it, and nowhere else")
same([s.lookup(*q) for q in ((ROOT, "root"), (ROOT, "f"), (top, "f"), (top, "root"), (top, ".."), (ROOT, ".."),
                             (directory, ".."), (ROOT, "."))],
     [top, 0, item(image, "f"), 0, ROOT, "ENOTDIR", top, ROOT], "the mount's root holds the image's")
same([[n[0] for n in s.list(ROOT, 65536, o)] for o in range(4)], [[".", "..", "root"], ["..", "root"], ["root"], []],
     "and lists it")
same((s.list(ROOT, 65536, how="readdirplus")[2][1], s.list(ROOT, 65536)[2][4]), (str(top), "3"), "by its node")
found = s.facts(ROOT)
same((found["mode"], found["nlink"], int(found["ino"])), ("40755", "3", (1 << 62) + ROOT), "it is in no image")
found = s.facts(LABEL)
same((found["mode"], found["nlink"], int(found["ino"])), ("100444", "1", (1 << 62) + LABEL), "nor are those files")
same([s.ask(q, ROOT, 100, 0) for q in ("read", "listxattr", "readlink")] + [s.get(ROOT, "user.x", 10)],
     ["EISDIR", b"", "EINVAL", "ENOSYS"], "with nothing else in it")
s.end()
s = Server(image, "nlink=1,dmask=077,fmask=0377", GUID)
same([s.facts(ROOT)["nlink"], s.facts(ROOT)["mode"], s.facts(LABEL)["mode"]], ["1", "40700", "100400"],
     "masks are for these too")
s.end()
for tree, options, volume, want in (
        (Dir({"f": File(b"f")}), "", GUID, "ENOSYS"), (Dir({"f": File(b"f")}), "", None, "ENODATA"),
        (Dir({"f": File(b"f", reparse=OTHER)}), "", GUID, "ENOSYS"),
        (Dir({"f": File(b"f", reparse=OTHER)}), "reparse=wine", GUID, "ENODATA"),
        (Dir({"f": File(b"f", flags=SYSTEM)}), "", GUID, "ENODATA"), (Dir({"f": File(b"f", flags=1)}), "", GUID,
            "ENOSYS"),
        (Dir({"f": File(b"f"), "last": File(b"", id=1024, flags=HIDDEN)}), "", GUID, "ENODATA"),
        (Dir({"f": File(b"f")}, id=1, flags=HIDDEN), "", GUID, "ENODATA"),
        (Dir({"f": File(b"f"), "last": File(b"", id=1025, flags=HIDDEN)}), "", GUID, "ENODATA")):
    image = Image(tree)
    s = Server(image, options, volume)
    same([s.get(item(image, "f"), "user.x", 10) for _ in range(2)], [want] * 2,
         "whether attributes are worth asking for: %s %s, %s" % (sorted(tree.entries), options, want))
    s.end()

# ---- the file system as a whole ----

image = Image(Dir({"f": File(pattern(5, 9000))}))
where = os.path.join(TMP, "sized")
path = image.write(where)


def size_of_regions():
    return sum(os.path.getsize(os.path.join(where, n)) for n in image.region_files)


for more in (0, -size_of_regions() % 4096, 1):
    image.files[image.region_files[1]] += bytes(more)
    path = image.write(where)
    for options, most in (("", 765), ("reparse=wine", 766)):
        s = Server(path, options)
        same([s.ask("statfs", ROOT) for _ in range(2)],
             ["statfs bsize=4096 frsize=4096 blocks=%d files=1024 namemax=%d" % ((size_of_regions() + 4095) // 4096,
                 most)] * 2,
             "region files of %d bytes %s" % (size_of_regions(), options))
        s.end()

# ---- the log ----

s = Server(image)
for _ in range(5):
    s.ask("log", hexed("the same"))
s.ask("log", hexed("other\nline\x1b[31m \u009b"))
s.ask("log", hexed("the same"))
same(log(), ["the same", "other?line?[31m ??", "the same"],
     "the same twice in a row is told once, and one line is one line")
for n in range(30):
    s.ask("log", hexed("line %d" % n))
same(log()[3:], ["line %d" % n for n in range(17)], "20 lines in a minute")
s.ask("set", "clock", 58)
s.ask("log", hexed("early"))
s.ask("set", "clock", 60)
s.ask("log", hexed("late"))
same(log()[20:], ["18 more messages were left out", "late"], "then how many more there were")
s.ask("set", "clock", 130)
s.ask("log", hexed("late"))
same(log()[22:], ["late"], "the same is told again in the next minute, and nothing was left out")
s.ask("log", hexed("x" * 700))
with open(LOG, "rb") as file:
    raw = file.read()
same((log()[23:], raw[-1:]), (["x" * 599], b"\n"), "a line has its end, however long it is")
check(re.fullmatch(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ cimfs-mount: [^\n]*\n)+", raw), "each line has its time",
      raw[:200])
same({n: s.ask("status", n) for n in range(20)},
     dict.fromkeys(range(20), "EIO") | {0: "0", 3: "ENOMEM", 5: "ENOENT", 6: "ENOTDIR"},
     "what a status is as an errno")
s.end()
done()
