#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool convert: copies of images between directories and containers, and flattened ones.

What a copy must be, whatever fails, is t_copy.c's. Here are the command's words, and that an image written anew
holds what every hand-made one holds.
"""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
from tooltest import TMP, check, done, expect, files_of, same, tool  # noqa: E402
from imagebuilder import Dir, File, Image, Link  # noqa: E402
from imagecases import all_cases  # noqa: E402


def put(name, data):
    tooltest.write(os.path.join(TMP, name), data)


def listed(*names):
    return sorted(name for name in os.listdir(os.path.join(TMP, *names)))


def files(name):
    return files_of(os.path.join(TMP, name))


put("src/big", os.urandom(300000))
put("src/dir/small", b"small\n")
put("more/added", b"added\n")
for name in ("o", "p", "q"):
    os.mkdir(os.path.join(TMP, name))
expect(0, "create", "create", "o/base.cim", "src")
expect(0, "fork", "fork", "o/base.cim", "child.cim", "--add", "more:/")
DUMP = expect(0, "dump", "dump", "o/child.cim").out

# One image, with all that it needs
result = expect(0, "into a directory, by a name", "convert", "o/child.cim", "p/copy.cim")
check(result.text.startswith("p/copy.cim: copied, 2 region sets of "), "what it says", result)
same({name: data for name, data in files("p").items() if name != "copy.cim"},
     {name: data for name, data in files("o").items() if ".cim" not in name}, "all its files, as they are")
for to in ("p", "p/"):
    expect(0, "into the directory '%s'" % to, "convert", "o/child.cim", to)
    check("child.cim" in listed("p"), "by its own name", listed("p"))
    expect(0, "rm", "rm", "p/child.cim")
expect(0, "into a container", "convert", "--container", "o/child.cim", "c.bcim/child.cim")
expect(0, "its parent, to what is there", "convert", "o/base.cim", "c.bcim")
same(expect(0, "files", "files", "c.bcim").text.count("\n"), 14, "they share a set there")
expect(0, "and back", "convert", "--verify", "c.bcim/child.cim", "q/child.cim")
same(files("q"), {name: data for name, data in files("o").items() if name != "base.cim"}, "the same files")
text = expect(0, "as JSON", "convert", "--json", "c.bcim/child.cim", "c.bcim/again.cim").text
same({key: value for key, value in json.loads(text).items() if key in ("command", "image", "region_sets")},
     {"command": "convert", "image": "c.bcim/again.cim", "region_sets": 2}, "what that says")
same(expect(0, "quietly", "convert", "-q", "c.bcim/child.cim", "c.bcim/third.cim").text, "", "it says nothing")
os.symlink(os.path.join(TMP, "o/child.cim"), os.path.join(TMP, "link.cim"))
expect(0, "what a link leads to", "convert", "link.cim", "named.cim")
same(expect(0, "dump of that", "dump", "named.cim").out, DUMP, "holds the same")

# All of a place
expect(0, "a directory into a container", "convert", "--container", "--sealable", "o", "all.bcim")
same([one["image"] for one in json.loads(tool("info", "--json", "all.bcim").text)["images"]], ["base.cim", "child.cim"],
     "all its images")
expect(0, "seal", "seal", "all.bcim")
os.mkdir(os.path.join(TMP, "r"))
expect(0, "a sealed container into a directory", "convert", "all.bcim", "r")
same(files("r"), files("o"), "the same files")
for name in ("again.cim", "third.cim"):
    expect(0, "rm", "rm", "c.bcim/" + name)
expect(0, "append", "append", "c.bcim/child.cim", "src")
before = json.loads(tool("info", "--json", "c.bcim").text)
expect(0, "a container into another", "convert", "--container", "c.bcim", "compact.bcim")
after = json.loads(tool("info", "--json", "compact.bcim").text)
check(after["lost"] <= 3 * 4096 and after["used"] <= before["used"] and after["files"] == before["files"],
      "which has lost nothing but tables", (before, after))

# Flattened
expect(0, "convert --flatten", "convert", "--flatten", "o/child.cim", "flat.cim")
same((json.loads(tool("info", "--json", "flat.cim").text)["parents"], tool("dump", "flat.cim").out), (0, DUMP),
     "no parent, and all that it shows")
for name in ("x", "y"):
    os.mkdir(os.path.join(TMP, name))
    expect(0, "convert --flatten --consistent", "convert", "--flatten", "--consistent", "--verify", "o/child.cim",
           name + "/flat.cim")
same(files("x"), files("y"), "makes the same bytes")
expect(0, "all of a place, flattened", "convert", "--flatten", "--container", "o", "flat.bcim")
same(expect(0, "diff", "diff", "flat.bcim/child.cim", "o/child.cim").text, "", "no difference")
os.mkdir(os.path.join(TMP, "m"))
expect(0, "merge", "merge", "m/merged.cim", "c.bcim/base.cim", "o/child.cim")
result = tool("convert", "m/merged.cim", "x/merged.cim")
check(result.code == 5 and "only copied beside all its sources" in result.errors, "a merged image away from its sources", result)
SOURCES = ("--source=c.bcim/base.cim", "--source=o/child.cim")
expect(0, "flattened with them", "convert", "--flatten", "--verify", *SOURCES, "m/merged.cim", "x/merged.cim")
same(expect(0, "diff", "diff", *SOURCES, "m/merged.cim", "x/merged.cim").text, "", "no difference")
same(json.loads(tool("info", "--json", "x/merged.cim").text).get("sources"), None, "it needs none")
root = "--root-hash=" + tool("seal", "-q", "all.bcim").text.strip()
expect(0, "from a sealed one, by its root hash", "convert", "--flatten", "--verify", root, "all.bcim/child.cim", "z.cim")
same(tool("dump", "z.cim").out, DUMP, "the same")

# What is only known by a later version is told of; zeros are nothing, and nothing is lost by a copy
os.mkdir(os.path.join(TMP, "later"))
later = Image(Dir({"a": File(b"1", extra=bytes(31) + b"x"), "b": File(b"2", extra=b"y"), "c": File(b"3", extra=bytes(32)),
                   "again": Link("a")}), entry_sizes={0: 128}, name="l.cim").write(os.path.join(TMP, "later"))
said = expect(3, "flatten records of a later version", "convert", "--flatten", later, "later/flat.cim").errors
check("/a: part of the record not stored" in said and "(and 1 more)" in said, "which says so", said)
expect(1, "and fails by --strict", "convert", "--strict", "--flatten", later, "later/strict.cim")
same(expect(0, "a copy", "convert", later, "later/copy.cim").errors, "", "has nothing to say")
same(expect(0, "flatten what was flattened", "convert", "--flatten", "later/flat.cim", "later/twice.cim").errors, "",
     "nor has who does it again")

# What goes wrong
for args, code, words in [
        (["o/child.cim", "p/copy.cim"], 1, "p/copy.cim: the name is taken"),
        (["o/child.cim", "none/x.cim"], 1, "there is no directory and no container none (--container makes one)"),
        (["none.cim", "x.cim"], 1, "none.cim: No such file or directory"),
        (["c.bcim/none.cim", "x.cim"], 1, "no such file"),
        (["src/big", "x.cim"], 4, "src/big"),
        (["src", "x"], 1, "src: there are no images in it"),
        (["o", "none.bcim"], 1, "there is no directory and no container none.bcim (--container makes one)"),
        (["--container", "o/child.cim", "x.cim"], 2, "'x.cim' names no container"),
        (["--container", "o", "x"], 1, "a directory, where a container is wanted"),
        (["--block", "o", "c.bcim"], 1, "c.bcim is no block device"),
        (["--consistent", "o", "x"], 2, "--consistent and --source work with --flatten only"),
        (["--source=o/base.cim", "o", "x"], 2, "work with --flatten only"),
        (["o/child.cim", "all.bcim/x.cim"], 1, "the container is sealed"),
        (["o/child.cim"], 2, "IMAGE and NEW are needed")]:
    was = listed(), listed("x"), files("p")
    result = tool("convert", *args)
    check(result.code == code and words in result.errors, "convert %s: exit status %d" % (" ".join(args), code), result)
    same((listed(), listed("x"), files("p")), was, "nothing is made")
shutil.rmtree(os.path.join(TMP, "q"))
shutil.copytree(os.path.join(TMP, "o"), os.path.join(TMP, "q"))
put("q/bad.cim", files("o")["child.cim"][:70])
result = tool("convert", "--container", "q", "bad.bcim")
check(result.code == 4 and "q/bad.cim" in result.errors, "one of several that can't be read", result)

# Every hand-made image, written anew
flattened = later = 0
for kind, case in all_cases():
    if kind != "good":
        continue
    image = case.build().write(os.path.join(TMP, "cases", case.name))
    dump = tool("dump", image)
    new = os.path.join(TMP, "anew", case.name + ".cim")
    os.makedirs(os.path.dirname(new), exist_ok=True)
    result = tool("convert", "--flatten", image, new)
    if dump.code:
        check(result.code, "%s: what can't be read isn't made" % case.name, result)
        continue
    flattened += 1
    longer = any(any(getattr(item, "extra", None) or b"") for item in case.build().items.values())
    later += longer
    check(result.code == (3 if longer else 0) and tool("dump", new).out == dump.out, "%s: written anew it holds the same" % case.name, result)
check(flattened > 10 and later, "there are hand-made images, and of a later version, too", (flattened, later))
done()
