#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""No control character of a name reaches a terminal, whatever command and form of answer shows it."""

import json
import os
import re

from tooltest import TMP, check, done, need_tool, tool
from imagebuilder import Dir, File, Image

need_tool()
NAME = "\x1b[31mred\x07\x7f\u009b2J"
HARMFUL = re.compile(b"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


def harmless(name, *command):
    """The Result of a command that shows the name: without control characters."""
    result = tool(*command)
    check(b"[31mred" in result.out + result.err and not HARMFUL.search(result.out + result.err),
          name + ": the name is shown, and no control character", result)
    return result


image = Image(Dir({NAME: File(b"x", streams={NAME: b"s"}), "lone\ud800": File(b"y"),
                   "back\\": File(b"z")})).write(os.path.join(TMP, "names"))
harmless("ls -Rla", "ls", "-Rla", image)
harmless("dump", "dump", image)
harmless("dump --struct", "dump", "--struct", image)
result = harmless("ls --json", "ls", "--json", image)
check(NAME in [json.loads(line).get("path") for line in result.out.splitlines()],
      "in JSON it is the same name all the same", result)

broken = Image(Dir({NAME: File(b"x", sd=b"\1" * 20)})).write(os.path.join(TMP, "broken"))
harmless("verify", "verify", "-v", broken)
harmless("verify --json", "verify", "--json", broken)

# A directory's names are nobody's either, and causes quote them.
directory = os.path.join(TMP, NAME)
missing = os.path.join(directory, NAME + ".cim")
for command in (("info", missing), ("ls", missing), ("verify", missing), ("extract", missing),
                ("files", directory), ("rm", missing), ("create", missing, TMP), ("umount", directory)):
    check(harmless(command[0] + " of what isn't there", *command).code, "and it fails")
done()
