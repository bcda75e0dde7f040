#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""The contract between cimfs.dll and cimfs-mount: --wine-mount and --wine-dismount, natively, with a
made-up directory of DOS devices."""

import ctypes
import errno
import fcntl
import glob
import os
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import uuid

from mounttest import (SERVER, TMP, check, done, faults, in_containers, mark_of, mounts, need_server, no_fuse, read,
                       run, same, servers, skip, tool, wait_until)
from imagebuilder import (Dir, File, Image, Link, NULL_DACL, Sparse, Stream, make_ea, make_reparse, make_sd,
                          make_symlink)

need_server()
INVALID, ACCESS, NOT_FOUND, NO_PATH, EXISTS, CORRUPT, VERSION, UNSUPPORTED = 65, 68, 69, 70, 71, 74, 75, 76
DISK_FULL, IO, ABORTED = 78, 80, 81
READONLY, HIDDEN, SYSTEM = 1, 2, 4
PREFIX = os.path.join(TMP, "a prefix, with a comma")
DOS = os.path.join(PREFIX, "dosdevices")
STATUS = os.path.join(TMP, "status")
# Of this run alone: cimtool finds volumes of all prefixes.
GUID, OTHER = (first + str(uuid.uuid4())[1:] for first in "0f")
print("# GUIDs %s %s" % (GUID, OTHER))
os.makedirs(DOS)
os.symlink("../drive_c", os.path.join(DOS, "c:"))


def tree(hidden):
    return Dir({
        "file.txt": File(b"content", streams={"s": Stream(b"a stream")}),
        "again.txt": Link("file.txt"),
        "readonly": File(b"r", flags=READONLY, streams={"ro": Stream(b"of a read-only file")}),
        "hidden": File(b"h", flags=HIDDEN if hidden else 0),
        "sparse": File(Sparse(1 << 30)),
        "dir": Dir({"rooted": File(reparse=make_symlink("\\file.txt")),
                    "drive": File(reparse=make_symlink("\\??\\C:\\windows\\x", flags=0)),
                    "own": File(reparse=make_symlink("\\??\\Volume{%s}\\file.txt" % GUID.upper(), flags=0)),
                    "other": File(reparse=make_symlink(
                        "\\??\\Volume{11111111-2222-3333-4444-5555555555AA}\\q", flags=0)),
                    "unc": File(reparse=make_symlink("\\??\\UNC\\srv\\share\\f", flags=0)),
                    "deep": Dir({"twice": Link("file.txt")}, flags=READONLY)},
                   streams={"of dir": Stream(b"a directory's")}),
        "link": File(b"", reparse=make_symlink("file.txt"), streams={"of link": Stream(b"a link's")}),
        "not a stream": File(b"n", streams={"a:b": Stream(b"x"), "a/b": Stream(b"x")}),
        "taken": File(b"t", streams={"by item": Stream(b"the stream"), "Big": Stream(b"B" * 5000)}),
        "taken:by item": File(b"the item"),
        "lone\ud800": File(b"lone"),
    }, streams={"of root": Stream(b"the root's")})


# What the volume has but the mount doesn't list. As no directory hides anything, the copy does.
UNLISTED = {
    "file.txt:s": b"a stream",
    "again.txt:s": b"a stream",
    "dir/deep/twice:s": b"a stream",
    "readonly:ro": b"of a read-only file",
    "dir:of dir": b"a directory's",
    "link:of link": b"a link's",
    "taken:Big": b"B" * 5000,
    ":of root": b"the root's",
    ".windows-label": b"layer.cim\n",
    ".windows-serial": b"%s\n" % GUID[:8].encode(),
}


image = Image(tree(True), name="layer.cim").write(os.path.join(TMP, "images with spaces"))
plain = Image(tree(False), name="plain.cim").write(os.path.join(TMP, "plain"))


def link(guid=GUID):
    return os.path.join(DOS, "volume{%s}" % guid)


def state(guid=GUID):
    return os.path.join(PREFIX, "cimfs", "volumes", guid)


def call(what, guid=GUID, *more):
    if os.path.exists(STATUS):
        os.unlink(STATUS)
    return run([SERVER, "--wine-" + what, "--dosdevices", DOS, "--guid", guid, "--status", STATUS,
                *more])


def status():
    with open(STATUS, encoding="utf-8", errors="replace") as f:
        return f.read()


def mount(guid=GUID, name=image, backend=None, form=None):
    return call("mount", guid, *(["--backend", backend] if backend else []),
                *(["--reparse", form] if form else []), "--image", name)


def dismount(guid=GUID):
    return call("dismount", guid)


def log_lines():
    return read(state() + "/log").decode().splitlines()


def marked(name=image):
    """Is the image locked, so that a commit over it is refused?"""
    file, byte = mark_of(name)
    with open(file, "r+b") as f:
        try:
            fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except BlockingIOError:
            return True
    return False


def letter(guid=GUID, name="q:"):
    """What the mount manager makes of a letter that cimfs.dll asks it for."""
    os.symlink(link(guid), os.path.join(DOS, name))


def clean():
    """Nothing but what was there before."""
    return (sorted(os.listdir(PREFIX)), sorted(os.listdir(DOS)), mounts())


CLEAN = (["dosdevices"], ["c:"], [])


def fails(code, name, result, left=CLEAN):
    check(result.code == code, "%s: exit code %d" % (name, code), result)
    text = status() if os.path.exists(STATUS) else ""
    check(text.count("\n") == 1 and text.strip() and not text.startswith("ok") and not result.err,
          "%s: one line tells the cause, and stderr nothing" % name, (text, result.err))
    same(clean(), left, "%s: nothing is left behind" % name)


# How reparse points show (the second needs attributes that a copy's file system may not have).
FORMS = ["links", "wine"]

# ---- refusals ----

fails(NOT_FOUND, "missing image", mount(name=os.path.join(TMP, "no.cim")))
fails(NO_PATH, "missing directory", mount(name=os.path.join(TMP, "no", "no.cim")))
fails(ACCESS, "a directory as image", mount(name=TMP))
with open(os.path.join(TMP, "junk.cim"), "wb") as f:
    f.write(b"junk" * 100)
fails(CORRUPT, "no image", mount(name=os.path.join(TMP, "junk.cim")))
fails(VERSION, "unknown version",
      mount(name=Image(Dir({}), name="f.cim", version=(9, 0)).write(os.path.join(TMP, "f"))))
for name, size, words in (("missing", None, "missing"), ("10 bytes long", 10, "shorter than its header")):
    half = Image(tree(True), name="half.cim").write(os.path.join(TMP, "half-%s" % size))
    if in_containers():  # which is whole, or isn't opened
        break
    region, = glob.glob(os.path.join(os.path.dirname(half), "region_*_2"))
    if size is None:
        os.unlink(region)
    else:
        os.truncate(region, size)
    for backend in ("fuse", "extract"):
        fails(CORRUPT, "%s: a region file is %s" % (backend, name), mount(name=half, backend=backend))
        check(os.path.basename(region) in status() and words in status(), "%s: and is named" % backend,
              status())
with open(os.path.join(PREFIX, "cimfs"), "wb"):
    pass
fails(NO_PATH, "a file where the prefix's volumes should go", mount(),
      left=(["cimfs", "dosdevices"], ["c:"], []))
os.unlink(os.path.join(PREFIX, "cimfs"))
fails(NOT_FOUND, "dismount of what isn't mounted", dismount())
own = run([SERVER, "--version"]).text.split()[-1]
for version, told in (("0.0.1", True), (chr(ord(own[0]) + 1) + own[1:], True), (own, False)):
    for what in ("mount", "dismount"):
        fails(NOT_FOUND, "%s for a cimfs.dll of version %s" % (what, version),
              call(what, GUID, "--dll-version", version, *(["--image", "/no.cim"] if what == "mount" else [])))
        same("cimfs-mount is of version %s, cimfs.dll of %s: install both anew" % (own, version) in status(), told,
             "version %s: a failure tells %s" % (version, "that the two differ" if told else "nothing of versions"))
same(run([SERVER, "--wine-mount", "--dosdevices", os.path.join(TMP, "none"), "--guid", GUID, "--image",
          image]).code, NO_PATH, "no such dosdevices: exit code %d" % NO_PATH)
for bad in (["--guid", "xyz"], ["--backend", "magic"], ["--reparse", "magic"], ["--guid", GUID + "0"], []):
    result = run([SERVER, "--wine-mount", "--dosdevices", DOS, *bad, "--image", image])
    same(result.code, INVALID, "wrong arguments %s: exit code %d" % (bad[1:], INVALID))
same(clean(), CLEAN, "wrong arguments: nothing is left behind")


# ---- what both backends must do ----

def writable(st):
    """As Wine sees it: whoever it is that may write."""
    return bool(st.st_mode & 0o222)


def reparse_of(path):
    """The data of what shows as one of Wine's reparse points."""
    try:
        return os.getxattr(path, "user.WINEREPARSE", follow_symlinks=False) if path.endswith("?") else None
    except OSError:
        return None


