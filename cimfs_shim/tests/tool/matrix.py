#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool on every kind of file system: a row each of ROWS, of which the columns are

    images   create, append, fork, verify, dump, a mount, and rm of images that lie there
    extract  to it: exit status, and exactly what is told as not restored
    back     create of what was extracted: nothing differs but what was told

Real file systems are mounted (root only); what there is none of here is played by faults.so, or by system
calls that are refused. What a row can't have on this machine is skipped, with the reason.
"""

import ctypes
import errno
import json
import os
import platform
import re
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../mount"))
from mounttest import SERVER, mounts, no_fuse, servers, umount, wait_until  # noqa: E402
from tooltest import BUILD, CIMTOOL, TMP, check, done, need_tool, run, same, skip, write  # noqa: E402
from imagebuilder import (HIDDEN, READONLY, SPARSE_FLAG, Dir, File, Image, Link, Sparse,  # noqa: E402
                          make_ea, make_reparse, make_sd, make_symlink)

need_tool()
EPOCH = 11644473600
LIBC = ctypes.CDLL(None, use_errno=True)
# The numbers of what is refused; elsewhere these rows are skipped.
XATTRS = [how + what + "xattr" for what in ("set", "get", "list") for how in ("", "l", "f")]
CALLS = {"x86_64": dict(zip(XATTRS, range(188, 197)), statx=332, openat2=437, renameat2=316, linkat=265, fchmod=91,
                       ftruncate=77, fcntl=72),
         "aarch64": dict(zip(XATTRS, range(5, 14)), statx=291, openat2=437, renameat2=276, linkat=37, fchmod=52,
                        ftruncate=46, fcntl=25),
         }.get(platform.machine(), {})
NO_LOCKS = "the file system has no locks"
WIDE, FACES = "\u8a9e" * 100, "\U0001f600" * 64  # 100 and 128 UTF-16 units, 300 and 256 bytes


# ---- where the system says no ----


def refuse(calls):
    """Let no process that is begun from here on make these system calls: (number, errno) of each."""
    def instruction(code, value, when=0, otherwise=0):
        return struct.pack("=HBBI", code, when, otherwise, value)

    rules = instruction(0x20, 0)
    for number, why in calls:
        rules += instruction(0x15, number, 0, 1) + instruction(0x06, 0x50000 | why)
    rules += instruction(0x06, 0x7fff0000)
    text = ctypes.create_string_buffer(rules, len(rules))
    program = struct.pack("HP", len(rules) // 8, ctypes.addressof(text))
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.prctl(22, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def refusing(**answers):
    """A way to run programs: with system calls that are refused, name=errno's name."""
    def how(command, **more):
        calls = [(CALLS[name], getattr(errno, why)) for name, why in answers.items()]
        return run(command, preexec_fn=lambda: refuse(calls), **more)

    how.wants = lambda: None if set(answers) <= set(CALLS) and not how(["true"]).code else \
        "no way to refuse system calls here"
    return how


def faulty(fault):
    """A way to run programs: with faults.so."""
    asan = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")

    def how(command, **more):
        return run(command, env={"FAULT": fault, "ASAN_OPTIONS": asan,
                                 "LD_PRELOAD": os.path.join(BUILD, "tests", "faults.so")}, **more)

    how.wants = lambda: None
    return how


# ---- file systems ----


class CannotBe(Exception):
    """Why there is no such file system here."""


def must(*command):
    result = run(list(command))
    if result.code:
        lines = (result.errors + result.text).strip().splitlines()
        raise CannotBe("%s: %s" % (command[0], lines[-1] if lines else "exit code %s" % result.code))
    return result


class Host:
    """A directory on what the tests run on."""
    needs = ()

    def __init__(self, **more):
        self.__dict__.update(more)

    def make(self, where):
        return where

    def again(self):
        """Let it forget what it only remembers."""

    def end(self):
        pass


class Mounted(Host):
    where = None

    def make(self, where):
        if os.geteuid():
            raise CannotBe("needs root")
        missing = [command for command in self.needs if not shutil.which(command)]
        if missing:
            raise CannotBe("no " + " and no ".join(missing))
        self.where = where
        self.mount()
        return where

    def again(self):
        must("umount", self.where)
        self.mount()

    def end(self):
        if self.where:
            for directory, _, _ in reversed(mounts(self.where)):
                umount(directory)


class Tmpfs(Mounted):
    def mount(self):
        must("mount", "-t", "tmpfs", "-o", "size=20m", "none", self.where)

    def again(self):
        pass


