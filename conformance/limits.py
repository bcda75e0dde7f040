#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the suite says (--tap), as a test of our DLL: what can't be otherwise here counts as skipped.

    cimfs-conformance --tap ... | conformance/limits.py [--copy]

That is each limit of Wine, which is required on Windows only. The input is one run or, for 64 and 32
bits, two; they become one. --copy: the volumes are extracted
copies, directories like others. A case that COPY names must fail in just those values: if one is
right, its entry has to go.
"""
import itertools
import os
import re
import sys

COPY = {
    "Volume/StreamsByName": {"second, with type"},
    "Volume/StreamsInAnyCase": {"all, with type"},
    "Volume/Times": {"ChangeTime"},
    "Volume/DirectoryList": {"the root"},
    "Volume/HardLinks": {"listed"},
    "Volume/ReadOnly": {"set attributes", "attributes"},
}
FOR_ROOT = {"Volume/ReadOnly", "Volume/NothingIsDeleted"}  # whom no mode of a file refuses anything
VERDICT = re.compile(r"(not )?ok \d+ - (\S+)(?: # TODO (limit of Wine.*))?")
PLAN = re.compile(r"1\.\.(\d+)$")
WRONG = re.compile(r"^#   (.*?): got .*, want ", re.M)


def judged(number, found, end, after, limits):
    """A case's line."""
    failed, case, of_wine = found.groups()
    wrong = set(WRONG.findall("\n".join(itertools.takewhile(lambda line: line.startswith("#"), after))))
    is_ok = not failed
    if of_wine:
        is_ok, end = True, " # SKIP a " + of_wine
    elif case in limits and limits[case] is None:
        is_ok, end = True, " # SKIP root may write a copy"
    elif case in limits:
        is_ok = wrong == limits[case]
        end = (" # SKIP a copy can't: " if is_ok else " must have wrong: ") + "; ".join(sorted(limits[case]))
    return "%s %d - %s%s" % ("ok" if is_ok else "not ok", number, case, end)


def main():
    limits = dict(COPY) if "--copy" in sys.argv[1:] else {}
    if limits and os.geteuid() == 0:
        limits.update(dict.fromkeys(FOR_ROOT))
    said = sys.stdin.read().splitlines()
    number, planned = 0, []
    for at, line in enumerate(said):
        found, plan = VERDICT.match(line), PLAN.match(line)
        if plan:
            planned.append(int(plan[1]))
        elif found:
            number += 1
            print(judged(number, found, line[found.end():], said[at + 1:], limits))
        else:
            print(line)
    if planned:  # else it ended early, which who reads this must see
        print("1..%d" % sum(planned))


main()