def attribute_of(path):
    """Hidden and system, which is all that Wine looks for there."""
    try:
        return int(os.getxattr(path, "user.DOSATTRIB", follow_symlinks=False), 16) & (HIDDEN | SYSTEM)
    except OSError:
        return 0


def snapshot(root):
    """path -> all that Wine can show of it, but for change times and inode numbers, which a file
    system gives out itself. Reading is last, as it changes access times of the copy."""
    found = stats(root, "")
    for path, facts in found.items():
        if facts[0] == stat.S_IFREG and facts[-1] < 1 << 20:
            facts.append(read(os.path.join(root, path)))
    return found


def stats(root, where):
    found = {}
    for name in sorted(os.listdir(os.path.join(root, where))):
        path = os.path.join(where, name)
        full = os.path.join(root, path)
        st = os.lstat(full)
        facts = [stat.S_IFMT(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns, st.st_atime_ns]
        if stat.S_ISLNK(st.st_mode):
            facts += [os.readlink(full)]
        else:
            facts += [writable(st), attribute_of(full), reparse_of(full)]
        if stat.S_ISREG(st.st_mode):
            # (Attributes may take blocks of a file without data.)
            facts += [st.st_nlink, not st.st_blocks or not st.st_size, st.st_size]
        found[path] = facts
        if stat.S_ISDIR(st.st_mode):
            found.update(stats(root, path))
    return found


def shown(path, form):
    """The name by which a form shows an item of the tree above."""
    links = ("link", "dir/rooted", "dir/own", "dir/drive", "dir/other", "dir/unc")
    return path + "?" if form == "wine" and path in links else path


def looks_right(backend, form):
    name = "%s, %s: " % (backend, form)
    root = link()
    same(os.readlink(root), os.path.join(state(), "mnt", "root"), name + "the link leads to mnt/root")
    more = [n for n in UNLISTED if "/" not in n] if backend == "extract" else []
    same(sorted(os.fsencode(n) for n in os.listdir(root)),
         sorted(n.encode("utf-8", "surrogatepass")
                for n in [shown(n, form) for n in tree(True).entries] + more),
         name + "all names, no others" + (" but those that can't be hidden" if more else ""))
    same(read(root + "/file.txt"), b"content", name + "reads")
    st = os.stat(root + "/file.txt")
    same((st.st_nlink, os.stat(root + "/dir/deep/twice").st_ino), (3, st.st_ino), name + "hard links")
    same([writable(os.stat(root + n)) for n in ("/readonly", "/dir/deep", "/dir", "/file.txt", "")],
         [False, False, True, True, True], name + "read-only is what is read-only in the image")
    same((st.st_uid, st.st_gid), (os.getuid(), os.getgid()), name + "owner")
    st = os.stat(root + "/sparse")
    same((st.st_size, st.st_blocks), (1 << 30, 0), name + "sparse")
    if form == "links":
        same([os.readlink(os.path.join(root, "dir", n)) for n in ("rooted", "own", "drive", "other", "unc")],
             ["../file.txt", "../file.txt", DOS + "/c:/windows/x",
              DOS + "/volume{11111111-2222-3333-4444-5555555555aa}/q", DOS + "/unc/srv/share/f"],
             name + "links' targets as under Wine")
    else:
        same({n: reparse_of(os.path.join(root, "dir", n + "?")) for n,
              item in tree(True).entries["dir"].entries.items()
              if n != "deep"},
             {n: item.reparse for n, item in tree(True).entries["dir"].entries.items() if n != "deep"},
             name + "reparse points as Wine keeps them")
    check(attribute_of(root + "/hidden") == (HIDDEN if keeps_attributes(backend) else 0),
          name + "user.DOSATTRIB", attribute_of(root + "/hidden"))
    same({n: read(os.path.join(root, n)) for n in UNLISTED}, UNLISTED,
         name + "streams, label and serial number open by name")
    same(read(root + "/taken:by item"), b"the item", name + "an item's name comes before a stream's")
    same(sorted(n for n in ("not a stream:a:b", "not a stream:a", "file.txt:none")
                if os.path.lexists(os.path.join(root, n))), [], name + "and no other stream")
    same(oct(os.stat(state()).st_mode), "0o40700", name + "the state is its owner's alone")


def keeps_attributes(backend):
    """Can the file system that the copy is on hold user.DOSATTRIB?"""
    probe = os.path.join(TMP, "probe")
    with open(probe, "wb"):
        pass
    try:
        os.setxattr(probe, "user.DOSATTRIB", b"0x2")
    except OSError:
        return backend != "extract"
    return True


def pending(number, function, *args, **more):
    """Call run() for a program that a signal is waiting for already."""
    def wait():
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        os.kill(os.getpid(), number)
    return function(*args, preexec_fn=wait, **more)


def mount_call(backend="extract", name=image):
    return [SERVER, "--wine-mount", "--dosdevices", DOS, "--guid", GUID, "--status", STATUS,
            "--backend", backend, "--image", name]


def failing(fail, *command, fault=""):
    """Run a command in which a call fails; see faults.c."""
    if os.path.exists(STATUS):
        os.unlink(STATUS)
    return run(command, env=faults(FAIL=fail, FAULT=fault))


def fails_on_the_way(backend):
    """Whatever can't be made, all of it is taken away again, and one line tells the cause."""
    for fail, code in [("mkdir:28:" + n, DISK_FULL) for n in ("cimfs", "volumes", GUID, "mnt")] + [
            ("rename:5:info", IO), ("rename:5:" + os.path.basename(link()), IO),
            ("symlink:28:.volume{%s}.new" % GUID, DISK_FULL), ("flock:5", IO)]:
        fails(code, "%s: %s" % (backend, fail), failing(fail, *mount_call(backend)))
    fails(IO, backend + ": no process can be made", failing("", *mount_call(backend), fault="fork"))
    same(servers(image), [], backend + ": no process is left of all that")


def open_files(pid):
    """What a process has open."""
    return [os.readlink(n) for n in glob.glob("/proc/%d/fd/*" % pid) if os.path.lexists(n)]


def start_copy(name):
    """Start the making of a copy, and stop the process before it is done: the process."""
    for _ in range(50):
        process = subprocess.Popen(mount_call(name=name), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(state() + "/mnt/root") or process.poll() is not None)
        process.send_signal(signal.SIGSTOP)
        try:
            if process.poll() is None and b"ready 0" in read(state() + "/info"):
                return process
        except FileNotFoundError:
            pass
        process.send_signal(signal.SIGCONT)
        process.wait()
        dismount()
    check(False, "extract: a copy is caught while it is made", "50 times it was too fast")
    done()
    return None


by_copy = {}
for form in FORMS:
    result = mount(backend="extract", form=form)
    check(result.code == 0, "extract, %s: exit code 0" % form, result)
    same(status(), "ok extract %s/mnt/root\n" % state(), "extract, %s: the status file" % form)
    by_copy[form] = snapshot(link())
    looks_right("extract", form)
    dismount()
mount(backend="extract")
same(mount().code, EXISTS, "extract: the GUID is taken")
result = tool("umount", "typo", env=dict(os.environ, WINEPREFIX=PREFIX))
check(result.code == 1 and PREFIX in result.errors,
      "cimtool umount: not mounted; the prefix is named where it has volumes", result)
same((marked(), len(servers(image))), (True, 1), "extract: one process marks the image as mounted")
check(wait_until(lambda: "anon_inode:inotify" in open_files(servers(image)[0])),
      "extract: and is told when the copy is gone", open_files(servers(image)[0]))
holder = servers(image)[0]
same((os.readlink("/proc/%d/cwd" % holder), os.getsid(holder) == holder), ("/", True),
     "extract: in a directory and a session that are in nobody's way")
os.kill(holder, signal.SIGSTOP)
with open(link() + "/file.txt", "rb") as held:
    same(dismount().code, 0, "extract: dismount with a file open")
    same(held.read(), b"content", "extract: what is open can be read")
same((clean(), marked(), servers(image)), (CLEAN, False, []), "extract: nothing is left, no process either")
fails(NOT_FOUND, "extract: dismounted twice", dismount())

# ---- what a copy can't hold ----

LOST = ["stream not restored", "times not restored"]
mount(backend="extract")
same([line.split(": ")[1] for line in log_lines()], LOST, "extract: the log tells what this copy lacks")
dismount()
LONG, ODD = "\u00fc" * 200, "\u00fc" * 200 + "a"
lossy = Image(Dir({
    "dir link": Dir({"below": File(b"b")}, reparse=make_symlink("other")),
    "secured": File(b"s", sd=make_sd()),
    "secured too": File(b"s", sd=make_sd()),
    "ea": File(b"e", ea=make_ea((b"NAME", b"value"))),
    "tag\u009b": File(b"t", reparse=make_reparse(0x80000099, b"data")),
    "streams": File(b"s", streams={"a:b": b"x", "c": b"y"}),
    LONG: File(b"l"),
    ODD: File(b"o"),
}), name="lossy.cim").write(os.path.join(TMP, "lossy"))
mount(name=lossy, backend="extract")
lines = [line.split("cimfs-mount: ")[1] for line in log_lines()]
same(lines[:2], ["%s is left out: File name too long" % n for n in (LONG[-150:], ODD[-150:])],
     "extract: the log names what is left out, by whole characters")
same([line for line in lines[2:] if not line.startswith("times")], [
    "what lies below was not restored: 1 in the copy, first /dir link: 1 entry",
    "reparse data not restored: 1 in the copy, first /tag??: the target has no place for it",
    "stream not restored: 1 in the copy, first /streams: a:b: the name can't be used",
    "security descriptor not restored: 2 in the copy, first /secured: the target has no place for it",
    "extended attributes not restored: 1 in the copy, first /ea: the target has no place for it",
], "extract: and what is lost of the others, a line for each kind")
same(sorted(n for n in os.listdir(link()) if n[0] != "."),
     ["dir link", "ea", "secured", "secured too", "streams", "streams:c", "tag\u009b"],
     "extract: all the rest is there")
dismount()

# ---- the process that holds a copy's lock ----

mount(backend="extract")
mount(OTHER, backend="extract")
dismount()
same((marked(), len(servers(image))), (True, 1), "extract: of two volumes one is left: still marked")
dismount(OTHER)
same((marked(), clean()), (False, CLEAN), "extract: until that is dismounted too")
with subprocess.Popen(mount_call(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
    output, _ = process.communicate(timeout=20)
same((output, process.returncode), (b"", 0), "extract: no pipe of the caller's is held")


def kill_holder(number=signal.SIGKILL):
    for pid in servers(image):
        holder = os.pidfd_open(pid)
        os.kill(pid, number)
        select.select([holder], [], [], 10)
        os.close(holder)
    return not servers(image)


check(kill_holder(), "extract: the holder is killed", servers(image))
result = mount(backend="extract")
check(result.code == 0 and read(link() + "/file.txt") == b"content" and marked() and
      len(servers(image)) == 1, "extract: the next mount cleans up and works",
      (str(result), marked(), servers(image)))


def of_volume(*args):
    """cimtool about the volume, by its directory: other tests' volumes may have the same GUID."""
    return tool(*args, state() + "/mnt", env={"WINEPREFIX": PREFIX})


# Whoever reaps a holder may be slow to do so; here nobody does.
PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None)
libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
for state_of, flags in (("a zombie", os.WNOWAIT), ("gone", 0)):
    dismount()
    mount(backend="extract")
    holder = servers(image)[0]
    same(of_volume("mounts").text.split()[:1], ["live"], "cimtool mounts: a copy is live")
    os.kill(holder, signal.SIGKILL)
    os.waitid(os.P_PID, holder, os.WEXITED | flags)
    same(of_volume("mounts").text.split()[:1], ["stale"],
         "cimtool mounts: a copy whose holder is %s is stale" % state_of)
    result = of_volume("mounts", "--clean")
    check(result.code == 0 and result.text.startswith("removed") and clean() == CLEAN,
          "cimtool mounts --clean: and is taken away", (str(result), clean()))
    if flags:
        os.waitpid(holder, 0)
libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
mount(backend="extract")
kill_holder()
result = dismount()
check(result.code == 0 and clean() == CLEAN, "extract: killed again: so does the next dismount",
      (str(result), clean()))
mount(backend="extract")
kill_holder(signal.SIGTERM)
check(wait_until(lambda: clean() == CLEAN), "extract: SIGTERM: the holder takes everything away", clean())
mount(backend="extract")
kill_holder(signal.SIGHUP)
check(wait_until(lambda: clean() == CLEAN), "extract: SIGHUP: so it does", clean())
run(mount_call(), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
os.kill(servers(image)[0], signal.SIGHUP)
os.kill(servers(image)[0], signal.SIGWINCH)
same((os.path.exists(link() + "/file.txt"), len(servers(image)), marked()), (True, 1, True),
     "extract: SIGHUP where the caller ignores it: nothing")
kill_holder(signal.SIGINT)
check(wait_until(lambda: clean() == CLEAN), "extract: SIGINT: the holder takes everything away", clean())
mount(backend="extract")
shutil.rmtree(os.path.join(PREFIX, "cimfs"))
# (A process that ends has no command line any more while it still holds its locks.)
check(wait_until(lambda: not servers(image) and not marked()),
      "extract: the copy is removed by hand: the holder ends, and its mark", servers(image))
same((marked(), mount(backend="extract").code, dismount().code, clean()), (False, 0, 0, CLEAN),
     "extract: and what was left of it is in nobody's way")



def mount_before_close(backend):
    """Whoever made the image still has it open, and its lock: the volume's comes when he lets go."""
    region, byte = mark_of(image)
    with open(region, "r+b") as session:
        fcntl.lockf(session, fcntl.LOCK_EX, 1, byte)
        result = mount(backend=backend)
    check(result.code == 0 and wait_until(marked), backend + ": mounted before its session is closed, it "
          "is marked after that", result)
    dismount()
    same((marked(), clean()), (False, CLEAN), backend + ": and not after the dismount")
    if backend == "fuse" and os.environ.get("SANITIZE"):
        skip("fuse: SIGTERM while the lock is waited for: everything is taken away",
             "AddressSanitizer takes what a cancelled thread leaves on its stack for an overflow")
        return
    with open(region, "r+b") as session:
        fcntl.lockf(session, fcntl.LOCK_EX, 1, byte)
        mount(backend=backend)
        os.kill(servers(image)[0], signal.SIGTERM)
        check(wait_until(lambda: clean() == CLEAN), backend + ": SIGTERM while the lock is waited for: "
              "everything is taken away", clean())
    check(wait_until(lambda: not servers(image)), backend + ": and the process has ended", servers(image))


mount_before_close("extract")


def without_locks(backend, fault):
    """A file system without locks: the volume is there, and its note, log and caller's log tell."""
    result = run(mount_call(backend), env=faults(FAULT=fault))
    notes = [n for n in status().splitlines() if n.startswith("note %s: a commit over this" % image)]
    check(result.code == 0 and not result.err and len(notes) == 1 and "No locks available" in notes[0],
          backend + ": no locks: mounts, with a note", (str(result), status()))
    same((read(link() + "/file.txt"), log_of("No locks available")), (b"content", 1),
         backend + ": no locks: and a line in the log")
    dismount()
    region, byte = mark_of(image)
    with open(region, "r+b") as session:
        fcntl.lockf(session, fcntl.LOCK_EX, 1, byte)
        result = run(mount_call(backend), env=faults(FAULT="lock-later"))
    same((result.code, status().count("note")), (0, 0), backend + ": no locks later: mounts")
    check(wait_until(lambda: log_of("No locks available") == 1), backend + ": no locks later: a line in the log",
          log_of(""))
    if backend == "extract":
        check(wait_until(lambda: state() + "/log" not in open_files(servers(image)[0])),
              "extract: no locks later: the log isn't kept open", open_files(servers(image)[0]))
    dismount()
    same(clean(), CLEAN, backend + ": no locks: nothing is left")


def log_of(words):
    """Lines of the volume's log that hold some words."""
    log = state() + "/log"
    return sum(words in n for n in read(log).decode().splitlines()) if os.path.exists(log) else 0


without_locks("extract", "lock")
without_locks("extract", "locks")
fails_on_the_way("extract")
fails(DISK_FULL, "extract: the copy can't be begun", failing("mkdir:28:root", *mount_call()))
check("unpacking /: No space left" in status(), "extract: which is told of", status())

# Names that can't be links are copies, with their streams.
same(failing("linkat:1", *mount_call()).code, 0, "extract: no hard links: exit code 0")
same([read(link() + n) for n in ("/again.txt", "/dir/deep/twice", "/again.txt:s", "/dir/deep/twice:s")],
     [b"content"] * 2 + [b"a stream"] * 2, "extract: no hard links: copies")
lines = [line.split("cimfs-mount: ")[1] for line in log_lines()]
check("hard link not restored: 2 in the copy, first /dir/deep/twice: a copy instead: Operation not permitted"
      in lines, "extract: no hard links: the log tells", lines)
dismount()
same(failing("linkat:31", *mount_call()).code, 0, "extract: too many links: exit code 0")
same(({read(link() + n) for n in ("/file.txt", "/again.txt", "/dir/deep/twice")},
      log_of("hard link not restored: 2")),
     ({b"content"}, 1), "extract: too many links: copies, and the log tells")
dismount()

# Whoever holds a copy has a look himself where the kernel doesn't tell of its end.
same(failing("inotify_init1:24", *mount_call()).code, 0, "extract: nobody tells of changes: exit code 0")
shutil.rmtree(os.path.join(PREFIX, "cimfs"))
check(wait_until(lambda: not servers(image) and not marked(), 30), "extract: the holder ends all the same",
      servers(image))
dismount()
mount(backend="extract")
holder = os.pidfd_open(servers(image)[0])
os.rename(state(), state() + ".moved")
select.select([holder], [], [], 10)
os.close(holder)
same(servers(image), [], "extract: the copy is moved away: the holder ends")
os.rename(state() + ".moved", state())
result = mount(backend="extract")
check(result.code == 0 and read(link() + "/file.txt") == b"content", "extract: and is replaced by the next", result)
dismount()
region, byte = mark_of(image)
with open(region, "r+b") as session:
    fcntl.lockf(session, fcntl.LOCK_EX, 1, byte)
    same(failing("", *mount_call(), fault="thread").code, 0, "extract: nobody can wait for the lock: exit code 0")
same((wait_until(lambda: log_of("a commit over this image won't be refused") == 1), marked()), (True, False),
     "extract: nobody can wait for the lock: the log tells")
dismount()
same(clean(), CLEAN, "extract: nothing is left of all that")

# ---- where the answer goes ----

WHERE = os.path.join(TMP, "answers")
os.makedirs(os.path.join(WHERE, "dir"))


def answers_on_stderr(name, command, words, code, **more):
    result = run(command, **more)
    check(result.code == code and result.errors.count("\n") == 1 and words in result.errors,
          name + ": stderr has the answer", result)
    same(os.listdir(WHERE), ["dir"], name + ": no file is left")


def no_bytes():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


for place, more in (("dir", {}), ("none/x", {}), ("new", {"preexec_fn": no_bytes})):
    command = [SERVER, "--wine-dismount", "--dosdevices", DOS, "--guid", GUID, "--status", os.path.join(WHERE, place)]
    answers_on_stderr("a status file that can't be written: " + place, command,
                      "cimfs-mount: dismount %s: no such volume is mounted" % GUID, NOT_FOUND, **more)
answers_on_stderr("a status file that can't be written: a note",
                  [SERVER, "--wine-mount", "--dosdevices", DOS, "--guid", GUID, "--status",
                   os.path.join(WHERE, "dir"),
                   "--backend", "extract", "--image", image], "cimfs-mount: %s: a commit over this" % image, 0,
                  env=faults(FAULT="lock"))
dismount()

# The image by a link elsewhere: it is the real one that is mounted and marked.
os.makedirs(os.path.join(TMP, "links"))
alias = os.path.join(TMP, "links", "alias.cim")
if in_containers():
    os.symlink(os.path.dirname(image), alias)
    alias = os.path.join(alias, os.path.basename(image))
else:
    os.symlink(image, alias)
mount(name=alias, backend="extract")
same((marked(), "image %s\n" % image in read(state() + "/info").decode(),
      read(link() + "/.windows-label")), (True, True, b"layer.cim\n"),
     "extract: an image by a symbolic link: the real one is marked")
dismount()

# ---- signals ----

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    fails(ABORTED, "extract: %s at once" % number.name, pending(number, run, mount_call()))
    same(status(), "unpacking was stopped by a signal\n", "extract: which is told")
large = Image(Dir({"f%d" % n: File(os.urandom(1 << 20)) for n in range(32)}),
              name="large.cim").write(os.path.join(TMP, "large"))
making = start_copy(large)
same((dismount().code, mount(name=large).code), (NOT_FOUND, EXISTS),
     "extract: a volume in the making is none yet, but its GUID is taken")
check(marked(large), "extract: its image is marked already")
making.send_signal(signal.SIGTERM)
making.send_signal(signal.SIGCONT)
same((making.wait(), clean(), marked(large), servers(large)), (ABORTED, CLEAN, False, []),
     "extract: SIGTERM while it is made: nothing is left")
making = start_copy(large)
making.kill()
making.wait()
result = mount(name=large, backend="extract")
check(result.code == 0 and len(read(link() + "/f7")) == 1 << 20,
      "extract: SIGKILL while it is made: the next mount works", result)
same((pending(signal.SIGTERM, run, [SERVER, "--wine-dismount", "--dosdevices", DOS, "--guid", GUID]).code,
      clean(), servers(large)), (0, CLEAN, []), "extract: a dismount is not left half done by a signal")
mount(backend="extract")
# What a reboot leaves: the number of a process is another's now, with the same age perhaps.
with subprocess.Popen(["sleep", "60"]) as innocent:
    with open("/proc/%d/stat" % innocent.pid, encoding="utf-8") as f:
        age = f.read().rsplit(")", 1)[1].split()[19]
    with open(state() + "/info", encoding="utf-8") as f:
        info = dict(line.split(" ", 1) for line in f)
    info.update(boot="11111111-2222-3333-4444-555555555555\n", pid="%d\n" % innocent.pid, start=age + "\n")
    with open(state() + "/info", "w", encoding="utf-8") as f:
        f.writelines("%s %s" % line for line in info.items())
    result = mount(backend="extract")
    check(result.code == 0 and read(link() + "/file.txt") == b"content",
          "extract: one of before a reboot is replaced", result)
    same(innocent.poll(), None, "extract: whoever has its process's number is left alone")
    innocent.kill()
dismount()
check(wait_until(lambda: not servers(image)), "extract: and nothing is left of both", servers(image))
full = os.path.join(TMP, "small")
os.mkdir(full)
if os.geteuid() == 0 and run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", full]).code == 0:
    os.makedirs(full + "/p/dosdevices")
    result = run([SERVER, "--wine-mount", "--dosdevices", full + "/p/dosdevices", "--guid", GUID,
                  "--backend", "extract", "--image", large])
    same((result.code, os.listdir(full + "/p"), os.listdir(full + "/p/dosdevices")),
         (64 + 14, ["dosdevices"], []), "extract: a full disk: CIM_E_DISK_FULL, nothing is left")
    run(["umount", full])
else:
    skip("extract: a full disk", "no right to mount a tmpfs")

why = no_fuse()
if why:
    fails(ACCESS if "denied" in why else UNSUPPORTED, "fuse: not here", mount(backend="fuse"))
    result = mount()
    check(result.code == 0 and status().startswith("ok extract"), "auto: falls back", result)
    dismount()
    skip("all of the fuse backend", why)
    done()

no_dev = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && '
          'exec "$@"', "sh"]
if run([*no_dev, "true"]).code == 0:
    NO_FUSE = [*no_dev, SERVER, "--wine-mount", "--dosdevices", DOS, "--guid", GUID,
               "--status", STATUS, "--image", image]
    fails(UNSUPPORTED, "fuse: absent", run(NO_FUSE + ["--backend", "fuse"]))
    result = run(NO_FUSE)
    lines = status().splitlines()
    check(result.code == 0 and not result.err and len(lines) == 2 and lines[0].startswith("ok extract") and
          lines[1].startswith("note ") and "no FUSE" in lines[1],
          "auto: FUSE absent: a copy, and a note for the caller's log", (str(result), lines))
    same([line.split(": ")[1] for line in log_lines()], [image] + LOST,
         "auto: the volume's own log: the note, and a line for each kind of what the copy can't hold")
    same(dismount().code, 0, "auto: which is dismounted")
    same(clean(), CLEAN, "auto: and gone")
else:
    skip("fuse: absent", "not root, or no right to lay another directory over /dev")

for error, code in ((errno.EACCES, ACCESS), (errno.EPERM, ACCESS), (errno.ENODEV, UNSUPPORTED),
                    (errno.ENXIO, UNSUPPORTED)):
    fails(code, "fuse: /dev/fuse can't be opened: " + os.strerror(error), failing("open:%d:fuse" % error,
        *mount_call("fuse")))
no_right = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
if os.geteuid() == 0 and run([*no_right, "true"]).code == 0:
    fails(ACCESS, "fuse: no right to mount", run(no_right + mount_call("fuse")))
    check("not permitted" in status(), "fuse: which is told", status())
    result = run(no_right + mount_call("auto"))
    lines = status().splitlines()
    check(result.code == 0 and lines[0].startswith("ok extract") and "not permitted" in lines[1],
          "auto: no right to mount: a copy, and a note", (str(result), lines))
    same((read(link() + "/file.txt"), dismount().code, clean()), (b"content", 0, CLEAN),
         "auto: which is there, and goes")
else:
    skip("fuse: no right to mount", "not root, or no setpriv")

by_fuse = {}
for form in FORMS:
    result = mount(form=form)
    check(result.code == 0 and not result.err, "fuse, %s: exit code 0, nothing on stderr" % form, result)
    same(status(), "ok fuse %s/mnt/root\n" % state(), "fuse, %s: the status file" % form)
    looks_right("fuse", form)
    by_fuse[form] = snapshot(link())
    dismount()
mount()
same(read(state() + "/mnt/.windows-serial"), b"%s\n" % GUID[:8].encode(), "fuse: also in the mount's own root")
with open(state() + "/mnt/.windows-serial", "rb") as f:
    same([os.lseek(f.fileno(), 0, whence) for whence in (os.SEEK_DATA, os.SEEK_HOLE)], [0, 9], "fuse: without a hole")
same(os.listdir(state() + "/mnt"), ["root"], "fuse: which lists nothing but root")
same(read(link() + "/file.txt:S:$data"), b"a stream", "fuse: streams open by name")
try:
    os.getxattr(link() + "/file.txt", "user.s")
    result = ""
except OSError as error:
    result = errno.errorcode[error.errno]
same(result, "ENODATA", "fuse: not as attributes")
for form in FORMS:
    copy, mounted = by_copy[form], by_fuse[form]
    same(sorted(set(copy) - set(mounted)), sorted(UNLISTED), form + ": the copy lists what a mount has unlisted")
    same({copy[n][6] for n in UNLISTED}, {HIDDEN | SYSTEM} if keeps_attributes("extract") else {0},
         form + ": marked as hidden and system, where the file system has such marks")
    if keeps_attributes("extract"):
        same({n: (copy.get(n), want) for n, want in mounted.items() if copy.get(n) != want}, {},
             form + ": and otherwise shows the same in all")
    else:
        skip(form + ": the copy shows the same in all", "no user.DOSATTRIB on this file system")
fails(EXISTS, "fuse: the GUID is taken", mount(), left=clean())
check(marked(), "fuse: the image is marked as mounted")
pid = servers(image)
same(len(pid), 1, "fuse: one server")
same(tool("mounts", "--json", GUID).text.count('"guid": "%s"' % GUID), 1, "cimtool mounts shows the volume")
same(dismount().code, 0, "fuse: dismount")
same((clean(), servers(image)), (CLEAN, []), "fuse: nothing is left, the server has ended by then")

# A server left with an inherited pipe would keep its reader waiting.
with subprocess.Popen([SERVER, "--wine-mount", "--dosdevices", DOS, "--guid", GUID, "--image", image],
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
    output, _ = process.communicate(timeout=20)
same((output, process.returncode), (b"", 0), "fuse: holds no pipe of the caller's")
held = open(link() + "/file.txt", "rb")
letter()
same(dismount().code, 0, "fuse: dismount with a file open")
same((clean(), held.read()), (CLEAN, b"content"),
     "fuse: the GUID is free, a letter left over too, what is open can be read")
same(mount().code, 0, "fuse: the GUID can be mounted again meanwhile")
held.close()
check(wait_until(lambda: len(servers(image)) == 1), "fuse: the old server ends with the last file",
      servers(image))
same(read(link() + "/file.txt"), b"content", "fuse: the new one goes on")
dismount()

for number in (signal.SIGTERM, signal.SIGINT):
    fails(ABORTED, "fuse: %s before the call returns" % number.name,
          pending(number, run, mount_call("fuse")))
same(servers(image), [], "fuse: no server is left of that")

mount_before_close("fuse")
without_locks("fuse", "lock")
without_locks("fuse", "locks")
fails_on_the_way("fuse")
fails(IO, "fuse: the server dies as it begins", failing("", *mount_call("fuse"), fault="setsid"))
fails(IO, "fuse: no pipe to the server", failing("pipe2:24", *mount_call("fuse")))
fails(IO, "fuse: no handlers of signals", failing("fuse_set_signal_handlers:22", *mount_call("fuse")))
same(servers(image), [], "fuse: no server is left of all that")

for error in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINTR):
    same(failing("flock:%d" % error, *mount_call("fuse")).code, 0,
         "fuse: flock() fails with %s: mounts" % os.strerror(error))
    same((read(link() + "/file.txt"), dismount().code, clean()), (b"content", 0, CLEAN), "fuse: and goes")
fails(IO, "fuse: flock() fails otherwise", failing("flock:%d" % errno.EIO, *mount_call("fuse")))
same(run([SERVER, "--wine-mount", "--dosdevices", image, "--guid", GUID, "--image", image]).code, NO_PATH,
     "a file for dosdevices: exit code %d" % NO_PATH)


def ignoring(number):
    """A signal that is ignored is waiting all the same."""
    def wait():
        signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        os.kill(os.getpid(), number)
    return {"preexec_fn": wait}


for backend in ("fuse", "extract"):
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        same((run(mount_call(backend), **ignoring(number)).code, dismount().code, clean()), (0, 0, CLEAN),
             "%s: %s that is ignored interrupts nothing" % (backend, number.name))
same(failing("", *mount_call("fuse"), fault="late-end").code, 0, "fuse: a server that takes half a second to end")
same((dismount().code, servers(image), marked()), (0, [], False), "fuse: has ended when the dismount returns")

# ---- a dismount that fails ----

mount()
letter()
result = failing("umount2:5", SERVER, "--wine-dismount", "--dosdevices", DOS, "--guid", GUID, "--status", STATUS)
check(result.code == IO and state() + "/mnt: Input/output error" in status(), "a dismount that fails tells why",
      (str(result), status()))
same((read(link() + "/file.txt"), len(servers(image)), os.readlink(os.path.join(DOS, "q:"))), (b"content", 1, link()),
     "and the volume is there as before, with its letter")
fails(EXISTS, "its GUID is taken", mount(), left=clean())
same((dismount().code, clean(), servers(image)), (0, CLEAN, []), "the next dismount takes it away")
mount()
for pid in servers(image):
    os.kill(pid, signal.SIGKILL)
wait_until(lambda: not servers(image))
result = failing("umount2:5", *mount_call("fuse"))
check(result.code == IO and "/mnt: Input/output error" in status(),
      "what died and can't be taken away: no mount over it",
      (str(result), status()))
same((mount().code, read(link() + "/file.txt"), len(mounts())), (0, b"content", 1), "the next mount does")
os.rename(link(), link() + ".kept")
os.symlink("/elsewhere", link())
same((dismount().code, os.readlink(link())), (NOT_FOUND, "/elsewhere"), "the link is another's by now: left alone")
os.rename(link() + ".kept", link())
same((dismount().code, clean()), (0, CLEAN), "its own again: dismounted")
mount()
for _ in range(2):
    run(["mount", "-t", "tmpfs", "none", state() + "/mnt"])
if len(mounts()) == 3:
    same((dismount().code, clean()), (0, CLEAN), "what others have mounted over it goes, too")
    mount()
    run(["mount", "-t", "tmpfs", "none", state() + "/mnt"])
    same((mount().code, read(link() + "/file.txt"), len(mounts())), (0, b"content", 1),
         "or makes place for the next mount")
    dismount()
else:
    dismount()
    skip("what others have mounted over it", "no right to mount")
mount(backend="extract")
if run(["mount", "-t", "tmpfs", "none", link() + "/dir"]).code == 0:
    with open(link() + "/dir/theirs", "wb") as f:
        f.write(b"theirs")
    result = dismount()
    same((result.code != 0, read(state() + "/mnt/root/dir/theirs"), os.path.lexists(link())),
         (True, b"theirs", False),
         "a copy in which somebody has mounted something: that is left alone, and told")
    run(["umount", state() + "/mnt/root/dir"])
    same((mount().code, dismount().code, clean()), (0, 0, CLEAN), "without it the next one takes the rest away")
else:
    dismount()
    skip("a copy in which somebody has mounted something", "no right to mount")

# ---- attributes that nobody need ask for ----

for name, want in ((plain, "ENOTSUP"), (image, "ENODATA")):
    mount(name=name)
    try:
        os.getxattr(link() + "/file.txt", "user.nothing")
        result = ""
    except OSError as error:
        result = errno.errorcode[error.errno]
    same(result, want, "fuse: the first getxattr where %s file is hidden" %
         ("no" if name == plain else "a"))
    dismount()

# ---- what died ----


def kill_server():
    for pid in servers(image):
        os.kill(pid, signal.SIGKILL)
    return wait_until(lambda: not servers(image) and is_dead())


def is_dead():
    """The process may be gone a moment before its connection to the kernel is."""
    try:
        os.statvfs(state() + "/mnt")
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


mount()
check(kill_server(), "killed: the server is gone")
same(tool("mounts", GUID).text.split()[:1], ["stale"], "killed: cimtool mounts says so")
result = mount()
check(result.code == 0 and read(link() + "/file.txt") == b"content",
      "killed: the next mount cleans up and works", result)
same(len(mounts()), 1, "killed: of the old one nothing is left")
kill_server()
result = dismount()
check(result.code == 0 and clean() == CLEAN, "killed: the next dismount cleans up", (str(result), clean()))
fails(NOT_FOUND, "killed: then it is gone", dismount())
mount()
kill_server()
result = tool("mounts", "--clean", GUID)
check(result.code == 0 and clean() == CLEAN, "killed: cimtool mounts --clean", (str(result), clean()))
mount()
letter()
os.kill(servers(image)[0], signal.SIGTERM)
check(wait_until(lambda: clean() == CLEAN), "SIGTERM: the server takes everything away, its letter too", clean())
mount()
letter()
run(["umount", state() + "/mnt"])
check(wait_until(lambda: clean() == CLEAN), "umount by hand: so it does", clean())
same(mount(backend="auto").code, 0, "--backend auto")
busy = os.open(DOS, os.O_RDONLY | os.O_DIRECTORY)
fcntl.flock(busy, fcntl.LOCK_EX)
run(["umount", state() + "/mnt"])
check(wait_until(lambda: not servers(image)), "umount while somebody else is at the volumes: the server ends",
      servers(image))
same((os.path.exists(state() + "/info"), os.path.lexists(link())), (True, True), "and leaves the rest to him")
os.close(busy)
same((dismount().code, clean()), (0, CLEAN), "which the next dismount takes away")
for words in (["umount", GUID], ["mounts", "--clean", GUID]):
    mount()
    letter()
    if words[0] == "mounts":
        kill_server()
    result = tool(*words)
    check(result.code == 0 and clean() == CLEAN, "cimtool %s: the drive letter goes too" % " ".join(words[:-1]),
          (str(result), clean()))
elsewhere = os.path.join(TMP, "other prefix", "dosdevices", "volume{%s}" % OTHER)
os.makedirs(elsewhere)
for name, target in (("e:", "/elsewhere/volume{%s}" % GUID), ("f:", DOS + "/volume{%s}x" % OTHER),
                     ("q:", link(OTHER)),
                     ("r:", link(GUID)), ("s:", "/moved/dosdevices/volume{%s}" % OTHER),
                     ("g:", elsewhere), ("h:", "/elsewhere/dosdevices/volume{%s}" % ("x" * 36))):
    os.symlink(target, os.path.join(DOS, name))
mount()
same(sorted(os.listdir(DOS)), ["c:", "e:", "f:", "g:", "h:", os.path.basename(link())],
     "a mount takes away letters of volumes that are gone, and nobody else's")
letter(GUID)
mount(OTHER)
same(sorted(os.listdir(DOS))[:6], ["c:", "e:", "f:", "g:", "h:", "q:"], "and leaves those of volumes that are there")
dismount(OTHER)
kill_server()
run(["umount", "-l", state() + "/mnt"])
mount(OTHER)
same(sorted(os.listdir(DOS))[:6], ["c:", "e:", "f:", "g:", "h:", os.path.basename(link(GUID))],
     "nor is one left whose server was killed and whose mount was taken away by hand")
dismount(OTHER)
dismount()
for name in "efgh":
    os.unlink("%s/%s:" % (DOS, name))
same(clean(), CLEAN, "nothing is left of the letters")
dead = "/dosdevices/volume{%s}" % OTHER
KEPT = {"o:": "/somewhere/that/is/far/volume{%s}" % OTHER, "b:": "/volume{x}", "d:": dead + "/", "e:": dead[:-1],
        "f:": dead[:-1] + ")", "g:": dead.replace("{", "["),
        "h:": "/x" + dead[1:], "i:": dead.replace(OTHER, OTHER[:-1]), "j:": dead.replace("volume", "Volume"),
        "k:": "%s/volume{%s}" % (DOS, OTHER.replace("-", "_")), "aa:": dead, "{:": dead, "`:": dead, "l": dead}
for name, target in dict(KEPT, **{"a:": dead, "z:": dead, "m:": dead.upper().replace("/DOSDEVICES/VOLUME",
    "/dosdevices/volume"),
                                  "n:": "volume{%s}" % OTHER}).items():
    os.symlink(target, os.path.join(DOS, name))
os.mkdir(os.path.join(DOS, "p:"))
mount()
same(sorted(os.listdir(DOS)), sorted(["c:", "n:", "p:", os.path.basename(link()), *KEPT]),
     "letters from a to z that lead to a volume that is gone are taken away, and nothing else")
dismount()
os.rmdir(os.path.join(DOS, "p:"))
for name in ["n:", *KEPT]:
    os.unlink(os.path.join(DOS, name))
same(clean(), CLEAN, "nothing is left of these")

# What the info file says must all be of the process that lives.
for key, value in (("pid", "1"), ("start", "1"), ("boot", "x"), ("ready", "0"), ("backend", "extract"), ("pid", None),
                   ("start", None), ("ready", None), ("backend", None)):
    mount()
    with open(state() + "/info", encoding="utf-8") as f:
        info = dict(line.split(" ", 1) for line in f)
    info[key] = "%s\n" % value
    if value is None:
        del info[key]
    with open(state() + "/info", "w", encoding="utf-8") as f:
        f.writelines("%s %s" % line for line in info.items())
    result = mount()
    if (key, value) in (("ready", "0"), ("backend", "extract")):
        check(result.code == EXISTS, "a volume whose info says %s %s is one" % (key, value), result)
        info.update(ready="1\n", backend="fuse\n")
        with open(state() + "/info", "w", encoding="utf-8") as f:
            f.writelines("%s %s" % line for line in info.items())
    else:
        check(result.code == 0 and len(mounts()) == 1 and read(link() + "/file.txt") == b"content",
              "a volume whose info says %s %s is dead: the next mount replaces it" % (key, value), result)
    dismount()
    check(wait_until(lambda: not servers(image)) and clean() == CLEAN, "and nothing is left",
          (servers(image), clean()))
mount()
os.unlink(link())
result = mount()
check(result.code == 0 and read(link() + "/file.txt") == b"content" and len(mounts()) == 1,
      "the link was removed: the next mount works", result)
same(tool("umount", "{%s}" % GUID.upper()).code, 0, "cimtool umount {GUID}")
same(clean(), CLEAN, "which leaves nothing")
os.makedirs(state() + "/mnt/root/x")
os.symlink("/nowhere/cimfs/volumes/%s/mnt/root" % GUID, link())
result = mount()
check(result.code == 0 and read(link() + "/file.txt") == b"content",
      "remains without an info file, of a prefix that was moved: the mount works", result)
dismount()
for elsewhere in ("/somewhere/else", "/cimfs/volumes/%s/mnt/root/somewhere/else/that/is/far" % GUID,
                  "/x/cimfs/volumes/%s/mnt/root" % OTHER, "x" * 100):
    os.symlink(elsewhere, link())
    same((mount().code, dismount().code, os.readlink(link())), (EXISTS, NOT_FOUND, elsewhere),
         "a link of somebody else's is left alone: " + elsewhere)
    os.unlink(link())
os.mkdir(link())
same((mount().code, dismount().code), (EXISTS, NOT_FOUND), "so is a directory in its place")
os.rmdir(link())
same(clean(), CLEAN, "nothing is left of all that")

# ---- many at once ----

guids = [str(uuid.uuid4()) for _ in range(40)]
codes = {}


def each(what, list_of):
    def one(guid):
        command = [SERVER, "--wine-" + what, "--dosdevices", DOS, "--guid", guid]
        codes.setdefault((what, guid), []).append(
            run(command + (["--image", image] if what == "mount" else [])).code)
    threads = [threading.Thread(target=one, args=(g,)) for g in list_of]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


each("mount", guids)
same(sorted(sum(codes.values(), [])), [0] * 40, "40 volumes of one image, mounted at once")
same([g for g in guids if read(link(g) + "/file.txt") != b"content"], [], "all can be read")
codes.clear()
each("dismount", guids)
same(sorted(sum(codes.values(), [])), [0] * 40, "and dismounted at once")
same(clean(), CLEAN, "leaving nothing")
codes.clear()
each("mount", [GUID] * 8)
same(sorted(codes[("mount", GUID)]), [0] + [EXISTS] * 7, "eight mounts of one GUID: one gets it")
codes.clear()
each("dismount", [GUID] * 8)
same(sorted(codes[("dismount", GUID)]), [0] + [NOT_FOUND] * 7, "eight dismounts: one does it")
same((clean(), servers(image)), (CLEAN, []), "nothing is left at the end")
done()