class Volume(Mounted):
    """What has to be made in a file: @mkfs and @driver, commands to which file and directory are added."""
    loop = None

    def make(self, where):
        self.needs = [self.mkfs[0], self.driver[0]] + ["losetup"] * self.by_loop
        self.file = where + ".volume"
        self.made = False
        return super().make(where)

    def mount(self):
        if not self.made:
            with open(self.file, "wb") as f:
                f.truncate(20 << 20)
            must(*self.mkfs, self.file)
            self.made = True
        if self.by_loop and not self.loop:
            self.loop = must("losetup", "-f", "--show", self.file).text.strip()
        must(*self.driver, self.loop or self.file, self.where)
        if not os.path.ismount(self.where):
            raise CannotBe(self.driver[0] + " mounted nothing")

    def end(self):
        super().end()
        if self.loop:
            run(["losetup", "-d", self.loop])


class Overlay(Mounted):
    """Its layers are directories of two file systems by turns, both a tmpfs: what the tests run on may be an
    overlay itself."""
    def mount(self):
        self.parts = [os.path.join(self.where, name) for name in ("even", "odd")]
        must("mount", "-t", "tmpfs", "-o", "size=20m", "none", self.where)
        for part in self.parts:
            os.mkdir(part)
            must("mount", "-t", "tmpfs", "-o", "size=20m", "none", part)
        self.layers = [self.new_dir(self.parts[1], "lowest")]
        self.seen = self.new_dir(self.where, "seen")
        self.again()

    @staticmethod
    def new_dir(part, name):
        os.mkdir(os.path.join(part, name))
        return os.path.join(part, name)

    def make(self, where):
        super().make(where)
        return self.seen

    def again(self):
        """What was in the upper layer is in a lower one then."""
        if os.path.ismount(self.seen):
            must("umount", self.seen)
        count = len(self.layers)
        upper, work = (self.new_dir(self.parts[count % 2], "%s%d" % (name, count)) for name in ("upper", "work"))
        must("mount", "-t", "overlay", "none", self.seen, "-o", "lowerdir=%s,upperdir=%s,workdir=%s" % (
            ":".join(reversed(self.layers)), upper, work))
        self.layers.append(upper)


# ---- the table ----

# What extraction tells of, and the words; beside it stands what differs then.
WORDS = {
    "none": "not restored: ", "below": "what lies below was not restored", "link": "hard link not restored",
    "reparse": "reparse data not restored", "stream": "stream not restored",
    "security": "security descriptor not restored", "ea": "extended attributes not restored",
    "attributes": "attributes not restored", "times": "times not restored",
}
KINDS = {words: kind for kind, words in WORDS.items()}
LOSS = re.compile("cimtool: warning: /(.*?): (%s)" % "|".join(KINDS))
FIELDS = {"created": "times", "written": "times", "changed": "times", "accessed": "times",
          "hard link to": "link"}

# On a file system of Linux's kind; a row says what is different there.
LINUX = {"ea": "ea", "secured": "security", "tag": "reparse", "times": "times", WIDE: "none", FACES: "none"}
NTFS = {"ea": "", "secured": "", "tag": "", WIDE: "", FACES: ""}
NO_XATTRS = {"hidden": "attributes", "streams": "stream"}
EXFAT = {"link": "none", "dirlink": "none", "hard": "link", "plain": "link", "hidden": "attributes",
         "readonly": "attributes", "locked": "attributes", "streams": "stream", WIDE: "", FACES: ""}
# Names that Windows allows nobody; one of a directory.
ODD_NAMES = {"a?b": "none", "co:lon": "none", "back\\slash": "none", "new\nline": "none", "dir ?": "none below"}


def volume(mkfs, driver, by_loop=False):
    return Volume(mkfs=mkfs, driver=driver, by_loop=by_loop)


def ntfs(driver, *options):
    return volume(["mkntfs", "-F", "-q"], [driver, *options])


class Row:
    """@told: how often sessions say that there are no locks. @lost: what is lost besides LINUX's. @own:
    what else differs as the file system has its own idea of it. @unshown: what it holds but can't show.
    @names: what of ODD_NAMES it can't hold. @later: what the driver bends so late that nobody can see it.
    @lone: may a name have half a surrogate pair? @folds: is it found in another case, too?"""
    def __init__(self, name, system=None, how=run, told=0, lost=None, own=(), unshown=(), names=None,
                 later=None, lone=True, folds=False):
        self.name, self.system, self.how, self.told = name, system or Host(), how, told
        self.lost = {path: kind for path, kind in dict(LINUX, **lost or {}).items() if kind}
        self.own, self.unshown, self.lone, self.folds = set(own), set(unshown), lone, folds
        self.names, self.later = names or {}, later or {}

    def holds_no_xattrs(self, where):
        """Not so on NTFS and exFAT, of which the table knows; a tmpfs of older kernels has none."""
        if self.own or "hidden" in self.lost:
            return False
        try:
            os.setxattr(where, "user.probe", b"1")
            os.removexattr(where, "user.probe")
        except OSError:
            return True
        return False

    def tool(self, *args):
        return self.how([CIMTOOL, *args])


