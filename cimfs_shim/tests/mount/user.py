#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: alone
"""cimfs-mount as an unprivileged user, by fusermount3.

Where /dev/fuse is root's alone, a node of the test's own (mode 0666) stands in its place, in a mount
namespace that nobody else sees. (That also has what other tests have mounted at this moment, and keeps
their servers from ending.) Root becomes user nobody for it; anybody else can't run it.
"""

import hashlib
import os
import shutil
import sys

from mounttest import CIMTOOL, SERVER, TMP, check, done, fuse, mount, need_server, run, skip, umount
from tooltest import NOBODY, plain_user
from imagebuilder import Dir, File, Image

need_server()
LARGE = bytes(range(251)) * 12000

INNER = r'''
import hashlib, os, subprocess, sys
server, image, mnt, hidden, closed, digest = sys.argv[1:]
def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
def tell(passed, name, detail=""):
    print("%s\t%s\t%s" % ("ok" if passed else "bad", name, str(detail).replace("\n", " | ")))
def mounted():
    with open("/proc/self/mountinfo") as f:
        return [line for line in f if " %s " % mnt in line]
r = run(server, image, mnt)
tell(r.returncode == 0 and not r.stderr, "mounts", r)
tell(open(mnt + "/a.txt").read() == "hello", "reads")
data = open(mnt + "/large", "rb").read()
tell(hashlib.sha1(data).hexdigest() == digest, "reads a large file", len(data))
st = os.stat(mnt + "/a.txt")
tell((st.st_uid, st.st_gid) == (os.getuid(), os.getgid()), "owns what is in it", st)
tell("fuse.cimfs" in mounted()[0], "mountinfo", mounted())
r = run("fusermount3", "-u", mnt)
tell(r.returncode == 0 and not mounted(), "fusermount3 -u", r)
r = run(server, image, closed)
lines = r.stderr.decode().splitlines()
tell(r.returncode == 1 and len(lines) == 1, "no right to mount there: one line", r)
r = run(server, hidden, mnt)
lines = r.stderr.decode().splitlines()
tell(r.returncode == 1 and len(lines) == 1 and "ermission" in lines[0],
     "no right to read the image: one line", r)
dos = mnt + "-prefix/dosdevices"
os.makedirs(dos)
guid = "01234567-89ab-cdef-0123-456789abcdef"
r = run(server, "--wine-mount", "--dosdevices", dos, "--guid", guid, "--backend", "fuse",
        "--image", image)
tell(r.returncode == 0, "--wine-mount", r)
volume = "%s/volume{%s}" % (dos, guid)
tell(open(volume + "/a.txt").read() == "hello", "reads the volume")
held = open(volume + "/a.txt")
r = run(server, "--wine-dismount", "--dosdevices", dos, "--guid", guid)
tell(r.returncode == 0 and not os.path.lexists(volume), "--wine-dismount of one in use", r)
tell(held.read() == "hello", "what is open can be read")
tell(not os.listdir(mnt + "-prefix") == [] and os.listdir(mnt + "-prefix") == ["dosdevices"],
     "nothing is left", os.listdir(mnt + "-prefix"))
'''

UMOUNT = r'''
import os, subprocess, sys
server, cimtool, image, mnt, foreign, fusermount = sys.argv[1:]
def run(*command, path=os.environ["PATH"]):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          env=dict(os.environ, PATH=path))
def tell(passed, name, detail=""):
    print("%s\t%s\t%s" % ("ok" if passed else "bad", name, str(detail).replace("\n", " | ")))
def mounted():
    with open("/proc/self/mountinfo") as f:
        return [line for line in f if " %s " % mnt in line]
def umount(code, words, left, name, directory=mnt, **more):
    r = run(cimtool, "umount", directory, **more)
    tell(r.returncode == code and words in r.stderr.decode() and bool(mounted()) == left and
         ("in use" in words or b"in use" not in r.stderr), name, (r, mounted()))
def stand_in(text):
    """A fusermount3 of the test's own: the PATH that has it first."""
    os.makedirs(mnt + "-bin", exist_ok=True)
    with open(mnt + "-bin/fusermount3", "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(mnt + "-bin/fusermount3", 0o755)
    return mnt + "-bin:" + os.environ["PATH"]
r = run(server, image, mnt)
held = open(mnt + "/a.txt")
umount(1, "in use", True, "while a file is open")
held.close()
umount(1, "can't be run", True, "without fusermount3", path="/nowhere")
umount(1, "bad luck", True, "for a cause of its own", path=stand_in("echo fusermount3: bad luck >&2; exit 1"))
umount(1, "without a word", True, "by a fusermount3 that dies", path=stand_in("kill -9 $$"))
umount(1, "another user's", True, "of another user's", directory=foreign)
umount(0, "", False, "of what somebody else has unmounted meanwhile",
       path=stand_in('%s "$@"; echo fusermount3: entry not found in mtab >&2; exit 1' % fusermount))
'''

