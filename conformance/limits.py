#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the suite says (--tap), as a test of our DLL: what can't be otherwise here counts as skipped.

    cimfs-conformance --tap ... | conformance/limits.py [--copy]

That is each limit of Wine, which is required on Windows only. --copy: the volumes are extracted
copies, directories like others. A case that COPY names must fail in just those values: if one is
right, its entry has to go.
"""
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
VERDICT = re.compile(r"(not )?ok (\d+) - (\S+)(?: # TODO (limit of Wine.*))?")
WRONG = re.compile(r"#   (.*?): got .*, want ")


def verdict(case, failed, wrong, limits):
    """The end of a case's line, and whether it is "ok"."""
    if case not in limits:
        return "", not failed
    if limits[case] is None:
        return " # SKIP root may write a copy", True
    if wrong == limits[case]:
        return " # SKIP a copy can't: " + "; ".join(sorted(wrong)), True
    return " (a copy can't: %s)" % "; ".join(sorted(limits[case])), False


def main():
    limits = dict(COPY) if "--copy" in sys.argv[1:] else {}
    if limits and os.geteuid() == 0:
        limits.update(dict.fromkeys(FOR_ROOT))
    said = sys.stdin.read().splitlines()
    for at, line in enumerate(said):
        found = VERDICT.match(line)
        if not found:
            print(line)
            continue
        failed, number, case, of_wine = found.groups()
        if of_wine:
            print("ok %s - %s # SKIP a %s" % (number, case, of_wine))
            continue
        wrong = set()
        for remark in said[at + 1:]:
            if not remark.startswith("#"):
                break
            wrong.update(WRONG.findall(remark))
        end, is_ok = verdict(case, failed, wrong, limits)
        print(("ok %s - %s" if is_ok else "not ok %s - %s") % (number, case) + (end or line[found.end():]))


main()
