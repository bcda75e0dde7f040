#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Plays the transcripts (transcripts/*.txt), each in an empty directory. shellsession.py tells what they
look like.

The examples of the man pages (cimfs_shim/man/*.md) are transcripts too, in which /srv is the directory; there are
photos in it, and what else they need they make in comments.
"""

import os
import re
import sys

import shellsession
from tooltest import CIMTOOL, HERE, TMP, done, need_tool, run, skip
import fuse

REPLACE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "GUID"),
    (r"\b\d+\.\d seconds", "N.N seconds"),
    (r'"milliseconds": \d+', '"milliseconds": N'),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
)


def examples(path):
    """Those of a page's text: what is indented, and what is commented out."""
    lines, inside, hidden = [], False, False
    for number, line in shellsession.read(path):
        if line.startswith("## "):
            inside = line == "## EXAMPLES"
        if line in ("<!--", "-->"):
            hidden = line == "<!--"
        elif inside and (hidden or line.startswith("    ")):
            lines.append((number, line if hidden else line[4:]))
    return lines


def play(name, lines, prepare=None):
    directory = os.path.join(TMP, name)
    os.mkdir(directory)
    if prepare:
        prepare(directory)
    env = {"PATH": os.path.dirname(CIMTOOL) + ":" + os.environ["PATH"], "SOURCE_DATE_EPOCH": ""}
    for step in shellsession.parse(lines):
        shellsession.play(name, step, directory, env, ((re.escape(directory), "/srv"), *REPLACE))


def play_page(name, path, no_fuse):
    lines = examples(path)
    if no_fuse and any("mount" in line for _, line in lines):
        skip(name, no_fuse)
        return
    play(name, lines, lambda directory: (shellsession.make_photos(directory),
                                         os.mkdir(os.path.join(directory, "images"))))
    mounted = os.path.join(TMP, name, "mnt")
    if os.path.ismount(mounted):
        run([CIMTOOL, "umount", mounted])


def wanted(name):
    return len(sys.argv) < 2 or name in sys.argv[1:]


need_tool()
room = os.path.join(HERE, "transcripts")
for file in sorted(os.listdir(room)):
    if file.endswith(".txt") and wanted(file[:-4]):
        play(file[:-4], shellsession.read(os.path.join(room, file)))
pages, why = os.path.join(HERE, "../../man"), fuse.why_not()
for file in sorted(os.listdir(pages)):
    if file.endswith(".md") and wanted(file[:-3]):
        play_page(file[:-3], os.path.join(pages, file), why)
done()
