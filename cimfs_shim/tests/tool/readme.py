#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
"""What README shows of a shell is what a reader gets: its commands are run, in the order of the page, in a
directory where `photos`, `scripts`, `build` and `conformance` are; what they print is compared with the page,
but for times, GUIDs, and where the reader's prefix is.
"""

import os
import shutil
import subprocess
import sys

import shellsession
from tooltest import HERE, TMP, check, done, need_tool, skip

import fuse
import wine

REPLACE = [
    (r"\r", ""),
    (r"\b\d+\.\d+ (seconds|s|ms)\b", r"N \1"),
    (r"(?m)^(installed ).*(/drive_c/|/cimfs/)", r"\1PREFIX\2"),
]
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
PREFIX = os.environ["WINEPREFIX"]


def blocks():
    """The indented blocks of README: lists of (number, line)."""
    block = []
    for number, line in shellsession.read(os.path.join(TOP, "README.md")):
        if line.startswith("    "):
            block.append((number, line[4:]))
        elif block:
            yield block
            block = []


def surroundings():
    """The environment of a reader who has built everything and installed the tools."""
    build = os.path.join(TOP, os.environ.get("BUILD", "build"))
    for name in ("conformance", "cimfs_shim", "Makefile"):
        os.symlink(os.path.join(TOP, name), os.path.join(TMP, name))
    # The scripts look beside themselves for what is built: of a variant, its programs.
    shutil.copytree(os.path.join(TOP, "scripts"), os.path.join(TMP, "scripts"))
    os.mkdir(os.path.join(TMP, "build"))
    for directory in (build, os.path.join(TOP, "build")):
        for name in os.listdir(directory):
            if not os.path.lexists(os.path.join(TMP, "build", name)):
                os.symlink(os.path.join(directory, name), os.path.join(TMP, "build", name))
    os.mkdir(os.path.join(TMP, "bin"))
    env = wine.find()
    # What the first program of Wine's starts lives on, and would hold the pipe that a step's output is read from.
    subprocess.run([env["WINESERVER"], "-p600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    subprocess.run(wine.start(env, [env["WINE"], "cmd", "/c", "exit"]), stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with open(os.path.join(TMP, "bin", "wine"), "w", encoding="utf-8") as f:
        f.write('#!/bin/sh\nexec %s "%s" "$@"\n' % (env["WINE_UNDER"], env["WINE"]))
    os.chmod(os.path.join(TMP, "bin", "wine"), 0o755)
    return {"PATH": ":".join((os.path.join(TMP, "bin"), build, os.environ["PATH"])),
            "SOURCE_DATE_EPOCH": ""}


def play(block, env, no_fuse):
    steps = shellsession.parse(block)
    for step in steps:
        if no_fuse and any("cimfs-mount" in s.command for s in steps):
            skip("README:%d: %s" % (step.line, step.command), no_fuse)
            continue
        if not os.path.isdir(os.path.join(PREFIX, "drive_c/windows/syswow64")):
            step.output = [line for line in step.output if "/syswow64/" not in line]
        shellsession.play("README", step, TMP, env, REPLACE)


need_tool()
shells = [block for block in blocks() if block[0][1].startswith("$ ")]
check(len(shells) >= 5, "README shows five things", "blocks that begin with a prompt: %d" % len(shells))
shellsession.make_photos(TMP)
around = surroundings()
uninstall = [os.path.join(TOP, "scripts/install-wine"), "--uninstall", "--force"]
# A run that was killed may have left the DLL; the prefix is that of all tests.
subprocess.run(uninstall, stdout=subprocess.DEVNULL, check=False)
try:
    why = fuse.why_not()
    for shell in shells:
        play(shell, around, why)
finally:
    subprocess.run(uninstall, stdout=subprocess.DEVNULL, check=False)
    if os.path.ismount(os.path.join(TMP, "mnt")):
        subprocess.run(["umount", "-l", os.path.join(TMP, "mnt")], check=False)
done()
