# SPDX-License-Identifier: LGPL-2.1-or-later
"""wine.sh, for scripts in Python. What calls it raises OSError with its words."""

import os
import subprocess

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wine.sh")


def _run(env, *arguments, stdout=None):
    end = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                         stderr=subprocess.PIPE, env=env, text=True, errors="surrogateescape",
                         check=False)
    if end.returncode:
        raise OSError(end.stderr.strip() or "wine.sh: status %d" % end.returncode)
    return end.stdout


def find(env=None):
    """The variables that tell which Wine is used, and how: WINE, WINESERVER and WINE_UNDER."""
    lines = _run(env, "--print", stdout=subprocess.PIPE).splitlines()
    return dict(line.split("=", 1) for line in lines)


def start(env, command):
    """What starts @command, which is Wine's or starts some of Wine's, with @env of find()."""
    return env["WINE_UNDER"].split() + command


def make_prefix(path, env=None):
    """Have @path be a whole prefix of this Wine."""
    _run(env, "--prefix", path)
