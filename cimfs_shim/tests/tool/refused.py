#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool where statx() or openat2() is refused, as by an old kernel and by the rules of older containers."""

import ctypes
import errno
import os
import platform
import struct

from tooltest import CIMTOOL, TMP, check, done, expect, need_tool, run, same, skip, write

need_tool()
OPENAT2 = 437
STATX = {"x86_64": 332, "aarch64": 291}.get(platform.machine())
LIBC = ctypes.CDLL(None, use_errno=True)


def refuse(number, why):
    """Let no process that is begun from here on make that system call."""
    def instruction(code, value, when=0, otherwise=0):
        return struct.pack("=HBBI", code, when, otherwise, value)

    rules = (instruction(0x20, 0) + instruction(0x15, number, 0, 1) + instruction(0x06, 0x50000 | why) +
             instruction(0x06, 0x7fff0000))
    text = ctypes.create_string_buffer(rules, len(rules))
    program = struct.pack("HP", len(rules) // 8, ctypes.addressof(text))
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.prctl(22, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def tool(call, *args):
    return run([CIMTOOL, *args], preexec_fn=lambda: refuse(*call))


src = os.path.join(TMP, "src")
write(os.path.join(src, "a", "b", "c", "file"), b"content")
write(os.path.join(src, "readonly"), b"r")
os.chmod(os.path.join(src, "readonly"), 0o444)
os.symlink("a/b/c", os.path.join(src, "link"))
os.symlink("a/b/none", os.path.join(src, "nowhere"))
images = os.path.join(TMP, "images")
os.mkdir(images)
plain = os.path.join(images, "plain.cim")
expect(0, "all calls are there", "create", plain, src)
if not STATX or run(["true"], preexec_fn=lambda: refuse(OPENAT2, errno.EPERM)).code:
    skip("calls that are refused", "no way to refuse them here")
    done()
for name, number in (("statx", STATX), ("openat2", OPENAT2)):
    for why in ("ENOSYS", "EPERM"):
        call, what = (number, getattr(errno, why)), "%s answers %s: " % (name, why)
        image, out = (os.path.join(images, "%s %s%s" % (name, why, end)) for end in (".cim", ""))
        result = tool(call, "create", "-q", image, src)
        same((result.code, result.errors), (0, ""), what + "create")
        result = tool(call, "create", "-q", "--all-times", image + "2", src)
        same((result.code, result.errors), (0, ""), what + "with all times")
        result = run([CIMTOOL, "diff", plain, image])
        check(result.code == 0, what + "nothing is different", result)
        result = tool(call, "extract", "-q", "-C", out, image)
        same((result.code, result.errors), (0, ""), what + "extract")
        same(os.stat(os.path.join(out, "readonly")).st_mode & 0o222, 0, what + "with what is read-only")
done()
