#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Our hash trees before the tool that Linux has for them: veritysetup verifies what we build, makes
the same of the same data, and refuses what was changed."""

import os
import random
import shutil
import subprocess
import sys

TOP = os.environ.get("TOP", os.getcwd())
sys.path.insert(0, os.path.join(TOP, "scripts/lib"))
sys.dont_write_bytecode = True
from tap import check, done, same, skip  # noqa: E402

BLOCK = 4096
TMP = os.environ["TEST_TMP"]
T_VERITY = os.path.join(os.environ.get("BUILD", "build"), "tests/t_verity")
CIMTOOL = os.path.join(os.environ.get("BUILD", "build"), "cimtool")
SEED = int(os.environ.get("CIM_SEED") or random.SystemRandom().randrange(2**32))
ENV = dict(os.environ, LC_ALL="C", PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")


def veritysetup(*args):
    """Its exit code, and the root hash that it tells, or all that it says."""
    ran = subprocess.run(["veritysetup", *args], env=ENV, capture_output=True, text=True,
                         check=False)
    for line in ran.stdout.splitlines():
        if line.startswith("Root hash:"):
            return ran.returncode, line.split()[-1]
    return ran.returncode, ran.stdout + ran.stderr


def format_as(path, root, offset):
    """What veritysetup makes of the same data, by the UUID that ours has: the root hash's first 16 bytes."""
    uuid = "-".join((root[:8], root[8:12], root[12:16], root[16:20], root[20:32]))
    return veritysetup("format", path, path, "--salt=-", "--uuid=" + uuid, offset)


def try_size(blocks):
    ours, theirs = os.path.join(TMP, "ours"), os.path.join(TMP, "theirs")
    offset = "--hash-offset=%d" % (blocks * BLOCK)
    root = subprocess.run([T_VERITY, ours, str(blocks)], check=True, capture_output=True,
                          text=True).stdout.strip()
    shutil.copy(ours, theirs)
    os.truncate(theirs, blocks * BLOCK)
    same(format_as(theirs, root, offset), (0, root), "%d blocks: veritysetup's root hash" % blocks)
    same(veritysetup("verify", ours, ours, root, offset), (0, ""),
         "%d blocks: veritysetup verifies ours" % blocks)
    with open(ours, "rb") as a, open(theirs, "rb") as b:
        same(a.read()[blocks * BLOCK:] == b.read()[blocks * BLOCK:], True,
             "%d blocks: superblock and tree are the same" % blocks)
    at = random.randrange(blocks * BLOCK)
    with open(ours, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0] ^ 1 << random.randrange(8)
        file.seek(at)
        file.write(bytes([byte]))
    check(veritysetup("verify", ours, ours, root, offset)[0] != 0,
          "%d blocks: and refuses another byte %d" % (blocks, at))


def sealed_container():
    """What cim_container_seal() makes."""
    ours, theirs = os.path.join(TMP, "ours.bcim"), os.path.join(TMP, "theirs.bcim")
    with open(os.path.join(TMP, "file"), "wb") as file:
        file.write(random.randbytes(700000))
    subprocess.run([CIMTOOL, "create", "-q", "--container", "--sealable", ours + "/x.cim", file.name], check=True)
    root = subprocess.run([CIMTOOL, "seal", "-q", ours], check=True, capture_output=True, text=True).stdout.strip()
    with open(ours, "rb") as file:
        end = int.from_bytes(file.read(BLOCK)[32:40], "little")
    offset = "--hash-offset=%d" % end
    same(veritysetup("verify", ours, ours, root, offset), (0, ""),
         "veritysetup verifies a sealed container")
    shutil.copy(ours, theirs)
    os.truncate(theirs, end)
    same(format_as(theirs, root, offset), (0, root), "its root hash of the same bytes is ours")
    with open(ours, "rb") as a, open(theirs, "rb") as b:
        same(a.read() == b.read(), True, "and all else that it writes")
    with open(ours, "ab") as file:
        file.write(b"conectix" + bytes(504))
    same(veritysetup("verify", ours, ours, root, offset), (0, ""),
         "with a footer behind, too")
    with open(ours, "r+b") as file:
        file.seek(random.randrange(end))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    check(veritysetup("verify", ours, ours, root, offset)[0] != 0,
          "and a changed byte is found")


def main():
    print("# CIM_SEED=%d" % SEED)
    random.seed(SEED)
    if not shutil.which("veritysetup", path=ENV["PATH"]):
        skip("veritysetup's word", "there is no veritysetup (cryptsetup-bin)")
        done()
    for blocks in (2, 127, 128, 129, 16384, 16385, random.randrange(130, 20000)):
        try_size(blocks)
    sealed_container()
    done()


main()
