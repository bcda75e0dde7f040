#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""The contract between cimfs.dll and cimfs-mount: --wine-mount and --wine-dismount, natively, with a
made-up directory of DOS devices."""

import errno
import os
import signal
import subprocess
import sys
import threading
import uuid

from mounttest import (SERVER, TMP, check, done, mounts, need_server, no_fuse, run, same, servers,
                       skip, tool, wait_until)
from imagebuilder import Dir, File, Image, Link, NULL_DACL, Sparse, Stream, make_symlink

need_server()
INVALID, ACCESS, NOT_FOUND, NO_PATH, EXISTS, CORRUPT, VERSION, UNSUPPORTED = 65, 68, 69, 70, 71, 74, 75, 76
READONLY, HIDDEN = 1, 2
PREFIX = os.path.join(TMP, "a prefix, with a comma")
DOS = os.path.join(PREFIX, "dosdevices")
STATUS = os.path.join(TMP, "status")
GUID = "01234567-89ab-cdef-0123-456789abcdef"
os.makedirs(DOS)
os.symlink("../drive_c", os.path.join(DOS, "c:"))


def tree(hidden):
    return Dir({
        "file.txt": File(b"content", streams={"s": Stream(b"a stream")}),
        "again.txt": Link("file.txt"),
        "readonly": File(b"r", flags=READONLY),
        "hidden": File(b"h", flags=HIDDEN if hidden else 0),
        "sparse": File(Sparse(1 << 30)),
        "dir": Dir({"rooted": File(reparse=make_symlink("\\file.txt")),
                    "drive": File(reparse=make_symlink("\\??\\C:\\windows\\x", flags=0)),
                    "own": File(reparse=make_symlink("\\??\\Volume{%s}\\file.txt" % GUID.upper(), flags=0)),
                    "other": File(reparse=make_symlink(
                        "\\??\\Volume{11111111-2222-3333-4444-5555555555AA}\\q", flags=0)),
                    "unc": File(reparse=make_symlink("\\??\\UNC\\srv\\share\\f", flags=0)),
                    "deep": Dir({"twice": Link("file.txt")}, flags=READONLY)}),
        "lone\ud800": File(b"lone"),
    })


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


def mount(guid=GUID, name=image, backend=None):
    return call("mount", guid, *(["--backend", backend] if backend else []), "--image", name)


def dismount(guid=GUID):
    return call("dismount", guid)


def clean():
    """Nothing but what was there before."""
    return (sorted(os.listdir(PREFIX)), sorted(os.listdir(DOS)), mounts())


CLEAN = (["dosdevices"], ["c:"], [])


def read(path):
    with open(path, "rb") as f:
        return f.read()


def fails(code, name, result, left=CLEAN):
    check(result.code == code, "%s: exit code %d" % (name, code), result)
    text = status() if os.path.exists(STATUS) else ""
    check(text.count("\n") == 1 and text.strip() and not text.startswith("ok"),
          "%s: one line tells the cause" % name, repr(text))
    same(clean(), left, "%s: nothing is left behind" % name)


# ---- refusals ----

fails(NOT_FOUND, "missing image", mount(name=os.path.join(TMP, "no.cim")))
fails(NO_PATH, "missing directory", mount(name=os.path.join(TMP, "no", "no.cim")))
fails(ACCESS, "a directory as image", mount(name=TMP))
with open(os.path.join(TMP, "junk.cim"), "wb") as f:
    f.write(b"junk" * 100)
fails(CORRUPT, "no image", mount(name=os.path.join(TMP, "junk.cim")))
fails(VERSION, "unknown version",
      mount(name=Image(Dir({}), name="f.cim", version=(9, 0)).write(os.path.join(TMP, "f"))))
fails(NOT_FOUND, "dismount of what isn't mounted", dismount())
same(run([SERVER, "--wine-mount", "--dosdevices", os.path.join(TMP, "none"), "--guid", GUID, "--image",
          image]).code, NO_PATH, "no such dosdevices: exit code %d" % NO_PATH)
for bad in (["--guid", "xyz"], ["--backend", "magic"], ["--guid", GUID + "0"], []):
    result = run([SERVER, "--wine-mount", "--dosdevices", DOS, *bad, "--image", image])
    same(result.code, INVALID, "wrong arguments %s: exit code %d" % (bad[1:], INVALID))
same(clean(), CLEAN, "wrong arguments: nothing is left behind")


# ---- what both backends must do ----

def looks_right(backend):
    name = backend + ": "
    root = link()
    same(os.readlink(root), os.path.join(state(), "mnt", "root"), name + "the link leads to mnt/root")
    same(sorted(os.fsencode(n) for n in os.listdir(root)),
         sorted(n.encode("utf-8", "surrogatepass") for n in tree(True).entries), name + "all names, no others")
    same(read(root + "/file.txt"), b"content", name + "reads")
    st = os.stat(root + "/file.txt")
    same((st.st_nlink, os.stat(root + "/dir/deep/twice").st_ino), (3, st.st_ino), name + "hard links")
    same((oct(os.stat(root + "/readonly").st_mode), oct(os.stat(root + "/dir/deep").st_mode),
          oct(os.stat(root + "/dir").st_mode)), ("0o100444", "0o40555", "0o40755"), name + "modes")
    same((st.st_uid, st.st_gid), (os.getuid(), os.getgid()), name + "owner")
    st = os.stat(root + "/sparse")
    same((st.st_size, st.st_blocks), (1 << 30, 0), name + "sparse")
    same([os.readlink(os.path.join(root, "dir", n)) for n in ("rooted", "own", "drive", "other", "unc")],
         ["../file.txt", "../file.txt", DOS + "/c:/windows/x",
          DOS + "/volume{11111111-2222-3333-4444-5555555555aa}/q", DOS + "/unc/srv/share/f"],
         name + "links' targets as under Wine")
    try:
        attribute = os.getxattr(root + "/hidden", "user.DOSATTRIB")
    except OSError as error:
        attribute = error.errno
    check(attribute == b"0x2" or (backend == "extract" and attribute == errno.EOPNOTSUPP),
          name + "user.DOSATTRIB", attribute)
    same(oct(os.stat(state()).st_mode), "0o40700", name + "the state is its owner's alone")


result = mount(backend="extract")
check(result.code == 0, "extract: exit code 0", result)
same(status(), "ok extract %s/mnt/root\n" % state(), "extract: the status file")
looks_right("extract")
same(mount().code, EXISTS, "extract: the GUID is taken")
with open(link() + "/file.txt", "rb") as held:
    same(dismount().code, 0, "extract: dismount with a file open")
    same(held.read(), b"content", "extract: what is open can be read")
same(clean(), CLEAN, "extract: nothing is left")
fails(NOT_FOUND, "extract: dismounted twice", dismount())
mount(backend="extract")
text = read(state() + "/info").decode()
with open(state() + "/info", "w", encoding="utf-8") as f:
    f.write("\n".join("boot 11111111-2222-3333-4444-555555555555" if line.startswith("boot ")
                      else line for line in text.splitlines()) + "\n")
result = mount(backend="extract")
check(result.code == 0 and read(link() + "/file.txt") == b"content",
      "extract: one of before a reboot is replaced", result)
dismount()
full = os.path.join(TMP, "small")
os.mkdir(full)
if os.geteuid() == 0 and run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", full]).code == 0:
    os.makedirs(full + "/p/dosdevices")
    large = Image(Dir({"f": File(os.urandom(3 << 20))}), name="l.cim").write(os.path.join(TMP, "large"))
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

if os.geteuid() == 0:
    NO_FUSE = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3; '
               'exec "$@"', "sh", SERVER, "--wine-mount", "--dosdevices", DOS, "--guid", GUID,
               "--status", STATUS, "--image", image]
    fails(UNSUPPORTED, "fuse: absent", run(NO_FUSE + ["--backend", "fuse"]))
    result = run(NO_FUSE)
    check(result.code == 0 and len(result.errors.splitlines()) == 1 and
          status().startswith("ok extract"), "auto: FUSE absent: a copy, with one line", result)
    same(dismount().code, 0, "auto: which is dismounted")
    same(clean(), CLEAN, "auto: and gone")
else:
    skip("fuse: absent", "not root")

result = mount()
check(result.code == 0 and not result.err, "fuse: exit code 0, nothing on stderr", result)
same(status(), "ok fuse %s/mnt/root\n" % state(), "fuse: the status file")
looks_right("fuse")
same(read(link() + "/.windows-label"), b"layer.cim\n", "fuse: the label")
same(read(link() + "/.windows-serial"), b"01234567\n", "fuse: the serial number")
same(read(state() + "/mnt/.windows-serial"), b"01234567\n", "fuse: also in the mount's own root")
same(os.listdir(state() + "/mnt"), ["root"], "fuse: which lists nothing but root")
same(read(link() + "/file.txt:S:$data"), b"a stream", "fuse: streams open by name")
try:
    os.getxattr(link() + "/file.txt", "user.s")
    result = ""
except OSError as error:
    result = errno.errorcode[error.errno]
same(result, "ENODATA", "fuse: not as attributes")
fails(EXISTS, "fuse: the GUID is taken", mount(), left=clean())
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
os.symlink(os.readlink(link()), os.path.join(DOS, "q:"))
same(dismount().code, 0, "fuse: dismount with a file open")
same((clean(), held.read()), (CLEAN, b"content"),
     "fuse: the GUID is free, a letter left over too, what is open can be read")
same(mount().code, 0, "fuse: the GUID can be mounted again meanwhile")
held.close()
check(wait_until(lambda: len(servers(image)) == 1), "fuse: the old server ends with the last file",
      servers(image))
same(read(link() + "/file.txt"), b"content", "fuse: the new one goes on")
dismount()

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
os.kill(servers(image)[0], signal.SIGTERM)
check(wait_until(lambda: clean() == CLEAN), "SIGTERM: the server takes everything away", clean())
mount()
run(["umount", state() + "/mnt"])
check(wait_until(lambda: clean() == CLEAN), "umount by hand: so it does", clean())
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
os.symlink("/somewhere/else", link())
same((mount().code, dismount().code, os.readlink(link())), (EXISTS, NOT_FOUND, "/somewhere/else"),
     "a link of somebody else's is left alone")
os.unlink(link())
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