NTFS_OWN = ("times", "security", "attributes")
ROWS = [
    Row("ext4", volume(["mkfs.ext4", "-q", "-O", "^has_journal"], ["mount"], True),
        lost={"year 1602": "times"}),
    Row("tmpfs", Tmpfs()),
    Row("ntfs-3g", ntfs("ntfs-3g"), lost=NTFS, own=NTFS_OWN, unshown=["tag"]),
    Row("lowntfs-3g", ntfs("lowntfs-3g"), lost=dict(NTFS, **{WIDE: "none", FACES: "none"}), own=NTFS_OWN,
        unshown=["tag"]),
    Row("lowntfs-3g with Windows' rules for names", ntfs("lowntfs-3g", "-o", "ignore_case,windows_names"),
        lost=dict(NTFS, **{WIDE: "none", FACES: "none"}), own=NTFS_OWN, unshown=["tag"],
        names=ODD_NAMES, folds=True),
    Row("exfat-fuse", volume(["mkfs.exfat"], ["mount.exfat-fuse"], True), lost=EXFAT, lone=False,
        folds=True, later={"year 1970": "times"}, names=ODD_NAMES),
    Row("overlayfs", Overlay()),
    Row("no locks", how=faulty("locks"), told=1),
    Row("no locks of open files", how=faulty("no-ofd"), told=1),
    Row("no locks, nor anything else by fcntl", how=refusing(fcntl="ENOLCK"), told=1),
    Row("no symlinks", how=faulty("symlink"), lost={"link": "none", "dirlink": "none"}),
    Row("no types of entries", how=faulty("types")),
    Row("directories can't be synced", how=faulty("sync-dir")),
    Row("no rename flags (EINVAL)", how=refusing(renameat2="EINVAL")),
    Row("no rename flags (ENOSYS)", how=refusing(renameat2="ENOSYS")),
    Row("no rename flags (EPERM)", how=refusing(renameat2="EPERM")),
    Row("no rename flags, no hard links", how=refusing(renameat2="EINVAL", linkat="EPERM"),
        lost={"hard": "link", "plain": "link"}),
    Row("no extended attributes (EOPNOTSUPP)", how=refusing(**dict.fromkeys(XATTRS, "EOPNOTSUPP")), lost=NO_XATTRS),
    Row("no extended attributes (ENOSYS)", how=refusing(**dict.fromkeys(XATTRS, "ENOSYS")), lost=NO_XATTRS),
    Row("files are lengthened by writing only", how=refusing(ftruncate="EPERM")),
    Row("modes can't be set", how=refusing(fchmod="EPERM"), lost={"readonly": "attributes", "locked": "attributes"}),
    Row("no statx (ENOSYS)", how=refusing(statx="ENOSYS")),
    Row("no statx (EPERM)", how=refusing(statx="EPERM")),
    Row("no openat2 (ENOSYS)", how=refusing(openat2="ENOSYS")),
    Row("no openat2 (EPERM)", how=refusing(openat2="EPERM")),
]


# ---- what goes in ----


def filetimes(seconds, ticks=0):
    return [(EPOCH + seconds) * 10_000_000 + ticks] * 4


WHEN = filetimes(1_600_000_000)


def a_file(data=b"", **more):
    return File(data, **dict({"times": WHEN}, **more))


def a_dir(entries, **more):
    return Dir(entries, **dict({"times": WHEN}, **more))


