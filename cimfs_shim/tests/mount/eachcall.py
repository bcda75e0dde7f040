#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimfs-mount when a call of the system's fails: each that it or its server makes, one at a time (nthcall.so).

Either the image is mounted, and shows what is in it (to who looks again, at the latest), or it isn't, which is told;
and no server is left without a mount.
"""

import errno
import os

from mounttest import BUILD, SERVER, TMP, check, done, mount, need_server, new_image, no_fuse, run, same, servers, \
    skip, tool, umount, wait_until

need_server()
SOURCE, SEEN, TOLD = (os.path.join(TMP, name) for name in ("source", "seen", "told"))
NEW, IMAGE = new_image(os.path.join(TMP, "image.cim"))
MOST = 300  # calls
ASAN = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")


def failed():
    """The call that failed; None if there were not so many."""
    if not os.path.exists(TOLD):
        return None
    with open(TOLD, encoding="ascii") as f:
        return f.read()


def try_call(count, n):
    """Mount, look, unmount while the n-th call fails: (is it mounted?, what is wrong)."""
    if os.path.exists(TOLD):
        os.unlink(TOLD)
    result = run([SERVER, IMAGE, SEEN], env={
        count: str(n), "NTH_CODE": str(errno.EIO), "NTH_TOLD": TOLD, "ASAN_OPTIONS": ASAN,
        "LD_PRELOAD": os.path.join(BUILD, "tests", "nthcall.so")})
    mounted, wrong = os.path.ismount(SEEN), []
    if mounted != (result.code == 0):
        wrong.append("exit code %s, and it is %smounted" % (result.code, "" if mounted else "not "))
    if mounted:
        shown = [run(["diff", "-r", "--no-dereference", SOURCE, SEEN]) for _ in range(2)][1]
        wrong += ["it doesn't show the image: %s" % shown] * (shown.code != 0)
    elif os.strerror(errno.EIO) not in result.errors and "it ended at once" not in result.errors:
        wrong.append("it doesn't say why: %s" % result)
    if mounted:
        umount(SEEN)
    if not wait_until(lambda: not servers(IMAGE)):
        wrong.append("the server runs on")
    return mounted, wrong


def sweep(who, count):
    n, found, good = 1, [], 0
    while n < MOST:
        mounted, wrong = try_call(count, n)
        if not failed():
            break
        good += mounted
        if wrong:
            found.append("call %d, %s: %s" % (n, failed(), "; ".join(wrong)))
        n += 1
    check(not found, "%s: none of %d calls does harm" % (who, n - 1), "\n".join(found))
    check(n > 20 and good, "%s: it makes calls" % who, "%d, with %d successes" % (n - 1, good))


if no_fuse():
    skip("calls that fail", no_fuse())
    done()
os.makedirs(os.path.join(SOURCE, "dir"))
os.mkdir(SEEN)
with open(os.path.join(SOURCE, "dir", "file"), "wb") as f_in_dir:
    f_in_dir.write(bytes(range(256)) * 400)
os.symlink("dir/file", os.path.join(SOURCE, "link"))
same(tool("create", "-q", *NEW, SOURCE).code, 0, "an image")
sweep("cimfs-mount", "NTH")
sweep("its server", "NTH_CHILD")
same(mount(IMAGE, SEEN).code, 0, "without faults it is mounted")
umount(SEEN)
done()
