#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimfs-mount by hand: what is seen through a mount, and how it begins and ends."""

import ctypes
import errno
import fcntl
import glob
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import threading

from mounttest import (BUILD, CIMTOOL, SERVER, TMP, check, done, error_of, faults, in_containers, junction, mark_of,
                       mount, mounts, need_server, new_image, no_fuse, read, run, same, servers, skip, tool, tree,
                       umount, wait_until)
from imagebuilder import (Dir, File, Image, Link, NULL_DACL, Sparse, Stream, make_ea, make_reparse,
                          make_sd, make_symlink)

need_server()
READONLY, HIDDEN, SYSTEM, ARCHIVE = 1, 2, 4, 8
T1601, T2024, T3000 = 0, 133500000001234567, 441481536000000000
EPOCH = 116444736000000000
MNT = os.path.join(TMP, "mnt")
LARGE = bytes(range(251)) * 6000


def at(*parts):
    return os.path.join(MNT, *parts)


def refused(name, code, words, *command, **more):
    """A command that fails with one line that holds all the words."""
    result = run(command, **more)
    lines = result.errors.splitlines()
    check(result.code == code and len(lines) == 1 and all(w in lines[0] for w in words),
          "%s: exit code %d, one clear line" % (name, code), result)
    check(not mounts(), "%s: nothing is mounted" % name, mounts())


# ---- before the mount (needs no FUSE) ----

plain = Image(Dir({"a.txt": File(b"hello")}), name="plain.cim").write(os.path.join(TMP, "plain"))
os.makedirs(MNT)
os.makedirs(os.path.join(TMP, "full", "x"))
with open(os.path.join(TMP, "junk.cim"), "wb") as junk:
    junk.write(b"not an image" * 100)
future = Image(Dir({}), name="f.cim", version=(9, 0)).write(os.path.join(TMP, "future"))
refused("missing image", 1, ["No such file"], SERVER, os.path.join(TMP, "no.cim"), MNT)
refused("a name that would play tricks", 1, ["/no??????.cim"], SERVER,
        os.fsencode(TMP) + b"/no\x1b\n\xc2\x9b\x9b\x7f.cim", MNT)
refused("a directory as image", 1, ["a directory"], SERVER, TMP, MNT)
for within in ("/a.txt", "/", "/dir/x"):
    refused("a path in an image", 1, ["%s is an image, which is mounted as a whole: %s is a path in it" % (plain, within)], SERVER,
            plain + within, MNT)
blocks = [n for n in ("/dev/vda", "/dev/sda", "/dev/loop0", "/dev/nvme0n1") if os.path.exists(n)]
if blocks:
    refused("a device", 1, ["device", "loop"], SERVER, blocks[0], MNT)
else:
    skip("a device", "there is none here")
refused("no image at all", 4, ["junk.cim"], SERVER, os.path.join(TMP, "junk.cim"), MNT)
refused("unknown version", 5, ["f.cim"], SERVER, future, MNT)
for name, size, words in (("missing", None, "missing"), ("10 bytes long", 10, "shorter than its header")):
    half = Image(Dir({"a.txt": File(b"hello"), "b": File(b"b" * 9000)}), name="half.cim")
    half = half.write(os.path.join(TMP, "half-%s" % size))
    if in_containers():  # which is whole, or isn't opened
        break
    for region in glob.glob(os.path.join(os.path.dirname(half), "region_*_2")):
        if size is None:
            os.unlink(region)
        else:
            os.truncate(region, size)
        refused("a region file " + name, 4, ["half.cim", os.path.basename(region), words], SERVER, half, MNT)
        refused("a region file %s, with -o fake" % name, 4, [words], os.path.join(BUILD, "mount.cimfs"),
                half, MNT, "-f")
refused("missing mount point", 1, ["No such file"], SERVER, plain, os.path.join(TMP, "nodir"))
refused("mount point a file", 1, ["not a directory"], SERVER, plain, os.path.join(TMP, "junk.cim"))
refused("mount point not empty", 1, ["not empty"], SERVER, plain, os.path.join(TMP, "full"))
refused("an image without a name", 1, ["open image ''"], SERVER, "", MNT)
refused("a mount point without a name", 1, ["mount on ''"], SERVER, plain, "")
os.mkfifo(os.path.join(TMP, "pipe"))
refused("a pipe as image", 1, ["not a regular file"], SERVER, os.path.join(TMP, "pipe"), MNT)
refused("unknown option", 2, ["bogus"], SERVER, plain, MNT, "-o", "bogus")
for option, good, bad in (("uid", ["0", "4294967294"], ["4294967295", "x", "", "-1", "1x"]),
                          ("gid", ["0"], ["4294967295", "0x1"]),
                          ("umask", ["0", "777"], ["1000", "8", ""]), ("fmask", ["777"], ["1000"]),
                          ("dmask", ["0777"], ["1000"]),
                          ("max_read", ["4096", "1048576"], ["1048577", "4k"]),
                          ("nlink", ["1", "exact"], ["2", "", "exac", "exact1"]),
                          ("streams_interface", ["none", "windows", "xattr", "both"], ["no", "windows|xattr"])):
    for value in bad:
        refused("-o %s=%s" % (option, value), 2, [option], SERVER, plain, MNT, "-o", "ro,%s=%s" % (option, value))
    for value in good:
        same(run([os.path.join(BUILD, "mount.cimfs"), plain, MNT, "-f", "-o", "%s=%s,ro" % (option, value)]).code, 0,
             "-o %s=%s is taken" % (option, value))
for option in ("uid", "log", "nlink", "ro=1", "ignore_case=1"):
    refused("-o " + option, 2, [option.split("=")[0]], SERVER, plain, MNT, "-o", option)
same(run([os.path.join(BUILD, "mount.cimfs"), plain, MNT, "-f", "-s", "-o", "bogus,x-y=1,X-z"]).code, 0,
     "mount.cimfs -s passes over what is unknown")
