#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo leaves nothing behind: when it ends well, when Ctrl-C stops it at any moment, when a step
fails; and where something is left all the same it says what, and fails.

scripts/demo runs on a small tree, in a prefix that is a copy of the tests' own (hard links of its
files). The moments of Ctrl-C are given by what it prints and a random delay; CIM_SEED=N repeats them.
"""

import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tool"), os.path.join(HERE, "..", "..", "..", "scripts", "lib")]
from tooltest import TMP, check, done, same, skip  # noqa: E402
import fuse  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
LIMIT = 240  # seconds
if not os.environ.get("WINE"):
    skip("the demo's end", "no wine (WINE is not set)")
    done()
seed = int(os.environ.get("CIM_SEED") or random.randrange(1 << 32))
print("# CIM_SEED=%d" % seed)
rng = random.Random(seed)
PREFIX = os.path.join(TMP, "prefix")
TREE = os.path.join(TMP, "tree")



def link(source, to):
    """What other tests take away meanwhile needn't be copied."""
    try:
        os.link(source, to, follow_symlinks=False)
    except FileNotFoundError:
        pass


def copy_prefix(source):
    """Without what is mounted in it."""
    os.makedirs(PREFIX + "/dosdevices")
    os.symlink("../drive_c", PREFIX + "/dosdevices/c:")
    os.symlink("/", PREFIX + "/dosdevices/z:")
    for path in glob.glob(source + "/*.reg") + [source + "/.update-timestamp"]:
        shutil.copy2(path, PREFIX)
    for part in ("windows", "users"):
        shutil.copytree(source + "/drive_c/" + part, PREFIX + "/drive_c/" + part, symlinks=True,
                        copy_function=link)


copy_prefix(os.environ["WINEPREFIX"])
for number in range(12):
    name = os.path.join(TREE, ("", "a", "a/b")[number % 3], "file %d" % number)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as f:
        f.write(rng.randbytes(1000 + (11 - number) * 50000))
COMMAND = ["scripts/demo", "--prefix", PREFIX, "--source", TREE, "--delete", "a\\b"]


class Demo:
    """A run of it, in a process group of its own as a terminal would have it."""

    def __init__(self, **env):
        self.text = ""
        # The prefix has the plain build's, if there is one.
        env.setdefault("CIMFS_MOUNT_HELPER", BUILD + "/cimfs-mount")
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, **env), text=True, errors="replace", start_new_session=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.text += line

    def wait_for(self, condition):
        end = time.monotonic() + LIMIT
        while not condition() and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)

    def end(self):
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = None
        self.reader.join(20)
        return code


