#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool seal, --sealable, --root-hash, and info of a container, sealed and not.

That veritysetup says the same of our seals is in verity.py; here it runs the line that is printed.
"""

import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
from tooltest import TMP, check, done, expect, same, skip, tool  # noqa: E402

BLOCK = 4096


def put(name, data):
    tooltest.write(os.path.join(TMP, name), data)


def get(name):
    with open(os.path.join(TMP, name), "rb") as file:
        return file.read()


def info(path, code=0):
    return json.loads(expect(code, "info of " + path, "info", "--json", path).text)


BIG = b"".join(b"%d\n" % i for i in range(60000))
put("src/big", BIG)
put("src/small", b"small\n")
put("more/added", b"added\n")

# Before
expect(0, "create --sealable", "create", "--container", "--sealable", "c.bcim/a.cim", "src")
expect(0, "one more, by its path", "create", "c.bcim/b.cim", "more")
expect(0, "one more, --sealable", "create", "--container", "--sealable", "c.bcim/gone.cim", "src")
expect(0, "rm", "rm", "c.bcim/gone.cim")
expect(0, "another container", "create", "--container", "d.bcim/a.cim", "src")
for args, code, words in [(["--container", "c.bcim/x.cim"], 2, "the container was made to be sealed"),
                          (["--container", "--sealable", "d.bcim/x.cim"], 2, "the container wasn't made to be sealed"),
                          (["--sealable", "e/x.cim"], 2, "--sealable works with --container or --block only")]:
    result = tool("create", *args, "src")
    check(result.code and words in result.errors, "create " + " ".join(args), result)
found = info("c.bcim")
same({key: found[key] for key in ("container", "device", "to_be_sealed", "sealed", "seal_elsewhere", "files")},
     {"container": "c.bcim", "device": False, "to_be_sealed": True, "sealed": False, "seal_elsewhere": False, "files": 14},
     "what info tells before")
same([one["image"] for one in found["images"]], ["a.cim", "b.cim"], "the images")
same((found["size"], found["file_size"]), (len(get("c.bcim")),) * 2, "its size")
same(found["used"] + found["lost"], found["size"], "which is used or lost")
check(found["lost"] > len(BIG), "what was removed is lost", found)
check("Sealed:       not yet" in expect(0, "info", "info", "c.bcim").text, "not yet sealed")
check("Sealed:       no\n" in expect(0, "info", "info", "d.bcim").text, "not to be sealed")
same(info("c.bcim/a.cim")["sealed"], False, "an image there")

# What can't be sealed
for path, code, words in [("d.bcim", 2, "wasn't made to be sealed"), ("src", 4, "a directory is no container"),
                          ("src/big", 4, "it is no container"), ("none", 1, "no such file"),
                          ("c.bcim/a.cim", 2, "names an image: a container is sealed as a whole")]:
    before = sorted(os.listdir(TMP))
    result = tool("seal", path)
    check(result.code and words in result.errors, "seal " + path, result)
    same(sorted(os.listdir(TMP)), before, "nothing is made of it")

# Sealing
before = get("c.bcim")
with open(os.path.join(TMP, "c.bcim"), "ab") as file:
    file.write(b"conectix".ljust(512, b"\0"))
result = expect(0, "seal", "seal", "c.bcim")
check("the VHD footer behind the container is cut off" in result.errors, "a footer before the seal goes", result)
text = re.fullmatch(r"c\.bcim: sealed, root hash ([0-9a-f]{64})\n  (veritysetup verify c\.bcim c\.bcim \1 --hash-offset=(\d+))\n",
                    result.text)
check(text, "what it prints", result)
ROOT = text[1] if text else 64 * "0"
same(int(text[3]), len(before), "the tree stands behind all there was")
same(get("c.bcim")[BLOCK:len(before)], before[BLOCK:], "of which only the first block is another")
same(expect(0, "again", "seal", "-q", "c.bcim").text, ROOT + "\n", "the same root hash")
same(json.loads(expect(0, "as JSON", "seal", "--json", "c.bcim").text),
     {"command": "seal", "container": "c.bcim", "root_hash": ROOT, "hash_offset": len(before)}, "what that holds")
if shutil.which("veritysetup"):
    end = tooltest.run(text[2].split())
    check(end.code == 0, "veritysetup agrees", end)
else:
    skip("veritysetup agrees", "there is none")
found = info("c.bcim")
same((found["sealed"], found["root_hash"], found["size"]), (True, ROOT, len(before)), "what info tells now")
check("Root hash:    " + ROOT in expect(0, "info", "info", "c.bcim").text, "and as text")
check("Sealed:       yes" in expect(0, "info of an image", "info", "c.bcim/a.cim").text, "and of an image")

# Nobody writes there
sealed = get("c.bcim")
for args in (["create", "c.bcim/x.cim", "src"], ["create", "--container", "--sealable", "c.bcim/x.cim", "src"],
             ["append", "c.bcim/a.cim", "more"], ["fork", "c.bcim/a.cim", "x.cim"], ["rm", "c.bcim/a.cim"],
             ["merge", "c.bcim/x.cim", "c.bcim/a.cim"], ["files", "--orphans", "--delete", "c.bcim"]):
    result = tool(*args)
    check(result.code == 1 and "the container is sealed" in result.errors, args[0] + " is refused", result)
same(get("c.bcim"), sealed, "nothing is changed")

# Reading by the root hash
HASH = "--root-hash=" + ROOT
OTHER = "--root-hash=" + ROOT[:-1] + ("0" if ROOT[-1] != "0" else "1")
for name, *args in [("ls", "ls"), ("info", "info"), ("verify", "verify", "--deep"), ("dump", "dump"), ("extract", "extract", "-C", "out")]:
    expect(0, name + " --root-hash", *args, HASH, "c.bcim/a.cim")
    result = tool(*args, OTHER, "c.bcim/a.cim")
    check(result.code == 4 and "it has another root hash" in result.errors, name + " by another", result)
same(expect(0, "cat --root-hash", "cat", HASH.upper().replace("--ROOT-HASH", "--root-hash"), "c.bcim/a.cim", "big").out, BIG,
     "its data, by capitals")
expect(0, "stat --root-hash", "stat", HASH, "c.bcim/b.cim", "added")
result = tool("ls", HASH, "d.bcim/a.cim")
check(result.code == 4 and "the container isn't sealed" in result.errors, "of one that isn't sealed", result)
for wrong in ("", "12", 64 * "g", ROOT + "0"):
    result = tool("ls", "--root-hash=" + wrong, "c.bcim/a.cim")
    check(result.code == 2 and "64 hexadecimal digits" in result.errors, "--root-hash='%s'" % wrong, result)
result = tool("info", HASH, "c.bcim")
check(result.code == 2 and "no --root-hash" in result.errors, "info takes none there", result)

# A byte that isn't as it was
at = sealed.index(b"12345\n12346\n")
put("e.bcim", sealed[:at] + b"9" + sealed[at + 1:])
for args in ([HASH], []):
    result = tool("cat", *args, "e.bcim/a.cim", "big")
    check(result.code == 4 and result.out == BIG[:len(result.out)] and "block %d" % (at // BLOCK) in result.errors,
          "cat finds a flipped byte, %s a root hash" % ("by" if args else "without"), result)
    result = tool("verify", "--deep", *args, "e.bcim/a.cim")
    check(result.code == 4, "so does verify --deep", result)
    same(expect(0, "cat of another file", "cat", *args, "e.bcim/a.cim", "small").out, b"small\n", "which is as it was")

# Of a container what is wrong with itself is told once, and of an image what is wrong with that
put("two/big", BIG[1:])
expect(0, "create", "create", "--container", "--sealable", "two.bcim/a.cim", "more")
expect(0, "create", "create", "two.bcim/b.cim", "two")
two = "--root-hash=" + expect(0, "seal", "seal", "-q", "two.bcim").text.strip()
whole = get("two.bcim")


def verdicts(code, *args):
    result = tool("verify", *args)
    check(result.code == code, "exit status %d of verify %s" % (code, " ".join(args)), result)
    return [(line[0], line[1]) for line in re.findall(r"^(\S+): (corrupt|ok) ", result.text, re.M)], result


same(verdicts(0, "--deep", two, "two.bcim")[0], [("two.bcim", "ok"), ("two.bcim/a.cim", "ok"), ("two.bcim/b.cim", "ok")],
     "verify of a container is of itself, and of each image")
found, result = verdicts(0, two, "two.bcim")
check(result.text.count("not checked without --deep: its seal\n") == 1, "without --deep that isn't checked, which is told", result)
put("two.bcim", whole[:whole.index(BIG[1:BLOCK]) + 9] + b"?" + whole[whole.index(BIG[1:BLOCK]) + 10:])
found, result = verdicts(4, "--deep", two, "two.bcim")
same(found, [("two.bcim", "corrupt"), ("two.bcim/a.cim", "ok"), ("two.bcim/b.cim", "corrupt")], "a byte of b.cim")
same(result.text.count("the seal is broken"), 1, "the seal is told once")
put("two.bcim", whole)
for args, name, words in [([HASH], "two.bcim", "two.bcim: it has another root hash"), ([HASH], "d.bcim", "d.bcim: the container isn't sealed")]:
    found, result = verdicts(4, *args, name)
    same(found, [(name, "corrupt")], "by another root hash: the container")
    same(result.errors.splitlines(), ["cimtool: verify " + words], "why is told once")
found = [json.loads(line) for line in expect(0, "verify --json", "verify", "--json", "two.bcim").text.splitlines()]
same([one.get("container") or one["image"] for one in found if "result" in one], ["two.bcim", "two.bcim/a.cim", "two.bcim/b.cim"],
     "in JSON, too")

# The line for veritysetup is one that a shell takes
ODD = (b"a blank.bcim", "it's $HOME\\ü*.bcim".encode(), b"''.bcim", b"-n.bcim", b"--debug 'x'.bcim", b"~.bcim", b"\"`id`\".bcim",
       b"a\nb'\\x41.bcim", b"\x1b[31m.bcim", b"\xff\xfe0.bcim", b"a\\.bcim")
SHELL = shutil.which("bash")
for name in ODD:
    shown = repr(name)
    expect(0, "create in " + shown, "create", "--container", "--sealable", "--", name + b"/a.cim", "more")
    line = expect(0, "seal " + shown, "seal", "--", name).out.split(b"\n")[1]
    check(b"\x1b" not in line and line == line.decode("utf-8", "replace").encode(), "a line for a terminal", line)
    if not SHELL:
        skip("what a shell reads in the line for " + shown, "no bash")
        continue
    wanted = (b"./" if name[:1] == b"-" else b"") + name
    words = tooltest.run([SHELL, "-c", b"printf '%s\\0'" + line.replace(b"veritysetup", b"", 1)]).out.split(b"\0")
    same(words[:3], [b"verify", wanted, wanted], "what a shell reads in the line for " + shown)
    if shutil.which("veritysetup"):
        end = tooltest.run([SHELL, "-c", line])
        check(end.code == 0, "as printed it works", end)

# Merged images of sealed ones
expect(0, "an upper one", "create", "--container", "--sealable", "f.bcim/up.cim", "more")
result = tool("merge", "--verified", "m.cim", "f.bcim/up.cim", "c.bcim/a.cim")
check(result.code == 4 and "f.bcim" in result.errors, "merge --verified wants sealed ones", result)
expect(0, "seal", "seal", "f.bcim")
expect(0, "merge --verified", "merge", "--verified", "--container", "--sealable", "g.bcim/m.cim", "f.bcim/up.cim", "c.bcim/a.cim")
top = "--root-hash=" + expect(0, "seal", "seal", "-q", "g.bcim").text.strip()
SOURCES = ["--source=f.bcim/up.cim", "--source=c.bcim/a.cim"]
same(expect(0, "cat of that", "cat", top, *SOURCES, "g.bcim/m.cim", "added", "small").out, b"added\nsmall\n", "what they hold")
result = tool("verify", top, "g.bcim/m.cim")
check(result.code == 4 and "--source=IMAGE tells where the rest is" in result.errors, "verify of that without them", result)
found = info("g.bcim/m.cim", 3)["region_sets"]
same([one.get("root_hash") for one in found], [tool("seal", "-q", "f.bcim").text.strip(), ROOT, None], "info tells of their hashes")
check("  Root hash:  " + ROOT in expect(3, "info", "info", "g.bcim/m.cim").text, "and as text")

# verify --deep reads every block of its container, and of those of its sources
VERIFY = ["verify", "--deep", top, *SOURCES, "g.bcim/m.cim"]
expect(0, "verify --deep of that", *VERIFY)
for name in ("f.bcim", "g.bcim"):
    whole = get(name)
    missed = []
    for at in range(0, len(whole), BLOCK):
        put(name, whole[:at + 9] + bytes([whole[at + 9] ^ 1]) + whole[at + 10:])
        result = tool(*VERIFY)
        missed += [] if result.code == 4 else [at // BLOCK]
    put(name, whole)
    same(missed, [], "verify --deep of that finds each block of %s that isn't as it was" % name)
whole = get("f.bcim")
put("f.bcim", whole[:3 * BLOCK] + b"?" + whole[3 * BLOCK + 1:])
result = tool(*VERIFY)
check(result.code == 4 and "f.bcim" in result.text + result.errors, "and tells which container it is in", result)
put("f.bcim", whole)

os.rename(os.path.join(TMP, "e.bcim"), os.path.join(TMP, "c.bcim"))
result = tool("cat", top, *SOURCES, "g.bcim/m.cim", "big")
check(result.code == 4, "a byte of a source that isn't as it was", result)
expect(0, "merge without", "merge", "n.cim", "f.bcim/up.cim", "d.bcim/a.cim")
same([one["sealed"] for one in (info("g.bcim"), info("n.cim", 3))], [True, False], "what is sealed")
done()
