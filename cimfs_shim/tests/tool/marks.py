#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Tombstones, merge links, bare and opaque directories: cimtool tombstone, and the commands that show them.

What they do where images are merged is t_mergemarks.c's; here one merge tells that they are the same marks.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
from tooltest import TMP, check, done, expect, same, tool  # noqa: E402
from imagebuilder import Dir, File, Image  # noqa: E402


def put(name, data):
    tooltest.write(os.path.join(TMP, name), data)


def lines(*args):
    return expect(0, " ".join(args), *args).text.splitlines()


put("low/dir/hidden", b"hidden\n")
put("low/dir/kept", b"kept\n")
put("low/again/old", b"old\n")
put("low/target", b"target\n")
put("up/dir/own", b"own\n")
put("up/gone", b"gone\n")
put("anew/new", b"new\n")
TIME = "--mtime=@0"
expect(0, "the lower image", "create", TIME, "low.cim", "low")
expect(0, "the upper one", "create", TIME, "up.cim", "up")

# Making
result = expect(0, "tombstone", "tombstone", "up.cim", "dir/hidden", "/again", "gone", "a/b/c")
check(", 4 tombstones, " in result.text, "what it says", result)
found = json.loads(expect(0, "as JSON", "tombstone", "--json", "up.cim", "dir\\more").text)
same((found["command"], found["tombstones"]), ("tombstone", 1), "what that says")
expect(0, "a directory where a tombstone is", "fork", TIME, "up.cim", "new.cim", "--add", "anew:again")
same(lines("ls", "-R", "new.cim"), ["again", "again/new", "dir", "dir/own"], "ls shows none")
expect(1, "cat of one", "cat", "new.cim", "gone")
expect(0, "extract leaves them out", "extract", "-C", "out", "new.cim")
same(sorted(os.listdir(os.path.join(TMP, "out"))), ["again", "dir"], "and what is bare")

# Showing
same([line.split()[0] + " " + line.split(" ", 40)[-1] for line in lines("ls", "-laR", "new.cim")],
     ["D------ .", "D------B a", "D------B a/b", "-------T a/b/c", "D------O again", "------- again/new", "D------ dir",
      "-------T dir/hidden", "-------T dir/more", "------- dir/own", "-------T gone"], "ls --all shows what each is")
same(len({line.index("1970-01-01") for line in lines("ls", "-laR", "new.cim") if "1970" in line}), 1, "in columns")
found = [json.loads(line) for line in lines("ls", "--json", "-aR", "new.cim")]
same({one["path"]: one["mark"] for one in found if "mark" in one},
     {"a": "bare", "a/b": "bare", "a/b/c": "tombstone", "again": "opaque", "dir/hidden": "tombstone", "dir/more": "tombstone",
      "gone": "tombstone"}, "and as JSON")
check("Mark:        tombstone" in expect(0, "stat", "stat", "new.cim", "dir/hidden").text, "stat shows it")
same([json.loads(line)["mark"] for line in lines("stat", "--json", "new.cim", "again", "a", "gone")],
     ["opaque", "bare", "tombstone"], "and as JSON")
same([line for line in lines("dump", "new.cim") if line.startswith(("tombstone", "bare"))],
     ["bare /a", "bare /a/b", "tombstone /a/b/c", "tombstone /dir/hidden", "tombstone /dir/more", "tombstone /gone"],
     "dump shows them")
same([line.split()[1] for line in lines("dump", "new.cim") if line.endswith(" mark=opaque")], ["/again"],
     "and what is opaque")
same(lines("diff", "new.cim", "new.cim"), [], "diff of the same")
expect(0, "the same without", "create", TIME, "bare.cim", "anew")
expect(0, "fork", "fork", TIME, "bare.cim", "plain.cim", "--delete", "new", "--add", "anew:again", "--add", "up/dir:dir")
same([line.split(" -> ")[0] for line in expect(1, "diff of that", "diff", "plain.cim", "new.cim").text.splitlines()
      if "mark" in line or line[0] == "+"],
     ["+ /a/ (bare)", "+ /a/b/ (bare)", "+ /a/b/c (tombstone)", "~ /again: mark none", "+ /dir/hidden (tombstone)",
      "+ /dir/more (tombstone)", "+ /gone (tombstone)"], "what diff tells")

# Merge links, by a dump
dump = expect(0, "dump", "dump", "new.cim").text
text = dump + "merge-link /link to=/target\nmerge-link /dir/to\\x20link to=/dir/kept\n"
text = "\n".join(text.splitlines()[:2] + sorted(text.splitlines()[2:], key=lambda line: line.split()[1])) + "\n"
put("dump", text.encode())
expect(0, "create --from-dump", "create", "--from-dump=dump", "linked.cim")
same(expect(0, "dump again", "dump", "linked.cim").text, text, "the dump again")
same([line.rsplit(" ", 3)[1:] for line in lines("ls", "-la", "linked.cim") if "M " in line], [["link", "->", "target"]],
     "where a merge link leads")