def the_image(row):
    """All that a file system may have no place for."""
    deep = a_dir({"file": a_file(b"deep")})
    for _ in range(66):
        deep = a_dir({"d": deep})
    entries = {
        "plain": a_file(b"plain"), "empty": a_file(), "large": a_file(bytes(range(256)) * 1000),
        "dir": a_dir({"in": a_file(b"in"), "hard": Link("plain")}), "hard": Link("plain"), "deep": deep,
        "hole": a_file(Sparse(1 << 20), flags=SPARSE_FLAG),
        "times": a_file(b"t", times=[WHEN[0] + i * 10_000_000_000 for i in range(4)]),
        "year 1970": a_file(b"1", times=filetimes(86400)), "year 2030": a_file(b"2", times=filetimes(1_900_000_000)),
        "link": a_file(reparse=make_symlink("plain")), "dirlink": a_dir({}, reparse=make_symlink("dir")),
        "hidden": a_file(b"h", flags=HIDDEN), "readonly": a_file(b"r", flags=READONLY),
        "locked": a_dir({"in": a_file(b"i")}, flags=READONLY),
        "secured": a_file(b"s", sd=make_sd()), "ea": a_file(b"e", ea=make_ea((b"ONE", b"1"))),
        "streams": a_file(b"main", streams={"one": b"1"}), "tag": a_file(reparse=make_reparse(0x80000099, b"data")),
        WIDE: a_file(b"wide"), FACES: a_file(b"faces"),
    }
    if row.lone:
        entries["half\ud800"] = a_file(b"half")
    if "year 1602" in row.lost:
        entries["year 1602"] = a_file(b"3", times=filetimes(86400 * 365 - EPOCH))
    return Image(a_dir(entries)).write(os.path.join(TMP, row.name, "all"))


def source_tree():
    source = os.path.join(TMP, "source")
    write(os.path.join(source, "dir", "file"), b"content")
    write(os.path.join(source, "empty"))
    write(os.path.join(source, "a", "b", "c", "large"), bytes(range(256)) * 400)
    write(os.path.join(source, "readonly"), b"r", mode=0o444)
    os.link(os.path.join(source, "dir", "file"), os.path.join(source, "again"))
    for name, target in (("link", "dir/file"), ("dirlink", "a/b"), ("nowhere", "a/none")):
        os.symlink(target, os.path.join(source, name))
    write(os.path.join(TMP, "more", "a", "new"), b"new")
    return source


# ---- images ----


def sessions(where):
    """Name -> command of what makes an image, an addition, a fork, and a consistent twin."""
    base = os.path.join(where, "base.cim")
    source, more = os.path.join(TMP, "source"), os.path.join(TMP, "more")
    return {"create": ("create", "--strict", base, source), "append": ("append", "--strict", base, more),
            "fork": ("fork", "--strict", "--delete=/dir", base, "fork.cim"),
            "create --consistent": ("create", "--strict", "--consistent", os.path.join(where, "same.cim"), source)}


def shown(path):
    """As our programs print it."""
    return path.replace("\\", "\\\\").replace("\n", "\\x0A")


def told(row, what, result, want=0):
    check(result.code == want, "%s: %s" % (row.name, what), result)
    same(result.errors.count(NO_LOCKS), row.told, "%s: %s warns of locks" % (row.name, what))


def dumps(where):
    """Name -> dump of the images in a directory; link targets and all."""
    return {name: run([CIMTOOL, "dump", os.path.join(where, name)]).text
            for name in os.listdir(where) if name.endswith(".cim")}


def mounted(row, image):
    """A mount of an image there shows what went in."""
    source = os.path.join(TMP, "source")
    seen = os.path.join(TMP, row.name, "seen")
    os.makedirs(seen)
    result = row.how([SERVER, image, seen])
    check(result.code == 0, row.name + ": mount", result)
    if result.code:
        return
    try:
        result = run(["diff", "-r", "--no-dereference", source, seen])
        check(result.code == 0, row.name + ": the mount shows what went in", result)
    finally:
        umount(seen)
    check(wait_until(lambda: not servers(image)), row.name + ": its server ends", servers(image))


def images(row, where, reference):
    os.mkdir(where)
    for name, args in sessions(where).items():
        told(row, name, row.tool(*args))
        if name == "create" and not NO_MOUNT:
            mounted(row, args[-2])
        row.system.again()
        if args[0] == "create":
            result = row.tool(*args)
            check(result.code == 1 and "the name is taken" in result.errors,
                  row.name + ": once more, the name is taken", result)
    told(row, "create --all-times", row.tool("create", "-q", "--strict", "--all-times",
                                             os.path.join(where, "times"), os.path.join(TMP, "source")))
    told(row, "which can be removed", row.tool("rm", os.path.join(where, "times")))
    same(dumps(where), reference, row.name + ": dump tells what went in, of all of them")
    for name in ("fork.cim", "base.cim", "same.cim"):
        image = os.path.join(where, name)
        result = row.tool("verify", "--deep", image)
        check(result.code == 0, "%s: verify --deep %s" % (row.name, name), result)
    row.system.again()
    if row.folds:
        result = row.tool("files", os.path.join(where, "Fork.CIM"))
        check(result.code == 0 and "fork.cim" in result.text, row.name + ": files of another spelling", result)
    for name in ("fork.cim", "same.cim", "base.cim"):
        name = name.upper() if row.folds else name
        told(row, "rm " + name, row.tool("rm", os.path.join(where, name)))
    same(os.listdir(where), [], row.name + ": nothing is left there")


