#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Can FUSE be used here? It mounts, for a moment, a file system that nobody serves: root by mount(2),
anybody else by fusermount3. None of this project's programs takes part: one that doesn't work must fail its
test, not be skipped.

    scripts/lib/fuse.py      exit status 0 if it can; else 1, and prints why not
"""

import ctypes
import os
import socket
import subprocess
import sys
import tempfile

MS_NOSUID, MS_NODEV, MNT_DETACH = 2, 4, 2


def _mount(directory):
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    try:
        options = "fd=%d,rootmode=40000,user_id=%d,group_id=%d" % (device, os.getuid(), os.getgid())
        if libc.mount(b"probe", os.fsencode(directory), b"fuse", ctypes.c_ulong(MS_NOSUID | MS_NODEV),
                      options.encode()):
            raise OSError("no right to mount: " + os.strerror(ctypes.get_errno()))
    finally:
        os.close(device)
    libc.umount2(os.fsencode(directory), MNT_DETACH)


def _mount_by_helper(directory):
    os.close(os.open("/dev/fuse", os.O_RDWR))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = subprocess.run(["fusermount3", "-o", "nosuid,nodev", "--", directory],
                             env=dict(os.environ, _FUSE_COMMFD=str(theirs.fileno())),
                             pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if end.returncode:
            raise OSError(end.stdout.decode(errors="replace").strip() or "fusermount3 failed")
        for device in socket.recv_fds(ours, 1, 1)[1]:
            os.close(device)
    subprocess.run(["fusermount3", "-u", "-z", "-q", "--", directory], check=False)


def why_not():
    """Why nothing can be mounted; None if it can."""
    with tempfile.TemporaryDirectory(prefix="fuse-") as directory:
        try:
            (_mount if os.geteuid() == 0 else _mount_by_helper)(directory)
        except OSError as error:
            return error.filename + ": " + error.strerror if error.filename else str(error)
    return None


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(reason)
    sys.exit(1 if reason else 0)
