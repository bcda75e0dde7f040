#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""What file(1) says of images and containers by cimfs_shim/doc/magic."""

import os
import shutil
import struct
import subprocess
import sys

TOP = os.environ.get("TOP", os.getcwd())
sys.path[:0] = [os.path.join(TOP, "scripts/lib")]
sys.dont_write_bytecode = True
from tap import check, done, same, skip  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
TMP = os.path.abspath(os.environ["TEST_TMP"])
MAGIC = os.path.join(TOP, "cimfs_shim/doc/magic")

if not shutil.which("file"):
    skip("what file says of images and containers", "there is no file(1)")
    done()


def run(*command):
    return subprocess.run(command, cwd=TMP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, encoding="utf-8").stdout


def tool(*args):
    end = run(os.path.join(BUILD, "cimtool"), *args, "-q")
    check(not end or len(end.strip()) == 64, "cimtool " + " ".join(args), end)


def said(name, *options):
    return run("file", "-b", "-m", MAGIC, *options, name).strip()


def put(name, data):
    with open(os.path.join(TMP, name), "wb") as file:
        file.write(data)


os.mkdir(os.path.join(TMP, "src"))
put("src/small", b"small\n")
tool("create", "a.cim", "src")
tool("fork", "a.cim", "b.cim")
tool("fork", "b.cim", "c.cim")
tool("merge", "m.cim", "b.cim")
tool("tombstone", "c.cim", "gone")
tool("create", "--container", "plain.bcim/a.cim", "src")
tool("create", "--container", "--sealable", "x.bcim/a.cim", "src")
same([line for line in run("file", "-c", "-m", MAGIC).splitlines() if ": Warning" in line], [], "file finds nothing wrong with it")
CIM = "Composite Image (CIM)"
for name, want in [("a.cim", ", version 2.0"), ("b.cim", ", version 2.0, shares 1 region set"),
                   ("c.cim", ", version 2.0, with marks for merging, shares 3 region sets"),
                   ("m.cim", ", version 2.0, merged from others, shares 2 region sets"),
                   ("plain.bcim", " container (cimfs_shim), version 1.0"),
                   ("x.bcim", " container (cimfs_shim), version 1.0, to be sealed")]:
    same(said(name), CIM + want, name)
tool("seal", "x.bcim")
same(said("x.bcim"), CIM + " container (cimfs_shim), version 1.0, sealed", "a sealed one")
same(said("a.cim", "--extension"), "cim", "how they are called")
with open(os.path.join(TMP, "a.cim"), "rb") as file:
    OWN = file.read()
guid = "%08x-%04x-%04x-" % struct.unpack("<IHH", OWN[32:40]) + OWN[40:42].hex() + "-" + OWN[42:48].hex()
for index, kind in enumerate(["metadata", "data of larger files", "data of small files"]):
    same(said("region_%s_%d" % (guid, index)), "%s region file, number %d, %s" % (CIM, index, kind), "region file %d" % index)
    objects = struct.unpack("<I", open(os.path.join(TMP, "objectid_%s_%d" % (guid, index)), "rb").read()[44:48])[0]
    same(said("objectid_%s_%d" % (guid, index)),
         "%s object IDs, of region %d, %d object%s" % (CIM, index, objects, "" if objects == 1 else "s"), "object IDs %d" % index)
put("next.cim", OWN[:16] + struct.pack("<II", 3, 1) + OWN[24:])
same(said("next.cim"), CIM + ", version 3.1", "a later version")
put("other.cim", OWN[:12] + b"\x09" + OWN[13:])
same(said("other.cim"), CIM + ", a file of another kind", "a kind to come")
put("none", b"cimfile")
check(CIM not in said("none"), "what only begins so", said("none"))
done()
