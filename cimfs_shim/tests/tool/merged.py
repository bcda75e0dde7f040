#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""cimtool merge, and each command that reads on a merged image, whose sources lie beside it or elsewhere."""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tooltest  # noqa: E402
import handmade  # noqa: E402
from imagecases import all_cases  # noqa: E402
from tooltest import TMP, check, done, expect, same, tool  # noqa: E402


def put(name, data):
    tooltest.write(os.path.join(TMP, name), data)


BIG = os.urandom(100000)
put("upper/both", b"upper\n")
put("upper/dir/new", b"new\n")
put("lower/both", b"lower\n")
put("lower/dir/old", b"old\n")
put("lower/dir/big", BIG)
put("lower/file/below", b"hidden by a file\n")
put("upper/file", b"a file\n")
put("plain/both", b"upper\n")
put("plain/dir/new", b"new\n")
put("plain/dir/old", b"old\n")
put("plain/dir/big", BIG)
put("plain/file", b"a file\n")
for name in ("here", "there", "third"):
    os.mkdir(os.path.join(TMP, name))
TIME = "--mtime=@0"
expect(0, "the upper one", "create", TIME, "here/upper.cim", "upper")
expect(0, "the lower one, in a container elsewhere", "create", TIME, "--container", "there/l.bcim/lower.cim", "lower")
expect(0, "what the merged tree must be", "create", TIME, "third/plain.cim", "plain")
UPPER, LOWER = "here/upper.cim", "there/l.bcim/lower.cim"
SOURCES = ["--source=" + LOWER, "--source=" + UPPER]

# Sources elsewhere
result = expect(0, "merge", "merge", "third/m.cim", UPPER, LOWER)
check(result.text.startswith("third/m.cim: 2 sources merged, "), "what it says", result)
same(expect(0, "ls needs no source", "ls", "-R", "third/m.cim").text.split(),
     ["both", "dir", "dir/big", "dir/new", "dir/old", "file"], "what it lists")
for name, args, twice in (("one source twice", [UPPER, LOWER, UPPER], UPPER), ("by another spelling", [LOWER, "./" + LOWER], "./" + LOWER)):
    result = expect(0, name, "merge", "third/twice.cim", *args)
    same(result.errors, "cimtool: warning: merge third/twice.cim: %s is a source twice: below itself it shows nothing more\n" % twice,
         name + " is told, in one line")
    expect(0, name + ": diff with it once", "diff", *SOURCES, "third/twice.cim", "third/m.cim" if twice == UPPER else LOWER)
    expect(0, "rm", "rm", "third/twice.cim")
HINT = "--source=IMAGE tells where the rest is"
for code, *args in [(4, "cat", "third/m.cim", "both"), (4, "stat", "third/m.cim", "both"), (4, "verify", "third/m.cim"),
                    (4, "dump", "third/m.cim"), (2, "diff", "third/m.cim", "third/plain.cim"),
                    (4, "extract", "-C", "half", "third/m.cim"), (3, "info", "third/m.cim")]:
    result = tool(*args)
    check(result.code == code and HINT in result.errors, args[0] + " without them", result)
same(expect(0, "cat with them", "cat", *SOURCES, "third/m.cim", "both", "dir/old").out, b"upper\nold\n", "the upper one wins")
same(expect(0, "diff with them", "diff", *SOURCES, "third/m.cim", "third/plain.cim").text, "", "no difference")
same(expect(0, "dump with them", "dump", *SOURCES, "third/m.cim").out, expect(0, "dump", "dump", "third/plain.cim").out,
     "is that of the plain one")
check("Size" in expect(0, "stat with them", "stat", *SOURCES, "third/m.cim", "dir/big").text, "stat tells")
expect(0, "verify with them", "verify", "--deep", *SOURCES, "third/m.cim")
expect(0, "ls with them", "ls", "-l", *SOURCES, "third/m.cim")
expect(0, "extract with them", "extract", "-C", "out", *SOURCES, "third/m.cim")
same(tooltest.run(["diff", "-r", "out", "plain"]).code, 0, "what is extracted")
info = json.loads(expect(0, "info with them", "info", "--json", *SOURCES, "third/m.cim").text)
same((info["sources"], info["parents"], [one["source"] for one in info["region_sets"]],
      [one.get("unreadable", 0) for one in info["region_sets"]]), (2, 0, [True, True, False], [0, 0, 0]),
     "info tells of two sources")
text = expect(3, "info", "info", "third/m.cim").text
check("Sources:      2" in text and text.count("Source set:") == 2 and text.count("Region set:") == 1 and
      "Parents:" not in text, "and as text", text)
