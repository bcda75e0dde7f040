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
"""

import difflib
import os
import re
import sys

from tooltest import CIMTOOL, HERE, TMP, check, done, need_tool, run

REPLACE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "GUID"),
    (re.compile(r"\b\d+\.\d seconds"), "N.N seconds"),
    (re.compile(r'"milliseconds": \d+'), '"milliseconds": N'),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
)


class Step:
    def __init__(self, line):
        self.line, self.command, self.output, self.code = line, "", [], 0


def parse(path):
    steps, remark = [], ""
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("$ "):
                steps.append(Step(number))
                steps[-1].command = line[2:]
            elif line.startswith("> ") and steps:
                steps[-1].command += "\n" + line[2:]
            elif re.fullmatch(r"\[exit \d+\]", line):
                steps[-1].code = int(line[6:-1])
            elif line.startswith("#") or (not line and not steps):
                remark = line
            elif steps:
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


def play(path):
    name = os.path.splitext(os.path.basename(path))[0]
    directory = os.path.join(TMP, name)
    os.mkdir(directory)
    env = {"PATH": os.path.dirname(CIMTOOL) + ":" + os.environ["PATH"]}
    env.update({"SOURCE_DATE_EPOCH": ""})
    for step in parse(path):
        result = run(["sh", "-c", "umask 022; exec 2>&1; " + step.command], cwd=directory, env=env)
        text = result.text
        for pattern, instead in REPLACE:
            text = pattern.sub(instead, text)
        got = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n") if text else []
        while got and not got[-1]:
            got.pop()
        good = matches(got, step.output) and result.code == step.code
        detail = "exit code %s, want %d" % (result.code, step.code)
        if not matches(got, step.output):
            detail += "\n" + "\n".join(difflib.unified_diff(step.output, got, "want", "got",
                                                            lineterm=""))
        check(good, "%s:%d: %s" % (name, step.line, step.command.split("\n")[0][:90]), detail)


need_tool()
room = os.path.join(HERE, "transcripts")
for file in sorted(os.listdir(room)):
    if file.endswith(".txt") and (len(sys.argv) < 2 or file[:-4] in sys.argv[1:]):
        play(os.path.join(room, file))
done()
