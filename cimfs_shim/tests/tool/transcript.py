#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Plays the transcripts: commands, what they print, and their exit codes.

A transcript (transcripts/*.txt) is a shell session in an empty directory:

    # what follows is a remark
    $ cimtool ls image.cim        a command for sh; lines that begin with "> " continue it
    a.txt                         what it prints, standard error included, in the order it came
    [exit 1]                      its exit code, if it isn't 0

GUIDs in the output are replaced by GUID, times taken by "N.N seconds", digests by SHA256. A line of
the expectation that is "..." stands for any number of lines.

The examples of the man pages (cimfs_shim/man/*.md) are transcripts too, in which /srv is the directory; there are
photos in it, and what else they need they make in comments.
"""

import difflib
import os
import re
import sys

from tooltest import CIMTOOL, HERE, TMP, check, done, need_tool, run, skip
import fuse

REPLACE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "GUID"),
    (re.compile(r"\b\d+\.\d seconds"), "N.N seconds"),
    (re.compile(r'"milliseconds": \d+'), '"milliseconds": N'),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
)


class Step:
    def __init__(self, line):
        self.line, self.command, self.output, self.code = line, "", [], 0


def read(path):
    """The lines of a transcript, with their numbers."""
    with open(path, encoding="utf-8") as f:
        return [(number, line.rstrip("\n")) for number, line in enumerate(f, 1)]


def examples(path):
    """Those of a page's text: what is indented, and what is commented out."""
    lines, inside, hidden = [], False, False
    for number, line in read(path):
        if line.startswith("## "):
            inside = line == "## EXAMPLES"
        if line in ("<!--", "-->"):
            hidden = line == "<!--"
        elif inside and (hidden or line.startswith("    ")):
            lines.append((number, line if hidden else line[4:]))
    return lines


def parse(lines):
    steps = []
    for number, line in lines:
        if line.startswith("$ "):
            steps.append(Step(number))
            steps[-1].command = line[2:]
        elif line.startswith("> ") and steps:
            steps[-1].command += "\n" + line[2:]
        elif re.fullmatch(r"\[exit \d+\]", line):
            steps[-1].code = int(line[6:-1])
        elif steps and not line.startswith("#"):
            steps[-1].output.append(line)
    for step in steps:
        while step.output and not step.output[-1]:
            step.output.pop()
    return steps


def matches(got, want):
    """Lists of lines; "..." in want matches any number."""
    if not want:
        return not got
    if want[0] == "...":
        return any(matches(got[i:], want[1:]) for i in range(len(got) + 1))
    return bool(got) and got[0] == want[0] and matches(got[1:], want[1:])


def tidy(text):
    for pattern, instead in REPLACE:
        text = pattern.sub(instead, text)
    return text


def play(name, lines, prepare=None):
    directory = os.path.join(TMP, name)
    os.mkdir(directory)
    if prepare:
        prepare(directory)
    env = {"PATH": os.path.dirname(CIMTOOL) + ":" + os.environ["PATH"]}
    env.update({"SOURCE_DATE_EPOCH": ""})
    for step in parse(lines):
        result = run(["sh", "-c", "umask 022; exec 2>&1; " + step.command], cwd=directory, env=env)
        text = tidy(result.text.replace(directory, "/srv"))
        step.output = [tidy(line) for line in step.output]
        got = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n") if text else []
        while got and not got[-1]:
            got.pop()
        good = matches(got, step.output) and result.code == step.code
        detail = "exit code %s, want %d" % (result.code, step.code)
        if not matches(got, step.output):
            detail += "\n" + "\n".join(difflib.unified_diff(step.output, got, "want", "got",
                                                            lineterm=""))
        check(good, "%s:%d: %s" % (name, step.line, step.command.split("\n")[0][:90]), detail)


def photos(directory):
    tree = os.path.join(directory, "photos")
    os.makedirs(os.path.join(tree, "2024"))
    os.mkdir(os.path.join(directory, "images"))
    for name, data in (("2024/a.jpg", "x" * 20000), ("2024/b.jpg", "x" * 20000), ("readme.txt", "hello\n")):
        with open(os.path.join(tree, name), "w", encoding="ascii") as f:
            f.write(data)
    os.symlink("2024/a.jpg", os.path.join(tree, "latest.jpg"))
    for at, names, files in os.walk(tree):
        for name in names + files:
            os.utime(os.path.join(at, name), (1795252950, 1795252950), follow_symlinks=False)


def play_page(name, path, no_fuse):
    lines = examples(path)
    if no_fuse and any("mount" in line for _, line in lines):
        skip(name, no_fuse)
        return
    play(name, lines, photos)
    mounted = os.path.join(TMP, name, "mnt")
    if os.path.ismount(mounted):
        run([CIMTOOL, "umount", mounted])


def wanted(name):
    return len(sys.argv) < 2 or name in sys.argv[1:]


need_tool()
room = os.path.join(HERE, "transcripts")
for file in sorted(os.listdir(room)):
    if file.endswith(".txt") and wanted(file[:-4]):
        play(file[:-4], read(os.path.join(room, file)))
pages, no_fuse = os.path.join(HERE, "../../man"), fuse.why_not()
for file in sorted(os.listdir(pages)):
    if file.endswith(".md") and wanted(file[:-3]):
        play_page(file[:-3], os.path.join(pages, file), no_fuse)
done()
