# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of cimfs-mount share: images, mounting, and leaving nothing behind."""

import atexit
import errno
import os
import re
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tool"))
from tooltest import CIMTOOL, TMP, check, done, run, same, skip, tool  # noqa: E402,F401
import fuse  # noqa: E402
from imagebuilder import make_reparse  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
SERVER = os.path.join(BUILD, "cimfs-mount")
_mounted = []


# Why nothing can be mounted here; None if it can.
no_fuse = fuse.why_not


def unescape(field):
    return re.sub(r"\\([0-3][0-7][0-7])", lambda m: chr(int(m.group(1), 8)), field)


def mounts(below=None):
    """(dir, type, source) of what is mounted below a directory."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            left, right = line.rstrip("\n").split(" - ", 1)
            directory = unescape(left.split(" ")[4])
            kind, source = right.split(" ")[:2]
            source = unescape(source)
            if directory.startswith(below or TMP):
                found.append((directory, kind, source))
    return found


def unmount_all():
    for directory, _, _ in reversed(mounts()):
        subprocess.run(["umount", "-l", directory], stderr=subprocess.DEVNULL, check=False)


atexit.register(unmount_all)


def wait_until(condition, seconds=10):
    """True as soon as the condition holds; False if it doesn't in that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def mount(image, directory, *options, name=None, **more):
    os.makedirs(directory, exist_ok=True)
    return run([name or SERVER, image, directory, *options], **more)


def faults(**names):
    """An environment in which faults.so is loaded, with what it is to do."""
    return dict(names, LD_PRELOAD=os.path.join(BUILD, "tests", "faults.so"),
                ASAN_OPTIONS="verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", ""))


def servers(image):
    """Process IDs of servers (no zombies) whose command line names this image."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if b"cimfs-mount" in os.path.basename(words[0]) and os.fsencode(image) in words:
            found.append(int(pid))
    return found


def umount(directory):
    return run(["umount", directory])


def tree(directory):
    """path -> (kind, mode, size, mtime, what is in it) of everything below a directory."""
    found = {}
    top = os.fsencode(directory)
    for where, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            if os.path.islink(path):
                what = ("link", os.readlink(path))
            elif os.path.isdir(path):
                what = ("dir", st.st_mode & 0o777, st.st_mtime_ns)
            else:
                with open(path, "rb") as f:
                    what = ("file", st.st_mode & 0o777, st.st_size, st.st_mtime_ns, st.st_nlink,
                            hash(f.read()))
            found[os.path.relpath(path, top)] = what
    return found


def error_of(function, *args):
    """Name of the errno a call fails with; "" if it doesn't."""
    try:
        function(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""


def read(path):
    with open(path, "rb") as f:
        return f.read()


def junction(target):
    raw = target.encode("utf-16-le")
    return make_reparse(0xA0000003, struct.pack("<HHHH", 0, len(raw), len(raw) + 2, len(raw)) +
                        raw + b"\0\0" + raw + b"\0\0")


def need_server():
    if not os.path.exists(SERVER):
        print("Bail out! no " + SERVER)
        sys.exit(1)
