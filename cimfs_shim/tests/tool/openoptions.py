#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""--source and --root-hash: every command that reads an image has both, and they do there what they do elsewhere.

The commands are those of cimtool's own help: one that isn't in the table here fails the test.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
from tooltest import BUILD, TMP, check, done, expect, need_tool, same, tool  # noqa: E402

need_tool()

# Commands that open no image, or none but what they make or change: a sealed container is never written, and a
# merged image only where all its sources are beside it.
NEITHER = {"create", "append", "fork", "seal", "tombstone", "append-vhd-footer", "files", "rm", "umount", "mounts", "help", "version"}
# merge stores the root hashes of its sources itself (--verified).
SOURCE_ONLY = {"merge"}
# Others, with what they have before the image and behind it. One that makes something makes it in a directory of its own.
READERS = {
    "ls": [(["ls", "-l", "-R"], [])],
    "stat": [(["stat"], ["small", "added"])],
    "cat": [(["cat"], ["small", "added"])],
    "extract": [(["extract", "-C", "out/{n}"], [])],
    "info": [(["info"], [])],
    "dump": [(["dump"], []), (["dump", "--data=data/{n}"], []), (["dump", "--struct"], []), (["dump", "--raw"], [])],
    "diff": [(["diff"], ["{image}"])],
    "verify": [(["verify"], []), (["verify", "--deep"], [])],
    "convert": [(["convert", "--flatten"], ["flat/{n}.cim"]), (["convert"], ["copy/{n}.cim"])],
    "mount": [(["mount"], ["mnt"])],
}
COPIES = ["convert"]  # which is for images that have all beside them, as they are


def put(name, data):
    tooltest.write(os.path.join(TMP, name), data)


def seal(container):
    return tool("seal", "-q", container).text.strip()


put("src/big", os.urandom(20000))
put("src/small", b"small\n")
put("more/added", b"added\n")
put("more/small", b"smaller\n")
for name in ("out", "data", "flat", "copy", "mnt", "d"):
    os.mkdir(os.path.join(TMP, name))
BOX = ["--container", "--sealable"]
expect(0, "an image in a directory", "create", "d/plain.cim", "src", "more/added")
expect(0, "one in a container", "create", "--container", "open.bcim/plain.cim", "src", "more/added")
expect(0, "one to be sealed", "create", *BOX, "plain.bcim/plain.cim", "src", "more/added")
expect(0, "a source", "create", *BOX, "low.bcim/low.cim", "src")
expect(0, "another", "create", *BOX, "up.bcim/up.cim", "more")
PLAIN = "--root-hash=" + seal("plain.bcim")
OTHER = "--root-hash=" + seal("low.bcim")
seal("up.bcim")
expect(0, "merged", "merge", "--verified", *BOX, "top.bcim/merged.cim", "up.bcim/up.cim", "low.bcim/low.cim")
TOP = "--root-hash=" + seal("top.bcim")
SOURCES = ["--source=low.bcim/low.cim", "--source=up.bcim/up.cim"]  # (in another order than they were merged in)

listed = tool("help").text
names = {match[1] for match in re.finditer(r"^  ([a-z][a-z-]*)(?:, [a-z-]+)? +[a-z]", listed, re.M)}
check(len(names) > 20, "the commands of the help", listed)
same(sorted(names - NEITHER - SOURCE_ONLY - set(READERS)), [], "all are in the table")
same(sorted((NEITHER | SOURCE_ONLY | set(READERS)) - names), [], "and all of the table are there")
for name in sorted(names):
    text = tool("help", name).text
    same(("--source=" in text, "--root-hash=" in text), (name in READERS or name in SOURCE_ONLY, name in READERS),
         "%s: which of the two its help has" % name)

number = 0


def run_reader(before, options, image, behind):
    global number
    number += 1
    words = [word.format(n=number, image=image) for word in before[:1] + options + before[1:] + [image] + behind]
    return tool(*words)


def refused(before, options, image, behind, words, code):
    result = run_reader(before, options, image, behind)
    code = 2 if before[0] == "diff" else code
    check(result.code == code and result.errors.count("\n") == 1 and words in result.errors and (
        not result.text or before[0] == "verify"),
        "%s %s: '%s'" % (" ".join(before), image, words), "want exit code %d\n%s" % (code, result))