refused("mount.cimfs without -s", 2, ["bogus", "mount.cimfs -h"], os.path.join(BUILD, "mount.cimfs"), plain, MNT,
        "-f", "-o", "bogus")
for words in (["--help"], ["--version"]):
    with open("/dev/full", "wb") as nowhere:
        end = subprocess.run([SERVER, *words], stdout=nowhere, stderr=subprocess.PIPE, check=False)
    check(end.returncode == 1 and b"write to standard output: No space left" in end.stderr,
          words[0] + ": a full disk is told of", end)
    same(run(["sh", "-c", 'exec "$0" "$@" >&-', SERVER, *words]).code, 1,
         words[0] + ": so is a closed standard output")
refused("bad option value", 2, ["nlink"], SERVER, plain, MNT, "-o", "nlink=7")
refused("no arguments", 2, ["image"], SERVER)
for number in ("97", "x", "-1", "2147483648", ""):
    refused("--ready-fd " + number, 2, ["ready-fd"], SERVER, plain, MNT, "--ready-fd", number)
same(run([SERVER, "--help"]).code, 0, "--help succeeds")
same(run([SERVER, "--version", "--bogus"]).code, 0, "--version succeeds whatever comes behind it")
same(run([SERVER, "--version"]).code, 0, "--version succeeds")
no_dev = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh"]
if run([*no_dev, "true"]).code == 0:
    refused("no /dev/fuse", 5, ["/dev/fuse"], *no_dev, SERVER, plain, MNT)
else:
    skip("no /dev/fuse", "not root, or no right to lay another directory over /dev")

why = no_fuse()
if why:
    skip("everything that is mounted", why)
    done()

# ---- what an image holds ----

SD = make_sd()
EA = make_ea((b"NAME", b"value"), (b"B", b"12345"))
OTHER = make_reparse(0x80000017, b"some data")
names = {
    "plain.txt": File(b"plain", flags=ARCHIVE, times=(T2024 + 1, T2024 + 2, T2024 + 3, T2024 + 4),
                      sd=SD, ea=EA, streams={"one": Stream(b"stream one"), "Zwei": Stream(b"2" * 5000),
                                             "big": Stream(b"B" * 70000), "full": Stream(b"F" * 65536),
                                             "gap": Sparse(12)}),
    "readonly": File(b"r", flags=READONLY),
    "hidden": File(b"h", flags=HIDDEN),
    "hidsys": File(b"hs", flags=HIDDEN | SYSTEM | READONLY),
    "old": File(b"", times=(T1601,) * 4),
    "future": File(b"", times=(T3000,) * 4),
    "sparse": File(Sparse(1 << 40)),
    "grün-漢字-😀": File(b"unicode"),
    "lone\ud800": File(b"lone surrogate"),
    "slash.name": File(b"slash"),
    "nul\1name": File(b"nul"),
    "..": File(b"dots"),
    "x" * 255: File(b"long"),
    "漢" * 255: File(b"longest"),
    "hard2": Link("plain.txt"),
    "rodir": Dir({"in": File(b"in")}, flags=READONLY),
    "wof": File(b"wof data", reparse=OTHER),
    "sub": Dir({
        "deep": Dir({
            "rooted": File(reparse=make_symlink("\\sub\\target.txt")),
            "up": File(reparse=make_symlink("..\\target.txt")),
            "out": File(reparse=make_symlink("..\\..\\..\\..\\..\\etc\\passwd")),
            "drive": File(reparse=make_symlink("\\??\\C:\\sub\\target.txt", flags=0)),
            "volume": File(reparse=make_symlink(
                "\\??\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\plain.txt", flags=0)),
            "server": File(reparse=make_symlink("\\??\\UNC\\srv\\share\\f", flags=0)),
            "device": File(b"", reparse=make_symlink("\\Device\\Null", flags=0)),
            "dirlink": Dir({}, reparse=make_symlink("..\\..\\sub")),
            "junction": Dir({}, reparse=junction("\\??\\D:\\sub")),
            "hard3": Link("plain.txt"),
            "self": File(reparse=make_symlink(".")),
            "bad": File(b"", reparse=make_reparse(0xA000000C, b"\1\2")),
        }),
        "target.txt": File(b"the target"),
        "moved": Link("sub/deep/rooted"),
    }, streams={"ofdir": Stream(b"directory's stream")}),
    "many": Dir({"file%05d" % i: File(b"") for i in range(3000)}),
    "large": File(LARGE),
    "data": File(bytes(range(256)) * 5000),
}
image = Image(Dir(names, sd=SD), name="all of it.cim")
for content in image.files.values():  # the builder itself knows '/' as separator only
    for old, new in (("slash.name", "slash/name"), ("nul\1name", "nul\0name")):
        where = content.find(old.encode("utf-16-le"))
        if where >= 0:
            content[where:where + 2 * len(new)] = new.encode("utf-16-le")
path = image.write(os.path.join(TMP, "all"))
result = mount(path, MNT)
if not check(result.code == 0, "mounts, exit code 0", result):
    done()
same(mounts(), [(MNT, "fuse.cimfs", path)], "mountinfo shows the type and the image")
listing = set(os.listdir(MNT))
shown = {n: n for n in names}
shown["slash.name"], shown["nul\1name"], shown[".."] = "slash\uf02fname", "nul\uf000name", "\uf02e."
shown = {n: os.fsdecode(s.encode("utf-8", "surrogatepass")) for n, s in shown.items()}
same(sorted(listing), sorted(shown.values()), "all names are listed, none twice")
for stored in ("grün-漢字-😀", "lone\ud800", "slash.name", "nul\1name", "..", "x" * 255,
               "漢" * 255):
    same(read(at(shown[stored])), names[stored].data.data,
         "reads the file whose name is %a" % stored[:12])
