#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An image against what a client says it put in, without Wine.

Usage: images.py CIMTOOL EXPECTED IMAGE [SOURCE...]

EXPECTED has a line of JSON for each item but the root: all that the client passed to the DLL and a
volume under Wine doesn't show. SOURCEs are what a merged image needs. Every difference is a line;
exit status 1 if there is one.
"""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta

FIELDS = ("creation", "last_write", "change", "last_access")
# The stored flags of an image, from bit 0 on, and the attributes that they stand for.
FLAGS = (0x1, 0x2, 0x4, 0x20, 0x200)
# What is there for merging only, and no item.
MARKS = ("tombstone", "merge link", "bare")


def lines_of(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in result.stdout.decode().splitlines()]


def time_text(ticks):
    """A FILETIME as cimtool writes it."""
    seconds, rest = divmod(ticks, 10_000_000)
    return (datetime(1601, 1, 1) + timedelta(seconds=seconds)).strftime("%4Y-%m-%dT%H:%M:%S.") + \
        f"{rest:07}Z"


def facts_of(item):
    """What "cimtool stat" says, in the words of EXPECTED."""
    facts = {
        "dir": item["type"] == "directory",
        "size": item["size"],
        "attributes": sum(bit for i, bit in enumerate(FLAGS) if item["flags"] >> i & 1),
        "times": [item[field] for field in FIELDS],
        "streams": [stream["name"] for stream in item.get("streams", ())],
    }
    for key in ("security", "reparse", "ea"):
        facts[key] = item.get(key, "")
    return facts


def main():
    cimtool, expected_path, image, *sources = sys.argv[1:]
    options = ["--json"] + ["--source=" + source for source in sources]
    differences = []
    with open(expected_path, encoding="utf-8") as file:
        expected = {item["path"].replace("\\", "/"): item for item in map(json.loads, file)}
    listed = {item["path"] for item in lines_of(cimtool, "ls", "-aR", *options, image)
              if item.get("mark") not in MARKS} - {"."}
    for path in sorted(listed ^ expected.keys()):
        differences.append(f"{path}: {'nobody put it in' if path in listed else 'is missing'}")
    paths = sorted(listed & expected.keys())
    ids = {}
    for item in lines_of(cimtool, "stat", *options, image, *("/" + path for path in paths)):
        path = item["path"].lstrip("/")
        want = dict(expected[path], times=[time_text(t) for t in expected[path]["times"]])
        for key, got in facts_of(item).items():
            if got != want[key]:
                differences.append(f"{path}: {key}: got {got!r}, want {want[key]!r}")
        first = ids.setdefault(item["file_id"], want["first"])
        if first != want["first"]:
            differences.append(f"{path}: is the same file as {first}, not as {want['first']}")
    if len(ids) != len({expected[path]["first"] for path in paths}):
        differences.append(f"{len(ids)} files, not {len({e['first'] for e in expected.values()})}")
    print("\n".join(differences[:20]) or f"{len(paths)} items are as they were given")
    return 1 if differences or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
