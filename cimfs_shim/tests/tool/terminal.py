#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""What reaches a terminal: no control character of a name, whatever command and form of answer shows it; and
a line that tells how far a command is."""

import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

from tooltest import CIMTOOL, TMP, check, done, need_tool, same, tool, write
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

# ---- the line that tells how far it is ----


def slowly(*options, on_terminal=False, bad=False, wanted=b"\r"):
    """create from a dump that comes slowly, until three times what is wanted was seen on stderr, which it is that is
    returned, with the exit code; 10 lines if nothing is wanted."""
    out = os.path.join(TMP, "slow%d" % len(os.listdir(TMP)))
    os.mkdir(out)
    read, write_end = pty.openpty() if on_terminal else os.pipe()
    with subprocess.Popen([CIMTOOL, "create", "--from-dump=-", os.path.join(out, "x.cim"), *options],
                          stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=write_end) as process:
        os.close(write_end)
        said = []
        reader = threading.Thread(target=collect, args=(read, said))
        reader.start()
        for line in SLOW[:2] + (SLOW[2:] if wanted else SLOW[2:10]):
            process.stdin.write(line)
            process.stdin.flush()
            if wanted and b"".join(said).count(wanted) >= 3:
                break
            time.sleep(0.12)
        process.stdin.write(b"bad\n" if bad else b"")
        process.stdin.close()
        reader.join()
    os.close(read)
    return process.returncode, b"".join(said)


def collect(read, said):
    try:
        while data := os.read(read, 65536):
            said.append(data)
    except OSError:  # as a terminal's end is told
        pass


SLOW = tool("dump", Image(Dir({"f%03d" % n: File(b"x") for n in range(100)})).write(
    os.path.join(TMP, "plain"))).out.splitlines(True)
CLEAR = b"\r\x1b[K"
code, said = slowly("--progress=line")
check(not code and said.count(CLEAR) > 2 and re.search(b"create: [1-9][0-9]* files, ", said) and said.endswith(CLEAR),
      "--progress=line: a line that is written over, and taken away", said)
code, said = slowly("--progress=line", bad=True)
check(code == 1 and re.search(rb"files, [^\r]*\r\x1b\[Kcimtool: create ", said), "before an error is told, too", said)
code, said = slowly("--progress=none", wanted=b"")
same((code, CLEAR in said), (0, False), "--progress=none: none")
code, said = slowly(on_terminal=True)
check(not code and CLEAR in said, "on a terminal it is there by itself", said)
code, said = slowly("-q", on_terminal=True, wanted=b"")
same((code, said), (0, b""), "but for --quiet")
code, said = slowly("--progress=json", wanted=b"{")
rows = [json.loads(row) for row in said.splitlines() if row.startswith(b"{")]
check(not code and len(rows) > 3 and rows[-1]["files"] >= rows[0]["files"] > 0, "--progress=json", said)



def halted(*args):
    """A command that doesn't run for a while, as often as it takes until it tells how far it is: code, standard error."""
    with subprocess.Popen([CIMTOOL, *args, "--progress=line"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        said = []
        reader = threading.Thread(target=collect, args=(process.stderr.fileno(), said))
        reader.start()
        while process.poll() is None and b"\r" not in b"".join(said):
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.15)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.002)
        process.wait()
        reader.join()
    return process.returncode, b"".join(said)


long = os.path.join(TMP, "long.bcim")
write(os.path.join(TMP, "long/file"), bytes(range(256)) * (1 << 18))
same(tool("create", "-q", "--container", "--sealable", long + "/x.cim", os.path.join(TMP, "long")).code, 0, "64 MiB to be sealed")
for name, *args in (("seal", "seal", long), ("copy", "convert", long + "/x.cim", os.path.join(TMP, "copied.cim"))):
    code, said = halted(*args)
    check(not code and re.search(b"\r\x1b\\[K%s: [0-9.]+ [KM]iB of [0-9.]+ MiB" % name.encode(), said),
          "%s tells how far it is in a unit" % args[0], said)

# A directory's names are nobody's either, and causes quote them.
directory = os.path.join(TMP, NAME)
missing = os.path.join(directory, NAME + ".cim")
for command in (("info", missing), ("ls", missing), ("verify", missing), ("extract", missing),
                ("files", directory), ("rm", missing), ("create", missing, TMP), ("umount", directory)):
    check(harmless(command[0] + " of what isn't there", *command).code, "and it fails")
done()