# ---- extraction, and back ----


def losses(result):
    """path -> what was told to be lost, of "extract -v"."""
    found = {}
    for line in result.errors.splitlines():
        match = LOSS.match(line)
        path, kind = (match[1], KINDS[match[2]]) if match else (line, "unknown")
        found[path] = found[path] + " " + kind if path in found else kind
    return found


def extracted(row, what, image, want, *options, where):
    result = row.tool("extract", "-v", "--threads=1", *options, "-C", where, image)
    same(losses(result), {shown(path): kind for path, kind in want.items()},
         "%s: %s tells what is lost" % (row.name, what))
    same(result.code, 3 if want else 0, "%s: %s ends so" % (row.name, what))


def differences(a, b):
    """path -> in what two images differ, in the words of losses()."""
    found = {}
    for line in run([CIMTOOL, "diff", "--json", a, b]).text.splitlines():
        one = json.loads(line)
        fields = {FIELDS.get(f["field"], f["field"].split(" ")[0]) for f in one.get("fields", ())}
        found[one["path"][1:]] = fields or {"none" if one["change"] == "removed" else one["change"]}
    return found


def back(row, image, where):
    """What was told is all that differs, and does."""
    result_image = os.path.join(TMP, row.name, "back.cim")
    result = row.tool("create", "-v", "--streams-interface=xattr", result_image, where)
    unshown = {line.split(":")[2].rsplit("/", 1)[1] for line in result.errors.splitlines() if "not stored" in line}
    same((result.code, unshown), (3 if row.unshown else 0, set(row.unshown)), row.name + ": create from there")
    found = differences(image, result_image)
    want = {}
    for path, kind in dict(row.lost, **row.later).items():
        want[path] = {"reparse", "attributes"} if kind == "reparse" else {kind}
    for path in row.unshown:
        want[path] = {"none"}
    # A hole is content; whether it takes no room is the file system's affair.
    if found.get("hole") == {"attributes"}:
        del found["hole"]
    for path in list(found):
        found[path] -= row.own
        if not found[path]:
            del found[path]
    # Of several names the first one tells nothing, or the last one.
    same(found, {path: kinds - row.own for path, kinds in want.items() if kinds - row.own}, row.name +
         ": nothing differs but what was told")


def extraction(row, where):
    image = the_image(row)
    out = os.path.join(where, "out")
    extracted(row, "extract", image, row.lost, where=out)
    os.chmod(os.path.join(out, "locked"), 0o755)  # a plain user overwrites nothing in it otherwise
    extracted(row, "extract --overwrite", image, row.lost, "--overwrite", where=out)
    strict = row.tool("extract", "-q", "--strict", "-C", os.path.join(where, "strict"), image)
    same(strict.code, 1 if row.lost else 0, row.name + ": extract --strict")
    names = Image(a_dir({name: a_dir({"in": a_file()}) if name.startswith("dir") else a_file(b"n")
                         for name in list(ODD_NAMES) + ["last"]})).write(os.path.join(TMP, row.name, "names"))
    out = os.path.join(where, "names")
    extracted(row, "extract of odd names", names, row.names, where=out)
    there = os.listdir(out) if os.path.isdir(out) else []
    same(sorted(there), sorted({"last", *ODD_NAMES} - set(row.names)), row.name + ": the rest is there")
    row.system.again()
    back(row, image, os.path.join(where, "out"))


def a_row(row, reference):
    where = os.path.join(TMP, row.name, "volume")
    os.makedirs(where)
    why = row.how.wants() if row.how is not run else None
    try:
        if why:
            raise CannotBe(why)
        here = row.system.make(where)
        if row.holds_no_xattrs(here):
            row.lost.update(NO_XATTRS)
        images(row, os.path.join(here, "images"), reference)
        extraction(row, here)
    except CannotBe as why_not:
        skip(row.name, str(why_not))
    finally:
        row.system.end()


NO_MOUNT = no_fuse()
if NO_MOUNT:
    skip("a mount of what lies there", NO_MOUNT)
source_tree()
os.mkdir(os.path.join(TMP, "reference"))
for session_name, session in sessions(os.path.join(TMP, "reference")).items():
    check(run([CIMTOOL, *session]).code == 0, "for comparison: " + session_name)
the_reference = dumps(os.path.join(TMP, "reference"))
for one_row in ROWS:
    if not sys.argv[1:] or one_row.name in sys.argv[1:]:
        a_row(one_row, the_reference)
done()
