#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""The examples of cimfs_shim/doc, in C and in Python, as a reader of them would use them."""

import os
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
TOP = os.path.abspath(os.environ.get("TOP", os.getcwd()))
sys.path.insert(0, os.path.join(TOP, "scripts/lib"))
from imagebuilder import Dir, File, Image, Stream  # noqa: E402
from tap import check, done, same  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
TMP = os.path.abspath(os.environ["TEST_TMP"])
CC = shlex.split(os.environ.get("CC", "gcc"))
EXAMPLES = os.path.join(TOP, "cimfs_shim/doc/examples")
ENV = dict(os.environ, LD_LIBRARY_PATH=BUILD, LC_ALL="C", PYTHONDONTWRITEBYTECODE="1")
PYTHON_ENV = dict(ENV)
if "sanitize" in BUILD:  # the library wants the sanitizer's, which python3 hasn't
    asan = subprocess.run([*CC, "-print-file-name=libasan.so"], capture_output=True, text=True)
    PYTHON_ENV.update(LD_PRELOAD=asan.stdout.strip(), ASAN_OPTIONS="detect_leaks=0")

# The structures of libcim.py, as abi.txt tells those of libcim.h
LAYOUT = """
import ctypes, re, libcim
for name, item in sorted(vars(libcim).items()):
    if isinstance(item, type) and issubclass(item, ctypes.Structure) and hasattr(item, "_fields_"):
        name = "struct cim" + re.sub("([A-Z])", r"_\\1", name.strip("_")).lower()
        print("%s, bytes %d" % (name, ctypes.sizeof(item)))
        for field, *_ in item._fields_:
            print("%s, %s %d" % (name, field, getattr(item, field).offset))
"""

BYTES = bytes(range(256)) * 1000 + b"end"


def run(language, name, *args, stdout=subprocess.PIPE):
    """Status, stdout and stderr of an example."""
    if language == "C":
        argv, env = [os.path.join(BUILD, "examples", name)], ENV
    else:
        argv, env = [sys.executable, os.path.join(EXAMPLES, name + ".py")], PYTHON_ENV
    end = subprocess.run([*argv, *args], env=env, stdin=subprocess.DEVNULL, stdout=stdout,
                         stderr=subprocess.PIPE, text=True, cwd=TMP)
    return end.returncode, end.stdout, end.stderr


def fails(language, name, *args, saying, what, **more):
    code, out, err = run(language, name, *args, **more)
    check(code == 1 and not out and err.count("\n") == 1 and saying in err,
          "%s, %s: %s" % (language, name, what), "exit %d, %r, %r" % (code, out, err))


def in_tmp(name):
    return os.path.join(TMP, name)


def put(name, data):
    with open(in_tmp(name), "wb") as file:
        file.write(data)


def extracts(language, image, path, want, what):
    same(run(language, "extract", image, path, "out"), (0, "", ""),
         "%s, extract: %s" % (language, what))
    with open(in_tmp("out"), "rb") as file:
        check(file.read() == want, "its bytes")
    fails(language, "extract", image, path, "out", saying="exists", what="the target is there")
    os.unlink(in_tmp("out"))


def create(language):
    image = language + ".cim"
    os.mkdir(in_tmp(language))
    same(run(language, "create", language, image, "in.bin", "empty.txt"), (0, "", ""),
         language + ", create: an image of two files")
    path = os.path.join(language, image)
    verify = subprocess.run([os.path.join(BUILD, "cimtool"), "verify", "--deep", in_tmp(path)],
                            capture_output=True, text=True)
    check(verify.returncode == 0, "cimtool finds no fault with it", verify.stdout + verify.stderr)
    stat = subprocess.run([os.path.join(BUILD, "cimtool"), "stat", in_tmp(path), "/in.bin"],
                          capture_output=True, text=True).stdout
    check("2001-09-09T01:46:40" in stat, "the time is the file's", stat)
    files = sorted(os.listdir(in_tmp(language)))
    fails(language, "create", language, image, "in.bin", saying=image, what="the name is taken")
    fails(language, "create", language, "x.cim", "none", saying="none", what="no such file")
    fails(language, "create", language, "x.cim", "C", saying="directory", what="a directory")
    same(sorted(os.listdir(in_tmp(language))), files, "what failed leaves nothing behind")
    return path


def read(language, images, streams, harmful):
    for image in images:
        same(run(language, "list", image),
             (0, "           0 /\n           0 /empty.txt\n%12d /in.bin\n" % len(BYTES), ""),
             "%s, list: of %s" % (language, image))
        extracts(language, image, "/IN.bin", BYTES, "a file")
    same(run(language, "list", harmful)[1].splitlines()[1], "           1 /\\x1B[31m\\xC2\\x9Bred\\x7F",
         language + ", list: no control character of a name reaches a terminal")
    extracts(language, streams, "file:more", b"stream", "a stream")
    fails(language, "list", "none.cim", saying="none.cim", what="no such image")
    with open("/dev/full", "w", encoding="ascii") as full:
        code, _, err = run(language, "list", images[0], stdout=full)
    check(code not in (0, None) and "No space left" in err,
          "%s, list: the output is lost" % language, "exit %d, %r" % (code, err))
    fails(language, "extract", images[0], "/none", "new", saying="none", what="no such file in it")
    fails(language, "extract", images[0], "/", "new", saying="directory", what="a directory")
    fails(language, "extract", "broken.cim", "/file", "new", saying="region_",
          what="bytes are missing")
    check(not os.path.exists(in_tmp("new")), "nothing is left behind")
    code, _, err = run(language, "list")
    check(code and "Usage" in err, "%s, list: wrong usage" % language, err)


def layout():
    end = subprocess.run([sys.executable, "-c", LAYOUT], cwd=EXAMPLES, env=PYTHON_ENV, text=True,
                         capture_output=True)
    got = set(end.stdout.splitlines())
    with open(os.path.join(TOP, "cimfs_shim/tests/abi.txt"), encoding="ascii") as file:
        names = {line.split(",")[0] for line in got}
        want = {line for line in file.read().splitlines() if line.split(",")[0] in names}
    check(len(names) > 5 and got == want, "libcim.py has the structures of libcim.h",
          "\n".join(sorted(got ^ want)) + end.stderr)


os.mkdir(in_tmp("no library"))
put("no library/libcim.so.0", b"")
end = subprocess.run([sys.executable, os.path.join(EXAMPLES, "list.py"), "x.cim"], capture_output=True, text=True,
                     env=dict(ENV, LD_LIBRARY_PATH=in_tmp("no library")))
check(end.returncode == 1 and end.stderr.count("\n") == 1 and "building.md 2" in end.stderr,
      "Python: a library that can't be loaded is one line", end.stderr)
put("in.bin", BYTES)
put("empty.txt", b"")
os.utime(in_tmp("in.bin"), (1000000000, 1000000000))
if sys.maxsize > 2 ** 32:  # abi.txt is that of 64-bit systems
    layout()
made = [create("C"), create("Python")]
Image(Dir({"file": File(Stream(b"data", region=1))}), name="broken.cim",
      guid="b0000000-0000-4000-8000-000000000000").remove("region:1").write(TMP)
harmful = Image(Dir({"\x1b[31m\u009bred\x7f": File(b"x")})).write(os.path.join(TMP, "harmful"))
with_streams = Image(Dir({"file": File(b"main", streams={"more": Stream(b"stream")})})).write(TMP)
for each in ("C", "Python"):
    read(each, made, with_streams, harmful)
done()
