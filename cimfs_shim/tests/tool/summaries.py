#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""What each command answers with --json: one that makes or changes something says first which command it was; what one
that tells answers is about an image, and names none."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tooltest import TMP, check, done, expect, need_tool, same, tool, write  # noqa: E402

need_tool()
# In this order: each finds what those before it made.
MAKING = [
    ("create", ["--container", "--sealable", "c.bcim/a.cim", "src"]),
    ("append", ["c.bcim/a.cim", "more"]),
    ("fork", ["c.bcim/a.cim", "fork.cim", "--delete", "dir"]),
    ("tombstone", ["c.bcim/fork.cim", "gone"]),
    ("merge", ["c.bcim/m.cim", "c.bcim/fork.cim", "c.bcim/a.cim"]),
    ("convert", ["c.bcim/fork.cim", "copy.cim"]),
    ("extract", ["-C", "out", "c.bcim/a.cim"]),
    ("seal", ["c.bcim"]),
    ("append-vhd-footer", ["c.bcim"]),
]
TELLING = [
    ("ls", ["c.bcim/a.cim"]), ("stat", ["c.bcim/a.cim", "dir/file"]), ("info", ["c.bcim/a.cim"]), ("info", ["c.bcim"]),
    ("diff", ["c.bcim/a.cim", "copy.cim"]), ("verify", ["c.bcim/a.cim"]), ("files", ["c.bcim"]), ("version", []),
]
LAST = [("rm", ["copy.cim"])]
# Those that answer nothing, no JSON, or what isn't about one image.
OTHERS = ["cat", "dump", "help", "mount", "umount", "mounts"]

write(os.path.join(TMP, "src/dir/file"), b"content\n")
write(os.path.join(TMP, "src/other"), b"other\n")
write(os.path.join(TMP, "more/added"), b"added\n")

for command, args in MAKING + TELLING + LAST:
    result = tool(command, "--json", *args)
    check(result.code == (command == "diff"), "%s --json %s" % (command, args[-1] if args else ""), result)
    answers = [json.loads(line) for line in result.text.splitlines()]
    if (command, args) in TELLING:
        same([answer for answer in answers if "command" in answer], [], "%s names no command" % command)
    else:
        same([list(answer.items())[0] for answer in answers], [("command", command)],
             "%s: one answer, which names the command first" % command)
listed = re.findall(r"^  ([a-z-]+)(?:, [a-z]+)? {2,}", expect(0, "help", "help").text.split("Options")[0], re.M)
same(sorted(listed), sorted({command for command, _ in MAKING + TELLING + LAST}.union(OTHERS)), "these are all commands")
done()
