# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of cimfs-mount share: images, mounting, and leaving nothing behind."""

import atexit
import errno
import os
import re
import runpy
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tool"))
from tooltest import CIMTOOL, TMP, check, done, run, same, skip, tool  # noqa: E402,F401
import fuse  # noqa: E402
from imagebuilder import Image, make_reparse  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
SERVER = os.path.join(BUILD, "cimfs-mount")
PACK = os.path.join(BUILD, "tests", "pack")
_form = {"containers": False, "write": Image.write}


# ---- images in containers ----


def run_in_containers(script, seal=False):
    """Another test, its images being in containers, each in one of its own; sealed, if nothing is to be added."""
    def write(image, directory):
        return to_container(_form["write"](image, directory), image.files, seal)

    _form["containers"] = True
    Image.write = write
    runpy.run_path(os.path.join(HERE, script), run_name="__main__")


def to_container(image, names, seal=False):
    """The image in a container, of which some files of its directory are made."""
    directory, name = os.path.split(image)
    container = directory + ".bcim"
    if os.path.exists(container):
        os.unlink(container)
    result = run([PACK, *["--seal"] * seal, container, directory, *(n for n in names if n != name), name])
    if result.code:
        print("Bail out! no container: %s" % result)
        sys.exit(1)
    return os.path.join(container, name)


def in_containers():
    """Is this test run by another, for images in containers?"""
    return _form["containers"]


def new_image(path):
    """What "cimtool create" is to be given for a new image DIR/NAME.cim, and what that is called then."""
    if not in_containers():
        return [path], path
    path = os.path.join(path.removesuffix(".cim") + ".bcim", os.path.basename(path))
    return ["--container", path], path


def files_of(container):
    """name -> extents (offset, bytes) of what a container holds."""
    data = read(container)
    record = max((data[n * 4096:n * 4096 + 64] for n in (1, 2)), key=lambda r: struct.unpack_from("<Q", r))
    _, at, _, _ = struct.unpack_from("<4Q", record)
    count, at, found = struct.unpack_from("<I", data, at)[0], at + 8, {}
    for _ in range(count):
        _, extents, units, _ = struct.unpack_from("<QIHH", data, at)
        at += 16 + 2 * units
        name = data[at - 2 * units:at].decode("utf-16-le")
        found[name] = [struct.unpack_from("<QQ", data, at + 16 * n) for n in range(extents)]
        at += 16 * extents
    return found


def file_of(image, name):
    """Where a file beside an image is: the file to open, and where in that it begins."""
    place = os.path.dirname(image)
    if os.path.isdir(place):
        return os.path.join(place, name), 0
    (offset, _), = files_of(place)[name]
    return place, offset


def mark_of(image):
    """The file and the byte of it whose lock marks an image, which has no parents."""
    place = os.path.dirname(os.path.realpath(image))
    if os.path.isdir(place):
        region, = (n for n in os.listdir(place) if re.fullmatch("region_.*_0", n))
        return os.path.join(place, region), 1 << 62
    extents, = (e for n, e in files_of(place).items() if re.fullmatch("region_.*_0", n))
    return place, (1 << 62) + 1 + extents[0][0] // 4096


# ---- mounts ----


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