mount = os.path.exists(os.path.join(BUILD, "cimfs-mount"))
for command, ways in sorted(READERS.items()):
    for before, behind in ways:
        if command == "mount":
            if not mount:
                tooltest.skip("mount", "cimfs-mount isn't built")
                continue
        elif before != COPIES:
            for options in (SOURCES, [TOP, *SOURCES]):
                result = run_reader(before, options, "top.bcim/merged.cim", behind)
                check(result.code == 0 and not result.errors, "%s of a merged image, %s a root hash" % (
                    " ".join(before), "with" if TOP in options else "without"), result)
        if before == COPIES:
            refused(before, SOURCES, "d/plain.cim", behind, "--consistent and --source work with --flatten only", 2)
        else:
            wrong = "none of the images is a merged one, which --source is for" if command == "diff" else "it is no merged image"
            for options, image in ((SOURCES, "d/plain.cim"), ([PLAIN, *SOURCES], "plain.bcim/plain.cim")):
                refused(before, options, image, behind, wrong, 1)
            refused(before, ["--source=low.bcim/none"], "top.bcim/merged.cim", behind, "low.bcim/none: no such file", 1)
            refused(before, ["--source=low.bcim/low.cim"], "top.bcim/merged.cim", behind, "none of the images given is the source", 1)
        if command != "mount":
            result = run_reader(before, [PLAIN], "plain.bcim/plain.cim", behind)
            check(result.code == 0 and not result.errors, "%s by a root hash" % " ".join(before), result)
        refused(before, [OTHER], "plain.bcim/plain.cim", behind, "it has another root hash", 4)
        refused(before, [PLAIN], "open.bcim/plain.cim", behind, "the container isn't sealed", 4)
        refused(before, [PLAIN], "d/plain.cim", behind, "a directory is no container", 4)
same(os.listdir(os.path.join(TMP, "mnt")), [], "nothing is mounted")

# What was read so is what there is
same(tool("cat", TOP, *SOURCES, "top.bcim/merged.cim", "small", "added").out, b"smaller\nadded\n", "what a merged image shows")
fields = expect(0, "dump --struct", "dump", "--struct", TOP, *SOURCES, "top.bcim/merged.cim").text
check(len(re.findall(r"\((region_[^)]*)\)", fields)) == 9, "shows the files of the sources too", fields)

# Two images, of which each may have a hash of its own, and either may be the merged one
for options, a, b, code, words in [
        ([PLAIN, OTHER], "plain.bcim/plain.cim", "low.bcim/low.cim", 1, ""),
        ([OTHER, PLAIN], "plain.bcim/plain.cim", "low.bcim/low.cim", 2, "plain.bcim/plain.cim: it has another root hash"),
        ([PLAIN, PLAIN], "plain.bcim/plain.cim", "low.bcim/low.cim", 2, "low.bcim/low.cim: it has another root hash"),
        ([PLAIN], "plain.bcim/plain.cim", "low.bcim/low.cim", 2, "low.bcim/low.cim: it has another root hash"),
        ([PLAIN, "--root-hash=-"], "plain.bcim/plain.cim", "d/plain.cim", 0, ""),
        (["--root-hash=-", PLAIN], "d/plain.cim", "plain.bcim/plain.cim", 0, ""),
        (["--root-hash=-", PLAIN], "d/plain.cim", "open.bcim/plain.cim", 2, "open.bcim/plain.cim: the container isn't sealed"),
        ([TOP, PLAIN, *SOURCES], "top.bcim/merged.cim", "plain.bcim/plain.cim", 1, ""),
        ([PLAIN, TOP, *SOURCES], "plain.bcim/plain.cim", "top.bcim/merged.cim", 1, ""),
        ([PLAIN, PLAIN, PLAIN], "plain.bcim/plain.cim", "plain.bcim/plain.cim", 2, "no more than two root hashes"),
        (["--root-hash=12"], "plain.bcim/plain.cim", "plain.bcim/plain.cim", 2, "64 hexadecimal digits")]:
    result = tool("diff", *options, a, b)
    check(result.code == code and words in result.errors and bool(result.errors) == bool(words),
          "diff %s %s, %d options" % (a, b, len(options)), result)

# Of several, or of a container, one may be merged
expect(0, "verify of both", "verify", *SOURCES, "d/plain.cim", "top.bcim/merged.cim")
expect(0, "of a container, by its root hash", "verify", "--deep", TOP, *SOURCES, "top.bcim")
for images in (["d/plain.cim", "open.bcim/plain.cim"], ["open.bcim"]):
    result = tool("verify", *SOURCES, *images)
    check(result.code == 1 and "none of the images is a merged one" in result.errors, "verify --source where none is", result)
result = tool("verify", OTHER, "plain.bcim")
check(result.code == 4 and "verify plain.bcim: it has another root hash\n" in result.errors, "another's root hash", result)
expect(0, "convert of a container, by its root hash", "convert", PLAIN, "plain.bcim", "copy")
result = tool("convert", "--flatten", *SOURCES, "open.bcim", "flat")
check(result.code == 1 and "none of the images is a merged one" in result.errors, "convert --source where none is", result)
done()