DENIED = r'''
import os, subprocess, sys
server, image, mnt, dos = sys.argv[1:]
guid = "01234567-89ab-cdef-0123-456789abcdef"
def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
def tell(passed, name, detail=""):
    print("%s\t%s\t%s" % ("ok" if passed else "bad", name, str(detail).replace("\n", " | ")))
r = run(server, image, mnt)
lines = r.stderr.decode().splitlines()
tell(r.returncode == 1 and len(lines) == 1 and "no right" in lines[0], "by hand: one line", r)
os.makedirs(dos)
call = [server, "--wine-mount", "--dosdevices", dos, "--guid", guid, "--image", image]
r = run(*call, "--backend", "fuse")
tell(r.returncode == 64 + 4, "--backend fuse: CIM_E_ACCESS", r)
tell(os.listdir(os.path.dirname(dos)) == ["dosdevices"] and not os.listdir(dos),
     "which leaves nothing behind", os.listdir(os.path.dirname(dos)))
r = run(*call)
lines = r.stderr.decode().splitlines()
tell(r.returncode == 0 and len(lines) == 1, "--backend auto: a copy, one line", r)
volume = "%s/volume{%s}" % (dos, guid)
tell(open(volume + "/a.txt").read() == "hello", "which can be read")
r = run(server, "--wine-dismount", "--dosdevices", dos, "--guid", guid)
tell(r.returncode == 0 and os.listdir(os.path.dirname(dos)) == ["dosdevices"], "and goes away", r)
'''

TOO_MANY = DENIED.replace('"no right" in', '"too many" in')
USER, no_user = plain_user()


def with_fuse(name, device_mode, command, config=""):
    """Run a command as the user, with a /dev/fuse of that mode and that fuse.conf."""
    node = os.path.join(TMP, "fuse-" + name.replace("/", "-"))
    with open(node + ".conf", "w", encoding="ascii") as f:
        f.write(config)
    os.chmod(node + ".conf", 0o644)
    return run(["unshare", "-m", "sh", "-ec",
                'mknod -m %o "$0" c 10 229; mount --bind "$0" /dev/fuse; '
                '[ ! -e /etc/fuse.conf ] || mount --bind "$0.conf" /etc/fuse.conf; '
                'exec "$@"' % device_mode, node, *USER, *command])


def as_user(name, script, device_mode, *args, config=""):
    """Run a Python program as the user; pass its checks on."""
    result = with_fuse(name, device_mode, [sys.executable, "-c", script, *args], config)
    seen = 0
    for line in result.text.splitlines():
        verdict, what, detail = line.split("\t")
        check(verdict == "ok", "%s: %s" % (name, what), detail)
        seen += 1
    check(result.code == 0 and seen, "%s: ran to its end" % name, result)


def can_be_user():
    """Why there can be no such user; None if there can."""
    if os.geteuid():
        return "not root, who can become another user"
    if not shutil.which("fusermount3"):
        return "no fusermount3 (Debian package fuse3)"
    if no_user:
        return no_user
    probe = with_fuse("probe", 0o666, ["true"])
    if probe.code:
        return "no node of the test's own can stand in for /dev/fuse: " + probe.errors
    with open(fuse.__file__, encoding="utf-8") as f:
        probe = with_fuse("probe-mount", 0o666, [sys.executable, "-c", f.read()])
    return "user nobody can't mount: " + probe.text + probe.errors if probe.code else None


# The user must be able to reach the server and the images.
home = os.path.join(TMP, "home")
os.makedirs(os.path.join(home, "mnt"))
server = os.path.join(home, "cimfs-mount")
shutil.copy(SERVER, server)
cimtool = shutil.copy(CIMTOOL, home)
image = Image(Dir({"a.txt": File(b"hello"), "large": File(LARGE),
                   "readonly": Dir({"in": Dir({"it": File(b"i")}, flags=1)}, flags=1)}, flags=1), name="i.cim").write(
    os.path.join(home, "images"))
hidden = Image(Dir({"a.txt": File(b"hello")}), name="i.cim").write(os.path.join(TMP, "hidden"))
closed = os.path.join(TMP, "closed")
os.mkdir(closed, 0o755)
why = can_be_user()
if why:
    skip("as an unprivileged user", " ".join(why.split()))
    done()
for where, dirs, files in os.walk(home):
    os.chown(where, NOBODY, NOBODY)
    for n in files:
        os.chown(os.path.join(where, n), NOBODY, NOBODY)
os.chmod(os.path.dirname(hidden), 0o700)
as_user("a user", INNER, 0o666, server, image, os.path.join(home, "mnt"), hidden, closed,
        hashlib.sha1(LARGE).hexdigest())
foreign = os.path.join(TMP, "foreign")
mount(image, foreign)
as_user("cimtool umount", UMOUNT, 0o666, server, cimtool, image, os.path.join(home, "mnt"), foreign,
        shutil.which("fusermount3"))
umount(foreign)
as_user("no right to /dev/fuse", DENIED, 0o600, server, image, os.path.join(home, "mnt"),
        os.path.join(home, "prefix", "dosdevices"))
if os.path.exists("/etc/fuse.conf"):
    as_user("fuse.conf allows no more mounts", TOO_MANY, 0o666, server, image,
            os.path.join(home, "mnt"), os.path.join(home, "prefix2", "dosdevices"),
            config="mount_max = 0\n")
else:
    skip("fuse.conf allows no more mounts", "no /etc/fuse.conf to put another over")
done()
