#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
"""A test that is begun with signals ignored, as nohup and "make check &" in a script do: what it
starts can be ended by them all the same, and the test goes on."""

import os
import signal
import sys

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
if sys.argv[1:] != ["ignored"]:
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    os.execv(sys.executable, [sys.executable, os.path.abspath(__file__), "ignored"])

from tooltest import check, done, run, same  # noqa: E402

for number in NUMBERS:
    same(run(["sh", "-c", "kill -%d $$" % number]).code, -number, "%s ends a program" % number.name)
    os.kill(os.getpid(), number)
    check(True, "%s: the test itself goes on" % number.name)
done()