expect(0, "verify of a plain one and a merged one", "verify", *SOURCES, "third/plain.cim", "third/m.cim")
text = expect(0, "files", "files", "third").text
same((text.count("(elsewhere)"), text.count("missing")), (6, 0), "what isn't here is elsewhere")

# A source whose parent has the GUID of another's own set: what each calls by it is its own, in any order
FIRST = "11111111-1111-4111-8111-111111111111"
handmade.Image(handmade.Dir({"a": handmade.File(b"of the first one")}), guid=FIRST, name="a.cim").write(os.path.join(TMP, "one"))
parent = handmade.RegionSet(FIRST, (handmade.SMALL,), object_ids=False)
handmade.Image(handmade.Dir({"b": handmade.File(handmade.Stream(b"of the other one", region=0))}), parents=(parent,),
               name="b.cim").write(os.path.join(TMP, "other"))
pair = ["one/a.cim", "other/b.cim"]
expect(0, "merge of two that call two sets by one GUID", "merge", "third/pair.cim", *pair)
for order in (pair, pair[::-1]):
    given = ["--source=" + name for name in order]
    same(expect(0, "cat, %s first" % order[0], "cat", *given, "third/pair.cim", "a", "b").text,
         "of the first oneof the other one", "the bytes of each, %s first" % order[0])
    expect(0, "verify, %s first" % order[0], "verify", "--deep", *given, "third/pair.cim")
    check("error" not in tool("dump", "--struct", *given, "third/pair.cim").text, "dump --struct, %s first" % order[0])
    check("unreadable" not in expect(0, "info", "info", *given, "third/pair.cim").text, "info, %s first" % order[0])

# Sources that don't fit
for args, code, words in [
        (["--source=" + UPPER], 1, "none of the images given is the source with the region set"),
        (["--source=none", *SOURCES], 1, "none: No such file or directory"),
        (["--source=upper", *SOURCES], 1, "upper: a directory"),
        (["--source=upper/both", *SOURCES], 4, "")]:
    for command in ("verify", "ls", "info"):
        result = tool(command, *args, "third/m.cim")
        check(result.code == code and words in result.errors, "%s %s" % (command, args[0]), result)
result = tool("diff", "--source=none", "third/m.cim", "third/plain.cim")
check(result.code == 2, "for diff that is trouble", result)
result = tool("dump", "--struct", *SOURCES, "third/m.cim")
check(result.code == 0 and "error:" not in result.text, "dump --struct finds their files", result.errors)
check("error: region header" in tool("dump", "--struct", "third/m.cim").text, "which aren't beside it")
for command in ("append", "fork"):
    result = tool(command, "third/m.cim", "plain" if command == "append" else "f.cim")
    check(result.code == 5 and "only gone on with beside all its sources" in result.errors, command, result)

# Two copies of a source are told apart, though their region files have the same names
shutil.copytree(os.path.join(TMP, "here"), os.path.join(TMP, "copy"))
shutil.copy(os.path.join(TMP, "third/m.cim"), os.path.join(TMP, "copy/m.cim"))
for name in sorted(os.listdir(os.path.join(TMP, "third"))):
    if name.startswith("region_"):
        shutil.copy(os.path.join(TMP, "third", name), os.path.join(TMP, "copy", name))
for name in os.listdir(os.path.join(TMP, "copy")):
    path = os.path.join(TMP, "copy", name)
    with open(path, "rb") as file:
        data = file.read()
    if name.startswith("region_") and b"upper\n" in data:
        tooltest.write(path, data.replace(b"upper\n", b"UPPER\n"))
same(expect(1, "diff of a merged image with a copy of its source", "diff", *SOURCES, "copy/m.cim", "copy/upper.cim").text,
     "~ /both: contents\n- /dir/big (100000 bytes)\n- /dir/old (4 bytes)\n", "which isn't the one it was opened with")

# Beside all of them
expect(0, "the lower one in the upper one's directory", "create", TIME, "here/lower.cim", "lower")
expect(0, "merge --verify", "merge", "--verify", "here/m.cim", UPPER, "here/lower.cim")
same(expect(0, "diff", "diff", "here/m.cim", "third/plain.cim").text, "", "no difference")
expect(0, "fork", "fork", "here/m.cim", "f.cim", "--delete", "dir/old")
same(expect(1, "diff with its fork", "diff", "here/m.cim", "here/f.cim").text, "- /dir/old (4 bytes)\n", "what that lacks")
expect(0, "rm of the fork", "rm", "here/f.cim")
result = tool("rm", UPPER)
check(result.code == 1 and "m.cim was merged from it and needs" in result.errors, "rm of a source that a merged image beside it needs", result)
expect(0, "fork of the merged one", "fork", "here/m.cim", "f.cim")
result = tool("rm", "here/m.cim")
check(result.code == 1 and "f.cim is a fork of it and needs" in result.errors, "rm of a merged image that a fork needs", result)
expect(0, "rm of the fork", "rm", "here/f.cim")