same(error_of(os.stat, at("PLAIN.TXT")), "ENOENT", "look-up is exact")
same(error_of(os.stat, at("nothing")), "ENOENT", "what isn't there isn't found")
same(error_of(os.stat, at("plain.txt", "x")), "ENOTDIR", "a file is no directory")
same(error_of(os.stat, os.fsencode(at("")) + b"\xff\xfe"), "ENOENT", "bytes that are no UTF-8")
same(len(os.listdir(at("many"))), 3000, "a directory of 3,000 lists all")
same(sorted(os.listdir(at("many"))), sorted(names["many"].entries), "and lists them rightly")

st = os.stat(at("plain.txt"))
same(st.st_ino, image.items["plain.txt"].id, "the inode number is the FileID")
same(st.st_nlink, 3, "three names, three links")
same({os.stat(at(*p)).st_ino for p in (("plain.txt",), ("hard2",), ("sub", "deep", "hard3"))},
     {st.st_ino}, "the names of a file have one inode number")
same((st.st_mtime_ns, st.st_ctime_ns, st.st_atime_ns),
     tuple((t - EPOCH) * 100 for t in (T2024 + 2, T2024 + 3, T2024 + 4)), "times to 100 ns")
same(os.stat(at("old")).st_mtime, -11644473600.0, "the year 1601")
same(os.stat(at("future")).st_mtime_ns, (T3000 - EPOCH) * 100, "the year 3000")
same([oct(os.stat(at(p)).st_mode) for p in ("plain.txt", "readonly", "sub", "rodir", "")],
     ["0o100644", "0o100444", "0o40755", "0o40555", "0o40755"], "modes by kind and read-only")
same((st.st_uid, st.st_gid), (os.getuid(), os.getgid()), "owner is who mounted")
same([os.stat(at(p)).st_nlink for p in ("", "sub", "many")], [5, 3, 2],
     "a directory's links: itself, its name, its subdirectories")
st = os.stat(at("sparse"))
same((st.st_size, st.st_blocks), (1 << 40, 0), "a sparse file of 1 TiB takes no blocks")
with open(at("sparse"), "rb") as f:
    f.seek((1 << 40) - 10)
    same(f.read(), bytes(10), "and reads as zeros to its end")
data = names["data"].data.data
with open(at("data"), "rb") as f:
    f.seek(100001)
    same(f.read(77777), data[100001:177778], "reads from the middle")
    f.seek(len(data) - 3)
    same(f.read(100), data[-3:], "reads to the end")
    f.seek(len(data) + 5)
    same(f.read(), b"", "nothing past the end")
same(read(at("large")) == LARGE, True, "reads a large file")
fd = os.open(at("large"), os.O_RDONLY | os.O_DIRECT)
buffer = mmap.mmap(-1, 1 << 20)
for offset in (0, 4096, 512 * 1024 - 4096, 1 << 20):
    count = os.preadv(fd, [buffer], offset)
    same(buffer[:count] == LARGE[offset:offset + (1 << 20)], True,
         "reads 1 MiB at %d past the cache" % offset)
os.close(fd)
same(error_of(open, at("data"), "r+b"), "EROFS", "no writing")
same(error_of(os.mkdir, at("new")), "EROFS", "no mkdir")
same(error_of(os.unlink, at("data")), "EROFS", "no unlink")

# ---- links ----

for name, want in (("rooted", "../../sub/target.txt"), ("up", "../target.txt"),
                   ("out", "../../etc/passwd"), ("drive", "../../sub/target.txt"),
                   ("volume", "../../plain.txt"), ("server", "//srv/share/f"),
                   ("dirlink", "../../sub"), ("junction", "../../sub"), ("self", ".")):
    same(os.readlink(at("sub", "deep", name)), want, "target of the link %s" % name)
    same(os.lstat(at("sub", "deep", name)).st_size, len(want), "size of the link %s" % name)
same(os.readlink(at("sub", "moved")), "../sub/target.txt",
     "another name of a link, less deep, has a target of its own")
for name in ("rooted", "up", "drive"):
    same(read(at("sub", "deep", name)), b"the target", "the link %s leads there" % name)
same(read(at("sub", "moved")), b"the target", "so does the other name")
same(os.path.isdir(at("sub", "deep", "junction", "deep")), True, "the junction leads there")
for name in ("device", "bad"):
    check(os.path.isfile(at("sub", "deep", name)) and not os.path.islink(at("sub", "deep", name)),
          "what can't be a link here (%s) is the file that it is" % name)
same((read(at("wof")), os.getxattr(at("wof"), "system.ntfs_reparse_data")), (b"wof data", OTHER),
     "another reparse point is a file with its data and its reparse data")

# ---- attributes and streams ----


def get(path, name):
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError as error:
        return errno.errorcode[error.errno]


p = at("plain.txt")
times = (T2024 + 1, T2024 + 2, T2024 + 4, T2024 + 3)
same(get(p, "system.ntfs_attrib"), struct.pack("=I", 0x20), "system.ntfs_attrib")
same(get(p, "system.ntfs_attrib_be"), struct.pack(">I", 0x20), "system.ntfs_attrib_be")
same(get(p, "system.ntfs_times"), struct.pack("=4Q", *times), "system.ntfs_times")
same(get(p, "system.ntfs_times_be"), struct.pack(">4Q", *times), "system.ntfs_times_be")
same(get(p, "system.ntfs_crtime"), struct.pack("=Q", T2024 + 1), "system.ntfs_crtime")
same(get(p, "system.ntfs_crtime_be"), struct.pack(">Q", T2024 + 1), "system.ntfs_crtime_be")
same(get(p, "system.ntfs_acl"), SD, "system.ntfs_acl")
ea = get(p, "system.ntfs_ea")
first = struct.unpack_from("<I", EA)[0]
same((len(ea) % 4, ea[:first], first + struct.unpack_from("<I", ea, first)[0], ea[first + 4:len(EA)]),
     (0, EA[:first], len(ea), EA[first + 4:]), "system.ntfs_ea, its last entry leading to the end")
