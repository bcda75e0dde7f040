#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Each fuzz target, once over its corpus: no crash, no hang, nothing that must not be."""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../../scripts/lib")]

import corpus  # noqa: E402
from tap import check, done  # noqa: E402

PROGRAMS = os.path.join(os.path.abspath(os.environ.get("BUILD", "build")), "fuzz")
TMP = os.path.abspath(os.environ["TEST_TMP"])
TARGETS = ("image", "session", "story", "dump", "mount", "container", "merged")

corpus.main(TMP)
for target in TARGETS:
    directory = os.path.join(TMP, target)
    want = len(os.listdir(directory))
    run = subprocess.run([os.path.join(PROGRAMS, target), directory], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = run.stdout.decode("utf-8", "replace").splitlines()
    check(run.returncode == 0 and said[-1:] == ["%d inputs" % want] and want > 5,
          "%s: its corpus of %d inputs" % (target, want),
          "exit code %d, %s\n%s" % (run.returncode, said[-5:], run.stderr.decode("utf-8", "replace")[-3000:]))
done()
