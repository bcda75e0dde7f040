# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays a shell session that is written down: commands, what they print, and their exit codes.

    # what follows is a remark
    $ cimtool ls image.cim        a command for sh; lines that begin with "> " continue it
    a.txt                         what it prints, standard error included, in the order it came
    [exit 1]                      its exit code, if it isn't 0

What differs from run to run is replaced by patterns, in the expectation and in what came. A line of the
expectation that is "..." stands for any number of lines.
"""

import difflib
import os
import re

from tooltest import check, run


class Step:
    def __init__(self, line, command):
        self.line, self.command, self.output, self.code = line, command, [], 0


def read(path):
    """The lines of a file, with their numbers."""
    with open(path, encoding="utf-8") as f:
        return [(number, line.rstrip("\n")) for number, line in enumerate(f, 1)]


def parse(lines):
    """Those of read(), or a part of them, as a list of Step."""
    steps = []
    for number, line in lines:
        if line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif line.startswith("> ") and steps:
            steps[-1].command += "\n" + line[2:]
        elif re.fullmatch(r"\[exit \d+\]", line):
            steps[-1].code = int(line[6:-1])
        elif steps and not line.startswith("#"):
            steps[-1].output.append(line)
    return steps


def matches(got, want):
    """Lists of lines; "..." in want matches any number."""
    if not want:
        return not got
    if want[0] == "...":
        return any(matches(got[i:], want[1:]) for i in range(len(got) + 1))
    return bool(got) and got[0] == want[0] and matches(got[1:], want[1:])


def _lines(text, replace):
    for pattern, instead in replace:
        text = re.sub(pattern, instead, text)
    return text.rstrip("\n").split("\n") if text.strip("\n") else []


def play(name, step, directory, env, replace):
    """Run @step in @directory with @env beside the environment, and check it. @replace: (pattern,
    replacement) pairs."""
    result = run(["sh", "-c", "umask 022; exec 2>&1; " + step.command], cwd=directory, env=env)
    got = _lines(result.text, replace)
    want = _lines("\n".join(step.output), replace)
    detail = "exit code %s, want %d" % (result.code, step.code)
    if not matches(got, want):
        detail += "\n" + "\n".join(difflib.unified_diff(want, got, "want", "got", lineterm=""))
    check(matches(got, want) and result.code == step.code,
          "%s:%d: %s" % (name, step.line, step.command.split("\n")[0][:90]), detail)


def make_photos(directory):
    """What the examples of README and the man pages are about."""
    tree = os.path.join(directory, "photos")
    os.makedirs(os.path.join(tree, "2024"))
    for name, data in (("2024/a.jpg", "x" * 20000), ("2024/b.jpg", "x" * 20000), ("readme.txt", "hello\n")):
        with open(os.path.join(tree, name), "w", encoding="ascii") as f:
            f.write(data)
    os.symlink("2024/a.jpg", os.path.join(tree, "latest.jpg"))
    when = 1795252950  # 2026-11-21 09:22:30 UTC
    for at, names, files in os.walk(tree):
        for name in names + files:
            os.utime(os.path.join(at, name), (when, when), follow_symlinks=False)