same(get(at("readonly"), "system.ntfs_ea"), "ENODATA", "no EAs")
same(get(p, "system.ntfs_reparse_data"), "ENODATA", "no reparse data")
link = at("sub", "deep", "rooted")
same(get(link, "system.ntfs_reparse_data"), make_symlink("\\sub\\target.txt"),
     "a link's reparse data")
same(get(at("wof"), "user.WINEREPARSE"), OTHER, "user.WINEREPARSE")
same([get(at(n), "user.DOSATTRIB") for n in ("hidden", "hidsys", "plain.txt", "data", "rodir")],
     [b"0x2", b"0x7", b"0x20", b"0x0", b"0x1"], "user.DOSATTRIB")
same(get(p, "user.none"), "ENODATA", "no such attribute")
same(sorted(os.listxattr(p)), ["user.Zwei", "user.full", "user.gap", "user.one"],
     "streams are listed, as user.NAME, if they can be read as such")
same(len(get(p, "user.full")), 65536, "which is 64 KiB at most")
same(sorted(get(p, "ntfs.streams.list").split(b"\0")), [b"Zwei", b"big", b"full", b"gap", b"one"],
     "ntfs.streams.list names all")
same(get(at("readonly"), "ntfs.streams.list"), "ENODATA", "where there are any")
same(os.listxattr(at("hidsys")), ["user.DOSATTRIB"], "what the mode doesn't tell is listed")
same(os.listxattr(at("data")), [], "where there is nothing nothing is listed")
same((get(p, "user.one"), get(p, "user.ZWEI"), get(p, "user.gap")),
     (b"stream one", b"2" * 5000, bytes(12)), "streams as attributes, without case")
same(get(p, "user.big"), "E2BIG", "a stream too large for an attribute says so")
same(read(at("plain.txt:big")), b"B" * 70000, "but can be opened as FILE:STREAM")
for spelling in ("plain.txt:one", "plain.txt:ONE:$DATA", "plain.txt:one:$data"):
    same(read(at(spelling)), b"stream one", "opens %s" % spelling)
same(read(at("plain.txt::$DATA")), b"plain", "opens plain.txt::$DATA")
same(read(at("sub:ofdir")), b"directory's stream", "opens a directory's stream")
same([error_of(os.stat, at(n)) for n in ("plain.txt:none", "plain.txt:one:$X", "no:one", "sub::$DATA",
                                         "plain.txt:", "plain.txt:one:")],
     ["ENOENT"] * 6, "what is no stream isn't found")
same(os.stat(at("plain.txt:Zwei")).st_size, 5000, "a stream has its size")
check(os.stat(at("plain.txt:one")).st_ino != os.stat(at("plain.txt:Zwei")).st_ino !=
      os.stat(p).st_ino, "a stream has an inode number of its own")
check(not any(":" in n for n in os.listdir(MNT)), "streams are not listed")

# ---- the whole ----

fs = os.statvfs(MNT)
regions = sum(os.path.getsize(os.path.join(TMP, "all", n)) for n in os.listdir(os.path.join(TMP, "all"))
              if n.startswith("region_"))