check("Leads to:    dir\\kept" in expect(0, "stat", "stat", "linked.cim", "dir/to link").text, "so does stat tell")
same(json.loads(lines("stat", "--json", "linked.cim", "link")[0])["target"], "target", "and as JSON")
expect(0, "flatten", "convert", "--flatten", "linked.cim", "flat.cim")
same(expect(0, "dump of that", "dump", "flat.cim").text, text, "marks stay")
same(lines("diff", "linked.cim", "flat.cim"), [], "no difference")
expect(0, "copy", "convert", "linked.cim", "copy.cim")
same(expect(0, "dump of that", "dump", "copy.cim").text, text, "a copy has them, too")
for more, words in [("tombstone /dir", "the path was there already"), ("tombstone /", "the path was there already"),
                    ("grave /x", "the line is malformed"), ("merge-link /x", "the line is malformed"),
                    ("merge-link /x to=x", "a path begins with '/'"), ("merge-link /x from=/y", "unknown here"),
                    ("merge-link /dir to=/x", "the path was there already"), ("tombstone x", "a path begins with '/'"),
                    ("merge-link /x to=/", "linked")]:
    put("wrong", (dump + more + "\n").encode())
    result = tool("create", "--from-dump=wrong", "wrong.cim")
    check(result.code in (1, 2) and (words in result.errors or words == "linked"), "from-dump of '%s'" % more, result)
put("wrong", dump.replace("mark=opaque", "mark=open").encode())
result = tool("create", "--from-dump=wrong", "wrong.cim")
check(result.code == 1 and "'open' is no mark of a directory" in result.errors, "another mark", result)

# What can't be extracted
os.makedirs(os.path.join(TMP, "ways", "to"))
os.symlink("to", os.path.join(TMP, "ways", "way"))
expect(0, "a link to a directory", "create", TIME, "ways.cim", "ways")
expect(0, "a tombstone below it", "tombstone", "ways.cim", "way/gone")
expect(0, "extract loses nothing", "extract", "--strict", "-C", "out-ways", "ways.cim")

# Merging
expect(0, "merge", "merge", "merged.cim", "linked.cim", "low.cim")
same(lines("ls", "-R", "merged.cim"),
     ["again", "again/new", "dir", "dir/kept", "dir/own", "dir/to link", "link", "target"], "what is shown then")
same(expect(0, "cat of links", "cat", "merged.cim", "link", "dir/to link").out, b"target\nkept\n", "where they led")
same([line for line in lines("dump", "merged.cim") if line.startswith("merge-link")], [], "which are links now")

# What goes wrong
expect(0, "verify of marks", "verify", "--deep", "linked.cim")
for args, code, words in [
        (["up.cim"], 2, "IMAGE and PATH are needed"), (["none.cim", "x"], 1, "No such file"), (["up.cim", "/"], 1, "up.cim"),
        (["up.cim", "dir/own/x"], 1, "up.cim: /dir/own/x"), (["up.cim", "a:b"], 1, "up.cim: /a:b")]:
    before = expect(0, "dump", "dump", "up.cim").out
    result = tool("tombstone", *args)
    check(result.code in (code, 2) and words in result.errors, "tombstone %s: exit status %d" % (" ".join(args), code), result)
    same(expect(0, "dump", "dump", "up.cim").out, before, "and all is as it was")

# No session makes an opaque root, so none can write one anew; that is told.
image = Image(Dir({"f": File(b"f")}, flags=0x2000), name="opaque.cim")
image.poke("image", 64, "I", 1)
image.write(os.path.join(TMP, "opaque"))
put("opaque.dump", expect(0, "dump of an opaque root", "dump", "opaque/opaque.cim").out)
for args in ["convert", "--flatten", "opaque/opaque.cim", "flat2.cim"], ["create", "--from-dump", "opaque.dump", "anew2.cim"]:
    result = tool(*args)
    check(result.code == 3 and "that the root is opaque isn't stored" in result.errors, "%s of an opaque root" % args[0], result)

# A target is no more than it says: what would be cut short on the way is no path.
image = Image(Dir({"m": File("a\0b".encode("utf-16-le"), flags=0x4000)}), name="nul.cim")
image.poke("image", 64, "I", 1)
image.write(os.path.join(TMP, "nul"))
for args in ["convert", "--flatten", "nul/nul.cim", "nul/flat.cim"], ["dump", "nul/nul.cim"], ["stat", "nul/nul.cim", "m"]:
    result = tool(*args)
    check(result.code == 4 and "a merge link's target is no path" in result.errors, "%s of a target with a NUL" % args[0], result)
done()