def processes():
    """Whose command line or environment names the prefix, this one's ancestors excepted."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read()
            with open("/proc/%s/environ" % pid, "rb") as f:
                names = f.read()
        except OSError:
            continue
        if int(pid) != os.getpid() and (PREFIX.encode() + b"/" in words or
                                        b"WINEPREFIX=" + PREFIX.encode() in names.split(b"\0")):
            found.append("%s %s" % (pid, words.replace(b"\0", b" ").decode(errors="replace")))
    return found


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        return [line for line in f if PREFIX in line]


def volumes():
    return (glob.glob(PREFIX + "/dosdevices/*volume{*") + glob.glob(PREFIX + "/cimfs/volumes*") +
            [p for p in glob.glob(PREFIX + "/dosdevices/?:") if "volume{" in os.readlink(p)])


def left():
    return processes() + mounts() + volumes()


def images():
    return os.listdir(PREFIX + "/drive_c/images") if os.path.exists(
        PREFIX + "/drive_c/images") else []


# ---- it keeps away from what isn't its own ----

os.mkdir(PREFIX + "/drive_c/images")
demo = Demo()
code = demo.end()
check(code == 1 and "not of the demo's making" in demo.text and images() == [],
      "a directory C:\\images of somebody else's: status 1, it stays", (code, demo.text))
os.rmdir(PREFIX + "/drive_c/images")

# ---- it ends well ----

demo = Demo()
code = demo.end()
check(code == 0 and "Nothing is left of the mounts" in demo.text and
      "0 differences" in demo.text, "the demo on a small tree", (code, demo.text))
same(left(), [], "nothing is left")
check({"windows.cim", "windows_fork.cim", "windows.bcim"} <= set(images()), "the images are", images())
same(demo.text.count(": refused with another root hash (0x800701D6)\n"), 2, "those in the container by its root hash only")

# ---- Ctrl-C ----

MOMENTS = [
    ("at the beginning", lambda d: "[1/6]" in d.text, 1.0),
    ("while it packs", lambda d: "[2/6]" in d.text, 2.0),
    ("when an image begins", lambda d: glob.glob(PREFIX + "/drive_c/images/region_*"), 0.0),
    ("when a container begins", lambda d: glob.glob(PREFIX + "/drive_c/images/windows.bcim"), 0.1),
    ("while it verifies", lambda d: "[3/6]" in d.text, 0.1),
    ("when mnt.exe starts", lambda d: "[4/6]" in d.text, 1.0),
    ("when a volume is begun", lambda d: glob.glob(PREFIX + "/cimfs/volumes/*"), 0.0),
    ("when a volume is mounted", lambda d: glob.glob(PREFIX + "/dosdevices/volume{*"), 0.2),
    ("between the volumes", lambda d: "windows.cim: mounted" in d.text, 0.5),
]
for name, condition, delay in MOMENTS:
    demo = Demo()
    demo.wait_for(lambda: condition(demo))
    time.sleep(rng.random() * delay)
    try:
        os.killpg(demo.process.pid, signal.SIGINT)
    except ProcessLookupError:
        pass
    code = demo.end()
    check(code == 130 and "stopped; nothing is left behind" in demo.text,
          "Ctrl-C %s: status 130, and it says so" % name, (code, demo.text))
    same(left() + images(), [], "Ctrl-C %s: nothing is left" % name)

# ---- a step fails ----

shutil.rmtree(PREFIX + "/drive_c/images", ignore_errors=True)
helper = os.path.join(TMP, "helper")
with open(helper, "w", encoding="ascii") as f:
    # The second volume can't be mounted.
    f.write('#!/bin/sh\n'
            'case $1 in --wine-mount) ls "%s/cimfs/volumes" >/dev/null 2>&1 && exit 70;; esac\n'
            'exec "%s/cimfs-mount" "$@"\n' % (PREFIX, BUILD))
os.chmod(helper, 0o755)
demo = Demo(CIMFS_MOUNT_HELPER=helper)
code = demo.end()
check(code == 1 and "mnt.exe failed" in demo.text, "a mount that fails: status 1", (code, demo.text))
same(left(), [], "a mount that fails: nothing is left")

# ---- something is left: does it notice? ----

EXTRA = os.path.join(PREFIX, "extra")
os.mkdir(EXTRA)
with open(helper, "w", encoding="ascii") as f:
    # Behind the dismount's back a mount is left, and a link to a volume.
    f.write('#!/bin/sh\n'
            'case $1 in --wine-dismount)\n'
            '  "%s/cimfs-mount" "%s/drive_c/images/windows.cim" "%s" 2>/dev/null\n'
            '  ln -sfn /nowhere "%s/dosdevices/volume{left}";;\n'
            'esac\n'
            'exec "%s/cimfs-mount" "$@"\n' % (BUILD, PREFIX, EXTRA, PREFIX, BUILD))
demo = Demo(CIMFS_MOUNT_HELPER=helper)
code = demo.end()
lines = [n for n in demo.text.splitlines() if n.startswith("scripts/demo: left behind: ")]
check(code == 1 and any("file " in n and "volume{left}" in n for n in lines),
      "a link that is left: status 1, and it is named", (code, demo.text))
no_fuse = fuse.why_not()
if no_fuse:
    skip("a mount that is left", no_fuse)
else:
    check(any(" process " in n and "cimfs-mount" in n for n in lines) and
          any(" mount " in n and EXTRA in n for n in lines),
          "a mount that is left: it and its process are named", lines)
same(left(), [], "what was left is taken away all the same")
done()