same((fs.f_blocks * fs.f_frsize // 4096, fs.f_bfree, fs.f_bavail, fs.f_namemax),
     ((regions + 4095) // 4096, 0, 0, 765), "statvfs: the size of the region files, nothing free")
again = os.path.join(TMP, "again")
result = tool("create", "--streams-interface=xattr", os.path.join(TMP, "copy.cim"), at("rodir"))
check(result.code == 0, "a mounted tree can be packed again", result)
for option in ("--streams-interface=xattr", "-v"):
    os.makedirs(os.path.join(TMP, "one"), exist_ok=True)
    result = tool("create", option, os.path.join(TMP, "one", option + ".cim"), at("plain.txt"))
    check(result.code == 3 and "plain.txt: extended attribute not stored: the stream big" in result.errors,
          "what is no attribute is told, " + option, result)
region, mark = mark_of(path)


def lock(file, command, kind):
    """F_OFD_SETLK (37) or F_OFD_GETLK (36) on the byte that marks a file; the type that it gives."""
    return struct.unpack("hhqqii", fcntl.fcntl(file, command, struct.pack(
        "hhqqii", kind, 0, mark, 1, 0, 0)))[0]


def is_marked():
    with open(region, "rb") as f:
        return lock(f, 36, fcntl.F_WRLCK) == fcntl.F_RDLCK


same(is_marked(), True, "the mounted image is marked by a shared lock")

errors = []


def reader(seed):
    for i in range(60):
        try:
            if read(at("data")) != data or len(os.listdir(at("many"))) != 3000 or \
                    read(at("plain.txt:one")) != b"stream one":
                errors.append("thread %d, round %d: wrong" % (seed, i))
        except OSError as error:
            errors.append(str(error))


threads = [threading.Thread(target=reader, args=(i,)) for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
same(errors, [], "eight threads read at once")

ahead = "/sys/class/bdi/%d:%d/read_ahead_kb" % ((lambda d: (os.major(d), os.minor(d)))(os.stat(MNT).st_dev))
if os.geteuid() == 0 and os.access(ahead, os.W_OK):
    same(read(ahead), b"256\n", "the kernel asks for 256 KiB at a time")
else:
    skip("the kernel asks for 256 KiB at a time", "no right to tell it to")
pids = servers(path)
same(len(pids), 1, "one server")
cwd = os.readlink("/proc/%d/cwd" % pids[0])
fds = [os.readlink("/proc/%d/fd/%d" % (pids[0], fd)) for fd in range(3)]
same((cwd, fds, os.getsid(pids[0]) != os.getsid(0)), ("/", ["/dev/null"] * 3, True),
     "the server is a daemon: own session, cwd /, nothing of the caller's open")
with open(at("data"), "rb") as held:
    result = umount(MNT)
    check(result.code != 0, "umount refuses while a file is open", result)
same(umount(MNT).code, 0, "umount ends the mount")
check(wait_until(lambda: not servers(path)), "and the server", servers(path))

same(is_marked(), False, "the image is no longer marked")
with open(region, "r+b") as session:
    lock(session, 37, fcntl.F_WRLCK)
    same(mount(path, MNT).code, 0, "mounts while the session that made the image is still open")
check(wait_until(is_marked), "and marks it when that has ended")
umount(MNT)

LOG = os.path.join(TMP, "lock-log")


def told():
    """The lines of the log that tell of the image's mark."""
    if not os.path.exists(LOG):
        return []
    with open(LOG, encoding="utf-8") as f:
        return [n for n in f if path in n and "won't be refused" in n and "No locks available" in n]


result = mount(path, MNT, "-o", "log=" + LOG, env=faults(FAULT="lock"))
check(result.code == 0 and not result.errors, "mounts where files can't be locked", result)
same((read(at("readonly")), len(told())), (b"r", 1), "and logs that no commit will be refused")
umount(MNT)
check(wait_until(lambda: not servers(path)), "and ends", servers(path))
os.unlink(LOG)
system_log = os.path.join(TMP, "syslog")
result = mount(path, MNT, env=faults(FAULT="lock", SYSLOG=system_log))
check(result.code == 0 and not result.errors, "mounts without a log of its own", result)
lines = read(system_log).decode().splitlines()
check(len(lines) == 1 and lines[0].startswith("cimfs-mount 3 ") and path in lines[0] and "won't be refused" in lines[0],
      "which goes to the system's log then, as an error of cimfs-mount", lines)
umount(MNT)
check(wait_until(lambda: not servers(path)), "and ends", servers(path))
with open(region, "r+b") as session:
    lock(session, 37, fcntl.F_WRLCK)
    same(mount(path, MNT, "-o", "log=" + LOG, env=faults(FAULT="lock-later")).code, 0,
         "mounts before a session's end, where waiting for it fails")
check(wait_until(lambda: len(told()) == 1), "which is logged", told())
umount(MNT)
check(wait_until(lambda: not servers(path)), "and ends", servers(path))

# ---- options ----

for option, modes in (("umask=022", (0o644, 0o444, 0o755)), ("fmask=022", (0o755, 0o555, 0o755)),
                      ("fmask=133", (0o644, 0o444, 0o755)), ("umask=077,fmask=027", (0o750, 0o550, 0o700))):
    mount(path, MNT, "-o", option)
    same(tuple(os.stat(at(n)).st_mode & 0o777 for n in ("plain.txt", "readonly", "sub")), modes, option)
    umount(MNT)
result = mount(path, MNT, "-o", "nlink=1,ignore_case,streams_interface=windows,uid=12,gid=34,umask=027")
check(result.code == 0, "mounts with options", result)
st = os.stat(at("plain.txt"))
same((st.st_nlink, st.st_uid, st.st_gid, oct(st.st_mode)), (1, 12, 34, "0o100640"),
     "nlink=1, uid, gid, umask")
same(os.listxattr(at("plain.txt")), [], "streams_interface=windows: no attributes")
same(get(at("plain.txt"), "user.one"), "ENODATA", "not even when asked for")
same(read(at("PLAIN.txt")), b"plain", "ignore_case finds another spelling")
same(read(at("SUB", "Deep", "HARD3")), b"plain", "of directories too")
same((read(at("sub", "deep", "hard3")), read(at("Sub", "deep", "hard3"))), (b"plain", b"plain"),
     "in any order")
same((os.stat(at("SUB")).st_ino, os.stat(at("Sub")).st_ino), (os.stat(at("sub")).st_ino,) * 2,
     "which are one directory")
held = {n: os.open(at(n), os.O_RDONLY) for n in ("sub", "SUB", "Sub", "sUb")}
same({n: os.path.basename(os.readlink("/proc/self/fd/%d" % fd)) for n, fd in held.items()}, {n: n for n in held},
     "and each stays where it was opened, whatever others call it")
for fd in held.values():
    os.close(fd)
same(read(at("Plain.TXT:ONE")), b"stream one", "with streams")
same(os.path.exists(at("sub", ".ciopfs")), True, "and Wine is told")
with open(at("sub", ".ciopfs"), "rb") as f:
    same((f.read(), error_of(os.lseek, f.fileno(), 0, os.SEEK_DATA)), (b"", "ENXIO"), "by an empty file")
same(umount(MNT).code, 0, "unmounts")
result = mount(path, MNT, "-o", "max_read=65536")
same((result.code, read(at("large")) == LARGE), (0, True), "max_read")
umount(MNT)
result = mount(path, MNT, "-o", "streams_interface=none")
same((error_of(os.stat, at("plain.txt:one")), os.listxattr(at("plain.txt"))), ("ENOENT", []),
     "streams_interface=none")
umount(MNT)
result = mount(path, MNT, "-o", "streams_interface=xattr")
same((error_of(os.stat, at("plain.txt:one")), get(at("plain.txt"), "user.one")),
     ("ENOENT", b"stream one"), "streams_interface=xattr")
umount(MNT)
helper = os.path.join(TMP, "mount.cimfs")
os.symlink(SERVER, helper)
result = run([helper, path, MNT, "-n", "-o", "rw,nlink=1,x-systemd.automount", "-t", "cimfs"])
check(result.code == 0 and read(at("readonly")) == b"r", "mount.cimfs takes mount(8)'s arguments",
      result)
umount(MNT)
for words in (["-o", "bogus"], ["-Q"], [path], [path + "/none", MNT]):
    result = run([helper, *words])
    check(result.errors.startswith("mount.cimfs: ") and "cimfs-mount" not in result.errors,
          "mount.cimfs %s: the error is by its own name" % words[-1], result)
# mount(8) itself, which knows helpers in its own directories alone: one more, in a namespace.
places = os.path.join(TMP, "sbin")
os.mkdir(places)
os.symlink(SERVER, os.path.join(places, "mount.cimfs"))
table = os.path.join(TMP, "fstab")
with open(table, "w", encoding="ascii") as f:
    f.write("%s %s cimfs ro,noauto,user,nofail,_netdev,x-systemd.automount,nlink=1,umask=027 0 0\n" %
            (path.replace(" ", "\\040"), MNT))
unshare = ["unshare", "-m", "sh", "-c",
           'mount -t overlay none -o "lowerdir=$0:/usr/sbin" /usr/sbin && exec "$@"', places]
if os.geteuid() == 0 and run([*unshare, "true"]).code == 0:
    result = run([*unshare, "sh", "-ec", 'mount --fstab "$0" "$1"; stat -c "%a %h" "$1/plain.txt"; '
                  'grep "$1" /proc/self/mountinfo; umount "$1"', table, MNT])
    check(result.code == 0 and result.text.startswith("640 1\n") and
          all(w in result.text for w in ("nosuid", "nodev", "noexec", "fuse.cimfs")),
          "mount(8) with a line of fstab", result)
    result = run([*unshare, "mount", "-t", "cimfs", "-o", "bogus", path, MNT])
    check(result.code == 2 and "bogus" in result.errors, "mount -t cimfs -o bogus: status 2", result)
else:
    skip("mount(8)", "not root, or no right to lay another directory over /usr/sbin")
result = run([helper, path, MNT, "-f"])
same((result.code, mounts()), (0, []), "mount.cimfs -f mounts nothing")

# ---- a server that doesn't come to life ----

for fault, words in (("fork", "mount"), ("setsid", "ended at once")):
    refused("a server that dies by %s()" % fault, 1, [words], SERVER, path, MNT,
            env=faults(FAULT=fault))


def caught(process):
    """The signals that a process has handlers for, once it is stuck in telling what went wrong."""
    def stuck():
        with open("/proc/%d/syscall" % process.pid, encoding="ascii") as f:
            return f.read().split()[1:2] == ["0x2"]
    check(wait_until(stuck), "a server that can't be started waits to tell of it")
    with open("/proc/%d/status" % process.pid, encoding="ascii") as f:
        bits = int(re.search(r"^SigCgt:\s*(\w+)", f.read(), re.M).group(1), 16)
    return [n.name for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if bits >> (n - 1) & 1]


if os.path.exists("/proc/self/syscall"):
    r, w = os.pipe()
    os.set_blocking(w, False)
    while error_of(os.write, w, b"x" * 4096) != "EAGAIN":
        pass
    os.set_blocking(w, True)
    with subprocess.Popen([SERVER, path, MNT], stderr=w, env=dict(os.environ, **faults(FAULT="fork"))) as process:
        try:
            same(caught(process), [], "libfuse's handlers of signals are gone with its session")
        finally:
            process.kill()
    os.close(r)
    os.close(w)
else:
    skip("libfuse's handlers of signals are gone with its session", "no /proc/PID/syscall")

# ---- foreground, ready-fd, signals ----

for number in (signal.SIGTERM, signal.SIGINT):
    r, w = os.pipe()
    with subprocess.Popen([SERVER, "--foreground", "--ready-fd", str(w), path, MNT],
                          pass_fds=[w]) as process:
        os.close(w)
        same(os.read(r, 100), b"ready\n", "--ready-fd tells when it is ready")
        same(read(at("readonly")), b"r", "and it is")
        process.send_signal(number)
        same(process.wait(20), 0, "%s ends the server with exit code 0" % number.name)
    os.close(r)
    same(mounts(), [], "and the mount")
for number, others in ((3, []), (3, [4]), (4, [3]), (9, [3, 20]), (9, [8, 10]), (12, [13])):
    r, w = os.pipe()

    def take_numbers():
        ends = os.dup(w), os.dup(0)  # as one of the numbers may be an end of the pipe
        for fd in others:
            os.dup2(ends[1], fd)
        os.dup2(ends[0], number)

    with subprocess.Popen([SERVER, "--foreground", "--ready-fd", str(number), path, MNT], close_fds=False,
                          preexec_fn=take_numbers) as process:
        os.close(w)
        same([os.read(r, 100), os.read(r, 100)], [b"ready\n", b""],
             "--ready-fd %d beside %s tells when it is ready, and is closed" % (number, others))
        leads = [os.readlink(n) for n in glob.glob("/proc/%d/fd/[3-9]*" % process.pid) if os.path.lexists(n)]
        check("/dev/null" not in leads, "and nothing of the caller's is open", leads)
        process.terminate()
        same(process.wait(20), 0, "it ends")
    os.close(r)
r, w = os.pipe()
os.close(r)
with subprocess.Popen([SERVER, "--foreground", "--ready-fd", str(w), path, MNT], pass_fds=[w]) as process:
    os.close(w)
    check(wait_until(lambda: mounts() or process.poll() is not None) and read(at("readonly")) == b"r",
          "--ready-fd of which nobody reads: the server serves all the same", process.poll())
    process.terminate()
    same(process.wait(20), 0, "and ends as ever")
r, w = os.pipe()
os.close(r)
same(subprocess.run([SERVER, path + "none", MNT], stderr=w, check=False).returncode, 1,
     "nobody reads why it fails: it fails all the same")
os.close(w)
for name in ("with space", "tab\tand\nnewline", "back\\slash", "\\040", "\\134x", "comma,x", "grün"):
    odd = os.path.join(TMP, name)
    result = mount(path, odd)
    check(result.code == 0 and read(os.path.join(odd, "readonly")) == b"r" and mounts() == [(odd, "fuse.cimfs",
        path)],
          "mounts on %a" % name, (str(result), mounts()))
    result = tool("umount", odd)
    check(result.code == 0 and not mounts(), "and cimtool umount finds it", (str(result), mounts()))
odd = Image(Dir({"a.txt": File(b"hello")}), name="i.cim").write(os.path.join(TMP, "im,a\\g e\n"))
result = mount(odd, MNT)
check(result.code == 0 and mounts() == [(MNT, "fuse.cimfs", odd)], "an image of an odd name is shown by it",
      (str(result), mounts()))
same(tool("umount", odd).code, 0, "and found by it")
result = mount(path, os.path.join(TMP, "full"), "-o", "nonempty")
check(result.code == 0 and os.path.exists(os.path.join(TMP, "full", "readonly")), "-o nonempty", result)
umount(os.path.join(TMP, "full"))
for fail in ("pipe2:24", "fuse_set_signal_handlers:22"):
    refused("a server that can't be begun: " + fail, 1, ["mount"], SERVER, path, MNT, env=faults(FAIL=fail))
if os.geteuid() == 0 and not os.path.exists("/sys/fs/selinux/enforce"):
    refused("what the kernel refuses", 1, [MNT, "mount failed: Invalid argument"], SERVER, path, MNT, "-o",
            "context=x")
else:
    skip("what the kernel refuses", "not root, or it is not refused here")
check(wait_until(lambda: not servers(path)), "no server is left of all that", servers(path))
mount(path, MNT)
os.stat(MNT)  # the kernel keeps what it learns by that, and tells it of a dead mount
os.kill(servers(path)[0], signal.SIGKILL)
check(wait_until(lambda: not servers(path)), "a server is killed")
check(wait_until(lambda: error_of(os.statvfs, MNT) == "ENOTCONN"), "its mount is dead")
refused_result = run([SERVER, path, MNT])
check(refused_result.code == 1 and "dead" in refused_result.errors, "which the next mount says",
      refused_result)
same(tool("mounts", MNT).text.split()[:1], ["stale"], "cimtool mounts knows")
same(tool("umount", MNT).code, 0, "cimtool umount takes it away")
same(mounts(), [], "it is gone")

# ---- cimtool ----

result = tool("mount", "-o", "nlink=1", path, MNT)
check(result.code == 0 and read(at("readonly")) == b"r", "cimtool mount", result)
second = os.path.join(TMP, "second")
tool("mount", path, os.makedirs(second) or second)
result = tool("mounts", "--json", path)
check(result.code == 0 and result.text.count('"state": "live"') == 2 and
      '"dir": "%s"' % MNT in result.text, "cimtool mounts --json lists both", result)
with open(at("data"), "rb") as held:
    result = tool("umount", MNT)
    check(result.code == 1 and "in use" in result.errors, "cimtool umount: in use", result)
    same(tool("umount", "--lazy", MNT).code, 0, "cimtool umount --lazy")
    same(held.read(10), data[:10], "what is open goes on")
same(tool("mount", path, MNT).code, 0, "mounted again")
elsewhere = os.path.join(TMP, "link to it.cim")
if in_containers():
    os.symlink(os.path.dirname(path), elsewhere)
    elsewhere = os.path.join(elsewhere, os.path.basename(path))
else:
    os.symlink(path, elsewhere)
same(tool("umount", elsewhere).code, 0, "cimtool umount IMAGE, by a symbolic link to it")
same(mounts(), [], "ends all mounts of the image")
check(not [s for s in servers(path)], "and has waited for the servers", servers(path))
NOWHERE = dict(os.environ, WINEPREFIX="/a/prefix")
result = tool("umount", MNT, env=NOWHERE)
check(result.code == 1 and result.errors.endswith(": nothing of that name is mounted\n"),
      "cimtool umount: not mounted, in few words", result)
result = tool("umount", "{01234567-89AB-CDEF-0123-456789ABCDEF}", env=NOWHERE)
check(result.code == 1 and "nothing of that name" in result.errors and
      "/a/prefix" in result.errors, "cimtool umount GUID: not mounted, and where it has looked", result)
mount(path, MNT)
os.kill(servers(path)[0], signal.SIGKILL)
wait_until(lambda: error_of(os.statvfs, MNT) == "ENOTCONN")
result = tool("mounts", "--clean", MNT)
check(result.code == 0 and "removed" in result.text and not mounts(), "cimtool mounts --clean", result)

# ---- the same tree, packed and mounted ----

source = os.path.join(TMP, "source")
for d in ("", "a", "a/b", "c"):
    os.makedirs(os.path.join(source, d), exist_ok=True)
    for n in range(20):
        with open(os.path.join(source, d, "f%d" % n), "wb") as f:
            f.write(os.urandom(n * 1000))
os.chmod(os.path.join(source, "f3"), 0o444)
os.link(os.path.join(source, "f5"), os.path.join(source, "c", "hard"))
os.symlink("../f7", os.path.join(source, "a", "link"))
for where, _, files in os.walk(source, topdown=False):
    for n in files + ["."]:
        os.utime(os.path.join(where, n), ns=(10 ** 18 + 700, 10 ** 18 + 700), follow_symlinks=False)
words, packed = new_image(os.path.join(TMP, "packed.cim"))
check(tool("create", *words, source).code == 0, "packs a tree")
mount(packed, MNT)
a, b = tree(source), tree(MNT)
same({k: v for k, v in b.items() if a.get(k) != v}, {}, "the mounted tree is as the source")
same(sorted(a), sorted(b), "with the same names")
umount(MNT)

# ---- holes ----


def segments(path):
    """[start, end) of what isn't a hole."""
    found, at = [], 0
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        while at < size:
            try:
                start = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                same(error.errno, errno.ENXIO, "behind the last data")
                break
            at = os.lseek(f.fileno(), start, os.SEEK_HOLE)
            found.append((start, at))
    return found


holes = os.path.join(TMP, "holes")
os.makedirs(holes)
for n, parts in (("none", [(0, 50000)]), ("some", [(1 << 20, 4096), (3 << 20, 70000)]), ("first", [(0, 5000)]),
                 ("all", [])):
    with open(os.path.join(holes, n), "wb") as f:
        for start, length in parts:
            f.seek(start)
            f.write(b"x" * length)
        f.truncate(50000 if n == "none" else 4 << 20)
pe = Image(Dir({"pe": File(Stream(LARGE[:9000], pe=[(512, 3584)])), "empty": File(b"")}),
           name="pe.cim").write(os.path.join(TMP, "pe"))
for way, image in ([], "holes.cim"), (["--container"], "holes.bcim/holes.cim"):
    image = os.path.join(TMP, image)
    same(tool("create", "-q", *way, image, holes).code, 0, "packs files with holes")
    mount(image, MNT)
    for n in sorted(os.listdir(holes)):
        own, seen = segments(os.path.join(holes, n)), segments(at(n))
        # They are stored in larger blocks: a hole may be shorter on either side.
        check(all(any(c <= a and min(b, os.path.getsize(at(n))) <= d for c, d in seen) for a, b in own) and
              sum(d - c for c, d in seen) <= (50000 if n == "none" else 0 if n == "all" else 1 << 19),
              "the holes of %s are seen" % n, (own, seen))
        same(read(at(n)), read(os.path.join(holes, n)), "and so are its data")
        same(os.stat(at(n)).st_blocks, (sum(d - c for c, d in seen) + 511) // 512, "it takes the blocks that these need")
        copy = os.path.join(TMP, "copy of " + n)
        same(run(["cp", "--sparse=auto", at(n), copy]).code, 0, "cp copies it")
        check(sum(b - a for a, b in segments(copy)) <= sum(d - c for c, d in seen), "cp keeps them",
              (segments(copy), seen))
    blocks = {n: os.stat(at(n)).st_blocks for n in os.listdir(holes)}
    umount(MNT)
    mount(image, MNT)
    same({entry.name: entry.stat().st_blocks for entry in os.scandir(MNT)}, blocks, "a listing has their blocks too")
    umount(MNT)
mount(pe, MNT)
same((segments(at("pe")), segments(at("empty"))), ([(0, 9000)], []), "an expanded PE image has none")
umount(MNT)
pieces = [(20480, 4096), (20480 + 16384, 8192), (300000, 12288)]
pe = Image(Dir({"pe": File(Stream(LARGE[:700000], pe=pieces)), "large": File(LARGE)}),
           name="pe.cim").write(os.path.join(TMP, "pe2"))
mount(pe, MNT)
same([read(at("large")) == LARGE, read(at("pe")) == LARGE[:700000], read(at("large")) == LARGE], [True] * 3,
     "a large expanded PE image is read whole, over its seams")
for n, size in (("pe", 700000), ("large", len(LARGE))):
    fd, wrong = os.open(at(n), os.O_RDONLY | os.O_DIRECT), []
    for length in (4096, 16384, 20480, 65536, 1 << 20):
        for offset in (0, 4096, 16384, 20480, 36864, 299008 - 16384, 299008):
            got = os.preadv(fd, [memoryview(buffer)[:length]], offset)
            if buffer[:got] != LARGE[:size][offset:offset + length]:
                wrong.append((length, offset, got))
    os.close(fd)
    same(wrong, [], "in pieces past the cache too: " + n)
umount(MNT)

# ---- file handles: good in a mount that hasn't seen the file yet ----


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("kind", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]


LIBC = ctypes.CDLL(None, use_errno=True)


def handle_of(path):
    handle, ignored = Handle(size=128), ctypes.c_int()
    if LIBC.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(handle), ctypes.byref(ignored), 0):
        raise OSError(ctypes.get_errno(), path)
    return handle


def open_handle(handle):
    """Where an opened handle leads to, and what is in it."""
    top = os.open(MNT, os.O_RDONLY)
    fd = LIBC.open_by_handle_at(top, ctypes.byref(handle), os.O_RDONLY)
    os.close(top)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    shown = os.readlink("/proc/self/fd/%d" % fd)
    content = sorted(os.listdir(fd)) if os.path.isdir(shown) else os.pread(fd, 1 << 20, 0)
    os.close(fd)
    return content


mount(packed, MNT)
kept = [(n, handle_of(at(n))) for n in ("", "f9", "a", "a/b", "a/b/f7", "c/hard")]
umount(MNT)
check(wait_until(lambda: not servers(packed)), "a mount whose handles are kept ends")
mount(packed, MNT)
why = error_of(open_handle, kept[0][1])
if why == "EPERM":
    skip("file handles", "no right to open them")
else:
    wrong = []
    for n, handle in kept:
        path = os.path.join(source, n)
        want = sorted(os.listdir(path)) if os.path.isdir(path) else read(path)
        if open_handle(handle) != want:
            wrong.append(n)
    same(wrong, [], "handles of an earlier mount lead to the same files and directories")
    umount(MNT)
    extended = os.path.join(TMP, "extended")
    os.makedirs(extended)
    open(os.path.join(extended, "new"), "wb").close()
    check(wait_until(lambda: not servers(packed)) and tool("append", packed, extended).code == 0,
          "the image is extended")
    mount(packed, MNT)
    same([error_of(open_handle, handle) for n, handle in kept if n], ["ESTALE"] * 5, "which makes them stale")
umount(MNT)

# ---- the server ends a moment after its mount ----

mount(packed, MNT, env=faults(FAULT="late-end"))
same(umount(MNT).code, 0, "the mount ends")
check(servers(packed), "before the server does")
result = tool("rm", "-q", packed)
check(result.code == 0 and not os.path.exists(packed), "cimtool rm waits for that", result)
done()