# In a container, of one that is merged itself
text = expect(0, "merge of a merged one into a container", "merge", "--json", "--container", "n.bcim/n.cim", "third/m.cim",
              "third/plain.cim").text
same({key: value for key, value in json.loads(text).items() if key in ("command", "image", "sources", "warnings")},
     {"command": "merge", "image": "n.bcim/n.cim", "sources": 2, "warnings": 0}, "what it says")
EVERY = [*SOURCES, "--source=third/m.cim", "--source=third/plain.cim"]
same(expect(0, "diff", "diff", *EVERY, "n.bcim/n.cim", "third/plain.cim").text, "", "no difference")
result = tool("merge", "--verify", "n.bcim/v.cim", "third/m.cim")
check(result.code == 1 and "is written all the same" not in result.text and "none of the images given" in result.errors,
      "--verify wants to know of their sources", result)
expect(0, "and is told", "merge", "--verify", *SOURCES, "n.bcim/w.cim", "third/m.cim")
os.symlink("there/l.bcim", os.path.join(TMP, "link"))
os.symlink(os.path.join(TMP, "here/upper.cim"), os.path.join(TMP, "link.cim"))
expect(0, "sources by links", "merge", "--verify", "third/links.cim", "link.cim", "link/lower.cim")

# What goes wrong
for args, code, words in [
        (["third/m.cim", UPPER], 1, "the name is taken"),
        (["third/x.cim"], 2, "NEW and SOURCE are needed"),
        (["third/", UPPER], 2, "names a directory, not an image"),
        (["third/x.cim", "none.cim"], 1, "none.cim: No such file or directory"),
        (["third/x.cim", UPPER, "upper/both"], 4, "add source upper/both"),
        (["--force", "third/x.cim", UPPER], 2, "--force works with --block only"),
        (["--container", "third/x.cim", UPPER], 1, "a directory, where a container is wanted")]:
    before = sorted(os.listdir(os.path.join(TMP, "third")))
    result = tool("merge", *args)
    check(result.code == code and words in result.errors, "merge %s: exit status %d" % (" ".join(args), code), result)
    same(sorted(os.listdir(os.path.join(TMP, "third"))), before, "and nothing is left of it")
# Every hand-made image, merged alone: what it is made of shows as it did
merged = 0
for kind, case in all_cases():
    if kind != "good":
        continue
    image = case.build().write(os.path.join(TMP, "cases", case.name))
    new = os.path.join(TMP, "merged-%s.cim" % case.name)
    source = "--source=" + image
    if tool("dump", "-q", image).code:
        continue
    result = tool("merge", "--verify", new, image)
    check(result.code == 0 and tool("diff", source, new, image).code == 0,
          "%s: merged alone it shows the same" % case.name, result)
    merged += 1
check(merged > 10, "there are hand-made images", merged)

# Flags that nobody knows, and that a merged image can't have
odd = handmade.basic()
odd.items["Hello.txt"].flags |= 0x6000
odd.poke("record:Hello.txt", handmade.RECORD_FLAGS, "H", odd.items["Hello.txt"].flags)
odd = odd.write(os.path.join(TMP, "odd"))
result = tool("merge", "odd/new.cim", odd)
check(result.code == 3 and "unknown flags aren't stored, of 1 item: in odd/new.cim they would come to be marks" in
      result.errors, "flags that are lost are told of", result)
result = tool("merge", "--strict", "odd/strict.cim", odd)
check(result.code == 1 and not os.path.exists(os.path.join(TMP, "odd/strict.cim")), "--strict: nothing is made", result)
# A source that goes on is another image
expect(0, "create a source", "create", TIME, "--container", "goes.bcim/on.cim", "lower")
os.makedirs(os.path.join(TMP, "elsewhere"))
expect(0, "merge it elsewhere", "merge", "elsewhere/m.cim", "goes.bcim/on.cim")
expect(0, "cat of that", "cat", "--source=goes.bcim/on.cim", "elsewhere/m.cim", "both")
expect(0, "a tombstone in the source", "tombstone", "goes.bcim/on.cim", "/none")
result = tool("cat", "--source=goes.bcim/on.cim", "elsewhere/m.cim", "both")
check(result.code == 1 and result.errors.endswith(", or it was changed since\n"), "which the merged image isn't of, as is told", result)
done()
